//! Real FTP daemons: each one with a configuration, a root directory and a port of its own in the test's sandbox, and
//! one virtual user. `tests/set-up` fetches them.
//!
//! A daemon takes some 20 ms to start, so each test has its own. Where one can't run, a test is reported as skipped;
//! with `CI` in the environment it fails instead, for there everything has to be tested.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::certificate::Certificate;
use super::dir::Dir;
use super::sandbox::{Killed, Sandbox, send_signal};
use super::{proftpd, vsftpd};

/// The programs that can be had as a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Software {
    Vsftpd,
    Proftpd,
}

impl Software {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vsftpd => "vsftpd",
            Self::Proftpd => "proftpd",
        }
    }
}

/// Runs a test against each kind of daemon, with a sandbox for each, and against ProFTPD in disguise: as a server that nobody
/// knows, and as one that is known to take one command at a time.
///
/// What the daemon logged is printed where the test fails, under the daemon's name.
pub(crate) fn for_each_daemon(test: impl Fn(&Daemon, &Sandbox)) {
    for_each_known_daemon(&test);
    for disguise in ["Ready to serve", "Microsoft FTP Service"] {
        let sandbox = Sandbox::new();
        if let Some(daemon) = Daemon::prepare(Software::Proftpd).greeting(disguise).start(&sandbox) {
            eprintln!("in disguise: {disguise}");
            test(&daemon, &sandbox);
        }
    }
}

/// As [`for_each_daemon`], without the disguises, for what depends on who the server is.
pub(crate) fn for_each_known_daemon(test: impl Fn(&Daemon, &Sandbox)) {
    for software in [Software::Vsftpd, Software::Proftpd] {
        let sandbox = Sandbox::new();
        if let Some(daemon) = Daemon::prepare(software).start(&sandbox) {
            test(&daemon, &sandbox);
        }
    }
}

/// A running FTP daemon. It's stopped when it's dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    software: Software,
    process: Killed,
    port: u16,
    implicit: bool,
    root: Dir,
    transfer_log: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// A daemon that options can be given to.
    pub(crate) fn prepare(software: Software) -> Options {
        let greeting = software.name().to_owned();
        Options {
            software,
            greeting,
            time_zone: "UTC".to_owned(),
            max_clients: 100,
            implicit: false,
            config: Vec::new(),
        }
    }

    /// Starts a vsftpd; `None` where the test is to be skipped.
    pub(crate) fn vsftpd(sandbox: &Sandbox) -> Option<Self> {
        Self::prepare(Software::Vsftpd).start(sandbox)
    }

    /// Starts a ProFTPD; `None` where the test is to be skipped.
    pub(crate) fn proftpd(sandbox: &Sandbox) -> Option<Self> {
        Self::prepare(Software::Proftpd).start(sandbox)
    }

    pub(crate) fn software(&self) -> Software {
        self.software
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process, which sessions are children of.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// The directory that its user sees as `/`. What is written through it belongs to that user.
    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    /// Returns the URL of a path, which starts with `/`, user and password included. The path goes in as it is.
    pub(crate) fn url(&self, path: &str) -> String {
        let password = percent_encoding::utf8_percent_encode(PASSWORD, percent_encoding::NON_ALPHANUMERIC);
        format!("ftp://{USER}:{password}@127.0.0.1:{}{path}", self.port)
    }

    /// The same without the password.
    pub(crate) fn url_without_password(&self, path: &str) -> String {
        format!("ftp://{USER}@127.0.0.1:{}{path}", self.port)
    }

    /// Returns the URL of a path for a server that speaks TLS, without the password.
    pub(crate) fn protected_url(&self, path: &str) -> String {
        format!("{}://{USER}@127.0.0.1:{}{path}", if self.implicit { "ftps" } else { "ftpes" }, self.port)
    }

    /// Returns what the daemon has noted as transferred so far: a line per file, blanks in its name written as `_`.
    pub(crate) fn transfers(&self) -> Vec<Transfer> {
        let log = fs::read(&self.transfer_log).unwrap_or_default();
        String::from_utf8_lossy(&log)
            .lines()
            .filter_map(|line| Transfer::parse(line, self.root.path()))
            .collect()
    }

    /// Returns the paths that went in one direction, sorted.
    pub(crate) fn transferred(&self, direction: Direction) -> Vec<String> {
        let transfers = self.transfers().into_iter().filter(|transfer| transfer.direction == direction);
        let mut paths: Vec<_> = transfers.map(|transfer| transfer.path).collect();
        paths.sort();
        paths
    }

    /// Ends all sessions, as a line that breaks would.
    pub(crate) fn hang_up(&self) {
        send_signal("KILL", &descendants(self.id()));
    }

    /// Returns the daemon's own log.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("while running against {}, whose log is:\n{}", self.software.name(), self.log());
        }
        // Sessions are processes in sessions of their own and would outlive the listener.
        send_signal("KILL", &descendants(self.process.0.id()));
    }
}

