//! LIST of OS-9 servers.
//!
//! `30.15 12/08/16 1342 d-ewrewr 1F40 40960 the name`: group and user, day and time, attributes, the sector it begins
//! at in hexadecimal, size, name. The attributes are directory, not shareable, then execute, write, read for everybody
//! and the same for the owner.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Clock};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// OS-9.
#[derive(Clone, Copy, Debug)]
pub struct Os9;

impl ListingFormat for Os9 {
    fn name(&self) -> &'static str {
        "os9"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let first = fields.get(0)?;
        if is_head(&mut fields) {
            return Some(Line::Noise);
        }
        let point = first.iter().position(|&b| b == b'.')?;
        let (group, user) = (&first[..point], &first[point + 1..]);
        number(group).zip(number(user))?;
        let day = ordered(fields.get(1)?, b'/', Order::Ymd)?;
        let time = fields.get(2).filter(|time| time.len() == 4)?;
        let time = Clock::new(number(&time[..2])?, number(&time[2..])?, None)?;
        let (kind, mode) = read_attributes(fields.get(3)?)?;
        fields.get(4).filter(|sector| sector.iter().all(u8::is_ascii_hexdigit))?;
        let size = fields.get(5).filter(|size| size.iter().all(u8::is_ascii_digit))?;
        Some(Line::of(Listed {
            size: big_number(size).filter(|_| kind == Kind::File),
            mtime: date::resolve(day, Some(time), now),
            mode: Some(mode),
            owner: Some(user.to_vec()),
            group: Some(group.to_vec()),
            ..Listed::new(behind_blanks(line, fields.span(5)?.end), kind)
        }))
    }
}

/// Reads `dsewrewr`.
fn read_attributes(word: &[u8]) -> Option<(Kind, u32)> {
    let all = b"dsewrewr";
    if word.len() != all.len() || word.iter().zip(all).any(|(b, known)| b != known && *b != b'-') {
        return None;
    }
    // Execute, write, read are bits 1, 2, 4.
    let bits =
        |letters: &[u8]| letters.iter().enumerate().map(|(i, b)| u32::from(*b != b'-') << i).sum::<u32>();
    let kind = if word[0] == b'd' { Kind::Dir } else { Kind::File };
    Some((kind, bits(&word[5..]) << 6 | bits(&word[2..5])))
}

/// Returns whether it is `Directory of . 16:20:07`, `Owner    Last modified ...`, or the line below.
fn is_head(fields: &mut Fields<'_>) -> bool {
    let (Some(first), Some(second)) = (fields.get(0), fields.get(1)) else { return false };
    let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    (is(first, "directory") && is(second, "of"))
        || (is(first, "owner") && is(second, "last"))
        || [first, second].iter().all(|word| word.len() > 4 && word.iter().all(|&b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "30.15 12/08/16 1342 d-ewrewr 1F40 40960 two words",
                "dir - 2012-08-16T13:42:00 minute 15 30 [two words]",
            ),
            (
                "0.0 98/08/16 0042 ------wr 3D8A0 40960 a.txt",
                "file 40960 1998-08-16T00:42:00 minute 0 0 [a.txt]",
            ),
            ("                Directory of . 16:20:07", "noise"),
            (" Owner    Last modified  Attributes Sector Bytecount Name", "noise"),
            ("-------   -------------  ---------- ------ --------- ----------", "noise"),
            ("30.15 12/08/16 1362 d-ewrewr 1F40 40960 n", "none"),
            ("30.15 12/08/16 1342 d-ewrwer 1F40 40960 n", "none"),
            ("30 12/08/16 1342 d-ewrewr 1F40 40960 n", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Os9, line), expected, "{line}");
        }
    }
}
