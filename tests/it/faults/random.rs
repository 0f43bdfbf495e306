//! Random trees, random options, random faults: whatever goes wrong, no name ever holds half a file, nothing is lost, the report says what
//! is, and runs without faults put everything right.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oneway::config::{Connection, Place};
use oneway::execute::Silent;
use oneway::ftp::connect::Timeouts;
use oneway::model::is_temporary;
use oneway::plan::{Deed, GuardOptions, MaxDelete};
use oneway::pool::SessionCount;
use oneway::report::Report;
use oneway::run::{RunOptions, StateOptions, run};
use oneway::server::{Access, Faults, ServeOptions, Server};
use oneway::state::Pair;
use oneway::store::{Store, StoreResult};
use walkdir::WalkDir;

use super::number_in;
use super::world::{PATIENCE, Random, Schedule, Tree, shown, trees, write};
use crate::support::{Sandbox, differences};

const USUAL_SEEDS: u64 = 30;

/// A seed that takes longer is told.
const SLOW: Duration = Duration::from_secs(10);

#[test]
fn whatever_goes_wrong_no_file_is_half_nothing_is_lost_and_clean_runs_put_it_right() {
    let seeds = match number_in("ONEWAY_FAULT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_in("ONEWAY_FAULT_SEEDS").unwrap_or(USUAL_SEEDS),
    };
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let failures = std::sync::Mutex::new(Vec::new());
    // Runs wait more than they compute.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let begun = Instant::now();
                    let failure = failure(seed);
                    if begun.elapsed() > SLOW {
                        eprintln!("seed {seed} took {:?}", begun.elapsed());
                    }
                    if let Some(why) = failure {
                        eprintln!("ONEWAY_FAULT_SEED={seed}\n{why}");
                        failures.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {seeds:?} failed: {failures:?}", failures.len());
}

/// Returns how a seed failed, with the smallest schedule that was found to fail.
fn failure(seed: u64) -> Option<String> {
    let mut random = Random::new(seed);
    let mut schedule = Schedule::random(&mut random);
    let (old, new) = trees(&mut random);
    let mut why = caught(&schedule, &old, &new)?;
    if number_in("ONEWAY_FAULT_SEED").is_some() {
        while let Some((smaller, other)) =
            schedule.smaller().into_iter().find_map(|one| caught(&one, &old, &new).map(|why| (one, why)))
        {
            (schedule, why) = (smaller, other);
        }
    }
    Some(format!("{why}\n{schedule:#?}\nold:\n{}new:\n{}", shown(&old), shown(&new)))
}

fn caught(schedule: &Schedule, old: &Tree, new: &Tree) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| Trial::new(schedule, old, new).run())).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
}

struct Trial<'t> {
    schedule: &'t Schedule,
    old: &'t Tree,
    new: &'t Tree,
    sandbox: Sandbox,
}

impl<'t> Trial<'t> {
    fn new(schedule: &'t Schedule, old: &'t Tree, new: &'t Tree) -> Self {
        let sandbox = Sandbox::new();
        write(new, &sandbox.path("source"));
        write(old, &sandbox.path("destination"));
        Self { schedule, old, new, sandbox }
    }

