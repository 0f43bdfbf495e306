//! A Slurm cluster of two nodes on this machine: munge, a controller and two node daemons of Debian's packages, unpacked by
//! `ONEWAY_ENGINES=1 tests/set-up` and not installed. Keys, sockets, spools and logs lie in the sandbox.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::free_port;
use super::sandbox::{Killed, Sandbox, send_signal};

/// A running cluster. What belongs to it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    sandbox: &'a Sandbox,
    place: PathBuf,
    /// Directories with programs that stand before all others on the nodes.
    path: Vec<PathBuf>,
    daemons: Vec<Killed>,
}

impl<'a> Cluster<'a> {
    /// Starts it, with a directory of programs for its jobs.
    pub(crate) fn start(sandbox: &'a Sandbox, programs: &Path) -> Self {
        let unpacked = unpacked();
        assert!(unpacked.exists(), "run ONEWAY_ENGINES=1 tests/set-up");
        let place = sandbox.path("slurm");
        // munged wants to be alone in its directory.
        let munge = place.join("munge");
        for dir in [&munge, &place.join("state")] {
            fs::create_dir_all(dir).expect("the sandbox has room");
        }
        let key = munge.join("key");
        let random = fs::File::open("/dev/urandom").map(|file| std::io::Read::take(file, 128));
        std::io::copy(
            &mut random.expect("there is chance"),
            &mut fs::File::create(&key).expect("the sandbox has room"),
        )
        .expect("the sandbox has room");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("it is ours");
        let path = vec![programs.to_owned(), unpacked.join("usr/bin")];
        let mut cluster = Self { sandbox, place, path, daemons: Vec::new() };
        cluster.configure();
        let file = |name: &str| munge.join(name).display().to_string();
        let munged = [
            "--foreground".to_owned(),
            "--force".to_owned(),
            format!("--socket={}", file("socket")),
            format!("--key-file={}", file("key")),
            format!("--log-file={}", file("log")),
            format!("--pid-file={}", file("pid")),
            format!("--seed-file={}", file("seed")),
        ];
        cluster.daemon("munged", &munged);
        wait_until("munged has its socket", || munge.join("socket").exists());
        cluster.daemon("slurmctld-wlm", &["-D".to_owned()]);
        let step = unpacked.join("usr/sbin/slurmstepd-wlm").display().to_string();
        for node in NODES {
            let arguments = ["-D", "-N", node, "-d", &step].map(str::to_owned);
            cluster.daemon("slurmd-wlm", &arguments);
        }
        wait_until("both nodes are idle", || {
            cluster.query("sinfo", &["-h", "-t", "idle", "-o", "%D"]) == "2"
        });
        cluster
    }

    /// Two nodes that run two tasks each, whatever this machine has.
    fn configure(&self) {
        let at = |name: &str| self.place.join(name).display().to_string();
        let plugins = own_libraries();
        let mut config = format!(
            "ClusterName=oneway
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
CredType=cred/munge
PluginDir={plugins}
StateSaveLocation={state}
SlurmctldPidFile={place}/slurmctld.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdPidFile={place}/%n.pid
SlurmdSpoolDir={place}/%n.spool
SlurmdLogFile={place}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
# It looks for work each second, where one with many jobs does so each minute.
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=10
MailProg=/bin/true
",
            port = free_port(),
            munge = at("munge/socket"),
            plugins = plugins.display(),
            state = at("state"),
            place = self.place.display(),
        );
        for node in NODES {
            let port = free_port();
            config +=
                &format!("NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=2\n");
        }
        config += "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n";
        fs::write(self.place.join("slurm.conf"), config).expect("the sandbox has room");
    }

    fn daemon(&mut self, name: &str, arguments: &[String]) {
        let output = fs::OpenOptions::new().create(true).append(true).open(self.place.join("output"));
        let output = output.expect("the sandbox has room");
        let mut command = self.command(&unpacked().join("usr/sbin").join(name).display().to_string());
        command.args(arguments).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a file can be shared")).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
        self.daemons.push(Killed(child));
    }

