//! One run at a time to a destination: on one machine by a file, from several by a lock on the server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{
    Daemon, Dir, Running, Sandbox, ScriptServer, Software, assert_same_tree, files, for_each_known_daemon,
    snapshot,
};

const LOCK: &str = ".oneway-lock";

/// A source whose sending takes some seconds at [`SLOWLY`].
fn slow_source(sandbox: &Sandbox, name: &str) -> Dir {
    let src = sandbox.dir(name);
    for i in 0..8 {
        src.write(format!("f{i}"), [i; 100_000]);
    }
    src
}

const SLOWLY: [&str; 3] = ["sync", "--bwlimit", "200k"];

/// So slowly that a busy machine does the rest of a test meanwhile; to be stopped.
const VERY_SLOWLY: [&str; 3] = ["sync", "--bwlimit", "20k"];

/// Starts a run and waits until something of it is at the destination.
fn started(sandbox: &Sandbox, options: &[&str], from: &str, to: &str, there: &Path) -> Running {
    started_so(&SLOWLY, sandbox, options, [from, to], there)
}

fn started_so(how: &[&str], sandbox: &Sandbox, options: &[&str], ends: [&str; 2], there: &Path) -> Running {
    let running = sandbox.command([how, options, &ends].concat()).start();
    wait_until("something arrives", || {
        let entries = fs::read_dir(there).map(|entries| entries.flatten().map(|entry| entry.file_name()));
        entries.is_ok_and(|mut names| names.any(|name| name.to_string_lossy().ends_with(".part")))
    });
    running
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_second_run_to_a_destination_is_refused_and_told_who_is_at_it() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::proftpd(&sandbox) else { return };
    let (src, other) = (slow_source(&sandbox, "src"), sandbox.tree("other", files! {"x" => "x"}));
    let url = daemon.url("/site");
    let running = started(&sandbox, &[], &src, &url, daemon.root().at("site").as_path());
    let pid = format!("pid {}", running.id());
    let same = daemon.url("/site/");
    let before = daemon.log().matches("USER").count();
    for (source, options) in [(&src, &["--no-state"][..]), (&other, &[])] {
        let arguments = [&["sync", "--format", "json"], options, &[source, &*same]].concat();
        let output = sandbox.oneway(arguments).expect_status(6);
        output.tells(&["another run to ftp://", "is under way: ", &pid, ", since 20", "nothing was done"]);
        assert_eq!(output.stderr.lines().count(), 1, "{output}");
        assert_eq!(output.summary()["exit"], 6);
    }
    assert_eq!(daemon.log().matches("USER").count(), before, "it was not even connected to");
    // Nobody is in the way of those who change nothing, or who go elsewhere.
    sandbox.oneway(["diff", &other, &url]).expect_status(1);
    sandbox.oneway(["sync", "-n", &src, &url]).expect_status(0);
    sandbox.oneway(["sync", &other, &daemon.url("/elsewhere")]).expect_status(0);
    running.finish().expect_status(0);
    sandbox.oneway(["sync", &src, &url]).expect_status(0);
    assert_same_tree(&src, daemon.root().dir("site"));
}

#[test]
fn a_run_that_is_killed_leaves_no_lock() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let (dst, root) = (sandbox.dir("dst"), slow_source(&sandbox, "there"));
    for name in ["f0", "f1", "f2", "f3"] {
        daemon.root().write(name, root.read(name));
    }
    let url = daemon.url("/");
    let running = started(&sandbox, &[], &url, &dst, dst.path());
    // A local destination by another way there is the same one.
    symlink(dst.path(), sandbox.path("by a link")).unwrap();
    let by_link = sandbox.path("by a link");
    sandbox.oneway(["sync", &url, by_link.to_str().unwrap()]).expect_status(6);
    running.signal("KILL");
    let _ = running.finish();
    sandbox.oneway(["sync", &url, &dst]).expect_status(0);
    assert_eq!(dst.read("f3"), root.read("f3"));
}

