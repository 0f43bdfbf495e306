//! The laws of mirroring, on arbitrary trees in memory with arbitrary faults.

mod folding;
mod names;
mod renames;
mod server_state;

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::execute::Silent;
use crate::filter::Verdict;
use crate::model::{Mtime, Remedy};
use crate::plan::{Deed, MaxDelete, Phase};
use crate::store::memory::{MemoryStore, Node};

const DELETIONS: [Phase; 2] = [Phase::Deletions, Phase::Removals];

type Nodes = BTreeMap<RelPath, Node>;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// What grows at one path; directories arise from the paths below them.
fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        8 => (vec(any::<u8>(), 0..9), 0i64..3).prop_map(|(content, second)| Node::File {
            content,
            mtime: Mtime::from_unix(1_000_000_000 + second, 0).unwrap(),
        }),
        2 => Just(Node::Dir),
    ]
}

fn nodes(kinds: impl Strategy<Value = Node>) -> impl Strategy<Value = Nodes> {
    let wild = btree_map("[abx](/[abx]){0,3}", kinds, 0..14);
    wild.prop_map(|wild| grown(wild.into_iter().map(|(name, node)| (path(&name), node))))
}

fn grown(wild: impl Iterator<Item = (RelPath, Node)>) -> Nodes {
    let mut nodes = Nodes::new();
    for (path, node) in wild {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            nodes.insert(dir.clone(), Node::Dir);
            above = dir.parent();
        }
        // A path that has something below it already is a directory.
        nodes.entry(path).or_insert(node);
    }
    nodes
}

fn special() -> impl Strategy<Value = Node> {
    prop_oneof![6 => node(), 1 => Just(Node::Symlink), 1 => Just(Node::Other)]
}

fn options() -> RunOptions {
    let guard = GuardOptions { max_delete: Some(MaxDelete::Percent(100)), allow_empty_source: true };
    RunOptions { delete: true, guard, retries: 0, sessions: SessionCount::fixed(3), ..RunOptions::default() }
}

fn mirror(source: &MemoryStore, destination: &MemoryStore, options: &RunOptions) -> StoreResult<Report> {
    let store = |store: &MemoryStore| Arc::new(store.clone()) as Arc<dyn Store>;
    run(&store(source), &store(destination), options, &Silent)
}

/// Sizes and times are what is compared, so files that agree in both count as the same.
fn comparable(nodes: &Nodes) -> BTreeMap<RelPath, Option<(usize, Mtime)>> {
    let facts = |node: &Node| match node {
        Node::File { content, mtime } => Some((content.len(), *mtime)),
        _ => None,
    };
    nodes.iter().map(|(path, node)| (path.clone(), facts(node))).collect()
}

