//! Ctrl-C, SIGTERM and the end of the terminal: the first asks the run to stop, the second ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oneway::model::Cancel;
use oneway::report::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// Knows which signal came, as long as it is there.
pub(crate) struct Signals {
    last: Arc<AtomicUsize>,
    actions: Vec<SigId>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        for action in self.actions.drain(..) {
            low_level::unregister(action);
        }
    }
}

const ALL: [(i32, Stop); 3] = [(SIGINT, Stop::Interrupt), (SIGTERM, Stop::Terminate), (SIGHUP, Stop::HangUp)];

impl Signals {
    /// Raises `cancel` at the first signal.
    pub(crate) fn watch(cancel: &Cancel) -> std::io::Result<Self> {
        Self::watch_those(cancel, |signal| signal != SIGHUP || !outlives_terminal())
    }

    /// As [`watch`](Self::watch), for whom SIGHUP says something else.
    pub(crate) fn watch_for_end(cancel: &Cancel) -> std::io::Result<Self> {
        Self::watch_those(cancel, |signal| signal != SIGHUP)
    }

    fn watch_those(cancel: &Cancel, is_meant: impl Fn(i32) -> bool) -> std::io::Result<Self> {
        let mut signals = Self { last: Arc::new(AtomicUsize::new(0)), actions: Vec::new() };
        for (signal, stop) in ALL {
            if !is_meant(signal) {
                continue;
            }
            // In this order the first signal finds the flag down and the second finds it raised.
            let (last, status) = (Arc::clone(&signals.last), stop.exit_status().into());
            signals.actions.extend([
                flag::register_conditional_shutdown(signal, status, cancel.flag())?,
                flag::register_usize(signal, last, signal.unsigned_abs() as usize)?,
                flag::register(signal, cancel.flag())?,
            ]);
        }
        Ok(signals)
    }

    /// Returns why the run was stopped; `None` when no signal came.
    pub(crate) fn stop(&self) -> Option<Stop> {
        let last = i32::try_from(self.last.load(Ordering::Relaxed)).ok()?;
        ALL.iter().find(|(signal, _)| *signal == last).map(|(_, stop)| *stop)
    }
}

/// Returns whether SIGHUP is to stay as it is: `nohup` has it ignored, and whoever starts a run with that wants it to go on. Where the system
/// doesn't tell, it stays as it is, too.
fn outlives_terminal() -> bool {
    std::fs::read_to_string("/proc/self/status").map_or(true, |status| is_ignored(&status, SIGHUP))
}

/// Reads the mask of ignored signals in a status file (proc(5)): hexadecimal, the lowest bit for signal 1.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_tells_what_is_ignored() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n";
        assert!(!is_ignored(status, SIGHUP) && is_ignored(status, 13));
        assert!(is_ignored("SigIgn:\t0000000000000001\n", SIGHUP));
        assert!(is_ignored("Name:\tx\n", SIGHUP), "nobody knows");
    }
}
