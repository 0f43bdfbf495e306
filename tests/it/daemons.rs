//! What a user sees with real servers: everything here runs against vsftpd, which has neither MLSD nor MFMT, and against
//! ProFTPD, which has both.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::Value;

use crate::support::{
    Daemon, Dir, Direction, Files, LONG_AGO, Output, PASSWORD, Sandbox, Software, assert_same_tree,
    assert_same_tree_and_times, files, for_each_daemon, for_each_known_daemon, snapshot,
};

#[test]
fn a_push_makes_the_server_a_mirror() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox
            .tree("src", files! {"a.txt" => "hi", "sub/deeper/b.bin" => [0, 255, 13, 10, 13], "c" => "c"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn a_pull_makes_the_directory_a_mirror() {
    for_each_daemon(|daemon, sandbox| {
        let dst = sandbox.dir("dst");
        daemon.root().add(files! {"a.txt" => "hi", "sub/deeper/b.bin" => [0, 255, 13, 10, 13], "c" => "c"});
        sandbox.oneway(["sync", &daemon.url("/"), &dst]).expect_status(0);
        assert_same_tree_and_times(daemon.root(), &dst);
    });
}

#[test]
fn a_push_goes_to_the_directory_that_the_url_names_and_makes_it() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "hi"});
        daemon.root().add(files! {"beside.txt" => "stays"});
        sandbox.oneway(["sync", "--delete", &src, &daemon.url("/my%20site")]).expect_status(0);
        assert_eq!(snapshot(daemon.root()), "beside.txt = \"stays\"\nmy site/\nmy site/a.txt = \"hi\"\n");
    });
}

#[test]
fn a_pull_takes_the_directory_that_the_url_names_and_no_other() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"my site/a.txt" => "hi", "my other site/b.txt" => "no"});
        let dst = sandbox.dir("dst");
        sandbox.oneway(["sync", &daemon.url("/my%20site"), &dst]).expect_status(0);
        assert_eq!(snapshot(&dst), "a.txt = \"hi\"\n");
    });
}

#[test]
fn a_second_push_has_nothing_to_do() {
    for_each_daemon(|daemon, sandbox| {
        let src =
            sandbox.tree("src", files! {"a.txt" => "hi", "sub/b.txt" => "there", "empty/", "zero" => ""});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        let (before, url) = (daemon.transfers(), daemon.url("/"));
        for options in [[].as_slice(), &["--no-state"]] {
            let arguments = [&["sync", "--delete", "--format", "json", &src, &url], options].concat();
            assert_nothing_done(&sandbox.oneway(arguments).expect_status(0));
            assert_eq!(daemon.transfers(), before, "files went over the line");
        }
    });
}

#[test]
fn a_second_pull_has_nothing_to_do() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a.txt" => "hi", "sub/b.txt" => "there", "empty/", "zero" => ""});
        let dst = sandbox.dir("dst");
        sandbox.oneway(["sync", &daemon.url("/"), &dst]).expect_status(0);
        let (before, url) = (daemon.transfers(), daemon.url("/"));
        for options in [[].as_slice(), &["--no-state"]] {
            let arguments = [&["sync", "--delete", "--format", "json", &url, &dst], options].concat();
            assert_nothing_done(&sandbox.oneway(arguments).expect_status(0));
            assert_eq!(daemon.transfers(), before, "files went over the line");
        }
    });
}

#[test]
fn a_file_of_another_size_is_pushed_again_and_no_other() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "old", "b.txt" => "same"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        src.write("a.txt", "newer");
        let output = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
        assert_eq!(output.changes(), ["replace a.txt"]);
        assert_eq!(output.events("change")[0]["reason"], "size");
        assert_eq!(
            (output.summary()["bytes"].as_u64(), output.summary()["unchanged"].as_u64()),
            (Some(5), Some(1))
        );
        assert_same_tree_and_times(&src, daemon.root());
        assert_eq!(daemon.transferred(Direction::In).len(), 3);
    });
}

#[test]
fn a_file_of_another_time_is_pushed_again_and_no_other() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "old", "b.txt" => "same"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        src.write("a.txt", "new");
        src.set_time("a.txt", "2024-05-06T07:09:00Z");
        let output = sandbox.oneway(["sync", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
        assert_eq!(output.changes(), ["replace a.txt"]);
        assert_eq!(output.events("change")[0]["reason"], "time");
        assert_same_tree_and_times(&src, daemon.root());
        assert_eq!(daemon.transferred(Direction::In).len(), 3);
    });
}

