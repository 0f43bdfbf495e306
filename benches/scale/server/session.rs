//! A control session: every command of a segment is answered, and the answers leave together.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use crate::lines;
use crate::parameters::{Listing, Parameters};
use crate::tree::{Dir, File, Node};

/// What is gathered before it is written.
const BLOCK_BYTES: usize = 128 << 10;

/// Longer command lines are nobody's.
const LINE_BYTES: usize = 16 << 10;

struct Session<'p> {
    parameters: &'p Parameters,
    control: TcpStream,
    /// Answers that have not left yet.
    out: Vec<u8>,
    /// Absolute, without a `/` at its end but for the root.
    working: Vec<u8>,
    /// One port for all transfers of the session, so that a million of them use up no more.
    data: Option<TcpListener>,
    restart: u64,
}

/// Serves a client until it goes.
pub(crate) fn serve(control: TcpStream, parameters: &Parameters) -> io::Result<()> {
    control.set_nodelay(true)?;
    let mut session =
        Session { parameters, control, out: Vec::new(), working: b"/".to_vec(), data: None, restart: 0 };
    // By the greeting a client knows how many commands it may send at once.
    session.say(match parameters.listing {
        Listing::Mlsd => "220 listings made up, for oneway",
        Listing::List => "220 (vsFTPd 3.0.3)",
    });
    let mut buffer = Vec::new();
    let mut block = [0; 8192];
    loop {
        session.flush()?;
        let n = session.control.read(&mut block)?;
        if n == 0 || buffer.len() > LINE_BYTES {
            return Ok(());
        }
        buffer.extend_from_slice(&block[..n]);
        let mut done = 0;
        while let Some(length) = buffer[done..].iter().position(|&b| b == b'\n') {
            let line = buffer[done..done + length].trim_ascii_end();
            if !session.obey(line)? {
                return session.flush();
            }
            done += length + 1;
        }
        buffer.drain(..done);
    }
}

