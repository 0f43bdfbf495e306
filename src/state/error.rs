//! What can be wrong with a state file, and how one is set aside.

use std::fmt::{self, Display, Formatter};
use std::io;
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

    /// Returns whether another file in its place would do: this one is damaged or of something else, and the disk is in order.
    pub fn is_about_the_file(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SchemaChanged, TypeMismatch, Unknown};
        match self {
            Self::Foreign { .. } => true,
            Self::Io { .. } => false,
            Self::Sqlite { source, .. } => source.sqlite_error_code().is_none_or(|code| {
                matches!(code, DatabaseCorrupt | NotADatabase | SchemaChanged | TypeMismatch | Unknown)
            }),
        }
    }
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
            // Of no use without the file they belong to, and harmful to the next one.
            match std::fs::remove_file(with_suffix(path, suffix)) {
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
