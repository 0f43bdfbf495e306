//! Sessions that end amid several commands, and servers that go away.

use std::fmt::Write as _;

use super::{Trial, all};
use crate::support::{Files, files};

/// A greeting that gives the server away as one that takes many commands at once.
const PIPELINED: &str = "on CONNECT\n< 220 (vsFTPd 3.0.3)\n";

fn ten(content: &str) -> Files {
    Files((0..10).map(|i| (format!("f{i}").into(), Some(content.into()))).collect())
}

/// A handler that drops the connection at the fourth of these commands, three having been answered.
fn drop_at_fourth(verb: &str) -> String {
    format!("{PIPELINED}nth 4 {verb}\ndrop")
}

#[test]
fn deletions_that_were_under_way_when_the_session_ended_are_finished() {
    all([drop_at_fourth("DELE"), format!("{PIPELINED}nth 4 DELE\nnormally\ndrop")], |script| {
        let mut files = ten("x");
        files.0.push(("keep".into(), Some(b"k".to_vec())));
        let trial = Trial::with(files, &script).having(files! {"keep" => "k"});
        let output = trial.push(&["--delete", "--max-delete", "100%", "--format", "json"]).expect_status(0);
        assert_eq!(output.summary()["changes"]["delete"], 10);
        assert_eq!(output.summary()["failed"], 0);
        let transcript = trial.finish();
        assert!(transcript.connections() >= 2);
        assert_eq!(transcript.tree(), "keep = \"k\"\n");
    });
}

#[test]
fn folders_that_were_being_made_when_the_session_ended_are_all_made() {
    all([drop_at_fourth("MKD"), format!("{PIPELINED}nth 4 MKD\nnormally\ndrop")], |script| {
        let dirs = Files((0..10).map(|i| (format!("d{i}").into(), None)).collect());
        let trial = Trial::with(files! {}, &script).having(dirs);
        trial.push(&[]).expect_status(0);
        let transcript = trial.finish();
        assert!(transcript.connections() >= 2);
        assert_eq!(transcript.tree().lines().count(), 10);
    });
}

#[test]
fn removed_folders_too() {
    all([drop_at_fourth("RMD"), format!("{PIPELINED}nth 4 RMD\nnormally\ndrop")], |script| {
        let dirs = Files((0..10).map(|i| (format!("d{i}").into(), None)).collect());
        let trial = Trial::with(dirs, &script).having(files! {"keep" => "k"});
        trial.push(&["--delete"]).expect_status(0);
        assert_eq!(trial.finish().tree(), "keep = \"k\"\n");
    });
}

#[test]
fn exact_times_that_were_being_asked_when_the_session_ended_are_all_known() {
    let script = format!("{}\non FEAT\n< 211-F\n<  MDTM\n<  SIZE\n< 211 E", drop_at_fourth("MDTM"));
    let trial = Trial::with(ten("x"), &script);
    trial.pull(&[]).expect_status(0);
    for i in 0..10 {
        assert_eq!(trial.here.time(format!("f{i}")), crate::support::LONG_AGO);
    }
    // A second run finds all of them the same.
    let output = trial.run("diff", &[], &[&trial.server.url("/"), &trial.here]).expect_status(0);
    assert!(output.stdout.contains("nothing differs"), "{output}");
    trial.finish();
}

#[test]
fn files_are_whole_though_every_session_ends_after_a_few_commands() {
    all(["SIZE", "MFMT", "RNFR", "RNTO", "STOR"], |verb| {
        let mut script = PIPELINED.to_owned();
        for nth in [2, 5, 9, 13] {
            write!(script, "nth {nth} {verb}\ndrop\n").expect("a String takes all");
        }
        eprintln!("{verb}");
        let trial = Trial::with(files! {}, &script).having(ten("content"));
        // What was lost is looked at by SIZE, too, so that one file may be met twice.
        trial.push(&["--retries", "2"]).expect_status(0);
        let transcript = trial.finish();
        let whole = transcript.tree().lines().filter(|line| line.ends_with(" = \"content\""));
        assert_eq!(whole.filter(|line| line.starts_with('f')).count(), 10, "{verb}\n{}", transcript.tree());
    });
}

