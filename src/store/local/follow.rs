//! Symbolic links of a source that were followed on purpose, and the way to what they lead to.
//!
//! A link that was followed is remembered with the true path of what it led to then, without any link in it. Whatever is read by way
//! of it is read from there, by [`Rooted`] like all else: so a link that nobody decided to follow is never gone by, and
//! what is no regular file is never opened.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{Entry, Kind, RelPath, escape};
use crate::rooted::Rooted;
use crate::store::Referent;
use crate::store::local::bytes_of;
use crate::store::local::listing::{below_path, entry_of};

/// The links of a store that were followed, with the true paths of the files and directories they led to.
#[derive(Debug, Default)]
pub(super) struct Followed(RwLock<HashMap<RelPath, PathBuf>>);

impl Followed {
    /// Finds out what `link` leads to, in the tree below `root`, and remembers it.
    pub(super) fn follow(&self, root: &Path, link: &RelPath) -> io::Result<Referent> {
        let place = match link.parent().and_then(|dir| self.nearest(&dir)) {
            Some((dir, below)) => below_path(&dir, &below.append(&last_of(link))),
            None => below_path(root, link),
        };
        let real = std::fs::canonicalize(&place).map_err(|error| with_target(&place, error))?;
        let meta = std::fs::symlink_metadata(&real)?;
        let entry = Entry { target: None, ..entry_of(link.clone(), &meta, &real) };
        let place = entry.is_dir().then(|| bytes_of(&real).into());
        match entry.kind {
            Kind::File | Kind::Dir if !link.is_root() => {
                self.0.write().unwrap_or_else(PoisonError::into_inner).insert(link.clone(), real);
            }
            Kind::File | Kind::Dir | Kind::Other => {}
            Kind::Symlink => return Err(io::Error::other("what it leads to changed meanwhile")),
        }
        Ok(Referent { entry, place })
    }

    /// Returns the true path of the nearest followed link at or above `path`, and the path below it; `None` when there is none.
    pub(super) fn nearest(&self, path: &RelPath) -> Option<(PathBuf, RelPath)> {
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut at = if links.is_empty() { None } else { Some(path.clone()) };
        while let Some(link) = at {
            if let Some(real) = links.get(&link) {
                return Some((real.clone(), path.below(&link).expect("it is above")));
            }
            at = link.parent();
        }
        None
    }

    /// Opens the directory from which `path` can be read without going by a link, and returns its path from there.
    pub(super) fn base_of(&self, root: &Arc<Rooted>, path: &RelPath) -> io::Result<(Arc<Rooted>, RelPath)> {
        let Some((real, below)) = self.nearest(path) else { return Ok((Arc::clone(root), path.clone())) };
        if !below.is_root() {
            return Ok((Arc::new(Rooted::open(&real)?), below));
        }
        let (Some(dir), Some(name)) = (real.parent(), real.file_name()) else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let name = RelPath::root().join(bytes_of(Path::new(name)));
        Ok((Arc::new(Rooted::open(dir)?), name.map_err(io::Error::other)?))
    }
}

fn last_of(path: &RelPath) -> RelPath {
    RelPath::root().join(path.name()).expect("it is the name of a path")
}

/// Adds to the system's error where the link points, if that is what is wrong.
fn with_target(link: &Path, error: io::Error) -> io::Error {
    match std::fs::read_link(link) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            let target = escape(&bytes_of(&target));
            io::Error::new(error.kind(), format!("it points to `{target}`, and nothing is there"))
        }
        _ => error,
    }
}
