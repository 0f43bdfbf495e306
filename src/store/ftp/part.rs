//! Parts of a file from a server: REST says where a part begins, and where it ends before the file does, this end hangs up.
//!
//! A server that takes REST and begins at the start of the file all the same is found out by the last part: there is
//! more of it than there should be. So no file is whole without its last part.

use std::ops::Range;

use crate::ftp::client::{command, read_size, read_time};
use crate::ftp::command::Verb;
use crate::ftp::error::FtpError;
use crate::ftp::transfer::Download;
use crate::model::{RelPath, Remedy};
use crate::store::ftp::session::FtpSession;
use crate::store::{Incoming, PartRequest, StoreError, StoreResult, Version};

/// Asks for size and time in one round trip where the server takes that. What is refused is not told.
pub(super) fn version(session: &mut FtpSession, file: &RelPath) -> Result<Version, FtpError> {
    let path = session.full(file);
    let questions = [command(Verb::Size, path.clone())?, command(Verb::Mdtm, path)?];
    let mut answers = session.client.call_all(&questions).into_iter();
    let mut next = || answers.next().unwrap_or(Err(FtpError::Closed));
    let (size, mtime) = (read_size(next()?).ok(), read_time(next()?).ok());
    Ok(Version { size, mtime: mtime.map(|mtime| session.clock.read_exact(mtime)) })
}

pub(super) fn read<'s>(
    session: &'s mut FtpSession,
    part: &PartRequest,
) -> StoreResult<Box<dyn Incoming + 's>> {
    let path = session.full(&part.path);
    let opened = session.client.retrieve(&path, part.range.start);
    let download = opened.map_err(|e| session.fail("read", &part.path, e))?;
    Ok(Box::new(FtpPart { session, download, request: part.clone() }))
}

struct FtpPart<'s> {
    session: &'s mut FtpSession,
    download: Download,
    request: PartRequest,
}

impl FtpPart<'_> {
    fn fail(&mut self, error: FtpError) -> StoreError {
        self.session.fail("read", &self.request.path, error)
    }

    /// Returns how many bytes of the part are still to come.
    fn left(&self) -> u64 {
        length(&self.request.range) - self.download.bytes()
    }

    fn is_last(&self) -> bool {
        self.request.range.end == self.request.size
    }
}

impl Incoming for FtpPart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> StoreResult<usize> {
        let left = self.left();
        if left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            return self.download.read(&mut buffer[..most]).map_err(|e| self.fail(e));
        }
        if self.is_last() && self.download.read(&mut [0]).map_err(|e| self.fail(e))? > 0 {
            self.session.client.give_up();
            let why = format!(
                "the server sends more than there should be from byte {} on",
                self.request.range.start
            );
            return Err(self.fail(FtpError::Protocol(why)).with_remedy(Remedy::Skip));
        }
        Ok(0)
    }

    fn finish(mut self: Box<Self>) -> StoreResult<u64> {
        let (expected, got) = (length(&self.request.range), self.download.bytes());
        let (is_whole, is_last) = (self.left() == 0, self.is_last());
        let Self { session, download, .. } = &mut *self;
        if is_whole && !is_last {
            download.leave(&mut session.client);
            return Ok(got);
        }
        let ended = if is_whole {
            download.finish_sized(&mut session.client)
        } else {
            download.finish(&mut session.client).map(drop)
        };
        let whole = ended.and(if is_whole { Ok(got) } else { Err(FtpError::Size { expected, got }) });
        whole.map_err(|e| self.fail(e))
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}
