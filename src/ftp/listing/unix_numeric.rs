//! LIST as some servers on Unix write it for programs: numbers alone.
//!
//! `0100644   604  117   70016    1234567890       the name`: type and permissions as `st_mode` has them in octal,
//! owner and group, size, seconds since 1970, and the name behind any number of blanks.

use crate::ftp::listing::fields::{Fields, behind_blanks, big_number, number};
use crate::ftp::listing::{Line, Listed};
use crate::model::{Kind, Mtime};

/// Reads a line of numbers and a name.
pub(super) fn parse(fields: &mut Fields<'_>) -> Option<Line> {
    let (kind, mode) = read_mode(fields.get(0)?)?;
    let (owner, group) = (fields.get(1)?, fields.get(2)?);
    number(owner).zip(number(group))?;
    let (size, seconds) = (fields.get(3)?, fields.get(4)?);
    if !size.iter().chain(seconds).all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = big_number(seconds).and_then(|seconds| i64::try_from(seconds).ok());
    let name = behind_blanks(fields.line(), fields.span(4)?.end);
    Some(Line::of(Listed {
        size: big_number(size).filter(|_| kind == Kind::File),
        mtime: seconds.and_then(|seconds| Mtime::from_unix(seconds, 0)),
        mode: Some(mode),
        owner: Some(owner.to_vec()),
        group: Some(group.to_vec()),
        ..Listed::new(name, kind)
    }))
}

/// Reads `0100644` and `40755`.
fn read_mode(word: &[u8]) -> Option<(Kind, u32)> {
    if !(5..=7).contains(&word.len()) || !word.iter().all(|b| (b'0'..=b'7').contains(b)) {
        return None;
    }
    let bits = word.iter().fold(0, |bits, b| bits << 3 | u32::from(b - b'0'));
    let kind = match bits >> 12 {
        0o10 => Kind::File,
        0o4 => Kind::Dir,
        0o12 => Kind::Symlink,
        0o1 | 0o2 | 0o6 | 0o14 => Kind::Other,
        _ => return None,
    };
    Some((kind, bits & 0o7777))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_a_name() {
        for (line, expected) in [
            (
                "0100644   604  117   70016    1234567890       a b",
                Some((Kind::File, 0o644, Some(70_016), "a b")),
            ),
            ("040755 0 0 4096 1700000000 d", Some((Kind::Dir, 0o755, None, "d"))),
            ("0120777 0 0 3 1700000000 l", Some((Kind::Symlink, 0o777, None, "l"))),
            ("0020666 0 0 3 1700000000 null", Some((Kind::Other, 0o666, None, "null"))),
            ("0100644 604 117 99999999999999999999 1 n", Some((Kind::File, 0o644, None, "n"))),
            ("0700644 604 117 1 1 n", None),
            ("644 604 117 1 1 n", None),
            ("0100644 web 117 1 1 n", None),
            ("0100644 604 117 1k 1 n", None),
            ("0100644 604 117 1", None),
        ] {
            let read = parse(&mut Fields::new(line.as_bytes())).map(|line| match line {
                Line::Entry(e) => (e.kind, e.mode.unwrap(), e.size, String::from_utf8(e.name).unwrap()),
                other => panic!("{other:?}"),
            });
            assert_eq!(
                read,
                expected.map(|(kind, mode, size, name)| (kind, mode, size, name.into())),
                "{line}"
            );
        }
    }
}
