//! Receipts in one file on the server, for machines that start with nothing.
//!
//! The file is read once before the scan, and written once at the end if that is worth it. Others may have written it meanwhile:
//! it is read again then, and the content of what both changed is in doubt, since nobody knows whose word is the newer one. Nothing the file
//! says overrides a listing: a receipt fits what both sides look like now or is ignored.
//!
//! A receipt is the same in both directions, so a machine that pushes and one that pulls share the file. In the file, the server is the
//! destination.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use blake3::Hash;

use crate::compare::Side;
use crate::model::{
    Mtime, Precision, Receipt, Receipts, RelPath, Remedy, RunId, STATE_NAME, Seen, temporary_for,
};
use crate::pool::Pool;
use crate::state::{MAGIC, PACK_LIMITS, PackError, PackLimits, pack, unpack};
use crate::store::{ReadRequest, RetryPolicy, Session, Settle, StoreError, StoreResult, WriteRequest};

/// The receipts on a server, and what this run has to add to them.
pub(super) struct ServerState {
    /// Which side of the run the server is.
    side: Side,
    pending: Mutex<Pending>,
}

struct Pending {
    /// What this run takes to stand in the file; `None` for what it began with.
    base: Option<Receipts>,
    /// The file that the run began with; `None` when there was no good one, or when it was written since.
    fingerprint: Option<Hash>,
    changes: HashMap<RelPath, Option<Receipt>>,
    /// Files that were renamed by this run, with their old paths.
    origins: HashMap<RelPath, RelPath>,
    /// Something of it would be missed by the next run.
    worthwhile: bool,
    /// How often the file was written.
    serial: u32,
}

/// What the server had at the beginning.
pub(super) struct Fetched {
    pub(super) state: ServerState,
    pub(super) receipts: Receipts,
    /// What is wrong with it; `None` where it was read, or there was none yet.
    pub(super) doubt: Option<String>,
}

/// The file as it is read.
enum Found {
    Absent,
    Whole(Vec<u8>),
    Unusable(PackError),
}

impl Found {
    /// Returns its receipts as a run to or from `side` has them, and what is wrong with it.
    fn into_receipts(self, side: Side) -> (Receipts, Option<PackError>) {
        let unpacked = match self {
            Self::Absent => return (Receipts::new(), None),
            Self::Whole(bytes) => unpack(&bytes, PACK_LIMITS),
            Self::Unusable(why) => Err(why),
        };
        match unpacked {
            Ok(receipts) => (from_file(receipts, side), None),
            Err(why) => (Receipts::new(), Some(why)),
        }
    }

    fn fingerprint(&self) -> Option<Hash> {
        match self {
            Self::Whole(bytes) => Some(blake3::hash(bytes)),
            Self::Absent | Self::Unusable(_) => None,
        }
    }
}

/// Reads the file of the server, which is the `side` of the run. One that can't be used is no reason not to run.
///
/// # Errors
/// When no session can be had, or when the run is stopped.
pub(super) fn fetch(pool: &Pool, side: Side, retry: &RetryPolicy) -> StoreResult<Fetched> {
    let mut lease = pool.lease()?;
    let (found, failure) = match read(lease.session(), retry) {
        Ok(found) => (found, None),
        Err(e) if e.is_cancelled() || e.remedy() == Remedy::Shrink => return Err(e),
        Err(e) => (Found::Absent, Some(e)),
    };
    let fingerprint = found.fingerprint();
    let (receipts, unfit) = found.into_receipts(side);
    let doubt = match (failure, unfit) {
        (Some(e), _) => Some(format!("{e}; nothing is known of earlier runs")),
        (None, Some(why)) => {
            let name = pool.store().name();
            Some(format!("`{STATE_NAME}` on {name}: {why}; nothing of it was believed"))
        }
        (None, None) => None,
    };
    let pending = Pending {
        base: None,
        fingerprint,
        changes: HashMap::new(),
        origins: HashMap::new(),
        worthwhile: false,
        serial: 0,
    };
    Ok(Fetched { state: ServerState { side, pending: Mutex::new(pending) }, receipts, doubt })
}

