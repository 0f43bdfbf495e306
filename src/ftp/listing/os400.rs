//! LIST of OS/400 (iSeries, IBM i) servers.
//!
//! `JANE     20480 03/27/01 10:48:36 *DIR       docs/`: owner, size, time, type of the object, and name. A file of the
//! database (`*FILE`) holds members (`*MEM`) and is a directory, but not a save file. Objects that aren't files in
//! that sense, such as programs, are special.
//!
//! The order of the day's parts follows the server's settings. Where a full stop stands between them the day is first;
//! else only orders are possible that make a day which isn't in the future, and where they make several the time is
//! untold.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Clock, Day, clock};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::{Kind, Mtime};

/// OS/400.
#[derive(Clone, Copy, Debug)]
pub struct Os400;

impl ListingFormat for Os400 {
    fn name(&self) -> &'static str {
        "os400"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let (at, owner, size, mtime) = front(&mut fields, now)?;
        let object = fields.get(at)?;
        let text = behind_blanks(line, fields.span(at)?.end);
        let (name, is_entered) = text.strip_suffix(b"/").map_or((text, false), |name| (name, true));
        let kind = if is_entered { Kind::Dir } else { kind_of(object, name) };
        let is_file = kind == Kind::File;
        Some(Line::of(Listed {
            size: size.and_then(big_number).filter(|_| is_file),
            mtime,
            owner: owner.map(<[u8]>::to_vec),
            ..Listed::new(name, kind)
        }))
    }
}

type Front<'a> = (usize, Option<&'a [u8]>, Option<&'a [u8]>, Option<Mtime>);

/// Reads what stands before the type of the object, as far as it is there: the owner, or size and time, or all.
/// Returns also where the type is.
fn front<'a>(fields: &mut Fields<'a>, now: DateTime<Utc>) -> Option<Front<'a>> {
    for (at, has_owner) in [(4, true), (3, false), (1, true)] {
        if !fields.get(at).is_some_and(is_object) {
            continue;
        }
        let owner = if has_owner { fields.get(0) } else { None };
        if at == 1 {
            return Some((at, owner, None, None));
        }
        let (size, day, time) = (fields.get(at - 3)?, fields.get(at - 2)?, clock(fields.get(at - 1)?)?);
        if !size.iter().all(u8::is_ascii_digit) {
            return None;
        }
        return Some((at, owner, Some(size), read_time(day, time, now)?));
    }
    None
}

/// Reads a time; `Some(None)` where its day can't be told, `None` where it is no day.
fn read_time(word: &[u8], clock: Clock, now: DateTime<Utc>) -> Option<Option<Mtime>> {
    let separator = *word.iter().find(|b| !b.is_ascii_digit())?;
    let orders: &[Order] = match separator {
        b'.' => &[Order::Dmy],
        b'/' | b'-' => &[Order::Mdy, Order::Dmy, Order::Ymd],
        _ => return None,
    };
    let days: Vec<Day> = orders.iter().filter_map(|order| ordered(word, separator, *order)).collect();
    if days.is_empty() {
        return None;
    }
    let latest = now.checked_add_signed(chrono::TimeDelta::days(1)).unwrap_or(now);
    let mut times = days
        .into_iter()
        .filter_map(|day| date::resolve(day, Some(clock), now))
        .filter(|time| time.at <= latest);
    let first = times.next();
    Some(first.filter(|first| times.all(|other| other == *first)))
}

fn is_object(word: &[u8]) -> bool {
    word.strip_prefix(b"*").is_some_and(|word| !word.is_empty() && word.iter().all(u8::is_ascii_alphanumeric))
}

fn kind_of(object: &[u8], name: &[u8]) -> Kind {
    match object {
        b"*STMF" | b"*DSTMF" | b"*MEM" | b"*DOC" | b"*USRSPC" => Kind::File,
        b"*FILE" if name.to_ascii_uppercase().ends_with(b".SAVF") => Kind::File,
        b"*DIR" | b"*DDIR" | b"*LIB" | b"*FLR" | b"*FILE" => Kind::Dir,
        b"*SYMLNK" => Kind::Symlink,
        _ => Kind::Other,
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
                "JANE            20480 03/27/01 10:48:36 *DIR       docs/",
                "dir - 2001-03-27T10:48:36 second JANE - [docs]",
            ),
            (
                "JANE               12 27/03/01 10:48:36 *STMF      two words.txt",
                "file 12 2001-03-27T10:48:36 second JANE - [two words.txt]",
            ),
            (
                "JANE               12 27.03.01 10:48:36 *STMF      a.txt",
                "file 12 2001-03-27T10:48:36 second JANE - [a.txt]",
            ),
            (
                "JANE               12 02.03.00 10:48:36 *STMF      a.txt",
                "file 12 2000-03-02T10:48:36 second JANE - [a.txt]",
            ),
            (
                "JANE               12 98/04/25 10:48:36 *STMF      a.txt",
                "file 12 1998-04-25T10:48:36 second JANE - [a.txt]",
            ),
            (
                "JANE               12 29/10/05 10:48:36 *STMF      a.txt",
                "file 12 2005-10-29T10:48:36 second JANE - [a.txt]",
            ),
            ("JANE               12 05/06/07 10:48:36 *STMF      a.txt", "file 12 - JANE - [a.txt]"),
            (
                "JANE               12 03/03/03 10:48:36 *STMF      a.txt",
                "file 12 2003-03-03T10:48:36 second JANE - [a.txt]",
            ),
            (
                "                   12 03/27/01 10:48:36 *STMF      a.txt",
                "file 12 2001-03-27T10:48:36 second - - [a.txt]",
            ),
            ("JANE                                    *MEM       ORDERS.MBR", "file - - JANE - [ORDERS.MBR]"),
            (
                "JANE            20480 03/27/01 10:48:36 *FILE      ORDERS.FILE",
                "dir - 2001-03-27T10:48:36 second JANE - [ORDERS.FILE]",
            ),
            (
                "JANE            20480 03/27/01 10:48:36 *FILE      BACKUP.SAVF",
                "file 20480 2001-03-27T10:48:36 second JANE - [BACKUP.SAVF]",
            ),
            (
                "JANE            20480 03/27/01 10:48:36 *LIB       QGPL",
                "dir - 2001-03-27T10:48:36 second JANE - [QGPL]",
            ),
            (
                "JANE            20480 03/27/01 10:48:36 *PGM       RUN.PGM",
                "other - 2001-03-27T10:48:36 second JANE - [RUN.PGM]",
            ),
            (
                "JANE               12 03/27/01 10:48:36 *SYMLNK    link",
                "symlink - 2001-03-27T10:48:36 second JANE - [link]",
            ),
            (
                "JANE  99999999999999999999 03/27/01 10:48:36 *STMF  a",
                "file - 2001-03-27T10:48:36 second JANE - [a]",
            ),
            ("JANE            20480 03/27/01 10:48:36 *DIR       ./", "own"),
            ("JANE            20480 03/27/01 10:48:36 DIR       docs/", "none"),
            ("JANE            20480 03:27:01 10:48:36 *DIR      docs/", "none"),
            ("JANE              12k 03/27/01 10:48:36 *STMF     a", "none"),
            ("a * b", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Os400, line), expected, "{line}");
        }
    }
}
