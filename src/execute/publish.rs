//! Updates that are delayed: files that are at the destination under their temporary names, and get their final ones together; in the same
//! run, or in another one that is told where they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::execute::copy::copy_files;
use crate::execute::steps::Share;
use crate::execute::{Changed, Outcome, Run, unless_lost};
use crate::model::{Kind, RelPath};
use crate::plan::{Action, Deed, Phase, Plan};
use crate::store::{HeldFile, Session};

/// A file that is whole and has its temporary name.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Where it is.
    pub file: HeldFile,
    /// Of the sending.
    pub outcome: Outcome,
}

/// One of a run.
pub(super) struct Waiting {
    held: Arc<Held>,
    /// Another run has sent it, so it is not this one's to remove.
    of_another: bool,
}

/// Finds the files of a plan that others have sent.
pub(super) fn waiting(plan: &Plan, held: &[Arc<Held>]) -> BTreeMap<usize, Waiting> {
    if held.is_empty() {
        return BTreeMap::new();
    }
    let is_sent = |action: &Action| {
        let is_copy = matches!(action.deed, Deed::Copy | Deed::Replace);
        is_copy && action.kind() == Kind::File && action.obstacle.is_none()
    };
    let sent = plan.actions.iter().enumerate().filter(|(_, action)| is_sent(action));
    let by_path: HashMap<RelPath, usize> = sent.map(|(i, action)| (action.path.clone(), i)).collect();
    let of_plan = held.iter().filter_map(|held| Some((*by_path.get(&held.file.path)?, held)));
    of_plan.map(|(i, held)| (i, Waiting { held: Arc::clone(held), of_another: true })).collect()
}

impl Run<'_> {
    /// Returns whether a file that is sent now keeps its temporary name at first.
    pub(super) fn holds(&self, i: usize) -> bool {
        self.holding.load(Ordering::Relaxed) || self.displaces(i)
    }

    /// Returns whether it gets its name as soon as there are some like it.
    pub(super) fn holds_shortly(&self, i: usize) -> bool {
        self.displaces(i) && !self.holding.load(Ordering::Relaxed)
    }

    /// Takes the outcome of sending a file, which is its own unless it is held.
    pub(super) fn take_written(&self, i: usize, file: HeldFile, outcome: Outcome) {
        if self.holds(i) && outcome.is_done() {
            let file = HeldFile { mtime: outcome.mtime.filter(|_| outcome.time_set == Some(true)), ..file };
            let waiting = Waiting { held: Arc::new(Held { file, outcome }), of_another: false };
            self.held.lock().expect("no holder panics").insert(i, waiting);
        } else {
            self.settle_sent(i, outcome);
        }
    }

    /// Sends the files of a phase, which keep their temporary names. Links are made when files get their final ones.
    pub(super) fn send_held(&self, phase: Phase) {
        let files = self.sent_in(phase, Kind::File);
        if !files.is_empty() {
            self.holding.store(true, Ordering::Relaxed);
            copy_files(self, files);
            self.holding.store(false, Ordering::Relaxed);
        }
    }

    /// Gives the held files of a phase their final names, in the order of the plan as far as several sessions can; then makes its
    /// links.
    pub(super) fn publish_held(&self, phase: Phase) {
        self.publish_where(|i| self.action(i).phase == phase);
        let links = self.sent_in(phase, Kind::Symlink);
        if !links.is_empty() && !self.is_stopped() {
            self.in_order(&links);
        }
    }

    /// Gives all held files their final names that don't wait for others.
    pub(super) fn publish_rest(&self) {
        self.publish_where(|i| self.holds_shortly(i));
    }

    fn publish_where(&self, is_due: impl Fn(usize) -> bool) {
        let held: Vec<usize> = self.held.lock().expect("no holder panics").keys().copied().collect();
        // One that failed stays there until all is over.
        let files: Vec<usize> = held.into_iter().filter(|&i| is_due(i) && !self.is_settled(i)).collect();
        if !files.is_empty() {
            self.side_by_side(&files, |session, part| self.publish_some(session, part));
        }
    }

    /// Leaves what was sent to another run, which gives it its names.
    pub(super) fn leave_held(&self) {
        let held = std::mem::take(&mut *self.held.lock().expect("no holder panics"));
        for (i, Waiting { held, .. }) in held {
            let Held { file, outcome } = Arc::unwrap_or_clone(held);
            self.settle(i, Outcome { held: Some(Box::new(file)), ..outcome });
        }
    }

    /// Removes what was held and never got its name, but for what the next run may go on with, and brings back what was set aside for it.
    pub(super) fn drop_held(&self) {
        if !self.displaced.lock().expect("no holder panics").is_empty()
            && let Ok(Some(mut lease)) = self.destination.lease_now()
        {
            self.bring_back(lease.session(), |_| true);
        }
        let held = std::mem::take(&mut *self.held.lock().expect("no holder panics"));
        let least = self.options.resume_from;
        let is_useless = |file: &HeldFile| least.is_none_or(|least| file.bytes < least);
        let own = held.into_values().filter(|waiting| !waiting.of_another);
        let useless = own.filter(|waiting| is_useless(&waiting.held.file));
        let temporaries: Vec<RelPath> = useless.map(|waiting| waiting.held.file.temporary.clone()).collect();
        if !temporaries.is_empty()
            && let Ok(Some(mut lease)) = self.destination.lease_now()
        {
            // Nothing is lost if this fails: they are known for what they are by their names.
            let _ = lease.session().remove_files(&temporaries);
        }
    }

    /// Returns what of this kind is sent in a phase and doesn't have to wait for room.
    fn sent_in(&self, phase: Phase, kind: Kind) -> Vec<usize> {
        let held = self.held.lock().expect("no holder panics");
        let is_sent = |&i: &usize| {
            let action = self.action(i);
            matches!(action.deed, Deed::Copy | Deed::Replace)
                && action.kind() == kind
                && !held.contains_key(&i)
        };
        self.due(phase, Share::Aside).into_iter().filter(is_sent).collect()
    }

    /// Gives some of the held files their final names.
    pub(super) fn publish_some(&self, session: &mut dyn Session, part: &[usize]) -> Changed {
        if self.is_stopped() {
            return Ok(());
        }
        let started = Instant::now();
        let results = self.replace(session, part, |session, part| {
            let files: Vec<HeldFile> = {
                let held = self.held.lock().expect("no holder panics");
                part.iter().map(|i| held[i].held.file.clone()).collect()
            };
            session.publish_files(&files)
        });
        let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
        unless_lost(part, results, |i, result| match result {
            Ok(()) => {
                let sent = self.take_held(i);
                self.settle_sent(i, Outcome { seconds: sent.seconds + seconds, ..sent });
            }
            // The file itself stays where it is until all is over.
            Err(e) => self.settle_sent(i, self.failure(&e, 1)),
        })
    }

    fn take_held(&self, i: usize) -> Outcome {
        let held = self.held.lock().expect("no holder panics").remove(&i);
        Arc::unwrap_or_clone(held.expect("it was held until it got its name").held).outcome
    }
}
