//! Names that differ in case alone, where the destination takes them for one: disks of Windows and macOS, and servers on them.
//!
//! ```text
//! source            destination lists    what is done
//! readme            README               README is compared with readme, and keeps its name
//! readme, Readme    —                    Readme is sent, readme is left out
//! readme, Readme    readme               readme is compared, Readme is left out
//! ```
//!
//! What is looked for here is what would go wrong there. Whether the destination folds case is for others to find out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};

use unicode_normalization::UnicodeNormalization;

use crate::compare::{Pair, march};
use crate::model::{Entry, RelPath, Tree};

/// What is to be done where the destination folds case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folds {
    /// What the destination lists in another spelling, with the path that the source has for it, and all below.
    pub respelled: BTreeMap<RelPath, RelPath>,
    /// What of the source can't be there.
    pub left_out: Vec<LeftOut>,
}

/// A path of the source that would be another one of it at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub path: RelPath,
    /// The one that is mirrored.
    pub kept: RelPath,
    /// That is a directory, so that what is in it may come from either.
    pub is_dir: bool,
}

/// Returns what would go wrong if the destination folded case; `None` when nothing would, or when its listing shows that it doesn't.
pub fn folds(source: &Tree, destination: &Tree) -> Option<Folds> {
    let mut alike_here = Alike::default();
    let respelled = respelled(source, destination, |entry| alike_here.see(entry));
    let groups = groups(source, &alike_here.end());
    if respelled.is_empty() && groups.is_empty() {
        return None;
    }
    let mut alike_there = Alike::default();
    destination.entries().for_each(|entry| alike_there.see(&entry));
    // Two names that differ in case alone are there side by side.
    if !self::groups(destination, &alike_there.end()).is_empty() {
        return None;
    }
    let new: HashSet<&RelPath> = respelled.values().collect();
    let is_there = |path: &RelPath| {
        new.contains(path) || (destination.get(path).is_some() && !respelled.contains_key(path))
    };
    let mut left_out: BTreeMap<RelPath, LeftOut> = BTreeMap::new();
    // A directory comes before those in it, and what is in one that is left out goes with it.
    for group in &groups {
        if is_within_any(&group[0].path, &left_out) {
            continue;
        }
        let kept = group.iter().find(|entry| is_there(&entry.path)).unwrap_or(&group[0]);
        for entry in group.iter().filter(|entry| entry.path != kept.path) {
            let (path, kept, is_dir) = (entry.path.clone(), kept.path.clone(), entry.is_dir());
            left_out.insert(path.clone(), LeftOut { path, kept, is_dir });
        }
    }
    let left_out = left_out.into_values().collect();
    Some(Folds { respelled, left_out })
}

fn is_within_any(path: &RelPath, dirs: &BTreeMap<RelPath, LeftOut>) -> bool {
    std::iter::successors(path.parent(), RelPath::parent).any(|dir| dirs.contains_key(&dir))
}

/// Returns what the destination alone has and the source has in another spelling. `see` is shown each entry of the source on the way.
fn respelled(source: &Tree, destination: &Tree, mut see: impl FnMut(&Entry)) -> BTreeMap<RelPath, RelPath> {
    let mut respelled: BTreeMap<RelPath, RelPath> = BTreeMap::new();
    // Most trees have none, and large ones too many names to keep them for that.
    let mut there: HashSet<u64> = HashSet::new();
    let mut is_some_missing = false;
    for pair in march(source.entries(), destination.entries()) {
        match pair {
            Pair::Source(entry) => {
                is_some_missing = true;
                see(&entry);
            }
            Pair::Destination(entry) => {
                there.insert(key(entry.path.components()));
            }
            Pair::Both(entry, _) => see(&entry),
        }
    }
    if !is_some_missing || there.is_empty() {
        return respelled;
    }
    let mut wanted: HashMap<(RelPath, Vec<u8>), RelPath> = HashMap::new();
    for pair in march(source.entries(), destination.entries()) {
        if let Pair::Source(entry) = pair
            && there.contains(&key(entry.path.components()))
        {
            let name = (parent(&entry.path), folded(entry.path.name()));
            wanted.entry(name).or_insert_with(|| entry.path.clone());
        }
    }
    if wanted.is_empty() {
        return respelled;
    }
    // A directory comes before what is in it.
    for pair in march(source.entries(), destination.entries()) {
        let Pair::Destination(entry) = &pair else { continue };
        let path = &entry.path;
        let dir = parent(path);
        let dir = respelled.get(&dir).cloned().unwrap_or(dir);
        let Ok(same) = dir.join(path.name()) else { continue };
        let new = if source.get(&same).is_some() {
            same
        } else {
            wanted.get(&(dir, folded(path.name()))).cloned().unwrap_or(same)
        };
        if new != *path {
            respelled.insert(path.clone(), new);
        }
    }
    respelled
}

