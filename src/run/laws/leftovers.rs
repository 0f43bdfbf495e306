//! The laws of what is left of runs that broke off.

use super::*;
use crate::model::{Key, Temporary, is_temporary};

const OWNER: u64 = 7;

fn resuming() -> RunOptions {
    RunOptions { owner: Some(OWNER), resume_from: Some(1), ..options() }
}

fn temporary(nodes: &Nodes) -> Vec<(RelPath, Vec<u8>)> {
    let content = |node: &Node| match node {
        Node::File { content, .. } => content.clone(),
        _ => panic!("{node:?}"),
    };
    let left = nodes.iter().filter(|(path, _)| is_temporary(path.name()));
    left.map(|(path, node)| (path.clone(), content(node))).collect()
}

/// Returns the file that a temporary one is a part of.
fn whole<'n>(source: &'n Nodes, part: &RelPath) -> Option<&'n [u8]> {
    let key = Temporary::parse(part.name()).unwrap().key;
    source.iter().find_map(|(path, node)| match node {
        Node::File { content, mtime } if path.parent() == part.parent() => {
            let its = Key::of(path.name(), Some(content.len() as u64), Some(*mtime));
            (its == key).then_some(&content[..])
        }
        _ => None,
    })
}

/// What goes wrong: this and that, or everything from some moment on.
fn faults() -> impl Strategy<Value = BTreeMap<usize, Remedy>> {
    let some = btree_map(0usize..200, remedy(), 0..8);
    let kill = (0usize..150, prop_oneof![Just(Remedy::Reconnect), Just(Remedy::Abort)]);
    prop_oneof![some, kill.prop_map(|(from, remedy)| (from..2000).map(|at| (at, remedy)).collect())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_broken_run_leaves_is_a_beginning_and_the_next_run_leaves_nothing(
        a in nodes(node()),
        b in nodes(node()),
        faults in faults(),
        at_source: bool,
        resumes: bool,
    ) {
        let mut source = MemoryStore::new(a.clone());
        let mut destination = MemoryStore::new(b.clone()).keeping_partials();
        if at_source {
            source = source.with_faults(faults);
        } else {
            destination = destination.with_faults(faults);
        }
        let first = mirror(&source, &destination, &resuming());
        let left = temporary(&destination.nodes());
        for (path, content) in &left {
            let whole = whole(&a, path).expect("it is a part of a file");
            prop_assert!(whole.starts_with(content), "{path}: {content:?} of {whole:?}");
        }
        prop_assert!(first.is_err() || first.unwrap().exit_status() != 0 || left.is_empty());

        source.clear_faults();
        destination.clear_faults();
        let resume_from = resumes.then_some(1);
        let report = mirror(&source, &destination, &RunOptions { resume_from, ..resuming() }).unwrap();
        prop_assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
        prop_assert_eq!(temporary(&destination.nodes()), vec![]);
        prop_assert_eq!(comparable(&destination.nodes()), comparable(&a));
        for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes) {
            let copied = matches!(action.deed, Deed::Copy | Deed::Replace);
            prop_assert!(!copied || destination.nodes().get(&action.path) == a.get(&action.path));
            // Of several that are there, the longest.
            let parts = left.iter().filter(|(part, _)| {
                copied && Temporary::parse(part.name()).unwrap().key == key_of(&a, &action.path)
                    && part.parent() == action.path.parent()
            });
            let kept = parts.map(|(_, content)| content.len() as u64).max().filter(|_| resumes);
            prop_assert!(!copied || outcome.bytes + kept.unwrap_or(0) == action.bytes(), "{action:?} {kept:?}");
        }
    }

    #[test]
    fn what_others_leave_stays(a in nodes(node()), b in nodes(node()), owner in any::<Option<u64>>()) {
        let run = RunId { owner: OWNER, run: u64::MAX };
        let part = Temporary { run, key: Key::Other, number: 1, serial: 1 };
        let place = part.beside(&path("file"));
        prop_assume!(owner != Some(OWNER));
        let young = Node::File { content: vec![1], mtime: Mtime::from_unix(1, 0).unwrap() };
        let mut there = b.clone();
        there.insert(place.clone(), young.clone());
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(there));
        mirror(&source, &destination, &RunOptions { owner, ..options() }).unwrap();
        let mut after = destination.nodes();
        prop_assert_eq!(after.remove(&place), Some(young));
        prop_assert_eq!(comparable(&after), comparable(&a));
        // Its owner knows it.
        mirror(&source, &destination, &resuming()).unwrap();
        prop_assert!(destination.nodes().keys().all(|path| !is_temporary(path.name())));
    }
}

fn key_of(nodes: &Nodes, path: &RelPath) -> Key {
    match &nodes[path] {
        Node::File { content, mtime } => Key::of(path.name(), Some(content.len() as u64), Some(*mtime)),
        other => panic!("{other:?}"),
    }
}
