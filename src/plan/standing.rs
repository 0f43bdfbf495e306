//! Whether what a plan assumed still holds: each of its actions, beside what both sides are now.
//!
//! ```text
//! both sides are as the plan saw them        → due
//! the destination is as the action makes it  → done
//! anything else, or not to be told           → stale, and why
//! ```

mod same;
mod told;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::compare::{Basis, Case, CompareOptions, Reason, Times, difference};
use crate::model::{Entry, Evidence, Kind, RelPath, Tree};
use crate::plan::standing::told::{changed, unproven};
use crate::plan::{Action, Deed, Phase, Plan, is_same_link};

pub use crate::plan::standing::same::is_same;

/// What an action of a plan has come to since it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All is as it was.
    Due,
    /// The destination is as it would make it.
    Done,
    /// A file that was to be renamed is under its new name, and still under the old one, too.
    Left,
    /// What it replaces is there no more: set aside, by a try that was killed before it put the new file there.
    Vacant,
    /// Something isn't as it was, or that can't be told; what was assumed and what is there, for people.
    Stale(String),
}

/// What both sides are now, as far as the plan is about it.
#[derive(Clone, Copy, Debug)]
pub struct Now<'n> {
    /// The source.
    pub source: &'n Tree,
    /// The destination.
    pub destination: &'n Tree,
    /// Directories of the destination that hold something which is in no tree, so that they can't be removed.
    pub keeps: &'n BTreeSet<RelPath>,
    /// What is known beside the listings.
    pub evidence: &'n Evidence,
    /// How files are compared.
    pub compare: CompareOptions,
    /// Files get the permission bits of their sources.
    pub permissions: bool,
    /// What is replaced is set aside before that.
    pub sets_aside: bool,
}

/// Returns the directories that have to be listed to tell how a plan stands, each with those above it; the root, which is not among
/// them, too.
pub fn directories(plan: &Plan) -> BTreeSet<RelPath> {
    let mut dirs = BTreeSet::new();
    for action in &plan.actions {
        // What is in it has to be known, and of what takes the place of a file, that all of it is.
        let itself = action.deed == Deed::DeleteDir || action.phase == Phase::Room;
        let itself = itself.then(|| action.path.clone());
        for path in [itself, action.path.parent(), action.entry().path.parent()].into_iter().flatten() {
            let mut next = Some(path);
            while let Some(dir) = next.filter(|dir| !dir.is_root()) {
                next = dir.parent();
                if !dirs.insert(dir) {
                    break;
                }
            }
        }
    }
    dirs
}

/// Returns how each action of the plan stands, in their order. What has an obstacle counts as due: it is not done for that.
pub fn standings(plan: &Plan, now: &Now<'_>) -> Vec<Standing> {
    let count = plan.actions.len();
    let mut judge =
        Judge { plan, now, found: vec![None; count], by_path: HashMap::new(), before: vec![None; count] };
    for (i, action) in plan.actions.held().iter().enumerate().filter(|(_, action)| action.obstacle.is_none())
    {
        judge.before[i] = judge.by_path.insert(&action.path, i);
    }
    // In the order in which one hangs on another: what makes room, directories from the top down, what goes into them, what is
    // deleted, directories from the bottom up, what takes their places.
    for turn in [Phase::Room, Phase::Folders, Phase::Files, Phase::Deletions, Phase::Removals, Phase::Late] {
        for (i, action) in plan.actions.held().iter().enumerate() {
            let its_turn = match action.phase {
                Phase::Renames | Phase::Times | Phase::Last | Phase::Permissions => Phase::Files,
                phase => phase,
            };
            if its_turn == turn {
                let is_refused = action.obstacle.is_some();
                judge.found[i] = Some(if is_refused { Standing::Due } else { judge.judge(action) });
            }
        }
    }
    judge.found.into_iter().map(|found| found.unwrap_or(Standing::Due)).collect()
}

