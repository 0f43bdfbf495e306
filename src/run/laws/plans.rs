//! Plans that are made, kept as files, and carried out later.

use std::collections::BTreeSet;

use super::*;
use crate::compare::Reason;
use crate::execute::Outcome;
use crate::plan::{Action, Plan, Shard};
use crate::planfile::{self, Header};

pub(super) fn kept(source: &MemoryStore, destination: &MemoryStore, options: &RunOptions) -> Plan {
    let options = RunOptions { mode: Mode::DryRun, keeps_plan: true, ..options.clone() };
    let (from, to) = (source.operations(), destination.journal());
    let report = mirror(source, destination, &options).unwrap();
    assert_eq!((from > 0, destination.journal()), (from > 0, to), "nothing is changed");
    let header = Header {
        program: "0".into(),
        made: "2026-11-21T10:02:37Z".parse().unwrap(),
        source: "/s".into(),
        destination: "ftp://h/".into(),
        options: Default::default(),
    };
    let mut bytes = Vec::new();
    planfile::write(&header, &report.plan, &mut bytes).unwrap();
    let (read, plan) = planfile::read(&bytes).unwrap();
    assert_eq!(
        (read, &plan.actions),
        (header, &report.plan.actions),
        "a file is the plan that was kept in it"
    );
    plan
}

fn carry_out(
    source: &MemoryStore,
    destination: &MemoryStore,
    (plan, shard): (&Plan, Option<&str>),
    options: &RunOptions,
) -> StoreResult<Report> {
    let store = |store: &MemoryStore| Arc::new(store.clone()) as Arc<dyn Store>;
    let shard = shard.map(|text| text.parse::<Shard>().unwrap());
    apply(&store(source), &store(destination), plan.clone(), shard, options, &Silent)
}

pub(super) fn copied(delay_updates: bool, last: &str) -> RunOptions {
    let mut pages = Filter::default();
    pages.push(Verdict::Include, last).unwrap();
    RunOptions { links: Links::Copy, delay_updates, last: pages, owner: Some(7), ..options() }
}

/// What a listing shows of a node.
fn facts(nodes: &Nodes, path: &RelPath) -> Option<(u8, usize, Option<Mtime>, Vec<u8>)> {
    Some(match nodes.get(path)? {
        Node::Dir => (0, 0, None, vec![]),
        Node::File { content, mtime } => (1, content.len(), Some(*mtime), vec![]),
        Node::Symlink(target) => (2, 0, None, target.clone()),
        Node::Other => (3, 0, None, vec![]),
    })
}

/// Puts these in the place of whatever is there.
fn changed(nodes: &Nodes, changes: &[(RelPath, Option<Node>)]) -> Nodes {
    let mut now = nodes.clone();
    for (path, node) in changes {
        let above = std::iter::successors(path.parent(), RelPath::parent).filter(|dir| !dir.is_root());
        now.retain(|other, _| !other.is_within(path));
        let Some(node) = node else { continue };
        for dir in above {
            now.insert(dir, Node::Dir);
        }
        now.insert(path.clone(), node.clone());
    }
    now
}

fn differing(before: &Nodes, after: &Nodes) -> BTreeSet<RelPath> {
    let all = before.keys().chain(after.keys());
    all.filter(|path| facts(before, path) != facts(after, path)).cloned().collect()
}

