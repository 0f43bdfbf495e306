//! Files that come last, and updates that are delayed.

use super::*;
use crate::model::is_temporary;

fn delayed() -> RunOptions {
    RunOptions { delay_updates: true, ..options() }
}

/// Files and links that anybody sees.
fn seen(nodes: &Nodes) -> Nodes {
    let is_seen = |(path, node): &(&RelPath, &Node)| **node != Node::Dir && !is_temporary(path.name());
    nodes.iter().filter(is_seen).map(|(path, node)| (path.clone(), node.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn delayed_or_not_the_destination_equals_the_source_afterwards(
        a in nodes(linked()), b in nodes(linked()), last in "[abx]",
    ) {
        let mut pages = Filter::default();
        pages.push(Verdict::Include, &last).unwrap();
        let results = [false, true].map(|delay_updates| {
            let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
            let options = RunOptions { delay_updates, last: pages.clone(), links: Links::Copy, ..options() };
            let report = mirror(&source, &destination, &options).unwrap();
            (report.failed(), destination.nodes())
        });
        // What can't be made room for makes nothing be published, so only what went well compares.
        if results[0].0 == 0 {
            prop_assert_eq!(&results[0], &results[1]);
        } else {
            prop_assert!(results[1].0 > 0);
        }
        prop_assert!(results.iter().all(|(_, nodes)| nodes.keys().all(|path| !is_temporary(path.name()))));
    }

    #[test]
    fn delayed_nothing_changes_before_all_files_are_there(
        a in nodes(node()),
        b in nodes(node()),
        faults in btree_map(0usize..120, remedy(), 0..4),
        at_source: bool,
    ) {
        let (mut source, mut destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        if at_source {
            source = source.with_faults(faults);
        } else {
            destination = destination.with_faults(faults);
        }
        if let Ok(report) = mirror(&source, &destination, &delayed()) {
            let journal = destination.journal();
            let is_change = |line: &&String| !line.starts_with("make ") && !line.contains(".oneway-");
            let unpublished = report.outcomes.iter()
                .any(|o| o.error.as_ref().is_some_and(|e| e.contains("nothing got its new name")));
            if unpublished {
                prop_assert_eq!(journal.iter().find(is_change), None);
                prop_assert_eq!(seen(&destination.nodes()), seen(&b));
            }
            let done = report.plan.actions.held().iter().zip(&report.outcomes).filter(|(_, o)| o.is_done());
            for (action, _) in done {
                if matches!(action.deed, Deed::Copy | Deed::Replace) {
                    let now = destination.nodes().get(&action.path).cloned();
                    prop_assert_eq!(now.as_ref(), a.get(&action.path));
                }
            }
        }
        for (path, node) in seen(&destination.nodes()) {
            prop_assert!(Some(&node) == a.get(&path) || Some(&node) == b.get(&path), "{path:?} is neither the old nor the new");
        }
        source.clear_faults();
        destination.clear_faults();
        mirror(&source, &destination, &delayed()).unwrap();
        let kept: Nodes = destination.nodes().into_iter().filter(|(path, _)| !is_temporary(path.name())).collect();
        prop_assert_eq!(comparable(&kept), comparable(&a));
    }

    #[test]
    fn what_comes_last_comes_when_all_else_is_there_or_not_at_all(
        a in nodes(node()),
        b in nodes(node()),
        faults in btree_map(0usize..120, remedy(), 0..3),
        delay_updates: bool,
    ) {
        let mut last = Filter::default();
        last.push(Verdict::Include, "x").unwrap();
        let is_last = |path: &RelPath| path.components().any(|name| name == b"x");
        let (source, destination) = (MemoryStore::new(a), MemoryStore::new(b).with_faults(faults));
        let options = RunOptions { last, delay_updates, ..options() };
        let Ok(report) = mirror(&source, &destination, &options) else { return Ok(()) };
        let lines: Vec<(String, RelPath)> = destination.journal().iter()
            .filter_map(|line| line.split_once(' ').map(|(deed, name)| (deed.to_owned(), path(name))))
            .filter(|(deed, _)| deed == "write").collect();
        let pages: BTreeMap<&RelPath, Phase> =
            report.plan.actions.held().iter().map(|action| (&action.path, action.phase)).collect();
        let first = lines.iter().position(|(_, path)| pages.get(path) == Some(&Phase::Last));
        if let Some(first) = first {
            prop_assert!(lines[first..].iter().all(|(_, path)| pages[path] >= Phase::Last), "{lines:?}");
            for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes) {
                prop_assert!(action.phase >= Phase::Last || outcome.is_done(), "{action:?}");
            }
        }
        for action in report.plan.actions.held() {
            let is_sent = matches!(action.deed, Deed::Copy | Deed::Replace | Deed::Rename);
            prop_assert_eq!(action.phase == Phase::Last, is_sent && action.obstacle.is_none() && action.phase < Phase::Late
                && is_last(&action.entry().path));
        }
    }
}
