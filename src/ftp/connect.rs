//! A TCP connection with a deadline and an ear for the wish to stop.
//!
//! The socket's own timeouts are a short tick, so that a silent server is noticed after the whole timeout and a
//! cancelled run within the tick. Both the control and the data connections are [`Link`]s.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::ftp::error::{Clock, FtpError};
use crate::ftp::tls::Wire;
use crate::model::Cancel;

/// How long each kind of silence may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection is made, control or data.
    pub connect: Duration,
    /// Until a reply comes.
    pub reply: Duration,
    /// Until a byte moves on a data connection.
    pub data: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let silence = Duration::from_secs(30);
        Self { connect: Duration::from_secs(10), reply: silence, data: silence }
    }
}

/// A connection whose reads and writes end after a timeout or when the run is cancelled.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    /// What the bytes go through; `None` in clear text.
    wire: Option<Box<Wire>>,
    clock: Clock,
    timeout: Duration,
    cancel: Cancel,
    round_trip: Duration,
}

/// How long a cancelled run may go unnoticed by a silent connection.
const TICK: Duration = Duration::from_millis(200);

/// How long one call may block where the whole wait may last `timeout`.
fn tick(timeout: Duration) -> Duration {
    TICK.min(timeout).max(Duration::from_millis(1))
}

impl Link {
    /// Wraps a connected socket. `clock` names the timeout in errors.
    ///
    /// # Errors
    /// Fails when the socket refuses its timeouts.
    pub fn new(stream: TcpStream, clock: Clock, timeout: Duration, cancel: Cancel) -> io::Result<Self> {
        stream.set_write_timeout(Some(tick(timeout)))?;
        Self::connected(stream, clock, timeout, cancel)
    }

