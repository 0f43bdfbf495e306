//! Files to a server: to a temporary name first, then published.
//!
//! Where the server takes it, one segment carries all that one upload needs: what its predecessors still need, the port,
//! and STOR. So a file that is checked, dated and renamed costs no more round trips than a bare one.

use crate::ftp::client::{Await, command};
use crate::ftp::command::Verb;
use crate::ftp::error::FtpError;
use crate::ftp::transfer::Upload;
use crate::model::Remedy;
use crate::store::ftp::recover::Unsettled;
use crate::store::ftp::session::{Ahead, FtpSession};
use crate::store::{Outgoing, StoreResult, WriteRequest};

/// Uploads of up to this size leave without waiting for the server's word: the kernel holds them.
const AT_ONCE_BYTES: u64 = 32 << 10;

pub(super) fn write<'s>(
    session: &'s mut FtpSession,
    file: &WriteRequest,
    next: Option<&WriteRequest>,
) -> StoreResult<Box<dyn Outgoing + 's>> {
    let upload = open(session, file).map_err(|e| session.fail("write", &file.path, e))?;
    Ok(Box::new(FtpOutgoing { session, upload, request: file.clone(), next: next.cloned() }))
}

fn open(session: &mut FtpSession, file: &WriteRequest) -> Result<Upload, FtpError> {
    check_names(session, file)?;
    let (riders, flight) = match session.ahead.take() {
        Some(Ahead::Write(request, riders, flight)) if request == *file => (riders, flight),
        Some(_) => return Err(session.lose_track()),
        None if session.client.has_flights(Verb::Stor) => match send(session, file)? {
            Ahead::Write(_, riders, flight) => (riders, flight),
            Ahead::Read(..) => return Err(session.lose_track()),
        },
        None => {
            let temporary = session.full(&file.temporary);
            return session.client.store(&temporary, 0);
        }
    };
    session.hear_riders(&riders)?;
    let small = file.size.is_some_and(|size| size <= AT_ONCE_BYTES);
    session.client.store_flight(flight, if small { Await::Nothing } else { Await::Beginning })
}

/// Sends what earlier files still need, and what opens this one.
fn send(session: &mut FtpSession, file: &WriteRequest) -> Result<Ahead, FtpError> {
    // Looked at first: once the riders are on their way, their replies must be waited for.
    check_names(session, file)?;
    let stor = command(Verb::Stor, session.full(&file.temporary))?;
    let riders = session.send_riders()?;
    let flight = session.client.send_flight(&stor, 0)?;
    Ok(Ahead::Write(file.clone(), riders, flight))
}

/// Makes sure that the file can be given its name when it is there: only its temporary one has none of the bytes that can't be sent.
pub(super) fn check_names(session: &FtpSession, file: &WriteRequest) -> Result<(), FtpError> {
    command(Verb::Rnto, session.full(&file.path)).map(drop)
}

struct FtpOutgoing<'s> {
    session: &'s mut FtpSession,
    upload: Upload,
    request: WriteRequest,
    /// What will be written after this one, if that is known.
    next: Option<WriteRequest>,
}

impl Outgoing for FtpOutgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
        let Self { session, upload, request, .. } = self;
        upload.write(&mut session.client, bytes).map_err(|e| session.fail("write", &request.path, e))
    }

    fn finish(self: Box<Self>) -> StoreResult<()> {
        let Self { session, upload, request, next } = *self;
        let path = request.path.clone();
        finish(session, upload, request, next.as_ref()).map_err(|e| session.fail("write", &path, e))
    }
}

fn finish(
    session: &mut FtpSession,
    mut upload: Upload,
    request: WriteRequest,
    next: Option<&WriteRequest>,
) -> Result<(), FtpError> {
    let bytes = upload.bytes();
    // What waits for an idle session is done before the next one.
    let waits = session.publisher.waiting().is_some();
    let next = next.filter(|_| session.client.has_flights(Verb::Stor) && !waits);
    if session.client.quirks().behind_upload && next.is_some() {
        upload.end_data();
        session.add_upload(request, bytes);
        prepare(session, next);
        return upload.finish(&mut session.client).map(drop).inspect_err(|e| {
            if let Some(request) = session.publisher.forget_last() {
                remember(session, &request, bytes, e);
            }
        });
    }
    upload.finish(&mut session.client).map(drop).inspect_err(|e| remember(session, &request, bytes, e))?;
    session.add_upload(request, bytes);
    if next.is_some() {
        prepare(session, next);
    }
    // Without a next file, what is left to do is done when somebody wants to hear of it.
    Ok(())
}

/// Remembers an upload whose closing reply was lost with its session.
fn remember(session: &mut FtpSession, request: &WriteRequest, bytes: u64, error: &FtpError) {
    if error.remedy() == Remedy::Reconnect {
        let unsettled = Unsettled { bytes, time_set: false, naming: false, swapping: false };
        session.leave_unsettled(request, unsettled);
    }
}

/// Sends the commands for the next file. What is wrong with it is said when it is opened.
fn prepare(session: &mut FtpSession, next: Option<&WriteRequest>) {
    if let Some(next) = next
        && let Ok(ahead) = send(session, next)
    {
        session.ahead = Some(ahead);
    }
}