#[test]
fn a_file_of_another_time_is_pulled_again_and_no_other() {
    for_each_daemon(|daemon, sandbox| {
        let dst = sandbox.dir("dst");
        daemon.root().add(files! {"a.txt" => "old", "b.txt" => "same"});
        sandbox.oneway(["sync", &daemon.url("/"), &dst]).expect_status(0);
        daemon.root().write("a.txt", "new");
        daemon.root().set_time("a.txt", "2024-05-06T07:09:00Z");
        let output = sandbox.oneway(["sync", "--format", "json", &daemon.url("/"), &dst]).expect_status(0);
        assert_eq!(output.changes(), ["replace a.txt"]);
        assert_same_tree_and_times(daemon.root(), &dst);
        assert_eq!(daemon.transferred(Direction::Out).len(), 3);
    });
}

/// A change within the minute that vsftpd's listing tells.
#[test]
fn a_change_of_seconds_is_seen_though_the_listing_tells_minutes() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "old"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        src.write("a.txt", "new");
        src.set_time("a.txt", "2024-05-06T07:08:30Z");
        let output = sandbox
            .oneway(["sync", "--no-state", "--format", "json", &src, &daemon.url("/")])
            .expect_status(0);
        assert_eq!(output.changes(), ["replace a.txt"]);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn what_only_the_destination_has_is_kept_unless_deleting_is_asked_for() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "hi", "b.txt" => "b", "c/d.txt" => "d"});
        daemon.root().add(files! {"gone.txt" => "x", "c/gone.txt" => "y"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        assert!(daemon.root().has("gone.txt") && daemon.root().has("c/gone.txt"));
        let output =
            sandbox.oneway(["sync", "--delete", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
        assert_eq!(output.changes(), ["delete c/gone.txt", "delete gone.txt"]);
        assert_same_tree(&src, daemon.root());
    });
}

#[test]
fn a_directory_that_only_the_destination_has_is_deleted_with_all_in_it() {
    for_each_daemon(|daemon, sandbox| {
        let dst =
            sandbox.tree("dst", files! {"a" => "", "old/sub/x" => "", "old/.hidden" => "", "old/empty/"});
        let url = daemon.url("/");
        daemon.root().add(files! {"a" => ""});
        sandbox.oneway(["sync", "--delete", "--max-delete", "100%", &url, &dst]).expect_status(0);
        assert_eq!(snapshot(&dst), "a = \"\"\n");

        daemon.root().add(files! {"old/sub/x" => "", "old/.hidden" => "", "old/empty/"});
        sandbox.oneway(["sync", "--delete", "--max-delete", "100%", &dst, &url]).expect_status(0);
        assert_eq!(snapshot(daemon.root()), "a = \"\"\n");
    });
}

#[test]
fn more_deletions_than_allowed_are_refused_and_nothing_is_deleted() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "", "b" => "", "c" => "", "d" => ""});
        daemon
            .root()
            .add(files! {"a" => "", "b" => "", "c" => "", "d" => "", "e" => "", "f" => "", "g" => ""});
        let before = snapshot(daemon.root());
        let arguments = ["sync", "--delete", "--max-delete", "2", &src, &daemon.url("/")];
        sandbox.oneway(arguments).expect_status(5).tells(&["--max-delete"]);
        assert_eq!(snapshot(daemon.root()), before);
        let arguments = ["sync", "--delete", "--max-delete", "3", &src, &daemon.url("/")];
        sandbox.oneway(arguments).expect_status(0);
        assert_same_tree(&src, daemon.root());
    });
}

#[test]
fn deleting_more_than_half_is_refused_without_being_asked() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => ""});
        daemon.root().add(files! {"a" => "", "b" => "", "c" => "", "d" => ""});
        sandbox.oneway(["sync", "--delete", &src, &daemon.url("/")]).expect_status(5);
        assert_eq!(snapshot(daemon.root()).lines().count(), 4);
        sandbox.oneway(["sync", "--delete", "--max-delete", "100%", &src, &daemon.url("/")]).expect_status(0);
        assert_same_tree(&src, daemon.root());
    });
}

