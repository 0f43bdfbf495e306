//! A mirror shared among the nodes of a Slurm cluster by `config/slurm/oneway.sbatch`: a cluster of two nodes on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{are_wanted, netrc, numbered, program_dir};
use crate::support::{Cluster, Daemon, Sandbox, assert_same_tree, wait_until};

/// The numbers of the jobs of a mirror, as the script prints them.
#[derive(Debug)]
struct Jobs {
    shards: String,
    last: String,
    merge: String,
}

impl Jobs {
    /// Reads what the script says last.
    fn of(said: &str) -> Self {
        eprintln!("{said}");
        let line = said.lines().last().unwrap_or_default();
        let number = |behind: &str| {
            let rest = line.split(behind).nth(1).unwrap_or_else(|| panic!("no {behind:?} in {said}"));
            rest.chars().take_while(char::is_ascii_digit).collect::<String>()
        };
        Self { shards: number(" shares "), last: number(" last "), merge: number(" report ") }
    }
}

fn script() -> String {
    format!("{}/config/slurm/oneway.sbatch", env!("CARGO_MANIFEST_DIR"))
}

/// Submits a plan, as somebody who is logged in does.
fn submit(cluster: &Cluster<'_>, arguments: &[&str]) -> Jobs {
    Jobs::of(&cluster.ask("bash", &[&[script().as_str()], arguments].concat()))
}

/// A program that stands in for `oneway`: it notes how it was called, and ends as the file of its stage says, line by line, or well.
fn stand_in(sandbox: &Sandbox) -> PathBuf {
    let programs = sandbox.path("programs");
    fs::create_dir(&programs).expect("the sandbox has room");
    let program = programs.join("oneway");
    let text = r#"#!/bin/bash
[[ $1 = apply ]] && stage=${*: -1} || stage=merge
exec 9>"$HOME/lock" && flock 9
status=$(sed -n 1p "$HOME/ends-$stage" 2>/dev/null)
sed -i 1d "$HOME/ends-$stage" 2>/dev/null
echo "$stage" >>"$HOME/calls"
flock -u 9
[[ $status != wait ]] || { exec sleep 100; }
exit "${status:-0}"
"#;
    fs::write(&program, text).expect("the sandbox has room");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    programs
}

/// A plan that only the stand-in takes.
fn plan_of(sandbox: &Sandbox, shards: u32) -> String {
    let plan = sandbox.dir("plan");
    plan.write("plan.json", format!("{{\n  \"shards\": {shards},\n  \"at_once\": 5\n}}\n"));
    plan.path().display().to_string()
}

/// How often each stage was called, in the order of the first calls.
fn calls(sandbox: &Sandbox) -> Vec<(String, usize)> {
    let calls = fs::read_to_string(sandbox.path("home/calls")).unwrap_or_default();
    let mut counted: Vec<(String, usize)> = Vec::new();
    for call in calls.lines() {
        match counted.iter_mut().find(|(name, _)| name == call) {
            Some((_, count)) => *count += 1,
            None => counted.push((call.to_owned(), 1)),
        }
    }
    counted
}

fn count(sandbox: &Sandbox, stage: &str) -> usize {
    calls(sandbox).into_iter().find(|(name, _)| name == stage).map_or(0, |(_, count)| count)
}

fn ends(sandbox: &Sandbox, stage: &str, statuses: &str) {
    fs::write(sandbox.path(format!("home/ends-{stage}")), statuses).expect("the sandbox has room");
}

#[test]
fn stages_come_one_after_the_other_and_a_share_that_fails_begins_again() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 9);
    for (shard, statuses) in [("2", "4\n"), ("3", "137\n3\n6\n")] {
        ends(&sandbox, shard, statuses);
    }
    let jobs = submit(&cluster, &[&plan]);
    cluster.finish(&jobs.merge, MINUTE);
    let called = calls(&sandbox);
    let names: Vec<_> = called.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], &names[10..]), ("first", ["last", "merge"].as_slice()), "{called:?}");
    for (name, count) in called {
        let expected = match name.as_str() {
            "2" => 2,
            "3" => 4,
            _ => 1,
        };
        assert_eq!(count, expected, "{name}");
    }
    assert_eq!(cluster.state(&jobs.last), "COMPLETED");
    let log = fs::read_to_string(sandbox.path(format!("work/oneway-shard-{}_3.out", jobs.shards)));
    assert!(log.expect("each task has its log").contains("ended with status 6, begins again: try 4"));
}

