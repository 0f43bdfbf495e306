//! A plan that was made before, carried out: what still is as the plan saw it is done, and nothing else.
//!
//! Only the directories that the plan is about are listed, before anything is changed, and those of what is to be deleted once more just
//! before that. What a run does beside its plan is done as in any other: locks, receipts, backups, resuming, leftovers.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::compare::{CompareOptions, Side};
use crate::execute::Observer;
use crate::model::{Entry, Evidence, RelPath};
use crate::plan::{Action, Deed, Now, Phase, Plan, Shard, Standing, directories, keep_share, standings};
use crate::report::{Mode, Report};
use crate::run::carry::{Course, Decision, carry_out};
use crate::run::ends::Ends;
use crate::run::exact::sharpen_trees;
use crate::run::look::{Looked, Measure, Within, scan_side};
use crate::run::memory::Memory;
use crate::run::remote_lock::Loss;
use crate::run::{RunOptions, apart, backup, folding, heal, held, leftovers};
use crate::scan::Scanned;
use crate::store::{Store, StoreError, StoreResult};

/// Carries out a plan that was made before, or one share of it, as far as what it assumed of both sides still holds. What it did already
/// counts as unchanged, what is stale as failed. Of the options, those that decide what is in a plan are of no effect.
///
/// # Errors
/// When a side can't be reached or its root can't be listed; nothing was changed then. Everything else is in the report.
pub fn apply(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    plan: Plan,
    shard: Option<Shard>,
    options: &RunOptions,
    observer: &dyn Observer,
) -> StoreResult<Report> {
    let lost = Loss::default();
    carry_on(source, destination, (plan, shard), options, observer, &lost).map_err(|error| lost.or(error))
}

fn carry_on(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    (mut plan, shard): (Plan, Option<Shard>),
    options: &RunOptions,
    observer: &dyn Observer,
    lost: &Loss,
) -> StoreResult<Report> {
    let ends = Ends::new(source, destination, options);
    let lock = ends.lock(options, lost)?;
    let options = &*apart(options, &ends)?;
    let left = shard.map(|shard| (shard, keep_share(&mut plan, shard)));
    let dirs = directories(&plan);
    let has_others = left.is_some() || options.beside_others;
    let paths: Option<BTreeSet<&RelPath>> = has_others.then(|| paths(&plan));
    let within = Within { dirs: &dirs, paths: paths.as_ref() };
    let mut looked = Looked::at(&ends, options, Some(&within), observer, None)?;
    let measure = measure(&mut looked, &plan, &ends, options)?;
    sharpen_trees(&plan, &ends, (&mut looked.from.tree, &mut looked.to.tree))?;
    let Looked { from, to, memory, .. } = &looked;
    let now = now((from, to), &memory.evidence, measure.compare, options);
    let standings = standings(&plan, &now);
    let done = split(&mut plan, standings);
    options.spill.check()?;
    let dry = options.mode != Mode::Sync;
    if options.backup.is_some() {
        backup::guard(&mut plan, &looked.to.tree, &options.spill)?;
    }
    if dry {
        // Without outcomes, nothing else says that they would fail.
        let stale = plan.actions.held().iter().filter_map(|action| Some((action, action.obstacle.as_ref()?)));
        looked.troubles.extend(stale.map(|(action, why)| format!("`{}`: {why}", action.path)));
    }
    if let Some((shard, left @ 1..)) = left {
        let changes = if left == 1 { "1 change is".to_owned() } else { format!("{left} changes are") };
        looked.notes.push(format!(
            "{changes} not of share {shard}: those of the other shares, and those that come last, for `oneway apply` without --shard"
        ));
    }
    let course = Applying { ends: &ends, options, observer, measure: &measure, done };
    let held = held::still_there(&options.held, &mut looked.to, &ends.destination)?;
    let decision = Decision { plan, refusal: None, dry, times_kept: measure.times_kept, held };
    Ok(carry_out((&ends, lock), options, looked, decision, &course, observer))
}

/// Returns the paths that a plan is about.
fn paths(plan: &Plan) -> BTreeSet<&RelPath> {
    plan.actions.held().iter().flat_map(|action| [&action.path, &action.entry().path]).collect()
}

/// Asks only about files of the plan what decides whether they are the same.
fn measure(looked: &mut Looked, plan: &Plan, ends: &Ends, options: &RunOptions) -> StoreResult<Measure> {
    let planned = paths(plan);
    let is_planned = |entry: &Entry| planned.contains(&entry.path);
    let (few_from, few_to) = (looked.from.tree.only(is_planned)?, looked.to.tree.only(is_planned)?);
    let mut all_from = std::mem::replace(&mut looked.from.tree, few_from);
    let mut all_to = std::mem::replace(&mut looked.to.tree, few_to);
    let measure = looked.measure(ends, options)?;
    for (all, few) in [(&mut all_from, &looked.from.tree), (&mut all_to, &looked.to.tree)] {
        let learned = |entry: &Entry| few.get(&entry.path).filter(|known| known.mtime != entry.mtime);
        if all.entries().any(|entry| learned(&entry).is_some()) {
            all.revise(|entry| {
                entry.mtime = learned(entry).map_or(entry.mtime, |known| known.mtime);
                true
            })?;
        }
    }
    (looked.from.tree, looked.to.tree) = (all_from, all_to);
    Ok(measure)
}

