//! The lock of a destination on a server: the name of its directory, and what its holder says by a name inside.
//!
//! A name costs no transfer, and giving it a new one shows both that the holder is alive and, to the holder, that the lock is still
//! their own.

use chrono::{DateTime, Utc};

use crate::model::{Mtime, Precision, Zone};

/// The name of the directory that is the lock.
pub const LOCK_NAME: &str = ".oneway-lock";

/// Returns whether something of this name is a lock. Letters are taken in any case, as in [`is_state`](crate::model::is_state).
pub fn is_lock(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(LOCK_NAME.as_bytes())
}

/// What the holder of a lock says, as a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Random, so that it is nobody else's.
    pub id: u64,
    /// How often it was renewed.
    pub serial: u32,
    /// Their process, on their machine.
    pub pid: u32,
    /// Since when their run is under way, by their clock.
    pub since: DateTime<Utc>,
    /// How long it may stay without being renewed, in seconds.
    pub lease_secs: u32,
    /// Until when it holds by the server's clock; `None` where that doesn't tell.
    pub until: Option<ServerTime>,
    /// The name of their machine, as far as it can stand in a name.
    pub host: String,
}

/// A time by the server's clock, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTime {
    /// What its digits mean.
    pub scale: Scale,
    /// Unix time, as if the digits were UTC.
    pub seconds: i64,
}

/// What the digits of a listed time mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// UTC, to the second.
    Utc,
    /// The zone of the server's listings, to the minute or better. A change to or from daylight saving moves it.
    Listed,
}

/// A host's name is cut after this.
const HOST_BYTES: usize = 60;

impl ServerTime {
    /// Returns a listed time, if it is exact enough to tell by it whether a lease is over.
    pub fn of(mtime: Mtime) -> Option<Self> {
        let scale = match (mtime.precision, mtime.zone) {
            (Precision::Day, _) => return None,
            (Precision::Second, Zone::Utc) => Scale::Utc,
            _ => Scale::Listed,
        };
        let at = if scale == Scale::Utc { mtime.at } else { mtime.as_listed() };
        Some(Self { scale, seconds: at.timestamp() })
    }

    /// Returns the time so many seconds later.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self { seconds: self.seconds.saturating_add(seconds), ..self }
    }
}

/// What the server's clock says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds.
    Alive,
    /// Its lease is over.
    Over,
    /// The clock can't tell.
    Open,
}

impl Claim {
    /// Returns the name that says it, of letters, digits, dots and dashes alone.
    pub fn to_name(&self) -> String {
        let Self { id, serial, pid, since, lease_secs, until, host } = self;
        let since = since.timestamp();
        let until = match until {
            None => "x".to_owned(),
            Some(ServerTime { scale: Scale::Utc, seconds }) => format!("u{seconds}"),
            Some(ServerTime { scale: Scale::Listed, seconds }) => format!("l{seconds}"),
        };
        let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let host: String = host.chars().take(HOST_BYTES).map(fit).collect();
        format!("{id:016x}.{serial}.{pid}.{since}.{lease_secs}.{until}.{host}")
    }

    /// Reads a name; `None` when it is none of a claim.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(name).ok()?;
        let mut parts = text.splitn(7, '.');
        let mut next = || parts.next();
        let id = next().filter(|id| id.len() == 16)?;
        let id = u64::from_str_radix(id, 16).ok()?;
        let (serial, pid) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let since = DateTime::from_timestamp(next()?.parse().ok()?, 0)?;
        let lease_secs = next()?.parse().ok()?;
        let until = next()?;
        let until = match until.split_at_checked(1)? {
            ("u", seconds) => Some(ServerTime { scale: Scale::Utc, seconds: seconds.parse().ok()? }),
            ("l", seconds) => Some(ServerTime { scale: Scale::Listed, seconds: seconds.parse().ok()? }),
            ("x", "") => None,
            _ => return None,
        };
        let host = next()?.to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        host.chars().all(is_plain).then_some(Self { id, serial, pid, since, lease_secs, until, host })
    }

    /// Returns what the clock of the server says, when it says `now`.
    pub fn standing(&self, now: Option<ServerTime>) -> Standing {
        let (Some(now), Some(until)) = (now, self.until) else { return Standing::Open };
        if now.scale != until.scale {
            return Standing::Open;
        }
        // Between two readings of a clock that tells minutes there is up to one of them more or less; and daylight saving moves digits
        // by an hour.
        let doubt = match now.scale {
            Scale::Utc => 5,
            Scale::Listed => 3600 + 120,
        };
        match now.seconds.saturating_sub(until.seconds) {
            // Nobody of ours has so long a lease.
            over if over < -LONGEST_SECS => Standing::Open,
            ..=0 => Standing::Alive,
            over if over <= doubt => Standing::Open,
            _ => Standing::Over,
        }
    }

    /// Returns who it is, for people.
    pub fn holder(&self) -> String {
        let since = self.since.format("%Y-%m-%d %H:%M:%S");
        format!("pid {} on {}, since {since} UTC by its clock", self.pid, self.host)
    }
}

