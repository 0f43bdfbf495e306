//! Single operations on servers: what they do, and what they say where they can't.

mod copies;
mod ls;
mod shell;
mod wrong;

use std::io::Write as _;
use std::process::{Command, Stdio};

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Sandbox, files, for_each_known_daemon, snapshot};

/// Runs a test against each real daemon, and against the embedded server.
fn for_each_server(test: impl Fn(&Sandbox, &str, &Dir)) {
    for_each_known_daemon(|daemon, sandbox| {
        let root = daemon.root().dir("tree");
        test(sandbox, daemon.url("/tree").trim_end_matches('/'), &root);
    });
    embedded(test);
}

/// Runs a test against the embedded server.
fn embedded(test: impl Fn(&Sandbox, &str, &Dir)) {
    let sandbox = Sandbox::new();
    let root = sandbox.dir("served");
    let served = ServeOptions { access: Access::Write, ..ServeOptions::new(root.path()) };
    let server = Server::start(served).expect("loopback has free ports");
    test(&sandbox, server.url().trim_end_matches('/'), &root);
    server.stop();
}

/// How a run ended that was fed on standard input.
struct Fed {
    status: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs `oneway` with something on its standard input.
fn feed(sandbox: &Sandbox, arguments: &[&str], input: &[u8]) -> Fed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneway"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sandbox.isolate(&mut command);
    let mut child = command.spawn().expect("it can be run");
    // Whoever refuses doesn't read it.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    let output = child.wait_with_output().expect("it is our child");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Fed { status: output.status.code(), stdout: output.stdout, stderr }
}

#[test]
fn each_does_what_it_says() {
    for_each_server(|sandbox, url, root| {
        root.add(files! {"a/f" => "hello\n", "a/b/sp ace.txt" => "x", "a/g" => ""});
        let run = |arguments: &[&str], status| {
            let arguments: Vec<String> = arguments
                .iter()
                .map(|argument| {
                    argument
                        .strip_prefix('@')
                        .map_or_else(|| argument.to_string(), |path| format!("{url}{path}"))
                })
                .collect();
            sandbox.oneway(arguments).expect_status(status)
        };
        assert_eq!(run(&["cat", "@/a/f", "@/a/g", "@/a/b/sp%20ace.txt"], 0).stdout, "hello\nx");
        run(&["mkdir", "@/new"], 0);
        run(&["mkdir", "-p", "@/p/q/r", "@/p/q"], 0);
        run(&["mv", "@/a/b/sp%20ace.txt", "@/new/"], 0);
        run(&["mv", "@/a/f", "@/f2"], 0);
        run(&["rmdir", "@/a/b"], 0);
        run(&["rm", "@/a/g"], 0);
        assert_eq!(snapshot(root), "a/\nf2 = \"hello\\n\"\nnew/\nnew/sp ace.txt = \"x\"\np/\np/q/\np/q/r/\n");
        run(&["rm", "-r", "--yes", "@/new", "@/p"], 0);
        assert_eq!(snapshot(root), "a/\nf2 = \"hello\\n\"\n");
    });
}
