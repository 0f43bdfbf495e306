//! The wish to stop, shared by everything that may take long.
//!
//! Whoever waits or loops looks at it: between blocks of a transfer, between items, while a socket is silent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Says whether the run should stop. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    own: Arc<Own>,
}

/// What is of one run, while the flag may be of several.
#[derive(Debug, Default)]
struct Own {
    /// Something of the run itself ended it.
    ended: AtomicBool,
    deadline: OnceLock<Instant>,
    /// Until when a stopped run may do its last deeds.
    reprieve: Mutex<Option<Instant>>,
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

    /// Returns the wish to stop another run: whoever raises the flag stops both, all else is of each of them alone.
    #[must_use]
    pub fn of_another_run(&self) -> Self {
        Self { flag: Arc::clone(&self.flag), own: Arc::default() }
    }

    /// Stops this run alone, for a reason of its own. It can't be taken back.
    pub fn end(&self) {
        self.own.ended.store(true, Ordering::Relaxed);
    }

    /// Stops this run when that much time is over. Only the first call counts.
    pub fn stop_after(&self, time: Duration) {
        if let Some(deadline) = Instant::now().checked_add(time) {
            self.own.deadline.get_or_init(|| deadline);
        }
    }

    /// Returns whether the time of the run is over.
    pub fn is_out_of_time(&self) -> bool {
        self.own.deadline.get().is_some_and(|deadline| Instant::now() >= *deadline)
    }

    /// Returns the flag itself, for a signal handler to raise.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Lets what is left to do after the stop go on for this long, as if nobody had asked: what a run leaves behind is to be in
    /// order. To be called when all else has ended.
    pub fn reprieve(&self, time: Duration) {
        *self.own.reprieve.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    /// Returns whether a reprieve was given, be it over or not.
    pub fn has_reprieve(&self) -> bool {
        self.own.reprieve.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Returns whether the run should stop.
    pub fn is_cancelled(&self) -> bool {
        let is_wished = self.flag.load(Ordering::Relaxed)
            || self.own.ended.load(Ordering::Relaxed)
            || self.is_out_of_time();
        is_wished && {
            let until = *self.own.reprieve.lock().unwrap_or_else(PoisonError::into_inner);
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

    #[test]
    fn a_run_ends_by_itself_and_its_neighbour_goes_on() {
        let (one, another) = (Cancel::new(), Cancel::new());
        let neighbour = one.of_another_run();
        one.end();
        assert!(one.clone().is_cancelled() && !neighbour.is_cancelled());
        neighbour.stop_after(Duration::ZERO);
        neighbour.stop_after(Duration::from_secs(60));
        assert!(neighbour.is_cancelled() && neighbour.is_out_of_time() && !one.is_out_of_time());
        another.stop_after(Duration::from_secs(60));
        another.stop_after(Duration::MAX);
        assert!(!another.is_cancelled());
        let last = another.of_another_run();
        another.cancel();
        assert!(last.is_cancelled(), "a signal is for all of them");
    }
}
