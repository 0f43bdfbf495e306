//! How many columns of a terminal a text takes, and how it is shortened to fewer.
//!
//! Han characters and most emoji take two columns, combining marks none (Unicode Standard Annex #11).

use unicode_width::UnicodeWidthChar;

/// Returns how many columns of a terminal `text` takes. It should be escaped: control characters count for none.
pub fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Returns `text` in no more than so many columns: what is too long lacks some of its middle, for which `mark` stands.
pub fn shorten(text: &str, most: usize, mark: &str) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let Some(room) = most.checked_sub(columns(mark)) else { return String::new() };
    let mut used = 0;
    let fits = |c: char, used: &mut usize, room: usize| {
        *used += width(c);
        *used <= room
    };
    let head: String = text.chars().take_while(|&c| fits(c, &mut used, room.div_ceil(2))).collect();
    let mut used = columns(&head);
    let mut tail: Vec<char> = text.chars().rev().take_while(|&c| fits(c, &mut used, room)).collect();
    // A mark that combines with what is left out would combine with ours.
    while tail.last().is_some_and(|&c| width(c) == 0) {
        tail.pop();
    }
    head + mark + &tail.into_iter().rev().collect::<String>()
}

fn width(c: char) -> usize {
    // It makes an emoji of what is before it, which takes two columns then.
    const EMOJI: char = '\u{fe0f}';
    if c == EMOJI { 1 } else { c.width().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        for (text, expected) in
            [("", 0), ("a.txt", 5), ("漢字.txt", 8), ("e\u{301}", 1), ("\u{2764}\u{fe0f}", 2)]
        {
            assert_eq!(columns(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_lacks_its_middle() {
        for (text, most, shown) in [
            ("short", 5, "short"),
            ("images/2024/summer/beach.jpg", 15, "images/…ach.jpg"),
            ("漢字漢字漢字", 6, "漢…字"),
            ("ae\u{301}e\u{301}e\u{301}z", 4, "ae\u{301}…z"),
            ("abcdef", 1, "…"),
            ("abcdef", 0, ""),
        ] {
            assert_eq!(shorten(text, most, "…"), shown, "{text} in {most}");
        }
        assert_eq!(shorten("abcdefgh", 6, "..."), "ab...h");
    }

    proptest! {
        #[test]
        fn it_is_never_wider_than_there_is_room(text in "\\PC{0,40}", most in 0usize..30) {
            prop_assert!(columns(&shorten(&text, most, "…")) <= most);
        }
    }
}
