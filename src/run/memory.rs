//! What a run remembers for the next: receipts of what was found or made the same.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::compare::{Basis, Case, CompareOptions, Pair as Both, Side, difference, march};
use crate::execute::{Event, Observer, Outcome};
use crate::filter::Filter;
use crate::model::{Cancel, Evidence, Kind, Likeness, Receipt, RelPath, Remembered, Seen, Tree};
use crate::plan::{Action, Deed, Plan};
use crate::pool::Pool;
use crate::run::StateOptions;
use crate::run::server_state::{Fetched, ServerState};
use crate::run::times::ListedTimes;
use crate::spill::Spill;
use crate::state::State;
use crate::store::{RetryPolicy, Session, StoreResult};

/// The receipts of earlier runs, and those of this one.
pub(super) struct Memory {
    keeper: Keeper,
    /// What this run does is worth remembering. Files without the times of their sources are not.
    keeps: bool,
    /// The destination can give files the times of their sources, so that it tells something if it doesn't.
    pub(super) sets_times: bool,
    pub(super) evidence: Evidence,
    /// What a person should know about it.
    notes: Mutex<Vec<String>>,
    /// Sent files whose time at the destination nobody knows yet.
    untimed: Mutex<Vec<(RelPath, Receipt)>>,
    now: DateTime<Utc>,
}

/// Where receipts are kept.
enum Keeper {
    Nobody,
    File(State),
    Server(ServerState),
}

/// The finest that servers tell of times, and a little more.
const A_SECOND: Duration = Duration::from_millis(1050);

/// How long a stopped run may take to write down what it knows.
const LAST_DEEDS: Duration = Duration::from_secs(4);

