//! A source that doesn't keep still: what changes, grows or vanishes while it is mirrored is sent whole, or not at all and told.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use oneway::config::{Connection, Place};
use oneway::execute::{Event, Observer, Silent};
use oneway::ftp::command::Verb;
use oneway::plan::{GuardOptions, MaxDelete};
use oneway::pool::SessionCount;
use oneway::report::Report;
use oneway::run::{RunOptions, StateOptions, run};
use oneway::server::{Access, CommandFault, Faults, ServeOptions, Server};
use oneway::state::Pair;

use crate::support::{Dir, Sandbox, assert_same_tree, assert_same_tree_and_times, files, snapshot};

/// Does something when everything is listed, and something with each block that is on its way.
struct Meanwhile<P, M> {
    planned: P,
    moved: M,
}

impl<P: Fn() + Sync, M: Fn() + Sync> Observer for Meanwhile<P, M> {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Planned { .. } => (self.planned)(),
            Event::Moved { .. } => (self.moved)(),
            _ => {}
        }
    }
}

/// A source and a destination, one of them behind a server.
struct Trial {
    sandbox: Sandbox,
    source: Dir,
    destination: Dir,
    push: bool,
}

impl Trial {
    fn new(push: bool, files: crate::support::Files) -> Self {
        let sandbox = Sandbox::new();
        let (source, destination) = (sandbox.tree("source", files), sandbox.dir("destination"));
        Self { sandbox, source, destination, push }
    }

    fn sync(&self, observer: &dyn Observer) -> Report {
        self.sync_with(Faults::default(), observer)
    }

    fn sync_with(&self, faults: Faults, observer: &dyn Observer) -> Report {
        let served = if self.push { &self.destination } else { &self.source };
        let server = Server::start(ServeOptions {
            access: Access::Write,
            faults: Some(Arc::new(faults)),
            ..ServeOptions::new(served.path())
        })
        .unwrap();
        let connection = Connection::default();
        let there = Place::parse(&server.url()).unwrap().store(&connection).unwrap();
        let here = if self.push { &self.source } else { &self.destination };
        let here = Place::Local(here.path().to_owned()).store(&connection).unwrap();
        let (from, to) = if self.push { (&here, &there) } else { (&there, &here) };
        let pair = Pair { source: "a".to_owned(), destination: "b".to_owned() };
        let options = RunOptions {
            sessions: SessionCount::fixed(2),
            delete: true,
            guard: GuardOptions { max_delete: Some(MaxDelete::Percent(100)), allow_empty_source: true },
            state: Some(StateOptions::File { file: self.sandbox.path("state/receipts.sqlite"), pair }),
            retries: 2,
            first_pause: Duration::from_millis(20),
            ..RunOptions::default()
        };
        run(from, to, &options, observer).unwrap()
    }

    /// Asserts that runs in peace bring the two together, and that then nothing is left to do.
    fn assert_comes_right(&self) {
        let report = self.sync(&Silent);
        assert_eq!(report.exit_status(), 0, "{:?}", report.outcomes);
        assert_same_tree_and_times(&self.source, &self.destination);
        assert!(self.sync(&Silent).plan.actions.is_empty());
    }
}

#[test]
fn what_vanishes_before_it_is_read_is_noted_and_no_failure() {
    for push in [true, false] {
        let trial = Trial::new(
            push,
            files! {"a" => "1", "b/gone" => "2", "b/stays" => "3", "dir/x" => "4", "dir/deep/y" => "5"},
        );
        trial.destination.add(files! {"extra" => "6", "b/gone" => "an older one"});
        let report = trial.sync(&Meanwhile {
            planned: || {
                trial.source.remove("b/gone");
                trial.source.remove("dir");
            },
            moved: || {},
        });
        assert_eq!((report.exit_status(), report.failed()), (0, 0), "{push}: {:?}", report.outcomes);
        let note = format!("3 files vanished from {} before they could be read", report.source);
        assert!(report.notes.contains(&note), "{:?}", report.notes);
        assert!(report.remarks.iter().any(|remark| remark.contains("`dir/deep/y`")), "{:?}", report.remarks);
        assert_eq!(
            snapshot(&trial.destination),
            "a = \"1\"\nb/\nb/gone = \"an older one\"\nb/stays = \"3\"\ndir/\ndir/deep/\n"
        );
        trial.assert_comes_right();
    }
}

#[test]
fn a_source_that_vanishes_as_a_whole_is_a_failure() {
    let trial = Trial::new(true, files! {"a" => "1", "b" => "2"});
    trial.destination.add(files! {"extra" => "3"});
    let aside = trial.sandbox.path("aside");
    let report =
        trial.sync(&Meanwhile { planned: || fs::rename(trial.source.path(), &aside).unwrap(), moved: || {} });
    assert_eq!((report.exit_status(), report.failed()), (3, 3), "{:?}", report.outcomes);
    assert_eq!(snapshot(&trial.destination), "extra = \"3\"\n");
    let trial = Trial::new(true, files! {"a" => "1", "b" => "2"});
    trial.destination.add(files! {"extra" => "3"});
    let report =
        trial.sync(&Meanwhile { planned: || fs::remove_dir_all(trial.source.path()).unwrap(), moved: || {} });
    assert_eq!((report.exit_status(), report.failed()), (3, 3), "{:?}", report.outcomes);
    assert_eq!(snapshot(&trial.destination), "extra = \"3\"\n");
}

