use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use rustix::fs::{FileType, mkfifoat};

use super::*;
use crate::model::Kind;

/// A root with a file, a subdirectory, links out of it and within, and a FIFO; and a secret outside.
struct Sandbox {
    temp: tempfile::TempDir,
    root: Rooted,
}

impl Sandbox {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let (outside, inside) = (temp.path().join("outside"), temp.path().join("inside"));
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::create_dir_all(inside.join("d/e")).unwrap();
        fs::write(inside.join("d/f"), "content").unwrap();
        symlink("../outside", inside.join("way")).unwrap();
        symlink("../outside/secret", inside.join("link")).unwrap();
        symlink("d", inside.join("within")).unwrap();
        symlink("gone", inside.join("dangling")).unwrap();
        mkfifoat(rustix::fs::CWD, inside.join("fifo"), Mode::from_raw_mode(0o600)).unwrap();
        let root = Rooted::open(&inside).unwrap();
        Self { temp, root }
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.temp.path().join("inside").join(name)
    }

    #[track_caller]
    fn assert_outside_is_as_it_was(&self) {
        let outside = self.temp.path().join("outside");
        let names: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn time() -> Mtime {
    Mtime::from_unix(1_000_000_000, 123_456_789).unwrap()
}

/// Does something where permissions bind even root: on a thread that has laid down the right to ignore them.
#[cfg(target_os = "linux")]
pub(crate) fn where_permissions_bind(work: impl FnOnce() + Send) {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let bound = || {
        let mut rights = capabilities(None).unwrap();
        rights.effective -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        set_capabilities(None, rights).unwrap();
        work();
    };
    std::thread::scope(|scope| scope.spawn(bound).join()).unwrap();
}

#[track_caller]
fn assert_unfit<T: std::fmt::Debug>(expected: Unfit, result: io::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(Unfit::of(&error), Some(expected), "{error}");
}

#[track_caller]
fn assert_kind<T: std::fmt::Debug>(expected: io::ErrorKind, result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), expected);
}

#[test]
fn no_way_leads_through_a_link() {
    use io::ErrorKind::NotADirectory;
    let sandbox = Sandbox::new();
    let root = &sandbox.root;
    for (dir, name) in [("way", "way/secret"), ("within", "within/f"), ("d/f", "d/f/g")] {
        assert_kind(NotADirectory, root.meta(&path(name)));
        assert_kind(NotADirectory, root.open_file(&path(name)));
        assert_kind(NotADirectory, root.create_file(&path(name), 0o666));
        assert_kind(NotADirectory, root.write_file(&path(name)));
        assert_kind(NotADirectory, root.append_file(&path(name)));
        assert_kind(NotADirectory, root.make_dir(&path(name)));
        assert_kind(NotADirectory, root.remove_file(&path(name)));
        assert_kind(NotADirectory, root.remove_dir(&path(name)));
        assert_kind(NotADirectory, root.rename(&path(name), &path("new")));
        assert_kind(NotADirectory, root.rename(&path("d/e"), &path(name)));
        assert_kind(NotADirectory, root.set_mtime(&path(name), time()));
        assert_kind(NotADirectory, root.set_mode(&path(name), 0o777));
        assert_kind(NotADirectory, root.read_link(&path(name)));
        assert_kind(NotADirectory, root.read_dir(&path(dir)));
        assert_kind(NotADirectory, root.enter(&path(dir)));
    }
    sandbox.assert_outside_is_as_it_was();
}

