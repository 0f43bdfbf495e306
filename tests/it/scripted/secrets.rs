//! What must not be printed, and what must not be printed as it is.

use super::{Trial, all, assert_printable};
use crate::support::files;

#[test]
fn the_password_is_printed_nowhere_even_if_the_server_repeats_it() {
    all(
        [
            "",
            "on PASS\n< 530 Login incorrect.",
            "on PASS\n< 530 PASS secret: not known",
            "on PASS\n< 230-you said `secret`\n<  PASS secret\n< 230 in",
            "on PASS\n< 500 'PASS secret': command not understood",
            "on USER\n< 332 account",
            "once PASS\n< 421 secret\ndrop",
            "on PASS\n< no code but secret",
        ],
        |script| {
            eprintln!("{script}");
            for options in [&[][..], &["-vv"], &["-vv", "--format", "json"]] {
                let trial = Trial::with(files! {"a.txt" => "hi"}, script);
                for output in [trial.pull(options).any_status(), trial.ls(options).any_status()] {
                    assert!(
                        !output.stdout.contains("secret") && !output.stderr.contains("secret"),
                        "{output}"
                    );
                }
                trial.finish();
            }
        },
    );
}

#[test]
fn nothing_a_server_says_reaches_the_terminal_raw() {
    const EVIL: &str = "\\x1b[2J\\x07\\x1b]0;x\\x07\\xc2\\x9b31m\\xe2\\x80\\xae\\x08\\xFE";
    all(
        [
            format!("on CONNECT\n< 220 {EVIL}"),
            format!("on CONNECT\n< 421 {EVIL}\ndrop"),
            format!("on CONNECT\n< {EVIL}"),
            format!("on PASS\n< 530 {EVIL}"),
            format!("on PASS\n< 230-{EVIL}\n< {EVIL}\n< 230 {EVIL}"),
            format!("on PWD\n< 257 \"/{EVIL}\""),
            format!("on EPSV\n< 229 {EVIL}\non PASV\n< 227 {EVIL}"),
            format!("on RETR\n< 550 {EVIL}"),
            format!("on RETR\n< 150 {EVIL}\ndata close\n< 226 {EVIL}"),
            format!(
                "on MLSD\n< 150 here\ndata send \"type=file;size=1; {EVIL}\\r\\n\"\ndata close\n< 226 {EVIL}"
            ),
            format!("on MLSD\n< 150 here\ndata send \"{EVIL}\\r\\n\"\ndata close\n< 226 truncated {EVIL}"),
            format!(
                "on MLSD\n< 150 here\ndata send \"type=file;size=1; a/{EVIL}\\r\\n\"\ndata close\n< 226 done"
            ),
            format!(
                "on MLSD\n< 150 here\ndata send \"type=OS.unix=slink:{EVIL};UNIX.owner={EVIL}; {EVIL}\\r\\n\"\n\
             data close\n< 226 done"
            ),
        ],
        |script| {
            eprintln!("{script}");
            for options in
                [&["--retries", "0"][..], &["--retries", "0", "-vv"], &["--retries", "0", "--format", "json"]]
            {
                let trial = Trial::with(files! {"a.txt" => "hi"}, &script);
                assert_printable(&trial.pull(options).any_status());
                assert_printable(&trial.ls(options).any_status());
                trial.finish();
            }
        },
    );
}
