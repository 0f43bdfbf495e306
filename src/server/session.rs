//! One control session: what the client has said so far, and the loop that obeys it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::ftp::command::{Command, CommandError, Verb};
use crate::ftp::reply::Reply;
use crate::model::RelPath;
use crate::rooted::Rooted;
use crate::server::commands;
use crate::server::control::{Control, Input};
use crate::server::data::Setup;
use crate::server::line::{Line, MAX_LINE_BYTES};
use crate::server::mlsx::FactSet;
use crate::server::path::resolve;
use crate::server::wait::Stop;
use crate::server::{ServeOptions, ServerEvent};

/// What all sessions of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ServeOptions,
    pub(super) root: Rooted,
    pub(super) stop: Stop,
    ports_tried: AtomicU32,
}

impl Shared {
    pub(super) fn new(options: ServeOptions, root: Rooted, stop: Stop) -> Self {
        Self { options, root, stop, ports_tried: AtomicU32::new(0) }
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
    /// Whether the session ends with the next reply.
    pub(super) leaving: bool,
    /// For file content that the kernel can't copy by itself. Empty until the first transfer.
    pub(super) buffer: Vec<u8>,
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
            leaving: false,
            buffer: Vec::new(),
        })
    }

    /// Serves the client until one of the two has enough.
    pub(super) fn run(mut self) {
        self.tell(&ServerEvent::Connected);
        self.control.reply(&Reply::new(220, "oneway ready"));
        while !self.leaving {
            let reply = match self.control.next() {
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
        }
        self.shared.tell(self.peer, &ServerEvent::Closed);
        self.control.close();
    }

    /// Starts over as after connecting (REIN). What was negotiated for the connection itself stays.
    pub(super) fn forget_user(&mut self) {
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
        commands::obey(self, &command).unwrap_or_else(|refusal| refusal)
    }
}

/// Returns an IPv4 address that came over an IPv6 socket as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}
