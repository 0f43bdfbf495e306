//! How fast bytes may move, over all sessions of a run.
//!
//! Time is cut into slots, one behind the other, each as long as its bytes take at the rate; a block waits for its slot. Time
//! that nobody used is gone, so that no pause is made up for by a burst; and whoever asks first is served first, so that
//! sessions with blocks of one size take turns.

use std::num::NonZeroU64;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A rate that all workers of a run keep to together.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: NonZeroU64,
    slots: Mutex<Slots>,
}

impl Limiter {
    /// Returns a limiter to `rate` bytes a second.
    pub(super) fn new(rate: NonZeroU64) -> Self {
        Self { rate, slots: Mutex::new(Slots { rate, taken_until: None }) }
    }

    /// Returns how many bytes to move at once: as many as take an instant, so that the line is used evenly and nobody waits
    /// long for a turn.
    pub(super) fn block_bytes(&self) -> usize {
        usize::try_from(self.rate.get() / SLOTS_PER_SECOND).unwrap_or(usize::MAX).max(1)
    }

    /// Waits until `bytes` may move, or until `is_stopped`.
    pub(super) fn wait(&self, bytes: u64, is_stopped: impl Fn() -> bool) {
        let slot = self.slots.lock().expect("no holder panics").take(bytes, Instant::now());
        loop {
            let left = slot.saturating_duration_since(Instant::now());
            if left.is_zero() || is_stopped() {
                return;
            }
            std::thread::sleep(left.min(TICK));
        }
    }
}

/// How long a wish to stop may go unnoticed.
const TICK: Duration = Duration::from_millis(100);

const SLOTS_PER_SECOND: u64 = 20;

/// Which time is taken.
#[derive(Debug)]
struct Slots {
    rate: NonZeroU64,
    /// The end of the last slot; `None` before the first.
    taken_until: Option<Instant>,
}

impl Slots {
    /// Takes the next slot for `bytes` and returns its beginning, when they may move.
    fn take(&mut self, bytes: u64, now: Instant) -> Instant {
        let begin = self.taken_until.map_or(now, |end| end.max(now));
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.rate.get()));
        let long = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        // A slot that ends after all time there is keeps its beginning; there is nothing behind it.
        self.taken_until = Some(begin.checked_add(long).unwrap_or(begin));
        begin
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::*;

    fn slots(rate: u64) -> Slots {
        Slots { rate: NonZeroU64::new(rate).unwrap(), taken_until: None }
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn blocks_follow_each_other_at_the_rate() {
        let (mut slots, start) = (slots(1000), Instant::now());
        let begins = [500, 500, 250, 1].map(|bytes| slots.take(bytes, start) - start);
        assert_eq!(begins, [0.0, 0.5, 1.0, 1.25].map(seconds));
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let (mut slots, start) = (slots(1000), Instant::now());
        slots.take(100, start);
        let later = start + seconds(60.0);
        assert_eq!([0, 1, 2].map(|_| slots.take(100, later) - later), [0.0, 0.1, 0.2].map(seconds));
    }

    #[test]
    fn a_block_takes_an_instant_whatever_the_rate() {
        for (rate, bytes) in [(1, 1), (10_240, 512), (1 << 30, (1 << 30) / 20)] {
            assert_eq!(Limiter::new(NonZeroU64::new(rate).unwrap()).block_bytes(), bytes);
        }
    }

    proptest! {
        #[test]
        fn over_any_window_no_more_moves_than_the_rate_allows_and_one_block(
            rate in 1_u64..1_000_000_000,
            asked in prop::collection::vec((0_u64..5_000_000_000, 0_u64..300_000), 1..60),
        ) {
            let (mut slots, mut now) = (slots(rate), Instant::now());
            let mut moved = vec![];
            for (pause, bytes) in asked {
                now += Duration::from_nanos(pause);
                moved.push((slots.take(bytes, now), bytes));
            }
            for from in 0..moved.len() {
                let mut sum = 0;
                for to in from..moved.len() {
                    sum += u128::from(moved[to].1);
                    let window = (moved[to].0 - moved[from].0).as_nanos();
                    let allowed = window * u128::from(rate) / 1_000_000_000 + u128::from(moved[to].1) + 1;
                    prop_assert!(sum <= allowed, "{sum} bytes from {from} to {to}, {allowed} allowed");
                }
            }
        }

        #[test]
        fn no_byte_waits_longer_than_those_before_it_take(
            rate in 1_u64..1_000_000_000,
            asked in prop::collection::vec((0_u64..5_000_000_000, 0_u64..300_000), 1..60),
        ) {
            let (mut slots, start) = (slots(rate), Instant::now());
            let (mut now, mut before) = (start, 0);
            for (pause, bytes) in asked {
                now += Duration::from_nanos(pause);
                let waited = (slots.take(bytes, now) - now).as_secs_f64();
                prop_assert!(waited <= before as f64 / rate as f64 + 1e-6);
                before += bytes;
            }
        }
    }

    #[test]
    fn workers_get_equal_shares() {
        let limiter = Limiter::new(NonZeroU64::new(1_000_000).unwrap());
        let shares: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let total = || shares.iter().map(|share| share.load(Ordering::Relaxed)).sum::<u64>();
        std::thread::scope(|scope| {
            for share in &shares {
                scope.spawn(|| {
                    while total() < 100 {
                        limiter.wait(5_000, || false);
                        share.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        for share in &shares {
            assert!((15..=35).contains(&share.load(Ordering::Relaxed)), "{shares:?}");
        }
    }

    #[test]
    fn the_wish_to_stop_ends_a_wait() {
        let limiter = Limiter::new(NonZeroU64::MIN);
        limiter.wait(1_000_000, || false);
        let begun = Instant::now();
        limiter.wait(1, || begun.elapsed() > Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
