//! Commands: what a client sends and a server reads, one line each (RFC 959 §5.3).
//!
//! A command line ends at CR LF, so a control byte inside an argument would begin a second command. Nothing with
//! a control byte becomes a [`Command`]; neither does the byte 0xFF, which Telnet gives a meaning that servers disagree
//! about (ProFTPD undoubles it, vsftpd and Pure-FTPd store it doubled).

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

use crate::model::Escaped;

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The commands this program sends or serves.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb { $($(#[$doc])* $name,)* }

        impl Verb {
            /// Every verb, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

verbs! {
    /// Cancel the transfer under way (RFC 959 §4.1.3).
    Abor = "ABOR",
    /// Account, where a server asks for one after PASS (RFC 959 §4.1.1).
    Acct = "ACCT",
    /// Make room; answered and ignored (RFC 959 §4.1.3).
    Allo = "ALLO",
    /// Append to a file (RFC 959 §4.1.3).
    Appe = "APPE",
    /// Begin TLS (RFC 4217 §4).
    Auth = "AUTH",
    /// Go on in clear on the control connection (RFC 4217 §12.1); served to be refused, and never sent.
    Ccc = "CCC",
    /// Go to the parent directory (RFC 959 §4.1.1).
    Cdup = "CDUP",
    /// Name the client; sent only where FEAT lists it.
    Clnt = "CLNT",
    /// Change the working directory (RFC 959 §4.1.1).
    Cwd = "CWD",
    /// Remove a file (RFC 959 §4.1.3).
    Dele = "DELE",
    /// Open a data connection to the client, any network protocol (RFC 2428 §2).
    Eprt = "EPRT",
    /// Listen for a data connection, any network protocol (RFC 2428 §3).
    Epsv = "EPSV",
    /// List the extensions a server has (RFC 2389 §3).
    Feat = "FEAT",
    /// Tell a checksum of a file's content (draft-bryan-ftp-hash §3).
    Hash = "HASH",
    /// Explain commands (RFC 959 §4.1.3).
    Help = "HELP",
    /// List for people; the format is the server's own (RFC 959 §4.1.3).
    List = "LIST",
    /// Tell a file's modification time in UTC (RFC 3659 §3); on some servers, vsftpd among them, also set it.
    Mdtm = "MDTM",
    /// Modify facts of a file (draft-somers-ftp-mfxx); ProFTPD.
    Mff = "MFF",
    /// Modify a file's time (draft-somers-ftp-mfxx).
    Mfmt = "MFMT",
    /// Make a directory (RFC 959 §4.1.3).
    Mkd = "MKD",
    /// List for machines (RFC 3659 §7).
    Mlsd = "MLSD",
    /// Tell facts of one path on the control connection (RFC 3659 §7).
    Mlst = "MLST",
    /// Choose the transfer mode; stream is the only one in use (RFC 959 §3.4).
    Mode = "MODE",
    /// List names alone (RFC 959 §4.1.3).
    Nlst = "NLST",
    /// Do nothing (RFC 959 §4.1.3).
    Noop = "NOOP",
    /// Set an option of an extension (RFC 2389 §4).
    Opts = "OPTS",
    /// Password (RFC 959 §4.1.1).
    Pass = "PASS",
    /// Listen for a data connection over IPv4 (RFC 959 §4.1.2).
    Pasv = "PASV",
    /// Protection buffer size, 0 for TLS (RFC 4217 §9).
    Pbsz = "PBSZ",
    /// Open a data connection to the client over IPv4 (RFC 959 §4.1.2).
    Port = "PORT",
    /// Protect the data connection (RFC 4217 §9).
    Prot = "PROT",
    /// Tell the working directory (RFC 959 §4.1.3).
    Pwd = "PWD",
    /// Log out (RFC 959 §4.1.1).
    Quit = "QUIT",
    /// Start over as another user (RFC 959 §4.1.1).
    Rein = "REIN",
    /// Start the next transfer at an offset (RFC 3659 §5).
    Rest = "REST",
    /// Send a file to the client (RFC 959 §4.1.3).
    Retr = "RETR",
    /// Remove a directory (RFC 959 §4.1.3).
    Rmd = "RMD",
    /// Name the file to rename (RFC 959 §4.1.3).
    Rnfr = "RNFR",
    /// Rename the file named before (RFC 959 §4.1.3).
    Rnto = "RNTO",
    /// Commands of the site's own, such as CHMOD and UTIME (RFC 959 §4.1.3).
    Site = "SITE",
    /// Tell a file's size in the current TYPE (RFC 3659 §4).
    Size = "SIZE",
    /// Tell the state, or list on the control connection (RFC 959 §4.1.3).
    Stat = "STAT",
    /// Take a file from the client (RFC 959 §4.1.3).
    Stor = "STOR",
    /// Choose the file structure; file is the only one in use (RFC 959 §3.1.2).
    Stru = "STRU",
    /// Tell the system type (RFC 959 §4.1.3).
    Syst = "SYST",
    /// Choose the representation; image (binary) is the one in use (RFC 959 §3.1.1).
    Type = "TYPE",
    /// User name (RFC 959 §4.1.1).
    User = "USER",
    /// Tell the MD5 of a file's content; from before HASH.
    Xmd5 = "XMD5",
    /// Tell the SHA-1 of a file's content; from before HASH.
    Xsha1 = "XSHA1",
    /// Tell the SHA-256 of a file's content; from before HASH.
    Xsha256 = "XSHA256",
    /// Present a directory's name as XPWD etc. did before RFC 959; read as PWD.
    Xpwd = "XPWD",
    /// MKD's older name (RFC 1123 §4.1.3.1).
    Xmkd = "XMKD",
    /// RMD's older name (RFC 1123 §4.1.3.1).
    Xrmd = "XRMD",
    /// CWD's older name (RFC 1123 §4.1.3.1).
    Xcwd = "XCWD",
    /// CDUP's older name (RFC 1123 §4.1.3.1).
    Xcup = "XCUP",
}

impl Verb {
    /// Returns the verb `word` names, in any case; `None` for a word not listed here.
    pub fn parse(word: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|verb| verb.as_str().as_bytes().eq_ignore_ascii_case(word))
    }

    /// Returns whether the argument is a secret that no transcript may show.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Pass | Self::Acct)
    }
}

impl Display for Verb {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command with its argument. Holds no control byte, so that it is one line on the wire and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    verb: Verb,
    argument: Vec<u8>,
}

/// Why bytes can't be sent as an argument, or a line can't be read as a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// A byte below 0x20, which would end the command or be changed on the way.
    #[error("it holds the control byte 0x{0:02x}, which an FTP command can't carry")]
    Control(u8),
    /// The byte 0xFF, Telnet's escape, which servers store differently.
    #[error("it holds the byte 0xff, which FTP servers disagree about")]
    TelnetEscape,
    /// No verb of the list.
    #[error("unknown command")]
    Unknown,
}

impl Command {
    /// Returns a command without an argument.
    pub fn bare(verb: Verb) -> Self {
        Self { verb, argument: Vec::new() }
    }

    /// Returns a command with an argument.
    ///
    /// # Errors
    /// [`CommandError::Control`] or [`CommandError::TelnetEscape`] when the argument can't be carried.
    pub fn new(verb: Verb, argument: impl Into<Vec<u8>>) -> Result<Self, CommandError> {
        let argument = argument.into();
        match argument.iter().find(|&&b| b < 0x20 || b == 0xff) {
            Some(0xff) => Err(CommandError::TelnetEscape),
            Some(&byte) => Err(CommandError::Control(byte)),
            None => Ok(Self { verb, argument }),
        }
    }

    /// Reads a line without its line end, as a server does. Telnet negotiations in it are skipped.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] for a verb not listed, and the errors of [`Command::new`].
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = strip_telnet(line);
        let end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
        let verb = Verb::parse(&line[..end]).ok_or(CommandError::Unknown)?;
        // All behind the one space is the argument: names may begin and end with blanks.
        Self::new(verb, line.get(end + 1..).unwrap_or_default())
    }

    /// Returns the verb.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Returns the argument; empty when there is none.
    pub fn argument(&self) -> &[u8] {
        &self.argument
    }

    /// Appends the line as it goes over the wire, CR LF included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.verb.as_str().as_bytes());
        if !self.argument.is_empty() {
            out.push(b' ');
            out.extend_from_slice(&self.argument);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Shows the line with secrets struck out and everything escaped that a terminal might obey.
impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.verb.is_secret(), self.argument.is_empty()) {
            (_, true) => write!(f, "{}", self.verb),
            (true, false) => write!(f, "{} ***", self.verb),
            (false, false) => write!(f, "{} {}", self.verb, Escaped(&self.argument)),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Removes IAC WILL/WONT/DO/DONT sequences and other two-byte Telnet commands, which may precede ABOR (RFC 959 §4.1.3);
/// a doubled 0xFF is the byte itself.
fn strip_telnet(line: &[u8]) -> Vec<u8> {
    const IAC: u8 = 0xff;
    let mut out = Vec::with_capacity(line.len());
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != IAC {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(IAC) => out.push(IAC),
            Some(251..=254) => drop(bytes.next()),
            Some(_) | None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(command: &Command) -> String {
        let mut out = Vec::new();
        command.encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_command_is_one_line() {
        assert_eq!(line(&Command::bare(Verb::Pasv)), "PASV\r\n");
        assert_eq!(line(&Command::new(Verb::Retr, " -odd name ").unwrap()), "RETR  -odd name \r\n");
    }

    #[test]
    fn what_would_begin_a_second_command_is_refused() {
        assert_eq!(Command::new(Verb::Cwd, "a\r\nDELE b"), Err(CommandError::Control(b'\r')));
        assert_eq!(Command::new(Verb::Cwd, "a\nb"), Err(CommandError::Control(b'\n')));
        assert_eq!(Command::new(Verb::Cwd, "a\0b"), Err(CommandError::Control(0)));
        assert_eq!(Command::new(Verb::Cwd, b"a\xffb"), Err(CommandError::TelnetEscape));
    }

    #[test]
    fn secrets_are_struck_out() {
        assert_eq!(Command::new(Verb::Pass, "hunter2").unwrap().to_string(), "PASS ***");
        assert_eq!(Command::new(Verb::Acct, "hunter2").unwrap().to_string(), "ACCT ***");
        assert_eq!(Command::new(Verb::User, "anna\u{9b}").unwrap().to_string(), "USER anna\\u{9b}");
    }

    #[test]
    fn a_server_reads_any_case_and_keeps_blanks_of_names() {
        let command = Command::parse(b"retr  a b ").unwrap();
        assert_eq!((command.verb(), command.argument()), (Verb::Retr, &b" a b "[..]));
        assert_eq!(Command::parse(b"\xff\xf4\xff\xf2ABOR").unwrap().verb(), Verb::Abor);
        assert_eq!(Command::parse(b"\xff\xfd\x06NOOP").unwrap().verb(), Verb::Noop);
        assert_eq!(Command::parse(b"XYZZY"), Err(CommandError::Unknown));
        assert_eq!(Command::parse(b""), Err(CommandError::Unknown));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_comes_back_as_it_was(argument: Vec<u8>) {
            if let Ok(command) = Command::new(Verb::Stor, argument) {
                let mut wire = Vec::new();
                command.encode(&mut wire);
                prop_assert!(wire.ends_with(b"\r\n"));
                let text = &wire[..wire.len() - 2];
                prop_assert!(text.iter().all(|&b| b >= 0x20));
                prop_assert_eq!(Command::parse(text).unwrap(), command);
            }
        }

        #[test]
        fn any_line_is_read_without_panic(line: Vec<u8>) {
            let _ = Command::parse(&line);
        }
    }
}
