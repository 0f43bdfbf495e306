//! One file of a store, for copying it alone: all else in its directory is as if it weren't there.
//!
//! So a single file goes the way of a mirror, with all its checks. Between the sides it has one path, that of the destination: what is read
//! has it under its own.

use std::sync::Arc;

use crate::model::{Checksum, ChecksumKind, Entry, Mtime, RelPath, Remedy, is_temporary};
use crate::store::{
    Area, AsidePlace, Begun, Capabilities, Continued, Dating, DirListing, HeldFile, Incoming, LinkRequest,
    Names, Outgoing, PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, ServerClock, Session,
    Settle, Store, StoreError, StoreResult, Version, Way, WriteRequest, Written,
};

/// A store of which nothing but one file of its root shows.
pub struct OneFile {
    inner: Arc<dyn Store>,
    file: Alias,
}

/// The path of a file there, and the one it is known by here.
#[derive(Clone)]
struct Alias {
    own: RelPath,
    shown: RelPath,
    /// It has to be there.
    is_source: bool,
}

impl OneFile {
    /// Returns the place of a file in the root of `inner`, to be written to. `name` is its name, as somebody typed it.
    pub fn to_write(inner: Arc<dyn Store>, name: &RelPath) -> Self {
        let own = text_of(&*inner, name);
        Self { file: Alias { shown: own.clone(), own, is_source: false }, inner }
    }

    /// Returns the file `name` in the root of `inner`, to be read. It is known by the path `shown`.
    pub fn to_read(inner: Arc<dyn Store>, name: &RelPath, shown: &RelPath) -> Self {
        let own = text_of(&*inner, name);
        Self { file: Alias { shown: shown.clone(), own, is_source: true }, inner }
    }

    /// Returns the path that the file is known by.
    pub fn path(&self) -> &RelPath {
        &self.file.shown
    }
}

/// Returns a name as the store's listings have it.
fn text_of(store: &dyn Store, name: &RelPath) -> RelPath {
    store.names().and_then(|names| names.text(name.as_bytes())).unwrap_or_else(|| name.clone())
}

impl Store for OneFile {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn is_remote(&self) -> bool {
        self.inner.is_remote()
    }

    fn connect(&self) -> StoreResult<Box<dyn Session>> {
        let (inner, store) = (self.inner.connect()?, self.inner.name().to_owned());
        Ok(Box::new(OneFileSession { inner, file: self.file.clone(), store }))
    }

    fn names(&self) -> Option<&Names> {
        self.inner.names()
    }

    fn is_in_clear_text(&self) -> bool {
        self.inner.is_in_clear_text()
    }

    fn clock(&self) -> Option<&ServerClock> {
        self.inner.clock()
    }
}

struct OneFileSession {
    inner: Box<dyn Session>,
    file: Alias,
    /// What people call the store.
    store: String,
}

impl Alias {
    fn own(&self, path: &RelPath) -> RelPath {
        if *path == self.shown { self.own.clone() } else { path.clone() }
    }

    fn own_of_all(&self, paths: &[RelPath]) -> Vec<RelPath> {
        paths.iter().map(|path| self.own(path)).collect()
    }

    /// Leaves the file and, where it is written, temporary ones.
    fn keep(&self, entries: &mut Vec<Entry>) {
        entries
            .retain(|entry| entry.path == self.own || (!self.is_source && is_temporary(entry.path.name())));
        for entry in entries.iter_mut().filter(|entry| entry.path == self.own) {
            entry.path = self.shown.clone();
        }
    }
}

impl OneFileSession {
    /// Makes sure that there is a file to be read.
    fn demand(&self, listing: &DirListing) -> StoreResult<()> {
        let refuse =
            |why: String| Err(StoreError::new("read", &self.file.own, &self.store, Remedy::Skip, why));
        match (listing.entries.first(), &listing.doubt) {
            (Some(entry), _) if entry.is_dir() => {
                refuse("it is a directory".to_owned()).map_err(|e: StoreError| e.with_hint(WHOLE))
            }
            (Some(_), _) => Ok(()),
            (None, None) => refuse("there is no such file".to_owned()),
            (None, Some(doubt)) => refuse(format!(
                "the listing of its directory doesn't show it, and is not proven: {}",
                doubt.0
            )),
        }
    }
}

/// What can be done about a directory in the place of a file.
const WHOLE: &str = "-r copies a directory with all that is in it";

impl Session for OneFileSession {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn is_usable(&self) -> bool {
        self.inner.is_usable()
    }

    fn root_exists(&mut self) -> StoreResult<bool> {
        self.inner.root_exists()
    }

    fn make_root(&mut self) -> StoreResult<()> {
        self.inner.make_root()
    }

    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>> {
        let listed = self.inner.list(dirs);
        let only = |listing: StoreResult<DirListing>| {
            let mut listing = listing?;
            self.file.keep(&mut listing.entries);
            if self.file.is_source {
                self.demand(&listing)?;
            }
            // Whatever else may be there is of no concern.
            listing.doubt = None;
            Ok(listing)
        };
        listed.into_iter().map(only).collect()
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        self.inner.mtimes(&self.file.own_of_all(files))
    }

    fn checksum_kind(&self) -> Option<ChecksumKind> {
        self.inner.checksum_kind()
    }

    fn checksums(&mut self, kind: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        self.inner.checksums(kind, &self.file.own_of_all(files))
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        let followed = self.inner.follow(&self.file.own_of_all(links));
        let shown = |(link, referent): (&RelPath, StoreResult<Referent>)| {
            let mut referent = referent?;
            if self.file.is_source && !link.is_root() && referent.entry.is_dir() {
                let why = "it leads to a directory";
                let error = StoreError::new("read", &self.file.own, &self.store, Remedy::Skip, why);
                return Err(error.with_hint(WHOLE));
            }
            referent.entry.path = link.clone();
            Ok(referent)
        };
        links.iter().zip(followed).map(shown).collect()
    }

    fn list_links(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<Vec<Entry>>> {
        let listed = self.inner.list_links(dirs);
        let only = |links: StoreResult<Vec<Entry>>| {
            let mut links = links?;
            self.file.keep(&mut links);
            Ok(links)
        };
        listed.into_iter().map(only).collect()
    }

    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        self.inner.make_links(links)
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.inner.make_dirs(dirs)
    }

    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        self.inner.claim_dir(dir)
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.inner.remove_files(&self.file.own_of_all(files))
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.inner.remove_dirs(dirs)
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        self.inner.rename_files(files)
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        self.inner.publish_files(files)
    }

    fn switch(&mut self, area: Area) {
        self.inner.switch(area);
    }

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        self.inner.aside_place()
    }

    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
        self.inner.carry_files(files, way)
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        self.inner.set_times(files)
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        self.inner.set_modes(files)
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        _: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        self.inner.read(&ReadRequest { path: self.file.own(&file.path), ..file.clone() }, None)
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        self.inner.version(&self.file.own(file))
    }

    fn is_same_file(&mut self, file: &RelPath, other: &RelPath) -> StoreResult<Option<bool>> {
        self.inner.is_same_file(&self.file.own(file), &self.file.own(other))
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        self.inner.read_part(&PartRequest { path: self.file.own(&part.path), ..part.clone() })
    }

    fn write_parts(&mut self, file: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        self.inner.write_parts(file)
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        self.inner.write(file, next)
    }

    fn recover(&mut self, file: &WriteRequest) -> StoreResult<bool> {
        self.inner.recover(file)
    }

    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        self.inner.write_on(file, begun)
    }

    fn settle(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        self.inner.settle(which)
    }
}
