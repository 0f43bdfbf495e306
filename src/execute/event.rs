//! What a run tells whoever watches it: progress bars, logs, tests.

use crate::compare::Side;
use crate::execute::Outcome;
use crate::plan::{Action, Plan};
use crate::store::StoreError;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A directory was listed and had this many entries.
    Listed {
        /// Of which tree.
        side: Side,
        /// How many entries it had.
        entries: usize,
    },
    /// Both sides are known. What may differ is looked at more closely next.
    Scanned,
    /// It is decided what will be done. `dry` when it stays at that.
    Planned {
        /// What.
        plan: &'e Plan,
        /// Nothing of it will be done.
        dry: bool,
    },
    /// A worker begins to send a file, or a part of one; after a failed try, again. What it had under way before is off its hands.
    Started {
        /// The number of the worker, from 0. Numbers begin anew where another phase sends files.
        worker: usize,
        /// Which.
        action: &'e Action,
        /// How many bytes of it this worker is to send, as far as the listing tells; 0 where it doesn't.
        bytes: u64,
    },
    /// Bytes have moved of what a worker has under way.
    Moved {
        /// The number of the worker.
        worker: usize,
        /// How many.
        bytes: u64,
    },
    /// What a worker has under way is gone on with.
    Kept {
        /// The number of the worker.
        worker: usize,
        /// How many bytes of it are there already.
        bytes: u64,
    },
    /// A worker has nothing left to do.
    Idle {
        /// Its number.
        worker: usize,
    },
    /// A try failed; its bytes are sent again, or kept.
    TakenBack {
        /// How many bytes of [`Event::Moved`] and [`Event::Kept`] don't count.
        bytes: u64,
    },
    /// A try at sending a file failed, and there will be another.
    Retried {
        /// Which.
        action: &'e Action,
        /// How many tries there were.
        tries: u32,
        /// How the last one failed.
        error: &'e StoreError,
    },
    /// What was taken back turned out to be there.
    Recovered {
        /// How many bytes count again.
        bytes: u64,
    },
    /// An action has its outcome.
    Finished {
        /// Which.
        action: &'e Action,
        /// What became of it.
        outcome: &'e Outcome,
    },
}

/// Takes events as they happen, from several threads.
pub trait Observer: Sync {
    /// Takes one event. To be done quickly: the worker waits.
    fn event(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}
