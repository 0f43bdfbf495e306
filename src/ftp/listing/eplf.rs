//! EPLF, "easily parsed LIST format" (<https://cr.yp.to/ftp/list/eplf.html>): facts, a TAB, the name.
//!
//! `+i17.204,m1500000000,r,s731,up644,<TAB>the name`: `r` can be fetched, `/` can be entered, `s` is the size in
//! bytes, `m` the time in seconds since 1970, `up` the permissions in octal. Times are UTC.

use chrono::{DateTime, Utc};

use crate::ftp::listing::fields::big_number;
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::{Kind, Mtime};

/// EPLF, as of publicfile.
#[derive(Clone, Copy, Debug)]
pub struct Eplf;

impl ListingFormat for Eplf {
    fn name(&self) -> &'static str {
        "eplf"
    }

    fn times_are_utc(&self) -> bool {
        true
    }

    fn parse(&self, line: &[u8], _now: DateTime<Utc>) -> Option<Line> {
        let facts = line.strip_prefix(b"+")?;
        let tab = facts.iter().position(|&b| b == b'\t')?;
        let (facts, name) = (&facts[..tab], &facts[tab + 1..]);
        let mut listed = Listed::new(name, Kind::Other);
        for fact in facts.split(|&b| b == b',') {
            match fact {
                b"/" => listed.kind = Kind::Dir,
                b"r" if listed.kind == Kind::Other => listed.kind = Kind::File,
                [b's', size @ ..] => listed.size = big_number(size),
                [b'm', seconds @ ..] => listed.mtime = read_time(seconds),
                [b'u', b'p', mode @ ..] => listed.mode = read_mode(mode),
                _ => {}
            }
        }
        listed.size = listed.size.filter(|_| listed.kind == Kind::File);
        Some(Line::of(listed))
    }
}

fn read_time(text: &[u8]) -> Option<Mtime> {
    let (digits, sign) = text.strip_prefix(b"-").map_or((text, 1), |digits| (digits, -1));
    let seconds = i64::try_from(big_number(digits)?).ok()?;
    Mtime::from_unix(sign * seconds, 0)
}

fn read_mode(text: &[u8]) -> Option<u32> {
    let is_mode = (3..=4).contains(&text.len()) && text.iter().all(|b| (b'0'..=b'7').contains(b));
    is_mode.then(|| text.iter().fold(0, |mode, b| mode << 3 | u32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Line> {
        Eplf.parse(line.as_bytes(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn facts_in_any_order() {
        use Kind::*;
        for (line, kind, size, seconds, mode, name) in [
            ("+i17.204,m1500000000,r,s731,\tf", File, Some(731), Some(1_500_000_000), None, "f"),
            ("+s5,up644,r,\t two  words ", File, Some(5), None, Some(0o644), " two  words "),
            ("+/,m0,s4096,\td", Dir, None, Some(0), None, "d"),
            ("+r,/,\tboth", Dir, None, None, None, "both"),
            ("+m-86400,r,\told", File, None, Some(-86_400), None, "old"),
            ("+m1x,r,s-5,up9,\tnonsense", File, None, None, None, "nonsense"),
            ("+r,s9223372036854775808,\tbig", File, None, None, None, "big"),
            ("+,\tunknown", Other, None, None, None, "unknown"),
            ("+\ta\tb", Other, None, None, None, "a\tb"),
        ] {
            let Some(Line::Entry(listed)) = parse(line) else { panic!("{line}") };
            let at = listed.mtime.map(|m| m.at.timestamp());
            assert_eq!((listed.kind, listed.size, at, listed.mode), (kind, size, seconds, mode), "{line}");
            assert_eq!(listed.name, name.as_bytes(), "{line}");
        }
        assert_eq!(parse("+/,\t."), Some(Line::Own));
        for other in ["", "+r,s5, n", "r,s5,\tn", "total 5", "-rw-r--r-- 1 a b 5 Jan  1 2020 x"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
