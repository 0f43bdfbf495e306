//! File content over a data connection: REST, RETR, STOR, APPE, ABOR (RFC 959 §4.1.3, RFC 3659 §5).
//!
//! What can be refused is refused before the data connection is opened. A file is cut to length only after that, so that a
//! transfer that never begins destroys nothing; a new file may be left behind empty.

use std::io::{Seek, SeekFrom};
use std::sync::Arc;
use std::time::Instant;

use crate::ftp::command::Verb;
use crate::ftp::reply::Reply;
use crate::model::RelPath;
use crate::server::commands::Handled;
use crate::server::commands::refusal::of_file;
use crate::server::control::Interrupt;
use crate::server::copy::{Broken, Transfer};
use crate::server::data::{self, NoConnection};
use crate::server::session::Session;
use crate::server::tls::Direction;
use crate::server::{ServerEvent, TransferEnd, Transferred};

pub(super) fn rest(session: &mut Session, argument: &[u8]) -> Handled {
    let number = str::from_utf8(argument).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let offset =
        number.and_then(|text| text.parse().ok()).ok_or_else(|| Reply::new(501, "REST needs a number"))?;
    session.restart = offset;
    Ok(Reply::new(350, format!("The next transfer begins at {offset}")))
}

pub(super) fn retr(session: &mut Session, argument: &[u8]) -> Handled {
    let offset = std::mem::take(&mut session.restart);
    let path = session.resolve(argument)?;
    let (mut file, meta) = session.shared.root.open_file(&path).map_err(of_file)?;
    let left = meta.size.checked_sub(offset).ok_or_else(beyond_the_end)?;
    let mut buffer = take_buffer(session);
    let handled = transfer(session, Verb::Retr, &path, &format!("{left} bytes follow"), |transfer| {
        transfer.send_file(&mut file, offset, &mut buffer)?;
        transfer.finish()
    });
    session.buffer = buffer;
    handled
}

pub(super) fn stor(session: &mut Session, argument: &[u8]) -> Handled {
    let offset = std::mem::take(&mut session.restart);
    receive(session, argument, Verb::Stor, Writing::InPlace, offset)
}

pub(super) fn appe(session: &mut Session, argument: &[u8]) -> Handled {
    session.restart = 0;
    receive(session, argument, Verb::Appe, Writing::Append, 0)
}

/// ABOR without a transfer, or after the one it ended: that one was answered 426 already.
pub(super) fn abor(session: &mut Session, _: &[u8]) -> Handled {
    session.data = data::Setup::None;
    Ok(Reply::new(226, "Nothing is being transferred any more"))
}

/// Where what comes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// From an offset on; what is there already is kept until it is written over.
    InPlace,
    /// At the end, wherever that is at the time.
    Append,
}

fn receive(session: &mut Session, argument: &[u8], verb: Verb, how: Writing, offset: u64) -> Handled {
    let path = session.resolve(argument)?;
    // Asked before anything else, since the opening makes the file.
    agreed(session)?;
    let (mut file, meta) = match how {
        Writing::InPlace => session.shared.root.write_file(&path),
        Writing::Append => session.shared.root.append_file(&path),
    }
    .map_err(of_file)?;
    // A hole between the end and the offset would be filled with zeros nobody sent.
    meta.size.checked_sub(offset).ok_or_else(beyond_the_end)?;
    let mut buffer = take_buffer(session);
    let handled = transfer(session, verb, &path, "Send", |transfer| {
        match (how, offset) {
            (Writing::Append, _) => Ok(()),
            (Writing::InPlace, 0) => file.set_len(0),
            (Writing::InPlace, offset) => file.seek(SeekFrom::Start(offset)).map(drop),
        }
        .map_err(Broken::File)?;
        transfer.receive_file(&mut file, &mut buffer)
    });
    session.buffer = buffer;
    handled
}

/// Opens the data connection, lets `work` use it, and returns the final reply.
pub(super) fn transfer(
    session: &mut Session,
    verb: Verb,
    path: &RelPath,
    opening: &str,
    work: impl FnOnce(&mut Transfer<'_>) -> Result<(), Broken>,
) -> Handled {
    let begun = Instant::now();
    let mut bytes = 0;
    let done = connect_and(session, verb, opening, &mut bytes, work);
    let end = match &done {
        Ok(()) => TransferEnd::Complete,
        Err(Failure { aborted: true, .. }) => TransferEnd::Aborted,
        Err(Failure { aborted: false, .. }) => TransferEnd::Failed,
    };
    session.tell(&ServerEvent::Transferred(&Transferred { verb, path, bytes, took: begun.elapsed(), end }));
    match done {
        Ok(()) => Ok(Reply::new(226, "Transfer complete")),
        Err(failure) => Err(failure.reply),
    }
}

fn connect_and(
    session: &mut Session,
    verb: Verb,
    opening: &str,
    bytes: &mut u64,
    work: impl FnOnce(&mut Transfer<'_>) -> Result<(), Broken>,
) -> Result<(), Failure> {
    let patience = session.shared.options.data_timeout;
    let (local, peer) = (session.local, session.peer.ip());
    agreed(session)?;
    let setup = std::mem::take(&mut session.data);
    session.control.reply(&Reply::new(150, opening));
    // Together with the reply to PASV or EPSV when the commands came together; the client calls after that.
    session.control.flush();
    let mut stream = data::open(setup, &mut session.control, local, peer, patience)?;
    if let Some(tls) = session.tls.as_ref().filter(|_| session.protected) {
        let direction = match verb {
            Verb::Stor | Verb::Appe => Direction::FromClient,
            _ => Direction::ToClient,
        };
        data::protect(&mut stream, tls.data(direction), &mut session.control, patience)?;
        if session.shared.demands(|tls| tls.require_reuse) && !stream.is_resumed() {
            // It was refused, and not cut off.
            let _ = stream.finish();
            return Err(NoConnection::NotResumed.into());
        }
    }
    if session.control.holds_abort() {
        return Err(NoConnection::Interrupted(Interrupt::Aborted).into());
    }
    let fault = session.shared.options.faults.as_ref().map(|faults| (Arc::clone(faults), verb));
    let mut transfer = Transfer::new(&mut session.control, stream, patience, fault);
    let done = work(&mut transfer);
    *bytes = transfer.bytes();
    Ok(done?)
}

/// Demands that it was said who opens the data connection, and that it is protected where it must be.
fn agreed(session: &Session) -> Result<(), NoConnection> {
    if session.shared.demands(|tls| tls.required) && !session.protected {
        return Err(NoConnection::NotProtected);
    }
    if matches!(session.data, data::Setup::None) { Err(NoConnection::NotAgreed) } else { Ok(()) }
}

struct Failure {
    aborted: bool,
    reply: Reply,
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self { aborted: matches!(broken, Broken::Interrupted(Interrupt::Aborted)), reply: broken.into() }
    }
}

impl From<NoConnection> for Failure {
    fn from(why: NoConnection) -> Self {
        Self { aborted: matches!(why, NoConnection::Interrupted(Interrupt::Aborted)), reply: why.into() }
    }
}

/// Lends the session's buffer, so that it isn't borrowed together with the rest of the session.
fn take_buffer(session: &mut Session) -> Vec<u8> {
    let mut buffer = std::mem::take(&mut session.buffer);
    buffer.resize(BUFFER_BYTES, 0);
    buffer
}

fn beyond_the_end() -> Reply {
    Reply::new(554, "REST points beyond the end of the file")
}

const BUFFER_BYTES: usize = 128 << 10;
