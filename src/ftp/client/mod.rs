//! A session: one control connection, logged in, with the operations a mirror needs.
//!
//! Paths are absolute wherever the server tells where its root is, so that no operation depends on a working directory
//! and no name is taken for an option, a home directory or a time.

mod checksum;
mod open;
mod raw;
mod set_time;

pub use checksum::ChecksumWay;
pub use open::{Await, Flight};
pub use raw::{RawDoor, RawTransfer};
pub use set_time::TimeSetter;

use std::fmt::{self, Debug, Formatter};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::ftp::command::{Command, Verb};
use crate::ftp::connect::{Timeouts, connect_control};
use crate::ftp::control::Control;
use crate::ftp::data::DataMode;
use crate::ftp::error::FtpError;
use crate::ftp::features::Features;
use crate::ftp::host::HostNotes;
use crate::ftp::listing::{self, Line, Listed, ListingFormat, Mlsd};
use crate::ftp::login::{Credentials, Door, Welcome, log_in};
use crate::ftp::pipeline::{Window, exchange};
use crate::ftp::quirks::Quirks;
use crate::ftp::reply::{Class, Reply};
use crate::ftp::tls::{Pin, TlsOptions, TlsSession, TlsStart};
use crate::ftp::transcript::{Direction, Transcript};
use crate::ftp::transfer::{Download, Upload};
use crate::model::{Cancel, Mtime};

/// Where to log in, as whom, and how.
#[derive(Clone)]
pub struct ClientOptions {
    /// Host name or address.
    pub host: String,
    /// Control port.
    pub port: u16,
    /// Who logs in.
    pub credentials: Credentials,
    /// Ask the server to write names in UTF-8.
    pub utf_8: bool,
    /// How long silences may last.
    pub timeouts: Timeouts,
    /// Who opens data connections.
    pub data_mode: DataMode,
    /// How the connections are protected; `None` for clear text.
    pub tls: Option<TlsOptions>,
    /// Who hears the dialogue; `None` for nobody.
    pub transcript: Option<Arc<dyn Transcript>>,
    /// The wish to stop.
    pub cancel: Cancel,
}

/// A logged-in session.
pub struct Client {
    control: Control,
    peer: SocketAddr,
    local: IpAddr,
    options: ClientOptions,
    notes: Arc<HostNotes>,
    features: Features,
    /// The row of the server, as it stands in the table.
    row: Quirks,
    home: Option<Vec<u8>>,
    /// What data connections are protected by; `None` in clear text.
    tls: Option<TlsSession>,
    /// A transfer has begun and its closing reply was not heard yet.
    transferring: bool,
}

impl Client {
    /// Connects and logs in. `session` numbers the session in the transcript.
    ///
    /// # Errors
    /// Why there is no connection, or the server's refusal.
    pub fn connect(options: &ClientOptions, notes: &Arc<HostNotes>, session: u32) -> Result<Self, FtpError> {
        let was_careful = notes.is_careful();
        match Self::connect_once(options, notes, session) {
            Err(e) if e.is_of_tls_version() && !notes.newer_tls.swap(true, Ordering::Relaxed) => {
                Self::connect_once(options, notes, session).map_err(|other| match other {
                    // Neither version was taken, so it wasn't about the version.
                    FtpError::Tls(_) => {
                        notes.newer_tls.store(false, Ordering::Relaxed);
                        e
                    }
                    other => other,
                })
            }
            // The server hung up, or fell silent, over being asked whether it takes several commands at once.
            Err(_) if !was_careful && notes.is_careful() => Self::connect_once(options, notes, session),
            done => done,
        }
    }

    fn connect_once(options: &ClientOptions, notes: &Arc<HostNotes>, session: u32) -> Result<Self, FtpError> {
        let link = connect_control(&options.host, options.port, options.timeouts, &options.cancel)?;
        let peer = link.socket().peer_addr().map_err(FtpError::Lost)?;
        let local = link.socket().local_addr().map_err(FtpError::Lost)?.ip();
        let mut control = Control::new(link, session, options.transcript.clone());
        control.note(Direction::Noted, &format_args!("connected to {peer}"));
        let (door, tls) = Self::enter(&mut control, options, notes)?;
        let Welcome { mut features, row, home, protects_data } = log_in(&mut control, &door, options, notes)?;
        let tls = tls.filter(|_| protects_data);
        let row = if tls.is_some() { row.with_protected_data() } else { row };
        features.share(&notes.refused);
        control.note(Direction::Noted, &format_args!("treated as {}", notes.temper(row).server));
        Ok(Self {
            control,
            peer,
            local,
            options: options.clone(),
            notes: Arc::clone(notes),
            features,
            row,
            home,
            tls,
            transferring: false,
        })
    }