#[test]
fn a_link_at_the_end_is_shown_replaced_and_removed_but_not_followed() {
    let sandbox = Sandbox::new();
    let root = &sandbox.root;
    for name in ["link", "way", "dangling"] {
        assert_eq!(root.meta(&path(name)).unwrap().kind(), Kind::Symlink);
        assert_unfit(Unfit::Link, root.open_file(&path(name)));
        assert_unfit(Unfit::Link, root.write_file(&path(name)));
        assert_unfit(Unfit::Link, root.append_file(&path(name)));
        assert_unfit(Unfit::Link, root.set_mtime(&path(name), time()));
        assert_unfit(Unfit::Link, root.set_mode(&path(name), 0o777));
        assert_kind(io::ErrorKind::AlreadyExists, root.create_file(&path(name), 0o666));
        assert_kind(io::ErrorKind::AlreadyExists, root.make_dir(&path(name)));
    }
    assert_eq!(root.read_link(&path("way")).unwrap(), b"../outside");
    assert_kind(io::ErrorKind::InvalidInput, root.read_link(&path("d/f")));
    root.rename(&path("d/f"), &path("link")).unwrap();
    assert_eq!(fs::read_to_string(sandbox.inside("link")).unwrap(), "content");
    root.remove_file(&path("way")).unwrap();
    assert!(!sandbox.inside("gone").exists());
    sandbox.assert_outside_is_as_it_was();
}

#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let sandbox = Sandbox::new();
    sandbox.root.enter(&path("d")).unwrap();
    fs::rename(sandbox.inside("d"), sandbox.inside("was-d")).unwrap();
    symlink("../outside", sandbox.inside("d")).unwrap();
    assert_kind(io::ErrorKind::NotADirectory, sandbox.root.open_file(&path("d/secret")));
}

#[test]
fn what_is_no_regular_file_is_neither_opened_nor_waited_for() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.root.meta(&path("fifo")).unwrap().file_type, FileType::Fifo);
    for name in ["fifo", "d"] {
        assert_unfit(Unfit::NotAFile, sandbox.root.open_file(&path(name)));
        assert_unfit(Unfit::NotAFile, sandbox.root.write_file(&path(name)));
        assert_unfit(Unfit::NotAFile, sandbox.root.append_file(&path(name)));
    }
    assert_unfit(Unfit::NotAFile, sandbox.root.set_mode(&path("fifo"), 0o777));
    assert_unfit(Unfit::NotAFile, sandbox.root.set_mtime(&path("fifo"), time()));
}

#[test]
fn a_fifo_put_there_after_the_look_is_not_written_to() {
    let sandbox = Sandbox::new();
    let dir = Place::Root(sandbox.root.0.as_fd());
    assert_unfit(Unfit::NotAFile, open(&dir, b"fifo", OFlags::WRONLY, Mode::empty()));
    assert_unfit(Unfit::Link, open(&dir, b"link", OFlags::WRONLY, Mode::empty()));
    let opened = open(&dir, b"fifo", OFlags::RDONLY, Mode::empty()).unwrap();
    assert_unfit(Unfit::NotAFile, regular(opened));
}

#[test]
fn the_root_stays_where_it_is() {
    let sandbox = Sandbox::new();
    let (root, top) = (&sandbox.root, RelPath::root());
    assert_unfit(Unfit::Root, root.remove_dir(&top));
    assert_unfit(Unfit::Root, root.remove_file(&top));
    assert_unfit(Unfit::Root, root.rename(&top, &path("x")));
    assert_unfit(Unfit::Root, root.create_file(&top, 0o666));
    assert_unfit(Unfit::Root, root.write_file(&top));
    assert_kind(io::ErrorKind::AlreadyExists, root.make_dir(&top));
    assert_unfit(Unfit::NotAFile, root.open_file(&top));
    root.enter(&top).unwrap();
    root.set_mode(&top, 0o750).unwrap();
    root.set_mtime(&top, time()).unwrap();
    let meta = root.meta(&top).unwrap();
    assert_eq!((meta.kind(), meta.mode, meta.mtime), (Kind::Dir, 0o750, Some(time())));
}

#[test]
fn the_root_is_a_directory_or_a_link_to_one() {
    let sandbox = Sandbox::new();
    assert!(Rooted::open(&sandbox.inside("within")).unwrap().open_file(&path("f")).is_ok());
    assert_kind(io::ErrorKind::NotADirectory, Rooted::open(&sandbox.inside("d/f")));
    assert_kind(io::ErrorKind::NotADirectory, Rooted::open(&sandbox.inside("fifo")));
    assert_kind(io::ErrorKind::NotFound, Rooted::open(&sandbox.inside("dangling")));
}

