//! Files that the source has no more when their turn comes: nothing failed by that, since a mirror of now doesn't have them either.
//!
//! An error doesn't tell: a server has one answer (550) for what is gone and for what may not be read. So once everything else is sent,
//! the directories are listed again, each once, and what a proven listing doesn't have has vanished.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use crate::execute::{Outcome, Run};
use crate::model::RelPath;
use crate::store::{DirListing, Session, StoreResult};

/// Gives these files, which could not be found, their outcomes; what is there all the same has the one it comes with.
pub(super) fn settle(run: &Run<'_>, missing: Vec<(usize, Outcome)>) {
    if missing.is_empty() {
        return;
    }
    let mut lease = run.source.lease_now().ok().flatten();
    let mut listings = HashMap::new();
    for (i, outcome) in missing {
        let path = &run.action(i).entry().path;
        let vanished =
            lease.as_mut().is_some_and(|lease| has_vanished(lease.session(), path.clone(), &mut listings));
        run.settle_sent(i, Outcome { vanished, ..outcome });
    }
}

/// Returns whether the directory of `path` proves that it is not there. Where that is gone as well, the one above it does; the root itself
/// doesn't vanish: without it, nothing is known of the source any more.
fn has_vanished(
    session: &mut dyn Session,
    mut path: RelPath,
    listings: &mut HashMap<RelPath, StoreResult<DirListing>>,
) -> bool {
    while let Some(dir) = path.parent() {
        let listing = match listings.entry(dir.clone()) {
            Occupied(listed) => listed.into_mut(),
            Vacant(unlisted) => match session.list(std::slice::from_ref(&dir)).pop() {
                Some(listing) => unlisted.insert(listing),
                None => return false,
            },
        };
        match listing {
            Ok(listing) => {
                let may_be_hidden = listing.may_hide && path.name().starts_with(b".");
                let proves = listing.doubt.is_none() && !listing.may_be_closed && !may_be_hidden;
                return proves && listing.entries.iter().all(|entry| entry.path != path);
            }
            Err(e) if e.is_absence() => path = dir,
            Err(_) => return false,
        }
    }
    false
}
