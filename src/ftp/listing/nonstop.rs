//! LIST of HP (Tandem) NonStop servers, of a subvolume of Guardian files.
//!
//! `REPORT     101      20992 25-May-09 16:41:38 120, 31 "nnnn"`: name, file code with an `O` behind it while the file
//! is open, bytes, time, owner as group and user, and who may read, write, execute and purge it. There are no
//! directories.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, clock};
use crate::ftp::listing::day::dashed;
use crate::ftp::listing::fields::{Fields, big_number, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// NonStop.
#[derive(Clone, Copy, Debug)]
pub struct NonStop;

impl ListingFormat for NonStop {
    fn name(&self) -> &'static str {
        "nonstop"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let name = fields.get(0)?;
        let Some(second) = fields.get(1) else {
            // The subvolume the files are in: `$DATA01.REPORTS`.
            let is_place = matches!(name[0], b'$' | b'\\') && name.contains(&b'.');
            return is_place.then_some(Line::Noise);
        };
        if name.eq_ignore_ascii_case(b"file") && second.eq_ignore_ascii_case(b"code") {
            return Some(Line::Noise);
        }
        number(second.strip_suffix(b"O").unwrap_or(second))?;
        let i = if fields.get(2)? == b"O" { 3 } else { 2 };
        let size = fields.get(i).filter(|size| size.iter().all(u8::is_ascii_digit))?;
        let (day, time) = (dashed(fields.get(i + 1)?)?, clock(fields.get(i + 2)?)?);
        let (group, owner) = read_owner(&line[fields.span(i + 2)?.end..])?;
        Some(Line::of(Listed {
            size: big_number(size),
            mtime: date::resolve(day, Some(time), now),
            owner: Some(owner.to_vec()),
            group: Some(group.to_vec()),
            ..Listed::new(name, Kind::File)
        }))
    }
}

/// Reads `120, 31 "nnnn"`.
fn read_owner(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let quote = text.iter().position(|&b| b == b'"')?;
    let comma = text[..quote].iter().position(|&b| b == b',')?;
    let (group, owner) = (text[..comma].trim_ascii(), text[comma + 1..quote].trim_ascii());
    number(group).zip(number(owner))?;
    Some((group, owner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "REPORT     101      20992 25-May-09 16:41:38 120, 31 \"nnnn\"",
                "file 20992 2009-05-25T16:41:38 second 31 120 [REPORT]",
            ),
            (
                "REPORT     101O     20992 5-May-09  6:41:38 120,120 \"oooo\"",
                "file 20992 2009-05-05T06:41:38 second 120 120 [REPORT]",
            ),
            (
                "REPORT     101  O   20992 25-May-09 16:41:38 255,255 \"oooo\"",
                "file 20992 2009-05-25T16:41:38 second 255 255 [REPORT]",
            ),
            ("File         Code             EOF  Last Modification    Owner  RWEP", "noise"),
            ("$DATA01.REPORTS", "noise"),
            ("\\NODE.$DATA01.REPORTS", "noise"),
            ("plain", "none"),
            ("REPORT     101      20992 25-May-09 16:41:38", "none"),
            ("REPORT     101      20992 25-May-09 16:41:38 jane \"nnnn\"", "none"),
            ("REPORT     abc      20992 25-May-09 16:41:38 120, 31 \"nnnn\"", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&NonStop, line), expected, "{line}");
        }
    }
}
