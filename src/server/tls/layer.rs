//! TLS over a socket that never blocks: what can't be done now is `WouldBlock`, and done later from where it stopped.
//!
//! The socket is handed to each call, so that this also works over anything else that reads and writes.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustix::event::PollFlags;
use rustls::{HandshakeKind, ServerConnection};

use crate::server::tls::Terms;
use crate::server::tls::guard::Guard;

/// The state of TLS on one connection.
#[derive(Debug)]
pub(in crate::server) struct Layer {
    connection: ServerConnection,
    guard: Option<Arc<Guard>>,
    /// Bytes off the socket, of which those from `taken` to `filled` are not decrypted yet. rustls by itself reads 4 KiB at a time.
    raw: Vec<u8>,
    taken: usize,
    filled: usize,
    /// How many decrypted bytes wait.
    decrypted: usize,
    peer: Peer,
    /// Whether this side's close_notify is among what was or will be sent.
    closing: bool,
}

/// What is known of the other side's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Sending,
    /// close_notify came, and nobody was told.
    Ended,
    /// Its end was told by a read of nothing.
    Told,
}

impl Layer {
    pub(in crate::server) fn new(terms: Terms) -> io::Result<Self> {
        let mut connection = ServerConnection::new(terms.config).map_err(io::Error::other)?;
        // A piece is only taken in once the one before has gone, which is limit enough.
        connection.set_buffer_limit(None);
        Ok(Self {
            connection,
            guard: terms.guard,
            raw: vec![0; RAW_BYTES],
            taken: 0,
            filled: 0,
            decrypted: 0,
            peer: Peer::Sending,
            closing: false,
        })
    }

    /// Goes on with the handshake; returns what to wait for, and `None` when it is done.
    pub(in crate::server) fn handshake(
        &mut self,
        socket: &mut (impl Read + Write),
    ) -> io::Result<Option<PollFlags>> {
        loop {
            match self.flush(socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Some(PollFlags::OUT)),
                flushed => flushed?,
            }
            if !self.connection.is_handshaking() {
                return Ok(None);
            }
            match self.take_in(socket) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the client left")),
                Ok(_) => {
                    if let Some(guard) = &self.guard {
                        guard.step(self.is_resumed());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Some(PollFlags::IN)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether the handshake resumed a session.
    pub(in crate::server) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Returns whether a read would give something that the socket no longer shows as readable.
    pub(in crate::server) fn holds_input(&self) -> bool {
        self.taken < self.filled || self.decrypted > 0 || self.peer == Peer::Ended
    }

    /// Reads decrypted bytes. Nothing (0) is an end that the other side confirmed; one it didn't is `UnexpectedEof`.
    pub(in crate::server) fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(n) => {
                    self.decrypted -= n;
                    if n == 0 && !buffer.is_empty() {
                        self.peer = Peer::Told;
                    }
                    return Ok(n);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(unconfirmed_end()),
                Err(error) => return Err(error),
            }
            // An answer to what was read before may wait; where it can't be sent, the next write will tell.
            let _ = self.flush(socket);
            self.take_in(socket)?;
        }
    }

    /// Encrypts a piece and sends what goes at once. What is left goes with the next call of anything.
    pub(in crate::server) fn write(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let n = self.connection.writer().write(&bytes[..bytes.len().min(PIECE_BYTES)])?;
        match self.flush(socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            flushed => flushed?,
        }
        Ok(n)
    }

    /// Sends all that is encrypted already.
    pub(in crate::server) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Confirms that all was sent (close_notify), behind what waits.
    pub(in crate::server) fn finish(&mut self, socket: &mut impl Write) -> io::Result<()> {
        if !self.closing {
            self.closing = true;
            self.connection.send_close_notify();
        }
        self.flush(socket)
    }

    /// Reads off the socket if nothing is left of the last time, and decrypts some of it. Returns 0 at the socket's end.
    fn take_in(&mut self, socket: &mut (impl Read + Write)) -> io::Result<usize> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
            self.filled = loop {
                match socket.read(&mut self.raw) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            // rustls tells an end without close_notify from one with it, and so must see both.
            if self.filled == 0 {
                return self.connection.read_tls(&mut io::empty());
            }
        }
        let n = self.connection.read_tls(&mut &self.raw[self.taken..self.filled])?;
        self.taken += n;
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.decrypted = state.plaintext_bytes_to_read();
                if state.peer_has_closed() {
                    // Nothing counts behind close_notify.
                    self.taken = self.filled;
                    if self.peer == Peer::Sending {
                        self.peer = Peer::Ended;
                    }
                }
                Ok(n)
            }
            Err(error) => {
                // The alert that says why, if it can go.
                let _ = self.flush(socket);
                Err(io::Error::new(ErrorKind::InvalidData, error))
            }
        }
    }
}

fn unconfirmed_end() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it ended without close_notify, so something may be missing")
}

/// What is read off the socket at once.
const RAW_BYTES: usize = 64 << 10;
/// What is encrypted at once: eight records.
const PIECE_BYTES: usize = 128 << 10;
