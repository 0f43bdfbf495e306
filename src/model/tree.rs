//! The entries of one side, sorted, with the proof of each directory.
//!
//! A directory is *proven* when its listing is known to be whole. What is missing from a proven directory isn't there;
//! what is missing from an unproven one may only be unseen, so nothing is ever deleted because of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use std::ops::Bound;

use crate::model::{Entry, RelPath};
use crate::spill::{Iter, Sorted, Sorter, Spill, SpillError};

/// Why the listing of a directory can't be taken for whole. The text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven(pub String);

impl Unproven {
    /// Where a name occurs more than once, no occurrence can be believed: a forged line, or two names that became one.
    pub fn listed_twice(path: &RelPath) -> Self {
        Self(format!("the name `{path}` is listed twice"))
    }
}

/// Entries sorted by path, each path once, and the directories whose listing is not proven.
///
/// Entries of a large tree are put aside. What is changed in it then stands beside it until it is written anew.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    entries: Sorted<Entry>,
    /// What has changed since they were put aside; `None` of what isn't there any more.
    edits: BTreeMap<RelPath, Option<Entry>>,
    spill: Spill,
    unproven: BTreeMap<RelPath, Unproven>,
    unseen_hidden: bool,
    maybe_closed: BTreeSet<RelPath>,
}

impl Tree {
    /// Returns a tree of `entries` in any order. Directories named in `unproven` may be incomplete.
    ///
    /// Where a path occurs more than once, no occurrence can be believed (a forged line, or two names that became one):
    /// all are left out and their directory is unproven.
    pub fn new(mut entries: Vec<Entry>, unproven: BTreeMap<RelPath, Unproven>) -> Self {
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
        entries.shrink_to_fit();
        Self { entries: Sorted::held(entries), unproven, ..Self::default() }.doubting(twice)
    }

    /// Returns the tree of what was gathered, each path once. `spill` is where it goes that is written anew.
    ///
    /// # Errors
    /// When what was put aside can't be read or written.
    pub fn gathered(
        entries: Sorter<Entry>,
        unproven: BTreeMap<RelPath, Unproven>,
        spill: Spill,
    ) -> Result<Self, SpillError> {
        Ok(Self { entries: entries.sorted()?, unproven, spill, ..Self::default() })
    }

    fn doubting(mut self, twice: Vec<RelPath>) -> Self {
        for path in twice {
            let dir = path.parent().unwrap_or_else(RelPath::root);
            self.unproven.entry(dir).or_insert_with(|| Unproven::listed_twice(&path));
        }
        self
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
    ///
    /// # Errors
    /// When they are too many for memory and can't be written.
    pub fn only(&self, keep: impl Fn(&Entry) -> bool) -> Result<Self, SpillError> {
        let mut entries = Sorter::new(self.spill.clone());
        for entry in self.entries().filter(|entry| keep(entry)) {
            entries.push(entry.into_owned())?;
        }
        Ok(Self {
            entries: entries.sorted()?,
            edits: BTreeMap::new(),
            spill: self.spill.clone(),
            unproven: self.unproven.clone(),
            unseen_hidden: self.unseen_hidden,
            maybe_closed: self.maybe_closed.clone(),
        })
    }

    /// Returns the entries, sorted by path.
    pub fn entries(&self) -> Entries<'_> {
        Entries { kept: self.entries.iter().peekable(), edits: self.edits.range(..).peekable() }
    }

    /// Returns the entries at and below `dir`, sorted by path.
    pub fn entries_within<'t>(&'t self, dir: &'t RelPath) -> impl Iterator<Item = Cow<'t, Entry>> {
        self.entries_from(dir).take_while(|entry| entry.path.is_within(dir))
    }