#[test]
fn an_empty_source_deletes_nothing_unless_that_is_allowed() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.dir("src");
        daemon.root().add(files! {"a" => "", "b/c" => ""});
        let all = ["sync", "--delete", "--max-delete", "100%", &src, &daemon.url("/")];
        sandbox.oneway(all).expect_status(5).tells(&["--allow-empty-source"]);
        assert!(daemon.root().has("a") && daemon.root().has("b/c"));
        sandbox.oneway([all.as_slice(), &["--allow-empty-source"]].concat()).expect_status(0);
        assert_eq!(snapshot(daemon.root()), "");
    });
}

#[test]
fn names_of_all_kinds_are_pushed_found_again_and_pulled() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.dir("src");
        for name in ODD_NAMES {
            src.write(name, name);
            src.write(dir_of(name).join(name), name);
        }
        let (url, dst) = (daemon.url("/"), sandbox.dir("dst"));
        sandbox.oneway(["sync", &src, &url]).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
        assert_nothing_done(
            &sandbox.oneway(["sync", "--delete", "--format", "json", &src, &url]).expect_status(0),
        );
        sandbox.oneway(["sync", &url, &dst]).expect_status(0);
        assert_same_tree_and_times(&src, &dst);
    });
}

#[test]
fn names_of_all_kinds_are_deleted() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"stays" => ""});
        daemon.root().add(files! {"stays" => ""});
        for name in ODD_NAMES {
            daemon.root().write(name, name);
            daemon.root().write(dir_of(name).join(name), name);
        }
        let arguments = ["sync", "--delete", "--max-delete", "100%", &src, &daemon.url("/")];
        sandbox.oneway(arguments).expect_status(0);
        assert_eq!(snapshot(daemon.root()), "stays = \"\"\n");
    });
}

#[test]
fn empty_files_and_directories_are_mirrored() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"zero" => "", "empty/", "nested/empty/", "nested/zero" => ""});
        let dst = sandbox.dir("dst");
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
        sandbox.oneway(["sync", &daemon.url("/"), &dst]).expect_status(0);
        assert_same_tree_and_times(&src, &dst);
    });
}

#[test]
fn a_file_takes_the_place_of_a_directory_and_the_other_way_round() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox
            .tree("src", files! {"was dir" => "file", "was file/x" => "x", "a" => "", "b" => "", "c" => ""});
        daemon.root().add(files! {"was dir/y" => "y", "was file" => "file", "a" => "", "b" => "", "c" => ""});
        sandbox.oneway(["sync", "--delete", &src, &daemon.url("/")]).expect_status(0);
        assert_same_tree(&src, daemon.root());
    });
}

#[test]
fn a_wrong_password_is_told_with_the_servers_reply_and_not_shown() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "hi"});
        let url = format!("ftp://mirror:mistaken@127.0.0.1:{}/", daemon.port());
        let output = sandbox.oneway(["sync", &src, &url]).expect_status(4);
        output.tells(&["530", "127.0.0.1"]);
        assert!(!output.stderr.contains("mistaken"), "{output}");
        assert_eq!(snapshot(daemon.root()), "");
    });
}

#[test]
fn the_password_may_come_from_the_environment_and_is_never_printed() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "hi"});
        let arguments = ["sync", "-vv", &src, &daemon.url_without_password("/")];
        let output = sandbox.command(arguments).env("ONEWAY_PASSWORD", PASSWORD).run().expect_status(0);
        assert!(!output.stdout.contains(PASSWORD) && !output.stderr.contains(PASSWORD), "{output}");
        assert_same_tree(&src, daemon.root());
    });
}

#[test]
fn a_missing_local_source_changes_nothing() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a.txt" => "hi"});
        let missing = sandbox.path("missing").display().to_string();
        let arguments = ["sync", "--delete", "--allow-empty-source", &missing, &daemon.url("/")];
        sandbox.oneway(arguments).expect_status(4).tells(&[&missing]);
        assert_eq!(snapshot(daemon.root()), "a.txt = \"hi\"\n");
    });
}

#[test]
fn a_missing_source_on_the_server_changes_nothing() {
    for_each_daemon(|daemon, sandbox| {
        let dst = sandbox.tree("dst", files! {"a.txt" => "hi"});
        let arguments = ["sync", "--delete", "--allow-empty-source", &daemon.url("/missing"), &dst];
        sandbox.oneway(arguments).expect_status(4).tells(&["missing"]);
        assert_eq!(snapshot(&dst), "a.txt = \"hi\"\n");
    });
}

