use proptest::prelude::*;

use super::*;
use crate::model::Kind;

fn path(bytes: impl AsRef<[u8]>) -> RelPath {
    RelPath::parse(bytes).unwrap()
}

/// Reads a listing of the root; returns the paths and the doubt.
fn read(names: &Names, listed: &[&[u8]]) -> (Vec<String>, Option<String>) {
    read_in(names, &RelPath::root(), &RelPath::root(), listed)
}

fn read_in(names: &Names, dir: &RelPath, own: &RelPath, listed: &[&[u8]]) -> (Vec<String>, Option<String>) {
    let entries = listed.iter().map(|name| Entry::new(own.join(name).unwrap(), Kind::File)).collect();
    let listing = names.read_listing(dir, own, DirListing { entries, ..DirListing::default() });
    let paths = listing.entries.iter().map(|entry| entry.path.to_string()).collect();
    (paths, listing.doubt.map(|doubt| doubt.0))
}

fn own(names: &Names, at: &str) -> Vec<u8> {
    names.own(&path(at)).unwrap().as_bytes().to_vec()
}

#[test]
fn what_was_read_is_addressed_by_its_own_bytes_with_all_below_it() {
    let names = Names::of_server(None);
    let root = RelPath::root();
    let (read, doubt) = read(&names, &[b"caf\xe9", "na\u{ef}ve".as_bytes(), "u\u{308}".as_bytes(), b"plain"]);
    assert_eq!((&read[..], doubt), (&["café", "naïve", "\u{fc}", "plain"].map(String::from)[..], None));
    let (read, _) = read_in(&names, &path("café"), &path(b"caf\xe9"), &[b"\xfc", b"x"]);
    assert_eq!(read, ["café/ü", "café/x"]);
    for (at, there) in [
        ("café", &b"caf\xe9"[..]),
        ("café/ü", b"caf\xe9/\xfc"),
        ("café/x", b"caf\xe9/x"),
        ("café/new/deep", b"caf\xe9/new/deep"),
        ("naïve/x", "naïve/x".as_bytes()),
        ("ü", "u\u{308}".as_bytes()),
        ("plain", b"plain"),
    ] {
        assert_eq!(own(&names, at), there, "{at}");
    }
    assert_eq!(names.own(&root), Ok(root));
}

#[test]
fn targets_of_links_are_text_too_in_the_form_they_have() {
    let (latin_1, utf_8) = (Names::of_server(Charset::named("latin1")), Names::of_server(None));
    for (names, there, text) in [
        (&latin_1, &b"../caf\xe9"[..], Some("../café")),
        (&utf_8, b"../caf\xe9", Some("../café")),
        (&utf_8, "u\u{308}/x".as_bytes(), Some("u\u{308}/x")),
        (&Names::of_server(Charset::named("shift_jis")), b"\xff\xff", None),
    ] {
        let mut link = Entry::new(path("l"), Kind::Symlink);
        link.target = Some(there.into());
        let listing = DirListing { entries: vec![link], ..DirListing::default() };
        let read = names.read_listing(&RelPath::root(), &RelPath::root(), listing);
        assert_eq!(read.doubt, None);
        assert_eq!(read.entries[0].target.as_deref(), text.map(str::as_bytes));
    }
    assert_eq!(&*latin_1.write_target("../café".as_bytes()).unwrap(), b"../caf\xe9");
    assert_eq!(&*utf_8.write_target("../café".as_bytes()).unwrap(), "../café".as_bytes());
    assert!(latin_1.write_target("漢".as_bytes()).is_err());
}

#[test]
fn new_names_are_latin_1_only_where_all_that_was_seen_is() {
    let (latin_1, utf_8) = (&b"caf\xe9"[..], "caf\u{e9}s".as_bytes());
    for (seen, new, there) in [
        (&[][..], "ü", "ü".as_bytes()),
        (&[latin_1], "ü", b"\xfc"),
        (&[latin_1], "ü/ä", b"\xfc/\xe4"),
        (&[latin_1], "漢", "漢".as_bytes()),
        // Latin-1 that would be read as UTF-8, and the byte that no command carries.
        (&[latin_1], "Ã¤", "Ã¤".as_bytes()),
        (&[latin_1], "ÿ", "ÿ".as_bytes()),
        (&[utf_8], "ü", "ü".as_bytes()),
        (&[latin_1, utf_8], "ü", "ü".as_bytes()),
    ] {
        let names = Names::of_server(None);
        read(&names, seen);
        assert_eq!(own(&names, new), there, "{new}");
    }
    let disk = Names::of_disk();
    read(&disk, &[latin_1]);
    assert_eq!(own(&disk, "ü"), "ü".as_bytes());
}