    /// As [`Link::new`] for a socket that [`connect`] gave, which has half of what is needed already.
    ///
    /// # Errors
    /// As [`Link::new`].
    pub(crate) fn connected(
        stream: TcpStream,
        clock: Clock,
        timeout: Duration,
        cancel: Cancel,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(tick(timeout)))?;
        Ok(Self { stream, wire: None, clock, timeout, cancel, round_trip: Duration::ZERO })
    }

    /// As [`Link::connected`] for a socket that nothing is read of.
    ///
    /// # Errors
    /// None.
    pub(crate) fn to_write(
        stream: TcpStream,
        clock: Clock,
        timeout: Duration,
        cancel: Cancel,
    ) -> io::Result<Self> {
        Ok(Self { stream, wire: None, clock, timeout, cancel, round_trip: Duration::ZERO })
    }

    /// Protects everything from here on.
    ///
    /// # Errors
    /// [`FtpError::Untrusted`], [`FtpError::Tls`], or as [`Link::receive`].
    pub(crate) fn protect(&mut self, mut wire: Wire) -> Result<&Wire, FtpError> {
        // What ends a handshake, or a stream, is short and must not wait for what is behind it.
        self.stream.set_nodelay(true).map_err(FtpError::Lost)?;
        let started = Instant::now();
        loop {
            match wire.shake(&self.stream) {
                Ok(true) => break,
                Ok(false) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(FtpError::Closed),
                Err(e) => self.weigh(e, started)?,
            }
        }
        Ok(self.wire.insert(Box::new(wire)))
    }

    /// Returns what protects the connection; `None` in clear text.
    pub(crate) fn wire(&self) -> Option<&Wire> {
        self.wire.as_deref()
    }

    /// Says that nothing more comes, and waits for the other end to say so as well, so that nothing it has to say meets a closed
    /// socket: that would tear down what is still on its way to it (pyftpdlib kept a third of a file).
    pub(crate) fn end_sending(&mut self) {
        let Some(wire) = &mut self.wire else { return };
        wire.end();
        let until = Instant::now() + ENDING.min(self.timeout);
        let mut rest = [0; 512];
        // Whether all arrived is what the closing reply and SIZE tell.
        if self.push().is_ok() && self.stream.shutdown(Shutdown::Write).is_ok() {
            while Instant::now() < until && !self.is_cancelled() {
                match self.stream.read(&mut rest) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(e) if is_tick(&e) => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// Answers the other end's word that nothing more comes.
    pub(crate) fn end_receiving(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.end();
            // It is only politeness.
            let _ = self.push();
        }
    }

    /// Returns the socket.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Returns how long it took to connect, which is one round trip.
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Returns whether the run should stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Waits for other silences from here on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Reads at least one byte; 0 at the end of the stream.
    ///
    /// # Errors
    /// [`FtpError::Timeout`], [`FtpError::Cancelled`] or [`FtpError::Lost`].
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, FtpError> {
        // Whoever sends a little all the time lets no tick come to its end.
        if self.cancel.is_cancelled() {
            return Err(FtpError::Cancelled);
        }
        let started = Instant::now();
        loop {
            let read = match &mut self.wire {
                Some(wire) => wire.read(&self.stream, buffer),
                None => self.stream.read(buffer),
            };
            match read {
                Ok(n) => return Ok(n),
                Err(e) => self.weigh(e, started)?,
            }
        }
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// As [`Link::receive`].
    pub fn transmit(&mut self, mut bytes: &[u8]) -> Result<(), FtpError> {
        let mut moved = Instant::now();
        while !bytes.is_empty() {
            let written = match &mut self.wire {
                Some(wire) => wire.write(&self.stream, bytes),
                None => self.stream.write(bytes),
            };
            match written {
                Ok(0) => return Err(FtpError::Closed),
                Ok(n) => {
                    bytes = &bytes[n..];
                    moved = Instant::now();
                }
                Err(e) => self.weigh(e, moved)?,
            }
        }
        self.push()
    }

    /// Sends what was taken by [`Link::transmit`] and waits inside of TLS.
    fn push(&mut self) -> Result<(), FtpError> {
        let started = Instant::now();
        while let Some(wire) = &mut self.wire {
            match wire.push(&self.stream) {
                Ok(()) => break,
                Err(e) => self.weigh(e, started)?,
            }
        }
        Ok(())
    }

    /// Reads what has already arrived, without waiting; 0 when that is nothing, `None` at the end of the stream.
    ///
    /// # Errors
    /// [`FtpError::Lost`].
    pub fn receive_now(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, FtpError> {
        let mut now = Now(&self.stream);
        let read = match &mut self.wire {
            Some(wire) => wire.read(now, buffer),
            None => now.read(buffer),
        };
        match read {
            Ok(0) => Ok(None),
            Ok(n) => Ok(Some(n)),
            Err(e) if is_tick(&e) => Ok(Some(0)),
            Err(e) => Err(FtpError::lost(e)),
        }
    }

    /// Decides whether a failed read or write is only a tick that ended.
    fn weigh(&self, error: io::Error, since: Instant) -> Result<(), FtpError> {
        if !is_tick(&error) {
            return Err(FtpError::lost(error));
        }
        if self.cancel.is_cancelled() {
            return Err(FtpError::Cancelled);
        }
        if since.elapsed() >= self.timeout {
            return Err(FtpError::Timeout { clock: self.clock, after: self.timeout });
        }
        Ok(())
    }
}

/// How long the other end may take to say that it has heard the end of a protected stream.
const ENDING: Duration = Duration::from_secs(2);

/// Returns whether a call only came back because its tick was over.
fn is_tick(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// A socket of which only what has arrived is read.
struct Now<'s>(&'s TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::net::{RecvFlags, recv};
        Ok(recv(self.0, buffer, RecvFlags::DONTWAIT)?.0)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connects to the control port of `host`, trying each of its addresses.
///
/// # Errors
/// [`FtpError::Resolve`], [`FtpError::Connect`] with what the last address said, or [`FtpError::Cancelled`].
pub fn connect_control(host: &str, port: u16, timeouts: Timeouts, cancel: &Cancel) -> Result<Link, FtpError> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|source| FtpError::Resolve { host: host.to_owned(), source })?
        .collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        if cancel.is_cancelled() {
            return Err(FtpError::Cancelled);
        }
        let started = Instant::now();
        match connect(address, timeouts.connect, cancel) {
            Ok(stream) => {
                let round_trip = started.elapsed();
                let link = prepare_control(&stream)
                    .and_then(|()| Link::connected(stream, Clock::Reply, timeouts.reply, cancel.clone()));
                return link.map(|link| Link { round_trip, ..link }).map_err(FtpError::Lost);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(FtpError::Cancelled),
            Err(e) => last = e,
        }
    }
    Err(FtpError::Connect { host: host.to_owned(), port, source: last })
}

/// Connects to one address. The socket blocks, and a write to it no longer than a tick.
///
/// # Errors
/// `TimedOut` after `timeout`, `Interrupted` when cancelled, else what the network says.
pub fn connect(address: SocketAddr, timeout: Duration, cancel: &Cancel) -> io::Result<TcpStream> {
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // It ends the wait for a connection, too, and the attempt goes on behind it. (Darwin waits to the end.)
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(tick(timeout)))?;
    let started = Instant::now();
    match connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::AGAIN | Errno::INTR) => loop {
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if wait_for(&socket, PollFlags::OUT, left)? {
                sockopt::socket_error(&socket)??;
                break;
            }
        },
        Err(e) => return Err(e.into()),
    }
    Ok(TcpStream::from(socket))
}

/// Waits until `socket` is ready, for `left` at most and never longer than the wish to stop may go unnoticed. Returns whether it is.
///
/// # Errors
/// What the system says.
pub(crate) fn wait_for(socket: &impl AsFd, what: PollFlags, left: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, Timespec, poll};
    let moment = Timespec::try_from(left.min(TICK)).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(socket, what)], Some(&moment)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Commands leave at once, and a control connection that is silent during a long transfer is kept alive, since routers
/// forget idle connections after some minutes.
fn prepare_control(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(60))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(30))?;
    Ok(())
}

/// Asks the kernel to acknowledge the next segment at once. A server without TCP_NODELAY holds its second reply back
/// until the first is acknowledged: 45 ms a file on inetutils-ftpd. The kernel forgets the wish, so it's repeated.
pub(crate) fn acknowledge_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    // Only a matter of speed: a kernel that refuses still delivers.
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}
