//! From two trees to an ordered list of actions. Pure: no I/O, no clock, no thread.
//!
//! ```text
//! for each path of either side, in order:
//!   below something that is left alone   → left alone, too
//!   only at the source                   → create or copy
//!   on both sides                        → replace if a rule finds a difference, touch if it is the time alone
//!   only at the destination              → delete, if asked for and both sides' listings prove it
//! ```
//!
//! The actions come in phases: make room, create folders, rename files, set times, copy files, delete files, delete folders
//! deepest first, copy files to where a folder was. What is kept on purpose is in the plan, too, with the reason.
//!
//! What would be deleted under one name and sent under another is renamed instead, once both are known to have one content:
//! [`candidates`] says of which files that would have to be known, [`rename`] makes renames of those of which it is.
//!
//! Files that are to come after all others, as pages do that refer to them, have a phase of their own: [`come_last`].

mod action;
mod actions;
mod condition;
mod guard;
mod last;
mod parts;
mod renames;
mod shard;
mod standing;

pub use action::{Action, Deed, LeftOut, Phase, Skipped, Spared};
pub use actions::{Actions, Tally};
pub use condition::{Condition, ConditionError, parse_bytes};
pub use guard::{GuardOptions, MaxDelete, Refusal, check, check_conditions};
pub use last::come_last;
pub use parts::{Part, PartSize, Parts, cut};
pub use renames::{Candidates, candidates, rename};
pub use shard::{Shard, ShardError, keep_share};
pub use standing::{Now, Standing, directories, is_same, standings};

use std::collections::BTreeSet;

use crate::compare::{Case, CompareOptions, Pair, Reason, difference, march, needs_touch};
use crate::model::{Entry, Evidence, Kind, Links, RelPath, Tree, stays_inside};
use crate::spill::{Sorter, Spill, SpillError};

/// What is to be planned.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// How files are compared.
    pub compare: CompareOptions,
    /// Remove what only the destination has.
    pub delete: bool,
    /// What of a file's presence at the destination decides.
    pub presence: Presence,
    /// Leave files of equal content the times they have: those of one side are of its checkout, and others each time.
    pub leave_times: bool,
    /// Give files the permission bits of their sources, as far as both are listed.
    pub permissions: bool,
    /// What becomes of symbolic links. Those that are followed are in no tree.
    pub links: Links,
    /// Whether links can be made at the destination.
    pub makes_links: bool,
}

/// The permission bits that are carried: those for user, group and others. What lets a program run as somebody else is decided where it runs.
pub const CARRIED_BITS: u16 = 0o777;

/// Which files are sent, by whether the destination has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// All of them.
    #[default]
    Any,
    /// Only those it doesn't have yet.
    OnlyNew,
    /// Only those it has already.
    OnlyExisting,
}

/// What is to be done, and what on purpose isn't.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The actions, in the order of their execution.
    pub actions: Actions,
    /// Entries of the source that are no files or directories and are left out, with the reason.
    pub skipped: Vec<Skipped>,
    /// What only the destination has and is kept although deletion was asked for, with the reason.
    pub spared: Vec<Spared>,
    /// Files that are the same on both sides, or are left as they are by --update and the like.
    pub unchanged: usize,
    /// Files whose permissions were to be compared, and are listed on one side at most.
    pub untold_permissions: usize,
    /// Paths that were compared, each once.
    pub scanned: usize,
}

impl Plan {
    /// Puts the actions of a plan that is to be carried out into the order of their execution.
    pub fn sort(&mut self) {
        self.actions.held_mut().sort_unstable_by(action::order);
    }
}

/// Plans what makes `destination` a mirror of `source`. `keeps` are directories of the destination that hold something
/// outside the filter, so that they can't be removed; `evidence` what is known beside the listings.
pub fn plan(
    source: &Tree,
    destination: &Tree,
    keeps: &BTreeSet<RelPath>,
    evidence: &Evidence,
    options: &PlanOptions,
) -> Plan {
    plan_within(source, destination, keeps, evidence, options, &Spill::never())
        .expect("nothing leaves memory that could be written in vain")
}

