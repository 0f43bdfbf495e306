//! How fast a run is, and when it will be done.

use std::collections::VecDeque;
use std::time::Duration;

/// What was done until some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Bytes of files.
    pub(crate) bytes: u64,
    /// Bytes, and what other things are worth.
    pub(crate) work: u64,
}

/// Tells from what was done lately. Times are since any one moment.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    samples: VecDeque<(Duration, Done)>,
}

/// So much of the past counts: long enough to even out the pauses between files, short enough to follow a line that got slower.
const WINDOW: Duration = Duration::from_secs(10);

/// Samples are so far apart.
const STEP: Duration = Duration::from_millis(250);

/// Before so much time is over, nothing is said.
const LEAST: Duration = Duration::from_millis(750);

impl Pace {
    /// Takes note of what is done by now.
    pub(crate) fn note(&mut self, now: Duration, done: Done) {
        match self.samples.back_mut() {
            Some((at, _)) if now.saturating_sub(*at) < STEP => return,
            _ => self.samples.push_back((now, done)),
        }
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Returns the bytes of files that move in a second; `None` while nobody can tell.
    pub(crate) fn bytes_per_second(&self) -> Option<f64> {
        self.rate(|done| done.bytes)
    }

    /// Returns how long `left` work will take; `None` while nobody can tell.
    pub(crate) fn time_for(&self, left: u64) -> Option<Duration> {
        let rate = self.rate(|done| done.work).filter(|rate| *rate >= 1.0)?;
        Duration::try_from_secs_f64(left as f64 / rate).ok()
    }

    fn rate(&self, of: impl Fn(&Done) -> u64) -> Option<f64> {
        let ((from, before), (to, after)) = (self.samples.front()?, self.samples.back()?);
        let time = to.saturating_sub(*from);
        (time >= LEAST).then(|| of(after).saturating_sub(of(before)) as f64 / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Notes the same speed eight times a second.
    fn go(pace: &mut Pace, from: Duration, seconds: u64, speed: u64, done: &mut u64) {
        for i in 1..=seconds * 8 {
            *done += speed / 8;
            pace.note(from + SECOND * i as u32 / 8, Done { bytes: *done, work: *done });
        }
    }

    #[test]
    fn it_settles_within_a_second_and_follows_within_the_window() {
        let (mut pace, mut done) = (Pace::default(), 0);
        pace.note(Duration::ZERO, Done::default());
        assert_eq!((pace.bytes_per_second(), pace.time_for(1)), (None, None));
        go(&mut pace, Duration::ZERO, 1, 800, &mut done);
        assert_eq!(pace.bytes_per_second(), Some(800.0));
        assert_eq!(pace.time_for(8000), Some(SECOND * 10));
        go(&mut pace, SECOND, 11, 80, &mut done);
        let rate = pace.bytes_per_second().unwrap();
        assert!((80.0..82.0).contains(&rate), "{rate}");
        go(&mut pace, SECOND * 12, 11, 0, &mut done);
        assert_eq!((pace.bytes_per_second(), pace.time_for(1)), (Some(0.0), None));
    }

    #[test]
    fn what_is_taken_back_is_no_negative_speed() {
        let mut pace = Pace::default();
        pace.note(Duration::ZERO, Done { bytes: 100, work: 100 });
        pace.note(SECOND, Done { bytes: 10, work: 10 });
        assert_eq!(pace.bytes_per_second(), Some(0.0));
    }
}
