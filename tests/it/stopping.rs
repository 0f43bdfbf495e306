//! Runs that end when they should: asked to by a signal, or because their time is over, whatever the server does at that moment.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use crate::scripted::all;
use crate::support::{Daemon, Files, Sandbox, ScriptServer, Software, files, snapshot};

/// From the first signal to the end.
const PROMPT: Duration = Duration::from_secs(5);

/// What goes before the silence; half a second is enough for a run to be where it waits.
const MOMENT: Duration = Duration::from_millis(300);

/// Something that a run is in the midst of when it's told to stop.
struct Phase {
    name: &'static str,
    /// What the server has, or the local directory in a push.
    there: Files,
    here: Files,
    pull: bool,
    script: String,
    /// The command by which it is known that the phase has come.
    at: &'static str,
    options: &'static [&'static str],
}

fn phase(name: &'static str, at: &'static str, script: &str) -> Phase {
    let here = files! {"a" => "content of a", "b" => "content of b"};
    let (there, script) = (files! {}, script.to_owned());
    Phase { name, there, here, pull: false, script, at, options: &[] }
}

fn large() -> Files {
    files! {"large" => vec![b'x'; 24 << 20]}
}

fn phases() -> Vec<Phase> {
    let old = || files! {"old" => "x", "a" => "content of a", "b" => "content of b"};
    vec![
        phase("greeting", "", "on CONNECT\npause 60s"),
        phase("login", "USER", "on USER\npause 60s"),
        phase(
            "a reply that drips",
            "USER",
            "on USER\n< 331-go on\ndrip 1 20ms\nendless \"331-and on \\r\\n\"",
        ),
        phase("an endless reply", "SYST", "on SYST\ndrip 1 1ms\nendless \"215-and on\\r\\n\""),
        phase("the question what it can", "FEAT", "on FEAT\npause 60s"),
        phase("a pause between tries", "", "on CONNECT\n< 421 not now\ndrop"),
        phase("a listing that doesn't begin", "MLSD", "on MLSD\npause 60s"),
        phase(
            "a listing that stalls",
            "MLSD",
            "on MLSD\n< 150 here\ndata send \"type=file;size=1; x\\r\\n\"\npause 60s",
        ),
        Phase {
            pull: true,
            ..phase(
                "a listing without an end",
                "MLSD",
                "on MLSD\n< 150 here\ndata endless \"type=file;size=1; x\\r\\n\"",
            )
        },
        phase("a directory that isn't made", "MKD", "on CWD /new*\n< 550 no\non MKD\npause 60s"),
        Phase {
            here: large(),
            ..phase("an upload nobody reads", "STOR", "on STOR\n< 150 go\ndata open\npause 60s")
        },
        phase("an upload without a closing reply", "STOR", "on STOR\n< 150 go\ndata recv\npause 60s"),
        phase("a rename", "RNTO", "on RNTO\npause 60s"),
        Phase {
            there: large(),
            here: files! {},
            pull: true,
            ..phase("a download that stalls", "RETR", "on RETR\n< 150 here\ndata file 100000\npause 60s")
        },
        Phase {
            there: large(),
            here: files! {},
            pull: true,
            ..phase(
                "a download that drips",
                "RETR",
                "on RETR\n< 150 here\nrepeat 3000\ndata send \"x\"\npause 20ms\nend",
            )
        },
        Phase { there: old(), options: &["--delete"], ..phase("a deletion", "DELE", "on DELE\npause 60s") },
        Phase {
            options: &["--remote-state"],
            ..phase("the writing of the state", "-4294967295-", "on STOR *-4294967295-*\npause 60s")
        },
        Phase {
            there: files! {"gone" => "g"},
            options: &["--remote-state", "--delete", "--max-delete", "100%"],
            ..phase(
                "what it may still write when it was stopped",
                "DELE",
                "on DELE\npause 60s\non STOR *-4294967295-*\npause 60s",
            )
        },
        Phase { options: &["--remote-lock"], ..phase("the lock", "MKD", "on MKD\npause 60s") },
        Phase { options: &["--remote-lock"], ..phase("the end of the lock", "RMD", "on RMD\npause 60s") },
    ]
}

/// Brings a run into a phase, and returns it with its server.
fn into_phase(sandbox: &Sandbox, phase: &Phase, more: &[&str]) -> (ScriptServer, crate::support::Running) {
    let server = ScriptServer::plain(clone(&phase.there), &phase.script);
    let here = sandbox.tree("here", clone(&phase.here));
    let url = server.url(if phase.script.contains("/new") { "/new" } else { "/" });
    let places = if phase.pull { [&*url, &*here] } else { [&*here, &*url] };
    let arguments = [&["sync", "--timeout", "40s", "-j", "2"], phase.options, more, &places].concat();
    let running = sandbox.command(arguments).start();
    (server, running)
}

fn clone(files: &Files) -> Files {
    Files(files.0.clone())
}

