//! The tables of a state file, and receipts as rows.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Statement, TransactionBehavior, params};

use crate::model::{Mtime, Precision, Receipt, RelPath, Seen, Zone};
use crate::state::{Pair, StateError};

/// The version of the tables. A file of another one is not read.
const VERSION: i64 = 1;

/// Marks the file as ours (SQLite's `application_id`): "1way".
const APPLICATION: i64 = 0x3177_6179;

const TABLES: &str = "
    CREATE TABLE pair (source TEXT NOT NULL, destination TEXT NOT NULL);
    CREATE TABLE receipt (
        path BLOB PRIMARY KEY,
        source_size INTEGER NOT NULL, source_listed INTEGER, source_precision INTEGER, source_exact INTEGER,
        source_fresh INTEGER NOT NULL,
        destination_size INTEGER NOT NULL, destination_listed INTEGER, destination_precision INTEGER,
        destination_exact INTEGER, destination_fresh INTEGER NOT NULL,
        hash BLOB
    ) WITHOUT ROWID;
";

/// Opens the file, or makes it, and makes sure that it is of this program, this version and this pair. Nothing is written to one
/// that isn't.
pub(super) fn open(path: &Path, pair: &Pair) -> Result<Connection, StateError> {
    let began = Instant::now();
    loop {
        match open_once(path, pair) {
            // SQLite doesn't wait by itself for another run that is changing the journal's mode, too.
            Err(e) if e.is_busy() && began.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
}

/// How long another run may be busy with the file, and how often it's looked at.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

fn open_once(path: &Path, pair: &Pair) -> Result<Connection, StateError> {
    let fail = |e| StateError::sqlite("open", path, e);
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        match open_to_read(path, pair) {
            Err(e) if e.wants_rollback() => {
                roll_back(path).map_err(fail)?;
                drop(open_to_read(path, pair)?);
            }
            read => drop(read?),
        }
    }
    let mut connection = Connection::open(path).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    // Written ahead, so that a reader never waits and a kill at any moment leaves the file whole.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
    make(&mut connection, pair).map_err(fail)?;
    examine(&connection, path, pair)?;
    Ok(connection)
}

/// Takes back what a process that was killed has begun to change, as SQLite does for whoever reads and may write.
fn roll_back(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(PATIENCE)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map(drop)
}

/// Makes the tables of a file that has none. Another run may be about to do the same.
fn make(connection: &mut Connection, pair: &Pair) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO pair VALUES (?1, ?2)", params![pair.source, pair.destination])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

/// What was taken over from elsewhere. Most files have taken over nothing, and have no such table.
const TAKEN: &str = "CREATE TABLE IF NOT EXISTS taken (what TEXT PRIMARY KEY) WITHOUT ROWID";

/// Returns whether what has this name was taken over.
pub(super) fn has_taken(connection: &Connection, what: &str) -> rusqlite::Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'taken'";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    let found = "SELECT count(*) FROM taken WHERE what = ?1";
    Ok(tables > 0 && connection.query_row(found, [what], |row| row.get::<_, i64>(0))? > 0)
}

/// Remembers that what has this name was taken over.
pub(super) fn take(connection: &Connection, what: &str) -> rusqlite::Result<()> {
    connection.execute(TAKEN, [])?;
    connection.execute("INSERT OR IGNORE INTO taken VALUES (?1)", [what]).map(drop)
}

/// Leaves the file in a form that can be read without writing beside it. In vain while another run has it open.
pub(super) fn close(connection: &Connection) {
    let _ = connection.pragma_update(None, "journal_mode", "DELETE");
}

/// Opens a file that is there, to look at it alone; `None` where nothing is in it yet: another run is about to make its tables.
pub(super) fn open_to_read(path: &Path, pair: &Pair) -> Result<Option<Connection>, StateError> {
    let fail = |e| StateError::sqlite("open", path, e);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    match examine(&connection, path, pair) {
        Ok(()) => Ok(Some(connection)),
        Err(StateError::Foreign { .. }) if is_blank(&connection).unwrap_or(false) => Ok(None),
        // It has been made in between.
        Err(e @ StateError::Foreign { .. }) => {
            examine(&connection, path, pair).map_err(|_| e).map(|()| Some(connection))
        }
        Err(e) => Err(e),
    }
}

/// Returns whether a database has nothing in it and belongs to nobody.
fn is_blank(connection: &Connection) -> rusqlite::Result<bool> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(application == 0 && tables == 0)
}

