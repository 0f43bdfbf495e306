//! The laws of renaming and dating: what is known to be there is not sent, nothing else comes out than without it, and whatever is
//! refused or fails on the way, nothing is lost.

use std::path::Path;

use super::*;
use crate::model::Kind;
use crate::plan::Action;
use crate::state::Pair;
use crate::store::local::LocalStore;

/// Few contents of few sizes, so that many files have the same.
fn alike() -> impl Strategy<Value = Node> {
    prop_oneof![
        8 => ("[ab]{0,2}", 0i64..3).prop_map(|(content, second)| Node::File {
            content: content.into_bytes(),
            mtime: Mtime::from_unix(1_000_000_000 + second, 0).unwrap(),
        }),
        1 => Just(Node::Dir),
    ]
}

/// The same tree below another directory.
fn moved(nodes: &Nodes, dir: &str) -> Nodes {
    let below = |path: &RelPath| RelPath::parse(format!("{dir}/{path}")).unwrap();
    grown(nodes.iter().map(|(path, node)| (below(path), node.clone())))
}

fn is_renamed(action: &Action) -> bool {
    action.deed == Deed::Rename
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_renames_it_ends_as_without(a in nodes(alike()), b in nodes(alike()), refused: bool, timeless: bool) {
        let source = MemoryStore::new(a.clone()).with_checksums();
        let mut destination = MemoryStore::new(b.clone()).with_checksums();
        if refused {
            destination = destination.without_renames();
        }
        if timeless {
            destination = destination.without_times();
        }
        let report = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
        let after = destination.nodes();
        for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes).filter(|(a, _)| is_renamed(a)) {
            let target = action.target().unwrap();
            prop_assert!(!b.contains_key(target), "{target:?} was there");
            prop_assert_eq!(content(&after, target), content(&a, target));
            prop_assert!(!after.contains_key(&action.path) || a.contains_key(&action.path));
            prop_assert_eq!(outcome.not_renamed.is_some(), refused);
            prop_assert_eq!(outcome.bytes > 0, refused);
        }
        if timeless {
            prop_assert_eq!(after.keys().collect::<Vec<_>>(), a.keys().collect::<Vec<_>>());
        } else {
            prop_assert_eq!(comparable(&after), comparable(&a));
        }
        // By content, nothing but what had the size and time of another content differs, which no comparison shows.
        let again = mirror(&source, &destination, &options()).unwrap();
        if !timeless {
            prop_assert_eq!(again.plan.actions, vec![].into());
        }
    }

    #[test]
    fn by_checksum_both_sides_are_the_same_to_the_byte_and_to_the_second(a in nodes(alike()), b in nodes(alike())) {
        let (source, destination) = (MemoryStore::new(a.clone()).with_checksums(), MemoryStore::new(b).with_checksums());
        let compare = CompareOptions { basis: Basis::Checksum, ..CompareOptions::default() };
        let options = RunOptions { compare, ..options() };
        let report = mirror(&source, &destination, &options).unwrap();
        prop_assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
        prop_assert_eq!(destination.nodes(), a);
        let touched = report.plan.actions.held().iter().zip(&report.outcomes).filter(|(a, _)| a.deed == Deed::Touch);
        for (action, outcome) in touched {
            prop_assert_eq!((outcome.bytes, outcome.time_set), (0, Some(true)));
            let written = format!("write {}", action.path);
            prop_assert!(!destination.journal().contains(&written));
        }
        prop_assert_eq!(mirror(&source, &destination, &options).unwrap().plan.actions, vec![].into());
    }

    #[test]
    fn what_was_only_moved_is_not_sent(a in nodes(alike())) {
        let (source, destination) = (MemoryStore::new(moved(&a, "new")).with_checksums(), MemoryStore::new(moved(&a, "old")).with_checksums());
        let report = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!((report.failed(), report.bytes()), (0, 0), "{:?}", report.plan.actions);
        prop_assert_eq!(destination.nodes(), moved(&a, "new"));
        // Empty files alone are not worth a question.
        let empty = |path: &RelPath| a.values().any(|node| matches!(node, Node::File { content, .. } if content.is_empty()))
            && content(&moved(&a, "old"), path).is_some_and(<[u8]>::is_empty);
        let deleted = report.plan.actions.held().iter().filter(|action| action.deed == Deed::Delete);
        prop_assert!(deleted.clone().all(|action| empty(&action.path)), "{:?}", deleted.collect::<Vec<_>>());
    }

    #[test]
    fn whatever_fails_while_files_are_renamed_no_content_is_lost(
        a in nodes(alike()),
        b in nodes(alike()),
        faults in btree_map(0usize..120, remedy(), 0..8),
        refused: bool,
    ) {
        let source = MemoryStore::new(a.clone()).with_checksums();
        let mut destination = MemoryStore::new(b.clone()).with_checksums().with_faults(faults);
        if refused {
            destination = destination.without_renames();
        }
        if let Ok(report) = mirror(&source, &destination, &options()) {
            prop_assert_eq!(report.outcomes.len(), report.plan.actions.len());
            let after = destination.nodes();
            for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes).filter(|(a, _)| is_renamed(a)) {
                let target = action.target().unwrap();
                let there = content(&after, target) == content(&a, target);
                prop_assert!(there || !outcome.is_done(), "{:?} {:?}", action, outcome);
                prop_assert!(there || after.contains_key(&action.path), "neither name has it");
            }
        }
        destination.clear_faults();
        let report = mirror(&source, &destination, &options()).unwrap();
        prop_assert_eq!(report.failed(), 0);
        prop_assert_eq!(comparable(&destination.nodes()), comparable(&a));
    }
}

