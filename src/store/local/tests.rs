use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::model::{Key, Temporary};
#[cfg(target_os = "linux")]
use crate::rooted::where_permissions_bind;

/// A store with a directory and a file in it, and a file outside.
struct Sandbox {
    temp: tempfile::TempDir,
    session: Box<dyn Session>,
}

impl Sandbox {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("root/d")).unwrap();
        fs::write(temp.path().join("root/d/a"), "old").unwrap();
        fs::create_dir(temp.path().join("outside")).unwrap();
        fs::write(temp.path().join("outside/a"), "mine").unwrap();
        let session = LocalStore::new(temp.path().join("root")).connect().unwrap();
        Self { temp, session }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join("root").join(name)
    }

    fn list(&mut self, dir: &str) -> StoreResult<DirListing> {
        self.session.list(&[path(dir)]).pop().unwrap()
    }

    fn write(&mut self, request: &WriteRequest, content: &str) -> StoreResult<Written> {
        let mut outgoing = self.session.write(request, None)?;
        outgoing.write(content.as_bytes())?;
        outgoing.finish()?;
        let (path, written) = self.session.settle(Settle::All).pop().unwrap();
        assert_eq!(path, request.path);
        written
    }

    #[track_caller]
    fn assert_outside_is_as_it_was(&self) {
        assert_eq!(names(&self.temp.path().join("outside")), ["a"]);
        assert_eq!(fs::read_to_string(self.temp.path().join("outside/a")).unwrap(), "mine");
    }
}

fn path(text: &str) -> RelPath {
    if text.is_empty() { RelPath::root() } else { RelPath::parse(text).unwrap() }
}

fn to(name: &str) -> WriteRequest {
    let path = path(name);
    let temporary = crate::model::temporary_for(&path, crate::model::RunId { owner: 1, run: 1 }, 1, 1);
    WriteRequest { path, temporary, size: None, mtime: None, mode: None, replaces: false, held: false }
}

fn from(name: &str) -> ReadRequest {
    ReadRequest { path: path(name), size: None }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().mode() & 0o7777
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn make_fifo(file: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, file, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
}

#[test]
fn a_file_gets_its_name_when_it_is_whole() {
    let mut sandbox = Sandbox::new();
    let (file, dir) = (sandbox.at("d/a"), sandbox.at("d"));
    let mtime = Mtime::from_unix(1_000_000_000, 0);
    let mut outgoing = sandbox.session.write(&WriteRequest { mtime, ..to("d/a") }, None).unwrap();
    outgoing.write(b"new").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    outgoing.finish().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert_eq!(fs::metadata(&file).unwrap().mtime(), 1_000_000_000);
    let settled = sandbox.session.settle(Settle::All);
    assert_eq!(settled[0].1.as_ref().unwrap(), &Written { bytes: 3, time_set: true });
    assert!(sandbox.session.settle(Settle::All).is_empty());
    assert_eq!(names(&dir), ["a"]);
}

#[test]
fn a_file_that_is_given_up_leaves_nothing() {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.at("d");
    let mut outgoing = sandbox.session.write(&to("d/a"), None).unwrap();
    outgoing.write(b"half").unwrap();
    assert_eq!(names(&dir).len(), 2);
    drop(outgoing);
    assert_eq!(names(&dir), ["a"]);
    assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "old");
}

#[test]
fn a_file_that_cannot_be_published_leaves_nothing() {
    let mut sandbox = Sandbox::new();
    fs::create_dir(sandbox.at("d/in the way")).unwrap();
    let error = sandbox.write(&to("d/in the way"), "new").unwrap_err();
    assert!(error.to_string().starts_with("cannot write `d/in the way` on "), "{error}");
    assert_eq!(names(&sandbox.at("d")), ["a", "in the way"]);
    assert!(sandbox.session.settle(Settle::All).is_empty());
}

