//! Lines as a person types them: any command a server may know, sent as it stands.
//!
//! One line is one command, so what would begin a second one is refused here as it is in every [`Command`](crate::ftp::command::Command).

use std::fmt::{self, Debug, Display, Formatter};

use crate::ftp::command::{CommandError, Verb};
use crate::model::Escaped;

/// One line for the server, without a line end. Holds no control byte.
#[derive(Clone, PartialEq, Eq)]
pub struct RawLine(Vec<u8>);

impl RawLine {
    /// Reads a line. Blanks before the command are dropped; what is behind it stays as it is.
    ///
    /// # Errors
    /// [`CommandError::Control`] or [`CommandError::TelnetEscape`] when it can't be one line on the wire, [`CommandError::Unknown`]
    /// when there is nothing in it.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = line.trim_ascii_start();
        match line.iter().find(|&&b| b < 0x20 || b == 0xff) {
            Some(0xff) => Err(CommandError::TelnetEscape),
            Some(&byte) => Err(CommandError::Control(byte)),
            None if line.is_empty() => Err(CommandError::Unknown),
            None => Ok(Self(line.to_vec())),
        }
    }

    /// Returns the command; `None` for one that this program has no use for, which a server may know all the same.
    pub fn verb(&self) -> Option<Verb> {
        Verb::parse(self.word())
    }

    /// Returns what stands behind the command and the one blank after it; empty when nothing does.
    pub fn argument(&self) -> &[u8] {
        self.0.get(self.word().len() + 1..).unwrap_or_default()
    }

    /// Returns whether nobody but the server should see the argument, or remember the line: it says who somebody is.
    pub fn is_of_login(&self) -> bool {
        self.verb().is_some_and(|verb| verb == Verb::User || verb.is_secret())
    }

    /// Returns the line as it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn word(&self) -> &[u8] {
        self.0.split(|&b| b == b' ').next().unwrap_or_default()
    }
}

/// Shows the line with secrets struck out and everything escaped that a terminal might obey.
impl Display for RawLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.verb() {
            Some(verb) if verb.is_secret() && !self.argument().is_empty() => write!(f, "{verb} ***"),
            _ => write!(f, "{}", Escaped(&self.0)),
        }
    }
}

impl Debug for RawLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_stays_as_it_was_typed() {
        let line = RawLine::parse(b"  retr  a b ").unwrap();
        assert_eq!((line.as_bytes(), line.verb()), (&b"retr  a b "[..], Some(Verb::Retr)));
        assert_eq!(line.argument(), b" a b ");
        let line = RawLine::parse(b"XYZZY").unwrap();
        assert_eq!((line.verb(), line.argument()), (None, &b""[..]));
    }

    #[test]
    fn what_would_begin_a_second_command_is_refused() {
        for (line, why) in [
            (&b"NOOP\r\nDELE a"[..], CommandError::Control(b'\r')),
            (b"NOOP\nDELE a", CommandError::Control(b'\n')),
            (b"RETR a\tb", CommandError::Control(b'\t')),
            (b"RETR \xff", CommandError::TelnetEscape),
            (b"", CommandError::Unknown),
            (b"  ", CommandError::Unknown),
        ] {
            assert_eq!(RawLine::parse(line), Err(why), "{line:?}");
        }
    }

    #[test]
    fn secrets_are_struck_out_however_they_are_typed() {
        for (line, shown) in [
            ("PASS hunter2", "PASS ***"),
            ("  pass hunter2", "PASS ***"),
            ("Acct x y", "ACCT ***"),
            ("pass", "pass"),
        ] {
            let line = RawLine::parse(line.as_bytes()).unwrap();
            assert_eq!((line.to_string(), line.is_of_login()), (shown.to_owned(), true));
        }
        let line = RawLine::parse("RETR a\u{9b}".as_bytes()).unwrap();
        assert_eq!((line.to_string(), line.is_of_login()), ("RETR a\\u{9b}".to_owned(), false));
    }

    proptest! {
        #[test]
        fn any_line_is_one_command_or_none(line: Vec<u8>) {
            if let Ok(line) = RawLine::parse(&line) {
                prop_assert!(!line.as_bytes().is_empty() && line.as_bytes().iter().all(|&b| b >= 0x20 && b != 0xff));
                let _ = (line.argument(), line.to_string());
            }
        }
    }
}