/// As [`plan`], but for actions that go where `spill` says if they are too many, so that they can only be told.
///
/// # Errors
/// When they can't be written there.
pub fn plan_within(
    source: &Tree,
    destination: &Tree,
    keeps: &BTreeSet<RelPath>,
    evidence: &Evidence,
    options: &PlanOptions,
    spill: &Spill,
) -> Result<Plan, SpillError> {
    let mut planner = Planner {
        source,
        destination,
        keeps,
        evidence,
        options,
        plan: Plan::default(),
        actions: Sorter::new(spill.clone()),
        removals: Vec::new(),
        broken: None,
        alone: None,
    };
    for pair in march(source.entries(), destination.entries()) {
        planner.plan.scanned += 1;
        planner.step(pair);
        if let Some(e) = planner.broken.take() {
            return Err(e);
        }
    }
    planner.finish()
}

struct Planner<'t> {
    source: &'t Tree,
    destination: &'t Tree,
    keeps: &'t BTreeSet<RelPath>,
    evidence: &'t Evidence,
    options: &'t PlanOptions,
    plan: Plan,
    actions: Sorter<Action>,
    /// Directories that are to be removed, if nothing that stays is found in them.
    removals: Vec<Action>,
    /// Why an action could not be kept.
    broken: Option<SpillError>,
    /// Everything at or below this path is left alone.
    alone: Option<RelPath>,
}

