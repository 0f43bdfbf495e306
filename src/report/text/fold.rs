//! Many changes in few lines: a directory is opened as long as that fits, the cheapest first, and what stays closed is counted.

use std::collections::BTreeMap;

use crate::model::RelPath;
use crate::report::text::Change;

/// A line.
pub(super) enum Folded<'a, C> {
    /// One change.
    One(&'a C),
    /// Changes of one kind.
    Many {
        dir: RelPath,
        /// They may be anywhere below the directory; else they are directly in it.
        below: bool,
        changes: Vec<&'a C>,
    },
}

/// What is about a change that decides where it is counted.
pub(super) trait Foldable {
    fn path(&self) -> &RelPath;
    fn is_dir(&self) -> bool;
    /// Changes of different kinds are never counted together.
    fn kind(&self) -> char;
}

impl Foldable for Change<'_> {
    fn path(&self) -> &RelPath {
        &self.path
    }

    fn is_dir(&self) -> bool {
        self.dirs > 0 || self.action.is_none()
    }

    fn kind(&self) -> char {
        self.look.sign
    }
}

/// Folds changes, which are sorted by path, to `most` lines; to more only where one line for each kind is more already.
pub(super) fn fold<C: Foldable>(changes: Vec<&C>, most: usize) -> Vec<Folded<'_, C>> {
    let root = Closed::of(Node::Below(RelPath::root(), changes));
    let mut lines = root.node.lines();
    let mut list = vec![root];
    loop {
        let costs = list.iter().enumerate().filter_map(|(i, closed)| Some((closed.cost?, i)));
        let Some((cost, i)) = costs.min().filter(|(cost, _)| lines + cost <= most) else { break };
        lines += cost;
        let opened = list.remove(i).node.open().into_iter().map(Closed::of);
        list.splice(i..i, opened.collect::<Vec<_>>());
    }
    list.into_iter().flat_map(|closed| closed.node.into_lines()).collect()
}

/// A node, and how many more lines it takes when it is opened; `None` where there is nothing to open.
struct Closed<'a, C> {
    node: Node<'a, C>,
    cost: Option<usize>,
}

impl<'a, C: Foldable> Closed<'a, C> {
    fn of(node: Node<'a, C>) -> Self {
        let cost = node.opened_lines().map(|opened| opened.saturating_sub(node.lines()));
        Self { node, cost }
    }
}

enum Node<'a, C> {
    /// All below a directory, itself included.
    Below(RelPath, Vec<&'a C>),
    /// What is directly in a directory that has others in it, and is no directory itself.
    In(RelPath, Vec<&'a C>),
    One(&'a C),
}

impl<'a, C: Foldable> Node<'a, C> {
    fn lines(&self) -> usize {
        match self {
            Self::Below(_, changes) | Self::In(_, changes) => kinds(changes).len(),
            Self::One(_) => 1,
        }
    }

    /// Returns how many lines it will be when opened; `None` where there is nothing to open.
    fn opened_lines(&self) -> Option<usize> {
        match self {
            Self::Below(..) => Some(self.parts().iter().map(Node::lines).sum()),
            Self::In(_, changes) => Some(changes.len()),
            Self::One(_) => None,
        }
    }

    fn open(self) -> Vec<Self> {
        match self {
            Self::Below(..) => self.parts(),
            Self::In(_, changes) => changes.into_iter().map(Node::One).collect(),
            Self::One(_) => vec![self],
        }
    }

    /// Returns what a directory is made of: itself, what is directly in it, and the directories in it.
    fn parts(&self) -> Vec<Self> {
        let Self::Below(dir, changes) = self else { return Vec::new() };
        let (mut itself, mut within, mut below) = (Vec::new(), Vec::new(), Vec::<(RelPath, Vec<&C>)>::new());
        for &change in changes {
            let path = change.path();
            let depth = dir.depth() + 1;
            if path == dir {
                itself.push(Node::One(change));
            } else if path.depth() == depth && !change.is_dir() {
                within.push(change);
            } else {
                match below.last_mut().filter(|(child, _)| path.is_within(child) || path == child) {
                    Some((_, changes)) => changes.push(change),
                    None => below.push((ancestor(path, depth), vec![change])),
                }
            }
        }
        let node = |dir: RelPath, changes: Vec<&'a C>, make: fn(RelPath, Vec<&'a C>) -> Self| {
            if let [change] = changes[..] { Node::One(change) } else { make(dir, changes) }
        };
        if below.is_empty() {
            return itself.into_iter().chain(within.into_iter().map(Node::One)).collect();
        }
        let within = (!within.is_empty()).then(|| node(dir.clone(), within, Node::In));
        let below = below.into_iter().map(|(dir, changes)| node(dir, changes, Node::Below));
        itself.into_iter().chain(within).chain(below).collect()
    }

    fn into_lines(self) -> Vec<Folded<'a, C>> {
        let (dir, below, changes) = match self {
            Self::One(change) => return vec![Folded::One(change)],
            Self::Below(dir, changes) => (dir, true, changes),
            Self::In(dir, changes) => (dir, false, changes),
        };
        let of_kind = |changes: Vec<&'a C>| match changes[..] {
            [change] => Folded::One(change),
            _ => Folded::Many { dir: dir.clone(), below, changes },
        };
        kinds(&changes).into_values().map(of_kind).collect()
    }
}

