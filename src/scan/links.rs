//! Symbolic links in listings: all of them, and followed, so that what they lead to takes their place.
//!
//! A link that leads to a directory it is in has no end. So it is remembered where followed links truly led, and with it where each
//! directory below them is: a directory that is at the place of one above it is left out, and in doubt.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::filter::Filter;
use crate::model::{Entry, Kind, RelPath, Remedy, is_temporary};
use crate::store::{DirListing, Session, StoreError, StoreResult};

/// What could not be followed, and why.
pub(super) type Unfollowed = Vec<(RelPath, String)>;

/// Where directories truly are, as the store writes its paths.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// `None` until it was asked for, or when it can't be told.
    root: Option<Vec<u8>>,
    /// Of links that were followed.
    links: HashMap<RelPath, Vec<u8>>,
}

impl Places {
    /// Returns where the directory `dir` is.
    fn of(&self, dir: &RelPath) -> Vec<u8> {
        for above in upwards(dir) {
            if let Some(place) = self.links.get(&above) {
                return joined(place, dir.below(&above).expect("it is above").as_bytes());
            }
        }
        joined(self.root.as_deref().unwrap_or_default(), dir.as_bytes())
    }

    /// Returns the nearest directory above `path` that is at `place`; `None` when none is.
    fn above_at(&self, path: &RelPath, place: &[u8]) -> Option<RelPath> {
        upwards(path).skip(1).find(|dir| self.of(dir) == place)
    }

    /// Returns whether `dir` is a followed link, or below one.
    fn is_by_link(&self, dir: &RelPath) -> bool {
        !self.links.is_empty() && upwards(dir).any(|dir| self.links.contains_key(&dir))
    }
}

/// Returns `path` and the directories above it.
fn upwards(path: &RelPath) -> impl Iterator<Item = RelPath> {
    std::iter::successors(Some(path.clone()), RelPath::parent)
}

/// Adds the links, and the targets of links, that these listings may not show.
pub(super) fn complete(
    session: &mut dyn Session,
    dirs: &[RelPath],
    listings: &mut [StoreResult<DirListing>],
) {
    let listed: Vec<usize> = (0..dirs.len()).filter(|&i| listings[i].is_ok()).collect();
    let dirs: Vec<RelPath> = listed.iter().map(|&i| dirs[i].clone()).collect();
    let links = if dirs.is_empty() { Vec::new() } else { session.list_links(&dirs) };
    for (i, links) in listed.into_iter().zip(links) {
        match (links, &mut listings[i]) {
            (Ok(links), Ok(listing)) if !links.is_empty() => {
                let mut links: HashMap<RelPath, Entry> =
                    links.into_iter().map(|link| (link.path.clone(), link)).collect();
                for entry in &mut listing.entries {
                    let link = links.remove(&entry.path).filter(|_| entry.kind == Kind::Symlink);
                    entry.target = entry.target.take().or_else(|| link.and_then(|link| link.target));
                }
                listing.entries.extend(links.into_values());
            }
            (Err(e), listing) if is_of_session(&e) => *listing = Err(e),
            // A server may have no other way to list; then what the first one showed is all.
            _ => {}
        }
    }
}

/// Returns whether a failure is the session's, or the run's, and tells nothing of what was asked about.
fn is_of_session(error: &StoreError) -> bool {
    matches!(error.remedy(), Remedy::Shrink | Remedy::Abort)
}

/// Puts what the links of these listings lead to in their places, and returns what can't be followed. Where that fails for a
/// reason that is none of a link's, so does the listing.
pub(super) fn follow(
    session: &mut dyn Session,
    store: &str,
    dirs: &[RelPath],
    listings: &mut [StoreResult<DirListing>],
    filter: &Filter,
    places: &Mutex<Places>,
) -> Unfollowed {
    let links = links_of(listings, filter);
    if !links.is_empty() && places.lock().expect("no holder panics").root.is_none() {
        let root = session.follow(&[RelPath::root()]).pop().and_then(|root| root.ok()?.place);
        places.lock().expect("no holder panics").root = root.map(Vec::from);
    }
    let paths: Vec<RelPath> = links.iter().map(|(_, link)| link.path.clone()).collect();
    let followed = if paths.is_empty() { Vec::new() } else { session.follow(&paths) };
    let mut places = places.lock().expect("no holder panics");
    let mut unfollowed = Unfollowed::new();
    let mut led: HashMap<RelPath, Entry> = HashMap::with_capacity(links.len());
    for ((listing, link), referent) in links.into_iter().zip(followed) {
        match referent {
            Ok(referent) => {
                if referent.entry.is_dir() {
                    let place = place_of(&places, &link, referent.place.map(Vec::from));
                    if let Some(above) = places.above_at(&link.path, &place) {
                        unfollowed.push(endless(&link.path, &above, store));
                        continue;
                    }
                    places.links.insert(link.path.clone(), place);
                }
                led.insert(link.path, referent.entry);
            }
            Err(e) if is_of_session(&e) => listings[listing] = Err(e),
            Err(e) => unfollowed.push((link.path, e.to_string())),
        }
    }
    for (dir, listing) in dirs.iter().zip(listings.iter_mut()) {
        let Ok(listing) = listing else { continue };
        let is_by_link = places.is_by_link(dir);
        if led.is_empty() && !is_by_link {
            continue;
        }
        for entry in &mut listing.entries {
            if let Some(there) = led.remove(&entry.path) {
                *entry = there;
            } else if is_by_link
                && entry.is_dir()
                && let Some(above) = places.above_at(&entry.path, &places.of(&entry.path))
            {
                unfollowed.push(endless(&entry.path, &above, store));
            }
        }
    }
    let left_out: HashSet<&RelPath> = unfollowed.iter().map(|(path, _)| path).collect();
    if !left_out.is_empty() {
        for listing in listings.iter_mut().flatten() {
            listing.entries.retain(|entry| !left_out.contains(&entry.path));
        }
    }
    unfollowed
}

