//! What a listing named and is not there any more when its turn comes.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use crate::model::RelPath;
use crate::store::{DirListing, Session, StoreResult};

/// Directories that were listed again, each once.
pub(crate) type Relisted = HashMap<RelPath, StoreResult<DirListing>>;

/// Returns whether the directory of `path` proves that it is not there. Where that is gone as well, the one above it does; the root itself
/// doesn't vanish: without it, nothing is known of the source any more.
pub(crate) fn has_vanished(session: &mut dyn Session, path: &RelPath, listings: &mut Relisted) -> bool {
    let mut path = path.clone();
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
