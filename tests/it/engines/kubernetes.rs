//! The manifests and the script in `config/kubernetes`, without a cluster: `kubectl` is one that carries out what the manifests say with
//! the program under test, and forgets nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oneway::server::{Access, ServeOptions, Server};

use super::{are_wanted, numbered, path_with, program_dir};
use crate::support::{Dir, Sandbox, assert_same_tree};

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/kubernetes")
}

/// Returns the value of a field that stands in a line of its own.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
}

/// Returns the arguments of the one container that has some.
fn arguments(text: &str) -> Vec<String> {
    if let Some(all) = field(text, "args") {
        return all.trim_matches(['[', ']']).split(", ").map(str::to_owned).collect();
    }
    let items = text.split("args:\n").nth(1).unwrap_or_default().lines();
    items.map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

/// A cluster of one file a Job: how it is called, what its container gets, and for how many indexes.
fn cluster(sandbox: &Sandbox, replaced: &[(&str, &str)]) -> PathBuf {
    let (programs, jobs) = (sandbox.path("programs"), sandbox.path("jobs"));
    for dir in [&programs, &jobs] {
        fs::create_dir(dir).expect("the sandbox has room");
    }
    for stage in ["plan", "first", "shards", "last", "merge"] {
        let text = fs::read_to_string(config().join(format!("{stage}.yaml"))).expect("each stage has a file");
        assert_eq!(field(&text, "oneway/stage").as_deref(), Some(stage));
        let mut arguments = arguments(&text);
        assert!(!arguments.is_empty(), "{stage}");
        for argument in &mut arguments {
            for (there, here) in replaced {
                *argument = argument.replace(there, here);
            }
        }
        fs::write(jobs.join(format!("{stage}.args")), arguments.join("\n") + "\n").expect("there is room");
        let completions = field(&text, "completions").unwrap_or_default();
        fs::write(jobs.join(format!("{stage}.completions")), completions).expect("there is room");
    }
    let kubectl = programs.join("kubectl");
    fs::write(&kubectl, KUBECTL).expect("there is room");
    fs::set_permissions(&kubectl, fs::Permissions::from_mode(0o755)).expect("it is ours");
    programs
}

fn run(sandbox: &Sandbox, programs: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(config().join("run"));
    sandbox.isolate(&mut command);
    let command =
        command.env("PATH", path_with(&[programs, &program_dir()])).env("JOBS", sandbox.path("jobs"));
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("there is bash");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.code(), said)
}

fn ran(sandbox: &Sandbox) -> String {
    let ran = fs::read_to_string(sandbox.path("jobs/ran")).expect("something ran");
    fs::remove_file(sandbox.path("jobs/ran")).expect("it is ours");
    ran.lines().collect::<Vec<_>>().join(" ")
}

fn serve(dir: &Dir) -> Server {
    Server::start(ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) })
        .expect("loopback has free ports")
}

#[test]
fn the_jobs_mirror_one_after_the_other_and_the_rest_is_done_by_another_run() {
    let sandbox = Sandbox::new();
    let (src, there) = (sandbox.tree("src", numbered(300)), sandbox.dir("there"));
    there.write("old.txt", "old");
    there.write("old too.txt", "old");
    let server = serve(&there);
    let (volume, source) = (sandbox.dir("volume"), src.path().display().to_string());
    let replaced = [
        ("/plan/", format!("{}/", volume.path().display())),
        ("/source", source),
        ("ftpes://web@ftp.example.org/htdocs", server.url()),
        ("--delete", "--max-delete=100%".to_owned()),
    ];
    let replaced: Vec<(&str, &str)> = replaced.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let programs = cluster(&sandbox, &replaced);
    fs::write(sandbox.path("jobs/kill"), "5\n").expect("there is room");
    let (status, said) = run(&sandbox, &programs, &[]);
    assert_eq!(status, Some(1), "a share failed: {said}");
    assert_eq!(ran(&sandbox), "plan first shards merge");
    assert!(
        said.contains("oneway-shards failed") && !there.has("d002/file 299.txt") || there.has("old.txt"),
        "{said}"
    );
    let (status, said) = run(&sandbox, &programs, &["first"]);
    assert_eq!((status, ran(&sandbox).as_str()), (Some(0), "first shards last merge"), "{said}");
    let report = said.lines().rev().find(|line| line.starts_with("changed:")).unwrap_or_default();
    assert!(report.contains("300 new files"), "{said}");
    fs::remove_file(there.at("old.txt")).expect("nothing was to be deleted");
    fs::remove_file(there.at("old too.txt")).expect("nothing was to be deleted");
    assert_same_tree(&src, &there);
}

#[test]
fn a_plan_that_could_not_be_made_is_all_there_is() {
    let sandbox = Sandbox::new();
    let programs = cluster(
        &sandbox,
        &[("/plan/", "/nonexistent/"), ("ftpes://web@ftp.example.org", "ftp://127.0.0.1:1")],
    );
    let (status, said) = run(&sandbox, &programs, &[]);
    assert_eq!((status, ran(&sandbox).as_str()), (Some(1), "plan"), "{said}");
    assert_eq!(run(&sandbox, &programs, &["last"]).0, Some(2));
}

#[test]
fn the_manifests_are_what_kubernetes_takes() {
    if !are_wanted() {
        return;
    }
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/check");
    let output = Command::new(check).stdin(Stdio::null()).output().expect("there is bash");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
}

/// Carries out each Job when it is applied. The share in `kill` is lost, once.
const KUBECTL: &str = r#"#!/bin/bash
stage=${*: -1}
stage=${stage##*=}
case $1 in
    apply)
        [[ $stage != storage ]] || exit 0
        mapfile -t arguments <"$JOBS/$stage.args"
        completions=$(cat "$JOBS/$stage.completions")
        echo "$stage" >>"$JOBS/ran"
        worst=0
        for ((index = 0; index < ${completions:-1}; index++)); do
            [[ -z $completions ]] || export JOB_COMPLETION_INDEX=$index
            if [[ $completions && -e $JOBS/kill && $(cat "$JOBS/kill") = "$index" ]]; then
                rm "$JOBS/kill"
                worst=137
                continue
            fi
            oneway "${arguments[@]}" >"$JOBS/log-oneway-$stage" 2>&1 || worst=$?
        done
        echo "$worst" >"$JOBS/status-oneway-$stage"
        ;;
    delete) rm -f "$JOBS/status-$3" ;;
    get)
        case $2 in
            job) [[ $(cat "$JOBS/status-$3") = 0 ]] && echo -n "SuccessCriteriaMet Complete" || echo -n "FailureTarget Failed" ;;
            pods) cat "$JOBS/status-${4#*=}" ;;
        esac
        ;;
    logs) cat "$JOBS/log-${2#job/}" ;;
esac
"#;