fn changes() -> impl Strategy<Value = Vec<(RelPath, Option<Node>)>> {
    let change = ("[abx](/[abx]){0,2}", prop::option::weighted(0.7, linked()));
    vec(change.prop_map(|(name, node)| (path(&name), node)), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_plan_that_is_carried_out_makes_what_a_sync_makes_and_then_is_done(
        a in nodes(linked()), b in nodes(linked()), delay_updates: bool, last in "[abx]", renames: bool, refuses: bool,
        links in prop::sample::select(vec![Links::Skip, Links::Follow, Links::Copy]),
    ) {
        let options = RunOptions { links, ..copied(delay_updates, &last) };
        let store = || {
            let store = MemoryStore::new(b.clone());
            let store = if renames { store.with_checksums() } else { store };
            if refuses { store.without_renames() } else { store }
        };
        let source = if renames { MemoryStore::new(a.clone()).with_checksums() } else { MemoryStore::new(a.clone()) };
        let (synced, applied) = (store(), store());
        let sync = mirror(&source, &synced, &options).unwrap();
        let plan = kept(&source, &applied, &options);
        let report = carry_out(&source, &applied, (&plan, None), &options).unwrap();
        prop_assert_eq!(applied.nodes(), synced.nodes());
        prop_assert_eq!(report.failed(), sync.failed());
        prop_assert_eq!(&report.plan.actions, &sync.plan.actions);
        let again = carry_out(&source, &applied, (&plan, None), &options).unwrap();
        if report.failed() == 0 {
            prop_assert_eq!(again.plan.actions, vec![].into());
            prop_assert_eq!(again.plan.unchanged, plan.actions.len());
        }
        prop_assert_eq!(applied.nodes(), synced.nodes());
    }

    #[test]
    fn whatever_changes_after_a_plan_was_made_is_left_alone_and_all_else_is_done(
        a in nodes(linked()), b in nodes(linked()), of_source in changes(), of_destination in changes(),
    ) {
        let options = copied(false, "none");
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let plan = kept(&source, &destination, &options);
        let (a_now, b_now) = (changed(&a, &of_source), changed(&b, &of_destination));
        let (source, destination) = (MemoryStore::new(a_now.clone()), MemoryStore::new(b_now.clone()));
        let report = carry_out(&source, &destination, (&plan, None), &options).unwrap();
        let after = destination.nodes();
        prop_assert_eq!(source.nodes(), a_now.clone(), "the source is never changed");
        let broken: BTreeSet<RelPath> = differing(&a, &a_now).union(&differing(&b, &b_now)).cloned().collect();
        // What gives way to something of another kind may be gone already, as it is when a run is broken off there.
        let gives_way = |path: &RelPath| {
            let is_it = |action: &Action| action.path == *path && action.source.is_none() && action.reason == Reason::Kind;
            plan.actions.held().iter().any(is_it)
        };
        for path in broken.iter().filter(|path| !gives_way(path) || b_now.contains_key(path)) {
            prop_assert_eq!(after.get(path), b_now.get(path), "{} is not as it was", path);
        }
        for path in differing(&b_now, &after) {
            let is_planned = plan.actions.held().iter().any(|action| action.path == path || action.entry().path == path);
            prop_assert!(is_planned, "{path} is in no plan");
        }
        let outcome = |action: &Action| {
            let i = report.plan.actions.held().iter().position(|a| (&a.path, a.deed) == (&action.path, action.deed))?;
            Some(&report.outcomes[i])
        };
        let is_clean = |action: &Action| {
            let of_it = [&action.path, &action.entry().path];
            let holds = |path: &RelPath| action.deed == Deed::DeleteDir && path.is_within(&action.path);
            !broken.iter().any(|path| holds(path) || of_it.iter().any(|own| own.is_within(path)))
        };
        let failed_before = report.plan.actions.held().iter().zip(&report.outcomes)
            .any(|(action, outcome)| action.phase < Phase::Deletions && outcome.is_failed()
                || action.phase == Phase::Late && action.obstacle.is_some());
        for action in plan.actions.held().iter().filter(|action| action.obstacle.is_none() && is_clean(action)) {
            if action.phase >= Phase::Deletions && failed_before {
                continue;
            }
            prop_assert!(outcome(action).is_none_or(Outcome::is_done), "{action:?}: {:?}", outcome(action));
        }
        for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes) {
            let is_deleted = DELETIONS.contains(&action.phase) && outcome.is_done();
            prop_assert!(!is_deleted || !failed_before, "deleted although something failed before");
        }
        prop_assert_eq!(report.failed() > 0, report.exit_status() != 0);
    }

    #[test]
    fn a_plan_that_was_broken_off_is_carried_on(
        a in nodes(linked()),
        b in nodes(linked()),
        faults in btree_map(0usize..200, remedy(), 1..6),
        at_source: bool,
        options in prop_oneof![Just(copied(false, "x")), Just(copied(true, "x"))],
    ) {
        let (source, synced) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let sync = mirror(&source, &synced, &options).unwrap();
        prop_assume!(sync.failed() == 0);
        let (mut source, mut destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()).with_checksums());
        let plan = kept(&source, &destination, &options);
        if at_source {
            source = source.with_faults(faults);
        } else {
            destination = destination.with_faults(faults);
        }
        let _ = carry_out(&source, &destination, (&plan, None), &options);
        source.clear_faults();
        destination.clear_faults();
        let report = carry_out(&source, &destination, (&plan, None), &options).unwrap();
        prop_assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
        prop_assert_eq!(destination.nodes(), synced.nodes());
    }

    #[test]
    fn shares_and_then_the_rest_make_what_a_sync_makes(a in nodes(linked()), b in nodes(linked()), delay_updates: bool) {
        let options = copied(delay_updates, "x");
        let (source, synced) = (MemoryStore::new(a), MemoryStore::new(b.clone()));
        let sync = mirror(&source, &synced, &options).unwrap();
        prop_assume!(sync.failed() == 0);
        let destination = MemoryStore::new(b.clone());
        let plan = kept(&source, &destination, &options);
        for shard in ["2/3", "1/3", "3/3"] {
            let report = carry_out(&source, &destination, (&plan, Some(shard)), &options).unwrap();
            prop_assert_eq!(report.failed(), 0);
            let after = destination.nodes();
            prop_assert!(b.keys().all(|path| after.contains_key(path)), "a share deletes nothing");
        }
        let report = carry_out(&source, &destination, (&plan, None), &options).unwrap();
        prop_assert_eq!(report.failed(), 0);
        let rooms: Vec<&RelPath> =
            plan.actions.held().iter().filter(|action| action.phase == Phase::Room).map(|action| &action.path).collect();
        let is_left = |action: &Action| {
            let is_shared = matches!(action.phase, Phase::Renames | Phase::Times | Phase::Files | Phase::Folders);
            !is_shared || rooms.iter().any(|room| action.path.is_within(room))
        };
        prop_assert!(report.plan.actions.held().iter().all(is_left));
        prop_assert_eq!(destination.nodes(), synced.nodes());
    }

    #[test]
    fn an_unproven_directory_keeps_all_in_it_from_being_done(a in nodes(node()), b in nodes(node())) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let plan = kept(&source, &destination, &options());
        let doubtful = MemoryStore::new(a).with_doubtful([path("a")]);
        carry_out(&doubtful, &destination, (&plan, None), &options()).unwrap();
        let after = destination.nodes();
        let is_listed = source.nodes().get(&path("a")) == Some(&Node::Dir);
        for action in plan.actions.held().iter().filter(|action| is_listed && action.deed == Deed::Delete && action.reason == Reason::Extra) {
            if action.path.parent() == Some(path("a")) {
                prop_assert!(after.contains_key(&action.path), "{}", action.path);
            }
        }
        let destination = MemoryStore::new(b.clone()).with_doubtful([path("a")]);
        carry_out(&MemoryStore::new(source.nodes()), &destination, (&plan, None), &options()).unwrap();
        let after = destination.nodes();
        for action in plan.actions.held().iter().filter(|action| action.path.parent() == Some(path("a"))) {
            if action.destination.is_none() || action.deed == Deed::Delete {
                let now = after.get(&action.path);
                let is_as_before = now == b.get(&action.path) || action.phase == Phase::Room;
                prop_assert!(is_as_before || b.get(&path("a")) != Some(&Node::Dir), "{action:?}");
            }
        }
    }
}

