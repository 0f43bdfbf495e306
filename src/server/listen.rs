//! Takes connections in and gives each a thread.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use crate::server::ServerEvent;
use crate::server::session::{Session, Shared};
use crate::server::wait::Waited;

/// Serves until the server stops and the last session is gone.
pub(super) fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let mut sockets = [shared.stop.bell(), PollFd::new(listener, PollFlags::IN)];
        if !matches!(shared.stop.wait(&mut sockets, None), Ok(Waited::Ready)) {
            break;
        }
        match listener.accept() {
            Ok((socket, peer)) => {
                sessions.retain(|session| !session.is_finished());
                if sessions.len() < shared.options.max_connections {
                    sessions.extend(begin(socket, peer, shared));
                } else {
                    shared.tell(peer, &ServerEvent::TurnedAway);
                    turn_away(socket);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
            // Most likely no file handles are left, which only time can cure.
            Err(_) => shared.stop.sleep(Duration::from_millis(100)),
        }
    }
    // Also after a failed wait, which leaves nobody to take connections in.
    shared.stop.raise();
    for session in sessions {
        // A panic was told on its own thread and took nothing but its session with it.
        let _ = session.join();
    }
}

fn begin(socket: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    // A client that is gone before its session begins, or a system without threads to give: there is nobody to tell.
    thread::Builder::new()
        .name(format!("ftp session {peer}"))
        .spawn(move || {
            if let Ok(session) = Session::new(socket, peer, shared) {
                session.run();
            }
        })
        .ok()
}

/// Says that there are too many, if the client takes it without making us wait.
fn turn_away(mut socket: TcpStream) {
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.write_all(b"421 Too many connections; try again later\r\n");
    }
}
