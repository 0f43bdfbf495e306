//! LIST of z/OS and MVS servers, of the members of a partitioned data set.
//!
//! A member edited with ISPF has statistics: `PROG01    01.07 2015/03/18 2016/05/24 14:12    62    40    22 JANE`,
//! version, day of creation, time of change, lines now, at first and changed since, and who changed it. Lines are no
//! bytes, so the size is untold. A load module has a size in hexadecimal, of the program rather than of what FTP
//! sends. Others have a name and nothing else, which shows its family only below the head ` Name     VV.MM   Created
//! ...`.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, clock};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// Members of a partitioned data set.
#[derive(Clone, Copy, Debug)]
pub struct Pds;

impl ListingFormat for Pds {
    fn name(&self) -> &'static str {
        "pds"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let name = fields.get(0)?;
        let Some(second) = fields.get(1) else {
            return is_member(name).then(|| Line::Perhaps(Listed::new(name, Kind::File)));
        };
        if name.eq_ignore_ascii_case(b"name")
            && (second.eq_ignore_ascii_case(b"vv.mm") || second.eq_ignore_ascii_case(b"size"))
        {
            return Some(Line::Noise);
        }
        let entry = with_statistics(&mut fields, now).or_else(|| load_module(&mut fields))?;
        Some(Line::of(entry))
    }
}

fn with_statistics(fields: &mut Fields<'_>, now: DateTime<Utc>) -> Option<Listed> {
    let (version, level) = fields.get(1)?.split_at_checked(2)?;
    number(version).zip(number(level.strip_prefix(b".")?))?;
    ordered(fields.get(2)?, b'/', Order::Ymd)?;
    let changed = ordered(fields.get(3)?, b'/', Order::Ymd)?;
    let time = clock(fields.get(4)?)?;
    for i in 5..8 {
        number(fields.get(i)?)?;
    }
    let owner = fields.get(8).map(<[u8]>::to_vec);
    if fields.get(9).is_some() {
        return None;
    }
    Some(Listed {
        mtime: date::resolve(changed, Some(time), now),
        owner,
        ..Listed::new(fields.get(0)?, Kind::File)
    })
}

/// Reads name, size, place on the disk, and further words, of which the last two tell where the program may run.
fn load_module(fields: &mut Fields<'_>) -> Option<Listed> {
    let (name, size, place) = (fields.get(0)?, fields.get(1)?, fields.get(2)?);
    if size.len() < 6 || !(4..=8).contains(&place.len()) {
        return None;
    }
    let (size, _) = (hexadecimal(size)?, hexadecimal(place)?);
    let mut last = 3;
    while fields.get(last + 1).is_some() {
        last += 1;
    }
    let is_mode = |word: &[u8]| MODES.iter().any(|mode| word == mode.as_bytes());
    (is_mode(fields.get(last - 1)?) && is_mode(fields.get(last)?)).then(|| Listed {
        size: Some(size),
        rounded: true,
        ..Listed::new(name, Kind::File)
    })
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    let is_hexadecimal = word.len() <= 8 && word.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(word).ok().filter(|_| is_hexadecimal)?;
    u64::from_str_radix(digits, 16).ok()
}

fn is_member(word: &[u8]) -> bool {
    let is_letter = |b: &u8| b.is_ascii_uppercase() || b"@#$".contains(b);
    word.len() <= 8 && is_letter(&word[0]) && word.iter().all(|b| is_letter(b) || b.is_ascii_digit())
}

/// Addresses of how many bits a program takes, and where it may lie.
const MODES: &[&str] = &["24", "31", "64", "ANY", "MIN", "SPLIT"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "PROG01    01.07 2015/03/18 2016/05/24 14:12    62    40    22 JANE",
                "file - 2016-05-24T14:12:00 minute JANE - [PROG01]",
            ),
            (
                "PROG01    01.07 15/03/18 16/05/24 14:12:15    62    40    22",
                "file - 2016-05-24T14:12:15 second - - [PROG01]",
            ),
            ("$MEMBER", "file - - - - [$MEMBER]"),
            ("LOADMOD   0000A8F0   001B0C   01   RN RU   31   ANY", "file ~43248 - - - [LOADMOD]"),
            ("LOADMOD   00A8F0   001B0C MAIN   01   RN RU   64   31", "file ~43248 - - - [LOADMOD]"),
            (" Name     VV.MM   Created       Changed      Size  Init   Mod   Id", "noise"),
            (" Name      Size     TTR   Alias-of AC --------- Attributes --------- Amode Rmode", "noise"),
            ("lowercase", "none"),
            ("NINECHARS", "none"),
            ("1MEMBER", "none"),
            ("TWO WORDS", "none"),
            ("PROG01    01.07 2015/03/18 2016/05/24 14:12    62    40     x JANE", "none"),
            ("PROG01    01.07 2015/03/18 2016/05/24 14:12    62    40    22 JANE more", "none"),
            ("LOADMOD   0000A8F0   001B0C   01   RN RU   31   all", "none"),
            ("LOADMOD   0000A8F0   001B0C", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Pds, line), expected, "{line}");
        }
    }
}