#[test]
fn a_charset_decides_alone() {
    let names = Names::of_server(Charset::named("shift_jis"));
    let (paths, doubt) = read(&names, &[b"\x83\x5c", b"\x83"]);
    assert_eq!(paths, ["ソ"]);
    assert_eq!(
        doubt.unwrap(),
        "the name `\\x83` can't be believed: it is not Shift_JIS, or would not come back as it was"
    );
    assert_eq!(own(&names, "ソ/テ"), b"\x83\x5c/\x83\x65");
    assert_eq!(names.own(&path("é")), Err(NameError::Unencodable("Shift_JIS")));
    // Decomposed on the other side, and encoded all the same.
    let names = Names::of_server(Charset::named("latin1"));
    let model = Names::of_disk();
    read(&model, &["e\u{301}".as_bytes()]);
    names.follow(&model, &Tree::default());
    assert_eq!(own(&names, "é"), b"\xe9");
}

#[test]
fn names_that_read_alike_are_not_touched() {
    for alike in [[&b"caf\xe9"[..], "caf\u{e9}".as_bytes()], ["e\u{301}".as_bytes(), "\u{e9}".as_bytes()]] {
        let names = Names::of_server(None);
        let (paths, doubt) = read(&names, &[alike[0], b"other", alike[1]]);
        assert_eq!(paths, ["other"]);
        assert!(doubt.unwrap().starts_with("several names there read as `"));
        let ambiguous = if alike[0] == b"caf\xe9" { "café/x" } else { "é/x" };
        assert_eq!(names.own(&path(ambiguous)), Err(NameError::Several));
        assert_eq!(own(&names, "other"), b"other");
    }
}

#[test]
fn a_name_listed_twice_is_left_for_the_tree_to_judge() {
    let (paths, doubt) = read(&Names::of_server(None), &["ü".as_bytes(), "ü".as_bytes()]);
    assert_eq!((paths.len(), doubt), (2, None));
}

#[test]
fn new_names_have_the_form_they_have_on_the_other_side() {
    let model = Names::of_disk();
    read(&model, &["u\u{308}".as_bytes(), b"caf\xe9", "\u{212a}".as_bytes()]);
    let names = Names::of_server(None);
    names.follow(&model, &Tree::default());
    assert_eq!(own(&names, "\u{fc}/x"), "u\u{308}/x".as_bytes());
    assert_eq!(own(&names, "caf\u{e9}"), "caf\u{e9}".as_bytes());
    assert_eq!(own(&names, "K"), "\u{212a}".as_bytes());
    // Those that are there keep theirs.
    let names = Names::of_server(None);
    let there = Entry::new(path("\u{fc}"), Kind::Dir);
    names.follow(&model, &Tree::new(vec![there], Default::default()));
    assert_eq!(own(&names, "\u{fc}/x"), "\u{fc}/x".as_bytes());
    // And a server of Latin-1 has no decomposed ones.
    let names = Names::of_server(None);
    read(&names, &[b"caf\xe9"]);
    names.follow(&model, &Tree::default());
    assert_eq!(own(&names, "\u{fc}"), b"\xfc");
}

proptest! {
    #[test]
    fn what_is_read_comes_back_as_it_was(
        label in proptest::sample::select(&[None, Some("utf-8"), Some("latin1"), Some("shift_jis"), Some("gb18030")][..]),
        names in proptest::collection::vec(any::<Vec<u8>>(), 1..6),
        text in "\\PC{0,4}",
    ) {
        let spelling = Names::of_server(label.and_then(Charset::named));
        let listed: Vec<RelPath> = names.iter().map(Vec::as_slice).chain([text.as_bytes()])
            .filter_map(|name| RelPath::root().join(name).ok())
            .collect();
        let entries = listed.iter().map(|path| Entry::new(path.clone(), Kind::File)).collect();
        let listing = DirListing { entries, ..DirListing::default() };
        let root = RelPath::root();
        let read = spelling.read_listing(&root, &root, listing);
        for entry in &read.entries {
            let there = spelling.own(&entry.path).unwrap();
            prop_assert!(listed.contains(&there), "{:?} is not there", there);
            let text = std::str::from_utf8(entry.path.as_bytes());
            prop_assert!(text.is_ok_and(is_nfc), "{:?}", entry.path);
        }
        prop_assert!(read.doubt.is_some() || read.entries.len() == listed.len());
    }

    #[test]
    fn a_new_name_is_read_back_as_it_was_meant(
        label in proptest::sample::select(&[None, Some("latin1"), Some("shift_jis"), Some("gb18030")][..]),
        latin_1: bool,
        new in "\\PC{1,4}",
    ) {
        let spelling = Names::of_server(label.and_then(Charset::named));
        if latin_1 {
            read(&spelling, &[b"caf\xe9"]);
        }
        let composed: String = new.nfc().collect();
        if let Ok(path) = RelPath::root().join(&composed)
            && let Ok(there) = spelling.own(&path)
        {
            let again = Names::of_server(label.and_then(Charset::named));
            let (paths, doubt) = read(&again, &[there.name()]);
            prop_assert_eq!((paths, doubt), (vec![path.to_string()], None));
        }
    }
}
