//! Plans that engines share among machines, by the files in `config/`: Slurm, Kubernetes, GNU parallel. What needs more than a shell runs
//! where `ONEWAY_ENGINES` is set.

mod kubernetes;
mod parallel;
mod slurm;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Files, PASSWORD, Sandbox, USER};

/// Whether the tests that need an engine are to run.
fn are_wanted() -> bool {
    let are = std::env::var_os("ONEWAY_ENGINES").is_some();
    if !are {
        eprintln!("skipped: ONEWAY_ENGINES is not set");
    }
    are
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_scripts() {
    if !are_wanted() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = ["slurm/oneway.sbatch", "kubernetes/run", "parallel/oneway-parallel"];
    let output = Command::new(root.join("target/daemons/shellcheck/usr/bin/shellcheck"))
        .args(scripts.map(|script| root.join("config").join(script)))
        .output()
        .expect("run ONEWAY_ENGINES=1 tests/set-up");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Writes down the password of the daemons' user, for whoever runs anything in the sandbox.
fn netrc(sandbox: &Sandbox) {
    let file = sandbox.path("home/.netrc");
    let line = format!("machine 127.0.0.1 login {USER} password {PASSWORD}\n");
    fs::write(&file, line).expect("the sandbox has room");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

/// So many small files, a hundred to a directory.
fn numbered(count: usize) -> Files {
    let file = |i: usize| {
        (
            OsString::from(format!("d{:03}/file {i}.txt", i / 100)),
            Some(format!("content of {i}\n").into_bytes()),
        )
    };
    Files((0..count).map(file).collect())
}

/// The directory of the program under test.
fn program_dir() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_oneway"));
    program.parent().expect("a program is in a directory").to_owned()
}

/// Directories to look for programs in, before all others.
fn path_with(first: &[&Path]) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = first.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("no directory has a colon")
}