#[test]
fn replies_that_do_not_match_their_commands_are_not_believed() {
    // f1 is answered twice, so that each later reply seems to be that of the command before. None is carried out.
    let mut script = format!("{PIPELINED}on DELE\n< 550 no\nconnection\n");
    (0..10).for_each(|i| script += &format!("> DELE /f{i}\n"));
    (0..10).for_each(|i| script += if i == 1 { "< 550 /f1\n< 250 removed\n" } else { "< 550 no\n" });
    script += "connections\n";
    let mut files = ten("x");
    files.0.push(("keep".into(), Some(b"k".to_vec())));
    let trial = Trial::with(files, &script).having(files! {"keep" => "k"});
    let output = trial.push(&["--delete", "--max-delete", "100%", "--format", "json"]).expect_status(3);
    assert_eq!(output.summary()["failed"], 10, "{output}");
    assert!(trial.finish().connections() >= 2);
}

fn sixty() -> Files {
    Files((0..60).map(|i| (format!("d{}/f{i}", i % 7).into(), Some(b"x".to_vec()))).collect())
}

/// The second session and all after it find nobody.
const GONE: &str = "connection\nconnections\ndrop\n";

#[test]
fn a_server_that_goes_away_ends_the_run_and_not_each_file_in_turn() {
    const LIST_ALONE: &str = "on FEAT\n< 211-F\n<  MDTM\n<  SIZE\n< 211 E\n";
    all(
        [
            ("while it is listed", format!("{GONE}nth 3 MLSD\ndrop"), files! {}, 4),
            ("while times are asked", format!("{GONE}{LIST_ALONE}nth 3 MDTM\ndrop"), sixty(), 4),
            (
                "while times are asked for new files",
                format!("{GONE}{LIST_ALONE}nth 3 MDTM\ndrop"),
                files! {},
                3,
            ),
            ("while files come", format!("{GONE}nth 2 RETR\ndrop"), files! {}, 3),
        ],
        |(what, script, here, status)| {
            eprintln!("{what}");
            let trial = Trial::with(sixty(), &script).having(here);
            trial.pull(&[]).expect_status(status).tells(&["closed the connection"]);
            let connections = trial.finish().connections();
            assert!(connections < 12, "{what}: {connections}");
        },
    );
    all(
        [
            ("while folders are made", format!("{GONE}nth 3 MKD\ndrop"), files! {}, sixty()),
            ("while files are sent", format!("{GONE}nth 2 STOR\ndrop"), files! {}, sixty()),
            ("while files are deleted", format!("{GONE}nth 3 DELE\ndrop"), sixty(), files! {"a" => "x"}),
            ("while folders are removed", format!("{GONE}nth 3 RMD\ndrop"), sixty(), files! {"a" => "x"}),
        ],
        |(what, script, there, here)| {
            eprintln!("{what}");
            let trial = Trial::with(there, &script).having(here);
            let output = trial.push(&["--delete", "--max-delete", "100%"]).expect_status(3);
            output.tells(&["closed the connection"]);
            let connections = trial.finish().connections();
            assert!(connections < 12, "{what}: {connections}");
        },
    );
}

#[test]
fn several_sessions_that_are_lost_for_good_end_the_run_too() {
    let mut script = "on RETR\ndrop\n".to_owned();
    for nth in 5..100 {
        write!(script, "nth {nth} CONNECT\ndrop\n").expect("a String takes all");
    }
    let trial = Trial::with(sixty(), &script);
    trial.pull(&["--sessions", "4"]).expect_status(3).tells(&["closed the connection"]);
    assert_eq!(trial.local().lines().filter(|line| line.contains(" = ")).count(), 0);
    assert!(trial.finish().connections() < 40);
}