#[test]
fn a_state_file_that_was_named_is_locked_beside_it() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::proftpd(&sandbox) else { return };
    let src = slow_source(&sandbox, "src");
    let (state, url) = (sandbox.path("shared.state"), daemon.url("/"));
    let option = ["--state", state.to_str().unwrap()];
    let running = started(&sandbox, &option, &src, &url, daemon.root().path());
    // Another user, as far as the lock is concerned.
    let elsewhere = sandbox.path("another home");
    let arguments = [&["sync"], &option[..], &[&src, &url]].concat();
    let second = sandbox.command(arguments).env("XDG_STATE_HOME", &elsewhere).run();
    second.expect_status(6).tells(&["is under way: pid"]);
    running.signal("INT");
    running.finish().expect_status(130);
}

#[test]
fn a_lock_that_cannot_be_had_is_told_and_no_reason_not_to_run() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a" => "a"});
    fs::set_permissions(src.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = sandbox.path("file");
    fs::write(&file, "no directory").unwrap();
    let run =
        sandbox.command(["sync", "--no-state", &src, &daemon.url("/")]).env("XDG_STATE_HOME", &file).run();
    run.expect_status(0)
        .tells(&["note: cannot lock ", "another run to the same destination would not be noticed"]);
    assert_eq!(snapshot(daemon.root()), "a = \"a\"\n");
}

#[test]
fn a_lock_in_the_mirror_is_no_part_of_it() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a" => "a", ".local/state/b" => "b"});
    let home = src.at(".local/state");
    let url = daemon.url("/");
    sandbox.command(["sync", &src, &url]).env("XDG_STATE_HOME", &home).run().expect_status(0);
    assert!(home.join("oneway").exists());
    let found = snapshot(daemon.root());
    assert!(!found.contains(".lock") && !found.contains(".sqlite"), "{found}");
}

fn lock_of(root: &Dir) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.at(LOCK)) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn machines_that_lock_a_server_come_one_after_the_other() {
    for_each_known_daemon(|daemon, here| {
        let elsewhere = Sandbox::new();
        let (src, other) = (slow_source(here, "src"), elsewhere.tree("src", files! {"x" => "x"}));
        let url = daemon.url("/");
        let running = started_so(&VERY_SLOWLY, here, &["--remote-lock"], [&src, &url], daemon.root().path());
        assert_eq!(lock_of(daemon.root()).len(), 1);
        let output = elsewhere.oneway(["sync", "--delete", "--remote-lock", &other, &url]).expect_status(6);
        output.tells(&["another run is under way: pid ", &running.id().to_string(), "since 20"]);
        // Who takes no lock isn't kept, and leaves it alone.
        let free = ["sync", "--delete", "--max-delete", "100%", &other, &url];
        elsewhere.oneway(free).expect_status(0);
        assert_eq!(lock_of(daemon.root()).len(), 1);
        running.signal("INT");
        running.finish().expect_status(130);
        let output =
            elsewhere.oneway(["sync", "--delete", "--max-delete", "100%", "--remote-lock", &other, &url]);
        output.expect_status(0);
        // What the stopped run left of its files is for its own next run to remove.
        let there = snapshot(daemon.root());
        let there: Vec<_> = there.lines().filter(|line| !line.contains(".part = ")).collect();
        assert_eq!(there, ["x = \"x\""]);
    });
}

#[test]
fn a_lock_that_was_left_is_taken_over() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "a"});
        // Of each scale, and of a server that told no time.
        for until in ["u1000000000", "l1000000000", "x"] {
            let name = format!("{LOCK}/00000000000000aa.7.123.1000000000.1.{until}.build-3");
            fs::create_dir_all(daemon.root().at(&name)).unwrap();
            own(daemon.root(), LOCK);
            let output = sandbox.oneway(["sync", "--remote-lock", &src, &daemon.url("/")]).expect_status(0);
            output.tells(&["note: the lock was taken over", "pid 123 on build-3"]);
            assert_eq!(snapshot(daemon.root()), "a = \"a\"\n", "{until}");
        }
    });
}