#[test]
fn a_node_submits_the_jobs_as_well() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 3);
    let number = cluster.ask("sbatch", &["--parsable", "--wait", &script(), &plan]);
    let said = fs::read_to_string(sandbox.path(format!("work/oneway-{number}.out")));
    let jobs = Jobs::of(&said.expect("it says what it submitted"));
    cluster.finish(&jobs.merge, MINUTE);
    let mut names: Vec<_> = calls(&sandbox).into_iter().map(|(name, _)| name).collect();
    names[1..4].sort();
    assert_eq!(names, ["first", "1", "2", "3", "last", "merge"]);
}

#[test]
fn a_share_that_is_refused_does_not_begin_again_and_the_report_comes_all_the_same() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 4);
    ends(&sandbox, "2", "5\n");
    ends(&sandbox, "4", "2\n");
    ends(&sandbox, "merge", "3\n");
    let jobs = submit(&cluster, &[&plan]);
    cluster.finish(&jobs.merge, MINUTE);
    for (stage, expected) in [("1", 1), ("2", 1), ("3", 1), ("4", 1), ("last", 0), ("merge", 1)] {
        assert_eq!(count(&sandbox, stage), expected, "{stage}");
    }
    assert_eq!(cluster.state(&jobs.last), "CANCELLED");
    assert_eq!(cluster.field(&jobs.merge, "ExitCode="), "3:0");
}

#[test]
fn what_fails_again_and_again_is_given_up() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 2);
    ends(&sandbox, "first", &"4\n".repeat(20));
    let jobs = submit(&cluster, &[&plan]);
    cluster.finish(&jobs.merge, MINUTE);
    assert_eq!(calls(&sandbox), [("first".to_owned(), 6), ("merge".to_owned(), 1)]);
}

#[test]
fn a_share_that_is_cancelled_stays_cancelled() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 3);
    ends(&sandbox, "2", "wait\n");
    let jobs = submit(&cluster, &[&plan]);
    wait_until("share 2 is at work", || count(&sandbox, "2") == 1);
    cluster.ask("scancel", &[&format!("{}_2", jobs.shards)]);
    cluster.finish(&jobs.merge, MINUTE);
    assert_eq!((count(&sandbox, "2"), count(&sandbox, "last"), count(&sandbox, "merge")), (1, 0, 1));
    assert_eq!(cluster.state(&format!("{}_2", jobs.shards)), "CANCELLED");
}

/// What Slurm sends two minutes before the time limit.
#[test]
fn a_share_whose_time_is_over_is_stopped_and_begins_again() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 3);
    ends(&sandbox, "2", "wait\n");
    let jobs = submit(&cluster, &[&plan]);
    wait_until("share 2 is at work", || count(&sandbox, "2") == 1);
    cluster.ask("scancel", &["--batch", "--signal=USR1", &format!("{}_2", jobs.shards)]);
    cluster.finish(&jobs.merge, MINUTE);
    assert_eq!((count(&sandbox, "2"), count(&sandbox, "last"), count(&sandbox, "merge")), (2, 1, 1));
}

#[test]
fn a_share_whose_node_fails_begins_again_on_another_one() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 3);
    ends(&sandbox, "2", "wait\n");
    let jobs = submit(&cluster, &[&plan]);
    wait_until("share 2 is at work", || count(&sandbox, "2") == 1);
    let share = format!("{}_2", jobs.shards);
    let node = cluster.field(&share, "BatchHost=");
    cluster.ask("scontrol", &["update", &format!("NodeName={node}"), "State=DOWN", "Reason=test"]);
    cluster.finish(&jobs.merge, MINUTE);
    assert_eq!((count(&sandbox, "2"), count(&sandbox, "last"), count(&sandbox, "merge")), (2, 1, 1));
    assert_ne!(cluster.field(&share, "BatchHost="), node);
}

