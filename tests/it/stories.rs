//! The scripts in `examples/`, run as they stand: what an operator, a developer and a reviewer do.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Daemon, PASSWORD, Sandbox, files, snapshot};

/// Runs a script with the program in its path.
fn run(sandbox: &Sandbox, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(script);
    let mut command = Command::new(script);
    sandbox.isolate(&mut command);
    let bin = Path::new(env!("CARGO_BIN_EXE_oneway")).parent().expect("it is in a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).env("PATH", format!("{}:{path}", bin.display())).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("it can be run");
    let told = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (status.code().unwrap_or(-1), told)
}

#[test]
fn the_operator_mirrors_each_night_and_is_told_when_it_fails() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    daemon.root().add(files! {"pub/a" => "a", "pub/b" => "b"});
    let job = format!(
        "version = 1\n[job.reports]\nsource = '{}'\ndestination = 'reports'\n",
        daemon.url_without_password("/pub")
    );
    std::fs::write(sandbox.path("work/oneway.toml"), job).unwrap();
    let kept = sandbox.path("kept").display().to_string();
    let variables = [("REPORTS", kept.as_str()), ("ONEWAY_PASSWORD", PASSWORD)];
    let night = || run(&sandbox, "nightly-pull.sh", &["reports"], &variables);
    let (status, told) = night();
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("reports  fresh    succeeded "), "{told}");
    assert_eq!(snapshot(sandbox.path("work/reports").display().to_string()), "a = \"a\"\nb = \"b\"\n");
    let names = || {
        let names =
            std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let all = names();
    assert!(all.len() == 2 && all[0] == "oneway.prom" && all[1].starts_with("reports-20"), "{all:?}");
    let page = std::fs::read_to_string(sandbox.path("kept").join(&all[1])).unwrap();
    assert!(page.contains("Run: done"), "{page}");
    drop(daemon);
    let (status, told) = night();
    assert_eq!(status, 4, "{told}");
    assert!(
        told.contains("reports  failing  unreachable ") && told.contains("error: cannot reach"),
        "{told}"
    );
    let metrics = std::fs::read_to_string(sandbox.path("kept/oneway.prom")).unwrap();
    assert!(metrics.contains("exit_status{job=\"reports\"} 4"), "{metrics}");
}

#[test]
fn the_developer_pushes_from_machines_that_start_empty_and_the_gate_holds() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let url = daemon.url_without_password("/htdocs");
    let variables = [("DEPLOY_URL", url.as_str()), ("ONEWAY_PASSWORD", PASSWORD)];
    let many: Vec<String> = (0..60).map(|i| format!("page {i}.html")).collect();
    let build = |names: &[String], front: &str| {
        // A fresh checkout on a machine that remembers nothing.
        let machine = Sandbox::new();
        let build = machine.tree("work/build", files! {"index.html" => front});
        names.iter().for_each(|name| build.write(name, name));
        let pushed = run(&machine, "push-build.sh", &["build"], &variables);
        let report = std::fs::read_to_string(machine.path("work/deploy.json")).unwrap_or_default();
        assert!(machine.path("work/deploy.html").exists(), "{pushed:?}");
        (pushed, report)
    };
    let ((status, told), _) = build(&many, "one");
    assert_eq!(status, 0, "{told}");
    let ((status, told), report) = build(&many[..58], "the second");
    assert_eq!(status, 0, "{told}");
    assert!(report.contains("\"changes\":{\"replace\":1,\"delete\":2}"), "{report}");
    assert_eq!(daemon.root().read("htdocs/index.html"), b"the second");
    let before = snapshot(daemon.root());
    let ((status, told), _) = build(&many[..35], "three");
    assert_eq!(status, 5, "{told}");
    assert!(told.contains("delete>20"), "{told}");
    assert_eq!(snapshot(daemon.root()), before, "a build that lost its files changes nothing");
}

#[test]
fn the_reviewer_applies_exactly_what_was_looked_at() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let url = daemon.url_without_password("/htdocs");
    let variables = [("ONEWAY_PASSWORD", PASSWORD)];
    let build = sandbox.tree("work/build", files! {"index.html" => "new", "a" => "a", "late" => "x"});
    daemon
        .root()
        .add(files! {"htdocs/index.html" => "the old one", "htdocs/gone" => "g", "htdocs/kept" => "k"});
    build.write("kept", "k");
    let before = snapshot(daemon.root());
    let (status, told) = run(&sandbox, "review.sh", &["build", &url], &variables);
    assert_eq!(status, 0, "{told}");
    assert_eq!(snapshot(daemon.root()), before, "nothing was changed");
    let page = std::fs::read_to_string(sandbox.path("work/diff.html")).unwrap();
    assert!(page.contains("Dry run: what would change") && page.contains("index.html"), "{page}");
    let plan = std::fs::read_to_string(sandbox.path("work/site.plan")).unwrap();
    assert!(!plan.contains("s3cret"), "{plan}");
    // What nobody looked at: a file that is new here, and one that was changed there.
    build.write("unseen", "u");
    daemon.root().write("htdocs/gone", "somebody wants it after all");
    let output =
        sandbox.command(["apply", "site.plan"]).env("ONEWAY_PASSWORD", PASSWORD).run().expect_status(3);
    output.tells(&["`gone`"]);
    assert_eq!(daemon.root().read("htdocs/index.html"), b"new");
    assert_eq!(daemon.root().read("htdocs/gone"), b"somebody wants it after all");
    assert!(daemon.root().has("htdocs/a") && !daemon.root().has("htdocs/unseen"));
}