    /// A program in the environment of somebody who is logged in to the cluster.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.sandbox.isolate(&mut command);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(self.path.iter().cloned().chain(std::env::split_paths(&path)));
        let libraries = [unpacked().join("lib"), own_libraries()];
        command
            .env("PATH", path.expect("no directory has a colon"))
            .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("no directory has a colon"))
            .env("SLURM_CONF", self.place.join("slurm.conf"));
        command
    }

    /// Runs a program, and returns its standard output without the last line break.
    #[track_caller]
    pub(crate) fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{program} {arguments:?}: {}\n{stdout}{stderr}", output.status);
        stdout.trim_end().to_owned()
    }

    /// As [`Cluster::ask`], and nothing where that fails.
    fn query(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).stdin(Stdio::null()).output();
        output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Returns the state of a job or a task (`12_3`), in capital letters, as Slurm tells it.
    pub(crate) fn state(&self, job: &str) -> String {
        self.field(job, "JobState=")
    }

    /// Returns a field of what `scontrol show job` tells; empty where it doesn't.
    pub(crate) fn field(&self, job: &str, name: &str) -> String {
        let told = self.query("scontrol", &["show", "job", job]);
        let mut words = told.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)).unwrap_or_default().to_owned()
    }

    /// Waits until a job has ended, and lets tasks that are to begin again do so in two seconds, where Slurm would wait for two minutes.
    #[track_caller]
    pub(crate) fn finish(&self, job: &str, limit: Duration) {
        let started = Instant::now();
        let mut hurried: HashMap<String, Instant> = HashMap::new();
        loop {
            let queue = self.query("squeue", &["-h", "-a", "-r", "-o", "%i %T %r"]);
            for line in queue.lines() {
                let Some(task) = line.strip_suffix(" PENDING BeginTime") else { continue };
                if hurried.get(task).is_none_or(|at| at.elapsed() > Duration::from_secs(4)) {
                    hurried.insert(task.to_owned(), Instant::now());
                    // In the second it was killed in, a node wouldn't believe that it is to begin again.
                    self.query("scontrol", &["update", &format!("JobId={task}"), "StartTime=now+2"]);
                }
            }
            let state = self.state(job);
            if !matches!(state.as_str(), "PENDING" | "RUNNING" | "COMPLETING" | "CONFIGURING") {
                return;
            }
            assert!(started.elapsed() < limit, "job {job} is still {state}:\n{queue}\n{}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Returns the processes of a task whose command line has `word` in it.
    pub(crate) fn processes(&self, job: &str, task: u32, word: &str) -> Vec<u32> {
        let wanted = [format!("SLURM_ARRAY_JOB_ID={job}"), format!("SLURM_ARRAY_TASK_ID={task}")];
        let of_task = |process: &u32| {
            let environment = environment(*process);
            let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            let is_called = |argument: &[u8]| String::from_utf8_lossy(argument) == word;
            wanted.iter().all(|variable| environment.contains(variable))
                && arguments.split(|byte| *byte == 0).any(is_called)
        };
        all_processes().into_iter().filter(of_task).collect()
    }

    /// Ends processes of its jobs as the kernel does when memory is short.
    #[track_caller]
    pub(crate) fn kill(&self, processes: &[u32]) {
        assert!(!processes.is_empty(), "nobody is there to be killed");
        send_signal("KILL", processes);
    }

    fn log(&self) -> String {
        let mut all = Vec::new();
        for name in ["output", "slurmctld.log"] {
            let _ = all.write_all(&fs::read(self.place.join(name)).unwrap_or_default());
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("while running on a cluster, whose log is:\n{}", self.log());
        }
        // Jobs are nobody's children. All that is of this cluster has its configuration in its environment.
        let mark = format!("SLURM_CONF={}", self.place.join("slurm.conf").display());
        let ours: Vec<u32> =
            all_processes().into_iter().filter(|process| environment(*process).contains(&mark)).collect();
        if !ours.is_empty() {
            send_signal("KILL", &ours);
        }
    }
}

/// Waits for something that comes within seconds.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited too long until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/daemons/slurm")
}

/// Where Slurm has the library and the plugins that nobody else uses.
fn own_libraries() -> PathBuf {
    let entries = fs::read_dir(unpacked().join("usr/lib")).expect("run ONEWAY_ENGINES=1 tests/set-up");
    let dirs = entries.map(|entry| entry.expect("it is readable").path().join("slurm-wlm"));
    dirs.into_iter().find(|dir| dir.exists()).expect("run ONEWAY_ENGINES=1 tests/set-up")
}

fn all_processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("there is /proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The variables a process was started with.
fn environment(process: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|variable| String::from_utf8_lossy(variable).into_owned()).collect()
}

const NODES: [&str; 2] = ["node1", "node2"];
