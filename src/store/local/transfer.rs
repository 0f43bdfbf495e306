//! Files onto the local disk, given their names when they are whole.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{Key, RelPath, Temporary};
use crate::rooted::{Meta, Rooted, set_file_mtime};
use crate::store::local::LocalSession;
use crate::store::{Begun, Continued, Outgoing, StoreResult, WriteRequest, Written};

pub(super) fn write<'s>(
    session: &'s mut LocalSession,
    file: &WriteRequest,
) -> StoreResult<Box<dyn Outgoing + 's>> {
    let draft = Draft::create(session, file)?;
    Ok(Box::new(LocalOutgoing { session, draft, bytes: 0 }))
}

/// Goes on with a file, if what is there is what it should be, and has no other name by which it is somebody else's.
pub(super) fn write_on<'s>(
    session: &'s mut LocalSession,
    file: &WriteRequest,
    begun: &Begun,
) -> StoreResult<Continued<'s>> {
    let opened = Draft::reopen(session, file, begun);
    let draft = opened.map_err(|e| session.fail_in_dir("write", &file.path, e))?;
    Ok(match draft {
        Some(draft) => Continued::On(Box::new(LocalOutgoing { session, draft, bytes: begun.bytes })),
        None => Continued::Other,
    })
}

/// A file being written under its temporary name.
struct LocalOutgoing<'s> {
    session: &'s mut LocalSession,
    draft: Draft,
    bytes: u64,
}

impl Outgoing for LocalOutgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
        self.draft.begin().map_err(|e| self.session.fail("write", &self.draft.request.path, e))?;
        let Draft { file, request, .. } = &mut self.draft;
        file.write_all(bytes).map_err(|e| self.session.fail("write", &request.path, e))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> StoreResult<()> {
        let published = self.draft.publish(self.bytes);
        let path = self.draft.request.path.clone();
        let written = published.map_err(|e| self.session.fail_in_dir("write", &path, e))?;
        self.session.written.push((path, Ok(written)));
        Ok(())
    }
}

/// A file under its temporary name. Unless it gets its final one, it is removed, or left for another try to go on with. One that is
/// written in place stays as it is.
pub(super) struct Draft {
    root: Arc<Rooted>,
    /// It is flushed to the disk.
    flushes: bool,
    pub(super) file: File,
    pub(super) request: WriteRequest,
    published: AtomicBool,
    /// It still has the content it had before.
    untouched: AtomicBool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published.load(Ordering::Relaxed) && !is_in_place(&self.request) && !self.may_go_on() {
            // There is nobody to tell; the next run finds a leftover by its name.
            let _ = self.root.remove_file(&self.request.temporary);
        }
    }
}

impl Draft {
    pub(super) fn create(session: &mut LocalSession, request: &WriteRequest) -> StoreResult<Self> {
        // What only some may read is not for all to read meanwhile, either.
        let mode = request.mode.map_or(0o666, |mode| mode & PERMISSIONS);
        let in_place = is_in_place(request);
        let opened = session.root().and_then(|root| {
            let file = match in_place {
                true => root.write_file(&request.path)?.0,
                false => root.create_file(&request.temporary, mode)?,
            };
            Ok((file, root))
        });
        let (file, root) = opened.map_err(|e| session.fail_in_dir("write", &request.path, e))?;
        Ok(Self::new(session, root, file, request, in_place))
    }

    /// Empties what is written in place, once there is something to write: one that can't be read at its source costs no file. It is
    /// emptied, and not overwritten from its beginning, so that a part of it never has the size of the whole.
    fn begin(&self) -> io::Result<()> {
        if self.untouched.swap(false, Ordering::Relaxed) { self.file.set_len(0) } else { Ok(()) }
    }

    fn new(
        session: &LocalSession,
        root: Arc<Rooted>,
        file: File,
        request: &WriteRequest,
        untouched: bool,
    ) -> Self {
        let (published, untouched) = (AtomicBool::new(false), AtomicBool::new(untouched));
        Self { root, flushes: session.flushes, file, request: request.clone(), published, untouched }
    }

    /// Returns `None` where there is no such beginning.
    fn reopen(session: &mut LocalSession, request: &WriteRequest, begun: &Begun) -> io::Result<Option<Self>> {
        let root = session.root()?;
        let is_it = |meta: &Meta| meta.size == begun.bytes && meta.links == 1;
        let (old, meta) = match root.open_file(&request.temporary) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let Some(start) = begun.bytes.checked_sub(begun.tail.len() as u64).filter(|_| is_it(&meta)) else {
            return Ok(None);
        };
        let mut tail = vec![0; begun.tail.len()];
        old.read_exact_at(&mut tail, start)?;
        if tail != begun.tail {
            return Ok(None);
        }
        let (mut file, now) = root.write_file(&request.temporary)?;
        if !is_it(&now) || (now.device, now.inode) != (meta.device, meta.inode) {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(begun.bytes))?;
        Ok(Some(Self::new(session, root, file, request, false)))
    }

    /// Returns whether a later try may go on with it.
    fn may_go_on(&self) -> bool {
        let name = Temporary::parse(self.request.temporary.name());
        let is_beginning = matches!(name, Some(Temporary { key: Key::Of(_), .. }));
        is_beginning && Meta::of(&self.file).is_ok_and(|meta| meta.size > 0)
    }

    /// Gives the file its bits, its time and its name, if it has as many bytes as it should.
    pub(super) fn publish(&self, bytes: u64) -> io::Result<Written> {
        let WriteRequest { path, temporary, mtime, mode, held, .. } = &self.request;
        self.begin()?;
        let stored = Meta::of(&self.file)?.size;
        if stored != bytes {
            return Err(io::Error::other(format!("{stored} of {bytes} bytes are on the disk")));
        }
        if let Some(mode) = mode {
            // Once more, since the umask may have taken some away.
            self.file.set_permissions(PermissionsExt::from_mode(mode & PERMISSIONS))?;
        }
        let time_set = mtime.is_some_and(|mtime| set_file_mtime(&self.file, mtime).is_ok());
        if self.flushes {
            self.file.sync_all()?;
        }
        if !is_in_place(&self.request) && !held {
            self.root.rename(temporary, path)?;
        }
        self.published.store(true, Ordering::Relaxed);
        if self.flushes {
            self.root.flush_dir(&path.parent().unwrap_or_else(RelPath::root))?;
        }
        Ok(Written { bytes, time_set })
    }
}

fn is_in_place(request: &WriteRequest) -> bool {
    request.temporary == request.path
}

/// Set-user-ID and the like were given to the old content, not to the new.
const PERMISSIONS: u32 = 0o777;
