//! `oneway schedule`: jobs at their times, and all who tell of them agree.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Served, config};
use crate::support::{Sandbox, files, snapshot};

const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches a page.
fn get(url: &str, path: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} never came");
        thread::sleep(Duration::from_millis(50));
    }
}

fn lines_of(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[test]
fn two_jobs_of_which_one_fails_and_all_who_tell_of_them_agree() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1 <b>&\"\u{202e}.txt" => "one"});
    let host = served.host("web");
    let jobs = "[job.good]\nsource = 'one'\ndestination = 'web:a'\nevery = '700ms'\n\
                [job.bad]\nsource = 'nowhere'\ndestination = 'web:b'\nevery = '900ms'\n\
                [job.nightly]\nsource = 'one'\ndestination = 'web:c'\nschedule = '30 2 1 1 *'\n\
                [job.never]\nsource = 'one'\ndestination = 'web:d'\n";
    let hooks = "[defaults]\nmetrics-file = 'm.prom'\non_success = 'echo \"$ONEWAY_JOB $ONEWAY_EXIT\" >> hooks'\n\
                 on_failure = 'echo \"$ONEWAY_JOB $ONEWAY_EXIT\" >> hooks'\n";
    config(&sandbox, &format!("{hooks}{host}{jobs}"));
    let schedule = sandbox.command(["schedule", "--http", "0"]).start();
    let url = schedule.wait_for("http://");
    let hooks = sandbox.path("work/hooks");
    until("five runs", || lines_of(&hooks) >= 5);
    let page = get(&url, "/");
    assert!(
        page.contains("/job/good") && page.contains("unreachable") && page.contains("never ran"),
        "{page}"
    );
    assert!(page.contains("every 700ms") && page.contains("-01-01 02:30:00"), "the next run\n{page}");
    assert!(!page.contains("/job/never") && !page.contains("<script"), "{page}");
    let of_run = get(&url, "/run/1");
    // The first of the two to begin is either.
    let copied = if of_run.contains("/job/good") { of_run } else { get(&url, "/run/2") };
    assert!(copied.contains("1 &lt;b&gt;&amp;&quot;\\u{202e}.txt"), "{copied}");
    assert!(get(&url, "/job/bad").contains("unreachable"));
    assert!(get(&url, "/job/never").contains("404") && get(&url, "/run/99").contains("404"));
    assert!(get(&url, "/healthz").ends_with("\r\n\r\nok\n"));
    let metrics = get(&url, "/metrics");
    for line in [
        "oneway_last_run_exit_status{job=\"good\"} 0",
        "oneway_last_run_exit_status{job=\"bad\"} 4",
        "oneway_running{job=\"nightly\"} 0",
        "oneway_next_run_timestamp_seconds{job=\"nightly\"} ",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    sandbox
        .oneway(["schedule"])
        .expect_status(6)
        .tells(&["another `oneway schedule` of ", "is under way, pid "]);

    schedule.signal("TERM");
    let output = schedule.finish().expect_status(0);
    let history = sandbox.oneway(["history", "--json", "-n", "1000"]).expect_status(0).stdout;
    let runs: Vec<Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |job: &str, exit: u8| runs.iter().filter(|run| run["job"] == job && run["exit"] == exit).count();
    let (good, bad) = (of("good", 0), of("bad", 4));
    assert!(good >= 2 && bad >= 2, "{history}");
    assert!(runs.len() - good - bad <= 2, "what was under way at the end\n{history}");
    let hooks = fs::read_to_string(hooks).unwrap();
    for (line, runs) in [("good 0", good), ("bad 4", bad)] {
        // The end may have come between the last run and its hook.
        let called = hooks.matches(line).count();
        assert!(called == runs || called + 1 == runs, "{line} {runs} times, not\n{hooks}\n{history}");
    }
    let logged = |text: &str| output.stderr.matches(text).count();
    assert_eq!(
        (logged("oneway: good: done in "), logged("oneway: bad: unreachable in ")),
        (good, bad),
        "{output}"
    );
    let prom = fs::read_to_string(sandbox.path("work/m.prom")).unwrap();
    assert!(
        prom.contains("exit_status{job=\"good\"} 0") && prom.contains("exit_status{job=\"bad\"} 4"),
        "{prom}"
    );
    let status = sandbox.oneway(["status", "good", "bad", "nightly"]).expect_status(2).stdout;
    let words: Vec<_> = status.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(words, ["fresh", "failing", "stale"], "{status}");
}

