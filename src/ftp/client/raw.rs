//! Commands as a person typed them, over a session that is logged in, and data connections for those that need one.

use std::net::TcpStream;

use crate::ftp::client::Client;
use crate::ftp::client::open::{active_failure, port_of};
use crate::ftp::command::Verb;
use crate::ftp::connect::Link;
use crate::ftp::data::{ActiveListener, DataMode};
use crate::ftp::error::FtpError;
use crate::ftp::raw::RawLine;
use crate::ftp::reply::Reply;
use crate::ftp::transfer::{Download, Upload};

/// Where the data connection of the next transfer comes about. Dropped unused, its port is closed.
#[derive(Debug)]
pub enum RawDoor {
    /// It is made already.
    Made(TcpStream),
    /// The server makes it.
    Awaited(ActiveListener),
}

/// A transfer that has begun.
#[derive(Debug)]
pub enum RawTransfer {
    /// From the server.
    Download(Download),
    /// To the server.
    Upload(Upload),
}

impl Client {
    /// Sends a line and returns its final reply, whatever it says.
    ///
    /// # Errors
    /// When the session is lost.
    pub fn say(&mut self, line: &RawLine) -> Result<Reply, FtpError> {
        self.control.send_raw(line)?;
        self.control.final_reply()
    }

    /// Lets data connections be opened by the other end from here on.
    pub fn set_data_mode(&mut self, mode: DataMode) {
        self.options.data_mode = mode;
    }

    /// Opens a data connection, or a port for it, before the command that uses it is sent: so REST can stand right before that
    /// (RFC 3659 §5.3).
    ///
    /// # Errors
    /// The server's refusal, or why there is none.
    pub fn open_door(&mut self) -> Result<RawDoor, FtpError> {
        match self.options.data_mode {
            DataMode::Passive => self.open_passive().map(RawDoor::Made),
            DataMode::Active => {
                let listener = self.listen()?;
                self.control.demand(&listener.command().map_err(active_failure)?)?;
                Ok(RawDoor::Awaited(listener))
            }
        }
    }

    /// Connects to the port that the reply to EPSV or PASV names, at the server itself, whatever address stands there; `None` where it names
    /// none that can be used.
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn follow_door(&mut self, verb: Verb, reply: &Reply) -> Result<Option<RawDoor>, FtpError> {
        let Some(port) = port_of(verb, reply) else { return Ok(None) };
        self.connect_data(verb, port).map(|stream| Some(RawDoor::Made(stream)))
    }

    /// Sends the line of a transfer, whose data goes through `door`; `None` opens one for it.
    ///
    /// # Errors
    /// The server's refusal, after which the session can go on, or why there is no data connection.
    pub fn begin_transfer(&mut self, line: &RawLine, door: Option<RawDoor>) -> Result<RawTransfer, FtpError> {
        let verb = line.verb().unwrap_or(Verb::Retr);
        let door = match door {
            Some(door) => door,
            None => self.open_door()?,
        };
        self.control.send_raw(line)?;
        let early = self.hear_beginning(verb)?;
        let link: Link = match door {
            RawDoor::Made(stream) => self.data_link(stream, self.connected(verb))?,
            RawDoor::Awaited(listener) => self.accept(&listener)?,
        };
        let transfer = self.protected(verb, link, early)?;
        Ok(match verb {
            Verb::Stor | Verb::Appe => RawTransfer::Upload(Upload::new(transfer)),
            _ => RawTransfer::Download(Download::new(transfer)),
        })
    }
}
