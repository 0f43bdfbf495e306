//! Files of this run that lie in a directory it mirrors: they are no part of the mirror. Else a server that knows the name of the state
//! could put another in its place, and `--delete` would remove it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oneway::config::Place;
use oneway::model::RelPath;

/// What SQLite has beside its file.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Returns the paths of what is kept from run to run, and of the other files (locks, reports), in those of the places that they are in.
pub(crate) fn paths(places: &[&Place], databases: &[PathBuf], others: &[PathBuf]) -> Vec<RelPath> {
    let databases = databases.iter().flat_map(|file| BESIDE.map(|suffix| with_suffix(file, suffix)));
    let files: Vec<PathBuf> =
        databases.chain(others.iter().cloned()).filter_map(|file| real(&file)).collect();
    let roots = places.iter().filter_map(|place| match place {
        Place::Local(root) => real(root),
        Place::Ftp { .. } => None,
    });
    let inside =
        |root: &Path, file: &Path| RelPath::parse(file.strip_prefix(root).ok()?.as_os_str().as_bytes()).ok();
    roots.flat_map(|root| files.iter().filter_map(|file| inside(&root, file)).collect::<Vec<_>>()).collect()
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}

/// Returns where a path leads, also where it or some of what is above it is yet to be made; `None` for what has no name.
fn real(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut missing = Vec::new();
    let mut above = path.as_path();
    loop {
        if let Ok(real) = above.canonicalize() {
            return Some(missing.iter().rev().fold(real, |path, name| path.join(name)));
        }
        missing.push(above.file_name()?);
        above = above.parent()?;
    }
}
