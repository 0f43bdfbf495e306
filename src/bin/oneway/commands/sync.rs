//! `oneway sync` and `oneway diff`.

use std::collections::HashSet;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use oneway::compare::{Basis, CompareOptions};
use oneway::config::{Connection, Place};
use oneway::execute::Held;
use oneway::filter::{Filter, Limits, Verdict};
use oneway::model::{Cancel, Links, Secret};
use oneway::plan::{GuardOptions, Plan, Presence, Shard};
use oneway::pool::SessionCount;
use oneway::report::{Detail, Mode, Report, Stop, format_named, summary};
use oneway::run::{RunOptions, StateOptions, apply, run as run_mirror};
use oneway::spill::Spill;
use oneway::store::{Names, Store};

use crate::args::{Compare, Format, LinksHow, SyncArgs};
use crate::commands::reports::Reports;
use crate::commands::{apart, backup, complaints, connect, filter, lock, state};
use crate::exit::{self, UsageError};
use crate::history;
use crate::history::record::{Closing, Record};
use crate::signals::Signals;
use crate::ui::log::{Logged, Logging};
use crate::ui::progress::Progress;
use crate::ui::say::{complain, show_named};

/// One mirror to make.
pub(crate) struct Task<'a> {
    /// What was asked for.
    pub(crate) args: &'a SyncArgs,
    pub(crate) mode: Mode,
    /// The job it is; `None` where it is none of a file.
    pub(crate) job: Option<&'a str>,
    /// What counts for the source's connections, where that is something else than `args`.
    pub(crate) source_args: Option<&'a SyncArgs>,
    /// The passwords of source and destination; `None` where nobody named them.
    pub(crate) passwords: [Option<Secret>; 2],
    /// Files that are no part of a mirror they lie in.
    pub(crate) apart: &'a [PathBuf],
    /// Files whose reports this one goes behind.
    pub(crate) begun: &'a HashSet<PathBuf>,
    pub(crate) work: Work,
    /// The part of a plan for several machines that it is; `None` where it is none.
    pub(crate) part: Option<PartOf>,
}

/// What a part of a plan for several machines does otherwise than a run of its own.
pub(crate) struct PartOf {
    /// What it is called.
    pub(crate) name: String,
    /// Whose its temporary files are, on whatever machine it is carried out.
    pub(crate) owner: u64,
    /// The plan, where other parts of it are carried out meanwhile; `None` where none are.
    pub(crate) beside: Option<String>,
    /// It does nothing but send files, which another part gives their final names.
    pub(crate) only_sends: bool,
    /// The files that were sent so, as far as this part has to know of them.
    pub(crate) held: Vec<Arc<Held>>,
}

/// Whether it is decided what to do, or was before.
pub(crate) enum Work {
    /// It is decided.
    Decide,
    /// It is decided, and kept for later; with what is the same on both sides, where a file is named.
    Keep(Option<PathBuf>),
    /// It was decided before: all of a plan, or a share of it.
    Apply(Plan, Option<Shard>),
}

impl<'a> Task<'a> {
    /// What was typed, and is no job of a file.
    pub(crate) fn of(args: &'a SyncArgs, mode: Mode, begun: &'a HashSet<PathBuf>, work: Work) -> Self {
        let passwords = [None, None];
        Self { args, mode, job: None, source_args: None, passwords, apart: &[], begun, work, part: None }
    }
}

pub(crate) fn run(args: &SyncArgs, mode: Mode) -> anyhow::Result<ExitCode> {
    let begun = HashSet::new();
    alone(Task::of(args, mode, &begun, Work::Decide))
}

/// Makes a mirror that is no job's, and writes down how it went.
pub(crate) fn alone(task: Task<'_>) -> anyhow::Result<ExitCode> {
    let args = task.args;
    logged(args, task.mode, || {
        let Mirrored { report, status, record, .. } = mirror(task)?;
        let closing =
            Closing { report: &report, status, more: &[], metrics_file: args.metrics_file.as_deref() };
        Ok(closing.close(record, None))
    })
}

