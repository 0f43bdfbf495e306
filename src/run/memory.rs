//! What a run remembers for the next: receipts of what was found or made the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::compare::{Basis, Case, CompareOptions, Pair as Both, difference, march};
use crate::execute::{Event, Observer, Outcome};
use crate::model::{
    Checksum, ChecksumKind, Content, Entry, Evidence, Kind, Likeness, Mtime, Receipt, RelPath, Seen, Tree,
};
use crate::plan::{Action, Deed};
use crate::pool::Pool;
use crate::run::StateOptions;
use crate::state::State;
use crate::store::StoreResult;

/// Files that a session hashes in one batch, on all processors.
const HASHED_AT_ONCE: usize = 1024;

/// Times that listings told, of files whose exact time was asked for since.
pub(super) type ListedTimes = HashMap<RelPath, Option<Mtime>>;

/// The receipts of earlier runs, and those of this one.
pub(super) struct Memory {
    /// `None` when nothing is kept.
    state: Option<State>,
    /// What this run does is worth remembering. Files without the times of their sources are not.
    keeps: bool,
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

    /// Compares the contents of files of equal size: the local one is read, and the other asked for its checksum, or taken as it was
    /// when its receipt was written. What neither tells can't be compared, and that is said.
    ///
    /// # Errors
    /// When no session can be had.
    pub(super) fn compare_contents(
        &mut self,
        source: &Pool,
        destination: &Pool,
        from: &Tree,
        to: &Tree,
    ) -> StoreResult<()> {
        let source_is_local = !source.store().is_remote();
        let (local, remote) = if source_is_local { (source, destination) } else { (destination, source) };
        let asked = remote.lease()?.session().checksum_kind().filter(|_| remote.store().is_remote());
        let kind = asked.unwrap_or(ChecksumKind::Blake3);
        let (mut local, mut remote) = (local.lease()?, remote.lease()?);
        let pairs = march(from.entries(), to.entries()).filter_map(|pair| match pair {
            Both::Both(s, d) if s.kind == Kind::File && d.kind == Kind::File && s.size == d.size => {
                Some((s, d))
            }
            _ => None,
        });
        let mut unknown = 0;
        for part in pairs.collect::<Vec<_>>().chunks(HASHED_AT_ONCE) {
            let paths: Vec<RelPath> = part.iter().map(|(s, _)| s.path.clone()).collect();
            let there: Vec<Option<Checksum>> = if asked.is_some() {
                remote.session().checksums(kind, &paths).into_iter().map(|sum| sum.ok().flatten()).collect()
            } else {
                part.iter().map(|(s, d)| self.remembered(s, d, source_is_local)).collect()
            };
            let (paths, there): (Vec<_>, Vec<_>) =
                paths.into_iter().zip(there).filter_map(|(path, sum)| Some((path, sum?))).unzip();
            unknown += part.len() - paths.len();
            let mut local_unknown = 0;
            for ((path, there), here) in paths.iter().zip(&there).zip(local.session().checksums(kind, &paths))
            {
                // A file that can't be read now is one that can't be sent either; that tells why.
                if let Ok(Some(here)) = here {
                    let hash = here[..].try_into().ok().filter(|_| kind == ChecksumKind::Blake3);
                    let content = Content { same: here == *there, hash };
                    self.evidence.contents.insert(path.clone(), content);
                } else {
                    local_unknown += 1;
                }
            }
            unknown += local_unknown;
        }
        if unknown > 0 {
            let files = if unknown == 1 { "1 file has".to_owned() } else { format!("{unknown} files have") };
            self.note(format!("{files} no known checksum and went by size and time"));
        }
        Ok(())
    }

    /// Returns the hash of the content that the remote side had when its receipt was written, if it hasn't changed since.
    fn remembered(&self, source: &Entry, destination: &Entry, source_is_local: bool) -> Option<Checksum> {
        let receipt = self.evidence.receipts.get(&source.path)?;
        let likeness = if source_is_local {
            receipt.destination.compare(destination)
        } else {
            receipt.source.compare(source)
        };
        receipt.hash.filter(|_| likeness == Likeness::Same).map(Box::from)
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
            let receipt = Receipt { source: source_seen, destination: destination_seen, hash };
            if case.receipt != Some(&receipt) {
                self.record(&source.path, Some(receipt));
            }
        }
    }

    fn is_kept(&self) -> bool {
        self.state.is_some() && self.keeps
    }

    /// Forgets what the source hasn't any more. Asked only where all listings are proven.
    pub(super) fn forget_all_but(&self, from: &Tree) {
        for path in self.evidence.receipts.keys().filter(|path| from.get(path).is_none()) {
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
            Deed::Copy | Deed::Replace => {
                let Some(receipt) = self.receipt_of(action, outcome) else { return };
                if receipt.destination.exact.is_none() {
                    self.untimed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((action.path.clone(), receipt));
                }
                self.record(&action.path, Some(receipt));
            }
            Deed::Delete if self.evidence.receipts.contains_key(&action.path) => {
                self.record(&action.path, None);
            }
            Deed::Delete | Deed::CreateDir | Deed::DeleteDir => {}
        }
    }

    fn receipt_of(&self, action: &Action, outcome: &Outcome) -> Option<Receipt> {
        let mut source = action.source.as_deref()?.clone();
        let listed = source.mtime;
        source.size = Some(outcome.bytes);
        source.mtime = outcome.mtime.or(listed);
        let source = Seen::of(&source, listed, self.now)?;
        // A time that was set is the source's, to the second.
        let exact = source.exact.filter(|_| outcome.time_set == Some(true));
        let destination = Seen { size: outcome.bytes, listed: None, exact, fresh: false };
        Some(Receipt { source, destination, hash: outcome.hash })
    }

    fn record(&self, path: &RelPath, receipt: Option<Receipt>) {
        if let Some(Err(e)) =
            self.state.as_ref().map(|state| state.record(path, receipt.filter(|_| self.keeps)))
        {
            self.note(format!("{}; the next run asks the server instead", with_causes(&e)));
        }
    }

    fn note(&self, text: String) {
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
            && outcome.is_done()
        {
            self.memory.take(action, outcome);
        }
        self.observer.event(event);
    }
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