    /// Returns the entry at `path`, if there is one, and those behind it, sorted by path.
    pub fn entries_from(&self, path: &RelPath) -> Entries<'_> {
        let edits = self.edits.range::<RelPath, _>((Bound::Included(path), Bound::Unbounded));
        let kept = self.entries.iter_from(|entry| entry.path < *path);
        Entries { kept: kept.peekable(), edits: edits.peekable() }
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// Returns the entry at `path`; `None` when there is none. Asking in about the order of paths is cheap.
    pub fn get(&self, path: &RelPath) -> Option<Cow<'_, Entry>> {
        match self.edits.get(path) {
            Some(edit) => edit.as_ref().map(Cow::Borrowed),
            None => self.entries.find(|entry| entry.path.cmp(path)),
        }
    }

    /// Changes the entry at `path` by what was learned since, and returns whether there is one.
    pub fn update(&mut self, path: &RelPath, change: impl FnOnce(&mut Entry)) -> bool {
        if let Some(held) = self.entries.as_held_mut() {
            let Ok(i) = held.binary_search_by(|entry| entry.path.cmp(path)) else { return false };
            change(&mut held[i]);
            debug_assert_eq!(&held[i].path, path, "an update keeps its place");
            return true;
        }
        let Some(mut entry) = self.get(path).map(Cow::into_owned) else { return false };
        change(&mut entry);
        self.edits.insert(path.clone(), Some(entry));
        true
    }

    /// Adds an entry, if there is none of its path.
    pub fn add(&mut self, entry: Entry) {
        if self.get(&entry.path).is_some() {
            return;
        }
        match self.entries.as_held_mut() {
            Some(held) => {
                let place = held.partition_point(|other| other.path < entry.path);
                held.insert(place, entry);
            }
            None => {
                self.edits.insert(entry.path.clone(), Some(entry));
            }
        }
    }

    /// Says why the listing of a directory can't be taken for whole. The first reason stays.
    pub fn add_doubt(&mut self, dir: RelPath, why: Unproven) {
        self.unproven.entry(dir).or_insert(why);
    }

    /// Changes each entry, but for its path, or takes it out.
    ///
    /// # Errors
    /// When what was put aside can't be written anew.
    pub fn revise(&mut self, mut change: impl FnMut(&mut Entry) -> bool) -> Result<(), SpillError> {
        if let Some(held) = self.entries.as_held_mut() {
            held.retain_mut(change);
            return Ok(());
        }
        let revised = self.entries().filter_map(|entry| {
            let mut entry = entry.into_owned();
            change(&mut entry).then_some(entry)
        });
        self.entries = Sorted::put(revised, &self.spill)?;
        self.edits.clear();
        self.spill.check()
    }

    /// Takes these paths out, with all that is below them.
    ///
    /// # Errors
    /// When what was put aside can't be written anew.
    pub fn remove_all(&mut self, paths: &BTreeSet<RelPath>) -> Result<(), SpillError> {
        if paths.is_empty() {
            return Ok(());
        }
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
        self.unproven.retain(|path, _| !is_out(path));
        self.maybe_closed.retain(|path| !is_out(path));
        self.revise(|entry| !is_out(&entry.path))
    }

    /// Gives entries and directories other paths, no two of them the same one.
    ///
    /// # Errors
    /// When what was put aside can't be written anew.
    pub fn respell(&mut self, new: &BTreeMap<RelPath, RelPath>) -> Result<(), SpillError> {
        let moved = |path: RelPath| new.get(&path).cloned().unwrap_or(path);
        let mut entries = Sorter::new(self.spill.clone());
        for entry in self.entries() {
            let mut entry = entry.into_owned();
            entry.path = moved(entry.path);
            entries.push(entry)?;
        }
        self.entries = entries.sorted()?;
        self.edits.clear();
        self.unproven =
            std::mem::take(&mut self.unproven).into_iter().map(|(path, why)| (moved(path), why)).collect();
        self.maybe_closed = std::mem::take(&mut self.maybe_closed).into_iter().map(moved).collect();
        self.spill.check()
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
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.entries().eq(other.entries())
            && self.unproven == other.unproven
            && self.unseen_hidden == other.unseen_hidden
            && self.maybe_closed == other.maybe_closed
    }
}

impl Eq for Tree {}

/// The entries of a tree in their order.
#[derive(Debug)]
pub struct Entries<'t> {
    kept: Peekable<Iter<'t, Entry>>,
    edits: Peekable<btree_map::Range<'t, RelPath, Option<Entry>>>,
}

impl<'t> Iterator for Entries<'t> {
    type Item = Cow<'t, Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((path, edit)) = self.edits.peek() else { return self.kept.next() };
            if let Some(before) = self.kept.next_if(|entry| entry.path < **path) {
                return Some(before);
            }
            self.kept.next_if(|entry| entry.path == **path);
            let edit = edit.as_ref();
            self.edits.next();
            if edit.is_some() {
                return edit.map(Cow::Borrowed);
            }
        }
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
        let left: Vec<_> = tree.entries().map(|e| e.path.to_string()).collect();
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
        tree.respell(&[(path("b"), path("z")), (path("a-b"), path("B"))].into()).unwrap();
        let shown = |tree: &Tree| tree.entries().map(|e| e.path.to_string()).collect::<Vec<_>>();
        assert_eq!(shown(&tree), ["B", "a", "a/b", "a/b/c", "c", "z"]);
        assert!(tree.doubt(&path("z/x")).is_some() && tree.doubt(&path("b")).is_none());
        tree.remove_all(&[path("a"), path("a/b"), path("c")].into()).unwrap();
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