    /// Hears the greeting and begins TLS, before it or behind it, as is wished.
    fn enter(
        control: &mut Control,
        options: &ClientOptions,
        notes: &HostNotes,
    ) -> Result<(Door, Option<TlsSession>), FtpError> {
        let Some(wish) = &options.tls else {
            let greeting = control.greeting()?;
            return Ok((Door { greeting, protected: false, greeted_in_clear: true }, None));
        };
        // Of its own for each control session: what another session left, servers don't take.
        let mut tls = TlsSession::new(wish, &options.host, notes.newer_tls.load(Ordering::Relaxed))?;
        if wish.start == TlsStart::Implicit {
            control.protect(&mut tls)?;
            let greeting = control.greeting()?;
            return Ok((Door { greeting, protected: true, greeted_in_clear: false }, Some(tls)));
        }
        let greeting = control.greeting()?;
        let reply = control.call(&command(Verb::Auth, "TLS")?)?;
        let protected = reply.code() == 234;
        if protected {
            control.protect(&mut tls)?;
        } else if wish.start == TlsStart::Required {
            control.give_up();
            return Err(FtpError::Unprotected { verb: Verb::Auth, reply: Box::new(reply) });
        }
        Ok((Door { greeting, protected, greeted_in_clear: true }, protected.then_some(tls)))
    }

    /// Returns whether what is said and sent is protected by TLS.
    pub fn is_protected(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns the pin of the server's certificate; `None` in clear text.
    pub fn pin(&self) -> Option<Pin> {
        self.tls.as_ref().and_then(TlsSession::pin)
    }

    /// Returns whether the session can be used for the next operation. After a transfer that was dropped before its end it
    /// can't.
    pub fn is_usable(&self) -> bool {
        self.control.is_usable() && !self.transferring
    }

    /// Returns whether no further data connection could go on with this session's TLS session, as its server
    /// may demand. All else can still be done.
    pub fn is_spent(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsSession::is_used_up)
    }

    /// Returns what the server can do.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Returns what is known of this server beyond that.
    pub fn quirks(&self) -> Quirks {
        self.notes.temper(self.row)
    }

    /// Returns what the sessions of this host know together.
    pub(crate) fn host(&self) -> &HostNotes {
        &self.notes
    }

    /// Returns how long one round trip to the server takes.
    pub fn round_trip(&self) -> Duration {
        self.control.link().round_trip()
    }

    /// Returns the absolute path a login begins in; `None` when the server doesn't tell.
    pub fn home(&self) -> Option<&[u8]> {
        self.home.as_deref()
    }

    /// Gives the session up. Whoever uses it next gets an error.
    pub fn give_up(&mut self) {
        self.control.give_up();
    }

    /// Remembers that the server doesn't have `verb`, on all its sessions.
    pub fn refuse(&mut self, verb: Verb) {
        self.features.refuse(verb);
    }

    pub(crate) fn end_transfer(&mut self) {
        self.transferring = false;
    }

    /// Hears what the server says to a data connection that was closed early, and that it says no more than that: some
    /// answer twice, some never. Whatever is odd loses the session.
    pub(crate) fn leave_transfer(&mut self, early: Option<Reply>) {
        self.control.set_timeout(LEAVING.min(self.options.timeouts.reply));
        let heard = early.map_or_else(|| self.control.final_reply(), Ok);
        let is_over = heard.is_ok_and(|reply| matches!(reply.class(), Class::Completion | Class::Transient))
            && self.control.call(&Command::bare(Verb::Noop)).is_ok_and(|reply| reply.code() == 200);
        self.control.set_timeout(self.options.timeouts.reply);
        if is_over {
            self.end_transfer();
        } else {
            self.give_up();
        }
    }

    pub(crate) fn control_mut(&mut self) -> &mut Control {
        &mut self.control
    }

    /// Puts one command behind whatever is outstanding. It leaves with the next flight, or when a reply is waited for.
    ///
    /// # Errors
    /// When the session is lost.
    pub fn send(&mut self, command: &Command) -> Result<(), FtpError> {
        self.control.send(command)
    }

    /// Hears the final reply to the oldest command that was sent.
    ///
    /// # Errors
    /// When the session is lost.
    pub fn hear(&mut self) -> Result<Reply, FtpError> {
        self.control.final_reply()
    }

    /// Sends one command and returns its final reply, whatever it says.
    ///
    /// # Errors
    /// When the session is lost.
    pub fn call(&mut self, command: &Command) -> Result<Reply, FtpError> {
        self.control.call(command)
    }

