//! A directory that was read: its names, and what each of them is.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, readlinkat, statat};
use rustix::io::Errno;

use crate::rooted::Meta;

/// The names of a directory as they were when it was read. What they stand for is asked for one by one, so that a large
/// directory needs memory for its names alone.
#[derive(Debug)]
pub struct Directory {
    handle: Dir,
    names: Vec<Vec<u8>>,
}

impl Directory {
    pub(super) fn read(handle: OwnedFd) -> io::Result<Self> {
        let mut handle = Dir::new(handle)?;
        let mut names = Vec::new();
        while let Some(entry) = handle.read() {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(Self { handle, names })
    }

    /// Returns the names, sorted by bytes, without `.` and `..`.
    pub fn names(&self) -> &[Vec<u8>] {
        &self.names
    }

    /// Returns what `name` is, links not followed; `None` when it has gone since, or is none of the names.
    ///
    /// # Errors
    /// What the system says.
    pub fn meta(&self, name: &[u8]) -> io::Result<Option<Meta>> {
        match self.place(name).and_then(|dir| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(stat) => Ok(Some(stat.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns where the symbolic link `name` points.
    ///
    /// # Errors
    /// `InvalidInput` when it is no link; else what the system says.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(readlinkat(self.place(name)?, name, Vec::new())?.into_bytes())
    }

    /// Returns the directory for a name that was read from it: any other could be a path that leads out.
    fn place(&self, name: &[u8]) -> rustix::io::Result<impl AsFd> {
        self.names.binary_search_by(|known| known.as_slice().cmp(name)).map_err(|_| Errno::NOENT)?;
        self.handle.fd()
    }
}
