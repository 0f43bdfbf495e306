//! Opening a transfer: its data connection and the command that uses it.
//!
//! The careful way asks for a port, connects, sends the command and waits, one after the other; every server understands
//! it. A [`Flight`] is all commands in one segment: a round trip instead of two or three, for servers that are known to
//! read ahead. It may leave long before its replies are wanted.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::ftp::client::{Client, LEAVING, command};
use crate::ftp::command::{Command, Verb};
use crate::ftp::connect::Link;
use crate::ftp::data::{ActiveListener, DataMode, connect_passive, parse_epsv, parse_pasv};
use crate::ftp::error::{Clock, FtpError};
use crate::ftp::reply::{Class, Reply};
use crate::ftp::tls::Wire;
use crate::ftp::transcript::Direction;
use crate::ftp::transfer::Transfer;
use crate::model::Cancel;

/// The commands of a transfer that were sent and whose replies are still to come.
#[derive(Debug)]
pub struct Flight {
    door: Door,
    transfer: Command,
    offset: u64,
    /// The transfer command waits until the data connection is made.
    held: bool,
}

/// Where the data connection will come about.
#[derive(Debug)]
enum Door {
    /// At a port that the server names in answer to this command.
    Passive(Verb),
    /// Here.
    Active(ActiveListener),
}

impl Door {
    fn is_open_by(&self, reply: &Reply) -> bool {
        match self {
            Self::Passive(verb) => port_of(*verb, reply).is_some(),
            Self::Active(_) => reply.is_ok(),
        }
    }
}

/// Returns the port that a reply to EPSV or PASV names; `None` where it names none that can be used.
pub(super) fn port_of(verb: Verb, reply: &Reply) -> Option<u16> {
    let port = if verb == Verb::Epsv { parse_epsv(reply.text()) } else { parse_pasv(reply.text()) };
    port.filter(|_| reply.is_ok())
}

/// What makes a link of a socket.
pub(super) type Wrap = fn(TcpStream, Clock, Duration, Cancel) -> io::Result<Link>;

fn is_upload(verb: Verb) -> bool {
    matches!(verb, Verb::Stor | Verb::Appe)
}

