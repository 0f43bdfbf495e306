//! `oneway parse-listing` on the samples, on pipes, and on what it can't read.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Sandbox;

const NOW: &str = "2026-11-21T12:00:00Z";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/listings").join(name)
}

#[test]
fn a_sample_gives_its_entries_and_tells_of_the_other_lines() {
    let sandbox = Sandbox::new();
    let path = sample("vms-odd.txt");
    let output = sandbox
        .oneway(["parse-listing", "--rejected", "--now", NOW, path.to_str().expect("it is ASCII")])
        .expect_status(0);
    let first = output.stdout.lines().next().expect("there is an entry");
    assert_eq!(
        first,
        r#"{"name":"HUNDREDTHS.DAT;3","kind":"file","size":105984,"modified":"2025-10-09T11:42:50Z","precision":"second","target":null,"mode":null,"owner":null,"group":null}"#
    );
    assert_eq!(output.stdout.lines().count(), 6);
    output.tells(&["oneway: rejected `%RMS-E-FNF, file not found`: not a line of a listing of kind vms"]);
    let silent = sandbox.oneway(["parse-listing", path.to_str().expect("it is ASCII")]).expect_status(0);
    assert_eq!(silent.stderr, "");
}

#[test]
fn each_sample_gives_the_entries_next_to_it() {
    for entry in fs::read_dir(sample("")).expect("the samples are there") {
        let path = entry.expect("they are readable").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).expect("it is ASCII");
        let family = name.split('-').next().expect("it has a family");
        let output = Command::new(env!("CARGO_BIN_EXE_oneway"))
            .args(["parse-listing", "--now", NOW, "--format", family])
            .arg(&path)
            .output()
            .expect("it starts");
        let found = output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        let found: Vec<Value> = found.map(|line| serde_json::from_slice(line).expect("it is JSON")).collect();
        let expected = fs::read_to_string(path.with_extension("expected.json")).expect("it is there");
        let expected = expected.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
        let expected: Vec<Value> = expected.filter(|line| line.get("rejected").is_none()).collect();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(known(found), known(expected), "{name}");
        }
    }
}

/// The fields that both write alike: times are printed to the second, and bytes of a name that aren't UTF-8 are marked.
fn known(entry: &Value) -> Vec<String> {
    let whole = |field: &str| entry[field].to_string();
    let name =
        Some(whole("name")).filter(|_| entry.get("name_encoded").is_none() && !whole("name").contains('%'));
    let modified =
        whole("modified").split('.').next().unwrap_or_default().trim_end_matches(['Z', '"']).to_owned();
    let others = ["kind", "size", "precision", "target", "mode", "owner", "group"].map(whole);
    others.into_iter().chain([modified]).chain(name).collect()
}

#[test]
fn dates_without_a_year_follow_now() {
    let line = "-rw-r--r-- 1 web www 5 Feb 29 10:06 leap\n";
    for (now, modified) in
        [("2028-03-01T00:00:00+01:00", "\"2028-02-29T10:06:00Z\""), ("2026-03-01T00:00:00Z", "null")]
    {
        let stdout = fed(&["--now", now], line);
        assert!(stdout.contains(&format!("\"modified\":{modified}")), "{stdout}");
    }
}

#[test]
fn standard_input_is_read_by_nothing_and_by_a_hyphen() {
    let line = "type=file;size=5; a.txt\r\n";
    assert_eq!(fed(&[], line), fed(&["-"], line));
    assert!(fed(&[], line).starts_with("{\"name\":\"a.txt\""));
    assert_eq!(fed(&[], ""), "");
    assert_eq!(fed(&[], "no listing\n"), "");
    assert!(fed(&["--format", "nlst"], "no listing\n").starts_with("{\"name\":\"no listing\""));
}

#[test]
fn a_family_that_is_none_is_a_usage_error_that_names_them() {
    let output = Sandbox::new().oneway(["parse-listing", "--format", "tops20"]).expect_status(2);
    output.tells(&["tops20", "mlsd", "unix", "vms", "nlst"]);
    Sandbox::new().oneway(["parse-listing", "--now", "yesterday"]).expect_status(2).tells(&["yesterday"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    sandbox.oneway(["parse-listing", "missing.txt"]).expect_status(2).tells(&["missing.txt", "No such file"]);
}

#[test]
fn whoever_has_read_enough_may_close_the_pipe() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_oneway"))
        .arg("parse-listing")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("it is piped");
    let lines = "type=file;size=5; a.txt\r\n".repeat(1000);
    drop(child.stdout.take());
    // It stops reading sooner or later.
    while input.write_all(lines.as_bytes()).is_ok() {}
    let mut told = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut told).expect("it is text");
    assert_eq!((child.wait().expect("it ends").code(), told.as_str()), (Some(0), ""));
}

fn fed(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_oneway"))
        .arg("parse-listing")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("it is UTF-8")
}
