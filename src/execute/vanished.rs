//! Files that the source has no more when their turn comes: nothing failed by that, since a mirror of now doesn't have them either.
//!
//! An error doesn't tell: a server has one answer (550) for what is gone and for what may not be read. So once everything else is sent,
//! the directories are listed again, each once, and what a proven listing doesn't have has vanished.

use std::collections::HashMap;

use crate::execute::{Outcome, Run};
use crate::store::has_vanished;

/// Gives these files, which could not be found, their outcomes; what is there all the same has the one it comes with.
pub(super) fn settle(run: &Run<'_>, missing: Vec<(usize, Outcome)>) {
    if missing.is_empty() {
        return;
    }
    let mut lease = run.source.lease_now().ok().flatten();
    let mut listings = HashMap::new();
    for (i, outcome) in missing {
        let path = &run.action(i).entry().path;
        let vanished = lease.as_mut().is_some_and(|lease| has_vanished(lease.session(), path, &mut listings));
        run.settle_sent(i, Outcome { vanished, ..outcome });
    }
}
