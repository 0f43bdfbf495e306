//! What a server says it can do, and what it does then.

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::files;

const PLAIN_LISTING: &str = "on FEAT\n< 502 never heard of it\n";

#[test]
fn what_a_server_does_not_have_is_done_without() {
    all(
        [
            ("no FEAT", "on FEAT\n< 502 no"),
            ("FEAT refused with 530", "on FEAT\n< 530 log in first"),
            ("FEAT of one line", "on FEAT\n< 211 no features"),
            ("FEAT with repeated codes", "on FEAT\n< 211-Features\n< 211-SIZE\n< 211-MDTM\n< 211 End"),
            (
                "FEAT in lower case",
                "on FEAT\n< 211-features\n<  size\n<  mdtm\n<  mlst type*;size*;modify*;\n< 211 end",
            ),
            ("MLSD listed but unknown", "on MLSD\n< 500 what?"),
            ("MLSD listed but not implemented", "on MLSD\n< 502 not implemented"),
            ("MLSD listed but not for this parameter", "on MLSD\n< 504 not so"),
            ("SIZE listed but unknown", "on SIZE\n< 500 what?"),
            ("MDTM listed but unknown", "on MDTM\n< 500 what?"),
            ("no MDTM with LIST", "on FEAT\n< 502 no\non MDTM\n< 502 no"),
            ("OPTS refused", "on OPTS\n< 501 no options"),
            ("OPTS unknown", "on OPTS\n< 500 what?"),
            ("SYST refused", "on FEAT\n< 502 no\non SYST\n< 530 secret"),
            ("PWD unknown", "on PWD\n< 502 no"),
            ("PWD without quotes", "on PWD\n< 257 / is where you are"),
            ("PWD with one quote", "on PWD\n< 257 \"/ is where you are"),
            ("PWD not absolute", "on PWD\n< 257 \"C:\\\\ftp\" is where you are"),
            ("PWD empty", "on PWD\n< 257 \"\""),
            ("PWD with a control character", "on PWD\n< 257 \"/\\x1b[2J\""),
            ("200 to everything that asks for another 2xx", "on CWD\n< 200 ok\non OPTS\n< 202 ok"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script).having(files! {"extra" => "only here"});
            trial.pull(&["--retries", "0", "--delete", "--max-delete", "1"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn a_server_without_extensions_becomes_a_mirror_too() {
    all(
        [
            ("no FEAT", "on FEAT\n< 502 no", ""),
            ("nothing of RFC 3659", "on FEAT\n< 502 no\non SIZE\n< 502 no\non MDTM\n< 502 no", ""),
            ("nothing to set times", "on FEAT\n< 502 no\non MFMT\n< 502 no", ""),
            ("MFMT listed but unknown", "on MFMT\n< 500 what?", ""),
            ("MFMT listed but refused", "on MFMT\n< 550 not yours", ""),
            ("SIZE unknown", "on SIZE\n< 500 what?", ""),
            ("MDTM unknown", "on MDTM\n< 500 what?", ""),
            (
                "200 to everything",
                "on MKD\n< 200 ok\non DELE\n< 200 ok\non RNTO\n< 200 ok\non MFMT\n< 200 ok",
                "",
            ),
        ],
        |(what, script, note)| {
            eprintln!("{what}");
            let files = if what == "200 to everything" {
                files! {}
            } else {
                files! {"old/gone" => "x"}
            };
            let trial = Trial::with(files, script).having(two_files());
            let output = trial.push(&["--retries", "0", "--delete", "--max-delete", "100%"]).expect_status(0);
            output.tells(&[note]);
            let transcript = trial.finish();
            if what != "200 to everything" {
                assert_eq!(transcript.tree(), TWO_FILES, "{what}");
            }
        },
    );
}

#[test]
fn what_was_refused_once_is_not_asked_again_on_any_session() {
    let dirs = files! {"d1/a" => "1", "d2/a" => "2", "d3/a" => "3"};
    let trial = Trial::with(dirs, "on MLSD\n< 500 what?\nonce LIST\ndrop");
    trial.pull(&[]).expect_status(0);
    let transcript = trial.finish();
    assert_eq!(transcript.connections(), 2);
    assert_eq!(transcript.sent(&["MLSD"]).len(), 1);
}

#[test]
fn minutes_of_a_listing_are_not_taken_for_exact_times_after_a_reconnect() {
    // FEAT offers MLSD, so a new session would seem to tell seconds; what is listed are days all the same.
    let trial = Trial::with(two_files(), "on MLSD\n< 500 what?\nonce RETR\ndrop");
    trial.pull(&[]).expect_status(0);
    assert_eq!(trial.here.time("a.txt"), crate::support::LONG_AGO);
    assert_eq!(trial.here.time("b.txt"), crate::support::LONG_AGO);
    trial.finish();
}

#[test]
fn a_server_without_binary_transfers_is_refused() {
    let trial = Trial::with(two_files(), "on TYPE\n< 504 text only");
    trial.pull(&["--retries", "0"]).expect_status(4).tells(&["TYPE was answered `504 text only`"]);
    assert_eq!(trial.local(), "");
    trial.finish();
}

#[test]
fn a_working_directory_of_eight_kilobytes_breaks_nothing() {
    let script = format!("on PWD\n< 257 \"/{}\"", "x".repeat(8190));
    let trial = Trial::with(two_files(), &script);
    trial.pull(&["--retries", "0"]).expect_status(4).tells(&["longer than 8192 bytes"]);
    let script = format!("on PWD\n< 257 \"/{}\"", "x".repeat(8000));
    let long = Trial::with(two_files(), &script);
    long.pull(&["--retries", "0"]).expect_status(4);
    trial.finish();
    long.finish();
}

#[test]
fn hidden_files_are_seen_where_list_takes_a_flag_and_missed_nowhere_else() {
    let hidden = r#"
        on LIST
        < 150 here
        data send "-rw-r--r-- 1 ftp ftp 12 May 06 2024 a.txt\r\n-rw-r--r-- 1 ftp ftp 12 May 06 2024 b.txt\r\n"
        data close
        < 226 done
        on LIST -a
        < 150 here
        data send "drwxr-xr-x 2 ftp ftp 0 May 06 2024 .\r\ndrwxr-xr-x 2 ftp ftp 0 May 06 2024 ..\r\n"
        data send "-rw-r--r-- 1 ftp ftp 6 May 06 2024 .hide\r\n-rw-r--r-- 1 ftp ftp 12 May 06 2024 a.txt\r\n"
        data send "-rw-r--r-- 1 ftp ftp 12 May 06 2024 b.txt\r\n"
        data close
        < 226 done
    "#;
    let all = files! {"a.txt" => "content of a", "b.txt" => "content of b", ".hide" => "hidden"};
    let trial = Trial::with(all, &format!("{PLAIN_LISTING}{hidden}"));
    trial.pull(&["--retries", "0"]).expect_status(0);
    assert_eq!(trial.local(), format!(".hide = \"hidden\"\n{TWO_FILES}"));
    trial.finish();
}

#[test]
fn list_with_a_flag_taken_for_a_path_is_not_believed() {
    all(
        [
            ("550", "< 550 -a: no such directory"),
            ("501", "< 501 no such option"),
            ("450 as ProFTPD says it", "< 150 here\ndata close\n< 450 -a: No such file or directory"),
            ("an empty 226", "< 150 here\ndata close\n< 226 done"),
            ("a text for people", "< 150 here\ndata send \"-a: not found\\r\\n\"\ndata close\n< 226 done"),
        ],
        |(what, answer)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), &format!("{PLAIN_LISTING}on LIST -a\n{answer}"))
                .having(files! {"extra" => "only here"});
            trial.pull(&["--retries", "0", "--delete", "--max-delete", "1"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn a_passing_failure_of_list_with_a_flag_hides_no_files() {
    all(["< 425 no port left", "< 150 here\ndata close\n< 426 broken", "< 451 local error"], |answer| {
        let all = files! {"a.txt" => "content of a", ".hide" => "hidden"};
        let plain = r#"
            on LIST
            < 150 here
            data send "-rw-r--r-- 1 ftp ftp 12 May 06 2024 a.txt\r\n"
            data close
            < 226 done
            on LIST -a
            normally
        "#;
        let script = format!("{PLAIN_LISTING}{plain}\nonce LIST -a\n{answer}");
        let trial = Trial::with(all, &script).having(files! {"a.txt" => "content of a", ".hide" => "hidden"});
        trial.pull(&["--delete"]).expect_status(0);
        assert!(trial.here.has(".hide"), "{answer}");
        trial.finish();
    });
}
