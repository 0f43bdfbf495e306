//! A tree on the local disk.
//!
//! Directories are read in parallel with rayon; everything that writes goes through [`Rooted`], so that no symbolic link
//! below the root is ever written through.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use walkdir::WalkDir;

use crate::model::{Entry, Kind, Mtime, RelPath, Remedy, Unproven};
use crate::rooted::{Meta, Rooted, set_file_mtime};
use crate::store::{
    Capabilities, DirListing, Incoming, Outgoing, ReadRequest, Session, Settle, Store, StoreError,
    StoreResult, WriteRequest, Written,
};

/// A directory of this machine.
#[derive(Debug)]
pub struct LocalStore {
    path: PathBuf,
    name: String,
}

impl LocalStore {
    /// Returns the tree below `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = bytes_of(&path);
        Self { name: crate::model::escape(&name), path }
    }
}

impl Store for LocalStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn connect(&self) -> StoreResult<Box<dyn Session>> {
        Ok(Box::new(LocalSession {
            path: self.path.clone(),
            name: self.name.clone(),
            root: None,
            written: Vec::new(),
        }))
    }
}

/// One worker's hands on the directory.
struct LocalSession {
    path: PathBuf,
    name: String,
    /// Opened at the first use, since the root may yet have to be made.
    root: Option<Arc<Rooted>>,
    written: Vec<(RelPath, StoreResult<Written>)>,
}

impl LocalSession {
    fn root(&mut self) -> io::Result<Arc<Rooted>> {
        if let Some(root) = &self.root {
            return Ok(Arc::clone(root));
        }
        let root = Arc::new(Rooted::open(&self.path)?);
        self.root = Some(Arc::clone(&root));
        Ok(root)
    }

    fn fail(&self, operation: &'static str, path: &RelPath, error: io::Error) -> StoreError {
        StoreError::io(operation, path, &self.name, error)
    }

    /// Does the same to each path.
    fn each(
        &mut self,
        operation: &'static str,
        paths: &[RelPath],
        step: impl Fn(&Rooted, &RelPath) -> io::Result<()>,
    ) -> Vec<StoreResult<()>> {
        let one = |this: &mut Self, path: &RelPath| {
            this.root().and_then(|root| step(&root, path)).map_err(|e| this.fail(operation, path, e))
        };
        paths.iter().map(|path| one(self, path)).collect()
    }
}

impl Session for LocalSession {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sets_times: true, exact_times: true }
    }

    fn root_exists(&mut self) -> StoreResult<bool> {
        match self.root() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(self.fail("open", &RelPath::root(), e)),
        }
    }

    fn make_root(&mut self) -> StoreResult<()> {
        std::fs::create_dir_all(&self.path).map_err(|e| self.fail("create", &RelPath::root(), e))
    }

    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>> {
        dirs.par_iter().map(|dir| list_dir(&self.path, dir).map_err(|e| self.fail("list", dir, e))).collect()
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        let one = |this: &mut Self, path: &RelPath| {
            let meta = this.root().and_then(|root| root.meta(path));
            meta.map(|meta| meta.mtime).map_err(|e| this.fail("look at", path, e))
        };
        files.iter().map(|path| one(self, path)).collect()
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("create", dirs, |root, dir| match root.make_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && root.meta(dir)?.kind() == Kind::Dir => {
                Ok(())
            }
            made => made,
        })
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", files, |root, file| gone_is_fine(root.remove_file(file)))
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", dirs, |root, dir| gone_is_fine(root.remove_dir(dir)))
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        _next: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        let opened = self.root().and_then(|root| root.open_file(&file.path));
        let (handle, before) = opened.map_err(|e| self.fail("read", &file.path, e))?;
        Ok(Box::new(LocalIncoming { session: self, file: handle, path: file.path.clone(), before, bytes: 0 }))
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        _next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        let opened = self.root().and_then(|root| Ok((root.create_file(&file.temporary, 0o666)?, root)));
        let (handle, root) = opened.map_err(|e| self.fail("write", &file.path, e))?;
        Ok(Box::new(LocalOutgoing {
            session: self,
            temporary: Temporary { root, path: file.temporary.clone(), armed: true },
            file: handle,
            request: file.clone(),
            bytes: 0,
        }))
    }

    fn settle(&mut self, _which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        std::mem::take(&mut self.written)
    }
}

