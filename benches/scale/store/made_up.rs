//! A store of entries that are computed when they are asked for, and kept by nobody. Nothing in it can be read or changed.

use std::sync::Arc;

use oneway::model::{Entry, Kind, Mtime, RelPath, Remedy};
use oneway::store::{
    Area, AsidePlace, Capabilities, Dating, DirListing, HeldFile, Incoming, LinkRequest, Outgoing,
    PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, Session, Settle, Store, StoreError,
    StoreResult, Version, Way, WriteRequest, Written,
};

use crate::tree::{Node, Tree};

/// A tree as a store.
pub(crate) struct MadeUp {
    name: &'static str,
    /// `None` for one that is empty.
    tree: Option<Arc<Tree>>,
}

impl MadeUp {
    pub(crate) fn new(name: &'static str, tree: Option<Tree>) -> Self {
        Self { name, tree: tree.map(Arc::new) }
    }
}

impl Store for MadeUp {
    fn name(&self) -> &str {
        self.name
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn connect(&self) -> StoreResult<Box<dyn Session>> {
        Ok(Box::new(Reader { name: self.name, tree: self.tree.clone() }))
    }
}

struct Reader {
    name: &'static str,
    tree: Option<Arc<Tree>>,
}

impl Reader {
    fn list_dir(&self, dir: &RelPath) -> StoreResult<DirListing> {
        let Some(tree) = &self.tree else { return Ok(DirListing::default()) };
        let Some(Node::Dir(found)) = tree.find(dir.as_bytes()) else { return Err(self.refused("list", dir)) };
        let mut entries = Vec::new();
        tree.list(found, |told| {
            let path =
                dir.join(told.name).map_err(|e| StoreError::new("list", dir, self.name, Remedy::Skip, e))?;
            let time = |at: u64| Mtime::from_unix(at as i64, 0);
            entries.push(match told.file {
                Some(file) => Entry { mode: Some(0o644), ..Entry::file(path, file.size, time(file.mtime)) },
                None => Entry { mtime: time(told.mtime), mode: Some(0o755), ..Entry::new(path, Kind::Dir) },
            });
            Ok::<_, StoreError>(())
        })?;
        Ok(DirListing { entries, ..DirListing::default() })
    }

    fn refused(&self, deed: &'static str, path: &RelPath) -> StoreError {
        StoreError::new(deed, path, self.name, Remedy::Abort, "there is nothing but names here")
    }

    fn all_refused<T, P>(&self, deed: &'static str, items: &[P]) -> Vec<StoreResult<T>> {
        items.iter().map(|_| Err(self.refused(deed, &RelPath::root()))).collect()
    }
}

impl Session for Reader {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sets_times: true, exact_times: true, is_far: false, makes_links: false }
    }

    fn root_exists(&mut self) -> StoreResult<bool> {
        Ok(true)
    }

    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>> {
        dirs.iter().map(|dir| self.list_dir(dir)).collect()
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        files.iter().map(|_| Ok(None)).collect()
    }

    fn make_root(&mut self) -> StoreResult<()> {
        Err(self.refused("create", &RelPath::root()))
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        self.all_refused("follow", links)
    }

    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        self.all_refused("create", links)
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.all_refused("create", dirs)
    }

    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        Err(self.refused("create", dir))
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.all_refused("remove", files)
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.all_refused("remove", dirs)
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        self.all_refused("rename", files)
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        self.all_refused("rename", files)
    }

    fn switch(&mut self, _: Area) {}

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        Err(self.refused("look for", &RelPath::root()))
    }

    fn carry_files(&mut self, files: &[Renaming], _: Way) -> Vec<StoreResult<()>> {
        self.all_refused("rename", files)
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        self.all_refused("date", files)
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        self.all_refused("change", files)
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        _: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        Err(self.refused("read", &file.path))
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        Err(self.refused("look at", file))
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        Err(self.refused("read", &part.path))
    }

    fn write_parts(&mut self, file: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        Err(self.refused("write", &file.path))
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        _: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        Err(self.refused("write", &file.path))
    }

    fn settle(&mut self, _: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        Vec::new()
    }
}
