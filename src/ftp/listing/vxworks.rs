//! LIST of VxWorks, as its shell's `ls` writes it; also of network devices built on it.
//!
//! `  2048    Jun-19-2001  04:12:46   the name <DIR>`: size, day, time, and the name, with `<DIR>` behind that of a
//! directory.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, clock};
use crate::ftp::listing::day::dashed;
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// VxWorks.
#[derive(Clone, Copy, Debug)]
pub struct VxWorks;

impl ListingFormat for VxWorks {
    fn name(&self) -> &'static str {
        "vxworks"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        if is_head(&mut fields) {
            return Some(Line::Noise);
        }
        let size = fields.get(0).filter(|size| size.iter().all(u8::is_ascii_digit))?;
        let (day, time) = (dashed(fields.get(1)?)?, clock(fields.get(2)?)?);
        let text = behind_blanks(line, fields.span(2)?.end);
        let (name, kind) = match text.trim_ascii_end().strip_suffix(b"<DIR>") {
            Some(name) => (name.trim_ascii_end(), Kind::Dir),
            None => (text, Kind::File),
        };
        Some(Line::of(Listed {
            size: big_number(size).filter(|_| kind == Kind::File),
            mtime: date::resolve(day, Some(time), now),
            ..Listed::new(name, kind)
        }))
    }
}

/// Returns whether it is `size date time name` or the line below.
fn is_head(fields: &mut Fields<'_>) -> bool {
    let mut is =
        |i: usize, known: &str| fields.get(i).is_some_and(|word| word.eq_ignore_ascii_case(known.as_bytes()));
    if is(0, "size") && is(1, "date") {
        return true;
    }
    let mut is_rule =
        |i: usize| fields.get(i).is_some_and(|word| word.len() > 3 && word.iter().all(|&b| b == b'-'));
    (0..4).all(&mut is_rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "  2048    Jun-19-2001  04:12:46   two words           <DIR>",
                "dir - 2001-06-19T04:12:46 second - - [two words]",
            ),
            (
                "  1024    JAN-01-1980  00:00:00   image.bin",
                "file 1024 1980-01-01T00:00:00 second - - [image.bin]",
            ),
            ("  2048    Jun-19-2001  04:12:46   .                   <DIR>", "own"),
            ("  size          date       time       name", "noise"),
            ("--------       ------     ------    --------", "noise"),
            ("  1024    Foo-01-1980  00:00:00   n", "none"),
            ("  1024    JAN-01-1980  n", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&VxWorks, line), expected, "{line}");
        }
    }
}
