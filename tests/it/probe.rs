//! `oneway probe`: what a server is and can do.

use std::time::Duration;

use oneway::model::Secret;
use oneway::server::{Access, Login, ServeOptions, Server};
use serde_json::Value;

use crate::support::{Sandbox, ScriptServer, SelfSigned, files, for_each_daemon, snapshot};

#[test]
fn real_servers_are_told_as_they_are_and_left_as_they_were() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"site/a" => "a", "site/b" => "b"});
        let before = snapshot(daemon.root());
        let output = sandbox.oneway(["probe", &daemon.url("/site"), "--load", "-j", "2"]).expect_status(0);
        assert_eq!(snapshot(daemon.root()), before, "nothing stays behind");
        let told = &output.stdout;
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with("server      220"), "{output}");
        assert!(told.contains("\ntreated as  ") && told.contains("2 entries here in "), "{output}");
        assert!(
            told.contains("\nresume      yes (REST)\n") && told.contains("\nclock       right, in UTC\n"),
            "{output}"
        );
        assert!(told.contains("\nthroughput  1 session: ") && told.contains(" 2 sessions: "), "{output}");
        assert!(!told.contains("4 sessions") && told.contains("\ndata        EPSV\n"), "{output}");
        assert!(!told.contains("s3cret"), "{output}");
        // The lines are good for a file of jobs.
        let (_, host) = told.split_once("\n\n").expect("the host stands apart");
        let job = "[job.a]\nsource = '127-0-0-1:site'\ndestination = 'here'\n";
        std::fs::write(sandbox.path("work/oneway.toml"), format!("version = 1\n{host}\n{job}")).unwrap();
        sandbox.oneway(["config", "check"]).expect_status(0);
    });
}

#[test]
fn a_certificate_that_nobody_vouches_for_comes_with_its_pin() {
    let sandbox = Sandbox::new();
    let served = sandbox.tree("served", files! {"a" => "a"});
    let certificate = SelfSigned::new();
    let options = ServeOptions {
        access: Access::Write,
        login: Login::User { name: "anna".into(), password: Secret::new("geheim") },
        login_pause: Duration::ZERO,
        tls: Some(certificate.options()),
        ..ServeOptions::new(served.path())
    };
    let server = Server::start(options).expect("loopback has free ports");
    let url = format!("ftpes://anna:geheim@127.0.0.1:{}/", server.address().port());
    let output = sandbox.oneway(["probe", &url, "--insecure", "--json"]).expect_status(0);
    let found: Value = serde_json::from_str(&output.stdout).expect("one object");
    assert_eq!((&found["treated_as"], &found["listing"]), (&"oneway serve".into(), &"mlsd".into()));
    assert!(found["tls"].as_str().is_some_and(|tls| tls.starts_with("TLS 1.")), "{found}");
    assert_eq!(found["data_session_resumed"], true);
    assert_eq!(found["load"], Value::Null);
    let pin = found["pin"].as_str().expect("there is one");
    let host = found["host"].as_str().expect("there is one");
    assert!(host.contains(&format!("pin = [\"{pin}\"]")) && host.contains("scheme = \"ftpes\""), "{host}");
    sandbox.oneway(["probe", &url, "--pin", pin]).expect_status(0);
    assert!(!output.stdout.contains("geheim"));
}

#[test]
fn a_server_that_allows_two_sessions_and_one_that_can_be_read_only_say_so() {
    let sandbox = Sandbox::new();
    let served = sandbox.tree("served", files! {"a" => "a"});
    let serve = |access| {
        let options = ServeOptions { access, max_connections: 2, ..ServeOptions::new(served.path()) };
        Server::start(options).expect("loopback has free ports")
    };
    let server = serve(Access::Write);
    let url = format!("ftp://127.0.0.1:{}/", server.address().port());
    let output = sandbox.oneway(["probe", &url, "--load"]).expect_status(0);
    assert!(output.stdout.contains("sessions    2 at once; one more was refused: "), "{output}");
    assert!(output.stdout.contains("sessions = 2"), "{output}");
    drop(server);
    let server = serve(Access::Read);
    let url = format!("ftp://127.0.0.1:{}/", server.address().port());
    let output = sandbox.oneway(["probe", &url, "--load"]).expect_status(3);
    output.tells(&["cannot write `.oneway-"]);
    assert!(output.stdout.contains("listings    by MLSD"), "{output}");
    assert_eq!(snapshot(&served), "a = \"a\"\n");
}

#[test]
fn what_a_server_says_reaches_no_terminal_as_it_is() {
    let sandbox = Sandbox::new();
    let script = "on CONNECT\n< 220 \\x1B]0;owned\\x07 hello\non SYST\n< 215 \\x1B[31mred\n";
    let server = ScriptServer::plain(files! {"a" => "a"}, script);
    let output = sandbox.oneway(["probe", &server.url("/")]).any_status();
    assert!(!output.stdout.contains('\x1b') && !output.stderr.contains('\x1b'), "{output}");
    assert!(output.stdout.contains("\\x1b]0;owned"), "{output}");
    sandbox.oneway(["probe", "here"]).expect_status(2);
    sandbox.oneway(["probe", "ftp://127.0.0.1:1/"]).expect_status(4);
}