#[test]
fn a_file_cut_off_on_the_disk_is_not_published() {
    let mut sandbox = Sandbox::new();
    let (request, dir) = (to("d/a"), sandbox.at("d"));
    let temporary = sandbox.at(&request.temporary.to_string());
    let mut outgoing = sandbox.session.write(&request, None).unwrap();
    outgoing.write(b"new content").unwrap();
    fs::write(&temporary, "").unwrap();
    let error = outgoing.finish().unwrap_err();
    assert!(error.to_string().ends_with("0 of 11 bytes are on the disk"), "{error}");
    assert_eq!(names(&dir), ["a"]);
    assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "old");
}

#[test]
fn a_replaced_file_keeps_its_mode_without_the_special_bits() {
    let mut sandbox = Sandbox::new();
    for (old, new) in [(0o640, 0o640), (0o777, 0o777), (0o444, 0o444), (0o4755, 0o755)] {
        sandbox.write(&WriteRequest { mode: Some(old), ..to("d/a") }, "new").unwrap();
        assert_eq!(mode(&sandbox.at("d/a")), new);
    }
}

#[test]
fn a_private_file_is_private_while_it_is_written() {
    let mut sandbox = Sandbox::new();
    let request = WriteRequest { mode: Some(0o600), ..to("d/a") };
    let temporary = sandbox.at(&request.temporary.to_string());
    let outgoing = sandbox.session.write(&request, None).unwrap();
    assert_eq!(mode(&temporary), 0o600);
    drop(outgoing);
}

#[test]
fn what_has_another_name_too_or_is_a_link_is_not_gone_on_with() {
    let mut sandbox = Sandbox::new();
    let request = WriteRequest { size: Some(6), ..to("d/b") };
    let temporary = sandbox.at(&request.temporary.to_string());
    let begun = Begun { bytes: 4, tail: b"mine".to_vec() };
    let mut go_on = || match sandbox.session.write_on(&request, &begun) {
        Ok(Continued::On(_)) => true,
        Ok(Continued::Other | Continued::Never) | Err(_) => false,
    };
    assert!(!go_on(), "it isn't there");
    let outside = temporary.parent().unwrap().join("../../outside/victim");
    fs::write(&outside, "mine").unwrap();
    fs::hard_link(&outside, &temporary).unwrap();
    assert!(!go_on(), "it has another name");
    fs::remove_file(&temporary).unwrap();
    symlink(&outside, &temporary).unwrap();
    assert!(!go_on(), "it is a link");
    fs::remove_file(&temporary).unwrap();
    fs::write(&temporary, "mine").unwrap();
    assert!(go_on());
    assert_eq!(fs::read(&outside).unwrap(), b"mine");
}

#[test]
fn what_was_begun_stays_for_who_may_go_on_with_it() {
    let mut sandbox = Sandbox::new();
    let run = crate::model::RunId { owner: 1, run: 1 };
    for (key, stays) in [(Key::Of(1), true), (Key::Parts, false), (Key::Other, false)] {
        let temporary = Temporary { run, key, number: 1, serial: 1 }.beside(&path("d/b"));
        let request = WriteRequest { temporary, ..to("d/b") };
        let there = sandbox.at(&request.temporary.to_string());
        drop(sandbox.session.write(&request, None).unwrap());
        assert!(!there.exists(), "there is nothing of it");
        let mut outgoing = sandbox.session.write(&request, None).unwrap();
        outgoing.write(b"some").unwrap();
        drop(outgoing);
        assert_eq!(there.exists(), stays, "{key:?}");
    }
}