/// Returns the links of the listings that may belong to the tree, whatever they lead to, with the number of their listing.
fn links_of(listings: &[StoreResult<DirListing>], filter: &Filter) -> Vec<(usize, Entry)> {
    let belongs = |entry: &Entry| {
        !is_temporary(entry.path.name())
            && (filter.admits(&entry.path, false) || filter.admits(&entry.path, true))
    };
    let mut links = Vec::new();
    for (i, listing) in listings.iter().enumerate() {
        let entries = listing.iter().flat_map(|listing| &listing.entries);
        let wanted = entries.filter(|entry| entry.kind == Kind::Symlink && belongs(entry));
        links.extend(wanted.map(|entry| (i, entry.clone())));
    }
    links
}

/// Returns where the directory that `link` leads to is: as it was `told`, or, where that is the link itself, as its target says.
fn place_of(places: &Places, link: &Entry, told: Option<Vec<u8>>) -> Vec<u8> {
    let dir = places.of(&link.path.parent().unwrap_or_else(RelPath::root));
    let asked = joined(&dir, link.path.name());
    match (told, &link.target) {
        (Some(place), _) if place != asked => place,
        (_, Some(target)) => joined(&dir, target),
        _ => asked,
    }
}

/// Returns where `path` is for whoever is in `dir`, without regard to links.
fn joined(dir: &[u8], path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    let start: &[u8] = if path.starts_with(b"/") { b"" } else { dir };
    for name in start.split(|&b| b == b'/').chain(path.split(|&b| b == b'/')) {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    if names.is_empty() {
        return b"/".to_vec();
    }
    names.iter().flat_map(|name| [b"/", *name]).flatten().copied().collect()
}

fn endless(path: &RelPath, above: &RelPath, store: &str) -> (RelPath, String) {
    (path.clone(), StoreError::endless(path, above, store).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_joined_without_a_look_at_links() {
        for (dir, path, joined_path) in [
            ("/a/b", "c", "/a/b/c"),
            ("/a/b", "../c", "/a/c"),
            ("/a/b", "./c/./d/..", "/a/b/c"),
            ("/a/b", "/x//y/", "/x/y"),
            ("/a", "../../..", "/"),
            ("", "a", "/a"),
            ("/", ".", "/"),
        ] {
            assert_eq!(joined(dir.as_bytes(), path.as_bytes()), joined_path.as_bytes(), "{dir} {path}");
        }
    }

    #[test]
    fn a_place_is_as_told_or_as_the_target_says() {
        let mut places = Places { root: Some(b"/srv".to_vec()), ..Places::default() };
        let link = |path: &str, target: Option<&str>| Entry {
            target: target.map(|target| target.as_bytes().into()),
            ..Entry::new(RelPath::parse(path).unwrap(), Kind::Symlink)
        };
        places.links.insert(RelPath::parse("l").unwrap(), b"/far".to_vec());
        for (path, target, told, place) in [
            ("a", Some("b"), Some("/other"), "/other"),
            ("a", Some("b"), Some("/srv/a"), "/srv/b"),
            ("a", Some("b"), None, "/srv/b"),
            ("a", None, Some("/srv/a"), "/srv/a"),
            ("d/a", Some("../b"), None, "/srv/b"),
            ("l/a", Some("b"), Some("/far/a"), "/far/b"),
            ("l/d/a", None, None, "/far/d/a"),
        ] {
            let told = told.map(|place| place.as_bytes().to_vec());
            assert_eq!(place_of(&places, &link(path, target), told), place.as_bytes(), "{path} {target:?}");
        }
    }
}
