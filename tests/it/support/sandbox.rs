//! A place of its own for each test, and `oneway` run in it: nothing of the environment or the home directory of
//! whoever runs the tests comes in, nothing stays behind, and no run outlasts its time.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::dir::{Dir, Files};

/// A temporary directory with an environment that points into it.
#[derive(Debug)]
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let dir =
            tempfile::Builder::new().prefix("oneway-test-").tempdir().expect("there's room for a directory");
        // The daemons' users have to get through.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it was just made");
        let sandbox = Self { dir };
        for place in ["home", "tmp", "state", "config", "work"] {
            fs::create_dir(sandbox.path(place)).expect("it was just made");
        }
        sandbox
    }

    /// The path of something in the sandbox.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An empty directory.
    pub(crate) fn dir(&self, name: &str) -> Dir {
        Dir::create(&self.path(name), None)
    }

    /// A directory with files in it.
    pub(crate) fn tree(&self, name: &str, files: Files) -> Dir {
        let dir = self.dir(name);
        dir.add(files);
        dir
    }

    /// Runs `oneway` to its end.
    pub(crate) fn oneway<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.command(arguments).run()
    }

    /// Prepares a run of `oneway` that something is special about.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Oneway<'_> {
        let arguments: Vec<_> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let shown =
            arguments.iter().map(|argument| format!(" {}", argument.to_string_lossy())).collect::<String>();
        let mut command = Command::new(env!("CARGO_BIN_EXE_oneway"));
        command.args(arguments);
        self.isolate(&mut command);
        Oneway { sandbox: self, command, shown: format!("oneway{shown}"), limit: TIME_LIMIT }
    }

    /// Gives a command this sandbox's environment and nothing of the outer one's.
    pub(crate) fn isolate(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(KEPT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("COLUMNS", "100")
            .env("TZ", "UTC")
            .env("RUST_BACKTRACE", "1")
            .current_dir(self.path("work"));
    }
}

/// A run of `oneway` in the making.
#[derive(Debug)]
#[must_use = "run or start it"]
pub(crate) struct Oneway<'a> {
    sandbox: &'a Sandbox,
    command: Command,
    shown: String,
    limit: Duration,
}

impl Oneway<'_> {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// The run is killed and the test fails after this long, one minute if nothing is said.
    pub(crate) fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs as a user who owns nothing but the sandbox's own directories: permissions bind, as they don't bind root.
    pub(crate) fn unprivileged(mut self) -> Self {
        for place in ["home", "tmp", "state", "config", "work"] {
            chown(self.sandbox.path(place), Some(NOBODY), Some(NOBODY)).expect("the tests run as root");
        }
        // The checkout may lie where that user can't go.
        let program = self.sandbox.path("oneway");
        if !program.exists() {
            fs::hard_link(env!("CARGO_BIN_EXE_oneway"), &program)
                .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_oneway"), &program).map(drop))
                .expect("the program can be put into the sandbox");
        }
        let id = NOBODY.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program);
        command.args(self.command.get_args());
        self.sandbox.isolate(&mut command);
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(dir) = self.command.get_current_dir() {
            command.current_dir(dir);
        }
        self.command = command;
        self
    }

    /// Has strace write down each system call that names a path or changes a file, to one file a thread, whose names begin with `to`.
    pub(crate) fn traced(mut self, to: &Path) -> Self {
        let mut command = Command::new("strace");
        // A file a thread: where several write to one, a call of one is torn by those of others.
        command.args(["-ff", "-y", "-s", "4096", "-e", TRACED, "-o"]).arg(to).arg("--");
        command.arg(self.command.get_program()).args(self.command.get_args());
        self.sandbox.isolate(&mut command);
        self.command = command;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Run {
        self.start().finish()
    }

    /// Starts it with its standard output and error on a terminal.
    pub(super) fn spawn_on(mut self, terminal: OwnedFd) -> Killed {
        let again = terminal.try_clone().expect("there are descriptors");
        self.command.stdin(Stdio::null()).stdout(terminal).stderr(again);
        let child = self.command.spawn();
        Killed(child.unwrap_or_else(|error| panic!("cannot run {}: {error}", self.shown)))
    }

    /// Starts it; the test goes on at once.
    pub(crate) fn start(mut self) -> Running {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().unwrap_or_else(|error| panic!("cannot run {}: {error}", self.shown));
        let mut child = Killed(child);
        let stdout = collect(child.0.stdout.take().expect("it is piped"));
        let stderr = collect(child.0.stderr.take().expect("it is piped"));
        Running { shown: self.shown, started: Instant::now(), limit: self.limit, child, stdout, stderr }
    }
}

/// A run of `oneway` that has not ended yet.
#[derive(Debug)]
#[must_use = "finish() it"]
pub(crate) struct Running {
    shown: String,
    started: Instant,
    limit: Duration,
    child: Killed,
    stdout: Collector,
    stderr: Collector,
}

impl Running {
    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Sends a signal by its name: `INT` is Ctrl-C.
    pub(crate) fn signal(&self, name: &str) {
        send_signal(name, &[self.child.0.id()]);
    }

