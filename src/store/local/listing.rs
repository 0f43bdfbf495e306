//! What a directory on the local disk holds.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::model::{Entry, Kind, Mtime, RelPath, Unproven, permission_bits};
use crate::rooted::Rooted;
use crate::store::DirListing;
use crate::store::local::{bytes_of, is_gone, with_rights};

/// Reads the directory `below` the one at `path`, for entries that are in `dir`. What vanishes meanwhile is left out: it isn't
/// there any more.
pub(super) fn list_dir(path: &Path, below: &RelPath, dir: &RelPath) -> io::Result<DirListing> {
    let root = Rooted::open(path)?;
    let place = below_path(path, below);
    let listing = read_entries(&place, dir).map_err(|error| with_rights(&root, below, error))?;
    // walkdir goes by path and through links, and finds nothing in what is no directory. So what it found counts only if
    // a walk without links leads to a directory, too. The root may be a link.
    match root.meta(below)?.kind() {
        Kind::Dir => Ok(listing),
        _ => Err(io::ErrorKind::NotADirectory.into()),
    }
}

fn read_entries(place: &Path, dir: &RelPath) -> io::Result<DirListing> {
    let mut listing = DirListing::default();
    let mut odd_names = 0;
    let mut odd_name = String::new();
    for found in WalkDir::new(place).min_depth(1).max_depth(1).follow_links(false) {
        let found = match found {
            Ok(found) => found,
            Err(e) if e.depth() > 0 && e.io_error().is_some_and(is_gone) => continue,
            Err(e) => return Err(cause(e)),
        };
        let name = bytes_of(Path::new(found.file_name()));
        let path = match dir.join(&name) {
            Ok(path) => path,
            Err(why) => {
                odd_names += 1;
                odd_name = format!("`{}`: {why}", crate::model::escape(&name));
                continue;
            }
        };
        match found.metadata().map_err(cause) {
            Ok(meta) => listing.entries.push(entry_of(path, &meta, found.path())),
            Err(e) if is_gone(&e) => {}
            Err(e) => return Err(e),
        }
    }
    if odd_names > 0 {
        listing.doubt = Some(Unproven(match odd_names {
            1 => format!("a name can't be carried by FTP, {odd_name}"),
            n => format!("{n} names can't be carried by FTP, one of them {odd_name}"),
        }));
    }
    Ok(listing)
}

/// Returns the system's error without walkdir's text, which would name the path a second time.
fn cause(error: walkdir::Error) -> io::Error {
    error.into_io_error().unwrap_or_else(|| io::Error::other("a link leads back to where it is"))
}

pub(super) fn entry_of(path: RelPath, meta: &std::fs::Metadata, place: &Path) -> Entry {
    use std::os::unix::fs::MetadataExt;
    let kind = match meta.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Dir,
        t if t.is_symlink() => Kind::Symlink,
        _ => Kind::Other,
    };
    Entry {
        path,
        kind,
        size: (kind == Kind::File).then_some(meta.len()),
        mtime: Mtime::from_unix(meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0)),
        mode: Some(permission_bits(meta.mode())),
        target: (kind == Kind::Symlink)
            .then(|| std::fs::read_link(place).ok())
            .flatten()
            .map(|target| bytes_of(&target).into()),
    }
}

/// Returns the system's path of what is `below` the directory at `path`.
pub(super) fn below_path(path: &Path, below: &RelPath) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    // Joined to nothing, a path would end in a separator, which follows a link.
    if below.is_root() { path.to_owned() } else { path.join(std::ffi::OsStr::from_bytes(below.as_bytes())) }
}
