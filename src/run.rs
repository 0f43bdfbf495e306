//! A run from its two stores to its report: scan both sides, compare, plan, guard, execute.

mod ask;
pub mod backup;
mod contents;
pub mod explain;
mod folding;
mod heal;
mod left_out;
mod leftovers;
mod memory;
mod notes;
mod options;
mod remote_lock;
mod server_state;
mod times;

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::compare::{Basis, CompareOptions, Side, Times, newly_dated};
use crate::execute::{Event, ExecuteOptions, Hashes, Observer, execute};
use crate::model::{Links, Receipts, RelPath, Remedy, RunId, Tree};
use crate::plan::{
    Plan, PlanOptions, Presence, candidates, check, check_conditions, come_last, plan, rename,
};
use crate::pool::{Pool, SessionCount, both};
use crate::report::{Mode, Report, Stop};
use crate::run::contents::{Trust, compare_contents, equal_sizes, know_candidates};
use crate::run::explain::{Decided, Witness};
use crate::run::leftovers::Leftovers;
use crate::run::memory::{Memory, Remembering};
use crate::run::remote_lock::{Loss, RemoteLock};
use crate::run::server_state::{Fetched, ServerState};
use crate::run::times::{note_of_zone, refine};
use crate::scan::{ScanOptions, Scanned, scan};
use crate::store::{RetryPolicy, Store, StoreError, StoreResult};

pub use crate::run::options::{RunOptions, StateOptions};
pub use crate::run::remote_lock::LockOptions;

/// Mirrors `source` to `destination`, or says what that would do.
///
/// # Errors
/// When a side can't be reached or its root can't be listed; nothing was changed then. Everything else is in the report.
pub fn run(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    options: &RunOptions,
    observer: &dyn Observer,
) -> StoreResult<Report> {
    let lost = Loss::default();
    mirror(source, destination, options, observer, &lost, None).map_err(|error| lost.or(error))
}

