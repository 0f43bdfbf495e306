//! One line: what it asks for, and what came of it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use oneway::ftp::client::{Client, RawDoor, RawTransfer};
use oneway::ftp::command::{CommandError, Verb};
use oneway::ftp::data::DataMode;
use oneway::ftp::error::FtpError;
use oneway::ftp::raw::RawLine;
use oneway::ftp::reply::{Class, Reply};
use oneway::ftp::transfer::{Download, Upload};
use oneway::model::escape;

use crate::commands::shell::out;
use crate::commands::shell::voice::Voice;
use crate::ui::say::{complain, say};

/// What came of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Done,
    /// The server said 4xx or 5xx, or it was not sent.
    Refused,
    Quit,
    /// The session is over.
    Lost,
}

/// How much is moved at once, in bytes.
const BLOCK: usize = 64 << 10;

const HELP: &str = "\
Each line is sent to the server as it stands, and its replies are printed as they come. Not sent are:
  STOR name < file   sends a file of this machine; APPE likewise
  !active            lets the server open data connections, from here on
  !passive           opens them from here, as at the beginning
  !trace             shows each step: commands, replies, data connections; once more to end that
  !help              prints this
  !quit              ends the session, as QUIT and Ctrl-D do
What RETR, LIST, NLST and MLSD bring goes to standard output. For these and for STOR and APPE, EPSV (or PORT) is sent by itself, unless
EPSV or PASV was typed before. REST counts for the transfer behind it. A line that begins with # is a comment.";

/// A session and what was prepared for its next transfer.
pub(super) struct Shell {
    client: Client,
    door: Option<RawDoor>,
    mode: DataMode,
    voice: Arc<Voice>,
}

impl Shell {
    pub(super) fn new(client: Client, mode: DataMode, voice: Arc<Voice>) -> Self {
        Self { client, door: None, mode, voice }
    }

    pub(super) fn data_mode(&self) -> DataMode {
        self.mode
    }

    pub(super) fn set_data_mode(&mut self, mode: DataMode) {
        self.mode = mode;
        self.door = None;
        self.client.set_data_mode(mode);
    }

    /// Does what a line says.
    ///
    /// # Errors
    /// When standard output can't be written to.
    pub(super) fn obey(&mut self, line: &[u8]) -> anyhow::Result<Came> {
        let typed = line.trim_ascii();
        match typed.first() {
            None | Some(b'#') => return Ok(Came::Done),
            Some(b'!') => return Ok(self.obey_own(&typed[1..])),
            Some(_) => {}
        }
        let line = match RawLine::parse(line) {
            Ok(line) => line,
            Err(CommandError::Unknown) => return Ok(Came::Done),
            Err(why) => return Ok(refuse(&format!("the line was not sent: {why}"))),
        };
        match line.verb() {
            Some(Verb::Retr | Verb::List | Verb::Nlst | Verb::Mlsd) => self.fetch(&line),
            Some(Verb::Stor | Verb::Appe) => Ok(self.send(&line)),
            Some(verb @ (Verb::Auth | Verb::Ccc | Verb::Prot)) => {
                let why = "what protects a session is chosen before it begins: by ftpes://, ftps:// or --tls";
                Ok(refuse(&format!("{verb} was not sent: {why}")))
            }
            Some(verb @ (Verb::Epsv | Verb::Pasv)) => {
                let opened = self.client.say(&line).and_then(|reply| {
                    self.door = self.client.follow_door(verb, &reply)?;
                    Ok(reply)
                });
                Ok(self.heard(opened))
            }
            Some(Verb::Rest) => {
                // It has to stand right before the transfer, so what else that needs comes before it.
                let door = match self.door.take() {
                    Some(door) => Ok(door),
                    None => self.client.open_door(),
                };
                let said = door.and_then(|door| {
                    self.door = Some(door);
                    self.client.say(&line)
                });
                Ok(self.heard(said))
            }
            Some(Verb::Quit) => {
                let said = self.client.say(&line);
                // The server hangs up now; some do so without a word.
                self.client.give_up();
                Ok(if matches!(said, Ok(_) | Err(FtpError::Closed)) { Came::Quit } else { self.heard(said) })
            }
            _ => {
                let said = self.client.say(&line);
                Ok(self.heard(said))
            }
        }
    }