#[test]
fn what_is_there_and_may_not_be_read_has_not_vanished() {
    let trial = Trial::new(false, files! {"a" => "1", "b" => "2"});
    let faults = Faults::default().on_verb(Verb::Retr, 1, CommandFault::Refuse(550));
    let report = trial.sync_with(faults, &Silent);
    assert_eq!((report.exit_status(), report.failed()), (3, 1), "{:?}", report.outcomes);
    trial.assert_comes_right();
}

const LARGE: usize = 3_000_000;

/// Pushes a large file to which something happens when its first block is on its way.
fn push_while(happens: impl Fn(&Path) + Sync) -> (Trial, Report) {
    let trial = Trial::new(true, files! {"large" => vec![b'a'; LARGE]});
    let large = trial.source.at("large");
    let blocks = AtomicUsize::new(0);
    let report = trial.sync(&Meanwhile {
        planned: || thread::sleep(Duration::from_millis(20)),
        moved: || {
            if blocks.fetch_add(1, Ordering::Relaxed) == 0 {
                happens(&large);
            }
        },
    });
    (trial, report)
}

#[test]
fn a_file_that_changes_once_while_it_is_sent_is_sent_again() {
    type Change = fn(&Path);
    let cases: [(&str, Change); 4] = [
        ("rewritten", |file| fs::write(file, vec![b'b'; LARGE]).unwrap()),
        ("shorter", |file| fs::write(file, b"short").unwrap()),
        ("longer", |file| {
            OpenOptions::new().append(true).open(file).unwrap().write_all(b"more").unwrap();
        }),
        ("replaced", |file| {
            fs::write(file.with_extension("new"), vec![b'c'; LARGE]).unwrap();
            fs::rename(file.with_extension("new"), file).unwrap();
        }),
    ];
    for (what, happens) in cases {
        let (trial, report) = push_while(happens);
        assert_eq!((report.exit_status(), report.outcomes[0].tries), (0, 2), "{what}: {:?}", report.outcomes);
        assert_same_tree(&trial.source, &trial.destination);
        trial.assert_comes_right();
    }
}

#[test]
fn a_file_that_vanishes_while_it_is_sent_is_not_published() {
    let (trial, report) = push_while(|file| fs::remove_file(file).unwrap());
    assert_eq!((report.exit_status(), report.failed()), (0, 0), "{:?}", report.outcomes);
    assert!(report.outcomes[0].vanished && report.notes[0].contains("`large` vanished from"), "{report:?}");
    assert_eq!(snapshot(&trial.destination), "");
}

#[test]
fn a_log_that_always_grows_fails_and_is_told_and_never_published() {
    let trial = Trial::new(true, files! {"log" => vec![b'a'; 10_000], "other" => "1"});
    trial.destination.add(files! {"log" => "yesterday's"});
    let log = trial.source.at("log");
    let report = trial.sync(&Meanwhile {
        planned: || {},
        moved: || OpenOptions::new().append(true).open(&log).unwrap().write_all(b"line\n").unwrap(),
    });
    assert_eq!((report.exit_status(), report.failed()), (3, 1), "{:?}", report.outcomes);
    let failed = report.outcomes.iter().find(|outcome| outcome.is_failed()).unwrap();
    assert_eq!(failed.tries, 3);
    let error = failed.error.as_ref().unwrap();
    assert!(error.contains("cannot read `log`") && error.contains("it grew while it was read"), "{error}");
    assert_eq!(snapshot(&trial.destination), "log = \"yesterday's\"\nother = \"1\"\n");
    trial.assert_comes_right();
}

/// A disk without room, as far as one can have it without being root: files may not grow beyond 64 KiB.
#[test]
fn a_local_disk_without_room_ends_the_file_and_leaves_nothing_of_it() {
    let sandbox = Sandbox::new();
    let source = sandbox.tree("source", files! {"large" => vec![b'a'; 200_000], "small" => "1"});
    let destination = sandbox.tree("destination", files! {"large" => "old"});
    let server = Server::start(ServeOptions::new(source.path())).unwrap();
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", env!("CARGO_BIN_EXE_oneway")]);
    command.args(["sync", "--retries", "1", "--no-state", &server.url(), &destination]).arg0("bash");
    sandbox.isolate(&mut command);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("cannot write `large` on ") && stderr.contains("File too large"), "{stderr}");
    assert_eq!(snapshot(&destination), "large = \"old\"\nsmall = \"1\"\n");
}

/// A real one, where the system lets the tests mount a file system in memory.
#[test]
fn a_full_disk_ends_the_run_and_leaves_nothing_of_the_file() {
    let sandbox = Sandbox::new();
    let source = sandbox.tree("source", files! {"a small" => "1", "large" => vec![b'a'; 900_000]});
    let server = Server::start(ServeOptions::new(source.path())).unwrap();
    let disk: PathBuf = sandbox.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = "mount -t tmpfs -o size=256k tmpfs \"$1\" || exit 99; shift; \"$@\"; status=$?; ls -A \"${!#}\"; exit $status";
    let mut command = Command::new("unshare");
    command.args(["-m", "bash", "-c", mount, "bash"]).arg(&disk).arg(env!("CARGO_BIN_EXE_oneway"));
    command.args(["sync", "-q", "--retries", "1", "--no-state", "-j", "1", &server.url()]).arg(&disk);
    sandbox.isolate(&mut command);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    if matches!(output.status.code(), Some(99 | 1)) {
        eprintln!("skipped: nothing can be mounted here: {stderr}");
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("cannot write `large` on ") && stderr.contains("No space left"), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a small\n");
}
