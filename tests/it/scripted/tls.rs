//! Connections that are to be protected: somebody in between, servers that can't, and data that is somebody else's.

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::{ScriptServer, files};

#[test]
fn all_goes_through_tls() {
    let trial = Trial::with(two_files(), "");
    trial.protected_pull(&[]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.here.write("c.txt", "new");
    trial.protected_push(&[]).expect_status(0);
    let transcript = trial.finish();
    assert!(transcript.tree().contains("c.txt = \"new\""));
    for connection in 0..transcript.connections() {
        assert_eq!(transcript.lines_of(connection)[0], "AUTH TLS");
        assert_eq!(transcript.lines_of(connection).iter().filter(|line| *line == "PROT P").count(), 1);
    }
}

#[test]
fn an_empty_file_is_sent_and_fetched_through_tls() {
    let trial = Trial::with(files! {"empty" => ""}, "");
    trial.protected_pull(&[]).expect_status(0);
    trial.here.write("void", "");
    trial.protected_push(&[]).expect_status(0);
    assert_eq!(trial.finish().tree(), "empty = \"\"\nvoid = \"\"\n");
}

/// CVE-2021-22947: what somebody put behind the last word in clear text would be believed as said under protection.
#[test]
fn d2_18_what_came_before_tls_is_not_believed_after_it() {
    for behind in ["331 x\\r\\n230 y\\r\\n", "3", "230-\\r\\n"] {
        let script = format!("on AUTH\n<| 234 go on\\r\\n{behind}\nsecure");
        let trial = Trial::with(two_files(), &script);
        let output = trial.protected_pull(&["--retries", "0"]).expect_status(4);
        assert!(output.stderr.contains("sent data before TLS"), "{output}");
        assert_eq!(trial.finish().lines(), ["AUTH TLS"]);
    }
}

#[test]
fn d2_19_without_tls_nothing_is_said_of_who_is_there() {
    all(
        ["500 what?", "502 no", "431 not now", "534 policy", "200 fine", "230 in already", "334 go on"],
        |reply| {
            let trial = Trial::with(two_files(), &format!("on AUTH\n< {reply}"));
            let output = trial.protected_pull(&["--retries", "0"]).expect_status(4);
            assert!(output.stderr.contains(reply), "{output}");
            assert_eq!(trial.finish().lines(), ["AUTH TLS"], "{reply}");
        },
    );
}

/// CVE-2021-22946: a greeting that looks like the end of a login doesn't end it.
#[test]
fn d2_19_a_greeting_of_230_skips_nothing() {
    let trial = Trial::with(two_files(), "on CONNECT\n< 230 you are in\non AUTH\n< 230 still in");
    trial.protected_pull(&["--retries", "0"]).expect_status(4);
    assert_eq!(trial.finish().lines(), ["AUTH TLS"]);
}

#[test]
fn d2_20_data_that_cannot_be_protected_is_not_sent() {
    for reply in ["534 no", "536 no", "500 what?"] {
        let trial = Trial::with(two_files(), &format!("on PROT\n< {reply}"));
        let output = trial.protected_pull(&["--retries", "0"]).expect_status(4);
        assert!(output.stderr.contains(&format!("PROT was answered `{reply}`")), "{output}");
        let transcript = trial.finish();
        let data = transcript.sent(&["EPSV", "PASV", "LIST", "MLSD", "RETR", "STOR"]);
        assert!(data.is_empty(), "{data:?}");
    }
}

#[test]
fn clear_text_is_spoken_where_it_was_allowed_and_there_is_nothing_else() {
    let trial = Trial::with(two_files(), "on AUTH\n< 502 no");
    let output = trial.pull(&["--tls", "try"]).expect_status(0);
    assert!(output.stderr.contains("in clear text"), "{output}");
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();
    // Where there is TLS, its certificate must be right.
    let trial = Trial::with(two_files(), "");
    let output = trial.pull(&["--tls", "try", "--retries", "0"]).expect_status(4);
    assert!(output.stderr.contains("not trusted"), "{output}");
    assert_eq!(trial.finish().lines(), ["AUTH TLS"]);
}

#[test]
fn d2_21_a_data_connection_that_is_somebody_elses_is_left() {
    for (at, expected) in [("on MLSD", 4), ("on RETR", 3)] {
        let script = format!("{at}\ndata another\nnormally");
        let trial = Trial::with(two_files(), &script);
        // Whoever believes all certificates still knows one from the other.
        let output = trial.run(
            "sync",
            &["--retries", "0", "--insecure"],
            &[&trial.server.protected_url("/"), &trial.here],
        );
        let output = output.expect_status(expected);
        assert!(output.stderr.contains("somebody else"), "{output}");
        assert_eq!(trial.local(), "");
        trial.finish();
    }
}

#[test]
fn data_in_clear_text_is_not_taken() {
    for (at, expected) in [("on MLSD", 4), ("on RETR", 3)] {
        let trial = Trial::with(two_files(), &format!("{at}\ndata clear\nnormally"));
        let output = trial.protected_pull(&["--retries", "0"]).expect_status(expected);
        assert_eq!(trial.local(), "", "{output}");
        trial.finish();
    }
}

/// A size that was listed proves a file whole, however it ended.
#[test]
fn d2_34_a_file_that_ends_without_a_word_is_whole_if_its_size_says_so() {
    let trial = Trial::with(two_files(), "on RETR\ndata cut\nnormally");
    trial.protected_pull(&[]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    trial.finish();
}

#[test]
fn d2_34_a_file_of_unknown_size_that_ends_without_a_word_is_not_whole() {
    let script = "on MLSD\n< 150 here\ndata send \"type=file; a.txt\\r\\n\"\ndata close\n< 226 done\non SIZE\n< 500 no\n\
                  on RETR\ndata cut\nnormally";
    let trial = Trial::with(two_files(), script);
    let output = trial.protected_pull(&["--retries", "0"]).expect_status(3);
    assert!(output.stderr.contains("cut off before TLS ended it"), "{output}");
    assert_eq!(trial.local(), "");
    trial.finish();
}

/// Whoever can shorten a listing would have all that was in it deleted.
#[test]
fn a_listing_that_ends_without_a_word_deletes_nothing() {
    let script = "on MLSD\ndata cut\nnormally";
    let trial = Trial::with(files! {"a.txt" => "content of a"}, script)
        .having(files! {"a.txt" => "content of a", "b.txt" => "stays"});
    let output = trial.protected_pull(&["--delete", "--retries", "0"]).expect_status(4);
    assert!(trial.local().contains("b.txt"), "{output}");
    trial.finish();
}

#[test]
fn d2_38_an_unknown_certificate_is_refused_with_the_pin_to_paste() {
    let trial = Trial::with(two_files(), "");
    let url = trial.server.protected_url("/");
    let output = trial.run("sync", &["--retries", "0"], &[&url, &trial.here]).expect_status(4);
    assert!(output.stderr.contains(&ScriptServer::pin()) && output.stderr.contains("--pin"), "{output}");
    let other = "00".repeat(32);
    let output =
        trial.run("sync", &["--retries", "0", "--pin", &other], &[&url, &trial.here]).expect_status(5);
    assert!(output.stderr.contains("not the pinned one"), "{output}");
    // Several may be good, for the time in which a server changes its certificate.
    let pin = ScriptServer::pin();
    trial.run("sync", &["--pin", &other, "--pin", &pin], &[&url, &trial.here]).expect_status(0);
    let output = trial.run("sync", &["--insecure"], &[&url, &trial.here]).expect_status(0);
    assert!(output.stderr.contains("warning: --insecure"), "{output}");
    let transcript = trial.finish();
    assert_eq!(transcript.lines_of(0), ["AUTH TLS"]);
    assert_eq!(transcript.lines_of(1), ["AUTH TLS"]);
}

#[test]
fn certificates_are_for_connections_that_are_protected() {
    let trial = Trial::with(two_files(), "");
    let url = trial.server.url("/");
    let output = trial.run("sync", &["--pin", &"00".repeat(32)], &[&url, &trial.here]).expect_status(2);
    assert!(output.stderr.contains("not to be protected"), "{output}");
    let output = trial
        .run("sync", &["--tls", "off"], &[&trial.server.protected_url("/"), &trial.here])
        .expect_status(2);
    assert!(output.stderr.contains("contradicts"), "{output}");
    assert_eq!(trial.finish().connections(), 0);
}

#[test]
fn a_greeting_in_clear_text_does_not_say_how_far_listings_can_be_believed() {
    // A server that cuts its listings at 10,000 entries, made to look like one that never does.
    let listing = "type=file;size=1; f{n}\\r\\n";
    let lines: String = (0..10_000).map(|n| listing.replace("{n}", &n.to_string())).collect();
    let script = format!(
        "on CONNECT\n< 220 (vsFTPd 3.0.3)\non MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done"
    );
    let trial = Trial::with(files! {}, &script).having(files! {"mine.txt" => "stays"});
    let output = trial.protected_pull(&["--delete", "-n", "--retries", "0", "--format", "json"]).any_status();
    assert!(output.stderr.contains("not proven"), "{}", output.stderr);
    trial.finish();
}

/// A server that fails at both versions for once has no version that it wants.
#[test]
fn a_handshake_that_fails_by_chance_does_not_change_the_version() {
    let failure = "< 234 go on\npause 50ms\n<| \\x15\\x03\\x03\\0\\x02\\x02\\x28\npause 50ms\ndrop";
    let script = format!("once RETR\ndrop\nnth 2 AUTH\n{failure}\nnth 3 AUTH\n{failure}");
    let trial = Trial::with(two_files(), &script);
    let output = trial.protected_pull(&["-vv", "--retries", "3"]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
    assert!(output.stderr.matches("TLS 1.2").count() >= 2 && !output.stderr.contains("TLS 1.3"), "{output}");
    assert_eq!(trial.finish().sent(&["AUTH"]).len(), 4);
}