#[test]
fn below_an_unreadable_directory_on_the_server_nothing_is_deleted() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "", "b" => "", "new" => "", "closed/x" => ""});
        daemon.root().give_to_root("closed");
        daemon.root().set_mode("closed", 0o000);
        let dst =
            sandbox.tree("dst", files! {"a" => "", "b" => "", "closed/old" => "", "closed/sub/old" => ""});
        sandbox.oneway(["sync", "--delete", &daemon.url("/"), &dst]).expect_status(3).tells(&["closed"]);
        let expected = "a = \"\"\nb = \"\"\nclosed/\nclosed/old = \"\"\nclosed/sub/\nclosed/sub/old = \"\"\nnew = \"\"\n";
        assert_eq!(snapshot(&dst), expected);
    });
}

#[test]
fn below_an_unreadable_local_directory_nothing_is_deleted() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "", "b" => "", "new" => "", "closed/x" => ""});
        src.set_mode("closed", 0o000);
        daemon.root().add(files! {"a" => "", "b" => "", "closed/old" => "", "closed/sub/old" => ""});
        let run = sandbox.command(["sync", "--delete", &src, &daemon.url("/")]).unprivileged().run();
        run.expect_status(3).tells(&["closed"]);
        let expected = "a = \"\"\nb = \"\"\nclosed/\nclosed/old = \"\"\nclosed/sub/\nclosed/sub/old = \"\"\nnew = \"\"\n";
        assert_eq!(snapshot(daemon.root()), expected);
    });
}

#[test]
fn nothing_is_deleted_because_of_a_directory_that_may_be_entered_and_not_read() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "a", "open/b" => "b", "closed/in" => "x"});
        daemon.root().give_to_root("closed");
        daemon.root().set_mode("closed", 0o711);
        let dst =
            sandbox.tree("dst", files! {"a" => "", "open/b" => "", "closed/in" => "mine", "open/old" => ""});
        let output = sandbox.oneway(["sync", "--delete", &daemon.url("/"), &dst]).expect_status(3);
        output.tells(&["closed"]);
        assert_eq!(fs::read_to_string(dst.at("closed/in")).ok().as_deref(), Some("mine"));
    });
}

#[test]
fn a_file_that_cannot_be_read_does_not_keep_the_others_from_being_pulled() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "a", "closed" => "x", "z" => "z"});
        daemon.root().give_to_root("closed");
        daemon.root().set_mode("closed", 0o000);
        let dst = sandbox.tree("dst", files! {"old" => ""});
        let arguments =
            ["sync", "--delete", "--max-delete", "100%", "--format", "json", &daemon.url("/"), &dst];
        let output = sandbox.oneway(arguments).expect_status(3);
        output.tells(&["closed"]);
        assert_eq!(
            (output.summary()["failed"].as_u64(), output.summary()["exit"].as_u64()),
            // The file that is closed, and the deletion that is not done because of it.
            (Some(2), Some(3))
        );
        assert_eq!(snapshot(&dst), "a = \"a\"\nold = \"\"\nz = \"z\"\n");
    });
}

#[test]
fn a_diff_tells_what_a_sync_would_do_and_writes_nothing() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"new" => "n", "same" => "s", "bigger" => "123", "dir/x" => ""});
        daemon.root().add(files! {"same" => "s", "bigger" => "12", "extra" => ""});
        let before = (snapshot(&src), snapshot(daemon.root()), daemon.root().time("bigger"));
        let output =
            sandbox.oneway(["diff", "--delete", "--format", "json", &src, &daemon.url("/")]).expect_status(1);
        let expected = ["copy dir/x", "copy new", "create_dir dir", "delete extra", "replace bigger"];
        assert_eq!(output.changes(), expected);
        let summary = output.summary();
        assert_eq!((&summary["dry_run"], &summary["exit"]), (&Value::from(true), &Value::from(1)));
        assert_eq!((snapshot(&src), snapshot(daemon.root()), daemon.root().time("bigger")), before);
        assert_eq!(daemon.transfers(), []);
    });
}

