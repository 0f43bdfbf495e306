//! Listings in the server's own zone, where nothing else tells a time.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Trial, files};
use crate::support::Dir;

/// A server that has LIST alone, with one file of that age in a zone so far ahead of UTC; `more` is what else is odd.
fn server(ahead: TimeDelta, age: TimeDelta, more: &str) -> (Trial, DateTime<Utc>) {
    let at = Utc::now() - age;
    let line = format!("-rw-r--r-- 1 ftp ftp 9 {} a.txt", (at + ahead).format("%b %d %H:%M"));
    let script = format!(
        "on FEAT\n< 211-F\n<  SIZE\n< 211 E\non LIST\n< 150 here\ndata send \"{line}\\r\\n\"\ndata close\n< 226 done\n{more}"
    );
    let whole = DateTime::from_timestamp(at.timestamp() / 60 * 60, 0).expect("it is of our days");
    (Trial::with(files! {"a.txt" => "content a"}, &script), whole)
}

const NO_MDTM: &str = "on MDTM\n< 502 no\n";

fn india() -> TimeDelta {
    TimeDelta::minutes(330)
}

fn time(dir: &Dir) -> DateTime<Utc> {
    std::fs::metadata(dir.at("a.txt")).and_then(|meta| meta.modified()).expect("it is there").into()
}

#[test]
fn without_mdtm_a_pull_has_the_times_that_the_zone_told_makes_of_them() {
    let (trial, at) = server(india(), TimeDelta::days(10), NO_MDTM);
    let nothing = |options: &[&str]| {
        let output = trial.pull(options).expect_status(0);
        assert!(output.stdout.starts_with("nothing to do"), "{options:?}\n{output}");
    };
    // As it is listed, from west of here by mistake, and from where it is; each settles after one run.
    for (options, ahead) in [
        (&["--no-state"][..], india()),
        (&["--no-state", "--time-offset", "-08:00"], india() + TimeDelta::hours(8)),
        (&["--no-state", "--time-offset=+05:30"], TimeDelta::zero()),
    ] {
        let output = trial.pull(options).expect_status(0);
        assert!(output.stdout.starts_with("changed:"), "{options:?}\n{output}");
        assert_eq!(time(&trial.here), at + ahead, "{options:?}");
        nothing(options);
    }
    for _ in 0..2 {
        nothing(&["--time-offset", "+05:30"]);
    }
    trial.finish();
}

#[test]
fn a_change_within_the_servers_zone_is_seen_where_the_zone_is_told() {
    // Listed as of three hours from now, it is older than what is here.
    for (options, status) in [(&[][..], 0), (&["--time-offset", "+05:30"], 1), (&["--time-offset", "Z"], 0)] {
        let (trial, at) = server(india(), TimeDelta::minutes(150), NO_MDTM);
        trial.here.write("a.txt", "content b");
        trial.here.set_time("a.txt", &(at + TimeDelta::hours(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let places = [&trial.here[..], &trial.server.url("/")];
        trial.run("diff", &[&["--no-state"], options].concat(), &places).expect_status(status);
        trial.finish();
    }
}

#[test]
fn where_mdtm_contradicts_the_zone_that_was_told_it_is_believed_and_said() {
    let (trial, at) = server(india(), TimeDelta::days(10), "");
    let time = at.format("%Y%m%d%H%M%S");
    let more = format!("on MDTM\n< 213 {time}\n");
    drop(trial.finish());
    let (trial, _) = server(india(), TimeDelta::days(10), &more);
    for options in [&["-v", "--no-state"][..], &["-v", "--no-state", "--time-offset", "-08:00"]] {
        trial.pull(options).expect_status(0);
        assert_eq!(self::time(&trial.here), at, "{options:?}");
    }
    let output = trial.pull(&["-v", "--no-state", "--time-offset", "-08:00"]).expect_status(0);
    assert!(output.stdout.contains("nothing to do"), "{output}");
    output.tells(&["are UTC+05:30, seen on 1 file, and not UTC-08:00", "MDTM is believed"]);
    let output = trial.pull(&["-v", "--no-state"]).expect_status(0);
    assert!(output.stdout.contains("are UTC+05:30, seen on 1 file"), "{output}");
    trial.finish();
}

#[test]
fn mlsd_is_in_utc_whatever_zone_is_told() {
    let trial = Trial::with(files! {"a.txt" => "content a"}, "").having(files! {});
    trial.pull(&["--time-offset", "+05:30"]).expect_status(0);
    assert_eq!(time(&trial.here).to_rfc3339(), "2024-05-06T07:08:09+00:00");
    trial.finish();
}

#[test]
fn what_is_no_zone_is_refused_before_anything_is_done() {
    let trial = Trial::with(files! {"a.txt" => "content a"}, "");
    for zone in ["+05:07", "Asia/Kolkata", "5", "+15:00"] {
        trial.pull(&["--time-offset", zone]).expect_status(2).tells(&[zone, "+05:30"]);
    }
    assert_eq!(trial.local(), "");
    assert_eq!(trial.finish().connections(), 0);
}
