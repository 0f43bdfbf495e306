//! The log file of a run: a line for each thing that happens, with its time.
//!
//! The file is appended to, by one write a line, so that several processes may share it. Only its owner can read it where it is made here:
//! names may be private. Nothing gets here but what standard error and reports show, too: no secrets, and names escaped.

use std::fmt::{Arguments, Display};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use chrono::{SecondsFormat, Utc};
use oneway::compare::Side;
use oneway::config::Place;
use oneway::execute::{Event, Observer, Outcome};
use oneway::plan::Action;
use oneway::report::{Mode, grouped, human_bytes, percent, write_value};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::args::{LsFormat, SyncArgs};
use crate::exit::UsageError;
use crate::ui::say::complain;

/// Where lines go; `None` where nobody asked for a log, or it can't be written any more.
static LOG: Mutex<Option<Log>> = Mutex::new(None);

/// There is a log, which costs less to look at.
static IS_OPEN: AtomicBool = AtomicBool::new(false);

struct Log {
    file: File,
    path: PathBuf,
    format: LsFormat,
    job: Option<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Error,
    Warning,
    Info,
    Trace,
}

/// The log of one run, as long as it is there.
pub(crate) struct Logging {
    begun: Instant,
    is_open: bool,
}

impl Logging {
    /// Opens the log that was asked for, and says there what begins.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub(crate) fn begin(args: &SyncArgs, mode: Mode, job: Option<&str>) -> anyhow::Result<Self> {
        let logging = Self { begun: Instant::now(), is_open: args.write.log_file.is_some() };
        let Some(path) = &args.write.log_file else { return Ok(logging) };
        let file = open(path).map_err(|e| UsageError(format!("{e:#}")))?;
        let job = job.map(str::to_owned);
        *lock() = Some(Log { file, path: path.clone(), format: args.write.log_format, job });
        IS_OPEN.store(true, Ordering::Relaxed);
        let [source, destination] =
            [&args.source, &args.destination].map(|place| match Place::from_argument(place) {
                Ok(Place::Ftp { name, .. }) => name,
                Ok(Place::Local(path)) => oneway::model::escape(path.as_os_str().as_encoded_bytes()),
                // It may hold a password in a place where nobody finds it.
                Err(_) => "?".to_owned(),
            });
        let (version, process) = (env!("CARGO_PKG_VERSION"), std::process::id());
        let what = match mode {
            Mode::Sync => "sync",
            Mode::DryRun => "dry run",
            Mode::Diff => "diff",
        };
        write(
            Level::Info,
            "start",
            format_args!("oneway {version}, process {process}, {what} from {source} to {destination}"),
            || {
                fields([
                    ("version", json!(version)),
                    ("process", json!(process)),
                    ("mode", json!(what)),
                    ("source", json!(source)),
                    ("destination", json!(destination)),
                ])
            },
        );
        Ok(logging)
    }

    /// Says how it ended.
    pub(crate) fn end(self, status: u8) {
        let seconds = self.begun.elapsed().as_secs_f64();
        write(Level::Info, "end", format_args!("exit status {status} after {seconds:.1} s"), || {
            fields([("exit", json!(status)), ("seconds", json!(seconds))])
        });
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        if self.is_open {
            IS_OPEN.store(false, Ordering::Relaxed);
            *lock() = None;
        }
    }
}

/// Returns whether there is a log.
pub(crate) fn is_open() -> bool {
    IS_OPEN.load(Ordering::Relaxed)
}

/// Takes a line that goes to standard error.
pub(crate) fn message(text: &str) {
    let (level, text) = match text.split_once(": ") {
        Some(("error", text)) => (Level::Error, text),
        Some(("warning", text)) => (Level::Warning, text),
        _ => (Level::Info, text),
    };
    write(level, "message", format_args!("{text}"), || fields([("text", json!(text))]));
}

/// Takes a line of the dialogue with a server.
pub(crate) fn session(number: u32, sign: Option<char>, text: &dyn Display) {
    let (level, event) = if sign.is_some() { (Level::Trace, "trace") } else { (Level::Info, "session") };
    let shown = sign.map_or_else(String::new, |sign| format!("{sign} "));
    write(level, event, format_args!("[{number}] {shown}{text}"), || {
        fields([("session", json!(number)), ("text", json!(format!("{shown}{text}")))])
    });
}

/// Logs what a run tells on its way to whoever else watches it.
pub(crate) struct Logged<'o> {
    observer: &'o dyn Observer,
    /// Entries of source and destination.
    entries: [AtomicUsize; 2],
}

impl<'o> Logged<'o> {
    pub(crate) fn new(observer: &'o dyn Observer) -> Self {
        Self { observer, entries: Default::default() }
    }