/// Does something that ends with an exit status, with its beginning and its end in the log.
pub(crate) fn logged(
    args: &SyncArgs,
    mode: Mode,
    work: impl FnOnce() -> anyhow::Result<u8>,
) -> anyhow::Result<ExitCode> {
    let logging = Logging::begin(args, mode, None)?;
    let status = work().unwrap_or_else(|error| exit::tell(&error));
    logging.end(status);
    Ok(ExitCode::from(status))
}

/// What a mirror came to.
pub(crate) struct Mirrored {
    pub(crate) report: Report,
    /// The exit status.
    pub(crate) status: u8,
    /// That it was begun; `None` where that was not written down.
    pub(crate) record: Option<Record>,
    /// New names at the destination are Latin-1, by all that was seen there.
    pub(crate) writes_latin_1: bool,
}

/// What a mirror is made with.
pub(crate) struct SetUp {
    pub(crate) source: Arc<dyn Store>,
    pub(crate) destination: Arc<dyn Store>,
    pub(crate) options: RunOptions,
    /// The destination as it was named.
    target: Place,
    lock_files: Vec<PathBuf>,
}

/// Finds out what a mirror is made with. Nothing is connected to yet.
pub(crate) fn set_up(task: &Task<'_>, cancel: &Cancel) -> anyhow::Result<SetUp> {
    let Task { args, mode, .. } = *task;
    let source = connect::place("SRC", &args.source)?;
    let destination = connect::place("DST", &args.destination)?;
    if source.is_local() && destination.is_local() {
        let text = "both SRC and DST are local; one of them must be a URL such as ftp://host/path";
        return Err(UsageError(text.to_owned()).into());
    }
    if args.remote_lock && destination.is_local() {
        let text = "--remote-lock locks a destination on a server, and DST is a local directory, which is locked anyway";
        return Err(UsageError(text.to_owned()).into());
    }
    let state = state::options(args, &source, &destination);
    if args.adopt && state.is_none() {
        let text = "--adopt has nowhere to remember what it takes over; name a file with --state";
        return Err(UsageError(text.to_owned()).into());
    }
    let part = task.part.as_ref();
    let owner = Some(part.map_or_else(|| state::owner(&source, &destination), |part| part.owner));
    let beside_others = part.is_some_and(|part| part.beside.is_some());
    let mut options = RunOptions { state, owner, beside_others, ..options(args, mode, cancel)? };
    if let Some(part) = part {
        (options.only_sends, options.held) = (part.only_sends, part.held.clone());
    }
    let state_file = match &options.state {
        Some(StateOptions::File { file, .. }) => Some(file.clone()),
        Some(StateOptions::OnServer) | None => None,
    };
    let lock_files = match part {
        // Its receipts are its own, and it is locked by whoever carries it out.
        Some(_) => lock::of_destination(&destination).into_iter().collect(),
        None => lock::files(args, &destination),
    };
    let others = lock_files.iter().cloned().chain(Reports::files(args)).chain(task.apart.iter().cloned());
    let others: Vec<PathBuf> =
        others.chain(args.metrics_file.clone()).chain(args.write.log_file.clone()).collect();
    let databases: Vec<PathBuf> = state_file.into_iter().chain(history::file()).collect();
    for path in apart::paths(&[&source, &destination], &databases, &others) {
        options.filter.set_apart(path);
    }
    let common = connection(args, cancel)?;
    let of_source = task.source_args.map(|args| connection(args, cancel)).transpose()?;
    let mut sides = [of_source.unwrap_or_else(|| common.clone()), common];
    for (side, password) in sides.iter_mut().zip(&task.passwords) {
        side.logins.password = password.clone().or_else(|| side.logins.password.take());
    }
    let target = destination.clone();
    let source = source.store(&sides[0]).map_err(|e| connect::refused("SRC", &e))?;
    let destination = match args.backup_dir.as_deref() {
        Some(dir) => {
            let (place, backup) = backup::place(dir, &destination, part.map(|part| part.name.as_str()))?;
            options.backup = Some(backup);
            destination.store_with_aside(place, &sides[1])
        }
        None => destination.store(&sides[1]),
    };
    let destination = destination.map_err(|e| connect::refused("DST", &e))?;
    Ok(SetUp { source, destination, options, target, lock_files })
}