/// Makes sure that the file is of this program, this version and this pair. Whether it's whole shows when all of it is read.
fn examine(connection: &Connection, path: &Path, pair: &Pair) -> Result<(), StateError> {
    let fail = |e| StateError::sqlite("read", path, e);
    let foreign = |what: String| StateError::Foreign { path: path.to_owned(), what };
    let pragma =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(fail);
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION {
        return Err(foreign("is no state file of oneway".to_owned()));
    }
    if version != VERSION {
        return Err(StateError::Version { path: path.to_owned(), found: version, own: VERSION });
    }
    let known: Option<(String, String)> = connection
        .query_row("SELECT source, destination FROM pair", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(fail)?;
    match known {
        Some((source, destination)) if source == pair.source && destination == pair.destination => {}
        Some((source, destination)) => {
            return Err(foreign(format!("is the state of another pair, {source} to {destination}")));
        }
        None => return Err(foreign("doesn't say of which pair it is".to_owned())),
    }
    Ok(())
}

/// Returns the key of a path. A separator becomes NUL, which no path holds, so that the order of keys is that of paths.
pub(super) fn key(path: &RelPath) -> Vec<u8> {
    path.as_bytes().iter().map(|&b| if b == b'/' { 0 } else { b }).collect()
}

/// Returns the path of a key; `None` when it is none.
pub(super) fn path_of(key: &[u8]) -> Option<RelPath> {
    // Of two keys with one path, one would be out of order.
    if key.contains(&b'/') {
        return None;
    }
    let bytes: Vec<u8> = key.iter().map(|&b| if b == 0 { b'/' } else { b }).collect();
    RelPath::parse(bytes).ok()
}

/// A receipt as it stands in its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    source: Side,
    destination: Side,
    hash: Option<Vec<u8>>,
    undated: bool,
}

/// Stands in the column that says whether the destination was fresh, beside that: a file of a program that didn't know of it is
/// still a good one.
const UNDATED: i64 = 2;

/// Times are seconds since 1970; precisions 0, 1, 2 for second, minute and day.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    size: i64,
    listed: Option<i64>,
    precision: Option<i64>,
    exact: Option<i64>,
    fresh: bool,
}

const PRECISIONS: [Precision; 3] = [Precision::Second, Precision::Minute, Precision::Day];

impl Row {
    pub(super) const SELECT: &str = "SELECT * FROM receipt ORDER BY path";
    pub(super) const REPLACE: &str =
        "REPLACE INTO receipt VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

    pub(super) fn of(receipt: &Receipt) -> Self {
        let hash = receipt.hash.map(|hash| hash.to_vec());
        let (source, destination) = (Side::of(&receipt.source), Side::of(&receipt.destination));
        Self { source, destination, hash, undated: receipt.undated }
    }

    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let side = |at: usize| {
            Ok::<_, rusqlite::Error>(Side {
                size: row.get(at)?,
                listed: row.get(at + 1)?,
                precision: row.get(at + 2)?,
                exact: row.get(at + 3)?,
                fresh: row.get::<_, i64>(at + 4)? & 1 != 0,
            })
        };
        let undated = row.get::<_, i64>(10)? & UNDATED != 0;
        Ok(Self { source: side(1)?, destination: side(6)?, hash: row.get(11)?, undated })
    }

    pub(super) fn write(&self, replace: &mut Statement<'_>, key: &[u8]) -> rusqlite::Result<usize> {
        let (s, d) = (&self.source, &self.destination);
        replace.execute(params![
            key,
            s.size,
            s.listed,
            s.precision,
            s.exact,
            s.fresh,
            d.size,
            d.listed,
            d.precision,
            d.exact,
            i64::from(d.fresh) | if self.undated { UNDATED } else { 0 },
            self.hash
        ])
    }

    /// Returns the receipt; `None` when the row holds what none can hold.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        let hash = match &self.hash {
            Some(hash) => Some(hash.as_slice().try_into().ok()?),
            None => None,
        };
        let (source, destination) = (self.source.seen()?, self.destination.seen()?);
        Some(Receipt { source, destination, hash, undated: self.undated })
    }
}

impl Side {
    fn of(seen: &Seen) -> Self {
        let precision = |mtime: Mtime| PRECISIONS.iter().position(|&p| p == mtime.precision);
        Self {
            // Sizes of files stay below 2^63.
            size: i64::try_from(seen.size).unwrap_or(i64::MAX),
            listed: seen.listed.map(|mtime| mtime.at.timestamp()),
            precision: seen.listed.and_then(precision).and_then(|i| i64::try_from(i).ok()),
            exact: seen.exact.map(|mtime| mtime.at.timestamp()),
            fresh: seen.fresh,
        }
    }

    fn seen(&self) -> Option<Seen> {
        let listed = match (self.listed, self.precision) {
            (Some(at), Some(precision)) => {
                let precision = *PRECISIONS.get(usize::try_from(precision).ok()?)?;
                Some(Mtime { precision, zone: Zone::Unknown, ..Mtime::from_unix(at, 0)? })
            }
            (None, None) => None,
            _ => return None,
        };
        let exact = match self.exact {
            Some(at) => Some(Mtime::from_unix(at, 0)?),
            None => None,
        };
        Some(Seen { size: u64::try_from(self.size).ok()?, listed, exact, fresh: self.fresh })
    }
}
