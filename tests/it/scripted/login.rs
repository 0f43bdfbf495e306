//! From the greeting to a session.

use super::{TWO_FILES, Trial, all, two_files};

#[test]
fn a_login_may_go_any_way_the_protocol_allows() {
    all(
        [
            ("no password asked for", "on USER\n< 230 come in\non PASS\n< 503 why?"),
            ("password superfluous", "on PASS\n< 202 never mind"),
            ("another 3xx", "on USER\n< 330 go on"),
            ("a welcome of several lines", "on PASS\n< 230-Welcome\n< 530 is no code here\n<  bye\n< 230 in"),
            ("replies without text", "on USER\n< 331\non PASS\n< 230"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            trial.pull(&["--retries", "0"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn a_refused_login_is_told_in_one_line_and_not_tried_again() {
    all(
        [
            ("password", "on PASS\n< 530 Login incorrect.", "PASS was answered `530 Login incorrect.`"),
            ("try again", "on PASS\n< 530 wrong, try again", "PASS was answered `530 wrong, try again`"),
            ("users", "on PASS\n< 530 anonymous users only", "PASS was answered `530 anonymous users only`"),
            ("user", "on USER\n< 530 no such user", "USER was answered `530 no such user`"),
            ("account", "on PASS\n< 332 account, please", "PASS was answered `332 account, please`"),
            ("account at once", "on USER\n< 332 account, please", "USER was answered `332 account, please`"),
            ("account refused", "on PASS\n< 532 account needed", "PASS was answered `532 account needed`"),
            ("500", "on USER\n< 500 what?", "USER was answered `500 what?`"),
        ],
        |(what, script, told)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            let output = trial.pull(&["--retries", "3"]).expect_status(4);
            output.tells(&[told, &format!("ftp://script@127.0.0.1:{}/", trial.server.port())]);
            let errors = output.stderr.lines().filter(|line| line.starts_with("oneway: error: ")).count();
            assert_eq!(errors, 1, "{output}");
            assert_eq!(output.stdout, "");
            if told.contains("530") {
                output.tells(&["oneway: hint: check user and password"]);
            }
            assert_eq!(trial.finish().connections(), 1, "{what}");
        },
    );
}

#[test]
fn a_login_that_is_lost_half_way_is_tried_again() {
    all(
        [
            ("421 to USER", "once USER\n< 421 not now\ndrop"),
            ("421 to PASS", "once PASS\n< 421 not now\ndrop"),
            ("closed", "once PASS\ndrop"),
            ("reset", "once PASS\nreset"),
            ("silent", "once PASS\npause 60s"),
            ("garbage", "once PASS\n< hello?"),
            ("421 to FEAT", "once FEAT\n< 421 not now\ndrop"),
            ("closed at TYPE", "once TYPE\ndrop"),
            ("closed at PWD", "once PWD\ndrop"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            trial.pull(&["--retries", "1"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            assert!(trial.finish().connections() >= 2, "{what}");
        },
    );
}

#[test]
fn a_password_with_a_control_character_is_refused_before_connecting() {
    all(["a\r\nDELE b", "a\nb", "a\tb", "\u{7f}"], |password| {
        let trial = Trial::with(two_files(), "");
        let url = trial.server.url("/").replace(":secret@", "@");
        let run = trial.sandbox.command(["ls", &url]).env("ONEWAY_PASSWORD", password).run();
        let output = run.expect_status(2);
        output.tells(&["control character"]);
        assert!(!output.stderr.contains("DELE"), "{output}");
        assert_eq!(trial.finish().connections(), 0);
    });
}