fn kinds<'a, C: Foldable>(changes: &[&'a C]) -> BTreeMap<char, Vec<&'a C>> {
    let mut kinds = BTreeMap::<char, Vec<&C>>::new();
    for &change in changes {
        kinds.entry(change.kind()).or_default().push(change);
    }
    kinds
}

/// Returns the directory above `path`, or itself, that is so deep.
fn ancestor(path: &RelPath, depth: usize) -> RelPath {
    let mut path = path.clone();
    while path.depth() > depth
        && let Some(parent) = path.parent()
    {
        path = parent;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Item(RelPath, char);

    impl Foldable for Item {
        fn path(&self) -> &RelPath {
            &self.0
        }

        fn is_dir(&self) -> bool {
            self.1 == 'd'
        }

        fn kind(&self) -> char {
            self.1
        }
    }

    /// Returns lines as `+ a/b` or `3+ a/`, with a star where they are directly in it.
    fn folded(items: &[(String, char)], most: usize) -> Vec<String> {
        let mut items: Vec<Item> =
            items.iter().map(|(path, kind)| Item(RelPath::parse(path).unwrap(), *kind)).collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        let lines = fold(items.iter().collect(), most).into_iter().map(|line| match line {
            Folded::One(item) => format!("{} {}", item.1, item.0),
            Folded::Many { dir, below, changes } => {
                format!("{}{} {dir}/{}", changes.len(), changes[0].1, if below { "" } else { "*" })
            }
        });
        lines.collect()
    }

    #[test]
    fn small_directories_are_opened_and_large_ones_counted() {
        let mut items = vec![("a.txt".to_owned(), '+'), ("z/one".to_owned(), '~'), ("z/two".to_owned(), '+')];
        items.push(("deep/er/images".to_owned(), 'd'));
        items.extend((0..50).map(|i| (format!("deep/er/images/{i:02}"), '+')));
        items.extend((0..50).map(|i| (format!("deep/er/images/sub{i}/f"), '-')));
        items.push(("deep/er/images/30".to_owned() + "b", '~'));
        assert_eq!(
            folded(&items, 10),
            [
                "+ a.txt",
                "50+ deep/er/images/",
                "50- deep/er/images/",
                "d deep/er/images",
                "~ deep/er/images/30b",
                "~ z/one",
                "+ z/two"
            ]
        );
        assert_eq!(folded(&items, 1), ["52+ ./", "50- ./", "d deep/er/images", "2~ ./"]);
        assert_eq!(folded(&items, 1000).len(), items.len());
    }

    #[test]
    fn files_beside_directories_are_counted_apart() {
        let in_a = (0..9).map(|i| (format!("a/{i}"), '+'));
        let items: Vec<_> = in_a.chain((0..9).map(|i| (format!("a/b/{i}"), '+'))).collect();
        assert_eq!(folded(&items, 4), ["9+ a/*", "9+ a/b/"]);
    }

    proptest! {
        #[test]
        fn each_change_is_counted_once_and_the_room_is_kept(
            items in proptest::collection::btree_map("[ab]{1,2}(/[ab]{1,2}){0,3}", "[-+d]", 0..60),
            most in 3usize..40,
        ) {
            let items: Vec<_> =
                items.into_iter().map(|(path, kind)| (path, kind.chars().next().unwrap())).collect();
            let lines = folded(&items, most);
            prop_assert!(lines.len() <= most, "{lines:?}");
            let count = |line: &String| line.split(['-', '+', 'd']).next().unwrap().trim().parse().unwrap_or(1);
            prop_assert_eq!(lines.iter().map(count).sum::<usize>(), items.len());
        }
    }
}
