//! Dates as listings write them, and the instants they mean.
//!
//! Reading and meaning are two steps: `Feb 29 10:00` is a date wherever it stands in a line, although no such day may have
//! been of late; then the entry is there and its time is untold. A date without a year is the newest one that is no more
//! than a day ahead of now: servers' clocks and zones differ, and `ls` drops the year of what is younger than six months.
//!
//! Times without a zone are given as if they were UTC, and marked: what zone they are in isn't known here.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::ftp::listing::asian;
use crate::ftp::listing::day::{any_year, year_last};
use crate::ftp::listing::fields::{Fields, is_blank, number};
use crate::ftp::listing::month::month;
use crate::model::{Mtime, Precision, Zone};

/// Reads a time as MLSD facts and MDTM replies have it (RFC 3659 §2.3): `20261121100615`, with a fraction or without,
/// in UTC. Returns `None` for what is no such time.
pub fn timestamp(text: &[u8]) -> Option<Mtime> {
    let (digits, fraction) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], Some(&text[dot + 1..])),
        None => (text, None),
    };
    let (year, rest) = match digits.len() {
        14 => (number(&digits[..4])?, &digits[4..]),
        // Some servers print the years since 1900 behind a fixed 19, which made 2026 the year 19126.
        15 if digits.starts_with(b"191") => (1900 + number(&digits[2..5])?, &digits[5..]),
        _ => return None,
    };
    let day = Day { year: i32::try_from(year).ok(), month: number(&rest[..2])?, day: number(&rest[2..4])? };
    let (hour, minute, second) = (number(&rest[4..6])?, number(&rest[6..8])?, number(&rest[8..])?);
    let clock = Clock { nanos: fraction.map_or(Some(0), nanos)?, ..Clock::new(hour, minute, Some(second))? };
    let at = instant(day.year?, day, clock)?;
    Some(Mtime::exact(at))
}

/// A date found in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The instant; `None` where there was no such day.
    pub(super) mtime: Option<Mtime>,
    /// Where the date ends in the line, padding included.
    pub(super) end: usize,
}

/// Returns the date that begins with word `i`; `None` when none does.
pub(super) fn find(fields: &mut Fields<'_>, i: usize, now: DateTime<Utc>) -> Option<Found> {
    let first = fields.get(i)?;
    if !first[0].is_ascii_digit() {
        let second = fields.get(i + 1)?;
        let Some(day) = day_of_month(second) else {
            // `ls --full-time` of old, and BusyBox: `Sat Nov 21 10:06:15 2026`.
            return if is_weekday(first) { find(fields, i + 1, now) } else { None };
        };
        if !may_be_dated(fields.get(i + 2)?) {
            return None;
        }
        return in_words(fields, i + 2, (month(first)?, day), second.ends_with(b","), now);
    }
    if let Some(date) = numeric(first).or_else(|| year_last(first)) {
        return in_numbers(fields, i, date, now);
    }
    if !first.is_ascii() {
        let (day, next) = asian::read(fields, i)?;
        return in_counts(fields, next, day, now);
    }
    if let Some(found) = year_before_counts(fields, i, now) {
        return Some(found);
    }
    if let Some(year) = first.strip_suffix(b".").and_then(year) {
        // `2003. ápr. 18.` The full stop tells it from a size.
        let (month, day) = (fields.get(i + 1).and_then(month)?, fields.get(i + 2).and_then(day_of_month)?);
        return in_counts(fields, i + 3, Day { year: Some(year), month, day }, now);
    }
    let day = day_of_month(first)?;
    let month_word = fields.get(i + 1)?;
    if !may_be_dated(fields.get(i + 2)?) {
        return None;
    }
    in_words(fields, i + 2, (month(month_word)?, day), false, now)
}

/// Returns whether `word` may stand behind month and day, which is cheaper to say than whether a word is a month.
fn may_be_dated(word: &[u8]) -> bool {
    year(word).is_some() || clock(word).or_else(|| dotted_clock(word)).is_some()
}

/// Reads what stands behind month and day: `03:26`, `10:06:15`, `10:06:15 2026`, `1994`, and behind a comma `2002 09:47`.
fn in_words(
    fields: &mut Fields<'_>,
    i: usize,
    (month, day): (u32, u32),
    comma: bool,
    now: DateTime<Utc>,
) -> Option<Found> {
    let word = fields.get(i)?;
    if let Some(year) = year(word) {
        let day = Day { year: Some(year), month, day };
        let clock = if comma { fields.get(i + 1).and_then(clock) } else { None };
        let end = fields.span(if clock.is_some() { i + 1 } else { i })?.end;
        return Some(Found { mtime: resolve(day, clock, now), end });
    }
    let clock = clock(word).or_else(|| dotted_clock(word))?;
    let late_year = match clock.precision {
        Precision::Second => optional(fields, i + 1, year),
        Precision::Minute | Precision::Day => None,
    };
    let day = Day { year: late_year, month, day };
    let end = fields.span(if late_year.is_some() { i + 1 } else { i })?.end;
    Some(Found { mtime: resolve(day, Some(clock), now), end })
}

