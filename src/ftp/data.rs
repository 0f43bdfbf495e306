//! Data connections: who listens, on which port, and who may be at the other end.
//!
//! Passive by EPSV (RFC 2428 §3), also over IPv4, since it names only a port; else by PASV, of which also only the port is
//! used: an address in a reply could send the client anywhere. Active by EPRT or PORT, accepting nobody but the
//! control connection's peer.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::ftp::command::{Command, Verb};
use crate::ftp::connect::{connect, wait_for};
use crate::model::Cancel;

/// Who opens the data connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataMode {
    /// The client connects to a port the server names.
    #[default]
    Passive,
    /// The server connects to a port the client names.
    Active,
}

/// Returns the port of a 229 reply: `Entering Extended Passive Mode (|||6446|)`. Any printable delimiter goes (IBM
/// servers use `!`), and whatever stands where an address could stand is ignored.
pub fn parse_epsv(text: &[u8]) -> Option<u16> {
    let open = text.iter().position(|&b| b == b'(')?;
    let inner = &text[open + 1..];
    let delimiter = *inner.first()?;
    if !(33..=126).contains(&delimiter) || delimiter.is_ascii_digit() {
        return None;
    }
    let fields: Vec<&[u8]> = inner.splitn(5, |&b| b == delimiter).collect();
    // Before the first delimiter nothing, then protocol, address, port, and the rest.
    let [b"", _, _, port, _] = fields[..] else { return None };
    usable_port(parse_number(port, 65_535)?)
}

/// Returns the port of a 227 reply. Parentheses are not required (RFC 1123 §4.1.2.6): six numbers are looked for.
pub fn parse_pasv(text: &[u8]) -> Option<u16> {
    let mut start = 0;
    while let Some(offset) = text[start..].iter().position(u8::is_ascii_digit) {
        start += offset;
        let run = &text[start..];
        let end = run.iter().position(|b| !b.is_ascii_digit() && *b != b',').unwrap_or(run.len());
        let numbers: Vec<_> = run[..end].split(|&b| b == b',').map(|n| parse_number(n, 255)).collect();
        if let [Some(_), Some(_), Some(_), Some(_), Some(high), Some(low)] = numbers[..] {
            return usable_port(high << 8 | low);
        }
        start += end;
        if numbers.len() > 1 {
            return None;
        }
    }
    None
}

fn parse_number(digits: &[u8], most: u32) -> Option<u32> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'));
    (number <= most).then_some(number)
}

/// Ports below 1024 belong to other services; a server that names one wants something else than a transfer. 20 and 990 are
/// FTP's own.
fn usable_port(port: u32) -> Option<u16> {
    let port = u16::try_from(port).ok()?;
    (port >= 1024 || port == 20 || port == 990).then_some(port)
}

/// Connects to `port` of the control connection's peer.
///
/// # Errors
/// As [`connect`].
pub fn connect_passive(
    mut peer: SocketAddr,
    port: u16,
    timeout: Duration,
    cancel: &Cancel,
) -> io::Result<TcpStream> {
    peer.set_port(port);
    connect(peer, timeout, cancel)
}

/// A port of ours that waits for the server.
#[derive(Debug)]
pub struct ActiveListener {
    listener: TcpListener,
    peer: IpAddr,
}

impl ActiveListener {
    /// Listens on a free port of the address that the control connection leaves from.
    ///
    /// # Errors
    /// What the network says.
    pub fn bind(local: IpAddr, peer: IpAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((local, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, peer })
    }

    /// Returns the command that names the port, `EPRT` for IPv6 and `PORT` for IPv4, which every server knows.
    ///
    /// # Errors
    /// What the network says.
    pub fn command(&self) -> io::Result<Command> {
        let address = self.listener.local_addr()?;
        let (verb, argument) = match unmapped(address.ip()) {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = ip.octets();
                let [high, low] = address.port().to_be_bytes();
                (Verb::Port, format!("{a},{b},{c},{d},{high},{low}"))
            }
            IpAddr::V6(ip) => (Verb::Eprt, format!("|2|{ip}|{}|", address.port())),
        };
        Ok(Command::new(verb, argument).expect("addresses are printable"))
    }

    /// Waits for the server. Connections from elsewhere are closed at once: they would steal or forge the data.
    ///
    /// # Errors
    /// `TimedOut` after `timeout`, `Interrupted` when cancelled, else what the network says.
    pub fn accept(&self, timeout: Duration, cancel: &Cancel) -> io::Result<TcpStream> {
        let started = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, from)) if unmapped(from.ip()) == unmapped(self.peer) => {
                    stream.set_nonblocking(false)?;
                    return Ok(stream);
                }
                Ok(_stranger) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            wait_for(&self.listener, PollFlags::IN, left)?;
        }
    }
}

/// An IPv4 address that came through an IPv6 socket is an IPv4 address.
fn unmapped(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn epsv_replies() {
        for (text, port) in [
            ("Entering Extended Passive Mode (|||6446|)", Some(6446)),
            ("Entering Extended Passive Mode (!!!6446!)", Some(6446)),
            ("(|1|10.0.0.1|6446|)", Some(6446)),
            ("(|||65535|).", Some(65535)),
            ("(|||65536|)", None),
            ("(|||70000|)", None),
            ("(|||0|)", None),
            ("(|||-1|)", None),
            ("(|||22|)", None),
            ("(||||)", None),
            ("(|||6446", None),
            ("(6446)", None),
            ("", None),
            ("|||6446|", None),
        ] {
            assert_eq!(parse_epsv(text.as_bytes()), port, "{text}");
        }
    }

    #[test]
    fn pasv_replies() {
        for (text, port) in [
            ("Entering Passive Mode (127,0,0,1,200,10).", Some(51210)),
            ("Entering Passive Mode 127,0,0,1,200,10", Some(51210)),
            ("=127,0,0,1,200,10", Some(51210)),
            ("Server 2 says (10,9,8,7,4,0)", Some(1024)),
            ("(127,0,0,1,256,10)", None),
            ("(127,0,0,1,0,21)", None),
            ("(127,0,0,1,200)", None),
            ("(127,0,0,1,200,10,4)", None),
            ("(127,0,0,1,200,-1)", None),
            ("", None),
        ] {
            assert_eq!(parse_pasv(text.as_bytes()), port, "{text}");
        }
    }

    #[test]
    fn only_the_peer_is_accepted() {
        let here: IpAddr = [127, 0, 0, 1].into();
        let listener = ActiveListener::bind(here, here).unwrap();
        let address = listener.listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        assert!(listener.accept(Duration::from_secs(5), &Cancel::new()).is_ok());

        let other = ActiveListener::bind(here, [127, 0, 0, 2].into()).unwrap();
        let _thief = TcpStream::connect(other.listener.local_addr().unwrap()).unwrap();
        let refused = other.accept(Duration::from_millis(50), &Cancel::new()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }

    proptest! {
        #[test]
        fn any_bytes_name_a_usable_port_or_none(text: Vec<u8>) {
            for port in [parse_epsv(&text), parse_pasv(&text)].into_iter().flatten() {
                prop_assert!(port >= 1024 || port == 20 || port == 990);
            }
        }

        #[test]
        fn every_usable_port_is_read(port in 1024u16..) {
            prop_assert_eq!(parse_epsv(format!("ok (|||{port}|)").as_bytes()), Some(port));
            let [high, low] = port.to_be_bytes();
            prop_assert_eq!(parse_pasv(format!("ok (1,2,3,4,{high},{low})").as_bytes()), Some(port));
        }
    }
}
