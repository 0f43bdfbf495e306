use std::fs;

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::{Mtime, Precision, Receipts, Seen, Zone};

fn pair() -> Pair {
    Pair { source: "/srv/www".into(), destination: "ftp://host/www".into() }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn receipt(size: u64) -> Receipt {
    let seen = Seen { size, listed: None, exact: Mtime::from_unix(1_000_000_000, 0), fresh: false };
    Receipt { source: seen, destination: seen, hash: Some([7; 32]), undated: false }
}

fn open(path: &Path) -> State {
    opened(path).0
}

fn opened(path: &Path) -> (State, Receipts) {
    let (state, receipts, aside) = State::open(path, &pair(), &Spill::never()).unwrap();
    assert!(aside.is_none(), "{aside:?}");
    (state, receipts.iter().map(|kept| (kept.path, kept.receipt)).collect())
}

#[test]
fn what_was_recorded_is_there_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new/dir/state.sqlite");
    let state = open(&file);
    state.record(&path("a/b"), Some(receipt(1))).unwrap();
    state.record(&path("gone"), Some(receipt(2))).unwrap();
    state.record(&path("gone"), None).unwrap();
    let undated = Receipt { undated: true, ..receipt(3) };
    state.record(&path("a/b"), Some(undated)).unwrap();
    drop(state);
    assert_eq!(opened(&file).1, Receipts::from([(path("a/b"), undated)]));
}

#[test]
fn what_was_flushed_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.sqlite");
    let state = open(&file);
    state.record(&path("a"), Some(receipt(1))).unwrap();
    state.flush().unwrap();
    std::mem::forget(state);
    assert_eq!(opened(&file).1.len(), 1);
}

#[test]
fn a_kill_in_the_midst_of_a_change_leaves_a_file_that_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let [file, killed] = ["state.sqlite", "killed.sqlite"].map(|name| dir.path().join(name));
    let state = open(&file);
    state.record(&path("a"), Some(receipt(1))).unwrap();
    drop(state);
    // More than it holds in memory, so that some of it is in the file before the end.
    let changing = Connection::open(&file).unwrap();
    changing
        .execute_batch(
            "PRAGMA cache_size = 2; BEGIN; CREATE TABLE more (x); WITH RECURSIVE n (i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO more SELECT zeroblob(4000) FROM n;",
        )
        .unwrap();
    for end in ["", "-journal"] {
        let of = |file: &Path| format!("{}{end}", file.display());
        fs::copy(of(&file), of(&killed)).unwrap();
    }
    assert!(State::peek(&killed, &pair(), &Spill::never()).is_err(), "who may not write can't read it");
    let (_, receipts) = opened(&killed);
    assert_eq!(receipts.keys().collect::<Vec<_>>(), [&path("a")]);
}

#[test]
fn a_file_that_cannot_be_used_is_set_aside_and_another_made() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("zeros", |file| fs::write(file, vec![0; 8192]).unwrap()),
        ("truncated", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2 - 100]).unwrap();
        }),
        ("a page overwritten", |file| {
            let mut bytes = fs::read(file).unwrap();
            let last = bytes.len() - 4096;
            bytes[last..].fill(0xA5);
            fs::write(file, bytes).unwrap();
        }),
        ("a newer version", |file| {
            Connection::open(file).unwrap().pragma_update(None, "user_version", 99).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.sqlite");
        let state = open(&file);
        for i in 0..500 {
            state.record(&path(&format!("d{}/f{i}", i % 7)), Some(receipt(i))).unwrap();
        }
        drop(state);
        harm(&file);
        assert!(State::peek(&file, &pair(), &Spill::never()).is_err(), "{what}: believed at a glance");
        let (state, receipts, aside) = State::open(&file, &pair(), &Spill::never()).unwrap();
        let aside = aside.unwrap_or_else(|| panic!("{what}: believed"));
        assert!(aside.to.exists() && aside.to.to_string_lossy().contains("unusable-1"), "{what}");
        assert!(aside.to_string().contains("nothing of it was believed"), "{what}: {aside}");
        assert!(receipts.is_empty(), "{what}");
        state.record(&path("a"), Some(receipt(1))).unwrap();
        drop(state);
        assert_eq!(opened(&file).1.len(), 1, "{what}");
    }
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (text, database) = (dir.path().join("notes.txt"), dir.path().join("live.db"));
    fs::write(&text, "buy milk").unwrap();
    let live = Connection::open(&database).unwrap();
    live.pragma_update(None, "journal_mode", "WAL").unwrap();
    live.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('buy milk')").unwrap();
    for file in [&text, &database] {
        assert!(State::open(file, &pair(), &Spill::never()).is_err(), "{}", file.display());
    }
    assert_eq!(fs::read(&text).unwrap(), b"buy milk");
    let notes: i64 = live.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(notes, 1);
    assert!(Connection::open(&database).unwrap().query_row("SELECT * FROM notes", [], |_| Ok(())).is_ok());

    let shared = dir.path().join("shared.sqlite");
    open(&shared).record(&path("a"), Some(receipt(1))).unwrap();
    let other = Pair { source: "/etc".into(), ..pair() };
    assert!(State::open(&shared, &other, &Spill::never()).unwrap_err().to_string().contains("another pair"));
    assert_eq!(opened(&shared).1.len(), 1, "it is still there");
}

