//! What one run remembers for the next.

use std::fs;
use std::path::PathBuf;

use crate::support::{Daemon, Direction, Sandbox, Software, assert_same_tree, files, for_each_daemon};

/// A server that keeps no times but its own.
fn untimed(sandbox: &Sandbox) -> Option<Daemon> {
    Daemon::prepare(Software::Vsftpd).config("mdtm_write=NO").start(sandbox)
}

fn state_files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(sandbox.path("state").join("oneway")) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sqlite") && !path.ends_with("history.sqlite"))
        .collect()
}

#[test]
fn a_third_push_asks_nothing_about_old_files() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "hi", "sub/b.txt" => "there", "c.txt" => "years old"});
    // Of files of the last months a listing tells the minute, of older ones the day, into which many versions fit.
    let days_ago =
        (chrono::Utc::now() - chrono::Duration::days(5)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    src.set_time("a.txt", &days_ago);
    src.set_time("sub/b.txt", &days_ago);
    for questions in [0, 3, 1] {
        let output = sandbox.oneway(["sync", "-vv", &src, &daemon.url("/")]).expect_status(0);
        let asked = output.stderr.lines().filter(|line| line.contains("> MDTM /") && !line.contains(".part"));
        assert_eq!(asked.count(), questions, "{output}");
    }
    assert_eq!(daemon.transferred(Direction::In).len(), 3);
}

#[test]
fn a_server_that_keeps_no_times_never_gets_the_same_file_twice() {
    let sandbox = Sandbox::new();
    let Some(daemon) = untimed(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "version 2", "b.txt" => "b"});
    sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
    let again = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
    assert_eq!(again.changes(), [""; 0]);
    // An older version of the same size: no time is newer than the upload, and yet it's another file.
    src.write("a.txt", "version 1");
    src.set_time("a.txt", "2020-02-02T02:02:02Z");
    let output = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
    assert_eq!(output.changes(), ["replace a.txt"]);
    assert_same_tree(&src, daemon.root());
    let again = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
    assert_eq!(again.changes(), [""; 0]);
}

#[test]
fn what_somebody_changed_at_the_destination_is_called_drift() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "ours", "b.txt" => "b", "c.txt" => "c"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        daemon.root().write("a.txt", "edited by hand");
        daemon.root().set_time("a.txt", "2025-01-02T03:04:05Z");
        let diff = sandbox.oneway(["diff", "--format", "json", &src, &daemon.url("/")]).expect_status(1);
        assert_eq!(diff.changes(), ["replace a.txt"]);
        assert_eq!(diff.events("change")[0]["reason"], "drift");
        let text = sandbox.oneway(["sync", "-v", &src, &daemon.url("/")]).expect_status(0);
        assert!(
            text.stdout.contains("drift: changed at the destination since it was sent, now size 14 B"),
            "{text}"
        );
        assert_same_tree(&src, daemon.root());
        // The same size this time, and another time.
        daemon.root().write("c.txt", "x");
        daemon.root().set_time("c.txt", "2025-01-02T03:04:05Z");
        let diff = sandbox.oneway(["diff", "--format", "json", &src, &daemon.url("/")]).expect_status(1);
        assert_eq!(diff.events("change")[0]["reason"], "drift");
        assert_eq!(diff.changes(), ["replace c.txt"]);
    });
}

#[test]
fn pulled_files_are_remembered_too_and_their_source_is_believed_to_the_second() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a.txt" => "old", "b.txt" => "b"});
        let dst = sandbox.dir("dst");
        for _ in 0..3 {
            sandbox.oneway(["sync", &daemon.url("/"), &dst]).expect_status(0);
        }
        assert_eq!(daemon.transferred(Direction::Out).len(), 2);
        daemon.root().write("a.txt", "new");
        daemon.root().set_time("a.txt", "2024-05-06T07:08:30Z");
        let output = sandbox.oneway(["sync", "--format", "json", &daemon.url("/"), &dst]).expect_status(0);
        assert_eq!(output.changes(), ["replace a.txt"]);
        dst.write("b.txt", "c");
        dst.set_time("b.txt", "2026-01-01T00:00:00Z");
        let output = sandbox.oneway(["sync", "--format", "json", &daemon.url("/"), &dst]).expect_status(0);
        assert_eq!(output.events("change")[0]["reason"], "drift");
        assert_same_tree(daemon.root(), &dst);
    });
}

#[test]
fn a_state_file_that_cannot_be_used_is_set_aside_and_nothing_is_sent_for_it() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "hi", "sub/b.txt" => "there"});
    let sync = || sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
    sync();
    let file = state_files(&sandbox).pop().unwrap();
    let whole = fs::read(&file).unwrap();
    for (what, content) in [("zeros", vec![0; whole.len()]), ("truncated", whole[..whole.len() / 3].to_vec())]
    {
        fs::write(&file, content).unwrap();
        let output = sync();
        output.tells(&["state file", "set aside", "nothing of it was believed"]);
        assert_eq!(output.changes(), [""; 0], "{what}");
        assert!(!sync().stderr.contains("set aside"), "{what}: a good one was written");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(sync().changes(), [""; 0]);
    assert!(file.exists());
    assert_eq!(daemon.transferred(Direction::In).len(), 2);
}