/// Reads `2003 3월 20`. Where a time or a year follows, the number before the month is a size.
fn year_before_counts(fields: &mut Fields<'_>, i: usize, now: DateTime<Utc>) -> Option<Found> {
    let year = fields.get(i).and_then(year)?;
    fields.get(i + 1).filter(|word| !word.is_ascii())?;
    let (day, next) = asian::read(fields, i + 1)?;
    if day.year.is_some() || fields.get(next).is_some_and(may_be_dated) {
        return None;
    }
    let end = fields.span(next - 1)?.end;
    Some(Found { mtime: resolve(Day { year: Some(year), ..day }, None, now), end })
}

/// Reads what stands behind a day of an Asian language: a year where there was none, or a time.
fn in_counts(fields: &mut Fields<'_>, i: usize, day: Day, now: DateTime<Utc>) -> Option<Found> {
    if day.year.is_none() {
        return in_words(fields, i, (day.month, day.day), false, now);
    }
    let clock = optional(fields, i, clock);
    let end = fields.span(if clock.is_some() { i } else { i - 1 })?.end;
    Some(Found { mtime: resolve(day, clock, now), end })
}

/// Reads what stands behind `2005-06-07` or `09-26`: a time, and behind that a zone.
fn in_numbers(fields: &mut Fields<'_>, i: usize, day: Day, now: DateTime<Utc>) -> Option<Found> {
    if day.year.is_none() {
        let word = fields.get(i + 1)?;
        let (day, clock) = match year(word) {
            Some(year) => (Day { year: Some(year), ..day }, None),
            None => (day, Some(clock(word)?)),
        };
        return Some(Found { mtime: resolve(day, clock, now), end: fields.span(i + 1)?.end });
    }
    let Some(clock) = optional(fields, i + 1, clock) else {
        let span = fields.span(i)?;
        // GNU `ls --time-style=iso` pads a bare date to the width of `09-26 13:45`.
        let padded =
            fields.line()[span.clone()].contains(&b'-') && fields.line()[span.end..].starts_with(b"  ");
        return Some(Found { mtime: resolve(day, None, now), end: span.end + usize::from(padded) });
    };
    let mtime = resolve(day, Some(clock), now);
    let offset = match clock.precision {
        Precision::Second => optional(fields, i + 2, zone),
        Precision::Minute | Precision::Day => None,
    };
    match offset {
        Some(offset) => {
            let mtime = mtime
                .and_then(|m| Some(Mtime { at: m.at.checked_sub_signed(offset)?, zone: Zone::Utc, ..m }));
            Some(Found { mtime, end: fields.span(i + 2)?.end })
        }
        None => Some(Found { mtime, end: fields.span(i + 1)?.end }),
    }
}

/// Reads a word that may belong to the date or already be the name: it belongs to the date when it has the form, one
/// blank stands before it and something is left for the name.
fn optional<T>(fields: &mut Fields<'_>, i: usize, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let before = fields.span(i - 1)?.end;
    let span = fields.span(i)?;
    if span.start != before + 1 || fields.line().len() < span.end + 2 {
        return None;
    }
    read(&fields.line()[span])
}

/// A day, of an unknown year perhaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    pub(super) year: Option<i32>,
    pub(super) month: u32,
    pub(super) day: u32,
}

/// A time of day. 24:00 and a leap second are the beginning of what follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    seconds: u32,
    nanos: u32,
    precision: Precision,
}

impl Clock {
    /// Returns the time of day; `None` when there is no such one.
    pub(super) fn new(hour: u32, minute: u32, second: Option<u32>) -> Option<Self> {
        if hour > 24 || minute > 59 || second > Some(60) {
            return None;
        }
        let seconds = hour * 3600 + minute * 60 + second.unwrap_or(0);
        if seconds > 24 * 3600 {
            return None;
        }
        let precision = if second.is_some() { Precision::Second } else { Precision::Minute };
        Some(Self { seconds, nanos: 0, precision })
    }
}

