//! A directory that no path leads out of: the local store writes to one, the server serves one.
//!
//! A path is walked one component at a time, each from the descriptor of the one before, and no component may be a
//! symbolic link. So neither `..` nor a link, not even one that is put there between the check and the use, makes anything
//! outside the root be read, written or removed: what somebody swaps in between changes at most what is found, not where.
//! The root itself may be a link: whoever named it meant where it points.
//!
//! Only regular files are opened, since opening a FIFO wakes or awaits its other end and opening a device may do anything
//! at all.

mod directory;
mod meta;
mod unfit;

pub use directory::Directory;
pub use meta::{Meta, set_file_mtime};
pub use unfit::Unfit;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Mode, OFlags, fchmod, fsync, mkdirat, openat, readlinkat, renameat, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;

use crate::model::{Mtime, RelPath};

/// A directory with everything below it.
#[derive(Debug)]
pub struct Rooted(OwnedFd);

impl Rooted {
    /// Opens `path`, which must be a directory. Here alone a symbolic link is followed.
    ///
    /// # Errors
    /// `NotADirectory`, or what the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, WALK - OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Returns what is at `path`.
    ///
    /// # Errors
    /// `NotFound`, or what the system says; `NotADirectory` when something above it is a link or no directory. The latter
    /// holds for every path below.
    pub fn meta(&self, path: &RelPath) -> io::Result<Meta> {
        let (dir, name) = self.place(path)?;
        look(&dir, name)
    }

    /// Makes sure that `path` is a directory in which things can be reached.
    ///
    /// # Errors
    /// `NotADirectory`, or what the system says.
    pub fn enter(&self, path: &RelPath) -> io::Result<()> {
        let dir = self.walk(path)?;
        // Looking at `.` needs the right to search the directory, which opening it as a place does not.
        statat(&dir, ".", AtFlags::empty())?;
        Ok(())
    }

    /// Reads the names in a directory.
    ///
    /// # Errors
    /// `NotADirectory`, or what the system says.
    pub fn read_dir(&self, path: &RelPath) -> io::Result<Directory> {
        let (dir, name) = self.place(path)?;
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Directory::read(openat(&dir, name, how, Mode::empty()).map_err(no_directory)?)
    }

