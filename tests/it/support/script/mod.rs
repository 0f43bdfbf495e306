//! A server that answers as a script says: for odd and broken replies that no real server gives on demand.
//!
//! A script is text, a step per line; blank lines, `#` comments and indentation don't matter.
//!
//! ```text
//! < 220 hello               a reply; \r \n \t \0 \" \\ \xFF and `\ ` (a blank) are escapes
//! > USER anonymous          waits for that command; `*` stands for anything, a verb alone for any arguments
//! <| 331 go                 the same as `<` without the line end
//! drip 1 5ms                from here on a byte at a time, each 5 ms after the other; `drip off` ends that
//! pause 100ms               lines of `<` without a step between them leave in one segment
//! endless "211-more\r\n"    over and over until the client hangs up
//! drop                      closes the control connection; `reset` does so with RST
//! repeat 3 … end            as if its steps were written three times
//! ```
//!
//! `{port}` in a reply opens a data port and stands for its number, `{p1}` and `{p2}` for the number's two bytes:
//! `< 229 ok (|||{port}|)`, `< 227 ok (127,0,0,1,{p1},{p2})`, or with an address that isn't ours.
//!
//! ```text
//! data open                 waits for the client's connection, or makes it after a PORT; the other data steps do so by
//!                           themselves
//! data send "a.txt\r\n"     also `data send 1000 x "abc"`; `data endless "abc"` until the client hangs up
//! data file                 the file that the command names; `data file 10` its first bytes only
//! data recv                 to the end; `data recv 10` so many bytes
//! data store                the same into the file that the command names, behind where REST said; `data store 10`
//! data close                `data reset` does so with RST
//! data stranger "abc"       connects to where the client waits for the server, from another address, and sends that
//! ```
//!
//! A plain server speaks TLS to whoever asks for it by AUTH TLS, with a certificate of its own; `secure` begins it without that.
//! `data clear`, `data another` and `data cut` say that data connections from here on are in clear text in spite of PROT P, are
//! another server's, and end without TLS's word for it.
//!
//! What no step waits for is answered by handlers, the last one that fits first; a counted one looks at all connections:
//!
//! ```text
//! on SIZE                   whenever a SIZE comes; `on SIZE *.tmp` when it is such a one
//! < 500 never heard of it
//! once RETR                 at the first RETR alone; `nth 3 RETR` at the third
//! < 421 out of here
//! drop
//! once STOR *               `normally` does what a plain server would do with it; `unheard` does so without the last reply
//! pause 2s
//! normally
//! on CONNECT                stands for the greeting
//! ```
//!
//! `connection` begins the dialogue of the first connection, again of the second, and so on; `connections` that of all
//! further ones. A script without them and without dialogue serves any number of connections; with a dialogue it
//! serves one. [`ScriptServer::plain`] starts from a server that has files and answers everything as it should, so
//! that a test writes down only what is odd. Such a server greets where a dialogue doesn't begin with a reply.

mod line;
mod parse;
mod plain;
mod play;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use self::plain::Plain;
use super::dir::Files;

/// A scripted server on a loopback port, running until it's finished or dropped.
#[derive(Debug)]
#[must_use = "finish() it, or nobody learns whether all went as written"]
pub(crate) struct ScriptServer {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl ScriptServer {
    /// A server that does what the script says and takes everything else for a mistake of the client.
    pub(crate) fn new(script: &str) -> Self {
        Self::start(script, None)
    }

    /// A server with files that answers as it should, but for what the script says.
    pub(crate) fn plain(files: Files, script: &str) -> Self {
        Self::start(script, Some(Plain::new(files)))
    }

    /// The same with names that differ in case alone as one, as on Windows.
    pub(crate) fn folding_case(files: Files, script: &str) -> Self {
        Self::start(script, Some(Plain::new(files).folding_case()))
    }