#[test]
fn a_signal_ends_a_run_wherever_it_is() {
    let signals = ["INT", "TERM", "HUP"].into_iter().cycle();
    all(phases().into_iter().zip(signals), |(phase, signal)| {
        let sandbox = Sandbox::new();
        let (server, running) = into_phase(&sandbox, &phase, &[]);
        server.wait_for(phase.at);
        std::thread::sleep(MOMENT);
        let asked = Instant::now();
        running.signal(signal);
        let status = match signal {
            "INT" => 130,
            "TERM" => 143,
            _ => 129,
        };
        let output = running.finish().expect_status(status);
        assert!(asked.elapsed() < PROMPT, "{}: {:?} after the signal\n{output}", phase.name, asked.elapsed());
        assert!(output.stderr.contains("stopped"), "{}: {output}", phase.name);
        let _ = server.finish_unchecked();
    });
}

#[test]
fn the_second_signal_ends_at_once() {
    let sandbox = Sandbox::new();
    let phase = Phase {
        options: &["--remote-state"],
        ..phase("the state", "-4294967295-", "on STOR *-4294967295-*\npause 60s")
    };
    let (server, running) = into_phase(&sandbox, &phase, &[]);
    server.wait_for("4294967295");
    running.signal("INT");
    std::thread::sleep(MOMENT);
    let asked = Instant::now();
    running.signal("INT");
    let _ = running.finish().expect_status(130);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    let _ = server.finish_unchecked();
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let sandbox = Sandbox::new();
    let src = sandbox.tree("src", files! {"a" => vec![b'x'; 100_000]});
    let server = ScriptServer::plain(files! {}, "once STOR\npause 500ms\nnormally");
    let oneway = env!("CARGO_BIN_EXE_oneway");
    let mut command = std::process::Command::new("nohup");
    command.args([oneway, "sync", &src, &server.url("/")]).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    sandbox.isolate(&mut command);
    let child = command.spawn().expect("nohup is there");
    server.wait_for("STOR");
    let killed = std::process::Command::new("sh").args(["-c", &format!("kill -HUP {}", child.id())]).status();
    assert!(killed.expect("there's a shell").success());
    let output = child.wait_with_output().expect("it's our child");
    assert!(output.status.success(), "{output:?}");
    assert!(server.finish().tree().starts_with("a = "));
}

#[test]
fn time_that_is_over_ends_a_run_whatever_the_server_does() {
    all(
        phases().into_iter().filter(|phase| {
            phase.name.contains("drip") || phase.name.contains("endless") || phase.name.contains("stall")
        }),
        |phase| {
            let sandbox = Sandbox::new();
            let began = Instant::now();
            let (server, running) = into_phase(&sandbox, &phase, &["--max-duration", "1500ms"]);
            let output = running.finish().expect_status(3);
            assert!(began.elapsed() < PROMPT, "{}: {:?}\n{output}", phase.name, began.elapsed());
            output.tells(&["stopped after --max-duration 1500ms"]);
            let _ = server.finish_unchecked();
        },
    );
}

#[test]
fn what_was_finished_in_time_is_kept_and_remembered() {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        let Some(daemon) = Daemon::prepare(software).start(&sandbox) else { continue };
        let src = sandbox.dir("src");
        for i in 0..40 {
            src.write(format!("f{i:02}"), [i; 30_000]);
        }
        let url = daemon.url("/site");
        let limited =
            ["sync", "-j", "1", "--bwlimit", "300k", "--max-duration", "2s", "--format", "json", &src, &url];
        let output = sandbox.oneway(limited).expect_status(3);
        let done = output.events("done").len();
        assert!((2..40).contains(&done), "{output}");
        let left = 40 - done;
        output.tells(&[&format!(
            "stopped after --max-duration 2s: {left} of 40 files left; what was finished is kept"
        )]);
        assert_eq!(output.summary()["exit"], 3);
        let output = sandbox.oneway(["sync", "--format", "json", &src, &url]).expect_status(0);
        // The reply to the last rename may not have been read any more: then the file has its name, and was told to be left.
        assert!((left - 1..=left).contains(&output.changes().len()), "{left} were left\n{output}");
    }
}

#[test]
fn time_enough_is_no_limit() {
    let sandbox = Sandbox::new();
    let server = ScriptServer::plain(files! {}, "");
    let src = sandbox.tree("src", files! {"a" => "a"});
    let output = sandbox.oneway(["sync", "--max-duration", "1h", &src, &server.url("/")]).expect_status(0);
    assert!(!output.stderr.contains("stopped"), "{output}");
    for wrong in ["0", "soon", "-1"] {
        let option = format!("--max-duration={wrong}");
        sandbox.oneway(["sync", &option, &src, &server.url("/")]).expect_status(2).tells(&["--max-duration"]);
    }
    assert_eq!(server.finish().tree(), "a = \"a\"\n");
}

