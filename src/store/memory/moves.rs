//! What gets another name: files that were held, and files that are set aside.

use std::io;

use crate::model::RelPath;
use crate::store::memory::{MemorySession, Node};
use crate::store::{Area, HeldFile, Renaming, StoreError, StoreResult, Way};

pub(super) fn carry(session: &mut MemorySession, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
    let mut one = |Renaming { from, to }: &Renaming| {
        let mut shared = session.step("carry", from)?;
        let fail = |kind: io::ErrorKind| Err(StoreError::io("move", from, "memory", kind.into()));
        let (from_area, to_area) = way.ends();
        let (old, new) = (shared.own(&at(from_area, from)), shared.own(&at(to_area, to)));
        if shared.nodes.get(&new.parent().unwrap()).is_none_or(|node| *node != Node::Dir)
            && !new.parent().unwrap().is_root()
        {
            return fail(io::ErrorKind::NotFound);
        }
        if shared.nodes.contains_key(&new) {
            let is_done = !shared.nodes.contains_key(&old);
            return if is_done { Ok(()) } else { fail(io::ErrorKind::AlreadyExists) };
        }
        let Some(node) = shared.nodes.remove(&old) else { return fail(io::ErrorKind::NotFound) };
        shared.nodes.insert(new, node);
        shared.journal.push(format!("carry {from}"));
        Ok(())
    };
    files.iter().map(&mut one).collect()
}

pub(super) fn publish(session: &mut MemorySession, files: &[HeldFile]) -> Vec<StoreResult<()>> {
    let mut one = |file: &HeldFile| {
        let HeldFile { path, temporary, .. } = file;
        let mut shared = session.step("publish", path)?;
        let fail = |kind: io::ErrorKind| Err(StoreError::io("publish", path, "memory", kind.into()));
        let own = shared.own(path);
        let Some(sent) = shared.nodes.get(temporary).cloned() else {
            let is_done = matches!(
                shared.nodes.get(&own),
                Some(Node::File { content, mtime }) if file.may_be(Some(content.len() as u64), Some(*mtime))
            );
            return if is_done { Ok(()) } else { fail(io::ErrorKind::NotFound) };
        };
        if shared.nodes.get(&own) == Some(&Node::Dir) {
            return fail(io::ErrorKind::IsADirectory);
        }
        shared.nodes.remove(temporary);
        shared.nodes.insert(own, sent);
        shared.journal.push(format!("write {path}"));
        Ok(())
    };
    files.iter().map(&mut one).collect()
}

/// Where things are set aside; never listed with the rest.
pub(super) fn aside() -> RelPath {
    RelPath::parse("~aside").unwrap()
}

pub(super) fn at(area: Area, path: &RelPath) -> RelPath {
    match area {
        Area::Tree => path.clone(),
        Area::Aside => aside().append(path),
    }
}
