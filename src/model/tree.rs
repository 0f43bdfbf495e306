//! The entries of one side, sorted, with the proof of each directory.
//!
//! A directory is *proven* when its listing is known to be whole. What is missing from a proven directory isn't there;
//! what is missing from an unproven one may only be unseen, so nothing is ever deleted because of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Entry, RelPath};

/// Why the listing of a directory can't be taken for whole. The text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven(pub String);

/// Entries sorted by path, each path once, and the directories whose listing is not proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: Vec<Entry>,
    unproven: BTreeMap<RelPath, Unproven>,
    unseen_hidden: bool,
    maybe_closed: BTreeSet<RelPath>,
}

impl Tree {
    /// Returns a tree of `entries` in any order. Directories named in `unproven` may be incomplete.
    ///
    /// Where a path occurs more than once, no occurrence can be believed (a forged line, or two names that became one):
    /// all are left out and their directory is unproven.
    pub fn new(mut entries: Vec<Entry>, mut unproven: BTreeMap<RelPath, Unproven>) -> Self {
        // Equal ones all go, so their order doesn't matter, and sorting in place needs no memory.
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut twice: Vec<RelPath> =
            entries.windows(2).filter(|w| w[0].path == w[1].path).map(|w| w[0].path.clone()).collect();
        twice.dedup();
        let mut cuts = twice.iter().peekable();
        let mut cut: Option<&RelPath> = None;
        // Both are sorted, so one pass finds what is at or below a cut, which can't be believed either.
        entries.retain(|e| {
            while let Some(next) = cuts.next_if(|next| **next <= e.path) {
                if !cut.is_some_and(|cut| next.is_within(cut)) {
                    cut = Some(next);
                }
            }
            !cut.is_some_and(|cut| e.path.is_within(cut))
        });
        for path in twice {
            let why = Unproven(format!("the name `{path}` is listed twice"));
            unproven.entry(path.parent().unwrap_or_else(RelPath::root)).or_insert(why);
        }
        entries.shrink_to_fit();
        Self { entries, unproven, unseen_hidden: false, maybe_closed: BTreeSet::new() }
    }

    /// Says whether files whose names begin with a dot may be there unseen.
    #[must_use]
    pub fn with_unseen_hidden(mut self, unseen: bool) -> Self {
        self.unseen_hidden = unseen;
        self
    }

    /// Returns whether the absence of `path` proves nothing because its name, or that of a directory above it, begins
    /// with a dot and the store may not show such names.
    pub fn may_hide(&self, path: &RelPath) -> bool {
        self.unseen_hidden && path.components().any(|name| name.starts_with(b"."))
    }

    /// Says which directories have an empty listing that doesn't show that they could be read.
    #[must_use]
    pub fn with_maybe_closed(mut self, dirs: BTreeSet<RelPath>) -> Self {
        self.maybe_closed = dirs;
        self
    }

    /// Returns whether the absence of `path` proves nothing because the listing of a directory above it is empty and may
    /// be that of one that can't be read.
    pub fn may_be_closed(&self, path: &RelPath) -> bool {
        let mut above = if self.maybe_closed.is_empty() { None } else { path.parent() };
        while let Some(dir) = above {
            if self.maybe_closed.contains(&dir) {
                return true;
            }
            above = dir.parent();
        }
        false
    }

