//! What one session learned about its host and spares the others.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::ftp::error::{Clock, FtpError};
use crate::ftp::features::Refused;
use crate::ftp::quirks::Quirks;

/// What the sessions of one host know together.
#[derive(Debug, Default)]
pub struct HostNotes {
    pub(crate) epsv_fails: AtomicBool,
    /// A data connection came about, so that its command is known to work.
    pub(crate) connects: AtomicBool,
    pub(crate) refused: Refused,
    /// It speaks TLS 1.3 alone.
    pub(crate) newer_tls: AtomicBool,
    /// A file of it got another name.
    pub(crate) renames: AtomicBool,
    /// Whether it renames no file onto one that is there; unset until that was found out.
    pub(crate) keeps_names: OnceLock<bool>,
    /// It refused a command because a transfer was not over.
    pub(crate) busy: AtomicBool,
    /// It answered a probe in order.
    takes_bursts: AtomicBool,
    /// How much speaks against sending it several commands at once.
    strikes: AtomicU32,
}

/// So many strikes end it.
const OUT: u32 = 2;

impl HostNotes {
    /// Returns what `row` says of the server, in the light of what was seen.
    pub(crate) fn temper(&self, row: Quirks) -> Quirks {
        let row = if self.busy.load(Ordering::Relaxed) { row.after_transfers() } else { row };
        if self.is_careful() {
            row.careful()
        } else if row.probe && self.takes_bursts.load(Ordering::Relaxed) {
            row.probed()
        } else {
            row
        }
    }

    /// Returns whether the host is spoken to one command at a time from here on.
    pub(crate) fn is_careful(&self) -> bool {
        self.strikes.load(Ordering::Relaxed) >= OUT
    }

    /// Remembers what a probe showed.
    pub(crate) fn probed(&self, takes_bursts: bool) {
        if takes_bursts {
            self.takes_bursts.store(true, Ordering::Relaxed);
        } else {
            self.strikes.store(OUT, Ordering::Relaxed);
        }
    }

    /// Remembers that several commands at once were answered as they should be.
    pub(crate) fn window_succeeded(&self) {
        // A server that is out stays out.
        let _ = self.strikes.compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Remembers how several commands at once failed. Replies that don't fit and replies that never come are what lost commands
    /// look like. A connection that breaks may do so by chance: on a server that `is_known` to take windows, it must happen
    /// twice in a row.
    pub(crate) fn window_failed(&self, error: &FtpError, is_known: bool) {
        let weight = match error {
            FtpError::Protocol(_) | FtpError::BadReply(_) | FtpError::Timeout { clock: Clock::Reply, .. } => {
                OUT
            }
            FtpError::Closed | FtpError::Lost(_) if is_known => 1,
            FtpError::Closed | FtpError::Lost(_) => OUT,
            _ => 0,
        };
        self.strikes.fetch_add(weight, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn careful_after(failures: &[(FtpError, bool)]) -> bool {
        let notes = HostNotes::default();
        for (error, is_known) in failures {
            notes.window_failed(error, *is_known);
        }
        notes.is_careful()
    }

    #[test]
    fn lost_commands_make_careful_and_chance_does_not() {
        let silence = || FtpError::Timeout { clock: Clock::Reply, after: Duration::from_secs(1) };
        assert!(careful_after(&[(silence(), true)]));
        assert!(careful_after(&[(FtpError::Protocol("one too many".into()), true)]));
        assert!(careful_after(&[(FtpError::Closed, false)]));
        assert!(!careful_after(&[(FtpError::Closed, true)]));
        assert!(careful_after(&[(FtpError::Closed, true), (FtpError::Closed, true)]));
        assert!(!careful_after(&[(FtpError::Cancelled, false), (FtpError::Cancelled, false)]));
    }

    #[test]
    fn a_window_that_succeeds_makes_up_for_one_that_broke() {
        let notes = HostNotes::default();
        notes.window_failed(&FtpError::Closed, true);
        notes.window_succeeded();
        notes.window_failed(&FtpError::Closed, true);
        assert!(!notes.is_careful());
        notes.probed(false);
        notes.window_succeeded();
        assert!(notes.is_careful(), "a server that is out stays out");
    }
}
