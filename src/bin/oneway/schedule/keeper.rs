//! `oneway schedule`: the clock, the jobs, and who wants to know.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local, Utc};
use clap::Args;
use oneway::model::Cancel;
use oneway::state::history::{Beginning, Ending, History, Which};
use oneway::state::{Holder, Lock, LockError, lock_file_name};
use sd_notify::NotifyState;
use signal_hook::consts::SIGHUP;

use crate::commands::state::state_dir;
use crate::exit::{self, UsageError};
use crate::history::{self, words};
use crate::jobs::load::{self, Loaded};
use crate::jobs::options::Options;
use crate::jobs::run_args::ConfigArg;
use crate::schedule::children::{Children, Ended};
use crate::schedule::http;
use crate::schedule::page::{self, Board};
use crate::schedule::timetable::{Deed, Scheduled, Timetable};
use crate::schedule::when::When;
use crate::signals::Signals;
use crate::ui::say::complain;

#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    #[command(flatten)]
    config: ConfigArg,

    /// Serve a status page, /metrics and /healthz: 8080, which is this machine alone, or ADDR:PORT; port 0 picks one. The
    /// URL is printed first
    #[arg(long, value_name = "ADDR:PORT", value_parser = http::address)]
    http: Option<SocketAddr>,
}

pub(crate) fn run(args: &ScheduleArgs) -> anyhow::Result<ExitCode> {
    let options = Options::new();
    let loaded = load::load(args.config.config.as_deref(), &options)?;
    let file = std::path::absolute(&loaded.path)?;
    let Some(jobs) = scheduled(&loaded) else { return Ok(ExitCode::from(exit::USAGE)) };
    if jobs.is_empty() {
        let text = format!("no job of {} has a `schedule` or `every`", loaded.path.display());
        return Err(UsageError(text).into());
    }
    let _lock = match lock(&file) {
        Ok(lock) => lock,
        Err(busy) => {
            complain!("error: {busy}");
            return Ok(ExitCode::from(exit::BUSY));
        }
    };
    let stop = Cancel::new();
    let signals = Signals::watch_for_end(&stop)?;
    let read_again = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&read_again))?;
    let board = Arc::new(Mutex::new(Board::new()));
    if let Some(at) = args.http {
        let board = Arc::clone(&board);
        let cannot = |e| UsageError(format!("--http: cannot listen on {at}: {e}"));
        let bound = http::serve(at, move |path| page::answer(&board, path)).map_err(cannot)?;
        // Whoever closed standard output knows the address.
        let _ = writeln!(io::stdout().lock(), "http://{bound}/");
    }
    let now = Utc::now();
    let mut keeper = Keeper {
        table: Timetable::new(Local, now, chance),
        children: Children::new(file.clone())?,
        file,
        board,
        told: None,
    };
    keeper.set(jobs, now);
    keeper.tell_plan();
    notify(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled();
    let mut petted = Instant::now();
    while !stop.is_cancelled() {
        if read_again.swap(false, Ordering::Relaxed) {
            keeper.read_again(&options);
        }
        keeper.tick(Utc::now());
        if watchdog.is_some_and(|limit| petted.elapsed() >= limit / 3) {
            notify(&[NotifyState::Watchdog]);
            petted = Instant::now();
        }
        // A clock can be set, and a machine can sleep: so it is looked at, and not slept until.
        thread::sleep(TICK);
    }
    notify(&[NotifyState::Stopping]);
    keeper.stop();
    drop(signals);
    Ok(ExitCode::SUCCESS)
}

const TICK: Duration = Duration::from_millis(200);

/// Without systemd, nobody is told.
fn notify(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}

fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

/// Returns the jobs that have a time; `None` where the file is wrong, which was said.
fn scheduled(loaded: &Loaded) -> Option<Vec<Scheduled>> {
    loaded.complain_of(&loaded.problems);
    let mut all_well = loaded.problems.is_empty();
    let mut jobs = Vec::new();
    for job in &loaded.file.jobs {
        match When::of(job, Utc::now()) {
            Ok(Some(when)) => {
                let jitter = job.jitter.unwrap_or_default();
                jobs.push(Scheduled { name: job.name.clone(), when, jitter });
            }
            Ok(None) => {}
            Err(why) => {
                complain!("error: {}: [job.{}]: {why}", loaded.place(job.at), job.name);
                all_well = false;
            }
        }
    }
    all_well.then_some(jobs)
}

/// Takes the lock of the file of jobs: two that keep its times would run each job twice.
fn lock(file: &Path) -> Result<Option<Lock>, String> {
    let Some(dir) = state_dir() else { return Ok(None) };
    let name = lock_file_name(&format!("schedule {}", file.display()));
    let holder = Holder { pid: Some(std::process::id()), since: Some(Utc::now()) };
    match Lock::take(&dir.join("oneway").join(name), &holder) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held(other)) => {
            let pid = other.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
            Err(format!("another `oneway schedule` of {} is under way{pid}", file.display()))
        }
        Err(LockError::Unusable(e)) => {
            complain!(
                "note: cannot lock the schedule: {e}; another one of the same file would not be noticed"
            );
            Ok(None)
        }
    }
}

