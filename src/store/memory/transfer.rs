//! Files in and out of a tree in memory.

use std::io;

use crate::model::{Mtime, RelPath};
use crate::store::memory::moves::at;
use crate::store::memory::{MemorySession, Node};
use crate::store::{Incoming, Outgoing, StoreError, StoreResult, WriteRequest, Written};

pub(super) struct MemoryIncoming<'s> {
    pub(super) session: &'s mut MemorySession,
    pub(super) path: RelPath,
    pub(super) content: Vec<u8>,
    pub(super) at: usize,
}

impl Incoming for MemoryIncoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        drop(self.session.step("read", &self.path)?);
        // In pieces, so that a fault can come in the middle.
        let piece = (self.content.len() / 4).max(3);
        let n = (self.content.len() - self.at).min(piece).min(buffer.len());
        buffer[..n].copy_from_slice(&self.content[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }

    fn finish(self: Box<Self>) -> StoreResult<u64> {
        drop(self.session.step("read", &self.path)?);
        Ok(self.at as u64)
    }
}

pub(super) struct MemoryOutgoing<'s> {
    pub(super) session: &'s mut MemorySession,
    pub(super) request: WriteRequest,
    pub(super) content: Vec<u8>,
    pub(super) done: bool,
}

impl Drop for MemoryOutgoing<'_> {
    fn drop(&mut self) {
        let mut shared = self.session.store.lock();
        let own = shared.own(&self.request.temporary);
        if self.done {
            // A file that is held is there under that name.
            if !self.request.held {
                shared.nodes.remove(&own);
            }
        } else if shared.keeps_partials && !self.content.is_empty() {
            let (content, mtime) = (std::mem::take(&mut self.content), Mtime::from_unix(2_000_000_000, 0));
            shared.nodes.insert(own, Node::File { content, mtime: mtime.unwrap() });
        }
    }
}

impl Outgoing for MemoryOutgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
        drop(self.session.step("write", &self.request.path)?);
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> StoreResult<()> {
        let WriteRequest { path, temporary, mtime, held, .. } = self.request.clone();
        let bytes = self.content.len() as u64;
        let content = self.content.clone();
        let area = self.session.area;
        let mut shared = self.session.step("write", &path)?;
        let own = shared.own(&at(area, &path));
        let parent = own.parent().unwrap();
        let fits = (parent.is_root() || shared.nodes.get(&parent) == Some(&Node::Dir))
            && (held || shared.nodes.get(&own) != Some(&Node::Dir));
        if !fits {
            let why = io::ErrorKind::NotFound.into();
            return Err(StoreError::io("write", &path, "memory", why));
        }
        let sets = !shared.cannot_set_times;
        let now = Mtime::from_unix(2_000_000_000, 0).unwrap();
        let mtime = mtime.filter(|_| sets);
        let file = Node::File { content, mtime: mtime.unwrap_or(now) };
        if held {
            shared.nodes.insert(temporary, file);
        } else {
            shared.nodes.insert(own, file);
            shared.journal.push(format!("write {path}"));
        }
        drop(shared);
        self.done = true;
        self.session.written.push((path, Ok(Written { bytes, time_set: mtime.is_some() })));
        Ok(())
    }
}
