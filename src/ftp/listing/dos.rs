//! LIST as IIS writes it by default: the style of the DOS command DIR.
//!
//! `11-21-26  10:06AM                   12 the name`. Date and time, then a size or `<DIR>`, then the name. A size is
//! set flush right and one blank follows, so more blanks belong to the name. A tag is set flush left and blanks fill it
//! up to the same column: the name begins fifteen bytes behind the start of the tag. So `<DIR>`, ten blanks,
//! and whatever follows is the name; where fewer blanks stand, the server pads otherwise and all of them are padding.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Clock, Day, name_behind};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, big_number, is_blank, number, split_at_first};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// DOS DIR, as of IIS.
#[derive(Clone, Copy, Debug)]
pub struct Dos;

impl ListingFormat for Dos {
    fn name(&self) -> &'static str {
        "dos"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let day = read_day(fields.get(0)?)?;
        let (clock, words) = read_clock(fields.get(1)?, fields.get(2))?;
        let i = 1 + words;
        let (span, word) = (fields.span(i)?, fields.get(i)?);
        let mtime = date::resolve(day, Some(clock), now);
        if let Some(kind) = read_tag(word) {
            let text = name_behind_tag(line, span.start, span.end);
            let (name, target) = match kind {
                Kind::Symlink => split_link(text),
                Kind::File | Kind::Dir | Kind::Other => (text, None),
            };
            let target = target.map(<[u8]>::to_vec);
            return Some(Line::of(Listed { mtime, target, ..Listed::new(name, kind) }));
        }
        let size = read_size(word)?;
        Some(Line::of(Listed { size, mtime, ..Listed::new(name_behind(line, span.end), Kind::File) }))
    }
}

/// Reads `11-21-26`, `11-21-2026`, `11/21/2026`, `2026-11-21`, and `21.11.2026`, where the day stands first.
fn read_day(word: &[u8]) -> Option<Day> {
    if let Some(day) = date::numeric(word) {
        return day.year.is_some().then_some(day);
    }
    let separator = *word.iter().find(|b| !b.is_ascii_digit())?;
    // A month above 12 is a line of the family all the same, from a server with another order; its day is untold.
    match separator {
        b'-' | b'/' => ordered(word, separator, Order::Mdy),
        b'.' => ordered(word, separator, Order::Dmy),
        _ => None,
    }
}

/// Reads `10:06AM`, `10:06 AM`, `10:06a` and `22:06`, with seconds or without. Returns the time and how many words it was.
fn read_clock(word: &[u8], next: Option<&[u8]>) -> Option<(Clock, usize)> {
    let end = word.iter().position(u8::is_ascii_alphabetic).unwrap_or(word.len());
    let (digits, glued) = word.split_at(end);
    let (half, words) = match (read_half(glued), next.and_then(read_half)) {
        (Some(half), _) => (Some(half), 1),
        (None, _) if !glued.is_empty() => return None,
        (None, Some(half)) => (Some(half), 2),
        (None, None) => (None, 1),
    };
    let mut parts = digits.split(|&b| b == b':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() || hour.len() > 2 || minute.len() != 2 || second.is_some_and(|s| s.len() != 2) {
        return None;
    }
    let hour = match (half, number(hour)?) {
        (Some(Half::Am), 12) => 0,
        (Some(Half::Pm), hour @ 1..=11) => hour + 12,
        (_, hour) => hour,
    };
    let second = second.map(|second| number(second).ok_or(())).transpose().ok()?;
    Some((Clock::new(hour, number(minute)?, second)?, words))
}

/// The half of the day.
#[derive(Clone, Copy, Debug)]
enum Half {
    Am,
    Pm,
}

fn read_half(word: &[u8]) -> Option<Half> {
    if word.eq_ignore_ascii_case(b"am") || word.eq_ignore_ascii_case(b"a") {
        Some(Half::Am)
    } else if word.eq_ignore_ascii_case(b"pm") || word.eq_ignore_ascii_case(b"p") {
        Some(Half::Pm)
    } else {
        None
    }
}