fn content<'n>(nodes: &'n Nodes, path: &RelPath) -> Option<&'n [u8]> {
    match nodes.get(path) {
        Some(Node::File { content, .. }) => Some(content),
        _ => None,
    }
}

/// Writes a tree to the disk.
fn plant(dir: &Path, nodes: &Nodes) {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir(dir).unwrap();
    for (path, node) in nodes {
        let at = dir.join(path.to_string());
        match node {
            Node::File { content, mtime } => {
                std::fs::write(&at, content).unwrap();
                let file = std::fs::File::options().write(true).open(&at).unwrap();
                file.set_modified(mtime.at.into()).unwrap();
            }
            _ => std::fs::create_dir(&at).unwrap(),
        }
    }
}

/// Pushes from the disk, with a memory.
fn push(dir: &Path, destination: &MemoryStore, state: &Path, options: &RunOptions) -> Report {
    let pair = Pair { source: "here".into(), destination: "there".into() };
    let state = Some(StateOptions::File { file: state.to_owned(), pair });
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) =
        (Arc::new(LocalStore::new(dir)), Arc::new(destination.clone()));
    run(&from, &to, &RunOptions { state, ..options.clone() }, &Silent).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_remembered_is_renamed_and_dated_and_then_remembered_as_it_is(
        a in nodes(alike()), seconds in 0i64..3, timeless: bool, refused: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (here, state) = (dir.path().join("here"), dir.path().join("state"));
        let mut destination = MemoryStore::default();
        if timeless {
            destination = destination.without_times();
        }
        if refused {
            destination = destination.without_renames();
        }
        let before = moved(&a, "old");
        plant(&here, &before);
        push(&here, &destination, &state, &options());
        // Listed once more, so that what the server tells of its own times is known.
        prop_assert_eq!(push(&here, &destination, &state, &options()).plan.actions, vec![].into());
        let later = |node: &Node| match node {
            Node::File { content, mtime } => Node::File {
                content: content.clone(),
                mtime: Mtime::from_unix(mtime.at.timestamp() + seconds, 0).unwrap(),
            },
            other => other.clone(),
        };
        let redated = |nodes: Nodes| -> Nodes { nodes.iter().map(|(path, node)| (path.clone(), later(node))).collect() };
        let wanted = [redated(moved(&a, "new")), redated(redated(moved(&a, "new")))];
        for (after, sends) in wanted.iter().zip([refused, false]) {
            plant(&here, after);
            let report = push(&here, &destination, &state, &options());
            prop_assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
            prop_assert!(sends || report.bytes() == 0, "{:?}", report.plan.actions);
            let there = destination.nodes();
            prop_assert_eq!(there.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
            for (path, node) in after {
                prop_assert_eq!(content(&there, path), content(after, path));
                prop_assert!(timeless || there.get(path) == Some(node), "{path:?} {:?}", there.get(path));
            }
            for delete in [true, false] {
                let again = push(&here, &destination, &state, &RunOptions { delete, ..options() });
                prop_assert_eq!(again.plan.actions, vec![].into(), "nothing is left to do");
            }
        }
    }
}

