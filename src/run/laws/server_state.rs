//! The law of receipts on a server: whoever writes there, whatever breaks, and in which order: a receipt that fits what is there tells
//! its content.
//!
//! Everything is made to look alike: all files have one size and one time, so that nothing but receipts could tell them apart.

use std::fs::{self, File, FileTimes};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::*;
use crate::compare::CompareOptions;
use crate::model::{Likeness, STATE_NAME};
use crate::state::{PACK_LIMITS, unpack};
use crate::store::local::LocalStore;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A run of one machine: the contents of its files, and what happens to it.
#[derive(Clone, Debug)]
struct Turn {
    contents: [Option<u8>; 3],
    basis: Basis,
    /// The operation at which it is killed.
    killed_at: Option<usize>,
}

fn turn() -> impl Strategy<Value = Turn> {
    let content = || proptest::option::weighted(0.9, 0u8..3);
    let basis = prop_oneof![4 => Just(Basis::Checksum), 1 => Just(Basis::SizeTime), 1 => Just(Basis::Always)];
    ((content(), content(), content()), basis, proptest::option::weighted(0.3, 0usize..40))
        .prop_map(|((a, b, c), basis, killed_at)| Turn { contents: [a, b, c], basis, killed_at })
}

impl Turn {
    fn run(&self, server: &MemoryStore, observer: &dyn Observer) {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in NAMES.iter().zip(self.contents) {
            let Some(content) = content else { continue };
            let file = dir.path().join(name);
            fs::write(&file, [content; 4]).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_times(FileTimes::new().set_modified(time))
                .unwrap();
        }
        let store: Arc<dyn Store> = Arc::new(LocalStore::new(dir.path()));
        let options = RunOptions {
            state: Some(StateOptions::OnServer),
            compare: CompareOptions { basis: self.basis, ..CompareOptions::default() },
            ..options()
        };
        // From the fault on nothing works any more, as after a kill.
        let server = server.clone();
        server.clear_faults();
        if let Some(at) = self.killed_at {
            let at = at + server.operations();
            server.clone().with_faults((at..at + 200).map(|i| (i, Remedy::Abort)));
        }
        // A run that was killed has no report.
        let _ = run(&store, &(Arc::new(server.clone()) as Arc<dyn Store>), &options, observer);
        server.clear_faults();
    }
}

/// Lets another machine have its turn once, at some moment of a run.
struct Meanwhile<'t> {
    other: &'t Turn,
    server: &'t MemoryStore,
    moment: usize,
    over: AtomicBool,
}

impl Observer for Meanwhile<'_> {
    fn event(&self, event: &Event<'_>) {
        let is_now = match event {
            Event::Listed { .. } => self.moment == 0,
            Event::Planned { .. } => self.moment == 1,
            Event::Finished { .. } => self.moment == 2,
            _ => false,
        };
        if is_now && !self.over.swap(true, Ordering::Relaxed) {
            self.other.run(self.server, &Silent);
        }
    }
}

/// Returns what the file on the server tells wrongly.
fn lies(server: &MemoryStore) -> Vec<String> {
    let nodes = server.nodes();
    let Some(Node::File { content, .. }) = nodes.get(&path(STATE_NAME)) else { return vec![] };
    let receipts = unpack(content, PACK_LIMITS).expect("what is there is whole");
    let tells_lies = |(path, receipt): (&RelPath, &crate::model::Receipt)| {
        let Some(Node::File { content, mtime }) = nodes.get(path) else { return None };
        let entry = crate::model::Entry::file(path.clone(), content.len() as u64, Some(*mtime));
        let fits = receipt.destination.compare(&entry) == Likeness::Same;
        let is_wrong = receipt.hash.is_some_and(|hash| {
            hash != *blake3::hash(content).as_bytes() && hash != crate::model::Receipt::DOUBT
        });
        (fits && is_wrong).then(|| format!("{path} is {content:?}"))
    };
    receipts.iter().filter_map(tells_lies).collect()
}

/// Runs that are killed leave the receipt of a file that is gone, and then another one has its name.
#[test]
fn what_a_file_was_before_is_not_believed_of_the_one_that_gets_its_name() {
    let turn = |contents, killed_at| Turn { contents, basis: Basis::Checksum, killed_at };
    let mut renamed = 0;
    for (deleted_at, renamed_at) in (0..20).flat_map(|i| (0..20).map(move |j| (i, j))) {
        let server = MemoryStore::default();
        turn([Some(1), None, Some(2)], None).run(&server, &Silent);
        turn([Some(1), None, None], Some(deleted_at)).run(&server, &Silent);
        turn([None, None, Some(1)], Some(renamed_at)).run(&server, &Silent);
        renamed += usize::from(server.journal().contains(&"rename a c".to_owned()));
        assert_eq!(lies(&server), Vec::<String>::new(), "{deleted_at} {renamed_at}");
    }
    assert!(renamed > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_receipt_on_a_server_that_fits_tells_the_content(
        turns in vec((turn(), proptest::option::weighted(0.4, (turn(), 0usize..3))), 1..6),
    ) {
        let server = MemoryStore::default().with_others();
        for (turn, meanwhile) in &turns {
            match meanwhile {
                // A fault is counted by operations, which the other one's are among.
                Some((other, moment)) => {
                    let other = Turn { killed_at: None, ..other.clone() };
                    let turn = Turn { killed_at: None, ..turn.clone() };
                    turn.run(&server, &Meanwhile { other: &other, server: &server, moment: *moment, over: AtomicBool::new(false) });
                }
                None => turn.run(&server, &Silent),
            }
            prop_assert_eq!(lies(&server), Vec::<String>::new(), "after {:?}", turn);
        }
    }

    #[test]
    fn a_fresh_machine_with_the_same_contents_has_nothing_to_do(contents: [Option<bool>; 3]) {
        let contents = contents.map(|content| content.map(u8::from));
        let turn = Turn { contents, basis: Basis::Checksum, killed_at: None };
        let server = MemoryStore::default();
        turn.run(&server, &Silent);
        let journal = server.journal();
        turn.run(&server, &Silent);
        prop_assert_eq!(server.journal(), journal);
        // Nor has one after all was sent again.
        Turn { basis: Basis::Always, ..turn.clone() }.run(&server, &Silent);
        let journal = server.journal();
        turn.run(&server, &Silent);
        prop_assert_eq!(server.journal(), journal);
    }
}