#[test]
fn the_file_is_read_again_and_systemd_is_told_how_it_goes() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let host = served.host("web");
    let job =
        |name: &str| format!("[job.{name}]\nsource = 'one'\ndestination = 'web:{name}'\nevery = '1h'\n");
    config(&sandbox, &format!("{host}{}", job("first")));
    let socket = UnixDatagram::bind(sandbox.path("tmp/notify")).expect("the sandbox can be written to");
    socket.set_read_timeout(Some(PATIENCE)).expect("it is a timeout");
    let heard = |wanted: &str| {
        let mut all = String::new();
        let mut message = [0; 4096];
        while !all.contains(wanted) {
            let n = socket.recv(&mut message).unwrap_or_else(|e| panic!("{e}: no {wanted:?}, only\n{all}"));
            all.push_str(&String::from_utf8_lossy(&message[..n]));
            all.push('\n');
        }
        all
    };
    let schedule = sandbox
        .command(["schedule"])
        .env("NOTIFY_SOCKET", sandbox.path("tmp/notify"))
        .env("WATCHDOG_USEC", "600000")
        .start();
    assert!(heard("READY=1").starts_with("READY=1"), "the first word");
    heard("STATUS=1 job, next first at ");
    until("the first run", || snapshot(&served.dir) == "first/\nfirst/1.txt = \"one\"\n");
    heard("WATCHDOG=1");

    config(&sandbox, &format!("{host}{}[job.wrong", job("first")));
    schedule.signal("HUP");
    assert!(heard("READY=1").contains("RELOADING=1"));
    config(&sandbox, &format!("{host}{}{}", job("first"), job("second")));
    schedule.signal("HUP");
    heard("STATUS=2 jobs, next ");
    until("the second job's run", || snapshot(&served.dir).contains("second/1.txt"));
    until("its end", || sandbox.oneway(["history", "second"]).any_status().stdout.contains("done"));
    schedule.signal("INT");
    heard("STOPPING=1");
    let output = schedule.finish().expect_status(0);
    output.tells(&["is wrong, so the times stay as they were", "again: 2 jobs, next second at", "stopped"]);
    let runs = sandbox.oneway(["history", "first", "--json"]).expect_status(0).stdout;
    assert_eq!(runs.lines().count(), 1, "what stayed as it was keeps its time\n{runs}");
}

#[test]
fn an_end_stops_what_is_running_cleanly() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"large" => vec![b'x'; 4 << 20]});
    let job = "[job.slow]\nsource = 'one'\ndestination = 'web:'\nevery = '300ms'\nbwlimit = '64k'\n";
    config(&sandbox, &format!("{}{job}", served.host("web")));
    let schedule = sandbox.command(["schedule"]).start();
    until("a part", || snapshot(&served.dir).contains(".part"));
    thread::sleep(Duration::from_millis(700));
    let began = Instant::now();
    schedule.signal("TERM");
    let output = schedule.finish().expect_status(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{output}");
    output.tells(&["slow: still running, so it is left out this time", "slow: stopped in "]);
    assert!(sandbox.oneway(["history"]).expect_status(0).stdout.contains("stopped"));
    sandbox.oneway(["status"]).expect_status(1);
}

#[test]
fn a_schedule_of_nothing_or_of_a_wrong_file_does_not_begin() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    let job = |more: &str| {
        let text = format!("{}[job.a]\nsource = 'one'\ndestination = 'web:'\n{more}", served.host("web"));
        config(&sandbox, &text);
        sandbox.oneway(["schedule"]).expect_status(2)
    };
    job("").tells(&["no job of oneway.toml has a `schedule` or `every`"]);
    let never = "oneway.toml:5:6: [job.a]: `0 0 31 2 *` never comes";
    job("schedule = '0 0 31 2 *'").tells(&[never]);
    let output = sandbox.oneway(["config", "check"]).expect_status(2);
    output.tells(&[never]);
    assert_eq!(output.stderr.matches("never comes").count(), 1, "{output}");
    job("schedule = '0 0 32 2 *'").tells(&["oneway.toml:8:12: `32` is no day of the month"]);
    let wrong = job("jitter = '5m'\nschedule = '0 0 32 2 *'");
    assert_eq!(wrong.stderr.lines().count(), 1, "one mistake is told once\n{wrong}");
    job("jitter = '5m'").tells(&["`jitter` is of a `schedule` or of `every`"]);
    config(&sandbox, "");
    sandbox
        .oneway(["schedule", "--http", "nowhere"])
        .expect_status(2)
        .tells(&["neither a port nor an address"]);
}

#[test]
fn the_units_that_ship_start_what_there_is() {
    let sandbox = Sandbox::new();
    let served = Served::anonymous(&sandbox, "served");
    sandbox.tree("work/one", files! {"1.txt" => "one"});
    let job = "[job.nightly]\nsource = 'one'\ndestination = 'web:'\nevery = '1h'\n";
    config(&sandbox, &format!("{}{job}", served.host("web")));
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/systemd");
    for (unit, command) in [("oneway@.service", "run"), ("oneway-schedule.service", "schedule")] {
        let text = fs::read_to_string(units.join(unit)).expect("it ships");
        let line =
            text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
        let line = line.replace("/etc/oneway/", "").replace("%i", "nightly").replace(":8080", ":0");
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("/usr/local/bin/oneway"));
        let words: Vec<_> = words.collect();
        assert_eq!(words[0], command, "{unit}");
        let started = sandbox.command(&words).start();
        if command == "schedule" {
            assert!(get(&started.wait_for("http://"), "/healthz").contains("200 OK"));
            started.signal("TERM");
        }
        started.finish().expect_status(0);
    }
    assert_eq!(snapshot(&served.dir), "1.txt = \"one\"\n");
}
