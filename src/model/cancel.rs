//! The wish to stop, shared by everything that may take long.
//!
//! Whoever waits or loops looks at it: between blocks of a transfer, between items, while a socket is silent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Says whether the run should stop. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    /// Until when a stopped run may do its last deeds.
    reprieve: Arc<Mutex<Option<Instant>>>,
}

impl Cancel {
    /// Returns a flag that nobody has raised yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks all who share this flag to stop. It can't be taken back.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Returns the flag itself, for a signal handler to raise.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Lets what is left to do after the stop go on for this long, as if nobody had asked: what a run leaves behind is to be in
    /// order. To be called when all else has ended.
    pub fn reprieve(&self, time: Duration) {
        *self.reprieve.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    /// Returns whether the run should stop.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed) && {
            let until = *self.reprieve.lock().unwrap_or_else(PoisonError::into_inner);
            until.is_none_or(|until| Instant::now() >= until)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reprieve_is_over_after_its_time() {
        let cancel = Cancel::new();
        cancel.reprieve(Duration::from_secs(60));
        assert!(!cancel.is_cancelled());
        cancel.cancel();
        assert!(!cancel.clone().is_cancelled(), "the last deeds");
        cancel.reprieve(Duration::ZERO);
        assert!(cancel.is_cancelled());
    }
}
