//! LIST of Nortel (Bay Networks, Wellfleet) routers.
//!
//! `image.exe   2088960  08/11/09  Tues.   14:31:52`: name, size, day, day of the week, time. Names have no blanks and
//! there are no directories.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, clock};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, big_number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// Nortel wfFTP.
#[derive(Clone, Copy, Debug)]
pub struct WfFtp;

impl ListingFormat for WfFtp {
    fn name(&self) -> &'static str {
        "wfftp"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let name = fields.get(0)?;
        let size = fields.get(1).filter(|size| size.iter().all(u8::is_ascii_digit))?;
        let day = ordered(fields.get(2)?, b'/', Order::Mdy)?;
        fields.get(3).filter(|weekday| weekday.ends_with(b".") && weekday[0].is_ascii_alphabetic())?;
        let time = clock(fields.get(4)?)?;
        if fields.get(5).is_some() {
            return None;
        }
        let mtime = date::resolve(day, Some(time), now);
        Some(Line::of(Listed { size: big_number(size), mtime, ..Listed::new(name, Kind::File) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "image.exe   2088960  08/11/09  Tues.   14:31:52",
                "file 2088960 2009-08-11T14:31:52 second - - [image.exe]",
            ),
            (
                "config      12       12/31/99  Fri.     4:31:52",
                "file 12 1999-12-31T04:31:52 second - - [config]",
            ),
            ("image.exe   2088960  08/11/09  Tues    14:31:52", "none"),
            ("image.exe   2088960  08/11/09  Tues.   14:31:52 n", "none"),
            ("image.exe   2088960  08/11/09", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&WfFtp, line), expected, "{line}");
        }
    }
}
