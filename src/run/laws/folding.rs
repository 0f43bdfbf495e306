//! The laws of a destination that takes `a` and `A` for one name: no file takes another's place, and none goes because of its spelling.

use std::collections::BTreeSet;

use super::*;
use crate::store::{Named, Names};

fn cased(kinds: impl Strategy<Value = Node>) -> impl Strategy<Value = Nodes> {
    let wild = btree_map("[aAbé](/[aAbÉ]){0,2}", kinds, 0..10);
    wild.prop_map(|wild| grown(wild.into_iter().map(|(name, node)| (path(&name), node))))
}

fn folded(path: &RelPath) -> String {
    std::str::from_utf8(path.as_bytes()).unwrap().to_lowercase()
}

/// Leaves one spelling of each name.
fn unfolded(nodes: Nodes) -> Nodes {
    let mut seen = BTreeSet::new();
    nodes.into_iter().filter(|(path, _)| seen.insert(folded(path))).collect()
}

/// Whether each path's directory is there as it is spelled.
fn is_grown(nodes: &Nodes) -> bool {
    nodes
        .keys()
        .all(|path| path.parent().is_none_or(|dir| dir.is_root() || nodes.get(&dir) == Some(&Node::Dir)))
}

fn named(store: &MemoryStore) -> Arc<dyn Store> {
    Arc::new(Named::new(store.clone(), Names::of_server(None)))
}

fn file(content: &str) -> Node {
    Node::File { content: content.into(), mtime: Mtime::from_unix(1_000_000_000, 0).unwrap() }
}

#[test]
fn a_file_in_another_spelling_is_neither_sent_twice_nor_deleted() {
    for (names, bare) in [(true, false), (false, true)] {
        let source = MemoryStore::new([(path("readme.txt"), file("new one")), (path("x"), file("x"))]);
        let there =
            MemoryStore::new([(path("README.txt"), file("old")), (path("y"), file("y"))]).folding_case();
        let store = |store: &MemoryStore| {
            if names { named(store) } else { Arc::new(store.clone()) as Arc<dyn Store> }
        };
        let report = run(&store(&source), &store(&there), &options(), &Silent).unwrap();
        let kept = there.nodes();
        assert_eq!(kept.keys().map(ToString::to_string).collect::<Vec<_>>(), ["README.txt", "x"]);
        // Without names of its own it is left alone, and told of.
        let expected = if bare { file("old") } else { file("new one") };
        assert_eq!((&kept[&path("README.txt")], report.exit_status()), (&expected, if bare { 3 } else { 0 }));
        let again = run(&store(&source), &store(&there), &options(), &Silent).unwrap();
        assert_eq!(again.plan.actions, vec![].into());
    }
}

#[test]
fn of_names_that_are_one_there_the_one_that_is_there_is_mirrored() {
    let source = MemoryStore::new([(path("A"), file("1")), (path("a"), file("22")), (path("b"), file("b"))]);
    for (listed, content) in [("a", "22"), ("A", "1")] {
        let there = MemoryStore::new([(path(listed), file("old")), (path("c"), file("c"))]).folding_case();
        let report = run(&named(&source), &named(&there), &options(), &Silent).unwrap();
        assert_eq!(there.nodes(), Nodes::from([(path(listed), file(content)), (path("b"), file("b"))]));
        assert_eq!((report.exit_status(), report.troubles.len()), (3, 1));
        let other = if listed == "a" { "A" } else { "a" };
        assert!(report.troubles[0].contains(&format!("`{other}` was left out")), "{}", report.troubles[0]);
        assert!(report.troubles[0].contains(&format!("it would be `{listed}`")), "{}", report.troubles[0]);
    }
    // Where case is told apart, both are.
    let there = MemoryStore::default();
    let report = run(&named(&source), &named(&there), &options(), &Silent).unwrap();
    assert_eq!((there.nodes(), report.exit_status()), (source.nodes(), 0));
    assert_eq!(
        run(&named(&source), &named(&there), &options(), &Silent).unwrap().plan.actions,
        vec![].into()
    );
}

#[test]
fn a_dry_run_makes_no_file_to_ask_about() {
    let source = MemoryStore::new([(path("A"), file("1")), (path("a"), file("22"))]);
    let there = MemoryStore::default().folding_case();
    let report =
        run(&named(&source), &named(&there), &RunOptions { mode: Mode::Diff, ..options() }, &Silent).unwrap();
    assert_eq!(there.journal(), [""; 0]);
    assert!(report.notes.iter().any(|note| note.contains("differ in case alone")), "{:?}", report.notes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_file_takes_the_place_of_another(a in cased(node()), b in cased(node()).prop_map(unfolded)) {
        prop_assume!(is_grown(&b));
        let (source, there) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()).folding_case());
        let report = run(&named(&source), &named(&there), &options(), &Silent).unwrap();
        let after = there.nodes();
        // A directory that may hold what another one left doesn't give way, and nothing goes then.
        let is_refused = report.plan.actions.iter().any(|action| action.obstacle.is_some());
        prop_assert_eq!(report.failed() > 0, is_refused, "{:?}", report.outcomes);
        let spellings: BTreeSet<String> = after.keys().map(folded).collect();
        prop_assert_eq!(spellings.len(), after.len(), "the store itself keeps one of each");
        // Everything is there, or said not to be.
        let told = |path: &RelPath| report.troubles.iter().any(|text| text.starts_with(&format!("`{path}` was left out")));
        let mut mirrored = BTreeSet::new();
        for (path, node) in &a {
            let is_out = std::iter::successors(Some(path.clone()), RelPath::parent).any(|path| told(&path));
            if !is_out && !is_refused {
                prop_assert!(mirrored.insert(folded(path)), "{:?} would be there twice", path);
                let (_, now) = after.iter().find(|(there, _)| folded(there) == folded(path)).expect("it is there");
                prop_assert_eq!(comparable(&[(path.clone(), now.clone())].into()), comparable(&[(path.clone(), node.clone())].into()));
            }
        }
        prop_assert_eq!(report.exit_status() != 0, is_refused || mirrored.len() < a.len());
        // What was there keeps its spelling.
        for path in after.keys() {
            let before = b.keys().find(|old| folded(old) == folded(path));
            let same_kind = before.is_some_and(|old| (b[old] == Node::Dir) == (after[path] == Node::Dir));
            prop_assert!(!same_kind || before == Some(path) || before.is_none(), "{:?} was {:?}", path, before);
        }
        let again = run(&named(&source), &named(&there), &options(), &Silent).unwrap();
        prop_assert!(is_refused || again.plan.actions.is_empty(), "{:?}", again.plan.actions);
        prop_assert_eq!(source.nodes(), a);
    }
}