#[test]
fn a_diff_of_equal_sides_ends_with_success() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "hi", "sub/b.txt" => "b"});
        daemon.root().add(files! {"a.txt" => "hi", "sub/b.txt" => "b"});
        assert_nothing_done(
            &sandbox.oneway(["diff", "--format", "json", &src, &daemon.url("/")]).expect_status(0),
        );
        assert_nothing_done(
            &sandbox.oneway(["diff", "--format", "json", &daemon.url("/"), &src]).expect_status(0),
        );
    });
}

#[test]
fn a_dry_run_changes_nothing_and_ends_with_success() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a.txt" => "hi"});
        let output =
            sandbox.oneway(["sync", "-n", "--format", "json", &src, &daemon.url("/")]).expect_status(0);
        assert_eq!(output.changes(), ["copy a.txt"]);
        assert_eq!(output.summary()["dry_run"], true);
        assert_eq!(snapshot(daemon.root()), "");
    });
}

#[test]
fn a_listing_as_json_tells_name_kind_size_and_time() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a b.txt" => "12345", "dir/", ".hidden" => ""});
        let mut entries =
            sandbox.oneway(["ls", "--format", "json", &daemon.url("/")]).expect_status(0).json();
        entries.sort_by_key(|entry| entry["name"].to_string());
        let told = |entry: &Value| (entry["name"].clone(), entry["kind"].clone());
        let expected = [(".hidden", "file"), ("a b.txt", "file"), ("dir", "dir")];
        assert_eq!(
            entries.iter().map(told).collect::<Vec<_>>(),
            expected.map(|(name, kind)| (Value::from(name), Value::from(kind)))
        );
        assert_eq!(entries[1]["size"], 5);
        let (modified, precision) = match daemon.software() {
            // Older than half a year, so vsftpd tells the day.
            Software::Vsftpd => ("2024-05-06", "day"),
            Software::Proftpd => (LONG_AGO, "second"),
        };
        assert!(
            entries[1]["modified"].as_str().is_some_and(|time| time.starts_with(modified)),
            "{:?}",
            entries[1]
        );
        assert_eq!(entries[1]["precision"], precision);
    });
}

#[test]
fn fewer_sessions_than_asked_for_are_enough() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(software).max_clients(2).start(&sandbox) else { continue };
        let src = sandbox.dir("src");
        for number in 0..40 {
            src.write(format!("{number}.txt"), number.to_string());
        }
        sandbox.oneway(["sync", "-j", "8", &src, &daemon.url("/")]).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
    }
}

#[test]
fn a_server_in_another_time_zone_compares_equal() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(software).time_zone("EST5EDT").start(&sandbox) else { continue };
        let src = sandbox.tree("src", files! {"summer" => "s", "winter" => "w", "sub/evening" => "e"});
        src.set_time("winter", "2024-01-06T07:08:09Z");
        src.set_time("sub/evening", "2024-01-06T23:58:09Z");
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        // vsftpd takes and gives all times in its own zone, so that what it gives back is what was set.
        match software {
            Software::Vsftpd => assert_same_tree(&src, daemon.root()),
            Software::Proftpd => assert_same_tree_and_times(&src, daemon.root()),
        }
        let again = ["sync", "--no-state", "--format", "json", &src, &daemon.url("/")];
        assert_nothing_done(&sandbox.oneway(again).expect_status(0));
    }
}

#[test]
fn a_pull_writes_through_no_symbolic_link() {
    for_each_daemon(|daemon, sandbox| {
        let (dst, outside) = (sandbox.dir("dst"), sandbox.tree("outside", files! {"a.txt" => "mine"}));
        std::os::unix::fs::symlink(outside.path(), dst.at("sub")).expect("links can be made");
        daemon.root().add(files! {"sub/a.txt" => "theirs", "b.txt" => "b"});
        // Whether it fails or the link gives way, what lies behind it stays.
        let _ = sandbox.oneway(["sync", &daemon.url("/"), &dst]).any_status();
        assert_eq!(snapshot(&outside), "a.txt = \"mine\"\n");
        assert_eq!(fs::read(dst.at("b.txt")).ok().as_deref(), Some(b"b".as_slice()));
    });
}

