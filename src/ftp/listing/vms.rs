//! LIST of VMS servers, as DIRECTORY/FULL of the system writes it.
//!
//! `REPORT.TXT;3   12/15   16-SEP-2012 13:27:08  [GROUP,OWNER]  (RWED,RWED,RE,)`: a name with its version, the blocks
//! used and allocated, the time, who owns it, and what each may do. Behind a long name the line breaks. A file keeps
//! its version, since several of one name stand side by side and a path with it means the same file; a directory is
//! entered without `.DIR;1`, so that isn't part of its name.
//!
//! The size is the blocks used times 512, as other clients show it: a file ends anywhere in its last block.

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Clock, Day};
use crate::ftp::listing::day::dashed;
use crate::ftp::listing::fields::{Fields, big_number, number};
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::Kind;

/// LIST of VMS.
#[derive(Clone, Copy, Debug)]
pub struct Vms;

impl ListingFormat for Vms {
    fn name(&self) -> &'static str {
        "vms"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let first = fields.get(0)?;
        let Some((name, kind)) = read_name(first) else {
            return is_noise(&mut fields).then_some(Line::Noise);
        };
        let entry = Listed::new(name, kind);
        if fields.get(1).is_none() {
            return Some(Line::Begins);
        }
        let facts = match Facts::read(&mut fields) {
            Some(facts) => facts,
            // The name is taken all the same.
            None if tells_of_privilege(line) => return Some(Line::of(entry)),
            None => return None,
        };
        let (group, owner) = facts.owner.map_or((None, None), split_owner);
        let blocks = facts.blocks.filter(|_| kind == Kind::File);
        let size = blocks.and_then(|blocks| blocks.checked_mul(512)).filter(|&size| size <= i64::MAX as u64);
        let mtime = date::resolve(facts.day?, facts.clock, now);
        Some(Line::of(Listed { size, rounded: size.is_some(), mtime, owner, group, ..entry }))
    }
}

/// What stands behind the name.
#[derive(Debug, Default)]
struct Facts<'a> {
    blocks: Option<u64>,
    day: Option<Day>,
    clock: Option<Clock>,
    owner: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    /// Reads the words behind the name, in the order of any server; `None` where one of them is something else.
    fn read(fields: &mut Fields<'a>) -> Option<Self> {
        let mut facts = Self::default();
        for i in 1.. {
            let Some(word) = fields.get(i) else { break };
            match word[0] {
                // What stands here may hold blanks, and nothing behind it matters.
                b'[' => {
                    let rest = &fields.line()[fields.span(i)?.start + 1..];
                    facts.owner = Some(&rest[..rest.iter().position(|&b| b == b']')?]);
                    break;
                }
                b'(' => break,
                _ => {}
            }
            if facts.day.is_some() && facts.clock.is_none() && word.contains(&b':') {
                facts.clock = Some(date::clock(word)?);
            } else if facts.day.is_none() && word.contains(&b'-') {
                facts.day = Some(dashed(word)?);
            } else if facts.blocks.is_none() {
                let used = word.split(|&b| b == b'/').next()?;
                facts.blocks = Some(big_number(used)?);
            } else {
                return None;
            }
        }
        facts.day.is_some().then_some(facts)
    }
}

/// Reads `NAME.EXT;3`.
fn read_name(word: &[u8]) -> Option<(&[u8], Kind)> {
    let semicolon = word.iter().rposition(|&b| b == b';')?;
    number(&word[semicolon + 1..])?;
    let bare = &word[..semicolon];
    match bare.len().checked_sub(DIRECTORY.len()) {
        Some(at) if bare[at..].eq_ignore_ascii_case(DIRECTORY) => Some((&bare[..at], Kind::Dir)),
        _ => Some((word, Kind::File)),
    }
}