impl Session<'_> {
    /// Obeys a command; `false` ends the session.
    fn obey(&mut self, line: &[u8]) -> io::Result<bool> {
        let (verb, argument) = match line.iter().position(|&b| b == b' ') {
            Some(blank) => (&line[..blank], &line[blank + 1..]),
            None => (line, &b""[..]),
        };
        match verb.to_ascii_uppercase().as_slice() {
            b"USER" => self.say("331 Any password"),
            b"PASS" => self.say("230 Logged in"),
            b"SYST" => self.say("215 UNIX Type: L8"),
            // MFMT is refused, and named all the same: to a server that can't set times, files are compared otherwise.
            b"FEAT" => self.say(match self.parameters.listing {
                Listing::Mlsd => {
                    "211-Features:\r\n EPSV\r\n PASV\r\n MDTM\r\n MFMT\r\n SIZE\r\n UTF8\r\n REST STREAM\r\n MLST type*;size*;modify*;UNIX.mode*;\r\n211 End"
                }
                Listing::List => "211-Features:\r\n EPSV\r\n PASV\r\n MDTM\r\n SIZE\r\n UTF8\r\n REST STREAM\r\n211 End",
            }),
            b"TYPE" | b"OPTS" | b"NOOP" | b"MODE" | b"STRU" => self.say("200 Yes"),
            b"PWD" => {
                self.out.extend_from_slice(b"257 \"");
                self.out.extend_from_slice(&self.working);
                self.say("\"");
            }
            b"CWD" => match self.find(argument) {
                Some(Node::Dir(_)) => {
                    self.working = self.path(argument);
                    self.say("250 There");
                }
                _ => self.say("550 No such directory"),
            },
            b"EPSV" => {
                let port = self.listen()?;
                self.say(&format!("229 Extended passive mode (|||{port}|)"));
            }
            b"PASV" => {
                let port = self.listen()?;
                self.say(&format!("227 Passive mode (127,0,0,1,{},{})", port >> 8, port & 255));
            }
            b"REST" => {
                self.restart = std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                self.say("350 From there");
            }
            b"MLSD" if self.parameters.listing == Listing::Mlsd => match self.find(argument) {
                Some(Node::Dir(dir)) => self.transfer(|session, data| session.list(dir, data))?,
                _ => self.refuse("550 No such directory"),
            },
            b"LIST" => match self.find(without_flag(argument)) {
                Some(Node::Dir(dir)) => self.transfer(|session, data| session.list(dir, data))?,
                // As most servers do.
                _ => self.transfer(|_, _| Ok(()))?,
            },
            b"STAT" => match self.find(without_flag(argument)) {
                Some(Node::Dir(dir)) => self.stat(dir)?,
                _ => self.say("213-Status follows:\r\n213 End of status"),
            },
            b"MDTM" => match self.find(argument) {
                Some(Node::File(file)) => {
                    self.out.extend_from_slice(b"213 ");
                    lines::write_time(&mut self.out, file.mtime);
                    self.say("");
                }
                _ => self.say("550 No such file"),
            },
            b"SIZE" => match self.find(argument) {
                Some(Node::File(file)) => self.say(&format!("213 {}", file.size)),
                _ => self.say("550 No such file"),
            },
            b"RETR" => match self.find(argument) {
                Some(Node::File(file)) => self.transfer(|session, data| session.send(file, data))?,
                _ => self.refuse("550 No such file"),
            },
            b"QUIT" => {
                self.say("221 Goodbye");
                return Ok(false);
            }
            b"STOR" => self.refuse("550 Nothing can be changed here"),
            b"MFMT" | b"DELE" | b"MKD" | b"RMD" | b"RNFR" => self.say("550 Nothing can be changed here"),
            _ => self.say("502 Not here"),
        }
        Ok(true)
    }

    fn find(&self, argument: &[u8]) -> Option<Node> {
        self.parameters.tree.find(&self.path(argument))
    }

    fn path(&self, argument: &[u8]) -> Vec<u8> {
        if argument.starts_with(b"/") {
            return argument.to_vec();
        }
        [&self.working, &b"/"[..], argument].concat()
    }

    fn listen(&mut self) -> io::Result<u16> {
        let data = match self.data.take() {
            Some(data) => data,
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        };
        let port = data.local_addr()?.port();
        self.data = Some(data);
        Ok(port)
    }

    /// Opens the data connection for `send` and says how it went.
    fn transfer(&mut self, send: impl FnOnce(&mut Self, &mut TcpStream) -> io::Result<()>) -> io::Result<()> {
        if self.data.is_none() {
            self.say("425 EPSV comes first");
            return Ok(());
        }
        self.say("150 Here it comes");
        self.flush()?;
        let (mut data, _) = self.data.as_ref().expect("it was just looked at").accept()?;
        send(self, &mut data)?;
        drop(data);
        self.say("226 That was all");
        Ok(())
    }

    /// Answers a transfer that there is nothing for. A connection may wait for it already, and is not the next one's.
    fn refuse(&mut self, reply: &str) {
        self.data = None;
        self.say(reply);
    }

    fn list(&self, dir: Dir, data: &mut TcpStream) -> io::Result<()> {
        let mut block = Vec::with_capacity(BLOCK_BYTES + 1024);
        self.parameters.tree.list(dir, |entry| {
            lines::write(&mut block, self.parameters.listing, &entry);
            write_full(&mut block, data)
        })?;
        data.write_all(&block)
    }

    fn stat(&mut self, dir: Dir) -> io::Result<()> {
        self.say("213-Status follows:");
        self.out.extend_from_slice(b"drwxr-xr-x    2 1000     1000          4096 Nov 21 14:17 .\r\n");
        self.out.extend_from_slice(b"drwxr-xr-x    2 1000     1000          4096 Nov 21 14:17 ..\r\n");
        let Self { parameters, control, out, .. } = self;
        parameters.tree.list(dir, |entry| {
            lines::write(out, parameters.listing, &entry);
            write_full(out, control)
        })?;
        self.say("213 End of status");
        Ok(())
    }

    fn send(&mut self, file: File, data: &mut TcpStream) -> io::Result<()> {
        let mut left = file.size.saturating_sub(std::mem::take(&mut self.restart));
        let block = vec![b'x'; BLOCK_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX))];
        while left > 0 {
            let part = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            data.write_all(&block[..part])?;
            left -= part as u64;
        }
        Ok(())
    }

    fn say(&mut self, reply: &str) {
        self.out.extend_from_slice(reply.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    fn flush(&mut self) -> io::Result<()> {
        self.control.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }
}

fn write_full(block: &mut Vec<u8>, out: &mut TcpStream) -> io::Result<()> {
    if block.len() >= BLOCK_BYTES {
        out.write_all(block)?;
        block.clear();
    }
    Ok(())
}

/// `-a` of LIST and STAT.
fn without_flag(argument: &[u8]) -> &[u8] {
    match argument.strip_prefix(b"-") {
        Some(flag) => flag.iter().position(|&b| b == b' ').map_or(&b""[..], |blank| &flag[blank + 1..]),
        None => argument,
    }
}
