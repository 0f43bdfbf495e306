//! Opening a transfer: its data connection and the command that uses it.
//!
//! The careful way asks for a port, connects, sends the command and waits, one after the other; every server understands
//! it. A [`Flight`] is all commands in one segment: a round trip instead of two or three, for servers that are known to
//! read ahead. It may leave long before its replies are wanted.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use crate::ftp::client::{Client, command};
use crate::ftp::command::{Command, Verb};
use crate::ftp::connect::Link;
use crate::ftp::data::{ActiveListener, DataMode, connect_passive, parse_epsv, parse_pasv};
use crate::ftp::error::{Clock, FtpError};
use crate::ftp::reply::{Class, Reply};
use crate::ftp::transcript::Direction;
use crate::ftp::transfer::Transfer;

/// The commands of a transfer that were sent and whose replies are still to come.
#[derive(Debug)]
pub struct Flight {
    passive: Verb,
    transfer: Command,
    offset: u64,
}

/// What is known of a transfer before its data connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Await {
    /// The server's word that it begins.
    Beginning,
    /// Nothing: the data leaves at once. For uploads so small that the kernel holds them, since a server that
    /// refuses never reads them.
    Nothing,
}

impl Client {
    /// Sends `transfer` over a new data connection and waits until the server begins.
    pub(super) fn open_data(&mut self, transfer: &Command, offset: u64) -> Result<Transfer, FtpError> {
        match self.options.data_mode {
            DataMode::Passive => {
                let stream = self.open_passive()?;
                let early = self.begin(transfer, offset)?;
                Ok(Transfer::new(transfer.verb(), self.data_link(stream)?, early))
            }
            DataMode::Active => {
                let how = || "active mode".to_owned();
                let fail = |source| FtpError::DataConnect { how: how(), source };
                let listener = ActiveListener::bind(self.local, self.peer.ip()).map_err(fail)?;
                self.control.demand(&listener.command().map_err(fail)?)?;
                let early = self.begin(transfer, offset)?;
                let stream = listener
                    .accept(self.options.timeouts.connect, &self.options.cancel)
                    .inspect_err(|_| self.control.give_up())
                    .map_err(|source| FtpError::DataConnect { how: how(), source })?;
                Ok(Transfer::new(transfer.verb(), self.data_link(stream)?, early))
            }
        }
    }

    fn data_link(&mut self, stream: TcpStream) -> Result<Link, FtpError> {
        let timeout = self.options.timeouts.data;
        Link::new(stream, Clock::Data, timeout, self.options.cancel.clone())
            .inspect_err(|_| self.control.give_up())
            .map_err(FtpError::Lost)
    }

    /// Asks for a port, by EPSV unless that has failed before on this host, and connects to it.
    fn open_passive(&mut self) -> Result<TcpStream, FtpError> {
        let only_epsv = self.peer.ip().to_canonical().is_ipv6();
        if self.may_epsv() {
            match self.try_passive(Verb::Epsv) {
                Ok(stream) => return Ok(stream),
                Err(e) if only_epsv || !self.control.is_usable() || is_for_later(&e) => {
                    // Some routers swallow EPSV: the next session had better not send it.
                    if matches!(e, FtpError::Timeout { clock: Clock::Reply, .. }) {
                        self.notes.epsv_fails.store(true, Ordering::Relaxed);
                    }
                    return Err(e);
                }
                Err(_) => self.notes.epsv_fails.store(true, Ordering::Relaxed),
            }
        }
        self.try_passive(Verb::Pasv)
    }

    fn try_passive(&mut self, verb: Verb) -> Result<TcpStream, FtpError> {
        let reply = self.control.demand(&Command::bare(verb))?;
        let port = if verb == Verb::Epsv { parse_epsv(reply.text()) } else { parse_pasv(reply.text()) };
        let Some(port) = port else {
            return Err(FtpError::Protocol(format!("`{reply}` names no usable port")));
        };
        self.control.note(Direction::Noted, &format_args!("data connection to port {port}"));
        connect_passive(self.peer, port, self.options.timeouts.connect, &self.options.cancel)
            .map_err(|source| FtpError::DataConnect { how: format!("{verb}, port {port}"), source })
    }

    /// Sends the transfer command behind its offset. Returns the final reply if it comes at once.
    fn begin(&mut self, transfer: &Command, offset: u64) -> Result<Option<Reply>, FtpError> {
        if offset > 0 {
            let reply = self.control.call(&command(Verb::Rest, offset.to_string())?)?;
            if reply.class() != Class::Intermediate && !reply.is_ok() {
                return Err(FtpError::refused(Verb::Rest, reply));
            }
        }
        self.control.send(transfer)?;
        self.hear_beginning(transfer.verb())
    }

