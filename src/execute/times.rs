//! The times files get at the destination, where the source's listing told them only roughly.
//!
//! They are asked for all files before the first is sent, many questions to a round trip, so that no transfer waits
//! for one.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::execute::Run;
use crate::model::{Mtime, RelPath, Remedy};
use crate::pool::crew;

/// How many times a session is asked for at once.
const BATCH: usize = 256;

impl Run<'_> {
    /// Returns the time of a file at its source, as exactly as it is known by its listing or by `exact`.
    pub(super) fn source_time(&self, exact: &HashMap<usize, Mtime>, i: usize) -> Option<Mtime> {
        let listed = || self.action(i).source.as_ref().and_then(|entry| entry.mtime);
        exact.get(&i).copied().or_else(listed)
    }
}

/// Returns the exact times of those files whose listed time isn't. A file whose time can't be had is not among them.
pub(super) fn exact_times(run: &Run<'_>, indices: &[usize]) -> HashMap<usize, Mtime> {
    let listed = |i: usize| run.action(i).source.as_ref().and_then(|entry| entry.mtime);
    let rough: Vec<usize> =
        indices.iter().copied().filter(|&i| !listed(i).is_some_and(|mtime| mtime.is_exact())).collect();
    if rough.is_empty() || !run.options.carry_times {
        return HashMap::new();
    }
    let exact = Mutex::new(HashMap::new());
    let parts = Mutex::new(rough.chunks(BATCH));
    crew(run.source.limit().min(rough.len().div_ceil(BATCH)), || {
        // Whoever gets no session leaves the questions to the others; unanswered ones leave the time as it was listed.
        let Ok(Some(mut lease)) = run.source.lease_now() else { return };
        if lease.session().capabilities().exact_times {
            return;
        }
        loop {
            let part = parts.lock().expect("no holder panics").next();
            let Some(part) = part else { return };
            let paths: Vec<RelPath> = part.iter().map(|&i| run.action(i).entry().path.clone()).collect();
            let answers = lease.session().mtimes(&paths);
            let lost =
                answers.iter().flat_map(|answer| answer.as_ref().err()).any(|e| e.remedy() == Remedy::Shrink);
            let known = part.iter().zip(answers).filter_map(|(&i, answer)| Some((i, answer.ok()??)));
            exact.lock().expect("no holder panics").extend(known);
            if lost {
                return;
            }
        }
    });
    exact.into_inner().expect("no holder panics")
}