    /// Waits until standard output has a line that contains `text`, and returns that line.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        loop {
            let printed = String::from_utf8_lossy(&self.stdout.so_far()).into_owned();
            let complete = printed.rsplit_once('\n').map_or("", |(lines, _)| lines);
            if let Some(line) = complete.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(
                self.started.elapsed() < self.limit,
                "{}: no {text:?} came, only:\n{printed}",
                self.shown
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Run {
        let mut peak_memory = 0;
        let status = loop {
            peak_memory = peak_memory.max(peak_memory_of(self.child.0.id()));
            if let Some(status) = self.child.0.try_wait().expect("it is our child") {
                break Some(status);
            }
            if self.started.elapsed() > self.limit {
                break None;
            }
            thread::sleep(POLL);
        };
        drop(self.child);
        let output = Output {
            shown: self.shown,
            stdout: String::from_utf8_lossy(&self.stdout.all()).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr.all()).into_owned(),
            peak_memory,
        };
        match status {
            Some(status) => Run { status, output },
            None => panic!("still running after {:?}\n{output}", self.limit),
        }
    }
}

/// A process that doesn't outlive the test.
#[derive(Debug)]
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended and was waited for is not signalled again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a run of `oneway` ended.
#[derive(Debug)]
#[must_use = "say how it ends"]
pub(crate) struct Run {
    status: ExitStatus,
    output: Output,
}

impl Run {
    /// The exit status.
    #[track_caller]
    pub(crate) fn status(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("killed by a signal\n{}", self.output))
    }

    /// Hands out what was printed, however it ended.
    pub(crate) fn any_status(self) -> Output {
        self.output
    }

    /// Hands out the exit status and what was printed.
    #[track_caller]
    pub(crate) fn with_status(self) -> (i32, Output) {
        match self.status.code() {
            Some(status) => (status, self.output),
            None => panic!("killed\n{}", self.output),
        }
    }

    /// Asserts the exit status and hands out what was printed.
    #[track_caller]
    pub(crate) fn expect_status(self, expected: i32) -> Output {
        match (self.status.code(), self.status.signal()) {
            (Some(status), _) if status == expected => self.output,
            (_, Some(signal)) => {
                panic!("killed by signal {signal}, not ended with {expected}\n{}", self.output)
            }
            (status, _) => panic!("ended with {}, not {expected}\n{}", status.unwrap_or(-1), self.output),
        }
    }
}

/// What a run of `oneway` printed.
#[derive(Debug)]
pub(crate) struct Output {
    shown: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Bytes of memory it had at the most, seen from time to time; 0 where the system doesn't tell.
    pub(crate) peak_memory: usize,
}

impl Output {
    /// Returns standard output of `--format json`: an object a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}\n{self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Returns the JSON events of one kind.
    #[track_caller]
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        self.json().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// Returns the one summary, which comes last.
    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        let mut events = self.json();
        let summary = events.pop().unwrap_or_else(|| panic!("no events at all\n{self}"));
        assert_eq!(summary["event"], "summary", "the last event is no summary\n{self}");
        assert!(events.iter().all(|event| event["event"] != "summary"), "more than one summary\n{self}");
        summary
    }

    /// Returns the changes as `action path`, sorted.
    #[track_caller]
    pub(crate) fn changes(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let changes = self.events("change");
        let mut changes: Vec<_> = changes
            .iter()
            .map(|change| format!("{} {}", text(&change["action"]), text(&change["path"])))
            .collect();
        changes.sort();
        changes
    }

    /// Asserts that standard error tells something: each of the texts is in it.
    #[track_caller]
    pub(crate) fn tells(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.stderr.contains(text), "standard error doesn't tell {text:?}\n{self}");
        }
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, stdout, stderr, .. } = self;
        write!(f, "$ {shown}\n--- standard output\n{stdout}\n--- standard error\n{stderr}\n---")
    }
}

/// Reads a pipe to its end in a thread of its own, so that a full one stops nobody.
#[derive(Debug)]
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().expect("the reader doesn't panic").clone()
    }

    fn all(&mut self) -> Vec<u8> {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the reader doesn't panic");
        }
        self.so_far()
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> Collector {
    let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
    let collected = Arc::clone(&bytes);
    let read = move || {
        let mut block = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut block) {
            collected.lock().expect("nobody panics holding it").extend_from_slice(&block[..count]);
        }
    };
    Collector { bytes, thread: Some(thread::spawn(read)) }
}

/// Returns how many bytes of memory a process had at the most so far.
fn peak_memory_of(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    peak.and_then(|kib| kib.trim().parse::<usize>().ok()).map_or(0, |kib| kib << 10)
}

/// Sends a signal to processes by their ids. Those that are gone don't matter.
pub(super) fn send_signal(name: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let kill = Command::new("sh").args(["-c", &format!("kill -{name} {ids}")]).stderr(Stdio::null()).status();
    kill.expect("there's a shell");
}

/// Tells whether runs can be traced here.
pub(crate) fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let can = tried.is_ok_and(|status| status.success());
    assert!(can || std::env::var_os("CI").is_none(), "strace can't be run");
    if !can {
        eprintln!("skipped: strace can't be run");
    }
    can
}

const TRACED: &str = "trace=%file,fsync,fchmod,fchown,ftruncate,fallocate,fsetxattr";
const KEPT: &[&str] = &["PATH", "LLVM_PROFILE_FILE"];
const NOBODY: u32 = 65534;
const POLL: Duration = Duration::from_millis(5);
const TIME_LIMIT: Duration = Duration::from_secs(60);
