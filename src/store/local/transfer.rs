//! Files in and out of the local disk: read whole and unchanged or not at all, and given their names when they are whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{RelPath, Remedy};
use crate::rooted::{Meta, Rooted, set_file_mtime};
use crate::store::local::LocalSession;
use crate::store::{Incoming, Outgoing, ReadRequest, StoreError, StoreResult, WriteRequest, Written};

pub(super) fn read<'s>(
    session: &'s mut LocalSession,
    file: &ReadRequest,
) -> StoreResult<Box<dyn Incoming + 's>> {
    let opened = session.base_of(&file.path).and_then(|(root, path)| root.open_file(&path));
    let (handle, before) = opened.map_err(|e| session.fail("read", &file.path, e))?;
    Ok(Box::new(LocalIncoming { session, file: handle, path: file.path.clone(), before, bytes: 0 }))
}

pub(super) fn write<'s>(
    session: &'s mut LocalSession,
    file: &WriteRequest,
) -> StoreResult<Box<dyn Outgoing + 's>> {
    let draft = Draft::create(session, file)?;
    Ok(Box::new(LocalOutgoing { session, draft, bytes: 0 }))
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
    draft: Draft,
    bytes: u64,
}

impl Outgoing for LocalOutgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
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

/// A file under its temporary name. Unless it gets its final one, it is removed.
pub(super) struct Draft {
    root: Arc<Rooted>,
    pub(super) file: File,
    pub(super) request: WriteRequest,
    published: AtomicBool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published.load(Ordering::Relaxed) {
            // There is nobody to tell; the next run finds a leftover by its name.
            let _ = self.root.remove_file(&self.request.temporary);
        }
    }
}

impl Draft {
    pub(super) fn create(session: &mut LocalSession, request: &WriteRequest) -> StoreResult<Self> {
        // What only some may read is not for all to read meanwhile, either.
        let mode = request.mode.map_or(0o666, |mode| mode & PERMISSIONS);
        let opened = session.root().and_then(|root| Ok((root.create_file(&request.temporary, mode)?, root)));
        let (file, root) = opened.map_err(|e| session.fail_in_dir("write", &request.path, e))?;
        Ok(Self { root, file, request: request.clone(), published: AtomicBool::new(false) })
    }

    /// Gives the file its bits, its time and its name, if it has as many bytes as it should.
    pub(super) fn publish(&self, bytes: u64) -> io::Result<Written> {
        let WriteRequest { path, temporary, mtime, mode, held, .. } = &self.request;
        let stored = Meta::of(&self.file)?.size;
        if stored != bytes {
            return Err(io::Error::other(format!("{stored} of {bytes} bytes are on the disk")));
        }
        if let Some(mode) = mode {
            // Once more, since the umask may have taken some away.
            self.file.set_permissions(PermissionsExt::from_mode(mode & PERMISSIONS))?;
        }
        let time_set = mtime.is_some_and(|mtime| set_file_mtime(&self.file, mtime).is_ok());
        if !held {
            self.root.rename(temporary, path)?;
        }
        self.published.store(true, Ordering::Relaxed);
        Ok(Written { bytes, time_set })
    }
}

/// Set-user-ID and the like were given to the old content, not to the new.
const PERMISSIONS: u32 = 0o777;
