//! Directories that are one they are in: a server that shows a link as what it leads to shows `a/up/a/up/…` without an end.
//!
//! MLSD's `unique` fact (RFC 3659 §7.5.2) is the same in two places where both are one directory. A directory with that of one above it
//! is taken for what it most likely is, a symbolic link. Where no two directories were seen to differ in it, the fact proves nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::ftp::listing::Listing;
use crate::model::{Kind, RelPath};

/// By what the directories listed so far are known. Hashes alone are kept, for a tree of a million directories.
#[derive(Default)]
pub(super) struct Loops {
    hasher: RandomState,
    /// The `unique` fact of each path.
    known: HashMap<u64, u64>,
    /// One fact of any directory.
    first: Option<u64>,
    /// Not all have that one.
    differ: bool,
    /// Directories that are one above them, with that.
    found: HashMap<RelPath, RelPath>,
}

impl Loops {
    /// Takes the listing of `dir`, and makes links of the directories in it that are one above them.
    pub(super) fn learn(&mut self, dir: &RelPath, listing: &mut Listing) {
        if let Some(unique) = &listing.unique {
            self.note(dir, unique);
        }
        let mut dirs = Vec::new();
        for (i, listed) in listing.entries.iter().enumerate() {
            if let (Kind::Dir, Some(unique)) = (listed.kind, &listed.unique)
                && let Ok(path) = dir.join(&listed.name)
            {
                let unique = self.note(&path, unique);
                dirs.push((i, path, unique));
            }
        }
        if !self.differ {
            return;
        }
        for (i, path, unique) in dirs {
            if let Some(above) = self.above(dir, unique) {
                listing.entries[i].kind = Kind::Symlink;
                self.found.insert(path, above);
            }
        }
    }

    /// Returns the directory above `path` that it is; `None` where nothing shows that it is one.
    pub(super) fn of(&self, path: &RelPath) -> Option<&RelPath> {
        self.found.get(path)
    }

    fn note(&mut self, path: &RelPath, unique: &[u8]) -> u64 {
        let unique = self.hasher.hash_one(unique);
        self.known.insert(self.hasher.hash_one(path.as_bytes()), unique);
        self.differ |= *self.first.get_or_insert(unique) != unique;
        unique
    }

    /// Returns the nearest of `dir` and those above it that is known by `unique`.
    fn above(&self, dir: &RelPath, unique: u64) -> Option<RelPath> {
        let is_it = |dir: &RelPath| self.known.get(&self.hasher.hash_one(dir.as_bytes())) == Some(&unique);
        std::iter::successors(Some(dir.clone()), RelPath::parent).find(is_it)
    }
}

impl std::fmt::Debug for Loops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loops({} directories, {:?})", self.known.len(), self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::Listed;

    /// A listing of directories; the first unique fact is that of the directory itself.
    fn listing(own: &str, dirs: &[(&str, &str)]) -> Listing {
        let entry = |&(name, unique): &(&str, &str)| Listed {
            unique: Some(unique.as_bytes().into()),
            ..Listed::new(name, Kind::Dir)
        };
        Listing {
            unique: Some(own.as_bytes().into()),
            entries: dirs.iter().map(entry).collect(),
            ..Listing::default()
        }
    }

    fn path(text: &str) -> RelPath {
        if text.is_empty() { RelPath::root() } else { RelPath::parse(text).unwrap() }
    }

    fn kinds(loops: &mut Loops, dir: &str, mut listing: Listing) -> Vec<Kind> {
        loops.learn(&path(dir), &mut listing);
        listing.entries.iter().map(|listed| listed.kind).collect()
    }

    #[test]
    fn a_directory_that_is_above_itself_is_a_link() {
        let mut loops = Loops::default();
        let root = listing("R", &[("a", "A"), ("self", "R"), ("b", "B")]);
        assert_eq!(kinds(&mut loops, "", root), [Kind::Dir, Kind::Symlink, Kind::Dir]);
        let a = listing("A", &[("up", "R"), ("in", "A"), ("b", "B"), ("c", "C")]);
        assert_eq!(kinds(&mut loops, "a", a), [Kind::Symlink, Kind::Symlink, Kind::Dir, Kind::Dir]);
        let deep = listing("C", &[("a", "A"), ("d", "D")]);
        assert_eq!(kinds(&mut loops, "a/c", deep), [Kind::Symlink, Kind::Dir]);
        let of = |text: &str| loops.of(&path(text)).map(ToString::to_string);
        assert_eq!(of("a/up"), Some(RelPath::root().to_string()));
        assert_eq!(of("a/c/a"), Some("a".to_owned()));
        assert_eq!(of("a/b"), None);
    }

    #[test]
    fn a_fact_that_is_always_the_same_proves_nothing() {
        let mut loops = Loops::default();
        assert_eq!(kinds(&mut loops, "", listing("1", &[("a", "1"), ("b", "1")])), [Kind::Dir; 2]);
        assert_eq!(kinds(&mut loops, "a", listing("1", &[("c", "1")])), [Kind::Dir]);
    }
}
