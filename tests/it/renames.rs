//! Files that have another name, or another time, and no other content: nothing of them goes over the line.

use crate::support::{
    Daemon, Dir, Direction, Files, Output, Sandbox, Software, assert_same_tree, assert_same_tree_and_times,
    files, for_each_daemon,
};

/// Files of one size that differ in their content, but for two.
fn fifty_files() -> Files {
    let content = |i: usize| format!("content {:02}", i.max(1)).into_bytes();
    Files((0..50).map(|i| (format!("old/sub{}/f{i}", i % 3).into(), Some(content(i)))).collect())
}

fn sync(sandbox: &Sandbox, from: &str, to: &str, options: &[&str]) -> Output {
    let sync = ["sync", "-vv", "--delete", "--format", "json"];
    sandbox.oneway([&sync[..], options, &[from, to]].concat()).expect_status(0)
}

/// Returns how often the server was asked such a thing.
fn sent(output: &Output, verb: &str) -> usize {
    output.stderr.lines().filter(|line| line.contains(&format!("> {verb} "))).count()
}

#[test]
fn a_pushed_directory_that_moves_is_moved() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) = (sandbox.tree("src", fifty_files()), daemon.url("/"));
        src.add(files! {"stays.txt" => "content 99"});
        sync(sandbox, &src, &url, &[]);
        src.rename("old", "new");
        let diff = sandbox.oneway(["diff", "--delete", &src, &url]).expect_status(1);
        assert!(diff.stdout.contains("> old/sub0/f0 -> new/sub0/f0 "), "{diff}");
        let before = daemon.transfers();
        let output = sync(sandbox, &src, &url, &[]);
        assert_eq!(output.summary()["bytes"], 0);
        assert_eq!(daemon.transfers(), before, "files went over the line");
        let counts = serde_json::json!({"create_dir": 4, "rename": 50, "delete_dir": 4});
        assert_eq!(output.summary()["changes"], counts, "{output}");
        assert_eq!((sent(&output, "STOR"), sent(&output, "RNFR"), sent(&output, "DELE")), (0, 50, 0));
        for change in output.events("change").iter().filter(|change| change["action"] == "rename") {
            let (from, to) = (change["path"].as_str().unwrap(), change["target"].as_str().unwrap());
            assert_eq!(
                (from.strip_prefix("old/"), &change["reason"]),
                (to.strip_prefix("new/"), &"missing".into())
            );
        }
        assert!(output.events("done").iter().all(|done| done["path"] != "new/sub0/f0"));
        assert_same_tree_and_times(&src, daemon.root());
        for options in [&[][..], &["--no-state"]] {
            assert_eq!(sync(sandbox, &src, &url, options).changes(), [""; 0]);
        }
    });
}

#[test]
fn a_renamed_file_has_the_time_it_has_at_the_source() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) = (sandbox.tree("src", files! {"a" => "1", "d/b" => "22"}), daemon.url("/"));
        sync(sandbox, &src, &url, &[]);
        src.rename("a", "d/a");
        src.rename("d/b", "c c");
        src.set_time("c c", "2025-01-02T03:04:05Z");
        let output = sync(sandbox, &src, &url, &[]);
        assert_eq!(output.changes(), ["rename a", "rename d/b"]);
        assert_same_tree_and_times(&src, daemon.root());
        assert_eq!(sync(sandbox, &src, &url, &[]).changes(), [""; 0]);
        assert_eq!(daemon.transferred(Direction::In).len(), 2);
    });
}

#[test]
fn where_times_cannot_be_set_renames_are_remembered_too() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::prepare(Software::Vsftpd).config("mdtm_write=NO").start(&sandbox);
    let Some(daemon) = daemon else { return };
    let (src, url) = (sandbox.tree("src", files! {"a" => "1", "b" => "22"}), daemon.url("/"));
    sync(&sandbox, &src, &url, &[]);
    src.rename("a", "c");
    // Later than the upload: by times alone it would be sent.
    src.set_time("c", "2030-01-02T03:04:05Z");
    assert_eq!(sync(&sandbox, &src, &url, &[]).changes(), ["rename a"]);
    for _ in 0..2 {
        assert_eq!(sync(&sandbox, &src, &url, &[]).changes(), [""; 0]);
    }
    // Neither is another time of the same content a reason to send it.
    src.set_time("b", "2031-01-02T03:04:05Z");
    assert_eq!(sync(&sandbox, &src, &url, &[]).changes(), [""; 0]);
    src.write("c", "2");
    src.set_time("c", "2030-01-02T03:04:06Z");
    assert_eq!(sync(&sandbox, &src, &url, &[]).changes(), ["replace c"]);
    assert_same_tree(&src, daemon.root());
    assert_eq!(daemon.transferred(Direction::In).len(), 3);
}

