//! Files onto the local disk, given their names when they are whole.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rooted::{Meta, Rooted, set_file_mtime};
use crate::store::local::LocalSession;
use crate::store::{Outgoing, StoreResult, WriteRequest, Written};

pub(super) fn write<'s>(
    session: &'s mut LocalSession,
    file: &WriteRequest,
) -> StoreResult<Box<dyn Outgoing + 's>> {
    let draft = Draft::create(session, file)?;
    Ok(Box::new(LocalOutgoing { session, draft, bytes: 0 }))
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

/// A file under its temporary name. Unless it gets its final one, it is removed. One that is written in place stays as it is.
pub(super) struct Draft {
    root: Arc<Rooted>,
    pub(super) file: File,
    pub(super) request: WriteRequest,
    published: AtomicBool,
    /// It still has the content it had before.
    untouched: AtomicBool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published.load(Ordering::Relaxed) && !is_in_place(&self.request) {
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
        let (published, untouched) = (AtomicBool::new(false), AtomicBool::new(in_place));
        Ok(Self { root, file, request: request.clone(), published, untouched })
    }

    /// Empties what is written in place, once there is something to write: one that can't be read at its source costs no file. It is
    /// emptied, and not overwritten from its beginning, so that a part of it never has the size of the whole.
    fn begin(&self) -> io::Result<()> {
        if self.untouched.swap(false, Ordering::Relaxed) { self.file.set_len(0) } else { Ok(()) }
    }

    /// Gives the file its bits, its time and its name, if it has as many bytes as it should.
    pub(super) fn publish(&self, bytes: u64) -> io::Result<Written> {
        let WriteRequest { path, temporary, mtime, mode, .. } = &self.request;
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
        if !is_in_place(&self.request) {
            self.root.rename(temporary, path)?;
        }
        self.published.store(true, Ordering::Relaxed);
        Ok(Written { bytes, time_set })
    }
}

fn is_in_place(request: &WriteRequest) -> bool {
    request.temporary == request.path
}

/// Set-user-ID and the like were given to the old content, not to the new.
const PERMISSIONS: u32 = 0o777;
