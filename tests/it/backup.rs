//! What is replaced or deleted is set aside, and `oneway undo` brings it back.

use std::fs;
use std::path::PathBuf;

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Output, Sandbox, assert_same_tree_and_times, files, for_each_daemon, snapshot};

/// Returns the name of the only run in a backup directory.
fn only_run(dir: PathBuf) -> String {
    let mut runs: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.pop().unwrap()
}

/// Changes one of everything, with these as the old tree and the new.
fn change(src: &Dir) {
    for name in ["gone", "dir/x", "dir/y z"] {
        src.remove(name);
    }
    src.remove("dir");
    src.add(files! {"a" => "new a", "sub/é" => "new é", "added" => "+"});
    src.set_time("a", "2025-01-02T03:04:05Z");
}

fn sync(sandbox: &Sandbox, options: &[&str]) -> Output {
    sandbox
        .oneway([&["sync", "--delete", "--no-state", "--max-delete", "100%"], options].concat())
        .expect_status(0)
}

#[test]
fn a_push_sets_aside_what_it_replaces_and_deletes_and_undo_brings_it_back() {
    for_each_daemon(|daemon, sandbox| {
        let old = files! {"a" => "a", "sub/é" => "é", "gone" => "g", "dir/x" => "x", "dir/y z" => "y", "same" => "s"};
        let (src, url) = (sandbox.tree("src", old), daemon.url("/site"));
        for options in [&[][..], &["--delay-updates"]] {
            sync(sandbox, &[&src, &url]);
            let before = snapshot(daemon.root().at("site").to_str().unwrap());
            let old_time = daemon.root().time("site/a");
            let kept = sandbox.tree("kept", files! {});
            for name in ["gone", "dir", "a", "sub/é"] {
                // What the source had, for the next turn.
                kept.write("list", name);
            }
            change(&src);
            let diff = sync(sandbox, &[options, &["-n", "--backup-dir", "old", &src, &url]].concat());
            assert!(!daemon.root().has("old"), "{diff}");
            let transfers = daemon.transfers().len();
            let output = sync(sandbox, &[options, &["--backup-dir", "/old", &src, &url]].concat());
            assert_eq!(daemon.transfers().len() - transfers, 4, "three files and the list of what was there");
            assert_same_tree_and_times(&src, daemon.root().at("site").to_str().unwrap());
            let run = only_run(daemon.root().at("old"));
            let run_url = format!("{}/old/{run}", daemon.url_without_password("").trim_end_matches('/'));
            output.tells(&[&format!(
                "what was replaced or deleted is in {run_url}; `oneway undo {run_url}` puts it back"
            )]);
            for (name, content) in
                [("a", "a"), ("sub/é", "é"), ("gone", "g"), ("dir/x", "x"), ("dir/y z", "y")]
            {
                assert_eq!(daemon.root().read(format!("old/{run}/{name}")), content.as_bytes(), "{name}");
            }
            assert_eq!(daemon.root().time(format!("old/{run}/a")), old_time);

            let undo = |options: &[&str], status: i32| {
                let run_url = daemon.url(&format!("/old/{run}"));
                sandbox.oneway([&["undo"], options, &[&run_url]].concat()).expect_status(status)
            };
            let would = undo(&["-n"], 0);
            assert!(
                would
                    .stdout
                    .contains("would put back: 5 files and 1 directory; 1 file that the run added stays"),
                "{would}"
            );
            assert_same_tree_and_times(&src, daemon.root().at("site").to_str().unwrap());
            let output = undo(&[], 0);
            assert!(output.stdout.contains("< dir/x\n") && output.stdout.contains("+ dir/\n"), "{output}");
            daemon.root().remove("site/added");
            assert_eq!(snapshot(daemon.root().at("site").to_str().unwrap()), before);
            assert_eq!(daemon.root().time("site/a"), old_time);
            assert_eq!(daemon.root().read(format!("old/{run}/.oneway-undone/a")), b"new a");
            let again = undo(&[], 0);
            assert!(again.stdout.starts_with("nothing is left to put back"), "{again}");
            daemon.root().remove("old");
            src.add(files! {"a" => "a", "sub/é" => "é", "gone" => "g", "dir/x" => "x", "dir/y z" => "y"});
            src.remove("added");
        }
    });
}

#[test]
fn what_was_changed_since_stays_and_is_told() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) =
            (sandbox.tree("src", files! {"a" => "1", "b" => "1", "gone" => "g"}), daemon.url("/site"));
        sync(sandbox, &[&src, &url]);
        src.add(files! {"a" => "22", "b" => "22"});
        src.remove("gone");
        sync(sandbox, &["--backup-dir", "old", &src, &url]);
        daemon.root().add(files! {"site/a" => "by hand", "site/gone" => "again"});
        let run = only_run(daemon.root().at("old"));
        let output = sandbox.oneway(["undo", &daemon.url(&format!("/old/{run}"))]).expect_status(3);
        output.tells(&[
            "error: `a` can't come back: it was changed since that run",
            "error: `gone` can't come back: there is a new file of that name",
        ]);
        assert_eq!(
            snapshot(daemon.root().at("site").to_str().unwrap()),
            "a = \"by hand\"\nb = \"1\"\ngone = \"again\"\n"
        );
        assert_eq!(daemon.root().read(format!("old/{run}/a")), b"1");
    });
}