impl Planner<'_> {
    fn step(&mut self, pair: Pair<'_>) {
        let path = match &pair {
            Pair::Source(entry) | Pair::Destination(entry) | Pair::Both(entry, _) => &entry.path,
        };
        if self.alone.as_ref().is_some_and(|alone| path.is_within(alone)) {
            return;
        }
        match pair {
            Pair::Source(entry) => self.only_source(&entry),
            Pair::Destination(entry) => self.only_destination(&entry),
            Pair::Both(source, destination) => self.both(&source, &destination),
        }
    }

    fn only_source(&mut self, source: &Entry) {
        if let Some(why) = self.left_out(source) {
            return self.skip(source, why);
        }
        match source.kind {
            _ if self.options.presence == Presence::OnlyExisting => {}
            Kind::Dir => self.act(Deed::CreateDir, Phase::Folders, Reason::Missing, Some(source), None),
            Kind::File | Kind::Symlink | Kind::Other => {
                self.act(Deed::Copy, Phase::Files, Reason::Missing, Some(source), None);
            }
        }
    }

    fn both(&mut self, source: &Entry, destination: &Entry) {
        if self.options.links == Links::Copy && is_same_link(source, destination) {
            self.plan.unchanged += 1;
            return;
        }
        // What a link or a device stands for isn't carried, and what stands in its place isn't ours to remove.
        if let Some(why) = self.left_out(source) {
            return self.skip(source, why);
        }
        match (source.kind, destination.kind) {
            (Kind::Dir, Kind::Dir) => {}
            (Kind::File, Kind::File) => self.both_files(source, destination),
            (Kind::Symlink, Kind::Symlink) if self.options.presence == Presence::OnlyNew => {
                self.plan.unchanged += 1;
            }
            (Kind::Symlink, Kind::Symlink) => {
                self.act(Deed::Replace, Phase::Files, Reason::Checksum, Some(source), Some(destination));
            }
            // Neither a new nor an existing file: what is there stays as it is.
            _ if self.options.presence != Presence::Any => self.leave_alone(&source.path),
            (Kind::File, Kind::Symlink) | (Kind::Symlink, Kind::File) => {
                self.act(Deed::Replace, Phase::Files, Reason::Kind, Some(source), Some(destination));
            }
            (Kind::Dir, Kind::File) => self.dir_for_file(source, destination),
            (Kind::File | Kind::Symlink, Kind::Dir) => self.file_for_dir(source, destination),
            (Kind::Dir, Kind::Symlink) => {
                let why = "it is a symbolic link at the destination, and nothing is written through one";
                self.refuse(Deed::CreateDir, source, destination, why);
            }
            (Kind::Other, _) | (_, Kind::Other) => {
                let deed = if source.is_dir() { Deed::CreateDir } else { Deed::Replace };
                let why = "it is a device or another special file at the destination";
                self.refuse(deed, source, destination, why);
            }
        }
    }

    fn both_files(&mut self, source: &Entry, destination: &Entry) {
        let case = Case::new(source, destination, self.evidence);
        let permissions = self.permissions(source, destination);
        let (deed, phase, reason) = match difference(&case, &self.options.compare) {
            Some(reason) => (Deed::Replace, Phase::Files, reason),
            None if !self.options.leave_times && needs_touch(&case, &self.options.compare) => {
                (Deed::Touch, Phase::Times, Reason::Time)
            }
            None if permissions => (Deed::Chmod, Phase::Permissions, Reason::Forced),
            None => {
                self.plan.unchanged += 1;
                return;
            }
        };
        let newer_there = || match (source.mtime, destination.mtime) {
            (Some(s), Some(d)) => d.gap(&s) > self.options.compare.window,
            _ => false,
        };
        if self.options.presence == Presence::OnlyNew || (self.options.compare.update && newer_there()) {
            self.plan.unchanged += 1;
            return;
        }
        self.act(deed, phase, reason, Some(source), Some(destination));
        if deed == Deed::Touch && permissions {
            self.act(Deed::Chmod, Phase::Permissions, Reason::Forced, Some(source), Some(destination));
        }
    }

    /// Returns whether the permission bits of a file are to be others.
    fn permissions(&mut self, source: &Entry, destination: &Entry) -> bool {
        if !self.options.permissions {
            return false;
        }
        let bits = |entry: &Entry| entry.mode.map(|mode| mode & CARRIED_BITS);
        match (bits(source), bits(destination)) {
            (Some(source), Some(destination)) => source != destination,
            _ => {
                self.plan.untold_permissions += 1;
                false
            }
        }
    }

    /// A file gives way to a directory only where the directory's content is known.
    fn dir_for_file(&mut self, source: &Entry, destination: &Entry) {
        if self.source.doubt(&source.path).is_some() {
            let why = "it is a file at the destination, and what is to take its place could not be listed";
            return self.refuse(Deed::CreateDir, source, destination, why);
        }
        self.act(Deed::Delete, Phase::Room, Reason::Kind, None, Some(destination));
        self.act(Deed::CreateDir, Phase::Folders, Reason::Kind, Some(source), None);
    }

    /// A directory gives way to a file only where deleting was asked for and all of its content is known and to be deleted.
    /// Its removal is a deletion like any other, so the file is sent after all deletions.
    fn file_for_dir(&mut self, source: &Entry, destination: &Entry) {
        if !self.options.delete {
            let why = "it is a directory at the destination, which only --delete removes";
            self.refuse(Deed::Replace, source, destination, why);
        } else if self.holds_unknown(&source.path) {
            let why = "it is a directory at the destination that holds, or may hold, something that stays";
            self.refuse(Deed::Replace, source, destination, why);
        } else {
            self.act(Deed::DeleteDir, Phase::Removals, Reason::Kind, None, Some(destination));
            self.act(Deed::Replace, Phase::Late, Reason::Kind, Some(source), None);
        }
    }

    fn only_destination(&mut self, destination: &Entry) {
        let path = &destination.path;
        if !self.options.delete {
            return;
        }
        if let Some((dir, doubt)) = self.source.doubt(path).or_else(|| self.destination.doubt(path)) {
            let why = format!("the listing of `{dir}` is not proven: {}", doubt.0);
            self.spare(destination, why);
            return;
        }
        if self.source.may_hide(path) {
            let why = "the source's server may not show names that begin with a dot";
            return self.spare(destination, why.to_owned());
        }
        if self.source.may_be_closed(path) {
            let why = "the source's listing there is empty, as that of a directory is which can't be read";
            return self.spare(destination, why.to_owned());
        }
        match destination.kind {
            Kind::File | Kind::Symlink => {
                self.act(Deed::Delete, Phase::Deletions, Reason::Extra, None, Some(destination));
            }
            Kind::Dir => self.act(Deed::DeleteDir, Phase::Removals, Reason::Extra, None, Some(destination)),
            Kind::Other => {
                self.spare(destination, "it is a device or another special file".to_owned());
            }
        }
    }

    /// Returns whether the destination's directory `dir` holds, or may hold, something that isn't to be deleted.
    fn holds_unknown(&self, dir: &RelPath) -> bool {
        let below = |path: Option<&RelPath>| path.is_some_and(|path| path.is_within(dir));
        below(self.keeps.range(dir..).next())
            || self.source.doubt(dir).is_some()
            || self.destination.doubt(dir).is_some()
            || self.destination.unproven().any(|(path, _)| path.is_within(dir))
            || self.destination.entries_within(dir).any(|e| e.kind == Kind::Other)
    }

    /// Returns why an entry of the source isn't mirrored; `None` when it is.
    fn left_out(&self, source: &Entry) -> Option<LeftOut> {
        match (source.kind, &source.target) {
            (Kind::File | Kind::Dir, _) => None,
            (Kind::Other, _) => Some(LeftOut::Special),
            (Kind::Symlink, _) if self.options.links != Links::Copy => Some(LeftOut::Link),
            (Kind::Symlink, _) if !self.options.makes_links => Some(LeftOut::Unmakeable),
            (Kind::Symlink, None) => Some(LeftOut::Untold),
            (Kind::Symlink, Some(target)) => {
                (!stays_inside(&source.path, target)).then_some(LeftOut::Outside)
            }
        }
    }

    fn skip(&mut self, source: &Entry, why: LeftOut) {
        self.plan.skipped.push(Skipped { path: source.path.clone(), kind: source.kind, why });
        self.leave_alone(&source.path);
    }

    fn spare(&mut self, Entry { path, kind, .. }: &Entry, why: String) {
        self.plan.spared.push(Spared { path: path.clone(), kind: *kind, why });
    }

    fn refuse(&mut self, deed: Deed, source: &Entry, destination: &Entry, why: &'static str) {
        let action = action(deed, Phase::Room, Reason::Kind, Some(source), Some(destination));
        self.keep(Action { obstacle: Some(why.into()), ..action });
        self.leave_alone(&source.path);
    }

    fn leave_alone(&mut self, path: &RelPath) {
        self.alone = Some(path.clone());
    }

    fn act(
        &mut self,
        deed: Deed,
        phase: Phase,
        reason: Reason,
        source: Option<&Entry>,
        destination: Option<&Entry>,
    ) {
        self.keep(action(deed, phase, reason, source, destination));
    }

    fn keep(&mut self, action: Action) {
        if action.deed == Deed::DeleteDir {
            self.removals.push(action);
        } else if let Err(e) = self.actions.push(action) {
            self.broken = Some(e);
        }
    }

    fn finish(mut self) -> Result<Plan, SpillError> {
        self.spare_full_dirs();
        for action in std::mem::take(&mut self.removals) {
            self.actions.push(action)?;
        }
        Ok(Plan { actions: Actions::sorted(self.actions)?, ..self.plan })
    }

    /// Takes back the removal of directories that hold something which stays.
    fn spare_full_dirs(&mut self) {
        let spared: BTreeSet<&RelPath> = self.plan.spared.iter().map(|spared| &spared.path).collect();
        let unproven: BTreeSet<&RelPath> = self.destination.unproven().map(|(path, _)| path).collect();
        let keeps = self.keeps;
        let first_within = |set: &BTreeSet<&RelPath>, dir: &RelPath| {
            set.range::<RelPath, _>(dir..).next().is_some_and(|path| path.is_within(dir))
        };
        let mut full = Vec::new();
        self.removals.retain(|action| {
            let stays = first_within(&spared, &action.path)
                || first_within(&unproven, &action.path)
                || keeps.range(&action.path..).next().is_some_and(|path| path.is_within(&action.path));
            if stays {
                full.push(Spared {
                    path: action.path.clone(),
                    kind: Kind::Dir,
                    why: "it holds something that stays".to_owned(),
                });
            }
            !stays
        });
        self.plan.spared.extend(full);
        self.plan.spared.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

fn action(
    deed: Deed,
    phase: Phase,
    reason: Reason,
    source: Option<&Entry>,
    destination: Option<&Entry>,
) -> Action {
    let path = source.or(destination).expect("an action is about an entry of one side").path.clone();
    let [source, destination] = [source, destination].map(|entry| entry.cloned().map(Box::new));
    Action { path, deed, phase, reason, source, destination, obstacle: None }
}

/// Returns whether both are links that are known to point to the same.
fn is_same_link(source: &Entry, destination: &Entry) -> bool {
    let are_links = (source.kind, destination.kind) == (Kind::Symlink, Kind::Symlink);
    are_links && source.target.is_some() && source.target == destination.target
}

#[cfg(test)]
mod tests;