/// Returns the entries of each of these directories that are one name where case is folded, in groups, each in order.
fn groups(tree: &Tree, dirs: &BTreeSet<RelPath>) -> Vec<Vec<Entry>> {
    let mut groups: BTreeMap<(RelPath, Vec<u8>), Vec<Entry>> = BTreeMap::new();
    for dir in dirs {
        for entry in tree.entries_within(dir) {
            if parent(&entry.path) == *dir && !entry.path.is_root() {
                let name = (dir.clone(), folded(entry.path.name()));
                groups.entry(name).or_default().push(entry.into_owned());
            }
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// Finds the directories in which two names may be one where case is folded. Most trees have none, so that numbers are compared, and
/// those of the directories above the one that is looked at are all that is kept.
#[derive(Debug, Default)]
struct Alike {
    open: Vec<Open>,
    found: BTreeSet<RelPath>,
}

/// A directory that more may come of.
#[derive(Debug)]
struct Open {
    dir: RelPath,
    names: Vec<u64>,
}

impl Alike {
    /// Looks at the next entry of a tree.
    fn see(&mut self, entry: &Entry) {
        let (path, name) = (&entry.path, entry.path.name());
        let above = &path.as_bytes()[..(path.as_bytes().len() - name.len()).saturating_sub(1)];
        while self.open.last().is_some_and(|last| !is_above(last.dir.as_bytes(), above)) {
            self.close();
        }
        if self.open.last().is_none_or(|last| last.dir.as_bytes() != above) {
            self.open.push(Open { dir: parent(path), names: Vec::new() });
        }
        if let Some(last) = self.open.last_mut() {
            last.names.push(key([name]));
        }
    }

    fn close(&mut self) {
        let Some(Open { dir, mut names }) = self.open.pop() else { return };
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.found.insert(dir);
        }
    }

    fn end(mut self) -> BTreeSet<RelPath> {
        while !self.open.is_empty() {
            self.close();
        }
        self.found
    }
}

/// Returns whether `dir` is `other` or above it.
fn is_above(dir: &[u8], other: &[u8]) -> bool {
    dir.is_empty() || other.strip_prefix(dir).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

/// Returns a number that is the same for what is one name, or one path of names, where case is folded.
fn key<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in names {
        if name.is_ascii() {
            name.iter().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
        } else {
            folded(name).iter().for_each(|&byte| hasher.write_u8(byte));
        }
        hasher.write_u8(b'/');
    }
    hasher.finish()
}

fn parent(path: &RelPath) -> RelPath {
    path.parent().unwrap_or_else(RelPath::root)
}

/// Returns a name as all its spellings are: character by character, as the file systems do it, so that `ß` stays `ß`. Where they
/// disagree, two names are rather taken for one. Of what is no UTF-8, ASCII is folded.
fn folded(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_ascii() => {
            let one = |c: char, mut to: Box<dyn Iterator<Item = char>>| match (to.next(), to.next()) {
                (Some(other), None) => other,
                _ => c,
            };
            let upper = |c: char| one(c, Box::new(c.to_uppercase()));
            let lower = |c: char| one(c, Box::new(c.to_lowercase()));
            text.chars().map(|c| lower(upper(c))).nfc().collect::<String>().into_bytes()
        }
        _ => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    /// A tree of files; with a `/` at its end, a path is a directory.
    fn tree(paths: &[&str]) -> Tree {
        let entry = |text: &&str| match text.strip_suffix('/') {
            Some(dir) => Entry::new(path(dir), Kind::Dir),
            None => Entry::new(path(text), Kind::File),
        };
        Tree::new(paths.iter().map(entry).collect(), BTreeMap::new())
    }

    /// Returns `old → new` of what is respelled, and `path = kept` of what is left out.
    fn shown(source: &[&str], destination: &[&str]) -> Option<Vec<String>> {
        let Folds { respelled, left_out } = folds(&tree(source), &tree(destination))?;
        let respelled = respelled.iter().map(|(old, new)| format!("{old} → {new}"));
        let left_out = left_out.iter().map(|left| format!("{} = {}", left.path, left.kept));
        Some(respelled.chain(left_out).collect())
    }

    #[test]
    fn what_differs_in_case_alone_is_found() {
        for (source, destination, expected) in [
            (&["readme", "a/", "a/readme"][..], &["a/", "a/b", "c"][..], None),
            (&["readme"], &["README", "x"], Some(&["README → readme"][..])),
            (&["Readme", "readme"], &[], Some(&["readme = Readme"])),
            (&["Readme", "readme"], &["readme"], Some(&["Readme = readme"])),
            (&["Readme", "readme"], &["README"], Some(&["README → Readme", "readme = Readme"])),
            (&["A", "a", "B/", "b/", "b/x"], &[], Some(&["a = A", "b = B"])),
            // Both are there: it doesn't fold.
            (&["Readme", "readme"], &["Readme", "readme"], None),
            (&["readme"], &["README", "x/", "x/A", "x/a"], None),
            // With what is below, by their new directories.
            (
                &["Docs/", "Docs/A", "Docs/a", "Docs/New"],
                &["docs/", "docs/a", "docs/new", "docs/old"],
                Some(&[
                    "docs → Docs",
                    "docs/a → Docs/a",
                    "docs/new → Docs/New",
                    "docs/old → Docs/old",
                    "Docs/A = Docs/a",
                ]),
            ),
            // Nothing of what is left out is named twice.
            (&["B/", "B/x", "b/", "b/X", "b/x"], &[], Some(&["b = B"])),
            (&["é", "É", "ß", "ss"], &[], Some(&["é = É"])),
            (&["σ", "ς"], &[], Some(&["σ = ς"])),
        ] {
            let expected = expected.map(|lines| lines.iter().map(ToString::to_string).collect());
            assert_eq!(shown(source, destination), expected, "{source:?} {destination:?}");
        }
    }
}
