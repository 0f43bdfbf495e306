//! LIST of Novell NetWare servers.
//!
//! `d [RWCEAFMS] admin      512 Feb 11 07:40 the name`: `d` or `-`, the trustee rights, owner, size, time, and the
//! name. Some put a number of links before the owner. Rights are no permission bits and are left out.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date;
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// NetWare.
#[derive(Clone, Copy, Debug)]
pub struct Netware;

impl ListingFormat for Netware {
    fn name(&self) -> &'static str {
        "netware"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let first = fields.get(0)?;
        if first.eq_ignore_ascii_case(b"total") {
            return (number(fields.get(1)?).is_some() && fields.get(2).is_none()).then_some(Line::Noise);
        }
        let kind = match first[0] {
            b'd' => Kind::Dir,
            b'-' => Kind::File,
            _ => return None,
        };
        // The letter and the rights may touch.
        let (rights, owner) = if first.len() > 1 { (&first[1..], 1) } else { (fields.get(1)?, 2) };
        if !is_rights(rights) {
            return None;
        }
        let (owner, found) = [owner, owner + 1].into_iter().find_map(|owner| {
            fields.get(owner + 1).filter(|size| size.iter().all(u8::is_ascii_digit))?;
            Some((owner, date::find(&mut fields, owner + 2, now)?))
        })?;
        Some(Line::of(Listed {
            size: fields.get(owner + 1).and_then(big_number).filter(|_| kind == Kind::File),
            mtime: found.mtime,
            owner: fields.get(owner).map(<[u8]>::to_vec),
            ..Listed::new(behind_blanks(line, found.end), kind)
        }))
    }
}

/// Returns whether it is `[RWCEAFMS]`, with hyphens for what isn't granted.
fn is_rights(word: &[u8]) -> bool {
    let letters = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]"));
    letters.is_some_and(|letters| letters.len() == 8 && letters.iter().all(|b| b"SRWCEMFA-".contains(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "d [RWCEAFMS] admin                      512 Feb 11 07:40    logs",
                "dir - 2026-02-11T07:40:00 minute admin - [logs]",
            ),
            (
                "- [R----F--] jane                     88210 Sep 13  2003 two words.exe",
                "file 88210 2003-09-13T00:00:00 day jane - [two words.exe]",
            ),
            (
                "-[R----F--]  1 jane                     903 Sep 13 16:08 DRIVERS.CFG",
                "file 903 2026-09-13T16:08:00 minute jane - [DRIVERS.CFG]",
            ),
            (
                "- [--------] jane      99999999999999999999 Sep 13 16:08 big",
                "file - 2026-09-13T16:08:00 minute jane - [big]",
            ),
            ("d [RWCEAFMS] admin                      512 Feb 11 07:40 ..", "own"),
            ("total 12", "noise"),
            ("total 12 files", "none"),
            ("d [RWCEAFMX] admin                      512 Feb 11 07:40 logs", "none"),
            ("d [RWCE] admin                      512 Feb 11 07:40 logs", "none"),
            ("l [RWCEAFMS] admin                      512 Feb 11 07:40 logs", "none"),
            ("- [RWCEAFMS] admin Feb 11 07:40 logs", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Netware, line), expected, "{line}");
        }
    }
}
