//! `shell`: raw commands from a pipe. Data goes to standard output to the byte, and what the server says to standard error.

use super::{embedded, feed};
use crate::scripted::Trial;
use crate::support::{ScriptServer, files, for_each_known_daemon, snapshot};

#[test]
fn data_goes_to_standard_output_and_nothing_else_does() {
    let content: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    embedded(|sandbox, url, root| {
        root.add(files! {"d/a" => "x"});
        std::fs::write(root.path().join("bytes"), &content).unwrap();
        for mode in ["!passive", "!active"] {
            let fed = feed(sandbox, &["shell", url], format!("{mode}\nRETR bytes\n").as_bytes());
            assert!(fed.status == Some(0) && fed.stdout == content, "{mode}: {}", fed.stderr);
            assert!(fed.stderr.contains("150 ") && fed.stderr.contains("226 "), "{}", fed.stderr);
        }
        let fed = feed(sandbox, &["shell", url], b"NLST d\r\n# no command\n\nPWD\nsyst\n");
        assert_eq!((fed.status, String::from_utf8(fed.stdout).unwrap().trim_end()), (Some(0), "d/a"));
        assert!(fed.stderr.contains("257 \"/\"") && fed.stderr.contains("\n215 "), "{}", fed.stderr);
        let fed = feed(sandbox, &["shell", &format!("{url}/d")], b"RETR a\nQUIT\nPWD\n");
        assert_eq!((fed.status, &*fed.stdout), (Some(0), &b"x"[..]), "{}", fed.stderr);
        assert!(fed.stderr.ends_with("221 Goodbye\n"), "{}", fed.stderr);
    });
}

#[test]
fn files_are_sent_and_what_is_refused_stops_nothing() {
    for_each_known_daemon(|daemon, sandbox| {
        let work = sandbox.dir("work/here");
        work.add(files! {"one" => "1", "tw o" => "2"});
        let lines = "STOR a b < here/one\nAPPE a b < here/tw o\nSTOR < x < here/one\nSTOR c\nSTOR d < here/none\nXYZZY\n\
                     RETR none\nMKD made\n!nonsense\nSIZE a b\n";
        let fed = feed(sandbox, &["shell", &daemon.url("/")], lines.as_bytes());
        assert_eq!((fed.status, fed.stdout.len()), (Some(3), 0), "{}", fed.stderr);
        assert_eq!(snapshot(daemon.root()), "< x = \"1\"\na b = \"12\"\nmade/\n", "{}", fed.stderr);
        for told in [
            "a file to send is wanted",
            "cannot read here/none",
            "\n500 ",
            "\n550 ",
            "`!nonsense`",
            "\n213 2",
        ] {
            assert!(fed.stderr.contains(told), "{told}: {}", fed.stderr);
        }
    });
}

#[test]
fn one_line_is_one_command() {
    let trial = Trial::with(files! {"a" => "x", "good" => "x"}, "");
    let url = trial.server.url("/");
    let mut input = b"NOOP\n".to_vec();
    for byte in (0..0x20).filter(|byte| *byte != b'\n').chain([0xff]) {
        input.extend_from_slice(&[b"NOOP x", &[byte][..], b"DELE good\n"].concat());
    }
    input.extend_from_slice(b"PASS\thunter2\nREST 1\nRETR a\n");
    let fed = feed(&trial.sandbox, &["shell", &url], &input);
    assert_eq!((fed.status, &*fed.stdout), (Some(3), &b""[..]), "{}", fed.stderr);
    assert!(!fed.stderr.contains("DELE") && !fed.stderr.contains("hunter2"), "{}", fed.stderr);
    let transcript = trial.finish();
    let sent = transcript.sent(&["NOOP", "DELE", "PASS", "EPSV", "REST", "RETR"]);
    // REST stands right before its transfer.
    assert_eq!(sent[sent.len() - 4..], ["NOOP", "EPSV", "REST 1", "RETR a"], "{sent:?}");
    assert!(transcript.tree().contains("good"));
}