/// Has others change the destination while a plan is carried out.
struct Meddling<'m> {
    destination: &'m MemoryStore,
    changes: Vec<(RelPath, Node)>,
}

impl Observer for Meddling<'_> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Finished { action, .. } if action.deed == Deed::Copy) {
            for (path, node) in &self.changes {
                self.destination.put(path.clone(), node.clone());
            }
        }
    }
}

#[test]
fn what_changes_while_a_plan_is_carried_out_is_not_deleted() {
    let file = |content: &str| Node::File {
        content: content.into(),
        mtime: Mtime::from_unix(1_000_000_000, 0).unwrap(),
    };
    let source = MemoryStore::new([(path("new"), file("n"))]);
    let there = ["d/kept", "gone", "edited", "e/x"].map(|name| (path(name), file("old")));
    let dirs = ["d", "e"].map(|name| (path(name), Node::Dir));
    let destination = MemoryStore::new(dirs.into_iter().chain(there));
    let plan = kept(&source, &destination, &options());
    let changes = vec![(path("edited"), file("edited")), (path("d/other"), file("o"))];
    let meddling = Meddling { destination: &destination, changes };
    let store = |store: &MemoryStore| Arc::new(store.clone()) as Arc<dyn Store>;
    let report = apply(&store(&source), &store(&destination), plan, None, &options(), &meddling).unwrap();
    let left: Vec<String> = destination.nodes().keys().map(ToString::to_string).collect();
    assert_eq!(left, ["d", "d/other", "edited", "new"]);
    let errors: Vec<&str> = report.outcomes.iter().filter_map(|outcome| outcome.error.as_deref()).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("stale: the destination had a file of 3 B"), "{errors:?}");
    assert_eq!(errors[1], "stale: it holds `d/other`, which stays");
    assert_eq!(report.exit_status(), 3);
}
