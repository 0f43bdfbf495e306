//! LIST of z/OS and MVS servers, of data sets.
//!
//! `WORK01 3390   2026/03/20  1   15  FB      80  8000  PS  MY.DATA`: the volume and its device, the day it was last
//! referred to, extents and tracks, record format, record length and block size, organisation, and name. A partitioned
//! data set (PO) is a directory of members; see [`Pds`](crate::ftp::listing::Pds). Tracks are no bytes, so sizes are
//! untold. The day is the only one there is; it is not the day of the last change.
//!
//! Of what isn't on a disk in use there's less: `Migrated MY.DATA`. Whether that is a file shows when it is fetched. A
//! VSAM cluster can't be fetched and isn't to be removed by a mirror.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Day};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// Data sets of z/OS and MVS.
#[derive(Clone, Copy, Debug)]
pub struct Mvs;

impl ListingFormat for Mvs {
    fn name(&self) -> &'static str {
        "mvs"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        if is_head(&mut fields) {
            return Some(Line::Noise);
        }
        let entry = off_line(&mut fields).or_else(|| on_disk(&mut fields, now))?;
        Some(Line::of(entry))
    }
}

fn is_head(fields: &mut Fields<'_>) -> bool {
    let mut is =
        |i: usize, known: &str| fields.get(i).is_some_and(|word| word.eq_ignore_ascii_case(known.as_bytes()));
    is(0, "volume") && is(1, "unit")
}

/// Reads a line that has words for the columns, with a volume before them or without.
fn off_line(fields: &mut Fields<'_>) -> Option<Listed> {
    OFF_LINE.iter().find_map(|(words, kind)| {
        (0..=MOST_BEFORE).find_map(|from| {
            let to = from + words.len();
            let mut is = |i: usize| {
                fields.get(from + i).is_some_and(|word| word.eq_ignore_ascii_case(words[i].as_bytes()))
            };
            if !(0..words.len()).all(&mut is) || fields.get(to + 1).is_some() {
                return None;
            }
            let name = unquoted(fields.get(to)?);
            // Two words alone are soon met elsewhere, but names of data sets are capitals.
            (!name.iter().any(u8::is_ascii_lowercase)).then(|| Listed::new(name, *kind))
        })
    })
}

fn on_disk(fields: &mut Fields<'_>, now: DateTime<Utc>) -> Option<Listed> {
    fields.get(1).filter(|unit| unit[0].is_ascii_digit() || unit.eq_ignore_ascii_case(b"unkn"))?;
    let (day, mut i) = match read_day(fields.get(2)?) {
        Some(day) => (day, 3),
        // It was never referred to, and the column is blank.
        None => (None, 2),
    };
    // Extents and tracks run into each other where both are large.
    number(fields.get(i)?)?;
    i += 1;
    if number(fields.get(i)?).is_some() {
        i += 1;
    }
    let format = fields.get(i)?;
    number(fields.get(i + 1)?).zip(number(fields.get(i + 2)?))?;
    let (organisation, name) = (fields.get(i + 3)?, fields.get(i + 4)?);
    let is_word = |word: &[u8]| word.len() <= 5 && word[0].is_ascii_alphabetic();
    if !is_word(format) || !is_word(organisation) || fields.get(i + 5).is_some() {
        return None;
    }
    let kind = match organisation {
        b"PO" | b"PO-E" | b"POU" => Kind::Dir,
        b"VS" | b"VSAM" => Kind::Other,
        _ => Kind::File,
    };
    Some(Listed {
        mtime: day.and_then(|day| date::resolve(day, None, now)),
        ..Listed::new(unquoted(name), kind)
    })
}

/// Reads `2026/03/20` and `**NONE**`; `None` where the word is neither.
fn read_day(word: &[u8]) -> Option<Option<Day>> {
    if word == b"**NONE**" {
        return Some(None);
    }
    ordered(word, b'/', Order::Ymd).map(Some)
}

/// Returns a name without the quotes that stand around it where it doesn't begin with the user's own prefix.
fn unquoted(word: &[u8]) -> &[u8] {
    word.strip_prefix(b"'").and_then(|word| word.strip_suffix(b"'")).unwrap_or(word)
}

/// What stands in the columns of data sets that aren't on a disk.
const OFF_LINE: &[(&[&str], Kind)] = &[
    (&["migrated"], Kind::File),
    (&["tape"], Kind::File),
    (&["not", "direct", "access", "device"], Kind::File),
    (&["error", "determining", "attributes"], Kind::Other),
    (&["pseudo", "directory"], Kind::Dir),
    (&["vsam"], Kind::Other),
    (&["gdg"], Kind::Other),
];

/// Volume and unit.
const MOST_BEFORE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "WORK01 3390   2026/03/20  1   15  FB      80  8000  PS  MY.DATA",
                "file - 2026-03-20T00:00:00 day - - [MY.DATA]",
            ),
            (
                "WORK01 3390   2026/03/20  1   15  FB      80  8000  PO  MY.JCL",
                "dir - 2026-03-20T00:00:00 day - - [MY.JCL]",
            ),
            (
                "WORK01 3390   2026/03/20  1   15  VB     255 27998  PO-E MY.LIB",
                "dir - 2026-03-20T00:00:00 day - - [MY.LIB]",
            ),
            (
                "WORK01 3390   2026/03/20 123456  U  0 27998  PO  'SYS1.LIB'",
                "dir - 2026-03-20T00:00:00 day - - [SYS1.LIB]",
            ),
            ("WORK01 3390   **NONE**    1   15  F       80    80  PS  NEW.DATA", "file - - - - [NEW.DATA]"),
            ("WORK01 3390               1   15  F       80    80  PS  NEW.DATA", "file - - - - [NEW.DATA]"),
            ("WORK01 3390   2026/13/40  1   15  F       80    80  DA  NEW.DATA", "file - - - - [NEW.DATA]"),
            ("WORK01 3390   VSAM MY.CLUSTER", "other - - - - [MY.CLUSTER]"),
            ("VSAM MY.CLUSTER", "other - - - - [MY.CLUSTER]"),
            ("Migrated                                                OLD.DATA", "file - - - - [OLD.DATA]"),
            (
                "T00123 Tape                                             BACKUP.G0001V00",
                "file - - - - [BACKUP.G0001V00]",
            ),
            ("ARC001 Not Direct Access Device BACKUP.DATA", "file - - - - [BACKUP.DATA]"),
            ("Error determining attributes   BROKEN.DATA", "other - - - - [BROKEN.DATA]"),
            ("Pseudo Directory   MY.PREFIX", "dir - - - - [MY.PREFIX]"),
            ("Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname", "noise"),
            ("Migrated", "none"),
            ("Migrated notes.txt", "none"),
            ("Migrated two words", "none"),
            ("WORK01 3390   2026/03/20  1   15  FB      80  8000  PS  MY.DATA more", "none"),
            ("WORK01 3390   2026/03/20  1   15  FB      80  8000  PS", "none"),
            ("WORK01 disk   2026/03/20  1   15  FB      80  8000  PS  MY.DATA", "none"),
            ("-rw-r--r-- 1 a b 5 Nov 21 10:06 n", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Mvs, line), expected, "{line}");
        }
    }
}
