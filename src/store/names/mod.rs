//! A store around a store: between the sides, names are composed UTF-8; here they become what they are there, and back.
//!
//! Nothing beyond this knows of encodings, and nothing below it: a session of FTP or of the disk has names of bytes.

mod charset;
mod spelling;

pub use charset::Charset;
pub use spelling::{NameError, Names};

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Checksum, ChecksumKind, Entry, Mtime, Old, RelPath, Remedy};
use crate::store::{
    Area, AsidePlace, Begun, Capabilities, Continued, Dating, DirListing, HeldFile, Incoming, LinkRequest,
    Outgoing, PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, ServerClock, Session, Settle,
    Store, StoreError, StoreResult, Version, Way, WriteRequest, Written,
};

/// A store whose names are read and written as they are spelled there.
#[derive(Debug)]
pub struct Named<S> {
    inner: S,
    names: Arc<Names>,
}

impl<S: Store> Named<S> {
    /// Returns `inner` with these names.
    pub fn new(inner: S, names: Names) -> Self {
        Self { inner, names: Arc::new(names) }
    }
}

impl<S: Store> Store for Named<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn is_remote(&self) -> bool {
        self.inner.is_remote()
    }

    fn connect(&self) -> StoreResult<Box<dyn Session>> {
        let inner = self.inner.connect()?;
        let (names, store) = (Arc::clone(&self.names), self.inner.name().to_owned());
        Ok(Box::new(NamedSession { inner, names, store, sent: HashMap::new() }))
    }

    fn names(&self) -> Option<&Names> {
        Some(&self.names)
    }

    fn is_in_clear_text(&self) -> bool {
        self.inner.is_in_clear_text()
    }

    fn clock(&self) -> Option<&ServerClock> {
        self.inner.clock()
    }
}

/// Returns the name that an old file had before it stepped aside, to the byte; `None` where another one is meant.
fn own_of_aside(file: &Renaming, own: &RelPath) -> Option<RelPath> {
    let (Old::Of(meant), Old::Of(name)) = (Old::parse(file.from.name())?, Old::parse(own.name())?) else {
        return None;
    };
    if *meant == *file.to.name() && file.from.parent() == file.to.parent() {
        own.parent()?.join(&name).ok()
    } else {
        None
    }
}

struct NamedSession {
    inner: Box<dyn Session>,
    names: Arc<Names>,
    /// What people call the store.
    store: String,
    /// Files that are being written and are spelled otherwise there, by their paths there.
    sent: HashMap<RelPath, RelPath>,
}

impl NamedSession {
    fn own(&self, operation: &'static str, path: &RelPath) -> StoreResult<RelPath> {
        self.names.own(path).map_err(|why| StoreError::new(operation, path, &self.store, Remedy::Skip, why))
    }

    /// Does the same to each path that can be addressed.
    fn each<T>(
        &mut self,
        operation: &'static str,
        paths: &[RelPath],
        run: impl FnOnce(&mut dyn Session, &[RelPath]) -> Vec<StoreResult<T>>,
    ) -> Vec<StoreResult<T>> {
        let own = paths.iter().map(|path| self.own(operation, path)).collect();
        self.each_of(own, run)
    }

    /// Hands on those of `own` that can be addressed.
    fn each_of<I: Clone, T>(
        &mut self,
        own: Vec<StoreResult<I>>,
        run: impl FnOnce(&mut dyn Session, &[I]) -> Vec<StoreResult<T>>,
    ) -> Vec<StoreResult<T>> {
        let there: Vec<I> = own.iter().filter_map(|own| own.as_ref().ok()).cloned().collect();
        let mut results =
            if there.is_empty() { Vec::new() } else { run(&mut *self.inner, &there) }.into_iter();
        own.into_iter()
            .map(|own| own.and_then(|_| results.next().expect("a result for each path that was handed on")))
            .collect()
    }

    fn own_link(&self, link: &LinkRequest) -> StoreResult<LinkRequest> {
        let target = self.names.write_target(&link.target);
        let target =
            target.map_err(|why| StoreError::new("create", &link.path, &self.store, Remedy::Skip, why))?;
        let path = self.own("create", &link.path)?;
        Ok(LinkRequest { path, temporary: self.own("create", &link.temporary)?, target })
    }

    fn own_read(&self, file: &ReadRequest) -> StoreResult<ReadRequest> {
        Ok(ReadRequest { path: self.own("read", &file.path)?, ..file.clone() })
    }

    fn own_write(&self, file: &WriteRequest) -> StoreResult<WriteRequest> {
        let path = self.own("write", &file.path)?;
        Ok(WriteRequest { path, temporary: self.own("write", &file.temporary)?, ..file.clone() })
    }
}

