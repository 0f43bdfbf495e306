//! Old files that stepped aside for new ones in a run that was interrupted, and never got their names back.
//!
//! At the destination, one whose name is free gets it back before anything is compared, so that it is what it was; one that the new file
//! has replaced is removed. A dry run plans as if that had been done. Which of both it is, is decided by a fresh, proven listing: the
//! filter may hide a file from the tree, and others may have been at work since the scan.
//!
//! A source isn't changed: there, a file whose only copy stepped aside is in doubt, so that the destination keeps its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::filter::{Filter, IGNORE_NAME};
use crate::model::{Entry, Kind, Old, RelPath, Tree, Unproven};
use crate::pool::Pool;
use crate::scan::Scanned;
use crate::store::{DirListing, Renaming, Session, StoreResult};

/// What a person should know of it.
#[derive(Debug, Default)]
pub(super) struct Healed {
    pub(super) notes: Vec<String>,
    /// What could not be done.
    pub(super) troubles: Vec<String>,
}

/// An old file that stepped aside.
struct Stray {
    entry: Entry,
    old: Old,
}

impl Stray {
    /// Takes them out of the leftovers: they are no rests of transfers, whatever becomes of them.
    fn take_all(scanned: &mut Scanned) -> BTreeMap<RelPath, Vec<Self>> {
        let mut strays: BTreeMap<RelPath, Vec<Self>> = BTreeMap::new();
        scanned.leftovers.retain(|entry| {
            let (Some(old), Some(dir)) = (Old::parse(entry.path.name()), entry.path.parent()) else {
                return true;
            };
            strays.entry(dir).or_default().push(Self { entry: entry.clone(), old });
            false
        });
        // Some may stay, and no directory with something in it can be removed.
        scanned.keeps.extend(strays.keys().cloned());
        strays
    }

    /// Returns the path it had, if its name is one of those `known` in its directory or stands in its own.
    fn path<'p>(&self, dir: &RelPath, mut known: impl Iterator<Item = &'p RelPath>) -> Option<RelPath> {
        match &self.old {
            Old::Of(name) => dir.join(&**name).ok(),
            Old::By(_) => known.find(|path| self.old.is_of(path.name())).cloned(),
        }
    }
}

/// Gives old files their names back, or removes them. `source` is where long names are looked up. Where others are at work on other paths
/// than these `own` ones, what stepped aside from those is theirs.
///
/// # Errors
/// When there is no session.
pub(super) fn destination(
    pool: &Pool,
    scanned: &mut Scanned,
    source: &Tree,
    (filter, own): (&Filter, Option<&BTreeSet<&RelPath>>),
    dry: bool,
) -> StoreResult<Healed> {
    let strays = Stray::take_all(scanned);
    let mut healed = Healed::default();
    if strays.is_empty() {
        return Ok(healed);
    }
    let mut lease = pool.lease()?;
    let session = lease.session();
    for (dir, strays) in strays {
        let Some(listing) = proven(session, &dir) else {
            let strays = strays.iter().map(|stray| &stray.entry.path);
            healed.notes.extend(strays.map(|path| format!("`{path}` was left as it is: {UNPROVEN}")));
            continue;
        };
        let (mut back, mut over) = (Vec::new(), Vec::new());
        for stray in strays {
            let there = listing.entries.iter().map(|entry| &entry.path);
            let meant = children(source, &dir);
            match stray.path(&dir, there.chain(&meant)) {
                path if own.is_some_and(|own| !path.as_ref().is_some_and(|path| own.contains(path))) => {}
                Some(path) if there_is(&listing, &path, Kind::File) => over.push(stray.entry.path),
                Some(path) if listing.entries.iter().any(|entry| entry.path == path) => healed
                    .notes
                    .push(format!("`{}` was left as it is: `{path}` is no file any more", stray.entry.path)),
                Some(path) => back.push((stray.entry, path)),
                None => healed.notes.push(format!(
                    "`{}` is an old file whose name is not known any more; it was left as it is",
                    stray.entry.path
                )),
            }
        }
        if dry {
            for (entry, path) in back {
                admit(scanned, filter, Entry { path, ..entry });
            }
            continue;
        }
        remove(session, &over, &mut healed);
        give_back(session, &dir, &back, scanned, filter, &mut healed);
    }
    Ok(healed)
}

