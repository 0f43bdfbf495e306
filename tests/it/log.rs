//! `--log-file`: a line for each thing that happens.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chrono::DateTime;
use oneway::server::{Access, ServeOptions, Server};
use serde_json::Value;

use crate::support::{Dir, Sandbox, ScriptServer, files, snapshot};

fn serve(sandbox: &Sandbox) -> (Dir, Server) {
    let there = sandbox.dir("there");
    let options = ServeOptions { access: Access::Write, ..ServeOptions::new(there.path()) };
    (there, Server::start(options).expect("loopback has free ports"))
}

/// Returns the lines of a log as JSON, each of which has a time and a level.
#[track_caller]
fn events(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(sandbox.path(name)).expect("there is a log in UTF-8");
    let events = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    let events: Vec<Value> = events.collect();
    for event in &events {
        let time = event["time"].as_str().unwrap();
        assert!(
            DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z') && time.len() == 24,
            "{time}"
        );
        assert!(event["level"].is_string(), "{event}");
    }
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter(|event| event["event"] != "session")
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

#[test]
fn a_run_is_logged_from_its_start_to_its_end_behind_what_is_there() {
    let sandbox = Sandbox::new();
    let (_there, server) = serve(&sandbox);
    let here = sandbox.tree("here", files! {"a" => "1", "d/b" => "22"});
    let log = sandbox.path("log").display().to_string();
    let url = server.url();
    let common = ["--log-file", &log, "--log-format", "json", &here, &url];
    sandbox.oneway(["sync"].iter().chain(&common)).expect_status(0);
    let first = events(&sandbox, "log");
    assert_eq!(names(&first), ["start", "scanned", "planned", "done", "done", "done", "end"]);
    assert!(first.iter().any(|event| event["event"] == "session" && event["session"] == 1), "{first:?}");
    assert_eq!((&first[0]["mode"], &first[0]["destination"]), (&"sync".into(), &url.as_str().into()));
    let done = first.iter().find(|event| event["path"] == "d/b").unwrap();
    assert_eq!((&done["action"], &done["bytes"], &done["tries"]), (&"copy".into(), &2.into(), &1.into()));
    assert_eq!(first.last().unwrap()["exit"], 0);
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);

    here.add(files! {"a" => "three"});
    sandbox.oneway(["diff"].iter().chain(&common)).expect_status(1);
    let both = events(&sandbox, "log");
    assert_eq!(both[..first.len()], first);
    assert_eq!(names(&both[first.len()..]), ["start", "scanned", "planned", "end"]);
    let (planned, end) = (&both[both.len() - 2], &both[both.len() - 1]);
    assert_eq!((&planned["changes"], &planned["bytes"], &end["exit"]), (&1.into(), &5.into(), &1.into()));
}

#[test]
fn failures_tries_and_what_is_said_are_logged_with_the_name_of_the_job() {
    let sandbox = Sandbox::new();
    let server = ScriptServer::plain(files! {}, "once STOR\n< 451 later\non MKD\n< 550 no");
    let here = sandbox.tree("here", files! {"a" => "1", "d/b" => "22"});
    let file = format!(
        "version = 1\n[job.site]\nsource = \"{}\"\ndestination = \"{}\"\nlog-file = \"log\"\n",
        &*here,
        server.url("/")
    );
    fs::write(sandbox.path("work/oneway.toml"), file).unwrap();
    fs::set_permissions(sandbox.path("work/oneway.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    sandbox.oneway(["run"]).expect_status(3);
    let text = fs::read_to_string(sandbox.path("work/log")).unwrap();
    for part in [
        " info    site: start: oneway ",
        " warning site: retry: copy a, try 1: cannot ",
        " info    site: done: copy a, 1 B, ",
        " error   site: failed: create_dir d: cannot ",
        " error   site: failed: copy d/b: not tried, since `d` could not be made",
        " error   site: message: cannot create `d` on ",
        " info    site: end: exit status 3 after ",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    drop(server.finish_unchecked());
}

#[test]
fn the_trace_goes_to_the_log_too() {
    let sandbox = Sandbox::new();
    let (_there, server) = serve(&sandbox);
    let here = sandbox.tree("here", files! {"a" => "1"});
    let log = sandbox.path("log").display().to_string();
    sandbox.oneway(["sync", "-vv", "--log-file", &log, &here, &server.url()]).expect_status(0);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains(" trace   trace: [1] > USER anonymous\n"), "{text}");
    assert!(text.contains(" trace   trace: [1] > PASS ***\n"), "{text}");
}

#[test]
fn processes_may_share_a_log() {
    let sandbox = Sandbox::new();
    let (_there, server) = serve(&sandbox);
    let log = sandbox.path("log").display().to_string();
    let runs = (0..3).map(|i| {
        let many =
            crate::support::Files((0..60).map(|j| (format!("{j}").into(), Some(b"x".to_vec()))).collect());
        let here = sandbox.tree(&format!("here{i}"), many);
        let url = format!("{}{i}", server.url());
        let arguments = ["sync", "--log-file", &log, "--log-format", "json", &here, &url];
        sandbox.command(arguments).start()
    });
    for run in runs.collect::<Vec<_>>() {
        run.finish().expect_status(0);
    }
    let events = events(&sandbox, "log");
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("start"), count("done"), count("end")), (3, 180, 3));
}

#[test]
fn a_log_that_cannot_be_opened_ends_the_run_before_it_begins_and_a_full_one_does_not_end_it() {
    let sandbox = Sandbox::new();
    let (there, server) = serve(&sandbox);
    let here = sandbox.tree("here", files! {"a" => "1"});
    let run = |log: &str| sandbox.oneway(["sync", "--log-file", log, &here, &server.url()]);
    run("/no/such/directory/log").expect_status(2).tells(&["cannot open the log /no/such/directory/log: "]);
    assert_eq!(snapshot(&there).len(), 0);
    let output = run("/dev/full").expect_status(0);
    let warnings =
        output.stderr.matches("warning: cannot write to the log /dev/full, which ends here: ").count();
    assert_eq!(warnings, 1, "{output}");
    assert_eq!(there.read("a"), b"1");
}

#[test]
fn a_log_is_no_part_of_the_mirror_it_lies_in() {
    let sandbox = Sandbox::new();
    let (there, server) = serve(&sandbox);
    let here = sandbox.tree("here", files! {"a" => "1"});
    let log = here.at("run.log").display().to_string();
    sandbox.oneway(["sync", "--delete", "--log-file", &log, &here, &server.url()]).expect_status(0);
    assert!(there.has("a") && !there.has("run.log"));
    sandbox.oneway(["sync", "--delete", "--log-file", &log, &server.url(), &here]).expect_status(0);
    assert!(here.has("run.log"));
}
