//! Renames that are refused, lost or misunderstood: each file is there afterwards, under its new name alone.

use super::{Trial, all};
use crate::support::{Files, Output, files};

/// A greeting that gives the server away as one that takes many commands at once.
const PIPELINED: &str = "on CONNECT\n< 220 (vsFTPd 3.0.3)\n";

/// Contents of one size.
fn five() -> Files {
    Files((0..5).map(|i| (format!("old/f{i}").into(), Some(format!("content {i}").into()))).collect())
}

const MOVED: &str = "new/\nnew/f0 = \"content 0\"\nnew/f1 = \"content 1\"\nnew/f2 = \"content 2\"\n\
                     new/f3 = \"content 3\"\nnew/f4 = \"content 4\"\n";

/// Pushes five files, moves them, and pushes again.
fn move_five(trial: &Trial, options: &[&str], status: i32) -> Output {
    trial.push(&[]).expect_status(0);
    trial.here.rename("old", "new");
    let options = [&["--delete", "--format", "json"], options].concat();
    trial.push(&options).expect_status(status)
}

#[test]
fn what_the_server_does_not_rename_is_sent() {
    // Five RNTO gave the files their names in the first run.
    let at_rnto = |reply: &str| (6..11).map(|n| format!("nth {n} RNTO\n< {reply}\n")).collect::<String>();
    all(
        [
            ("on RNFR /old/f*\n< 550 no".to_owned(), 5),
            ("on RNFR /old/f*\n< 502 never heard of it".to_owned(), 5),
            (at_rnto("553 not there"), 5),
            (at_rnto("550 no"), 5),
            (at_rnto("502 what?"), 5),
            ("nth 7 RNTO\n< 550 no".to_owned(), 1),
            ("once RNFR /old/f3\n< 550 no".to_owned(), 1),
            // Refused for now, and taken when it is tried again.
            ("once RNFR /old/f3\n< 450 busy".to_owned(), 0),
            // What was announced last stays announced, so that another file gets the name: it is sent over.
            ("nth 7 RNTO\n< 550 no\non RNFR /old/f2\n< 550 no".to_owned(), 2),
        ],
        |(script, sent)| {
            for greeting in ["", PIPELINED] {
                let trial = Trial::with(files! {}, &format!("{greeting}{script}")).having(five());
                let output = move_five(&trial, &[], 0);
                let summary = output.summary();
                assert_eq!(summary["changes"]["rename"], 5, "{script}\n{output}");
                assert_eq!(
                    (&summary["bytes"], &summary["failed"]),
                    (&(sent * 9).into(), &0.into()),
                    "{script}"
                );
                assert_eq!(output.events("done").len(), output.events("change").len());
                let note =
                    format!("{sent} file{} sent under a new name", if sent == 1 { " was" } else { "s were" });
                assert_eq!(output.stderr.contains(&note), sent > 0, "{output}");
                let again = trial.push(&["--delete", "--format", "json"]).expect_status(0);
                assert_eq!(again.changes(), [""; 0], "{script}");
                assert_eq!(trial.finish().tree(), MOVED, "{script}");
            }
        },
    );
}

#[test]
fn renames_that_were_under_way_when_the_session_ended_are_finished() {
    all(
        ["nth 8 RNFR\ndrop", "nth 8 RNTO\ndrop", "nth 8 RNTO\nnormally\ndrop", "nth 6 RNTO\nnormally\nreset"],
        |script| {
            let trial = Trial::with(files! {}, &format!("{PIPELINED}{script}")).having(five());
            let output = move_five(&trial, &[], 0);
            assert_eq!(
                (&output.summary()["bytes"], &output.summary()["changes"]["rename"]),
                (&0.into(), &5.into())
            );
            let again = trial.push(&["--delete", "--format", "json"]).expect_status(0);
            assert_eq!(again.changes(), [""; 0], "{script}");
            let transcript = trial.finish();
            assert_eq!((transcript.tree(), transcript.connections()), (MOVED, 4), "{script}");
        },
    );
}