fn mirror(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    options: &RunOptions,
    observer: &dyn Observer,
    lost: &Loss,
    mut witness: Option<&mut Witness<'_>>,
) -> StoreResult<Report> {
    let started = Instant::now();
    if let Some(time) = options.max_duration {
        options.cancel.stop_after(time);
    }
    let retry = RetryPolicy {
        first_pause: options.first_pause,
        ..RetryPolicy::new(options.retries, options.cancel.clone())
    };
    let pool = |store: &Arc<dyn Store>, sessions| {
        let sessions = if store.is_remote() { sessions } else { SessionCount::fixed(LOCAL_SESSIONS) };
        Pool::new(Arc::clone(store), sessions, retry.clone())
    };
    let locking =
        options.remote_lock.as_ref().filter(|_| options.mode == Mode::Sync && destination.is_remote());
    // The lock has one of them for itself.
    let left = if locking.is_some() { options.sessions.without_one() } else { options.sessions };
    let (source, destination) = (pool(source, options.sessions), pool(destination, left));
    let (run_id, now) = begin(options);
    let alone = options.sessions.most > 1;
    let lock = locking
        .map(|lock| RemoteLock::take(&destination, (lock, alone), run_id.run, &retry, lost))
        .transpose()?;
    let mut options = Cow::Borrowed(options);
    if options.backup.is_some()
        && let Some(dir) = backup::inside(&destination)?
    {
        options.to_mut().filter.set_apart(dir);
    }
    let options = &*options;
    let server = options.state.as_ref().and_then(|state| state.server(&source, &destination));
    let look = |pool: &Pool, side: Side| -> StoreResult<(Option<Fetched>, Scanned)> {
        // Before the scan: whoever scans takes it that every session there may be is at its disposal.
        let fetched = (server == Some(side)).then(|| server_state::fetch(pool, side, &retry)).transpose()?;
        Ok((fetched, scan_side(pool, side, options, observer)?))
    };
    let scans = || both(|| look(&source, Side::Source), || look(&destination, Side::Destination));
    let remember = || Memory::open(options.state.as_ref(), options.mode != Mode::Sync, options.carry_times);
    let (mut memory, (from, to)) = both(remember, scans);
    let ((fetched_from, mut from), (fetched_to, mut to)) = (from?, to?);
    if let Some(fetched) = fetched_from.or(fetched_to) {
        memory.take_over(fetched);
    }
    observer.event(&Event::Scanned);
    if let Some(witness) = &mut witness {
        witness.see([&from, &to], [&source, &destination]);
    }
    let dry = options.mode != Mode::Sync;
    let healed = heal::destination(&destination, &mut to, &from.tree, &options.filter, dry)?;
    heal::doubt_source(&mut from, &options.filter);
    let left_out = left_out::leave_out(&mut from, &mut to, &source, &retry, options)?;
    if let Some(witness) = &mut witness {
        witness.see_rules(&left_out.rules);
    }
    leftovers::keep_dirs(&mut to, run_id, now);
    let folding = folding::unfold(&mut from, &mut to, &destination, dry, run_id)?;
    if let (Some(model), Some(names)) = (source.store().names(), destination.store().names()) {
        names.follow(model, &to.tree);
    }

    let able = destination.lease()?.session().capabilities();
    let times_kept = options.carry_times && able.sets_times;
    let times = if times_kept { options.compare.times } else { Times::NotOlder };
    memory.sets_times = times_kept;
    let compare = CompareOptions { times, ..options.compare };
    let trees = (&mut from.tree, &mut to.tree);
    let refined_from = refine(&source, Side::Source, trees, &memory.evidence, &compare)?;
    let trees = (&mut from.tree, &mut to.tree);
    let refined_to = refine(&destination, Side::Destination, trees, &memory.evidence, &compare)?;
    look_into(&mut memory, (&source, &destination), (&from.tree, &to.tree), &compare, options.presence)?;

    let plan_options = PlanOptions {
        compare,
        delete: options.delete,
        presence: options.presence,
        leave_times: memory.is_on_server(),
        permissions: options.carry_permissions,
        links: options.links,
        makes_links: able.makes_links,
    };
    let mut plan = plan(&from.tree, &to.tree, &to.keeps, &memory.evidence, &plan_options);
    if options.renames && !matches!(compare.basis, Basis::Adopt | Basis::Always) {
        let mut candidates = candidates(&plan, &to.tree);
        let known = know_candidates(&memory.evidence, &source, &destination, &mut candidates)?;
        rename(&mut plan, &candidates, &known.gone, &known.new);
    }
    come_last(&mut plan, &options.last);
    if options.backup.is_some() {
        backup::guard(&mut plan, &to.tree);
    }
    let adopted = (compare.basis == Basis::Adopt).then(|| adopt(&mut plan));
    let refusal = check(&plan, &from.tree, &to.tree, &options.guard)
        .and_then(|()| check_conditions(&plan, &from.tree, &to.tree, &options.fail_if))
        .err();
    if let Some(witness) = witness {
        witness.see_plan(&Decided {
            trees: [&from.tree, &to.tree],
            listed: [&refined_from.listed, &refined_to.listed],
            evidence: &memory.evidence,
            compare: &compare,
            plan: &plan,
            refusal: refusal.as_ref(),
        });
    }
    let mut dry = dry || refusal.is_some();
    let server_pool = if server == Some(Side::Source) { &source } else { &destination };
    let save = |state: &ServerState, known: &Receipts| state.save(server_pool, known, run_id, &retry);
    let mut troubles = [healed.troubles, folding.troubles, left_out.troubles].concat();
    let backed_up = match options.backup.as_ref().filter(|_| !dry) {
        Some(backup) => match backup::prepare(&destination, &plan, backup, times_kept, run_id, &retry) {
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
    let sorted = Leftovers::sort(&to.leftovers, &plan, run_id, options.resume_from, now);
    let removed = if dry { 0 } else { leftovers::remove(&destination, &sorted.useless) };
    observer.event(&Event::Planned { plan: &plan, dry });
    let outcomes = if dry {
        Vec::new()
    } else {
        let execute_options = ExecuteOptions {
            in_place: options.in_place,
            carry_times: options.carry_times,
            carry_permissions: options.carry_permissions,
            run_id,
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
            delay_updates: options.delay_updates,
            backup: backed_up,
            retry: retry.clone(),
            cancel: options.cancel.clone(),
        };
        memory.keep_unchanged(&from.tree, &to.tree, (&refined_from.listed, &refined_to.listed), &compare);
        let watching = Remembering { memory: &memory, observer };
        let outcomes = execute(&plan, &source, &destination, &execute_options, &watching);
        memory.learn_times(&destination, &retry);
        memory.forget_gone(&from.tree, &to.tree, &options.filter);
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
        notes: [healed.notes, folding.notes].concat(),
        remarks: Vec::new(),
        troubles,
        backup: options.backup.as_ref().filter(|_| backed_up).map(|backup| backup.name.clone()),
        stopped: None,
        early: None,
        at: None,
        seconds: 0.0,
    };
    for refined in [refined_from, refined_to] {
        report.notes.extend(refined.notes);
        report.remarks.extend(refined.remarks);
    }
    report.notes.extend(left_out.notes);
    report.notes.extend(note_of_zone(&destination));
    for (pool, scanned) in [(&source, &from), (&destination, &to)] {
        notes::of_side(&mut report, pool, scanned);
    }
    report.notes.extend(adopted);
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
    Ok(report)
}

/// Returns the number of this run, and the time.
#[expect(
    clippy::disallowed_methods,
    reason = "a run is where the clock is read; what it decides takes it as a value"
)]
fn begin(options: &RunOptions) -> (RunId, DateTime<Utc>) {
    let now = Utc::now();
    let chance = || BuildHasher::hash_one(&RandomState::new(), 0);
    (RunId::new(options.owner.unwrap_or_else(chance), now, chance() as u32), now)
}

