//! A mirror shared among hosts by GNU parallel, as `config/parallel/oneway-parallel` does it. All hosts are this machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{are_wanted, netrc, numbered, path_with, program_dir};
use crate::support::{Daemon, Sandbox, assert_same_tree};

/// Returns its exit status and what it printed.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unpacked = root.join("target/daemons/parallel/usr/bin");
    let mut command = Command::new(root.join("config/parallel/oneway-parallel"));
    sandbox.isolate(&mut command);
    let path = path_with(&[&program_dir(), &unpacked]);
    let output =
        command.env("PATH", path).args(arguments).stdin(Stdio::null()).output().expect("there is bash");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code(), said)
}

#[test]
fn hosts_share_a_plan_and_one_report_comes_of_it() {
    if !are_wanted() {
        return;
    }
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    netrc(&sandbox);
    let src = sandbox.tree("src", numbered(400));
    daemon.root().write("old.txt", "old");
    let hosts = sandbox.path("hosts");
    // Two hosts as it sees it, the second of which takes two shares at a time.
    fs::write(&hosts, "1/:\n2/:\n").expect("the sandbox has room");
    let (hosts, plan) = (hosts.display().to_string(), sandbox.path("the plan").display().to_string());
    let url = daemon.url_without_password("/site");
    let (status, said) = run(&sandbox, &[&hosts, &plan, "5", &src, &url, "--delete"]);
    assert_eq!(status, Some(0), "{said}");
    assert_same_tree(&src, daemon.root().dir("site"));
    let log = fs::read_to_string(format!("{plan}.log")).expect("parallel writes it");
    assert_eq!(log.lines().count(), 6, "{log}");
    let report = said.lines().rev().find(|line| line.starts_with("changed:")).unwrap_or_default();
    assert!(report.contains("400 new files"), "{said}");
    let (status, said) = run(&sandbox, &[&hosts, &plan]);
    assert_eq!(status, Some(0), "what is done is not done again: {said}");
    assert_eq!(daemon.transfers().len(), 400);
}
