//! Large files whose parts don't come as they should.

use std::sync::LazyLock;

use super::{Trial, all};
use crate::support::{Files, Transcript, files};

/// Content that is different at each place, just enough for two parts.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = (0..SIZE / 4).map(|n| n.wrapping_mul(0x9E37_79B9));
    // All of it is ASCII, which the text of a tree shows at little cost.
    words.flat_map(|word| [0, 6, 12, 18].map(|bits| b'0' + (word >> bits) as u8 % 64)).collect()
});

const SIZE: usize = 8_400_000;

fn with_large() -> Files {
    files! {"large" => LARGE.clone(), "small" => "s"}
}

/// Returns how often the file was asked for.
fn asked_for_large(transcript: &Transcript) -> usize {
    transcript.sent(&["RETR"]).iter().filter(|retr| *retr == "RETR /large").count()
}

const IN_TWO: [&str; 4] = ["--sessions", "2", "--split-size", "1M"];

#[test]
fn parts_of_a_file_make_the_file() {
    let trial = Trial::with(with_large(), "");
    let output = trial.pull(&[&IN_TWO[..], &["--format", "json"]].concat()).expect_status(0);
    assert_eq!(output.summary()["bytes"], SIZE + 1);
    assert!(std::fs::read(trial.here.at("large")).expect("it is there") == *LARGE);
    let transcript = trial.finish();
    assert_eq!(transcript.sent(&["REST"]), ["REST 4200000"]);
    assert_eq!(asked_for_large(&transcript), 2);
}

#[test]
fn where_parts_fail_the_file_is_whole_all_the_same() {
    // With how often the file is asked for. The last number allows for one try that a part called off at the wrong moment costs.
    all(
        [
            ("REST is unknown", "on REST\n< 502 no such command", 2..=2),
            ("REST is refused for now", "on REST\n< 450 not now", 2..=4),
            ("REST is ignored", "on REST\n< 350 as you like", 2..=4),
            ("RETR after REST is refused", "nth 2 RETR /large\n< 554 no", 2..=4),
            ("SIZE is unknown", "on SIZE /large\n< 502 no such command", 1..=1),
            ("SIZE tells something else", "once SIZE /large\n< 213 8399999", 1..=1),
            ("the file is another one afterwards", "nth 2 MDTM /large\n< 213 20250102030405", 3..=4),
            ("a part breaks off", "nth 2 RETR /large\n< 150 here\ndata file 3000\ndrop", 3..=4),
            (
                "the first part breaks off",
                "once RETR /large\n< 150 here\ndata file 3000\ndata reset\n< 426 no",
                3..=4,
            ),
            (
                "a part ends early",
                "nth 2 RETR /large\n< 150 here\ndata send \"x\"\ndata close\n< 226 done",
                3..=4,
            ),
            ("a part never begins", "nth 2 RETR /large\ndrop", 3..=4),
        ],
        |(what, script, asked)| {
            eprintln!("{what}");
            let trial = Trial::with(with_large(), script);
            let output = trial.pull(&[&IN_TWO[..], &["--format", "json"]].concat()).expect_status(0);
            assert_eq!(
                (&output.summary()["bytes"], &output.summary()["failed"]),
                (&(SIZE + 1).into(), &0.into())
            );
            assert!(std::fs::read(trial.here.at("large")).expect("it is there") == *LARGE, "{what}");
            let there = std::fs::read_dir(trial.here.path()).expect("it is there").count();
            assert_eq!(there, 2, "{what}: something was left");
            let transcript = trial.finish();
            let times = asked_for_large(&transcript);
            let told = transcript.sent(&["RETR", "REST", "EPSV", "USER", "SIZE", "MDTM"]);
            assert!(asked.contains(&times), "{what}: asked for {times} times: {told:#?}");
        },
    );
}

#[test]
fn a_file_that_comes_neither_in_parts_nor_whole_fails_alone() {
    let trial =
        Trial::with(with_large(), "on RETR /large\n< 150 here\ndata file 3000\ndata close\n< 426 broken");
    let output = trial.pull(&IN_TWO).expect_status(3);
    output.tells(&["cannot read `large`", "426 broken"]);
    assert_eq!(trial.local(), "small = \"s\"\n");
    trial.finish();
}
