//! Replies: what a server answers (RFC 959 §4.2), read from a stream that may be cut anywhere.
//!
//! `ddd text` is a whole reply. `ddd-text` opens one of several lines that ends at a line beginning with the same code
//! and a space; lines between may begin with anything, other codes included. Line ends may be LF alone. Lines, replies
//! and the number of lines are limited, since a server that never ends its reply would otherwise fill the memory.

use std::fmt::{self, Debug, Display, Formatter};

use thiserror::Error;

use crate::model::Escaped;

/// One reply: its code and its lines without codes and line ends.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<Vec<u8>>,
}

impl Reply {
    /// Returns a reply of one line.
    pub fn new(code: u16, text: impl Into<Vec<u8>>) -> Self {
        Self { code, lines: vec![text.into()] }
    }

    /// Returns a reply of several lines; `first` and `last` carry the code, `inner` stand between them as they are.
    pub fn multi(
        code: u16,
        first: impl Into<Vec<u8>>,
        inner: Vec<Vec<u8>>,
        last: impl Into<Vec<u8>>,
    ) -> Self {
        let mut lines = vec![first.into()];
        lines.extend(inner);
        lines.push(last.into());
        Self { code, lines }
    }

    /// Returns the code, 100 to 659.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Returns what the first digit says, which is what decides (RFC 1123 §4.1.2.11).
    pub fn class(&self) -> Class {
        match self.code / 100 {
            1 => Class::Preliminary,
            2 => Class::Completion,
            3 => Class::Intermediate,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// Returns whether the command was carried out (2xx).
    pub fn is_ok(&self) -> bool {
        self.class() == Class::Completion
    }

    /// Replaces each occurrence of `secret` by `***`; an empty one has none.
    pub fn strike_out(&mut self, secret: &[u8]) {
        if secret.is_empty() {
            return;
        }
        const STARS: [u8; 3] = *b"***";
        for line in &mut self.lines {
            let mut from = 0;
            while let Some(at) = line[from..].windows(secret.len()).position(|part| part == secret) {
                let at = from + at;
                line.splice(at..at + secret.len(), STARS);
                from = at + STARS.len();
            }
        }
    }

    /// Returns the lines. The first and the last are without their code, those between are as they came.
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// Returns the text of the first line.
    pub fn text(&self) -> &[u8] {
        self.lines.first().map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the lines between the first and the last: the body of FEAT, MLST and STAT.
    pub fn body(&self) -> &[Vec<u8>] {
        if self.lines.len() < 2 { &[] } else { &self.lines[1..self.lines.len() - 1] }
    }

    /// Returns how many bytes it takes here.
    pub(crate) fn memory(&self) -> usize {
        self.lines.iter().map(|line| memory_of(line)).sum()
    }

    /// Appends the reply as it goes over the wire. An inner line that could end the reply early gets a space before it, as
    /// RFC 959 §4.2 asks.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (i, line) in self.lines.iter().enumerate() {
            if i == last {
                out.extend_from_slice(format!("{:03} ", self.code).as_bytes());
            } else if i == 0 {
                out.extend_from_slice(format!("{:03}-", self.code).as_bytes());
            } else if line.first().is_some_and(u8::is_ascii_digit) {
                out.push(b' ');
            }
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Shows code and lines, escaped for a terminal, on one line.
impl Display for Reply {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.code)?;
        for (i, line) in self.lines.iter().enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() {
                write!(f, "{}{}", if i == 0 { " " } else { " | " }, Escaped(line))?;
            }
        }
        Ok(())
    }
}

impl Debug for Reply {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// What the first digit of a reply code says (RFC 959 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 1xx: begun, another reply follows.
    Preliminary,
    /// 2xx: done.
    Completion,
    /// 3xx: another command is needed.
    Intermediate,
    /// 4xx: not now.
    Transient,
    /// 5xx: no.
    Permanent,
}

/// How much of a reply is read before the server is taken for broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one line.
    pub line_bytes: usize,
    /// Bytes that all lines of one reply take here, those that hold a line together included.
    pub reply_bytes: usize,
}

impl Limits {
    /// For every command but those that list on the control connection.
    pub const PLAIN: Self = Self { line_bytes: 8 << 10, reply_bytes: 64 << 10 };
    /// For STAT of a directory, whose reply is a listing.
    pub const LISTING: Self = Self { line_bytes: 64 << 10, reply_bytes: 64 << 20 };
}

