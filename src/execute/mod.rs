//! From a plan to outcomes: exactly one for each action, whatever happens.
//!
//! The phases run one after the other; within a phase, sessions work side by side. Deletions come last and only if
//! everything before them went well: a mirror that lost a file on the way must not lose the old one, too.

#[cfg(test)]
mod attempts;
mod backup;
mod copy;
mod event;
mod in_place;
mod limit;
mod publish;
mod resume;
mod split;
mod steps;
mod times;
mod vanished;

pub use event::{Event, Observer, Silent};
pub use publish::Held;

pub use crate::store::HeldFile;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::execute::copy::copy_files;
use crate::execute::in_place::{rename_files, set_permissions, set_times};
use crate::execute::limit::Limiter;
use crate::execute::publish::{Waiting, waiting};
use crate::execute::steps::{Share, Step, steps};
use crate::model::{Cancel, Entry, Kind, Mtime, RelPath, Remedy, RunId, temporary_for};
use crate::plan::{Action, Deed, Phase, Plan};
use crate::pool::{Pool, crew};
use crate::store::{LinkRequest, RetryPolicy, Session, StoreError, StoreResult};

/// How a plan is carried out.
#[derive(Clone, Debug)]
pub struct ExecuteOptions {
    /// Write files under their final names.
    pub in_place: bool,
    /// Give files the modification times of their sources.
    pub carry_times: bool,
    /// Give files that are sent the permission bits of their sources.
    pub carry_permissions: bool,
    /// Distinguishes the temporary files of this run from those of others.
    pub run_id: RunId,
    /// Files of which so many bytes are there already are gone on with; `None` begins all of them anew.
    pub resume_from: Option<u64>,
    /// Partial files of this owner at the destination, left by earlier runs, that may be gone on with. What turns out to be of no use is
    /// removed.
    pub leftovers: Vec<Entry>,
    /// Bytes of files that may move in a second, over all sessions; `None` for as many as can.
    pub rate: Option<NonZeroU64>,
    /// Downloads of more bytes than this are fetched over several sessions; `None` chooses by the line.
    pub split_bytes: Option<u64>,
    /// What of that which is sent is hashed, for receipts.
    pub hashes: Hashes,
    /// When files that are sent get their final names.
    pub updates: Updates,
    /// Files that another run has sent, for this one to give them their final names. What isn't in the plan is left alone.
    pub held: Vec<Arc<Held>>,
    /// What is replaced or deleted is set aside instead: the destination has a directory for that, and in it those of the files' paths.
    pub backup: bool,
    /// Something has failed already, so that nothing is begun that is done only if all before it went well.
    pub failed_before: bool,
    /// How often a transfer is tried again.
    pub retry: RetryPolicy,
    /// The wish to stop.
    pub cancel: Cancel,
}

/// When files get their final names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// Each as soon as it is there.
    Each,
    /// Together, when all of them are there under temporary ones.
    Together,
    /// Never in this run, which does nothing but send files: another one gives them their names.
    Later,
}

/// Which files are hashed on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashes {
    /// None.
    None,
    /// Those of which it costs little. Of large files it would cost more than the copying.
    Cheap,
    /// All that come in one piece.
    All,
}

/// What became of one action.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `None` when it was done; else why not, for people. What the source has no more is not done, either.
    pub error: Option<String>,
    /// It was not done, since the source has the file no more: no failure.
    pub vanished: bool,
    /// Bytes transferred.
    pub bytes: u64,
    /// How long it took, from the start of the last try.
    pub seconds: f64,
    /// How often it was tried; 0 when it never began.
    pub tries: u32,
    /// Whether the destination has the time of the source; `None` when that was not asked for.
    pub time_set: Option<bool>,
    /// The time of the source, as exactly as it was learned; `None` when it is unknown, and for what is no file.
    pub mtime: Option<Mtime>,
    /// BLAKE3 of what was sent; `None` when nobody computed it.
    pub hash: Option<[u8; 32]>,
    /// Why a file that was to be renamed was sent instead; `None` where it was not.
    pub not_renamed: Option<String>,
    /// Where a file is that was sent for another run to give it its final name; `None` where that is no other's to do.
    pub held: Option<Box<HeldFile>>,
}

impl Outcome {
    fn failed(error: impl Into<String>, tries: u32) -> Self {
        Self { error: Some(error.into()), ..Self::done(0, 0.0, tries) }
    }

