//! From a store to a tree: every directory listed once, on as many sessions as there are.
//!
//! Directories wait in one queue; workers take some, list them in one batch and put the directories they found back. The
//! filter is applied on the way, so that a directory that is left out is not even listed.

mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::filter::{Filter, IGNORE_NAME};
use crate::model::{
    Cancel, Entry, Kind, Links, RelPath, Remedy, Tree, Unproven, is_lock, is_manifest, is_state, is_temporary,
};
use crate::pool::{Pool, growing_crew};
use crate::scan::links::{Places, Unfollowed};
use crate::spill::{Sorter, Spill, SpillError};
use crate::store::{DirListing, Relisted, StoreError, StoreResult, has_vanished};

/// What a scan is to look at.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// What belongs to the tree.
    pub filter: &'a Filter,
    /// Directories deeper than this are not entered: a directory that contains itself has no end otherwise.
    pub max_depth: usize,
    /// What the entries may take, in bytes of memory, roughly, wherever they are. Where more would be needed, directories stay unread: a
    /// server can make up trees without end.
    pub max_bytes: u64,
    /// How many of them stay in memory, and where the rest goes.
    pub spill: &'a Spill,
    /// The only directories that are listed, beside the root; `None` for all. What lies in them is in the tree, be it a directory that is
    /// not listed itself.
    pub within: Option<&'a BTreeSet<RelPath>>,
    /// What is to become of symbolic links. Those that are followed are in the tree as what they lead to.
    pub links: Links,
    /// The wish to stop.
    pub cancel: &'a Cancel,
}

/// The tree of a store with what went wrong on the way.
#[derive(Debug, Default)]
pub struct Scanned {
    /// What is there.
    pub tree: Tree,
    /// Directories that could not be listed. Each is unproven in the tree, too.
    pub failures: Vec<(RelPath, StoreError)>,
    /// Why links, or directories below them, could not be followed. They are left out of the tree, and in doubt there.
    pub unfollowed: BTreeMap<RelPath, String>,
    /// Directories that hold something outside the filter, so that they can't be removed.
    pub keeps: BTreeSet<RelPath>,
    /// What has the name of the file that receipts are kept in, sorted. It is never part of the tree.
    pub states: BTreeSet<RelPath>,
    /// Files and links that have the name of a temporary one, in no order: of a run under way, or of one that was stopped. They are never
    /// part of the tree, and whether they keep their directory from being removed is not decided here.
    pub leftovers: Vec<Entry>,
    /// Files of rules (`.onewayignore`), sorted. They are in the tree, too.
    pub ignore_files: BTreeSet<RelPath>,
    /// Directories that were gone when they were to be listed, as those above them prove. They are not in the tree.
    pub vanished: BTreeSet<RelPath>,
}

/// Returns those of the directories that could not be listed which are not there any more.
fn vanished(pool: &Pool, failures: &[(RelPath, StoreError)]) -> BTreeSet<RelPath> {
    let absent: Vec<&RelPath> = failures.iter().filter(|(_, e)| e.is_absence()).map(|(dir, _)| dir).collect();
    if absent.is_empty() {
        return BTreeSet::new();
    }
    let Ok(Some(mut lease)) = pool.lease_now() else { return BTreeSet::new() };
    let mut relisted = Relisted::new();
    absent.into_iter().filter(|dir| has_vanished(lease.session(), dir, &mut relisted)).cloned().collect()
}

