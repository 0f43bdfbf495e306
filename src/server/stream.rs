//! A control or data connection, as all above it sees one: plain TCP, or TLS over it.
//!
//! Never blocks: what can't be done now is `WouldBlock`, and the caller waits in `wait.rs`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::PollFlags;

use crate::server::tls::{Layer, Terms};

/// One connection.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    tls: Option<Box<Layer>>,
}

impl Stream {
    pub(super) fn plain(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, tls: None })
    }

    /// Speaks TLS from now on. [`Stream::handshake`] comes next.
    pub(super) fn begin_tls(&mut self, terms: Terms) -> io::Result<()> {
        // Handshakes are small and each part of them is waited for.
        self.socket.set_nodelay(true)?;
        self.tls = Some(Box::new(Layer::new(terms)?));
        Ok(())
    }

    /// Goes on with the handshake; returns what to wait for, and `None` when it is done.
    pub(super) fn handshake(&mut self) -> io::Result<Option<PollFlags>> {
        match &mut self.tls {
            Some(tls) => tls.handshake(&mut &self.socket),
            None => Ok(None),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns whether it resumed the TLS session of another connection.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_resumed())
    }

    /// Returns whether there is something to read that waiting for the socket wouldn't tell of.
    pub(super) fn holds_input(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.holds_input())
    }

    /// Returns the socket when the kernel may write file content to it directly, which it can't through TLS.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn bare_socket(&self) -> Option<&TcpStream> {
        self.tls.is_none().then_some(&self.socket)
    }

    /// Tells the peer that nothing more will come; to be called again after `WouldBlock`.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.finish(&mut &self.socket)?;
        }
        self.socket.shutdown(Shutdown::Write)
    }

    /// Ends both directions at once, without a word.
    pub(super) fn cut(&mut self) {
        // One that is cut already can't be cut.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Has the peer hear of a reset when this is dropped, instead of an end.
    pub(super) fn reset_at_end(&mut self) {
        // A socket that can't is only ended more politely.
        let _ = rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Throws away what came and was not read: closing a socket with unread bytes resets the connection, and the reset may
    /// overtake what was sent last.
    pub(super) fn drain(&mut self) {
        let mut rest = [0; 4096];
        for _ in 0..64 {
            if !matches!((&self.socket).read(&mut rest), Ok(n) if n > 0) {
                break;
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => {
                let read = tls.read(&mut &self.socket, buffer);
                if matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                    acknowledge_at_once(&self.socket);
                }
                read
            }
            None => self.socket.read(buffer),
        }
    }
}

/// What was written is on its way only after a flush.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.write(&mut &self.socket, bytes),
            None => self.socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.flush(&mut &self.socket),
            None => Ok(()),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A client's close_notify may wait until what it sent before is acknowledged (RFC 896), which Linux puts off for 40 ms.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn acknowledge_at_once(socket: &TcpStream) {
    // A socket that can't is only slower.
    let _ = rustix::net::sockopt::set_tcp_quickack(socket, true);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn acknowledge_at_once(_: &TcpStream) {}
