//! Whether more sessions help, judged by what gets done in a slice of time.

use std::time::Duration;

/// What was done in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Done {
    /// Files copied, or directories listed.
    pub(super) items: u64,
    /// Bytes of content moved.
    pub(super) bytes: u64,
}

/// Adds sessions as long as the rate of items or of bytes grows with them.
#[derive(Debug)]
pub(super) struct Growth {
    sessions: usize,
    most: usize,
    /// Rates of the slice before this one, and with how many sessions.
    before: Option<(usize, Rates)>,
}

#[derive(Clone, Copy, Debug)]
struct Rates {
    items: f64,
    bytes: f64,
}

/// How many join at once.
const STEP: usize = 2;

/// What is seen in less time is chance.
const SLICE: Duration = Duration::from_millis(500);

/// A slice has this many items for each session, so that waiting for single replies evens out, unless that takes too long.
const ITEMS_EACH: u64 = 4;
const LONG_SLICE: Duration = Duration::from_secs(3);

/// Which part of what sessions in proportion would bring must be seen for them to count as a help.
const WORTHWHILE: f64 = 0.25;

impl Growth {
    pub(super) fn new(sessions: usize, most: usize) -> Self {
        Self { sessions, most, before: None }
    }

    /// Returns how many sessions there may be from now on; `None` leaves it as it is until the next slice is judged.
    /// `done` is what was done in `elapsed`, `waiting` the items that nobody works on yet.
    pub(super) fn judge(&mut self, done: Done, elapsed: Duration, waiting: usize) -> Option<usize> {
        let seen_enough = done.items >= ITEMS_EACH * self.sessions as u64 || elapsed >= LONG_SLICE;
        if self.is_over() || elapsed < SLICE || !seen_enough || waiting < self.sessions + STEP {
            return None;
        }
        let seconds = elapsed.as_secs_f64();
        let now = Rates { items: done.items as f64 / seconds, bytes: done.bytes as f64 / seconds };
        if let Some((sessions, before)) = self.before {
            let in_proportion = self.sessions as f64 / sessions as f64;
            let enough = 1.0 + (in_proportion - 1.0) * WORTHWHILE;
            let helped = |now: f64, before: f64| now > before * enough;
            if !helped(now.items, before.items) && !helped(now.bytes, before.bytes) {
                self.most = self.sessions;
                return None;
            }
        }
        self.before = Some((self.sessions, now));
        self.sessions = (self.sessions + STEP).min(self.most);
        Some(self.sessions)
    }

    /// Returns whether nothing is to be judged any more.
    pub(super) fn is_over(&self) -> bool {
        self.sessions >= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs slices of a second each in which `rate(sessions)` items are done, and returns how far it grows.
    fn grown(start: usize, most: usize, rate: impl Fn(usize) -> u64) -> usize {
        let mut growth = Growth::new(start, most);
        let mut sessions = start;
        for _ in 0..20 {
            let done = Done { items: rate(sessions), bytes: 0 };
            sessions = growth.judge(done, SECOND, 1000).unwrap_or(sessions);
        }
        sessions
    }

    #[test]
    fn it_grows_while_the_rate_does() {
        assert_eq!(grown(4, 10, |sessions| 100 * sessions as u64), 10);
        assert_eq!(grown(4, 10, |sessions| 100 * sessions.min(6) as u64), 8, "one step is in vain");
        assert_eq!(grown(4, 10, |_| 1000), 6, "a processor or a disk is the limit");
        assert_eq!(grown(8, 8, |sessions| 100 * sessions as u64), 8, "the number was chosen");
        assert_eq!(grown(4, 5, |sessions| 100 * sessions as u64), 5);
    }

    #[test]
    fn bytes_count_as_much_as_items() {
        let mut growth = Growth::new(4, 10);
        let slice = |megabytes: u64| Done { items: 0, bytes: megabytes << 20 };
        assert_eq!(growth.judge(slice(40), LONG_SLICE, 100), Some(6));
        assert_eq!(growth.judge(slice(60), LONG_SLICE, 100), Some(8));
        assert_eq!(growth.judge(slice(61), LONG_SLICE, 100), None);
        assert!(growth.is_over());
    }

    #[test]
    fn nothing_is_judged_too_early_or_for_nobody() {
        let mut growth = Growth::new(4, 10);
        let done = Done { items: 1000, bytes: 0 };
        assert_eq!(growth.judge(done, SLICE / 2, 1000), None, "no time has passed");
        assert_eq!(growth.judge(Done { items: 15, ..done }, SECOND, 1000), None, "little was done");
        assert_eq!(growth.judge(done, SECOND, 5), None, "nothing is left for more sessions");
        assert_eq!(growth.judge(done, SECOND, 6), Some(6));
    }
}
