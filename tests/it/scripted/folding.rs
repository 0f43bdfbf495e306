//! Servers that take names that differ in case alone for one, as those on Windows do.

use super::Trial;
use crate::support::{Files, ScriptServer, files};

fn folding(there: Files, here: Files) -> Trial {
    Trial::at(ScriptServer::folding_case(there, ""), "").having(here)
}

const DELETE: &[&str] = &["--delete", "--max-delete", "100%"];

#[test]
fn a_file_in_another_spelling_is_not_sent_and_then_deleted() {
    let trial = folding(
        files! {"README.txt" => "old", "Sub/A" => "a"},
        files! {"readme.txt" => "newer", "sub/a" => "a"},
    );
    trial.push(DELETE).expect_status(0);
    let output = trial.push(&[DELETE, &["--no-state"]].concat()).expect_status(0);
    assert!(output.stdout.contains("nothing to do"), "{output}");
    let transcript = trial.finish();
    assert_eq!(transcript.tree(), "README.txt = \"newer\"\nSub/\nSub/A = \"a\"\n");
    assert_eq!(transcript.sent(&["DELE", "RMD", "MKD"]), [""; 0]);
}

#[test]
fn of_two_names_that_are_one_there_one_is_sent_and_the_other_told_of() {
    let trial = folding(
        files! {},
        files! {"Readme" => "1", "readme" => "2", "d/\u{202e}X" => "3", "d/\u{202e}x" => "4", "e" => "e"},
    );
    let diff = trial.run("diff", &[], &[&trial.here, &trial.server.url("/")]).expect_status(1);
    diff.tells(&["note: names that differ in case alone", "shows when files are sent"]);
    for _ in 0..2 {
        let output = trial.push(DELETE).expect_status(3);
        output.tells(&[
            "error: `readme` was left out: on ftp://",
            "it would be `Readme`",
            "`d/\\u{202e}x` was left out",
        ]);
        super::assert_printable(&output);
    }
    trial.run("diff", &[], &[&trial.here, &trial.server.url("/")]).expect_status(3);
    let tree = trial.finish().tree().to_owned();
    assert_eq!(tree, "Readme = \"1\"\nd/\nd/\u{202e}X = \"3\"\ne = \"e\"\n");
}

#[test]
fn a_server_that_tells_case_apart_gets_all_of_them_and_one_question() {
    let trial = Trial::with(files! {"other" => "o"}, "")
        .having(files! {"Readme" => "1", "readme" => "2", "other" => "o"});
    trial.push(&[]).expect_status(0);
    // What is there side by side needs no question.
    trial.push(&["--no-state"]).expect_status(0);
    let transcript = trial.finish();
    assert_eq!(transcript.tree(), "Readme = \"1\"\nother = \"o\"\nreadme = \"2\"\n");
    assert_eq!(transcript.lines().iter().filter(|line| *line == "SIZE /OTHER").count(), 1);
}

#[test]
fn a_server_that_has_no_answer_is_taken_to_fold() {
    let trial = Trial::with(files! {"README" => "1"}, "on SIZE\n< 500 what?\non MDTM\n< 500 what?")
        .having(files! {"readme" => "1"});
    trial.push(DELETE).expect_status(0).tells(&["can't be asked about names that differ in case alone"]);
    assert_eq!(trial.finish().tree(), "README = \"1\"\n");
}
