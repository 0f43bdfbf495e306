//! Two trees of 100,000 files in 500 directories, of which one file in a hundred differs. Alike in every run.

use std::collections::BTreeMap;

use oneway::model::{Entry, Kind, Mtime, RelPath, Tree};

/// How many files each side has.
pub(crate) const FILES: u64 = 100_000;

const DIRS: u64 = 500;

/// Returns the source and the destination.
pub(crate) fn pair() -> (Tree, Tree) {
    (tree(0), tree(1))
}

/// Returns the entries of a side in no order, as sessions bring them in.
pub(crate) fn entries(edited: u64) -> Vec<Entry> {
    let dirs = (0..DIRS).map(|i| Entry::new(path(&dir(i)), Kind::Dir));
    let files = (0..FILES).map(|i| {
        // Coprime to the number of files, so that each comes once.
        let i = i * 7919 % FILES;
        let size = if i.is_multiple_of(100) { 1000 + edited } else { 1000 + i };
        let mtime = Mtime::from_unix(1_795_000_000 - i.cast_signed(), 0);
        Entry::file(path(&format!("{}/page{i:06}.html", dir(i % DIRS))), size, mtime)
    });
    dirs.chain(files).collect()
}

fn tree(edited: u64) -> Tree {
    Tree::new(entries(edited), BTreeMap::new())
}

fn dir(i: u64) -> String {
    format!("section{:02}/topic{i:03}", i % 20)
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("the samples are paths")
}
