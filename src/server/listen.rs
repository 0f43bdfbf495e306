//! Takes connections in and gives each a thread.

use std::io::{self, ErrorKind, Write};
use std::iter;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::server::ServerEvent;
use crate::server::session::{Session, Shared};
use crate::server::wait::Waited;

/// How the connections of a port begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In clear, and with AUTH go on under TLS.
    Explicit,
    /// With TLS.
    Implicit,
}

/// A port to serve.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    pub(super) address: SocketAddr,
    kind: Kind,
}

impl Port {
    /// Listens.
    pub(super) fn open(address: SocketAddr, kind: Kind) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener, kind })
    }
}

/// Serves until the server stops and the last session is gone.
pub(super) fn serve(ports: &[Port], shared: &Arc<Shared>) {
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let listeners = ports.iter().map(|port| PollFd::new(&port.listener, PollFlags::IN));
        let mut sockets: Vec<_> = iter::once(shared.stop.bell()).chain(listeners).collect();
        if !matches!(shared.stop.wait(&mut sockets, None), Ok(Waited::Ready)) {
            break;
        }
        for port in ports {
            take_in(port, shared, &mut sessions);
        }
    }
    // Also after a failed wait, which leaves nobody to take connections in.
    shared.stop.raise();
    for session in sessions {
        // A panic was told on its own thread and took nothing but its session with it.
        let _ = session.join();
    }
}

/// Takes one connection in, if there is one.
fn take_in(port: &Port, shared: &Arc<Shared>, sessions: &mut Vec<JoinHandle<()>>) {
    match port.listener.accept() {
        Ok((socket, peer)) => {
            sessions.retain(|session| !session.is_finished());
            if sessions.len() >= shared.options.max_connections {
                shared.tell(peer, &ServerEvent::TurnedAway);
                turn_away(socket, port.kind, b"421 Too many connections; try again later\r\n");
            } else if shared.attempts.shuts_out(peer.ip(), Instant::now()) {
                shared.tell(peer, &ServerEvent::ShutOut);
                let why = b"421 Too many failed logins from your address; try again later\r\n";
                turn_away(socket, port.kind, why);
            } else {
                sessions.extend(begin(socket, peer, port.kind, shared));
            }
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
        // Most likely no file handles are left, which only time can cure.
        Err(_) => shared.stop.sleep(Duration::from_millis(100)),
    }
}

fn begin(socket: TcpStream, peer: SocketAddr, kind: Kind, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    // A client that is gone before its session begins, or a system without threads to give: there is nobody to tell.
    thread::Builder::new()
        .name(format!("ftp session {peer}"))
        .spawn(move || {
            if let Ok(session) = Session::new(socket, peer, shared) {
                session.run(kind);
            }
        })
        .ok()
}

/// Says why there is no session, if the client takes it without making us wait. One that waits for TLS would take it for nonsense.
fn turn_away(mut socket: TcpStream, kind: Kind, why: &[u8]) {
    if kind == Kind::Explicit && socket.set_nonblocking(true).is_ok() {
        let _ = socket.write_all(why);
    }
}
