//! Files that get other names: RNFR and RNTO (RFC 959 §4.1.3), many of them in one flight.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use crate::ftp::client::command;
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::reply::{Class, Reply};
use crate::model::{RelPath, Remedy};
use crate::store::ftp::listing;
use crate::store::ftp::session::FtpSession;
use crate::store::{Area, DirListing, Renaming, StoreResult, Way};

pub(super) fn rename_files(session: &mut FtpSession, files: &[Renaming]) -> Vec<StoreResult<()>> {
    rename_between(session, "rename", files, (session.area, session.area))
}

pub(super) fn carry_files(session: &mut FtpSession, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
    rename_between(session, "move", files, way.ends())
}

fn rename_between(
    session: &mut FtpSession,
    operation: &'static str,
    files: &[Renaming],
    areas: (Area, Area),
) -> Vec<StoreResult<()>> {
    let pairs: Vec<Result<[Command; 2], FtpError>> = files
        .iter()
        .map(|Renaming { from, to }| {
            Ok([
                command(Verb::Rnfr, session.full_in(areas.0, from))?,
                command(Verb::Rnto, session.full_in(areas.1, to))?,
            ])
        })
        .collect();
    let commands: Vec<Command> =
        pairs.iter().filter_map(|pair| pair.as_ref().ok()).flatten().cloned().collect();
    let mut replies = session.client.call_all(&commands).into_iter();
    let mut answers = Vec::with_capacity(files.len());
    for pair in pairs {
        answers.push(pair.and_then(|_| {
            let mut next = || replies.next().expect("a reply for each command sent");
            // Both are taken off, whatever the first one is.
            let (from, to) = (next(), next());
            judge(from?, to?)
        }));
    }
    let mut seen = Seen::default();
    let results = files.iter().zip(answers);
    results
        .map(|(file, answer)| {
            let refusal = match answer {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            let error = match was_renamed_before(session, file, areas, &refusal, &mut seen) {
                Ok(true) => return Ok(()),
                Ok(false) => refusal,
                // Nobody can tell now; it is as good as not tried.
                Err(e) => e,
            };
            Err(session.fail(operation, &file.from, error))
        })
        .collect()
}

/// Listings of directories that were looked at; `None` of those that can't be listed.
type Seen = HashMap<(Area, RelPath), Option<DirListing>>;

/// Judges the replies to one pair. Where RNFR was refused, that is the reason, whatever came of RNTO: a server that took it
/// renamed something else.
fn judge(from: Reply, to: Reply) -> Result<(), FtpError> {
    if from.class() != Class::Intermediate && !from.is_ok() {
        return Err(FtpError::refused(Verb::Rnfr, from));
    }
    if to.is_ok() { Ok(()) } else { Err(FtpError::refused(Verb::Rnto, to)) }
}

/// Returns whether the file is under its new name already: the reply to a try before this one may have been lost. Only proven listings
/// tell.
fn was_renamed_before(
    session: &mut FtpSession,
    Renaming { from, to }: &Renaming,
    areas: (Area, Area),
    refusal: &FtpError,
    seen: &mut Seen,
) -> Result<bool, FtpError> {
    // A server that has the file takes RNFR, or says something else.
    if !refusal.is_refusal_of(Verb::Rnfr) || refusal.reply().is_none_or(|reply| reply.code() != 550) {
        return Ok(false);
    }
    let (Some(old), Some(new)) = (from.parent(), to.parent()) else { return Ok(false) };
    let mut shows = |area: Area, dir: RelPath, path: &RelPath| -> Result<Option<bool>, FtpError> {
        let listing = match seen.entry((area, dir)) {
            Occupied(listing) => listing.into_mut(),
            Vacant(place) => {
                let before = session.area;
                session.turn(area);
                let listed = listing::list_dir(session, &place.key().1);
                session.turn(before);
                let listing = match listed {
                    Err(e) if e.remedy() == Remedy::Skip => None,
                    listed => Some(listed?),
                };
                place.insert(listing)
            }
        };
        let proven = listing.as_ref().filter(|listing| listing.doubt.is_none());
        Ok(proven.map(|listing| listing.entries.iter().any(|entry| entry.path == *path)))
    };
    Ok(shows(areas.0, old, from)? == Some(false) && shows(areas.1, new, to)? == Some(true))
}