/// Returns what a tree has in a directory itself.
fn children(tree: &Tree, dir: &RelPath) -> Vec<RelPath> {
    let within = tree.entries_within(dir).filter(|entry| entry.path.parent().as_ref() == Some(dir));
    within.map(|entry| entry.path.clone()).collect()
}

fn there_is(listing: &DirListing, path: &RelPath, kind: Kind) -> bool {
    listing.entries.iter().any(|entry| entry.path == *path && entry.kind == kind)
}

const UNPROVEN: &str = "the listing of its directory is not proven";

fn remove(session: &mut dyn Session, over: &[RelPath], healed: &mut Healed) {
    for (path, removed) in over.iter().zip(session.remove_files(over)) {
        match removed {
            Ok(()) => {}
            // It harms nobody, and the next run tries again.
            Err(e) => healed.notes.push(format!("`{path}`, which was replaced, is still there: {e}")),
        }
    }
}

fn give_back(
    session: &mut dyn Session,
    dir: &RelPath,
    back: &[(Entry, RelPath)],
    scanned: &mut Scanned,
    filter: &Filter,
    healed: &mut Healed,
) {
    let renamings: Vec<Renaming> =
        back.iter().map(|(entry, path)| Renaming { from: entry.path.clone(), to: path.clone() }).collect();
    if renamings.is_empty() {
        return;
    }
    let mut named = BTreeSet::new();
    for (Renaming { from, to }, renamed) in renamings.iter().zip(session.rename_files(&renamings)) {
        match renamed {
            Ok(()) => {
                healed
                    .notes
                    .push(format!("`{to}` has its name again, which an interrupted run had taken from it"));
                named.insert(to.clone());
            }
            Err(e) => healed.troubles.push(format!("`{to}` is there as `{from}` alone: {e}")),
        }
    }
    // As it is now, in the spelling it has there.
    let listed = proven(session, dir).map(|listing| listing.entries).unwrap_or_default();
    for entry in listed.into_iter().filter(|entry| named.contains(&entry.path)) {
        admit(scanned, filter, entry);
    }
}

/// Puts a file into the tree, if it belongs there.
fn admit(scanned: &mut Scanned, filter: &Filter, entry: Entry) {
    if filter.admits(&entry.path, false) {
        if entry.path.name() == IGNORE_NAME.as_bytes() {
            scanned.ignore_files.insert(entry.path.clone());
        }
        scanned.tree.add(entry);
    }
}

fn proven(session: &mut dyn Session, dir: &RelPath) -> Option<DirListing> {
    let listing = session.list(std::slice::from_ref(dir)).pop()?.ok()?;
    listing.doubt.is_none().then_some(listing)
}

/// Puts files of the source in doubt that are there as old ones alone.
pub(super) fn doubt_source(scanned: &mut Scanned, filter: &Filter) {
    for (dir, strays) in Stray::take_all(scanned) {
        for stray in strays {
            // Without a name, all that is not there may be the one.
            let place = stray.path(&dir, children(&scanned.tree, &dir).iter()).unwrap_or_else(|| dir.clone());
            let is_ours = place == dir || filter.admits(&place, false);
            if is_ours && (place == dir || scanned.tree.get(&place).is_none()) {
                let why = format!(
                    "it is there as `{}` alone, since a run that was replacing it was interrupted; the next push gives it its name back",
                    stray.entry.path
                );
                scanned.tree.add_doubt(place, Unproven(why));
            }
        }
    }
}
