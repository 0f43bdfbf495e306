//! What no plan could have: what is carried out must be one that could have been made.

use std::collections::HashSet;

use crate::compare::Reason;
use crate::model::{Entry, Kind, RelPath, stays_inside};
use crate::plan::{Action, Deed, Phase};

/// Says what is wrong with an action by itself.
pub(super) fn action(action: &Action) -> Result<(), &'static str> {
    let (source, destination) = (action.source.as_deref(), action.destination.as_deref());
    if source.is_none() && destination.is_none() {
        return Err("an action is about something of one side");
    }
    // It is told, and never done.
    if action.obstacle.is_some() {
        return Ok(());
    }
    let kinds = (source.map(|entry| entry.kind), destination.map(|entry| entry.kind));
    use Kind::{Dir, File, Symlink};
    let fits = match (action.deed, action.phase) {
        (Deed::CreateDir, Phase::Folders) => kinds == (Some(Dir), None),
        (Deed::Copy, Phase::Files | Phase::Last) | (Deed::Replace, Phase::Late) => {
            matches!(kinds, (Some(File | Symlink), None))
        }
        (Deed::Replace, Phase::Files | Phase::Last) => {
            matches!(kinds, (Some(File | Symlink), Some(File | Symlink)))
        }
        (Deed::Rename, Phase::Renames | Phase::Last) => {
            kinds == (Some(File), Some(File)) && action.entry().path != action.path
        }
        (Deed::Touch, Phase::Times) => kinds == (Some(File), Some(File)),
        (Deed::Chmod, Phase::Permissions) => {
            kinds == (Some(File), Some(File))
                && [source, destination].iter().flatten().all(|e| e.mode.is_some())
        }
        (Deed::Delete, Phase::Room) => matches!(kinds, (None, Some(File))) && action.reason == Reason::Kind,
        (Deed::Delete, Phase::Deletions) => matches!(kinds, (None, Some(File | Symlink))),
        (Deed::DeleteDir, Phase::Removals) => kinds == (None, Some(Dir)),
        _ => false,
    };
    if !fits {
        return Err("no plan has such an action");
    }
    let leads_out = |entry: &Entry| {
        entry.kind == Symlink && entry.target.as_ref().is_none_or(|target| !stays_inside(&entry.path, target))
    };
    if source.is_some_and(leads_out) {
        return Err("the link may lead out of the destination");
    }
    Ok(())
}

/// Returns the first action that makes or removes what another one does already.
pub(super) fn repeated(actions: &[Action]) -> Option<usize> {
    let (mut made, mut removed): (HashSet<_>, HashSet<&RelPath>) = Default::default();
    actions.iter().position(|action| {
        // A file may get another time and other permissions.
        let makes =
            action.source.is_some() && !made.insert((&action.entry().path, action.deed == Deed::Chmod));
        let is_removal = matches!(action.deed, Deed::Rename | Deed::Delete | Deed::DeleteDir);
        makes || (is_removal && !removed.insert(&action.path))
    })
}