/// One row: what it stands for, and a run that ends so.
type Row = (i32, &'static str, fn(&Sandbox) -> i32);

#[test]
fn each_exit_status_means_what_is_written() {
    let rows: &[Row] = &[
        (0, "done", |sandbox| run(sandbox, "sync", &[], "")),
        (0, "nothing differs", |sandbox| run(sandbox, "diff", &["--exclude", "*"], "")),
        (1, "something differs", |sandbox| run(sandbox, "diff", &[], "")),
        (2, "an option that isn't there", |sandbox| run(sandbox, "sync", &["--nonsense"], "")),
        (2, "a condition that is none", |sandbox| run(sandbox, "sync", &["--fail-if", "speed>1"], "")),
        (3, "a file fails", |sandbox| run(sandbox, "sync", &[], "on STOR\n< 553 no")),
        (3, "the time is over", |sandbox| {
            run(sandbox, "sync", &["--max-duration", "1s"], "on STOR\npause 60s")
        }),
        (4, "no login", |sandbox| run(sandbox, "sync", &[], "on PASS\n< 530 no")),
        (4, "no listing", |sandbox| {
            run(
                sandbox,
                "sync",
                &[],
                "on MLSD\n< 501 no\non CWD\n< 550 no\non LIST\n< 550 no\non NLST\n< 550 no",
            )
        }),
        (5, "a condition", |sandbox| run(sandbox, "sync", &["--fail-if", "copy>0"], "")),
        (5, "a condition, by diff", |sandbox| run(sandbox, "diff", &["--fail-if", "bytes>=1"], "")),
        (5, "an empty source", |sandbox| run(sandbox, "sync", &["--delete", "--exclude", "a"], "")),
        (6, "another run, here", |sandbox| while_another_runs(sandbox, &[])),
        (6, "another run, elsewhere", |sandbox| {
            run(
                sandbox,
                "sync",
                &["--remote-lock"],
                "on MKD *lock\n< 550 there is\non CWD *lock\n< 250 here\non MLSD *lock\n< 150 here\ndata send \"type=dir; 00000000000000aa.1.1.1.1.x.h\\r\\n\"\ndata close\n< 226 done\nnth 2 MLSD *lock\n< 150 here\ndata send \"type=dir; 00000000000000aa.2.1.1.1.x.h\\r\\n\"\ndata close\n< 226 done",
            )
        }),
        (129, "SIGHUP", |sandbox| signalled(sandbox, "HUP")),
        (130, "SIGINT", |sandbox| signalled(sandbox, "INT")),
        (143, "SIGTERM", |sandbox| signalled(sandbox, "TERM")),
    ];
    all(rows, |(status, why, run)| assert_eq!(run(&Sandbox::new()), *status, "{why}"));
}

/// Runs against a server that has one file more than the local directory, and returns the exit status.
fn run(sandbox: &Sandbox, command: &str, options: &[&str], script: &str) -> i32 {
    let server = ScriptServer::plain(files! {"b" => "b"}, script);
    let src = sandbox.tree("src", files! {"a" => "a"});
    let url = server.url("/");
    let arguments = [&[command, "--retries", "0", "-j", "1"], options, &[&*src, &*url]].concat();
    let status = sandbox.oneway(arguments).status();
    let _ = server.finish_unchecked();
    status
}

fn while_another_runs(sandbox: &Sandbox, options: &[&str]) -> i32 {
    let server = ScriptServer::plain(files! {}, "on STOR\npause 60s");
    let src = sandbox.tree("src", files! {"a" => "a"});
    let url = server.url("/");
    let arguments = [&["sync"], options, &[&*src, &*url]].concat();
    let running = sandbox.command(&arguments).start();
    server.wait_for("STOR");
    let status = sandbox.oneway(&arguments).status();
    running.signal("KILL");
    let _ = running.finish();
    let _ = server.finish_unchecked();
    status
}

fn signalled(sandbox: &Sandbox, signal: &str) -> i32 {
    let server = ScriptServer::plain(files! {}, "on STOR\npause 60s");
    let src = sandbox.tree("src", files! {"a" => "a"});
    let running = sandbox.command(["sync", &*src, &*server.url("/")]).start();
    server.wait_for("STOR");
    running.signal(signal);
    let status = running.finish().status();
    let _ = server.finish_unchecked();
    status
}

#[test]
fn a_connection_that_does_not_come_about_ends_with_a_signal_too() {
    // Its queue is full, and the kernel answers nobody any more.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    rustix::net::listen(&listener, 0).expect("a listener can be told again");
    let port = listener.local_addr().expect("it is bound").port();
    let waiting: Vec<_> = (0..4).map(|_| half_open(port)).collect();
    let sandbox = Sandbox::new();
    let src = sandbox.tree("src", files! {"a" => "a"});
    let url = format!("ftp://127.0.0.1:{port}/");
    let running = sandbox.command(["sync", "--connect-timeout", "50s", &*src, &url]).start();
    std::thread::sleep(MOMENT);
    let asked = Instant::now();
    running.signal("INT");
    let _ = running.finish().expect_status(130);
    assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());
    drop(waiting);
    assert_eq!(snapshot(&src), "a = \"a\"\n");
}

fn half_open(port: u16) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let _ = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(3));
        std::thread::sleep(Duration::from_secs(3));
    })
}