fn read_tag(word: &[u8]) -> Option<Kind> {
    let tag = word.strip_prefix(b"<")?.strip_suffix(b">")?;
    let is = |known: &str| tag.eq_ignore_ascii_case(known.as_bytes());
    if is("dir") {
        Some(Kind::Dir)
    } else if is("junction") || is("symlinkd") || is("symlink") {
        Some(Kind::Symlink)
    } else {
        Some(Kind::Other)
    }
}

fn name_behind_tag(line: &[u8], start: usize, end: usize) -> &[u8] {
    let column = start + NAME_BEHIND_TAG;
    match line.get(end..column) {
        Some(padding) if padding.iter().all(|&b| b == b' ') && end < column => &line[column..],
        _ => {
            let rest = &line[end..];
            &rest[rest.iter().position(|&b| !is_blank(b)).unwrap_or(rest.len())..]
        }
    }
}

/// Splits `name [target]`, as DIR shows links and junctions.
fn split_link(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.strip_suffix(b"]").map(|text| split_at_first(text, b" [")) {
        Some((name, Some(target))) => (name, Some(target)),
        _ => (text, None),
    }
}

/// Reads a size, `1,234,567` and `1.234.567` included: `None` where the word is none, `Some(None)` where it is more
/// than a file can have bytes.
fn read_size(word: &[u8]) -> Option<Option<u64>> {
    if word.iter().all(u8::is_ascii_digit) {
        return Some(big_number(word));
    }
    let separator = *word.iter().find(|b| !b.is_ascii_digit())?;
    let mut groups = word.split(|&b| b == separator);
    let first = groups.next()?;
    let is_grouped = matches!(separator, b',' | b'.')
        && !first.is_empty()
        && first.iter().all(u8::is_ascii_digit)
        && groups.all(|group| group.len() == 3 && group.iter().all(u8::is_ascii_digit));
    let digits = || word.iter().copied().filter(|&b| b != separator).collect::<Vec<u8>>();
    is_grouped.then(|| big_number(&digits()))
}

