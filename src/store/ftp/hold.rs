//! Files that were uploaded and checked, and get their final names together: RNFR and RNTO (RFC 959 §4.1.3), as many of them
//! in one flight as there may be.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use crate::ftp::error::FtpError;
use crate::model::{RelPath, Remedy};
use crate::store::ftp::listing;
use crate::store::ftp::session::FtpSession;
use crate::store::{DirListing, HeldFile, StoreResult};

pub(super) fn publish_files(session: &mut FtpSession, files: &[HeldFile]) -> Vec<StoreResult<()>> {
    let mut published = session.publish_checked(files);
    let mut seen = HashMap::new();
    let mut results = Vec::with_capacity(files.len());
    for file in files {
        results.push(match published.remove(&file.path) {
            Some(Ok(_)) => Ok(()),
            // The reply to a try before this one may have been lost.
            Some(Err(refusal)) if refusal.remedy() == Remedy::Skip => {
                match is_published(session, file, &mut seen) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(refusal),
                    // Nobody can tell now; it is as good as not tried.
                    Err(e) => Err(session.fail("write", &file.path, e)),
                }
            }
            Some(Err(e)) => Err(e),
            None => Err(session.fail("write", &file.path, FtpError::Closed)),
        });
    }
    results
}

/// Returns whether a proven listing shows the file, of its size, under its final name, and nothing under its temporary one, which
/// nobody else has.
fn is_published(
    session: &mut FtpSession,
    file: &HeldFile,
    seen: &mut HashMap<RelPath, Option<DirListing>>,
) -> Result<bool, FtpError> {
    let Some(dir) = file.path.parent() else { return Ok(false) };
    let listing = match seen.entry(dir) {
        Occupied(listing) => listing.into_mut(),
        Vacant(place) => {
            let listing = match listing::list_dir(session, place.key()) {
                Err(e) if e.remedy() == Remedy::Skip => None,
                listed => Some(listed?),
            };
            place.insert(listing)
        }
    };
    // Temporary names begin with a dot.
    let Some(listing) = listing.as_ref().filter(|listing| listing.doubt.is_none() && !listing.may_hide)
    else {
        return Ok(false);
    };
    let find = |path: &RelPath| listing.entries.iter().find(|entry| entry.path == *path);
    let is_there = find(&file.path).is_some_and(|entry| file.may_be(entry.size, entry.mtime));
    Ok(is_there && find(&file.temporary).is_none())
}
