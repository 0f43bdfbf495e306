//! The control connection: command lines in, replies out.
//!
//! Replies are gathered and sent when there's nothing left to do but wait, so a batch of commands that came in one segment is
//! answered in one segment. A connection that breaks is not told to each command; the session learns of it when it asks
//! for the next line.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::ftp::reply::Reply;
use crate::server::line::{Line, Lines};
use crate::server::session::Shared;
use crate::server::stream::Stream;
use crate::server::tls::Terms;
use crate::server::wait::{Waited, deadline_in};

/// The control connection of one session.
#[derive(Debug)]
pub(super) struct Control {
    stream: Stream,
    shared: Arc<Shared>,
    lines: Lines,
    replies: Vec<u8>,
    /// Whether the client will send nothing more.
    ended: bool,
    /// Whether nothing can be sent any more.
    broken: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A command line.
    Line(Line),
    /// Nothing for longer than the idle timeout.
    Idle,
    /// The end of the server.
    Stopping,
    /// The client is gone.
    Closed,
}

/// What ends a transfer from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// ABOR came.
    Aborted,
    /// The data connection stood still for too long.
    Silent,
    /// The server stops.
    Stopping,
    /// The control connection broke, and with it whoever would hear of the end.
    Gone,
}

impl Control {
    pub(super) fn new(socket: TcpStream, shared: Arc<Shared>) -> io::Result<Self> {
        // Replies are small and each is waited for.
        socket.set_nodelay(true)?;
        // Clients send the end of ABOR as urgent data (RFC 959 §4.1.3); it is to be found where it stands in the stream.
        rustix::net::sockopt::set_socket_oobinline(&socket, true)?;
        Ok(Self {
            stream: Stream::plain(socket)?,
            shared,
            lines: Lines::default(),
            replies: Vec::new(),
            ended: false,
            broken: false,
        })
    }

    /// Adds a reply to those that wait to be sent.
    pub(super) fn reply(&mut self, reply: &Reply) {
        reply.encode(&mut self.replies);
        self.send_when_many();
    }

    /// Adds part of a reply, line ends included.
    pub(super) fn write(&mut self, part: &[u8]) {
        self.replies.extend_from_slice(part);
        self.send_when_many();
    }

    /// Shakes hands; whatever goes wrong, or isn't done by `deadline`, breaks the connection: nothing could be said in clear any
    /// more. The replies must have been sent.
    pub(super) fn begin_tls(&mut self, terms: Terms, deadline: Option<Instant>) -> io::Result<()> {
        let begun = self.shake_hands(terms, deadline);
        self.broken = begun.is_err();
        begun
    }