    /// The same, renaming nothing onto a file that is there, as on Windows.
    pub(crate) fn keeping_names(files: Files, script: &str) -> Self {
        Self::start(script, Some(Plain::new(files).keeping_names()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a path, which starts with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ftp://script:secret@127.0.0.1:{}{path}", self.port)
    }

    /// The same by `ftpes://`.
    pub(crate) fn protected_url(&self, path: &str) -> String {
        format!("ftpes://script:secret@127.0.0.1:{}{path}", self.port)
    }

    /// The SHA-256 of its certificate.
    pub(crate) fn pin() -> String {
        Sha256::digest(line::certificate()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Waits until a command has come that contains `text`; for an empty one until somebody has connected.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let transcript = self.shared.transcript();
            let has_come = |line: &String| line.contains(text);
            let seen = if text.is_empty() {
                transcript.connections() > 0
            } else {
                transcript.lines().iter().any(has_come)
            };
            if seen {
                return;
            }
            assert!(Instant::now() < patience, "no {text:?} came, only:\n{}", transcript.lines().join("\n"));
            thread::sleep(POLL);
        }
    }

    /// Waits for the connections to end and asserts that each dialogue was had to its end and nothing else came.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Transcript {
        self.stop();
        let violations = self.shared.violations.lock().expect(UNHARMED).join("\n");
        let transcript = self.shared.transcript();
        assert!(
            violations.is_empty(),
            "not as written:\n{violations}\nall commands:\n{}",
            transcript.lines().join("\n")
        );
        transcript
    }

    /// Hands out what the client sent, whether or not the server could do all that was written: a client that hangs up leaves steps
    /// undone.
    pub(crate) fn finish_unchecked(mut self) -> Transcript {
        self.stop();
        self.shared.transcript()
    }

    fn start(script: &str, plain: Option<Plain>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        listener.set_nonblocking(true).expect("a listener can be non-blocking");
        let script = parse::parse(script);
        let shared = Arc::new(Shared {
            seen: Mutex::new(vec![0; script.handlers.len()]),
            script,
            plain,
            recorded: Mutex::default(),
            violations: Mutex::default(),
            finishing: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let listening = thread::spawn({
            let shared = Arc::clone(&shared);
            move || listen(&listener, &shared)
        });
        Self { port, shared, listening: Some(listening) }
    }

    fn stop(&mut self) {
        self.shared.finishing.store(true, Ordering::Relaxed);
        if let Some(listening) = self.listening.take() {
            let ended = Instant::now() + PATIENCE;
            while !listening.is_finished() && Instant::now() < ended {
                thread::sleep(POLL);
            }
            self.shared.stopped.store(true, Ordering::Relaxed);
            if listening.join().is_err() {
                self.shared.violation("the server itself failed".to_owned());
            }
        }
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.stop();
    }
}

/// Accepts connections until the test is over, then waits for those that are open.
fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let number = connections.len();
                shared.recorded.lock().expect(UNHARMED).raw.push(Vec::new());
                let shared = Arc::clone(shared);
                connections.push(thread::spawn(move || play::play(&shared, number, stream)));
            }
            Err(_) if shared.finishing.load(Ordering::Relaxed) => break,
            Err(_) => thread::sleep(POLL),
        }
    }
    for (number, _) in shared.script.connections.iter().enumerate().skip(connections.len()) {
        shared.violation(format!("connection {} never came", number + 1));
    }
    let failed = connections.into_iter().filter_map(|connection| connection.join().err()).count();
    assert_eq!(failed, 0, "connections that panicked");
}

/// What all connections of a server have in common.
#[derive(Debug)]
struct Shared {
    script: parse::Script,
    plain: Option<Plain>,
    /// How many commands each handler has matched.
    seen: Mutex<Vec<usize>>,
    recorded: Mutex<Recorded>,
    violations: Mutex<Vec<String>>,
    /// Set when the test waits for the end: nothing new is waited for.
    finishing: AtomicBool,
    /// Set when the test's patience is over.
    stopped: AtomicBool,
}

impl Shared {
    fn violation(&self, what: String) {
        self.violations.lock().expect(UNHARMED).push(what);
    }

    fn transcript(&self) -> Transcript {
        let recorded = self.recorded.lock().expect(UNHARMED).clone();
        let tree = self.plain.as_ref().map(Plain::snapshot).unwrap_or_default();
        Transcript { recorded, tree }
    }
}

#[derive(Debug, Default, Clone)]
struct Recorded {
    /// Connection and line, without the line end.
    commands: Vec<(usize, Vec<u8>)>,
    /// Commands with what came over their data connections.
    uploads: Vec<(String, Vec<u8>)>,
    /// All bytes of each control connection.
    raw: Vec<Vec<u8>>,
}

/// What a client sent.
#[derive(Debug)]
pub(crate) struct Transcript {
    recorded: Recorded,
    tree: String,
}

impl Transcript {
    /// All commands in the order they came.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.recorded.commands.iter().map(|(_, line)| String::from_utf8_lossy(line).into_owned()).collect()
    }

    /// The commands of one connection, counted from 0.
    pub(crate) fn lines_of(&self, connection: usize) -> Vec<String> {
        let lines = self.recorded.commands.iter().filter(|(number, _)| *number == connection);
        lines.map(|(_, line)| String::from_utf8_lossy(line).into_owned()).collect()
    }

    /// The commands with one of these verbs: `sent(&["DELE", "RMD"])` is empty where nothing was ever removed.
    pub(crate) fn sent(&self, verbs: &[&str]) -> Vec<String> {
        let has_verb = |line: &String| line.split(' ').next().is_some_and(|verb| verbs.contains(&verb));
        self.lines().into_iter().filter(has_verb).collect()
    }

    /// What came over data connections: the command and the bytes.
    pub(crate) fn uploads(&self) -> &[(String, Vec<u8>)] {
        &self.recorded.uploads
    }

    /// How many uploads there were to files whose names end so.
    pub(crate) fn uploads_to(&self, end: &str) -> usize {
        self.sent(&["STOR"]).iter().filter(|line| line.ends_with(end)).count()
    }

    /// How many control connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.recorded.raw.len()
    }

    /// All bytes that came over a control connection, counted from 0.
    pub(crate) fn raw(&self, connection: usize) -> &[u8] {
        &self.recorded.raw[connection]
    }

    /// The files of a plain server at the end, as [`snapshot`](super::snapshot) writes a tree.
    pub(crate) fn tree(&self) -> &str {
        &self.tree
    }
}

const UNHARMED: &str = "nobody panics holding it";
/// How long connections may go on after the test asked for the end.
const PATIENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(2);
