//! What is known of the zone a server tells times in.
//!
//! What a person said of its listings is kept apart from what was noticed of its exact times (MDTM, and the commands that set
//! times): those are UTC by RFC 3659, and some servers tell them in their own zone all the same (vsftpd with
//! `use_localtime`).

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Mtime, Offset, Zone};

/// The clock of one server, for all its sessions.
#[derive(Debug, Default)]
pub struct ServerClock {
    told: Option<Offset>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    exact: Option<Offset>,
    fresh: Option<Offset>,
}

/// A server's clock may be wrong by this much, and a file that was just sent may be this old.
const SLACK: TimeDelta = TimeDelta::minutes(5);

impl ServerClock {
    /// Returns the clock of a server whose listings are so far from UTC; `None` when nobody said so.
    pub fn new(told: Option<Offset>) -> Self {
        Self { told, seen: Mutex::default() }
    }

    /// Returns how far a person said that listings are from UTC; `None` when nobody did.
    pub fn told(&self) -> Option<Offset> {
        self.told
    }

    /// Decides how far exact times are from UTC, unless that was decided before.
    pub fn decide_exact(&self, offset: Offset) {
        self.seen().exact.get_or_insert(offset);
    }

    /// Returns how far exact times are from UTC, as far as that is known.
    pub fn exact(&self) -> Offset {
        self.seen().exact.unwrap_or_default()
    }

    /// Returns how far from UTC the server told a file that it had just got; `None` when nobody asked, or its clock is wrong.
    pub fn fresh(&self) -> Option<Offset> {
        self.seen().fresh
    }

    /// Takes the exact time of a file that was sent at `sent` and not given a time since. Only where a person said how far listings are
    /// from UTC is anything made of it: the next run, which may send nothing, would see otherwise what this one did.
    pub(crate) fn saw_fresh(&self, told: Mtime, sent: DateTime<Utc>) {
        let mut seen = self.seen();
        let Some(offset) = Offset::nearest(told.at - sent, SLACK) else { return };
        seen.fresh.get_or_insert(offset);
        // A person says one offset, and for half of the year daylight saving has another.
        if let Some(told) = self.told.filter(|&told| offset.is_saving_from(told) && !offset.is_zero()) {
            seen.exact.get_or_insert(told);
        }
    }

    /// Returns a listed time in UTC, as far as a person said what zone it is in.
    pub(crate) fn read_listed(&self, mtime: Mtime) -> Mtime {
        self.told.map_or(mtime, |offset| mtime.in_zone(offset))
    }

    /// Returns an exact time in UTC.
    pub(crate) fn read_exact(&self, mtime: Mtime) -> Mtime {
        let at = mtime.at.checked_sub_signed(self.exact().ahead());
        Mtime { at: at.unwrap_or(mtime.at), zone: Zone::Utc, ..mtime }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(minutes: i64) -> Offset {
        Offset::from_minutes(minutes).unwrap()
    }

    #[test]
    fn a_fresh_file_shows_a_zone_and_no_clock_that_is_wrong() {
        let sent: DateTime<Utc> = "2026-11-21T10:02:37Z".parse().unwrap();
        let seen = |told: Option<i64>, ahead: i64| {
            let clock = ServerClock::new(told.map(offset));
            clock.saw_fresh(Mtime::exact(sent + TimeDelta::seconds(ahead)), sent);
            (clock.fresh(), clock.exact())
        };
        let utc = Offset::default();
        assert_eq!(seen(None, 3), (Some(utc), utc));
        assert_eq!(seen(None, 330 * 60 - 2), (Some(offset(330)), utc), "noticed, and left as it is");
        assert_eq!(seen(Some(330), 330 * 60 - 2), (Some(offset(330)), offset(330)));
        assert_eq!(seen(Some(330), -2), (Some(utc), utc));
        assert_eq!(seen(Some(-300), -240 * 60), (Some(offset(-240)), offset(-300)), "in summer");
        assert_eq!(seen(Some(60), 0), (Some(utc), utc));
        assert_eq!(seen(Some(330), 240 * 60), (Some(offset(240)), utc));
        assert_eq!(seen(Some(330), 8 * 60), (None, utc), "a clock that is wrong is no zone");
        assert_eq!(seen(Some(330), -40_000_000), (None, utc));
    }

    #[test]
    fn what_was_decided_stays_so() {
        let clock = ServerClock::new(Some(offset(330)));
        clock.decide_exact(Offset::default());
        clock.decide_exact(offset(330));
        assert!(clock.exact().is_zero());
    }
}