#[test]
fn all_sessions_together_keep_to_the_rate_both_ways() {
    for_each_daemon(|daemon, sandbox| {
        let (src, dst) = (sandbox.dir("src"), sandbox.dir("dst"));
        for name in ["a", "b", "c"] {
            src.write(name, name.repeat(100_000));
        }
        for (from, to) in [(src.to_string(), daemon.url("/")), (daemon.url("/"), dst.to_string())] {
            let begun = Instant::now();
            sandbox.oneway(["sync", "-j", "3", "--bwlimit", "300000", &from, &to]).expect_status(0);
            assert!(begun.elapsed() > Duration::from_millis(900), "{from} took {:?}", begun.elapsed());
        }
        assert_same_tree_and_times(&src, &dst);
    });
}

#[test]
fn a_large_file_is_fetched_in_parts_by_several_sessions() {
    for_each_daemon(|daemon, sandbox| {
        let content: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
        daemon.root().add(files! {"large.bin" => content, "small.txt" => "s", "sub/other.txt" => "o"});
        let url = daemon.url("/");
        for (options, parts) in [
            (["-j", "4", "--split-size", "10M"], 4),
            (["-j", "4", "--split-size", "20M"], 0),
            (["-j", "1", "--split-size", "10M"], 0),
        ] {
            let dst = sandbox.dir(&options.concat());
            let arguments = [&["sync", "-vv"], options.as_slice(), &[&url, &dst]].concat();
            let output = sandbox.oneway(arguments).expect_status(0);
            assert_same_tree_and_times(daemon.root(), &dst);
            let begun = output.stderr.lines().filter(|line| line.contains("> REST ")).count();
            // The first part begins where every file does.
            assert_eq!(begun, usize::max(parts, 1) - 1, "{output}");
            // Nobody is thrown out for hanging up early.
            let logins = output.stderr.lines().filter(|line| line.contains("> PASS ")).count();
            assert!(logins <= 4, "{output}");
        }
    });
}

#[track_caller]
fn assert_nothing_done(output: &Output) {
    let summary = output.summary();
    let changes =
        summary["changes"].as_object().unwrap_or_else(|| panic!("no changes in the summary\n{output}"));
    assert!(changes.values().all(|count| count == 0), "something was done\n{output}");
    let rest = (&summary["bytes"], &summary["failed"], &summary["exit"]);
    assert_eq!(rest, (&Value::from(0), &Value::from(0), &Value::from(0)), "{output}");
    assert!(output.changes().is_empty(), "{output}");
}

/// ProFTPD makes no directory with a `*` in its name.
fn dir_of(name: &str) -> PathBuf {
    format!("{name} dir").replace('*', "").into()
}

/// Each one means something to a shell, a server, a listing or a URL.
const ODD_NAMES: &[&str] = &[
    "two words",
    "two  blanks",
    " leading blank",
    "trailing blank ",
    "it's",
    "\"quoted\"",
    "-rf",
    "--delete",
    ".hidden",
    "...",
    "[glob]*?",
    "{a,b}",
    "back\\slash",
    "50%",
    "%41",
    "a%2Fb",
    "~root",
    "$HOME",
    "`id`",
    "|id",
    "a;b",
    "a:b",
    "a&b",
    "#1",
    "ä",
    "日本語",
    "🦀",
    "e\u{301}",
    "20200102000000 f.txt",
    "a -> b",
    "total 12",
    "CON",
];

#[test]
fn in_active_mode_downloads_are_announced_while_others_run() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", many_small_files());
        daemon.root().add(many_small_files());
        let dst = sandbox.dir("dst");
        let output =
            sandbox.oneway(["sync", "-vv", "--active", "-j", "2", &daemon.url("/"), &dst]).expect_status(0);
        assert_same_tree(&src, &dst);
        let is = |line: &str, what: &str| line.get(4..).is_some_and(|said| said.starts_with(what));
        // The next RETR leaves before the end of the one before.
        let early: Vec<&str> =
            output.stderr.lines().filter(|line| line.starts_with("[1]") && !is(line, "*")).collect();
        let announced = early.windows(4).filter(|four| {
            is(four[0], "< 150") && is(four[1], "> PORT") && is(four[2], "> RETR") && is(four[3], "< 226")
        });
        assert!(announced.count() > 3, "{output}");
    });
}

#[test]
fn in_active_mode_uploads_arrive_whole() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", many_small_files());
        sandbox.oneway(["sync", "--active", "-j", "3", &src, &daemon.url("/")]).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

