//! Plans for several machines whose files get their names together.

use super::{DIR, is_temporary, names, outcomes, plan, serve, trees, wait_until};
use crate::support::{
    Daemon, Dir, Direction, Sandbox, Software, assert_same_tree_and_times, files, snapshot,
};

/// Returns the temporary files of a tree, and what else it has but for directories.
fn parted(dir: &Dir) -> (Vec<String>, Vec<String>) {
    let lines: Vec<String> = snapshot(dir).lines().map(str::to_owned).collect();
    let files = lines.into_iter().filter(|line| !line.ends_with('/'));
    files.partition(|line| {
        is_temporary(line.split(" = ").next().and_then(|path| path.rsplit('/').next()).unwrap())
    })
}

fn password_of(url: &str) -> String {
    let password = url.split(['@', ':']).nth(2).unwrap();
    percent_encoding::percent_decode_str(password).decode_utf8().unwrap().into_owned()
}

fn delayed_on(daemon: &Daemon, sandbox: &Sandbox) {
    let (src, old) = trees(sandbox);
    let there = daemon.root().dir("there");
    for name in ["gone/x", "old", "room", "same"] {
        there.write(name, std::fs::read(old.at(name)).unwrap());
    }
    src.write("same", "changed");
    let (_, before) = parted(&there);
    let url = daemon.url("/there");
    let plain = password_of(&url);
    plan(sandbox, 3, &["--delay-updates", "--last", "*.html", &src, &url]);
    let apply = |part: &[&str]| {
        let words = [&["apply", DIR, "--format", "json"], part].concat();
        sandbox.command(words).env("ONEWAY_PASSWORD", &plain)
    };
    apply(&["--stage", "first"]).start().finish().expect_status(0);
    let running = ["1", "2", "3"].map(|shard| apply(&["--shard", shard]).start());
    let mut sent = 0;
    for shard in running {
        let output = shard.finish().expect_status(0);
        let done = output.events("done").len();
        output
            .tells(&[&format!("note: {done} files are there under a temporary name, until the last stage")]);
        sent += done;
    }
    assert_eq!(sent, 26, "but for what is to be below a file that is in the way");
    let (held, seen) = parted(&there);
    assert_eq!((held.len(), &seen), (26, &before), "nobody sees a change");
    let merge = |status| {
        let words = ["plan", "merge", DIR, "--format", "json"];
        sandbox.oneway(words).expect_status(status)
    };
    let merged = merge(3);
    merged.tells(&["stage last was not applied"]);
    assert_eq!((merged.events("done").len(), merged.events("failed").len()), (4, 32), "{merged}");
    // Somebody has taken one away, and spoiled another.
    let [gone, spoiled] = [&held[3], &held[7]].map(|line| line.split(" = ").next().unwrap());
    std::fs::remove_file(there.at(gone)).unwrap();
    there.write(spoiled, "not what was sent");
    apply(&["--stage", "last"]).start().finish().expect_status(0);
    std::fs::remove_file(there.at(spoiled)).unwrap();
    assert_same_tree_and_times(&src, &there);
    assert_eq!(daemon.transferred(Direction::In).len(), 26 + 1 + 2, "each once, but for those two");
    let merged = merge(0);
    assert_eq!(merged.events("done").len(), 36, "{merged}");
    assert_eq!(merged.summary()["changes"]["copy"].as_u64(), Some(26), "{merged}");
    assert!(!merged.stdout.contains("temporary name"), "{merged}");
    sandbox.oneway(["diff", "--delete", "-vv", &src, &url]).expect_status(0);
    assert!(outcomes(sandbox, "last").contains(&"done replace same".to_owned()));
    apply(&["--shard", "1"]).start().finish().expect_status(0);
}

#[test]
fn shares_send_and_the_last_stage_gives_all_files_their_names_on_vsftpd() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    delayed_on(&daemon, &sandbox);
}

#[test]
fn shares_send_and_the_last_stage_gives_all_files_their_names_on_proftpd() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::proftpd(&sandbox) else { return };
    delayed_on(&daemon, &sandbox);
}

