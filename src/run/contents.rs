//! What is found out about contents before a run decides: by reading local files, by asking servers for checksums, and by what is
//! remembered of files that haven't changed since.

use crate::compare::{Pair as Both, march};
use crate::model::{
    Checksum, ChecksumKind, Checksums, Content, Entry, Evidence, Kind, Likeness, Receipt, RelPath, Tree,
};
use crate::plan::Candidates;
use crate::pool::Pool;
use crate::run::ask::ask;
use crate::run::memory::Memory;
use crate::store::StoreResult;

/// Files that a session hashes in one batch, on all processors.
const HASHED_AT_ONCE: usize = 1024;

/// Who is believed about the content of the side that isn't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// First the server, where it computes checksums: it reads what is there. What can't be compared is told.
    Server,
    /// First what is remembered: it costs the server nothing.
    Receipts,
    /// The person who says that it is the same: the local one is read to be known again.
    Person,
}

/// Returns the files of both sides that have one size.
pub(super) fn equal_sizes<'t>(
    from: &'t Tree,
    to: &'t Tree,
) -> impl Iterator<Item = (Entry, Entry)> + use<'t> {
    let is_file = |entry: &Entry| entry.kind == Kind::File;
    march(from.entries(), to.entries()).filter_map(move |pair| match pair {
        Both::Both(s, d) if is_file(&s) && is_file(&d) && s.size.is_some() && s.size == d.size => {
            Some((s.into_owned(), d.into_owned()))
        }
        _ => None,
    })
}

/// Compares the contents of files of equal size: the local one is read, and the other asked for its checksum, or taken as it was
/// when its receipt was written. What neither tells can't be compared.
///
/// # Errors
/// When no session can be had.
pub(super) fn compare_contents(
    memory: &mut Memory,
    source: &Pool,
    destination: &Pool,
    pairs: impl Iterator<Item = (Entry, Entry)>,
    trust: Trust,
) -> StoreResult<()> {
    let mut pairs = pairs.peekable();
    if pairs.peek().is_none() {
        return Ok(());
    }
    let source_is_local = !source.store().is_remote();
    let (local, remote) = if source_is_local { (source, destination) } else { (destination, source) };
    let may_ask = remote.store().is_remote() && trust != Trust::Person;
    let asked = remote.lease()?.session().checksum_kind().filter(|_| may_ask);
    let (mut local, mut remote) = (local.lease()?, remote.lease()?);
    let mut unknown = 0;
    while pairs.peek().is_some() {
        let part: Vec<(Entry, Entry)> = pairs.by_ref().take(HASHED_AT_ONCE).collect();
        let remembered = part.iter().map(|(s, d)| match trust {
            Trust::Server if asked.is_some() => None,
            Trust::Server | Trust::Receipts => remembered(&memory.evidence, s, d, source_is_local),
            Trust::Person => Some(Checksum::default()),
        });
        let (known, open): (Vec<_>, Vec<_>) =
            part.iter().map(|(s, _)| s.path.clone()).zip(remembered).partition(|(_, sum)| sum.is_some());
        let open: Vec<RelPath> = open.into_iter().map(|(path, _)| path).collect();
        let told = match asked.filter(|_| !open.is_empty()) {
            Some(kind) => remote.session().checksums(kind, &open),
            None => Vec::new(),
        };
        let told = open.into_iter().zip(told.into_iter().map(|sum| sum.ok().flatten()));
        let mut compared = 0;
        for (kind, there) in
            [(ChecksumKind::Blake3, known), (asked.unwrap_or(ChecksumKind::Blake3), told.collect())]
        {
            let (paths, there): (Vec<RelPath>, Vec<Checksum>) =
                there.into_iter().filter_map(|(path, sum)| Some((path, sum?))).unzip();
            let here = local.session().checksums(kind, &paths);
            for ((path, there), here) in paths.into_iter().zip(there).zip(here) {
                // A file that can't be read now is one that can't be sent either; that tells why.
                let Ok(Some(here)) = here else { continue };
                let hash = here[..].try_into().ok().filter(|_| kind == ChecksumKind::Blake3);
                let same = trust == Trust::Person || here == there;
                memory.evidence.contents.insert(path, Content { same, hash });
                compared += 1;
            }
        }
        unknown += part.len() - compared;
    }
    if unknown > 0 && trust == Trust::Server {
        let files = if unknown == 1 { "1 file has".to_owned() } else { format!("{unknown} files have") };
        memory.note(format!("{files} no known checksum and went by size and time"));
    }
    Ok(())
}