#[test]
fn nothing_is_written_or_removed_through_a_link() {
    let mut sandbox = Sandbox::new();
    symlink("../outside", sandbox.at("way")).unwrap();
    symlink("../outside/a", sandbox.at("link")).unwrap();
    let temporary = sandbox.at("d").join(String::from_utf8_lossy(to("d/a").temporary.name()).as_ref());
    symlink("../../outside/a", temporary).unwrap();
    assert!(sandbox.write(&to("way/a"), "theirs").is_err());
    assert!(sandbox.write(&to("way/new"), "theirs").is_err());
    assert!(sandbox.write(&to("d/a"), "theirs").is_err());
    assert!(sandbox.session.read(&from("way/a"), None).is_err());
    assert!(sandbox.session.read(&from("link"), None).is_err());
    let session = &mut sandbox.session;
    let results = session.make_dirs(&[path("way/new"), path("way")]).into_iter();
    let results = results.chain(session.remove_files(&[path("way/a")]));
    assert!(
        results.chain(session.remove_dirs(&[path("way"), path("way/new")])).all(|result| result.is_err())
    );
    assert!(session.mtimes(&[path("way/a")])[0].is_err());
    // The link itself gives way.
    sandbox.write(&to("link"), "theirs").unwrap();
    assert!(fs::symlink_metadata(sandbox.at("link")).unwrap().is_file());
    assert!(sandbox.session.remove_files(&[path("way")])[0].is_ok());
    sandbox.assert_outside_is_as_it_was();
}

#[test]
fn what_is_there_or_gone_already_is_no_error() {
    let mut sandbox = Sandbox::new();
    let session = &mut sandbox.session;
    assert!(session.make_dirs(&[path("d"), path("e"), path("e/f")]).iter().all(Result::is_ok));
    assert!(session.remove_files(&[path("gone"), path("gone/too")]).iter().all(Result::is_ok));
    assert!(session.remove_dirs(&[path("gone"), path("e/f"), path("e")]).iter().all(Result::is_ok));
    // A file where a directory is needed is one, and so is what a directory still holds.
    assert!(session.make_dirs(&[path("d/a")])[0].is_err());
    assert!(session.remove_dirs(&[path("d")])[0].is_err());
    assert!(session.remove_files(&[path("d")])[0].is_err());
}

#[test]
fn a_file_that_is_not_read_to_its_end_is_not_whole() {
    let mut sandbox = Sandbox::new();
    let mut incoming = sandbox.session.read(&from("d/a"), None).unwrap();
    assert_eq!(incoming.read(&mut [0; 2]).unwrap(), 2);
    assert!(incoming.finish().is_err());
}

#[test]
fn special_files_are_listed_and_never_opened() {
    let mut sandbox = Sandbox::new();
    make_fifo(&sandbox.at("fifo"));
    let entries = sandbox.list("").unwrap().entries;
    let fifo = entries.iter().find(|entry| entry.path == path("fifo")).unwrap();
    assert_eq!((fifo.kind, fifo.size), (Kind::Other, None));
    let error = sandbox.session.read(&from("fifo"), None).map(drop).unwrap_err();
    assert!(error.to_string().ends_with(": it is no regular file"), "{error}");
}

#[test]
fn only_a_true_directory_is_listed() {
    let mut sandbox = Sandbox::new();
    make_fifo(&sandbox.at("fifo"));
    fs::create_dir(sandbox.temp.path().join("outside/sub")).unwrap();
    symlink("../outside", sandbox.at("way")).unwrap();
    for name in ["way", "way/sub", "d/a", "fifo"] {
        let error = sandbox.list(name).unwrap_err();
        assert!(error.to_string().to_lowercase().contains("not a directory"), "{error}");
    }
    let error = sandbox.list("none").unwrap_err();
    assert!(error.to_string().ends_with(": No such file or directory (os error 2)"), "{error}");
    fs::remove_file(sandbox.temp.path().join("root/d/a")).unwrap();
    assert!(sandbox.list("d").unwrap().entries.is_empty());
}

