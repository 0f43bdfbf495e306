//! A run from its two stores to its report: scan both sides, compare, plan, guard, execute.

mod ask;
mod contents;
mod memory;
mod times;

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::compare::{Basis, CompareOptions, Side, Times, newly_dated};
use crate::execute::{Event, ExecuteOptions, Observer, execute};
use crate::filter::Filter;
use crate::model::{Cancel, RelPath, Remedy};
use crate::plan::{GuardOptions, Plan, PlanOptions, Presence, candidates, check, plan, rename};
use crate::pool::{Pool, SessionCount, both};
use crate::report::{Mode, Report};
use crate::run::contents::{Trust, compare_contents, equal_sizes, know_candidates};
use crate::run::memory::{Memory, Remembering};
use crate::run::times::{note_of_zone, refine};
use crate::scan::{ScanOptions, Scanned, scan};
use crate::state::Pair;
use crate::store::{RetryPolicy, Store, StoreError, StoreResult};

/// How a run is made.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What is meant to happen.
    pub mode: Mode,
    /// Sessions of a remote store.
    pub sessions: SessionCount,
    /// What belongs to the mirror.
    pub filter: Filter,
    /// How files are compared.
    pub compare: CompareOptions,
    /// Remove what only the destination has.
    pub delete: bool,
    /// Rename at the destination what would be deleted under one name and sent under another with the same content.
    pub renames: bool,
    /// Which files are sent, by whether the destination has them.
    pub presence: Presence,
    /// What a plan must not exceed.
    pub guard: GuardOptions,
    /// Give files the modification times of their sources.
    pub carry_times: bool,
    /// Bytes of files that may move in a second, over all sessions; `None` for as many as can.
    pub rate: Option<NonZeroU64>,
    /// Downloads of more bytes than this are fetched over several sessions; `None` chooses by the line.
    pub split_bytes: Option<u64>,
    /// Where it is remembered what was the same on both sides; `None` for nowhere.
    pub state: Option<StateOptions>,
    /// Tries after the first one.
    pub retries: u32,
    /// Directories deeper than this are not entered.
    pub max_depth: usize,
    /// Memory that the entries of one side may take, in bytes, roughly.
    pub max_bytes: u64,
    /// The wish to stop.
    pub cancel: Cancel,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Sync,
            sessions: SessionCount::AUTO,
            filter: Filter::default(),
            compare: CompareOptions::default(),
            delete: false,
            renames: true,
            presence: Presence::default(),
            guard: GuardOptions::default(),
            carry_times: true,
            rate: None,
            split_bytes: None,
            state: None,
            retries: 5,
            max_depth: 256,
            max_bytes: 8 << 30,
            cancel: Cancel::new(),
        }
    }
}