#[test]
fn a_pull_sets_aside_on_this_machine_and_a_directory_in_the_mirror_is_no_part_of_it() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "newer", "d" => "a file now"});
        let dst = sandbox.tree("dst", files! {"a" => "old", "gone" => "g", "d/x" => "x"});
        let (url, backup) = (daemon.url("/"), format!("{}/.old", &*dst));
        sync(sandbox, &["--backup-dir", &backup, &url, &dst]);
        let run = only_run(dst.at(".old"));
        for (name, content) in [("a", "old"), ("gone", "g"), ("d/x", "x")] {
            assert_eq!(dst.read(format!(".old/{run}/{name}")), content.as_bytes());
        }
        // The next run leaves it alone on both sides, also where the source has one.
        daemon.root().write(".old/theirs", "x");
        let again = sync(sandbox, &["--format", "json", "--backup-dir", &backup, &url, &dst]);
        assert_eq!(again.changes(), [""; 0]);
        assert_eq!(only_run(dst.at(".old")), run, "a run that replaces nothing makes no directory");
        let run_dir = format!("{backup}/{run}");
        sandbox.oneway(["undo", &run_dir]).expect_status(0);
        dst.remove(".old");
        assert_eq!(snapshot(&dst), "a = \"old\"\nd/\nd/x = \"x\"\ngone = \"g\"\n");
    });
}

#[test]
fn a_later_run_without_the_option_leaves_what_was_set_aside() {
    let sandbox = Sandbox::new();
    let there = sandbox.dir("there");
    let served = ServeOptions { access: Access::Write, ..ServeOptions::new(there.path()) };
    let server = Server::start(served).unwrap();
    let src = sandbox.tree("src", files! {"a" => "1", "b" => "2"});
    sync(&sandbox, &[&src, &server.url()]);
    src.remove("b");
    sync(&sandbox, &["--backup-dir", "old/er", &src, &server.url()]);
    let run = only_run(there.at("old/er"));
    let with_backup = snapshot(&there);
    assert!(there.has(format!("old/er/{run}/b")));
    sync(&sandbox, &[&src, &server.url()]);
    assert_eq!(snapshot(&there), with_backup);
    // Nor is it mirrored from there.
    let back = sandbox.dir("back");
    sync(&sandbox, &[&server.url(), &back]);
    assert!(back.has("a") && !back.has(format!("old/er/{run}/b")), "{}", snapshot(&back));
}

#[test]
fn nonsense_is_refused_before_anything_is_done() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "new"});
        daemon.root().add(files! {"site/a" => "o"});
        let url = daemon.url("/site");
        for dir in ["site", "/site/", "", "/", "%2F", "%2Fsite"] {
            let output = sandbox.oneway(["sync", "--backup-dir", dir, &src, &url]).any_status();
            assert!(output.stderr.contains("error: "), "{dir} {output}");
            assert_eq!(snapshot(daemon.root()), "site/\nsite/a = \"o\"\n", "{dir} {output}");
        }
        let dst = sandbox.tree("dst", files! {"a" => "o"});
        let above = sandbox.path("").to_str().unwrap().to_owned();
        for dir in [&*dst, &above] {
            let output = sandbox.oneway(["sync", "--backup-dir", dir, &url, &dst]).any_status();
            output.tells(&["the backup directory is the destination itself, or holds it", "hint: "]);
            assert_eq!(snapshot(&dst), "a = \"o\"\n");
        }
    });
}

#[test]
fn where_no_backup_can_be_made_nothing_is_changed() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "new", "b" => "added"});
        daemon.root().add(files! {"site/a" => "o", "file" => "in the way"});
        let url = daemon.url("/site");
        let output = sandbox.oneway(["sync", "--backup-dir", "file/old", &src, &url]).expect_status(3);
        output.tells(&["nothing was changed, since the backup directory can't be used"]);
        assert_eq!(snapshot(daemon.root()), "file = \"in the way\"\nsite/\nsite/a = \"o\"\n");
    });
}

#[test]
fn a_run_elsewhere_is_not_undone_here() {
    let sandbox = Sandbox::new();
    let dir = sandbox.tree("run", files! {".oneway-backup.jsonl" => "{\"oneway_backup\":1,\"destination\":\"ftp://h/\",\"times\":true}\n"});
    let output = sandbox.oneway(["undo", &dir]).expect_status(2);
    output.tells(&["is of a mirror elsewhere, ftp://h; name it as that run did"]);
    let nothing = sandbox.dir("nothing");
    sandbox.oneway(["undo", &nothing]).any_status().tells(&["error: ", ".oneway-backup.jsonl"]);
    dir.write(".oneway-backup.jsonl", "{\"oneway_backup\":1,\"destination\":\"/\",\"times\":true}\n{\"action\":\"delete\",\"path\":\"../x\"}\n");
    sandbox
        .oneway(["undo", &dir])
        .any_status()
        .tells(&["line 2 of .oneway-backup.jsonl holds a path that can't be"]);
}
