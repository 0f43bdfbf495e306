//! One control session: what the client has said so far, and the loop that obeys it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::ftp::command::{Command, CommandError, Verb};
use crate::ftp::reply::Reply;
use crate::model::RelPath;
use crate::rooted::Rooted;
use crate::server::attempts::Attempts;
use crate::server::commands;
use crate::server::control::{Control, Input};
use crate::server::data::Setup;
use crate::server::line::{Line, MAX_LINE_BYTES};
use crate::server::listen::Kind;
use crate::server::mlsx::FactSet;
use crate::server::path::resolve;
use crate::server::tls::{SessionTls, SharedTls};
use crate::server::wait::{Stop, deadline_in};
use crate::server::{CommandFault, ServeOptions, ServerEvent, TlsOptions};

/// What all sessions of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ServeOptions,
    pub(super) root: Rooted,
    pub(super) stop: Stop,
    pub(super) tls: Option<SharedTls>,
    pub(super) attempts: Attempts,
    ports_tried: AtomicU32,
}

impl Shared {
    pub(super) fn new(options: ServeOptions, root: Rooted, stop: Stop) -> Self {
        Self {
            tls: options.tls.as_ref().map(SharedTls::new),
            attempts: Attempts::new(options.max_failed_logins, options.lockout),
            ports_tried: AtomicU32::new(0),
            options,
            root,
            stop,
        }
    }

    /// Returns whether the server has TLS and `what` is demanded of its use.
    pub(super) fn demands(&self, what: impl FnOnce(&TlsOptions) -> bool) -> bool {
        self.options.tls.as_ref().is_some_and(what)
    }

    /// Returns a number that is one more each time, to begin the search for a passive port with.
    pub(super) fn next_port(&self) -> u32 {
        self.ports_tried.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells the observer, if there is one.
    pub(super) fn tell(&self, peer: SocketAddr, event: &ServerEvent<'_>) {
        if let Some(observer) = &self.options.observer {
            observer.event(peer, event);
        }
    }
}

/// A control session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) control: Control,
    /// Both ends of the control connection; IPv4 addresses as such, also on a socket for both protocols.
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) user: User,
    pub(super) working: RelPath,
    pub(super) data: Setup,
    /// Whether EPSV ALL came, after which nothing but EPSV may set up a data connection.
    pub(super) only_epsv: bool,
    /// Where the next RETR or STOR begins.
    pub(super) restart: u64,
    pub(super) rename_from: Option<RelPath>,
    pub(super) facts: FactSet,
    /// The representation the client chose, for STAT alone: bytes are never changed.
    pub(super) ascii: bool,
    pub(super) failed_logins: u32,
    /// When a client that isn't logged in is sent away.
    login_deadline: Option<Instant>,
    /// What the session's connections shake hands with; `None` before TLS.
    pub(super) tls: Option<SessionTls>,
    /// Whether TLS comes behind the next reply.
    pub(super) begins_tls: bool,
    /// Whether PBSZ came, which PROT must follow.
    pub(super) buffer_size_said: bool,
    /// Whether data connections speak TLS (PROT P).
    pub(super) protected: bool,
    /// Whether the session ends with the next reply.
    pub(super) leaving: bool,
    /// For file content that the kernel can't copy by itself. Empty until the first transfer.
    pub(super) buffer: Vec<u8>,
    /// What its password is answered on purpose.
    refused_with: Option<u16>,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// Nobody has said.
    Unknown,
    /// A name was given and the password is awaited.
    Named(Vec<u8>),
    /// Logged in.
    In(Vec<u8>),
}

impl Session {
    pub(super) fn new(socket: TcpStream, peer: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let login_deadline = deadline_in(shared.options.login_timeout);
        Ok(Self {
            control: Control::new(socket, Arc::clone(&shared))?,
            shared,
            local: canonical(local),
            peer: canonical(peer),
            user: User::Unknown,
            working: RelPath::root(),
            data: Setup::None,
            only_epsv: false,
            restart: 0,
            rename_from: None,
            facts: FactSet::ALL,
            ascii: true,
            failed_logins: 0,
            login_deadline,
            tls: None,
            begins_tls: false,
            buffer_size_said: false,
            protected: false,
            leaving: false,
            buffer: Vec::new(),
            refused_with: None,
        })
    }

