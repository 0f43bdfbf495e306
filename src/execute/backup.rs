//! What is replaced or deleted goes to a directory for things set aside, by its name alone.
//!
//! A file gets its new content in three steps: the new file is sent under its temporary name, the old one is set aside, the new one gets
//! the name. Only when the second is known to have gone well, the third is tried: a server that was sent both at once would do
//! the third without the second, and the old content would be lost. If the third fails, the old file comes back.

use std::collections::HashSet;

use crate::execute::Run;
use crate::model::{Kind, RelPath, Remedy};
use crate::plan::Deed;
use crate::store::{Renaming, Session, StoreError, StoreResult, Way};

impl Run<'_> {
    /// Returns whether something that is there has to be set aside for this action's file or link.
    pub(super) fn displaces(&self, i: usize) -> bool {
        let action = self.action(i);
        let is_leaf = |kind| matches!(kind, Kind::File | Kind::Symlink);
        self.options.backup
            && action.deed == Deed::Replace
            && action.destination.as_ref().is_some_and(|entry| is_leaf(entry.kind))
    }

    /// Sets aside what is at the paths of these actions.
    pub(super) fn set_aside(&self, session: &mut dyn Session, indices: &[usize]) -> Vec<StoreResult<()>> {
        session.carry_files(&self.carried(indices), Way::Aside)
    }

    fn carried(&self, indices: &[usize]) -> Vec<Renaming> {
        let stays = |path: &RelPath| Renaming { from: path.clone(), to: path.clone() };
        indices.iter().map(|&i| stays(&self.action(i).path)).collect()
    }

    /// Replaces what is at the paths of these actions, as `put` does for those of which what was there is set aside. Comes back
    /// what can't be replaced.
    pub(super) fn replace(
        &self,
        session: &mut dyn Session,
        indices: &[usize],
        put: impl FnOnce(&mut dyn Session, &[usize]) -> Vec<StoreResult<()>>,
    ) -> Vec<StoreResult<()>> {
        let displacing: Vec<usize> = indices.iter().copied().filter(|&i| self.displaces(i)).collect();
        if displacing.is_empty() {
            return put(session, indices);
        }
        let mut kept = std::collections::HashMap::new();
        for (&i, moved) in displacing.iter().zip(self.set_aside(session, &displacing)) {
            match moved {
                Ok(()) => drop(self.displaced.lock().expect("no holder panics").insert(i)),
                Err(e) => drop(kept.insert(i, e)),
            }
        }
        let free: Vec<usize> = indices.iter().copied().filter(|i| !kept.contains_key(i)).collect();
        let mut results = if free.is_empty() { Vec::new() } else { put(session, &free) }.into_iter();
        let results: Vec<StoreResult<()>> = indices
            .iter()
            .map(|i| match kept.remove(i) {
                Some(e) => Err(e),
                None => results.next().expect("a result for each that was put"),
            })
            .collect();
        let failed = |result: &StoreResult<()>| {
            result.as_ref().is_err_and(|e: &StoreError| e.remedy() != Remedy::Shrink)
        };
        let mut ended = HashSet::new();
        for (&i, result) in indices.iter().zip(&results) {
            match result {
                Ok(()) => drop(self.displaced.lock().expect("no holder panics").remove(&i)),
                Err(_) if failed(result) => drop(ended.insert(i)),
                // Another session goes on with it.
                Err(_) => {}
            }
        }
        self.bring_back(session, |i| ended.contains(&i));
        results
    }

    /// Brings back what was set aside for files and links that never came.
    pub(super) fn bring_back(&self, session: &mut dyn Session, is_due: impl Fn(usize) -> bool) {
        let due: Vec<usize> = {
            let displaced = self.displaced.lock().expect("no holder panics");
            displaced.iter().copied().filter(|&i| is_due(i)).collect()
        };
        if due.is_empty() {
            return;
        }
        for (i, back) in due.iter().zip(session.carry_files(&self.carried(&due), Way::Back)) {
            // What can't come back is where its path is told to be, and the whole run can be undone.
            if back.is_ok() {
                self.displaced.lock().expect("no holder panics").remove(i);
            }
        }
    }
}
