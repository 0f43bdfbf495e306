//! Bytes between a data connection and a file.
//!
//! Where the kernel can send file content to a socket by itself, it does. Every so often, and whenever the client's side
//! is full or empty, the control connection is looked at for ABOR.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::server::control::{Control, Interrupt};
use crate::server::stream::Stream;

/// A data connection at work.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    control: &'a mut Control,
    stream: Stream,
    patience: Duration,
    bytes: u64,
    /// How many bytes since the control connection was looked at.
    unwatched: usize,
}

/// Why a transfer broke off.
#[derive(Debug)]
pub(super) enum Broken {
    /// Something ended it from outside.
    Interrupted(Interrupt),
    /// The data connection failed.
    Network(io::Error),
    /// The file or directory failed.
    File(io::Error),
}

impl<'a> Transfer<'a> {
    pub(super) fn new(control: &'a mut Control, stream: Stream, patience: Duration) -> Self {
        Self { control, stream, patience, bytes: 0, unwatched: 0 }
    }

    /// Returns how many bytes went over the connection.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends `bytes`.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(Broken::Network(ErrorKind::WriteZero.into())),
                Ok(n) => {
                    bytes = &bytes[n..];
                    self.went(n, PollFlags::OUT)?;
                }
                Err(error) => self.retry(error, PollFlags::OUT)?,
            }
        }
        Ok(())
    }

    /// Sends what the file holds from `offset` on.
    pub(super) fn send_file(
        &mut self,
        file: &mut File,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), Broken> {
        let Some(offset) = self.send_by_kernel(file, offset)? else { return Ok(()) };
        file.seek(SeekFrom::Start(offset)).map_err(Broken::File)?;
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => self.send(&buffer[..n])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Broken::File(error)),
            }
        }
    }

    /// Ends the server's side, which tells the client that the data is whole.
    pub(super) fn finish(&mut self) -> Result<(), Broken> {
        loop {
            match self.stream.finish() {
                Ok(()) => break,
                Err(error) => self.retry(error, PollFlags::OUT)?,
            }
        }
        self.stream.drain();
        Ok(())
    }

    /// Writes what comes to the file, at its place, until the client ends the connection; under TLS, until it says that this is
    /// all.
    pub(super) fn receive_file(&mut self, file: &mut File, buffer: &mut [u8]) -> Result<(), Broken> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    if self.stream.is_tls() {
                        // Some clients wait for it. All they sent is here, even if it can't go any more.
                        let _ = self.stream.finish();
                    }
                    return Ok(());
                }
                Ok(n) => {
                    file.write_all(&buffer[..n]).map_err(Broken::File)?;
                    self.went(n, PollFlags::IN)?;
                }
                Err(error) => self.retry(error, PollFlags::IN)?,
            }
        }
    }

    /// Sends by the kernel's own copy; returns the offset from which on it can't, if there is one.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn send_by_kernel(&mut self, file: &File, mut offset: u64) -> Result<Option<u64>, Broken> {
        loop {
            let Some(socket) = self.stream.bare_socket() else { return Ok(Some(offset)) };
            // `rustix` takes this for a plain call, but a closed connection also raises SIGPIPE, which every Rust program
            // ignores from its start.
            match rustix::fs::sendfile(socket, file, Some(&mut offset), STRETCH_BYTES) {
                Ok(0) => return Ok(None),
                Ok(n) => self.went(n, PollFlags::OUT)?,
                // Some file systems can't; what is left goes through a buffer.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return Ok(Some(offset)),
                Err(Errno::IO) => return Err(Broken::File(Errno::IO.into())),
                Err(error) => self.retry(error.into(), PollFlags::OUT)?,
            }
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn send_by_kernel(&mut self, _file: &File, offset: u64) -> Result<Option<u64>, Broken> {
        Ok(Some(offset))
    }

    fn went(&mut self, bytes: usize, direction: PollFlags) -> Result<(), Broken> {
        self.bytes += bytes as u64;
        self.unwatched += bytes;
        if self.unwatched < STRETCH_BYTES {
            return Ok(());
        }
        self.unwatched = 0;
        // A look and no wait: TLS may hold bytes that the socket doesn't show.
        match self.control.wait_beside(self.stream.as_fd(), direction, Duration::ZERO) {
            Err(Interrupt::Silent) => Ok(()),
            looked => looked.map_err(Broken::Interrupted),
        }
    }

    /// Waits when the connection wasn't ready; gives back every other error.
    fn retry(&mut self, error: io::Error, direction: PollFlags) -> Result<(), Broken> {
        match error.kind() {
            ErrorKind::WouldBlock => self.wait(direction),
            ErrorKind::Interrupted => Ok(()),
            _ => Err(Broken::Network(error)),
        }
    }

    fn wait(&mut self, direction: PollFlags) -> Result<(), Broken> {
        self.unwatched = 0;
        self.control.wait_beside(self.stream.as_fd(), direction, self.patience).map_err(Broken::Interrupted)
    }
}

/// How many bytes go by at most before the control connection is looked at.
const STRETCH_BYTES: usize = 1 << 20;
