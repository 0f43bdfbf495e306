//! What the program says and how it ends when there's no server to speak to.

use std::net::{Ipv4Addr, TcpListener};

use crate::support::{Sandbox, files, snapshot};

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
    for command in ["sync", "diff", "ls", "serve", "parse-listing"] {
        let output = sandbox.oneway([command, "--help"]).expect_status(0);
        assert!(output.stdout.contains("Usage: oneway"), "{output}");
        assert_eq!(output.stderr, "");
    }
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}
