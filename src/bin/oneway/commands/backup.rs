//! Where a run sets aside what it replaces and deletes.

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};

use oneway::config::Place;
use oneway::run::backup::Backup;

use crate::exit::UsageError;

/// Returns the directory of this run, or of this `part` of a plan, in DIR, and what it is called.
///
/// # Errors
/// When DIR is no path, or can't be printed for `undo`.
pub(crate) fn place(dir: &OsStr, destination: &Place, part: Option<&str>) -> anyhow::Result<(Place, Backup)> {
    let now = chrono::Utc::now();
    let random = RandomState::new().hash_one(now.timestamp_nanos_opt()) & 0xffff;
    // Many parts may begin in one second.
    let part = part.map_or_else(String::new, |part| format!("-{part}"));
    let run = format!("{}-{random:04x}{part}", now.format("%Y-%m-%dT%H-%M-%SZ"));
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