#[test]
fn a_root_that_is_no_directory_is_an_error_and_none_is_none() {
    let sandbox = Sandbox::new();
    let session = |name: &str| LocalStore::new(sandbox.at(name)).connect().unwrap();
    assert!(session("d").root_exists().unwrap());
    assert!(!session("none").root_exists().unwrap());
    assert!(session("d/a").root_exists().is_err());
    assert!(session("d/a").list(&[RelPath::root()])[0].is_err());
    symlink("d", sandbox.at("link")).unwrap();
    assert_eq!(session("link").list(&[RelPath::root()])[0].as_ref().unwrap().entries.len(), 1);
    session("none/below").make_root().unwrap();
    assert!(sandbox.at("none/below").is_dir());
    assert!(session("d/a").make_root().is_err());
}

#[test]
fn names_that_no_command_can_carry_put_the_listing_in_doubt() {
    let mut sandbox = Sandbox::new();
    fs::write(sandbox.at("d/b\nc"), "").unwrap();
    let listing = sandbox.list("d").unwrap();
    assert_eq!(listing.entries.len(), 1);
    assert!(listing.doubt.unwrap().0.starts_with("a name can't be carried by FTP"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_may_not_be_written_to_is_said_to_be_the_cause() {
    let mut sandbox = Sandbox::new();
    let user = fs::metadata(sandbox.at("d")).unwrap().uid();
    fs::create_dir(sandbox.at("d/sub")).unwrap();
    set_mode(&sandbox.at("d"), 0o555);
    let place = sandbox.temp.path().join("root").display().to_string();
    let assert_told = |deed: &str, result: StoreResult<()>| {
        let cause = "Permission denied (os error 13); the directory has mode 0555 and belongs to user";
        assert_eq!(result.unwrap_err().to_string(), format!("cannot {deed} on {place}: {cause} {user}"));
    };
    where_permissions_bind(|| {
        assert_told("write `d/b`", sandbox.write(&to("d/b"), "x").map(drop));
        let session = &mut sandbox.session;
        assert_told("create `d/n`", session.make_dirs(&[path("d/n")]).remove(0));
        assert_told("remove `d/a`", session.remove_files(&[path("d/a")]).remove(0));
        assert_told("remove `d/sub`", session.remove_dirs(&[path("d/sub")]).remove(0));
    });
    set_mode(&sandbox.at("d"), 0o755);
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_may_not_be_read_or_searched_is_not_an_empty_one() {
    let sandbox = Sandbox::new();
    let (root, dir) = (sandbox.at(""), sandbox.at("d"));
    // Not by a session: rayon's threads may have been started with all rights.
    where_permissions_bind(|| {
        for (mode, said) in [(0o300, "0300"), (0o400, "0400"), (0, "0000")] {
            set_mode(&dir, mode);
            let error = listing::list_dir(&root, &path("d"), &path("d")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            let text =
                format!("Permission denied (os error 13); the directory has mode {said} and belongs to");
            assert!(error.to_string().starts_with(&text), "{error}");
        }
    });
    set_mode(&dir, 0o755);
}

#[test]
fn two_names_of_one_file_are_told_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("readme"), "x").unwrap();
    fs::hard_link(at("readme"), at("README")).unwrap();
    fs::write(at("other"), "x").unwrap();
    let mut session = LocalStore::new(dir.path()).connect().unwrap();
    let mut same = |file, other| session.is_same_file(&path(file), &path(other)).unwrap();
    assert_eq!(same("readme", "README"), Some(true));
    assert_eq!(same("readme", "other"), Some(false));
    assert_eq!(same("readme", "Readme"), Some(false));
    assert_eq!(same("gone", "GONE"), None);
}

#[test]
fn only_a_link_that_was_followed_is_read_through() {
    let mut sandbox = Sandbox::new();
    symlink("../outside", sandbox.at("way")).unwrap();
    symlink("../outside", sandbox.at("other")).unwrap();
    symlink("a", sandbox.temp.path().join("outside/within")).unwrap();
    assert!(sandbox.session.read(&from("way/a"), None).is_err());
    let followed = sandbox.session.follow(&[path("way")]).remove(0).unwrap();
    assert_eq!(followed.entry.kind, Kind::Dir);
    assert!(sandbox.session.read(&from("way/a"), None).is_ok());
    assert_eq!(sandbox.list("way").unwrap().entries.len(), 2);
    for name in ["way/within", "other/a"] {
        assert!(sandbox.session.read(&from(name), None).is_err(), "{name}");
    }
    assert!(sandbox.list("other").is_err());
    // Another store of the same place knows nothing of it, and nothing is ever written by that way.
    let mut other = LocalStore::new(sandbox.temp.path().join("root")).connect().unwrap();
    assert!(other.read(&from("way/a"), None).is_err());
    assert!(sandbox.write(&to("way/new"), "theirs").is_err());
    assert!(sandbox.session.make_dirs(&[path("way/new")])[0].is_err());
    assert!(sandbox.session.remove_files(&[path("way/a")])[0].is_err());
    // A link that is turned elsewhere later is gone by as it was.
    fs::remove_file(sandbox.at("way")).unwrap();
    symlink("d", sandbox.at("way")).unwrap();
    let mut block = [0; 9];
    assert_eq!(sandbox.session.read(&from("way/a"), None).unwrap().read(&mut block).unwrap(), 4);
    assert_eq!(&block[..4], b"mine");
}

#[test]
fn what_is_no_file_is_not_opened_behind_a_link_either() {
    let mut sandbox = Sandbox::new();
    make_fifo(&sandbox.at("fifo"));
    symlink("fifo", sandbox.at("link")).unwrap();
    symlink("/dev/zero", sandbox.at("device")).unwrap();
    for name in ["link", "device"] {
        assert_eq!(sandbox.session.follow(&[path(name)])[0].as_ref().unwrap().entry.kind, Kind::Other);
        assert!(sandbox.session.read(&from(name), None).is_err());
    }
    // It becomes one when all is decided already: nobody waits for its other end.
    fs::write(sandbox.at("file"), "x").unwrap();
    symlink("file", sandbox.at("to file")).unwrap();
    assert_eq!(sandbox.session.follow(&[path("to file")])[0].as_ref().unwrap().entry.kind, Kind::File);
    fs::remove_file(sandbox.at("file")).unwrap();
    make_fifo(&sandbox.at("file"));
    for name in ["to file", "file"] {
        let error = sandbox.session.read(&from(name), None).map(drop).unwrap_err();
        assert!(error.to_string().ends_with(": it is no regular file"), "{error}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_told_with_its_target() {
    let mut sandbox = Sandbox::new();
    for (name, target, told) in [
        ("gone", "../else/where", "it points to `../else/where`, and nothing is there"),
        ("round", "round", "Too many levels of symbolic links (os error 40)"),
        ("through", "d/a/x", "Not a directory (os error 20)"),
    ] {
        symlink(target, sandbox.at(name)).unwrap();
        let error = sandbox.session.follow(&[path(name)]).remove(0).unwrap_err();
        assert!(error.to_string().ends_with(told), "{error}");
    }
}

#[test]
fn a_link_is_made_in_one_step_and_leaves_nothing_when_it_cannot_be() {
    let mut sandbox = Sandbox::new();
    let dir = sandbox.at("d");
    let request = |name: &str, target: &str| {
        let WriteRequest { path, temporary, .. } = to(name);
        LinkRequest { path, temporary, target: target.as_bytes().into() }
    };
    fs::create_dir(dir.join("sub")).unwrap();
    let made =
        sandbox.session.make_links(&[request("d/a", "x"), request("d/sub", "x"), request("way/l", "x")]);
    assert_eq!(made.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(names(&dir), ["a", "sub"]);
    assert_eq!(fs::read_link(dir.join("a")).unwrap(), Path::new("x"));
    assert!(made[1].as_ref().unwrap_err().to_string().starts_with("cannot create `d/sub` on "));
    // Not by way of a link.
    symlink("../outside", sandbox.at("way")).unwrap();
    assert!(sandbox.session.make_links(&[request("way/a", "x")])[0].is_err());
    sandbox.assert_outside_is_as_it_was();
}