/// Lists everything below the root that the filter admits. `progress` hears of each directory how many entries it had.
///
/// # Errors
/// When the root can't be listed, or when no session can be had, nothing is known at all. Anything below that can't be
/// listed is among the failures instead.
pub fn scan(
    pool: &Pool,
    options: &ScanOptions<'_>,
    progress: &(dyn Fn(usize) + Sync),
) -> StoreResult<Scanned> {
    let queue = Queue::new();
    let found = Mutex::new(Found::new(options));
    let places = Mutex::new(Places::default());
    let stranded = Mutex::new(None);
    // A session on this machine lists directories in parallel by itself.
    let most = if pool.store().is_remote() { usize::MAX } else { 1 };
    growing_crew(&[pool], most, |meter| {
        let mut lease = None;
        let _panic = EndOnPanic(&queue);
        while let Some(dirs) = queue.take(pool.store().is_remote(), pool.limit(), options.cancel) {
            // A session is opened only where there is something to do for it. Whoever gets none leaves the work to the
            // others.
            let lease = match &mut lease {
                Some(lease) => lease,
                none => match pool.lease_now() {
                    Ok(Some(opened)) => none.insert(opened),
                    refused => {
                        queue.done(dirs.len(), dirs);
                        if let Err(e) = refused {
                            stranded.lock().expect("no holder panics").get_or_insert(e);
                        }
                        return;
                    }
                },
            };
            let mut next = Vec::new();
            let mut lost = None;
            if found.lock().expect("no holder panics").leave_unread(&dirs, options) {
                queue.done(dirs.len(), next);
                continue;
            }
            let mut listings = lease.session().list(&dirs);
            if options.links != Links::Skip {
                links::complete(lease.session(), &dirs, &mut listings);
            }
            if options.links == Links::Follow {
                let name = pool.store().name();
                let unfollowed =
                    links::follow(lease.session(), name, &dirs, &mut listings, options.filter, &places);
                found.lock().expect("no holder panics").unfollow(unfollowed);
            }
            for (dir, listing) in dirs.iter().zip(listings) {
                match listing {
                    Ok(listing) => {
                        progress(listing.entries.len());
                        let added =
                            found.lock().expect("no holder panics").add(dir, listing, options, &mut next);
                        if let Err(e) = added {
                            queue.fail(e.into());
                        }
                    }
                    Err(e) if dir.is_root() || e.remedy() == Remedy::Abort => queue.fail(e),
                    Err(e) if e.remedy() == Remedy::Shrink => {
                        next.push(dir.clone());
                        lost = Some(e);
                    }
                    Err(e) => found.lock().expect("no holder panics").fail(dir, e),
                }
            }
            let waiting = queue.done(dirs.len(), next);
            meter.did(dirs.len() as u64, 0, waiting);
            if let Some(e) = lost {
                stranded.lock().expect("no holder panics").get_or_insert(e);
                return;
            }
        }
    });
    let (finished, error) = queue.into_end();
    if let Some(error) = error {
        return Err(error);
    }
    if options.cancel.is_cancelled() {
        return Err(StoreError::cancelled("list", &RelPath::root(), pool.store().name()));
    }
    if let (false, Some(error)) = (finished, stranded.into_inner().expect("no holder panics")) {
        return Err(error);
    }
    let Found {
        entries,
        unproven,
        failures,
        unfollowed,
        keeps,
        states,
        ignore_files,
        leftovers,
        may_hide,
        saw_hidden,
        maybe_closed,
        ..
    } = found.into_inner().expect("no holder panics");
    let mut tree = Tree::gathered(entries, unproven, options.spill.clone())?
        .with_unseen_hidden(may_hide && !saw_hidden)
        .with_maybe_closed(maybe_closed);
    let vanished = vanished(pool, &failures);
    tree.remove_all(&vanished)?;
    let failures = failures.into_iter().filter(|(dir, _)| !vanished.contains(dir)).collect();
    Ok(Scanned { tree, failures, unfollowed, keeps, states, leftovers, ignore_files, vanished })
}

struct Found {
    entries: Sorter<Entry>,
    unproven: BTreeMap<RelPath, Unproven>,
    failures: Vec<(RelPath, StoreError)>,
    unfollowed: BTreeMap<RelPath, String>,
    keeps: BTreeSet<RelPath>,
    states: BTreeSet<RelPath>,
    ignore_files: BTreeSet<RelPath>,
    leftovers: Vec<Entry>,
    /// Some listing may leave out names that begin with a dot.
    may_hide: bool,
    /// Some listing had one, so that they are not left out.
    saw_hidden: bool,
    /// Directories whose empty listing proves little.
    maybe_closed: BTreeSet<RelPath>,
    /// Bytes that the entries take.
    bytes: u64,
    /// They would take more than they may.
    is_full: bool,
}