#[test]
fn a_file_is_made_written_over_and_appended_to() {
    use std::io::Write;
    let sandbox = Sandbox::new();
    sandbox.root.write_file(&path("new")).unwrap().0.write_all(b"abc").unwrap();
    let (mut file, meta) = sandbox.root.write_file(&path("new")).unwrap();
    assert_eq!(meta.size, 3);
    file.write_all(b"A").unwrap();
    sandbox.root.append_file(&path("new")).unwrap().0.write_all(b"d").unwrap();
    assert_eq!(fs::read_to_string(sandbox.inside("new")).unwrap(), "Abcd");
    assert_kind(io::ErrorKind::AlreadyExists, sandbox.root.create_file(&path("new"), 0o666));
    assert_kind(io::ErrorKind::NotFound, sandbox.root.create_file(&path("none/new"), 0o666));
    sandbox.root.create_file(&path("private"), 0o400).unwrap().write_all(b"x").unwrap();
    assert_eq!(fs::metadata(sandbox.inside("private")).unwrap().permissions().mode() & 0o777, 0o400);
}

#[test]
fn times_are_kept_to_the_nanosecond() {
    let sandbox = Sandbox::new();
    let file = sandbox.root.create_file(&path("a"), 0o666).unwrap();
    set_file_mtime(&file, time()).unwrap();
    assert_eq!(sandbox.root.meta(&path("a")).unwrap().mtime, Some(time()));
    let accessed = fs::metadata(sandbox.inside("a")).unwrap().atime();
    assert_ne!(accessed, 1_000_000_000);
    for seconds in [-1, 0] {
        let mtime = Mtime::from_unix(seconds, 5).unwrap();
        sandbox.root.set_mtime(&path("a"), mtime).unwrap();
        assert_eq!(sandbox.root.meta(&path("a")).unwrap().mtime, Some(mtime));
    }
}

#[test]
fn a_directory_is_read_by_name_and_looked_at_later() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.inside("d/.hidden"), "").unwrap();
    symlink("e", sandbox.inside("d/l")).unwrap();
    let directory = sandbox.root.read_dir(&path("d")).unwrap();
    assert_eq!(directory.names(), [&b".hidden"[..], b"e", b"f", b"l"]);
    assert_eq!(directory.meta(b"f").unwrap().unwrap().size, 7);
    assert_eq!(directory.read_link(b"l").unwrap(), b"e");
    fs::remove_file(sandbox.inside("d/f")).unwrap();
    assert_eq!(directory.meta(b"f").unwrap(), None);
    // Only what was read is looked at: any other name could lead out.
    assert_eq!(directory.meta(b"../../outside/secret").unwrap(), None);
    assert_kind(io::ErrorKind::NotFound, directory.read_link(b"../link"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_need_not_be_readable_to_be_passed_through() {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.inside("d"), fs::Permissions::from_mode(0o311)).unwrap();
    where_permissions_bind(|| {
        let root = &sandbox.root;
        assert_eq!(root.open_file(&path("d/f")).unwrap().1.size, 7);
        root.enter(&path("d")).unwrap();
        assert_kind(io::ErrorKind::PermissionDenied, root.read_dir(&path("d")));
        root.set_mode(&path("d/f"), 0o200).unwrap();
        root.set_mode(&path("d/f"), 0o600).unwrap();
        // Without the right to search it, a directory is no way.
        fs::set_permissions(sandbox.inside("d"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_kind(io::ErrorKind::PermissionDenied, root.enter(&path("d")));
        assert_kind(io::ErrorKind::PermissionDenied, root.open_file(&path("d/f")));
    });
    fs::set_permissions(sandbox.inside("d"), fs::Permissions::from_mode(0o700)).unwrap();
}
