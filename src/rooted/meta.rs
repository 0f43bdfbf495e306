//! What the system tells of one name or open file, in types that are the same on every system; and the way back for times.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_OMIT, fstat, futimens};

use crate::model::{Kind, Mtime};
use crate::rooted::Unfit;

/// What is known of one name, no link followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// What it is, as exactly as the system tells.
    pub file_type: FileType,
    /// Size in bytes; of a symbolic link the length of its target.
    pub size: u64,
    /// When its content last changed; `None` outside the calendar's range.
    pub mtime: Option<Mtime>,
    /// When its content, its bits or its names last changed, in seconds and nanoseconds; nobody can set it.
    pub ctime: (i64, i64),
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// How many names it has.
    pub links: u64,
    /// The number of the user it belongs to.
    pub owner: u32,
    /// The number of the group it belongs to.
    pub group: u32,
    /// The file system it is on.
    pub device: u64,
    /// Its number there, the same for all its names.
    pub inode: u64,
}

impl Meta {
    /// Asks the system about an open file.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(fstat(file)?.into())
    }

    /// Returns what it is.
    pub fn kind(&self) -> Kind {
        match self.file_type {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        }
    }

    /// Demands a regular file.
    ///
    /// # Errors
    /// [`Unfit::Link`] or [`Unfit::NotAFile`].
    pub fn check_file(&self) -> io::Result<()> {
        match self.kind() {
            Kind::File => Ok(()),
            Kind::Symlink => Err(Unfit::Link.into()),
            Kind::Dir | Kind::Other => Err(Unfit::NotAFile.into()),
        }
    }

    /// Demands a regular file or a directory.
    ///
    /// # Errors
    /// As [`Meta::check_file`].
    pub fn check_file_or_dir(&self) -> io::Result<()> {
        if self.kind() == Kind::Dir { Ok(()) } else { self.check_file() }
    }
}

impl From<Stat> for Meta {
    // The widths of these fields differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    fn from(stat: Stat) -> Self {
        Self {
            file_type: FileType::from_raw_mode(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: Mtime::from_unix(stat.st_mtime as i64, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            ctime: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            mode: stat.st_mode as u32 & 0o7777,
            links: stat.st_nlink as u64,
            owner: stat.st_uid,
            group: stat.st_gid,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
        }
    }
}

/// Sets the modification time of an open file.
///
/// # Errors
/// What the system says.
pub fn set_file_mtime(file: impl AsFd, mtime: Mtime) -> io::Result<()> {
    Ok(futimens(file, &timestamps(mtime))?)
}

/// Returns the times that set `mtime` and leave the time of the last access alone.
pub(super) fn timestamps(mtime: Mtime) -> Timestamps {
    // A leap second is a nanosecond count of more than a second, which the system doesn't take.
    let nanos = mtime.at.timestamp_subsec_nanos().min(999_999_999);
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.at.timestamp(), tv_nsec: nanos.into() },
    }
}
