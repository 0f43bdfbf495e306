//! `--inplace`: onto the final names, for servers that can't rename.

use super::{TWO_FILES, Trial, two_files};
use crate::support::files;

const NO_RENAMES: &str = "on RNFR\n< 502 never heard of it\non RNTO\n< 502 never heard of it";

#[test]
fn a_server_that_cannot_rename_is_told_as_one_and_written_to_in_place() {
    for greeting in ["", "on CONNECT\n< 220 (vsFTPd 3.0.3)\n"] {
        let trial =
            Trial::with(files! {"a.txt" => "old"}, &format!("{greeting}{NO_RENAMES}")).having(two_files());
        let more: Vec<String> = (0..10).map(|i| format!("m{i}")).collect();
        more.iter().for_each(|name| trial.here.write(name, "m"));
        let output = trial.push(&["--delete"]).expect_status(3);
        output.tells(&["can't rename; --inplace writes onto the final names"]);
        trial.push(&["--inplace"]).expect_status(0);
        let again = trial.push(&["--inplace", "--format", "json"]).expect_status(0);
        assert_eq!(again.changes(), [""; 0]);
        let transcript = trial.finish();
        let more: String = more.iter().map(|name| format!("{name} = \"m\"\n")).collect();
        assert_eq!(transcript.tree(), format!("{TWO_FILES}{more}"));
        let first = transcript.sent(&["STOR"]).into_iter().filter(|line| line.contains(".part")).count();
        assert!(first <= 5, "the first run doesn't send all files in vain: {first}");
        // Size and time are looked after all the same.
        assert!(transcript.sent(&["SIZE", "MFMT"]).contains(&"SIZE /a.txt".to_owned()));
    }
}

#[test]
fn a_refused_rename_is_no_server_without_renames() {
    let trial = Trial::with(files! {}, "on RNTO /a.txt\n< 502 not that one").having(two_files());
    let output = trial.push(&[]).expect_status(3);
    assert!(!trial.finish().tree().contains("a.txt"));
    // Nothing was renamed before it.
    output.tells(&["cannot write `a.txt`"]);
}

#[test]
fn what_fails_in_place_is_said_to_be_a_part_and_sent_again_by_the_next_run() {
    let script = "once STOR /a.txt\n< 150 go on\ndata recv 7\ndata reset\n< 426 broken";
    let large = "x".repeat(3_000_000);
    let trial = Trial::with(files! {"a.txt" => large.replace('x', "y")}, script)
        .having(files! {"a.txt" => large.as_str(), "b.txt" => "content of b"});
    let options = ["--inplace", "--retries", "0", "--compare", "always"];
    trial.push(&options).expect_status(3).tells(&["cannot write `a.txt`", "may be a part of it"]);
    trial.push(&["--inplace"]).expect_status(0);
    let transcript = trial.finish();
    assert!(transcript.sent(&["RNFR", "DELE"]).is_empty(), "the final file is no litter");
    assert!(transcript.tree().contains("b.txt = \"content of b\""));
}

#[test]
fn what_was_sent_in_place_without_a_last_word_is_sent_again() {
    // The server got the bytes and never wrote them: the old file has the right size.
    let script = "once STOR\n< 150 go on\ndata recv\ndata close\ndrop";
    let trial =
        Trial::with(files! {"a.txt" => "a former a!!"}, script).having(files! {"a.txt" => "content of a"});
    trial.push(&["--inplace", "--compare", "always"]).expect_status(0);
    assert_eq!(trial.finish().tree(), "a.txt = \"content of a\"\n");
}

#[test]
fn a_pull_in_place_keeps_the_file_and_what_is_linked_to_it() {
    let trial = Trial::with(two_files(), "").having(files! {"a.txt" => "a longer one than that"});
    std::fs::hard_link(
        std::path::Path::new(&*trial.here).join("a.txt"),
        std::path::Path::new(&*trial.here).join("link"),
    )
    .expect("the disk has hard links");
    trial.pull(&["--inplace"]).expect_status(0);
    assert_eq!(trial.local(), format!("{TWO_FILES}link = \"content of a\"\n"));
    trial.finish();
}

#[test]
fn a_pull_in_place_that_breaks_off_leaves_a_part_that_is_seen() {
    // The first try ends in the middle; of the second file nothing comes, which costs nobody what is there.
    let script = "once RETR /a.txt\n< 150 here\ndata send \"content\"\ndata close\n< 426 broken\nonce RETR /b.txt\n< 550 no";
    let old = files! {"a.txt" => "a former a!!", "b.txt" => "b of old"};
    let trial = Trial::with(two_files(), script).having(old);
    let output = trial.pull(&["--inplace", "--retries", "0", "--compare", "always"]).expect_status(3);
    output.tells(&["`a.txt`", "may be a part of it"]);
    assert_eq!(trial.local(), "a.txt = \"content\"\nb.txt = \"b of old\"\n");
    trial.pull(&["--inplace"]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();
}

#[test]
fn nothing_is_written_through_a_link_in_place() {
    let trial = Trial::with(files! {"a.txt" => "content of a"}, "");
    let outside = trial.sandbox.tree("outside", files! {"secret" => "untouched"});
    std::os::unix::fs::symlink(
        std::path::Path::new(&*outside).join("secret"),
        std::path::Path::new(&*trial.here).join("a.txt"),
    )
    .expect("the disk has links");
    trial.pull(&["--inplace"]).expect_status(0);
    assert_eq!(crate::support::snapshot(&outside), "secret = \"untouched\"\n");
    assert_eq!(trial.local(), "a.txt = \"content of a\"\n");
    trial.finish();
}