    /// Hears the first reply to a transfer command. Returns it if it is the final one already.
    fn hear_beginning(&mut self, verb: Verb) -> Result<Option<Reply>, FtpError> {
        let reply = self.control.reply()?;
        match reply.class() {
            Class::Preliminary => {
                self.transferring = true;
                Ok(None)
            }
            Class::Completion => Ok(Some(reply)),
            _ => Err(FtpError::refused(verb, reply)),
        }
    }

    /// Returns whether transfers of this kind can be opened by a [`Flight`].
    pub fn has_flights(&self, verb: Verb) -> bool {
        let quirks = self.quirks;
        let known = if verb == Verb::Stor { quirks.upload_flights } else { quirks.download_flights };
        known && self.options.data_mode == DataMode::Passive
    }

    /// Sends what opens a transfer, behind whatever is outstanding. To be opened by `open_flight` once everything
    /// that was sent before is answered.
    ///
    /// # Errors
    /// When the session is lost.
    pub fn send_flight(&mut self, transfer: &Command, offset: u64) -> Result<Flight, FtpError> {
        let passive = if self.may_epsv() { Verb::Epsv } else { Verb::Pasv };
        self.control.send(&Command::bare(passive))?;
        if offset > 0 {
            self.control.send(&command(Verb::Rest, offset.to_string())?)?;
        }
        self.control.send(transfer)?;
        self.control.flush()?;
        Ok(Flight { passive, transfer: transfer.clone(), offset })
    }

    /// Hears the replies to a flight and connects.
    ///
    /// # Errors
    /// The server's refusal, or why there is no data connection.
    pub(super) fn open_flight(&mut self, flight: Flight, wait: Await) -> Result<Transfer, FtpError> {
        let Flight { passive, transfer, offset } = flight;
        let reply = self.control.final_reply().inspect_err(|e| {
            // Some routers swallow EPSV: the next session had better not send it.
            if passive == Verb::Epsv && matches!(e, FtpError::Timeout { clock: Clock::Reply, .. }) {
                self.notes.epsv_fails.store(true, Ordering::Relaxed);
            }
        })?;
        let port = match passive {
            Verb::Epsv => parse_epsv(reply.text()),
            _ => parse_pasv(reply.text()),
        };
        let Some(port) = port.filter(|_| reply.is_ok()) else {
            return self.open_after_refusal(reply, &transfer, offset);
        };
        self.control.note(Direction::Noted, &format_args!("data connection to port {port}"));
        let timeout = self.options.timeouts.connect;
        let stream = match connect_passive(self.peer, port, timeout, &self.options.cancel) {
            Ok(stream) => stream,
            Err(source) => {
                // The server waits for a connection that can't come; a new session had better use the other command.
                self.control.give_up();
                if passive == Verb::Epsv && source.kind() != io::ErrorKind::Interrupted {
                    self.notes.epsv_fails.store(true, Ordering::Relaxed);
                }
                return Err(FtpError::DataConnect { how: format!("{passive}, port {port}"), source });
            }
        };
        let data = self.data_link(stream)?;
        if offset > 0 {
            let reply = self.control.final_reply()?;
            if reply.class() != Class::Intermediate && !reply.is_ok() {
                // The transfer runs already, from the beginning of the file.
                self.control.give_up();
                return Err(FtpError::refused(Verb::Rest, reply));
            }
        }
        let early = match wait {
            Await::Beginning => self.hear_beginning(transfer.verb())?,
            Await::Nothing => {
                self.transferring = true;
                None
            }
        };
        Ok(Transfer::new(transfer.verb(), data, early))
    }

    /// The server gave no port, so the commands behind are refused as well; then the careful way is tried.
    fn open_after_refusal(
        &mut self,
        refusal: Reply,
        transfer: &Command,
        offset: u64,
    ) -> Result<Transfer, FtpError> {
        if offset > 0 {
            self.control.final_reply()?;
        }
        let reply = self.control.reply()?;
        if !matches!(reply.class(), Class::Transient | Class::Permanent) {
            self.control.give_up();
            return Err(FtpError::Protocol(format!("`{reply}` to {} without a port", transfer.verb())));
        }
        if refusal.class() == Class::Transient {
            return Err(FtpError::refused(Verb::Epsv, refusal));
        }
        self.open_data(transfer, offset)
    }

    fn may_epsv(&self) -> bool {
        self.peer.ip().to_canonical().is_ipv6() || !self.notes.epsv_fails.load(Ordering::Relaxed)
    }
}

/// Returns whether a failed EPSV says nothing about EPSV: `425 Address already in use` from a server that ran out of ports.
fn is_for_later(error: &FtpError) -> bool {
    match error {
        FtpError::Refused { reply, .. } => reply.class() == Class::Transient,
        FtpError::Cancelled => true,
        FtpError::DataConnect { source, .. } => source.kind() == io::ErrorKind::Interrupted,
        _ => false,
    }
}
