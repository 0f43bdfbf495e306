//! Where a run sets aside what it replaces and deletes.

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};

use oneway::config::Place;
use oneway::run::backup::Backup;

use crate::exit::UsageError;

/// Returns the directory of this run in DIR, and what it is called.
///
/// # Errors
/// When DIR is no path, or can't be printed for `undo`.
pub(crate) fn place(dir: &OsStr, destination: &Place) -> anyhow::Result<(Place, Backup)> {
    let now = chrono::Utc::now();
    let random = RandomState::new().hash_one(now.timestamp_nanos_opt()) & 0xffff;
    let run = format!("{}-{random:04x}", now.format("%Y-%m-%dT%H-%M-%SZ"));
    let dir = destination.beside(dir).map_err(|e| UsageError(format!("--backup-dir: {e}")))?;
    let place = dir.below(&run);
    let backup = Backup { name: name("--backup-dir", &place)?, destination: name("DST", destination)? };
    Ok((place, backup))
}

/// Returns what a place is called wherever the program is started.
pub(crate) fn name(what: &str, place: &Place) -> anyhow::Result<String> {
    match place {
        Place::Ftp { name, .. } => Ok(name.clone()),
        Place::Local(path) => {
            let path = std::path::absolute(path)?;
            let text = path.to_str().ok_or_else(|| UsageError(format!("{what}: the path is not UTF-8")))?;
            Ok(text.to_owned())
        }
    }
}