impl ServerState {
    /// Returns which side of the run the server is.
    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Takes a receipt, or the end of one, for the next [`ServerState::save`]. `known` is the one that the run began with.
    pub(super) fn record(&self, path: &RelPath, known: Option<&Receipt>, receipt: Option<Receipt>) {
        let mut pending = self.lock();
        let known = match &pending.base {
            Some(base) => base.get(path),
            None => known,
        };
        // A new time of the side without a memory is new in each run, and found out from the content each time.
        pending.worthwhile |= match (known, receipt) {
            (Some(known), Some(new)) => {
                look(on_server(known, self.side)) != look(on_server(&new, self.side))
                    || known.hash != new.hash
                    || (known.undated != new.undated && self.side == Side::Destination)
            }
            (known, new) => known.is_some() || new.is_some(),
        };
        pending.changes.insert(path.clone(), receipt);
    }

    /// Hears that `path` has the content that `old` had.
    pub(super) fn follow(&self, path: &RelPath, old: &RelPath) {
        self.lock().origins.insert(path.clone(), old.clone());
    }

    /// Returns whether this run has a receipt of `path` itself.
    pub(super) fn has_new(&self, path: &RelPath) -> bool {
        self.lock().changes.get(path).is_some_and(Option::is_some)
    }

    /// Writes what was recorded since the last time, if the next run would miss it. `known` is what the run began with.
    ///
    /// # Errors
    /// Why it isn't written.
    pub(super) fn save(
        &self,
        pool: &Pool,
        known: &Receipts,
        run_id: RunId,
        retry: &RetryPolicy,
    ) -> StoreResult<()> {
        let mut pending = self.lock();
        if !pending.worthwhile {
            return Ok(());
        }
        let mut lease = pool.lease()?;
        let session = lease.session();
        let found = read(session, retry)?;
        let base = pending.base.as_ref().unwrap_or(known);
        let merged = if found.fingerprint() == pending.fingerprint && pending.fingerprint.is_some() {
            merge(base, base.clone(), &pending.changes, &pending.origins)
        } else {
            merge(base, found.into_receipts(self.side).0, &pending.changes, &pending.origins)
        };
        let bytes = pack(&for_file(&merged, self.side), PACK_LIMITS).map_err(|why| {
            StoreError::new("write", &state_path(), pool.store().name(), Remedy::Skip, why)
                .with_hint("keep it in a file of this machine, with --state")
        })?;
        for tried in 1.. {
            pending.serial += 1;
            let temporary = temporary_for(&state_path(), run_id, STATE_NUMBER, pending.serial);
            match write(session, &bytes, &temporary) {
                Err(e) => {
                    // Nothing is lost if this fails: it is known for what it is by its name.
                    let _ = session.remove_files(&[temporary]);
                    if !retry.again(e.remedy(), tried) {
                        return Err(e);
                    }
                }
                Ok(()) => break,
            }
        }
        // What others had changed is news to nobody but the file: the rest of this run still goes by what it began with.
        let mut base = pending.base.take().unwrap_or_else(|| known.clone());
        for path in std::mem::take(&mut pending.changes).into_keys() {
            match merged.get(&path) {
                Some(receipt) => base.insert(path, *receipt),
                None => base.remove(&path),
            };
        }
        pending.origins.clear();
        (pending.base, pending.fingerprint) = (Some(base), None);
        pending.worthwhile = false;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No file of a plan has this number.
const STATE_NUMBER: usize = u32::MAX as usize;

/// What is read and written at once.
const BLOCK_BYTES: usize = 256 << 10;

/// Names, sizes and checksums are for those alone who may write there, where the server can say so.
const MODE: u32 = 0o600;

fn state_path() -> RelPath {
    RelPath::parse(STATE_NAME).expect("a literal")
}

/// Returns what a receipt says of the server.
fn on_server(receipt: &Receipt, side: Side) -> Seen {
    match side {
        Side::Source => receipt.source,
        Side::Destination => receipt.destination,
    }
}

/// Returns of what was seen that which a later listing can be recognised by.
fn look(seen: Seen) -> Seen {
    let is_exact = |listed: &Mtime| {
        listed.precision == Precision::Second && seen.exact.is_some_and(|exact| exact.at == listed.at)
    };
    let listed = seen.listed.filter(|listed| listed.precision != Precision::Day && !is_exact(listed));
    Seen { listed, fresh: seen.fresh && listed.is_some(), ..seen }
}

/// Returns the receipts of a run as the file has them. What says no more of the server than a size stays out: many versions have
/// it, and any machine may have put another one there.
fn for_file(receipts: &Receipts, side: Side) -> Receipts {
    let kept = receipts.iter().filter(|(_, receipt)| !on_server(receipt, side).is_unseen());
    kept.map(|(path, receipt)| (path.clone(), turned(*receipt, side))).collect()
}

/// Returns the receipts of a file as a run has them, without what no program of ours wrote.
fn from_file(receipts: Receipts, side: Side) -> Receipts {
    let kept = receipts.into_iter().filter(|(_, receipt)| !receipt.destination.is_unseen());
    kept.map(|(path, receipt)| (path, turned(receipt, side))).collect()
}

fn turned(receipt: Receipt, side: Side) -> Receipt {
    match side {
        Side::Destination => receipt,
        Side::Source => receipt.reversed(),
    }
}

/// Adds the changes of this run to what others made of `base` meanwhile. Where both changed something and not to the same,
/// neither is known to be the newer, and the content is in doubt. So is that of a file that this run gave another name, if others
/// had to do with it under its old one: it may have been theirs already.
fn merge(
    base: &Receipts,
    theirs: Receipts,
    changes: &HashMap<RelPath, Option<Receipt>>,
    origins: &HashMap<RelPath, RelPath>,
) -> Receipts {
    let mut merged = theirs;
    let theirs_renamed: HashSet<&RelPath> =
        origins.iter().filter(|(_, old)| merged.get(*old) != base.get(*old)).map(|(path, _)| path).collect();
    for (path, ours) in changes {
        let is_free = !theirs_renamed.contains(path)
            && (merged.get(path) == base.get(path) || merged.get(path) == ours.as_ref());
        match ours {
            Some(ours) if is_free => drop(merged.insert(path.clone(), *ours)),
            Some(ours) => drop(merged.insert(path.clone(), ours.in_doubt())),
            None => drop(merged.remove(path)),
        }
    }
    merged
}

fn read(session: &mut dyn Session, retry: &RetryPolicy) -> StoreResult<Found> {
    retry.persist(|| read_once(session, PACK_LIMITS))
}

/// Reads no further than the file can be one of ours.
fn read_once(session: &mut dyn Session, limits: PackLimits) -> StoreResult<Found> {
    let mut incoming = match session.read(&ReadRequest { path: state_path(), size: None }, None) {
        Ok(incoming) => incoming,
        Err(e) if e.is_absence() => return Ok(Found::Absent),
        Err(e) => return Err(e),
    };
    let (mut bytes, mut block) = (Vec::new(), vec![0; BLOCK_BYTES]);
    loop {
        let n = incoming.read(&mut block)?;
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(&block[..n]);
        let is_ours = bytes.starts_with(MAGIC) || MAGIC.starts_with(&bytes);
        if !is_ours || bytes.len() as u64 > limits.bytes {
            // The session goes with it: nobody waits for the end of a file that may have none.
            let _ = incoming.finish();
            return Ok(Found::Unusable(if is_ours { PackError::TooLarge } else { PackError::Foreign }));
        }
    }
    incoming.finish()?;
    Ok(Found::Whole(bytes))
}

fn write(session: &mut dyn Session, bytes: &[u8], temporary: &RelPath) -> StoreResult<()> {
    let size = Some(bytes.len() as u64);
    let request = WriteRequest {
        path: state_path(),
        temporary: temporary.clone(),
        size,
        mtime: None,
        mode: Some(MODE),
        replaces: true,
        held: false,
    };
    let mut outgoing = session.write(&request, None)?;
    for block in bytes.chunks(BLOCK_BYTES) {
        outgoing.write(block)?;
    }
    outgoing.finish()?;
    let settled = session.settle(Settle::All).into_iter().find(|(path, _)| *path == request.path);
    match settled {
        Some((_, written)) => written.map(drop),
        None => {
            let unheard = "nothing was heard of it after it was written";
            Err(StoreError::new("write", &request.path, "the server", Remedy::Skip, unheard))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn receipt(second: i64) -> Receipt {
        let at = Mtime::from_unix(1_000_000_000 + second, 0);
        let seen = Seen { size: 1, listed: None, exact: at, fresh: false };
        Receipt { source: seen, destination: seen, hash: None, undated: false }
    }

    #[test]
    fn of_what_two_machines_changed_the_content_is_in_doubt() {
        let base = Receipts::from(
            [
                ("same", 1),
                ("ours", 1),
                ("theirs", 1),
                ("both", 1),
                ("alike", 1),
                ("gone", 1),
                ("old", 1),
                ("older", 1),
            ]
            .map(|(name, second)| (path(name), receipt(second))),
        );
        let theirs = Receipts::from(
            [
                ("same", 1),
                ("ours", 1),
                ("theirs", 2),
                ("both", 2),
                ("alike", 3),
                ("new", 1),
                ("old", 1),
                ("older", 2),
            ]
            .map(|(name, second)| (path(name), receipt(second))),
        );
        let changes = [
            ("ours", Some(3)),
            ("both", Some(3)),
            ("alike", Some(3)),
            ("new", None),
            ("gone", Some(4)),
            ("more", Some(1)),
            ("old", None),
            ("older", None),
            ("renamed", Some(1)),
            ("renamed after", Some(1)),
        ];
        let origins = [("renamed", "old"), ("renamed after", "older")]
            .map(|(name, old)| (path(name), path(old)))
            .into();
        let changes = changes.map(|(name, second)| (path(name), second.map(receipt))).into();
        let merged = merge(&base, theirs, &changes, &origins);
        let mut seconds: Vec<(String, Receipt)> = merged.iter().map(|(p, r)| (p.to_string(), *r)).collect();
        seconds.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("alike", 3),
            ("both", 3),
            ("gone", 4),
            ("more", 1),
            ("ours", 3),
            ("renamed", 1),
            ("renamed after", 1),
            ("same", 1),
            ("theirs", 2),
        ];
        let expected = expected.map(|(name, second)| {
            let is_certain = !["both", "gone", "renamed after"].contains(&name);
            let receipt = receipt(second);
            (name.to_owned(), if is_certain { receipt } else { receipt.in_doubt() })
        });
        assert_eq!(seconds, expected);
    }

    #[test]
    fn the_file_is_the_same_for_who_pushes_and_who_pulls() {
        let (here, there) = (receipt(1).source, receipt(2).source);
        let pushed = Receipts::from([(
            path("f"),
            Receipt { source: here, destination: there, hash: None, undated: false },
        )]);
        let file = for_file(&pushed, Side::Destination);
        assert_eq!(file, pushed);
        let pulled = Receipts::from([(
            path("f"),
            Receipt { source: there, destination: here, hash: None, undated: false },
        )]);
        assert_eq!(from_file(file.clone(), Side::Source), pulled);
        assert_eq!(for_file(&pulled, Side::Source), file);
    }

    #[test]
    fn a_size_alone_is_no_memory_of_a_server() {
        let here = receipt(1).source;
        let there = Seen { exact: None, ..here };
        let receipts = Receipts::from([(
            path("f"),
            Receipt { source: here, destination: there, hash: None, undated: false },
        )]);
        assert_eq!(for_file(&receipts, Side::Destination), Receipts::new());
        assert_eq!(from_file(receipts, Side::Destination), Receipts::new());
    }
}
