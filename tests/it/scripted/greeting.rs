//! The first words of a server.

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::{Files, files};

#[test]
fn a_greeting_may_have_any_form_the_protocol_allows() {
    all(
        [
            (
                "several lines",
                "on CONNECT\n< 220-Welcome\n< 331 not this one\n<  220 nor this\n< \n< 220 end",
            ),
            ("preceded by 120", "on CONNECT\n< 120 ready in 0 minutes\npause 20ms\n< 220 ready"),
            ("LF alone", "on CONNECT\n<| 220-Welcome\\n\n<| to this\\n\n<| 220 server\\n"),
            ("code alone", "on CONNECT\n< 220"),
            ("byte by byte, as all that follows", "on CONNECT\ndrip 1 1ms\n< 220-Welcome\n< 220 ready"),
            ("Telnet negotiation before it", "on CONNECT\n<| \\xFF\\xFB\\x01220 ready\\r\\n"),
            ("not UTF-8", "on CONNECT\n< 220 gr\\xFC\\xDFe"),
        ],
        |(what, script)| {
            let trial = Trial::with(two_files(), script);
            eprintln!("{what}");
            trial.pull(&["--retries", "0"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn lf_alone_may_end_every_line_of_a_server() {
    let trial = Trial::scripted(
        r#"
        on CONNECT
        <| 220 hello\n
        on USER
        <| 331 go on\n
        on PASS
        <| 230 in\n
        on FEAT
        <| 211-Features\n
        <| \ SIZE\n
        <| 211 End\n
        on SYST
        <| 215 UNIX\n
        on SIZE
        <| 550 no\n
        on NOOP
        <| 200 ok\n
        on OPTS
        <| 200 ok\n
        on TYPE
        <| 200 ok\n
        on PWD
        <| 257 "/"\n
        on CWD
        <| 250 ok\n
        on EPSV
        <| 229 ok (|||{port}|)\n
        on LIST
        <| 150 here\n
        data send "-rw-r--r-- 1 ftp ftp 5 May 06 2024 a.txt\n"
        data close
        <| 226 done\n
        on QUIT
        <| 221 bye\n
        "#,
    );
    let output = trial.ls(&["--retries", "0"]).expect_status(0);
    assert!(output.stdout.contains("a.txt"), "{output}");
    trial.finish();
}

#[test]
fn a_server_that_does_not_greet_as_one_is_given_up_with_a_line_that_says_why() {
    all(
        [
            ("no greeting", "on CONNECT\npause 60s", "did not answer within 1s"),
            ("closed at once", "on CONNECT\ndrop", "closed the connection"),
            ("reset at once", "on CONNECT\nreset", "connection"),
            ("a web server", "on CONNECT\n< HTTP/1.1 400 Bad Request\n< \ndrop", "HTTP/1.1 400 Bad Request"),
            ("a mail server's 554", "on CONNECT\n< 554 no service here\ndrop", "554 no service here"),
            (
                "500",
                "on CONNECT\n< 500 OOPS: cannot change directory\ndrop",
                "500 OOPS: cannot change directory",
            ),
            ("331 in place of 220", "on CONNECT\n< 331 password, please", "331 password, please"),
            ("an endless line", "on CONNECT\nendless \"2\"", "longer than 8192 bytes"),
            ("endless lines", "on CONNECT\nendless \"220-more\\r\\n\"", "longer than 65536 bytes"),
            ("endless empty lines", "on CONNECT\n< 220-x\nendless \"\\r\\n\"", "longer than 65536 bytes"),
            ("a flood of 1xx", "on CONNECT\nendless \"120 soon\\r\\n\"", "preliminary replies"),
            ("binary", "on CONNECT\n<| \\x16\\x03\\x01\\x02\\0", "cannot log in"),
            ("NUL", "on CONNECT\n< 220 a\\0b", "NUL"),
            ("421 for good", "on CONNECT\n< 421 Service not available\ndrop", "421 Service not available"),
            ("421 for too many", "on CONNECT\n< 421 Too many users\ndrop", "421 Too many users"),
        ],
        |(what, script, told)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            for options in [&["--retries", "0"][..], &["--retries", "0", "-vv"]] {
                let output = trial.pull(options).expect_status(4);
                output.tells(&[told]);
                assert_eq!(output.stdout, "", "{what}");
            }
            let output = trial.ls(&["--retries", "0"]).expect_status(4);
            output.tells(&[told]);
            assert!(output.stderr.lines().count() <= 2, "an error and a hint\n{output}");
            trial.finish();
        },
    );
}

#[test]
fn a_server_that_is_busy_once_is_asked_again() {
    all(["421 Service not available", "421 There are too many connections", "120 soon"], |greeting| {
        let script = format!("once CONNECT\n< {greeting}\ndrop");
        let trial = Trial::with(two_files(), &script);
        trial.pull(&["--retries", "1"]).expect_status(0);
        assert_eq!(trial.local(), TWO_FILES);
        assert_eq!(trial.finish().connections(), 2, "{greeting}");

        let trial = Trial::with(two_files(), &script);
        trial.ls(&["--retries", "1"]).expect_status(0);
        assert_eq!(trial.finish().connections(), 2, "{greeting}");
    });
}

fn eight_dirs() -> Files {
    files! {
        "d1/f" => "1", "d2/f" => "2", "d3/f" => "3", "d4/f" => "4",
        "d5/f" => "5", "d6/f" => "6", "d7/f" => "7", "d8/f" => "8",
    }
}

#[test]
fn fewer_sessions_than_wished_are_enough() {
    all(
        [
            ("greeting", "connection\nconnections\n< 421 There are too many connections from your address."),
            ("greeting, no known text", "connection\nconnections\n< 421 Not now"),
            ("greeting, for good", "connection\nconnections\n< 500 OOPS"),
            ("closed", "connection\nconnections\ndrop"),
            (
                "password",
                "nth 2 PASS\n< 530 the maximum number of clients (1) for this user are already connected\n\
             nth 3 PASS\n< 421 Too many users\nnth 4 PASS\n< 530 too many connections",
            ),
        ],
        |(what, refusal)| {
            eprintln!("{what}");
            let trial = Trial::with(eight_dirs(), refusal);
            let output = trial.pull(&["--sessions", "4", "--retries", "0"]).expect_status(0);
            assert_eq!(trial.local().lines().filter(|line| line.contains(" = ")).count(), 8);
            if what == "greeting" {
                output.tells(&["allows no more than 1 session\n"]);
            }
            trial.finish();
        },
    );
}