impl Found {
    fn new(options: &ScanOptions<'_>) -> Self {
        Self {
            entries: Sorter::new(options.spill.clone()),
            unproven: BTreeMap::new(),
            failures: Vec::new(),
            unfollowed: BTreeMap::new(),
            keeps: BTreeSet::new(),
            states: BTreeSet::new(),
            ignore_files: BTreeSet::new(),
            leftovers: Vec::new(),
            may_hide: false,
            saw_hidden: false,
            maybe_closed: BTreeSet::new(),
            bytes: 0,
            is_full: false,
        }
    }

    fn add(
        &mut self,
        dir: &RelPath,
        listing: DirListing,
        options: &ScanOptions<'_>,
        next: &mut Vec<RelPath>,
    ) -> Result<(), SpillError> {
        if let Some(doubt) = listing.doubt {
            self.unproven.insert(dir.clone(), doubt);
        }
        self.may_hide |= listing.may_hide;
        if listing.may_be_closed {
            self.maybe_closed.insert(dir.clone());
        }
        // What a run has set aside is no part of a mirror, be it this one's wish or that of a run long ago.
        let tells = |entry: &Entry| is_manifest(entry.path.name()) && entry.kind == Kind::File;
        if !dir.is_root() && listing.entries.iter().any(tells) {
            self.keeps.insert(dir.clone());
            return Ok(());
        }
        // Each is a neighbour of the next, but where one may have a content.
        let mut neighbours = Vec::new();
        for entry in self.believed(dir, listing.entries) {
            let name = entry.path.name();
            self.saw_hidden |= name.starts_with(b".");
            let (is_temporary, is_state) = (is_temporary(name), is_state(name));
            let has_rules = name == IGNORE_NAME.as_bytes();
            let is_left_out = is_lock(name) || !options.filter.admits(&entry.path, entry.is_dir());
            let bytes = (size_of::<Entry>() + entry.path.as_bytes().len()) as u64;
            if is_temporary
                && matches!(entry.kind, Kind::File | Kind::Symlink)
                && self.bytes.saturating_add(bytes) <= options.max_bytes
            {
                // Whatever the filter says: it is about names of the mirror, and these are ours.
                self.bytes += bytes;
                self.leftovers.push(entry);
                continue;
            }
            if is_left_out || is_temporary || is_state {
                self.keeps.insert(dir.clone());
                if is_state && !is_left_out {
                    self.states.insert(entry.path);
                }
                continue;
            }
            if self.bytes.saturating_add(bytes) > options.max_bytes {
                self.is_full = true;
                self.unproven.insert(dir.clone(), too_large(options));
                break;
            }
            self.bytes += bytes;
            if entry.is_dir() && options.within.is_none_or(|within| within.contains(&entry.path)) {
                if entry.path.depth() > options.max_depth {
                    let why = format!("it is more than {} directories deep", options.max_depth);
                    self.unproven.insert(entry.path.clone(), Unproven(why));
                } else {
                    next.push(entry.path.clone());
                }
            }
            if has_rules {
                self.ignore_files.insert(entry.path.clone());
            }
            let has_content = entry.is_dir();
            neighbours.push(entry);
            if has_content || neighbours.len() == AT_ONCE {
                self.entries.push_neighbours(neighbours.drain(..))?;
            }
        }
        self.entries.push_neighbours(neighbours.into_iter())?;
        Ok(())
    }

    /// Returns the entries of a directory in their order, but for names that occur more than once: their directory is unproven then.
    fn believed(&mut self, dir: &RelPath, mut entries: Vec<Entry>) -> impl Iterator<Item = Entry> + use<> {
        // Of one directory, names in the order of their bytes are paths in theirs.
        let above = dir.as_bytes().len();
        entries.sort_unstable_by(|a, b| a.path.as_bytes().get(above..).cmp(&b.path.as_bytes().get(above..)));
        let mut twice: Vec<RelPath> = entries
            .windows(2)
            .filter(|pair| pair[0].path == pair[1].path)
            .map(|pair| pair[0].path.clone())
            .collect();
        if let Some(first) = twice.first() {
            self.unproven.entry(dir.clone()).or_insert_with(|| Unproven::listed_twice(first));
            twice.dedup();
        }
        entries.into_iter().filter(move |entry| twice.binary_search(&entry.path).is_err())
    }