#[test]
fn what_can_neither_be_renamed_nor_sent_stays_as_it_was() {
    let script = "once RNFR /old/f3\n< 550 no\nnth 6 STOR\n< 550 no";
    let trial = Trial::with(files! {}, script).having(five());
    let output = move_five(&trial, &["--retries", "0"], 3);
    let failed = output.events("failed");
    assert_eq!((failed[0]["path"].as_str(), failed[0]["action"].as_str()), (Some("old/f3"), Some("rename")));
    // The old one is there, so that it is renamed now.
    let again = trial.push(&["--delete", "--max-delete", "100%"]).expect_status(0);
    assert!(again.stdout.starts_with("changed: 1 renamed, 1 folder removed, 0 B"), "{again}");
    assert_eq!(trial.finish().tree(), MOVED);
}

#[test]
fn times_that_a_server_takes_for_its_local_time_are_made_up_for_in_one_flight() {
    // Each time comes out an hour later than it was sent, whoever finds out first.
    let script = "on MDTM\n< 213 20250102030405\nnth 1 MDTM\n< 213 20250102040405\nnth 2 MDTM\n< 213 20250102040405\n\
                  nth 3 MDTM\n< 213 20250102040405";
    let files = files! {"a" => "1", "b" => "2", "c" => "3"};
    // The clock of the first run is not known to the second.
    let trial = Trial::with(files! {}, &format!("{PIPELINED}{script}")).having(files);
    trial.push(&["--no-times"]).expect_status(0);
    for name in ["a", "b", "c"] {
        trial.here.set_time(name, "2025-01-02T03:04:05Z");
    }
    trial.push(&["--adopt"]).expect_status(0);
    let output = trial.push(&["--format", "json"]).expect_status(0);
    assert_eq!(output.changes(), ["touch a", "touch b", "touch c"]);
    assert_eq!(output.summary()["changes"]["touch"], 3);
    let times: Vec<String> = trial
        .finish()
        .sent(&["MFMT"])
        .iter()
        .map(|line| line.split(' ').nth(1).expect("a time").to_owned())
        .collect();
    let (utc, local) = ("20250102030405", "20250102020405");
    assert_eq!(times, [utc, utc, utc, local, local, local]);
}

#[test]
fn a_time_that_is_not_taken_is_told_once_and_fails_nothing() {
    all(
        ["on MFMT\n< 550 not yours", "on MFMT\n< 501 what time?", "on MFMT\n< 502 no such command"],
        |script| {
            let content = || files! {"a" => "1", "b" => "2"};
            let trial = Trial::with(content(), script).having(content());
            for name in ["a", "b"] {
                trial.here.set_time(name, "2025-01-02T03:04:05Z");
            }
            trial.push(&["--adopt"]).expect_status(0);
            let output = trial.push(&["--format", "json"]).expect_status(0);
            assert_eq!(output.changes(), ["touch a", "touch b"]);
            output.tells(&["note: 2 files are without the time of the source"]);
            assert_eq!(trial.push(&["--format", "json"]).expect_status(0).changes(), [""; 0], "{script}");
            assert!(trial.finish().sent(&["STOR"]).is_empty());
        },
    );
}

#[test]
fn a_file_whose_time_was_not_taken_is_not_sent_again_for_it() {
    all(["on MFMT\n< 550 not yours", "on MDTM\n< 213 20240506070810"], |script| {
        let trial = Trial::with(files! {}, script).having(files! {"a" => "1", "b" => "2"});
        trial.push(&[]).expect_status(0);
        for _ in 0..2 {
            let again = trial.push(&["--format", "json"]).expect_status(0);
            assert_eq!(again.changes(), [""; 0], "{script}");
        }
        // Another content is another matter.
        trial.here.write("a", "3");
        trial.here.set_time("a", "2024-05-06T07:08:00Z");
        let output = trial.push(&["--format", "json"]).expect_status(0);
        assert_eq!(output.changes(), ["replace a"], "{script}");
        assert_eq!(trial.finish().tree(), "a = \"3\"\nb = \"2\"\n");
    });
}