impl Memory {
    /// Opens the state file. One that can't be used is no reason not to run: it is told in a note, and the listings decide.
    #[expect(
        clippy::disallowed_methods,
        reason = "a run is where the clock is read; what it decides takes it as a value"
    )]
    pub(super) fn open(options: Option<&StateOptions>, dry: bool, keeps: bool, spill: &Spill) -> Self {
        let mut memory = Self {
            keeper: Keeper::Nobody,
            keeps: false,
            sets_times: false,
            evidence: Evidence::default(),
            notes: Mutex::default(),
            untimed: Mutex::default(),
            now: Utc::now(),
        };
        memory.keeps = keeps && options.is_some();
        let Some(StateOptions::File { file, pair }) = options else { return memory };
        if dry {
            // Nothing is written, not even beside the file.
            match State::peek(file, pair, spill) {
                Ok(receipts) => memory.evidence.receipts = receipts,
                Err(e) => memory.note(format!("{}; nothing of it was believed", with_causes(&e))),
            }
            return memory;
        }
        match State::open(file, pair, spill) {
            Ok((state, receipts, aside)) => {
                if let Some(aside) = aside {
                    memory.note(aside.to_string());
                }
                (memory.keeper, memory.evidence.receipts) = (Keeper::File(state), receipts);
            }
            Err(e) => memory.note(format!("{}; this run is not remembered", with_causes(&e))),
        }
        memory
    }

    /// Keeps what is learned from now on in another file, and nothing in its own.
    pub(super) fn keep_apart(&mut self, found: &Path, options: Option<&StateOptions>, spill: &Spill) {
        let Some(StateOptions::File { pair, .. }) = options else { return };
        match State::open(found, pair, spill) {
            Ok((state, ..)) => self.keeper = Keeper::File(state),
            Err(e) => {
                self.note(format!("{}; what is the same on both sides is not remembered", with_causes(&e)));
            }
        }
    }

    /// Takes over what is kept on a server.
    pub(super) fn take_over(&mut self, Fetched { state, receipts, doubt }: Fetched) {
        (self.keeper, self.evidence.receipts) = (Keeper::Server(state), receipts.into());
        if let Some(doubt) = doubt {
            self.note(doubt);
        }
    }

    /// Returns whether all that is remembered lies on a server, so that this machine may be a new one.
    pub(super) fn is_on_server(&self) -> bool {
        self.empty_side().is_some()
    }

    /// Returns the side of which nobody knows whether an earlier run had to do with it, so that its times say nothing; `None` where it is
    /// remembered on this machine.
    pub(super) fn empty_side(&self) -> Option<Side> {
        match &self.keeper {
            Keeper::Nobody | Keeper::File(_) => None,
            Keeper::Server(server) => Some(match server.side() {
                Side::Source => Side::Destination,
                Side::Destination => Side::Source,
            }),
        }
    }

    /// Remembers the files that are the same on both sides, as far as it isn't known already.
    pub(super) fn keep_unchanged(
        &self,
        from: &Tree,
        to: &Tree,
        (listed_from, listed_to): (&ListedTimes, &ListedTimes),
        options: &CompareOptions,
    ) {
        // What counts as the same by its size alone is no receipt of anything.
        if !self.is_kept() || matches!(options.basis, Basis::Size | Basis::Always) {
            return;
        }
        for pair in march(from.entries(), to.entries()) {
            let Both::Both(source, destination) = pair else { continue };
            let (source, destination) = (&*source, &*destination);
            let case = Case::new(source, destination, &self.evidence);
            if source.size.is_none() || source.is_dir() || difference(&case, options).is_some() {
                continue;
            }
            let likeness = case
                .receipt
                .map(|receipt| (receipt.source.compare(source), receipt.destination.compare(destination)));
            if options.basis != Basis::Adopt && !proves_itself(&case, likeness) {
                continue;
            }
            let listed = |times: &ListedTimes, mtime| times.get(&source.path).unwrap_or(mtime);
            let seen = (
                Seen::of(source, listed(listed_from, source.mtime), self.now),
                Seen::of(destination, listed(listed_to, destination.mtime), self.now),
            );
            let (Some(mut source_seen), Some(mut destination_seen)) = seen else { continue };
            let mut hash = case.content.and_then(|content| content.hash);
            if let (Some(receipt), Some((there, here))) = (case.receipt, likeness) {
                if there == Likeness::Same {
                    source_seen.exact = source_seen.exact.or(receipt.source.exact);
                }
                if here == Likeness::Same {
                    destination_seen.exact = destination_seen.exact.or(receipt.destination.exact);
                }
                if there == Likeness::Same && (here == Likeness::Same || receipt.destination.is_unseen()) {
                    hash = hash.or(receipt.hash);
                }
            }
            let is_that_file = |receipt: Receipt| {
                receipt.destination.is_unseen() || matches!(likeness, Some((_, Likeness::Same)))
            };
            let undated = case.receipt.is_some_and(|receipt| receipt.undated && is_that_file(receipt));
            let receipt = Receipt { source: source_seen, destination: destination_seen, hash, undated };
            if case.receipt != Some(receipt) {
                self.record(&source.path, Some(receipt));
            }
        }
    }

    fn is_kept(&self) -> bool {
        !matches!(self.keeper, Keeper::Nobody) && self.keeps
    }

    /// Forgets what is there no more, as far as listings prove that; what is deleted is forgotten then. A file of this machine is about
    /// what its source or its destination has, since what is gone at the source alone may get another name there. One that machines
    /// share is about what the server has, whatever part of it each of them sends.
    pub(super) fn forget_gone(&self, from: &Tree, to: &Tree, filter: &Filter) {
        let there = match &self.keeper {
            Keeper::Server(server) if server.side() == Side::Destination => to,
            Keeper::Nobody | Keeper::File(_) | Keeper::Server(_) => from,
        };
        if there.unproven().next().is_some() {
            return;
        }
        let is_gone = |tree: &Tree, path: &RelPath| {
            tree.get(path).is_none() && !tree.may_hide(path) && !tree.may_be_closed(path)
        };
        for path in self.evidence.receipts.paths().filter(|path| is_gone(there, path)) {
            let stays = match &self.keeper {
                Keeper::Server(server) => server.has_new(&path) || !filter.admits_deep(&path, false),
                Keeper::Nobody | Keeper::File(_) => to.doubt(&path).is_some() || !is_gone(to, &path),
            };
            if !stays {
                self.record(&path, None);
            }
        }
    }

    /// Takes back what receipts say of the content of files that will look as they did then, the same size and time, and have another
    /// content: by being sent, by a name that was another file's once, or by a time. If the run doesn't come to its end, or another
    /// one writes what it knew before, they would tell of the old content. Where that can't be done, the files stay as they are.
    /// Returns why. Where files are pulled to this machine, their content is read, not remembered.
    pub(super) fn take_back(
        &self,
        plan: &mut Plan,
        is_pull: bool,
        save: impl FnOnce(&ServerState) -> StoreResult<()>,
    ) -> Option<String> {
        if is_pull {
            return None;
        }
        let is_alike = |action: &Action| {
            let Some(receipt) = self.evidence.receipts.get(&action.entry().path) else { return false };
            let Some(source) = action.source.as_deref() else { return false };
            let now = &receipt.destination;
            let gets_its_time = || {
                let times = source.mtime.zip(now.exact);
                times.is_some_and(|(s, d)| s.agrees(&d, chrono::Duration::zero()))
            };
            // A file has its own time until it gets another.
            let has_its_time =
                || action.destination.as_deref().is_some_and(|gone| now.compare(gone) != Likeness::Changed);
            source.size == Some(now.size)
                && match action.deed {
                    Deed::Copy | Deed::Replace | Deed::Touch => gets_its_time(),
                    Deed::Rename => gets_its_time() || has_its_time(),
                    Deed::Chmod | Deed::CreateDir | Deed::Delete | Deed::DeleteDir => false,
                }
        };
        let alike: Vec<usize> = (0..plan.actions.len())
            .filter(|&i| plan.actions[i].obstacle.is_none() && is_alike(&plan.actions[i]))
            .collect();
        for path in alike.iter().map(|&i| &plan.actions[i].entry().path) {
            let doubtful = self.evidence.receipts.get(path).map(Receipt::in_doubt);
            self.record(path, doubtful);
        }
        match &self.keeper {
            _ if alike.is_empty() => None,
            Keeper::Nobody => None,
            Keeper::File(state) => {
                if let Err(e) = state.flush() {
                    self.note(format!("{}; the next run asks the server instead", with_causes(&e)));
                }
                None
            }
            Keeper::Server(server) => {
                let error = save(server).err()?;
                for i in alike {
                    let why = "what is remembered of it could not be taken back first";
                    plan.actions[i].obstacle = Some(why.into());
                }
                Some(error.to_string())
            }
        }
    }

    /// Asks the destination for the times of files that it dated itself.
    pub(super) fn learn_times(&self, destination: &Pool, retry: &RetryPolicy) {
        const QUESTIONS: usize = 256;
        let untimed = std::mem::take(&mut *self.untimed.lock().unwrap_or_else(PoisonError::into_inner));
        if untimed.is_empty() {
            return;
        }
        // Another machine may send another version right after this one, and within the same second it would look the same.
        if self.is_on_server() && !retry.wait(A_SECOND) {
            return;
        }
        let Ok(Some(mut lease)) = destination.lease_now() else { return };
        // A listing that is exact tells a time of its own, which needn't be the one that MDTM tells.
        if lease.session().capabilities().exact_times {
            // The next run of this machine lists them anyway; another one would know nothing of them.
            if self.is_on_server() {
                self.learn_listed(lease.session(), untimed);
            }
            return;
        }
        for part in untimed.chunks(QUESTIONS) {
            let paths: Vec<RelPath> = part.iter().map(|(path, _)| path.clone()).collect();
            for ((path, receipt), answer) in part.iter().zip(lease.session().mtimes(&paths)) {
                if let Ok(Some(exact)) = answer {
                    let destination = Seen { exact: Some(exact), ..receipt.destination };
                    self.record(path, Some(Receipt { destination, ..*receipt }));
                }
            }
        }
    }

    /// Lists the directories of files that their server dated itself.
    fn learn_listed(&self, session: &mut dyn Session, untimed: Vec<(RelPath, Receipt)>) {
        let dirs: BTreeSet<RelPath> = untimed.iter().filter_map(|(path, _)| path.parent()).collect();
        let dirs: Vec<RelPath> = dirs.into_iter().collect();
        let mut untimed: HashMap<RelPath, Receipt> = untimed.into_iter().collect();
        for entry in session.list(&dirs).into_iter().flatten().flat_map(|listing| listing.entries) {
            let Some(receipt) = untimed.remove(&entry.path) else { continue };
            let is_exact = entry.mtime.is_some_and(|mtime| mtime.is_exact());
            if entry.size == Some(receipt.destination.size)
                && is_exact
                && let Some(destination) = Seen::of(&entry, entry.mtime, self.now)
            {
                self.record(&entry.path, Some(Receipt { destination, ..receipt }));
            }
        }
    }

    /// Writes what waits, and returns what a person should know, and what went wrong.
    pub(super) fn finish(
        self,
        dry: bool,
        cancel: &Cancel,
        save: impl FnOnce(&ServerState, &Remembered) -> StoreResult<()>,
    ) -> (Vec<String>, Option<String>) {
        let mut trouble = None;
        match &self.keeper {
            Keeper::Nobody => {}
            Keeper::File(state) => {
                if let Err(e) = state.flush() {
                    self.note(format!("{}; the next run asks the server instead", with_causes(&e)));
                }
            }
            Keeper::Server(_) if dry => {}
            Keeper::Server(server) => {
                if cancel.is_cancelled() {
                    cancel.reprieve(LAST_DEEDS);
                }
                if let Err(e) = save(server, &self.evidence.receipts) {
                    trouble = Some(format!("{e}; this run is not remembered"));
                }
            }
        }
        (self.notes.into_inner().unwrap_or_else(PoisonError::into_inner), trouble)
    }

    fn take(&self, action: &Action, outcome: &Outcome) {
        match action.deed {
            // A link is compared by itself; a receipt of a file that was there is over.
            Deed::Copy | Deed::Replace if action.kind() == Kind::Symlink => {
                if self.evidence.receipts.get(&action.path).is_some() {
                    self.record(&action.path, None);
                }
            }
            Deed::Copy | Deed::Replace => self.take_receipt(action, self.receipt_of_sent(action, outcome)),
            Deed::Touch => self.take_receipt(action, self.receipt_of_kept(action, outcome)),
            Deed::Rename => {
                if outcome.is_done() {
                    self.forget(&action.path);
                }
                let receipt = match outcome.not_renamed {
                    Some(_) => self.receipt_of_sent(action, outcome),
                    None => {
                        if let Keeper::Server(server) = &self.keeper {
                            server.follow(&action.entry().path, &action.path);
                        }
                        self.receipt_of_kept(action, outcome)
                    }
                };
                self.take_receipt(action, receipt);
            }
            Deed::Delete => self.forget(&action.path),
            Deed::CreateDir | Deed::DeleteDir | Deed::Chmod => {}
        }
    }

    fn take_receipt(&self, action: &Action, receipt: Option<Receipt>) {
        let (path, Some(receipt)) = (&action.entry().path, receipt) else { return };
        if receipt.destination.exact.is_none() {
            self.untimed.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), receipt));
        }
        self.record(path, Some(receipt));
    }

    pub(super) fn forget(&self, path: &RelPath) {
        if self.evidence.receipts.get(path).is_some() {
            self.record(path, None);
        }
    }

    fn receipt_of_sent(&self, action: &Action, outcome: &Outcome) -> Option<Receipt> {
        let source = self.source_seen(action, outcome, Some(outcome.bytes))?;
        // A time that was set is the source's, to the second.
        let exact = source.exact.filter(|_| outcome.time_set == Some(true));
        let destination = Seen { size: outcome.bytes, listed: None, exact, fresh: false };
        Some(Receipt { source, destination, hash: outcome.hash, undated: self.is_undated(outcome) })
    }

    /// Returns the receipt of a file whose content stayed where it is: under another name, or with another time. What was known of
    /// it still holds.
    fn receipt_of_kept(&self, action: &Action, outcome: &Outcome) -> Option<Receipt> {
        let there = action.destination.as_deref()?;
        let receipt = self.evidence.receipts.get(&action.path);
        let receipt = receipt.filter(|receipt| receipt.destination.compare(there) == Likeness::Same);
        let content = self.evidence.contents.get(&action.path).and_then(|content| content.hash);
        let source = self.source_seen(action, outcome, action.entry().size)?;
        let destination = match (outcome.time_set, receipt) {
            (Some(true), _) => Seen { size: source.size, listed: None, exact: source.exact, fresh: false },
            (Some(false), Some(receipt)) => receipt.destination,
            (Some(false), None) => Seen::of(there, there.mtime, self.now)?,
            // Nothing was heard of it: it has this time or that.
            (None, _) => Seen { size: source.size, listed: None, exact: None, fresh: false },
        };
        let hash = content.or_else(|| receipt.and_then(|receipt| receipt.hash));
        Some(Receipt { source, destination, hash, undated: self.is_undated(outcome) })
    }

    /// Returns what is to be remembered of a file at its source, of which `size` bytes were found.
    fn source_seen(&self, action: &Action, outcome: &Outcome, size: Option<u64>) -> Option<Seen> {
        let mut source = action.source.as_deref()?.clone();
        let listed = source.mtime;
        source.size = size;
        source.mtime = outcome.mtime.or(listed);
        Seen::of(&source, listed, self.now)
    }

    fn is_undated(&self, outcome: &Outcome) -> bool {
        self.sets_times && outcome.time_set == Some(false)
    }

    fn record(&self, path: &RelPath, receipt: Option<Receipt>) {
        let receipt = receipt.filter(|_| self.keeps);
        match &self.keeper {
            Keeper::Nobody => {}
            Keeper::File(state) => {
                if let Err(e) = state.record(path, receipt) {
                    self.note(format!("{}; the next run asks the server instead", with_causes(&e)));
                }
            }
            Keeper::Server(server) => server.record(path, self.evidence.receipts.get(path).as_ref(), receipt),
        }
    }

    pub(super) fn note(&self, text: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk says the same of every file.
        if !notes.contains(&text) {
            notes.push(text);
        }
    }
}