    /// Serves the client until one of the two has enough. A client of the implicit kind shakes hands before anything is said, and its
    /// data is protected from the beginning.
    pub(super) fn run(mut self, kind: Kind) {
        self.tell(&ServerEvent::Connected);
        self.refused_with = self.shared.options.faults.as_ref().and_then(|faults| faults.begin_session());
        if kind == Kind::Implicit {
            self.protected = true;
            self.begin_tls();
        }
        if self.refused_with == Some(421) {
            self.leaving = true;
            self.control.reply(&Reply::new(421, "Too many connections; try again later"));
        } else {
            self.control.reply(&Reply::new(220, "oneway ready"));
        }
        while !self.leaving {
            let limit = if matches!(self.user, User::In(_)) { None } else { self.login_deadline };
            let reply = match self.control.next(limit) {
                Input::Line(Line::Whole(line)) => self.obey(&line),
                Input::Line(Line::TooLong) => {
                    Reply::new(500, format!("The line is longer than {MAX_LINE_BYTES} bytes"))
                }
                Input::Idle => {
                    self.leaving = true;
                    Reply::new(421, "Idle for too long; closing the control connection")
                }
                Input::Stopping => {
                    self.leaving = true;
                    Reply::new(421, "The server stops; closing the control connection")
                }
                Input::Closed => break,
            };
            self.control.reply(&reply);
            if std::mem::take(&mut self.begins_tls) {
                self.control.flush();
                self.begin_tls();
            }
        }
        self.shared.tell(self.peer, &ServerEvent::Closed);
        self.control.close();
        if let Some(faults) = &self.shared.options.faults {
            faults.end_session();
        }
    }

    fn begin_tls(&mut self) {
        let idle = deadline_in(self.shared.options.idle_timeout);
        let deadline = idle.into_iter().chain(self.login_deadline).min();
        let shared = self.shared.tls.as_ref().expect("AUTH and the implicit port are had with TLS alone");
        let begun = shared.for_session().and_then(|tls| {
            self.control.begin_tls(tls.control(), deadline)?;
            Ok(tls)
        });
        match begun {
            Ok(tls) => self.tls = Some(tls),
            Err(error) => {
                self.tell(&ServerEvent::TlsFailed { why: &error.to_string() });
                self.leaving = true;
            }
        }
    }

    /// Starts over as after connecting (REIN). What was negotiated for the connection itself stays.
    pub(super) fn forget_user(&mut self) {
        // Not for one who never logged in, or nobody would ever be too slow.
        if matches!(self.user, User::In(_)) {
            self.login_deadline = deadline_in(self.shared.options.login_timeout);
        }
        self.user = User::Unknown;
        self.working = RelPath::root();
        self.data = Setup::None;
        self.only_epsv = false;
        self.restart = 0;
        self.rename_from = None;
        self.facts = FactSet::ALL;
        self.ascii = true;
    }

    /// Returns where a client's path leads.
    pub(super) fn resolve(&self, argument: &[u8]) -> Result<RelPath, Reply> {
        resolve(&self.working, argument).map_err(|error| Reply::new(501, format!("No path: {error}")))
    }

    /// Tells the observer, if there is one.
    pub(super) fn tell(&self, event: &ServerEvent<'_>) {
        self.shared.tell(self.peer, event);
    }

    fn obey(&mut self, line: &[u8]) -> Reply {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(CommandError::Unknown) => return Reply::new(500, "Unknown command"),
            Err(error) => return Reply::new(501, format!("Bad argument: {error}")),
        };
        self.tell(&ServerEvent::Command(&command));
        // RNTO must follow RNFR at once (RFC 959 §4.1.3).
        if command.verb() != Verb::Rnto {
            self.rename_from = None;
        }
        match self.shared.options.faults.as_ref().and_then(|faults| faults.command(command.verb())) {
            Some(fault) => self.obey_amiss(fault, &command),
            None if self.refused_with.is_some() && command.verb() == Verb::Pass => {
                Reply::new(self.refused_with.unwrap_or(530), "Too many connections from this user")
            }
            None => commands::obey(self, &command).unwrap_or_else(|refusal| refusal),
        }
    }

    /// Does with a command what a test wants to see. What is said on a connection that was cut is never sent.
    fn obey_amiss(&mut self, fault: CommandFault, command: &Command) -> Reply {
        let obey = |session: &mut Self| commands::obey(session, command).unwrap_or_else(|refusal| refusal);
        match fault {
            CommandFault::Cut => {
                self.control.cut();
                Reply::new(421, "Cut")
            }
            CommandFault::LoseReply => {
                let reply = obey(self);
                self.control.cut();
                reply
            }
            CommandFault::Close => {
                self.leaving = true;
                Reply::new(421, "Closing the control connection")
            }
            CommandFault::Refuse(code) => {
                self.restart = 0;
                Reply::new(code, "Not now")
            }
            CommandFault::Stall(pause) => {
                self.control.pause(pause);
                obey(self)
            }
            CommandFault::AnswerLate(pause) => {
                let reply = obey(self);
                self.control.pause(pause);
                reply
            }
        }
    }
}

/// Returns an IPv4 address that came over an IPv6 socket as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}
