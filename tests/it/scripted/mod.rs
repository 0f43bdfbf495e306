//! What a user sees with servers that behave oddly or break the protocol: whatever no real server does on demand.
//!
//! Two rules stand above all of it. Nothing is deleted and nothing gets its final name unless it is proven right. And
//! whatever a server does, the run ends, in bounded time, with a status and a line that say how.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Dir, Files, Output, Run, Sandbox, ScriptServer, Transcript, files, snapshot};

mod backup;
mod bursts;
mod clock;
mod data;
mod features;
mod folding;
mod greeting;
mod in_place;
mod listings;
mod login;
mod lost;
mod remote_state;
mod renames;
mod replies;
mod resume;
mod secrets;
mod split;
mod swaps;
mod times;
mod tls;
mod unheard;

/// A server on which a script makes something odd, a local directory `here`, and runs between them.
pub(crate) struct Trial {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: ScriptServer,
    pub(crate) here: Dir,
    /// How long silences may last.
    patience: &'static str,
}

/// What the server of most tests has.
pub(crate) fn two_files() -> Files {
    files! {"a.txt" => "content of a", "b.txt" => "content of b"}
}

/// How a tree of [`two_files`] looks.
pub(crate) const TWO_FILES: &str = "a.txt = \"content of a\"\nb.txt = \"content of b\"\n";

/// What a script says for a server that falls silent.
pub(crate) const SILENCE: &str = "pause 60s";

/// Longer than any run of these tests takes unless it waits for something that never comes.
const BOUNDED: Duration = Duration::from_secs(60);

impl Trial {
    /// A server with these files; the script says what is odd about it.
    pub(crate) fn with(files: Files, script: &str) -> Self {
        Self::at(ScriptServer::plain(files, script), script)
    }

    /// The same server, which renames nothing onto a file that is there.
    pub(crate) fn keeping_names(files: Files, script: &str) -> Self {
        Self::at(ScriptServer::keeping_names(files, script), script)
    }

    /// A server of which the script is all.
    pub(crate) fn scripted(script: &str) -> Self {
        Self::at(ScriptServer::new(script), script)
    }

    fn at(server: ScriptServer, script: &str) -> Self {
        let sandbox = Sandbox::new();
        let here = sandbox.dir("here");
        // Short only where something is waited for in vain: a busy machine isn't always prompt.
        let patience = if script.contains(SILENCE) { "1s" } else { "15s" };
        Self { sandbox, server, here, patience }
    }

    /// Gives the local directory these files.
    pub(crate) fn having(self, files: Files) -> Self {
        self.here.add(files);
        self
    }

    /// Makes the local directory a mirror of the server.
    pub(crate) fn pull(&self, options: &[&str]) -> Run {
        self.run("sync", options, &[&self.server.url("/"), &self.here])
    }

    /// Makes the server a mirror of the local directory.
    pub(crate) fn push(&self, options: &[&str]) -> Run {
        self.run("sync", options, &[&self.here, &self.server.url("/")])
    }

    /// The same through TLS.
    pub(crate) fn protected_pull(&self, options: &[&str]) -> Run {
        self.run(
            "sync",
            options,
            &["--pin", &ScriptServer::pin(), &self.server.protected_url("/"), &self.here],
        )
    }

    pub(crate) fn protected_push(&self, options: &[&str]) -> Run {
        self.run(
            "sync",
            options,
            &["--pin", &ScriptServer::pin(), &self.here, &self.server.protected_url("/")],
        )
    }

    pub(crate) fn ls(&self, options: &[&str]) -> Run {
        self.run("ls", options, &[&self.server.url("/")])
    }

    /// One session and one more try, unless the options say otherwise.
    pub(crate) fn run(&self, command: &str, options: &[&str], places: &[&str]) -> Run {
        let mut arguments = vec![command];
        for (option, value) in [("--sessions", "1"), ("--retries", "1"), ("--timeout", self.patience)] {
            if !options.contains(&option) {
                arguments.extend([option, value]);
            }
        }
        arguments.extend(options);
        arguments.extend(places);
        let begun = Instant::now();
        let run = self.sandbox.oneway(arguments);
        assert!(begun.elapsed() < BOUNDED, "the run took {:?}", begun.elapsed());
        run
    }

    /// The local directory as text.
    pub(crate) fn local(&self) -> String {
        snapshot(&self.here)
    }

    /// Hands out what the client sent, where it may have hung up on the script.
    pub(crate) fn finish_unchecked(self) -> Transcript {
        self.server.finish_unchecked()
    }

    /// Asserts that the script was followed, and hands out what the client sent.
    #[track_caller]
    pub(crate) fn finish(self) -> Transcript {
        self.server.finish()
    }
}

/// Checks all cases, some at a time: most of it is waiting.
pub(crate) fn all<C: Send>(cases: impl IntoIterator<Item = C>, check: impl Fn(C) + Sync) {
    const AT_A_TIME: usize = 4;
    let cases: Mutex<VecDeque<C>> = Mutex::new(cases.into_iter().collect());
    let next = || cases.lock().expect("no holder panics").pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = next() {
                    check(case);
                }
            });
        }
    });
}

/// Asserts that nothing printed could be obeyed by a terminal.
#[track_caller]
pub(crate) fn assert_printable(output: &Output) {
    let safe = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{fffd}'));
    for text in [&output.stdout, &output.stderr] {
        assert!(text.chars().all(safe), "raw control characters in {text:?}");
    }
}