    /// Sends one command that must be answered 2xx.
    ///
    /// # Errors
    /// The server's refusal, or why the session is lost.
    pub fn demand(&mut self, command: &Command) -> Result<Reply, FtpError> {
        self.control.demand(command)
    }

    /// Sends all commands, several at once where the server takes that, and returns the final reply to each.
    pub fn call_all(&mut self, commands: &[Command]) -> Vec<Result<Reply, FtpError>> {
        let window = Window::of(self.quirks().window);
        let replies = exchange(&mut self.control, commands, window);
        if commands.len() > 1 && window.commands > 1 {
            match replies.iter().find_map(|reply| reply.as_ref().err()) {
                Some(e) => self.window_failed(e),
                None => self.notes.window_succeeded(),
            }
        }
        replies
    }

    /// As [`Client::call_all`] for questions that a server answers only when it has read whole files.
    pub fn call_all_patiently(&mut self, commands: &[Command]) -> Vec<Result<Reply, FtpError>> {
        const TIMES_AS_LONG: u32 = 20;
        let usual = self.options.timeouts.reply;
        self.control.set_timeout(usual * TIMES_AS_LONG);
        let replies = self.call_all(commands);
        self.control.set_timeout(usual);
        replies
    }

    /// Remembers how several commands at once failed.
    fn window_failed(&self, error: &FtpError) {
        let was_careful = self.notes.is_careful();
        self.notes.window_failed(error, !self.row.probe);
        if self.notes.is_careful() && !was_careful {
            let text = format_args!("several commands at once failed ({error}): one at a time from here on");
            self.control.note(Direction::Noted, &text);
        }
    }

    /// Makes `dir` the working directory.
    ///
    /// # Errors
    /// The server's refusal, which is the only sure sign that there is no such directory to be read.
    pub fn change_dir(&mut self, dir: &[u8]) -> Result<(), FtpError> {
        self.control.demand(&command(Verb::Cwd, dir)?).map(drop)
    }

    /// Downloads `path` from `offset` on.
    ///
    /// # Errors
    /// The server's refusal, or why there is no data connection.
    pub fn retrieve(&mut self, path: &[u8], offset: u64) -> Result<Download, FtpError> {
        self.open_data(&command(Verb::Retr, path)?, offset).map(Download::new)
    }

    /// Opens the data connection of a listing: `MLSD path`, `LIST -a`, `NLST`.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub fn list(&mut self, listing: &Command) -> Result<Download, FtpError> {
        self.open_data(listing, 0).map(Download::new)
    }

    /// Uploads to `path`. `offset` bytes are kept: of a file of exactly that size all servers go on at its end, whether
    /// they take REST before STOR as "overwrite from there" or as "cut off there".
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub fn store(&mut self, path: &[u8], offset: u64) -> Result<Upload, FtpError> {
        self.open_data(&command(Verb::Stor, path)?, offset).map(Upload::new)
    }

    /// Uploads to the end of `path`, for servers that refuse REST before STOR.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub fn append(&mut self, path: &[u8]) -> Result<Upload, FtpError> {
        self.open_data(&command(Verb::Appe, path)?, 0).map(Upload::new)
    }

    /// Returns what MLST tells of one path (RFC 3659 §7.4); `None` when its reply holds no facts. The name is as the server
    /// writes it, most often the whole path.
    ///
    /// # Errors
    /// The server's refusal, or why the session is lost.
    pub fn facts(&mut self, path: &[u8], now: DateTime<Utc>) -> Result<Option<Listed>, FtpError> {
        let reply = self.control.demand(&command(Verb::Mlst, path)?)?;
        Ok(read_facts(&reply, now))
    }

    /// Opens a download whose commands were sent.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub fn retrieve_flight(&mut self, flight: Flight) -> Result<Download, FtpError> {
        self.open_flight(flight, Await::Beginning).map(Download::new)
    }

    /// Opens a listing whose commands were sent.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub fn list_flight(&mut self, flight: Flight) -> Result<Download, FtpError> {
        self.retrieve_flight(flight)
    }

    /// Opens an upload whose commands were sent.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub fn store_flight(&mut self, flight: Flight, wait: Await) -> Result<Upload, FtpError> {
        self.open_flight(flight, wait).map(Upload::new)
    }

    /// Renames `from` to `to`. Most servers overwrite a file at `to`.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), FtpError> {
        let (from, to) = (command(Verb::Rnfr, from)?, command(Verb::Rnto, to)?);
        let reply = self.control.call(&from)?;
        if reply.class() != Class::Intermediate && !reply.is_ok() {
            return Err(FtpError::refused(Verb::Rnfr, reply));
        }
        self.control.demand(&to).map(drop)
    }
}

