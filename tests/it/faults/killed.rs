//! `kill -9` at any moment: what was finished is whole and is not sent again, and one run does the rest.
//!
//! `ONEWAY_KILLS=20` kills twenty times, with 2,000 files and one of 1 GB (CONTRIBUTING.md).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use oneway::server::{Access, ServeOptions, Server};
use walkdir::WalkDir;

use super::number_in;
use super::world::Random;
use crate::support::{Daemon, Dir, Sandbox, differences};

struct Size {
    kills: u64,
    files: u64,
    large_bytes: u64,
    /// No kill comes later than this many milliseconds after the start.
    within: u64,
}

fn size() -> Size {
    match number_in("ONEWAY_KILLS") {
        Some(kills) => Size { kills, files: 2_000, large_bytes: 1_000_000_000, within: 3_000 },
        None => Size { kills: 3, files: 200, large_bytes: 20_000_000, within: 250 },
    }
}

#[test]
fn a_push_to_the_embedded_server_that_is_killed_is_finished_by_the_next_run() {
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.dir("source"), sandbox.dir("destination"));
    let server = serve(&destination);
    kill_and_finish(&sandbox, &source, &destination, &source, &server.url());
}

#[test]
fn a_pull_from_the_embedded_server_that_is_killed_is_finished_by_the_next_run() {
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.dir("source"), sandbox.dir("destination"));
    let server = serve(&source);
    kill_and_finish(&sandbox, &source, &destination, &server.url(), &destination);
}

#[test]
fn a_push_to_vsftpd_that_is_killed_is_finished_by_the_next_run() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let source = sandbox.dir("source");
    kill_and_finish(&sandbox, &source, daemon.root(), &source, &daemon.url("/"));
}

#[test]
fn a_pull_from_vsftpd_that_is_killed_is_finished_by_the_next_run() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let destination = sandbox.dir("destination");
    kill_and_finish(&sandbox, daemon.root(), &destination, &daemon.url("/"), &destination);
}

fn serve(dir: &Dir) -> Server {
    Server::start(ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) }).unwrap()
}

fn kill_and_finish(sandbox: &Sandbox, source: &Dir, destination: &Dir, from: &str, to: &str) {
    let size = size();
    for number in 0..size.files {
        source.write(format!("{}/{number}.txt", number % 20), format!("file {number} ").repeat(50));
    }
    source.write("large", "");
    fill(&source.at("large"), size.large_bytes);
    source.set_time("large", crate::support::LONG_AGO);
    let all: u64 = sizes(source).values().sum();

    let seed = u64::from(std::process::id());
    let mut random = Random::new(seed);
    let mut sent = 0;
    let arguments = ["sync", "--format", "json", "-j", "4", from, to];
    for _ in 0..size.kills {
        let before: u64 = missing(source, destination);
        let running = sandbox.command(arguments).start();
        thread::sleep(Duration::from_millis(random.below(size.within)));
        running.signal("KILL");
        drop(running.finish().any_status());
        assert_all_whole(source, destination);
        sent += before - missing(source, destination);
    }
    let left = missing(source, destination);
    let limit = Duration::from_secs(600);
    let summary = sandbox.command(arguments).time_limit(limit).run().expect_status(0).summary();
    let bytes = summary["bytes"].as_u64().expect("bytes are a number");
    eprintln!("{all} bytes: {sent} were there after {} kills, {bytes} were sent then", size.kills);
    assert!(bytes <= left, "{bytes} bytes were sent, of which {left} were missing (seed {seed})");
    let found = differences(source.path(), destination.path(), true);
    assert!(found.is_empty(), "{found:#?} (seed {seed})");
    let again = sandbox.oneway(arguments).expect_status(0);
    assert_eq!(again.changes(), [""; 0]);
}

/// Returns the sizes of the files of a tree but for temporary ones.
fn sizes(dir: &Dir) -> BTreeMap<PathBuf, u64> {
    let entries = WalkDir::new(dir.path()).into_iter().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with(".oneway-"))
        .map(|entry| {
            let path = entry.path().strip_prefix(dir.path()).unwrap().to_owned();
            (path, entry.metadata().unwrap().len())
        })
        .collect()
}

/// Returns how many bytes of the source the destination doesn't have.
fn missing(source: &Dir, destination: &Dir) -> u64 {
    let there = sizes(destination);
    sizes(source).iter().filter(|(path, _)| !there.contains_key(*path)).map(|(_, bytes)| bytes).sum()
}

/// Asserts that what has its final name has its content, too. A server may still be at work for a session that is gone.
fn assert_all_whole(source: &Dir, destination: &Dir) {
    let whole = sizes(source);
    for (path, bytes) in sizes(destination) {
        assert_eq!(Some(&bytes), whole.get(&path), "{path:?} is half, or another file");
        if bytes < 1_000_000 {
            assert!(
                fs::read(source.at(&path)).unwrap() == fs::read(destination.at(&path)).unwrap(),
                "{path:?}"
            );
        }
    }
}

/// Writes content that is different at each place.
fn fill(path: &Path, bytes: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..bytes / 8 {
        file.write_all(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}
