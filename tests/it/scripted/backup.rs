//! Servers that refuse a step of setting aside, and of giving files their names.

use super::{Trial, all};
use crate::support::files;

const PIPELINED: &str = "on CONNECT\n< 220 (vsFTPd 3.0.3)\n";

/// A push of two changed files over old ones, one of them deleted, to a server that does as `script` says.
fn push(script: &str, options: &[&str], status: i32) -> (crate::support::Output, String) {
    let there = files! {"a" => "old a", "b" => "old b", "gone" => "g"};
    let trial = Trial::with(there, script).having(files! {"a" => "newer a", "b" => "newer b", "c" => "c"});
    let options = [&["--delete", "--max-delete", "100%", "--retries", "1"], options].concat();
    let output = trial.push(&options).expect_status(status);
    (output, trial.finish().tree().to_owned())
}

/// Returns the tree without the names of runs, and without the list of what a run did.
fn told(tree: &str) -> String {
    let cut = |line: &str| match line.split_once("old/20") {
        Some((before, rest)) => {
            let below = rest.split_once('/').map_or("", |(_, below)| below);
            (!below.is_empty() && !below.starts_with(".oneway")).then(|| format!("{before}RUN {below}\n"))
        }
        None => Some(format!("{line}\n")),
    };
    tree.lines().filter_map(cut).collect()
}

const REPLACED: &str = "a = \"newer a\"\nb = \"newer b\"\nc = \"c\"\nold/\nRUN a = \"old a\"\nRUN b = \"old b\"\nRUN gone = \"g\"\n";

#[test]
fn replaced_and_deleted_files_are_where_they_can_be_found() {
    all(["", PIPELINED], |script| {
        for delayed in [&[][..], &["--delay-updates"]] {
            let (_, tree) = push(script, &[&["--backup-dir", "old"], delayed].concat(), 0);
            assert_eq!(told(&tree), REPLACED, "{tree}");
        }
    });
}

#[test]
fn what_can_not_be_set_aside_is_neither_replaced_nor_deleted() {
    all([PIPELINED, ""], |greeting| {
        for delayed in [&[][..], &["--delay-updates"]] {
            let script =
                ["a", "b", "gone"].map(|name| format!("on RNTO /old/*/{name}\n< 550 not there\n")).concat();
            let script = format!("{greeting}{script}");
            let (output, tree) = push(&script, &[&["--backup-dir", "old"], delayed].concat(), 3);
            output.tells(&[
                "cannot move `a` on ftp://script@127.0.0.1",
                "550 not there",
                "not done, since something before it failed",
            ]);
            let there = "a = \"old a\"\nb = \"old b\"\nc = \"c\"\ngone = \"g\"\nold/\n";
            assert_eq!(told(&tree), there, "{tree}");
        }
    });
}

#[test]
fn where_one_can_not_be_set_aside_the_others_are_replaced() {
    let script = format!("{PIPELINED}on RNTO /old/*/a\n< 550 not there\n");
    let (output, tree) = push(&script, &["--backup-dir", "old"], 3);
    output.tells(&["cannot move `a` on ftp://script@127.0.0.1", "550 not there"]);
    let there = "a = \"old a\"\nb = \"newer b\"\nc = \"c\"\ngone = \"g\"\nold/\nRUN b = \"old b\"\n";
    assert_eq!(told(&tree), there, "{tree}");
}

#[test]
fn where_the_new_file_does_not_get_its_name_the_old_one_comes_back() {
    all([PIPELINED, ""], |greeting| {
        let script = format!("{greeting}once RNTO /a\n< 553 not that name\n");
        let (output, tree) = push(&script, &["--backup-dir", "old"], 3);
        output.tells(&["cannot write `a` on ftp://script@127.0.0.1", "553 not that name"]);
        let there = "a = \"old a\"\nb = \"newer b\"\nc = \"c\"\ngone = \"g\"\nold/\nRUN b = \"old b\"\n";
        assert_eq!(told(&tree), there, "{tree}");
    });
}

#[test]
fn without_a_place_for_backups_nothing_is_changed() {
    all(["on MKD /old*\n< 550 no more room\n", "on STOR /old*\n< 452 no more room\n"], |script| {
        let (output, tree) = push(script, &["--backup-dir", "old"], 3);
        output.tells(&["nothing was changed, since the backup directory can't be used", "no more room"]);
        assert!(told(&tree).starts_with("a = \"old a\"\nb = \"old b\"\ngone = \"g\"\n"), "{tree}");
    });
}

#[test]
fn renames_that_were_under_way_when_the_session_ended_are_finished() {
    for verb in ["RNFR", "RNTO"] {
        for (nth, step) in
            [(1, "drop"), (2, "normally\ndrop"), (3, "drop"), (4, "normally\ndrop"), (6, "normally\ndrop")]
        {
            for delayed in [&[][..], &["--delay-updates"]] {
                let script = format!("{PIPELINED}nth {nth} {verb}\n{step}\n");
                let (_, tree) = push(&script, &[&["--backup-dir", "old"], delayed].concat(), 0);
                assert_eq!(told(&tree), REPLACED, "{nth} {verb} {step} {tree}");
            }
        }
    }
}
