//! Commands that a file of jobs names: started, waited for, and ended when their time is up.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use oneway::config::CommandLine;
use oneway::model::Cancel;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How a command ended.
pub(super) enum End {
    Exited(ExitStatus),
    TimedOut,
    Stopped,
}

/// Returns the command that a line means.
pub(super) fn command(line: &CommandLine) -> Command {
    match line {
        CommandLine::Shell(text) => {
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            command
        }
        CommandLine::Words(words) => {
            let (program, arguments) = words.split_first().expect("an empty command was refused");
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    }
}

/// Waits for a child's end, at most this long. One that is ended takes along what it started, where it leads a group.
pub(super) fn wait(
    child: &mut Child,
    limit: Duration,
    leads_group: bool,
    cancel: &Cancel,
) -> io::Result<End> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    let end = loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Exited(status));
        }
        if cancel.is_cancelled() {
            break End::Stopped;
        }
        if started.elapsed() >= limit {
            break End::TimedOut;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    // Asked first, so that it may tidy up; one that has ended in between is still ours and so its number is nobody else's.
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
            let _ = if leads_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
        }
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if child.try_wait()?.is_some() {
                return Ok(end);
            }
            thread::sleep(LONGEST_PAUSE);
        }
    }
    Ok(end)
}

/// Says how a command ended that didn't end well.
pub(super) fn shown(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended oddly".to_owned(),
    }
}

const LONGEST_PAUSE: Duration = Duration::from_millis(20);
const GRACE: Duration = Duration::from_secs(2);
