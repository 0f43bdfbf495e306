//! Transfers that break off, with servers that go on with files in their own ways, or don't.

use std::fs;
use std::sync::LazyLock;

use super::{Trial, all};
use crate::support::{LONG_AGO, Output, Transcript, files};

/// Content that is different at each place. All of it is ASCII, which the text of a tree shows at little cost.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = (0..SIZE / 4).map(|n| n.wrapping_mul(0x9E37_79B9));
    words.flat_map(|word| [0, 6, 12, 18].map(|bits| b'0' + (word >> bits) as u8 % 64)).collect()
});

const SIZE: usize = 3_000_000;

/// What is there when the line has broken.
const BEGUN: usize = 2_000_000;

/// The upload breaks off.
const BREAKS: &str = "once STOR\n< 150 go on\ndata store 2000000\ndata reset\n< 426 broken\ndrop\n";

/// The download breaks off.
const ENDS_EARLY: &str = "once RETR\n< 150 here\ndata file 2000000\ndata close\n< 426 broken\n";

const NO_MORE_TRIES: [&str; 4] = ["--retries", "0", "--format", "json"];

/// Pushes to a server where the first upload breaks off, and pushes again, without another try.
fn push_twice(script: &str, between: impl Fn(&Trial), options: &[&str]) -> (Output, Transcript) {
    let trial = Trial::with(files! {}, &format!("{BREAKS}{script}")).having(files! {"large" => *LARGE});
    trial.push(&NO_MORE_TRIES).expect_status(3);
    between(&trial);
    let output = trial.push(&[&NO_MORE_TRIES[..], options].concat()).expect_status(0);
    let content = fs::read_to_string(trial.here.at("large")).expect("it is text");
    let transcript = trial.finish();
    assert_eq!(transcript.tree().lines().count(), 1, "something was left: {output}");
    assert!(transcript.tree() == format!("large = {content:?}\n"), "it is another file: {output}");
    (output, transcript)
}

/// Returns how many bytes each upload brought.
fn uploaded(transcript: &Transcript) -> Vec<usize> {
    transcript.uploads().iter().map(|(_, bytes)| bytes.len()).collect()
}

#[test]
fn an_upload_goes_on_where_the_last_run_broke_off() {
    let (output, transcript) = push_twice("", |_| {}, &[]);
    assert_eq!(uploaded(&transcript), [BEGUN, SIZE - BEGUN]);
    assert_eq!(output.summary()["bytes"], SIZE - BEGUN);
    assert_eq!(transcript.sent(&["REST"]), ["REST 1934464", "REST 2000000", "REST 1934464"]);
    let [first, second] = &transcript.sent(&["STOR"])[..] else { panic!("{:?}", transcript.lines()) };
    assert_eq!(first, second);
}