/// Returns the instant of a day and a time of day; `None` where there was no such day.
pub(super) fn resolve(day: Day, clock: Option<Clock>, now: DateTime<Utc>) -> Option<Mtime> {
    let clock = clock.unwrap_or(Clock { seconds: 0, nanos: 0, precision: Precision::Day });
    let at = match day.year {
        Some(year) => instant(year, day, clock)?,
        None => {
            let (this_year, latest) = (now.year(), now.checked_add_signed(TimeDelta::days(1)).unwrap_or(now));
            let newest_first = [this_year + 1, this_year, this_year - 1];
            newest_first.into_iter().filter_map(|year| instant(year, day, clock)).find(|at| *at <= latest)?
        }
    };
    Some(Mtime { at, precision: clock.precision, zone: Zone::Unknown })
}

fn instant(year: i32, day: Day, clock: Clock) -> Option<DateTime<Utc>> {
    let midnight = NaiveDate::from_ymd_opt(year, day.month, day.day)?.and_time(NaiveTime::MIN).and_utc();
    DateTime::from_timestamp(midnight.timestamp() + i64::from(clock.seconds), clock.nanos)
}

/// Reads `2005-06-07`, `1999/10/12`, `2004.07.15`, and `09-26` without a year.
pub(super) fn numeric(word: &[u8]) -> Option<Day> {
    let separator = *word.iter().find(|b| !b.is_ascii_digit())?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let mut parts = word.split(|&b| b == separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next());
    let day = match third {
        Some(third) if second.len() <= 2 && third.len() <= 2 => {
            Day { year: Some(long_year(first)?), month: number(second)?, day: number(third)? }
        }
        None if first.len() == 2 && second.len() == 2 => {
            Day { year: None, month: number(first)?, day: number(second)? }
        }
        _ => return None,
    };
    (parts.next().is_none() && (1..=12).contains(&day.month) && (1..=31).contains(&day.day)).then_some(day)
}

/// Reads `h:mm`, `hh:mm`, `hh:mm:ss` and `hh:mm:ss.fraction`.
pub(super) fn clock(word: &[u8]) -> Option<Clock> {
    let colon = word.iter().take(3).position(|&b| b == b':')?;
    let (hour, rest) = (number(&word[..colon])?, &word[colon + 1..]);
    let (minute, second) = match rest.len() {
        2 => return Clock::new(hour, number(rest)?, None),
        5.. if rest[2] == b':' => (number(&rest[..2])?, number(&rest[3..5])?),
        _ => return None,
    };
    let nanos = match rest[5..].split_first() {
        None => 0,
        Some((b'.', fraction)) => nanos(fraction)?,
        Some(_) => return None,
    };
    Some(Clock { nanos, ..Clock::new(hour, minute, Some(second))? })
}

/// Reads `20.10`, as clocks in some languages are written.
fn dotted_clock(word: &[u8]) -> Option<Clock> {
    let dot = word.iter().position(|&b| b == b'.')?;
    let (hour, minute) = (&word[..dot], &word[dot + 1..]);
    if hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    Clock::new(number(hour)?, number(minute)?, None)
}

/// Reads the digits of a fraction of a second; those finer than a nanosecond are dropped.
fn nanos(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |i: usize| digits.get(i).map_or(0, |b| u32::from(b - b'0'));
    Some((0..9).fold(0, |n, i| n * 10 + digit(i)))
}

