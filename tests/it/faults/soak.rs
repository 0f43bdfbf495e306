//! Run after run in one process, over a tree that changes, with a server that cuts one connection in fifty: memory and open files stay what
//! they were, and every run ends in sync or says why not.
//!
//! `ONEWAY_SOAK_RUNS=500` makes it longer (CONTRIBUTING.md).

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use oneway::config::{Connection, Place};
use oneway::execute::Silent;
use oneway::ftp::connect::Timeouts;
use oneway::plan::{GuardOptions, MaxDelete};
use oneway::pool::SessionCount;
use oneway::run::{RunOptions, StateOptions, run};
use oneway::server::{Access, Faults, ServeOptions, Server};
use oneway::state::Pair;

use super::number_in;
use super::world::Random;
use crate::support::{Sandbox, differences};

/// Runs until memory is what it is.
const WARM_UP: u64 = 10;

#[test]
fn run_after_run_memory_and_open_files_stay_what_they_were() {
    let runs = number_in("ONEWAY_SOAK_RUNS").unwrap_or(20).max(WARM_UP + 1);
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.dir("source"), sandbox.dir("destination"));
    let server = Server::start(ServeOptions {
        access: Access::Write,
        faults: Some(Arc::new(Faults::default().cutting_one_in(50))),
        ..ServeOptions::new(destination.path())
    })
    .unwrap();
    let mut random = Random::new(1);
    for number in 0..100 {
        write(&source.at(format!("{number}")), &content(&mut random), 0);
    }
    let begun = (open_files(), resident_bytes());
    let (mut warm, mut in_sync) = (begun, 0);
    for number in 0..runs {
        change(source.path(), &mut random, number);
        match mirror(&sandbox, source.path(), &server.url()) {
            Ok(true) => {
                let found = differences(source.path(), destination.path(), false);
                let found: Vec<_> = found.iter().filter(|line| !line.contains(".oneway-")).collect();
                assert!(found.is_empty(), "run {number} says it is in sync: {found:#?}");
                in_sync += 1;
            }
            Ok(false) => {}
            Err(why) => panic!("run {number} failed and doesn't say why: {why}"),
        }
        if number + 1 == WARM_UP {
            warm = (settled_open_files(begun.0), resident_bytes());
        }
    }
    let (files, bytes) = (settled_open_files(warm.0), resident_bytes());
    eprintln!("{in_sync} of {runs} runs ended in sync");
    eprintln!(
        "resident: {} KiB at first, {} KiB after {WARM_UP} runs, {} KiB at the end",
        begun.1 >> 10,
        warm.1 >> 10,
        bytes >> 10
    );
    eprintln!("open files: {} at first, {} after {WARM_UP} runs, {files} at the end", begun.0, warm.0);
    assert!(in_sync * 10 >= runs * 9, "only {in_sync} of {runs} runs ended in sync");
    // With `cargo test`, other tests are in this process, too.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(files <= begun.0 + 1, "{} files were open, {files} are", begun.0);
        assert!(bytes <= warm.1 + warm.1 / 4 + (4 << 20), "{} bytes of memory became {bytes}", warm.1);
    }
}

/// Returns whether the run ended in sync; an error when it didn't and nobody says why.
fn mirror(sandbox: &Sandbox, source: &Path, url: &str) -> Result<bool, String> {
    let silence = Duration::from_secs(5);
    let timeouts = Timeouts { connect: silence, reply: silence, data: silence };
    let connection = Connection { timeouts, ..Connection::default() };
    let to = Place::parse(url).unwrap().store(&connection).unwrap();
    let from = Place::Local(source.to_owned()).store(&connection).unwrap();
    let pair = Pair { source: "a".to_owned(), destination: "b".to_owned() };
    let options = RunOptions {
        sessions: SessionCount::fixed(3),
        delete: true,
        guard: GuardOptions { max_delete: Some(MaxDelete::Percent(100)), ..GuardOptions::default() },
        state: Some(StateOptions::File { file: sandbox.path("state/receipts.sqlite"), pair }),
        first_pause: Duration::from_millis(2),
        ..RunOptions::default()
    };
    // An error of the run as a whole is a reason.
    let Ok(report) = run(&from, &to, &options, &Silent) else { return Ok(false) };
    if report.exit_status() == 0 {
        return Ok(true);
    }
    let says_why = report.outcomes.iter().any(oneway::execute::Outcome::is_failed)
        || !report.unproven.is_empty()
        || !report.troubles.is_empty()
        || report.refusal.is_some();
    if says_why { Ok(false) } else { Err(format!("{report:#?}")) }
}

fn content(random: &mut Random) -> Vec<u8> {
    let byte = random.below(256) as u8;
    vec![byte; 1 + random.below(20_000) as usize]
}

/// Writes a file as if a day passed from run to run.
fn write(path: &Path, content: &[u8], run: u64) {
    fs::write(path, content).unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000 + run * 86_400);
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// Writes, removes and renames some files.
fn change(source: &Path, random: &mut Random, run: u64) {
    for _ in 0..1 + random.below(6) {
        let file = source.join(random.below(120).to_string());
        match random.below(4) {
            0 => drop(fs::remove_file(&file)),
            1 => drop(fs::rename(&file, source.join(format!("renamed {run}")))),
            _ => write(&file, &content(random), run),
        }
    }
    write(&source.join("always"), run.to_string().as_bytes(), run);
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Waits a while until no more files are open than before: a server closes a connection when it notices its end.
fn settled_open_files(before: usize) -> usize {
    let begun = Instant::now();
    while open_files() > before && begun.elapsed() < Duration::from_secs(3) {
        thread::sleep(Duration::from_millis(20));
    }
    open_files()
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    line.and_then(|kib| kib.trim().parse::<usize>().ok()).map_or(0, |kib| kib << 10)
}