/// How long a server has to say that a transfer was broken off.
const LEAVING: Duration = Duration::from_secs(2);

/// Says goodbye. A server that doesn't answer is not waited for.
impl Drop for Client {
    fn drop(&mut self) {
        if self.is_usable() && self.control.is_idle() {
            // The session ends either way.
            let _ = self.control.send(&Command::bare(Verb::Quit)).and_then(|()| self.control.flush());
        }
    }
}

impl Debug for Client {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("peer", &self.peer).field("server", &self.row.server).finish()
    }
}

/// Returns a command for `argument`.
///
/// # Errors
/// [`FtpError::Argument`] when it holds a byte that can't be sent.
pub fn command(verb: Verb, argument: impl Into<Vec<u8>>) -> Result<Command, FtpError> {
    let argument = argument.into();
    Command::new(verb, argument.clone()).map_err(|why| FtpError::Argument { argument, why })
}

/// Returns the number of a reply to SIZE: the digits at the end of its text.
///
/// # Errors
/// [`FtpError::Refused`] when the reply is not 2xx, [`FtpError::Protocol`] when it has no number.
pub fn read_size(reply: Reply) -> Result<u64, FtpError> {
    if !reply.is_ok() {
        return Err(FtpError::refused(Verb::Size, reply));
    }
    let text = String::from_utf8_lossy(reply.text());
    let digits = text.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().map_err(|_| FtpError::Protocol(format!("`{reply}` tells no size")))
}

/// Returns what a reply to MLST tells; `None` when it holds no facts.
pub fn read_facts(reply: &Reply, now: DateTime<Utc>) -> Option<Listed> {
    // One space stands before the facts.
    let lines = reply.body().iter().map(|line| line.strip_prefix(b" ").unwrap_or(line));
    lines.filter_map(|line| Mlsd.parse(line, now)).find_map(|line| match line {
        Line::Entry(listed) => Some(listed),
        Line::Perhaps(_)
        | Line::Begins
        | Line::Noise
        | Line::Own
        | Line::OwnUnique(_)
        | Line::Rejected(_) => None,
    })
}

/// Returns the time of a reply to MDTM, which is UTC (RFC 3659 §3).
///
/// # Errors
/// As [`read_size`].
pub fn read_time(reply: Reply) -> Result<Mtime, FtpError> {
    if !reply.is_ok() {
        return Err(FtpError::refused(Verb::Mdtm, reply));
    }
    listing::timestamp(reply.text().trim_ascii())
        .ok_or_else(|| FtpError::Protocol(format!("`{reply}` tells no time")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::server::{Access, ServeOptions, Server};

    #[test]
    fn one_path_is_asked_about_and_a_file_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a b"), "1234").unwrap();
        let served = ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) };
        let server = Server::start(served).unwrap();
        let options = ClientOptions {
            host: server.address().ip().to_string(),
            port: server.address().port(),
            credentials: Credentials::anonymous(),
            utf_8: true,
            timeouts: Timeouts::default(),
            data_mode: DataMode::Passive,
            tls: None,
            transcript: None,
            cancel: Cancel::new(),
        };
        let mut client = Client::connect(&options, &Arc::default(), 1).unwrap();
        let listed = client.facts(b"/a b", DateTime::UNIX_EPOCH).unwrap().unwrap();
        assert_eq!((listed.kind, listed.size, &listed.name[..]), (Kind::File, Some(4), &b"/a b"[..]));
        assert!(client.facts(b"/none", DateTime::UNIX_EPOCH).is_err());

        let mut upload = client.append(b"/a b").unwrap();
        upload.write(&mut client, b"567").unwrap();
        upload.finish(&mut client).unwrap();
        assert_eq!(std::fs::read(dir.path().join("a b")).unwrap(), b"1234567");

        let mut download = client.retrieve(b"/a b", 5).unwrap();
        let mut block = [0; 9];
        assert_eq!(download.read(&mut block).unwrap(), 2);
        assert_eq!((download.read(&mut block).unwrap(), &block[..2]), (0, &b"67"[..]));
        download.finish(&mut client).unwrap();
    }

    #[test]
    fn sizes_are_read_from_the_end_of_the_line() {
        for (code, text, size) in [
            (213, "1466", Some(1466)),
            (213, "0", Some(0)),
            (213, "size is 12 ", Some(12)),
            (213, "9223372036854775807", Some(i64::MAX as u64)),
            (213, "99999999999999999999", None),
            (213, "none", None),
            (550, "12", None),
        ] {
            assert_eq!(read_size(Reply::new(code, text)).ok(), size, "{code} {text}");
        }
    }
}