fn remedy() -> impl Strategy<Value = Remedy> {
    prop_oneof![Just(Remedy::Retry), Just(Remedy::Reconnect), Just(Remedy::Skip), Just(Remedy::Abort)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn afterwards_the_destination_equals_the_source_and_a_second_run_has_nothing_to_do(
        a in nodes(node()), b in nodes(node()),
    ) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b));
        let report = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
        prop_assert_eq!(comparable(&destination.nodes()), comparable(&a));
        prop_assert_eq!(source.nodes(), a, "the source is never changed");
        let again = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!(again.plan.actions, vec![]);
    }

    #[test]
    fn without_delete_nothing_is_lost(a in nodes(node()), b in nodes(node())) {
        let (source, destination) = (MemoryStore::new(a), MemoryStore::new(b.clone()));
        mirror(&source, &destination, &RunOptions { delete: false, ..options() }).unwrap();
        let after = destination.nodes();
        for (path, node) in &b {
            // A file may give way to a directory of the same name; all else that was there is there.
            let kept = after.get(path).is_some_and(|now| *now == Node::Dir || matches!(node, Node::File { .. }));
            prop_assert!(kept, "{path:?} was {node:?} and is {:?}", after.get(path));
        }
    }

    #[test]
    fn nothing_outside_the_filter_is_touched(a in nodes(node()), b in nodes(node())) {
        let mut filter = Filter::default();
        filter.push(Verdict::Exclude, "x").unwrap();
        let outside = |nodes: &Nodes| -> Nodes {
            let is_out = |path: &RelPath| path.components().any(|name| name == b"x");
            nodes.iter().filter(|(path, _)| is_out(path)).map(|(p, n)| (p.clone(), n.clone())).collect()
        };
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let options = RunOptions { filter, ..options() };
        let report = mirror(&source, &destination, &options).unwrap();
        prop_assert_eq!(outside(&destination.nodes()), outside(&b));
        prop_assert!(destination.journal().iter().all(|line| !line.contains('x')), "{:?}", destination.journal());
        // What can't be done because of what is outside is said and counted, never forced.
        let refused = report.plan.actions.iter().any(|action| action.obstacle.is_some());
        prop_assert_eq!(report.failed() > 0, refused);
    }

    #[test]
    fn links_and_devices_are_neither_carried_nor_removed(a in nodes(special()), b in nodes(special())) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        mirror(&source, &destination, &options()).unwrap();
        let after = destination.nodes();
        for (path, node) in &b {
            let stays = *node == Node::Other || matches!(a.get(path), Some(Node::Symlink | Node::Other));
            if stays {
                prop_assert_eq!(after.get(path), Some(node), "{:?}", path);
            }
        }
    }

    #[test]
    fn nothing_is_deleted_below_an_unproven_directory(a in nodes(node()), b in nodes(node())) {
        // The source's listing of `a` misses something.
        let source = MemoryStore::new(a.clone()).with_doubtful([path("a")]);
        let destination = MemoryStore::new(b.clone());
        prop_assume!(a.get(&path("a")) == Some(&Node::Dir));
        let report = mirror(&source, &destination, &options()).unwrap();
        let after = destination.nodes();
        for kept in b.keys().filter(|kept| kept.is_within(&path("a"))) {
            // Only a kind that gives way may change, and only where the source really has something there.
            prop_assert!(after.contains_key(kept) || a.keys().any(|known| kept.is_within(known) && *known != path("a")));
        }
        prop_assert_eq!(report.exit_status(), 3);
    }

    #[test]
    fn with_faults_each_action_has_one_outcome_no_file_is_half_and_a_clean_run_finishes(
        a in nodes(node()),
        b in nodes(node()),
        faults in btree_map(0usize..200, remedy(), 0..8),
        at_source: bool,
    ) {
        let (mut source, mut destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        if at_source {
            source = source.with_faults(faults);
        } else {
            destination = destination.with_faults(faults);
        }
        if let Ok(report) = mirror(&source, &destination, &options()) {
            prop_assert_eq!(report.outcomes.len(), report.plan.actions.len());
            let copied = |deed| matches!(deed, Deed::Copy | Deed::Replace);
            for (action, outcome) in report.plan.actions.iter().zip(&report.outcomes) {
                let now = destination.nodes().get(&action.path).cloned();
                if outcome.is_done() && copied(action.deed) {
                    prop_assert_eq!(now.as_ref(), a.get(&action.path));
                }
            }
            let failed = report.outcomes.iter().any(|outcome| !outcome.is_done());
            let deleted = report.plan.actions.iter().zip(&report.outcomes)
                .any(|(action, outcome)| DELETIONS.contains(&action.phase) && outcome.is_done());
            let failed_before = report.plan.actions.iter().zip(&report.outcomes)
                .any(|(action, outcome)| action.phase < Phase::Deletions && !outcome.is_done());
            prop_assert!(!(deleted && failed_before), "deleted although something failed before");
            prop_assert_eq!(failed || !report.unproven.is_empty(), report.exit_status() != 0);
        }
        for (path, node) in destination.nodes() {
            let whole = Some(&node) == a.get(&path) || Some(&node) == b.get(&path) || node == Node::Dir;
            prop_assert!(whole, "{path:?} is neither the old nor the new");
        }
        source.clear_faults();
        destination.clear_faults();
        let report = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!(report.failed(), 0);
        prop_assert_eq!(comparable(&destination.nodes()), comparable(&a));
    }

    #[test]
    fn one_session_is_enough(a in nodes(node()), b in nodes(node())) {
        let source = MemoryStore::new(a.clone()).with_session_limit(1);
        let destination = MemoryStore::new(b).with_session_limit(1);
        let report = mirror(&source, &destination, &RunOptions { sessions: SessionCount::fixed(8), ..options() }).unwrap();
        prop_assert_eq!(report.failed(), 0);
        prop_assert_eq!(comparable(&destination.nodes()), comparable(&a));
    }

    #[test]
    fn a_destination_that_cannot_keep_times_is_sent_nothing_twice(a in nodes(node())) {
        let (source, destination) = (MemoryStore::new(a), MemoryStore::default().without_times());
        mirror(&source, &destination, &options()).unwrap();
        let again = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!(again.plan.actions, vec![]);
    }
}
