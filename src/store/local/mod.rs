//! A tree on the local disk.
//!
//! Directories are read in parallel with rayon; everything that writes goes through [`Rooted`], so that no symbolic link
//! below the root is ever written through, nor read through unless it was followed on purpose.

mod aside;
mod checksum;
mod follow;
mod incoming;
mod listing;
mod part;
mod transfer;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::model::{Checksum, ChecksumKind, Kind, Mtime, RelPath};
use crate::rooted::{Meta, Rooted};
use crate::store::{
    Area, AsidePlace, Begun, Capabilities, Continued, Dating, DirListing, HeldFile, Incoming, LinkRequest,
    Outgoing, PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, Session, Settle, Store,
    StoreError, StoreResult, Version, Way, WriteRequest, Written,
};

use follow::Followed;

/// A directory of this machine.
#[derive(Debug)]
pub struct LocalStore {
    path: PathBuf,
    name: String,
    /// Where things are set aside.
    aside: Option<PathBuf>,
    followed: Arc<Followed>,
    flushes: bool,
}

impl LocalStore {
    /// Returns the tree below `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = bytes_of(&path);
        Self {
            name: crate::model::escape(&name),
            path,
            aside: None,
            followed: Arc::default(),
            flushes: false,
        }
    }

    /// Flushes files to the disk before they get their names, and their directories after it, so that what is told as done outlasts
    /// a power failure.
    #[must_use]
    pub fn flushing(self) -> Self {
        Self { flushes: true, ..self }
    }

    /// Sets things aside in this directory, which need not exist yet: that of one run, in one for all of them.
    #[must_use]
    pub fn with_aside(mut self, path: impl Into<PathBuf>) -> Self {
        self.aside = Some(path.into());
        self
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
            other: self.aside.clone().map(|path| (path, None)),
            area: Area::Tree,
            followed: Arc::clone(&self.followed),
            flushes: self.flushes,
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
    /// The directory that paths are not of at present: where things are set aside, or the tree.
    other: Option<(PathBuf, Option<Arc<Rooted>>)>,
    area: Area,
    /// Links that may be read through.
    followed: Arc<Followed>,
    /// What is whole is flushed to the disk.
    flushes: bool,
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

    /// Opens the directory from which `path` can be read without going by a link, and returns its path from there.
    fn base_of(&mut self, path: &RelPath) -> io::Result<(Arc<Rooted>, RelPath)> {
        let root = self.root()?;
        self.followed.base_of(&root, path)
    }

    fn fail(&self, operation: &'static str, path: &RelPath, error: io::Error) -> StoreError {
        StoreError::io(operation, path, &self.name, error)
    }

    /// Fails to make, remove or rename `path`, which is a matter of the directory it is in.
    fn fail_in_dir(&self, operation: &'static str, path: &RelPath, error: io::Error) -> StoreError {
        let error = match (&self.root, path.parent()) {
            (Some(root), Some(dir)) => with_rights(root, &dir, error),
            _ => error,
        };
        self.fail(operation, path, error)
    }

    /// Makes or removes each path.
    fn each(
        &mut self,
        operation: &'static str,
        paths: &[RelPath],
        step: impl Fn(&Rooted, &RelPath) -> io::Result<()>,
    ) -> Vec<StoreResult<()>> {
        let one = |this: &mut Self, path: &RelPath| {
            this.root().and_then(|root| step(&root, path)).map_err(|e| this.fail_in_dir(operation, path, e))
        };
        paths.iter().map(|path| one(self, path)).collect()
    }
}

