//! Files in and out of a server, each checked before it counts.
//!
//! A download counts when the data ended, the server said so, and the size is the listed one (or, where the file changed
//! since, the one the server tells now). An upload goes to its temporary name; it is renamed only after SIZE agrees with
//! the bytes sent, because a 226 alone was seen to come for half a file.

use crate::ftp::client::{command, read_size};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::reply::Reply;
use crate::ftp::transfer::{Download, Upload};
use crate::store::ftp::publish::publish;
use crate::store::ftp::session::FtpSession;
use crate::store::{Incoming, Outgoing, ReadRequest, StoreResult, WriteRequest};

pub(super) fn read<'s>(
    session: &'s mut FtpSession,
    file: &ReadRequest,
) -> StoreResult<Box<dyn Incoming + 's>> {
    let path = session.full(&file.path);
    let download = session.client.retrieve(&path, 0).map_err(|e| session.fail("read", &file.path, e))?;
    Ok(Box::new(FtpIncoming { session, download, request: file.clone() }))
}

pub(super) fn write<'s>(
    session: &'s mut FtpSession,
    file: &WriteRequest,
) -> StoreResult<Box<dyn Outgoing + 's>> {
    let temporary = session.full(&file.temporary);
    let upload = session.client.store(&temporary, 0).map_err(|e| session.fail("write", &file.path, e))?;
    Ok(Box::new(FtpOutgoing { session, upload, request: file.clone() }))
}

struct FtpIncoming<'s> {
    session: &'s mut FtpSession,
    download: Download,
    request: ReadRequest,
}

impl Incoming for FtpIncoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        self.download.read(buffer).map_err(|e| self.session.fail("read", &self.request.path, e))
    }

    fn finish(self: Box<Self>) -> StoreResult<u64> {
        let Self { session, download, request } = *self;
        let got = download.bytes();
        let whole = download.finish(&mut session.client).and_then(|_| match request.size {
            Some(listed) if listed == got => Ok(got),
            listed => confirm_size(session, &request, listed, got),
        });
        whole.map_err(|e| session.fail("read", &request.path, e))
    }
}

/// Asks the server for the size where the listed one doesn't agree with what came.
fn confirm_size(
    session: &mut FtpSession,
    request: &ReadRequest,
    listed: Option<u64>,
    got: u64,
) -> Result<u64, FtpError> {
    match ask_size(session, &command(Verb::Size, session.full(&request.path))?)? {
        Some(now) if now == got => Ok(got),
        Some(now) => Err(FtpError::Size { expected: now, got }),
        // A server that tells no size leaves the listing to judge by, or nothing.
        None => listed.map_or(Ok(got), |listed| Err(FtpError::Size { expected: listed, got })),
    }
}

/// Returns `None` when the server can't tell sizes.
fn ask_size(session: &mut FtpSession, size: &Command) -> Result<Option<u64>, FtpError> {
    if !session.client.features().may(Verb::Size) {
        return Ok(None);
    }
    let reply = session.client.call(size)?;
    size_or_none(session, reply)
}

pub(super) fn size_or_none(session: &mut FtpSession, reply: Reply) -> Result<Option<u64>, FtpError> {
    if is_unsupported(&reply) {
        session.client.refuse(Verb::Size);
        return Ok(None);
    }
    read_size(reply).map(Some)
}

struct FtpOutgoing<'s> {
    session: &'s mut FtpSession,
    upload: Upload,
    request: WriteRequest,
}

impl Outgoing for FtpOutgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
        let Self { session, upload, request } = self;
        upload.write(&mut session.client, bytes).map_err(|e| session.fail("write", &request.path, e))
    }

    fn finish(self: Box<Self>) -> StoreResult<()> {
        let Self { session, upload, request } = *self;
        let bytes = upload.bytes();
        let closed = upload.finish(&mut session.client);
        let published = closed.and_then(|_| publish(session, &request, bytes));
        let written = published.map_err(|e| session.fail("write", &request.path, e))?;
        session.written.push((request.path, Ok(written)));
        Ok(())
    }
}
