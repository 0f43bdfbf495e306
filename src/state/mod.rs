//! What outlives a run: receipts, in one SQLite file for each pair of places, or [`packed`](pack) to be kept on a server; and
//! [what became of it](history).
//!
//! The file of receipts is a memory, never the truth: what doesn't fit a listing is ignored, and a file that can't be used is set aside
//! with a warning. It is written as the run goes, so that a run that is killed loses the last second of it.

mod error;
pub mod history;
mod lock;
mod packed;
mod schema;

pub use error::{Aside, StateError};
pub use lock::{Holder, Lock, LockError, lock_file_name};
pub use packed::{MAGIC, PACK_LIMITS, PackError, PackLimits, pack, unpack};

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::model::{Kept, Receipt, RelPath, Remembered};
use crate::spill::{Record, Sorted, Spill};
use crate::state::schema::{Row, key, path_of};

/// The receipts of one pair of places.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    rows: Vec<(RelPath, Option<Receipt>)>,
    since: Instant,
}

/// Two places and the direction between them, by the names people give them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Where files come from.
    pub source: String,
    /// Where files go.
    pub destination: String,
}

impl Pair {
    /// Returns a name for the file of this pair that no other pair has.
    pub fn file_name(&self) -> String {
        format!("{}.sqlite", &blake3::hash(self.joined().as_bytes()).to_hex()[..24])
    }

    /// Returns a number for this pair as it is handled by one user of one machine, which no other pair, user or machine has. `handler` is
    /// whatever tells these apart.
    pub fn owner(&self, handler: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.joined().as_bytes());
        hasher.update(&[0]);
        hasher.update(handler);
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    fn joined(&self) -> String {
        // The length keeps one name from running into the other.
        format!("{}:{}>{}", self.source.len(), self.source, self.destination)
    }
}

/// Receipts leave for the disk after this long, or when there are so many of them.
const LONGEST: Duration = Duration::from_secs(1);
const MOST: usize = 2000;

impl State {
    /// Opens the file of `pair`, or makes it, and reads its receipts. One that is damaged or of another version is set aside; the third
    /// value says so. A file of something else is left alone.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub fn open(
        path: &Path,
        pair: &Pair,
        spill: &Spill,
    ) -> Result<(Self, Remembered, Option<Aside>), StateError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|e| StateError::io("make the directory of", path, e))?;
        }
        let opened = schema::open(path, pair).and_then(|connection| {
            let receipts = receipts(&connection, path, spill)?;
            Ok((connection, receipts))
        });
        let (connection, receipts, aside) = match opened {
            Ok((connection, receipts)) => (connection, receipts, None),
            Err(unfit) if unfit.is_damage() && error::was_a_database(path) => {
                let aside = Aside::put(path, unfit)?;
                (schema::open(path, pair)?, Remembered::default(), Some(aside))
            }
            Err(e) => return Err(e),
        };
        let waiting = Waiting { connection, rows: Vec::new(), since: Instant::now() };
        Ok((Self { path: path.to_owned(), waiting: Mutex::new(waiting) }, receipts, aside))
    }

    /// Reads the receipts of `pair` without changing anything; none where there is no file.
    ///
    /// # Errors
    /// Why the file can't be used.
    pub fn peek(path: &Path, pair: &Pair, spill: &Spill) -> Result<Remembered, StateError> {
        if !path.exists() {
            return Ok(Remembered::default());
        }
        match schema::open_to_read(path, pair)? {
            Some(connection) => receipts(&connection, path, spill),
            None => Ok(Remembered::default()),
        }
    }

    /// Remembers a receipt; `None` forgets the one there is. It is on the disk within a second, or after [`State::flush`].
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn record(&self, path: &RelPath, receipt: Option<Receipt>) -> Result<(), StateError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.rows.push((path.clone(), receipt));
        if waiting.rows.len() >= MOST || waiting.since.elapsed() >= LONGEST {
            return waiting.write().map_err(|e| StateError::sqlite("write", &self.path, e));
        }
        Ok(())
    }

    /// Returns whether what has this name was taken over from elsewhere.
    ///
    /// # Errors
    /// Why it can't be known.
    pub fn has_taken(&self, what: &str) -> Result<bool, StateError> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        schema::has_taken(&waiting.connection, what).map_err(|e| StateError::sqlite("read", &self.path, e))
    }

    /// Writes what waits, and that what has this name was taken over from elsewhere with it.
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn take(&self, what: &str) -> Result<(), StateError> {
        self.flush()?;
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        schema::take(&waiting.connection, what).map_err(|e| StateError::sqlite("write", &self.path, e))
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn flush(&self) -> Result<(), StateError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.write().map_err(|e| StateError::sqlite("write", &self.path, e))
    }
}

fn receipts(connection: &Connection, path: &Path, spill: &Spill) -> Result<Remembered, StateError> {
    let fail = |e| StateError::sqlite("read", path, e);
    let mut select = connection.prepare(Row::SELECT).map_err(fail)?;
    let rows = select.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, Row::read(row)?))).map_err(fail)?;
    let mut broken = None;
    let mut rows = rows.map_while(|row| match row {
        // What can't have been written by this program isn't believed.
        Ok((path, row)) => {
            Some(path_of(&path).zip(row.receipt()).map(|(path, receipt)| Kept { path, receipt }))
        }
        Err(e) => {
            broken = Some(e);
            None
        }
    });
    let mut rows = rows.by_ref().flatten();
    // They come in their order.
    let (mut held, mut weight) = (Vec::new(), 0);
    let mut read = || {
        for kept in rows.by_ref() {
            weight += kept.weight() as u64;
            held.push(kept);
            if spill.bytes().is_some_and(|most| weight > most) {
                return Sorted::put(held.drain(..).chain(rows.by_ref()), spill);
            }
        }
        held.shrink_to_fit();
        Ok(Sorted::held(std::mem::take(&mut held)))
    };
    let sorted = read().map_err(|e| StateError::io("put aside", path, e.cause()))?;
    match broken {
        Some(e) => Err(fail(e)),
        None => Ok(Remembered::Sorted(sorted)),
    }
}

impl Waiting {
    fn write(&mut self) -> rusqlite::Result<()> {
        self.since = Instant::now();
        if self.rows.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        {
            let mut replace = transaction.prepare(Row::REPLACE)?;
            let mut delete = transaction.prepare("DELETE FROM receipt WHERE path = ?1")?;
            for (path, receipt) in self.rows.drain(..) {
                match receipt {
                    Some(receipt) => Row::of(&receipt).write(&mut replace, &key(&path))?,
                    None => delete.execute(params![key(&path)])?,
                };
            }
        }
        transaction.commit()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // What is lost is learned again by the next run.
        let _ = self.flush();
        schema::close(&self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner).connection);
    }
}

#[cfg(test)]
mod tests;
