//! What the workers share: the files that are left, and what is behind them.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use crate::execute::Outcome;
use crate::execute::resume::Partials;
use crate::model::{Mtime, RelPath};
use crate::pool::Meter;

/// What the workers share.
pub(super) struct Shared {
    /// Times that the source was asked for.
    pub(super) times: HashMap<usize, Mtime>,
    /// What there is of them at the destination.
    pub(super) partials: Partials,
    /// Files that no worker has yet.
    pub(super) queue: Mutex<VecDeque<usize>>,
    /// Temporary files of failed tries.
    pub(super) litter: Mutex<Vec<RelPath>>,
    /// Files that were not there when they were to be read.
    pub(super) missing: Mutex<Vec<(usize, Outcome)>>,
    /// How many tries there were.
    pub(super) serial: AtomicU32,
}

impl Shared {
    /// Takes the next file, if it's one to be taken.
    pub(super) fn take(&self, is_wanted: impl FnOnce(usize) -> bool) -> Option<usize> {
        // Decided without the queue: another worker may take that file meanwhile, and leaves one much like it.
        let next = self.queue.lock().expect("no holder panics").front().copied()?;
        if !is_wanted(next) {
            return None;
        }
        self.queue.lock().expect("no holder panics").pop_front()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().expect("no holder panics").len()
    }

    pub(super) fn add_litter(&self, temporary: RelPath) {
        self.litter.lock().expect("no holder panics").push(temporary);
    }

    pub(super) fn is_left(&self) -> bool {
        !self.queue.lock().expect("no holder panics").is_empty()
    }

    /// Tells what got done.
    pub(super) fn measure(&self, meter: Option<&Meter<'_>>, files: u64, bytes: u64) {
        if let Some(meter) = meter {
            meter.did(files, bytes, self.waiting());
        }
    }

    pub(super) fn give_back(&self, files: impl IntoIterator<Item = usize>) {
        self.queue.lock().expect("no holder panics").extend(files);
    }
}
