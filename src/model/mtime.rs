//! A modification time and how exactly it is known.
//!
//! A listing that says `Nov 21 10:02` means any instant of that minute; one that says `Nov 21 2024` any instant of that
//! day. So a time stands for the span from its start to the end of its precision, and two times are equal when their
//! spans meet: that is "compared at the coarser".

use chrono::{DateTime, Duration, Utc};

use crate::model::{Offset, Zone};

/// How exactly a time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// To the second or better: MLSD, MDTM, local files.
    Second,
    /// To the minute: `ls -l` within six months, DOS listings.
    Minute,
    /// To the day: `ls -l` with a year.
    Day,
}

impl Precision {
    /// Every precision.
    pub const ALL: &[Self] = &[Self::Second, Self::Minute, Self::Day];

    /// Returns the length of the span a time of this precision stands for.
    pub fn span(self) -> Duration {
        match self {
            Self::Second => Duration::seconds(1),
            Self::Minute => Duration::minutes(1),
            Self::Day => Duration::days(1),
        }
    }

    /// Returns the word the reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Day => "day",
        }
    }
}

/// A modification time with its precision, and the zone it was told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mtime {
    /// The start of the span. A fraction of a second may be kept; comparing ignores it.
    pub at: DateTime<Utc>,
    /// How long the span is.
    pub precision: Precision,
    /// In which zone it was told. Comparing ignores it.
    pub zone: Zone,
}

impl Mtime {
    /// Returns a time known to the second.
    pub fn exact(at: DateTime<Utc>) -> Self {
        Self { at, precision: Precision::Second, zone: Zone::Utc }
    }

    /// Returns a time known to the second from Unix time; `None` when it is out of the calendar's range.
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        DateTime::from_timestamp(seconds, nanos).map(Self::exact)
    }

    /// Returns whether it is known as well as a file system knows it: to the second, in UTC.
    pub fn is_exact(&self) -> bool {
        self.precision == Precision::Second && self.zone == Zone::Utc
    }

    /// Returns the start of the span as the listing has it, in the server's own zone where it was told in that.
    pub fn as_listed(&self) -> DateTime<Utc> {
        match self.zone {
            Zone::Utc | Zone::Unknown => self.at,
            Zone::Local(offset) => self.at.checked_add_signed(offset.ahead()).unwrap_or(self.at),
        }
    }

    /// Returns the time, believing that the zone it was told in is so far from UTC. What was told in UTC stays as it is.
    #[must_use]
    pub fn in_zone(self, offset: Offset) -> Self {
        if self.zone == Zone::Utc {
            return self;
        }
        match self.as_listed().checked_sub_signed(offset.ahead()) {
            Some(at) => Self { at, zone: Zone::Local(offset), ..self },
            None => self,
        }
    }

    /// Returns the time between the two spans: zero when they meet, so that the times may be the same instant;
    /// positive when `self` is newer, negative when it is older.
    pub fn gap(&self, other: &Self) -> Duration {
        let (a, b) = (self.start(), other.start());
        let one = Duration::seconds(1);
        // The last whole second of a span, so that spans which only touch don't meet.
        let (a_last, b_last) = (a + self.precision.span() - one, b + other.precision.span() - one);
        if a > b_last {
            a - b_last
        } else if b > a_last {
            a_last - b
        } else {
            Duration::zero()
        }
    }

    /// Returns whether the two times are the same as far as both are known, or no further apart than `window`.
    pub fn agrees(&self, other: &Self, window: Duration) -> bool {
        self.gap(other).abs() <= window
    }

    /// Returns the coarser of the two precisions.
    pub fn coarser(&self, other: &Self) -> Precision {
        self.precision.max(other.precision)
    }

    fn start(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.at.timestamp(), 0).unwrap_or(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, precision: Precision) -> Mtime {
        Mtime { at: text.parse().unwrap(), precision, zone: Zone::Utc }
    }

    #[test]
    fn two_times_are_compared_at_the_coarser_precision() {
        use Precision::*;
        for (a, pa, b, pb, gap) in [
            ("2026-11-21T10:02:37Z", Second, "2026-11-21T10:02:37Z", Second, 0),
            ("2026-11-21T10:02:37.9Z", Second, "2026-11-21T10:02:37.1Z", Second, 0),
            ("2026-11-21T10:02:38Z", Second, "2026-11-21T10:02:37Z", Second, 1),
            ("2026-11-21T10:02:36Z", Second, "2026-11-21T10:02:37Z", Second, -1),
            ("2026-11-21T10:02:37Z", Second, "2026-11-21T10:02:00Z", Minute, 0),
            ("2026-11-21T10:02:59Z", Second, "2026-11-21T10:02:00Z", Minute, 0),
            ("2026-11-21T10:03:00Z", Second, "2026-11-21T10:02:00Z", Minute, 1),
            ("2026-11-21T10:01:59Z", Second, "2026-11-21T10:02:00Z", Minute, -1),
            ("2024-11-21T23:59:59Z", Second, "2024-11-21T00:00:00Z", Day, 0),
            ("2024-11-22T00:00:00Z", Second, "2024-11-21T00:00:00Z", Day, 1),
            ("2024-11-21T23:59:00Z", Minute, "2024-11-21T00:00:00Z", Day, 0),
        ] {
            assert_eq!(at(a, pa).gap(&at(b, pb)).num_seconds(), gap, "{a} {b}");
            assert_eq!(at(b, pb).gap(&at(a, pa)).num_seconds(), -gap, "{b} {a}");
        }
    }

    #[test]
    fn a_local_time_becomes_utc_and_is_known_as_it_was_listed() {
        let told = |zone| Mtime { zone, ..at("2026-11-21T15:32:00Z", Precision::Minute) };
        let india = Offset::from_minutes(330).unwrap();
        let known = told(Zone::Unknown).in_zone(india);
        assert_eq!(known.at, at("2026-11-21T10:02:00Z", Precision::Minute).at);
        assert_eq!(known.as_listed(), told(Zone::Unknown).at);
        assert_eq!(known.in_zone(Offset::default()).at, told(Zone::Unknown).at);
        assert_eq!(told(Zone::Utc).in_zone(india), told(Zone::Utc));
        assert!(!known.is_exact() && !told(Zone::Utc).is_exact());
        assert!(Mtime::exact(known.at).is_exact());
    }

    #[test]
    fn a_window_widens_what_counts_as_equal() {
        let a = at("2026-11-21T10:02:37Z", Precision::Second);
        let b = at("2026-11-21T10:02:39Z", Precision::Second);
        assert!(!a.agrees(&b, Duration::seconds(1)));
        assert!(a.agrees(&b, Duration::seconds(2)));
    }
}
