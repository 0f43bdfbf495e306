//! Replies that don't match what was asked.

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::files;

#[test]
fn a_reply_that_nobody_asked_for_ends_its_session_and_the_work_is_done_again() {
    all(
        [
            ("after the login", "once PWD\nnormally\n< 200 and another thing"),
            ("after a listing", "once MLSD\nnormally\n< 550 no"),
            ("after a download", "once RETR\nnormally\n< 200 and another thing"),
            ("after EPSV", "once EPSV\nnormally\n< 229 ok (|||1234|)"),
            ("a second reply behind LF", "once RETR\n<| 550 /a.txt\\n226 not there\\r\\n"),
            ("503", "once RETR\n< 503 wrong order"),
            ("530", "once RETR\n< 530 log in first"),
            ("another code than can be", "once EPSV\n< 226 done\nonce PASV\n< 226 done"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            let output = trial.pull(&["--retries", "2"]).any_status();
            // A refused download is refused; what matters is that no later reply is taken for another's.
            if what == "a second reply behind LF" {
                assert!(!trial.here.has("a.txt"), "{output}");
                assert_eq!(trial.here.read("b.txt"), b"content of b");
            } else {
                assert_eq!(trial.local(), TWO_FILES, "{what}\n{output}");
            }
            assert!(trial.finish().connections() >= 2, "{what}");
        },
    );
}

#[test]
fn a_reply_that_nobody_asked_for_amid_uploads_costs_a_session_and_no_file() {
    all(
        [
            ("after STOR", "once STOR\nnormally\n< 200 and another thing"),
            ("after RNTO", "once RNTO\nnormally\n< 200 and another thing"),
            ("after MKD", "once MKD\nnormally\n< 200 and another thing"),
            ("SIZE tells no size", "once SIZE *.part\n< 200 ok"),
            ("SIZE is answered by 226", "once SIZE *.part\n< 226 done\n< 200 ok"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial =
                Trial::with(files! {}, script).having(files! {"d/a" => "1", "d/b" => "2", "e/c" => "3"});
            trial.push(&["--retries", "2"]).expect_status(0);
            let transcript = trial.finish();
            assert!(transcript.connections() >= 2, "{what}");
            let whole: Vec<&str> = transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
            assert_eq!(whole.join(" "), "d/ d/a = \"1\" d/b = \"2\" e/ e/c = \"3\"", "{what}");
        },
    );
}

#[test]
fn a_closing_reply_given_twice_is_passed_over() {
    all(
        [
            ("at once", "on RETR\nnormally\n< 226 done"),
            ("of a listing", "on MLSD\nnormally\n< 226 done"),
            ("a little later", "on RETR\nnormally\npause 50ms\n< 226 done"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            trial.pull(&["--retries", "0"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            assert_eq!(trial.finish().connections(), 1, "{what}");
        },
    );
    let trial = Trial::with(files! {}, "on STOR\nnormally\n< 226 done").having(two_files());
    trial.push(&["--retries", "0"]).expect_status(0);
    let transcript = trial.finish();
    assert_eq!((transcript.connections(), transcript.tree()), (1, TWO_FILES));
}

#[test]
fn a_goodbye_at_any_time_costs_a_session_and_no_work() {
    all(["EPSV", "MLSD", "RETR", "CWD"], |verb| {
        for goodbye in ["421 Timeout.", "421 too many users, try again later"] {
            for when in ["", "normally\n"] {
                if when == "normally\n" && verb == "EPSV" {
                    continue;
                }
                eprintln!("{goodbye} {when:?} {verb}");
                let trial = Trial::with(two_files(), &format!("once {verb}\n{when}< {goodbye}\ndrop"));
                trial.pull(&["--retries", "1"]).expect_status(0);
                assert_eq!(trial.local(), TWO_FILES);
                assert!(trial.finish().connections() <= 2);
            }
        }
    });
    all(["MKD", "STOR", "SIZE", "MFMT", "RNFR", "RNTO", "DELE", "RMD"], |verb| {
        for when in ["", "normally\n"] {
            eprintln!("{when:?} {verb}");
            let script = format!("once {verb}\n{when}< 421 too many connections\ndrop");
            let trial =
                Trial::with(files! {"extra/x" => "1"}, &script).having(files! {"d/a" => "1", "d/b" => "2"});
            trial.push(&["--retries", "1", "--delete", "--max-delete", "100%"]).expect_status(0);
            let transcript = trial.finish();
            let whole: Vec<&str> = transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
            assert_eq!(whole.join(" "), "d/ d/a = \"1\" d/b = \"2\"", "{when:?} {verb}");
        }
    });
}

#[test]
fn a_command_that_is_never_answered_is_tried_on_a_new_session() {
    all(["MKD", "STOR", "SIZE", "MFMT", "RNFR", "RNTO", "DELE"], |verb| {
        eprintln!("{verb}");
        let trial = Trial::with(files! {"extra" => "1"}, &format!("once {verb}\npause 60s"))
            .having(files! {"d/a" => "1", "d/b" => "2"});
        trial.push(&["--delete", "--max-delete", "100%"]).expect_status(0);
        let transcript = trial.finish();
        let whole: Vec<&str> = transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
        assert_eq!(whole.join(" "), "d/ d/a = \"1\" d/b = \"2\"", "{verb}");
    });
}