#[test]
fn each_step_is_traced_and_no_secret() {
    let script = "on PASS hunter2\n< 530 no hunter2 here";
    let trial = Trial::with(files! {"a" => "content"}, script);
    let url = trial.server.protected_url("/");
    let lines = b"PASS hunter2\nACCT hunter2\n!trace\nRETR a\n";
    let pin = ScriptServer::pin();
    let fed = feed(&trial.sandbox, &["shell", "-vv", "--pin", &pin, &url], lines);
    assert_eq!((fed.status, &*fed.stdout), (Some(3), &b"content"[..]), "{}", fed.stderr);
    for told in
        ["> AUTH TLS\n", "* TLS 1.", "> PASS ***\n", "< 530 no *** here\n", "> ACCT ***\n", "replies alone"]
    {
        assert!(fed.stderr.contains(told), "{told}: {}", fed.stderr);
    }
    assert!(!fed.stderr.contains("hunter2") && !fed.stderr.contains("> EPSV"), "{}", fed.stderr);
    let fed = feed(&trial.sandbox, &["shell", "-vv", "--pin", &pin, &url], b"RETR a\n");
    for told in ["* data connection to 127.0.0.1 port ", "* data connection protected by TLS 1.", "< 226"] {
        assert!(fed.stderr.contains(told), "{told}: {}", fed.stderr);
    }
    trial.finish_unchecked();
}

#[test]
fn a_server_that_hangs_up_is_told_of_once() {
    for (answer, told) in [
        ("< 421 Timeout\ndrop", "421 Timeout"),
        ("drop", "the server closed the connection"),
        ("< 200 ok\n< 200 and more", "came without a command"),
        ("< not a reply", "a line that is no reply"),
        ("< 150 go\ndata send \"part\"\ndrop", "part"),
    ] {
        let script = format!("on RETR x\n{answer}\non NOOP\n{answer}\non QUIT\ndrop");
        let trial = Trial::with(files! {}, &script);
        let fed = feed(&trial.sandbox, &["shell", &trial.server.url("/")], b"QUIT\n");
        assert_eq!((fed.status, &*fed.stderr), (Some(0), ""), "a silent goodbye");
        let line = if answer.contains("150") { "RETR x" } else { "NOOP" };
        let input = format!("{line}\nPWD\nPWD\n");
        let fed =
            feed(&trial.sandbox, &["shell", "--timeout", "5s", &trial.server.url("/")], input.as_bytes());
        assert_eq!(fed.status, Some(4), "{answer}: {}", fed.stderr);
        assert_eq!(fed.stderr.matches("oneway: error: ").count(), 1, "{answer}: {}", fed.stderr);
        let seen = format!("{}{}", String::from_utf8_lossy(&fed.stdout), fed.stderr);
        assert!(seen.contains(told) && seen.contains("the session is over"), "{answer}: {seen}");
        trial.finish_unchecked();
    }
}

#[test]
fn ctrl_c_ends_a_transfer_and_with_it_a_script() {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};
    let script = "on RETR x\n< 150 go\ndata send \"part\"\npause 60s";
    let trial = Trial::with(files! {}, script);
    let mut command = Command::new(env!("CARGO_BIN_EXE_oneway"));
    command.args(["shell", &trial.server.url("/")]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    trial.sandbox.isolate(&mut command);
    let mut child = command.spawn().expect("it can be run");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"RETR x\nPWD\n").expect("it reads");
    let mut part = [0; 4];
    child.stdout.as_mut().expect("it is piped").read_exact(&mut part).expect("it writes at once");
    let begun = std::time::Instant::now();
    let id = child.id().to_string();
    assert!(
        Command::new("sh")
            .args(["-c", &format!("kill -INT {id}")])
            .status()
            .expect("there's a shell")
            .success()
    );
    let output = child.wait_with_output().expect("it is our child");
    assert_eq!((output.status.code(), &part), (Some(130), b"part"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    trial.finish_unchecked();
}