#[test]
fn a_diff_and_a_run_without_state_write_none() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "hi"});
    sandbox.oneway(["diff", &src, &daemon.url("/")]).expect_status(1);
    sandbox.oneway(["sync", "-n", &src, &daemon.url("/")]).expect_status(0);
    sandbox.oneway(["sync", "--no-state", &src, &daemon.url("/")]).expect_status(0);
    assert_eq!(state_files(&sandbox), Vec::<PathBuf>::new());
    let file = sandbox.path("own.state");
    sandbox.oneway(["sync", "--state", file.to_str().unwrap(), &src, &daemon.url("/")]).expect_status(0);
    assert!(file.exists() && state_files(&sandbox).is_empty());
}

#[test]
fn a_state_that_cannot_be_written_is_no_reason_not_to_run() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "hi"});
    let output = sandbox.oneway(["sync", "--state", "/dev/null/x", &src, &daemon.url("/")]).expect_status(0);
    output.tells(&["note:", "this run is not remembered"]);
    assert_same_tree(&src, daemon.root());
}

#[test]
fn what_is_gone_is_forgotten() {
    let sandbox = Sandbox::new();
    let Some(daemon) = untimed(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "1", "b.txt" => "b"});
    let sync = || {
        sandbox
            .oneway(["sync", "--delete", "--format", "json", &src, &daemon.url("/")])
            .expect_status(0)
            .changes()
    };
    sync();
    src.remove("a.txt");
    assert_eq!(sync(), ["delete a.txt"]);
    src.write("a.txt", "2");
    assert_eq!(sync(), ["copy a.txt"]);
    assert_eq!(sync(), [""; 0]);
}

#[test]
fn by_checksum_a_new_time_is_no_change_and_a_changed_byte_is() {
    let sandbox = Sandbox::new();
    let Some(daemon) = untimed(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "content", "sub/b.txt" => "more content", "c" => ""});
    let changes = |options: &[&str]| {
        let url = daemon.url("/");
        let arguments = [&["sync", "--format", "json"], options, &[&src, &url]].concat();
        sandbox.oneway(arguments).expect_status(0).changes()
    };
    changes(&[]);
    for name in ["a.txt", "sub/b.txt", "c"] {
        src.set_time(name, "2026-10-01T12:00:00Z");
    }
    assert_eq!(changes(&["--compare", "checksum"]), [""; 0], "touched");
    assert_eq!(changes(&[]), [""; 0], "what was found then is remembered");
    src.add(files! {"a.txt" => "content", "sub/b.txt" => "more content", "c" => ""});
    assert_eq!(changes(&["--compare", "checksum"]), [""; 0], "a fresh copy");
    let time = src.time("sub/b.txt");
    src.write("sub/b.txt", "more c0ntent");
    src.set_time("sub/b.txt", &time);
    assert_eq!(changes(&[]), [""; 0], "neither size nor time tell");
    assert_eq!(changes(&["--compare", "checksum"]), ["replace sub/b.txt"]);
    assert_same_tree(&src, daemon.root());
}

#[test]
fn by_checksum_pulled_files_are_checked_against_what_came() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a.txt" => "content", "b.txt" => "b"});
        let dst = sandbox.dir("dst");
        let url = daemon.url("/");
        sandbox.oneway(["sync", &url, &dst]).expect_status(0);
        dst.write("a.txt", "c0ntent");
        let sync = ["sync", "--compare", "checksum", "--format", "json", &url, &dst];
        let output = sandbox.oneway(sync).expect_status(0);
        assert_eq!(output.changes(), ["replace a.txt"]);
        assert_eq!(output.events("change")[0]["reason"], "checksum");
        assert_same_tree(daemon.root(), &dst);
    });
}

#[test]
fn by_checksum_what_nobody_remembers_is_said() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "content", "b.txt" => "b"});
    daemon.root().add(files! {"a.txt" => "content", "b.txt" => "b"});
    let output = sandbox.oneway(["sync", "--compare", "checksum", &src, &daemon.url("/")]).expect_status(0);
    output.tells(&["note: 2 files have no known checksum and went by size and time"]);
    assert_eq!(daemon.transferred(Direction::In).len(), 0);
}

#[test]
fn what_is_adopted_is_not_sent() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "1", "b.txt" => "22", "new.txt" => "n"});
        daemon.root().add(files! {"a.txt" => "1", "b.txt" => "333"});
        daemon.root().set_time("a.txt", "2023-01-01T00:00:00Z");
        let output = sandbox.oneway(["sync", "--adopt", &src, &daemon.url("/")]).expect_status(0);
        output.tells(&["1 file of equal size taken as equal; 2 paths differ and were left as they are"]);
        assert_eq!(daemon.transferred(Direction::In).len(), 0);
        let output = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
        assert_eq!(output.changes(), ["copy new.txt", "replace b.txt", "touch a.txt"]);
        assert_same_tree(&src, daemon.root());
        assert_eq!(daemon.transferred(Direction::In).len(), 2);
    });
}

