//! From two arguments to what is copied where, as people know it of `cp`: into a directory that is there, else to a new name.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use oneway::config::Place;
use oneway::model::{Kind, RelPath, Remedy, escape};
use oneway::store::{Session as _, StoreError};

use crate::commands::connect;
use crate::commands::single::{Failed, Means};
use crate::exit::UsageError;

/// A place of a file: the directory it is in, and its name there.
pub(crate) type Spot = (Place, RelPath);

/// From where to where.
#[derive(Debug)]
pub(crate) struct Route {
    /// The very thing that is copied.
    pub(crate) source: Place,
    /// What it becomes.
    pub(crate) destination: Place,
    pub(crate) what: What,
}

/// What is copied.
#[derive(Debug)]
pub(crate) enum What {
    Tree,
    File { from: Box<Spot>, to: Box<Spot> },
}

/// What one may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Directories are copied with all that is in them.
    pub(crate) recursive: bool,
    /// A file's link is taken for what it leads to.
    pub(crate) follows: bool,
}

impl Route {
    /// Works out what two arguments mean, by looking at what is there.
    ///
    /// # Errors
    /// What is wrong with them, before anything is changed.
    pub(crate) fn find(
        means: &Means,
        source: &OsStr,
        destination: &OsStr,
        manner: Manner,
    ) -> anyhow::Result<Self> {
        let (from, to) = (connect::place("SRC", source)?, connect::place("DST", destination)?);
        if from.is_local() && to.is_local() {
            return usage("both SRC and DST are local; one of them must be a URL such as ftp://host/path");
        }
        let is_tree = is_tree(means, &from, source, manner)?;
        let name = name_of(&from)?;
        let into = is_dir(means, &to, destination)?;
        let spot = match (into, &name) {
            (true, Some(name)) => (to.clone(), name.clone()),
            // The content of a root goes into the directory itself.
            (true, None) => return Ok(Self { source: from, destination: to, what: What::Tree }),
            (false, _) => split(&to)?,
        };
        let place = if into { below(&to, &spot.1)? } else { to };
        if let (Some((_, path, other)), true) = (from.with_common_root(&place), !from.is_local()) {
            if path == other {
                return usage("SRC and DST are one and the same");
            }
            if is_tree && other.is_within(&path) {
                return usage("DST is inside of SRC");
            }
        }
        let what = if is_tree {
            What::Tree
        } else {
            What::File { from: origin(&from, manner)?.into(), to: spot.into() }
        };
        Ok(Self { source: from, destination: place, what })
    }
}

/// Returns whether the source is to be copied as a directory.
fn is_tree(means: &Means, from: &Place, typed: &OsStr, manner: Manner) -> anyhow::Result<bool> {
    let is_root = !from.is_local() && split(from).is_err() && from.with_common_root(from).is_some();
    // Of a file on a server, a run finds out what it is.
    let kind = if is_root {
        Some(Kind::Dir)
    } else if manner.recursive || from.is_local() {
        kind_at(means, from)?
    } else {
        None
    };
    match kind {
        Some(Kind::Dir) if manner.recursive => Ok(true),
        Some(Kind::Dir) => {
            usage(&format!("`{}` is a directory; -r copies one with all that is in it", shown(from, typed)))
        }
        Some(Kind::Other) => usage(&format!("`{}` is neither a file nor a directory", shown(from, typed))),
        None if from.is_local() => {
            let missing = "there is no such file or directory";
            Err(Failed(StoreError::of_store("read", &shown(from, typed), Remedy::Skip, missing)).into())
        }
        Some(Kind::File | Kind::Symlink) | None => Ok(false),
    }
}

