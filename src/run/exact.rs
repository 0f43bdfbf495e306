//! The exact times of the files that a kept plan is about: a listing to the minute doesn't show a second change within it.

use std::borrow::Cow;

use crate::model::{Entry, Kind, Mtime, RelPath, Tree};
use crate::plan::{Action, Actions, Plan};
use crate::pool::Pool;
use crate::run::ask::ask;
use crate::run::ends::Ends;
use crate::spill::{Sorter, Spill};
use crate::store::StoreResult;

/// How many actions are looked at before somebody is asked.
const AT_ONCE: usize = 1 << 16;

/// Puts the exact times of both sides into the actions, as far as they can be had.
///
/// # Errors
/// When no session can be had, or when actions that memory is not meant for can't be written anew.
pub(super) fn sharpen(plan: &mut Plan, ends: &Ends, spill: &Spill) -> StoreResult<()> {
    let is_open = |action: &Action| {
        [&action.source, &action.destination].into_iter().flatten().any(|entry| is_rough(entry))
    };
    if !plan.actions.iter().any(|action| is_open(&action)) {
        return Ok(());
    }
    if plan.actions.as_held().is_some() {
        return sharpen_some(plan.actions.held_mut(), ends);
    }
    let mut sharp = Sorter::new(spill.clone());
    let mut actions = plan.actions.iter().map(Cow::into_owned).peekable();
    while actions.peek().is_some() {
        let mut some: Vec<Action> = actions.by_ref().take(AT_ONCE).collect();
        sharpen_some(&mut some, ends)?;
        for action in some {
            sharp.push(action)?;
        }
    }
    drop(actions);
    plan.actions = Actions::sorted(sharp)?;
    Ok(())
}

fn sharpen_some(actions: &mut [Action], ends: &Ends) -> StoreResult<()> {
    for (pool, side) in [(&ends.source, source as Chosen), (&ends.destination, destination)] {
        let rough: Vec<RelPath> = (actions.iter_mut().filter_map(side))
            .filter(|entry| is_rough(entry))
            .map(|entry| entry.path.clone())
            .collect();
        let times = ask(pool, &rough, |session, part| session.mtimes(part))?;
        for entry in actions.iter_mut().filter_map(side) {
            entry.mtime = times.get(&entry.path).copied().or(entry.mtime);
        }
    }
    Ok(())
}

/// Puts the exact times into what was listed of files that the plan knows exactly, and that are told from what they were by nothing else.
///
/// # Errors
/// When no session can be had.
pub(super) fn sharpen_trees(plan: &Plan, ends: &Ends, (from, to): (&mut Tree, &mut Tree)) -> StoreResult<()> {
    let of_source = plan.actions.held().iter().filter_map(|action| action.source.as_deref());
    learn(&ends.source, of_source, from)?;
    learn(
        &ends.destination,
        plan.actions.held().iter().filter_map(|action| action.destination.as_deref()),
        to,
    )
}

fn learn<'p>(pool: &Pool, planned: impl Iterator<Item = &'p Entry>, tree: &mut Tree) -> StoreResult<()> {
    let open = planned.filter(|then| {
        let is_listed = |now: &Entry| is_rough(now) && (now.size == then.size || then.size.is_none());
        then.mtime.is_some_and(|mtime| mtime.is_exact())
            && tree.get(&then.path).is_some_and(|now| is_listed(&now))
    });
    let open: Vec<RelPath> = open.map(|then| then.path.clone()).collect();
    for (path, mtime) in ask(pool, &open, |session, part| session.mtimes(part))? {
        tree.update(&path, |entry| entry.mtime = Some(mtime));
    }
    Ok(())
}

fn is_rough(entry: &Entry) -> bool {
    entry.kind == Kind::File && !entry.mtime.as_ref().is_some_and(Mtime::is_exact)
}

type Chosen = fn(&mut Action) -> Option<&mut Entry>;

fn source(action: &mut Action) -> Option<&mut Entry> {
    action.source.as_deref_mut()
}

fn destination(action: &mut Action) -> Option<&mut Entry> {
    action.destination.as_deref_mut()
}
