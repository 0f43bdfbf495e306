//! The table of runs.

use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior, params};

use crate::state::StateError;
use crate::state::history::{Beginning, Ending, MOST_DETAILED, MOST_RUNS, PastRun, Which};

/// The version of the table. A file of another one is not read.
const VERSION: i64 = 1;

/// Marks the file as ours (SQLite's `application_id`): "1wyh".
const APPLICATION: i64 = 0x3177_7968;

/// Runs that are compared with each other are of one series: those of a job, or of two places.
const TABLES: &str = "
    CREATE TABLE run (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        series TEXT NOT NULL, job TEXT, source TEXT NOT NULL, destination TEXT NOT NULL,
        pid INTEGER NOT NULL, began INTEGER NOT NULL,
        seconds REAL, exit INTEGER, changes TEXT, bytes INTEGER, failed INTEGER, unchanged INTEGER,
        backup TEXT, messages TEXT, details TEXT
    );
    CREATE INDEX run_series ON run (series, number);
";

/// How long another run may be busy with the file.
const PATIENCE: Duration = Duration::from_secs(5);

const COLUMNS: &str =
    "number, job, source, destination, pid, began, seconds, exit, changes, bytes, failed, unchanged, backup";

pub(super) fn open(path: &Path) -> Result<Connection, StateError> {
    let fail = |e| StateError::sqlite("open", path, e);
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        drop(open_to_read(path)?);
    }
    let mut connection = Connection::open(path).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    // A file is written twice a run, so the usual journal will do: nothing is left beside it that a reader would need.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if tables == 0 {
        transaction.execute_batch(TABLES).map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(fail)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
    }
    transaction.commit().map_err(fail)?;
    examine(&connection, path)?;
    Ok(connection)
}

/// Returns `None` where nothing is in the file yet: another run is about to make its table.
pub(super) fn open_to_read(path: &Path) -> Result<Option<Connection>, StateError> {
    let fail = |e| StateError::sqlite("open", path, e);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if tables == 0 {
        return Ok(None);
    }
    examine(&connection, path)?;
    Ok(Some(connection))
}

fn examine(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let pragma = |name: &str| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        value.map_err(|e| StateError::sqlite("read", path, e))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION {
        let what = "is no history of oneway".to_owned();
        return Err(StateError::Foreign { path: path.to_owned(), what });
    }
    if version != VERSION {
        return Err(StateError::Version { path: path.to_owned(), found: version, own: VERSION });
    }
    Ok(())
}

pub(super) fn begin(connection: &mut Connection, run: &Beginning) -> rusqlite::Result<i64> {
    let series = match &run.job {
        Some(job) => series(Which::Job(job)),
        None => series(Which::Places(&run.source, &run.destination)),
    };
    connection.execute(
        "INSERT INTO run (series, job, source, destination, pid, began) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![series, run.job, run.source, run.destination, run.pid, run.at.timestamp_millis()],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Returns what a series is known by; `None` for all of them.
fn series(which: Which<'_>) -> Option<String> {
    match which {
        Which::All => None,
        Which::Job(job) => Some(format!("job {job}")),
        // The length keeps one name from running into the other.
        Which::Places(source, destination) => Some(format!("places {}:{source}>{destination}", source.len())),
    }
}

pub(super) fn end(connection: &mut Connection, number: i64, ending: &Ending) -> rusqlite::Result<()> {
    let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let transaction = connection.transaction()?;
    transaction.execute(
        "UPDATE run SET seconds = ?2, exit = ?3, changes = ?4, bytes = ?5, failed = ?6, unchanged = ?7, backup = ?8,
            messages = ?9, details = ?10 WHERE number = ?1",
        params![
            number,
            ending.seconds,
            ending.exit,
            json(serde_json::to_string(&ending.changes)),
            whole(ending.bytes),
            whole(ending.failed),
            whole(ending.unchanged),
            ending.backup,
            json(serde_json::to_string(&ending.messages)),
            json(serde_json::to_string(&ending.details)),
        ],
    )?;
    let nth = "(SELECT number FROM run WHERE series = (SELECT series FROM run WHERE number = ?1)
        ORDER BY number DESC LIMIT 1 OFFSET ?2)";
    let series = "series = (SELECT series FROM run WHERE number = ?1)";
    transaction.execute(
        &format!("UPDATE run SET messages = NULL, details = NULL WHERE {series} AND number <= {nth}"),
        params![number, MOST_DETAILED],
    )?;
    transaction.execute(
        &format!("DELETE FROM run WHERE {series} AND number <= {nth}"),
        params![number, MOST_RUNS],
    )?;
    transaction.commit()
}

pub(super) fn runs(connection: &Connection, which: Which<'_>, most: u32) -> rusqlite::Result<Vec<PastRun>> {
    let series = series(which);
    let condition = if series.is_some() { "series = ?1" } else { "?1 IS NULL" };
    let sql = format!("SELECT {COLUMNS} FROM run WHERE {condition} ORDER BY number DESC LIMIT ?2");
    connection.prepare(&sql)?.query_map(params![series, most], read)?.collect()
}

pub(super) fn run(connection: &Connection, number: i64) -> rusqlite::Result<Option<PastRun>> {
    let sql = format!("SELECT {COLUMNS}, messages, details FROM run WHERE number = ?1");
    let run = connection.query_row(&sql, [number], |row| {
        let mut run = read(row)?;
        if let Some(ending) = &mut run.ending {
            ending.messages = of_json(row.get(13)?);
            ending.details = of_json(row.get(14)?);
        }
        Ok(run)
    });
    run.optional()
}

pub(super) fn last_success(connection: &Connection, which: Which<'_>) -> rusqlite::Result<Option<PastRun>> {
    let series = series(which);
    let condition = if series.is_some() { "series = ?1" } else { "?1 IS NULL" };
    let sql =
        format!("SELECT {COLUMNS} FROM run WHERE {condition} AND exit = 0 ORDER BY number DESC LIMIT 1");
    connection.query_row(&sql, [series], read).optional()
}

pub(super) fn jobs(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT DISTINCT job FROM run WHERE job IS NOT NULL ORDER BY job";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<PastRun> {
    let count = |at: usize| row.get::<_, i64>(at).map(|n| u64::try_from(n).unwrap_or(0));
    let at = DateTime::from_timestamp_millis(row.get(5)?);
    let beginning = Beginning {
        job: row.get(1)?,
        source: row.get(2)?,
        destination: row.get(3)?,
        pid: row.get(4)?,
        at: at.ok_or(rusqlite::Error::IntegralValueOutOfRange(5, 0))?,
    };
    let ending = match row.get::<_, Option<u8>>(7)? {
        Some(exit) => Some(Ending {
            seconds: row.get(6)?,
            exit,
            changes: of_json(row.get(8)?),
            bytes: count(9)?,
            failed: count(10)?,
            unchanged: count(11)?,
            backup: row.get(12)?,
            ..Ending::default()
        }),
        None => None,
    };
    Ok(PastRun { number: row.get(0)?, beginning, ending })
}

/// What isn't there any more, or was written by somebody else, is as if nothing were known.
fn of_json<T: Default + serde::de::DeserializeOwned>(text: Option<String>) -> T {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}
