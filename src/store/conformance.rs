//! What every store promises, tried on each of them.

use std::sync::Arc;

use crate::ftp::client::ClientOptions;
use crate::ftp::connect::Timeouts;
use crate::ftp::data::DataMode;
use crate::ftp::login::Credentials;
use crate::model::{Cancel, Kind, Mtime, RelPath};
use crate::server::{Access, ServeOptions, Server};
use crate::store::ftp::{FtpStore, RemoteRoot};
use crate::store::local::LocalStore;
use crate::store::memory::MemoryStore;
use crate::store::{
    Area, Begun, Charset, Continued, Dating, HeldFile, LinkRequest, Named, Names, PartRequest, Permitting,
    ReadRequest, Renaming, Session, Settle, Store, StoreResult, Version, Way, WriteRequest, Written,
};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn mtime() -> Mtime {
    Mtime::from_unix(1_000_000_000, 0).unwrap()
}

/// Runs `check` on an empty store of each kind.
fn each_store(check: impl Fn(&mut dyn Session)) {
    check(&mut *MemoryStore::default().connect().unwrap());
    let latin_1 = Names::of_server(Charset::named("latin1"));
    check(&mut *Named::new(MemoryStore::default(), latin_1).connect().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    let local = LocalStore::new(dir.path()).with_aside(aside.path().join("of/run"));
    check(&mut *local.connect().unwrap());
    let servers =
        [(DataMode::Passive, "", true), (DataMode::Active, "sub/root", true), (DataMode::Passive, "", false)];
    for (data_mode, root, renames_onto_files) in servers {
        let dir = tempfile::tempdir().unwrap();
        let served =
            ServeOptions { access: Access::Write, renames_onto_files, ..ServeOptions::new(dir.path()) };
        let server = Server::start(served).unwrap();
        let options = ClientOptions {
            host: server.address().ip().to_string(),
            port: server.address().port(),
            credentials: Credentials::anonymous(),
            utf_8: true,
            timeouts: Timeouts::default(),
            data_mode,
            tls: None,
            transcript: None,
            cancel: Cancel::new(),
        };
        let store = FtpStore::new(options, RemoteRoot::Home(root.into()), server.url());
        let store = store.with_aside(RemoteRoot::Absolute("/.aside/of/run".into()));
        let mut session = store.connect().unwrap();
        session.make_root().unwrap();
        check(&mut *session);
        server.stop();
    }
}

fn write(session: &mut dyn Session, name: &str, content: &[u8]) -> StoreResult<()> {
    let request = WriteRequest {
        path: path(name),
        temporary: path(&format!("{name}.part")),
        size: Some(content.len() as u64),
        mtime: Some(mtime()),
        mode: None,
        replaces: true,
        held: false,
    };
    let mut outgoing = session.write(&request, None)?;
    for block in content.chunks(3) {
        outgoing.write(block)?;
    }
    outgoing.finish()?;
    for (settled, result) in session.settle(Settle::All) {
        assert_eq!(settled, path(name));
        let written = result?;
        assert_eq!((written.bytes, written.time_set), (content.len() as u64, true));
    }
    Ok(())
}

fn read(session: &mut dyn Session, name: &str) -> StoreResult<Vec<u8>> {
    let mut incoming = session.read(&ReadRequest { path: path(name), size: None }, None)?;
    let (mut content, mut block) = (vec![], [0; 5]);
    loop {
        match incoming.read(&mut block)? {
            0 => break,
            n => content.extend_from_slice(&block[..n]),
        }
    }
    assert_eq!(incoming.finish()?, content.len() as u64);
    Ok(content)
}

fn names(session: &mut dyn Session, dir: &RelPath) -> Vec<String> {
    let listing = session.list(std::slice::from_ref(dir)).remove(0).unwrap();
    assert_eq!(listing.doubt, None);
    // The server's store sets things aside in its own tree.
    let entries = listing.entries.iter().filter(|entry| entry.path.as_bytes() != b".aside");
    let mut names: Vec<_> = entries.map(|e| format!("{} {}", e.kind.as_str(), e.path)).collect();
    names.sort();
    names
}

fn all_ok(results: Vec<StoreResult<()>>) {
    for result in results {
        result.unwrap();
    }
}

#[test]
fn what_is_written_is_listed_and_read_back() {
    each_store(|session| {
        assert!(session.root_exists().unwrap());
        all_ok(session.make_dirs(&[path("d"), path("d/e e")]));
        for (name, content) in
            [("a.txt", &b"hello, world"[..]), ("d/ü -x", b"\0\r\n\xff"), ("d/e e/empty", b"")]
        {
            write(session, name, content).unwrap();
            assert_eq!(read(session, name).unwrap(), content, "{name}");
        }
        assert_eq!(names(session, &RelPath::root()), ["dir d", "file a.txt"]);
        assert_eq!(names(session, &path("d")), ["dir d/e e", "file d/ü -x"]);
        let listing = session.list(&[RelPath::root()]).remove(0).unwrap();
        let file = listing.entries.iter().find(|e| e.kind == Kind::File).unwrap();
        assert_eq!((file.size, file.mtime), (Some(12), Some(mtime())));
    });
}

#[test]
fn a_file_is_replaced_whole() {
    each_store(|session| {
        write(session, "a", b"a longer text").unwrap();
        write(session, "a", b"short").unwrap();
        assert_eq!(read(session, "a").unwrap(), b"short");
        assert_eq!(names(session, &RelPath::root()), ["file a"]);
    });
}

#[test]
fn results_stand_in_the_order_of_the_requests_and_one_failure_hides_no_other() {
    each_store(|session| {
        all_ok(session.make_dirs(&[path("d")]));
        write(session, "d/f", b"x").unwrap();
        let made = session.make_dirs(&[path("a"), path("no/where"), path("b"), path("d/f")]);
        assert_eq!(made.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
        let listed = session.list(&[path("a"), path("no"), path("d")]);
        assert_eq!(listed.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(listed[2].as_ref().unwrap().entries.len(), 1);
    });
}

#[test]
fn removing_is_done_once_and_asked_twice_without_harm() {
    each_store(|session| {
        all_ok(session.make_dirs(&[path("d"), path("d/e"), path("full")]));
        write(session, "d/f", b"x").unwrap();
        write(session, "full/f", b"x").unwrap();
        all_ok(session.remove_files(&[path("d/f"), path("d/f"), path("never")]));
        all_ok(session.remove_dirs(&[path("d/e"), path("d"), path("d")]));
        let full = session.remove_dirs(&[path("full")]);
        assert!(full[0].is_err());
        assert_eq!(names(session, &RelPath::root()), ["dir full"]);
        all_ok(session.make_dirs(&[path("full")]));
    });
}

#[test]
fn files_get_other_names_and_one_that_cannot_hides_no_other() {
    each_store(|session| {
        all_ok(session.make_dirs(&[path("d"), path("e e")]));
        for name in ["a", "b", "d/c"] {
            write(session, name, name.as_bytes()).unwrap();
        }
        let renaming = |(from, to): &(&str, &str)| Renaming { from: path(from), to: path(to) };
        let renamings = [("a", "e e/ü"), ("none", "n"), ("b", "no/where"), ("d/c", "c")];
        let renamed = session.rename_files(&renamings.each_ref().map(renaming));
        assert_eq!(renamed.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!(names(session, &RelPath::root()), ["dir d", "dir e e", "file b", "file c"]);
        // As after a reply that was lost.
        let again = session.rename_files(&renamings.each_ref().map(renaming));
        assert_eq!(again.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
        assert_eq!(read(session, "e e/ü").unwrap(), b"a");
        assert_eq!(read(session, "c").unwrap(), b"d/c");
    });
}

/// As [`write`], under the temporary name alone.
fn write_held(session: &mut dyn Session, name: &str, content: &[u8]) -> HeldFile {
    let (path, temporary) = (path(name), path(&format!("{name}.part")));
    let size = Some(content.len() as u64);
    let request = WriteRequest {
        path: path.clone(),
        temporary: temporary.clone(),
        size,
        mtime: Some(mtime()),
        mode: None,
        replaces: true,
        held: true,
    };
    let mut outgoing = session.write(&request, None).unwrap();
    outgoing.write(content).unwrap();
    outgoing.finish().unwrap();
    let (settled, written) = session.settle(Settle::All).pop().unwrap();
    assert_eq!((settled, written.unwrap().bytes), (path.clone(), content.len() as u64));
    HeldFile { path, temporary, bytes: content.len() as u64, mtime: Some(mtime()), of_earlier: false }
}

#[test]
fn files_that_are_held_get_their_names_together_and_in_the_place_of_others() {
    each_store(|session| {
        all_ok(session.make_dirs(&[path("d"), path("e e")]));
        write(session, "a", b"old").unwrap();
        let mut held: Vec<HeldFile> = [("a", &b"new"[..]), ("d/ü", b"x"), ("e e", b"in a directory's place")]
            .map(|(name, content)| write_held(session, name, content))
            .into();
        assert_eq!(read(session, "a").unwrap(), b"old", "nothing has changed yet");
        held.push(HeldFile { path: path("none"), temporary: path("none.part"), ..held[0].clone() });
        let published = session.publish_files(&held);
        assert_eq!(published.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!(read(session, "a").unwrap(), b"new");
        assert_eq!(session.version(&path("a")).unwrap().mtime, Some(mtime()));
        assert_eq!(names(session, &RelPath::root()), ["dir d", "dir e e", "file a", "file e e.part"]);
        assert_eq!(names(session, &path("d")), ["file d/ü"]);
    });
}

#[test]
fn a_file_that_has_its_name_already_is_published_though_nobody_heard_of_it() {
    each_store(|session| {
        // What is temporary has a name by which nobody else's file goes.
        let held = [write_held(session, "a", b"new")];
        all_ok(session.publish_files(&held));
        // As after a reply that was lost.
        all_ok(session.publish_files(&held));
        let other = [HeldFile { bytes: 7, ..held[0].clone() }];
        assert!(session.publish_files(&other)[0].is_err(), "that is another file");
        // Of a file that an earlier run has sent, the size says too little: the old one may have it.
        let later = Mtime::from_unix(mtime().at.timestamp() + 100_000, 0);
        for (mtime, is_it) in [(Some(mtime()), true), (later, false), (None, false)] {
            let earlier = [HeldFile { mtime, of_earlier: true, ..held[0].clone() }];
            assert_eq!(session.publish_files(&earlier)[0].is_ok(), is_it, "{mtime:?}");
        }
    });
}

#[test]
fn files_are_set_aside_and_come_back_and_none_takes_the_place_of_another() {
    each_store(|session| {
        all_ok(session.make_dirs(&[path("d")]));
        for name in ["a", "d/ü", "c"] {
            write(session, name, name.as_bytes()).unwrap();
        }
        session.switch(Area::Aside);
        session.make_root().unwrap();
        all_ok(session.make_dirs(&[path("d")]));
        write(session, "of it", b"x").unwrap();
        assert_eq!(names(session, &RelPath::root()), ["dir d", "file of it"]);
        session.switch(Area::Tree);
        let carry = |name: &str| Renaming { from: path(name), to: path(name) };
        let files = ["a", "d/ü", "no/where", "none"].map(carry);
        let moved = |results: Vec<StoreResult<()>>| results.iter().map(Result::is_ok).collect::<Vec<_>>();
        assert_eq!(moved(session.carry_files(&files, Way::Aside)), [true, true, false, false]);
        assert_eq!(names(session, &RelPath::root()), ["dir d", "file c"]);
        // As after a reply that was lost.
        assert_eq!(moved(session.carry_files(&files, Way::Aside)), [true, true, false, false]);
        session.switch(Area::Aside);
        assert_eq!(read(session, "d/ü").unwrap(), "d/ü".as_bytes());
        session.switch(Area::Tree);
        assert_eq!(moved(session.carry_files(&files, Way::Back)), [true, true, false, false]);
        assert_eq!(read(session, "a").unwrap(), b"a");
    });
}

#[test]
fn files_get_other_times() {
    each_store(|session| {
        write(session, "a", b"x").unwrap();
        write(session, "b b", b"x").unwrap();
        let at = |seconds| Mtime::from_unix(1_100_000_000 + seconds, 0).unwrap();
        let dating = |(name, seconds): (&str, i64)| Dating { path: path(name), mtime: at(seconds) };
        let dated = session.set_times(&[("a", 1), ("none", 2), ("b b", 3)].map(dating));
        let dated: Vec<bool> = dated.into_iter().map(Result::unwrap).collect();
        assert_eq!(dated, [true, false, true]);
        for (name, seconds) in [("a", 1), ("b b", 3)] {
            assert_eq!(session.version(&path(name)).unwrap().mtime, Some(at(seconds)), "{name}");
        }
        write(session, "c", b"x").unwrap();
    });
}

#[test]
fn files_get_other_permission_bits() {
    each_store(|session| {
        write(session, "a", b"x").unwrap();
        write(session, "b b", b"x").unwrap();
        let permitting = |(name, mode): (&str, u16)| Permitting { path: path(name), mode };
        let set = session.set_modes(&[("a", 0o751), ("none", 0o600), ("b b", 0o640)].map(permitting));
        assert_eq!(set.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        let listing = session.list(&[RelPath::root()]).pop().unwrap().unwrap();
        let mode = |name: &str| listing.entries.iter().find(|entry| entry.path == path(name)).unwrap().mode;
        assert_eq!([mode("a"), mode("b b")], [Some(0o751), Some(0o640)]);
    });
}

#[test]
fn an_abandoned_transfer_leaves_nothing_under_the_final_name() {
    each_store(|session| {
        let request = WriteRequest {
            path: path("a"),
            temporary: path("a.part"),
            size: None,
            mtime: None,
            mode: None,
            replaces: false,
            held: false,
        };
        let mut outgoing = session.write(&request, None).unwrap();
        outgoing.write(b"half").unwrap();
        drop(outgoing);
        assert!(session.settle(Settle::All).is_empty());
        // A network session is given up then, and a new one sees the same.
        if session.is_usable() {
            assert!(!names(session, &RelPath::root()).contains(&"file a".to_owned()));
        }
    });
}

#[test]
fn a_missing_file_cannot_be_read_and_the_session_goes_on() {
    each_store(|session| {
        assert!(read(session, "missing").is_err());
        write(session, "a", b"x").unwrap();
        assert_eq!(read(session, "a").unwrap(), b"x");
    });
}

#[test]
fn a_file_is_read_in_parts_and_the_session_goes_on() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 3 % 251) as u8).collect();
    let size = content.len() as u64;
    each_store(|session| {
        let mut outgoing = session.write(&large(size), None).unwrap();
        outgoing.write(&content).unwrap();
        outgoing.finish().unwrap();
        assert!(session.settle(Settle::All).remove(0).1.is_ok());
        let version = session.version(&path("a")).unwrap();
        assert_eq!(version, Version { size: Some(size), mtime: Some(mtime()) });
        for range in [size / 2..size, 0..size / 2, 7..8, size - 1..size, 0..size] {
            let part = PartRequest { path: path("a"), size, range: range.clone() };
            let mut incoming = session.read_part(&part).unwrap();
            let (mut got, mut block) = (vec![], vec![0; 100_000]);
            while let n @ 1.. = incoming.read(&mut block).unwrap() {
                got.extend_from_slice(&block[..n]);
            }
            assert_eq!(incoming.finish().unwrap(), range.end - range.start);
            assert!(got == content[range.start as usize..range.end as usize], "{range:?}");
            assert!(session.is_usable(), "{range:?}");
        }
        assert_eq!(session.version(&path("none")).ok().and_then(|version| version.size), None);
        assert!(session.read_part(&PartRequest { path: path("none"), size: 9, range: 3..9 }).is_err());
        assert!(read(session, "a").unwrap() == content);
    });
}

#[test]
fn a_file_that_is_shorter_than_its_parts_is_not_taken_for_whole() {
    each_store(|session| {
        write(session, "a", b"0123456789").unwrap();
        for range in [4..12, 4..20] {
            let part = PartRequest { path: path("a"), size: 20, range };
            let whole = session.read_part(&part).and_then(|mut incoming| {
                while incoming.read(&mut [0; 5])? > 0 {}
                incoming.finish()
            });
            assert!(whole.is_err());
        }
    });
}

#[test]
fn a_file_is_written_in_parts_where_the_store_can() {
    each_store(|session| {
        let Some(parts) = session.write_parts(&large(10)).unwrap() else { return };
        parts.write_at(b"6789", 6).unwrap();
        parts.write_at(b"012345", 0).unwrap();
        assert_eq!(parts.finish().unwrap(), Written { bytes: 10, time_set: true });
        drop(parts);
        assert_eq!(read(session, "a").unwrap(), b"0123456789");
        assert_eq!(session.version(&path("a")).unwrap().mtime, Some(mtime()));

        let parts = session.write_parts(&large(10)).unwrap().unwrap();
        parts.write_at(b"other", 0).unwrap();
        drop(parts);
        assert_eq!(read(session, "a").unwrap(), b"0123456789");
        assert_eq!(names(session, &RelPath::root()), ["file a"]);
    });
}

fn large(size: u64) -> WriteRequest {
    let (path, temporary) = (path("a"), path("a.part"));
    WriteRequest {
        path,
        temporary,
        size: Some(size),
        mtime: Some(mtime()),
        mode: None,
        replaces: true,
        held: false,
    }
}

/// Goes on with `a.part` to make `a` of it, and returns whether that was to be had.
fn go_on(session: &mut dyn Session, begun: (u64, &[u8]), size: u64, rest: &[u8]) -> bool {
    let begun = Begun { bytes: begun.0, tail: begun.1.to_vec() };
    let Continued::On(mut outgoing) = session.write_on(&large(size), &begun).unwrap() else { return false };
    for block in rest.chunks(2) {
        outgoing.write(block).unwrap();
    }
    outgoing.finish().unwrap();
    for (settled, result) in session.settle(Settle::All) {
        assert_eq!((settled, result.unwrap()), (path("a"), Written { bytes: size, time_set: true }));
    }
    true
}

#[test]
fn a_file_is_written_on_from_its_end_if_it_is_what_it_should_be() {
    each_store(|session| {
        write(session, "a.part", b"012345").unwrap();
        for other in [(6, &b"344"[..]), (5, b"34"), (7, b"5\0"), (7, b"45"), (3, b"3450")] {
            assert!(!go_on(session, other, 10, b""), "{other:?}");
            assert!(session.is_usable(), "{other:?}");
        }
        assert_eq!(read(session, "a.part").unwrap(), b"012345");
        assert!(go_on(session, (6, b"345"), 10, b"6789"));
        assert_eq!(read(session, "a").unwrap(), b"0123456789");
        assert_eq!(names(session, &RelPath::root()), ["file a"]);
        // Nothing is missing but the name.
        write(session, "a.part", b"012345").unwrap();
        assert!(go_on(session, (6, b"012345"), 6, b""));
        assert_eq!(read(session, "a").unwrap(), b"012345");
        assert!(!go_on(session, (6, b"012345"), 6, b""), "it is gone");
        assert_eq!(session.version(&path("a")).unwrap().mtime, Some(mtime()));
    });
}

#[test]
fn sessions_of_one_store_see_each_others_work() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Arc::new(MemoryStore::default()) as Arc<dyn Store>, Arc::new(LocalStore::new(dir.path()))] {
        let (mut one, mut other) = (store.connect().unwrap(), store.connect().unwrap());
        write(&mut *one, "a", b"x").unwrap();
        assert_eq!(read(&mut *other, "a").unwrap(), b"x");
    }
}

fn to_link(name: &str, target: &str) -> LinkRequest {
    let temporary = path(&format!("{name}.part"));
    LinkRequest { path: path(name), temporary, target: target.as_bytes().into() }
}

#[test]
fn a_link_is_made_by_its_target_and_takes_the_place_of_a_file_or_a_link_but_of_no_directory() {
    each_store(|session| {
        all_ok(session.make_dirs(&[path("d")]));
        write(session, "d/f", b"x").unwrap();
        let links = [to_link("l", "d"), to_link("d/ü", "gone/ö"), to_link("no/l", "d"), to_link("d", "l")];
        let made: Vec<bool> = session.make_links(&links).iter().map(Result::is_ok).collect();
        if !session.capabilities().makes_links {
            assert_eq!(made, [false; 4]);
            assert_eq!(names(session, &RelPath::root()), ["dir d"]);
            return;
        }
        assert_eq!(made, [true, true, false, false]);
        all_ok(session.make_links(&[to_link("d/f", "../l"), to_link("l", "d/ü")]));
        assert_eq!(names(session, &RelPath::root()), ["dir d", "symlink l"]);
        assert_eq!(names(session, &path("d")), ["symlink d/f", "symlink d/ü"]);
        let listing = session.list(&[path("d")]).remove(0).unwrap();
        for entry in listing.entries {
            let target = String::from_utf8(entry.target.unwrap().into()).unwrap();
            assert_eq!(target, if entry.path == path("d/f") { "../l" } else { "gone/ö" });
        }
        all_ok(session.remove_files(&[path("l"), path("d/f"), path("d/ü")]));
        assert_eq!(names(session, &path("d")), [""; 0]);
    });
}

#[test]
fn what_a_link_leads_to_is_told_and_read_through_it() {
    each_store(|session| {
        if !session.capabilities().makes_links {
            return;
        }
        all_ok(session.make_dirs(&[path("d"), path("d/e")]));
        write(session, "d/e/f", b"content").unwrap();
        let links = [
            to_link("l", "d/e"),
            to_link("d/e/self", "../../l"),
            to_link("file", "l/f"),
            to_link("gone", "d/x"),
            to_link("round", "round"),
        ];
        all_ok(session.make_links(&links));
        let links = ["l", "l/self", "file", "gone", "round"].map(path);
        let followed = session.follow(&[&[RelPath::root(), path("d/e")], &links[..]].concat());
        let ok: Vec<bool> = followed.iter().map(Result::is_ok).collect();
        assert_eq!(ok, [true, true, true, true, true, false, false]);
        let [root, e, l, back, file] = &followed.into_iter().flatten().collect::<Vec<_>>()[..] else {
            panic!("five were followed")
        };
        assert_eq!((l.entry.kind, &l.entry.path, &l.entry.target), (Kind::Dir, &path("l"), &None));
        assert_eq!((file.entry.size, file.entry.mtime), (Some(7), Some(mtime())));
        assert_eq!((file.entry.kind, &file.place, &file.entry.target), (Kind::File, &None, &None));
        // The same place by all ways to it.
        assert!(e.place.is_some() && e.place == l.place && e.place == back.place && e.place != root.place);

        assert_eq!(names(session, &path("l")), ["file l/f", "symlink l/self"]);
        assert_eq!(names(session, &path("l/self")), ["file l/self/f", "symlink l/self/self"]);
        for name in ["file", "l/f", "l/self/f"] {
            assert_eq!(read(session, name).unwrap(), b"content", "{name}");
            let part = PartRequest { path: path(name), size: 7, range: 3..7 };
            let mut incoming = session.read_part(&part).unwrap();
            while incoming.read(&mut [0; 9]).unwrap() > 0 {}
            assert_eq!(incoming.finish().unwrap(), 4);
            assert_eq!(
                session.version(&path(name)).unwrap(),
                Version { size: Some(7), mtime: Some(mtime()) }
            );
        }
        if let Some(kind) = session.checksum_kind() {
            let sums = session.checksums(kind, &["d/e/f", "file", "l/f", "l/self/f"].map(path));
            let sums: Vec<_> = sums.into_iter().map(|sum| sum.unwrap().unwrap()).collect();
            assert!(sums.iter().all(|sum| *sum == sums[0]));
        }
    });
}
