//! The laws of names: whatever bytes both sides have, what reads alike is one path, and keeps its own bytes.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use super::*;
use crate::store::{Charset, Named, Names};

fn name() -> impl Strategy<Value = &'static [u8]> {
    let names: [&[u8]; 8] = [
        b"a",
        b"caf\xe9",
        "caf\u{e9}".as_bytes(),
        "cafe\u{301}".as_bytes(),
        b"\xfc",
        "\u{fc}".as_bytes(),
        "\u{fc}\u{308}".as_bytes(),
        "\u{6f22}".as_bytes(),
    ];
    proptest::sample::select(names.to_vec())
}

fn odd_nodes() -> impl Strategy<Value = Nodes> {
    btree_map(vec(name(), 1..3), node(), 0..7).prop_map(|wild| {
        let wild = wild.into_iter().map(|(names, node)| (RelPath::parse(names.join(&b'/')).unwrap(), node));
        grown(wild)
    })
}

/// Returns a path as it is compared.
fn reading(path: &RelPath) -> RelPath {
    let read = |name: &[u8]| -> String {
        let text = std::str::from_utf8(name).map(str::to_owned);
        text.unwrap_or_else(|_| Charset::latin_1().decode(name).unwrap().into_owned()).nfc().collect()
    };
    let names: Vec<String> = path.components().map(read).collect();
    RelPath::parse(names.join("/")).unwrap()
}

/// Returns what is spelled in several ways in one directory, with all below it.
fn alike(nodes: &Nodes) -> Nodes {
    let is_alike = |path: &RelPath| {
        let twin = |other: &&RelPath| {
            *other != path && other.parent() == path.parent() && reading(other) == reading(path)
        };
        nodes.keys().any(|other| twin(&other))
    };
    let tops: BTreeSet<&RelPath> = nodes.keys().filter(|path| is_alike(path)).collect();
    let is_below = |path: &RelPath| tops.iter().any(|top| path.is_within(top));
    nodes.iter().filter(|(path, _)| is_below(path)).map(|(p, n)| (p.clone(), n.clone())).collect()
}

fn read(nodes: &Nodes) -> Nodes {
    nodes.iter().map(|(path, node)| (reading(path), node.clone())).collect()
}

fn mirror_named(source: &MemoryStore, destination: &MemoryStore) -> StoreResult<Report> {
    let store =
        |store: &MemoryStore| Arc::new(Named::new(store.clone(), Names::of_server(None))) as Arc<dyn Store>;
    run(&store(source), &store(destination), &options(), &Silent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn both_sides_read_the_same_afterwards_and_nothing_is_sent_twice(a in odd_nodes(), b in odd_nodes()) {
        prop_assume!(alike(&a).is_empty() && alike(&b).is_empty());
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let report = mirror_named(&source, &destination).unwrap();
        prop_assert_eq!((report.failed(), &report.unproven), (0, &Vec::new()), "{:?}", report.outcomes);
        let after = destination.nodes();
        prop_assert_eq!(comparable(&read(&after)), comparable(&read(&a)));
        prop_assert_eq!(after.len(), a.len(), "a file is there twice");
        prop_assert_eq!(source.nodes(), a.clone());
        let wanted = read(&a);
        for (path, node) in &b {
            let stays = wanted.get(&reading(path)).is_some_and(|new| (*new == Node::Dir) == (*node == Node::Dir));
            prop_assert!(!stays || after.contains_key(path), "{path:?} has another name now");
        }
        let again = mirror_named(&source, &destination).unwrap();
        prop_assert_eq!(again.plan.actions, vec![].into());
    }

    #[test]
    fn what_reads_alike_is_not_touched_and_told(a in odd_nodes(), b in odd_nodes()) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let report = mirror_named(&source, &destination).unwrap();
        let after = destination.nodes();
        for (path, node) in alike(&b) {
            prop_assert_eq!(after.get(&path), Some(&node), "{:?}", path);
        }
        // Nor does anything go because of what reads alike at the source.
        let doubtful = read(&alike(&a));
        for path in b.keys().filter(|path| doubtful.contains_key(&reading(path))) {
            prop_assert!(after.contains_key(path), "{path:?} is gone");
        }
        prop_assert_eq!(report.unproven.is_empty(), alike(&a).is_empty() && alike(&b).is_empty());
        prop_assert_eq!(source.nodes(), a);
    }
}