impl Session for NamedSession {
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
        let listed = self.each("list", dirs, |inner, there| {
            let listed = inner.list(there).into_iter().zip(there);
            listed.map(|(listing, own)| listing.map(|listing| (own.clone(), listing))).collect()
        });
        let listed = dirs.iter().zip(listed);
        listed
            .map(|(dir, listed)| listed.map(|(own, listing)| self.names.read_listing(dir, &own, listing)))
            .collect()
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        self.each("look at", files, |inner, there| inner.mtimes(there))
    }

    fn checksum_kind(&self) -> Option<ChecksumKind> {
        self.inner.checksum_kind()
    }

    fn checksums(&mut self, kind: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        self.each("read", files, |inner, there| inner.checksums(kind, there))
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        let mut followed = self.each("follow", links, |inner, there| inner.follow(there));
        for (path, referent) in links.iter().zip(&mut followed) {
            if let Ok(referent) = referent {
                referent.entry.path = path.clone();
            }
        }
        followed
    }

    fn list_links(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<Vec<Entry>>> {
        let listed = self.each("list", dirs, |inner, there| {
            let listed = inner.list_links(there).into_iter().zip(there);
            listed.map(|(links, own)| links.map(|links| (own.clone(), links))).collect()
        });
        let read = |(dir, listed): (&RelPath, StoreResult<_>)| {
            let (own, entries) = listed?;
            let listing = DirListing { entries, ..DirListing::default() };
            Ok(self.names.read_listing(dir, &own, listing).entries)
        };
        dirs.iter().zip(listed).map(read).collect()
    }

    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        let own: Vec<StoreResult<LinkRequest>> = links.iter().map(|link| self.own_link(link)).collect();
        let there: Vec<LinkRequest> = own.iter().filter_map(|own| own.as_ref().ok()).cloned().collect();
        let mut made = self.inner.make_links(&there).into_iter();
        own.into_iter()
            .map(|own| own.and_then(|_| made.next().expect("a result for each link that was handed on")))
            .collect()
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("create", dirs, |inner, there| inner.make_dirs(there))
    }

    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        let dir = self.own("create", dir)?;
        self.inner.claim_dir(&dir)
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", files, |inner, there| inner.remove_files(there))
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", dirs, |inner, there| inner.remove_dirs(there))
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        let own = |file: &Renaming| {
            let from = self.own("rename", &file.from)?;
            let to = match own_of_aside(file, &from) {
                Some(to) => to,
                None => self.own("write", &file.to)?,
            };
            Ok(Renaming { from, to })
        };
        let own = files.iter().map(own).collect();
        self.each_of(own, |inner, there| inner.rename_files(there))
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        let own = |file: &HeldFile| {
            let temporary = self.own("rename", &file.temporary)?;
            Ok(HeldFile { path: self.own("write", &file.path)?, temporary, ..*file })
        };
        let own = files.iter().map(own).collect();
        self.each_of(own, |inner, there| inner.publish_files(there))
    }

    fn switch(&mut self, area: Area) {
        self.inner.switch(area);
    }

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        self.inner.aside_place()
    }

    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
        let own = |file: &Renaming| {
            Ok(Renaming { from: self.own("move", &file.from)?, to: self.own("move", &file.to)? })
        };
        let own = files.iter().map(own).collect();
        self.each_of(own, |inner, there| inner.carry_files(there, way))
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        let own = |file: &Dating| Ok(Dating { path: self.own("date", &file.path)?, ..*file });
        let own = files.iter().map(own).collect();
        self.each_of(own, |inner, there| inner.set_times(there))
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        let own = |file: &Permitting| {
            Ok(Permitting { path: self.own("change the permissions of", &file.path)?, ..*file })
        };
        let own = files.iter().map(own).collect();
        self.each_of(own, |inner, there| inner.set_modes(there))
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        next: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        let file = self.own_read(file)?;
        // What is wrong with the next one is said when it is opened.
        let next = next.and_then(|next| self.own_read(next).ok());
        self.inner.read(&file, next.as_ref())
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        let file = self.own("look at", file)?;
        self.inner.version(&file)
    }

    fn is_same_file(&mut self, file: &RelPath, other: &RelPath) -> StoreResult<Option<bool>> {
        let (file, other) = (self.own("look at", file)?, self.own("look at", other)?);
        self.inner.is_same_file(&file, &other)
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        let path = self.own("read", &part.path)?;
        self.inner.read_part(&PartRequest { path, ..part.clone() })
    }

    fn write_parts(&mut self, file: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        let file = self.own_write(file)?;
        self.inner.write_parts(&file)
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        let own = self.own_write(file)?;
        if own.path != file.path {
            self.sent.insert(own.path.clone(), file.path.clone());
        }
        let next = next.and_then(|next| self.own_write(next).ok());
        self.inner.write(&own, next.as_ref())
    }

    fn recover(&mut self, file: &WriteRequest) -> StoreResult<bool> {
        let own = self.own_write(file)?;
        let is_whole = self.inner.recover(&own)?;
        if is_whole && own.path != file.path {
            self.sent.insert(own.path, file.path.clone());
        }
        Ok(is_whole)
    }

    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        let own = self.own_write(file)?;
        if own.path != file.path {
            self.sent.insert(own.path.clone(), file.path.clone());
        }
        self.inner.write_on(&own, begun)
    }

    fn settle(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        let settled = self.inner.settle(which).into_iter();
        settled.map(|(own, written)| (self.sent.remove(&own).unwrap_or(own), written)).collect()
    }
}
