//! How data is to go: TYPE, MODE, STRU, ALLO, OPTS, and who opens the data connection: PASV, EPSV, PORT, EPRT
//! (RFC 959 §4.1.2, RFC 2389, RFC 2428).

use std::net::{IpAddr, SocketAddr};

use crate::ftp::reply::Reply;
use crate::server::address::{EprtError, epsv_text, parse_eprt, parse_port, pasv_text};
use crate::server::commands::Handled;
use crate::server::data::{self, Setup};
use crate::server::mlsx::FactSet;
use crate::server::session::Session;

/// TYPE. ASCII is taken, since every session begins with it, but bytes are never changed.
pub(super) fn representation(session: &mut Session, argument: &[u8]) -> Handled {
    session.ascii = match argument.to_ascii_uppercase().as_slice() {
        b"A" | b"A N" => true,
        b"I" | b"L 8" => false,
        _ => return Err(Reply::new(504, "Only TYPE A and TYPE I")),
    };
    Ok(Reply::new(200, if session.ascii { "TYPE A; bytes are sent as they are" } else { "TYPE I" }))
}

pub(super) fn mode(_: &mut Session, argument: &[u8]) -> Handled {
    only(argument, b"S", "MODE S")
}

pub(super) fn structure(_: &mut Session, argument: &[u8]) -> Handled {
    only(argument, b"F", "STRU F")
}

fn only(argument: &[u8], known: &[u8], name: &str) -> Handled {
    if argument.eq_ignore_ascii_case(known) {
        Ok(Reply::new(200, name))
    } else {
        Err(Reply::new(504, format!("Only {name}")))
    }
}

pub(super) fn allo(_: &mut Session, _: &[u8]) -> Handled {
    Ok(Reply::new(202, "No need to make room"))
}

pub(super) fn opts(session: &mut Session, argument: &[u8]) -> Handled {
    let (option, value) = match argument.iter().position(|&b| b == b' ') {
        Some(space) => (&argument[..space], argument[space + 1..].trim_ascii()),
        None => (argument, &b""[..]),
    };
    match option.to_ascii_uppercase().as_slice() {
        b"UTF8" | b"UTF-8" if value.is_empty() || value.eq_ignore_ascii_case(b"ON") => {
            Ok(Reply::new(200, "UTF8 is always on"))
        }
        b"UTF8" | b"UTF-8" => Err(Reply::new(504, "UTF8 is always on")),
        b"MLST" => {
            session.facts = FactSet::select(value);
            Ok(Reply::new(200, format!("MLST OPTS {}", session.facts.names())))
        }
        _ => Err(Reply::new(501, "Only OPTS UTF8 and OPTS MLST")),
    }
}

pub(super) fn pasv(session: &mut Session, _: &[u8]) -> Handled {
    refuse_after_epsv_all(session)?;
    let IpAddr::V4(address) = session.local.ip() else {
        return Err(Reply::new(425, "PASV knows IPv4 alone; use EPSV"));
    };
    Ok(Reply::new(227, pasv_text(address, listen(session)?)))
}

pub(super) fn epsv(session: &mut Session, argument: &[u8]) -> Handled {
    let here: u8 = if session.local.is_ipv4() { 1 } else { 2 };
    match argument.trim_ascii() {
        b"" => {}
        b"1" if here == 1 => {}
        b"2" if here == 2 => {}
        b"1" | b"2" => {
            return Err(Reply::new(522, format!("Network protocol not supported, use ({here})")));
        }
        word if word.eq_ignore_ascii_case(b"ALL") => {
            session.only_epsv = true;
            return Ok(Reply::new(200, "Nothing but EPSV from now on"));
        }
        word if word.iter().all(u8::is_ascii_digit) => {
            return Err(Reply::new(522, "Network protocol not supported, use (1,2)"));
        }
        _ => return Err(Reply::new(501, "EPSV, EPSV 1, EPSV 2 or EPSV ALL")),
    }
    Ok(Reply::new(229, epsv_text(listen(session)?)))
}

pub(super) fn port(session: &mut Session, argument: &[u8]) -> Handled {
    refuse_after_epsv_all(session)?;
    let address = parse_port(argument).ok_or_else(|| Reply::new(501, "PORT h1,h2,h3,h4,p1,p2"))?;
    call_there(session, address)
}

pub(super) fn eprt(session: &mut Session, argument: &[u8]) -> Handled {
    refuse_after_epsv_all(session)?;
    match parse_eprt(argument) {
        Ok(address) => call_there(session, address),
        Err(EprtError::Malformed) => Err(Reply::new(501, "EPRT |1|address|port| or EPRT |2|address|port|")),
        Err(EprtError::Protocol) => Err(Reply::new(522, "Network protocol not supported, use (1,2)")),
    }
}

/// Listens, and returns the port.
fn listen(session: &mut Session) -> Result<u16, Reply> {
    // The former port must be free again before a small range is searched for another.
    session.data = Setup::None;
    let made = data::listen(session.local, &session.shared)
        .and_then(|listener| listener.local_addr().map(|address| (listener, address.port())));
    let (listener, port) = made.map_err(|error| Reply::new(425, format!("No passive port: {error}")))?;
    session.data = Setup::Passive(listener);
    Ok(port)
}

/// Takes an address to call. Only the client's own, and no port of the system: a server that calls anyone is a
/// weapon against others (RFC 2577 §3).
fn call_there(session: &mut Session, address: SocketAddr) -> Handled {
    session.data = Setup::None;
    if address.ip().to_canonical() != session.peer.ip() {
        return Err(Reply::new(504, "Only your own address is called"));
    }
    if address.port() < 1024 {
        return Err(Reply::new(504, "Only ports above 1023 are called"));
    }
    session.data = Setup::Active(data::with_port(session.peer, address.port()));
    Ok(Reply::new(200, "Will call there"))
}

fn refuse_after_epsv_all(session: &Session) -> Result<(), Reply> {
    if session.only_epsv { Err(Reply::new(503, "Nothing but EPSV after EPSV ALL")) } else { Ok(()) }
}