#[test]
fn what_is_killed_is_begun_again_and_no_file_that_waits_is_lost() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"d/f00" => "old", "gone" => "x"});
    let src = sandbox.dir("src");
    for i in 0..60 {
        src.write(format!("d/f{i:02}"), vec![b'x'; 20_000 + i]);
    }
    let server = serve(&there);
    plan(&sandbox, 2, &["--delay-updates", &src, &server.url()]);
    let (_, before) = parted(&there);
    sandbox.oneway(["apply", DIR, "--stage", "first"]).expect_status(0);
    sandbox.oneway(["apply", DIR, "--shard", "1"]).expect_status(0);
    let held_by_first = parted(&there).0.len();
    let slow = ["apply", DIR, "--shard", "2", "--bwlimit", "800k", "--progress", "never"];
    let shard = sandbox.command(slow).start();
    wait_until("the second sends some", || {
        names(&there, "d").iter().filter(|name| is_temporary(name)).count() > held_by_first + 5
    });
    shard.signal("KILL");
    drop(shard.finish().any_status());
    assert_eq!(parted(&there).1, before);
    sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(5).tells(&["comes after shard 2/2"]);
    sandbox.oneway(["apply", DIR, "--shard", "2"]).expect_status(0);
    let (held, seen) = parted(&there);
    assert_eq!((held.len(), seen), (60, before), "each waits once, and those of the other share still do");
    // All of the rest in one go, by the word for all.
    let output = sandbox.oneway(["apply", DIR, "-n"]).expect_status(0);
    assert!(output.stdout.contains("would change: 59 new files, 1 replaced, 1 deleted"), "{output}");
    sandbox.oneway(["apply", DIR]).expect_status(0);
    assert_same_tree_and_times(&src, &there);
    let merged = sandbox.oneway(["plan", "merge", DIR, "--format", "json"]).expect_status(0);
    let bytes: u64 = (0..60).map(|i| 20_000 + i).sum();
    assert_eq!(
        (merged.events("done").len(), merged.summary()["bytes"].as_u64()),
        (61, Some(bytes)),
        "{merged}"
    );
    sandbox.oneway(["diff", "--delete", &src, &server.url()]).expect_status(0);
}

#[test]
fn a_file_that_vanishes_under_a_share_keeps_nothing_from_its_name() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"b" => "old"});
    let src = sandbox.tree("src", files! {"b" => "new b", "z" => "soon gone"});
    src.write("a", vec![b'a'; 400_000]);
    let server = serve(&there);
    plan(&sandbox, 1, &["--delay-updates", &src, &server.url()]);
    sandbox.oneway(["apply", DIR, "--stage", "first"]).expect_status(0);
    let slow = ["apply", DIR, "--shard", "1", "-j", "1", "--bwlimit", "200k", "--progress", "never"];
    let shard = sandbox.command(slow).start();
    wait_until("it sends something", || names(&there, "").iter().any(|name| is_temporary(name)));
    src.remove("z");
    shard.finish().expect_status(0).tells(&["`z` vanished"]);
    sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(0);
    let merged = sandbox.oneway(["plan", "merge", DIR, "--format", "json"]).expect_status(0);
    assert_eq!((merged.events("done").len(), merged.events("failed").len()), (2, 0), "{merged}");
    assert_same_tree_and_times(&src, &there);
}

