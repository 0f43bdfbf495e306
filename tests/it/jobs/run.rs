//! `oneway run`: which jobs, in which order, and how it ends.

use std::fs;
use std::time::{Duration, Instant};

use super::{Served, config};
use crate::support::{Daemon, Sandbox, files, snapshot};

#[test]
fn all_jobs_run_in_the_order_of_the_file_and_one_that_fails_stops_no_other() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    sandbox.tree("work/three", files! {"3.txt" => "three"});
    let host = served.host("web");
    let text = format!(
        "{host}[job.zebra]\nsource = 'one'\ndestination = 'web:a'\n[job.gone]\nsource = 'nowhere'\ndestination = 'web:b'\n\
         [job.ant]\nsource = 'three'\ndestination = 'web:c'\n"
    );
    config(&sandbox, &text);
    let output = sandbox.oneway(["run", "--format", "json"]).expect_status(4);
    let summaries: Vec<_> = output
        .events("summary")
        .iter()
        .map(|summary| format!("{} {}", summary["job"].as_str().expect("it is named"), summary["exit"]))
        .collect();
    assert_eq!(summaries, ["zebra 0", "gone 4", "ant 0"]);
    output.tells(&["oneway: gone: error: cannot list"]);
    assert_eq!(snapshot(&served.dir), "a/\na/1.txt = \"one\"\nc/\nc/3.txt = \"three\"\n");
    let text = sandbox.oneway(["run", "ant", "zebra", "ant"]).expect_status(0).stdout;
    let jobs: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
    assert_eq!(jobs, ["ant", "zebra"], "the order they were named in, each once");
}

#[test]
fn a_job_nobody_knows_and_a_file_that_is_wrong_are_usage_errors_and_nothing_is_done() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    sandbox.oneway(["run"]).expect_status(2).tells(&["no file of jobs", "oneway.toml", "--config"]);
    let job = format!("{}[job.deploy]\nsource = 'one'\ndestination = 'web:'\n", served.host("web"));
    config(&sandbox, &job);
    sandbox.oneway(["run", "deplyo"]).expect_status(2).tells(&["[job.deplyo]", "did you mean `deploy`"]);
    config(&sandbox, &format!("{job}[job.other]\nsource = 'one'\ndestination = 'ftp://h/'\nretires = 1\n"));
    let output = sandbox.oneway(["run", "deploy"]).expect_status(2);
    output.tells(&["oneway.toml:11:1: unknown key `retires` of a job; did you mean `retries`?"]);
    assert_eq!((output.stdout.as_str(), snapshot(&served.dir).as_str()), ("", ""));
    config(&sandbox, "");
    sandbox.oneway(["run"]).expect_status(2).tells(&["has no jobs"]);
}

#[test]
fn a_dry_run_changes_nothing_and_calls_nobody() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let text = format!(
        "{host}[job.a]\nsource = 'one'\ndestination = 'web:'\non_success = 'touch called'\non_change = 'touch called'\n"
    );
    config(&sandbox, &text);
    let output = sandbox.oneway(["run", "-n"]).expect_status(0);
    assert!(
        output.stdout.contains("+ 1.txt") && output.stdout.contains("a: would change: 1 new"),
        "{output}"
    );
    assert_eq!(snapshot(&served.dir), "");
    assert!(!sandbox.path("work/called").exists());
}

#[test]
fn the_file_is_found_in_the_users_config_directory_too_and_its_paths_are_relative_to_it() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("config/oneway/one", files! {"1.txt" => "one"});
    sandbox.tree("home/two", files! {"2.txt" => "two"});
    let text = format!(
        "version = 1\n{}[job.a]\nsource = 'one'\ndestination = 'web:a'\noutput = 'report'\n\
         [job.b]\nsource = '~/two'\ndestination = 'web:b'\noutput = 'report'\n",
        served.host("web")
    );
    fs::write(sandbox.path("config/oneway/oneway.toml"), text).unwrap();
    sandbox.oneway(["run"]).expect_status(0);
    assert_eq!(snapshot(&served.dir), "a/\na/1.txt = \"one\"\nb/\nb/2.txt = \"two\"\n");
    // Both reports are in the file that both jobs name.
    let report = fs::read_to_string(sandbox.path("config/oneway/report")).unwrap();
    let jobs: Vec<_> = report.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
    assert_eq!(jobs, ["a", "b"]);
    // One here is nearer.
    config(&sandbox, "");
    sandbox.oneway(["run"]).expect_status(2).tells(&["has no jobs"]);
}