/// Gives what is below a directory to who owns that.
fn own(root: &Dir, name: &str) {
    let mut command = std::process::Command::new("chown");
    command.arg("-R").arg(format!("--reference={}", root.path().display())).arg(root.at(name));
    assert!(command.status().unwrap().success());
}

#[test]
fn a_lock_is_released_when_a_run_is_stopped() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = slow_source(sandbox, "src");
        let running = started(sandbox, &["--remote-lock"], &src, &daemon.url("/"), daemon.root().path());
        running.signal("INT");
        let asked = Instant::now();
        running.finish().expect_status(130);
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert!(!daemon.root().has(LOCK));
    });
}

#[test]
fn a_server_that_allows_one_session_is_locked_by_that_one() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(software).max_clients(1).start(&sandbox) else { continue };
        let src = sandbox.dir("src");
        for number in 0..20 {
            src.write(format!("{number}.txt"), number.to_string());
        }
        let run = sandbox.oneway(["sync", "-j", "8", "--remote-lock", &src, &daemon.url("/")]);
        let output = run.expect_status(0);
        output.tells(&["note: ", "allows no more than 1 session"]);
        assert_same_tree(&src, daemon.root());
    }
}

#[test]
fn one_session_is_enough_where_a_server_allows_no_more() {
    for (software, limit) in [
        (Software::Vsftpd, "max_per_ip=1"),
        (Software::Proftpd, "MaxClientsPerHost 1 \"421 too many from you\""),
    ] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(software).config(limit).start(&sandbox) else { continue };
        let src = sandbox.dir("src");
        for number in 0..20 {
            src.write(format!("{number}.txt"), number.to_string());
        }
        let output = sandbox.oneway(["sync", "-j", "8", &src, &daemon.url("/")]).expect_status(0);
        output.tells(&["note: ", "allows no more than 1 session"]);
        assert_same_tree(&src, daemon.root());
    }
}

#[test]
fn a_lock_that_is_lost_ends_the_run_before_it_changes_more() {
    // The second renaming of a claim is the first renewal, and the server has given the lock to somebody else.
    let script = "on RNFR *lock/*\n< 550 gone\non MLSD *lock\n< 150 here\ndata send \"type=dir; 00000000000000aa.1.5.1.300.x.other\\r\\n\"\ndata close\n< 226 done\nonce MLSD *lock\nnormally";
    let sandbox = Sandbox::new();
    let server = ScriptServer::plain(files! {}, script);
    let src = sandbox.tree("src", files! {"a" => "a"});
    let output = sandbox.oneway(["sync", "--remote-lock", &src, &server.url("/")]).expect_status(6);
    output.tells(&["cannot keep the lock of ftp://", "it was taken over by pid 5 on other"]);
    let transcript = server.finish();
    assert_eq!(transcript.sent(&["STOR", "DELE"]), [""; 0], "{:?}", transcript.lines());
}

#[test]
fn a_server_that_makes_no_lock_is_a_reason_not_to_run() {
    let sandbox = Sandbox::new();
    let server = ScriptServer::plain(files! {}, "on MKD\n< 550 no");
    let src = sandbox.tree("src", files! {"a" => "a"});
    let output = sandbox.oneway(["sync", "--remote-lock", &src, &server.url("/")]).expect_status(4);
    output.tells(&["cannot create `.oneway-lock`", "550 no"]);
    assert_eq!(server.finish().tree(), "");
}

#[test]
fn a_local_destination_has_no_lock_on_a_server() {
    let sandbox = Sandbox::new();
    let dst = sandbox.dir("dst");
    let run = sandbox.oneway(["sync", "--remote-lock", "ftp://127.0.0.1:1/", &dst]);
    run.expect_status(2).tells(&["--remote-lock", "DST is a local directory"]);
}
