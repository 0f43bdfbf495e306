//! Dates of Japanese, Chinese and Korean servers: numbers with the word for year, month or day behind them.
//!
//! `6月 3 10:22`, `6月 3日 2003年`, `2003年6月3日`. The words come in the encoding of the server's locale, which nothing
//! tells, so each encoding's bytes are tried. No two of them mean different units. Behind other bytes above ASCII the
//! order decides, which is month, day, year everywhere but where the year is named first.

use crate::ftp::listing::date::Day;
use crate::ftp::listing::fields::{Fields, number};

/// Reads year, month and day from word `i` on, as far as they are there; the month always is. Returns the day and
/// the first word that isn't part of it.
pub(super) fn read(fields: &mut Fields<'_>, i: usize) -> Option<(Day, usize)> {
    let (mut year, mut month, mut day) = (None, None, None);
    let mut next = i;
    while let Some(word) = fields.get(next) {
        if let Some(plain) = number(word) {
            // `6月 3`: the word for the day is often left out, never that for the month.
            if month.is_none() || day.is_some() || word.len() > 2 {
                break;
            }
            day = Some(plain);
        } else if !take(word, &mut year, &mut month, &mut day) {
            break;
        }
        next += 1;
    }
    let (month, day) = (month?, day?);
    let year = match year {
        Some(year) => Some(i32::try_from(year).ok()?),
        None => None,
    };
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((Day { year, month, day }, next))
}

/// Takes `2003年6月3日` apart; `false` where the word is no such thing or tells something twice.
fn take(word: &[u8], year: &mut Option<u32>, month: &mut Option<u32>, day: &mut Option<u32>) -> bool {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let Some(count) = number(&rest[..digits]) else { return false };
        rest = &rest[digits..];
        let known = UNITS.iter().find(|(_, bytes)| rest.starts_with(bytes));
        let (unit, length) = match known {
            Some((unit, bytes)) => (*unit, bytes.len()),
            None if (1..=UNKNOWN_BYTES).contains(&rest.len()) && rest.iter().all(|b| !b.is_ascii()) => {
                let unit = if month.is_none() { Unit::Month } else { Unit::Day };
                (unit, rest.len())
            }
            None => return false,
        };
        let part = match unit {
            Unit::Year => &mut *year,
            Unit::Month => &mut *month,
            Unit::Day => &mut *day,
        };
        if part.replace(count).is_some() {
            return false;
        }
        rest = &rest[length..];
    }
    true
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Year,
    Month,
    Day,
}

/// How long a word for a unit may be in an encoding that isn't known here.
const UNKNOWN_BYTES: usize = 4;

const UNITS: &[(Unit, &[u8])] = &[
    (Unit::Year, "年".as_bytes()),
    (Unit::Month, "月".as_bytes()),
    (Unit::Day, "日".as_bytes()),
    (Unit::Year, "년".as_bytes()),
    (Unit::Month, "월".as_bytes()),
    (Unit::Day, "일".as_bytes()),
    // Shift JIS.
    (Unit::Year, b"\x94\x4e"),
    (Unit::Month, b"\x8c\x8e"),
    (Unit::Day, b"\x93\xfa"),
    // EUC-JP.
    (Unit::Year, b"\xc7\xaf"),
    (Unit::Month, b"\xb7\xee"),
    (Unit::Day, b"\xc6\xfc"),
    // GB 2312.
    (Unit::Year, b"\xc4\xea"),
    (Unit::Month, b"\xd4\xc2"),
    (Unit::Day, b"\xc8\xd5"),
    // Big5.
    (Unit::Year, b"\xa6\x7e"),
    (Unit::Month, b"\xa4\xeb"),
    (Unit::Day, b"\xa4\xe9"),
    // EUC-KR.
    (Unit::Year, b"\xb3\xe2"),
    (Unit::Month, b"\xbf\xf9"),
    (Unit::Day, b"\xc0\xcf"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_in_many_encodings_and_places() {
        for (text, expected) in [
            ("6月 3 10:22".as_bytes(), Some((None, 6, 3, 2))),
            ("6月 3日 2003年".as_bytes(), Some((Some(2003), 6, 3, 3))),
            ("2003年6月3日 x".as_bytes(), Some((Some(2003), 6, 3, 1))),
            ("2003年 6月 3日".as_bytes(), Some((Some(2003), 6, 3, 3))),
            ("8월 17 08:52".as_bytes(), Some((None, 8, 17, 2))),
            (b"8\xbf\xf9 17\xc0\xcf 08:52", Some((None, 8, 17, 2))),
            (b"4\x8c\x8e 18\x93\xfa 2003\x94\x4e", Some((Some(2003), 4, 18, 3))),
            (b"4\xb7\xee 18\xc6\xfc 2003\xc7\xaf", Some((Some(2003), 4, 18, 3))),
            (b"4\xd4\xc2 18 2003", Some((None, 4, 18, 2))),
            (b"4\xa4\xeb 18\xa4\xe9 x", Some((None, 4, 18, 2))),
            ("13月 3".as_bytes(), None),
            ("6月 32日".as_bytes(), None),
            ("6月6月 3日".as_bytes(), None),
            ("6月".as_bytes(), None),
            ("3日".as_bytes(), None),
            (b"8\xed\xef 17 08:52", Some((None, 8, 17, 2))),
            (b"8\xed 17\xee 08:52", Some((None, 8, 17, 2))),
            (b"8\xed 17\xee\xee\xee\xee\xee 08:52", None),
            (b"8\xedx 17 08:52", None),
            (b"", None),
        ] {
            let read = read(&mut Fields::new(text), 0).map(|(d, next)| (d.year, d.month, d.day, next));
            assert_eq!(read, expected, "{}", text.escape_ascii());
        }
    }
}
