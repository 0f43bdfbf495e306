//! One transfer: a data connection between the reply that opens it and the one that closes it.
//!
//! A transfer is whole only when the data stream ended *and* the closing reply is 2xx; either alone proves nothing. A
//! client whose transfer was dropped before that can't be used any more, since nobody knows what the server will say next.

use crate::ftp::client::Client;
use crate::ftp::command::Verb;
use crate::ftp::connect::Link;
use crate::ftp::error::FtpError;
use crate::ftp::reply::{Class, Reply};
use crate::ftp::tls::Wire;

/// Bytes on their way from the server.
#[derive(Debug)]
pub struct Download(Transfer);

/// Bytes on their way to the server.
#[derive(Debug)]
pub struct Upload(Transfer);

/// What both have in common.
#[derive(Debug)]
pub(crate) struct Transfer {
    verb: Verb,
    /// `None` once this end is closed.
    data: Option<Link>,
    /// The final reply, where the server gave it without a preliminary one.
    early: Option<Reply>,
    bytes: u64,
    /// The data ended without TLS's word for it.
    cut: bool,
}

impl Download {
    pub(crate) fn new(transfer: Transfer) -> Self {
        Self(transfer)
    }

    /// Reads at least one byte; 0 at the end of the stream.
    ///
    /// # Errors
    /// A silence longer than the data timeout, a broken connection, or the wish to stop.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FtpError> {
        let Some(data) = &mut self.0.data else { return Ok(0) };
        let n = data.receive(buffer)?;
        self.0.bytes += n as u64;
        if n == 0 {
            self.0.cut = data.wire().is_some_and(Wire::was_cut);
            data.end_receiving();
            // ProFTPD withholds its closing reply until this end is closed, too.
            self.0.data = None;
        }
        Ok(n)
    }

    /// Returns how many bytes have come.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Ends the download although there is more to come, which the server must take well for the session to stay usable.
    pub fn leave(&mut self, client: &mut Client) {
        self.0.data = None;
        client.leave_transfer(self.0.early.take());
    }

    /// Hears the closing reply. To be called at the end of the stream on the client that opened the transfer; before
    /// that end, the session is given up.
    ///
    /// # Errors
    /// [`FtpError::Refused`] when the server says that the transfer failed, [`FtpError::Cut`] when the data may have been
    /// shortened on its way, or why nothing was heard.
    pub fn finish(&mut self, client: &mut Client) -> Result<Reply, FtpError> {
        let reply = self.hear_end(client)?;
        if self.0.cut {
            // It was this transfer's data alone, and the session is in order.
            return Err(FtpError::Cut);
        }
        Ok(reply)
    }

    /// As [`Download::finish`], where the number of bytes is known to be right: then it doesn't matter how the data ended. Some
    /// servers never send TLS's last word, and control connections die during long transfers, so that the closing reply is lost; the
    /// session is lost with it, and the file is not.
    ///
    /// # Errors
    /// [`FtpError::Refused`] when the server says that the transfer failed.
    pub fn finish_sized(&mut self, client: &mut Client) -> Result<(), FtpError> {
        match self.hear_end(client) {
            Err(e) if e.is_loss_of_reply() => {
                client.give_up();
                Ok(())
            }
            ended => ended.map(drop),
        }
    }

    fn hear_end(&mut self, client: &mut Client) -> Result<Reply, FtpError> {
        if self.0.data.is_some() {
            client.control_mut().give_up();
            return Err(FtpError::Cancelled);
        }
        self.0.hear_end(client)
    }
}

impl Upload {
    pub(crate) fn new(transfer: Transfer) -> Self {
        Self(transfer)
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// What the server said when it stopped taking them (a full disk), else as [`Download::read`].
    pub fn write(&mut self, client: &mut Client, bytes: &[u8]) -> Result<(), FtpError> {
        let Some(data) = &mut self.0.data else { return Err(FtpError::Closed) };
        match data.transmit(bytes) {
            Ok(()) => {
                self.0.bytes += bytes.len() as u64;
                Ok(())
            }
            // A server that closes the data connection early says why on the control connection.
            Err(lost @ (FtpError::Lost(_) | FtpError::Closed)) => {
                self.0.data = None;
                Err(self.0.hear_end(client).err().unwrap_or(lost))
            }
            Err(e) => Err(e),
        }
    }

    /// Returns how many bytes were written.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Ends the stream; the closing reply is still to be heard.
    pub fn end_data(&mut self) {
        if let Some(data) = &mut self.0.data {
            data.end_sending();
        }
        // In clear text, closing says it all: nothing comes the other way.
        self.0.data = None;
    }

    /// Ends the stream and hears the closing reply. That reply is no proof that all bytes are stored: pyftpdlib was seen to
    /// answer 226 for a third of them; ask SIZE.
    ///
    /// # Errors
    /// As [`Download::finish`].
    pub fn finish(mut self, client: &mut Client) -> Result<Reply, FtpError> {
        self.end_data();
        self.0.hear_end(client)
    }
}

impl Transfer {
    pub(crate) fn new(verb: Verb, data: Link, early: Option<Reply>) -> Self {
        Self { verb, data: Some(data), early, bytes: 0, cut: false }
    }

    fn hear_end(&mut self, client: &mut Client) -> Result<Reply, FtpError> {
        let reply = match self.early.take() {
            Some(reply) => reply,
            None => client.control_mut().final_reply()?,
        };
        client.end_transfer();
        if reply.class() == Class::Completion { Ok(reply) } else { Err(FtpError::refused(self.verb, reply)) }
    }
}