    /// Returns whether there is no room for what is in `dirs`, which are unproven then.
    fn leave_unread(&mut self, dirs: &[RelPath], options: &ScanOptions<'_>) -> bool {
        if self.is_full {
            self.unproven.extend(dirs.iter().map(|dir| (dir.clone(), too_large(options))));
        }
        self.is_full
    }

    fn unfollow(&mut self, unfollowed: Unfollowed) {
        for (path, why) in unfollowed {
            self.unproven.insert(path.clone(), Unproven(why.clone()));
            self.unfollowed.insert(path, why);
        }
    }

    fn fail(&mut self, dir: &RelPath, error: StoreError) {
        self.unproven.insert(dir.clone(), Unproven(error.to_string()));
        self.failures.push((dir.clone(), error));
    }
}

/// So many entries of a directory are handed on together: it may have millions, which would all be in memory twice.
const AT_ONCE: usize = 4096;

fn too_large(options: &ScanOptions<'_>) -> Unproven {
    Unproven(format!("the tree takes more than {} MiB", options.max_bytes >> 20))
}

/// Directories yet to be listed. Ends when none is waiting and none is being listed.
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

struct QueueState {
    waiting: Vec<RelPath>,
    under_way: usize,
    /// What ended the scan before its time.
    error: Option<StoreError>,
    /// A worker panicked, and what it had will never be done.
    abandoned: bool,
}

/// Ends the scan when its worker unwinds: the others would wait for it for ever.
struct EndOnPanic<'q>(&'q Queue);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).abandoned = true;
            self.0.changed.notify_all();
        }
    }
}

/// How long a waiting worker may not notice that the run was cancelled.
const CANCEL_TICK: Duration = Duration::from_millis(200);

/// How many directories a remote session takes at once, at most.
const REMOTE_BATCH: usize = 64;

/// Fewer are not worth another session, which takes some four round trips to come about.
const REMOTE_FEW: usize = 4;

/// How many a local one takes: enough for all processors, and few enough that their listings don't lie about twice.
const LOCAL_BATCH: usize = 256;

impl Queue {
    fn new() -> Self {
        let state =
            QueueState { waiting: vec![RelPath::root()], under_way: 0, error: None, abandoned: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Returns the next directories, or `None` at the end of the scan. A remote session takes its share, so that the others
    /// have something, too; a local one takes many, since it lists them in parallel by itself.
    fn take(&self, remote: bool, workers: usize, cancel: &Cancel) -> Option<Vec<RelPath>> {
        let mut state = self.state.lock().expect("no holder panics");
        loop {
            if state.error.is_some() || state.abandoned || cancel.is_cancelled() {
                return None;
            }
            if !state.waiting.is_empty() {
                let waiting = state.waiting.len();
                let share = if remote {
                    waiting.div_ceil(workers).clamp(REMOTE_FEW, REMOTE_BATCH)
                } else {
                    LOCAL_BATCH
                };
                let share = share.min(waiting);
                state.under_way += share;
                return Some(state.waiting.split_off(waiting - share));
            }
            if state.under_way == 0 {
                return None;
            }
            state = self.changed.wait_timeout(state, CANCEL_TICK).expect("no holder panics").0;
        }
    }

    /// Returns how many directories wait now.
    fn done(&self, dirs: usize, next: Vec<RelPath>) -> usize {
        let mut state = self.state.lock().expect("no holder panics");
        state.under_way -= dirs;
        state.waiting.extend(next);
        self.changed.notify_all();
        state.waiting.len()
    }

    fn fail(&self, error: StoreError) {
        let mut state = self.state.lock().expect("no holder panics");
        state.error.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Returns whether every directory was listed, and what ended the scan if not.
    fn into_end(self) -> (bool, Option<StoreError>) {
        let state = self.state.into_inner().expect("no holder panics");
        (state.waiting.is_empty(), state.error)
    }
}