    fn run(&self) {
        let destination = self.sandbox.path("destination");
        if self.schedule.remembers {
            // What is remembered of the old state, and must not be believed of the new.
            self.sync_older();
        }
        let over = AtomicBool::new(false);
        let report = thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    self.assert_no_half_file();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let faults = Some(Arc::new(self.schedule.faults()));
            let report = if self.schedule.by_program {
                self.sync_by_program(faults);
                None
            } else {
                self.sync(faults).ok()
            };
            over.store(true, Ordering::Relaxed);
            if let Err(panic) = watcher.join() {
                std::panic::resume_unwind(panic);
            }
            report
        });
        self.assert_no_half_file();
        self.assert_nothing_lost();
        if let Some(report) = report {
            self.assert_honest(&report);
        }

        let report = self.sync(None).unwrap();
        assert_eq!(errors(&report), [""; 0], "the clean run failed");
        assert_eq!(report.exit_status(), 0, "{report:#?}");
        let source = self.sandbox.path("source");
        let times = !(self.schedule.remembers && self.schedule.refuses_a_time_for_good());
        let mut found = differences(&source, &destination, times);
        // Another owner's are removed when they are a day old.
        found.retain(|line| !is_leftover(line) || !self.schedule.by_program);
        if !self.schedule.delete {
            found.retain(|line| !line.contains("only in the second"));
        }
        assert!(found.is_empty(), "after a clean run: {found:#?}\n{report:#?}");

        let report = self.sync(None).unwrap();
        assert_eq!((report.plan.actions.len(), report.exit_status()), (0, 0), "{:#?}", report.plan);
    }

    /// Makes a run, over a server of its own: what an earlier one still does on behalf of a lost session is over then.
    fn sync(&self, faults: Option<Arc<Faults>>) -> StoreResult<Report> {
        let (source, destination) = (self.sandbox.path("source"), self.sandbox.path("destination"));
        let has_faults = faults.is_some();
        let server = self.serve(faults);
        let silence = if has_faults { PATIENCE } else { Duration::from_secs(20) };
        let connection = Connection {
            timeouts: Timeouts { connect: Duration::from_secs(5), reply: silence, data: silence },
            ..Connection::default()
        };
        let there: Arc<dyn Store> = Place::parse(&server.url()).unwrap().store(&connection).unwrap();
        let here = if self.schedule.push { source } else { destination };
        let here: Arc<dyn Store> = Place::Local(here).store(&connection).unwrap();
        let pair = Pair { source: "a".to_owned(), destination: "b".to_owned() };
        let options = RunOptions {
            sessions: SessionCount::fixed(self.schedule.sessions),
            delete: self.schedule.delete,
            guard: GuardOptions { max_delete: Some(MaxDelete::Percent(100)), allow_empty_source: true },
            state: self
                .schedule
                .remembers
                .then(|| StateOptions::File { file: self.sandbox.path("state/receipts.sqlite"), pair }),
            retries: if has_faults { 2 } else { 5 },
            first_pause: Duration::from_millis(2),
            owner: Some(7),
            delay_updates: self.schedule.delays,
            ..RunOptions::default()
        };
        let begun = Instant::now();
        let (from, to) = if self.schedule.push { (&here, &there) } else { (&there, &here) };
        let report = run(from, to, &options, &Silent);
        assert!(begun.elapsed() < Duration::from_secs(40), "it took {:?}", begun.elapsed());
        report
    }

    /// Makes receipts of the old state: the destination is mirrored from itself.
    fn sync_older(&self) {
        let (source, aside) = (self.sandbox.path("source"), self.sandbox.path("aside"));
        fs::rename(&source, &aside).unwrap();
        write(self.old, &source);
        if !self.old.is_empty() {
            self.sync(None).unwrap();
        }
        fs::remove_dir_all(&source).unwrap();
        fs::rename(&aside, &source).unwrap();
    }

    fn serve(&self, faults: Option<Arc<Faults>>) -> Server {
        let served = self.sandbox.path(if self.schedule.push { "destination" } else { "source" });
        Server::start(ServeOptions {
            access: Access::Write,
            renames_onto_files: !self.schedule.keeps_names,
            faults,
            login_pause: Duration::ZERO,
            data_timeout: PATIENCE * 4,
            ..ServeOptions::new(served)
        })
        .unwrap()
    }

    /// Makes a run by the program, and asserts that its exit status and its report agree with each other and with what is there.
    fn sync_by_program(&self, faults: Option<Arc<Faults>>) {
        let server = self.serve(faults);
        let (source, destination) = (self.sandbox.path("source"), self.sandbox.path("destination"));
        let here = if self.schedule.push { &source } else { &destination };
        let (here, there) = (here.to_str().unwrap(), server.url());
        let (from, to) = if self.schedule.push { (here, &there[..]) } else { (&there[..], here) };
        let sessions = self.schedule.sessions.to_string();
        let mut arguments =
            vec!["sync", "--format", "json", "--retries", "1", "--timeout", "1s", "--no-state"];
        arguments.extend(["--max-delete", "100%", "-j", &sessions, from, to]);
        if self.schedule.delete {
            arguments.push("--delete");
        }
        let (status, output) = self.sandbox.oneway(arguments).with_status();
        assert!([0, 3, 4].contains(&status), "{status}\n{output}");
        let summary = output.summary();
        assert_eq!(summary["exit"], status, "{output}");
        assert_eq!(summary["failed"], output.events("failed").len(), "{output}");
        for done in output.events("done") {
            let path = Path::new(done["path"].as_str().unwrap());
            if done["action"] == "copy" || done["action"] == "replace" {
                let content = self.new[path].as_ref().unwrap();
                assert!(
                    fs::read(destination.join(path)).unwrap() == content.bytes,
                    "{path:?} was not sent\n{output}"
                );
            }
        }
        if status == 0 {
            self.assert_in_sync(&format!("{output}"));
        }
    }

    /// Asserts that the destination has what the source has, and with `--delete` nothing else.
    fn assert_in_sync(&self, report: &str) {
        let (source, destination) = (self.sandbox.path("source"), self.sandbox.path("destination"));
        let mut found = differences(&source, &destination, false);
        found.retain(|line| !is_leftover(line));
        if !self.schedule.delete {
            found.retain(|line| !line.contains("only in the second"));
        }
        assert!(found.is_empty(), "exit status 0, and yet {found:#?}\n{report}");
    }

    /// Asserts that every final name holds what the source has, or what was there before.
    fn assert_no_half_file(&self) {
        for (path, bytes) in files(&self.sandbox.path("destination")) {
            let whole = [self.old, self.new].into_iter().filter_map(|tree| tree.get(&path)?.as_ref());
            let is_whole = whole.into_iter().any(|content| content.bytes == bytes);
            assert!(is_whole, "{} is half, or another file: {} bytes", path.display(), bytes.len());
        }
    }

    /// Asserts that what was there is there, but for what was to be deleted; a rename may have moved it.
    fn assert_nothing_lost(&self) {
        let destination = self.sandbox.path("destination");
        let there: BTreeSet<PathBuf> =
            files(&destination).into_iter().map(|(path, _)| path).chain(asides(&destination)).collect();
        for path in self.old.keys().filter(|path| self.old[*path].is_some() && !there.contains(*path)) {
            let is_extra = self.schedule.delete && !self.new.contains_key(path);
            assert!(is_extra, "{} is gone", path.display());
        }
    }

    /// Asserts that what is said to be done is done.
    fn assert_honest(&self, report: &Report) {
        let destination = self.sandbox.path("destination");
        if report.refusal.is_some() {
            return;
        }
        assert_eq!(report.outcomes.len(), report.plan.actions.len());
        for (action, outcome) in report.plan.actions.iter().zip(&report.outcomes) {
            if !outcome.is_done() {
                continue;
            }
            let path = PathBuf::from(action.entry().path.to_string());
            let at = destination.join(&path);
            match action.deed {
                Deed::CreateDir => assert!(at.is_dir(), "{path:?} was not made"),
                Deed::Copy | Deed::Replace => {
                    let content = self.new[&path].as_ref().unwrap();
                    assert!(fs::read(&at).unwrap() == content.bytes, "{path:?} was not sent");
                    assert_eq!(outcome.bytes, content.bytes.len() as u64);
                }
                Deed::Rename => {
                    let old = destination.join(action.path.to_string());
                    assert!(at.exists() && !old.exists(), "{path:?} was not renamed");
                }
                Deed::Touch | Deed::Chmod => assert!(at.exists()),
                Deed::Delete | Deed::DeleteDir => assert!(!at.exists(), "{path:?} was not deleted"),
            }
        }
        if report.exit_status() == 0 {
            self.assert_in_sync(&format!("{report:#?}"));
        }
    }
}