fn now<'n>(
    (from, to): (&'n Scanned, &'n Scanned),
    evidence: &'n Evidence,
    compare: CompareOptions,
    options: &RunOptions,
) -> Now<'n> {
    Now {
        source: &from.tree,
        destination: &to.tree,
        keeps: &to.keeps,
        evidence,
        compare,
        permissions: options.carry_permissions,
        sets_aside: options.backup.is_some(),
    }
}

/// Leaves in the plan what is left to do, the stale with an obstacle, and returns what is done already.
fn split(plan: &mut Plan, standings: Vec<Standing>) -> Vec<Action> {
    let scanned = plan.actions.len();
    let mut standings = standings.into_iter();
    let is_done = |action: &mut Action| {
        match standings.next() {
            Some(Standing::Done) => return true,
            Some(Standing::Left) => {
                (action.deed, action.phase, action.source) = (Deed::Delete, Phase::Deletions, None);
            }
            Some(Standing::Vacant) => (action.deed, action.destination) = (Deed::Copy, None),
            Some(Standing::Stale(why)) => action.obstacle = Some(why.into()),
            Some(Standing::Due) | None => {}
        }
        false
    };
    let done: Vec<Action> = plan.actions.held_mut().extract_if(.., is_done).collect();
    *plan = Plan {
        actions: std::mem::take(&mut plan.actions),
        scanned,
        unchanged: done.len(),
        ..Plan::default()
    };
    plan.sort();
    done
}

/// The course of a run whose plan was made before.
struct Applying<'a> {
    ends: &'a Ends,
    options: &'a RunOptions,
    observer: &'a dyn Observer,
    measure: &'a Measure,
    /// What was done before, by a run that was interrupted.
    done: Vec<Action>,
}

impl Course for Applying<'_> {
    fn before(&self, memory: &Memory, from: &Scanned, to: &Scanned) {
        let is_sent = |action: &&Action| action.source.is_some();
        let sent: BTreeSet<&RelPath> =
            self.done.iter().filter(is_sent).map(|action| &action.entry().path).collect();
        let is_done = |entry: &Entry| sent.contains(&entry.path);
        let [listed_from, listed_to] = &self.measure.listed;
        let listed = (&listed_from.listed, &listed_to.listed);
        // What can't be put aside is not remembered, which costs time alone.
        if let (Ok(from), Ok(to)) = (from.tree.only(is_done), to.tree.only(is_done)) {
            memory.keep_unchanged(&from, &to, listed, &self.measure.compare);
        }
        for action in &self.done {
            if matches!(action.deed, Deed::Delete | Deed::Rename) && !sent.contains(&action.path) {
                memory.forget(&action.path);
            }
        }
    }

    fn after(&self, _: &Memory, _: &Scanned, _: &Scanned) {
        // What isn't listed is not gone.
    }

    fn looks_again(&self) -> bool {
        true
    }

    fn look_again(&self, late: &mut Plan) {
        match self.standings_now(late) {
            Ok(standings) => {
                for (action, standing) in late.actions.held_mut().iter_mut().zip(standings) {
                    if let Standing::Stale(why) = standing {
                        action.refuse(why);
                    }
                }
            }
            Err(e) => {
                for action in late.actions.held_mut() {
                    action.refuse(format!("not done, since it can't be looked at again: {e}"));
                }
            }
        }
    }
}

impl Applying<'_> {
    fn standings_now(&self, late: &Plan) -> Result<Vec<Standing>, StoreError> {
        let (ends, dirs) = (self.ends, directories(late));
        let look = |pool, side| scan_side(pool, side, self.options, Some(&dirs), self.observer);
        let mut from = look(&ends.source, Side::Source)?;
        let mut to = look(&ends.destination, Side::Destination)?;
        heal::doubt_source(&mut from, &self.options.filter);
        leftovers::keep_dirs(&mut to, ends.run_id, ends.now);
        folding::unfold(&mut from, &mut to, &ends.destination, true, ends.run_id)?;
        sharpen_trees(late, ends, (&mut from.tree, &mut to.tree))?;
        let evidence = Evidence::default();
        let found = standings(late, &now((&from, &to), &evidence, self.measure.compare, self.options));
        // What can't be read back looks as if it weren't there, which is when something is deleted.
        self.options.spill.check()?;
        Ok(found)
    }
}