/// Makes a mirror and writes its report.
pub(crate) fn mirror(task: Task<'_>) -> anyhow::Result<Mirrored> {
    let Task { args, mode, .. } = task;
    let cancel = Cancel::new();
    let SetUp { source, destination, mut options, target, lock_files } = set_up(&task, &cancel)?;
    let take = || match task.part.as_ref().and_then(|part| part.beside.as_ref()) {
        Some(plan) => lock::share(&lock_files, &target, plan),
        None => lock::take(&lock_files, &target),
    };
    let _locks = match if mode == Mode::Sync { take() } else { Ok(Vec::new()) } {
        Ok(locks) => locks,
        Err(busy) => {
            complain!("error: {busy}");
            let mut report = Report::of_nothing(mode, source.name(), destination.name(), exit::BUSY);
            report.job = task.job.map(str::to_owned);
            // A file for a report may be that of the other run.
            if args.output.is_none()
                && args.format == Format::Json
                && let Some(json) = format_named("json")
            {
                // Whoever closed standard output wants none.
                let _ = json.write(&report, Detail::default(), &mut std::io::stdout().lock());
            }
            return Ok(Mirrored { report, status: exit::BUSY, record: None, writes_latin_1: false });
        }
    };
    let reports = Reports::open(args, task.begun)?;
    let begun = Utc::now();
    // Machines may have one home directory, where one of several at once would spoil what the others write.
    let is_recorded = mode == Mode::Sync && task.part.is_none() && (task.job.is_some() || !args.no_state);
    let record =
        is_recorded.then(|| Record::begin(task.job, source.name(), destination.name(), None)).flatten();

    let mut early = Vec::new();
    let signals = Signals::watch(&cancel)?;
    let progress = Progress::new(args.show.progress, args.show.quiet, &cancel);
    let logged = Logged::new(&progress);
    if let Work::Keep(found) = &task.work {
        (options.keeps_plan, options.found) = (true, found.clone());
    }
    let result = match task.work {
        Work::Decide | Work::Keep(_) => run_mirror(&source, &destination, &options, &logged),
        Work::Apply(plan, shard) => apply(&source, &destination, plan, shard, &options, &logged),
    };
    progress.finish();
    let mut report = match result {
        Ok(report) => report,
        Err(e) => {
            let out_of_time = (e.is_cancelled() && cancel.is_out_of_time()).then_some(Stop::OutOfTime);
            let (status, trouble) = match signals.stop().or(out_of_time).filter(|_| !e.is_busy()) {
                Some(stop) => {
                    complain!("{} before anything was changed", complaints::stopped(stop, args.max_duration));
                    (stop.exit_status(), None)
                }
                None => (exit::complain_of(&e), Some(e.to_string())),
            };
            early = trouble.into_iter().collect();
            let seconds = (Utc::now() - begun).to_std().unwrap_or_default().as_secs_f64();
            Report { seconds, ..Report::of_nothing(mode, source.name(), destination.name(), status) }
        }
    };
    report.stopped = signals.stop().or(report.stopped);
    report.at = Some(begun);
    report.job = task.job.map(str::to_owned);
    complaints::complain_of(&report, args.max_duration);
    // Of these, a line was said.
    report.troubles.extend(early);
    let is_summed_up = reports.is_summed_up();
    let mut status = publish(&report, reports);
    if let Err(e) = options.spill.check() {
        complain!("error: {e}; the report is not whole");
        status = exit::worse(status, exit::INCOMPLETE);
    }
    if progress.is_redrawn() && !is_summed_up && report.early.is_none() {
        // Else nothing would stay of what was shown.
        show_named(format_args!("{}", summary(&report)));
    }
    let writes_latin_1 = destination.names().is_some_and(Names::writes_latin_1);
    Ok(Mirrored { report, status, record, writes_latin_1 })
}

/// Returns how connections are made.
fn connection(args: &SyncArgs, cancel: &Cancel) -> anyhow::Result<Connection> {
    let common = connect::connection(&args.connection, args.show.verbose, cancel)?;
    Ok(Connection { charset: args.charset, time_offset: args.time_offset.0, flushes: args.fsync, ..common })
}

/// Writes the reports, and returns the exit status.
pub(crate) fn publish(report: &Report, reports: Reports) -> u8 {
    let mut status = report.exit_status();
    for e in reports.write(report) {
        complain!("error: {e:#}");
        // The run is done, whatever became of its report.
        status = status.max(exit::INCOMPLETE);
    }
    status
}

