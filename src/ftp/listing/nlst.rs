//! NLST (RFC 959): bare names, a name a line.
//!
//! Nothing tells what a name is, so each is [`Kind::Other`], which is never copied and never deleted: whoever lists this way
//! has to ask for each name. Some servers put the directory before the name (`dir/a.txt`); that is left as it is.

use chrono::{DateTime, Utc};

use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// Bare names.
#[derive(Clone, Copy, Debug)]
pub struct Nlst;

impl ListingFormat for Nlst {
    fn name(&self) -> &'static str {
        "nlst"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn is_detectable(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], _now: DateTime<Utc>) -> Option<Line> {
        match line {
            b"." | b".." => Some(Line::Own),
            _ => Some(Line::of(Listed::new(line, Kind::Other))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_name_as_it_stands() {
        let parse = |line: &[u8]| Nlst.parse(line, DateTime::UNIX_EPOCH).unwrap();
        for name in [&b"a.txt"[..], b" a ", b"a; b=c", b"\xff", b"total 4", b"../x"] {
            assert_eq!(parse(name), Line::Entry(Listed::new(name, Kind::Other)));
        }
        assert_eq!(parse(b".."), Line::Own);
        assert_eq!(parse(b""), Line::Rejected("the name is empty".into()));
    }
}
