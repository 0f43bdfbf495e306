//! The laws of mirroring, on arbitrary trees in memory with arbitrary faults.

mod backups;
mod folding;
mod leftovers;
mod names;
// It may import more than a run.
#[cfg(test)]
mod parts;
#[cfg(test)]
mod plans;
mod renames;
mod server_state;
mod updates;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::execute::{Event, Silent};
use crate::filter::{Filter, Verdict};
use crate::model::{Links, Mtime, RelPath, Remedy, RunId, stays_inside};
use crate::plan::{Deed, GuardOptions, MaxDelete, Phase};
use crate::pool::SessionCount;
use crate::report::{Detail, format_named};
use crate::spill::Spill;
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
    prop_oneof![6 => node(), 1 => Just(Node::Symlink("a".into())), 1 => Just(Node::Other)]
}

/// As [`special`], with more links, to each other and to anywhere.
fn linked() -> impl Strategy<Value = Node> {
    let target = "(/|[.][.]/){0,2}[abx.](/[abx]){0,2}";
    prop_oneof![4 => node(), 3 => target.prop_map(|target| Node::Symlink(target.into()))]
}

/// Returns a tree as it looks to whoever follows its links, and what can't be followed: links to nothing, and what leads back to
/// a directory above it.
fn through_links(nodes: &Nodes) -> (Nodes, Vec<RelPath>) {
    /// Goes from a true directory as a system does; `None` where there is nothing.
    fn resolve(nodes: &Nodes, dir: &RelPath, target: &[u8], hops: usize) -> Option<RelPath> {
        let mut at = dir.clone();
        if target.starts_with(b"/") || hops > 40 {
            return None;
        }
        for part in target.split(|&b| b == b'/') {
            at = match part {
                b"" | b"." => at,
                b".." => at.parent()?,
                name => {
                    let next = at.join(name).unwrap();
                    match nodes.get(&next)? {
                        Node::Symlink(target) => resolve(nodes, &at, target, hops + 1)?,
                        _ => next,
                    }
                }
            };
        }
        Some(at)
    }
    let (mut seen, mut lost) = (Nodes::new(), vec![]);
    // A path as it looks, with the true directories on the way.
    let mut todo = vec![(RelPath::root(), vec![RelPath::root()])];
    while let Some((dir, chain)) = todo.pop() {
        let real = chain.last().unwrap();
        for (path, node) in nodes.iter().filter(|(path, _)| path.parent().as_ref() == Some(real)) {
            let shown = dir.join(path.name()).unwrap();
            let there = match node {
                Node::Symlink(target) => resolve(nodes, real, target, 0),
                _ => Some(path.clone()),
            };
            let node = there.as_ref().map(|there| if there.is_root() { &Node::Dir } else { &nodes[there] });
            match (there, node) {
                (Some(there), Some(Node::Dir)) if !chain.contains(&there) => {
                    seen.insert(shown.clone(), Node::Dir);
                    todo.push((shown, [&chain[..], &[there]].concat()));
                }
                (Some(_), Some(node)) if *node != Node::Dir => drop(seen.insert(shown, node.clone())),
                _ => lost.push(shown),
            }
        }
    }
    (seen, lost)
}