    fn shake_hands(&mut self, terms: Terms, deadline: Option<Instant>) -> io::Result<()> {
        self.stream.begin_tls(terms)?;
        while let Some(direction) = self.stream.handshake()? {
            match self.wait_for(direction, deadline)? {
                Waited::Ready => {}
                Waited::TimedOut => {
                    return Err(io::Error::new(ErrorKind::TimedOut, "the client is too slow"));
                }
                Waited::Stopping => return Err(io::Error::other("the server stops")),
            }
            // A client that drips bytes is always ready.
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(io::Error::new(ErrorKind::TimedOut, "the client is too slow"));
            }
        }
        Ok(())
    }

    /// Returns whether the control connection speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Returns whether something came behind the command that was taken last.
    pub(super) fn holds_more(&self) -> bool {
        self.lines.waiting() > 0
    }

    /// Returns the next command line; sends the waiting replies before it waits itself. `limit` ends the wait like the idle
    /// timeout.
    pub(super) fn next(&mut self, limit: Option<Instant>) -> Input {
        let mut deadline = None;
        loop {
            if self.broken {
                return Input::Closed;
            }
            if self.shared.stop.is_raised() {
                return Input::Stopping;
            }
            if let Some(line) = self.lines.take() {
                return Input::Line(line);
            }
            if self.ended {
                return Input::Closed;
            }
            self.flush();
            // One deadline for the whole line: a client that drips bytes is as idle as one that sends none.
            let until = *deadline
                .get_or_insert_with(|| earlier(deadline_in(self.shared.options.idle_timeout), limit));
            if until.is_some_and(|until| Instant::now() >= until) {
                return Input::Idle;
            }
            if self.stream.holds_input() {
                self.fill();
                continue;
            }
            match self.wait_for(PollFlags::IN, until) {
                Ok(Waited::Ready) => self.fill(),
                Ok(Waited::TimedOut) => return Input::Idle,
                Ok(Waited::Stopping) => return Input::Stopping,
                Err(_) => self.broken = true,
            }
        }
    }

    /// Sends the replies that wait.
    pub(super) fn flush(&mut self) {
        let mut sent = 0;
        let mut deadline = None;
        while !self.broken {
            let step = match &self.replies[sent..] {
                [] => self.stream.flush().map(|()| 0),
                rest => self.stream.write(rest),
            };
            match step {
                Ok(_) if sent == self.replies.len() => break,
                Ok(n) => {
                    sent += n;
                    deadline = None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let until =
                        *deadline.get_or_insert_with(|| deadline_in(self.shared.options.data_timeout));
                    let waited = self.wait_for(PollFlags::OUT, until);
                    self.broken = !matches!(waited, Ok(Waited::Ready));
                }
                Err(_) => self.broken = true,
            }
        }
        self.replies.clear();
    }

    /// Waits until `socket`, a data connection, is ready. Commands that come meanwhile are kept for later, but ABOR ends the
    /// wait. The replies must have been sent.
    pub(super) fn wait_beside(
        &mut self,
        socket: BorrowedFd<'_>,
        ready: PollFlags,
        patience: Duration,
    ) -> Result<(), Interrupt> {
        self.wait_on(socket, ready, patience, false)
    }

    /// Waits as [`Control::wait_beside`] until `listener` has a connection, which nobody will make who has ended the control connection.
    pub(super) fn wait_for_connection(
        &mut self,
        listener: BorrowedFd<'_>,
        patience: Duration,
    ) -> Result<(), Interrupt> {
        self.wait_on(listener, PollFlags::IN, patience, true)
    }

    fn wait_on(
        &mut self,
        socket: BorrowedFd<'_>,
        ready: PollFlags,
        patience: Duration,
        needs_client: bool,
    ) -> Result<(), Interrupt> {
        let deadline = deadline_in(patience);
        loop {
            if self.ended && needs_client {
                return Err(Interrupt::Gone);
            }
            if self.lines.holds_abort() {
                return Err(Interrupt::Aborted);
            }
            if self.broken {
                return Err(Interrupt::Gone);
            }
            // A client that closed its side, or sends without end, would be ready all the time.
            let listening = !self.ended && self.lines.waiting() < MAX_WAITING_BYTES;
            if listening && self.stream.holds_input() {
                self.fill();
                continue;
            }
            let stop = &self.shared.stop;
            let mut sockets = [
                stop.bell(),
                PollFd::from_borrowed_fd(socket, ready),
                PollFd::from_borrowed_fd(self.stream.as_fd(), PollFlags::IN),
            ];
            let watched = if listening { &mut sockets[..] } else { &mut sockets[..2] };
            match stop.wait(watched, deadline) {
                Ok(Waited::Ready) => {}
                Ok(Waited::TimedOut) => return Err(Interrupt::Silent),
                Ok(Waited::Stopping) => return Err(Interrupt::Stopping),
                Err(_) => {
                    self.broken = true;
                    continue;
                }
            }
            let (data, control) = (!sockets[1].revents().is_empty(), !sockets[2].revents().is_empty());
            if control && listening {
                self.fill();
                if self.lines.holds_abort() {
                    return Err(Interrupt::Aborted);
                }
            }
            if data {
                return Ok(());
            }
        }
    }

    /// Returns whether ABOR is among the lines that came already.
    pub(super) fn holds_abort(&self) -> bool {
        self.lines.holds_abort()
    }

    /// Cuts the connection: what waits is never sent, and nothing more is heard.
    pub(super) fn cut(&mut self) {
        self.replies.clear();
        self.stream.cut();
        (self.ended, self.broken) = (true, true);
    }

    /// Sends what waits, and does nothing for a while.
    pub(super) fn pause(&mut self, pause: Duration) {
        self.flush();
        self.shared.stop.sleep(pause);
    }

    /// Sends what waits and ends the connection so that the client can read the last reply.
    pub(super) fn close(mut self) {
        self.flush();
        // A client that is gone already needs no end.
        let _ = self.stream.finish();
        self.stream.drain();
    }

    /// Takes what the client sent. The socket must be ready.
    fn fill(&mut self) {
        let mut bytes = [0; 8192];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(n) => self.lines.push(&bytes[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => (self.ended, self.broken) = (true, true),
        }
    }

    fn wait_for(&self, ready: PollFlags, deadline: Option<Instant>) -> io::Result<Waited> {
        let socket = PollFd::from_borrowed_fd(self.stream.as_fd(), ready);
        self.shared.stop.wait(&mut [self.shared.stop.bell(), socket], deadline)
    }

    fn send_when_many(&mut self) {
        if self.replies.len() > MAX_WAITING_BYTES {
            self.flush();
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// How many bytes of commands are taken in during a transfer, and of replies gathered.
const MAX_WAITING_BYTES: usize = 64 << 10;
