//! The words of a line between blanks, found as they are asked for.
//!
//! Only the first words of a line are ever looked at: what stands behind them is the name, which may be long and is not
//! made of words. So a line costs no more than its length, whatever is in it.

use std::ops::Range;

/// The first words of a line.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    line: &'a [u8],
    spans: [(usize, usize); MOST],
    found: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { line, spans: [(0, 0); MOST], found: 0 }
    }

    /// Returns the line.
    pub(super) fn line(&self) -> &'a [u8] {
        self.line
    }

    /// Returns word `i`, from 0; `None` when the line has no such word, or too many before it.
    pub(super) fn get(&mut self, i: usize) -> Option<&'a [u8]> {
        self.span(i).map(|span| &self.line[span])
    }

    /// Returns where word `i` stands.
    pub(super) fn span(&mut self, i: usize) -> Option<Range<usize>> {
        if i >= self.found && !self.search(i) {
            return None;
        }
        let (start, end) = self.spans[i];
        Some(start..end)
    }

    /// Finds the words up to `i`, and returns whether they are there.
    fn search(&mut self, i: usize) -> bool {
        if i >= MOST {
            return false;
        }
        let line = self.line;
        let mut at = self.found.checked_sub(1).map_or(0, |last| self.spans[last].1);
        while self.found <= i {
            while at < line.len() && is_blank(line[at]) {
                at += 1;
            }
            let start = at;
            while at < line.len() && !is_blank(line[at]) {
                at += 1;
            }
            if start == at {
                return false;
            }
            self.spans[self.found] = (start, at);
            self.found += 1;
        }
        true
    }
}

/// Returns what stands behind `end` and the blanks there, for families that pad before the name.
pub(super) fn behind_blanks(line: &[u8], end: usize) -> &[u8] {
    let rest = line.get(end..).unwrap_or_default();
    &rest[rest.iter().position(|&b| !is_blank(b)).unwrap_or(rest.len())..]
}

/// Returns whether `b` separates words.
pub(super) fn is_blank(b: u8) -> bool {
    // Most bytes are above, and are done with at the first question.
    b <= b' ' && matches!(b, b' ' | b'\t')
}

/// Returns the number `text` is; `None` unless it is one to nine digits and nothing else.
pub(super) fn number(text: &[u8]) -> Option<u32> {
    if text.len() > 9 {
        return None;
    }
    big_number(text).and_then(|n| u32::try_from(n).ok())
}

/// Returns the number `text` is; `None` unless it is digits and nothing else, or where it is more than a file can have
/// bytes (`i64::MAX`).
pub(super) fn big_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut n = 0u64;
    for b in text {
        if !b.is_ascii_digit() {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(u64::from(b - b'0'))?;
    }
    (n <= i64::MAX as u64).then_some(n)
}

/// Returns `name -> target` or the like taken apart at the first `arrow`, or as a name alone.
pub(super) fn split_at_first<'a>(text: &'a [u8], arrow: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match text.windows(arrow.len()).position(|w| w == arrow) {
        Some(i) => (&text[..i], Some(&text[i + arrow.len()..])),
        None => (text, None),
    }
}

/// How many words are looked at: inode, blocks, permissions, links, owner and group of several words, size, date.
const MOST: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_stands_between_blanks() {
        let mut fields = Fields::new(b"  ab \tc  d");
        assert_eq!(fields.get(1), Some(&b"c"[..]));
        assert_eq!(fields.span(0), Some(2..4));
        assert_eq!(fields.get(2), Some(&b"d"[..]));
        assert_eq!(fields.get(3), None);
        assert_eq!(Fields::new(b"").get(0), None);
        assert_eq!(Fields::new(b"   ").get(0), None);
        assert_eq!(Fields::new(&b"x ".repeat(1000)).get(MOST), None);
    }

    #[test]
    fn numbers_are_digits_and_no_more_than_a_file_can_have_bytes() {
        for (text, n) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            ("-1", None),
            ("+1", None),
            ("1e9", None),
            ("", None),
            (" 1", None),
        ] {
            assert_eq!(big_number(text.as_bytes()), n, "{text}");
        }
        assert_eq!(number(b"999999999"), Some(999_999_999));
        assert_eq!(number(b"1000000000"), None);
    }
}