/// What is to be special about a daemon.
#[derive(Debug)]
#[must_use = "start it"]
pub(crate) struct Options {
    pub(super) software: Software,
    /// Words of its greeting.
    greeting: String,
    pub(super) time_zone: String,
    pub(super) max_clients: u32,
    implicit: bool,
    pub(super) config: Vec<String>,
}

impl Options {
    /// The zone whose time it lists files in, such as `Europe/Berlin` or `EST5EDT`.
    pub(crate) fn time_zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.time_zone);
        self
    }

    /// Refuses more control sessions: vsftpd with 421 in place of a greeting, ProFTPD with 530 to `PASS`.
    pub(crate) fn max_clients(mut self, count: u32) -> Self {
        self.max_clients = count;
        self
    }

    /// Greets as somebody else. ProFTPD alone.
    pub(crate) fn greeting(mut self, text: &str) -> Self {
        text.clone_into(&mut self.greeting);
        self.config(&format!("ServerIdent on \"{text}\""))
    }

    /// Speaks TLS, and nothing else, and takes no data connection that doesn't go on with the control connection's TLS session.
    pub(crate) fn tls(self, certificate: &Certificate) -> Self {
        let (file, key) = (certificate.certificate.display(), certificate.key.display());
        let lines = match self.software {
            Software::Vsftpd => vsftpd::tls(&file, &key),
            Software::Proftpd => proftpd::tls(&file, &key),
        };
        let options = match self.software {
            Software::Vsftpd => self,
            Software::Proftpd => self.module("mod_tls"),
        };
        options.config(&lines)
    }

    /// As [`Options::tls`], for clients alone that show a certificate of the same authority.
    pub(crate) fn tls_for_known(self, certificate: &Certificate) -> Self {
        let lines = match self.software {
            Software::Vsftpd => vsftpd::known_clients(&certificate.authority.display()),
            Software::Proftpd => proftpd::known_clients(&certificate.authority.display()),
        };
        self.tls(certificate).config(&lines)
    }

    /// Begins TLS before its greeting. vsftpd alone.
    pub(crate) fn implicit_tls(mut self, certificate: &Certificate) -> Self {
        self.implicit = true;
        self.tls(certificate).config("implicit_ssl=YES")
    }

    /// Loads a module of ProFTPD's.
    pub(crate) fn module(self, name: &str) -> Self {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/daemons/proftpd/usr/lib/proftpd");
        // One that is installed knows where its own are.
        let unpacked =
            if modules.exists() { format!("ModulePath {}\n", modules.display()) } else { String::new() };
        self.config(&format!("{unpacked}LoadModule {name}.c"))
    }

    /// Adds a line of its own configuration language.
    pub(crate) fn config(mut self, line: &str) -> Self {
        self.config.push(line.to_owned());
        self
    }

    /// Refuses to tell of, enter or change a directory of that name in the root, and whatever is in it.
    pub(crate) fn deny(self, name: &str) -> Self {
        let line = match self.software {
            Software::Vsftpd => vsftpd::deny(name),
            Software::Proftpd => proftpd::deny(name),
        };
        self.config(&line)
    }

    /// Starts it; `None` where the test is to be skipped.
    pub(crate) fn start(self, sandbox: &Sandbox) -> Option<Daemon> {
        let programs =
            if is_root() { find(self.software) } else { Err("it takes root to change the user".into()) };
        match programs {
            Ok(program) => Some(self.start_program(&program, sandbox)),
            Err(why) => {
                let name = self.software.name();
                assert!(std::env::var_os("CI").is_none(), "no {name} to test against: {why}");
                eprintln!("skipped: no {name} to test against: {why}");
                None
            }
        }
    }

    fn start_program(&self, program: &Program, sandbox: &Sandbox) -> Daemon {
        let name = self.software.name();
        let place = sandbox.path(name);
        let root = Dir::create(&place.join("root"), Some(UID));
        for _ in 0..3 {
            let port = free_port();
            let place = Place { dir: place.clone(), root: root.path().to_owned(), port };
            let arguments = match self.software {
                Software::Vsftpd => vsftpd::configure(self, &place),
                Software::Proftpd => proftpd::configure(self, &place),
            };
            let output = fs::File::create(place.dir.join("output")).expect("the sandbox has room");
            let mut command = Command::new(&program.file);
            sandbox.isolate(&mut command);
            command
                .args(arguments)
                .env("TZ", &self.time_zone)
                .env("LD_LIBRARY_PATH", &program.libraries)
                .stdin(Stdio::null())
                .stdout(output.try_clone().expect("a file can be shared"))
                .stderr(output);
            let process = command.spawn().unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
            let mut daemon = Daemon {
                software: self.software,
                process: Killed(process),
                port,
                implicit: self.implicit,
                root: root.clone(),
                transfer_log: place.transfer_log(),
                log: place.log(),
            };
            if daemon.answers(&self.greeting) {
                return daemon;
            }
            let said = fs::read_to_string(place.dir.join("output")).unwrap_or_default();
            eprintln!("{name} did not start on port {port}: {said}{}", daemon.log());
        }
        panic!("{name} does not start");
    }
}