/// Reads `+0200`.
fn zone(word: &[u8]) -> Option<TimeDelta> {
    let (sign, digits) = word.split_first()?;
    if digits.len() != 4 {
        return None;
    }
    let (hours, minutes) = (number(&digits[..2])?, number(&digits[2..])?);
    let offset = TimeDelta::minutes(i64::from(hours * 60 + minutes));
    match sign {
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}

fn is_weekday(word: &[u8]) -> bool {
    WEEKDAYS.iter().any(|day| word.eq_ignore_ascii_case(day.as_bytes()))
}

fn year(word: &[u8]) -> Option<i32> {
    if word.len() != 4 {
        return None;
    }
    number(word).filter(|year| (1900..3000).contains(year)).and_then(|year| i32::try_from(year).ok())
}

/// Reads any year of four digits, of which Windows has 1601 for no time at all.
fn long_year(word: &[u8]) -> Option<i32> {
    if word.len() == 4 { any_year(word) } else { None }
}

/// Reads `8`, `08`, `26.` and `08,`.
fn day_of_month(word: &[u8]) -> Option<u32> {
    let word = word.strip_suffix(b",").or_else(|| word.strip_suffix(b".")).unwrap_or(word);
    if word.len() > 2 {
        return None;
    }
    number(word).filter(|day| (1..=31).contains(day))
}

/// Returns the name behind a date or size that ends at `end`: everything behind exactly one blank.
pub(super) fn name_behind(line: &[u8], end: usize) -> &[u8] {
    match line.get(end) {
        Some(&b) if is_blank(b) => &line[end + 1..],
        _ => b"",
    }
}

/// As `ls` writes them in English.
const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    /// The date at the start of `text` and what follows it, as `2026-11-21T10:06:00Z minute [name]`.
    fn read(text: &str, now: &str) -> String {
        let Some(found) = find(&mut Fields::new(text.as_bytes()), 0, now.parse().unwrap()) else {
            return "none".into();
        };
        let name = String::from_utf8_lossy(name_behind(text.as_bytes(), found.end));
        let at = found.mtime.map_or_else(
            || "untold".into(),
            |m| {
                let at = m.at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
                format!("{at} {}", m.precision.as_str())
            },
        );
        let utc = found.mtime.is_some_and(|m| m.zone == Zone::Utc);
        format!("{at}{} [{name}]", if utc { " utc" } else { "" })
    }

    #[test]
    fn dates_in_every_form() {
        for (text, expected) in [
            ("Jan 29 03:26 n", "2026-01-29T03:26:00Z minute [n]"),
            ("Jan 29  3:26 n", "2026-01-29T03:26:00Z minute [n]"),
            ("Jan 29 24:00 n", "2026-01-30T00:00:00Z minute [n]"),
            ("Apr  8  1994 n", "1994-04-08T00:00:00Z day [n]"),
            ("29 Jul 02:27 n", "2026-07-29T02:27:00Z minute [n]"),
            ("29 Jul 2004 n", "2004-07-29T00:00:00Z day [n]"),
            ("26. Juli, 20:10 n", "2026-07-26T20:10:00Z minute [n]"),
            ("Oct 08, 2002 09:47 n", "2002-10-08T09:47:00Z minute [n]"),
            ("Oct 08 2002 09:47 n", "2002-10-08T00:00:00Z day [09:47 n]"),
            ("Nov 21 10:06:15 2026 n", "2026-11-21T10:06:15Z second [n]"),
            ("Nov 21 10:06:15 2026", "2026-11-21T10:06:15Z second [2026]"),
            ("Nov 21 10:06:15 n", "2026-11-21T10:06:15Z second [n]"),
            ("Nov 21 10:06 2026 n", "2026-11-21T10:06:00Z minute [2026 n]"),
            ("2005-06-07 21:22 n", "2005-06-07T21:22:00Z minute [n]"),
            ("2005-06-07 21:22:33 n", "2005-06-07T21:22:33Z second [n]"),
            ("2005-06-07 21:22:33.000000000 +0200 n", "2005-06-07T19:22:33Z second utc [n]"),
            ("2005-06-07 21:22:33.250000000 -0730 n", "2005-06-08T04:52:33.250Z second utc [n]"),
            ("2005-06-07 21:22:33 +02:00 n", "2005-06-07T21:22:33Z second [+02:00 n]"),
            ("2005-06-07 n", "2005-06-07T00:00:00Z day [n]"),
            ("2005-06-07  n", "2005-06-07T00:00:00Z day [n]"),
            ("2005-06-07   n", "2005-06-07T00:00:00Z day [ n]"),
            ("2005-06-07 21:22", "2005-06-07T00:00:00Z day [21:22]"),
            ("2005-06-07  21:22 n", "2005-06-07T00:00:00Z day [21:22 n]"),
            ("09-26 13:45 n", "2026-09-26T13:45:00Z minute [n]"),
            ("1999/10/12 17:12 n", "1999-10-12T17:12:00Z minute [n]"),
            ("2004.07.15 n", "2004-07-15T00:00:00Z day [n]"),
            ("2004.07.15 22:13 n", "2004-07-15T22:13:00Z minute [n]"),
            ("Jan 29 03:26   two more blanks", "2026-01-29T03:26:00Z minute [  two more blanks]"),
            ("Jan 29 03:26", "2026-01-29T03:26:00Z minute []"),
            ("Feb 31 03:26 n", "untold [n]"),
            ("Feb 29  2023 n", "untold [n]"),
            ("Feb 29  2024 n", "2024-02-29T00:00:00Z day [n]"),
            ("Jan 32 03:26 n", "none"),
            ("Jan  0 03:26 n", "none"),
            ("Jan 29 25:00 n", "none"),
            ("Jan 29 24:01 n", "none"),
            ("Jan 29 03:60 n", "none"),
            ("Jan 29 199 n", "none"),
            ("Jan 29", "none"),
            ("Foo 29 03:26 n", "none"),
            ("12 Foo 03:26 n", "none"),
            ("2005-13-07 21:22 n", "none"),
            ("2005-06-07-08 n", "none"),
            ("2005/06-07 n", "none"),
            ("13:45 n", "none"),
            ("09-26 2000 n", "2000-09-26T00:00:00Z day [n]"),
            ("24-04-2003 17:12 n", "2003-04-24T17:12:00Z minute [n]"),
            ("24.04.2003 n", "2003-04-24T00:00:00Z day [n]"),
            ("04-05-2003 17:12 n", "untold [n]"),
            ("Sat Nov 21 10:06:15 2026 n", "2026-11-21T10:06:15Z second [n]"),
            ("Foo Nov 21 10:06:15 2026 n", "none"),
            ("2003. ápr. 18. n", "2003-04-18T00:00:00Z day [n]"),
            ("2003. ápr. 18. 10:22 n", "2003-04-18T10:22:00Z minute [n]"),
            ("2003. ápr. 18. 10:22", "2003-04-18T00:00:00Z day [10:22]"),
            ("6月  3 10:22 n", "2026-06-03T10:22:00Z minute [n]"),
            ("6月  3  2003 n", "2003-06-03T00:00:00Z day [n]"),
            ("6月 3日 2003年 n", "2003-06-03T00:00:00Z day [n]"),
            ("6月 3日 10:22 n", "2026-06-03T10:22:00Z minute [n]"),
            ("2003年6月3日 10:22 n", "2003-06-03T10:22:00Z minute [n]"),
            ("8월 17 08:52 n", "2026-08-17T08:52:00Z minute [n]"),
            ("8월 17 n", "none"),
            ("2003 3월 20 n", "2003-03-20T00:00:00Z day [n]"),
            ("2003 3월 20 10:22 n", "none"),
            ("2003 3월 20 2004 n", "none"),
            ("4. elo 20.10 n", "2026-08-04T20:10:00Z minute [n]"),
            ("4. elo 20.1 n", "none"),
        ] {
            assert_eq!(read(text, NOW), expected, "{text}");
        }
    }

    #[test]
    fn without_a_year_it_is_the_newest_no_more_than_a_day_ahead() {
        for (text, now, expected) in [
            ("Nov 22 12:00 n", NOW, "2026-11-22T12:00:00Z minute [n]"),
            ("Nov 22 12:01 n", NOW, "2025-11-22T12:01:00Z minute [n]"),
            ("Dec 31 23:59 n", NOW, "2025-12-31T23:59:00Z minute [n]"),
            ("Jan  1 03:00 n", "2026-12-31T20:00:00Z", "2027-01-01T03:00:00Z minute [n]"),
            ("Dec 31 23:59 n", "2027-01-01T00:00:00Z", "2026-12-31T23:59:00Z minute [n]"),
            ("Feb 29 10:00 n", "2028-03-01T00:00:00Z", "2028-02-29T10:00:00Z minute [n]"),
            ("Feb 29 10:00 n", "2028-02-28T12:00:00Z", "2028-02-29T10:00:00Z minute [n]"),
            ("Feb 29 10:00 n", "2029-01-15T00:00:00Z", "2028-02-29T10:00:00Z minute [n]"),
            ("Feb 29 10:00 n", "2028-01-15T00:00:00Z", "untold [n]"),
            ("Feb 29 10:00 n", NOW, "untold [n]"),
        ] {
            assert_eq!(read(text, now), expected, "{text} at {now}");
        }
    }

    #[test]
    fn timestamps_of_facts_and_replies() {
        for (text, expected) in [
            ("20261121100615", Some("2026-11-21T10:06:15Z")),
            ("20261121100615.5", Some("2026-11-21T10:06:15.500Z")),
            ("20261121100615.123456789012", Some("2026-11-21T10:06:15.123456789Z")),
            ("19691231235959", Some("1969-12-31T23:59:59Z")),
            ("19011213204552", Some("1901-12-13T20:45:52Z")),
            ("20161231235960", Some("2017-01-01T00:00:00Z")),
            ("191261121100615", Some("2026-11-21T10:06:15Z")),
            ("20261121100615.", None),
            ("20261121100615.x", None),
            ("20261131100615", None),
            ("202611211006", None),
            ("2026-11-21T10:06:15", None),
            ("+0261121100615", None),
            ("", None),
            (".5", None),
        ] {
            let at =
                timestamp(text.as_bytes()).map(|m| m.at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
            assert_eq!(at.as_deref(), expected, "{text}");
        }
    }
}