#[test]
fn a_file_that_is_taken_away_at_the_last_moment_is_no_file_that_got_its_name() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"a" => "old a"});
    let src = sandbox.tree("src", files! {"a" => "new a"});
    src.write("z", vec![b'z'; 400_000]);
    src.set_time("a", "2025-01-01T00:00:00Z");
    let server = serve(&there);
    plan(&sandbox, 1, &["--delay-updates", &src, &server.url()]);
    sandbox.oneway(["apply", DIR, "--stage", "first"]).expect_status(0);
    sandbox.oneway(["apply", DIR, "--shard", "1"]).expect_status(0);
    let (held, _) = parted(&there);
    let [of_a, of_z] = ["new a", "400000 bytes"].map(|content| {
        let line = held.iter().find(|line| line.contains(content)).unwrap();
        line.split(" = ").next().unwrap().to_owned()
    });
    // It has to send one again, and has listed the other.
    there.remove(&of_z);
    let slow = ["apply", DIR, "--stage", "last", "--bwlimit", "200k", "--progress", "never"];
    let last = sandbox.command(slow).start();
    wait_until("it sends again", || parted(&there).0.iter().any(|line| !held.contains(line)));
    there.remove(&of_a);
    last.finish().expect_status(3).tells(&["`a`"]);
    assert_eq!(there.read("a"), b"old a");
    sandbox.oneway(["plan", "merge", DIR]).expect_status(3);
    sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(0);
    assert_same_tree_and_times(&src, &there);
    sandbox.oneway(["plan", "merge", DIR]).expect_status(0);
}

#[test]
fn a_server_that_hides_dot_files_is_sent_nothing_twice() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::prepare(Software::Vsftpd).config("hide_file={.*}\n").start(&sandbox) else {
        return;
    };
    let there = daemon.root().dir("there");
    there.write("d/f0", "old");
    let src = sandbox.dir("src");
    for i in 0..20 {
        src.write(format!("d/f{i}"), format!("new {i}"));
    }
    let url = daemon.url("/there");
    let plain = password_of(&url);
    plan(&sandbox, 2, &["--delay-updates", &src, &url]);
    let words = ["apply", DIR];
    sandbox.command(words).env("ONEWAY_PASSWORD", &plain).start().finish().expect_status(0);
    assert_same_tree_and_times(&src, &there);
    assert_eq!(daemon.transferred(Direction::In).len(), 20);
}

#[test]
fn what_is_replaced_is_set_aside_by_the_last_stage_alone() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"a" => "old a", "b" => "old b"});
    let src = sandbox.tree("src", files! {"a" => "new a!", "b" => "new b!"});
    let server = serve(&there);
    plan(&sandbox, 2, &["--delay-updates", "--backup-dir", "/.old", &src, &server.url()]);
    for part in [&["--stage", "first"][..], &["--shard", "1"], &["--shard", "2"]] {
        let output = sandbox.oneway([&["apply", DIR], part].concat()).expect_status(0);
        assert!(!there.has(".old") && !output.stderr.contains("oneway undo"), "{output}");
    }
    sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(0).tells(&["puts it back"]);
    assert_eq!(there.read("a"), b"new a!");
    let backups = names(&there, ".old");
    assert_eq!(backups.len(), 1, "{backups:?}");
    let backup = format!("{}.old/{}", server.url(), backups[0]);
    sandbox.oneway(["undo", &backup]).expect_status(0);
    assert_eq!([there.read("a"), there.read("b")], [b"old a", b"old b"]);
}

#[test]
fn a_place_that_a_killed_try_has_cleared_is_taken_by_the_next() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"a" => "old a", "b" => "old b"});
    let src = sandbox.tree("src", files! {"a" => "new a!", "b" => "new b!"});
    let server = serve(&there);
    plan(&sandbox, 1, &["--delay-updates", "--backup-dir", "/.old", &src, &server.url()]);
    for part in [["--stage", "first"], ["--shard", "1"]] {
        sandbox.oneway([&["apply", DIR], &part[..]].concat()).expect_status(0);
    }
    // As if it had been set aside, and nothing had taken its place.
    there.remove("a");
    let output = sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(0);
    assert!(output.stdout.starts_with("changed: 1 new file, 1 replaced"), "{output}");
    assert_eq!([there.read("a"), there.read("b")], [b"new a!", b"new b!"]);
    let merged = sandbox.oneway(["plan", "merge", DIR, "--format", "json"]).expect_status(0);
    assert_eq!(merged.summary()["changes"]["replace"].as_u64(), Some(2), "{merged}");
    assert_eq!(merged.summary()["bytes"].as_u64(), Some(12), "{merged}");
}
