//! The control connection: commands out, replies in, one expected reply for each command sent.
//!
//! The queue of what is outstanding is what makes sending several commands at once safe: replies are matched in order,
//! and a reply to nothing ends the session, since from then on no reply could be trusted to answer what it seems to
//! (a server that echoes a file name with a line break in it can be made to "answer" twice).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::ftp::command::{Command, Verb};
use crate::ftp::connect::{Link, acknowledge_at_once};
use crate::ftp::error::{Answered, FtpError};
use crate::ftp::raw::RawLine;
use crate::ftp::reply::{Class, Limits, Reply, ReplyError, ReplyParser};
use crate::ftp::tls::{TlsSession, Wire};
use crate::ftp::transcript::{Direction, Transcript};

/// A control connection.
pub struct Control {
    link: Link,
    parser: ReplyParser,
    /// Bytes read and not yet parsed.
    input: Vec<u8>,
    consumed: usize,
    output: Vec<u8>,
    /// What was sent and not yet finally answered, oldest first.
    outstanding: VecDeque<Verb>,
    /// Preliminary replies since the last final one.
    preliminaries: u32,
    /// The last final reply was the 226 that closes a transfer.
    transfer_closed: bool,
    /// What a secret command carried, until it is answered: some servers repeat it in their reply.
    secret: Zeroizing<Vec<u8>>,
    broken: bool,
    session: u32,
    transcript: Option<Arc<dyn Transcript>>,
}

/// How many 1xx replies one command may bring before the server is taken for broken.
const MAX_PRELIMINARIES: u32 = 64;

/// How many bytes are read at once.
const READ_BYTES: usize = 16 << 10;

impl Control {
    /// Takes over a fresh connection. The greeting is still to come.
    pub fn new(link: Link, session: u32, transcript: Option<Arc<dyn Transcript>>) -> Self {
        Self {
            link,
            parser: ReplyParser::default(),
            input: Vec::new(),
            consumed: 0,
            output: Vec::new(),
            outstanding: VecDeque::new(),
            preliminaries: 0,
            transfer_closed: false,
            secret: Zeroizing::default(),
            broken: false,
            session,
            transcript,
        }
    }

    /// Returns the connection, for its addresses.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Protects all that is said from here on. Nothing may have come that was not asked for: it would seem to be said under
    /// protection (CVE-2021-22947).
    ///
    /// # Errors
    /// [`FtpError::Injected`], or why the handshake failed.
    pub(crate) fn protect(&mut self, tls: &mut TlsSession) -> Result<(), FtpError> {
        if self.consumed < self.input.len() || !self.parser.is_empty() {
            self.broken = true;
            return Err(FtpError::Injected);
        }
        let wire = Wire::new(tls.connection()?);
        let agreed = self.guarded(|c| {
            let wire = c.link.protect(wire)?;
            tls.met(wire);
            Ok(wire.agreed())
        })?;
        self.note(Direction::Noted, &agreed);
        Ok(())
    }

    /// Returns whether the session can still be used.
    pub fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Returns whether every command has had its final reply.
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Gives the session up. Whoever uses it next gets an error.
    pub fn give_up(&mut self) {
        self.broken = true;
    }