#[test]
fn what_a_lost_session_leaves_is_done_by_the_others() {
    // Two sessions; the one whose download is cut finds the server full and never comes back.
    let mut script = "nth 7 RETR\ndrop\n".to_owned();
    for nth in 3..50 {
        write!(script, "nth {nth} CONNECT\n< 421 too many connections\ndrop\n").expect("a String takes all");
    }
    let trial = Trial::with(sixty(), &script);
    trial.pull(&["--sessions", "2"]).expect_status(0);
    assert_eq!(trial.local().lines().filter(|line| line.contains(" = \"x\"")).count(), 60);
    trial.finish();
}

#[test]
fn a_mirror_is_made_though_sessions_end_at_any_time() {
    let cases = [67, 83, 101, 127].into_iter().flat_map(|step| ["", "normally\n"].map(|when| (step, when)));
    all(cases, |(step, when)| {
        eprintln!("{step} {when:?}");
        let mut script = PIPELINED.to_owned();
        for nth in (1..60).map(|n| n * step) {
            // Any command, the greeting included; what was carried out may go without its reply.
            write!(script, "nth {nth} *\n{when}drop\n").expect("a String takes all");
        }
        let mut extra = sixty();
        extra.0.extend(ten("x").0);
        let trial =
            Trial::with(extra, &script).having(files! {"new/a" => "1", "new/b" => "2", "d0/f0" => "longer"});
        let options = ["--sessions", "2", "--retries", "8", "--delete", "--max-delete", "100%"];
        trial.push(&options).expect_status(0);
        let transcript = trial.finish();
        let whole: Vec<&str> = transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
        assert_eq!(whole, ["d0/", "d0/f0 = \"longer\"", "new/", "new/a = \"1\"", "new/b = \"2\""]);

        let trial = Trial::with(sixty(), &script).having(ten("x")).having(files! {"d0/f0" => "longer"});
        trial.pull(&options).expect_status(0);
        assert_eq!(trial.local().lines().filter(|line| line.ends_with(" = \"x\"")).count(), 60);
        assert_eq!(trial.local().lines().count(), 67);
        trial.finish();
    });
}

#[test]
fn one_directory_that_ends_every_session_costs_no_other_its_listing() {
    for verb in ["MLSD /d3", "MLSD /d0", "MLSD /d6"] {
        let trial = Trial::with(sixty(), &format!("on {verb}\ndrop"));
        let output = trial.pull(&[]).expect_status(3);
        output.tells(&["nothing is deleted below"]);
        assert_eq!(output.stderr.lines().count(), 1, "{output}");
        let whole = trial.local().lines().filter(|line| line.ends_with(" = \"x\"")).count();
        assert!((51..=52).contains(&whole), "{whole}");
        trial.finish();
    }
}

#[test]
fn one_file_whose_deletion_ends_every_session_stays_alone() {
    let mut files = ten("x");
    files.0.push(("keep".into(), Some(b"k".to_vec())));
    let trial = Trial::with(files, "on DELE /f4\ndrop").having(files! {"keep" => "k"});
    trial.push(&["--delete", "--max-delete", "100%"]).expect_status(3).tells(&["cannot remove `f4`"]);
    assert_eq!(trial.finish().tree(), "f4 = \"x\"\nkeep = \"k\"\n");
}

#[test]
fn a_file_that_was_announced_on_a_lost_session_is_not_written_under_its_old_name() {
    // The second STOR is announced behind the first, whose session then ends; vsftpd would go on holding that file.
    let script = format!("{PIPELINED}once STOR\n< 150 go on\ndata recv\ndata close\ndrop");
    let files = Files((0..4).map(|i| (format!("f{i}").into(), Some("x".into()))).collect());
    let trial = Trial::with(files! {}, &script).having(files);
    trial.push(&["--retries", "2"]).expect_status(0);
    let transcript = trial.finish();
    let stored = transcript.sent(&["STOR"]);
    let unique: std::collections::BTreeSet<&String> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "{stored:?}");
    assert_eq!(transcript.tree(), "f0 = \"x\"\nf1 = \"x\"\nf2 = \"x\"\nf3 = \"x\"\n");
}
