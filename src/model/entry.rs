//! What a listing told about one file or directory.

use crate::model::{Mtime, RelPath};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, whatever it points to.
    Symlink,
    /// A device, socket, FIFO, or a type this program doesn't know. Never copied and never deleted.
    Other,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::File, Self::Dir, Self::Symlink, Self::Other];

    /// Returns the word the reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Symlink => "symlink",
            Self::Other => "other",
        }
    }
}

/// One entry of a tree. What the listing didn't tell is `None`, never 0 or 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, below the root of its tree.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes; `None` for everything but files, and where the store doesn't tell.
    pub size: Option<u64>,
    /// When the content last changed; `None` where the store doesn't tell.
    pub mtime: Option<Mtime>,
    /// Permission bits (`0o7777`); `None` where the store doesn't tell.
    pub mode: Option<u16>,
    /// Where a symbolic link points; `None` for everything else, and where the store doesn't tell.
    pub target: Option<Box<[u8]>>,
}

/// Returns the permission bits of a mode, which says more than that in its upper half.
pub fn permission_bits(mode: u32) -> u16 {
    (mode & 0o7777) as u16
}

impl Entry {
    /// Returns an entry of which nothing but place and kind is known.
    pub fn new(path: RelPath, kind: Kind) -> Self {
        Self { path, kind, size: None, mtime: None, mode: None, target: None }
    }

    /// Returns a file of `size` bytes.
    pub fn file(path: RelPath, size: u64, mtime: Option<Mtime>) -> Self {
        Self { size: Some(size), mtime, ..Self::new(path, Kind::File) }
    }

    /// Returns whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_small_enough_for_millions() {
        assert!(size_of::<Entry>() <= 72, "{} bytes", size_of::<Entry>());
    }
}
