//! A directory that no path leads out of.
//!
//! A path is walked one component at a time from a held directory descriptor, and no component may be a symbolic link.
//! So neither `..` nor a link, not even one that is put there between the check and the use, makes anything outside the
//! root be read, written or removed. The root itself may be a link: whoever named it meant where it points.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};

use crate::model::{Kind, Mtime, RelPath};

/// A directory with everything below it.
#[derive(Debug)]
pub struct Rooted(OwnedFd);

/// What is known of one file or directory itself, no link followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// When its content last changed; `None` outside the calendar's range.
    pub mtime: Option<Mtime>,
    /// Permission bits.
    pub mode: u32,
    /// Device and number, the same for all names of one file.
    pub id: (u64, u64),
}

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
/// A FIFO that is put where a file was must not make an open wait for its other end.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

impl Rooted {
    /// Opens `path`, which must be a directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(fs::open(path, OFlags::RDONLY | DIR, Mode::empty())?))
    }

    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// `NotADirectory` when a component is a link or no directory; else what the system says.
    pub fn dir(&self, path: &RelPath) -> io::Result<OwnedFd> {
        let mut dir = self.0.try_clone()?;
        for name in path.components() {
            dir = fs::openat(&dir, os(name), OFlags::RDONLY | OFlags::NOFOLLOW | DIR, Mode::empty())?;
        }
        Ok(dir)
    }

    /// Returns what is at `path`.
    ///
    /// # Errors
    /// `NotFound`, or what the system says.
    pub fn meta(&self, path: &RelPath) -> io::Result<Meta> {
        if path.is_root() {
            return Ok(meta_of(&fs::fstat(&self.0)?));
        }
        let (dir, name) = self.place(path)?;
        Ok(meta_of(&fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Opens a regular file to be read.
    ///
    /// # Errors
    /// `InvalidInput` when it is no regular file; else what the system says.
    pub fn open_file(&self, path: &RelPath) -> io::Result<File> {
        self.open_regular(path, OFlags::RDONLY, Mode::empty())
    }

    /// Makes a new file. Nothing may be at `path` yet, not even a link.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    pub fn create_file(&self, path: &RelPath) -> io::Result<File> {
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.open_regular(path, how, Mode::from_raw_mode(0o666))
    }

    /// Opens a regular file to be written, keeping its content; makes it when it is missing.
    ///
    /// # Errors
    /// As [`Rooted::open_file`].
    pub fn write_file(&self, path: &RelPath) -> io::Result<File> {
        self.open_regular(path, OFlags::WRONLY | OFlags::CREATE, Mode::from_raw_mode(0o666))
    }

    fn open_regular(&self, path: &RelPath, how: OFlags, mode: Mode) -> io::Result<File> {
        let (dir, name) = self.place(path)?;
        let file = fs::openat(dir, name, how | FILE, mode)?;
        if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(file.into())
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system says.
    pub fn make_dir(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        Ok(fs::mkdirat(dir, name, Mode::from_raw_mode(0o777))?)
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_file(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        Ok(fs::unlinkat(dir, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_dir(&self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        Ok(fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
    }

    /// Renames; a file at `to` is replaced.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &RelPath, to: &RelPath) -> io::Result<()> {
        let (old_dir, old_name) = self.place(from)?;
        let (new_dir, new_name) = self.place(to)?;
        Ok(fs::renameat(old_dir, old_name, new_dir, new_name)?)
    }

    /// Sets the modification time of a file or directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mtime(&self, path: &RelPath, mtime: Mtime) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        Ok(fs::utimensat(dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the permission bits of a regular file or directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&self, path: &RelPath, mode: u32) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        // chmod has no way not to follow a link, so the file itself is opened first.
        let file = fs::openat(dir, name, OFlags::RDONLY | FILE, Mode::empty())?;
        Ok(fs::fchmod(file, Mode::from_raw_mode(mode))?)
    }

    /// Returns the target of a symbolic link.
    ///
    /// # Errors
    /// `InvalidInput` when it is no link; else what the system says.
    pub fn read_link(&self, path: &RelPath) -> io::Result<Vec<u8>> {
        let (dir, name) = self.place(path)?;
        Ok(fs::readlinkat(dir, name, Vec::new())?.into_bytes())
    }

    /// Returns the directory `path` is in, opened, and the last component.
    fn place<'p>(&self, path: &'p RelPath) -> io::Result<(OwnedFd, &'p OsStr)> {
        let parent = path.parent().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the root itself can't be changed from inside")
        })?;
        Ok((self.dir(&parent)?, os(path.name())))
    }
}

/// Sets the modification time of an open file.
///
/// # Errors
/// What the system says.
pub fn set_file_mtime(file: impl AsFd, mtime: Mtime) -> io::Result<()> {
    Ok(fs::futimens(file, &times(mtime))?)
}

/// Returns what is known of an open file.
///
/// # Errors
/// What the system says.
pub fn file_meta(file: impl AsFd) -> io::Result<Meta> {
    Ok(meta_of(&fs::fstat(file)?))
}

fn times(mtime: Mtime) -> Timestamps {
    let omit = Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
    let nanos = i64::from(mtime.at.timestamp_subsec_nanos().min(999_999_999));
    Timestamps {
        last_access: omit,
        last_modification: Timespec { tv_sec: mtime.at.timestamp(), tv_nsec: nanos },
    }
}

#[expect(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    reason = "the fields' types differ by platform"
)]
fn meta_of(stat: &Stat) -> Meta {
    Meta {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        },
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime: Mtime::from_unix(stat.st_mtime.into(), u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        mode: u32::from(stat.st_mode) & 0o7777,
        id: (stat.st_dev as u64, stat.st_ino as u64),
    }
}

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn nothing_is_reached_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let inside = tempfile::tempdir().unwrap();
        symlink(outside.path(), inside.path().join("d")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("f")).unwrap();
        let root = Rooted::open(inside.path()).unwrap();

        assert!(root.open_file(&path("d/secret")).is_err());
        assert!(root.open_file(&path("f")).is_err());
        assert!(root.create_file(&path("d/new")).is_err());
        assert!(root.create_file(&path("f")).is_err());
        assert!(root.write_file(&path("f")).is_err());
        assert!(root.make_dir(&path("d/new")).is_err());
        assert!(root.remove_file(&path("d/secret")).is_err());
        assert!(root.set_mode(&path("f"), 0o777).is_err());
        assert!(root.meta(&path("d/secret")).is_err());
        assert_eq!(root.meta(&path("d")).unwrap().kind, Kind::Symlink);
        root.set_mtime(&path("f"), Mtime::from_unix(1, 0).unwrap()).unwrap();
        assert_ne!(
            std::fs::metadata(outside.path().join("secret")).unwrap().modified().unwrap(),
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)
        );
        // A rename replaces the link and leaves what it points to.
        std::fs::write(inside.path().join("new"), "n").unwrap();
        root.rename(&path("new"), &path("f")).unwrap();
        assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"s");
        root.remove_file(&path("d")).unwrap();
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_fifo_is_neither_opened_nor_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::mknodat(fs::CWD, dir.path().join("p"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let root = Rooted::open(dir.path()).unwrap();
        assert!(root.open_file(&path("p")).is_err());
        assert!(root.write_file(&path("p")).is_err());
    }

    #[test]
    fn times_are_kept_to_the_nanosecond() {
        let dir = tempfile::tempdir().unwrap();
        let root = Rooted::open(dir.path()).unwrap();
        let file = root.create_file(&path("a")).unwrap();
        let mtime = Mtime::from_unix(1_000_000_000, 123_456_789).unwrap();
        set_file_mtime(&file, mtime).unwrap();
        assert_eq!(root.meta(&path("a")).unwrap().mtime, Some(mtime));
        assert!(root.create_file(&path("a")).is_err());
    }
}
