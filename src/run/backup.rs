//! Before anything is replaced or deleted: the directory of this run, what will be in it, and what undoing needs to know.

pub mod manifest;
pub mod undo;

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use crate::model::{RelPath, Remedy, RunId, Tree, temporary_for};
use crate::plan::{Action, Deed, Phase, Plan};
use crate::pool::Pool;
use crate::run::backup::manifest::{Header, Line, MANIFEST_NAME, UNDONE_NAME};
use crate::spill::{Spill, SpillError};
use crate::store::{Area, AsidePlace, RetryPolicy, Session, Settle, StoreError, StoreResult, WriteRequest};

/// Where a run sets aside what it replaces and deletes. The store of the destination has the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// What people call the directory of this run: an absolute path, or a URL without its password.
    pub name: String,
    /// The destination, in the same way.
    pub destination: String,
}

/// Runs `step` with the paths of a session being those of the directory for things set aside.
pub(crate) fn in_aside<T>(session: &mut dyn Session, step: impl FnOnce(&mut dyn Session) -> T) -> T {
    session.switch(Area::Aside);
    let done = step(session);
    session.switch(Area::Tree);
    done
}

/// Returns the directory of all backups, where it is in the destination, so that it can be left out of the mirror.
///
/// # Errors
/// When it is the destination, or above it.
pub(super) fn inside(destination: &Pool) -> StoreResult<Option<RelPath>> {
    match destination.lease()?.session().aside_place()? {
        AsidePlace::Apart => Ok(None),
        AsidePlace::Within(path) => Ok(Some(composed(&path))),
        AsidePlace::Around => {
            let why = "the backup directory is the destination itself, or holds it";
            let name = destination.store().name();
            Err(StoreError::of_store("use", name, Remedy::Abort, why)
                .with_hint("name a directory beside the destination, or one in it"))
        }
    }
}

/// As names of the mirror are.
fn composed(path: &RelPath) -> RelPath {
    let text = std::str::from_utf8(path.as_bytes()).ok().map(|text| text.nfc().collect::<String>());
    text.and_then(|text| RelPath::parse(text).ok()).unwrap_or_else(|| path.clone())
}

/// Makes the directory of this run, with the directories of all files that may get there, and writes what it is about. Returns
/// whether there is any use for it.
///
/// # Errors
/// Why it can't be made. Nothing of the mirror was changed then.
pub(super) fn prepare(
    destination: &Pool,
    plan: &Plan,
    backup: &Backup,
    times_set: bool,
    run_id: RunId,
    retry: &RetryPolicy,
) -> StoreResult<bool> {
    let moved: BTreeSet<RelPath> = plan
        .actions
        .iter()
        .filter(|action| action.obstacle.is_none())
        .filter(|action| match action.deed {
            Deed::Replace => action.destination.is_some(),
            // One that can't be renamed is sent, and deleted under its old name.
            Deed::Delete | Deed::DeleteDir | Deed::Rename => true,
            Deed::CreateDir | Deed::Copy | Deed::Touch | Deed::Chmod => false,
        })
        .map(|action| action.path.clone())
        .collect();
    if moved.is_empty() {
        return Ok(false);
    }
    let mut dirs: BTreeSet<RelPath> = BTreeSet::new();
    for path in &moved {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            above = dir.parent();
            if !dirs.insert(dir) {
                break;
            }
        }
    }
    let dirs: Vec<RelPath> = dirs.into_iter().collect();
    let header = Header::new(backup.destination.clone(), times_set);
    let lines = plan.actions.held().iter().filter(|action| action.obstacle.is_none()).filter_map(Line::of);
    let bytes = manifest::to_bytes(&header, lines);
    let mut lease = destination.lease()?;
    // The root of the tree may be above it, and is made otherwise than what is in it.
    lease.session().make_root()?;
    in_aside(lease.session(), |session| {
        session.make_root()?;
        let mut tries = 0;
        retry.persist(|| {
            tries += 1;
            write(session, &bytes, run_id, tries)
        })?;
        for part in dirs.chunks(DIRS_AT_ONCE) {
            session.make_dirs(part).into_iter().collect::<StoreResult<()>>()?;
        }
        Ok(true)
    })
}

/// Refuses what can't be done with a backup. `there` is what the destination has.
///
/// # Errors
/// When actions that memory is not meant for can't be written anew.
pub(super) fn guard(plan: &mut Plan, there: &Tree, spill: &Spill) -> Result<(), SpillError> {
    plan.actions.revise(spill, [], |action| {
        guard_name(action);
        guard_unknown(action, there);
        true
    })
}

/// Refuses what would take the place of the program's own files there.
fn guard_name(action: &mut Action) {
    let is_ours = action.path.components().next().is_some_and(|name| {
        [MANIFEST_NAME, UNDONE_NAME].iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    });
    if is_ours && action.phase != Phase::Folders {
        action.refuse("in a backup, its name is that of a file which undoing needs");
    }
}

/// Refuses what would be written to where it isn't known what is there.
fn guard_unknown(action: &mut Action, there: &Tree) {
    let is_new = matches!(action.deed, Deed::Copy | Deed::Rename);
    if is_new && there.doubt(&action.entry().path).is_some() {
        action.refuse(
            "it may replace something that would have to be kept: the destination's listing there is not proven",
        );
    }
}

fn write(session: &mut dyn Session, bytes: &[u8], run_id: RunId, tries: u32) -> StoreResult<()> {
    /// No action has this number.
    const NUMBER: usize = u32::MAX as usize - 2;
    let path = manifest::path();
    let request = WriteRequest {
        temporary: temporary_for(&path, run_id, NUMBER, tries),
        path: path.clone(),
        size: Some(bytes.len() as u64),
        mtime: None,
        mode: None,
        replaces: false,
        held: false,
    };
    let mut outgoing = session.write(&request, None)?;
    for block in bytes.chunks(BLOCK_BYTES) {
        outgoing.write(block)?;
    }
    outgoing.finish()?;
    match session.settle(Settle::All).into_iter().find(|(settled, _)| *settled == path) {
        Some((_, written)) => written.map(drop),
        None => {
            let why = "nothing was heard of it after it was written";
            Err(StoreError::new("write", &path, "the backup directory", Remedy::Skip, why))
        }
    }
}

const DIRS_AT_ONCE: usize = 64;

const BLOCK_BYTES: usize = 256 << 10;