/// Finds what can be found wrong without a connection.
pub(crate) fn check(args: &SyncArgs, source_args: &SyncArgs) -> anyhow::Result<()> {
    let cancel = Cancel::new();
    options(args, Mode::Sync, &cancel)?;
    for (what, place, args) in
        [("source", &args.source, source_args), ("destination", &args.destination, args)]
    {
        let mut connection = connection(args, &cancel)?;
        // Whether there is one is found out by the run.
        connection.logins.password.get_or_insert_with(|| Secret::new("x"));
        connect::place(what, place)?.store(&connection).map_err(|e| connect::refused(what, &e))?;
    }
    Ok(())
}

fn options(args: &SyncArgs, mode: Mode, cancel: &Cancel) -> anyhow::Result<RunOptions> {
    let window = args.modify_window.map(chrono::Duration::from_std).transpose();
    let window = window.map_err(|_| UsageError("--modify-window is too long".to_owned()))?;
    let usual = RunOptions::default();
    Ok(RunOptions {
        mode,
        sessions: args.connection.sessions.0.map_or(SessionCount::AUTO, SessionCount::fixed),
        filter: filter::of(&args.rules)?,
        limits: limits(args, Utc::now())?,
        compare: CompareOptions {
            basis: match args.compare {
                _ if args.adopt => Basis::Adopt,
                Compare::SizeTime => Basis::SizeTime,
                Compare::Size => Basis::Size,
                Compare::Checksum => Basis::Checksum,
                Compare::Always => Basis::Always,
            },
            window: window.unwrap_or_default(),
            update: args.update,
            ..CompareOptions::default()
        },
        delete: args.delete,
        renames: !args.no_renames,
        presence: match (args.ignore_existing, args.existing) {
            (true, _) => Presence::OnlyNew,
            (_, true) => Presence::OnlyExisting,
            _ => Presence::Any,
        },
        links: match args.links {
            LinksHow::Skip => Links::Skip,
            LinksHow::Follow => Links::Follow,
            LinksHow::Copy => Links::Copy,
        },
        guard: GuardOptions { max_delete: args.max_delete, allow_empty_source: args.allow_empty_source },
        fail_if: args.fail_if.clone(),
        in_place: args.inplace,
        carry_times: !args.no_times,
        carry_permissions: args.perms,
        remote_lock: args.remote_lock.then(lock::on_server),
        max_duration: args.max_duration,
        last: last(&args.last)?,
        delay_updates: args.delay_updates,
        rate: args.bwlimit,
        split_bytes: args.split_size.map(NonZeroU64::get),
        spill: spill(args),
        retries: args.connection.retries,
        resume_from: usual.resume_from.filter(|_| !args.no_resume),
        cancel: cancel.clone(),
        ..usual
    })
}

/// Returns where goes what memory is not meant for.
pub(crate) fn spill(args: &SyncArgs) -> Spill {
    Spill::to(large_files(), args.memory.get())
}

/// Returns where files go that are too large for memory, so that none of the usual place for temporary ones, which is often memory, too.
fn large_files() -> PathBuf {
    let named = std::env::var_os("TMPDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let usual = if cfg!(unix) { PathBuf::from("/var/tmp") } else { std::env::temp_dir() };
    named.unwrap_or(usual)
}

fn last(patterns: &[String]) -> anyhow::Result<Filter> {
    let mut last = Filter::default();
    for pattern in patterns {
        last.push(Verdict::Include, pattern).map_err(|e| UsageError(format!("--last: {e}")))?;
    }
    Ok(last)
}

fn limits(args: &SyncArgs, now: DateTime<Utc>) -> anyhow::Result<Limits> {
    let ago = |age: Option<Duration>| {
        age.map(|age| {
            let then = chrono::Duration::from_std(age).ok().and_then(|age| now.checked_sub_signed(age));
            then.ok_or_else(|| {
                UsageError("--min-age and --max-age can't be before the calendar begins".to_owned())
            })
        })
        .transpose()
    };
    Ok(Limits {
        min_bytes: args.min_size,
        max_bytes: args.max_size,
        changed_before: ago(args.min_age)?,
        changed_after: ago(args.max_age)?,
    })
}
