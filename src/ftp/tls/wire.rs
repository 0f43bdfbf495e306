//! TLS over a socket that blocks no longer than a tick: nothing is lost when a read or write comes back empty-handed.

use std::io::{self, ErrorKind, Read, Write};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, HandshakeKind};

/// The client's end of a protected connection.
pub(crate) struct Wire {
    tls: ClientConnection,
    /// What came and was not decrypted yet: rustls reads 4 KiB at a time, which would be a system call for each.
    input: Vec<u8>,
    taken: usize,
    /// The stream ended without a word.
    cut: bool,
}

/// How much is read at once. The largest record has 16 KiB.
const READ_BYTES: usize = 64 << 10;

/// How much may wait to be sent.
const WRITE_BYTES: usize = 256 << 10;

impl Wire {
    pub(crate) fn new(mut tls: ClientConnection) -> Self {
        tls.set_buffer_limit(Some(WRITE_BYTES));
        Self { tls, input: Vec::new(), taken: 0, cut: false }
    }

    /// Goes one step on with the handshake. Returns whether it is done.
    pub(crate) fn shake(&mut self, mut socket: impl Read + Write) -> io::Result<bool> {
        self.push(&mut socket)?;
        if !self.tls.is_handshaking() {
            return Ok(true);
        }
        if !self.feed(&mut socket)? && self.fill(&mut socket)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(false)
    }

    /// Reads at least one byte; 0 at the end of the stream.
    pub(crate) fn read(&mut self, mut socket: impl Read + Write, buffer: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        loop {
            match self.tls.reader().read(&mut buffer[got..]) {
                // The end, said as it should be, or no room left.
                Ok(0) => return Ok(got),
                Ok(n) => got += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if self.feed(&mut socket)? {
                        continue;
                    }
                    if got > 0 {
                        return Ok(got);
                    }
                    self.fill(&mut socket)?;
                }
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    self.cut = true;
                    return Ok(got);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes up to all of `bytes`, of which some may still wait to be sent.
    pub(crate) fn write(&mut self, mut socket: impl Write, bytes: &[u8]) -> io::Result<usize> {
        self.push(&mut socket)?;
        let taken = self.tls.writer().write(bytes)?;
        match self.push(&mut socket) {
            Err(e) if !is_tick(&e) => Err(e),
            _ => Ok(taken),
        }
    }

    /// Sends what waits.
    pub(crate) fn push(&mut self, mut socket: impl Write) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut socket)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Puts the word that nothing more comes behind what waits.
    pub(crate) fn end(&mut self) {
        self.tls.send_close_notify();
    }

    /// Returns whether the stream ended without the word that ends it: by accident, or by somebody who wants it shorter.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut
    }

    /// Returns whether something was received and not read yet.
    pub(crate) fn has_unread(&self) -> bool {
        self.taken < self.input.len()
    }

    /// Returns the certificate at the other end.
    pub(crate) fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.tls.peer_certificates().and_then(<[_]>::first)
    }

    /// Returns whether an earlier session was gone on with.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Returns what was agreed on, for people.
    pub(crate) fn agreed(&self) -> String {
        let version = self.tls.protocol_version().and_then(|v| v.as_str().map(|v| v.replace("v1_", " 1.")));
        let suite = self.tls.negotiated_cipher_suite().and_then(|s| s.suite().as_str());
        format!("{}, {}", version.as_deref().unwrap_or("TLS"), suite.unwrap_or("?"))
    }

    /// Decrypts some of what was received. Returns whether there was any.
    fn feed(&mut self, mut socket: impl Write) -> io::Result<bool> {
        if !self.has_unread() {
            return Ok(false);
        }
        self.taken += self.tls.read_tls(&mut &self.input[self.taken..])?;
        if !self.has_unread() {
            self.input.clear();
            self.taken = 0;
        }
        self.process(&mut socket)?;
        Ok(true)
    }

    /// Receives something. Returns how much; 0 at the end of the stream.
    fn fill(&mut self, mut socket: impl Read + Write) -> io::Result<usize> {
        self.input.resize(READ_BYTES, 0);
        let read = socket.read(&mut self.input);
        self.input.truncate(*read.as_ref().unwrap_or(&0));
        self.taken = 0;
        if read? == 0 {
            self.tls.read_tls(&mut io::empty())?;
            self.process(&mut socket)?;
            return Ok(0);
        }
        Ok(self.input.len())
    }

    fn process(&mut self, mut socket: impl Write) -> io::Result<()> {
        let processed = self.tls.process_new_packets();
        if processed.is_err() || self.tls.wants_write() {
            // What the other end should know: an alert, or that keys were changed. It can wait.
            let _ = self.push(&mut socket);
        }
        processed.map(drop).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({})", self.agreed())
    }
}

/// Returns whether the socket only asks for patience.
fn is_tick(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
