//! What can be wrong with a state file, and how one is set aside.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a state file can't be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// The file system refuses.
    #[error("cannot {deed} the state file {}", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// SQLite refuses: the file is damaged, locked, or on a disk that is full.
    #[error("cannot {deed} the state file {}", path.display())]
    Sqlite {
        /// What was tried.
        deed: &'static str,
        /// On which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Another version of this program wrote it.
    #[error("{} is a state file of version {found}, and this program writes version {own}", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// Of which version.
        found: i64,
        /// This program's.
        own: i64,
    },
    /// It is of something else.
    #[error("{} {what}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Of what.
        what: String,
    },
}

impl StateError {
    pub(super) fn io(deed: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { deed, path: path.to_owned(), source }
    }

    pub(super) fn sqlite(deed: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        Self::Sqlite { deed, path: path.to_owned(), source }
    }

    /// Returns whether another run has the file for itself just now.
    pub(super) fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        matches!(self, Self::Sqlite { source, .. }
            if matches!(source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked)))
    }

    /// Returns whether a process was killed in the midst of changing the file, and what it has changed is to be taken back first.
    pub(super) fn wants_rollback(&self) -> bool {
        use rusqlite::ffi::{SQLITE_READONLY_RECOVERY, SQLITE_READONLY_ROLLBACK};
        let code = match self {
            Self::Sqlite { source, .. } => source.sqlite_error().map(|error| error.extended_code),
            _ => None,
        };
        matches!(code, Some(SQLITE_READONLY_RECOVERY | SQLITE_READONLY_ROLLBACK))
    }

    /// Returns whether the file is one of ours that can't be used any more. One that is locked, or on a full disk, or of something
    /// else, is not.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SchemaChanged, TypeMismatch};
        match self {
            Self::Version { .. } => true,
            Self::Foreign { .. } | Self::Io { .. } => false,
            Self::Sqlite { source, .. } => source.sqlite_error_code().is_none_or(|code| {
                matches!(code, DatabaseCorrupt | NotADatabase | SchemaChanged | TypeMismatch)
            }),
        }
    }
}

/// Returns whether the file is, or was, a database: it begins as one, or with nothing but zeros, as files do that a crash left.
pub(super) fn was_a_database(path: &Path) -> bool {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut head = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head));
    read.is_ok() && (MAGIC.starts_with(&head) || head.iter().all(|&byte| byte == 0))
}

/// A state file that was put out of the way.
#[derive(Debug)]
pub struct Aside {
    /// Its new name.
    pub to: PathBuf,
    /// What is wrong with it.
    pub why: StateError,
}

impl Aside {
    /// Renames the file at `path`, and what SQLite keeps beside it.
    pub(super) fn put(path: &Path, why: StateError) -> Result<Self, StateError> {
        let aside = |n: u32| with_suffix(path, &format!(".unusable-{n}"));
        let to = (1..).map(aside).find(|to| !to.exists()).unwrap_or_else(|| aside(0));
        std::fs::rename(path, &to).map_err(|e| StateError::io("set aside", path, e))?;
        for suffix in ["-wal", "-shm"] {
            // They belong to it, and would harm the next one.
            match std::fs::rename(with_suffix(path, suffix), with_suffix(&to, suffix)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(StateError::io("clear the way for", path, e));
                }
                _ => {}
            }
        }
        Ok(Self { to, why })
    }
}

impl Display for Aside {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)?;
        let mut cause = std::error::Error::source(&self.why);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        write!(f, "; it was set aside as {}, and nothing of it was believed", self.to.display())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
