//! Commands after a job: told what became of it by their environment and their standard input, which has the report in JSON.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use oneway::config::{CommandLine, Hooks};
use oneway::model::Cancel;
use oneway::report::{Detail, Report, format_named};

use crate::jobs::process::{self, End};
use crate::ui::say::complain;

/// What hooks are told in their environment.
pub(crate) const VARIABLES: [&str; 8] = [
    "ONEWAY_JOB",
    "ONEWAY_EXIT",
    "ONEWAY_SOURCE",
    "ONEWAY_DESTINATION",
    "ONEWAY_CHANGES",
    "ONEWAY_FAILED",
    "ONEWAY_BYTES",
    "ONEWAY_SECONDS",
];

/// Where and how hooks are run.
pub(crate) struct Surroundings<'a> {
    /// The directory of the file of jobs.
    pub(crate) dir: &'a Path,
    /// Variables that hold passwords.
    pub(crate) secrets: &'a [OsString],
    pub(crate) cancel: &'a Cancel,
}

/// Runs what is due after a job that ended with `status`. Returns what went wrong, which was said.
pub(crate) fn run(
    hooks: &Hooks,
    job: &str,
    report: &Report,
    status: u8,
    around: &Surroundings<'_>,
) -> Vec<String> {
    let changes: usize = report.changes().map(|(_, count)| count).sum();
    let changed = hooks.change.as_ref().filter(|_| changes > 0).map(|line| ("on_change", line));
    let ended = match status {
        0 => hooks.success.as_ref().map(|line| ("on_success", line)),
        _ => hooks.failure.as_ref().map(|line| ("on_failure", line)),
    };
    let values = [
        job.to_owned(),
        status.to_string(),
        report.source.clone(),
        report.destination.clone(),
        changes.to_string(),
        report.failed().to_string(),
        report.bytes().to_string(),
        format!("{:.3}", report.seconds),
    ];
    let mut failures = Vec::new();
    for (key, line) in changed.into_iter().chain(ended) {
        let limit = hooks.time_limit.unwrap_or(TIME_LIMIT);
        if let Err(why) = run_one(line, &values, report, limit, around) {
            complain!("warning: {key} {why}");
            failures.push(format!("{key} {why}"));
        }
    }
    failures
}

fn run_one(
    line: &CommandLine,
    values: &[String; 8],
    report: &Report,
    limit: Duration,
    around: &Surroundings<'_>,
) -> Result<(), String> {
    let mut command = process::command(line);
    for variable in around.secrets {
        command.env_remove(variable);
    }
    command.envs(VARIABLES.iter().zip(values)).current_dir(around.dir);
    // Standard output is for reports alone. In a group of its own, all of it can be ended.
    command.stdin(Stdio::piped()).stdout(io::stderr()).process_group(0);
    let mut child = command.spawn().map_err(|e| format!("cannot be run: {e}"))?;
    let mut input = child.stdin.take().expect("it is piped");
    let mut bytes = Vec::new();
    let format = format_named("json").expect("there is a format for programs");
    format.write(report, Detail::default(), &mut bytes).expect("memory takes everything");
    // Not joined: who doesn't read holds up nobody, and who closes it early has read enough.
    thread::spawn(move || drop(input.write_all(&bytes)));
    match process::wait(&mut child, limit, true, around.cancel) {
        Ok(End::Exited(status)) if status.success() => Ok(()),
        Ok(End::Exited(status)) => Err(process::shown(status)),
        Ok(End::TimedOut) => Err(format!("was ended: it took longer than {limit:?} (hook_timeout)")),
        Ok(End::Stopped) => Err("was stopped".to_owned()),
        Err(e) => Err(format!("cannot be waited for: {e}")),
    }
}

const TIME_LIMIT: Duration = Duration::from_secs(300);