const LONGEST_SECS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(until: Option<(Scale, i64)>) -> Claim {
        Claim {
            id: 0xabc,
            serial: 3,
            pid: 1234,
            since: DateTime::from_timestamp(1_795_298_463, 0).unwrap(),
            lease_secs: 300,
            until: until.map(|(scale, seconds)| ServerTime { scale, seconds }),
            host: "build-3.example.org".to_owned(),
        }
    }

    #[test]
    fn a_lock_is_known_by_its_name() {
        assert!(is_lock(b".oneway-lock") && is_lock(b".Oneway-Lock"));
        assert!(
            !is_lock(b".oneway-locks")
                && !is_lock(b".oneway-lock-1")
                && !is_lock(b".oneway-state")
                && !is_lock(b".oneway")
        );
    }

    #[test]
    fn a_claim_is_a_plain_name() {
        let name = claim(Some((Scale::Utc, 1_795_298_763))).to_name();
        assert_eq!(name, "0000000000000abc.3.1234.1795298463.300.u1795298763.build-3.example.org");
        let odd = Claim { host: "ä b/c\u{1b}".repeat(50), ..claim(None) };
        let name = odd.to_name();
        assert!(
            name.len() < 200 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)),
            "{name}"
        );
        assert!(Claim::parse(name.as_bytes()).is_some());
        assert_eq!(
            claim(None).holder(),
            "pid 1234 on build-3.example.org, since 2026-11-21 22:01:03 UTC by its clock"
        );
    }

    #[test]
    fn the_clock_decides_where_it_can() {
        let at = |scale, seconds| Some(ServerTime { scale, seconds });
        for (until, now, standing) in [
            (Some((Scale::Utc, 1000)), at(Scale::Utc, 1000), Standing::Alive),
            (Some((Scale::Utc, 1000)), at(Scale::Utc, 1005), Standing::Open),
            (Some((Scale::Utc, 1000)), at(Scale::Utc, 1006), Standing::Over),
            (Some((Scale::Listed, 1000)), at(Scale::Listed, 999), Standing::Alive),
            (Some((Scale::Listed, 1000)), at(Scale::Listed, 4600), Standing::Open),
            (Some((Scale::Listed, 1000)), at(Scale::Listed, 5000), Standing::Over),
            (Some((Scale::Utc, 1000)), at(Scale::Listed, 5000), Standing::Open),
            (Some((Scale::Utc, 100_000)), at(Scale::Utc, 1000), Standing::Open),
            (None, at(Scale::Utc, 1006), Standing::Open),
            (Some((Scale::Utc, 1000)), None, Standing::Open),
        ] {
            assert_eq!(claim(until).standing(now), standing, "{until:?} {now:?}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_read(name: Vec<u8>, text in "[0-9a-f]{16}(\\.[-0-9ulx]{0,20}){4,7}") {
            let _ = Claim::parse(&name);
            let _ = Claim::parse(text.as_bytes()).map(|claim| claim.standing(claim.until));
        }

        #[test]
        fn what_is_said_is_read(
            id: u64, serial: u32, pid: u32, lease_secs: u32, since in -1_000_000_000_i64..4_000_000_000,
            until in proptest::option::of((any::<bool>(), any::<i64>())), host in "[a-zA-Z0-9.-]{0,60}",
        ) {
            let until = until.map(|(utc, seconds)| ServerTime {
                scale: if utc { Scale::Utc } else { Scale::Listed },
                seconds,
            });
            let since = DateTime::from_timestamp(since, 0).unwrap();
            let claim = Claim { id, serial, pid, since, lease_secs, until, host };
            prop_assert_eq!(Claim::parse(claim.to_name().as_bytes()), Some(claim));
        }
    }
}
