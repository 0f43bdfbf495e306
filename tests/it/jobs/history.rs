//! What is known of past runs: history, status, metrics.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Served, config};
use crate::support::{Sandbox, files, snapshot};

/// Two jobs, of which one has no source.
fn two_jobs(sandbox: &Sandbox, more: &str) -> Served {
    let served = Served::anonymous(sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one", "2.txt" => "two"});
    let host = served.host("web");
    let text = format!(
        "{host}[job.good]\nsource = 'one'\ndestination = 'web:a'\n{more}\n[job.gone]\nsource = 'nowhere'\ndestination = 'web:b'\n"
    );
    config(sandbox, &text);
    served
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

/// The value of a metric.
fn metric(file: &Path, line: &str) -> Option<f64> {
    let text = fs::read_to_string(file).expect("it was written");
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    value.map(|value| value.parse().expect("a number"))
}

#[test]
fn history_status_and_metrics_agree_about_what_ran() {
    let sandbox = Sandbox::new();
    let _served = two_jobs(&sandbox, "");
    let prom = sandbox.path("work/oneway.prom");
    assert_eq!(sandbox.oneway(["history"]).expect_status(0).stdout, "no run is known\n");
    let never = sandbox.oneway(["status"]).expect_status(1).stdout;
    assert_eq!(never, "good  stale    never succeeded\ngone  stale    never succeeded\n");

    sandbox.oneway(["run", "--metrics-file", "oneway.prom"]).expect_status(4);
    sandbox.oneway(["run", "good"]).expect_status(0);
    let runs = lines(&sandbox.oneway(["history", "--json"]).expect_status(0).stdout);
    let short = |run: &Value| format!("{} {} {} {}", run["run"], run["job"], run["result"], run["exit"]);
    let all: Vec<_> = runs.iter().map(short).collect();
    assert_eq!(all, ["3 \"good\" \"done\" 0", "2 \"gone\" \"unreachable\" 4", "1 \"good\" \"done\" 0"]);
    assert_eq!((&runs[2]["changes"]["copy"], &runs[2]["bytes"]), (&Value::from(2), &Value::from(6)));
    assert_eq!((&runs[0]["changes"], &runs[0]["unchanged"]), (&serde_json::json!({}), &Value::from(2)));
    let of_one = lines(&sandbox.oneway(["history", "gone", "--json"]).expect_status(0).stdout);
    assert_eq!(of_one, [runs[1].clone()]);
    let table = sandbox.oneway(["history", "-n", "2"]).expect_status(0).stdout;
    assert!(table.lines().next().is_some_and(|head| head.starts_with("RUN  BEGAN")), "{table}");
    assert_eq!((table.lines().count(), table.contains("unreachable")), (3, true), "{table}");
    let whole = sandbox.oneway(["history", "--run", "1"]).expect_status(0).stdout;
    assert!(whole.contains("run 1 of good: done") && whole.contains("\ncopy 1.txt\ncopy 2.txt\n"), "{whole}");
    let failed = sandbox.oneway(["history", "--run", "2"]).expect_status(0).stdout;
    assert!(failed.contains("cannot list") && failed.contains("nowhere"), "{failed}");
    sandbox.oneway(["history", "--run", "9"]).expect_status(2).tells(&["there is no run 9"]);

    let status = sandbox.oneway(["status"]).expect_status(2).stdout;
    assert!(
        status.contains("good  fresh    succeeded ") && status.contains("gone  failing  unreachable "),
        "{status}"
    );
    sandbox.oneway(["status", "good"]).expect_status(0);
    sandbox.oneway(["status", "good", "--max-age", "1ms"]).expect_status(1);
    sandbox
        .oneway(["status", "godo"])
        .expect_status(2)
        .tells(&["there is no job godo", "did you mean `good`"]);
    let json = lines(&sandbox.oneway(["status", "--json"]).expect_status(2).stdout);
    assert_eq!(json[1]["status"], "failing");
    assert_eq!(json[1]["exit"], 4);

    assert_eq!(metric(&prom, "oneway_last_run_exit_status{job=\"good\"}"), Some(0.0));
    assert_eq!(metric(&prom, "oneway_last_run_exit_status{job=\"gone\"}"), Some(4.0));
    assert_eq!(metric(&prom, "oneway_last_run_changes{job=\"good\",action=\"copy\"}"), Some(2.0));
    assert_eq!(metric(&prom, "oneway_last_success_timestamp_seconds{job=\"gone\"}"), None);
    let ended = metric(&prom, "oneway_last_success_timestamp_seconds{job=\"good\"}");
    assert!(ended.is_some_and(|at| at > 1.7e9), "{ended:?}");
}

#[test]
fn a_run_that_is_killed_shows_as_killed_and_is_failing() {
    let sandbox = Sandbox::new();
    let _served = two_jobs(&sandbox, "bwlimit = '1k'");
    fs::write(sandbox.path("work/one/large"), vec![b'x'; 1 << 20]).unwrap();
    let running = sandbox.command(["run", "good"]).start();
    let began = Instant::now();
    loop {
        let status = sandbox.oneway(["status", "good"]).with_status();
        if status.1.stdout.contains("running for") {
            assert_eq!(status.0, 0, "a first run may take its time\n{}", status.1);
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it never began\n{}", status.1);
    }
    assert!(sandbox.oneway(["history"]).expect_status(0).stdout.contains("running"));
    running.signal("KILL");
    let _ = running.finish();
    let status = sandbox.oneway(["status", "good"]).expect_status(2).stdout;
    assert!(status.starts_with("good  failing  killed "), "{status}");
    assert!(sandbox.oneway(["history"]).expect_status(0).stdout.contains("killed"));
}

#[test]
fn a_hook_that_fails_is_in_the_history_and_a_stopped_run_is_no_failure() {
    let sandbox = Sandbox::new();
    let _served = two_jobs(&sandbox, "on_success = 'exit 7'");
    sandbox.oneway(["run", "good"]).expect_status(3);
    let told = sandbox.oneway(["history", "--run", "1"]).expect_status(0).stdout;
    assert!(told.contains("incomplete") && told.contains("on_success ended with status 7"), "{told}");
    sandbox.oneway(["status", "good"]).expect_status(2);
}

#[test]
fn a_mirror_that_is_no_job_is_written_down_unless_nothing_is_to_be_remembered() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let url = format!("ftp://127.0.0.1:{}/", served.server.address().port());
    sandbox.oneway(["sync", "-n", "one", &url]).expect_status(0);
    sandbox.oneway(["diff", "one", &url]).expect_status(1);
    sandbox.oneway(["sync", "one", &url, "--no-state"]).expect_status(0);
    assert_eq!(sandbox.oneway(["history"]).expect_status(0).stdout, "no run is known\n");
    served.dir.remove("1.txt");
    sandbox.oneway(["sync", "one", &url, "--metrics-file", "m.prom"]).expect_status(0);
    let history = sandbox.oneway(["history"]).expect_status(0).stdout;
    assert!(history.contains("one → ftp://127.0.0.1:") && history.contains("1 copy"), "{history}");
    let metrics = fs::read_to_string(sandbox.path("work/m.prom")).unwrap();
    assert!(
        metrics.contains("oneway_last_run_exit_status{source=\"one\",destination=\"ftp://127.0.0.1:"),
        "{metrics}"
    );
    sandbox.oneway(["status"]).expect_status(2).tells(&["no job ever ran"]);
    let output = sandbox.oneway(["sync", "one", &url, "--metrics-file", "no/such/m.prom"]).expect_status(3);
    output.tells(&["cannot write the metrics to no/such/m.prom"]);
}

#[test]
fn a_history_that_cannot_be_kept_is_told_and_no_reason_not_to_run() {
    let sandbox = Sandbox::new();
    let _served = two_jobs(&sandbox, "");
    fs::create_dir_all(sandbox.path("state/oneway/history.sqlite")).unwrap();
    sandbox.oneway(["run", "good"]).expect_status(0).tells(&["this run will be missing in `oneway history`"]);
}

#[test]
fn a_run_is_undone_by_its_number_from_anywhere() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    served.dir.add(files! {"1.txt" => "one, anew"});
    let here = sandbox.tree("work/here", files! {"1.txt" => "one", "2.txt" => "two"});
    let url = format!("ftp://127.0.0.1:{}/", served.server.address().port());
    let options = ["--delete", "--backup-dir", "old"];
    sandbox.oneway([&["sync", &url, "here"][..], &options].concat()).expect_status(0);
    assert_eq!(snapshot(&here), "1.txt = \"one, anew\"\n");
    sandbox.oneway(["sync", &url, "here", "--delete"]).expect_status(0);
    sandbox.oneway(["undo", "2"]).expect_status(2).tells(&["run 2 put nothing aside"]);
    sandbox.oneway(["undo", "7"]).expect_status(2).tells(&["there is no run 7"]);
    sandbox.command(["undo", "1"]).current_dir(sandbox.path("home")).run().expect_status(0);
    assert_eq!(snapshot(&here), "1.txt = \"one\"\n2.txt = \"two\"\n");
}
