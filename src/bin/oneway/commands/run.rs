//! `oneway run`.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use oneway::config::{Host, Job, PasswordSource, Place, nearest, resolve};
use oneway::model::{Cancel, Secret, escape};
use oneway::report::{Mode, Report};

use crate::commands::reports::Reports;
use crate::commands::sync::{self, Mirrored, Task, Work};
use crate::exit::{self, UsageError};
use crate::history::record::Closing;
use crate::history::record::Record;
use crate::jobs::hooks::{self, Surroundings};
use crate::jobs::load::{self, Loaded};
use crate::jobs::options::Options;
use crate::jobs::password::{self, PasswordError, Passwords};
use crate::jobs::prepare::{Above, Prepared, prepare};
use crate::jobs::run_args::RunArgs;
use crate::jobs::{environment, show};
use crate::signals::Signals;
use crate::ui::log::Logging;
use crate::ui::say::{complain, set_job};

pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let options = Options::new();
    let loaded = load::load(args.config.as_deref(), &options)?;
    let (environment, wrong) = environment::settings(&options, std::env::vars_os());
    let above = Above { environment: &environment, flags: &args.given };
    let mut problems = loaded.problems.clone();
    // With a file that is wrong somewhere, nothing is done at all.
    let jobs = if problems.is_empty() { chosen(&args.jobs, &loaded)? } else { Vec::new() };
    let mut prepared = Vec::new();
    for job in jobs {
        match prepare(&loaded, job, &options, &above) {
            Ok(job) => prepared.push(job),
            Err(Some(problem)) => problems.push(problem),
            // It is among those told of below.
            Err(None) => {}
        }
    }
    wrong.iter().for_each(|text| complain!("error: {text}"));
    loaded.complain_of(&problems);
    if !problems.is_empty() || !wrong.is_empty() {
        return Ok(ExitCode::from(exit::USAGE));
    }
    if args.show {
        let mut out = io::stdout().lock();
        for job in &prepared {
            show::print(job, &loaded, &options, &mut out)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    refuse_shared_pages(&prepared)?;
    let stop = Cancel::new();
    let signals = Signals::watch(&stop)?;
    let mut runner = Runner::new(&loaded, stop);
    let mut worst = 0;
    for (position, job) in prepared.iter().enumerate() {
        if signals.stop().is_some() {
            let left: Vec<_> = prepared[position..].iter().map(|job| job.job.name.as_str()).collect();
            complain!("stopped; not run: {}", left.join(", "));
            break;
        }
        set_job(Some(&job.job.name));
        worst = exit::worse(worst, runner.run(job));
        set_job(None);
    }
    if let Some(stop) = signals.stop() {
        worst = stop.exit_status();
    }
    Ok(ExitCode::from(worst))
}

/// Tables and pages of several jobs can't stand in one file.
fn refuse_shared_pages(prepared: &[Prepared<'_>]) -> anyhow::Result<()> {
    let mut pages = HashSet::new();
    for (job, page) in
        prepared.iter().flat_map(|job| Reports::of_one(&job.args).into_iter().map(move |page| (job, page)))
    {
        let shown = page.display().to_string();
        if !pages.insert(page) {
            let name = &job.job.name;
            let text = format!(
                "[job.{name}]: {shown} is the report of another job already, which only text and json can share"
            );
            return Err(UsageError(text).into());
        }
    }
    Ok(())
}

/// Returns the named jobs in their order, each once; all of them where none is named.
fn chosen<'a>(names: &[String], loaded: &'a Loaded) -> anyhow::Result<Vec<&'a Job>> {
    let all = &loaded.file.jobs;
    if all.is_empty() {
        return Err(UsageError(format!("{} has no jobs", loaded.path.display())).into());
    }
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let mut jobs: Vec<&Job> = Vec::new();
    for name in names {
        let Some(job) = loaded.file.job(name) else {
            let hint = nearest(name, all.iter().map(|job| job.name.as_str()));
            let (name, file) = (escape(name.as_bytes()), loaded.path.display());
            return Err(UsageError(format!("there is no [job.{name}] in {file}{hint}")).into());
        };
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// What one job leaves for the next.
struct Runner<'a> {
    loaded: &'a Loaded,
    passwords: Passwords,
    secrets: Vec<std::ffi::OsString>,
    /// Reports that were begun in this run.
    begun: HashSet<PathBuf>,
    stop: Cancel,
}

impl<'a> Runner<'a> {
    fn new(loaded: &'a Loaded, stop: Cancel) -> Self {
        let passwords = Passwords::new(&loaded.dir, loaded.home.as_deref(), stop.clone());
        let secrets = password::variables(&loaded.file.hosts);
        Self { loaded, passwords, secrets, begun: HashSet::new(), stop }
    }

    /// Runs a job and its hooks, logs it where that was asked for, and returns the exit status.
    fn run(&mut self, prepared: &Prepared<'_>) -> u8 {
        match Logging::begin(&prepared.args, mode(prepared), Some(&prepared.job.name)) {
            Ok(logging) => {
                let status = self.run_logged(prepared);
                logging.end(status);
                status
            }
            Err(error) => {
                let status = exit::tell(&error);
                self.early(prepared, status, format!("{error:#}")).status
            }
        }
    }

    fn run_logged(&mut self, prepared: &Prepared<'_>) -> u8 {
        let args = &prepared.args;
        let Mirrored { report, mut status, record, .. } = match self.mirror(prepared) {
            Ok(done) => done,
            Err(error) => {
                let status = match error.downcast_ref::<Unavailable>() {
                    Some(_) => {
                        complain!("error: {error:#}");
                        exit::UNREACHABLE
                    }
                    None => exit::tell(&error),
                };
                self.early(prepared, status, format!("{error:#}"))
            }
        };
        self.begun.extend(Reports::files(args));
        if report.mode != Mode::Sync {
            return status;
        }
        let mut more = Vec::new();
        if !self.stop.is_cancelled() {
            let around = Surroundings { dir: &self.loaded.dir, secrets: &self.secrets, cancel: &self.stop };
            more = hooks::run(&prepared.hooks, &prepared.job.name, &report, status, &around);
            if !more.is_empty() {
                status = exit::worse(status, exit::INCOMPLETE);
            }
        }
        let jobs: Vec<&str> = self.loaded.file.jobs.iter().map(|job| job.name.as_str()).collect();
        let closing =
            Closing { report: &report, status, more: &more, metrics_file: args.metrics_file.as_deref() };
        closing.close(record, Some(&jobs))
    }

    fn mirror(&mut self, prepared: &Prepared<'_>) -> anyhow::Result<Mirrored> {
        let mut passwords = [None, None];
        for (password, host) in passwords.iter_mut().zip(prepared.hosts) {
            *password = host.map(|host| self.password(host)).transpose()?.flatten();
        }
        let password_files = prepared.hosts.iter().flatten().filter_map(|host| match &host.password {
            Some((PasswordSource::File(written), _)) => {
                Some(resolve(written, &self.loaded.dir, self.loaded.home.as_deref()))
            }
            _ => None,
        });
        let apart: Vec<PathBuf> = password_files.chain([self.loaded.path.clone()]).collect();
        sync::mirror(Task {
            args: &prepared.args,
            mode: mode(prepared),
            job: Some(&prepared.job.name),
            source_args: prepared.hosts.iter().all(Option::is_some).then_some(&prepared.source_args),
            passwords,
            apart: &apart,
            begun: &self.begun,
            work: Work::Decide,
            part: None,
        })
    }

    fn password(&mut self, host: &Host) -> anyhow::Result<Option<Secret>> {
        self.passwords.of(host).map_err(|e| match e {
            PasswordError::Configuration(text) => UsageError(text).into(),
            PasswordError::Command(text) => Unavailable(text).into(),
        })
    }

    /// Reports a job that ended before anything was known.
    fn early(&self, prepared: &Prepared<'_>, status: u8, error: String) -> Mirrored {
        let args = &prepared.args;
        let [source, destination] =
            [&args.source, &args.destination].map(|place| match Place::from_argument(place) {
                Ok(Place::Ftp { name, .. }) => name,
                _ => escape(place.as_encoded_bytes()),
            });
        let mut report = Report::of_nothing(mode(prepared), &source, &destination, status);
        report.job = Some(prepared.job.name.clone());
        report.troubles.push(error);
        // What can't be opened was told.
        let status =
            Reports::open(args, &self.begun).map_or(status, |reports| sync::publish(&report, reports));
        let is_recorded = report.mode == Mode::Sync;
        let record = is_recorded
            .then(|| Record::begin(Some(&prepared.job.name), &source, &destination, None))
            .flatten();
        Mirrored { report, status, record, writes_latin_1: false }
    }
}

fn mode(prepared: &Prepared<'_>) -> Mode {
    if prepared.args.dry_run { Mode::DryRun } else { Mode::Sync }
}

/// A login that can't even be tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unavailable(String);
