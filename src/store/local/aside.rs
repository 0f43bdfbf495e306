//! Files that are set aside on the local disk, and come back: by renaming, so that not a byte is copied.

use std::io;
use std::mem::swap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::RelPath;
use crate::rooted::Rooted;
use crate::store::local::{LocalSession, is_gone};
use crate::store::{Area, AsidePlace, Renaming, StoreResult, Way};

pub(super) fn switch(session: &mut LocalSession, area: Area) {
    if let Some((path, root)) = &mut session.other
        && session.area != area
    {
        swap(&mut session.path, path);
        swap(&mut session.root, root);
        session.area = area;
    }
}

pub(super) fn place(session: &LocalSession) -> StoreResult<AsidePlace> {
    let Some((aside, _)) = &session.other else { return Ok(AsidePlace::Apart) };
    let real = |path: &Path| -> StoreResult<Vec<u8>> {
        let real = real(path).map_err(|e| session.fail("find", &RelPath::root(), e))?;
        Ok(real
            .as_os_str()
            .as_bytes()
            .strip_suffix(b"/")
            .map_or_else(|| real.as_os_str().as_bytes().to_vec(), <[u8]>::to_vec))
    };
    Ok(AsidePlace::of(&real(&session.path)?, &real(aside)?))
}

/// Returns where a path leads, also where it or some of what is above it is yet to be made.
fn real(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut above = path.as_path();
    loop {
        match (above.canonicalize(), above.file_name(), above.parent()) {
            (Ok(real), ..) => return Ok(missing.iter().rev().fold(real, |path, name| path.join(name))),
            (Err(_), Some(name), Some(parent)) => {
                missing.push(name);
                above = parent;
            }
            (Err(e), ..) => return Err(e),
        }
    }
}

pub(super) fn carry(session: &mut LocalSession, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
    let mut roots = |area: Area| -> io::Result<Arc<Rooted>> {
        let before = session.area;
        switch(session, area);
        let root = session.root();
        switch(session, before);
        root
    };
    let ends = way.ends();
    let roots = roots(ends.0).and_then(|from| Ok((from, roots(ends.1)?)));
    let one = |Renaming { from, to }: &Renaming| {
        let (from_root, to_root) = match &roots {
            Ok(roots) => roots,
            Err(e) => return Err(io::Error::new(e.kind(), e.to_string())),
        };
        match from_root.carry(from, to_root, to) {
            Err(e) if is_carried(&e, from_root, from) && to_root.meta(to).is_ok() => Ok(()),
            carried => carried,
        }
    };
    let fail = |file: &Renaming, e: io::Error| {
        let crosses = e.kind() == io::ErrorKind::CrossesDevices;
        let error = session.fail_in_dir("move", &file.from, e);
        if crosses {
            error.with_hint("the backup directory must be on the file system of the mirror")
        } else {
            error
        }
    };
    files.iter().map(|file| one(file).map_err(|e| fail(file, e))).collect()
}

/// Returns whether the file may have been carried before.
fn is_carried(error: &io::Error, root: &Rooted, from: &RelPath) -> bool {
    let is_taken = error.kind() == io::ErrorKind::AlreadyExists;
    (is_gone(error) || is_taken) && root.meta(from).is_err_and(|e| is_gone(&e))
}