    fn done(bytes: u64, seconds: f64, tries: u32) -> Self {
        Self {
            error: None,
            vanished: false,
            bytes,
            seconds,
            tries,
            time_set: None,
            mtime: None,
            hash: None,
            not_renamed: None,
            held: None,
        }
    }

    /// Returns the outcome of what was done by a try that nobody has heard the end of.
    pub fn found_done(bytes: u64) -> Self {
        Self::done(bytes, 0.0, 1)
    }

    /// Returns the outcome of what was never begun.
    pub fn untried(why: impl Into<String>) -> Self {
        Self::failed(why, 0)
    }

    /// Returns whether it was done.
    pub fn is_done(&self) -> bool {
        self.error.is_none()
    }

    /// Returns whether it failed, or was never tried.
    pub fn is_failed(&self) -> bool {
        self.error.is_some() && !self.vanished
    }
}

/// Carries out the plan and returns one outcome for each of its actions, in their order.
pub fn execute(
    plan: &Plan,
    source: &Pool,
    destination: &Pool,
    options: &ExecuteOptions,
    observer: &dyn Observer,
) -> Vec<Outcome> {
    let run = Run {
        plan,
        source,
        destination,
        options,
        limiter: options.rate.map(Limiter::new),
        observer,
        outcomes: Mutex::new(vec![None; plan.actions.len()]),
        leftovers: Mutex::new(options.leftovers.clone()),
        refused: Mutex::default(),
        below_room: if options.updates == Updates::Each { BTreeSet::new() } else { below_room(plan) },
        holding: AtomicBool::new(false),
        held: Mutex::new(waiting(plan, &options.held)),
        displaced: Mutex::default(),
        stop: Mutex::new(None),
        failed: AtomicBool::new(options.failed_before),
    };
    run.all_phases();
    if options.updates == Updates::Later {
        run.leave_held();
    }
    run.drop_held();
    run.remove_leftovers();
    let left = run.stop_reason().unwrap_or_else(|| "not reached".to_owned());
    run.end_refused(&left);
    let outcomes = run.outcomes.into_inner().expect("no holder panics");
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Outcome::failed(left.clone(), 0))).collect()
}

/// Returns the paths of files that give way to directories, without those below others.
fn below_room(plan: &Plan) -> BTreeSet<RelPath> {
    let made_room =
        plan.actions.iter().filter(|action| action.phase == Phase::Room && action.obstacle.is_none());
    made_room.map(|action| action.path.clone()).collect()
}

/// What the workers of one execution share.
struct Run<'r> {
    plan: &'r Plan,
    source: &'r Pool,
    destination: &'r Pool,
    options: &'r ExecuteOptions,
    /// `None` where bytes move as fast as they can.
    limiter: Option<Limiter>,
    observer: &'r dyn Observer,
    outcomes: Mutex<Vec<Option<Outcome>>>,
    /// Partial files that nobody has gone on with.
    leftovers: Mutex<Vec<Entry>>,
    /// Files that could not be renamed: they are sent under their new names instead, and removed under the old ones where all else
    /// is removed. With what came of the sending, once that is done.
    refused: Mutex<BTreeMap<usize, Refused>>,
    /// Paths that become directories where files are, and only the topmost. What is below them has to wait for that.
    below_room: BTreeSet<RelPath>,
    /// What is sent now keeps its temporary name until all is there.
    holding: AtomicBool,
    /// Files that are at the destination under their temporary names.
    held: Mutex<BTreeMap<usize, Waiting>>,
    /// Actions for which what was there is set aside, and nothing has taken its place yet.
    displaced: Mutex<BTreeSet<usize>>,
    /// Why nothing more is begun.
    stop: Mutex<Option<String>>,
    /// Something has failed.
    failed: AtomicBool,
}

/// A file that could not be renamed.
struct Refused {
    why: String,
    /// `None` until it is sent.
    sent: Option<Outcome>,
}

/// What became of a batch. When its session is lost for good, what is not decided, with the reason.
type Changed = Result<(), (Vec<usize>, StoreError)>;

/// Hands on what became of each of a batch, but for what is not decided since the session is lost for good.
fn unless_lost<T>(
    part: &[usize],
    results: impl IntoIterator<Item = StoreResult<T>>,
    mut hand_on: impl FnMut(usize, StoreResult<T>),
) -> Changed {
    let (mut left, mut lost) = (Vec::new(), None);
    for (&i, result) in part.iter().zip(results) {
        match result {
            Err(e) if e.remedy() == Remedy::Shrink => {
                left.push(i);
                lost = Some(e);
            }
            result => hand_on(i, result),
        }
    }
    lost.map_or(Ok(()), |e| Err((left, e)))
}

