//! A control or data connection, as all above it sees one. Plain TCP today; TLS will be a second kind in here.
//!
//! Never blocks: what can't be done now is `WouldBlock`, and the caller waits in `wait.rs`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

/// One connection.
#[derive(Debug)]
pub(super) struct Stream(TcpStream);

impl Stream {
    pub(super) fn plain(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Returns the socket when the kernel may write file content to it directly, which it can't through TLS.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn bare_socket(&self) -> Option<&TcpStream> {
        Some(&self.0)
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