/// Returns whether things are put into the destination, rather than under its name.
fn is_dir(means: &Means, to: &Place, typed: &OsStr) -> anyhow::Result<bool> {
    if typed.as_bytes().ends_with(b"/") || to.is_written_as_dir() {
        return Ok(true);
    }
    if let Some(kind) = kind_at(means, to)? {
        return Ok(kind == Kind::Dir);
    }
    let (above, _) = split(to)?;
    if kind_at(means, &above)? == Some(Kind::Dir) {
        return Ok(false);
    }
    let name = above.identity();
    let error = StoreError::of_store("write to", &name, Remedy::Skip, "there is no such directory");
    Err(Failed(error.with_hint("`oneway mkdir -p` makes one, and so does a DST that ends in /")).into())
}

/// Returns what is at a place; `None` where there is nothing, or where the server doesn't tell. Links are followed.
pub(crate) fn kind_at(means: &Means, place: &Place) -> anyhow::Result<Option<Kind>> {
    if let Place::Local(path) = place {
        return match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Ok(Some(Kind::Dir)),
            Ok(meta) if meta.is_file() => Ok(Some(Kind::File)),
            Ok(_) => Ok(Some(Kind::Other)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(e) => {
                let name = escape(path.as_os_str().as_bytes());
                Err(Failed(StoreError::io("look at", &RelPath::root(), &name, e)).into())
            }
        };
    }
    let Some((base, path, _)) = place.with_common_root(place) else {
        return usage("a path with `..` in it can't be used here");
    };
    if path.is_root() {
        return Ok(Some(Kind::Dir));
    }
    let store = means.store(base)?;
    let followed = means.connect(&store)?.follow(&[path]).pop().expect("one result for one path");
    match followed {
        Ok(referent) => Ok(Some(referent.entry.kind)),
        Err(e) if e.remedy() == Remedy::Skip => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Splits a place into the directory it is in and its name there.
pub(crate) fn split(place: &Place) -> anyhow::Result<Spot> {
    let Place::Local(path) = place else { return super::super::apart(place) };
    let no_name = || UsageError(format!("{} has no name of its own", escape(path.as_os_str().as_bytes())));
    let name = path.file_name().ok_or_else(no_name)?;
    Ok((Place::Local(dir_of(path)), RelPath::parse(name.as_bytes())?))
}

/// Returns where a file is truly read from.
fn origin(from: &Place, manner: Manner) -> anyhow::Result<Spot> {
    match from {
        Place::Local(path) if manner.follows => match fs::canonicalize(path) {
            Ok(real) => split(&Place::Local(real)),
            Err(e) => {
                let name = escape(path.as_os_str().as_bytes());
                Err(Failed(StoreError::io("read", &RelPath::root(), &name, e)).into())
            }
        },
        _ => split(from),
    }
}

/// Returns the name that a place has; `None` for a root, and for what is written as `.` or `..`.
fn name_of(place: &Place) -> anyhow::Result<Option<RelPath>> {
    match place {
        Place::Local(path) => Ok(path.file_name().map(|name| RelPath::parse(name.as_bytes())).transpose()?),
        Place::Ftp { .. } => Ok(split(place).ok().map(|(_, name)| name)),
    }
}

fn below(dir: &Place, name: &RelPath) -> anyhow::Result<Place> {
    if let Place::Local(path) = dir {
        return Ok(Place::Local(path.join(OsStr::from_bytes(name.as_bytes()))));
    }
    match std::str::from_utf8(name.as_bytes()) {
        Ok(name) => Ok(dir.clone().below(name)),
        Err(_) => usage(&format!("the name `{name}` is not UTF-8; give DST with the name it is to have")),
    }
}

fn dir_of(path: &Path) -> std::path::PathBuf {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => ".".into(),
        Some(dir) => dir.to_owned(),
        None => "/".into(),
    }
}

fn shown(place: &Place, typed: &OsStr) -> String {
    if place.is_local() { escape(typed.as_bytes()) } else { place.identity() }
}

fn usage<T>(text: &str) -> anyhow::Result<T> {
    Err(UsageError(text.to_owned()).into())
}
