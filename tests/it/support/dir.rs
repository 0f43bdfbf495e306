//! A directory of a test: built from a list of files, written to and looked at through short names.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

/// The modification time of each file that a test builds: long ago, so that no server takes it for its own "now",
/// and with seconds that aren't zero.
pub(crate) const LONG_AGO: &str = "2024-05-06T07:08:09Z";

/// Paths with their contents; a path without one is a directory. Made by [`files!`](super::files).
#[derive(Debug)]
pub(crate) struct Files(pub(crate) Vec<(OsString, Option<Vec<u8>>)>);

/// A directory in a sandbox. It stands for its path as text, so that it can be an argument of `oneway` as it is.
#[derive(Debug, Clone)]
pub(crate) struct Dir {
    path: String,
    /// Who owns what is written here; root's own where `None`.
    owner: Option<u32>,
}

impl Dir {
    /// Creates the directory and those above it.
    pub(crate) fn create(path: &Path, owner: Option<u32>) -> Self {
        fs::create_dir_all(path).unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        let dir =
            Self { path: path.to_str().expect("temporary directories have plain names").to_owned(), owner };
        dir.own(path);
        dir
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// The path of something in this directory.
    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// A directory in this one, created where it is missing.
    pub(crate) fn dir(&self, name: &str) -> Self {
        Self::create(&self.at(name), self.owner)
    }

    /// Adds files and directories; those that are there are overwritten.
    pub(crate) fn add(&self, files: Files) {
        for (path, content) in files.0 {
            match content {
                Some(content) => self.write(&path, content),
                None => self.make_dirs(&self.at(&path)),
            }
        }
    }

    /// Writes a file, last modified [`LONG_AGO`].
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        self.make_dirs(path.parent().expect("a file is in a directory"));
        let mut file = File::create(&path).unwrap_or_else(|error| panic!("cannot create {path:?}: {error}"));
        file.write_all(content.as_ref()).expect("the temporary directory has room");
        self.own(&path);
        set_time(&path, LONG_AGO);
    }

    /// Sets when a file was last modified, given as in RFC 3339.
    pub(crate) fn set_time(&self, name: impl AsRef<Path>, time: &str) {
        set_time(&self.at(name), time);
    }

    /// Returns when a file was last modified, to the second.
    pub(crate) fn time(&self, name: impl AsRef<Path>) -> String {
        let metadata = fs::symlink_metadata(self.at(name)).expect("the file is there");
        let modified: DateTime<Utc> = metadata.modified().expect("the file system keeps times").into();
        modified.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.at(name);
        fs::read(&path).unwrap_or_else(|error| panic!("cannot read {path:?}: {error}"))
    }

    /// Tells whether something of that name is there, be it a link to nothing.
    pub(crate) fn has(&self, name: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.at(name)).is_ok()
    }

    /// Removes a file, or a directory with all in it.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) {
        let path = self.at(name);
        let kind =
            fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("cannot remove {path:?}: {error}"));
        if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            .expect("it is ours to remove");
    }

    pub(crate) fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        fs::rename(self.at(from), self.at(to)).expect("both names are in the same directory tree");
    }

    /// Returns permission bits.
    pub(crate) fn mode(&self, name: impl AsRef<Path>) -> u32 {
        let metadata = fs::symlink_metadata(self.at(name)).expect("it is there");
        metadata.permissions().mode() & 0o7777
    }

    /// Sets permission bits; `""` is the directory itself.
    pub(crate) fn set_mode(&self, name: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).expect("it is ours to change");
    }

    /// Makes root own it, so that neither a daemon nor an unprivileged user gets past its permissions.
    pub(crate) fn give_to_root(&self, name: impl AsRef<Path>) {
        chown(self.at(name), Some(0), Some(0)).expect("the tests run as root");
    }

    fn make_dirs(&self, path: &Path) {
        let missing: Vec<_> = path.ancestors().take_while(|dir| !dir.exists()).collect();
        fs::create_dir_all(path).unwrap_or_else(|error| panic!("cannot create {path:?}: {error}"));
        missing.into_iter().for_each(|dir| self.own(dir));
    }

    fn own(&self, path: &Path) {
        if self.owner.is_some() {
            chown(path, self.owner, self.owner).expect("only root asks for another owner");
        }
    }
}

impl Deref for Dir {
    type Target = str;

    fn deref(&self) -> &str {
        &self.path
    }
}

impl AsRef<str> for Dir {
    fn as_ref(&self) -> &str {
        &self.path
    }
}

fn set_time(path: &Path, time: &str) {
    let time: SystemTime = DateTime::parse_from_rfc3339(time).expect("times are RFC 3339").into();
    File::open(path)
        .and_then(|file| file.set_times(FileTimes::new().set_modified(time)))
        .unwrap_or_else(|error| panic!("cannot set the time of {path:?}: {error}"));
}