#[test]
fn so_many_shares_at_a_time_as_are_asked_for_or_as_the_plan_has_sessions_for() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let cluster = Cluster::start(&sandbox, &stand_in(&sandbox));
    let plan = plan_of(&sandbox, 12);
    for (variable, at_once) in [("AT_ONCE=3", 3), ("AT_ONCE=", 5)] {
        let said = cluster.ask("env", &[variable, "bash", &script(), &plan]);
        let shards =
            said.split(" shares ").nth(1).and_then(|rest| rest.split(',').next()).expect("it says so");
        let told = cluster.ask("scontrol", &["show", "job", shards]);
        assert!(told.contains(&format!("ArrayTaskId=1-12%{at_once} ArrayTaskThrottle={at_once}")), "{told}");
    }
}

/// The whole of it, with a real server: of eight shares, one is killed and one is taken off its node, in the midst of their work.
#[test]
fn two_nodes_push_twenty_thousand_files_once_each_though_shares_are_lost_on_the_way() {
    // What was being sent when they were lost was sent again: no more than each session had in hand.
    push_though_shares_are_lost(&[], 200);
}

#[test]
fn two_nodes_push_twenty_thousand_files_that_get_their_names_together_though_shares_are_lost() {
    // What one that was killed has sent is not believed to be whole.
    push_though_shares_are_lost(&["--delay-updates"], FILES / 8 + 200);
}

fn push_though_shares_are_lost(options: &[&str], again: usize) {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    netrc(&sandbox);
    let src = sandbox.tree("src", numbered(FILES));
    daemon.root().write("site/old.txt", "old");
    let cluster = Cluster::start(&sandbox, &program_dir());
    let plan = sandbox.path("plan").display().to_string();
    let url = daemon.url_without_password("/site");
    let started = Instant::now();
    let words = [&plan, "8", &src, &url, "--delete", "--max-delete", "100%", "-j", "16"];
    let jobs = submit(&cluster, &[&words, options].concat());
    let task = |shard: u32| format!("{}_{shard}", jobs.shards);
    let at_work = |shard: u32, word: &str| cluster.processes(&jobs.shards, shard, word);
    let sent = || daemon.transfers().len();
    wait_until("shares are at work", || sent() > FILES / 40 && !at_work(2, "apply").is_empty());
    cluster.kill(&at_work(2, "apply"));
    wait_until("share 2 is to begin again", || cluster.field(&task(2), "Restarts=") == "1");
    wait_until("share 5 is at work", || !at_work(5, "apply").is_empty());
    let before = sent();
    wait_until("share 5 has sent files", || sent() > before + FILES / 40);
    assert!(!at_work(5, "apply").is_empty(), "it was done before it could be requeued");
    cluster.ask("scontrol", &["requeue", &task(5)]);
    cluster.finish(&jobs.merge, 3 * MINUTE);
    eprintln!("carried out in {:.1?}, {} transfers", started.elapsed(), sent());
    let nodes = |shard: u32| cluster.field(&task(shard), "BatchHost=");
    assert_eq!((1..=8).map(nodes).collect::<BTreeSet<_>>().len(), 2, "both nodes had shares");
    for job in [task(2), task(5), jobs.last, jobs.merge.clone()] {
        assert_eq!(cluster.state(&job), "COMPLETED", "{job}");
    }
    let report = fs::read_to_string(sandbox.path(format!("work/oneway-merge-{}.out", jobs.merge)));
    eprintln!("{}", report.expect("the report is where it is said to be"));
    let merged = sandbox.oneway(["plan", "merge", "--format", "json", &plan]).expect_status(0);
    let summary = merged.summary();
    assert_eq!(
        (&summary["changes"]["copy"], &summary["changes"]["delete"], &summary["failed"], &summary["exit"]),
        (&json!(FILES), &json!(1), &json!(0), &json!(0))
    );
    let done = merged.events("done").into_iter().filter(|done| done["action"] == "copy");
    let paths: Vec<_> = done.map(|done| done["path"].as_str().unwrap_or_default().to_owned()).collect();
    let once: BTreeSet<_> = paths.iter().collect();
    assert_eq!((paths.len(), once.len()), (FILES, FILES), "each file counts once");
    assert!((FILES..FILES + again).contains(&sent()), "{} transfers", sent());
    let diff = sandbox.oneway(["diff", "--delete", &src, &url]).expect_status(0);
    assert!(diff.stdout.starts_with("nothing differs, 20,000 unchanged"), "{diff}");
    assert_same_tree(&src, daemon.root().dir("site"));
}

const FILES: usize = 20_000;
const MINUTE: Duration = Duration::from_secs(60);