/// A state file.
#[derive(Clone, Debug)]
pub struct StateOptions {
    /// Where it is, or will be.
    pub file: PathBuf,
    /// Of what it is.
    pub pair: Pair,
}

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
    let started = Instant::now();
    let pool = |store: &Arc<dyn Store>| {
        let policy = RetryPolicy::new(options.retries, options.cancel.clone());
        Pool::new(
            Arc::clone(store),
            if store.is_remote() { options.sessions } else { SessionCount::fixed(LOCAL_SESSIONS) },
            policy,
        )
    };
    let (source, destination) = (pool(source), pool(destination));
    let scans = || {
        both(
            || scan_side(&source, Side::Source, options, observer),
            || scan_side(&destination, Side::Destination, options, observer),
        )
    };
    let remember = || Memory::open(options.state.as_ref(), options.mode != Mode::Sync, options.carry_times);
    let (mut memory, (from, to)) = both(remember, scans);
    let (mut from, mut to) = (from?, to?);
    if let (Some(model), Some(names)) = (source.store().names(), destination.store().names()) {
        names.follow(model, &to.tree);
    }

    let times_kept = options.carry_times && destination.lease()?.session().capabilities().sets_times;
    let times = if times_kept { options.compare.times } else { Times::NotOlder };
    memory.sets_times = times_kept;
    let compare = CompareOptions { times, ..options.compare };
    let trees = (&mut from.tree, &mut to.tree);
    let refined_from = refine(&source, Side::Source, trees, &memory.evidence, &compare)?;
    let trees = (&mut from.tree, &mut to.tree);
    let refined_to = refine(&destination, Side::Destination, trees, &memory.evidence, &compare)?;
    if compare.basis == Basis::Checksum {
        let pairs = equal_sizes(&from.tree, &to.tree);
        compare_contents(&mut memory, &source, &destination, &pairs, Trust::Server)?;
    } else if options.presence != Presence::OnlyNew {
        let pairs = newly_dated(&from.tree, &to.tree, &memory.evidence, &compare);
        compare_contents(&mut memory, &source, &destination, &pairs, Trust::Receipts)?;
    }

    let plan_options = PlanOptions { compare, delete: options.delete, presence: options.presence };
    let mut plan = plan(&from.tree, &to.tree, &to.keeps, &memory.evidence, &plan_options);
    if options.renames && !matches!(compare.basis, Basis::Adopt | Basis::Always) {
        let mut candidates = candidates(&plan, &to.tree);
        let known = know_candidates(&memory.evidence, &source, &destination, &mut candidates)?;
        rename(&mut plan, &candidates, &known.gone, &known.new);
    }
    let adopted = (compare.basis == Basis::Adopt).then(|| adopt(&mut plan));
    let refusal = check(&plan, &from.tree, &to.tree, &options.guard).err();
    let dry = options.mode != Mode::Sync || refusal.is_some();
    observer.event(&Event::Planned { plan: &plan, dry });
    let outcomes = if dry {
        Vec::new()
    } else {
        let run_id = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let retry = RetryPolicy::new(options.retries, options.cancel.clone());
        let options = ExecuteOptions {
            carry_times: options.carry_times,
            run_id,
            rate: options.rate,
            split_bytes: options.split_bytes,
            hashes: options.state.is_some(),
            retry,
            cancel: options.cancel.clone(),
        };
        memory.keep_unchanged(&from.tree, &to.tree, (&refined_from.listed, &refined_to.listed), &compare);
        let outcomes =
            execute(&plan, &source, &destination, &options, &Remembering { memory: &memory, observer });
        memory.learn_times(&destination);
        if from.tree.unproven().next().is_none() {
            memory.forget_all_but(&from.tree, &to.tree);
        }
        outcomes
    };

    let mut report = Report {
        mode: options.mode,
        source: source.store().name().to_owned(),
        destination: destination.store().name().to_owned(),
        plan,
        outcomes,
        refusal,
        unproven: Vec::new(),
        notes: Vec::new(),
        remarks: Vec::new(),
        stopped: None,
        early: None,
        seconds: 0.0,
    };
    for refined in [refined_from, refined_to] {
        report.notes.extend(refined.notes);
        report.remarks.extend(refined.remarks);
    }
    report.notes.extend(note_of_zone(&destination));
    for (pool, scanned) in [(&source, &from), (&destination, &to)] {
        let side = pool.store().name();
        if pool.store().is_in_clear_text() {
            report.notes.push(format!("the server has no TLS, so {side} is spoken to in clear text"));
        }
        let unproven = scanned.tree.unproven();
        report.unproven.extend(unproven.map(|(dir, why)| (side.to_owned(), dir.clone(), why.clone())));
        if let Some(limit) = pool.shrunk_to() {
            let sessions = if limit == 1 { "session" } else { "sessions" };
            report.notes.push(format!("{side} allows no more than {limit} {sessions}"));
        }
    }
    report.notes.extend(adopted);
    report.notes.extend(memory.finish());
    add_notes(&mut report, options.carry_times && !times_kept, options.state.is_some());
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
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

/// Adds what a person should know and no action shows.
fn add_notes(report: &mut Report, times_lost: bool, remembers: bool) {
    let links = report.plan.skipped.iter().filter(|e| e.kind == crate::model::Kind::Symlink).count();
    let others = report.plan.skipped.len() - links;
    let many =
        |n: usize, one: &str, more: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {more}") };
    if links > 0 {
        report.notes.push(format!("{} left out", many(links, "symbolic link was", "symbolic links were")));
    }
    if others > 0 {
        report.notes.push(format!("{} left out", many(others, "special file was", "special files were")));
    }
    if !report.plan.spared.is_empty() {
        let spared = many(report.plan.spared.len(), "extra path was", "extra paths were");
        report.notes.push(format!("{spared} kept at the destination; -v says why"));
    }
    let mut refused = report.outcomes.iter().filter_map(|outcome| outcome.not_renamed.as_ref());
    if let Some(why) = refused.next() {
        let files = many(1 + refused.count(), "file was sent", "files were sent");
        report.notes.push(format!("{files} under a new name instead of being renamed: {why}"));
    }
    let undated = report.outcomes.iter().filter(|outcome| outcome.time_set == Some(false)).count();
    if undated > 0 && !times_lost {
        report
            .notes
            .push(format!("{} without the time of the source", many(undated, "file is", "files are")));
    }
    if times_lost {
        let told = if remembers {
            "what changed since the last run is told by what was remembered of it"
        } else {
            "only files that are newer at the source are sent again"
        };
        report.notes.push(format!("{} can't set times; {told}", report.destination));
    }
}

#[cfg(test)]
mod laws;
