//! The served directory, and the proof that nobody leaves it.
//!
//! Everything is reached from one directory handle opened at the start. A path is walked component by component with
//! `openat` and `O_NOFOLLOW`, each step from the handle of the step before, so no `..` and no symbolic link is ever
//! followed: what somebody swaps in between changes at most what is found, not where. Only regular files are opened, since
//! opening a FIFO would block and opening a device may do anything at all.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, fchmod, fstat, mkdirat,
    openat, readlinkat, renameat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;
use thiserror::Error;

use crate::model::RelPath;
use crate::server::metadata::Metadata;

/// The served directory.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

/// Why something can't be done to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum FileError {
    #[error("Not a regular file")]
    NotAFile,
    #[error("Not a directory")]
    NotADirectory,
    #[error("Symbolic links are not followed")]
    Link,
    #[error("Not possible for the root directory")]
    Root,
    #[error(transparent)]
    System(#[from] Errno),
}

/// How a file is opened for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// From an offset on; what is there already is kept until it is written over.
    InPlace,
    /// At the end, wherever that is at the time.
    Append,
}

impl Root {
    /// Opens the directory; here alone a symbolic link is followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, WALK - OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Returns what `path` is, links not followed.
    pub(super) fn look(&self, path: &RelPath) -> Result<Metadata, FileError> {
        let (dir, name) = self.place(path)?;
        Ok(statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// Returns whether `path` is a directory that can be entered; says why not otherwise.
    pub(super) fn enter(&self, path: &RelPath) -> Result<(), FileError> {
        let dir = self.walk(path)?;
        // Looking at `.` needs the right to search the directory, which opening it as a place does not.
        statat(&dir, ".", AtFlags::empty())?;
        Ok(())
    }

    /// Reads the names in a directory, sorted.
    pub(super) fn read_dir(&self, path: &RelPath) -> Result<Directory, FileError> {
        let (dir, name) = self.place(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut handle = Dir::new(openat(&dir, name, flags, Mode::empty()).map_err(no_directory)?)?;
        let mut names = Vec::new();
        while let Some(entry) = handle.read() {
            let name = entry?.file_name().to_bytes().to_vec();
            // A name with a line end would forge lines of the listing; no command could name it anyway.
            if name != b"." && name != b".." && !name.iter().any(|b| b"\r\n".contains(b)) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(Directory { handle, names })
    }

    /// Returns where a symbolic link points.
    pub(super) fn link_target(&self, path: &RelPath) -> Result<Vec<u8>, FileError> {
        let (dir, name) = self.place(path)?;
        Ok(readlinkat(&dir, name, Vec::new())?.into_bytes())
    }

    /// Opens a regular file for reading.
    pub(super) fn open_file(&self, path: &RelPath) -> Result<(File, Metadata), FileError> {
        let (dir, name) = self.place(path)?;
        regular(&statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
        let file = openat(&dir, name, OFlags::RDONLY | NEVER_SPECIAL, Mode::empty())?;
        let stat = fstat(&file)?;
        regular(&stat)?;
        Ok((file.into(), stat.into()))
    }

    /// Opens a regular file for writing and makes it when there is none. Its content is left alone.
    pub(super) fn open_for_writing(
        &self,
        path: &RelPath,
        how: Writing,
    ) -> Result<(File, Metadata), FileError> {
        let (dir, name) = self.named(path)?;
        let how = OFlags::WRONLY | if how == Writing::Append { OFlags::APPEND } else { OFlags::empty() };
        let open = || match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                regular(&stat)?;
                Ok(openat(&dir, name, how | NEVER_SPECIAL, Mode::empty())?)
            }
            Err(Errno::NOENT) => {
                let mode = Mode::from_raw_mode(0o666);
                Ok(openat(&dir, name, how | OFlags::CREATE | OFlags::EXCL | NEVER_SPECIAL, mode)?)
            }
            Err(error) => Err(error.into()),
        };
        // Another session may make or remove the file between the look and the opening, so look once more.
        let file = match open() {
            Err(FileError::System(Errno::EXIST | Errno::NOENT)) => open()?,
            opened => opened?,
        };
        let stat = fstat(&file)?;
        regular(&stat)?;
        Ok((file.into(), stat.into()))
    }

    /// Removes a name that is no directory; of a symbolic link the link itself.
    pub(super) fn remove_file(&self, path: &RelPath) -> Result<(), FileError> {
        let (dir, name) = self.named(path)?;
        Ok(unlinkat(&dir, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub(super) fn remove_dir(&self, path: &RelPath) -> Result<(), FileError> {
        let (dir, name) = self.named(path)?;
        Ok(unlinkat(&dir, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes a directory in one that exists.
    pub(super) fn make_dir(&self, path: &RelPath) -> Result<(), FileError> {
        if path.is_root() {
            return Err(Errno::EXIST.into());
        }
        let (dir, name) = self.named(path)?;
        Ok(mkdirat(&dir, name, Mode::from_raw_mode(0o777))?)
    }

    /// Renames, replacing a file of the new name.
    pub(super) fn rename(&self, from: &RelPath, to: &RelPath) -> Result<(), FileError> {
        let ((from_dir, from), (to_dir, to)) = (self.named(from)?, self.named(to)?);
        Ok(renameat(&from_dir, from, &to_dir, to)?)
    }

    /// Sets the modification time of a file or directory to the second.
    pub(super) fn set_modified(&self, path: &RelPath, at: DateTime<Utc>) -> Result<(), FileError> {
        let (dir, name) = self.place(path)?;
        file_or_directory(&statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: at.timestamp(), tv_nsec: 0 },
        };
        Ok(utimensat(&dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the permission bits of a file or directory.
    pub(super) fn set_mode(&self, path: &RelPath, mode: u32) -> Result<(), FileError> {
        let (dir, name) = self.place(path)?;
        file_or_directory(&statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
        // `fchmodat` would follow a link swapped in by now, so the file is opened first, for whatever its mode allows.
        let open = |how| openat(&dir, name, how | NEVER_SPECIAL, Mode::empty());
        let handle = match open(OFlags::RDONLY) {
            Err(Errno::ACCESS) => open(OFlags::WRONLY)?,
            opened => opened?,
        };
        file_or_directory(&fstat(&handle)?)?;
        Ok(fchmod(&handle, Mode::from_bits_truncate(mode as _))?)
    }

    /// Returns the directory a path is in and its name there; the root is `.` in itself.
    fn place<'a>(&'a self, path: &'a RelPath) -> Result<(Place<'a>, &'a [u8]), FileError> {
        match path.parent() {
            Some(parent) => Ok((self.walk(&parent)?, path.name())),
            None => Ok((Place::Root(self.0.as_fd()), b".")),
        }
    }

    /// Returns the same for a path that is to be made, renamed or removed, which the root can't be.
    fn named<'a>(&'a self, path: &'a RelPath) -> Result<(Place<'a>, &'a [u8]), FileError> {
        if path.is_root() { Err(FileError::Root) } else { self.place(path) }
    }

    fn walk(&self, path: &RelPath) -> Result<Place<'_>, FileError> {
        path.components().try_fold(Place::Root(self.0.as_fd()), |at, name| {
            Ok(Place::Below(openat(&at, name, WALK, Mode::empty()).map_err(no_directory)?))
        })
    }
}

/// The names of a directory as they were when it was read.
#[derive(Debug)]
pub(super) struct Directory {
    handle: Dir,
    /// Sorted by bytes.
    pub(super) names: Vec<Vec<u8>>,
}

impl Directory {
    /// Returns what `name` is; `None` when it has gone since.
    pub(super) fn look(&self, name: &[u8]) -> Result<Option<Metadata>, FileError> {
        match statat(self.handle.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns where the symbolic link `name` points.
    pub(super) fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, FileError> {
        Ok(readlinkat(self.handle.fd()?, name, Vec::new())?.into_bytes())
    }
}

/// A directory on the way.
#[derive(Debug)]
enum Place<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => *root,
            Self::Below(dir) => dir.as_fd(),
        }
    }
}

fn regular(stat: &Stat) -> Result<(), FileError> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(FileError::Link),
        _ => Err(FileError::NotAFile),
    }
}

fn file_or_directory(stat: &Stat) -> Result<(), FileError> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(()),
        _ => regular(stat),
    }
}

/// A link refused by `O_NOFOLLOW` is `ELOOP` or `ENOTDIR`, depending on the system.
fn no_directory(error: Errno) -> FileError {
    match error {
        Errno::LOOP | Errno::NOTDIR => FileError::NotADirectory,
        error => error.into(),
    }
}

/// One step of a walk. Where the system can, without the right to read the directory, which isn't needed to pass through it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const WALK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const WALK: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A FIFO that is swapped in after the look doesn't block the opening.
const NEVER_SPECIAL: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::Kind;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    /// A served directory with a file, a subdirectory, links out of it, and a FIFO; and the secret outside.
    fn served() -> (tempfile::TempDir, Root) {
        let temp = tempfile::tempdir().unwrap();
        let (outside, inside) = (temp.path().join("outside"), temp.path().join("inside"));
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::create_dir_all(inside.join("d/e")).unwrap();
        fs::write(inside.join("d/f"), "content").unwrap();
        symlink("../outside", inside.join("way")).unwrap();
        symlink("../outside/secret", inside.join("link")).unwrap();
        symlink("d", inside.join("within")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(inside.join("fifo")).status().unwrap().success());
        let root = Root::open(&inside).unwrap();
        (temp, root)
    }

    #[test]
    fn links_are_never_followed() {
        let (temp, root) = served();
        assert_eq!(root.open_file(&path("link")).unwrap_err(), FileError::Link);
        assert_eq!(root.open_file(&path("way/secret")).unwrap_err(), FileError::NotADirectory);
        assert_eq!(root.open_file(&path("within/f")).unwrap_err(), FileError::NotADirectory);
        assert_eq!(root.enter(&path("way")).unwrap_err(), FileError::NotADirectory);
        assert_eq!(root.read_dir(&path("way")).unwrap_err(), FileError::NotADirectory);
        assert_eq!(root.open_for_writing(&path("link"), Writing::InPlace).unwrap_err(), FileError::Link);
        assert_eq!(
            root.open_for_writing(&path("way/new"), Writing::Append).unwrap_err(),
            FileError::NotADirectory
        );
        assert_eq!(root.make_dir(&path("way/new")).unwrap_err(), FileError::NotADirectory);
        assert_eq!(root.rename(&path("d/f"), &path("way/f")).unwrap_err(), FileError::NotADirectory);
        assert_eq!(root.set_modified(&path("link"), Utc::now()).unwrap_err(), FileError::Link);
        assert_eq!(root.set_mode(&path("link"), 0o600).unwrap_err(), FileError::Link);
        assert_eq!(root.look(&path("link")).unwrap().kind(), Kind::Symlink);
        root.remove_file(&path("link")).unwrap();
        assert_eq!(fs::read_to_string(temp.path().join("outside/secret")).unwrap(), "secret");
    }

    #[test]
    fn special_files_are_listed_but_not_opened() {
        let (_temp, root) = served();
        assert_eq!(root.look(&path("fifo")).unwrap().kind(), Kind::Other);
        assert_eq!(root.open_file(&path("fifo")).unwrap_err(), FileError::NotAFile);
        assert_eq!(root.open_for_writing(&path("fifo"), Writing::InPlace).unwrap_err(), FileError::NotAFile);
        assert_eq!(root.open_file(&path("d")).unwrap_err(), FileError::NotAFile);
    }

    #[test]
    fn a_directory_that_becomes_a_link_leads_nowhere() {
        let (temp, root) = served();
        root.enter(&path("d")).unwrap();
        fs::rename(temp.path().join("inside/d"), temp.path().join("inside/was-d")).unwrap();
        symlink("../outside", temp.path().join("inside/d")).unwrap();
        assert_eq!(root.open_file(&path("d/secret")).unwrap_err(), FileError::NotADirectory);
    }

    #[test]
    fn the_root_itself_stays() {
        let (_temp, root) = served();
        assert_eq!(root.remove_dir(&RelPath::root()).unwrap_err(), FileError::Root);
        assert_eq!(root.rename(&RelPath::root(), &path("x")).unwrap_err(), FileError::Root);
        assert_eq!(root.make_dir(&RelPath::root()).unwrap_err(), FileError::System(Errno::EXIST));
        root.set_modified(&RelPath::root(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(root.look(&RelPath::root()).unwrap().modified, Some(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn names_that_would_forge_lines_are_left_out() {
        let (temp, root) = served();
        fs::write(temp.path().join("inside/d/a\nb"), "").unwrap();
        fs::write(temp.path().join("inside/d/a\rb"), "").unwrap();
        fs::write(temp.path().join("inside/d/.hidden"), "").unwrap();
        assert_eq!(root.read_dir(&path("d")).unwrap().names, [&b".hidden"[..], b"e", b"f"]);
    }
}
