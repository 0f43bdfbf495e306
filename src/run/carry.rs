//! From a decision to its report: what is set aside, done, remembered and told.

use std::sync::Arc;

use crate::compare::Side;
use crate::execute::{Event, ExecuteOptions, Hashes, Held, Observer, Outcome, Updates, execute};
use crate::model::Remembered;
use crate::plan::{Phase, Plan, Refusal};
use crate::report::{Report, Stop};
use crate::run::ends::Ends;
use crate::run::leftovers::{self, Leftovers};
use crate::run::look::Looked;
use crate::run::memory::{Memory, Remembering};
use crate::run::remote_lock::{self, RemoteLock};
use crate::run::server_state::ServerState;
use crate::run::times::note_of_zone;
use crate::run::{RunOptions, StateOptions, backup, notes};
use crate::scan::Scanned;

/// What is to be done, or only to be told.
pub(super) struct Decision {
    pub(super) plan: Plan,
    /// Why it is not done; `None` where nothing speaks against it.
    pub(super) refusal: Option<Refusal>,
    /// Nothing is to be changed.
    pub(super) dry: bool,
    /// Files get the times of their sources.
    pub(super) times_kept: bool,
    /// What others have sent of it.
    pub(super) held: Vec<Arc<Held>>,
}

/// What a run that decides itself does otherwise than one of which the plan was made before.
pub(super) trait Course {
    /// Remembers what is known before anything is done.
    fn before(&self, memory: &Memory, from: &Scanned, to: &Scanned);

    /// Remembers what is known when all is done.
    fn after(&self, memory: &Memory, from: &Scanned, to: &Scanned);

    /// Returns whether what is to be deleted is looked at once more.
    fn looks_again(&self) -> bool {
        false
    }

    /// Looks once more at what is to be deleted, when all else is done, and puts an obstacle before what has changed.
    fn look_again(&self, late: &mut Plan) {
        let _ = late;
    }
}

/// Does it, and says what became of it.
pub(super) fn carry_out(
    (ends, lock): (&Ends, Option<RemoteLock<'_>>),
    options: &RunOptions,
    looked: Looked,
    decision: Decision,
    course: &dyn Course,
    observer: &dyn Observer,
) -> Report {
    let Ends { source, destination, retry, run_id, now, started } = ends;
    let Looked { from, to, memory, server, notes, remarks, mut troubles } = looked;
    let Decision { mut plan, refusal, mut dry, times_kept, held } = decision;
    let server_pool = if server == Some(Side::Source) { source } else { destination };
    let save = |state: &ServerState, known: &Remembered| {
        // Those of a server are never put aside.
        known.as_held().map_or(Ok(()), |known| state.save(server_pool, known, *run_id, retry))
    };
    // What only sends takes nobody's place.
    let backed_up = match options.backup.as_ref().filter(|_| !dry && !options.only_sends) {
        Some(backup) => match backup::prepare(destination, &plan, backup, times_kept, *run_id, retry) {
            Ok(is_used) => is_used,
            Err(e) => {
                troubles.push(format!("nothing was changed, since the backup directory can't be used: {e}"));
                dry = true;
                false
            }
        },
        None => false,
    };
    if !dry {
        let is_pull = source.store().is_remote() && !destination.store().is_remote();
        troubles.extend(memory.take_back(&mut plan, is_pull, |state| save(state, &memory.evidence.receipts)));
    }
    let how = (options.resume_from, options.beside_others);
    let sorted = Leftovers::sort(&to.leftovers, &plan, *run_id, how, *now);
    let removed = if dry { 0 } else { leftovers::remove(destination, &sorted.useless) };
    observer.event(&Event::Planned { plan: &plan, dry });
    let outcomes = if dry {
        Vec::new()
    } else {
        let execute_options = ExecuteOptions {
            in_place: options.in_place,
            carry_times: options.carry_times,
            carry_permissions: options.carry_permissions,
            run_id: *run_id,
            // What is written in place has no temporary file to go on with.
            resume_from: options.resume_from.filter(|_| !options.in_place),
            leftovers: sorted.partials,
            rate: options.rate,
            split_bytes: options.split_bytes,
            hashes: match options.state {
                None => Hashes::None,
                Some(StateOptions::File { .. }) => Hashes::Cheap,
                // A machine that starts empty has nothing else to tell a new time from a new content.
                Some(StateOptions::OnServer) => Hashes::All,
            },
            updates: match (options.only_sends, options.delay_updates) {
                (true, _) => Updates::Later,
                (false, true) => Updates::Together,
                (false, false) => Updates::Each,
            },
            held,
            backup: backed_up,
            failed_before: false,
            retry: retry.clone(),
            cancel: options.cancel.clone(),
        };
        course.before(&memory, &from, &to);
        let watching = Remembering { memory: &memory, observer };
        let outcomes = in_parts(&mut plan, ends, execute_options, course, &watching);
        memory.learn_times(destination, retry);
        course.after(&memory, &from, &to);
        outcomes
    };

    let mut report = Report {
        mode: options.mode,
        job: None,
        source: source.store().name().to_owned(),
        destination: destination.store().name().to_owned(),
        plan,
        outcomes,
        refusal,
        unproven: Vec::new(),
        unfollowed: from.unfollowed.values().cloned().collect(),
        notes,
        remarks,
        troubles,
        backup: options.backup.as_ref().filter(|_| backed_up).map(|backup| backup.name.clone()),
        stopped: None,
        early: None,
        at: None,
        seconds: 0.0,
    };
    report.notes.extend(note_of_zone(destination));
    for (pool, scanned) in [(source, &from), (destination, &to)] {
        notes::of_side(&mut report, pool, scanned);
    }
    report.notes.extend(leftovers::note(removed));
    if let Some(backup) = &report.backup {
        let note =
            format!("what was replaced or deleted is in {backup}; `oneway undo {backup}` puts it back");
        report.notes.push(note);
    }
    let (notes, trouble) = memory.finish(dry, &options.cancel, save);
    report.notes.extend(notes);
    report.troubles.extend(trouble);
    notes::of_states(&mut report, &from, source.store().is_remote());
    notes::of_plan(&mut report, options.carry_times && !times_kept, options.state.is_some());
    if report.failed() > 0 && options.cancel.is_out_of_time() {
        report.stopped = Some(Stop::OutOfTime);
    }
    if let Some(lock) = lock {
        remote_lock::tell(&mut report, lock);
    }
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// Carries out the plan; what is to be deleted by itself, where it is looked at once more before.
fn in_parts(
    plan: &mut Plan,
    ends: &Ends,
    options: ExecuteOptions,
    course: &dyn Course,
    observer: &dyn Observer,
) -> Vec<Outcome> {
    let run = |plan: &Plan, options: &ExecuteOptions| {
        execute(plan, &ends.source, &ends.destination, options, observer)
    };
    // They are in the order of their phases.
    let first = plan.actions.held().partition_point(|action| action.phase < Phase::Deletions);
    if !course.looks_again() || first == 0 || first == plan.actions.len() {
        return run(plan, &options);
    }
    let mut late = Plan { actions: plan.actions.held_mut().split_off(first).into(), ..Plan::default() };
    let mut outcomes = run(plan, &options);
    let failed_before = outcomes.iter().any(Outcome::is_failed);
    if !failed_before && !options.cancel.is_cancelled() {
        course.look_again(&mut late);
    }
    outcomes.extend(run(&late, &ExecuteOptions { failed_before, leftovers: Vec::new(), ..options }));
    plan.actions.held_mut().append(late.actions.held_mut());
    outcomes
}