impl Daemon {
    /// Waits for the first greeting. False when the process ended, such as when another one took its port.
    fn answers(&mut self, greeting: &str) -> bool {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if self.process.0.try_wait().expect("it is our child").is_some() {
                return false;
            }
            // Else it is the one that took its port, which would greet as well.
            if self.listens()
                && let Ok(stream) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
            {
                // Nothing is to be read before TLS began.
                return (self.implicit || greets(stream, greeting)) && self.is_idle();
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Returns whether the port is this process's own.
    fn listens(&self) -> bool {
        const LISTEN: &str = "0A";
        let port = format!(":{:04X}", self.port);
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let sockets = sockets.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_it = fields.get(1)?.ends_with(&port) && *fields.get(3)? == LISTEN;
            is_it.then_some(PathBuf::from(format!("socket:[{}]", fields.get(9)?)))
        });
        let sockets: Vec<PathBuf> = sockets.collect();
        let open = fs::read_dir(format!("/proc/{}/fd", self.id())).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| sockets.contains(&file))
    }

    /// Waits for the first session to be over, so that the test's own are all that count.
    fn is_idle(&self) -> bool {
        let started = Instant::now();
        while !descendants(self.id()).is_empty() {
            if started.elapsed() > START_LIMIT {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// What a daemon's configuration is made of.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) root: PathBuf,
    pub(super) port: u16,
}

impl Place {
    pub(super) fn transfer_log(&self) -> PathBuf {
        self.dir.join("transfers")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Writes one of its files, readable by root alone: daemons look at that.
    pub(super) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, content).expect("the sandbox has room");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
        path
    }
}

/// Which way a file went, seen from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// A line of the transfer log, which both daemons write as wu-ftpd did (`man 5 xferlog`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// As the daemon's user sees it, with `_` for each blank.
    pub(crate) path: String,
    pub(crate) direction: Direction,
    pub(crate) bytes: u64,
    pub(crate) complete: bool,
}

impl Transfer {
    fn parse(line: &str, root: &Path) -> Option<Self> {
        // Before the name: five words of time, seconds, host, bytes. Behind it: nine words.
        let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let (name, behind) = words.get(8..)?.split_at_checked(words.len().checked_sub(17)?)?;
        let name = name.join(" ");
        let path = match root.to_str().and_then(|root| name.strip_prefix(root)) {
            Some(path) => path.to_owned(),
            None => name,
        };
        let direction = match behind[2] {
            "i" => Direction::In,
            "o" => Direction::Out,
            _ => return None,
        };
        Some(Self { path, direction, bytes: words[7].parse().ok()?, complete: behind[8] == "c" })
    }
}

/// A daemon's program and where the libraries are that this machine lacks.
struct Program {
    file: PathBuf,
    libraries: PathBuf,
}

fn find(software: Software) -> Result<Program, String> {
    let name = software.name();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/daemons").join(name);
    let installed = Path::new("/usr/sbin").join(name);
    let file = [unpacked.join("usr/sbin").join(name), installed].into_iter().find(|file| file.exists());
    let file = file.ok_or("run tests/set-up")?;
    if software == Software::Vsftpd && !Path::new(vsftpd::PAM_SERVICE).exists() {
        return Err(format!("{} is missing, run tests/set-up as root", vsftpd::PAM_SERVICE));
    }
    Ok(Program { file, libraries: unpacked.join("lib") })
}

/// Returns whether the server at the other end is the one that was started: another test may have taken the port meanwhile.
fn greets(stream: TcpStream, name: &str) -> bool {
    stream.set_read_timeout(Some(START_LIMIT)).expect("a time-out is settable");
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    let greeted = lines.read_line(&mut line).is_ok() && line.starts_with("220");
    let greeted = greeted && line.to_lowercase().contains(&name.to_lowercase());
    let _ = lines.get_mut().write_all(b"QUIT\r\n");
    while lines.read_line(&mut line).is_ok_and(|count| count > 0) {}
    greeted
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn descendants(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

/// The one virtual user. Its password has what URLs have to escape. Both stand in tests/set-up, too.
pub(crate) const USER: &str = "mirror";
pub(crate) const PASSWORD: &str = "s3cret-%41/@:";

/// Debian's user `daemon`, whose home directory always exists: vsftpd wants to go there first.
pub(super) const UID: u32 = 1;

const START_LIMIT: Duration = Duration::from_secs(10);
