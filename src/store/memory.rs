//! A tree in memory, with faults on demand: what the laws of mirroring are tested on.

mod moves;
mod transfer;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use moves::{aside, at};
use transfer::{MemoryIncoming, MemoryOutgoing};

use crate::model::{Checksum, ChecksumKind, Entry, Kind, Mtime, RelPath, Remedy, Unproven};
use crate::store::{
    Area, AsidePlace, Begun, Capabilities, Continued, Dating, DirListing, HeldFile, Incoming, LinkRequest,
    Outgoing, PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, Session, Settle, Store,
    StoreError, StoreResult, Version, Way, WriteRequest, Written,
};

/// What is at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Dir,
    File {
        content: Vec<u8>,
        mtime: Mtime,
    },
    /// With its target.
    Symlink(Vec<u8>),
    Other,
}

impl Node {
    fn kind(&self) -> Kind {
        match self {
            Self::Dir => Kind::Dir,
            Self::File { .. } => Kind::File,
            Self::Symlink(_) => Kind::Symlink,
            Self::Other => Kind::Other,
        }
    }
}

/// A tree whose sessions share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    nodes: BTreeMap<RelPath, Node>,
    /// Directories whose listing is told to be unproven.
    doubtful: Vec<RelPath>,
    /// Fails every operation whose number is in here, with this remedy. Counted from 0.
    faults: BTreeMap<usize, Remedy>,
    operations: usize,
    /// Every change, in order.
    journal: Vec<String>,
    /// Sessions allowed at once; 0 for any number.
    session_limit: usize,
    sessions: usize,
    cannot_set_times: bool,
    tells_checksums: bool,
    refuses_renames: bool,
    has_others: bool,
    keeps_partials: bool,
    folds_case: bool,
    /// Permission bits, of files whose listing tells them.
    modes: BTreeMap<RelPath, u16>,
}

impl Shared {
    /// Returns the path as it is spelled there, as far as it is there.
    fn own(&self, path: &RelPath) -> RelPath {
        if !self.folds_case {
            return path.clone();
        }
        path.components().fold(RelPath::root(), |dir, name| {
            let asked = dir.join(name).unwrap();
            let is_it = |other: &&RelPath| {
                let folded = |path: &RelPath| String::from_utf8_lossy(path.name()).to_lowercase();
                other.parent().as_ref() == Some(&dir) && folded(other) == folded(&asked)
            };
            self.nodes.keys().find(is_it).cloned().unwrap_or(asked)
        })
    }
}

impl MemoryStore {
    pub(crate) fn new(nodes: impl IntoIterator<Item = (RelPath, Node)>) -> Self {
        let store = Self::default();
        store.lock().nodes.extend(nodes);
        store
    }

    pub(crate) fn with_faults(self, faults: impl IntoIterator<Item = (usize, Remedy)>) -> Self {
        self.lock().faults.extend(faults);
        self
    }

    pub(crate) fn with_doubtful(self, dirs: impl IntoIterator<Item = RelPath>) -> Self {
        self.lock().doubtful.extend(dirs);
        self
    }

    pub(crate) fn with_session_limit(self, limit: usize) -> Self {
        self.lock().session_limit = limit;
        self
    }

    /// Takes names that differ in case alone for one, and keeps the first spelling.
    pub(crate) fn folding_case(self) -> Self {
        self.lock().folds_case = true;
        self
    }

    pub(crate) fn without_times(self) -> Self {
        self.lock().cannot_set_times = true;
        self
    }

    pub(crate) fn with_checksums(self) -> Self {
        self.lock().tells_checksums = true;
        self
    }

    pub(crate) fn without_renames(self) -> Self {
        self.lock().refuses_renames = true;
        self
    }

    /// What was begun and not finished stays under its temporary name.
    pub(crate) fn keeping_partials(self) -> Self {
        self.lock().keeps_partials = true;
        self
    }

    /// Others change it meanwhile, so that what a plan says of it may be over.
    pub(crate) fn with_others(self) -> Self {
        self.lock().has_others = true;
        self
    }

    /// Returns how many operations there have been, by which faults are counted.
    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// As somebody else does it.
    pub(crate) fn put(&self, path: RelPath, node: Node) {
        self.lock().nodes.insert(path, node);
    }

    pub(crate) fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    pub(crate) fn nodes(&self) -> BTreeMap<RelPath, Node> {
        let nodes = self.lock().nodes.clone();
        nodes.into_iter().filter(|(path, _)| !path.is_within(&aside())).collect()
    }

