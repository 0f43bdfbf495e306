//! What the system tells of one name, in types that are the same on every system.

use chrono::{DateTime, Utc};
use rustix::fs::{FileType, Stat};

use crate::model::Kind;

/// What is known of one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metadata {
    pub(super) file_type: FileType,
    /// Bytes; of a symbolic link the length of its target.
    pub(super) size: u64,
    /// `None` when it is out of the calendar's range.
    pub(super) modified: Option<DateTime<Utc>>,
    /// Permission bits, `0o7777`.
    pub(super) mode: u32,
    pub(super) links: u64,
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Metadata {
    pub(super) fn kind(&self) -> Kind {
        match self.file_type {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        }
    }
}

impl From<Stat> for Metadata {
    // The widths of these fields differ from system to system.
    #[allow(clippy::unnecessary_cast)]
    fn from(stat: Stat) -> Self {
        Self {
            file_type: FileType::from_raw_mode(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: DateTime::from_timestamp(stat.st_mtime as i64, 0),
            mode: stat.st_mode as u32 & 0o7777,
            links: stat.st_nlink as u64,
            owner: stat.st_uid,
            group: stat.st_gid,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
        }
    }
}
