//! What a run remembers for the next: receipts of what was found or made the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::compare::{Basis, Case, CompareOptions, Pair as Both, difference, march};
use crate::execute::{Event, Observer, Outcome};
use crate::model::{Evidence, Likeness, Mtime, Receipt, RelPath, Seen, Tree};
use crate::plan::{Action, Deed};
use crate::pool::Pool;
use crate::run::StateOptions;
use crate::state::State;

/// Times that listings told, of files whose exact time was asked for since.
pub(super) type ListedTimes = HashMap<RelPath, Option<Mtime>>;

/// The receipts of earlier runs, and those of this one.
pub(super) struct Memory {
    /// `None` when nothing is kept.
    state: Option<State>,
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

impl Memory {
    /// Opens the state file. One that can't be used is no reason not to run: it is told in a note, and the listings decide.
    #[expect(
        clippy::disallowed_methods,
        reason = "a run is where the clock is read; what it decides takes it as a value"
    )]
    pub(super) fn open(options: Option<&StateOptions>, dry: bool, keeps: bool) -> Self {
        let mut memory = Self {
            state: None,
            keeps: false,
            sets_times: false,
            evidence: Evidence::default(),
            notes: Mutex::default(),
            untimed: Mutex::default(),
            now: Utc::now(),
        };
        let Some(options) = options else { return memory };
        memory.keeps = keeps;
        if dry {
            // Nothing is written, not even beside the file.
            match State::peek(&options.file, &options.pair) {
                Ok(receipts) => memory.evidence.receipts = receipts,
                Err(e) => memory.note(format!("{}; nothing of it was believed", with_causes(&e))),
            }
            return memory;
        }
        match State::open(&options.file, &options.pair) {
            Ok((state, receipts, aside)) => {
                if let Some(aside) = aside {
                    memory.note(aside.to_string());
                }
                (memory.state, memory.evidence.receipts) = (Some(state), receipts);
            }
            Err(e) => memory.note(format!("{}; this run is not remembered", with_causes(&e))),
        }
        memory
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
            let listed = |times: &ListedTimes, mtime| times.get(&source.path).copied().unwrap_or(mtime);
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
            let is_that_file = |receipt: &Receipt| {
                receipt.destination.is_unseen() || matches!(likeness, Some((_, Likeness::Same)))
            };
            let undated = case.receipt.is_some_and(|receipt| receipt.undated && is_that_file(receipt));
            let receipt = Receipt { source: source_seen, destination: destination_seen, hash, undated };
            if case.receipt != Some(&receipt) {
                self.record(&source.path, Some(receipt));
            }
        }
    }

    fn is_kept(&self) -> bool {
        self.state.is_some() && self.keeps
    }

    /// Forgets what neither side has any more; what is deleted is forgotten then. Asked only where all listings are proven.
    pub(super) fn forget_all_but(&self, from: &Tree, to: &Tree) {
        let is_gone = |path: &&RelPath| from.get(path).is_none() && to.get(path).is_none();
        for path in self.evidence.receipts.keys().filter(is_gone) {
            self.record(path, None);
        }
    }

    /// Asks the destination for the times of files that it dated itself.
    pub(super) fn learn_times(&self, destination: &Pool) {
        const QUESTIONS: usize = 256;
        let untimed = std::mem::take(&mut *self.untimed.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(mut lease) = (!untimed.is_empty()).then(|| destination.lease_now().ok().flatten()).flatten()
        else {
            return;
        };
        // A listing that is exact tells a time of its own, which needn't be the one that MDTM tells.
        if lease.session().capabilities().exact_times {
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

    /// Writes what waits, and returns what a person should know.
    pub(super) fn finish(self) -> Vec<String> {
        if let Some(Err(e)) = self.state.as_ref().map(State::flush) {
            self.note(format!("{}; the next run asks the server instead", with_causes(&e)));
        }
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, action: &Action, outcome: &Outcome) {
        match action.deed {
            Deed::Copy | Deed::Replace => self.take_receipt(action, self.receipt_of_sent(action, outcome)),
            Deed::Touch => self.take_receipt(action, self.receipt_of_kept(action, outcome)),
            Deed::Rename => {
                if outcome.is_done() {
                    self.forget(&action.path);
                }
                let receipt = match outcome.not_renamed {
                    Some(_) => self.receipt_of_sent(action, outcome),
                    None => self.receipt_of_kept(action, outcome),
                };
                self.take_receipt(action, receipt);
            }
            Deed::Delete => self.forget(&action.path),
            Deed::CreateDir | Deed::DeleteDir => {}
        }
    }

    fn take_receipt(&self, action: &Action, receipt: Option<Receipt>) {
        let (path, Some(receipt)) = (&action.entry().path, receipt) else { return };
        if receipt.destination.exact.is_none() {
            self.untimed.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), receipt));
        }
        self.record(path, Some(receipt));
    }

    fn forget(&self, path: &RelPath) {
        if self.evidence.receipts.contains_key(path) {
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
        if let Some(Err(e)) =
            self.state.as_ref().map(|state| state.record(path, receipt.filter(|_| self.keeps)))
        {
            self.note(format!("{}; the next run asks the server instead", with_causes(&e)));
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