    /// Returns what was set aside.
    pub(crate) fn aside(&self) -> BTreeMap<RelPath, Node> {
        let nodes = self.lock().nodes.clone();
        nodes.into_iter().filter_map(|(path, node)| Some((path.below(&aside())?, node))).collect()
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        self.lock().journal.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }
}

impl Shared {
    /// Returns where `path` leads when links are followed. What is outside isn't there.
    fn resolve(&self, path: &RelPath) -> io::Result<RelPath> {
        const MOST_LINKS: usize = 40;
        let mut todo: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        let (mut at, mut links) = (RelPath::root(), 0);
        while let Some(name) = todo.pop() {
            match &name[..] {
                b"" | b"." => continue,
                b".." => {
                    at = at.parent().ok_or(io::ErrorKind::NotFound)?;
                    continue;
                }
                _ => {}
            }
            let next = self.own(&at.join(&name).map_err(io::Error::other)?);
            match self.nodes.get(&next) {
                None => return Err(io::ErrorKind::NotFound.into()),
                Some(Node::Symlink(_)) if links == MOST_LINKS => return Err(io::Error::other("a loop")),
                Some(Node::Symlink(target)) => {
                    links += 1;
                    if target.starts_with(b"/") {
                        return Err(io::ErrorKind::NotFound.into());
                    }
                    todo.extend(target.rsplit(|&b| b == b'/').map(<[u8]>::to_vec));
                }
                Some(_) => at = next,
            }
        }
        Ok(at)
    }

    /// Returns what is at the end of `path` when links are followed.
    fn through(&self, path: &RelPath) -> Option<&Node> {
        self.nodes.get(&self.resolve(path).ok()?)
    }

    fn entry(&self, path: RelPath, node: &Node) -> Entry {
        match node {
            Node::File { content, mtime } => {
                let mode = self.modes.get(&path).copied();
                Entry { mode, ..Entry::file(path, content.len() as u64, Some(*mtime)) }
            }
            Node::Symlink(target) => {
                Entry { target: Some(target.clone().into()), ..Entry::new(path, Kind::Symlink) }
            }
            other => Entry::new(path, other.kind()),
        }
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &str {
        "memory"
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn connect(&self) -> StoreResult<Box<dyn Session>> {
        let mut shared = self.lock();
        if shared.session_limit > 0 && shared.sessions >= shared.session_limit {
            return Err(StoreError::of_store("log in to", "memory", Remedy::Shrink, "too many connections"));
        }
        shared.sessions += 1;
        Ok(Box::new(MemorySession { store: self.clone(), usable: true, area: Area::Tree, written: vec![] }))
    }
}

struct MemorySession {
    store: MemoryStore,
    usable: bool,
    area: Area,
    written: Vec<(RelPath, StoreResult<Written>)>,
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        self.store.lock().sessions -= 1;
    }
}

impl MemorySession {
    /// Counts an operation, and fails it if it is its turn.
    fn step(&mut self, operation: &'static str, path: &RelPath) -> StoreResult<MutexGuard<'_, Shared>> {
        let mut shared = self.store.0.lock().unwrap();
        let number = shared.operations;
        shared.operations += 1;
        match shared.faults.get(&number) {
            Some(&remedy) => {
                self.usable &= remedy != Remedy::Reconnect;
                Err(StoreError::new(operation, path, "memory", remedy, "injected"))
            }
            None => Ok(shared),
        }
    }

    fn each(
        &mut self,
        operation: &'static str,
        paths: &[RelPath],
        change: impl Fn(&mut Shared, &RelPath) -> io::Result<()>,
    ) -> Vec<StoreResult<()>> {
        let mut results = vec![];
        for path in paths {
            let real = at(self.area, path);
            results.push(self.step(operation, path).and_then(|mut shared| {
                let own = shared.own(&real);
                change(&mut shared, &own).map_err(|e| StoreError::io(operation, path, "memory", e))?;
                shared.journal.push(format!("{operation} {path}"));
                Ok(())
            }));
        }
        results
    }
}

fn no(kind: io::ErrorKind) -> io::Result<()> {
    Err(kind.into())
}

impl Session for MemorySession {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            sets_times: !self.store.lock().cannot_set_times,
            exact_times: true,
            is_far: false,
            makes_links: true,
        }
    }

    fn is_usable(&self) -> bool {
        self.usable
    }

    fn root_exists(&mut self) -> StoreResult<bool> {
        Ok(true)
    }