fn errors(report: &Report) -> Vec<&str> {
    report.outcomes.iter().filter_map(|outcome| outcome.error.as_deref()).collect()
}

fn is_leftover(line: &str) -> bool {
    line.contains(".oneway-") && line.contains(".part\"")
}

/// Returns the paths of files that stepped aside for new ones, and get them back from the next run.
fn asides(root: &Path) -> Vec<PathBuf> {
    let entries = WalkDir::new(root).into_iter().filter_map(Result::ok);
    let aside = |name: &str| Some(name.strip_prefix(".oneway-old-of-")?.strip_suffix(".part")?.to_owned());
    let of = entries.filter_map(|entry| {
        let name = aside(entry.file_name().to_str()?)?;
        Some(entry.path().with_file_name(name).strip_prefix(root).ok()?.to_owned())
    });
    of.collect()
}

/// Returns the files of a tree with their contents, but for temporary ones.
fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    use std::os::unix::ffi::OsStrExt;
    let mut files = Vec::new();
    for entry in WalkDir::new(root).into_iter().filter_map(Result::ok) {
        // What has gone since it was listed was deleted, or renamed over.
        if entry.file_type().is_file()
            && !is_temporary(entry.file_name().as_bytes())
            && let Ok(bytes) = fs::read(entry.path())
        {
            files.push((entry.path().strip_prefix(root).unwrap().to_owned(), bytes));
        }
    }
    files
}