    /// Obeys a line that is not for the server.
    fn obey_own(&mut self, line: &[u8]) -> Came {
        match line.to_ascii_lowercase().as_slice() {
            b"help" => say(format_args!("{HELP}")),
            b"quit" => return Came::Quit,
            b"trace" => {
                let now = if self.voice.turn() { "each step is shown" } else { "replies alone are shown" };
                say(format_args!("* {now}"));
            }
            b"active" => self.set_data_mode(DataMode::Active),
            b"passive" => self.set_data_mode(DataMode::Passive),
            _ => {
                let known = "there are !active, !passive, !trace, !help, !quit";
                return refuse(&format!("`!{}` is unknown; {known}", escape(line)));
            }
        }
        Came::Done
    }

    /// Has data of the server written to standard output.
    fn fetch(&mut self, line: &RawLine) -> anyhow::Result<Came> {
        let door = self.door.take();
        let download = match self.client.begin_transfer(line, door) {
            Ok(RawTransfer::Download(download)) => download,
            Ok(RawTransfer::Upload(_)) => unreachable!("the command is that of a download"),
            Err(e) => return Ok(self.heard(Err(e))),
        };
        let ended = self.pour(download)?;
        Ok(self.heard(ended))
    }

    fn pour(&mut self, mut download: Download) -> anyhow::Result<Result<Reply, FtpError>> {
        let mut out = out::standard();
        let mut block = vec![0; BLOCK];
        let read = loop {
            match download.read(&mut block) {
                Ok(0) => break Ok(()),
                Ok(n) => out.write(&block[..n]).context("cannot write to standard output")?,
                Err(e) => break Err(e),
            }
        };
        out.finish().context("cannot write to standard output")?;
        if read.is_err() {
            self.client.give_up();
        }
        Ok(read.and_then(|()| download.finish(&mut self.client)))
    }

    /// Sends a file: `STOR name < file`.
    fn send(&mut self, line: &RawLine) -> Came {
        const MARK: &[u8] = b" < ";
        let bytes = line.as_bytes();
        // A name may hold the mark, too.
        let Some(at) = bytes.windows(MARK.len()).rposition(|part| part == MARK) else {
            return refuse("a file to send is wanted, as in STOR name < file");
        };
        let (command, file) = (&bytes[..at], bytes[at + MARK.len()..].trim_ascii());
        let shown = escape(file);
        let opened = File::open(Path::new(std::ffi::OsStr::from_bytes(file))).and_then(|file| {
            let is_dir = file.metadata()?.is_dir();
            if is_dir { Err(io::Error::from(io::ErrorKind::IsADirectory)) } else { Ok(file) }
        });
        let file = match opened {
            Ok(file) => file,
            Err(e) => return refuse(&format!("cannot read {shown}: {e}")),
        };
        let Ok(line) = RawLine::parse(command) else {
            return refuse("a file to send is wanted, as in STOR name < file");
        };
        let door = self.door.take();
        match self.client.begin_transfer(&line, door) {
            Ok(RawTransfer::Upload(upload)) => match self.push(upload, file) {
                Ok(ended) => self.heard(ended),
                Err(e) => {
                    // What is there of it is told by nobody to be whole.
                    self.client.give_up();
                    complain!(
                        "error: cannot read {shown}: {e}; the session is given up, and what was sent of the file is no whole one"
                    );
                    Came::Lost
                }
            },
            Ok(RawTransfer::Download(_)) => unreachable!("the command is that of an upload"),
            Err(e) => self.heard(Err(e)),
        }
    }

    fn push(&mut self, mut upload: Upload, mut file: File) -> io::Result<Result<Reply, FtpError>> {
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block) {
                Ok(0) => return Ok(upload.finish(&mut self.client)),
                Ok(n) => {
                    if let Err(e) = upload.write(&mut self.client, &block[..n]) {
                        if e.reply().is_none() {
                            self.client.give_up();
                        }
                        return Ok(Err(e));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Returns what came of a command. What the server said was printed as it came.
    fn heard(&mut self, said: Result<Reply, FtpError>) -> Came {
        match said {
            Ok(reply) if matches!(reply.class(), Class::Transient | Class::Permanent) => Came::Refused,
            Ok(_) => Came::Done,
            Err(FtpError::Cancelled) => Came::Lost,
            Err(e) if !self.client.is_usable() => {
                complain!("error: the session is over: {}", causes(&e));
                Came::Lost
            }
            Err(e) if e.reply().is_some() => Came::Refused,
            Err(e) => refuse(&causes(&e)),
        }
    }
}

fn refuse(text: &str) -> Came {
    complain!("error: {text}");
    Came::Refused
}

fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", causes(cause)),
        None => error.to_string(),
    }
}
