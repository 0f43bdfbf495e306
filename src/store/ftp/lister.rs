//! Listings for people: all that the server tells of each entry, owner and group included, and what of it is not proven.
//!
//! A mirror needs less, and stops where something is in doubt; here what there is is shown, with the doubt beside it.

use std::collections::HashMap;

use crate::ftp::command::Verb;
use crate::ftp::listing::Listed;
use crate::model::{Kind, RelPath, Remedy, Unproven};
use crate::store::ftp::listing::{doubt_of, is_by_mlsd, list_raw};
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::{FtpStore, ListingChoice};
use crate::store::{RetryPolicy, Session as _, StoreError, StoreResult};

/// A directory as the server tells it, with names as they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDir {
    /// What it shows, in the server's order.
    pub entries: Vec<Listed>,
    /// Why that may not be all; `None` when it is proven to be.
    pub doubt: Option<Unproven>,
}

/// Lists directories of a store one batch after the other, over one session.
pub struct Lister<'s> {
    store: &'s FtpStore,
    session: Option<FtpSession>,
    /// Ask for owner, group, mode and the targets of links in a second way where the first tells none.
    details: bool,
}

impl FtpStore {
    /// Returns what lists directories for people. With `details`, MLSD is joined by LIST, which tells owners and where links point.
    pub fn lister(&self, details: bool) -> Lister<'_> {
        Lister { store: self, session: None, details }
    }

    /// Lists the root as the server tells it, owner and group included, with names as they stand there.
    ///
    /// # Errors
    /// Why it can't be listed.
    pub fn list_root(&self) -> StoreResult<ListedDir> {
        let listed = self.lister(false).list_once(&[RelPath::root()]).pop();
        listed.expect("one result for one directory")
    }
}

impl Lister<'_> {
    /// Lists directories, each result at the place of its request.
    pub fn list(&mut self, dirs: &[RelPath], retry: &RetryPolicy) -> Vec<StoreResult<ListedDir>> {
        let mut results: Vec<Option<StoreResult<ListedDir>>> = dirs.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..dirs.len()).collect();
        for tried in 1.. {
            let part: Vec<RelPath> = open.iter().map(|&i| dirs[i].clone()).collect();
            let mut remedy = None;
            let mut still = Vec::new();
            for (i, result) in open.into_iter().zip(self.list_once(&part)) {
                if let Err(e) = &result
                    && matches!(e.remedy(), Remedy::Retry | Remedy::Wait | Remedy::Reconnect)
                {
                    remedy = remedy.max(Some(e.remedy()));
                    still.push(i);
                }
                results[i] = Some(result);
            }
            open = still;
            if !remedy.is_some_and(|remedy| retry.again(remedy, tried)) {
                break;
            }
        }
        results.into_iter().map(|r| r.expect("the first round leaves a result for each directory")).collect()
    }

    fn list_once(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<ListedDir>> {
        let session = match self.session.take().filter(FtpSession::is_usable) {
            Some(session) => Ok(session),
            None => self.store.open().map_err(StoreError::waiting_for_room),
        };
        let session = match session {
            Ok(session) => self.session.insert(session),
            Err(e) => return dirs.iter().map(|_| Err(e.again())).collect(),
        };
        let is_by_mlsd = is_by_mlsd(session);
        let caps = session.client.quirks().listing_caps;
        let listed = list_raw(session, dirs);
        let mut listed: Vec<StoreResult<ListedDir>> = dirs
            .iter()
            .zip(listed)
            .map(|(dir, raw)| {
                let raw = raw.map_err(|e| session.fail("list", dir, e))?;
                Ok(ListedDir { doubt: doubt_of(&raw, caps), entries: raw.listing.entries })
            })
            .collect();
        if self.details && is_by_mlsd && session.is_usable() && session.client.features().may(Verb::List) {
            complete(session, dirs, &mut listed);
        }
        listed
    }
}

/// Adds what LIST tells and MLSD doesn't: links as links, their targets, owners, groups and modes. That of ProFTPD 1.3.8 has no entry
/// for a link that leads to nothing.
fn complete(session: &mut FtpSession, dirs: &[RelPath], listed: &mut [StoreResult<ListedDir>]) {
    let there: Vec<usize> = (0..dirs.len()).filter(|&i| listed[i].is_ok()).collect();
    let part: Vec<RelPath> = there.iter().map(|&i| dirs[i].clone()).collect();
    let choice = std::mem::replace(&mut session.choice, ListingChoice::List);
    let more = list_raw(session, &part);
    session.choice = choice;
    for (i, more) in there.into_iter().zip(more) {
        match (more, &mut listed[i]) {
            (Ok(more), Ok(dir)) => join(&mut dir.entries, more.listing.entries),
            // What MLSD told is whole without it.
            (Err(e), _) if e.keeps_session() => {}
            (Err(_), _) => session.client.give_up(),
            (Ok(_), Err(_)) => unreachable!("only what was listed is listed again"),
        }
    }
}

fn join(entries: &mut Vec<Listed>, more: Vec<Listed>) {
    let mut more: HashMap<Vec<u8>, Listed> =
        more.into_iter().map(|listed| (listed.name.clone(), listed)).collect();
    for entry in entries.iter_mut() {
        let Some(other) = more.remove(&entry.name) else { continue };
        if other.kind == Kind::Symlink {
            (entry.kind, entry.size, entry.mode) = (other.kind, other.size, other.mode);
            entry.target = other.target.or_else(|| entry.target.take());
        }
        entry.mode = entry.mode.or(other.mode);
        entry.owner = entry.owner.take().or(other.owner);
        entry.group = entry.group.take().or(other.group);
    }
    entries.extend(more.into_values().filter(|listed| listed.kind == Kind::Symlink));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, target: &str) -> Listed {
        Listed { target: Some(target.into()), mode: Some(0o777), ..Listed::new(name, Kind::Symlink) }
    }

    #[test]
    fn a_second_listing_adds_links_and_what_is_unknown_and_takes_nothing_back() {
        let told = Listed { size: Some(5), mode: Some(0o600), ..Listed::new("a", Kind::File) };
        let mut entries = vec![told.clone(), Listed::new("to-dir", Kind::Dir)];
        let other = Listed { size: Some(9), owner: Some("web".into()), ..Listed::new("a", Kind::File) };
        let more =
            vec![other, link("to-dir", "d"), link("to-nothing", "gone"), Listed::new("new", Kind::File)];
        join(&mut entries, more);
        assert_eq!(
            entries,
            [Listed { owner: Some("web".into()), ..told }, link("to-dir", "d"), link("to-nothing", "gone"),],
            "a file that only LIST shows came meanwhile"
        );
    }
}
