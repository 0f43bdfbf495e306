//! Failed logins, counted by address, so that connecting again doesn't help who guesses passwords.
//!
//! A login counts as failed before it is looked at, and is struck out when it was right: many at once get no more guesses than
//! one after the other. Memory is bounded: when there are too many addresses, the one that was quiet for longest is forgotten.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The failed logins of all addresses.
#[derive(Debug)]
pub(super) struct Attempts {
    most: u32,
    window: Duration,
    records: Mutex<HashMap<IpAddr, Record>>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    failed: u32,
    last: Instant,
}

impl Attempts {
    /// Allows each address `most` failed logins; after that none until it was quiet for `window`.
    pub(super) fn new(most: u32, window: Duration) -> Self {
        Self { most, window, records: Mutex::default() }
    }

    /// Counts a login that is about to be looked at; returns how many there are with it, and `None` if it must not be.
    pub(super) fn begin(&self, from: IpAddr, now: Instant) -> Option<u32> {
        let from = whom(from);
        let mut records = self.lock();
        let failed = records.get(&from).filter(|record| self.counts(record, now)).map_or(0, |r| r.failed);
        if failed >= self.most {
            return None;
        }
        if records.len() >= MOST_ADDRESSES && !records.contains_key(&from) {
            records.retain(|_, record| self.counts(record, now));
            if records.len() >= MOST_ADDRESSES {
                let quietest = records.iter().min_by_key(|(_, record)| record.last).map(|(from, _)| *from);
                quietest.and_then(|from| records.remove(&from));
            }
        }
        records.insert(from, Record { failed: failed + 1, last: now });
        Some(failed + 1)
    }

    /// Forgets what failed, since somebody there knows the password.
    pub(super) fn succeeded(&self, from: IpAddr) {
        self.lock().remove(&whom(from));
    }

    /// Returns whether nobody from there may log in now.
    pub(super) fn shuts_out(&self, from: IpAddr, now: Instant) -> bool {
        let records = self.lock();
        records.get(&whom(from)).is_some_and(|record| self.counts(record, now) && record.failed >= self.most)
    }

    fn counts(&self, record: &Record, now: Instant) -> bool {
        now.saturating_duration_since(record.last) < self.window
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns who is behind an address: whoever has one of IPv6 has the 2^64 beside it.
fn whom(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// How many addresses are remembered; some 100 KiB.
const MOST_ADDRESSES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_failed_too_often_must_be_quiet_for_a_while() {
        let attempts = Attempts::new(3, MINUTE);
        let (here, there, now) = (address("192.0.2.1"), address("192.0.2.2"), Instant::now());
        let counts: Vec<_> = (0..5).map(|i| attempts.begin(here, now + Duration::from_secs(i))).collect();
        assert_eq!(counts, [Some(1), Some(2), Some(3), None, None]);
        assert!(attempts.shuts_out(here, now + MINUTE));
        assert!(!attempts.shuts_out(there, now));
        assert_eq!(attempts.begin(there, now), Some(1));
        // What was refused doesn't make it longer.
        let later = now + MINUTE + Duration::from_secs(2);
        assert!(!attempts.shuts_out(here, later));
        assert_eq!(attempts.begin(here, later), Some(1));
    }

    #[test]
    fn a_right_password_strikes_out_what_failed() {
        let attempts = Attempts::new(2, MINUTE);
        let (here, now) = (address("::ffff:192.0.2.1"), Instant::now());
        assert_eq!((attempts.begin(here, now), attempts.begin(here, now)), (Some(1), Some(2)));
        attempts.succeeded(address("192.0.2.1"));
        assert_eq!(attempts.begin(here, now), Some(1));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let attempts = Attempts::new(1, MINUTE);
        let now = Instant::now();
        assert_eq!(attempts.begin(address("2001:db8::1"), now), Some(1));
        assert_eq!(attempts.begin(address("2001:db8::ffff:2"), now), None);
        assert_eq!(attempts.begin(address("2001:db8:0:1::1"), now), Some(1));
    }

    #[test]
    fn memory_is_bounded_and_the_newest_are_kept() {
        let attempts = Attempts::new(1, MINUTE);
        let now = Instant::now();
        let nth = |i: u32| IpAddr::from(i.to_be_bytes());
        let count = u32::try_from(MOST_ADDRESSES).unwrap() + 100;
        for i in 0..count {
            attempts.begin(nth(i), now + Duration::from_millis(i.into()));
        }
        assert_eq!(attempts.lock().len(), MOST_ADDRESSES);
        assert!(attempts.shuts_out(nth(count - 1), now) && !attempts.shuts_out(nth(0), now));
        // All at once, when they no longer count.
        attempts.begin(nth(0), now + MINUTE * 2);
        assert_eq!(attempts.lock().len(), 1);
    }
}
