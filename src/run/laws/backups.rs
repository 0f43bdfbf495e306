//! What is replaced or deleted is set aside, whatever happens, and undoing brings it back.

use super::*;
use crate::model::is_temporary;
use crate::run::backup::Backup;
use crate::run::backup::manifest::{self, MANIFEST_NAME};
use crate::run::backup::undo::{Undone, undo};

fn backed_up(delay_updates: bool) -> RunOptions {
    let backup = Backup { name: "backup".to_owned(), destination: "memory".to_owned() };
    RunOptions { backup: Some(backup), delay_updates, links: Links::Copy, ..options() }
}

/// Undoes the run that set something aside there; `None` where there was none.
fn undo_all(store: &MemoryStore) -> Option<Undone> {
    let aside = store.aside();
    let Node::File { content, .. } = aside.get(&path(MANIFEST_NAME))? else { panic!("no file") };
    let (header, lines) = manifest::parse(content).unwrap();
    let mut session = store.connect().unwrap();
    let would = undo(&mut *session, &header, &lines, true).unwrap();
    let undone = undo(&mut *session, &header, &lines, false).unwrap();
    assert_eq!(would.restored, undone.restored, "a dry run says what is done");
    let again = undo(&mut *session, &header, &lines, false).unwrap();
    assert_eq!((&again.restored, &again.renamed, &again.dirs), (&vec![], &vec![], &vec![]));
    Some(undone)
}

fn leaves(nodes: &Nodes) -> impl Iterator<Item = (&RelPath, &Node)> {
    nodes.iter().filter(|(path, node)| **node != Node::Dir && !is_temporary(path.name()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_run_that_ends_well_can_be_undone(
        a in nodes(linked()), b in nodes(linked()), delay_updates: bool,
    ) {
        let (source, destination) = (MemoryStore::new(a.clone()), MemoryStore::new(b.clone()));
        let report = mirror(&source, &destination, &backed_up(delay_updates)).unwrap();
        prop_assume!(report.failed() == 0);
        let plain = MemoryStore::new(b.clone());
        mirror(&source, &plain, &RunOptions { backup: None, ..backed_up(delay_updates) }).unwrap();
        prop_assert_eq!(destination.nodes(), plain.nodes(), "a backup changes nothing else");
        let after = destination.nodes();
        let undone = undo_all(&destination);
        let Some(undone) = undone else {
            let lost = leaves(&b).find(|(path, node)| after.get(path) != Some(node));
            prop_assert!(lost.is_none(), "{lost:?}");
            return Ok(());
        };
        let now = destination.nodes();
        for (path, node) in &b {
            let stays_away = undone.kept.iter().any(|(kept, _)| path.is_within(kept));
            prop_assert!(now.get(path) == Some(node) || stays_away, "{path:?} {node:?} {undone:?}");
        }
        // Only where one kind gave way to another, something is in the way that the run added.
        for (kept, why) in &undone.kept {
            let is_dir = |nodes: &Nodes, path: &RelPath| nodes.get(path).map(|node| *node == Node::Dir);
            let gave_way = |path: &RelPath| is_dir(&b, path).is_some_and(|was| is_dir(&after, path) == Some(!was));
            let above = std::iter::successors(Some(kept.clone()), RelPath::parent);
            prop_assert!(above.into_iter().any(|path| gave_way(&path)), "{kept:?} {why}");
        }
        // Nothing of the run's own is lost, either.
        let aside = destination.aside();
        for (path, node) in leaves(&after) {
            let set_aside = RelPath::parse(manifest::UNDONE_NAME).unwrap().append(path);
            prop_assert!(now.get(path) == Some(node) || aside.get(&set_aside) == Some(node), "{path:?}");
        }
    }

    #[test]
    fn wherever_a_run_is_killed_no_old_content_is_lost_and_undoing_brings_it_back(
        a in nodes(linked()),
        b in nodes(linked()),
        killed in 0usize..120,
        passing in btree_map(0usize..120, prop_oneof![Just(Remedy::Retry), Just(Remedy::Reconnect), Just(Remedy::Skip)], 0..4),
        delay_updates: bool,
    ) {
        let kill = (killed..killed + 2_000).map(|number| (number, Remedy::Abort));
        let (source, destination) =
            (MemoryStore::new(a), MemoryStore::new(b.clone()).with_faults(passing).with_faults(kill));
        let _ = mirror(&source, &destination, &backed_up(delay_updates));
        let (now, aside) = (destination.nodes(), destination.aside());
        for (path, node) in leaves(&b) {
            let copies = [now.get(path), aside.get(path)].into_iter().flatten().filter(|there| *there == node);
            prop_assert!(copies.count() == 1, "{path:?} {node:?} {:?} {now:?} {aside:?}", destination.journal());
        }
        destination.clear_faults();
        let undone = undo_all(&destination).unwrap_or_default();
        let now = destination.nodes();
        for (path, node) in leaves(&b) {
            let stays_away = undone.kept.iter().any(|(kept, _)| path.is_within(kept));
            prop_assert!(now.get(path) == Some(node) || stays_away, "{path:?} {node:?} {undone:?}");
        }
    }
}
