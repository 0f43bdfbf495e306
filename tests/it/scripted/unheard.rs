//! Transfers of which all came and nothing was said: looked at before they are repeated.

use super::{SILENCE, TWO_FILES, Trial, all, two_files};
use crate::support::files;

/// A greeting that gives the server away as one that takes many commands at once.
const PIPELINED: &str = "on CONNECT\n< 220 (vsFTPd 3.0.3)\n";

#[test]
fn an_upload_whose_closing_reply_is_lost_is_not_sent_again() {
    for greeting in ["", PIPELINED] {
        all(
            [
                "once STOR\nunheard\ndrop".to_owned(),
                "once STOR\nunheard\nreset".to_owned(),
                format!("once STOR\nunheard\n{SILENCE}"),
                "once STOR\nunheard\n< 421 time is over\ndrop".to_owned(),
                // What was asked of it behind the transfer.
                "once SIZE *.part\ndrop".to_owned(),
                "once MFMT\nunheard\ndrop".to_owned(),
                // The first of the last two is lost, and its session with it.
                "nth 2 STOR\nunheard\ndrop".to_owned(),
            ],
            |script| {
                let trial = Trial::with(files! {}, &format!("{greeting}{script}")).having(two_files());
                trial.push(&[]).expect_status(0);
                let transcript = trial.finish_unchecked();
                assert_eq!(transcript.tree(), TWO_FILES, "{script}");
                assert_eq!(transcript.uploads_to(".part"), 2, "{script}\n{}", transcript.lines().join("\n"));
            },
        );
    }
}

#[test]
fn a_rename_whose_reply_is_lost_is_not_done_again() {
    for greeting in ["", PIPELINED] {
        let silent = format!("once RNTO\nunheard\n{SILENCE}");
        all(
            [
                "once RNTO\nunheard\ndrop",
                "nth 2 RNTO\nunheard\ndrop",
                &silent,
                "once RNFR\ndrop",
                "once RNTO\ndrop",
            ],
            |script| {
                let old = files! {"a.txt" => "a former a!!"};
                let trial = Trial::with(old, &format!("{greeting}{script}")).having(two_files());
                trial.push(&["--compare", "always"]).expect_status(0);
                let transcript = trial.finish_unchecked();
                assert_eq!(transcript.tree(), TWO_FILES, "{script}");
                assert_eq!(transcript.uploads_to(".part"), 2, "{script}\n{}", transcript.lines().join("\n"));
            },
        );
    }
}

#[test]
fn what_is_not_whole_or_not_there_is_sent_again() {
    let stored = "once STOR\nunheard\ndrop\n";
    all(
        [
            // Nothing arrived; some of it did; the server removes what was broken off, and the old file has the right size.
            "once STOR\n< 150 go on\ndata recv\ndata close\ndrop".to_owned(),
            format!("{stored}nth 1 SIZE *.part\n< 213 3\nnth 2 SIZE *.part\n< 213 3"),
            "once STOR\n< 150 go on\ndata recv 5\ndrop".to_owned(),
            // Nobody tells its size, and the listing is not to be believed.
            format!(
                "{stored}on SIZE\n< 502 what?\nnth 2 MLSD\n< 150\ndata send \"what?\\r\\n\"\ndata close\n< 226"
            ),
        ],
        |script| {
            let old = files! {"a.txt" => "a former a!!", "b.txt" => "content of b"};
            let trial = Trial::with(old, &script).having(two_files());
            trial.push(&["--compare", "always"]).expect_status(0);
            let transcript = trial.finish_unchecked();
            assert!(transcript.uploads_to(".part") >= 2, "{script}\n{}", transcript.lines().join("\n"));
            let whole: Vec<&str> = transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
            assert_eq!(whole.join("\n") + "\n", TWO_FILES, "{script}");
        },
    );
}

#[test]
fn a_server_that_tells_no_size_is_asked_for_a_listing() {
    let script = "on SIZE\n< 502 what?\nonce STOR\nunheard\ndrop";
    let trial = Trial::with(files! {}, script).having(two_files());
    trial.push(&[]).expect_status(0);
    let transcript = trial.finish_unchecked();
    assert_eq!((transcript.tree(), transcript.uploads_to(".part")), (TWO_FILES, 2));
}

#[test]
fn a_download_that_is_whole_is_kept_though_its_closing_reply_is_lost() {
    for greeting in ["", PIPELINED] {
        let silent = format!("once RETR /a.txt\nunheard\n{SILENCE}");
        all(
            [
                "once RETR /a.txt\nunheard\ndrop",
                "once RETR /a.txt\nunheard\nreset",
                &silent,
                "once RETR /a.txt\nunheard\n< 421 time is over\ndrop",
            ],
            |script| {
                let trial = Trial::with(two_files(), &format!("{greeting}{script}"));
                trial.pull(&["--retries", "0"]).expect_status(0);
                assert_eq!(trial.local(), TWO_FILES, "{script}");
                let transcript = trial.finish_unchecked();
                let again: Vec<String> =
                    transcript.sent(&["RETR"]).into_iter().filter(|line| line == "RETR /a.txt").collect();
                assert_eq!(again.len(), 1, "{script}");
            },
        );
    }
}

#[test]
fn a_download_that_is_short_or_refused_at_its_end_is_no_whole_one() {
    let data = |send: &str, end: &str| {
        format!("on RETR /a.txt\n< 150 here\ndata send \"{send}\"\ndata close\n{end}")
    };
    all(
        [
            data("content", "drop"),
            data("content of a", "< 451 a read error"),
            data("content of a", "< 426 broken"),
        ],
        |script| {
            let trial = Trial::with(two_files(), &script);
            trial.pull(&[]).expect_status(3).tells(&["cannot read `a.txt`"]);
            assert_eq!(trial.local(), "b.txt = \"content of b\"\n", "{script}");
            trial.finish_unchecked();
        },
    );
}
