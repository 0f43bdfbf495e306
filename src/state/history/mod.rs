//! What became of earlier runs: one SQLite file for all jobs and places of a user on this machine.
//!
//! It is for people and for monitoring; nothing that a run decides comes from it. A run is written down when it begins, so that one that was
//! killed shows as a run without an end.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::state::error::was_a_database;
use crate::state::{Aside, StateError};

/// The file of all runs.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Connection,
}

/// What is known of a run when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The job it is; `None` where it is none of a file.
    pub job: Option<String>,
    /// Where files come from, without a password.
    pub source: String,
    /// Where files go, without a password.
    pub destination: String,
    /// The process it is.
    pub pid: u32,
    /// When it began.
    pub at: DateTime<Utc>,
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ending {
    /// How long it took.
    pub seconds: f64,
    /// Its exit status.
    pub exit: u8,
    /// How many changes of each kind were made, by the names of the report.
    pub changes: BTreeMap<String, u64>,
    /// Bytes that were moved.
    pub bytes: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Files that were the same on both sides.
    pub unchanged: u64,
    /// Where the run put what it replaced or deleted; `None` where it put nothing aside.
    pub backup: Option<String>,
    /// Errors first, then what a person should know.
    pub messages: Vec<String>,
    /// Single changes, those that failed first. Of many, some.
    pub details: Vec<Change>,
}

/// One change of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What was to be done, by the name of the report.
    pub action: String,
    /// To what, escaped for people.
    pub path: String,
    /// Bytes that were moved for it.
    pub bytes: u64,
    /// Why it failed; `None` where it didn't.
    pub error: Option<String>,
}

/// A run that was written down.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// Its number, greater than those of all runs before.
    pub number: i64,
    /// As it began.
    pub beginning: Beginning,
    /// What became of it, without messages and details where many are asked for; `None` while it is under way, and for good when it was killed.
    pub ending: Option<Ending>,
}

/// Which runs are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// All of them.
    All,
    /// Those of a job.
    Job(&'a str),
    /// Those from one place to another that are no job.
    Places(&'a str, &'a str),
}

/// So many runs of a job, or of two places that are no job, are kept.
pub const MOST_RUNS: u32 = 1000;

/// And of so many of them what they said and changed.
pub const MOST_DETAILED: u32 = 100;

impl History {
    /// Opens the file, or makes it. One that is damaged or of another version is set aside; the second value says so.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub fn open(path: &Path) -> Result<(Self, Option<Aside>), StateError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|e| StateError::io("make the directory of", path, e))?;
        }
        let (connection, aside) = match table::open(path) {
            Ok(connection) => (connection, None),
            Err(unfit) if unfit.is_damage() && was_a_database(path) => {
                let aside = Aside::put(path, unfit)?;
                (table::open(path)?, Some(aside))
            }
            Err(e) => return Err(e),
        };
        Ok((Self { path: path.to_owned(), connection }, aside))
    }

    /// Opens the file to look at it alone; `None` where there is none.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn peek(path: &Path) -> Result<Option<Self>, StateError> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = table::open_to_read(path)?;
        Ok(connection.map(|connection| Self { path: path.to_owned(), connection }))
    }

    /// Writes down that a run begins, and returns its number.
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn begin(&mut self, run: &Beginning) -> Result<i64, StateError> {
        table::begin(&mut self.connection, run).map_err(|e| StateError::sqlite("write", &self.path, e))
    }

    /// Writes down what became of a run, and forgets what is too long ago.
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn end(&mut self, number: i64, ending: &Ending) -> Result<(), StateError> {
        table::end(&mut self.connection, number, ending)
            .map_err(|e| StateError::sqlite("write", &self.path, e))
    }

    /// Returns at most so many runs, the last first, without messages and details.
    ///
    /// # Errors
    /// Why they can't be read.
    pub fn runs(&self, which: Which<'_>, most: u32) -> Result<Vec<PastRun>, StateError> {
        table::runs(&self.connection, which, most).map_err(|e| StateError::sqlite("read", &self.path, e))
    }

    /// Returns a run with all that is known of it; `None` where there is none of this number.
    ///
    /// # Errors
    /// Why it can't be read.
    pub fn run(&self, number: i64) -> Result<Option<PastRun>, StateError> {
        table::run(&self.connection, number).map_err(|e| StateError::sqlite("read", &self.path, e))
    }

    /// Returns the last run that ended with status 0, without messages and details; `None` where there is none.
    ///
    /// # Errors
    /// Why it can't be read.
    pub fn last_success(&self, which: Which<'_>) -> Result<Option<PastRun>, StateError> {
        table::last_success(&self.connection, which).map_err(|e| StateError::sqlite("read", &self.path, e))
    }

    /// Returns the names of all jobs that ever ran, sorted.
    ///
    /// # Errors
    /// Why they can't be read.
    pub fn jobs(&self) -> Result<Vec<String>, StateError> {
        table::jobs(&self.connection).map_err(|e| StateError::sqlite("read", &self.path, e))
    }
}

#[cfg(test)]
mod tests;
