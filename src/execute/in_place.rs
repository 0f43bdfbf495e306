//! What changes at the destination without a byte being sent: names, times and permission bits.
//!
//! A file that the destination doesn't rename is sent instead, under its new name, and removed under the old one where all
//! that is gone is removed: nothing is lost by a refusal, and the next run has nothing left to do.

use std::collections::HashMap;
use std::time::Instant;

use crate::execute::times::exact_times;
use crate::execute::{Changed, Outcome, Refused, Run, unless_lost};
use crate::model::{Mtime, Precision, Remedy};
use crate::plan::CARRIED_BITS;
use crate::store::{Dating, Permitting, Renaming, Session, StoreResult};

/// Renames the files of these actions, and gives them the times of their sources.
pub(super) fn rename_files(run: &Run<'_>, indices: &[usize]) {
    let times = exact_times(run, indices);
    run.side_by_side(indices, |session, part| rename_some(run, &times, session, part));
}

/// Gives the files of these actions the times of their sources.
pub(super) fn set_times(run: &Run<'_>, indices: &[usize]) {
    let times = exact_times(run, indices);
    run.side_by_side(indices, |session, part| {
        if run.is_stopped() {
            return Ok(());
        }
        let started = Instant::now();
        let results = date(run, &times, session, part);
        let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
        unless_lost(part, results, |i, result| match result {
            // Whole files are there: a time that isn't taken is told, and fails nothing.
            Ok(time_set) => {
                let mtime = run.source_time(&times, i);
                let time_set = Some(time_set);
                run.settle(i, Outcome { time_set, mtime, ..Outcome::done(0, seconds, 1) });
            }
            Err(e) => run.settle(i, run.failure(&e, 1)),
        })
    });
}

/// Gives the files of these actions the permission bits of their sources.
pub(super) fn set_permissions(run: &Run<'_>, indices: &[usize]) {
    run.side_by_side(indices, |session, part| {
        if run.is_stopped() {
            return Ok(());
        }
        let started = Instant::now();
        let bits = |i: usize| run.action(i).source.as_ref().and_then(|entry| entry.mode).unwrap_or_default();
        let request =
            |&i: &usize| Permitting { path: run.action(i).path.clone(), mode: bits(i) & CARRIED_BITS };
        let results = session.set_modes(&part.iter().map(request).collect::<Vec<_>>());
        let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
        unless_lost(part, results, |i, result| {
            let outcome = match result {
                Ok(()) => Outcome::done(0, seconds, 1),
                Err(e) => run.failure(&e, 1),
            };
            run.settle(i, outcome);
        })
    });
}

fn rename_some(
    run: &Run<'_>,
    times: &HashMap<usize, Mtime>,
    session: &mut dyn Session,
    part: &[usize],
) -> Changed {
    if run.is_stopped() {
        return Ok(());
    }
    let started = Instant::now();
    let requests: Vec<Renaming> = part.iter().map(|&i| renaming(run, i)).collect();
    let mut renamed = Vec::new();
    let changed = unless_lost(part, session.rename_files(&requests), |i, result| match result {
        Ok(()) => renamed.push(i),
        Err(e) if e.remedy() == Remedy::Abort => run.settle(i, run.failure(&e, 1)),
        Err(e) => {
            let refused = Refused { why: e.to_string(), sent: None };
            run.refused.lock().expect("no holder panics").insert(i, refused);
        }
    });
    let undated: Vec<usize> = renamed.iter().copied().filter(|&i| needs_time(run, times, i)).collect();
    let dated = if undated.is_empty() { Vec::new() } else { date(run, times, session, &undated) };
    // What nothing was heard of is left for the next run to see.
    let dated: HashMap<usize, Option<bool>> =
        undated.into_iter().zip(dated.into_iter().map(Result::ok)).collect();
    let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
    for i in renamed {
        let has_time = run.options.carry_times.then_some(true);
        let time_set = dated.get(&i).copied().unwrap_or(has_time);
        let mtime = run.source_time(times, i);
        run.settle(i, Outcome { time_set, mtime, ..Outcome::done(0, seconds, 1) });
    }
    changed
}

fn renaming(run: &Run<'_>, i: usize) -> Renaming {
    let action = run.action(i);
    Renaming { from: action.path.clone(), to: action.entry().path.clone() }
}

/// Sets the times of files that have a known one.
fn date(
    run: &Run<'_>,
    times: &HashMap<usize, Mtime>,
    session: &mut dyn Session,
    indices: &[usize],
) -> Vec<StoreResult<bool>> {
    let dating = |&i: &usize| {
        let mtime = run.source_time(times, i)?;
        Some(Dating { path: run.action(i).entry().path.clone(), mtime })
    };
    let requests: Vec<Option<Dating>> = indices.iter().map(dating).collect();
    let known: Vec<Dating> = requests.iter().flatten().cloned().collect();
    let mut results = session.set_times(&known).into_iter();
    let result = |request: Option<Dating>| match request {
        Some(_) => results.next().expect("a result for each file that was handed on"),
        None => Ok(false),
    };
    requests.into_iter().map(result).collect()
}

/// Returns whether a file that has another name now is to have another time, too: it does unless its own is known to be right.
fn needs_time(run: &Run<'_>, times: &HashMap<usize, Mtime>, i: usize) -> bool {
    let is_exact = |mtime: &Mtime| mtime.precision == Precision::Second;
    let there = run.action(i).destination.as_ref().and_then(|entry| entry.mtime).filter(is_exact);
    match (run.source_time(times, i), there) {
        _ if !run.options.carry_times => false,
        (Some(source), Some(there)) => source.at.timestamp() != there.at.timestamp(),
        (Some(_), None) => true,
        (None, _) => false,
    }
}