/// Every second one puts all that it can aside.
fn options() -> RunOptions {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let puts_aside = TURN.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
    let spill = if puts_aside { Spill::to(tempfile::env::temp_dir(), 0) } else { Spill::never() };
    let guard = GuardOptions { max_delete: Some(MaxDelete::Percent(100)), allow_empty_source: true };
    RunOptions {
        delete: true,
        guard,
        retries: 0,
        sessions: SessionCount::fixed(3),
        spill,
        ..RunOptions::default()
    }
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
        prop_assert_eq!(again.plan.actions, vec![].into());
    }

    #[test]
    fn what_is_put_aside_is_planned_and_told_as_if_it_were_not(
        a in nodes(special()), b in nodes(special()), last in any::<bool>(), delete in any::<bool>(),
    ) {
        let (source, destination) = (MemoryStore::new(a), MemoryStore::new(b));
        let mut pages = Filter::default();
        if last {
            pages.push(Verdict::Include, "a").unwrap();
        }
        let told = |spill: Spill| {
            let options = RunOptions { mode: Mode::Diff, last: pages.clone(), delete, spill, ..options() };
            Report { seconds: 0.0, ..mirror(&source, &destination, &options).unwrap() }
        };
        let (held, put) = (told(Spill::never()), told(Spill::to(tempfile::env::temp_dir(), 0)));
        prop_assert_eq!(&put.plan, &held.plan);
        prop_assert_eq!(&put.unproven, &held.unproven);
        for format in ["text", "json", "csv", "html"] {
            let written = |report: &Report| {
                let mut out = Vec::new();
                let detail = Detail { verbose: true, ..Detail::default() };
                format_named(format).unwrap().write(report, detail, &mut out).unwrap();
                String::from_utf8(out).unwrap()
            };
            prop_assert_eq!(written(&put), written(&held));
        }
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
        let refused = report.plan.actions.held().iter().any(|action| action.obstacle.is_some());
        prop_assert_eq!(report.failed() > 0, refused);
    }

    #[test]
    fn links_and_devices_are_neither_carried_nor_removed(a in nodes(special()), b in nodes(special())) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        mirror(&source, &destination, &options()).unwrap();
        let after = destination.nodes();
        for (path, node) in &b {
            let stays = *node == Node::Other || matches!(a.get(path), Some(Node::Symlink(_) | Node::Other));
            if stays {
                prop_assert_eq!(after.get(path), Some(node), "{:?}", path);
            }
        }
    }

    #[test]
    fn with_links_followed_the_destination_is_the_source_as_it_looks_through_them(
        a in nodes(linked()), b in nodes(special()),
    ) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let options = RunOptions { links: Links::Follow, ..options() };
        let report = mirror(&source, &destination, &options).unwrap();
        prop_assert_eq!(source.nodes(), a.clone(), "the source is never changed");
        let (seen, lost) = through_links(&a);
        prop_assert_eq!(report.unfollowed.is_empty(), lost.is_empty(), "{:?}", report.unfollowed);
        let is_lost = |path: &RelPath| lost.iter().any(|lost| path.is_within(lost));
        let after = destination.nodes();
        // Nothing goes because of what could not be followed, and no link is ever made.
        for (path, node) in b.iter().filter(|(path, _)| is_lost(path)) {
            let gave_way = seen.keys().any(|known| path.is_within(known) && known != path);
            prop_assert!(after.get(path) == Some(node) || gave_way, "{path:?} was {node:?}");
        }
        let links = |nodes: &Nodes| nodes.iter().filter(|(_, node)| matches!(node, Node::Symlink(_))).count();
        prop_assert!(links(&after) <= links(&b));
        if report.failed() == 0 && lost.is_empty() {
            let has_devices = |nodes: &Nodes| nodes.values().any(|node| *node == Node::Other);
            if !has_devices(&seen) && !has_devices(&b) {
                prop_assert_eq!(comparable(&after), comparable(&seen));
            }
            prop_assert_eq!(mirror(&source, &destination, &options).unwrap().plan.actions, vec![].into());
        }
    }

    #[test]
    fn with_links_copied_none_leads_out_and_a_second_run_has_nothing_to_do(
        a in nodes(linked()), b in nodes(linked()),
    ) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let options = RunOptions { links: Links::Copy, ..options() };
        let report = mirror(&source, &destination, &options).unwrap();
        let after = destination.nodes();
        for (path, node) in &after {
            let Node::Symlink(target) = node else { continue };
            let is_made = a.get(path) == Some(node) && stays_inside(path, target);
            prop_assert!(is_made || b.get(path) == Some(node), "{path:?} -> {target:?}");
        }
        if report.failed() == 0 {
            for (path, node) in &a {
                let is_left_out = |path: &RelPath| report.plan.skipped.iter().any(|s| path.is_within(&s.path));
                if matches!(node, Node::Symlink(_)) && !is_left_out(path) {
                    prop_assert_eq!(after.get(path), Some(node));
                }
            }
            prop_assert_eq!(mirror(&source, &destination, &options).unwrap().plan.actions, vec![].into());
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
            for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes) {
                let now = destination.nodes().get(&action.path).cloned();
                if outcome.is_done() && copied(action.deed) {
                    prop_assert_eq!(now.as_ref(), a.get(&action.path));
                }
            }
            let failed = report.outcomes.iter().any(|outcome| !outcome.is_done());
            let deleted = report.plan.actions.held().iter().zip(&report.outcomes)
                .any(|(action, outcome)| DELETIONS.contains(&action.phase) && outcome.is_done());
            let failed_before = report.plan.actions.held().iter().zip(&report.outcomes)
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
        prop_assert_eq!(again.plan.actions, vec![].into());
    }
}
