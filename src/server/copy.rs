//! Bytes between a data connection and a file.
//!
//! Where the kernel can send file content to a socket by itself, it does. Every so often, and whenever the client's side
//! is full or empty, the control connection is looked at for ABOR.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::ftp::command::Verb;
use crate::server::control::{Control, Interrupt};
use crate::server::stream::Stream;
use crate::server::{DataFault, Faults};

/// A data connection at work.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    control: &'a mut Control,
    stream: Stream,
    patience: Duration,
    bytes: u64,
    /// How many bytes since the control connection was looked at.
    unwatched: usize,
    /// What is to go wrong with it; `None` outside tests.
    amiss: Option<Amiss>,
}

/// What a test wants to go wrong with a data connection.
#[derive(Debug)]
struct Amiss {
    faults: Arc<Faults>,
    fault: Option<DataFault>,
    is_listing: bool,
    last: u8,
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
    pub(super) fn new(
        control: &'a mut Control,
        stream: Stream,
        patience: Duration,
        faults: Option<(Arc<Faults>, Verb)>,
    ) -> Self {
        let amiss = faults.map(|(faults, verb)| Amiss {
            fault: faults.data(),
            faults,
            is_listing: !matches!(verb, Verb::Retr | Verb::Stor | Verb::Appe),
            last: b'\n',
        });
        Self { control, stream, patience, bytes: 0, unwatched: 0, amiss }
    }

    /// Returns how many bytes went over the connection.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends `bytes`.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let Some(most) = self.may_go(bytes.len())? else { return Ok(()) };
            match self.stream.write(&bytes[..most]) {
                Ok(0) => return Err(Broken::Network(ErrorKind::WriteZero.into())),
                Ok(n) => {
                    self.note_last(bytes[n - 1]);
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
            let may_go = self.may_go(buffer.len())?;
            let most = may_go.unwrap_or(buffer.len());
            match self.stream.read(&mut buffer[..most]) {
                Ok(0) => {
                    if self.stream.is_tls() {
                        // Some clients wait for it. All they sent is here, even if it can't go any more.
                        let _ = self.stream.finish();
                    }
                    return Ok(());
                }
                Ok(n) => {
                    if may_go.is_some() {
                        self.keep(file, &buffer[..n])?;
                    }
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
            // `rustix` takes this for a plain call, but a closed connection also raises SIGPIPE, which every Rust program
            // ignores from its start.
            let Some(most) = self.may_go(STRETCH_BYTES)? else { return Ok(None) };
            let Some(socket) = self.stream.bare_socket() else { return Ok(Some(offset)) };
            match rustix::fs::sendfile(socket, file, Some(&mut offset), most) {
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

    /// Returns how many of `wanted` bytes may go next; `None` when the rest is to be missing though all seems well.
    fn may_go(&mut self, wanted: usize) -> Result<Option<usize>, Broken> {
        let Some(Amiss { fault: Some(fault), is_listing, last, .. }) = &self.amiss else {
            return Ok(Some(wanted));
        };
        let distance = fault.distance(self.bytes);
        if let DataFault::Drip { bytes, pause } = *fault
            && self.bytes > 0
            && self.bytes.is_multiple_of(bytes.max(1))
        {
            self.control.pause(pause);
        }
        if distance > 0 {
            return Ok(Some(usize::try_from(distance).unwrap_or(usize::MAX).min(wanted)));
        }
        match *fault {
            DataFault::Short { .. } if *is_listing && *last == b'\n' => return Ok(Some(1)),
            DataFault::Short { .. } => return Ok(None),
            DataFault::Stall { pause, .. } => {
                self.control.pause(pause);
                self.amiss.as_mut().expect("it was just looked at").fault = None;
                return Ok(Some(wanted));
            }
            DataFault::CutBoth { .. } => {
                self.control.cut();
                return Err(Broken::Interrupted(Interrupt::Gone));
            }
            DataFault::Reset { .. } => self.stream.reset_at_end(),
            DataFault::Cut { .. } | DataFault::Drip { .. } => {}
        }
        Err(Broken::Network(ErrorKind::ConnectionAborted.into()))
    }

    fn note_last(&mut self, last: u8) {
        if let Some(amiss) = &mut self.amiss {
            amiss.last = last;
        }
    }

    /// Writes what came, as far as there is room.
    fn keep(&self, file: &mut File, bytes: &[u8]) -> Result<(), Broken> {
        let (takes, code) = match self.amiss.as_ref().map(|amiss| amiss.faults.room_for(bytes.len())) {
            None => (bytes.len(), 0),
            Some(Ok(takes)) => (takes, 0),
            Some(Err(code)) => (0, code),
        };
        file.write_all(&bytes[..takes]).map_err(Broken::File)?;
        match code {
            0 if takes == bytes.len() => Ok(()),
            0 => self.keep(file, &bytes[takes..]),
            452 => Err(Broken::File(Errno::NOSPC.into())),
            _ => Err(Broken::File(Errno::DQUOT.into())),
        }
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
