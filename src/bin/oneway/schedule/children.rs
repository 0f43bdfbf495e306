//! Runs of jobs as processes of their own.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The runs that are under way.
pub(super) struct Children {
    program: PathBuf,
    config: PathBuf,
    all: Vec<(String, Child)>,
}

/// A run that is over.
pub(super) struct Ended {
    pub(super) job: String,
    pub(super) pid: u32,
    pub(super) status: ExitStatus,
}

impl Children {
    /// `config` is the file of jobs.
    ///
    /// # Errors
    /// Where the program doesn't find itself.
    pub(super) fn new(config: PathBuf) -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, config, all: Vec::new() })
    }

    /// Starts a job.
    ///
    /// # Errors
    /// Why the system doesn't.
    pub(super) fn start(&mut self, job: &str) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["run", "--progress", "never", "--config"]).arg(&self.config).arg("--").arg(job);
        // Who watches the one watches not the other.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        // Reports for people are kept in the history; what goes wrong is a line on standard error. In a group of its own, Ctrl-C
        // doesn't reach it twice.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn()?;
        self.all.push((job.to_owned(), child));
        Ok(())
    }

    /// Returns those that have ended since anybody asked.
    pub(super) fn ended(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.all.retain_mut(|(job, child)| match child.try_wait() {
            Ok(Some(status)) => {
                ended.push(Ended { job: job.clone(), pid: child.id(), status });
                false
            }
            Ok(None) => true,
            // Somebody else waited for it.
            Err(_) => false,
        });
        ended
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Asks all of them to stop, waits for as long as a run takes to stop cleanly, and ends those that don't. Returns how each ended.
    pub(super) fn stop(&mut self) -> Vec<Ended> {
        let mut ended = self.ended();
        for signal in [Signal::TERM, Signal::KILL] {
            for (_, child) in &self.all {
                if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
                    // One that has just ended is still ours, and its number nobody else's.
                    let _ = kill_process(pid, signal);
                }
            }
            let asked = Instant::now();
            while !self.all.is_empty() && asked.elapsed() < GRACE {
                thread::sleep(PAUSE);
                ended.extend(self.ended());
            }
        }
        ended
    }
}

/// A run stops within five seconds, and its hooks are ended in another four.
const GRACE: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(50);
