//! Servers that never come to an end, or to the point.

use std::time::{Duration, Instant};

use super::{TWO_FILES, Trial, all, files, two_files};

#[test]
fn d2_37_a_refused_data_connection_is_tried_again_and_then_told() {
    for refusal in [
        "522 SSL connection failed: session reuse required",
        "425 Unable to build data connection: Operation not permitted",
    ] {
        let trial = Trial::with(two_files(), &format!("once RETR\n< {refusal}"));
        trial.protected_pull(&["--retries", "1"]).any_status();
        let trial = Trial::with(two_files(), &format!("on MLSD\n< {refusal}"));
        let output = trial.protected_pull(&["--retries", "1"]).expect_status(4);
        output.tells(&[refusal]);
        assert!(trial.server.finish_unchecked().connections() <= 3);
    }
}

#[test]
fn d2_46_a_storm_of_goodbyes_ends_in_bounded_time() {
    let storms = [
        ("421 at the greeting", "on CONNECT\n< 421 come back later\ndrop"),
        ("421 for too many", "on CONNECT\n< 421 too many connections\ndrop"),
        ("421 at the password", "on PASS\n< 421 not now\ndrop"),
        ("530 for too many", "on PASS\n< 530 too many connections for this user"),
        ("530 behind the login", "on TYPE\n< 530 log in first"),
        ("530 at every transfer", "on RETR\n< 530 log in first"),
        ("421 at every transfer", "on RETR\n< 421 bye\ndrop"),
        ("530 at every listing", "on MLSD\n< 530 log in first"),
        ("421 at every listing", "on MLSD\n< 421 bye\ndrop"),
        ("120 for ever", "on CONNECT\n< 120 ready in 1 minute\ndrop"),
        ("reset", "on CONNECT\nreset"),
    ];
    all(storms, |(what, script)| {
        eprintln!("{what}");
        let trial = Trial::with(two_files(), script).having(files! {"extra" => "stays"});
        let begun = Instant::now();
        let output = trial
            .pull(&["--retries", "2", "--delete", "--max-delete", "100%", "--sessions", "4"])
            .any_status();
        assert!(begun.elapsed() < Duration::from_secs(50), "{what}: {:?}", begun.elapsed());
        assert!(output.stderr.contains("oneway: error: "), "{output}");
        assert_eq!(trial.local(), "extra = \"stays\"\n", "{what}");
        let again = trial.pull(&["--retries", "0", "--delete", "--max-delete", "100%"]);
        if what.contains("transfer") {
            again.expect_status(3)
        } else {
            again.expect_status(4)
        };
        // Each try waits longer than the one before, so that there are few.
        let connections = trial.server.finish_unchecked().connections();
        assert!(connections <= 40, "{what}: {connections} connections");
    });
}

#[test]
fn d2_47_whoever_stalls_is_left() {
    let stalls = [
        "on CONNECT\npause 60s",
        "on CONNECT\n<| 220 re\npause 60s",
        "on USER\npause 60s",
        "on PASS\n<| 23\npause 60s",
        "on FEAT\n< 211-Features\npause 60s",
        "on EPSV\npause 60s",
        "on MLSD\npause 60s",
        "on MLSD\n< 150 here\npause 60s",
        "on MLSD\n< 150 here\ndata send \"type=file;size=12; a.txt\\r\\n\"\npause 60s",
        "on MLSD\n< 150 here\ndata send \"type=file;size=12; a.txt\\r\\n\"\ndata close\npause 60s",
        "on RETR\npause 60s",
        "on RETR\n< 150 here\npause 60s",
        "on RETR\n< 150 here\ndata file 5\npause 60s",
        "on RETR\n< 150 here\ndata file\npause 60s",
        "on RETR\n< 150-here\npause 60s",
    ];
    all(stalls, |script| {
        eprintln!("{script}");
        let trial = Trial::with(two_files(), script).having(files! {"extra" => "stays"});
        let begun = Instant::now();
        let output = trial.pull(&["--retries", "0", "--delete", "--max-delete", "100%"]).any_status();
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        output.tells(&["within 1s"]);
        assert_eq!(trial.local(), "extra = \"stays\"\n", "{script}");
        drop(trial.server.finish_unchecked());
    });
    let stalls = [
        "on STOR\npause 60s",
        "on STOR\n< 150 go on\npause 60s",
        "on STOR\n< 150 go on\ndata recv\ndata close\npause 60s",
        "on RNTO\npause 60s",
        "on MKD\npause 60s",
        "on SIZE *.part\npause 60s",
    ];
    all(stalls, |script| {
        eprintln!("{script}");
        let trial = Trial::with(files! {}, script).having(files! {"d/a" => "x".repeat(3_000_000)});
        let begun = Instant::now();
        trial.push(&["--retries", "0"]).expect_status(3).tells(&["within 1s"]);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        assert!(!trial.server.finish_unchecked().tree().contains("d/a "));
    });
}

#[test]
fn d2_49_replies_that_do_not_match_make_no_mirror_wrong() {
    let faults = [
        ("one too many", "nth 3 SIZE\nnormally\n< 213 12"),
        ("one too many at MKD", "once MKD\nnormally\n< 257 \"/x\" created"),
        ("missing", "nth 2 SIZE *.part\npause 60s"),
        ("another's", "nth 2 SIZE *.part\n< 250 renamed"),
        ("a size for a rename", "once RNTO\n< 213 12"),
        ("a port for a size", "nth 2 SIZE *.part\n< 229 ok (|||{port}|)"),
        ("too early", "once EPSV\nnormally\n< 226 done"),
        ("swapped", "once RNFR\n< 250 renamed\n< 350 to what?"),
    ];
    all(faults, |(what, script)| {
        eprintln!("{what}");
        let here = files! {"a" => "content of a", "b" => "content of b", "d/c" => "content of c", "d/e" => "content of e"};
        let trial = Trial::with(files! {"extra" => "x"}, script).having(here);
        let _ = trial.push(&["--retries", "2", "--delete", "--max-delete", "100%"]).any_status();
        // Whatever it believed of that run, the next one sees what is there and mends it.
        trial
            .push(&["--retries", "2", "--delete", "--max-delete", "100%", "--compare", "size"])
            .expect_status(0);
        let transcript = trial.server.finish_unchecked();
        let whole: Vec<&str> = transcript.tree().lines().filter(|line| !line.contains(".part")).collect();
        let expected =
            "a = \"content of a\" b = \"content of b\" d/ d/c = \"content of c\" d/e = \"content of e\"";
        assert_eq!(whole.join(" "), expected, "{what}");
    });
    let trial = Trial::with(two_files(), "once RETR\nnormally\n< 550 no\nnth 2 EPSV\n< 226 done");
    trial.pull(&["--retries", "3"]).expect_status(0);
    assert_eq!(trial.local(), TWO_FILES);
}