#[test]
fn an_upload_that_cannot_go_on_begins_anew_and_that_is_no_failed_try() {
    all(
        [
            ("REST is unknown", "on REST\n< 502 no such command"),
            ("REST is refused", "on REST\n< 451 not permitted"),
            ("REST is ignored", "on REST\n< 350 as you like"),
            ("REST is ignored before STOR", "nth 2 REST\n< 350 as you like"),
            ("STOR after REST is refused", "nth 2 STOR\n< 451 Append/Restart not permitted, try again"),
            ("STOR after REST is refused for good", "nth 2 STOR\n< 550 not compatible with HiddenStores"),
            ("the size was another one", "once SIZE /.oneway-*\n< 213 1900000"),
            ("the size is not told", "once SIZE /.oneway-*\n< 550 no"),
            ("it is larger than the file", "once SIZE /.oneway-*\n< 213 3000001"),
            ("it can't be read", "once RETR /.oneway-*\n< 550 no"),
            ("it ends early", "once RETR /.oneway-*\n< 150 here\ndata send \"x\"\ndata close\n< 226 done"),
            ("the size is wrong in the end", "nth 2 SIZE /.oneway-*\n< 213 2999999"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let (output, transcript) = push_twice(script, |_| {}, &[]);
            assert_eq!(uploaded(&transcript).last(), Some(&SIZE), "{what}");
            assert_eq!(output.summary()["bytes"], SIZE, "{what}");
        },
    );
}

#[test]
fn another_source_is_sent_whole_and_what_is_there_of_the_old_one_is_removed() {
    let another = |trial: &Trial| {
        trial.here.write("large", LARGE.iter().rev().copied().collect::<Vec<u8>>());
        trial.here.set_time("large", LONG_AGO);
    };
    // Of the same size and time, so that only its content tells.
    let (_, transcript) = push_twice("", another, &[]);
    assert_eq!(uploaded(&transcript), [BEGUN, SIZE]);
    let newer = |trial: &Trial| trial.here.set_time("large", "2024-05-06T07:08:10Z");
    let (output, transcript) = push_twice("", newer, &[]);
    assert_eq!(uploaded(&transcript), [BEGUN, SIZE]);
    assert!(transcript.sent(&["REST"]).is_empty());
    output.tells(&["note: 1 leftover of an earlier run removed"]);
}

#[test]
fn nothing_goes_on_where_that_is_not_wished() {
    let (output, transcript) = push_twice("", |_| {}, &["--no-resume"]);
    assert_eq!(uploaded(&transcript), [BEGUN, SIZE]);
    output.tells(&["1 leftover of an earlier run removed"]);
}

#[test]
fn a_dry_run_leaves_leftovers_and_a_run_without_changes_removes_them() {
    let trial = Trial::with(files! {}, BREAKS).having(files! {"large" => *LARGE});
    trial.push(&NO_MORE_TRIES).expect_status(3);
    let output = trial.push(&["-n"]).expect_status(0);
    assert!(!output.stderr.contains("leftover"), "{output}");
    trial.here.remove("large");
    let output = trial.push(&["--format", "json", "--allow-empty-source"]).expect_status(0);
    output.tells(&["1 leftover of an earlier run removed"]);
    assert!(output.changes().is_empty(), "{output}");
    let transcript = trial.finish();
    assert_eq!((transcript.tree(), transcript.sent(&["DELE"]).len()), ("", 1));
}

#[test]
fn an_upload_goes_on_within_a_run_as_long_as_it_gets_further() {
    let breaks = |nth: usize, bytes: usize| {
        format!("nth {nth} STOR\n< 150 go on\ndata store {bytes}\ndata reset\n< 426 broken\ndrop\n")
    };
    let content: Vec<u8> = LARGE.repeat(2);
    let run = |script: &str, options: &[&str], status| {
        let trial = Trial::with(files! {}, script).having(files! {"large" => content});
        let output = trial.push(&[&["--format", "json"], options].concat()).expect_status(status);
        (output, trial.finish())
    };
    // Each further try brings something, however few are allowed in vain.
    let script: String = [1_200_000, 900_000, 900_000, 900_000]
        .iter()
        .enumerate()
        .map(|(i, bytes)| breaks(i + 1, *bytes))
        .collect();
    let (output, transcript) = run(&script, &["--retries", "1"], 0);
    assert_eq!(uploaded(&transcript), [1_200_000, 900_000, 900_000, 900_000, 2_100_000]);
    assert_eq!(output.summary()["bytes"], 2 * SIZE);
    assert_eq!(output.events("done")[0]["tries"], 5);
    assert!(transcript.tree() == format!("large = {:?}\n", String::from_utf8_lossy(&content)));

    // Where they bring nothing, they are as few as was said. What is there is for the next run.
    let (first, all) =
        (breaks(1, 1_200_000), "on STOR\n< 150 go on\ndata store 1\ndata reset\n< 426 broken\ndrop\n");
    let (_, transcript) = run(&format!("{all}{first}"), &["--retries", "2"], 3);
    assert_eq!(uploaded(&transcript).len(), 3, "{:?}", transcript.sent(&["STOR"]));
    assert_eq!(transcript.tree().lines().count(), 1);
    assert!(transcript.sent(&["DELE"]).is_empty());

    // A small part isn't worth it.
    let (_, transcript) = run(&breaks(1, 1_000_000), &["--retries", "1"], 0);
    assert_eq!(uploaded(&transcript), [1_000_000, 2 * SIZE]);
    assert_eq!(transcript.tree().lines().count(), 1);
}

/// Pulls from a server where the first download breaks off, and pulls again, without another try.
fn pull_twice(script: &str, content: &[u8]) -> (Output, Transcript) {
    let trial = Trial::with(files! {"large" => content}, &format!("{ENDS_EARLY}{script}"));
    trial.pull(&NO_MORE_TRIES).expect_status(3);
    assert_eq!(fs::read_dir(trial.here.path()).expect("it is there").count(), 1, "what is there is kept");
    let output = trial.pull(&NO_MORE_TRIES).expect_status(0);
    assert!(fs::read(trial.here.at("large")).expect("it is there") == content, "{output}");
    assert_eq!(fs::read_dir(trial.here.path()).expect("it is there").count(), 1, "something was left");
    (output, trial.finish())
}

#[test]
fn a_download_goes_on_where_the_last_run_broke_off() {
    let (output, transcript) = pull_twice("", &LARGE);
    assert_eq!(transcript.sent(&["REST", "RETR"]), ["RETR /large", "REST 1934464", "RETR /large"]);
    assert_eq!(output.summary()["bytes"], SIZE - BEGUN);
}

#[test]
fn a_download_that_cannot_go_on_begins_anew_and_that_is_no_failed_try() {
    all(
        [
            ("REST is unknown", "on REST\n< 502 no such command"),
            ("REST is ignored", "on REST\n< 350 as you like"),
            ("RETR after REST is refused", "nth 2 RETR\n< 554 no"),
            ("MDTM is unknown", "on MDTM\n< 502 no such command"),
            ("the file is another one by now", "once MDTM\n< 213 20250102030405"),
            ("the file is another one in the end", "nth 2 MDTM\n< 213 20250102030405"),
            ("the file is longer by now", "once SIZE /large\n< 213 3000001"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let (output, _) = pull_twice(script, &LARGE);
            assert_eq!(output.summary()["bytes"], SIZE, "{what}");
        },
    );
    // By its content alone, nobody could tell that this one begins anew.
    let (output, _) = pull_twice("on REST\n< 350 as you like", &vec![b'x'; SIZE]);
    assert_eq!(output.summary()["bytes"], SIZE);
}

#[test]
fn a_download_goes_on_within_a_run() {
    let trial = Trial::with(files! {"large" => *LARGE}, ENDS_EARLY);
    let output = trial.pull(&["--retries", "1", "--format", "json"]).expect_status(0);
    assert_eq!(output.summary()["bytes"], SIZE);
    assert!(fs::read(trial.here.at("large")).expect("it is there") == *LARGE);
    assert_eq!(trial.finish().sent(&["REST"]), ["REST 1934464"]);
}