impl Session for LocalSession {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sets_times: true, exact_times: true, is_far: false, makes_links: true }
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
        let list = |dir| match self.followed.nearest(dir) {
            Some((place, below)) => listing::list_dir(&place, &below, dir),
            None => listing::list_dir(&self.path, dir, dir),
        };
        dirs.par_iter().map(|dir| list(dir).map_err(|e| self.fail("list", dir, e))).collect()
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        let one = |this: &mut Self, path: &RelPath| {
            let meta = this.base_of(path).and_then(|(root, path)| root.meta(&path));
            meta.map(|meta| meta.mtime).map_err(|e| this.fail("look at", path, e))
        };
        files.iter().map(|path| one(self, path)).collect()
    }

    fn checksum_kind(&self) -> Option<ChecksumKind> {
        Some(ChecksumKind::Blake3)
    }

    fn checksums(&mut self, kind: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        let root = self.root();
        let checksum = |path: &RelPath| {
            let root = root.as_ref().map_err(|e| io::Error::new(e.kind(), e.to_string()))?;
            let (root, path) = self.followed.base_of(root, path)?;
            let (file, _) = root.open_file(&path)?;
            checksum::of(kind, file).map(Some)
        };
        files.par_iter().map(|path| checksum(path).map_err(|e| self.fail("read", path, e))).collect()
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        let follow = |link| self.followed.follow(&self.path, link).map_err(|e| self.fail("follow", link, e));
        links.par_iter().map(follow).collect()
    }

    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        let make = |root: &Rooted, LinkRequest { path, temporary, target }: &LinkRequest| {
            root.make_link(temporary, target)?;
            // There is nobody to tell of what stays behind; the next run knows it by its name.
            root.rename(temporary, path).inspect_err(|_| drop(root.remove_file(temporary)))
        };
        let one = |this: &mut Self, link: &LinkRequest| {
            let made = this.root().and_then(|root| make(&root, link));
            made.map_err(|e| this.fail_in_dir("create", &link.path, e))
        };
        links.iter().map(|link| one(self, link)).collect()
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("create", dirs, |root, dir| match root.make_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && root.meta(dir)?.kind() == Kind::Dir => {
                Ok(())
            }
            made => made,
        })
    }

    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        let made = self.root().and_then(|root| match root.make_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && root.meta(dir)?.kind() == Kind::Dir => {
                Ok(false)
            }
            made => made.map(|()| true),
        });
        made.map_err(|e| self.fail_in_dir("create", dir, e))
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", files, |root, file| gone_is_fine(root.remove_file(file)))
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", dirs, |root, dir| gone_is_fine(root.remove_dir(dir)))
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        let one = |this: &mut Self, Renaming { from, to }: &Renaming| {
            let renamed = this.root().and_then(|root| match root.rename(from, to) {
                Err(e) if is_gone(&e) && root.meta(to).is_ok() => Ok(()),
                renamed => renamed,
            });
            renamed.map_err(|e| this.fail_in_dir("rename", from, e))
        };
        files.iter().map(|file| one(self, file)).collect()
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        let one = |this: &mut Self, file: &HeldFile| {
            let HeldFile { path, temporary, .. } = file;
            let is_published =
                |root: &Rooted| root.meta(path).is_ok_and(|meta| file.may_be(Some(meta.size), meta.mtime));
            let renamed = this.root().and_then(|root| match root.rename(temporary, path) {
                Err(e) if is_gone(&e) && is_published(&root) => Ok(()),
                renamed => renamed,
            });
            renamed.map_err(|e| this.fail_in_dir("write", path, e))
        };
        let mut published: Vec<StoreResult<()>> = files.iter().map(|file| one(self, file)).collect();
        if self.flushes {
            let dir_of = |file: &HeldFile| file.path.parent().unwrap_or_else(RelPath::root);
            let dirs: BTreeSet<RelPath> = files.iter().map(dir_of).collect();
            for dir in dirs {
                let Err(error) = self.root().and_then(|root| root.flush_dir(&dir)) else { continue };
                // Nobody knows which of the names are on the disk.
                for (file, result) in files.iter().zip(&mut published) {
                    if result.is_ok() && dir_of(file) == dir {
                        let error = io::Error::new(error.kind(), error.to_string());
                        *result = Err(self.fail_in_dir("write", &file.path, error));
                    }
                }
            }
        }
        published
    }

    fn switch(&mut self, area: Area) {
        aside::switch(self, area);
    }

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        aside::place(self)
    }

    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
        aside::carry(self, files, way)
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        let one = |this: &mut Self, file: &Dating| {
            // A file of somebody else's keeps its time; one that is gone has none.
            this.root().and_then(|root| root.set_mtime(&file.path, file.mtime)).is_ok()
        };
        files.iter().map(|file| Ok(one(self, file))).collect()
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        let one = |this: &mut Self, file: &Permitting| {
            let mode = u32::from(file.mode & 0o777);
            let set = this.root().and_then(|root| root.set_mode(&file.path, mode));
            set.map_err(|e| this.fail("change the permissions of", &file.path, e))
        };
        files.iter().map(|file| one(self, file)).collect()
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        _next: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        incoming::read(self, file)
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        let meta = self.base_of(file).and_then(|(root, file)| root.meta(&file));
        let meta = meta.map_err(|e| self.fail("look at", file, e))?;
        Ok(Version { size: Some(meta.size), mtime: meta.mtime })
    }

    fn is_same_file(&mut self, file: &RelPath, other: &RelPath) -> StoreResult<Option<bool>> {
        let mut meta = |path: &RelPath| match self.root().and_then(|root| root.meta(path)) {
            Err(e) if is_gone(&e) => Ok(None),
            meta => meta.map(Some).map_err(|e| self.fail("look at", path, e)),
        };
        let number = |meta: Meta| (meta.device, meta.inode);
        let (file, other) = (meta(file)?.map(number), meta(other)?.map(number));
        Ok(file.is_some().then_some(file == other))
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        part::read(self, part)
    }

    fn write_parts(&mut self, file: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        part::write(self, file).map(Some)
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        _next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        transfer::write(self, file)
    }

    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        transfer::write_on(self, file, begun)
    }

    fn settle(&mut self, _which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        std::mem::take(&mut self.written)
    }
}

/// Adds to a refusal who may do what in the directory: the system's text alone doesn't tell where the right is missing.
fn with_rights(root: &Rooted, dir: &RelPath, error: io::Error) -> io::Error {
    match root.meta(dir) {
        Ok(Meta { mode, owner, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
            let why = format!("{error}; the directory has mode {mode:04o} and belongs to user {owner}");
            io::Error::new(error.kind(), why)
        }
        _ => error,
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

fn bytes_of(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(test)]
mod tests;
