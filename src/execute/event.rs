//! What a run tells whoever watches it: progress bars, logs, tests.

use crate::compare::Side;
use crate::execute::Outcome;
use crate::plan::{Action, Plan};

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
    /// It is decided what will be done. `dry` when it stays at that.
    Planned {
        /// What.
        plan: &'e Plan,
        /// Nothing of it will be done.
        dry: bool,
    },
    /// A file begins to be sent; after a failed try, again.
    Started {
        /// Which.
        action: &'e Action,
    },
    /// Bytes of a file have moved.
    Moved {
        /// How many.
        bytes: u64,
    },
    /// A file is gone on with.
    Kept {
        /// How many bytes of it are there already.
        bytes: u64,
    },
    /// A try failed; its bytes are sent again, or kept.
    TakenBack {
        /// How many bytes of [`Event::Moved`] and [`Event::Kept`] don't count.
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