/// How a server breaks the form of replies.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// A line that doesn't begin with a code where a reply must begin.
    #[error("the server sent a line that is no reply: `{0}`")]
    NoCode(String),
    /// A line longer than the limit.
    #[error("the server sent a line longer than {0} bytes")]
    LineTooLong(usize),
    /// A reply longer than the limit.
    #[error("the server sent a reply longer than {0} bytes")]
    ReplyTooLong(usize),
    /// A NUL byte, which no server sends in good faith.
    #[error("the server sent a NUL byte in a reply")]
    Nul,
}

/// Makes replies out of bytes as they come.
#[derive(Debug, Default)]
pub struct ReplyParser {
    /// The line that is not yet ended.
    line: Vec<u8>,
    /// The reply that is not yet ended, with the bytes its lines take.
    open: Option<(Reply, usize)>,
}

impl ReplyParser {
    /// Takes bytes up to the end of the first whole reply, and returns how many were taken, and the reply. The rest is to be
    /// handed over again: it belongs to the next reply.
    ///
    /// # Errors
    /// Says how the server breaks the form. The parser is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8], limits: Limits) -> Result<(usize, Option<Reply>), ReplyError> {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            let Some(end) = rest.iter().position(|&b| b == b'\n') else {
                self.extend_line(rest, limits)?;
                return Ok((bytes.len(), None));
            };
            self.extend_line(&rest[..end], limits)?;
            taken += end + 1;
            let mut line = std::mem::take(&mut self.line);
            while line.last() == Some(&b'\r') {
                line.pop();
            }
            if let Some(reply) = self.take_line(line, limits)? {
                return Ok((taken, Some(reply)));
            }
        }
        Ok((taken, None))
    }

    /// Returns whether nothing of an unfinished reply is held.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && self.open.is_none()
    }

    fn extend_line(&mut self, part: &[u8], limits: Limits) -> Result<(), ReplyError> {
        if self.line.len() + part.len() > limits.line_bytes {
            return Err(ReplyError::LineTooLong(limits.line_bytes));
        }
        if part.contains(&0) {
            return Err(ReplyError::Nul);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn take_line(&mut self, line: Vec<u8>, limits: Limits) -> Result<Option<Reply>, ReplyError> {
        let Some((reply, bytes)) = &mut self.open else {
            let line = strip_telnet(line);
            let Some((code, more, text)) = split_code(&line) else {
                return if line.is_empty() { Ok(None) } else { Err(no_code(&line)) };
            };
            let reply = Reply { code, lines: vec![text.to_vec()] };
            if !more {
                return Ok(Some(reply));
            }
            self.open = Some((reply, memory_of(&line)));
            return Ok(None);
        };
        *bytes += memory_of(&line);
        if *bytes > limits.reply_bytes {
            return Err(ReplyError::ReplyTooLong(limits.reply_bytes));
        }
        match split_code(&line) {
            Some((code, false, text)) if code == reply.code => {
                reply.lines.push(text.to_vec());
                Ok(self.open.take().map(|(reply, _)| reply))
            }
            _ => {
                reply.lines.push(line);
                Ok(None)
            }
        }
    }
}

/// Returns how many bytes a line takes here. An empty one takes some, too: a flood of them is many times as long in memory as on
/// the wire.
fn memory_of(line: &[u8]) -> usize {
    size_of::<Vec<u8>>() + line.len()
}

/// Splits `ddd text`, `ddd-text` or a bare `ddd`; returns code, whether more lines follow, and the text.
fn split_code(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    if !(100..660).contains(&code) {
        return None;
    }
    match line.get(3) {
        None => Some((code, false, &[])),
        Some(b' ') => Some((code, false, &line[4..])),
        Some(b'-') => Some((code, true, &line[4..])),
        Some(_) => None,
    }
}

fn no_code(line: &[u8]) -> ReplyError {
    let shown = &line[..line.len().min(80)];
    ReplyError::NoCode(Escaped(shown).to_string())
}

/// Removes Telnet negotiations before a reply, which a few old servers send (RFC 959 §2.3).
fn strip_telnet(mut line: Vec<u8>) -> Vec<u8> {
    while line.len() >= 3 && line[0] == 0xff && (251..=254).contains(&line[1]) {
        line.drain(..3);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(mut bytes: &[u8], step: usize) -> Result<Vec<Reply>, ReplyError> {
        let (mut parser, mut replies) = (ReplyParser::default(), vec![]);
        while !bytes.is_empty() {
            let (taken, reply) = parser.push(&bytes[..bytes.len().min(step)], Limits::PLAIN)?;
            replies.extend(reply);
            bytes = &bytes[taken..];
        }
        Ok(replies)
    }

    fn shown(bytes: &[u8]) -> Vec<String> {
        let whole = all(bytes, usize::MAX).unwrap();
        // However the stream is cut, the replies are the same.
        for step in 1..=5 {
            assert_eq!(all(bytes, step).unwrap(), whole);
        }
        whole.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn replies_of_one_and_of_several_lines() {
        assert_eq!(shown(b"220 ready\r\n"), ["220 ready"]);
        assert_eq!(shown(b"220\r\n"), ["220"]);
        assert_eq!(shown(b"220 a\n331 b\n"), ["220 a", "331 b"]);
        assert_eq!(
            shown(b"220-Hello\r\n there\r\n331 no end\r\n220-nor this\r\n220 end\r\n"),
            ["220 Hello | there | 331 no end | 220-nor this | end"]
        );
        assert_eq!(
            shown(b"211-Features:\r\n MDTM\r\n SIZE\r\n211 End\r\n"),
            ["211 Features: | MDTM | SIZE | End"]
        );
        assert_eq!(shown(b"\xff\xfb\x01220 telnet\r\n"), ["220 telnet"]);
        assert_eq!(shown(b"\r\n220 after an empty line\r\n"), ["220 after an empty line"]);
    }

    #[test]
    fn the_body_is_what_stands_between() {
        let reply = &all(b"211-F\r\n A\r\n B\r\n211 E\r\n", 99).unwrap()[0];
        assert_eq!(reply.body(), [b" A".to_vec(), b" B".to_vec()]);
        assert_eq!(Reply::new(200, "ok").body(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_secret_is_struck_out_of_every_line() {
        for (secret, shown) in [
            ("hunter2", "530 PASS ***, ***? | ***"),
            ("2", "530 PASS hunter***, hunter***? | hunter***"),
            ("", "530 PASS hunter2, hunter2? | hunter2"),
            ("*", "530 PASS hunter2, hunter2? | hunter2"),
        ] {
            let mut reply = Reply::multi(530, "PASS hunter2, hunter2?", vec![], "hunter2");
            reply.strike_out(secret.as_bytes());
            assert_eq!(reply.to_string(), shown);
        }
        let mut stars = Reply::new(530, "***");
        stars.strike_out(b"*");
        assert_eq!(stars.to_string(), "530 *********");
    }

    #[test]
    fn broken_forms_end_the_session() {
        assert!(matches!(all(b"HTTP/1.1 400 Bad\r\n", 99), Err(ReplyError::NoCode(_))));
        assert!(matches!(all(b"099 x\r\n", 99), Err(ReplyError::NoCode(_))));
        assert!(matches!(all(b"2200 x\r\n", 99), Err(ReplyError::NoCode(_))));
        assert_eq!(all(b"220 a\0b\r\n", 99), Err(ReplyError::Nul));
        assert_eq!(all(&[b'2'; 9000], 99), Err(ReplyError::LineTooLong(8192)));
        let endless = [&b"220-x\r\n"[..], &b"y\r\n".repeat(40_000)].concat();
        assert_eq!(all(&endless, 4096), Err(ReplyError::ReplyTooLong(65536)));
        let empty_lines = [&b"220-x\r\n"[..], &b"\n".repeat(70_000)].concat();
        assert_eq!(all(&empty_lines, 4096), Err(ReplyError::ReplyTooLong(65536)));
    }

    #[test]
    fn an_encoded_reply_is_read_back() {
        let reply = Reply::multi(211, "Features", vec![b" MDTM".to_vec(), b"211 no".to_vec()], "End");
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        assert_eq!(wire, b"211-Features\r\n MDTM\r\n 211 no\r\n211 End\r\n");
        assert_eq!(all(&wire, 3).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_alike_however_cut(bytes: Vec<u8>, step in 1usize..20) {
            prop_assert_eq!(all(&bytes, step).ok(), all(&bytes, usize::MAX).ok());
        }
    }
}
