//! What is run after a job.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PASSWORD, Served, config};
use crate::support::{Sandbox, files};

#[test]
fn a_hook_is_told_what_became_of_the_job_and_no_password() {
    let sandbox = Sandbox::new();
    let served = Served::new(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one", "2.txt" => "two"});
    let host = served.host("web");
    let text = format!(
        "{host}user = 'anna'\npassword_env = 'SECRET'\n[defaults]\non_success = 'cat > report; env > environment; echo heard'\n\
         [job.a]\nsource = 'one'\ndestination = 'web:x'\n"
    );
    config(&sandbox, &text);
    let run = sandbox.command(["run"]).env("SECRET", PASSWORD).env("ONEWAY_PASSWORD", PASSWORD).run();
    let output = run.expect_status(0);
    // Standard output is for reports alone.
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
    output.tells(&["heard"]);
    let read = |name: &str| fs::read_to_string(sandbox.path("work").join(name)).unwrap();
    let (environment, report) = (read("environment"), read("report"));
    assert!(!environment.contains(PASSWORD) && !report.contains(PASSWORD), "{environment}\n{report}");
    let url = format!("ftp://anna@127.0.0.1:{}/x", served.server.address().port());
    let source = sandbox.path("work/one").display().to_string();
    for line in [
        "ONEWAY_JOB=a".to_owned(),
        "ONEWAY_EXIT=0".to_owned(),
        format!("ONEWAY_SOURCE={source}"),
        format!("ONEWAY_DESTINATION={url}"),
        "ONEWAY_CHANGES=2".to_owned(),
        "ONEWAY_FAILED=0".to_owned(),
        "ONEWAY_BYTES=6".to_owned(),
    ] {
        assert!(environment.lines().any(|told| told == line), "{line} is not in\n{environment}");
    }
    let seconds = environment.lines().find_map(|line| line.strip_prefix("ONEWAY_SECONDS=")).unwrap();
    assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{seconds}");
    let summary: Value = serde_json::from_str(report.lines().last().unwrap()).unwrap();
    assert_eq!((&summary["job"], &summary["changes"]["copy"]), (&"a".into(), &2.into()));
}

#[test]
fn which_hooks_are_run_is_said_by_how_the_job_ended() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let text = format!(
        "{host}[defaults]\non_success = ['sh', '-c', 'echo \"$ONEWAY_JOB success\" >> called']\n\
         on_failure = 'echo \"$ONEWAY_JOB failure $ONEWAY_EXIT\" >> called'\non_change = 'echo \"$ONEWAY_JOB change\" >> called'\n\
         [job.a]\nsource = 'one'\ndestination = 'web:x'\n\
         [job.b]\nsource = 'nowhere'\ndestination = 'web:y'\n\
         [job.c]\nsource = 'one'\ndestination = 'web:z'\non_success = 'echo own >> called'\n"
    );
    config(&sandbox, &text);
    let called = || {
        let text = fs::read_to_string(sandbox.path("work/called")).unwrap();
        fs::remove_file(sandbox.path("work/called")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    sandbox.oneway(["run"]).expect_status(4);
    assert_eq!(called(), ["a change", "a success", "b failure 4", "c change", "own"]);
    // Now nothing changes.
    sandbox.oneway(["run", "a"]).expect_status(0);
    assert_eq!(called(), ["a success"]);
}

#[test]
fn a_hook_that_fails_is_a_warning_and_makes_the_run_incomplete() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let job = format!("{}[job.a]\nsource = 'one'\ndestination = 'web:x'\n", served.host("web"));
    for (hook, told) in [
        ("on_success = 'exit 9'", "a: warning: on_success ended with status 9"),
        ("on_success = ['/no/such/program']", "a: warning: on_success cannot be run"),
        ("on_success = 'kill -9 $$'", "a: warning: on_success was ended by signal 9"),
    ] {
        config(&sandbox, &format!("{job}{hook}\n"));
        let output = sandbox.oneway(["run", "--format", "json"]).expect_status(3);
        output.tells(&[told]);
        assert_eq!(output.summary()["exit"], 0, "the mirror itself is as it should be");
    }
}

#[test]
fn a_hook_that_does_not_read_holds_up_nobody() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    let source = sandbox.dir("work/one");
    // More of a report than a pipe holds.
    for number in 0..400 {
        source.write(format!("a rather long name so that there are few of them {number}"), "");
    }
    let host = served.host("web");
    let text = format!(
        "{host}[job.a]\nsource = 'one'\ndestination = 'web:x'\non_change = 'sleep 0.1'\non_success = 'exec <&-; sleep 0.1'\n"
    );
    config(&sandbox, &text);
    let output = sandbox.oneway(["run", "--format", "json"]).expect_status(0);
    assert!(output.stdout.len() > 1 << 16, "{} bytes fit into a pipe", output.stdout.len());
    assert_eq!(output.stderr, "");
}

#[test]
fn a_hook_that_takes_too_long_is_ended_with_all_it_started() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let text = format!(
        "{host}[job.a]\nsource = 'one'\ndestination = 'web:x'\nhook_timeout = '300ms'\n\
         on_success = 'sleep 50 & echo $! > process; wait'\n"
    );
    config(&sandbox, &text);
    sandbox.oneway(["run"]).expect_status(3).tells(&["on_success was ended: it took longer than 300ms"]);
    let process = fs::read_to_string(sandbox.path("work/process")).unwrap();
    let command_line = PathBuf::from(format!("/proc/{}/cmdline", process.trim()));
    let asked = Instant::now();
    // One that has ended and that nobody waits for has an empty one.
    while fs::read(&command_line).is_ok_and(|line| line.starts_with(b"sleep")) {
        assert!(asked.elapsed() < Duration::from_secs(20), "what the hook started is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}