/// A file being read. Its size and time before and after must agree, or what was read is no version of it.
struct LocalIncoming<'s> {
    session: &'s LocalSession,
    file: File,
    path: RelPath,
    before: Meta,
    bytes: u64,
}

impl Incoming for LocalIncoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(n) => {
                    self.bytes += n as u64;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.session.fail("read", &self.path, e)),
            }
        }
    }

    fn finish(self: Box<Self>) -> StoreResult<u64> {
        let after = Meta::of(&self.file).map_err(|e| self.session.fail("read", &self.path, e))?;
        if (after.size, after.mtime) == (self.before.size, self.before.mtime) && self.bytes == after.size {
            return Ok(self.bytes);
        }
        let why = "the file changed while it was read";
        Err(StoreError::new("read", &self.path, &self.session.name, Remedy::Retry, why))
    }
}

/// A file being written under its temporary name.
struct LocalOutgoing<'s> {
    session: &'s mut LocalSession,
    temporary: Temporary,
    file: File,
    request: WriteRequest,
    bytes: u64,
}

/// Removes the temporary file unless it got its final name.
struct Temporary {
    root: Arc<Rooted>,
    path: RelPath,
    armed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.armed {
            // There is nobody to tell; the next run finds a leftover by its name.
            let _ = self.root.remove_file(&self.path);
        }
    }
}

impl Outgoing for LocalOutgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
        self.file.write_all(bytes).map_err(|e| self.session.fail("write", &self.request.path, e))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> StoreResult<()> {
        let published = self.publish();
        let path = self.request.path.clone();
        let written = published.map_err(|e| self.session.fail("write", &path, e))?;
        self.session.written.push((path, Ok(written)));
        Ok(())
    }
}

impl LocalOutgoing<'_> {
    fn publish(&mut self) -> io::Result<Written> {
        let WriteRequest { path, mtime, mode, .. } = &self.request;
        let stored = Meta::of(&self.file)?.size;
        if stored != self.bytes {
            return Err(io::Error::other(format!("{stored} of {} bytes are on the disk", self.bytes)));
        }
        if let Some(mode) = mode {
            self.file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode & 0o777))?;
        }
        let time_set = mtime.is_some_and(|mtime| set_file_mtime(&self.file, mtime).is_ok());
        self.temporary.root.rename(&self.temporary.path, path)?;
        self.temporary.armed = false;
        Ok(Written { bytes: self.bytes, time_set })
    }
}

/// Reads one directory. What vanishes meanwhile is left out: it isn't there any more.
fn list_dir(root: &Path, dir: &RelPath) -> io::Result<DirListing> {
    let place = if dir.is_root() { root.to_owned() } else { root.join(os_path(dir)) };
    let mut listing = DirListing::default();
    let mut odd_names = 0;
    let mut odd_name = String::new();
    // The root may be a link; below it, what was listed as a directory must still be one.
    if !dir.is_root() && !std::fs::symlink_metadata(&place)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    for found in WalkDir::new(&place).min_depth(1).max_depth(1).follow_links(false) {
        let found = match found {
            Ok(found) => found,
            Err(e) if e.depth() > 0 && e.io_error().is_some_and(is_gone) => continue,
            Err(e) => return Err(e.into()),
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
        match found.metadata() {
            Ok(meta) => listing.entries.push(entry_of(path, &meta, found.path())),
            Err(e) if e.io_error().is_some_and(is_gone) => {}
            Err(e) => return Err(e.into()),
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

fn entry_of(path: RelPath, meta: &std::fs::Metadata, place: &Path) -> Entry {
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
        mode: Some(meta.mode() & 0o7777),
        target: (kind == Kind::Symlink)
            .then(|| std::fs::read_link(place).ok())
            .flatten()
            .map(|target| bytes_of(&target).into()),
    }
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if is_gone(&e) => Ok(()),
        other => other,
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn os_path(path: &RelPath) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()))
}

fn bytes_of(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}