/// Finds out which files have one content, as far as that decides, or is to be remembered.
fn look_into(
    memory: &mut Memory,
    (source, destination): (&Pool, &Pool),
    (from, to): (&Tree, &Tree),
    options: &CompareOptions,
    presence: Presence,
) -> StoreResult<()> {
    let (pairs, trust) = match options.basis {
        Basis::Checksum => (equal_sizes(from, to), Trust::Server),
        Basis::SizeTime if presence != Presence::OnlyNew => {
            (newly_dated(from, to, &memory.evidence, options, memory.empty_side()), Trust::Receipts)
        }
        // Another machine has nothing but contents to know these files by.
        Basis::Adopt if memory.is_on_server() => (equal_sizes(from, to), Trust::Person),
        Basis::SizeTime | Basis::Size | Basis::Adopt | Basis::Always => return Ok(()),
    };
    compare_contents(memory, source, destination, &pairs, trust)
}

/// Leaves everything as it is, and says what that means.
fn adopt(plan: &mut Plan) -> String {
    let differing = std::mem::take(&mut plan.actions).len();
    let files = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
    let adopted = format!("{} of equal size taken as equal", files(plan.unchanged));
    match differing {
        0 => adopted,
        1 => format!("{adopted}; 1 path differs and was left as it is"),
        _ => format!("{adopted}; {differing} paths differ and were left as they are"),
    }
}

/// Sessions of a store on this machine, one for each worker of the other side.
const LOCAL_SESSIONS: usize = 64;

/// Scans one side. A destination that isn't there yet is an empty tree; a source must be there.
fn scan_side(pool: &Pool, side: Side, options: &RunOptions, observer: &dyn Observer) -> StoreResult<Scanned> {
    let scan_options = ScanOptions {
        filter: &options.filter,
        max_depth: options.max_depth,
        max_bytes: options.max_bytes,
        links: if side == Side::Source { options.links } else { Links::Skip },
        cancel: &options.cancel,
    };
    let scanned = scan(pool, &scan_options, &|entries| observer.event(&Event::Listed { side, entries }));
    match scanned {
        // Only a root that can't be listed makes one ask whether there is one.
        Err(e) if e.remedy() == Remedy::Skip => {
            if pool.lease()?.session().root_exists()? {
                return Err(e);
            }
            if side == Side::Destination {
                return Ok(Scanned::default());
            }
            let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such directory");
            Err(StoreError::io("list", &RelPath::root(), pool.store().name(), missing)
                .with_hint("the source must be a directory that exists"))
        }
        scanned => scanned,
    }
}

#[cfg(test)]
mod laws;