#[test]
fn a_content_that_only_looks_the_same_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (here, state) = (dir.path().join("here"), dir.path().join("state"));
    let file = |content: &str| Node::File {
        content: content.into(),
        mtime: Mtime::from_unix(1_000_000_000, 0).unwrap(),
    };
    let destination = MemoryStore::default();
    plant(&here, &Nodes::from([(path("old"), file("one")), (path("other"), file("two"))]));
    push(&here, &destination, &state, &options());
    // The name and time of another content, and a file that somebody changed at the destination.
    let after =
        Nodes::from([(path("new"), file("uno")), (path("dir"), Node::Dir), (path("dir/other"), file("two"))]);
    plant(&here, &after);
    let destination = MemoryStore::new([
        (path("old"), file("one")),
        (
            path("other"),
            Node::File { content: b"TWO".to_vec(), mtime: Mtime::from_unix(1_000_000_007, 0).unwrap() },
        ),
    ]);
    let report = push(&here, &destination, &state, &options());
    assert!(
        report.plan.actions.held().iter().all(|action| action.deed != Deed::Rename),
        "{:?}",
        report.plan.actions
    );
    assert_eq!(destination.nodes(), after);
}

#[test]
fn without_delete_or_with_no_renames_nothing_is_renamed() {
    let file = Node::File { content: b"same".to_vec(), mtime: Mtime::from_unix(1_000_000_000, 0).unwrap() };
    for changed in [
        RunOptions { delete: false, ..options() },
        RunOptions { renames: false, ..options() },
        RunOptions { presence: Presence::OnlyExisting, ..options() },
        RunOptions {
            compare: CompareOptions { basis: Basis::Always, ..CompareOptions::default() },
            ..options()
        },
    ] {
        let source = MemoryStore::new([(path("new"), file.clone())]).with_checksums();
        let destination = MemoryStore::new([(path("old"), file.clone())]).with_checksums();
        let report = mirror(&source, &destination, &changed).unwrap();
        assert!(
            report
                .plan
                .actions
                .iter()
                .all(|action| action.deed != Deed::Rename && action.kind() == Kind::File)
        );
    }
}

#[test]
fn a_file_that_was_sent_instead_and_is_still_there_twice_is_told() {
    let file = |content: &str| Node::File {
        content: content.into(),
        mtime: Mtime::from_unix(1_000_000_000, 0).unwrap(),
    };
    let source =
        MemoryStore::new([(path("new"), file("same")), (path("p"), Node::Other), (path("z"), file("zz"))])
            .with_checksums();
    let nodes = [(path("old"), file("same")), (path("z"), Node::Other)];
    let destination = MemoryStore::new(nodes).with_checksums().without_renames();
    // Something else can't be done, so that nothing is removed.
    let report = mirror(&source, &destination, &options()).unwrap();
    let (_, outcome) =
        report.plan.actions.held().iter().zip(&report.outcomes).find(|(a, _)| is_renamed(a)).unwrap();
    let error = outcome.error.as_deref().unwrap();
    assert!(error.starts_with("`old` was sent as `new` and is still there, too: not done, since"), "{error}");
    assert_eq!(outcome.bytes, 4);
    assert!(
        report.notes.iter().any(|note| note.contains("1 file was sent under a new name")),
        "{:?}",
        report.notes
    );
    let after = destination.nodes();
    assert!(after.contains_key(&path("old")) && after.contains_key(&path("new")));
}
