//! How far a server's clock on the wall is from UTC.
//!
//! Zones lie whole quarters of an hour from UTC, at most 14 hours ahead and 12 behind.

use std::fmt::{self, Display, Formatter};

use chrono::TimeDelta;

/// In which zone a time was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zone {
    /// UTC, or one that was told with it.
    #[default]
    Utc,
    /// The server's own, of which nobody knows how far it is from UTC. The time is written down as if it were UTC.
    Unknown,
    /// The server's own, which is believed to be so far from UTC. The time was made UTC by that.
    Local(Offset),
}

/// How much later a local time reads than UTC, in whole quarters of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(i8);

/// Minutes between one possible zone and the next.
const STEP: i64 = 15;

impl Offset {
    /// No zone is further from UTC than this.
    pub const FURTHEST: TimeDelta = TimeDelta::hours(14);

    /// Daylight saving moves clocks by this much, or by less.
    pub const SAVING: TimeDelta = TimeDelta::hours(1);

    /// Returns the offset of so many minutes; `None` when no zone is that far from UTC.
    pub fn from_minutes(minutes: i64) -> Option<Self> {
        let fits = minutes % STEP == 0 && TimeDelta::try_minutes(minutes)?.abs() <= Self::FURTHEST;
        i8::try_from(minutes / STEP).ok().filter(|_| fits).map(Self)
    }

    /// Returns the offset that `ahead` is, give or take `slack`; `None` when it is none.
    pub fn nearest(ahead: TimeDelta, slack: TimeDelta) -> Option<Self> {
        let step = STEP * 60;
        let minutes = (ahead.num_seconds() + step / 2).div_euclid(step) * STEP;
        Self::from_minutes(minutes).filter(|offset| (ahead - offset.ahead()).abs() <= slack)
    }

    /// Reads `+05:30`, `-08:00`, or `Z` for UTC itself; `None` when it is no such thing, or no zone.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("z") {
            return Some(Self::default());
        }
        let (sign, digits) = match text.as_bytes().first()? {
            b'+' => (1, &text[1..]),
            b'-' => (-1, &text[1..]),
            _ => return None,
        };
        let (hours, minutes) = digits.split_once(':')?;
        let two = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<i64>().ok().filter(|_| plain)
        };
        let (hours, minutes) = (two(hours)?, two(minutes).filter(|&minutes| minutes < 60)?);
        Self::from_minutes(sign * (hours * 60 + minutes))
    }

    /// Returns how much later the local time reads.
    pub fn ahead(self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.0) * STEP)
    }

    /// Returns what [`Offset::parse`] reads: `+05:30`.
    pub fn as_text(self) -> String {
        let minutes = i64::from(self.0) * STEP;
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }

    /// Returns whether both can be one zone's, with daylight saving and without.
    pub fn is_saving_from(self, other: Self) -> bool {
        (self.ahead() - other.ahead()).abs() <= Self::SAVING
    }

    /// Returns whether local time is UTC.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// As in `UTC+05:30`.
impl Display for Offset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("UTC")?;
        if self.is_zero() { Ok(()) } else { f.write_str(&self.as_text()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_are_read_as_people_write_them() {
        for (text, shown) in [
            ("+05:30", "UTC+05:30"),
            ("-08:00", "UTC-08:00"),
            ("+00:00", "UTC"),
            ("-00:00", "UTC"),
            ("Z", "UTC"),
            ("z", "UTC"),
            ("+14:00", "UTC+14:00"),
            ("-03:30", "UTC-03:30"),
            ("+12:45", "UTC+12:45"),
        ] {
            assert_eq!(
                Offset::parse(text).map(|offset| offset.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for text in [
            "", "+", "05:30", "+5:30", "+05:3", "+0530", "+05", "+05:31", "+14:15", "-15:00", "+05:60",
            "++5:30", "+05:30 ", "UTC", "+0é:00", "é",
        ] {
            assert_eq!(Offset::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_nearest_offset_is_taken_within_the_slack_alone() {
        let nearest = |minutes: i64| Offset::nearest(TimeDelta::minutes(minutes), TimeDelta::minutes(5));
        for (minutes, offset) in [(0, 0), (4, 0), (-5, 0), (330, 330), (334, 330), (-241, -240), (839, 840)] {
            assert_eq!(nearest(minutes), Offset::from_minutes(offset), "{minutes}");
        }
        for minutes in [7, -8, 336, 900, 100_000, -100_000] {
            assert_eq!(nearest(minutes), None, "{minutes}");
        }
    }

    proptest! {
        #[test]
        fn every_offset_is_read_as_it_is_shown(quarters in -56i64..=56) {
            let offset = Offset::from_minutes(quarters * 15).unwrap();
            prop_assert_eq!(Offset::parse(&offset.as_text()), Some(offset));
            prop_assert_eq!(Offset::nearest(offset.ahead(), TimeDelta::zero()), Some(offset));
        }

        #[test]
        fn any_text_is_read_without_panic(text: String, ahead: i32) {
            let _ = Offset::parse(&text);
            let _ = Offset::nearest(TimeDelta::seconds(ahead.into()), TimeDelta::zero());
        }
    }
}