#[test]
fn runs_that_begin_together_share_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.sqlite");
    std::thread::scope(|scope| {
        for i in 0..8 {
            let file = &file;
            scope.spawn(move || open(file).record(&path(&format!("f{i}")), Some(receipt(i))).unwrap());
        }
    });
    assert_eq!(opened(&file).1.len(), 8);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was set aside or left beside it");
}

#[test]
fn an_empty_file_is_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.sqlite");
    fs::write(&file, "").unwrap();
    assert!(opened(&file).1.is_empty());
}

/// As another run that has just begun leaves it, for a moment.
#[test]
fn a_database_without_anything_in_it_is_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.sqlite");
    Connection::open(&file).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
    assert!(fs::metadata(&file).unwrap().len() > 0);
    assert!(State::peek(&file, &pair(), &Spill::never()).unwrap().is_empty());
    open(&file).record(&path("a"), Some(receipt(1))).unwrap();
    assert_eq!(opened(&file).1.len(), 1);
}

#[test]
fn a_look_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.sqlite");
    assert!(State::peek(&file, &pair(), &Spill::never()).unwrap().is_empty() && !file.exists());
    open(&file).record(&path("a"), Some(receipt(1))).unwrap();
    let before = fs::read(&file).unwrap();
    assert_eq!(State::peek(&file, &pair(), &Spill::never()).unwrap().paths().count(), 1);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn pairs_have_files_of_their_own() {
    let one = Pair { source: "a>b".into(), destination: "c".into() };
    let other = Pair { source: "a".into(), destination: "b>c".into() };
    assert_ne!(one.file_name(), other.file_name());
    assert_eq!(one.file_name(), one.clone().file_name());
}

fn mtime() -> impl Strategy<Value = Mtime> {
    let precisions = prop_oneof![Just(Precision::Second), Just(Precision::Minute), Just(Precision::Day)];
    (-4_000_000_000i64..9_000_000_000, precisions).prop_map(|(at, precision)| Mtime {
        precision,
        zone: Zone::Unknown,
        ..Mtime::from_unix(at, 0).unwrap()
    })
}

fn seen() -> impl Strategy<Value = Seen> {
    let exact =
        option::of((-4_000_000_000i64..9_000_000_000).prop_map(|at| Mtime::from_unix(at, 0).unwrap()));
    (0..=i64::MAX as u64, option::of(mtime()), exact, any::<bool>())
        .prop_map(|(size, listed, exact, fresh)| Seen { size, listed, exact, fresh })
}

proptest! {
    #[test]
    fn every_receipt_comes_back_as_it_was(source in seen(), destination in seen(), hash in option::of(any::<[u8; 32]>()), undated: bool) {
        let receipt = Receipt { source, destination, hash, undated };
        prop_assert_eq!(Row::of(&receipt).receipt(), Some(receipt));
    }

    #[test]
    fn keys_keep_the_order_of_paths(a in "[ab/!-]{1,8}", b in "[ab/!-]{1,8}") {
        if let (Ok(a), Ok(b)) = (RelPath::parse(&a), RelPath::parse(&b)) {
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            prop_assert_eq!(path_of(&key(&a)), Some(a.clone()));
            if a.as_bytes().contains(&b'/') {
                prop_assert_eq!(path_of(a.as_bytes()), None);
            }
        }
    }
}

#[test]
fn whose_temporary_files_are_depends_on_places_and_handler() {
    let pair =
        |source: &str, destination: &str| Pair { source: source.into(), destination: destination.into() };
    let owners = [
        pair("a", "b").owner(b"host"),
        pair("b", "a").owner(b"host"),
        pair("a", "b").owner(b"other"),
        pair("a", "bh").owner(b"ost"),
        pair("a", "b").owner(b""),
    ];
    let unique: std::collections::BTreeSet<u64> = owners.into_iter().collect();
    assert_eq!(unique.len(), owners.len());
    assert_eq!(pair("a", "b").owner(b"host"), owners[0]);
}

#[test]
fn receipts_that_memory_is_not_meant_for_are_the_same_ones() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.sqlite");
    let state = open(&file);
    let known: Vec<RelPath> =
        (0..500).flat_map(|i| [path(&format!("d{i}")), path(&format!("d{}/é-{i}", i % 7))]).collect();
    for (path, size) in known.iter().zip(0..) {
        state.record(path, Some(receipt(size))).unwrap();
    }
    drop(state);
    let held = State::peek(&file, &pair(), &Spill::never()).unwrap();
    for most in [0, 1000, 100_000] {
        let put = State::peek(&file, &pair(), &Spill::to(dir.path().to_owned(), most)).unwrap();
        assert!(!put.is_empty());
        assert_eq!(put.paths().count(), known.len());
        for path in &known {
            assert!(put.get(path).is_some() && put.get(path) == held.get(path), "{path}");
        }
        assert_eq!(put.get(&path("nobody")), None);
    }
}

#[test]
fn what_was_taken_over_is_known_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.sqlite");
    let state = open(&file);
    assert!(!state.has_taken("a").unwrap());
    state.record(&path("f"), Some(receipt(1))).unwrap();
    state.take("a").unwrap();
    state.take("a").unwrap();
    drop(state);
    let (state, receipts) = opened(&file);
    assert!(state.has_taken("a").unwrap() && !state.has_taken("b").unwrap());
    assert_eq!(receipts.len(), 1);
}
