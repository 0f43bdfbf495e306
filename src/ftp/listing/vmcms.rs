//! LIST of z/VM and VM/CMS servers.
//!
//! `README   TXT      F         80        100          2 2026-03-20 16:22:41 JANE`: file name, file type, record
//! format, record length, records, blocks, time and whose disk it is. A path joins name and type by a full stop.
//! Records of fixed length (F) make a size to the byte; of varying length (V) the length is the most one may have, and
//! the size an upper bound. Directories have hyphens in those columns.
//!
//! A byte file system lists otherwise: `07/22/2010 15:04:36  F  1  30720  'the name'`, with links and bytes.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Clock, Day, clock};
use crate::ftp::listing::day::{Order, ordered};
use crate::ftp::listing::fields::{Fields, behind_blanks, big_number, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// z/VM and VM/CMS.
#[derive(Clone, Copy, Debug)]
pub struct VmCms;

impl ListingFormat for VmCms {
    fn name(&self) -> &'static str {
        "vmcms"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        if is_head(&mut fields) {
            return Some(Line::Noise);
        }
        let entry = of_disk(&mut fields, now).or_else(|| of_byte_file_system(&mut fields, now))?;
        Some(Line::of(entry))
    }
}

fn is_head(fields: &mut Fields<'_>) -> bool {
    let mut is =
        |i: usize, known: &str| fields.get(i).is_some_and(|word| word.eq_ignore_ascii_case(known.as_bytes()));
    is(0, "filename") && is(1, "filetype")
}

fn of_disk(fields: &mut Fields<'_>, now: DateTime<Utc>) -> Option<Listed> {
    let (name, extension) = (fields.get(0)?, fields.get(1)?);
    // The letter of the disk may stand behind the type.
    let i = if is_record_format(fields.get(2)?) { 2 } else { 3 };
    if extension == b"DIR" && fields.get(2) == Some(b"-") {
        let mut i = 3;
        while fields.get(i) == Some(b"-") {
            i += 1;
        }
        let mtime = read_time(fields, i).and_then(|(day, clock)| date::resolve(day, Some(clock), now));
        return Some(Listed { mtime, ..Listed::new(name, Kind::Dir) });
    }
    let fixed = match fields.get(i)? {
        b"F" => true,
        b"V" => false,
        _ => return None,
    };
    let (length, records) = (big_number(fields.get(i + 1)?)?, big_number(fields.get(i + 2)?)?);
    number(fields.get(i + 3)?)?;
    let (day, time) = read_time(fields, i + 4)?;
    Some(Listed {
        size: length.checked_mul(records).filter(|&size| size <= i64::MAX as u64),
        rounded: !fixed,
        mtime: date::resolve(day, Some(time), now),
        owner: fields.get(i + 6).map(<[u8]>::to_vec),
        ..Listed::new([name, b".", extension].concat(), Kind::File)
    })
}

fn of_byte_file_system(fields: &mut Fields<'_>, now: DateTime<Utc>) -> Option<Listed> {
    let (day, time) = read_time(fields, 0)?;
    let kind = match fields.get(2)? {
        b"F" => Kind::File,
        b"D" => Kind::Dir,
        b"L" | b"S" => Kind::Symlink,
        _ => Kind::Other,
    };
    let (links, bytes) = (fields.get(3)?, fields.get(4)?);
    let is_count = |word: &[u8]| word == b"-" || word.iter().all(u8::is_ascii_digit);
    if !is_count(links) || !is_count(bytes) {
        return None;
    }
    let name = behind_blanks(fields.line(), fields.span(4)?.end);
    let name = name.trim_ascii_end().strip_prefix(b"'")?.strip_suffix(b"'")?;
    Some(Listed {
        size: big_number(bytes).filter(|_| kind == Kind::File),
        mtime: date::resolve(day, Some(time), now),
        ..Listed::new(name, kind)
    })
}

/// Reads `2026-03-20 16:22:41` and `3/20/26 16:22:41`.
fn read_time(fields: &mut Fields<'_>, i: usize) -> Option<(Day, Clock)> {
    let word = fields.get(i)?;
    let day = ordered(word, b'-', Order::Ymd).or_else(|| ordered(word, b'/', Order::Mdy))?;
    Some((day, clock(fields.get(i + 1)?)?))
}

fn is_record_format(word: &[u8]) -> bool {
    matches!(word, b"F" | b"V")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "README   TXT      F         80        100          2 2026-03-20 16:22:41 JANE",
                "file 8000 2026-03-20T16:22:41 second JANE - [README.TXT]",
            ),
            (
                "README   TXT      V         90         40          1 2011-09-05 16:22:41",
                "file ~3600 2011-09-05T16:22:41 second - - [README.TXT]",
            ),
            (
                "PROFILE  EXEC  A1 V         90         40          1 9/05/97 6:22:41",
                "file ~3600 1997-09-05T06:22:41 second - - [PROFILE.EXEC]",
            ),
            (
                "TOOLS    DIR        -          -          - 2011-09-05 16:22:41 -",
                "dir - 2011-09-05T16:22:41 second - - [TOOLS]",
            ),
            ("TOOLS    DIR        -          -          - - -", "dir - - - - [TOOLS]"),
            (
                "BIG      DATA     F 9223372036854775807    2   1 2011-09-05 16:22:41",
                "file - 2011-09-05T16:22:41 second - - [BIG.DATA]",
            ),
            (
                "07/22/2010 15:04:36  F    1      30720 'my file.txt'",
                "file 30720 2010-07-22T15:04:36 second - - [my file.txt]",
            ),
            (
                "07/22/2010 15:04:36  D    -          - 'my dir'",
                "dir - 2010-07-22T15:04:36 second - - [my dir]",
            ),
            ("07/22/2010 15:04:36  F    1      30720 my file.txt", "none"),
            ("Filename FileType Fm Format Lrecl  Records Blocks Date       Time", "noise"),
            ("README   TXT      X         80        100          2 2026-03-20 16:22:41 JANE", "none"),
            ("README   TXT      F         80        100          2 2026-03-20", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&VmCms, line), expected, "{line}");
        }
    }
}
