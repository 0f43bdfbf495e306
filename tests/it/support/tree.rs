//! Looks at whole trees: are they the same, and if not, where not; or as a text to compare with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use walkdir::WalkDir;

/// Asserts that both trees hold the same names, kinds and contents. Times may differ.
#[track_caller]
pub(crate) fn assert_same_tree(left: impl AsRef<str>, right: impl AsRef<str>) {
    assert_no_differences(left.as_ref(), right.as_ref(), false);
}

/// Asserts what [`assert_same_tree`] does, and that files were last modified in the same second.
#[track_caller]
pub(crate) fn assert_same_tree_and_times(left: impl AsRef<str>, right: impl AsRef<str>) {
    assert_no_differences(left.as_ref(), right.as_ref(), true);
}

#[track_caller]
fn assert_no_differences(left: &str, right: &str, times: bool) {
    let found = differences(Path::new(left), Path::new(right), times);
    if !found.is_empty() {
        let shown = found.iter().take(SHOWN).map(|line| format!("\n  {line}")).collect::<String>();
        panic!("{left}\nand {right}\ndiffer in {} places:{shown}", found.len());
    }
}

/// Returns a line per difference of two trees, none where they are the same.
pub(crate) fn differences(left: &Path, right: &Path, times: bool) -> Vec<String> {
    let (ours, theirs) = (nodes(left), nodes(right));
    let mut found = Vec::new();
    for (path, node) in &ours {
        match theirs.get(path) {
            None => found.push(format!("{path:?}: only in the first, {}", node.kind())),
            Some(other) if node.kind() != other.kind() => {
                found.push(format!("{path:?}: {} ≠ {}", node.kind(), other.kind()));
            }
            Some(other) => {
                let Some(difference) = content_difference(&left.join(path), &right.join(path), node, other)
                    .or_else(|| (times && !node.is_dir()).then(|| time_difference(node, other)).flatten())
                else {
                    continue;
                };
                found.push(format!("{path:?}: {difference}"));
            }
        }
    }
    let only_theirs = theirs.iter().filter(|(path, _)| !ours.contains_key(*path));
    found.extend(only_theirs.map(|(path, node)| format!("{path:?}: only in the second, {}", node.kind())));
    found
}

/// Returns a tree as text, a line per entry: `a.txt = "hi"`, `dir/`, `link -> target`; long content as size and hash.
pub(crate) fn snapshot(root: impl AsRef<str>) -> String {
    let root = Path::new(root.as_ref());
    let mut text = String::new();
    for (path, node) in nodes(root) {
        let shown = path.to_string_lossy();
        match node {
            Node::Dir => writeln!(text, "{shown}/"),
            Node::Link(target) => writeln!(text, "{shown} -> {}", target.display()),
            Node::Other => writeln!(text, "{shown} is special"),
            Node::File { size, .. } => {
                let content = if size <= SHORT { fs::read(root.join(&path)).ok() } else { None };
                match content.map(String::from_utf8) {
                    Some(Ok(content)) => writeln!(text, "{shown} = {content:?}"),
                    _ => writeln!(text, "{shown} = {size} bytes, {:016x}", hash(&root.join(&path))),
                }
            }
        }
        .expect("a String takes all");
    }
    text
}

enum Node {
    File { size: u64, modified: DateTime<Utc> },
    Dir,
    Link(PathBuf),
    Other,
}

impl Node {
    fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Dir => "a directory",
            Self::Link(_) => "a symbolic link",
            Self::Other => "something special",
        }
    }

    fn is_dir(&self) -> bool {
        matches!(self, Self::Dir)
    }
}

fn nodes(root: &Path) -> BTreeMap<PathBuf, Node> {
    let entries = WalkDir::new(root).min_depth(1).into_iter();
    entries
        .map(|entry| {
            let entry = entry.unwrap_or_else(|error| panic!("cannot read {}: {error}", root.display()));
            let metadata = entry.metadata().expect("an entry that was just listed is there");
            let node = if metadata.is_dir() {
                Node::Dir
            } else if metadata.is_symlink() {
                Node::Link(fs::read_link(entry.path()).expect("a link can be read"))
            } else if metadata.is_file() {
                let modified = metadata.modified().expect("the file system keeps times");
                Node::File { size: metadata.len(), modified: modified.into() }
            } else {
                Node::Other
            };
            (entry.path().strip_prefix(root).expect("below the root").to_owned(), node)
        })
        .collect()
}

fn content_difference(left: &Path, right: &Path, ours: &Node, theirs: &Node) -> Option<String> {
    match (ours, theirs) {
        (Node::File { size, .. }, Node::File { size: other, .. }) if size != other => {
            Some(format!("{size} bytes ≠ {other} bytes"))
        }
        (Node::File { .. }, Node::File { .. }) => {
            first_difference(left, right).map(|at| format!("same size, but byte {at} differs"))
        }
        (Node::Link(ours), Node::Link(theirs)) if ours != theirs => {
            Some(format!("-> {} ≠ -> {}", ours.display(), theirs.display()))
        }
        _ => None,
    }
}

fn time_difference(ours: &Node, theirs: &Node) -> Option<String> {
    match (ours, theirs) {
        (Node::File { modified: ours, .. }, Node::File { modified: theirs, .. })
            if ours.timestamp() != theirs.timestamp() =>
        {
            Some(format!("modified {} ≠ {}", ours.format("%F %T"), theirs.format("%F %T")))
        }
        _ => None,
    }
}

fn first_difference(left: &Path, right: &Path) -> Option<u64> {
    let (mut left, mut right) = (File::open(left).expect("readable"), File::open(right).expect("readable"));
    let mut at = 0;
    loop {
        let (ours, theirs) = (block(&mut left), block(&mut right));
        if ours != theirs {
            let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
            return Some(at + same as u64);
        }
        if ours.is_empty() {
            return None;
        }
        at += ours.len() as u64;
    }
}

fn hash(path: &Path) -> u64 {
    let mut file = File::open(path).expect("readable");
    let mut hasher = DefaultHasher::new();
    loop {
        let block = block(&mut file);
        if block.is_empty() {
            return hasher.finish();
        }
        hasher.write(&block);
    }
}

fn block(file: &mut File) -> Vec<u8> {
    let mut block = Vec::new();
    file.take(BLOCK_BYTES).read_to_end(&mut block).expect("readable");
    block
}

const BLOCK_BYTES: u64 = 1 << 20;
const SHORT: u64 = 60;
const SHOWN: usize = 20;
