//! Runs that are over: written down, looked up, judged, and told to monitoring.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod record;
pub(crate) mod words;

use std::path::PathBuf;

use oneway::state::history::{History, PastRun};
use rustix::process::{Pid, test_kill_process};

use crate::commands::state::state_dir;

/// Returns the file of all runs of this user; `None` where there is no state directory.
pub(crate) fn file() -> Option<PathBuf> {
    state_dir().map(|dir| dir.join("oneway").join("history.sqlite"))
}

/// Opens it to look at it; `None` where nothing ran yet.
pub(crate) fn look() -> anyhow::Result<Option<History>> {
    match file() {
        Some(file) => Ok(History::peek(&file)?),
        None => Ok(None),
    }
}

/// Returns whether a run without an end is still under way.
pub(crate) fn is_alive(run: &PastRun) -> bool {
    let pid = i32::try_from(run.beginning.pid).ok().and_then(Pid::from_raw);
    // That one may not send it a signal says that it is there.
    pid.is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}
