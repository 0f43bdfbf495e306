//! Why something that is there isn't used. The system has no number for this, or one whose text misleads.

use std::io;

use thiserror::Error;

/// What stands in the way. Carried by an [`io::Error`] of the kind `InvalidInput`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It is a symbolic link.
    #[error("it is a symbolic link, and none is followed")]
    Link,
    /// It is a FIFO, a socket, a device, or a directory where a file is needed.
    #[error("it is no regular file")]
    NotAFile,
    /// It is the root, which can't be made, removed or renamed from inside.
    #[error("it is the root itself")]
    Root,
}

impl Unfit {
    /// Returns what `error` carries; `None` when it comes from the system.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Unfit> for io::Error {
    fn from(unfit: Unfit) -> Self {
        Self::new(io::ErrorKind::InvalidInput, unfit)
    }
}