/// Splits `GROUP,OWNER`; one word alone is the owner.
fn split_owner(text: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let known = |text: &[u8]| Some(text.trim_ascii().to_vec()).filter(|text| !text.is_empty());
    match text.iter().position(|&b| b == b',') {
        Some(comma) => (known(&text[..comma]), known(&text[comma + 1..])),
        None => (None, known(text)),
    }
}

/// Returns whether it is the head, `Directory DISK:[PUB]`, or the foot, `Total of 3 files, 12 blocks`.
fn is_noise(fields: &mut Fields<'_>) -> bool {
    let (Some(first), Some(second)) = (fields.get(0), fields.get(1)) else { return false };
    let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    (is(first, "directory") && second.contains(&b'['))
        || (is(first, "total") && is(second, "of"))
        || (is(first, "grand") && is(second, "total"))
}

fn tells_of_privilege(line: &[u8]) -> bool {
    line.windows(b"privilege".len()).any(|words| words.eq_ignore_ascii_case(b"privilege"))
}

const DIRECTORY: &[u8] = b".DIR";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::shown::shown;

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "REPORT.TXT;3   12/15   16-SEP-2012 13:27:08  [STAFF,JANE]  (RWED,RWED,RE,)",
                "file ~6144 2012-09-16T13:27:08 second JANE STAFF [REPORT.TXT;3]",
            ),
            (
                "REPORT.TXT;3   12   9-OCT-2014 8:06 [SYSTEM] (RWED,RWED,RE,RE)",
                "file ~6144 2014-10-09T08:06:00 minute SYSTEM - [REPORT.TXT;3]",
            ),
            (
                "REPORT.TXT;3   207   9-OCT-2014 11:42:50.31",
                "file ~105984 2014-10-09T11:42:50 second - - [REPORT.TXT;3]",
            ),
            (
                "REPORT.TXT;3   9-OCT-2014 11:42:50.31 12 [1, 4] (RW,,,)",
                "file ~6144 2014-10-09T11:42:50 second 4 1 [REPORT.TXT;3]",
            ),
            ("REPORT.TXT;3   9-OCT-2014", "file - 2014-10-09T00:00:00 day - - [REPORT.TXT;3]"),
            (
                "MAIL.DIR;1   1/3   16-SEP-2012 13:27  [A,B]  (RWE,RWE,RE,RE)",
                "dir - 2012-09-16T13:27:00 minute B A [MAIL]",
            ),
            ("mail.dir;1   1/3   16-SEP-2012 13:27", "dir - 2012-09-16T13:27:00 minute - - [mail]"),
            ("LONG_NAME.TXT;12", "begins"),
            (
                "LOCKED.TXT;1   insufficient privilege or object protection violation",
                "file - - - - [LOCKED.TXT;1]",
            ),
            ("LOCKED.DIR;1   No privilege for attempted operation", "dir - - - - [LOCKED]"),
            ("BIG.TXT;1  99999999999999999999/3 16-SEP-2012 13:27", "none"),
            (
                "BIG.TXT;1  18014398509481984/3 16-SEP-2012 13:27",
                "file - 2012-09-16T13:27:00 minute - - [BIG.TXT;1]",
            ),
            ("Directory DISK$USER:[PUB]", "noise"),
            ("Total of 3 files, 12/15 blocks.", "noise"),
            ("Grand total of 1 directory, 3 files, 12 blocks.", "noise"),
            ("Directory listing", "none"),
            ("REPORT.TXT   12   16-SEP-2012 13:27", "none"),
            ("REPORT.TXT;x   12   16-SEP-2012 13:27", "none"),
            ("REPORT.TXT;1   12   16-SEP-2012 13:27 what", "none"),
            ("REPORT.TXT;1   12", "none"),
            ("REPORT.TXT;1 other words", "none"),
            ("%RMS-E-FNF, file not found", "none"),
            ("12/15   16-SEP-2012 13:27:08", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(&Vms, line), expected, "{line}");
        }
    }
}