#[test]
fn names_that_are_swapped_or_passed_on_are_there_on_both_sides() {
    for_each_daemon(|daemon, sandbox| {
        let tree = files! {"a" => "1", "b" => "22", "p" => "333", "q" => "4444"};
        let (src, url) = (sandbox.tree("src", tree), daemon.url("/"));
        sync(sandbox, &src, &url, &[]);
        for (from, to) in [("a", "x"), ("b", "a"), ("x", "b"), ("q", "r"), ("p", "q")] {
            src.rename(from, to);
        }
        let output = sync(sandbox, &src, &url, &[]);
        // What q was is r now, but q isn't gone; p is, and q is no new name.
        assert_eq!(output.changes(), ["copy r", "delete p", "replace a", "replace b", "replace q"]);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn what_is_not_known_to_be_the_same_is_sent() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) =
            (sandbox.tree("src", files! {"a" => "1", "b" => "1", "c" => "22", "d" => "22"}), daemon.url("/"));
        sync(sandbox, &src, &url, &[]);
        let again = |from: &str, to: &str, options: &[&str]| {
            src.rename(from, to);
            sync(sandbox, &src, &url, options).changes()
        };
        assert_eq!(again("a", "a2", &["--no-renames"]), ["copy a2", "delete a"]);
        assert_eq!(again("a2", "a3", &["--no-state"]), ["copy a3", "delete a2"]);
        // Somebody put something else there meanwhile.
        daemon.root().write("b", "2");
        daemon.root().set_time("b", "2024-05-06T07:09:00Z");
        assert_eq!(again("b", "b2", &[]), ["copy b2", "delete b"]);
        // Nor without a wish to delete, nor by a time that says the same.
        src.rename("b2", "b3");
        let output = sandbox.oneway(["sync", "--format", "json", &src, &url]).expect_status(0);
        assert_eq!(output.changes(), ["copy b3"]);
        src.remove("b3");
        src.write("b4", "3");
        assert_eq!(sync(sandbox, &src, &url, &[]).changes(), ["copy b4", "delete b2", "delete b3"]);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn what_was_excluded_or_is_in_doubt_is_not_renamed() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) = (sandbox.tree("src", files! {"keep/a" => "1", "b" => "22"}), daemon.url("/"));
        sync(sandbox, &src, &url, &[]);
        src.rename("keep/a", "a");
        let output = sync(sandbox, &src, &url, &["--exclude", "keep"]);
        assert_eq!(output.changes(), ["copy a"]);
        assert_eq!(daemon.root().read("keep/a"), b"1");
    });
}

#[test]
fn with_checksums_of_the_server_nothing_need_be_remembered() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::prepare(Software::Proftpd).module("mod_digest").start(&sandbox);
    let Some(daemon) = daemon else { return };
    let (src, url) = (sandbox.tree("src", fifty_files()), daemon.url("/"));
    src.add(files! {"alone" => "of another size"});
    sync(&sandbox, &src, &url, &["--no-state"]);
    let moved = |dir: &Dir, from: &str, to: &str, source: &str, destination: &str| {
        dir.rename(from, to);
        dir.rename("alone", format!("{to}/other"));
        dir.write(format!("{to}/other"), format!("of a size like no other: {to}"));
        let before = daemon.transfers().len();
        let output = sync(&sandbox, source, destination, &["--no-state"]);
        assert_eq!(output.summary()["changes"]["rename"], 50, "{output}");
        assert_eq!(sent(&output, "HASH"), 50, "what has a size of its own is not asked about");
        assert_eq!(daemon.transfers().len() - before, 1);
        assert_same_tree_and_times(&src, daemon.root());
        dir.rename(format!("{to}/other"), "alone");
        sync(&sandbox, source, destination, &["--no-state"]);
    };
    moved(&src, "old", "new", &src, &url);
    moved(daemon.root(), "new", "newer", &url, &src);
}

#[test]
fn a_pull_guesses_nothing() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "1", "b" => "22"});
        let (dst, url) = (sandbox.dir("dst"), daemon.url("/"));
        for _ in 0..2 {
            sync(sandbox, &url, &dst, &[]);
        }
        daemon.root().rename("a", "c");
        assert_eq!(sync(sandbox, &url, &dst, &[]).changes(), ["copy c", "delete a"]);
        assert_same_tree_and_times(daemon.root(), &dst);
    });
}

#[test]
fn a_new_time_of_a_known_content_is_set_and_nothing_is_sent() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) = (sandbox.tree("src", fifty_files()), daemon.url("/"));
        sync(sandbox, &src, &url, &[]);
        let before = daemon.transfers();
        for i in 0..50 {
            src.set_time(format!("old/sub{}/f{i}", i % 3), "2025-10-11T12:13:14Z");
        }
        let output = sync(sandbox, &src, &url, &[]);
        assert_eq!(output.summary()["changes"], serde_json::json!({"touch": 50}), "{output}");
        assert!(output.events("change").iter().all(|change| change["reason"] == "time"));
        assert_eq!((daemon.transfers(), &output.summary()["bytes"]), (before, &0.into()));
        assert_same_tree_and_times(&src, daemon.root());
        for options in [&[][..], &["--no-state"]] {
            assert_eq!(sync(sandbox, &src, &url, options).changes(), [""; 0]);
        }
        // One of them is another one by now.
        src.write("old/sub0/f0", "CONTENT 01");
        src.set_time("old/sub0/f0", "2025-10-11T12:13:15Z");
        assert_eq!(sync(sandbox, &src, &url, &[]).changes(), ["replace old/sub0/f0"]);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn what_was_adopted_gets_its_times_once() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) = (sandbox.tree("src", files! {"a" => "1", "b" => "22"}), daemon.url("/"));
        daemon.root().add(files! {"a" => "1", "b" => "22"});
        daemon.root().set_time("a", "2023-01-01T00:00:00Z");
        daemon.root().set_time("b", "2023-01-01T00:00:00Z");
        // One that is somebody else's keeps its time on each server, and isn't asked for ever.
        daemon.root().give_to_root("b");
        sandbox.oneway(["sync", "--adopt", &src, &url]).expect_status(0);
        // Those that list the day alone are asked for it once.
        let output = sync(sandbox, &src, &url, &[]);
        assert_eq!(output.changes(), ["touch a", "touch b"]);
        output.tells(&["note: 1 file is without the time of the source"]);
        assert_eq!(output.summary()["changes"], serde_json::json!({"touch": 1}));
        assert_eq!(daemon.root().time("a"), src.time("a"));
        for _ in 0..2 {
            assert_eq!(sync(sandbox, &src, &url, &[]).changes(), [""; 0]);
        }
        assert!(daemon.transfers().is_empty());
    });
}
