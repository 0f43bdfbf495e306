//! Data connections: who calls whom, and that it is the client who answers.
//!
//! A passive port takes only a connection from the address of the control connection's peer, and the server calls only that
//! address (RFC 2577), so nobody else can fetch a file or be called through this server.

use std::io;
use std::io::ErrorKind::{AddrInUse, ConnectionAborted, Interrupted, WouldBlock};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::server::control::{Control, Interrupt};
use crate::server::session::Shared;
use crate::server::stream::Stream;
use crate::server::tls::Terms;

/// How the next data connection is to be made.
#[derive(Debug, Default)]
pub(super) enum Setup {
    /// Nothing was agreed on.
    #[default]
    None,
    /// The client calls here.
    Passive(TcpListener),
    /// The server calls there.
    Active(SocketAddr),
}

/// Why there is no data connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// Neither PASV, EPSV, PORT nor EPRT came before.
    NotAgreed,
    /// Something ended the wait for it.
    Interrupted(Interrupt),
    /// The client can't be reached.
    Network(io::Error),
    /// TLS is demanded, and PROT P didn't come.
    NotProtected,
    /// The handshake failed.
    Tls(io::Error),
    /// The TLS session is not that of the control connection.
    NotResumed,
}

impl From<io::Error> for NoConnection {
    fn from(error: io::Error) -> Self {
        Self::Network(error)
    }
}

/// Listens on the address the client already talks to, on a port of the given range or a free one.
pub(super) fn listen(local: SocketAddr, shared: &Shared) -> io::Result<TcpListener> {
    let listener = match &shared.options.passive_ports {
        None => match TcpListener::bind(with_port(local, 0)) {
            // Ports of connections that ended within the last minute are not given out, but had when they are asked for.
            Err(error) if error.kind() == AddrInUse => listen_within(&DYNAMIC_PORTS, local, shared)?,
            bound => bound?,
        },
        Some(ports) => listen_within(ports, local, shared)?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// RFC 6335 §6: ports that belong to no service.
const DYNAMIC_PORTS: RangeInclusive<u16> = 49_152..=65_535;

fn listen_within(ports: &RangeInclusive<u16>, local: SocketAddr, shared: &Shared) -> io::Result<TcpListener> {
    // Each attempt begins one further, so that sessions don't all try the same ports first.
    let first = shared.next_port();
    let count = u32::from(ports.end() - ports.start()) + 1;
    let mut tried = Err(AddrInUse.into());
    for i in 0..count {
        let offset = first.wrapping_add(i) % count;
        let port = ports.start() + u16::try_from(offset).expect("an offset within a range of ports");
        tried = TcpListener::bind(with_port(local, port));
        if tried.is_ok() {
            break;
        }
    }
    tried
}

/// Makes the data connection. The preliminary reply must have been sent, since the client may wait for it.
pub(super) fn open(
    setup: Setup,
    control: &mut Control,
    local: SocketAddr,
    peer: IpAddr,
    patience: Duration,
) -> Result<Stream, NoConnection> {
    match setup {
        Setup::None => Err(NoConnection::NotAgreed),
        Setup::Passive(listener) => accept(&listener, control, peer, patience),
        Setup::Active(address) => call(address, control, local, patience),
    }
}

fn accept(
    listener: &TcpListener,
    control: &mut Control,
    peer: IpAddr,
    patience: Duration,
) -> Result<Stream, NoConnection> {
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((socket, from)) if from.ip().to_canonical() == peer => return Ok(Stream::plain(socket)?),
            // Somebody else; closed at once and forgotten.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), WouldBlock | ConnectionAborted | Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
        // Strangers who call all the time don't make the wait longer.
        let left = patience.checked_sub(begun.elapsed());
        let left = left.ok_or(NoConnection::Interrupted(Interrupt::Silent))?;
        control.wait_for_connection(listener.as_fd(), left).map_err(NoConnection::Interrupted)?;
    }
}

fn call(
    address: SocketAddr,
    control: &mut Control,
    local: SocketAddr,
    patience: Duration,
) -> Result<Stream, NoConnection> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None).map_err(io::Error::from)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC).map_err(io::Error::from)?;
    // A client may take only a call from the address it talks to.
    bind(&socket, &with_port(local, 0)).map_err(io::Error::from)?;
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    match connect(&stream, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => {
            control
                .wait_beside(stream.as_fd(), PollFlags::OUT, patience)
                .map_err(NoConnection::Interrupted)?;
            if let Some(error) = stream.take_error()? {
                return Err(error.into());
            }
        }
        Err(error) => return Err(NoConnection::Network(error.into())),
    }
    Ok(Stream::plain(stream)?)
}

/// Shakes hands on a data connection, within `patience`.
pub(super) fn protect(
    stream: &mut Stream,
    terms: Terms,
    control: &mut Control,
    patience: Duration,
) -> Result<(), NoConnection> {
    let begun = Instant::now();
    stream.begin_tls(terms).map_err(NoConnection::Tls)?;
    while let Some(direction) = stream.handshake().map_err(NoConnection::Tls)? {
        let left = patience.checked_sub(begun.elapsed());
        let left = left.ok_or(NoConnection::Interrupted(Interrupt::Silent))?;
        control.wait_beside(stream.as_fd(), direction, left).map_err(NoConnection::Interrupted)?;
    }
    Ok(())
}

/// Returns the same address with another port. Unlike one made of the bare address, it keeps the network interface, without
/// which a link-local address leads nowhere.
pub(super) fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}
