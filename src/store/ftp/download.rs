//! Files from a server, each checked before it counts.
//!
//! A download counts when the data ended, the server said so, and the size is the listed one (or, where the file changed
//! since, the one the server tells now). It is not read much further than it should go, since it may have no end; of a file that
//! was left so, the next try asks for the size first.

use crate::ftp::client::{Flight, command, read_size};
use crate::ftp::command::Verb;
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::transfer::Download;
use crate::store::ftp::session::{Ahead, FtpSession};
use crate::store::{Incoming, ReadRequest, StoreResult};

pub(super) fn read<'s>(
    session: &'s mut FtpSession,
    file: &ReadRequest,
    next: Option<&ReadRequest>,
) -> StoreResult<Box<dyn Incoming + 's>> {
    let opened = expected_size(session, file).and_then(|size| Ok((open(session, file)?, size)));
    let (download, expected) = opened.map_err(|e| session.fail("read", &file.path, e))?;
    let mut incoming =
        FtpIncoming { session, download, request: file.clone(), expected, next: next.cloned() };
    if file.size.is_some_and(|size| size <= PAIR_BYTES) && incoming.session.may_pair() {
        incoming.prepare_next();
    }
    Ok(Box::new(incoming))
}

/// Behind a download of up to this size the next one is announced at once, in active mode. Behind longer ones a server may refuse
/// (ProFTPD 1.3.8), and nothing is gained.
const PAIR_BYTES: u64 = 1 << 20;

/// How many bytes more than expected are read before a download is left. A file that grew by less is had at once.
const SURPLUS_BYTES: u64 = 256 << 10;

/// Returns the size that the file should have: the listed one, or what the server tells of one that was longer before.
fn expected_size(session: &mut FtpSession, file: &ReadRequest) -> Result<Option<u64>, FtpError> {
    if !session.overran(&file.path) {
        return Ok(file.size);
    }
    if session.ahead.is_some() {
        return Err(session.lose_track());
    }
    Ok(ask_size(session, file)?.or(file.size))
}

fn open(session: &mut FtpSession, file: &ReadRequest) -> Result<Download, FtpError> {
    let flight = match session.ahead.take() {
        Some(Ahead::Read(request, flight)) if request == *file => flight,
        Some(_) => return Err(session.lose_track()),
        None if session.client.has_flights(Verb::Retr) => send(session, file)?,
        None => {
            let path = session.full(&file.path);
            return session.client.retrieve(&path, 0);
        }
    };
    session.client.retrieve_flight(flight)
}

fn send(session: &mut FtpSession, file: &ReadRequest) -> Result<Flight, FtpError> {
    let retr = command(Verb::Retr, session.full(&file.path))?;
    session.client.send_flight(&retr, 0)
}

struct FtpIncoming<'s> {
    session: &'s mut FtpSession,
    download: Download,
    request: ReadRequest,
    /// The size that it should have; `None` when that is unknown.
    expected: Option<u64>,
    /// What will be read after this one, until it is prepared.
    next: Option<ReadRequest>,
}

impl FtpIncoming<'_> {
    /// Sends the commands for the next file.
    fn prepare_next(&mut self) {
        if let Some(next) = self.next.take()
            && !self.session.overran(&next.path)
            && self.session.client.has_flights(Verb::Retr)
            && let Ok(flight) = send(self.session, &next)
        {
            // What is wrong with it is said when it is opened.
            self.session.ahead = Some(Ahead::Read(next, flight));
        }
    }

    /// Returns how many bytes should have come, if too many have.
    fn overrun(&self) -> Option<u64> {
        self.expected.filter(|expected| self.download.bytes() > expected.saturating_add(SURPLUS_BYTES))
    }

    /// Leaves the download before its end.
    fn leave(&mut self, expected: u64) -> FtpError {
        let Self { session, download, request, .. } = self;
        session.note_overrun(&request.path);
        if session.ahead.is_some() {
            session.stop_pairing();
        } else {
            download.leave(&mut session.client);
        }
        FtpError::Surplus { expected }
    }
}

impl Incoming for FtpIncoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        let n = self.download.read(buffer).map_err(|e| self.session.fail("read", &self.request.path, e))?;
        if let Some(expected) = self.overrun() {
            let error = self.leave(expected);
            return Err(self.session.fail("read", &self.request.path, error));
        }
        // Of a file that has another size than it should, SIZE is asked first, which a transfer would be in the way of.
        let is_right = self.request.size == Some(self.download.bytes());
        if n == 0 && is_right && self.session.client.quirks().next_at_end {
            self.prepare_next();
        }
        Ok(n)
    }

    fn finish(mut self: Box<Self>) -> StoreResult<u64> {
        let Self { session, download, request, .. } = &mut *self;
        let got = download.bytes();
        let whole = match request.size {
            Some(listed) if listed == got => download.finish_sized(&mut session.client).map(|_| got),
            listed => {
                download.finish(&mut session.client).and_then(|_| confirm_size(session, request, listed, got))
            }
        };
        let whole = whole.map_err(|e| session.fail("read", &request.path, e))?;
        self.prepare_next();
        Ok(whole)
    }
}

/// Asks the server for the size where the listed one doesn't agree with what came.
fn confirm_size(
    session: &mut FtpSession,
    request: &ReadRequest,
    listed: Option<u64>,
    got: u64,
) -> Result<u64, FtpError> {
    if session.ahead.is_some() {
        // The next download stands before every question. Without it, the next try can ask.
        session.stop_pairing();
        return Err(FtpError::Size { expected: listed.unwrap_or(got), got });
    }
    match ask_size(session, request)? {
        Some(now) if now == got => Ok(got),
        Some(now) => Err(FtpError::Size { expected: now, got }),
        // A server that tells no size leaves the listing to judge by, or nothing.
        None => listed.map_or(Ok(got), |listed| Err(FtpError::Size { expected: listed, got })),
    }
}

/// Returns `None` when the server can't tell sizes.
fn ask_size(session: &mut FtpSession, request: &ReadRequest) -> Result<Option<u64>, FtpError> {
    if !session.client.features().may(Verb::Size) {
        return Ok(None);
    }
    let path = session.full(&request.path);
    let reply = session.client.call(&command(Verb::Size, path)?)?;
    if is_unsupported(&reply) {
        session.client.refuse(Verb::Size);
        return Ok(None);
    }
    read_size(reply).map(Some)
}
