//! Days written as one word, in the orders and with the separators of systems that are not Unix.
//!
//! `04/03/24` is a day in three centuries of orders. Where a family fixes the order it says so; where it doesn't, only
//! what rules all other orders out decides, and else the day is untold.

use crate::ftp::listing::date::Day;
use crate::ftp::listing::fields::number;
use crate::ftp::listing::month::month;

/// Which part of a day stands where.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// `02/23/00`
    Mdy,
    /// `23.02.00`
    Dmy,
    /// `00/02/23`
    Ymd,
}

/// Reads a day whose parts stand in the given order between `separator`s. The year has two digits, or four, or is what
/// has passed since 1900 (`103`).
pub(super) fn ordered(word: &[u8], separator: u8, order: Order) -> Option<Day> {
    let [a, b, c] = parts(word, separator)?;
    let (year, month, day) = match order {
        Order::Mdy => (c, a, b),
        Order::Dmy => (c, b, a),
        Order::Ymd => (a, b, c),
    };
    if month.len() > 2 || day.len() > 2 {
        return None;
    }
    Some(Day { year: Some(any_year(year)?), month: number(month)?, day: number(day)? })
}

/// Reads a day with a year of four digits behind, `24-04-2003` or `04/24/2003`. Behind full stops the day stands first;
/// else only a number above 12 tells which is the day, and where none does the day is untold.
pub(super) fn year_last(word: &[u8]) -> Option<Day> {
    let separator = *word.iter().find(|b| !b.is_ascii_digit())?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let [first, second, year] = parts(word, separator)?;
    if year.len() != 4 || first.len() > 2 || second.len() > 2 {
        return None;
    }
    let year = Some(any_year(year)?);
    let (first, second) = (number(first)?, number(second)?);
    if !(1..=31).contains(&first) || !(1..=31).contains(&second) {
        return None;
    }
    let (month, day) = match separator {
        b'.' => (second, first),
        _ if first > 12 => (second, first),
        _ if second > 12 || first == second => (first, second),
        _ => (0, 0),
    };
    Some(Day { year, month, day })
}

/// Reads `30-DEC-1996`, `18-Mar-05` and `Feb-28-1998`.
pub(super) fn dashed(word: &[u8]) -> Option<Day> {
    let [first, second, year] = parts(word, b'-')?;
    let (month_word, day) = if first[0].is_ascii_digit() { (second, first) } else { (first, second) };
    if day.len() > 2 {
        return None;
    }
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    Some(Day { year: Some(any_year(year)?), month: month(month_word)?, day })
}

/// Reads `1996`, `96`, `05`, and `103` for 2003.
pub(super) fn any_year(word: &[u8]) -> Option<i32> {
    let year = i32::try_from(number(word)?).ok()?;
    match (word.len(), year) {
        (2, 0..70) => Some(2000 + year),
        (2, _) | (3, 100..) => Some(1900 + year),
        (4, 1000..) => Some(year),
        _ => None,
    }
}

fn parts(word: &[u8], separator: u8) -> Option<[&[u8]; 3]> {
    let mut parts = word.split(|&b| b == separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && three.iter().all(|part| !part.is_empty())).then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(day: Option<Day>) -> String {
        day.map_or_else(
            || "none".into(),
            |d| format!("{}-{}-{}", d.year.map_or_else(String::new, |y| y.to_string()), d.month, d.day),
        )
    }

    #[test]
    fn the_order_is_given() {
        for (word, separator, order, expected) in [
            ("02/23/00", b'/', Order::Mdy, "2000-2-23"),
            ("02-11-103", b'-', Order::Mdy, "2003-2-11"),
            ("12-30-97", b'-', Order::Mdy, "1997-12-30"),
            ("24.03.04", b'.', Order::Dmy, "2004-3-24"),
            ("04/03/24", b'/', Order::Ymd, "2004-3-24"),
            ("2004/03/24", b'/', Order::Ymd, "2004-3-24"),
            ("2004/03/24/1", b'/', Order::Ymd, "none"),
            ("4/3", b'/', Order::Ymd, "none"),
            ("//", b'/', Order::Ymd, "none"),
            ("1/2/5", b'/', Order::Mdy, "none"),
        ] {
            assert_eq!(shown(ordered(word.as_bytes(), separator, order)), expected, "{word}");
        }
    }

    #[test]
    fn a_year_behind_leaves_the_order_open() {
        for (word, expected) in [
            ("24-04-2003", "2003-4-24"),
            ("04/24/2003", "2003-4-24"),
            ("04.05.2003", "2003-5-4"),
            ("05-05-2003", "2003-5-5"),
            ("04-05-2003", "2003-0-0"),
            ("32-05-2003", "none"),
            ("04-05-03", "none"),
            ("04:05:2003", "none"),
        ] {
            assert_eq!(shown(year_last(word.as_bytes())), expected, "{word}");
        }
    }

    #[test]
    fn months_by_name_between_hyphens() {
        for (word, expected) in [
            ("30-DEC-1996", "1996-12-30"),
            ("2-JUL-2003", "2003-7-2"),
            ("18-Mar-05", "2005-3-18"),
            ("Feb-28-1998", "1998-2-28"),
            ("30-FOO-1996", "none"),
            ("40-DEC-1996", "none"),
            ("-DEC-1996", "none"),
            ("DEC-1996", "none"),
        ] {
            assert_eq!(shown(dashed(word.as_bytes())), expected, "{word}");
        }
    }
}