    fn make_root(&mut self) -> StoreResult<()> {
        if self.area == Area::Aside {
            self.step("make", &RelPath::root())?.nodes.insert(aside(), Node::Dir);
        }
        Ok(())
    }

    fn switch(&mut self, area: Area) {
        self.area = area;
    }

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        Ok(AsidePlace::Apart)
    }

    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
        moves::carry(self, files, way)
    }

    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>> {
        let mut results = vec![];
        for dir in dirs {
            let real = at(self.area, dir);
            results.push(self.step("list", dir).and_then(|shared| {
                let place = shared.resolve(&real).map_err(|e| StoreError::io("list", dir, "memory", e))?;
                if !place.is_root() && shared.nodes.get(&place) != Some(&Node::Dir) {
                    return Err(StoreError::io("list", dir, "memory", io::ErrorKind::NotADirectory.into()));
                }
                let here = shared
                    .nodes
                    .iter()
                    .filter(|(path, _)| path.parent().as_ref() == Some(&place) && **path != aside());
                let entries = here.map(|(path, node)| {
                    shared.entry(dir.join(path.name()).expect("it is a name there, too"), node)
                });
                let doubt = shared.doubtful.contains(dir).then(|| Unproven("told so".into()));
                Ok(DirListing { entries: entries.collect(), doubt, may_hide: false, may_be_closed: false })
            }));
        }
        results
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        files.iter().map(|_| Ok(None)).collect()
    }

    fn checksum_kind(&self) -> Option<ChecksumKind> {
        self.store.lock().tells_checksums.then_some(ChecksumKind::Blake3)
    }

    fn checksums(&mut self, _: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        let mut one = |file: &RelPath| {
            let shared = self.step("look at", file)?;
            match shared.nodes.get(&shared.own(file)) {
                Some(Node::File { content, .. }) => Ok(Some(blake3::hash(content).as_bytes()[..].into())),
                _ => Ok(None),
            }
        };
        files.iter().map(&mut one).collect()
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        let mut one = |Renaming { from, to }: &Renaming| {
            let mut shared = self.step("rename", from)?;
            let fail = |kind: io::ErrorKind| Err(StoreError::io("rename", from, "memory", kind.into()));
            let parent = shared.own(&to.parent().unwrap());
            if shared.refuses_renames {
                return fail(io::ErrorKind::PermissionDenied);
            }
            if !parent.is_root() && shared.nodes.get(&parent) != Some(&Node::Dir) {
                return fail(io::ErrorKind::NotFound);
            }
            let own = shared.own(from);
            let node = shared.nodes.remove(&own);
            // The new name may be the old one in another spelling.
            let new = shared.own(to);
            let Some(node) = node else {
                return if shared.nodes.contains_key(&new) { Ok(()) } else { fail(io::ErrorKind::NotFound) };
            };
            let is_free = shared.has_others || !shared.nodes.contains_key(&new);
            assert!(is_free, "`{from}` is renamed onto `{to}`");
            shared.nodes.insert(new, node);
            shared.journal.push(format!("rename {from} {to}"));
            Ok(())
        };
        files.iter().map(&mut one).collect()
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        moves::publish(self, files)
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        let mut one = |file: &Dating| {
            let mut shared = self.step("date", &file.path)?;
            if shared.cannot_set_times {
                return Ok(false);
            }
            let own = shared.own(&file.path);
            let Some(Node::File { mtime, .. }) = shared.nodes.get_mut(&own) else { return Ok(false) };
            *mtime = file.mtime;
            shared.journal.push(format!("date {}", file.path));
            Ok(true)
        };
        files.iter().map(&mut one).collect()
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        let mut one = |file: &Permitting| {
            let mut shared = self.step("change the permissions of", &file.path)?;
            let own = shared.own(&file.path);
            if !matches!(shared.nodes.get(&own), Some(Node::File { .. })) {
                let missing = io::ErrorKind::NotFound.into();
                return Err(StoreError::io("change the permissions of", &file.path, "memory", missing));
            }
            shared.modes.insert(own, file.mode);
            shared.journal.push(format!("chmod {:o} {}", file.mode, file.path));
            Ok(())
        };
        files.iter().map(&mut one).collect()
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        let mut results = vec![];
        for link in links {
            results.push(self.step("follow", link).and_then(|shared| {
                let place = shared.resolve(link).map_err(|e| StoreError::io("follow", link, "memory", e))?;
                let node = if place.is_root() { &Node::Dir } else { &shared.nodes[&place] };
                let is_dir = *node == Node::Dir;
                let place = is_dir.then(|| [b"/", place.as_bytes()].concat().into());
                Ok(Referent { entry: shared.entry(link.clone(), node), place })
            }));
        }
        results
    }

    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        let paths: Vec<RelPath> = links.iter().map(|link| link.path.clone()).collect();
        self.each("link", &paths, |shared, path| {
            let parent = path.parent().unwrap();
            let is_in_dir = parent.is_root() || shared.nodes.get(&parent) == Some(&Node::Dir);
            if !is_in_dir || shared.nodes.get(path) == Some(&Node::Dir) {
                return no(io::ErrorKind::NotFound);
            }
            let link = links.iter().find(|link| link.path == *path).unwrap();
            shared.nodes.insert(path.clone(), Node::Symlink(link.target.to_vec()));
            Ok(())
        })
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("make", dirs, |shared, path| {
            let parent = path.parent().unwrap();
            match shared.nodes.get(path) {
                _ if !parent.is_root() && shared.nodes.get(&parent) != Some(&Node::Dir) => {
                    no(io::ErrorKind::NotFound)
                }
                Some(Node::Dir) => Ok(()),
                Some(_) => no(io::ErrorKind::AlreadyExists),
                None => {
                    shared.nodes.insert(path.clone(), Node::Dir);
                    Ok(())
                }
            }
        })
    }

    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        let is_new = !self.step("look at", dir)?.nodes.contains_key(dir);
        self.make_dirs(std::slice::from_ref(dir)).remove(0).map(|()| is_new)
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("remove", files, |shared, path| match shared.nodes.get(path) {
            Some(Node::Dir) => no(io::ErrorKind::IsADirectory),
            _ => {
                shared.nodes.remove(path);
                Ok(())
            }
        })
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.each("rmdir", dirs, |shared, path| {
            if shared.nodes.keys().any(|other| other != path && other.is_within(path)) {
                return no(io::ErrorKind::DirectoryNotEmpty);
            }
            shared.nodes.remove(path);
            Ok(())
        })
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        _: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        let real = at(self.area, &file.path);
        let shared = self.step("read", &file.path)?;
        let Some(Node::File { content, .. }) = shared.through(&real).cloned() else {
            let gone = io::ErrorKind::NotFound.into();
            return Err(StoreError::io("read", &file.path, "memory", gone));
        };
        drop(shared);
        Ok(Box::new(MemoryIncoming { session: self, path: file.path.clone(), content, at: 0 }))
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        match self.step("look at", file)?.through(file) {
            Some(Node::File { content, mtime }) => {
                Ok(Version { size: Some(content.len() as u64), mtime: Some(*mtime) })
            }
            _ => Ok(Version::default()),
        }
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        let shared = self.step("read", &part.path)?;
        let Some(Node::File { content, .. }) = shared.through(&part.path) else {
            let gone = io::ErrorKind::NotFound.into();
            return Err(StoreError::io("read", &part.path, "memory", gone));
        };
        let at = |offset: u64| usize::try_from(offset).unwrap();
        let content = content.get(at(part.range.start)..at(part.range.end)).map(<[u8]>::to_vec);
        let content = content.ok_or_else(|| {
            let end = io::ErrorKind::UnexpectedEof.into();
            StoreError::io("read", &part.path, "memory", end)
        })?;
        drop(shared);
        Ok(Box::new(MemoryIncoming { session: self, path: part.path.clone(), content, at: 0 }))
    }

    fn write_parts(&mut self, _: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        Ok(None)
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        _: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        drop(self.step("write", &file.path)?);
        Ok(Box::new(MemoryOutgoing { session: self, request: file.clone(), content: vec![], done: false }))
    }

    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        let shared = self.step("write", &file.path)?;
        let content = match shared.nodes.get(&shared.own(&file.temporary)) {
            Some(Node::File { content, .. }) => content.clone(),
            _ => return Ok(Continued::Other),
        };
        drop(shared);
        if content.len() as u64 != begun.bytes || !content.ends_with(&begun.tail) {
            return Ok(Continued::Other);
        }
        let outgoing = MemoryOutgoing { session: self, request: file.clone(), content, done: false };
        Ok(Continued::On(Box::new(outgoing)))
    }

    fn settle(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        // As a session whose confirmations ride along with later files: half of them are late.
        let ready = if which == Settle::All { self.written.len() } else { self.written.len() / 2 };
        self.written.drain(..ready).collect()
    }
}
