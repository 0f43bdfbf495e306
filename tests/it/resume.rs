//! Runs that are killed or stopped in the middle of a large file, against real servers: what is there of it is gone on with.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    Daemon, Dir, Running, Sandbox, Software, assert_same_tree_and_times, files, for_each_known_daemon,
};

const SIZE: usize = 8 << 20;

/// How much there is of it when the run is ended, at least.
const BEGUN: u64 = 2 << 20;

/// Content that is different at each place.
fn content() -> Vec<u8> {
    (0..SIZE as u32 / 4).flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect()
}

/// Returns how long the temporary files in a directory are.
fn leftovers(dir: &Dir) -> Vec<u64> {
    let entries = fs::read_dir(dir.path()).expect("it is readable").map(|entry| entry.expect("it is there"));
    let is_temporary = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".part");
    entries.filter(is_temporary).filter_map(|entry| Some(entry.metadata().ok()?.len())).collect()
}

/// Waits until so much of the file is there.
fn wait_for(bytes: u64, destination: &Dir) {
    let begun = Instant::now();
    while leftovers(destination).iter().all(|&there| there < bytes) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing comes");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a run by this signal once enough of the file is there.
fn interrupt(run: Running, signal: &str, destination: &Dir) {
    wait_for(BEGUN, destination);
    run.signal(signal);
    let _ = run.finish().any_status();
}

/// Begins, interrupts, and ends a mirror from one to the other.
fn twice(sandbox: &Sandbox, (from, to): (&str, &str), signal: &str, (source, destination): (&Dir, &Dir)) {
    let first = sandbox.command(["sync", "--bwlimit", "8M", from, to]).start();
    interrupt(first, signal, destination);
    let kept = leftovers(destination);
    assert!(kept.len() == 1 && kept[0] >= BEGUN, "{signal}: {kept:?}");
    let output = sandbox.oneway(["sync", "-vv", "--format", "json", from, to]).expect_status(0);
    assert_same_tree_and_times(source, destination);
    let bytes = output.summary()["bytes"].as_u64().expect("it is a number");
    let all = SIZE as u64 + 1;
    // A server's process may have written on for a moment.
    assert!(bytes >= 1 && bytes <= all - kept[0], "{signal}: {bytes} of {all} bytes, {kept:?} were there");
    assert!(output.stderr.contains("> REST "), "{signal}: {output}");
}

#[test]
fn a_push_that_was_killed_or_stopped_goes_on_in_the_next_run() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"large" => content(), "small" => "s"});
        for signal in ["KILL", "INT"] {
            twice(sandbox, (&src, &daemon.url("/")), signal, (&src, daemon.root()));
            daemon.root().remove("large");
            daemon.root().remove("small");
        }
    });
}

#[test]
fn a_pull_that_was_killed_or_stopped_goes_on_in_the_next_run() {
    for_each_known_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"large" => content(), "small" => "s"});
        for signal in ["KILL", "INT"] {
            let dst = sandbox.dir(signal);
            twice(sandbox, (&daemon.url("/"), &dst), signal, (daemon.root(), &dst));
        }
    });
}

#[test]
fn a_file_arrives_over_a_line_that_breaks() {
    for_each_known_daemon(|daemon, sandbox| {
        let (src, dst) = (sandbox.tree("src", files! {"large" => content()}), sandbox.dir("dst"));
        let (here, there, url) = (src.to_string(), dst.to_string(), daemon.url("/"));
        for (from, to, destination) in [(&here, &url, daemon.root()), (&url, &there, &dst)] {
            let options = ["-vv", "--retries", "3", "--bwlimit", "8M", "--format", "json"];
            let run =
                sandbox.command(["sync"].iter().chain(&options).copied().chain([&**from, &**to])).start();
            for times in [1, 2] {
                wait_for(times * BEGUN, destination);
                daemon.hang_up();
            }
            let output = run.finish().expect_status(0);
            assert_same_tree_and_times(
                from.strip_prefix("ftp").map_or(&*src, |_| daemon.root()),
                destination,
            );
            assert_eq!(output.summary()["bytes"], SIZE, "{output}");
            assert!(output.stderr.contains("> REST "), "{output}");
            let all = output.events("done")[0]["tries"].as_u64().expect("it is a number");
            assert!(all > 1, "{output}");
        }
    });
}

/// ProFTPD's defaults, or its other ways of refusing.
#[test]
fn a_server_that_lets_nobody_go_on_gets_the_file_whole() {
    for refusal in ["<Directory /**>\nAllowStoreRestart off\n</Directory>", "HiddenStores on"] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(Software::Proftpd).config(refusal).start(&sandbox) else { return };
        let src = sandbox.tree("src", files! {"large" => content(), "small" => "s"});
        let first = sandbox.command(["sync", "--bwlimit", "8M", &src, &daemon.url("/")]).start();
        if refusal.starts_with("Hidden") {
            // Nothing is to be seen of a file before it is whole, and what was broken off is removed.
            thread::sleep(Duration::from_millis(500));
            first.signal("KILL");
            let _ = first.finish().any_status();
        } else {
            interrupt(first, "KILL", daemon.root());
        }
        let output = sandbox
            .oneway(["sync", "-vv", "--retries", "0", "--format", "json", &src, &daemon.url("/")])
            .expect_status(0);
        assert_eq!(output.summary()["bytes"], SIZE + 1, "{refusal}: {output}");
        assert_same_tree_and_times(&src, daemon.root());
    }
}

#[test]
fn leftovers_of_others_stay_until_they_are_a_day_old() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "a"});
        let of = |began: &str, serial: u32| {
            format!(".oneway-00000000000000ff-other-{began}00000000-0-{serial}.part")
        };
        // From 2024, and from a time that is still to come.
        let (old, young) = ("66388000", "ffffffff");
        daemon.root().add(files! {
            format!("gone/{}", of(old, 1)) => "x", format!("gone/deep/{}", of(old, 2)) => "x",
            format!("kept/{}", of(young, 1)) => "x", format!("kept/{}", of(old, 3)) => "x",
            "kept/.oneway-old-1.part" => "x", of(old, 4) => "x",
        });
        let options = ["sync", "--delete", "--format", "json", "--listing", "list"];
        let output =
            sandbox.oneway(options.iter().copied().chain([&*src, &*daemon.url("/")])).expect_status(0);
        output.tells(&["note: 4 leftovers of earlier runs removed"]);
        let mut changes = output.changes();
        changes.sort();
        assert_eq!(changes, ["copy a", "delete_dir gone", "delete_dir gone/deep"]);
        let kept =
            format!("a = \"a\"\nkept/\nkept/{} = \"x\"\nkept/.oneway-old-1.part = \"x\"\n", of(young, 1));
        assert_eq!(crate::support::snapshot(daemon.root()), kept);
    });
}