    /// Returns the tree with these entries alone. What is not proven stays so.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Entry) -> bool) -> Self {
        let entries = self.entries.iter().filter(|entry| keep(entry)).cloned().collect();
        Self { entries, ..self.clone_without_entries() }
    }

    fn clone_without_entries(&self) -> Self {
        Self {
            entries: Vec::new(),
            unproven: self.unproven.clone(),
            unseen_hidden: self.unseen_hidden,
            maybe_closed: self.maybe_closed.clone(),
        }
    }

    /// Returns the entries, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entry at `path`; `None` when there is none.
    pub fn get(&self, path: &RelPath) -> Option<&Entry> {
        self.position(path).map(|i| &self.entries[i])
    }

    /// Changes the entry at `path` by what was learned since, and returns whether there is one.
    pub fn update(&mut self, path: &RelPath, change: impl FnOnce(&mut Entry)) -> bool {
        let Some(i) = self.position(path) else { return false };
        change(&mut self.entries[i]);
        debug_assert_eq!(&self.entries[i].path, path, "an update keeps its place");
        true
    }

    /// Adds an entry, if there is none of its path.
    pub fn add(&mut self, entry: Entry) {
        if let Err(place) = self.entries.binary_search_by(|e| e.path.cmp(&entry.path)) {
            self.entries.insert(place, entry);
        }
    }

    /// Says why the listing of a directory can't be taken for whole. The first reason stays.
    pub fn add_doubt(&mut self, dir: RelPath, why: Unproven) {
        self.unproven.entry(dir).or_insert(why);
    }

    /// Takes these paths out, with all that is below them.
    pub fn remove_all(&mut self, paths: &BTreeSet<RelPath>) {
        // The nearest one before a path in order is the one it may be within, unless that is itself within another.
        let mut tops: BTreeSet<&RelPath> = BTreeSet::new();
        for path in paths {
            if tops.last().is_none_or(|top| !path.is_within(top)) {
                tops.insert(path);
            }
        }
        let is_out = |path: &RelPath| {
            tops.range::<RelPath, _>(..=path).next_back().is_some_and(|top| path.is_within(top))
        };
        self.entries.retain(|entry| !is_out(&entry.path));
        self.unproven.retain(|path, _| !is_out(path));
        self.maybe_closed.retain(|path| !is_out(path));
    }

    /// Gives entries and directories other paths, no two of them the same one.
    pub fn respell(&mut self, new: &BTreeMap<RelPath, RelPath>) {
        let moved = |path: RelPath| new.get(&path).cloned().unwrap_or(path);
        for entry in &mut self.entries {
            entry.path = moved(entry.path.clone());
        }
        self.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.unproven =
            std::mem::take(&mut self.unproven).into_iter().map(|(path, why)| (moved(path), why)).collect();
        self.maybe_closed = std::mem::take(&mut self.maybe_closed).into_iter().map(moved).collect();
    }

    /// Returns the directories that are not proven, with the reason.
    pub fn unproven(&self) -> impl Iterator<Item = (&RelPath, &Unproven)> {
        self.unproven.iter()
    }

    /// Returns why the absence of `path` proves nothing: the reason of the nearest directory above it (or of itself)
    /// whose listing is not proven; `None` when all of them are.
    pub fn doubt(&self, path: &RelPath) -> Option<(&RelPath, &Unproven)> {
        if self.unproven.is_empty() {
            return None;
        }
        let mut at = Some(path.clone());
        while let Some(dir) = at {
            if let Some(found) = self.unproven.get_key_value(&dir) {
                return Some(found);
            }
            at = dir.parent();
        }
        None
    }

    fn position(&self, path: &RelPath) -> Option<usize> {
        self.entries.binary_search_by(|e| e.path.cmp(path)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn a_name_listed_twice_is_not_believed_and_its_directory_is_in_doubt() {
        let entries = vec![
            Entry::new(path("d"), Kind::Dir),
            Entry::new(path("d/x"), Kind::Symlink),
            Entry::new(path("d/x"), Kind::Dir),
            Entry::new(path("d/x/evil"), Kind::File),
            Entry::new(path("d/y"), Kind::File),
        ];
        let tree = Tree::new(entries, BTreeMap::new());
        let left: Vec<_> = tree.entries().iter().map(|e| e.path.to_string()).collect();
        assert_eq!(left, ["d", "d/y"]);
        assert!(tree.doubt(&path("d/z")).is_some());
        assert!(tree.doubt(&path("e")).is_none());
    }

    #[test]
    fn what_is_removed_goes_with_all_below_it_and_what_is_respelled_is_in_order() {
        let entries = ["a", "a-b", "a/b", "a/b/c", "b", "c"].map(|text| Entry::new(path(text), Kind::Dir));
        let doubts =
            BTreeMap::from([(path("a/b"), Unproven("cut".into())), (path("b"), Unproven("short".into()))]);
        let mut tree = Tree::new(entries.into(), doubts);
        tree.respell(&[(path("b"), path("z")), (path("a-b"), path("B"))].into());
        let shown = |tree: &Tree| tree.entries().iter().map(|e| e.path.to_string()).collect::<Vec<_>>();
        assert_eq!(shown(&tree), ["B", "a", "a/b", "a/b/c", "c", "z"]);
        assert!(tree.doubt(&path("z/x")).is_some() && tree.doubt(&path("b")).is_none());
        tree.remove_all(&[path("a"), path("a/b"), path("c")].into());
        assert_eq!(shown(&tree), ["B", "z"]);
        assert!(tree.doubt(&path("a/b")).is_none());
    }

    #[test]
    fn doubt_reaches_everything_below() {
        let doubts = BTreeMap::from([(path("a/b"), Unproven("cut short".into()))]);
        let tree = Tree::new(vec![], doubts);
        assert!(tree.doubt(&path("a/b/c/d")).is_some());
        assert!(tree.doubt(&path("a/b")).is_some());
        assert!(tree.doubt(&path("a")).is_none());
        assert!(tree.doubt(&path("a/bc")).is_none());
    }
}