/// How many removals, folders or new names a session takes at once.
const BATCH: usize = 64;

impl Run<'_> {
    fn all_phases(&self) {
        for i in 0..self.plan.actions.len() {
            if let Some(obstacle) = &self.action(i).obstacle {
                self.settle(i, Outcome::failed(obstacle.as_ref(), 0));
            }
        }
        if self.is_stopped() || self.plan.actions.iter().all(|action| action.obstacle.is_some()) {
            return;
        }
        if let Err(e) = self.destination.lease().and_then(|mut lease| lease.session().make_root()) {
            return self.stop(e.to_string());
        }
        for &step in steps(self.options.updates) {
            if self.is_stopped() {
                return;
            }
            if let Some(why) = step.unless_failed()
                && self.failed.load(Ordering::Relaxed)
            {
                self.stop(why.to_owned());
                return;
            }
            self.take_step(step);
        }
    }

    fn take_step(&self, step: Step) {
        let (phase, share) = match step {
            Step::Send(phase) => return self.send_held(phase),
            Step::Publish(phase) => return self.publish_held(phase),
            Step::Do(phase, share) => (phase, share),
        };
        let mut indices = self.due(phase, share);
        indices.extend(self.refused_for(phase));
        if indices.is_empty() {
            return;
        }
        match phase {
            // Order matters: children before their directory, parents before their content.
            Phase::Room | Phase::Folders | Phase::Removals => self.in_order(&indices),
            Phase::Renames => rename_files(self, &indices),
            Phase::Times => set_times(self, &indices),
            Phase::Permissions => set_permissions(self, &indices),
            Phase::Files | Phase::Late => self.files_then_links(indices),
            Phase::Last => self.last_files(indices),
            Phase::Deletions => {
                self.side_by_side(&indices, |session, part| self.change(session, Deed::Delete, part));
            }
        }
    }

    /// Removes partial files that are of no use. A run that was stopped may not have come to what they are of use for.
    fn remove_leftovers(&self) {
        let leftovers = std::mem::take(&mut *self.leftovers.lock().expect("no holder panics"));
        let paths: Vec<RelPath> = leftovers.into_iter().map(|entry| entry.path).collect();
        if !paths.is_empty()
            && !self.is_stopped()
            && let Ok(Some(mut lease)) = self.destination.lease_now()
        {
            // Nothing is lost if this fails: they are known for what they are by their names.
            let _ = lease.session().remove_files(&paths);
        }
    }

    /// Returns the actions of a phase that have no outcome yet, as far as they are of this share.
    fn due(&self, phase: Phase, share: Share) -> Vec<usize> {
        let is_due = |&i: &usize| {
            let is_of_share = match share {
                Share::All => true,
                Share::Aside => !self.has_to_wait(i),
                Share::Waiting => self.has_to_wait(i),
            };
            self.action(i).phase == phase && is_of_share && !self.is_settled(i)
        };
        (0..self.plan.actions.len()).filter(is_due).collect()
    }

    /// Returns whether an action is about something in a directory that has to take the place of a file first.
    fn has_to_wait(&self, i: usize) -> bool {
        let path = &self.action(i).entry().path;
        self.below_room.range::<RelPath, _>(..=path).next_back().is_some_and(|room| path.is_within(room))
    }

    /// Files that are to come after all others, under new names or with new contents.
    fn last_files(&self, indices: Vec<usize>) {
        let is_rename = |&i: &usize| self.action(i).deed == Deed::Rename;
        let (renames, mut files): (Vec<usize>, Vec<usize>) = indices.into_iter().partition(is_rename);
        if !renames.is_empty() {
            rename_files(self, &renames);
            files.extend(self.refused_for(Phase::Last));
        }
        if !files.is_empty() && !self.is_stopped() {
            self.files_then_links(files);
        }
    }

    /// Sends files, and makes links when all of those are there: nothing of this run goes by a new link.
    fn files_then_links(&self, indices: Vec<usize>) {
        let is_link = |&i: &usize| self.action(i).kind() == Kind::Symlink;
        let (links, files): (Vec<usize>, Vec<usize>) = indices.into_iter().partition(is_link);
        if !files.is_empty() {
            copy_files(self, files);
            // Those that replace others, where those are set aside.
            self.publish_rest();
        }
        if !links.is_empty() && !self.is_stopped() {
            self.in_order(&links);
        }
    }

    /// Runs batches of like deeds one after the other on one session.
    fn in_order(&self, indices: &[usize]) {
        let mut lease = match self.destination.lease() {
            Ok(lease) => lease,
            Err(e) => return self.stop(e.to_string()),
        };
        for batch in indices.chunk_by(|&a, &b| self.action(a).deed == self.action(b).deed) {
            for part in batch.chunks(BATCH) {
                let part: Vec<usize> = part.iter().copied().filter(|&i| !self.is_settled(i)).collect();
                if part.is_empty() {
                    continue;
                }
                let deed = self.action(part[0]).deed;
                if let Err((_, e)) = self.change(lease.session(), deed, &part) {
                    return self.stop(e.to_string());
                }
                self.give_up_below_failed(&part);
            }
        }
    }

    /// Runs batches on all sessions at once.
    fn side_by_side(&self, indices: &[usize], change: impl Fn(&mut dyn Session, &[usize]) -> Changed + Sync) {
        let parts: Mutex<Vec<Vec<usize>>> =
            Mutex::new(indices.chunks(BATCH).rev().map(<[_]>::to_vec).collect());
        let workers = self.destination.limit().min(indices.len().div_ceil(BATCH));
        let work = || -> StoreResult<()> {
            let mut lease = self.destination.lease()?;
            loop {
                let part = parts.lock().expect("no holder panics").pop();
                let Some(part) = part else { return Ok(()) };
                if let Err((left, e)) = change(lease.session(), &part) {
                    parts.lock().expect("no holder panics").push(left);
                    return Err(e);
                }
            }
        };
        // Without a session, the work is left to the others.
        crew(workers, || drop(work()));
        if !parts.lock().expect("no holder panics").is_empty()
            && let Err(e) = work()
        {
            self.stop(e.to_string());
        }
    }

    /// Does one batch of like deeds that need no bytes.
    fn change(&self, session: &mut dyn Session, deed: Deed, indices: &[usize]) -> Changed {
        if self.is_stopped() {
            return Ok(());
        }
        let started = Instant::now();
        let paths: Vec<RelPath> = indices.iter().map(|&i| self.action(i).path.clone()).collect();
        let results: Vec<StoreResult<()>> = match deed {
            Deed::CreateDir => session.make_dirs(&paths),
            Deed::Delete if self.options.backup => self.set_aside(session, indices),
            Deed::Delete => session.remove_files(&paths),
            Deed::DeleteDir => session.remove_dirs(&paths),
            Deed::Copy | Deed::Replace => self.replace(session, indices, |session, indices| {
                let links: Vec<LinkRequest> = indices.iter().map(|&i| self.link_request(i)).collect();
                session.make_links(&links)
            }),
            Deed::Rename | Deed::Touch | Deed::Chmod => {
                unreachable!("they have phases of their own")
            }
        };
        let seconds = started.elapsed().as_secs_f64() / indices.len() as f64;
        unless_lost(indices, results, |i, result| {
            let outcome = match result {
                Ok(()) => Outcome::done(0, seconds, 1),
                Err(e) => self.failure(&e, 1),
            };
            // Of one that was sent in place of a renaming, this was only the end.
            let outcome = match self.take_sent(i) {
                Some(sent) => Outcome { error: outcome.error, ..sent },
                None => outcome,
            };
            self.settle(i, outcome);
        })
    }

    fn link_request(&self, i: usize) -> LinkRequest {
        let action = self.action(i);
        let target = action.entry().target.clone();
        LinkRequest {
            path: action.path.clone(),
            temporary: temporary_for(&action.path, self.options.run_id, i, 0),
            target: target.expect("only links are made here, and only those of known target"),
        }
    }

    /// Without its room or its folder, nothing below can be done.
    fn give_up_below_failed(&self, part: &[usize]) {
        let failed: BTreeSet<&RelPath> = part
            .iter()
            .filter(|&&i| self.action(i).phase < Phase::Files && self.has_failed(i))
            .map(|&i| &self.action(i).path)
            .collect();
        // Only the topmost, each of which is the nearest before all that is below it.
        let mut tops: BTreeSet<&RelPath> = BTreeSet::new();
        for path in failed {
            if tops.last().is_none_or(|top| !path.is_within(top)) {
                tops.insert(path);
            }
        }
        if tops.is_empty() {
            return;
        }
        for i in (0..self.plan.actions.len()).filter(|&i| self.action(i).phase <= Phase::Last) {
            let path = &self.action(i).entry().path;
            if let Some(cause) = tops.range::<RelPath, _>(..path).next_back()
                && path.is_within(cause)
                && !self.is_settled(i)
            {
                self.settle(i, Outcome::failed(format!("not tried, since `{cause}` could not be made"), 0));
            }
        }
    }

    /// Returns those of the files that could not be renamed that something is to be done about in this phase.
    fn refused_for(&self, phase: Phase) -> Vec<usize> {
        let refused = self.refused.lock().expect("no holder panics");
        let is_due = |refused: &Refused| match phase {
            Phase::Files | Phase::Last => refused.sent.is_none(),
            Phase::Deletions => refused.sent.is_some(),
            _ => false,
        };
        refused.iter().filter(|(_, refused)| is_due(refused)).map(|(&i, _)| i).collect()
    }

    /// Takes the outcome of sending a file. One that could not be renamed is still there under its old name then.
    fn settle_sent(&self, i: usize, outcome: Outcome) {
        let mut refused = self.refused.lock().expect("no holder panics");
        let not_renamed = refused.get(&i).map(|refused| refused.why.clone());
        let outcome = Outcome { not_renamed, ..outcome };
        match refused.get_mut(&i) {
            Some(refused) if outcome.is_done() => refused.sent = Some(outcome),
            _ => {
                drop(refused);
                self.settle(i, outcome);
            }
        }
    }

    /// Returns what came of sending a file that could not be renamed.
    fn take_sent(&self, i: usize) -> Option<Outcome> {
        self.refused.lock().expect("no holder panics").get_mut(&i)?.sent.take()
    }

    /// Gives their outcome to files that were sent under their new names and never removed under the old ones.
    fn end_refused(&self, why: &str) {
        for i in self.refused_for(Phase::Deletions) {
            let Some(sent) = self.take_sent(i) else { continue };
            let action = self.action(i);
            let to = &action.entry().path;
            let error = format!("`{}` was sent as `{to}` and is still there, too: {why}", action.path);
            self.settle(i, Outcome { error: Some(error), ..sent });
        }
    }

    fn action(&self, i: usize) -> &Action {
        &self.plan.actions[i]
    }

    fn settle(&self, i: usize, outcome: Outcome) {
        if outcome.is_failed() && !self.stays_by_itself(i) {
            self.failed.store(true, Ordering::Relaxed);
        }
        let mut outcomes = self.outcomes.lock().expect("no holder panics");
        assert!(outcomes[i].is_none(), "an action has one outcome");
        self.observer.event(&Event::Finished { action: self.action(i), outcome: &outcome });
        outcomes[i] = Some(outcome);
    }

    /// Returns whether it is something to be deleted, or to get other permissions, that stays for a reason of its own, which is none to
    /// keep the rest: no content is missing by that.
    fn stays_by_itself(&self, i: usize) -> bool {
        let action = self.action(i);
        action.obstacle.is_some()
            && matches!(action.phase, Phase::Deletions | Phase::Removals | Phase::Permissions)
    }

    fn is_settled(&self, i: usize) -> bool {
        self.outcomes.lock().expect("no holder panics")[i].is_some()
    }

    fn has_failed(&self, i: usize) -> bool {
        self.outcomes.lock().expect("no holder panics")[i].as_ref().is_some_and(|outcome| !outcome.is_done())
    }

    /// Makes an outcome of an error; one that ends the run also stops the other workers.
    fn failure(&self, error: &StoreError, tries: u32) -> Outcome {
        if error.is_cancelled()
            && !self.options.cancel.is_cancelled()
            && let Some(why) = self.stop_reason()
        {
            // It was broken off for what ended the run.
            return Outcome::failed(why, tries);
        }
        if error.remedy() == Remedy::Abort {
            self.stop(if error.is_cancelled() {
                "stopped".to_owned()
            } else {
                format!("not tried, since {error}")
            });
        }
        Outcome::failed(error.to_string(), tries)
    }

    fn stop(&self, why: String) {
        self.stop.lock().expect("no holder panics").get_or_insert(why);
    }

    fn stop_reason(&self) -> Option<String> {
        let stopped = self.stop.lock().expect("no holder panics").clone();
        stopped.or_else(|| self.options.cancel.is_cancelled().then(|| "stopped".to_owned()))
    }

    fn is_stopped(&self) -> bool {
        self.stop_reason().is_some()
    }
}
