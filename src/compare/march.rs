//! Two sorted sequences of entries in lock step.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::iter::Peekable;

use crate::model::Entry;

/// One path, with the entries of the sides that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pair<'t> {
    /// Only the source has it.
    Source(Cow<'t, Entry>),
    /// Only the destination has it.
    Destination(Cow<'t, Entry>),
    /// Both have it, source first.
    Both(Cow<'t, Entry>, Cow<'t, Entry>),
}

/// Returns each path of either sequence once, in order. Both must be sorted by path, without repetition, as those of a
/// [`Tree`](crate::model::Tree) are.
pub fn march<'t>(
    source: impl Iterator<Item = Cow<'t, Entry>>,
    destination: impl Iterator<Item = Cow<'t, Entry>>,
) -> impl Iterator<Item = Pair<'t>> {
    March { source: source.peekable(), destination: destination.peekable() }
}

struct March<S: Iterator, D: Iterator> {
    source: Peekable<S>,
    destination: Peekable<D>,
}

impl<'t, S, D> Iterator for March<S, D>
where
    S: Iterator<Item = Cow<'t, Entry>>,
    D: Iterator<Item = Cow<'t, Entry>>,
{
    type Item = Pair<'t>;

    fn next(&mut self) -> Option<Pair<'t>> {
        let order = match (self.source.peek(), self.destination.peek()) {
            (Some(s), Some(d)) => s.path.cmp(&d.path),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => self.source.next().map(Pair::Source),
            Ordering::Greater => self.destination.next().map(Pair::Destination),
            Ordering::Equal => self.source.next().zip(self.destination.next()).map(|(s, d)| Pair::Both(s, d)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Kind, RelPath};

    fn entries(names: &BTreeSet<String>) -> Vec<Entry> {
        let mut all: Vec<_> =
            names.iter().map(|n| Entry::new(RelPath::parse(n).unwrap(), Kind::File)).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }

    proptest! {
        #[test]
        fn every_path_of_either_side_comes_exactly_once_and_in_order(
            a in proptest::collection::btree_set("[ab](/[ab]){0,2}", 0..12),
            b in proptest::collection::btree_set("[ab](/[ab]){0,2}", 0..12),
        ) {
            let (source, destination) = (entries(&a), entries(&b));
            let mut seen = vec![];
            let (from, to) = (source.iter().map(Cow::Borrowed), destination.iter().map(Cow::Borrowed));
            for pair in march(from, to) {
                let (path, in_a, in_b) = match &pair {
                    Pair::Source(e) => (&e.path, true, false),
                    Pair::Destination(e) => (&e.path, false, true),
                    Pair::Both(s, d) => { prop_assert_eq!(&s.path, &d.path); (&s.path, true, true) }
                };
                prop_assert_eq!(a.contains(&path.to_string()), in_a);
                prop_assert_eq!(b.contains(&path.to_string()), in_b);
                seen.push(path.clone());
            }
            prop_assert!(seen.windows(2).all(|w| w[0] < w[1]));
            prop_assert_eq!(seen.len(), a.union(&b).count());
        }
    }
}
