//! Data connections, and transfers that go wrong.

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::files;

#[test]
fn a_data_connection_is_had_from_whatever_the_server_offers() {
    all(
        [
            ("EPSV unknown", "on EPSV\n< 500 what?"),
            ("EPSV not implemented", "on EPSV\n< 502 no"),
            ("EPSV for another network", "on EPSV\n< 522 use (2)"),
            ("EPSV without a port", "on EPSV\n< 229 ok"),
            ("EPSV with port 0", "on EPSV\n< 229 ok (|||0|)"),
            ("EPSV with port 70000", "on EPSV\n< 229 ok (|||70000|)"),
            ("EPSV with port 22", "on EPSV\n< 229 ok (|||22|)"),
            ("EPSV to a closed port", "on EPSV\n< 229 ok (|||65535|)"),
            ("EPSV answered by PASV's numbers", "on EPSV\n< 227 ok (127,0,0,1,{p1},{p2})"),
            ("EPSV with other delimiters", "on EPSV\n< 229 ok (!!!{port}!)"),
            ("EPSV with an address", "on EPSV\n< 229 ok (|1|192.0.2.1|{port}|)"),
            ("PASV with a foreign address", "on EPSV\n< 500 no\non PASV\n< 227 ok (192,0,2,1,{p1},{p2})"),
            ("PASV with a private address", "on EPSV\n< 500 no\non PASV\n< 227 ok (10,0,0,1,{p1},{p2})"),
            ("PASV with address 0", "on EPSV\n< 500 no\non PASV\n< 227 ok (0,0,0,0,{p1},{p2})"),
            (
                "PASV without parentheses",
                "on EPSV\n< 500 no\non PASV\n< 227 Entering Passive Mode 127,0,0,1,{p1},{p2}",
            ),
            ("PASV with an equals sign", "on EPSV\n< 500 no\non PASV\n< 227 ok =127,0,0,1,{p1},{p2}"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            trial.pull(&["--retries", "0"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            let transcript = trial.finish();
            if script.contains("PASV\n") || !what.contains("with other") && !what.contains("an address") {
                let asked = transcript.sent(&["EPSV", "PASV"]);
                assert_eq!(asked.iter().filter(|line| *line == "EPSV").count(), 1, "{what}: {asked:?}");
            }
        },
    );
}

#[test]
fn an_epsv_that_is_never_answered_is_not_sent_again() {
    let trial = Trial::with(two_files(), "on EPSV\npause 60s");
    trial.pull(&[]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    assert_eq!(trial.finish().sent(&["EPSV"]).len(), 1);
}

#[test]
fn a_server_that_offers_no_usable_port_is_given_up() {
    all(
        [
            "227 ok (127,0,0,1,0,0)",
            "227 ok (127,0,0,1,0,22)",
            "227 ok (127,0,0,1,256,1)",
            "227 ok (127,0,0,1,99999,1)",
            "227 ok (127,0,0,1)",
            "227 ok (127,0,0,1,-1,7)",
            "227 ok",
            "500 no",
            "227 ok (127,0,0,1,255,255)",
        ],
        |reply| {
            let trial = Trial::with(two_files(), &format!("on EPSV\n< 500 no\non PASV\n< {reply}"));
            let output = trial.pull(&["--retries", "0"]).expect_status(4);
            output.tells(&["cannot list"]);
            trial.finish();
        },
    );
}

#[test]
fn a_reply_between_begin_and_end_may_come_in_any_order_with_the_data() {
    all(
        [
            ("125", "< 125 already open\ndata file\ndata close\n< 226 done"),
            ("250 at the end", "< 150 here\ndata file\ndata close\n< 250 done"),
            ("226 without 150", "data file\ndata close\n< 226 done"),
            ("226 before the data", "< 150 here\n< 226 done\ndata file\ndata close"),
            ("both at once after the data", "data file\ndata close\n< 150 here\n< 226 done"),
            ("150 twice", "< 150 here\n< 150 here\ndata file\ndata close\n< 226 done"),
            (
                "226 of several lines",
                "< 150 here\ndata file\ndata close\n< 226-done\n< 550 is no code\n< 226 end",
            ),
            ("data after a while", "< 150 here\npause 300ms\ndata file\npause 300ms\ndata close\n< 226 done"),
            ("226 after a while", "< 150 here\ndata file\ndata close\npause 500ms\n< 226 done"),
        ],
        |(what, retr)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), &format!("on RETR\n{retr}"));
            trial.pull(&["--retries", "0"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn in_active_mode_the_server_connects() {
    let trial = Trial::with(two_files(), "").having(files! {"c.txt" => "new"});
    trial.pull(&["--active"]).expect_status(0);
    trial.push(&["--active"]).expect_status(0);
    let transcript = trial.finish();
    assert_eq!(transcript.sent(&["EPSV", "PASV"]), Vec::<String>::new());
    assert!(transcript.sent(&["PORT"])[0].starts_with("PORT 127,0,0,1,"));
    assert_eq!(transcript.tree(), format!("{TWO_FILES}c.txt = \"new\"\n"));
}

#[test]
fn in_active_mode_a_server_that_does_not_connect_is_given_up() {
    all(
        [
            ("refused", "on PORT\n< 500 not allowed"),
            ("425", "on MLSD\n< 425 cannot connect"),
            ("never connects", "on MLSD\n< 150 here"),
        ],
        |(what, script)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), script);
            let options = ["--active", "--retries", "0", "--connect-timeout", "300ms"];
            trial.pull(&options).expect_status(4).tells(&["cannot list"]);
            trial.finish();
        },
    );
}

#[test]
fn a_download_that_fails_once_is_done_again() {
    all(
        [
            ("425", "< 425 no port left"),
            ("450", "< 450 busy"),
            ("451", "< 451 local error"),
            ("426 after a part", "< 150 here\ndata file 5\ndata close\n< 426 broken"),
            ("451 after all", "< 150 here\ndata file\ndata close\n< 451 read error"),
            ("421", "< 421 time is over\ndrop"),
            ("421 after a part", "< 150 here\ndata file 5\ndata close\n< 421 time is over\ndrop"),
            ("closed before 150", "drop"),
            ("closed after 150", "< 150 here\ndrop"),
            ("closed in the middle", "< 150 here\ndata file 5\ndrop"),
            ("reset in the middle", "< 150 here\ndata file 5\ndata reset\nreset"),
            ("data reset", "< 150 here\ndata file 5\ndata reset\n< 426 broken"),
            ("closed between data and 226", "< 150 here\ndata file\ndata close\ndrop"),
            ("226 lost", "< 150 here\ndata file\ndata close\npause 60s"),
            ("silent in the middle", "< 150 here\ndata file 5\npause 60s"),
            ("never begun", "pause 60s"),
            ("fewer bytes and 226", "< 150 here\ndata file 5\ndata close\n< 226 done"),
            ("no bytes and 226", "< 150 here\ndata close\n< 226 done"),
            ("no bytes, 226 alone", "data close\n< 226 done"),
            ("more bytes and 226", "< 150 here\ndata file\ndata send \"more\"\ndata close\n< 226 done"),
            ("a reply that is none", "< hello"),
            ("3xx", "< 350 and now?"),
            ("endless 1xx", "endless \"150 here\\r\\n\"\n# as good as a pause 60s"),
        ],
        |(what, retr)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), &format!("once RETR\n{retr}"));
            trial.pull(&["--retries", "1"]).expect_status(0);
            assert_eq!(trial.local(), TWO_FILES, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn a_download_that_keeps_failing_is_never_published_and_the_others_are_done() {
    all(
        [
            ("550", "< 550 not for you", "RETR was answered `550 not for you`"),
            ("450", "< 450 busy", "RETR was answered `450 busy`"),
            (
                "fewer bytes",
                "< 150 here\ndata file 5\ndata close\n< 226 done",
                "5 bytes arrived where 12 were expected",
            ),
            (
                "more bytes",
                "< 150 here\ndata file\ndata send \"more\"\ndata close\n< 226 done",
                "16 bytes arrived",
            ),
            ("no bytes", "< 150 here\ndata close\n< 226 done", "0 bytes arrived where 12 were expected"),
            ("426", "< 150 here\ndata file\ndata close\n< 426 broken", "426 broken"),
            ("closed", "< 150 here\ndata file 5\ndrop", "closed the connection"),
        ],
        |(what, retr, told)| {
            eprintln!("{what}");
            let trial = Trial::with(two_files(), &format!("on RETR /a.txt\n{retr}"))
                .having(files! {"a.txt" => "old", "extra" => "stays after a failure"});
            let output = trial.pull(&["--delete", "--format", "json"]).expect_status(3);
            output.tells(&["cannot read `a.txt`", told]);
            assert_eq!(output.summary()["failed"], 2, "the file and the deletion\n{output}");
            let expected = "a.txt = \"old\"\nb.txt = \"content of b\"\nextra = \"stays after a failure\"\n";
            assert_eq!(trial.local(), expected, "{what}");
            trial.finish();
        },
    );
}

#[test]
fn ports_that_rest_for_a_minute_are_waited_for_longer_than_other_things() {
    let refusals: String =
        (1..=3).map(|n| format!("nth {n} EPSV\n< 425 EPSV: Address already in use\n")).collect();
    let trial = Trial::with(two_files(), &refusals);
    trial.pull(&["--retries", "1"]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();

    let trial = Trial::with(two_files(), &refusals);
    trial.pull(&["--retries", "0"]).expect_status(4);
    trial.finish();
}

#[test]
fn an_upload_that_fails_once_is_done_again() {
    all(
        [
            ("425", "< 425 no port left"),
            ("450", "< 450 busy"),
            ("426", "< 150 go on\ndata recv\ndata close\n< 426 broken"),
            ("451", "< 150 go on\ndata recv\ndata close\n< 451 write error"),
            ("421", "< 421 time is over\ndrop"),
            ("closed before 150", "drop"),
            ("closed in the middle", "< 150 go on\ndata recv 5\ndrop"),
            ("reset in the middle", "< 150 go on\ndata recv 5\ndata reset\nreset"),
            ("closed between data and 226", "< 150 go on\ndata recv\ndata close\ndrop"),
            ("226 lost", "< 150 go on\ndata recv\ndata close\npause 60s"),
            ("stored, 226 lost", "normally\ndrop"),
            ("226 but nothing stored", "< 150 go on\ndata recv\ndata close\n< 226 done"),
            (
                "226 but less stored",
                "< 150 go on\ndata recv\ndata close\n< 226 done\nonce SIZE *.part\n< 213 3",
            ),
            ("3xx", "< 350 and now?"),
        ],
        |(what, stor)| {
            eprintln!("{what}");
            let trial = Trial::with(files! {}, &format!("once STOR\n{stor}")).having(two_files());
            trial.push(&["--retries", "1"]).expect_status(if what == "226 but nothing stored" {
                3
            } else {
                0
            });
            let transcript = trial.finish();
            if what != "226 but nothing stored" {
                let whole: Vec<&str> =
                    transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
                assert_eq!(whole.join("\n") + "\n", TWO_FILES, "{what}");
            }
        },
    );
}

#[test]
fn an_upload_of_which_less_is_stored_than_sent_is_never_renamed() {
    let trial = Trial::with(files! {"a.txt" => "old"}, "on SIZE\n< 213 3").having(two_files());
    let output = trial.push(&["--retries", "1"]).expect_status(3);
    output.tells(&["cannot write `a.txt`", "3 bytes arrived where 12 were expected"]);
    let transcript = trial.finish();
    assert_eq!(transcript.sent(&["RNFR", "RNTO"]), Vec::<String>::new());
    assert_eq!(transcript.tree(), "a.txt = \"old\"\n", "temporary files are removed");
}

#[test]
fn a_refused_rename_leaves_the_old_file_and_no_temporary_one() {
    let trial =
        Trial::with(files! {"a.txt" => "old"}, "on RNTO /a.txt\n< 550 not over that one").having(two_files());
    let output = trial.push(&[]).expect_status(3);
    output.tells(&["cannot write `a.txt`", "RNTO was answered `550 not over that one`"]);
    assert_eq!(trial.finish().tree(), "a.txt = \"old\"\nb.txt = \"content of b\"\n");
}

#[test]
fn a_full_disk_ends_the_run_and_is_named() {
    all(
        [
            ("452 at once", "< 452 disk full", "452 disk full"),
            ("552 at once", "< 552 quota exceeded", "552 quota exceeded"),
            ("452 at the end", "< 150 go on\ndata recv\ndata close\n< 452 disk full", "452 disk full"),
            (
                "552 in the middle",
                "< 150 go on\ndata recv 100000\ndata reset\n< 552 quota exceeded",
                "552 quota exceeded",
            ),
        ],
        |(what, stor, told)| {
            eprintln!("{what}");
            let large = "x".repeat(20_000_000);
            let trial = Trial::with(files! {"extra" => "stays"}, &format!("on STOR\n{stor}"))
                .having(files! {"a" => large, "b" => "2", "c" => "3", "d" => "4"});
            let output = trial.push(&["--delete", "--max-delete", "100%"]).expect_status(3);
            output.tells(&[told, "not tried, since cannot write"]);
            let transcript = trial.finish();
            assert_eq!(transcript.sent(&["STOR"]).len(), 1, "{what}");
            assert_eq!(transcript.tree(), "extra = \"stays\"\n", "{what}");
        },
    );
}

#[test]
fn a_file_that_is_gone_already_counts_as_deleted_and_one_that_stays_does_not() {
    all(
        [("still there", "< 550 no"), ("still there, 450", "< 450 busy"), ("553", "< 553 no")],
        |(what, dele)| {
            eprintln!("{what}");
            let trial = Trial::with(files! {"a.txt" => "x", "extra" => "x"}, &format!("on DELE\n{dele}"))
                .having(files! {"a.txt" => "x"});
            trial.push(&["--delete"]).expect_status(3).tells(&["cannot remove `extra`", &dele[2..]]);
            assert_eq!(trial.finish().tree(), "a.txt = \"x\"\nextra = \"x\"\n", "{what}");
        },
    );
    // The first DELE is carried out and its reply lost; the second is told that there is nothing.
    let trial = Trial::with(files! {"a.txt" => "x", "extra" => "x"}, "once DELE\nnormally\ndrop")
        .having(files! {"a.txt" => "x"});
    trial.push(&["--delete"]).expect_status(0);
    let transcript = trial.finish();
    assert_eq!(transcript.tree(), "a.txt = \"x\"\n");
}

#[test]
fn a_folder_that_cannot_be_made_costs_what_is_in_it_and_nothing_else() {
    let trial = Trial::with(files! {}, "on MKD /d\n< 550 no").having(files! {"d/a" => "1", "e/b" => "2"});
    let output = trial.push(&[]).expect_status(3);
    output.tells(&["cannot create `d`", "MKD was answered `550 no`", "`d` could not be made"]);
    assert_eq!(trial.finish().tree(), "e/\ne/b = \"2\"\n");
    // One that is there already is no failure, whatever the server calls it.
    for reply in ["550 exists", "521 exists", "553 exists"] {
        let trial =
            Trial::with(files! {"d/"}, &format!("on MLSD /\n< 150\ndata close\n< 226\non MKD\n< {reply}"))
                .having(files! {"d/a" => "1"});
        trial.push(&[]).expect_status(if reply.starts_with("553") { 3 } else { 0 });
        trial.finish();
    }
}

#[test]
fn a_server_that_hangs_up_after_each_transfer_is_mirrored_too() {
    let trial = Trial::with(two_files(), "on RETR\nnormally\ndrop\non STOR\nnormally\ndrop");
    trial.pull(&[]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();
    let trial = Trial::with(two_files(), "on RETR\nnormally\n< 421 bye\ndrop");
    trial.pull(&[]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();
}
