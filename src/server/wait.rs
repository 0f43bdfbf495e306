//! Waiting: for a socket, a deadline, or the end of the server, whichever comes first.
//!
//! The wish to stop is a pipe that nothing is ever written to. Its write end is closed to stop, which wakes every
//! thread that has the read end among what it waits for.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The wish to stop, shared by all threads of a server.
#[derive(Debug)]
pub(super) struct Stop {
    raised: AtomicBool,
    bell: PipeReader,
    rope: Mutex<Option<PipeWriter>>,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// One of the sockets is ready.
    Ready,
    /// The deadline is past.
    TimedOut,
    /// The server stops.
    Stopping,
}

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        let (bell, rope) = io::pipe()?;
        Ok(Self { raised: AtomicBool::new(false), bell, rope: Mutex::new(Some(rope)) })
    }

    /// Asks all threads of the server to stop. It can't be taken back.
    pub(super) fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        self.rope.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// Returns what to put among the sockets handed to [`Stop::wait`].
    pub(super) fn bell(&self) -> PollFd<'_> {
        PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN)
    }

    /// Waits for one of `sockets`, which holds [`Stop::bell`]; forever where there's no deadline.
    pub(super) fn wait(&self, sockets: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<Waited> {
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            // Some systems refuse a longer wait in one piece.
            let piece = left.map_or(A_DAY, |left| left.min(A_DAY));
            let ready = match poll(sockets, Timespec::try_from(piece).ok().as_ref()) {
                Err(Errno::INTR) => continue,
                ready => ready?,
            };
            match (self.is_raised(), ready) {
                (true, _) => return Ok(Waited::Stopping),
                (false, 0) if left.is_some_and(|left| left <= A_DAY) => return Ok(Waited::TimedOut),
                (false, 0) => {}
                (false, _) => return Ok(Waited::Ready),
            }
        }
    }

    /// Sleeps for `pause`, or until the server stops.
    pub(super) fn sleep(&self, pause: Duration) {
        // A poll that fails only makes the pause shorter.
        let _ = self.wait(&mut [self.bell()], deadline_in(pause));
    }
}

/// Returns the instant `pause` from now; `None` when that is further away than a clock can tell.
pub(super) fn deadline_in(pause: Duration) -> Option<Instant> {
    Instant::now().checked_add(pause)
}

const A_DAY: Duration = Duration::from_secs(86400);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn raising_ends_a_wait_without_deadline() {
        let stop = Arc::new(Stop::new().unwrap());
        let waiting = thread::spawn({
            let stop = Arc::clone(&stop);
            move || stop.wait(&mut [stop.bell()], None).unwrap()
        });
        stop.raise();
        assert_eq!(waiting.join().unwrap(), Waited::Stopping);
        assert!(stop.is_raised());
    }

    #[test]
    fn a_deadline_ends_a_wait() {
        let stop = Stop::new().unwrap();
        assert_eq!(
            stop.wait(&mut [stop.bell()], deadline_in(Duration::from_millis(1))).unwrap(),
            Waited::TimedOut
        );
    }
}