/// Returns the hash of the content that the remote side had when its receipt was written, if it hasn't changed since.
fn remembered(
    evidence: &Evidence,
    source: &Entry,
    destination: &Entry,
    source_is_local: bool,
) -> Option<Checksum> {
    let receipt = evidence.receipts.get(&source.path)?;
    let likeness = if source_is_local {
        receipt.destination.compare(destination)
    } else {
        receipt.source.compare(source)
    };
    receipt.hash.filter(|_| likeness == Likeness::Same).map(Box::from)
}

/// What is known of the contents of candidates for renaming.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) gone: Checksums,
    pub(super) new: Checksums,
}

/// Returns whether anything can be known of the contents of candidates for renaming. Where not, nobody needs to look for any.
///
/// # Errors
/// When no session can be had.
pub(super) fn can_be_known(evidence: &Evidence, source: &Pool, destination: &Pool) -> StoreResult<bool> {
    let by_receipts = !source.store().is_remote() && !evidence.receipts.is_empty();
    Ok(by_receipts || common_kind(source, destination)?.is_some())
}

/// Finds out which candidates for renaming have which contents. Those that would be deleted are known by receipts that still fit them, for
/// which a local source is read, or by what a server computes; new ones are looked at only where there is something to compare them with.
/// Where a listing tells too little for a receipt to fit, the exact time is asked for, and remembered in the candidate.
///
/// # Errors
/// When no session can be had.
pub(super) fn know_candidates(
    evidence: &Evidence,
    source: &Pool,
    destination: &Pool,
    candidates: &mut Candidates,
) -> StoreResult<Known> {
    let mut known = Known::default();
    if candidates.gone.is_empty() {
        return Ok(known);
    }
    if !source.store().is_remote() {
        by_receipts(evidence, destination, candidates, &mut known)?;
    }
    if let Some(kind) = common_kind(source, destination)? {
        let gone = candidates.gone.iter().filter(|entry| !known.gone.contains_key(&entry.path));
        let gone: Vec<RelPath> = gone.map(|entry| entry.path.clone()).collect();
        learn(destination, kind, &gone, &mut known.gone)?;
    }
    for kind in ChecksumKind::ALL {
        let sizes: std::collections::HashSet<Option<u64>> = candidates
            .gone
            .iter()
            .filter(|entry| {
                known.gone.get(&entry.path).is_some_and(|sums| sums.iter().any(|(k, _)| k == kind))
            })
            .map(|entry| entry.size)
            .collect();
        let new = candidates.new.iter().filter(|entry| sizes.contains(&entry.size));
        let new: Vec<RelPath> = new.map(|entry| entry.path.clone()).collect();
        learn(source, *kind, &new, &mut known.new)?;
    }
    Ok(known)
}

/// Takes the hashes of receipts for files that are as they were when the receipts were written.
fn by_receipts(
    evidence: &Evidence,
    destination: &Pool,
    candidates: &mut Candidates,
    known: &mut Known,
) -> StoreResult<()> {
    let likeness = |entry: &Entry| {
        let receipt = evidence.receipts.get(&entry.path).filter(Receipt::is_certain)?;
        receipt.hash.map(|hash| (receipt.destination.compare(entry), hash))
    };
    let is_open = |entry: &&Entry| matches!(likeness(entry), Some((Likeness::Unsure, _)));
    let open: Vec<RelPath> = candidates.gone.iter().filter(is_open).map(|entry| entry.path.clone()).collect();
    let times = ask(destination, &open, |session, part| session.mtimes(part))?;
    for entry in &mut candidates.gone {
        entry.mtime = times.get(&entry.path).copied().or(entry.mtime);
        if let Some((Likeness::Same, hash)) = likeness(entry) {
            known.gone.insert(entry.path.clone(), vec![(ChecksumKind::Blake3, Box::from(hash))]);
        }
    }
    Ok(())
}

/// Returns the kind of checksum that both sides can tell; `None` when there is none.
fn common_kind(source: &Pool, destination: &Pool) -> StoreResult<Option<ChecksumKind>> {
    let mut kind = None;
    for pool in [source, destination].into_iter().filter(|pool| pool.store().is_remote()) {
        let told = pool.lease()?.session().checksum_kind();
        if told.is_none() || kind.is_some_and(|kind| Some(kind) != told) {
            return Ok(None);
        }
        kind = told;
    }
    Ok(kind)
}

fn learn(pool: &Pool, kind: ChecksumKind, files: &[RelPath], known: &mut Checksums) -> StoreResult<()> {
    if files.is_empty() {
        return Ok(());
    }
    for (path, sum) in ask(pool, files, |session, part| session.checksums(kind, part))? {
        known.entry(path).or_default().push((kind, sum));
    }
    Ok(())
}