/// Returns whether two files that a run took for the same are so by more than its options: a window, or a destination's word that it is
/// not older, would be believed by stricter runs, too.
fn proves_itself(case: &Case<'_>, likeness: Option<(Likeness, Likeness)>) -> bool {
    let strict = CompareOptions::default();
    let bare = Case { receipt: None, content: None, ..*case };
    let both_timed = case.source.mtime.is_some() && case.destination.mtime.is_some();
    let by_time = both_timed && difference(&bare, &strict).is_none();
    let by_receipt = match likeness {
        Some((Likeness::Same, Likeness::Same)) => true,
        // Nobody has listed it since it was sent.
        Some((Likeness::Same, _)) => case.receipt.is_some_and(|receipt| receipt.destination.is_unseen()),
        _ => false,
    };
    by_time || by_receipt || case.content.is_some_and(|content| content.same)
}

/// Hears of outcomes on their way to whoever watches the run.
pub(super) struct Remembering<'m> {
    pub(super) memory: &'m Memory,
    pub(super) observer: &'m dyn Observer,
}

impl Observer for Remembering<'_> {
    fn event(&self, event: &Event<'_>) {
        if let Event::Finished { action, outcome } = event
            && (outcome.is_done() || is_sent(action, outcome))
            // One without its final name is no change of the destination yet.
            && outcome.held.is_none()
        {
            self.memory.take(action, outcome);
        }
        self.observer.event(event);
    }
}

/// Returns whether a file that could not be renamed is under its new name all the same.
fn is_sent(action: &Action, outcome: &Outcome) -> bool {
    action.deed == Deed::Rename && outcome.not_renamed.is_some() && outcome.bytes > 0
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