struct Judge<'j> {
    plan: &'j Plan,
    now: &'j Now<'j>,
    found: Vec<Option<Standing>>,
    /// The last action without an obstacle for each path, and for each of them the one before it. Most paths have but one.
    by_path: HashMap<&'j RelPath, usize>,
    before: Vec<Option<usize>>,
}

impl Judge<'_> {
    fn judge(&self, action: &Action) -> Standing {
        let standing = match action.deed {
            Deed::CreateDir => self.create_dir(action),
            Deed::Copy => self.copy(action),
            Deed::Replace if action.phase == Phase::Late => self.late(action),
            Deed::Replace | Deed::Touch => self.replace(action),
            Deed::Rename => self.rename(action),
            Deed::Chmod => self.permit(action),
            Deed::Delete if action.phase == Phase::Room => self.make_room(action),
            Deed::Delete => self.delete(action),
            Deed::DeleteDir => self.delete_dir(action),
        };
        standing.unwrap_or_else(|why| Standing::Stale(format!("stale: {why}")))
    }

    fn create_dir(&self, action: &Action) -> Result<Standing, String> {
        self.source_is_same(action)?;
        let there = self.there(&action.path);
        if there.is_some_and(|there| there.is_dir()) {
            return Ok(Standing::Done);
        }
        self.parent_is_there(&action.path)?;
        if self.standing(&action.path, Deed::Delete, Phase::Room) == Some(&Standing::Due) {
            return Ok(Standing::Due);
        }
        self.is_absent(&action.path)?;
        Ok(Standing::Due)
    }

    fn copy(&self, action: &Action) -> Result<Standing, String> {
        self.source_is_same(action)?;
        if self.is_sent(&action.path) {
            return Ok(Standing::Done);
        }
        self.parent_is_there(&action.path)?;
        self.is_absent(&action.path)?;
        Ok(Standing::Due)
    }

    fn replace(&self, action: &Action) -> Result<Standing, String> {
        self.source_is_same(action)?;
        match self.destination_is_same(action) {
            Ok(()) => Ok(Standing::Due),
            Err(_) if action.deed == Deed::Replace && self.is_sent(&action.path) => Ok(Standing::Done),
            Err(_) if action.deed == Deed::Touch && self.is_dated(&action.path) => Ok(Standing::Done),
            // Nothing is lost by it, whoever has removed the old one.
            Err(why) if action.deed == Deed::Replace && self.now.sets_aside => {
                self.is_absent(&action.path).map_err(|_| why)?;
                self.parent_is_there(&action.path).map(|()| Standing::Vacant)
            }
            Err(why) => Err(why),
        }
    }

    fn rename(&self, action: &Action) -> Result<Standing, String> {
        self.source_is_same(action)?;
        let new = &action.entry().path;
        if let Some(again) = self.here(&action.path) {
            return Err(changed("source", None, Some(&again)));
        }
        if self.is_sent(new) {
            return Ok(match self.there(&action.path) {
                None => self.is_gone(&action.path)?,
                Some(_) => self.destination_is_same(action).map(|()| Standing::Left)?,
            });
        }
        self.destination_is_same(action)?;
        self.parent_is_there(new)?;
        self.is_absent(new)?;
        Ok(Standing::Due)
    }

    fn permit(&self, action: &Action) -> Result<Standing, String> {
        self.source_is_same(action)?;
        let there = self.there(&action.path);
        let there = there.as_deref();
        if there.is_some_and(|there| {
            there.kind == Kind::File && there.mode.is_some() && same::has_bits_of(there, action.entry())
        }) {
            return Ok(Standing::Done);
        }
        match (there, action.destination.as_deref()) {
            // It may have got its time already.
            (Some(there), Some(then))
                if (is_same(then, there) || self.is_sent(&action.path))
                    && there.mode.is_some()
                    && same::has_bits_of(there, then) =>
            {
                Ok(Standing::Due)
            }
            (there, then) => Err(changed("destination", then, there)),
        }
    }

    fn make_room(&self, action: &Action) -> Result<Standing, String> {
        match self.here(&action.path) {
            Some(here) if here.is_dir() => self.source_is_proven(&action.path)?,
            here => {
                let dir = Entry::new(action.path.clone(), Kind::Dir);
                return Err(changed("source", Some(&dir), here.as_deref()));
            }
        }
        match self.there(&action.path) {
            None => self.is_gone(&action.path),
            Some(there) if there.is_dir() => Ok(Standing::Done),
            Some(_) => {
                self.destination_is_same(action)?;
                self.is_proven(&action.path)?;
                Ok(Standing::Due)
            }
        }
    }

    fn delete(&self, action: &Action) -> Result<Standing, String> {
        self.source_has_not(&action.path)?;
        if self.there(&action.path).is_none() {
            return self.is_gone(&action.path);
        }
        self.destination_is_same(action)?;
        self.is_proven(&action.path)?;
        Ok(Standing::Due)
    }

    fn delete_dir(&self, action: &Action) -> Result<Standing, String> {
        let dir = &action.path;
        let late = self.action(dir, Deed::Replace, Phase::Late);
        match late {
            Some(late) => self.source_is_same(late)?,
            None if action.reason == Reason::Kind => {
                return Err("what was to take its place isn't in the plan".to_owned());
            }
            None => self.source_has_not(dir)?,
        }
        match self.there(dir) {
            None => return self.is_gone(dir),
            Some(_) if late.is_some() && self.is_sent(dir) => return Ok(Standing::Done),
            Some(_) => self.destination_is_same(action)?,
        }
        self.is_proven(dir)?;
        let destination = self.now.destination;
        if destination.unproven().any(|(path, _)| path.is_within(dir)) {
            return Err("what it holds can't be told: a listing below it is not proven".to_owned());
        }
        if self.now.keeps.range(dir..).next().is_some_and(|path| path.is_within(dir)) {
            return Err("it holds something that stays".to_owned());
        }
        let within = destination.entries_within(dir);
        for child in within.filter(|entry| entry.path.parent().as_ref() == Some(dir)) {
            let goes = [
                (Deed::Delete, Phase::Deletions),
                (Deed::DeleteDir, Phase::Removals),
                (Deed::Rename, Phase::Renames),
                (Deed::Rename, Phase::Last),
            ];
            let goes = goes.into_iter().any(|(deed, phase)| {
                let standing = self.standing(&child.path, deed, phase);
                matches!(standing, Some(Standing::Due | Standing::Left))
            });
            if !goes {
                return Err(format!("it holds `{}`, which stays", child.path));
            }
        }
        Ok(Standing::Due)
    }

    /// What goes to where a directory was.
    fn late(&self, action: &Action) -> Result<Standing, String> {
        self.source_is_same(action)?;
        if self.is_sent(&action.path) {
            return Ok(Standing::Done);
        }
        self.parent_is_there(&action.path)?;
        if self.standing(&action.path, Deed::DeleteDir, Phase::Removals) != Some(&Standing::Due) {
            self.is_absent(&action.path)?;
        }
        Ok(Standing::Due)
    }

    fn here(&self, path: &RelPath) -> Option<Cow<'_, Entry>> {
        self.now.source.get(path)
    }

    fn there(&self, path: &RelPath) -> Option<Cow<'_, Entry>> {
        self.now.destination.get(path)
    }

    fn action(&self, path: &RelPath, deed: Deed, phase: Phase) -> Option<&Action> {
        self.position(path, deed, phase).map(|i| &self.plan.actions[i])
    }

    /// Returns how another action stands; `None` when there is none.
    fn standing(&self, path: &RelPath, deed: Deed, phase: Phase) -> Option<&Standing> {
        self.found[self.position(path, deed, phase)?].as_ref()
    }

    fn position(&self, path: &RelPath, deed: Deed, phase: Phase) -> Option<usize> {
        let mut those = std::iter::successors(self.by_path.get(path).copied(), |&i| self.before[i]);
        those.find(|&i| self.plan.actions[i].deed == deed && self.plan.actions[i].phase == phase)
    }

    fn source_is_same(&self, action: &Action) -> Result<(), String> {
        let then = action.source.as_deref();
        let now = then.and_then(|then| self.here(&then.path));
        match (then, now.as_deref()) {
            (Some(then), Some(now))
                if is_same(then, now) && (!self.now.permissions || same::has_bits_of(then, now)) =>
            {
                Ok(())
            }
            (Some(then), None) => match self.now.source.doubt(&then.path) {
                Some((dir, why)) => Err(unproven("source", dir, &why.0)),
                None => Err(changed("source", Some(then), None)),
            },
            (then, now) => Err(changed("source", then, now)),
        }
    }

    fn destination_is_same(&self, action: &Action) -> Result<(), String> {
        let now = self.there(&action.path);
        match (action.destination.as_deref(), now.as_deref()) {
            (Some(then), Some(now)) if is_same(then, now) => Ok(()),
            (then, now) => Err(changed("destination", then, now)),
        }
    }

    /// What isn't listed may be there all the same, and that is enough to keep anything from being deleted.
    fn source_has_not(&self, path: &RelPath) -> Result<(), String> {
        let source = self.now.source;
        if let Some(here) = source.get(path) {
            return Err(changed("source", None, Some(&here)));
        }
        self.source_is_proven(path)?;
        if source.may_hide(path) || source.may_be_closed(path) {
            return Err("the source's listing there doesn't prove that it hasn't it".to_owned());
        }
        Ok(())
    }

    fn source_is_proven(&self, path: &RelPath) -> Result<(), String> {
        match self.now.source.doubt(path) {
            Some((dir, why)) => Err(unproven("source", dir, &why.0)),
            None => Ok(()),
        }
    }

    /// Nothing is there that anybody could see.
    fn is_absent(&self, path: &RelPath) -> Result<(), String> {
        match self.there(path) {
            Some(there) => Err(changed("destination", None, Some(&there))),
            None => self.is_proven(path),
        }
    }

    fn is_proven(&self, path: &RelPath) -> Result<(), String> {
        match self.now.destination.doubt(path) {
            Some((dir, why)) => Err(unproven("destination", dir, &why.0)),
            None => Ok(()),
        }
    }

    fn is_gone(&self, path: &RelPath) -> Result<Standing, String> {
        self.is_proven(path).map(|()| Standing::Done)
    }

    /// Nothing is written to where a link or a file stands in the place of a directory.
    fn parent_is_there(&self, path: &RelPath) -> Result<(), String> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else { return Ok(()) };
        if self.there(&parent).is_some_and(|there| there.is_dir()) {
            return Ok(());
        }
        match self.standing(&parent, Deed::CreateDir, Phase::Folders) {
            Some(Standing::Due) => Ok(()),
            Some(_) => Err(format!("`{parent}` is not made")),
            None => {
                let now = self.there(&parent);
                let dir = Entry::new(parent.clone(), Kind::Dir);
                Err(format!("`{parent}`: {}", changed("destination", Some(&dir), now.as_deref())))
            }
        }
    }

    /// Returns whether the destination has what is at the source, as far as a run would see.
    fn is_sent(&self, path: &RelPath) -> bool {
        let (Some(here), Some(there)) = (self.here(path), self.there(path)) else { return false };
        let basis = if self.now.compare.basis == Basis::Size { Basis::Size } else { Basis::SizeTime };
        let options = CompareOptions { basis, ..self.now.compare };
        let is_file = here.kind == Kind::File && there.kind == Kind::File;
        is_same_link(&here, &there)
            || is_file && difference(&Case::new(&here, &there, self.now.evidence), &options).is_none()
    }

    /// Returns whether the destination's file has the size and the time of the source's.
    fn is_dated(&self, path: &RelPath) -> bool {
        let (Some(here), Some(there)) = (self.here(path), self.there(path)) else { return false };
        let options = CompareOptions { basis: Basis::SizeTime, times: Times::Same, ..self.now.compare };
        let case = Case { source: &here, destination: &there, receipt: None, content: None };
        here.kind == Kind::File && there.mtime.is_some() && difference(&case, &options).is_none()
    }
}

#[cfg(test)]
mod tests;
