//! Files of the local disk in parts: read from anywhere, and written by several workers at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use crate::store::local::LocalSession;
use crate::store::local::transfer::Draft;
use crate::store::{Incoming, PartRequest, Parts, StoreError, StoreResult, WriteRequest, Written};

pub(super) fn read<'s>(
    session: &'s mut LocalSession,
    part: &PartRequest,
) -> StoreResult<Box<dyn Incoming + 's>> {
    let opened = session.base_of(&part.path).and_then(|(root, path)| root.open_file(&path));
    let (file, _) = opened.map_err(|e| session.fail("read", &part.path, e))?;
    Ok(Box::new(LocalPart { session, file, request: part.clone(), read: 0 }))
}

pub(super) fn write(session: &mut LocalSession, file: &WriteRequest) -> StoreResult<Box<dyn Parts>> {
    let draft = Draft::create(session, file)?;
    let (bytes, name) = (file.size.unwrap_or(0), session.name.clone());
    let parts = LocalParts { draft, turn: Mutex::default(), bytes, name };
    parts.draft.file.set_len(parts.bytes).map_err(|e| parts.fail(e))?;
    Ok(Box::new(parts))
}

struct LocalPart<'s> {
    session: &'s LocalSession,
    file: File,
    request: PartRequest,
    read: u64,
}

impl Incoming for LocalPart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        let range = &self.request.range;
        let at = range.start + self.read;
        let most = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
        loop {
            match self.file.read_at(&mut buffer[..most], at) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.session.fail("read", &self.request.path, e)),
                Ok(n) => {
                    self.read += n as u64;
                    return Ok(n);
                }
            }
        }
    }

    fn finish(self: Box<Self>) -> StoreResult<u64> {
        if self.request.range.start + self.read == self.request.range.end {
            return Ok(self.read);
        }
        let end = io::ErrorKind::UnexpectedEof.into();
        Err(self.session.fail("read", &self.request.path, end))
    }
}

/// A file that has its size from the beginning on.
struct LocalParts {
    draft: Draft,
    /// Held while writing: the kernel lets one write to a file at a time, and has the others wait in a busy loop.
    turn: Mutex<()>,
    bytes: u64,
    name: String,
}

impl LocalParts {
    fn fail(&self, error: io::Error) -> StoreError {
        StoreError::io("write", &self.draft.request.path, &self.name, error)
    }
}

impl Parts for LocalParts {
    fn write_at(&self, bytes: &[u8], offset: u64) -> StoreResult<()> {
        let _turn = self.turn.lock().expect("no holder panics");
        self.draft.file.write_all_at(bytes, offset).map_err(|e| self.fail(e))
    }

    fn finish(&self) -> StoreResult<Written> {
        self.draft.publish(self.bytes).map_err(|e| self.fail(e))
    }
}