    /// Flushes a directory to the disk: what its names stand for.
    ///
    /// # Errors
    /// `NotADirectory`, or what the system says.
    pub fn flush_dir(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fsync(openat(&dir, name, how, Mode::empty()).map_err(no_directory)?)?)
    }

    /// Returns where a symbolic link points.
    ///
    /// # Errors
    /// `InvalidInput` when it is no link; else what the system says.
    pub fn read_link(&self, path: &RelPath) -> io::Result<Vec<u8>> {
        let (dir, name) = self.place(path)?;
        Ok(readlinkat(&dir, name, Vec::new())?.into_bytes())
    }

    /// Opens a regular file to be read.
    ///
    /// # Errors
    /// [`Unfit`] when it is anything else; else what the system says.
    pub fn open_file(&self, path: &RelPath) -> io::Result<(File, Meta)> {
        let (dir, name) = self.place(path)?;
        look(&dir, name)?.check_file()?;
        regular(open(&dir, name, OFlags::RDONLY, Mode::empty())?)
    }

    /// Makes a new file with these permission bits, less those of the umask. Nothing may be at `path` yet, not even a link.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    pub fn create_file(&self, path: &RelPath, mode: u32) -> io::Result<File> {
        let (dir, name) = self.inner_place(path)?;
        Ok(create(&dir, name, OFlags::WRONLY, mode)?.into())
    }

    /// Opens a regular file to be written from its beginning, keeping its content; makes it when there is none.
    ///
    /// # Errors
    /// As [`Rooted::open_file`].
    pub fn write_file(&self, path: &RelPath) -> io::Result<(File, Meta)> {
        self.open_or_create(path, OFlags::WRONLY)
    }

    /// Opens a regular file to be written at its end, wherever that is at the time; makes it when there is none.
    ///
    /// # Errors
    /// As [`Rooted::open_file`].
    pub fn append_file(&self, path: &RelPath) -> io::Result<(File, Meta)> {
        self.open_or_create(path, OFlags::WRONLY | OFlags::APPEND)
    }

    fn open_or_create(&self, path: &RelPath, how: OFlags) -> io::Result<(File, Meta)> {
        let (dir, name) = self.inner_place(path)?;
        let try_once = || match look(&dir, name) {
            Ok(meta) => {
                meta.check_file()?;
                open(&dir, name, how, Mode::empty())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(&dir, name, how, 0o666),
            Err(error) => Err(error),
        };
        // Somebody else may make or remove the file between the look and the opening, so look once more.
        regular(match try_once() {
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                try_once()?
            }
            opened => opened?,
        })
    }

    /// Makes a directory in one that exists.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    pub fn make_dir(&self, path: &RelPath) -> io::Result<()> {
        if path.is_root() {
            return Err(Errno::EXIST.into());
        }
        let (dir, name) = self.inner_place(path)?;
        Ok(mkdirat(&dir, name, Mode::from_raw_mode(0o777))?)
    }

    /// Makes a symbolic link. Where it points is up to the caller; nothing here ever goes by it.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    pub fn make_link(&self, path: &RelPath, target: &[u8]) -> io::Result<()> {
        let (dir, name) = self.inner_place(path)?;
        Ok(symlinkat(target, &dir, name)?)
    }

    /// Removes anything that is no directory; of a symbolic link the link itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_file(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.inner_place(path)?;
        Ok(unlinkat(&dir, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_dir(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.inner_place(path)?;
        Ok(unlinkat(&dir, name, AtFlags::REMOVEDIR)?)
    }

    /// Renames, replacing what is no directory at the new name.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> io::Result<()> {
        let (from_dir, name) = self.inner_place(from)?;
        if !to.is_root() && from.parent() == to.parent() {
            return Ok(renameat(&from_dir, name, &from_dir, to.name())?);
        }
        let (to_dir, to) = self.inner_place(to)?;
        Ok(renameat(&from_dir, name, &to_dir, to)?)
    }

    /// Renames into another directory, where nothing may be at the new name.
    ///
    /// # Errors
    /// `CrossesDevices` where that is on another file system; `AlreadyExists`, or what the system says.
    pub fn carry(&self, from: &RelPath, other: &Self, to: &RelPath) -> io::Result<()> {
        let ((from_dir, from), (to_dir, to)) = (self.inner_place(from)?, other.inner_place(to)?);
        if look(&to_dir, to).is_ok() {
            return Err(Errno::EXIST.into());
        }
        Ok(renameat(&from_dir, from, &to_dir, to)?)
    }

    /// Sets the modification time of a regular file or directory.
    ///
    /// # Errors
    /// [`Unfit`] when it is anything else; else what the system says.
    pub fn set_mtime(&self, path: &RelPath, mtime: Mtime) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        look(&dir, name)?.check_file_or_dir()?;
        Ok(utimensat(&dir, name, &meta::timestamps(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the permission bits of a regular file or directory.
    ///
    /// # Errors
    /// [`Unfit`] when it is anything else; else what the system says.
    pub fn set_mode(&self, path: &RelPath, mode: u32) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        look(&dir, name)?.check_file_or_dir()?;
        // `fchmodat` would follow a link swapped in by now, so the file is opened first, for whatever its mode allows.
        let handle = match open(&dir, name, OFlags::RDONLY, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                open(&dir, name, OFlags::WRONLY, Mode::empty())?
            }
            opened => opened?,
        };
        Meta::of(&handle)?.check_file_or_dir()?;
        Ok(fchmod(&handle, Mode::from_bits_truncate(mode as _))?)
    }

    /// Returns the directory a path is in and its name there; the root is `.` in itself.
    fn place<'a>(&'a self, path: &'a RelPath) -> io::Result<(Place<'a>, &'a [u8])> {
        match path.parent() {
            Some(parent) => Ok((self.walk(&parent)?, path.name())),
            None => Ok((Place::Root(self.0.as_fd()), b".")),
        }
    }

    /// Returns the same for a path that is to be made, renamed or removed, which the root can't be.
    fn inner_place<'a>(&'a self, path: &'a RelPath) -> io::Result<(Place<'a>, &'a [u8])> {
        if path.is_root() { Err(Unfit::Root.into()) } else { self.place(path) }
    }

    fn walk(&self, path: &RelPath) -> io::Result<Place<'_>> {
        path.components().try_fold(Place::Root(self.0.as_fd()), |at, name| {
            Ok(Place::Below(openat(&at, name, WALK, Mode::empty()).map_err(no_directory)?))
        })
    }
}

/// A directory on the way.
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

fn look(dir: &Place<'_>, name: &[u8]) -> io::Result<Meta> {
    Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
}

fn create(dir: &Place<'_>, name: &[u8], how: OFlags, mode: u32) -> io::Result<OwnedFd> {
    open(dir, name, how | OFlags::CREATE | OFlags::EXCL, Mode::from_bits_truncate(mode as _))
}

fn open(dir: &Place<'_>, name: &[u8], how: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    openat(dir, name, how | NEVER_SPECIAL, mode).map_err(|error| match error {
        Errno::LOOP => Unfit::Link.into(),
        // A socket, or a FIFO that nobody reads, put there since the look.
        Errno::NXIO => Unfit::NotAFile.into(),
        error => error.into(),
    })
}

/// Looks again, at what was truly opened.
fn regular(file: OwnedFd) -> io::Result<(File, Meta)> {
    let meta = Meta::of(&file)?;
    meta.check_file()?;
    Ok((file.into(), meta))
}

/// A link refused by `O_NOFOLLOW` is `ELOOP` or `ENOTDIR`, depending on the system.
fn no_directory(error: Errno) -> Errno {
    if error == Errno::LOOP { Errno::NOTDIR } else { error }
}

/// One step of a walk. Where the system can, without the right to read the directory, which isn't needed to pass through.
#[cfg(any(target_os = "linux", target_os = "android"))]
const WALK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const WALK: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A FIFO that is swapped in after the look doesn't block the opening, nor does a terminal become the program's own.
const NEVER_SPECIAL: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use tests::where_permissions_bind;