    fn log(&self, event: &Event<'_>) {
        match event {
            Event::Listed { side, entries } => {
                self.entries[usize::from(*side == Side::Destination)].fetch_add(*entries, Ordering::Relaxed);
            }
            Event::Scanned => {
                let [source, destination] = self.entries.each_ref().map(|n| n.load(Ordering::Relaxed));
                let text = format_args!("{source} entries at the source, {destination} at the destination");
                write(Level::Info, "scanned", text, || {
                    fields([("source", json!(source)), ("destination", json!(destination))])
                });
            }
            Event::Planned { plan, .. } => {
                let bytes = plan.actions.tally().bytes;
                let changes = plan.actions.len();
                let text = format_args!("{} changes, {} to send", grouped(changes), human_bytes(bytes));
                write(Level::Info, "planned", text, || {
                    fields([("changes", json!(changes)), ("bytes", json!(bytes))])
                });
            }
            Event::Retried { action, tries, error } => {
                let text = format_args!("{} {}, try {tries}: {error}", action.deed.as_str(), action.path);
                write(Level::Warning, "retry", text, || {
                    let mut fields = of_action(action);
                    fields.extend(fields_of([("tries", json!(tries)), ("error", json!(error.to_string()))]));
                    fields
                });
            }
            Event::Finished { action, outcome } => finished(action, outcome),
            Event::Started { .. }
            | Event::Moved { .. }
            | Event::Kept { .. }
            | Event::Idle { .. }
            | Event::TakenBack { .. }
            | Event::Recovered { .. } => {}
        }
    }
}

impl Observer for Logged<'_> {
    fn event(&self, event: &Event<'_>) {
        if is_open() {
            self.log(event);
        }
        self.observer.event(event);
    }
}

fn finished(action: &Action, outcome: &Outcome) {
    let (level, event) = match outcome {
        outcome if outcome.is_failed() => (Level::Error, "failed"),
        outcome if outcome.vanished => (Level::Info, "vanished"),
        _ => (Level::Info, "done"),
    };
    let mut text = format!("{} {}", action.deed.as_str(), action.path);
    if let Some(target) = action.target() {
        text += &format!(" -> {target}");
    }
    match &outcome.error {
        Some(error) => text += &format!(": {error}"),
        None if outcome.bytes > 0 => {
            text += &format!(", {}, {:.1} s", human_bytes(outcome.bytes), outcome.seconds);
        }
        None => {}
    }
    write(level, event, format_args!("{text}"), || {
        let mut fields = of_action(action);
        fields.extend(fields_of([
            ("bytes", json!(outcome.bytes)),
            ("seconds", json!(outcome.seconds)),
            ("tries", json!(outcome.tries)),
            ("error", json!(outcome.error)),
        ]));
        fields
    });
}

fn of_action(action: &Action) -> Map<String, Value> {
    let (path, is_encoded) = percent(action.path.as_bytes());
    let mut fields = fields([("action", json!(action.deed.as_str())), ("path", json!(path))]);
    if is_encoded {
        fields.insert("path_encoded".to_owned(), json!(true));
    }
    fields
}

fn fields<const N: usize>(all: [(&str, Value); N]) -> Map<String, Value> {
    fields_of(all).collect()
}

fn fields_of<const N: usize>(all: [(&str, Value); N]) -> impl Iterator<Item = (String, Value)> {
    all.into_iter().map(|(name, value)| (name.to_owned(), value))
}

/// A line for programs.
#[derive(Serialize)]
struct Line<'l> {
    time: &'l str,
    level: Level,
    event: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'l str>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// Writes a line. After one that can't be written there is no log any more, which is said once.
fn write(level: Level, event: &str, text: Arguments<'_>, fields: impl FnOnce() -> Map<String, Value>) {
    if !is_open() {
        return;
    }
    let mut log = lock();
    let Some(open) = &mut *log else { return };
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut bytes = Vec::new();
    // Writing to a vector can't fail.
    let _ = match open.format {
        LsFormat::Text => {
            let job = open.job.as_ref().map_or_else(String::new, |job| format!("{job}: "));
            let word = match level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Info => "info",
                Level::Trace => "trace",
            };
            // A line stays one, whatever was told.
            let text = text.to_string().replace('\n', "\\n");
            write!(bytes, "{time} {word:7} {job}{event}: {text}")
        }
        LsFormat::Json => {
            let job = open.job.as_deref();
            write_value(&mut bytes, &Line { time: &time, level, event, job, fields: fields() })
        }
    };
    bytes.push(b'\n');
    if let Err(e) = open.file.write_all(&bytes) {
        let path = open.path.display().to_string();
        IS_OPEN.store(false, Ordering::Relaxed);
        *log = None;
        drop(log);
        complain!("warning: cannot write to the log {path}, which ends here: {e}");
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot open the log {}", path.display()))
}

fn lock() -> MutexGuard<'static, Option<Log>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}