#[test]
fn a_server_that_computes_checksums_is_asked_for_them() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::prepare(Software::Proftpd).module("mod_digest").start(&sandbox) else {
        return;
    };
    let src = sandbox.tree("src", files! {"a.txt" => "content", "with blank" => "more", "sub/c" => ""});
    daemon.root().add(files! {"a.txt" => "c0ntent", "with blank" => "more", "sub/c" => ""});
    daemon.root().set_time("with blank", "2023-01-01T00:00:00Z");
    let sync = ["sync", "-vv", "--no-state", "--compare", "checksum", "--format", "json"];
    let output = sandbox.oneway([&sync[..], &[&src, &daemon.url("/")]].concat()).expect_status(0);
    assert_eq!(output.changes(), ["replace a.txt", "touch with blank"]);
    let replaced = output.events("change").into_iter().find(|change| change["action"] == "replace");
    assert_eq!(replaced.expect("it is among the changes")["reason"], "checksum");
    assert_eq!(daemon.root().time("with blank"), src.time("with blank"));
    assert!(output.stderr.contains("> HASH /with blank"), "{output}");
    assert!(!output.stderr.contains("no known checksum"), "{output}");
    assert_same_tree(&src, daemon.root());
    // The other way round, and something is different now.
    daemon.root().write("a.txt", "c1ntent");
    let output = sandbox.oneway([&sync[..], &[&daemon.url("/"), &src]].concat()).expect_status(0);
    assert_eq!(output.changes(), ["replace a.txt"]);
    assert_same_tree(&src, daemon.root());
}

#[test]
fn what_looser_options_let_pass_is_no_receipt_for_stricter_ones() {
    for_each_daemon(|daemon, sandbox| {
        let loose = [&["--modify-window", "1h"][..], &["--no-times"], &["--compare", "size"]];
        for (i, loose) in loose.into_iter().enumerate() {
            let src = sandbox.tree(&format!("src{i}"), files! {"f" => "aaaa"});
            daemon.root().add(files! {format!("{i}/f") => "bbbb"});
            daemon.root().set_time(format!("{i}/f"), "2024-05-06T07:38:09Z");
            let url = daemon.url(&format!("/{i}"));
            sandbox.oneway([&["sync"], loose, &[&src, &url]].concat()).expect_status(0);
            assert_eq!(daemon.root().read(format!("{i}/f")), b"bbbb");
            sandbox.oneway(["sync", &src, &url]).expect_status(0);
            assert_eq!(daemon.root().read(format!("{i}/f")), b"aaaa", "{loose:?}");
        }
    });
}

#[test]
fn files_sent_without_their_times_get_them_from_a_later_run() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"f" => "aaaa"});
        sandbox.oneway(["sync", "--no-times", &src, &daemon.url("/")]).expect_status(0);
        let output = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
        assert_eq!(output.changes(), ["replace f"]);
        assert_eq!(daemon.root().time("f"), src.time("f"));
    });
}

#[test]
fn another_version_of_the_same_day_and_size_is_seen() {
    for_each_daemon(|daemon, sandbox| {
        let (a, b) = (sandbox.tree("a", files! {"f" => "AAAA"}), sandbox.tree("b", files! {"f" => "BBBB"}));
        b.set_time("f", "2024-05-06T11:00:00Z");
        for from in [&a, &a, &b, &a] {
            sandbox.oneway(["sync", from, &daemon.url("/")]).expect_status(0);
        }
        assert_eq!(daemon.root().read("f"), b"AAAA");
    });
}

#[test]
fn a_change_within_the_window_is_none_with_receipts_either() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"f" => "aaaa"});
        for _ in 0..2 {
            sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        }
        src.set_time("f", "2024-05-06T07:08:10Z");
        sandbox.oneway(["diff", "--modify-window", "1h", &src, &daemon.url("/")]).expect_status(0);
        sandbox.oneway(["diff", &src, &daemon.url("/")]).expect_status(1);
    });
}

#[test]
fn a_diff_leaves_nothing_beside_the_state() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "hi"});
    sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
    sandbox.oneway(["diff", &src, &daemon.url("/")]).expect_status(0);
    // And the lock of the destination, which stays, and the history.
    assert_eq!(fs::read_dir(sandbox.path("state").join("oneway")).unwrap().count(), 3);
}

#[test]
fn a_file_of_something_else_is_no_state() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.tree("src", files! {"a.txt" => "hi"});
    let notes = sandbox.path("notes.txt");
    fs::write(&notes, "buy milk").unwrap();
    let output =
        sandbox.oneway(["sync", "--state", notes.to_str().unwrap(), &src, &daemon.url("/")]).expect_status(0);
    output.tells(&["note:", "notes.txt", "this run is not remembered"]);
    assert_eq!(fs::read(&notes).unwrap(), b"buy milk");
}