/// How far behind the start of its tag a name begins.
const NAME_BEHIND_TAG: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Line> {
        Dos.parse(line.as_bytes(), "2026-11-21T12:00:00Z".parse().unwrap())
    }

    fn entry(line: &str) -> Listed {
        match parse(line) {
            Some(Line::Entry(listed)) => listed,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn dates_and_times() {
        for (text, expected) in [
            ("11-21-26  10:06AM", "2026-11-21T10:06:00Z minute"),
            ("11-21-26  12:06AM", "2026-11-21T00:06:00Z minute"),
            ("11-21-26  12:06PM", "2026-11-21T12:06:00Z minute"),
            ("11-21-26  01:06PM", "2026-11-21T13:06:00Z minute"),
            ("11-21-26  11:59pm", "2026-11-21T23:59:00Z minute"),
            ("11-21-26  1:06p", "2026-11-21T13:06:00Z minute"),
            ("11-21-26  01:06 PM", "2026-11-21T13:06:00Z minute"),
            ("11-21-26  13:06", "2026-11-21T13:06:00Z minute"),
            ("11-21-26  00:06", "2026-11-21T00:06:00Z minute"),
            ("11-21-26  10:06:15AM", "2026-11-21T10:06:15Z second"),
            ("11-21-2026  10:06AM", "2026-11-21T10:06:00Z minute"),
            ("11/21/2026  10:06 AM", "2026-11-21T10:06:00Z minute"),
            ("2026-11-21  10:06", "2026-11-21T10:06:00Z minute"),
            ("21.11.2026  10:06", "2026-11-21T10:06:00Z minute"),
            ("21.11.26  10:06", "2026-11-21T10:06:00Z minute"),
            ("01-02-69  10:06AM", "2069-01-02T10:06:00Z minute"),
            ("01-02-70  10:06AM", "1970-01-02T10:06:00Z minute"),
            ("11-21-126  10:06AM", "2026-11-21T10:06:00Z minute"),
            ("01-01-1601  12:00AM", "1601-01-01T00:00:00Z minute"),
            ("01-02-99  10:06AM", "1999-01-02T10:06:00Z minute"),
            ("21-11-26  10:06AM", "untold"),
            ("02-30-26  10:06AM", "untold"),
        ] {
            let listed = entry(&format!("{text}                   12 n"));
            let at = listed.mtime.map_or_else(
                || "untold".into(),
                |m| {
                    format!(
                        "{} {}",
                        m.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                        m.precision.as_str()
                    )
                },
            );
            assert_eq!(at, expected, "{text}");
            assert_eq!((listed.name, listed.size), (b"n".to_vec(), Some(12)), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("0", Some(0)),
            ("1,234,567", Some(1_234_567)),
            ("1.234.567", Some(1_234_567)),
            ("5368709120", Some(5_368_709_120)),
            ("9223372036854775808", None),
            ("99,999,999,999,999,999,999", None),
        ] {
            assert_eq!(entry(&format!("11-21-26  10:06AM {text:>20} n")).size, size, "{text}");
        }
    }

    #[test]
    fn the_name_begins_at_its_column() {
        for (rest, name) in [
            ("      <DIR>          d", "d"),
            ("      <DIR>           d", " d"),
            ("      <DIR>          two words ", "two words "),
            ("      <DIR>      d", "d"),
            ("      <DIR> d", "d"),
            ("      <DIR>\td", "d"),
            ("      <JUNCTION>     d", "d"),
            ("      <FOO>          d", "d"),
            ("                  12 f", "f"),
            ("                  12  f", " f"),
            ("                  12 f  g ", "f  g "),
            ("                  12 <DIR>", "<DIR>"),
            ("                  12 am", "am"),
        ] {
            assert_eq!(entry(&format!("11-21-26  10:06AM {rest}")).name, name.as_bytes(), "{rest}");
        }
    }

    #[test]
    fn tags_tell_the_kind() {
        use Kind::*;
        for (rest, kind, name, target) in [
            ("<DIR>          d", Dir, "d", None),
            ("<dir>          d [x]", Dir, "d [x]", None),
            ("<JUNCTION>     d [C:\\x]", Symlink, "d", Some("C:\\x")),
            ("<SYMLINKD>     d [..\\x]", Symlink, "d", Some("..\\x")),
            ("<SYMLINK>      f [..\\x]", Symlink, "f", Some("..\\x")),
            ("<SYMLINK>      f", Symlink, "f", None),
            ("<FOO>          f", Other, "f", None),
        ] {
            let listed = entry(&format!("11-21-26  10:06AM       {rest}"));
            assert_eq!((listed.kind, listed.size), (kind, None), "{rest}");
            assert_eq!(
                (&listed.name[..], listed.target.as_deref()),
                (name.as_bytes(), target.map(str::as_bytes))
            );
        }
    }

    #[test]
    fn what_is_no_entry() {
        for noise in ["11-21-26  10:06AM       <DIR>          .", "11-21-26  10:06AM       <DIR>          .."]
        {
            assert_eq!(parse(noise), Some(Line::Own), "{noise}");
        }
        for nameless in [
            "11-21-26  10:06AM       <DIR>          ",
            "11-21-26  10:06AM       <DIR>",
            "11-21-26  10:06AM  12",
            "11-21-26  10:06AM  12 ",
        ] {
            assert_eq!(parse(nameless), Some(Line::Rejected("the name is empty".into())), "{nameless}");
        }
        for other in [
            "",
            "  ",
            "11-21-26",
            "11-21-26  10:06AM",
            "11-21-26  10:06AM n",
            "11-21-26  10:06XM  12 n",
            "11-21-26  10.06AM  12 n",
            "11-21-26  10:66AM  12 n",
            "11-21-26  25:06  12 n",
            "11-21  10:06  12 n",
            "11-21-1  10:06  12 n",
            "11-21-26  10:06AM  -12 n",
            "11-21-26  10:06AM  12k n",
            "11-21-26  10:06AM  1.234,567 n",
            "11-21-26  10:06AM  12.5 n",
            "11-21-26  10:06AM  ,5 n",
            "-rw-r--r-- 1 a b 5 Nov 21 10:06 n",
            "type=file; n",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