struct Keeper {
    table: Timetable<Local>,
    children: Children,
    file: PathBuf,
    board: Arc<Mutex<Board>>,
    /// What systemd was told last.
    told: Option<String>,
}

impl Keeper {
    fn set(&mut self, jobs: Vec<Scheduled>, now: DateTime<Utc>) {
        let history = history::look().ok().flatten();
        let last_began = |job: &str| {
            let runs = history.as_ref()?.runs(Which::Job(job), 1).ok()?;
            runs.first().map(|run| run.beginning.at)
        };
        self.table.set(jobs, now, last_began);
    }

    /// Does what is due.
    fn tick(&mut self, now: DateTime<Utc>) {
        for ended in self.children.ended() {
            self.table.ended(&ended.job);
            self.tell(&ended);
        }
        for deed in self.table.due(now) {
            match deed {
                Deed::Start(job) => {
                    if let Err(e) = self.children.start(&job) {
                        complain!("error: {job}: cannot be started: {e}");
                        self.table.ended(&job);
                    }
                }
                Deed::LeaveOut(job) => complain!("{job}: still running, so it is left out this time"),
            }
        }
        self.board.lock().unwrap_or_else(PoisonError::into_inner).set(self.table.lines());
        let status = self.plan();
        if self.told.as_ref() != Some(&status) {
            notify(&[NotifyState::Status(&status)]);
            self.told = Some(status);
        }
    }

    /// Returns what comes next, in a sentence.
    fn plan(&self) -> String {
        let count = match self.table.lines().len() {
            1 => "1 job".to_owned(),
            n => format!("{n} jobs"),
        };
        let next = self.table.next().and_then(|line| Some((line, line.due?)));
        let next = next.map_or_else(String::new, |(line, due)| {
            format!(", next {} at {}", line.job.name, words::local(due))
        });
        format!("{count}{next}")
    }

    fn tell_plan(&self) {
        complain!("{}", self.plan());
    }

    /// Says in a line how a run ended, and sees to it that the history has it.
    fn tell(&self, ended: &Ended) {
        let line = self.table.lines().iter().find(|line| line.job.name == ended.job);
        let next = line.and_then(|line| line.due);
        let next = next.map_or_else(String::new, |due| format!("; next at {}", words::local(due)));
        match written_down(ended) {
            Some(ending) => complain!(
                "{}: {} in {}: {}{}{next}",
                ended.job,
                words::of_status(ending.exit),
                words::took(ending.seconds),
                words::changes(&ending),
                if ending.failed > 0 { format!(", {} failed", ending.failed) } else { String::new() },
            ),
            None => complain!("{}: {}{next}", ended.job, how(ended.status)),
        }
    }

    fn read_again(&mut self, options: &Options) {
        let reloading = NotifyState::monotonic_usec_now().ok();
        notify(&[[NotifyState::Reloading].as_slice(), reloading.as_slice()].concat());
        match load::load(Some(&self.file), options) {
            Ok(loaded) => match scheduled(&loaded) {
                Some(jobs) => {
                    self.set(jobs, Utc::now());
                    complain!("read {} again: {}", self.file.display(), self.plan());
                }
                None => {
                    complain!("warning: {} is wrong, so the times stay as they were", self.file.display());
                }
            },
            Err(e) => complain!("warning: {e:#}, so the times stay as they were"),
        }
        notify(&[NotifyState::Ready]);
    }

    fn stop(&mut self) {
        if !self.children.is_empty() {
            complain!("stopping what is running");
        }
        for ended in self.children.stop() {
            self.table.ended(&ended.job);
            self.tell(&ended);
        }
        complain!("stopped");
    }
}

/// Returns how the run of a process ended, by the history. What isn't there, since the run ended before it began, is added.
fn written_down(ended: &Ended) -> Option<Ending> {
    let file = history::file()?;
    let runs = history::look().ok()??.runs(Which::Job(&ended.job), LOOK_BACK).unwrap_or_default();
    let run = runs.into_iter().find(|run| run.beginning.pid == ended.pid);
    let code = ended.status.code().and_then(|code| u8::try_from(code).ok());
    match (run, code) {
        (Some(run), _) => run.ending,
        // Another run is at it, which has its own line there.
        (None, Some(exit::BUSY) | None) => None,
        (None, Some(exit)) => {
            let messages = vec!["it ended before it began; its reason is in the log".to_owned()];
            let ending = Ending { exit, messages, ..Ending::default() };
            let beginning = Beginning {
                job: Some(ended.job.clone()),
                source: String::new(),
                destination: String::new(),
                pid: ended.pid,
                at: Utc::now(),
            };
            let (mut history, _) = History::open(&file).ok()?;
            let number = history.begin(&beginning).ok()?;
            history.end(number, &ending).ok()?;
            None
        }
    }
}

const LOOK_BACK: u32 = 10;

/// Says how a process ended.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(6), _) => "another run is at it".to_owned(),
        (Some(code), _) => {
            let word = u8::try_from(code).map_or("failed", words::of_status);
            format!("{word} (exit status {code})")
        }
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended oddly".to_owned(),
    }
}
