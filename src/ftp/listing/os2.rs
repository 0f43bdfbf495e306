//! LIST of OS/2 servers.
//!
//! `    902      A    03-19-98   11:52  the name`: size, attributes as far as there are any, `DIR` for a directory,
//! day and time, and the name. Years are counted from 1900, so that 103 is 2003.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, clock};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// OS/2.
#[derive(Clone, Copy, Debug)]
pub struct Os2;

impl ListingFormat for Os2 {
    fn name(&self) -> &'static str {
        "os2"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let size = fields.get(0).filter(|size| size.iter().all(u8::is_ascii_digit))?;
        let (mut kind, mut i) = (Kind::File, 1);
        let day = loop {
            let word = fields.get(i)?;
            match word {
                b"DIR" => kind = Kind::Dir,
                _ if is_attributes(word) => {}
                _ => break ordered(word, b'-', Order::Mdy)?,
            }
            i += 1;
        };
        let time = clock(fields.get(i + 1)?)?;
        Some(Line::of(Listed {
            size: big_number(size).filter(|_| kind == Kind::File),
            mtime: date::resolve(day, Some(time), now),
            ..Listed::new(behind_blanks(line, fields.span(i + 1)?.end), kind)
        }))
    }
}

/// Archive, read-only, hidden, system.
fn is_attributes(word: &[u8]) -> bool {
    word.len() <= 4 && word.iter().all(|b| b"ARHS".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "   20480      A    06-17-105  08:41  two words",
                "file 20480 2005-06-17T08:41:00 minute - - [two words]",
            ),
            ("     902           03-19-98   11:52  a.txt", "file 902 1998-03-19T11:52:00 minute - - [a.txt]"),
            ("     902      A RH 03-19-98   11:52  a.txt", "file 902 1998-03-19T11:52:00 minute - - [a.txt]"),
            ("       0 DIR       09-08-104  14:26  d", "dir - 2004-09-08T14:26:00 minute - - [d]"),
            ("     902 DIR  A    12-04-101  22:07  d", "dir - 2001-12-04T22:07:00 minute - - [d]"),
            ("       0 DIR       09-08-104  14:26  ..", "own"),
            (
                "99999999999999999999  03-19-98   11:52  a.txt",
                "file - 1998-03-19T11:52:00 minute - - [a.txt]",
            ),
            ("     902      X    03-19-98   11:52  a.txt", "none"),
            ("     902      A    1998-03-19   12:37  a.txt", "none"),
            ("     902      A    03-19-98   a.txt", "none"),
            ("11-21-26  10:06AM  5 n", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Os2, line), expected, "{line}");
        }
    }
}