fn many_small_files() -> Files {
    Files((0..40).map(|i| (format!("d{}/f{i}", i % 3).into(), Some(vec![b'x'; i * 100]))).collect())
}

#[test]
fn every_way_of_listing_sees_the_same_tree() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", many_small_files());
        src.add(files! {".hidden/.dot" => "x", "deep/er/still/f" => "x", "empty/", "d0/two  blanks" => "x"});
        sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        for (how, command) in
            [("auto", ""), ("mlsd", ""), ("stat", "> STAT"), ("list", "> LIST"), ("nlst", "> NLST")]
        {
            let url = daemon.url("/");
            let output =
                sandbox.oneway(["diff", "--delete", "-vv", "--listing", how, &src, &url]).any_status();
            assert!(output.stderr.contains(command), "{output}");
            // NLST leaves out names that begin with a dot.
            let files = if how == "nlst" { 42 } else { 43 };
            assert!(output.stdout.contains(&format!("{files} unchanged")), "{how}\n{output}");
        }
    });
}

/// vsftpd takes the times that MDTM sets in the zone of its environment and tells them in UTC; without `use_localtime`, its
/// default.
#[test]
fn times_of_winter_and_summer_are_right_whatever_zone_a_server_is_in() {
    for (software, config) in [(Software::Vsftpd, "use_localtime=NO"), (Software::Proftpd, "TimesGMT on")] {
        for zone in ["Asia/Kolkata", "America/New_York", "UTC"] {
            let sandbox = Sandbox::new();
            let daemon = Daemon::prepare(software).time_zone(zone).config(config).start(&sandbox);
            let Some(daemon) = daemon else { continue };
            let src = sandbox.tree("src", files! {"january" => "w", "july" => "s", "sub/evening" => "e"});
            src.set_time("january", "2024-01-15T12:34:56Z");
            src.set_time("july", "2024-07-15T12:34:56Z");
            src.set_time("sub/evening", "2024-01-06T23:58:09Z");
            let (dst, url) = (sandbox.dir("dst"), daemon.url("/"));
            for (from, to) in [(&src[..], &url[..]), (&url[..], &dst[..])] {
                sandbox.oneway(["sync", from, to]).expect_status(0);
                for options in [&["--no-state"][..], &[]] {
                    let again = [&["sync", "--format", "json"], options, &[from, to]].concat();
                    assert_nothing_done(&sandbox.oneway(again).expect_status(0));
                }
            }
            assert_same_tree_and_times(&src, daemon.root());
            assert_same_tree_and_times(&src, &dst);
        }
    }
}

/// Files of both halves of the year, some of them so new that `ls` tells their minutes.
fn of_all_seasons() -> Files {
    files! {"january" => "w", "july" => "s", "sub/evening" => "e", "week" => "n", "quarter" => "q", "recent/day" => "d"}
}

fn date_all_seasons(dir: &Dir) {
    let ago = |days| (Utc::now() - TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    for (path, time) in [
        ("january", "2024-01-15T12:34:56Z".to_owned()),
        ("july", "2024-07-15T12:34:56Z".to_owned()),
        ("sub/evening", "2024-01-06T23:58:09Z".to_owned()),
        ("week", ago(7)),
        ("quarter", ago(120)),
        ("recent/day", ago(1)),
    ] {
        dir.set_time(path, &time);
    }
}

/// vsftpd with `use_localtime` lists, tells and sets times in its own zone; ProFTPD with `TimesGMT off` lists them so.
#[test]
fn a_server_that_speaks_of_its_own_zone_gives_back_the_times_it_was_given() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        for (zone, offset) in [("Asia/Kolkata", "+05:30"), ("America/New_York", "-05:00")] {
            for options in [&["--listing", "auto"], &["--listing", "list"], &["--time-offset", offset]] {
                let sandbox = Sandbox::new();
                let Some(daemon) = Daemon::prepare(software).time_zone(zone).start(&sandbox) else {
                    continue;
                };
                eprintln!("{software:?} {zone} {options:?}");
                let src = sandbox.tree("src", of_all_seasons());
                date_all_seasons(&src);
                let (dst, url) = (sandbox.dir("dst"), daemon.url("/"));
                for (from, to) in [(&src[..], &url[..]), (&url[..], &dst[..])] {
                    sandbox.oneway([&["sync"], options.as_slice(), &[from, to]].concat()).expect_status(0);
                    for more in [&["--no-state"][..], &[]] {
                        let again = [&["sync", "--format", "json"], options.as_slice(), more, &[from, to]];
                        assert_nothing_done(&sandbox.oneway(again.concat()).expect_status(0));
                    }
                }
                assert_same_tree_and_times(&src, &dst);
            }
        }
    }
}

