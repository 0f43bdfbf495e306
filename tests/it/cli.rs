//! What the program says and how it ends when there's no server to speak to.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use crate::support::{Sandbox, ScriptServer, files, snapshot};

#[test]
fn two_local_directories_are_a_usage_error() {
    let sandbox = Sandbox::new();
    let (src, dst) = (sandbox.tree("src", files! {"a.txt" => "hi"}), sandbox.dir("dst"));
    let output = sandbox.oneway(["sync", &src, &dst]).expect_status(2);
    assert!(!output.stderr.is_empty());
    assert_eq!(output.stdout, "");
    assert_eq!(snapshot(&dst), "");
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let sandbox = Sandbox::new();
    let src = sandbox.dir("src");
    let output = sandbox.oneway(["sync", "--no-such-option", &src, "ftp://127.0.0.1/"]).expect_status(2);
    output.tells(&["--no-such-option"]);
}

#[test]
fn a_rate_that_is_none_is_a_usage_error() {
    let sandbox = Sandbox::new();
    let src = sandbox.dir("src");
    for command in ["sync", "diff"] {
        for rate in ["0", "fast", "-1", "1.5X", ""] {
            let limit = format!("--bwlimit={rate}");
            let output = sandbox.oneway([command, &limit, &src, "ftp://127.0.0.1/"]).expect_status(2);
            output.tells(&["--bwlimit"]);
        }
    }
}

#[test]
fn a_size_that_is_none_is_a_usage_error() {
    let sandbox = Sandbox::new();
    let src = sandbox.dir("src");
    for size in ["0", "large", "-1", "1.5X", ""] {
        let split = format!("--split-size={size}");
        sandbox.oneway(["sync", &split, &src, "ftp://127.0.0.1/"]).expect_status(2).tells(&["--split-size"]);
    }
    for size in ["0", "16383k", "much"] {
        let memory = format!("--memory={size}");
        sandbox.oneway(["sync", &memory, &src, "ftp://127.0.0.1/"]).expect_status(2).tells(&["--memory"]);
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    Sandbox::new().oneway(["mirror"]).expect_status(2).tells(&["mirror"]);
}

#[test]
fn a_missing_argument_is_a_usage_error() {
    let sandbox = Sandbox::new();
    let src = sandbox.dir("src");
    sandbox.oneway(["sync", &src]).expect_status(2);
}

#[test]
fn an_unknown_scheme_is_a_usage_error() {
    let sandbox = Sandbox::new();
    let src = sandbox.dir("src");
    sandbox.oneway(["sync", &src, "gopher://127.0.0.1/"]).expect_status(2).tells(&["gopher"]);
}

#[test]
fn a_closed_port_is_told_with_its_host() {
    let sandbox = Sandbox::new();
    let src = sandbox.tree("src", files! {"a.txt" => "hi"});
    let url = format!("ftp://someone:secret@127.0.0.1:{}/", closed_port());
    let output = sandbox.oneway(["sync", &src, &url]).expect_status(4);
    output.tells(&["127.0.0.1"]);
    assert!(!output.stderr.contains("secret"), "{output}");
}

#[test]
fn each_command_has_help_on_standard_output() {
    let sandbox = Sandbox::new();
    for command in ["sync", "diff", "run", "config", "ls", "serve", "parse-listing"] {
        let output = sandbox.oneway([command, "--help"]).expect_status(0);
        assert!(output.stdout.contains("Usage: oneway"), "{output}");
        assert_eq!(output.stderr, "");
    }
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// One that asks for a password and takes none.
fn curious_server() -> ScriptServer {
    ScriptServer::plain(files! {"a.txt" => "hi"}, "on PASS\n< 530 Login incorrect.")
}

/// Returns the user and the password that a server is told where the sandbox has this `.netrc`.
fn told(netrc: &str, mode: u32, url: impl Fn(u16) -> String, status: i32) -> (String, Vec<String>) {
    let (sandbox, server) = (Sandbox::new(), curious_server());
    let file = sandbox.path("home/.netrc");
    fs::write(&file, netrc).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    let output = sandbox.oneway(["ls", "--retries", "0", &url(server.port())]).expect_status(status);
    (output.stderr, server.finish().sent(&["USER", "PASS", "ACCT"]))
}

#[test]
fn netrc_tells_who_logs_in() {
    let netrc = "machine elsewhere login eve password no\nmachine 127.0.0.1 login anna password \"s p\"\n";
    let (_, login) = told(netrc, 0o600, |port| format!("ftp://127.0.0.1:{port}/"), 4);
    assert_eq!(login, ["USER anna", "PASS s p"]);
    let (_, login) = told(netrc, 0o600, |port| format!("ftp://anna@127.0.0.1:{port}/"), 4);
    assert_eq!(login, ["USER anna", "PASS s p"]);
    let (_, login) = told(netrc, 0o600, |port| format!("ftp://anna:other@127.0.0.1:{port}/"), 4);
    assert_eq!(login, ["USER anna", "PASS other"]);
    let (stderr, login) = told(netrc, 0o600, |port| format!("ftp://bob@127.0.0.1:{port}/"), 2);
    assert!(login.is_empty() && stderr.contains("no password"), "{stderr}");
}

#[test]
fn a_netrc_that_others_can_read_is_not_used() {
    let netrc = "machine 127.0.0.1 login anna password secret";
    for mode in [0o644, 0o640, 0o604] {
        let (stderr, login) = told(netrc, mode, |port| format!("ftp://127.0.0.1:{port}/"), 2);
        assert!(login.is_empty(), "{login:?}");
        assert!(stderr.contains("chmod 600") && !stderr.contains("secret"), "{stderr}");
    }
    let (_, login) = told(netrc, 0o644, |port| format!("ftp://bob:b@127.0.0.1:{port}/"), 4);
    assert_eq!(login, ["USER bob", "PASS b"]);
}