    /// Waits this long for replies from here on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.link.set_timeout(timeout);
    }

    /// Reads the greeting; 120 ("ready in some minutes") may precede it.
    ///
    /// # Errors
    /// The server's refusal, or why there was none.
    pub fn greeting(&mut self) -> Result<Reply, FtpError> {
        loop {
            let reply = self.guarded(|c| c.read_reply(Limits::PLAIN))?;
            match reply.class() {
                Class::Preliminary => self.count_preliminary()?,
                Class::Completion => return Ok(reply),
                _ => {
                    self.broken = true;
                    return Err(FtpError::Refused { verb: Answered::Greeting, reply: Box::new(reply) });
                }
            }
        }
    }

    /// Puts a command into the output; [`Control::flush`] sends it.
    ///
    /// # Errors
    /// Fails when the session is lost, or when the server said something nobody asked for.
    pub fn send(&mut self, command: &Command) -> Result<(), FtpError> {
        self.prepare(command.verb(), command.argument(), command)?;
        command.encode(&mut self.output);
        Ok(())
    }

    /// As [`Control::send`], for a line that somebody typed.
    ///
    /// # Errors
    /// As [`Control::send`].
    pub fn send_raw(&mut self, line: &RawLine) -> Result<(), FtpError> {
        // What nobody knows is the site's own.
        self.prepare(line.verb().unwrap_or(Verb::Site), line.argument(), line)?;
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn prepare(
        &mut self,
        verb: Verb,
        argument: &[u8],
        shown: &dyn std::fmt::Display,
    ) -> Result<(), FtpError> {
        if self.broken {
            return Err(FtpError::Closed);
        }
        // A server that answers promptly would otherwise be asked on and on after Ctrl-C.
        if self.link.is_cancelled() {
            self.broken = true;
            return Err(FtpError::Cancelled);
        }
        if self.outstanding.is_empty() && self.output.is_empty() {
            self.guarded(Self::refuse_unasked)?;
        }
        self.note(Direction::Sent, shown);
        if verb.is_secret() {
            self.secret = Zeroizing::new(argument.to_vec());
        }
        self.outstanding.push_back(verb);
        Ok(())
    }

    /// Sends what was put into the output.
    ///
    /// # Errors
    /// Fails when the connection is lost.
    pub fn flush(&mut self) -> Result<(), FtpError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.output);
        let sent = self.guarded(|c| c.link.transmit(&bytes));
        self.output = bytes;
        self.output.clear();
        sent
    }

    /// Reads the next reply to the oldest outstanding command. A preliminary one leaves the command outstanding.
    ///
    /// # Errors
    /// Fails when no reply comes or can come. A 4xx or 5xx is a reply like any other, but for 421, which ends the session.
    pub fn reply(&mut self) -> Result<Reply, FtpError> {
        let limits = match self.outstanding.front() {
            Some(Verb::Stat) => Limits::LISTING,
            _ => Limits::PLAIN,
        };
        self.reply_within(limits)
    }

    /// As [`Control::reply`], with other limits for the size of the reply.
    ///
    /// # Errors
    /// As [`Control::reply`].
    fn reply_within(&mut self, limits: Limits) -> Result<Reply, FtpError> {
        if self.broken {
            return Err(FtpError::Closed);
        }
        self.flush()?;
        let verb = *self.outstanding.front().expect("a reply is only waited for behind a command");
        let mut reply = self.guarded(|c| c.read_reply(limits))?;
        if reply.code() == 226 && self.transfer_closed && has_code_of_its_own(verb) {
            // The closing reply of the transfer before, given twice and late.
            reply = self.guarded(|c| c.read_reply(limits))?;
        }
        if reply.code() == 421 {
            self.broken = true;
            return Err(FtpError::refused(verb, reply));
        }
        if reply.class() == Class::Preliminary {
            self.count_preliminary()?;
        } else {
            self.preliminaries = 0;
            self.outstanding.pop_front();
            if verb.is_secret() {
                self.secret = Zeroizing::default();
            }
        }
        self.transfer_closed = reply.code() == 226 && moves_data(verb);
        Ok(reply)
    }

    /// Reads the final reply to the oldest outstanding command, past preliminary ones.
    ///
    /// # Errors
    /// As [`Control::reply`].
    pub fn final_reply(&mut self) -> Result<Reply, FtpError> {
        loop {
            let reply = self.reply()?;
            if reply.class() != Class::Preliminary {
                return Ok(reply);
            }
        }
    }

    /// Sends one command and returns its final reply, whatever it says.
    ///
    /// # Errors
    /// As [`Control::reply`].
    pub fn call(&mut self, command: &Command) -> Result<Reply, FtpError> {
        self.send(command)?;
        self.final_reply()
    }

    /// Sends one command that must be answered 2xx.
    ///
    /// # Errors
    /// As [`Control::reply`], and [`FtpError::Refused`] for every other reply.
    pub fn demand(&mut self, command: &Command) -> Result<Reply, FtpError> {
        let reply = self.call(command)?;
        if reply.is_ok() { Ok(reply) } else { Err(FtpError::refused(command.verb(), reply)) }
    }

    /// Returns whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.transcript.is_some()
    }

    /// Tells the transcript what the client did beside commands.
    pub fn note(&self, direction: Direction, text: &dyn std::fmt::Display) {
        if let Some(transcript) = &self.transcript {
            transcript.line(self.session, direction, text);
        }
    }

    /// Runs `step`; a failure means that the session is lost.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, FtpError>) -> Result<T, FtpError> {
        let result = step(self);
        if result.is_err() {
            self.broken = true;
        }
        result
    }

    fn count_preliminary(&mut self) -> Result<(), FtpError> {
        self.preliminaries += 1;
        if self.preliminaries <= MAX_PRELIMINARIES {
            return Ok(());
        }
        self.broken = true;
        Err(FtpError::Protocol(format!("more than {MAX_PRELIMINARIES} preliminary replies to one command")))
    }

    fn read_reply(&mut self, limits: Limits) -> Result<Reply, FtpError> {
        loop {
            if let Some(reply) = self.parse_buffered(limits)? {
                return Ok(reply);
            }
            acknowledge_at_once(self.link.socket());
            self.input.resize(READ_BYTES, 0);
            let read = self.link.receive(&mut self.input);
            self.input.truncate(*read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(FtpError::Closed);
            }
        }
    }

    fn parse_buffered(&mut self, limits: Limits) -> Result<Option<Reply>, FtpError> {
        let parsed = self.parser.push(&self.input[self.consumed..], limits);
        let (taken, mut reply) = parsed.map_err(|e| match e {
            ReplyError::NoCode(_) if !self.secret.is_empty() => ReplyError::NoCode("***".to_owned()),
            e => e,
        })?;
        self.consumed += taken;
        if self.consumed == self.input.len() {
            self.input.clear();
            self.consumed = 0;
        }
        if let Some(reply) = &mut reply {
            reply.strike_out(&self.secret);
            if let Some(transcript) = &self.transcript {
                transcript.reply(self.session, reply);
            }
        }
        Ok(reply)
    }

    /// Looks whether all that was said answered something.
    ///
    /// # Errors
    /// Fails when the server said something nobody asked for, or has hung up.
    pub fn settle(&mut self) -> Result<(), FtpError> {
        self.guarded(Self::refuse_unasked)
    }

    /// Looks at what came while nothing was outstanding. A 421 explains why the session ends; a repeated 226 is a known
    /// fault of some servers and is dropped; anything else means that replies no longer match commands.
    fn refuse_unasked(&mut self) -> Result<(), FtpError> {
        loop {
            while let Some(reply) = self.parse_buffered(Limits::PLAIN)? {
                match reply.code() {
                    421 => return Err(FtpError::Ended(Box::new(reply))),
                    226 if self.transfer_closed => {}
                    _ => return Err(FtpError::Protocol(format!("`{reply}` came without a command"))),
                }
            }
            self.input.resize(READ_BYTES, 0);
            let read = self.link.receive_now(&mut self.input);
            self.input.truncate(*read.as_ref().ok().and_then(Option::as_ref).unwrap_or(&0));
            match read? {
                None => return Err(FtpError::Closed),
                Some(0) => return Ok(()),
                Some(_) => {}
            }
        }
    }
}

/// Returns whether the command opens a data connection.
fn moves_data(verb: Verb) -> bool {
    matches!(verb, Verb::Retr | Verb::Stor | Verb::Appe | Verb::List | Verb::Nlst | Verb::Mlsd)
}

/// Returns whether 226 can't be what the command is answered, since the answer has a form that goes with its code.
fn has_code_of_its_own(verb: Verb) -> bool {
    matches!(verb, Verb::Epsv | Verb::Pasv | Verb::Size | Verb::Mdtm)
}