#[test]
fn the_file_of_jobs_is_no_part_of_the_mirror_it_lies_in() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    served.dir.add(files! {"oneway.toml" => "another", "old" => "1"});
    config(
        &sandbox,
        &format!("{}[job.a]\nsource = '.'\ndestination = 'web:'\ndelete = true\n", served.host("web")),
    );
    fs::write(sandbox.path("work/1.txt"), "one").unwrap();
    sandbox.oneway(["run", "--max-delete", "1"]).expect_status(0);
    assert_eq!(snapshot(&served.dir), "1.txt = \"one\"\noneway.toml = \"another\"\n");
}

#[test]
fn a_stop_ends_the_command_after_a_job_and_leaves_the_next_one() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let text = format!(
        "{host}[job.a]\nsource = 'one'\ndestination = 'web:a'\non_success = 'touch waiting; sleep 50'\n\
         [job.b]\nsource = 'one'\ndestination = 'web:b'\n"
    );
    config(&sandbox, &text);
    let running = sandbox.command(["run"]).start();
    let started = Instant::now();
    while !sandbox.path("work/waiting").exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "the command was never run");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal("TERM");
    let output = running.finish().expect_status(143);
    output.tells(&["on_success was stopped", "not run: b"]);
    assert_eq!(snapshot(&served.dir), "a/\na/1.txt = \"one\"\n");
}

#[test]
fn a_job_runs_against_a_real_daemon() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    sandbox.tree("work/one", files! {"a b/ü#%.txt" => "one"});
    let text = format!(
        "[host.web]\naddress = '127.0.0.1'\nport = {}\nuser = 'mirror'\npassword_env = 'SECRET'\n\
         [job.push]\nsource = 'one'\ndestination = 'web:new dir/x'\n[job.pull]\nsource = 'web:new dir'\ndestination = 'back'\n",
        daemon.port()
    );
    config(&sandbox, &text);
    let output = sandbox.command(["run"]).env("SECRET", crate::support::PASSWORD).run().expect_status(0);
    assert_eq!(output.stdout.lines().count(), 2, "{output}");
    assert_eq!(fs::read_to_string(sandbox.path("work/back/x/a b/ü#%.txt")).unwrap(), "one");
}

#[test]
fn reports_of_several_jobs_share_a_file_where_they_are_lines() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let text = format!(
        "{host}[defaults]\nreport = ['json=all.jsonl']\n[job.a]\nsource = 'one'\ndestination = 'web:a'\nreport = ['html=a.html', 'json=all.jsonl']\n\
         [job.b]\nsource = 'one'\ndestination = 'web:b'\n[job.c]\nsource = 'nowhere'\ndestination = 'web:b'\n"
    );
    config(&sandbox, &text);
    // From elsewhere, since files are where the file of jobs is.
    let elsewhere = sandbox.dir("elsewhere");
    let run = |arguments: &[&str]| {
        let file = sandbox.path("work/oneway.toml").display().to_string();
        let arguments: Vec<_> = [&["run", "--config", &file], arguments].concat();
        sandbox.command(arguments).current_dir(elsewhere.path()).run()
    };
    run(&[]).expect_status(4);
    let lines = fs::read_to_string(sandbox.path("work/all.jsonl")).unwrap();
    let jobs: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["event"] == "summary")
        .map(|line| format!("{} {}", line["job"], line["exit"]))
        .collect();
    assert_eq!(jobs, ["\"a\" 0", "\"b\" 0", "\"c\" 4"]);
    assert!(fs::read_to_string(sandbox.path("work/a.html")).unwrap().contains("</html>"));
    // A page can't hold two.
    run(&["--report", "html=all.html"]).expect_status(2).tells(&["[job.b]", "all.html"]);
    assert!(!elsewhere.has("all.html"));
}
