//! Ctrl-C and SIGTERM: the first asks the run to stop, the second ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oneway::model::Cancel;
use oneway::report::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Knows which signal came.
pub(crate) struct Signals {
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// Raises `cancel` at the first signal.
    pub(crate) fn watch(cancel: &Cancel) -> std::io::Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
            // In this order the first signal finds the flag down and the second finds it raised.
            flag::register_conditional_shutdown(signal, status, cancel.flag())?;
            flag::register_usize(signal, Arc::clone(&last), signal.unsigned_abs() as usize)?;
            flag::register(signal, cancel.flag())?;
        }
        Ok(Self { last })
    }

    /// Returns why the run was stopped; `None` when no signal came.
    pub(crate) fn stop(&self) -> Option<Stop> {
        match i32::try_from(self.last.load(Ordering::Relaxed)) {
            Ok(SIGINT) => Some(Stop::Interrupt),
            Ok(SIGTERM) => Some(Stop::Terminate),
            _ => None,
        }
    }
}