pub(super) fn active_failure(source: io::Error) -> FtpError {
    FtpError::DataConnect { how: "active mode".to_owned(), source }
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
                let link = self.data_link(stream, self.connected(transfer.verb()))?;
                self.protected(transfer.verb(), link, early)
            }
            DataMode::Active => {
                let listener = self.listen()?;
                self.control.demand(&listener.command().map_err(active_failure)?)?;
                let early = self.begin(transfer, offset)?;
                let link = self.accept(&listener)?;
                self.protected(transfer.verb(), link, early)
            }
        }
    }

    /// Returns what makes a link of a socket that was connected from here.
    pub(super) fn connected(&self, verb: Verb) -> Wrap {
        if is_upload(verb) && self.tls.is_none() { Link::to_write } else { Link::connected }
    }

    /// Returns the transfer on `link`, which is protected first where data is. That can begin only once the server has: before its
    /// word, ProFTPD and Pure-FTPd wait for a command, and the client for them.
    pub(super) fn protected(
        &mut self,
        verb: Verb,
        mut link: Link,
        early: Option<Reply>,
    ) -> Result<Transfer, FtpError> {
        let Some(tls) = &self.tls else { return Ok(Transfer::new(verb, link, early)) };
        let shaken = tls.connection().and_then(|connection| {
            let wire = link.protect(Wire::new(connection))?;
            if tls.is_met_again(wire) {
                Ok((self.control.is_heard().then(|| wire.agreed()), wire.is_resumed()))
            } else {
                Err(FtpError::Foreign)
            }
        });
        match shaken {
            Ok((agreed, is_resumed)) => {
                if let Some(agreed) = agreed {
                    let how = if is_resumed { "the session resumed" } else { "a session of its own" };
                    let text = format_args!("data connection protected by {agreed}, {how}");
                    self.control.note(Direction::Data, &text);
                }
                Ok(Transfer::new(verb, link, early))
            }
            Err(e @ (FtpError::Cancelled | FtpError::Foreign | FtpError::Untrusted(_))) => {
                self.control.give_up();
                Err(e)
            }
            Err(e) => {
                drop(link);
                // Most servers say on the control connection what they don't like.
                self.control.set_timeout(LEAVING.min(self.options.timeouts.reply));
                let said = early.map_or_else(|| self.control.final_reply(), Ok);
                self.control.give_up();
                let cause = match said {
                    Ok(reply) if !reply.is_ok() => FtpError::refused(verb, reply),
                    _ => e,
                };
                Err(FtpError::DataTls(Box::new(cause)))
            }
        }
    }

    pub(super) fn data_link(&mut self, stream: TcpStream, wrap: Wrap) -> Result<Link, FtpError> {
        let timeout = self.options.timeouts.data;
        wrap(stream, Clock::Data, timeout, self.options.cancel.clone())
            .inspect_err(|_| self.control.give_up())
            .map_err(FtpError::Lost)
    }

    /// Asks for a port, by EPSV unless that has failed before on this host, and connects to it.
    pub(super) fn open_passive(&mut self) -> Result<TcpStream, FtpError> {
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
                Err(_) => self.blame_epsv(),
            }
        }
        self.try_passive(Verb::Pasv)
    }

    fn try_passive(&mut self, verb: Verb) -> Result<TcpStream, FtpError> {
        let reply = self.control.demand(&Command::bare(verb))?;
        let Some(port) = port_of(verb, &reply) else {
            return Err(FtpError::Protocol(format!("`{reply}` names no usable port")));
        };
        self.connect_data(verb, port)
    }

    /// Connects to a port of the server that was named in answer to `verb`.
    pub(super) fn connect_data(&mut self, verb: Verb, port: u16) -> Result<TcpStream, FtpError> {
        self.note_port(port);
        connect_passive(self.peer, port, self.options.timeouts.connect, &self.options.cancel)
            .inspect(|_| self.notes.connects.store(true, Ordering::Relaxed))
            .map_err(|source| FtpError::DataConnect { how: format!("{verb}, port {port}"), source })
    }

    /// Tells to where a data connection is made: always to the server itself.
    fn note_port(&self, port: u16) {
        let host = self.peer.ip().to_canonical();
        self.control.note(Direction::Data, &format_args!("data connection to {host} port {port}"));
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
        let begun = self.hear_beginning(transfer.verb());
        if offset > 0 && begun.as_ref().is_err_and(|e| e.reply().is_some()) && self.control.is_usable() {
            // No server was seen to keep the offset for the next transfer, which would be cut by it.
            let _ = self.control.call(&command(Verb::Rest, "0")?);
        }
        begun
    }

    /// Hears the first reply to a transfer command. Returns it if it is the final one already.
    pub(super) fn hear_beginning(&mut self, verb: Verb) -> Result<Option<Reply>, FtpError> {
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

    /// Returns whether transfers by `verb` can be opened by a [`Flight`].
    pub fn has_flights(&self, verb: Verb) -> bool {
        let quirks = self.quirks();
        // In active mode the server connects on STOR, which so can't wait for the connection.
        let in_time = self.options.data_mode == DataMode::Passive || !is_upload(verb) || quirks.early_upload;
        // What an unknown server does with a transfer command behind a refused EPSV is better not seen.
        let is_sure = !self.row.probe || self.notes.connects.load(Ordering::Relaxed);
        quirks.window > 1 && in_time && is_sure && !self.is_spent()
    }

    /// Returns whether a download may be announced while the one before it runs.
    pub fn has_pairs_ahead(&self) -> bool {
        self.options.data_mode == DataMode::Active && self.quirks().pairs_ahead
    }

    /// Sends what opens a transfer, behind whatever is outstanding. To be opened by `open_flight` once everything
    /// that was sent before is answered.
    ///
    /// # Errors
    /// When the session is lost, or no port can be listened on.
    pub fn send_flight(&mut self, transfer: &Command, offset: u64) -> Result<Flight, FtpError> {
        let door = match self.options.data_mode {
            DataMode::Passive => {
                let verb = if self.may_epsv() { Verb::Epsv } else { Verb::Pasv };
                self.control.send(&Command::bare(verb))?;
                Door::Passive(verb)
            }
            DataMode::Active => {
                let listener = self.listen()?;
                self.control.send(&listener.command().map_err(active_failure)?)?;
                Door::Active(listener)
            }
        };
        let mut flight = Flight { door, transfer: transfer.clone(), offset, held: true };
        if !is_upload(transfer.verb()) || self.quirks().early_upload {
            self.release(&mut flight)?;
        }
        self.control.flush()?;
        Ok(flight)
    }

    /// Sends the transfer command of a flight behind its offset.
    fn release(&mut self, flight: &mut Flight) -> Result<(), FtpError> {
        if flight.offset > 0 {
            self.control.send(&command(Verb::Rest, flight.offset.to_string())?)?;
        }
        self.control.send(&flight.transfer)?;
        flight.held = false;
        Ok(())
    }

    /// Hears the replies to a flight and connects.
    ///
    /// # Errors
    /// The server's refusal, or why there is no data connection.
    pub(super) fn open_flight(&mut self, flight: Flight, wait: Await) -> Result<Transfer, FtpError> {
        let opened = self.hear_flight(flight, wait);
        if let Err(e) = &opened
            && !self.control.is_usable()
        {
            self.window_failed(e);
        }
        opened
    }

    fn hear_flight(&mut self, mut flight: Flight, wait: Await) -> Result<Transfer, FtpError> {
        let reply = self.control.final_reply().inspect_err(|e| {
            // Some routers swallow EPSV: the next session had better not send it.
            if matches!(flight.door, Door::Passive(Verb::Epsv))
                && matches!(e, FtpError::Timeout { clock: Clock::Reply, .. })
            {
                self.notes.epsv_fails.store(true, Ordering::Relaxed);
            }
        })?;
        if !flight.door.is_open_by(&reply) {
            return self.open_after_refusal(reply, &flight);
        }
        let passive = match &flight.door {
            Door::Passive(verb) => Some(self.connect_to(*verb, &reply, &flight)?),
            Door::Active(_) => None,
        };
        if flight.held {
            self.release(&mut flight)?;
        }
        if flight.offset > 0 {
            let reply = self.control.final_reply()?;
            if reply.class() != Class::Intermediate && !reply.is_ok() {
                // The transfer runs already, from the beginning of the file.
                self.control.give_up();
                return Err(FtpError::refused(Verb::Rest, reply));
            }
        }
        let early = match wait {
            Await::Nothing if self.tls.is_some() => self.hear_beginning(flight.transfer.verb())?,
            Await::Beginning => self.hear_beginning(flight.transfer.verb())?,
            Await::Nothing => {
                self.control.flush()?;
                self.transferring = true;
                None
            }
        };
        let data = match (passive, &flight.door) {
            (Some(data), _) => data,
            (None, Door::Active(listener)) => self.accept(listener)?,
            (None, Door::Passive(_)) => unreachable!("it was connected to above"),
        };
        self.protected(flight.transfer.verb(), data, early)
    }

    /// Connects to the port that the server names.
    fn connect_to(&mut self, verb: Verb, reply: &Reply, flight: &Flight) -> Result<Link, FtpError> {
        let port = port_of(verb, reply).expect("the door is open");
        self.note_port(port);
        let timeout = self.options.timeouts.connect;
        match connect_passive(self.peer, port, timeout, &self.options.cancel) {
            Ok(stream) => {
                self.notes.connects.store(true, Ordering::Relaxed);
                self.data_link(stream, self.connected(flight.transfer.verb()))
            }
            Err(source) => {
                if let Some(refusal) = self.refusal_behind(&source, flight) {
                    return Err(refusal);
                }
                // The server waits for a connection that can't come; a new session had better use the other command.
                self.control.give_up();
                if verb == Verb::Epsv && source.kind() != io::ErrorKind::Interrupted {
                    self.blame_epsv();
                }
                Err(FtpError::DataConnect { how: format!("{verb}, port {port}"), source })
            }
        }
    }

    /// Returns the refusal of a transfer whose command left behind the one for the port: with it, ProFTPD 1.3.8 closes the port at once.
    fn refusal_behind(&mut self, source: &io::Error, flight: &Flight) -> Option<FtpError> {
        /// A refusal is there by now, or was never said.
        const SOON: Duration = Duration::from_secs(1);
        let is_closed =
            matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset);
        if !is_closed || flight.held || flight.offset > 0 {
            return None;
        }
        self.control.set_timeout(SOON);
        let reply = self.control.reply();
        self.control.set_timeout(self.options.timeouts.reply);
        let refusal =
            reply.ok().filter(|reply| matches!(reply.class(), Class::Transient | Class::Permanent))?;
        Some(FtpError::refused(flight.transfer.verb(), refusal))
    }

    /// The server gave no port or takes none, so the commands behind are refused as well; then the careful way is tried.
    fn open_after_refusal(&mut self, refusal: Reply, flight: &Flight) -> Result<Transfer, FtpError> {
        if refusal.code() == 450 {
            // ProFTPD: `450 EPSV: data transfer in progress`.
            self.notes.busy.store(true, Ordering::Relaxed);
        }
        let transfer = &flight.transfer;
        if !flight.held {
            if flight.offset > 0 {
                self.control.final_reply()?;
            }
            let reply = self.control.reply()?;
            if !matches!(reply.class(), Class::Transient | Class::Permanent) {
                self.control.give_up();
                return Err(FtpError::Protocol(format!("`{reply}` to {} without a port", transfer.verb())));
            }
        }
        match &flight.door {
            Door::Passive(verb) if refusal.class() == Class::Transient => {
                Err(FtpError::refused(*verb, refusal))
            }
            Door::Passive(_) => self.open_data(transfer, flight.offset),
            Door::Active(listener) => {
                let verb = listener.command().map_or(Verb::Port, |command| command.verb());
                Err(FtpError::refused(verb, refusal))
            }
        }
    }

    pub(super) fn listen(&self) -> Result<ActiveListener, FtpError> {
        ActiveListener::bind(self.local, self.peer.ip()).map_err(active_failure)
    }

    pub(super) fn accept(&mut self, listener: &ActiveListener) -> Result<Link, FtpError> {
        let accepted = listener.accept(self.options.timeouts.connect, &self.options.cancel);
        let stream = accepted.inspect_err(|_| self.control.give_up()).map_err(active_failure)?;
        self.notes.connects.store(true, Ordering::Relaxed);
        if let Ok(from) = stream.peer_addr() {
            let host = from.ip().to_canonical();
            self.control
                .note(Direction::Data, &format_args!("data connection from {host} port {}", from.port()));
        }
        self.data_link(stream, Link::new)
    }

    /// Remembers that EPSV leads nowhere on this host, unless it has led to a data connection: then it was chance.
    fn blame_epsv(&self) {
        if !self.notes.connects.load(Ordering::Relaxed) {
            self.notes.epsv_fails.store(true, Ordering::Relaxed);
        }
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