#[test]
fn a_zone_that_is_told_makes_up_for_exact_times_that_are_local() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::prepare(Software::Vsftpd).time_zone("Asia/Kolkata").start(&sandbox) else {
        return;
    };
    let (src, dst, url) = (sandbox.tree("src", of_all_seasons()), sandbox.dir("dst"), daemon.url("/"));
    date_all_seasons(&src);
    let options = ["sync", "-v", "--time-offset", "+05:30"];
    for (from, to) in [(&src[..], &url[..]), (&url[..], &dst[..])] {
        let output = sandbox.oneway([options.as_slice(), &[from, to]].concat()).expect_status(0);
        assert!(output.stdout.contains("are UTC+05:30 as --time-offset has it"), "{output}");
        // The first one sent everything to a server that had nothing to compare with.
        assert_same_tree_and_times(&src, daemon.root());
        for more in [&["--no-state"][..], &[]] {
            let again = [options.as_slice(), &["--format", "json"], more, &[from, to]].concat();
            assert_nothing_done(&sandbox.oneway(again).expect_status(0));
        }
    }
    assert_same_tree_and_times(&src, &dst);
}

#[test]
fn a_server_that_tells_exact_times_in_its_own_zone_is_noticed() {
    for (software, zone, told) in [
        (Software::Vsftpd, "Asia/Kolkata", Some("UTC+05:30")),
        (Software::Vsftpd, "UTC", None),
        (Software::Proftpd, "Asia/Kolkata", None),
    ] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(software).time_zone(zone).start(&sandbox) else { continue };
        let src = sandbox.tree("src", files! {"a" => "a", "b" => "b"});
        let output = sandbox.oneway(["sync", &src, &daemon.url("/")]).expect_status(0);
        let noted = output.stderr.lines().find(|line| line.contains("in its own zone"));
        assert_eq!(noted.is_some(), told.is_some(), "{output}");
        assert!(told.is_none_or(|told| noted.is_some_and(|line| line.contains(told))), "{output}");
    }
}

/// Many files of equal sizes and other times, as a fresh checkout has them.
#[test]
fn a_clock_that_was_learned_spares_questions() {
    for (software, zone, config, kept) in [
        // Its exact times are those it lists, so none of its files is as old as here.
        (Software::Vsftpd, "Asia/Kolkata", "use_localtime=YES", 0),
        (Software::Vsftpd, "America/New_York", "use_localtime=NO", 10),
        (Software::Proftpd, "Asia/Kolkata", "TimesGMT off", 10),
        // With and without daylight saving, for most of the year.
        (Software::Proftpd, "America/New_York", "TimesGMT off", 10),
    ] {
        let sandbox = Sandbox::new();
        let daemon = Daemon::prepare(software).time_zone(zone).config(config).start(&sandbox);
        let Some(daemon) = daemon else { continue };
        let src = sandbox.dir("src");
        for i in 0..300 {
            let name = format!("d{}/f{i}", i % 3);
            src.write(&name, "x");
            daemon.root().write(&name, "x");
            let there = Utc::now() - TimeDelta::hours(100 + i * 14);
            let here = if i < 10 { there } else { there + TimeDelta::minutes(193) };
            for (dir, at) in [(&src, here), (daemon.root(), there)] {
                dir.set_time(&name, &at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
            }
        }
        let arguments = ["diff", "-vv", "--no-state", "--listing", "list", &src, &daemon.url("/")];
        let output = sandbox.oneway(arguments).any_status();
        let asked = output.stderr.lines().filter(|line| line.contains("> MDTM ")).count();
        assert!((6..60).contains(&asked), "{asked} were asked\n{output}");
        assert!(output.stdout.contains(&format!("{kept} unchanged")), "{output}");
        let told = output.stdout.lines().find(|line| line.starts_with("* LIST times of"));
        assert!(told.is_some_and(|line| line.ends_with("seen on 6 files")), "{output}");
        eprintln!("{asked} {told:?}");
    }
}
