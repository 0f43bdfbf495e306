//! LIST of VShell servers.
//!
//! `51230  Jul 09, 2019 18:32 the name`: size, time and name, with a `/` behind that of a directory.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date;
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// VShell.
#[derive(Clone, Copy, Debug)]
pub struct VShell;

impl ListingFormat for VShell {
    fn name(&self) -> &'static str {
        "vshell"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let size = fields.get(0).filter(|size| size.iter().all(u8::is_ascii_digit))?;
        fields.get(2).filter(|day| day.ends_with(b","))?;
        let found = date::find(&mut fields, 1, now)?;
        let text = behind_blanks(line, found.end);
        let (name, kind) = text.strip_suffix(b"/").map_or((text, Kind::File), |name| (name, Kind::Dir));
        let size = big_number(size).filter(|_| kind == Kind::File);
        Some(Line::of(Listed { size, mtime: found.mtime, ..Listed::new(name, kind) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (" 51230  Jul 09, 2019 18:32 two words", "file 51230 2019-07-09T18:32:00 minute - - [two words]"),
            ("     0  Nov 03, 2018 04:55 d/", "dir - 2018-11-03T04:55:00 minute - - [d]"),
            ("     0  Nov 03, 2018 04:55 ../", "own"),
            ("99999999999999999999  Nov 03, 2018 04:55 n", "file - 2018-11-03T04:55:00 minute - - [n]"),
            (" 51230  Jul 09 2019 n", "none"),
            (" 51230  Foo 09, 2019 21:06 n", "none"),
            ("total 12", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&VShell, line), expected, "{line}");
        }
    }
}
