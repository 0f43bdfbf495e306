//! Uploads whose session ended without a word on them: looked at before anything is sent again.
//!
//! A connection that dies behind the last byte leaves a file that may be whole, or may even have its name. The next session asks
//! for its size under the temporary name. If that is the size that was sent, the file is checked and named as if nothing had happened.
//! If it is gone from there, it has its name only if that was asked for, and if a proven listing shows a file of the right
//! size: what is gone otherwise was removed by the server, which some do with what they think was broken off.

use std::thread;
use std::time::Duration;

use crate::ftp::client::{command, read_size};
use crate::ftp::command::Verb;
use crate::ftp::error::FtpError;
use crate::model::{RelPath, Remedy};
use crate::store::ftp::listing;
use crate::store::ftp::naming::aside_of;
use crate::store::ftp::session::FtpSession;
use crate::store::{DirListing, StoreResult, WriteRequest, Written};

/// How far an upload was when nothing more was heard of it. All its bytes were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsettled {
    /// Bytes sent.
    pub(super) bytes: u64,
    pub(super) time_set: bool,
    /// It was found whole under its temporary name, and the final one was asked for.
    pub(super) naming: bool,
    /// The file it replaces may have stepped aside.
    pub(super) swapping: bool,
}

/// What the server may need to write what it has received: vsftpd has a process for each session, and the one of a lost session
/// goes on for a while.
const A_MOMENT: Duration = Duration::from_millis(200);
const MOMENTS: u32 = 10;

impl FtpSession {
    /// Remembers an upload that nothing more will be heard of, for the session that comes next.
    pub(super) fn leave_unsettled(&mut self, request: &WriteRequest, unsettled: Unsettled) {
        // What was written in place may be the old file yet: nothing tells one from the other.
        if request.temporary != request.path {
            let mut learned = self.learned.lock().expect("no holder panics");
            learned.unsettled.insert(request.temporary.clone(), unsettled);
        }
    }

    /// Goes on with an upload of a session before this one, if it is whole. Returns false if it has to be sent again.
    pub(super) fn recover_upload(&mut self, request: &WriteRequest) -> StoreResult<bool> {
        let known = self.learned.lock().expect("no holder panics").unsettled.get(&request.temporary).copied();
        let Some(unsettled) = known else { return Ok(false) };
        self.leave_ahead();
        let is_whole = look(self, request, unsettled).map_err(|e| self.fail("look at", &request.path, e))?;
        self.learned.lock().expect("no holder panics").unsettled.remove(&request.temporary);
        Ok(is_whole)
    }
}

fn look(session: &mut FtpSession, request: &WriteRequest, left: Unsettled) -> Result<bool, FtpError> {
    let (temporary, path) = (session.full(&request.temporary), session.full(&request.path));
    if is_whole(session, &temporary, left.bytes)? {
        return Ok(go_on(session, request, left));
    }
    let dir = request.path.parent().unwrap_or_else(RelPath::root);
    let listing = match listing::list_dir(session, &dir) {
        Err(e) if e.remedy() == Remedy::Skip => return Ok(false),
        listing => listing?,
    };
    if listing.doubt.is_some() {
        return Ok(false);
    }
    let size = |path: &RelPath| size_in(&listing, path);
    if size(&request.temporary) == Some(Some(left.bytes)) {
        return Ok(go_on(session, request, left));
    }
    let aside = aside_of(&path);
    if size(&request.temporary).is_none() && left.naming && size(&request.path) == Some(Some(left.bytes)) {
        let written = Written { bytes: left.bytes, time_set: left.time_set };
        session.written.push((request.path.clone(), Ok(written)));
        if left.swapping {
            // One that is not there any more is none to be removed.
            session.client.call(&command(Verb::Dele, aside)?)?;
        }
        return Ok(true);
    }
    // The new file is not there, so the old one gets its name back until it is.
    if left.swapping && size(&request.path).is_none() {
        let aside_name = aside.rsplit(|&b| b == b'/').next().unwrap_or_default();
        if listing.entries.iter().any(|entry| entry.path.name() == aside_name) {
            match session.client.rename(&aside, &path) {
                // The next run tries again.
                Err(e) if e.keeps_session() => {}
                renamed => renamed?,
            }
        }
    }
    Ok(false)
}

/// Takes the file up where the other session left it.
fn go_on(session: &mut FtpSession, request: &WriteRequest, left: Unsettled) -> bool {
    let (temporary, path) = (session.full(&request.temporary), session.full(&request.path));
    session.publisher.add(request.clone(), temporary, path, left.bytes, None);
    session.publisher.take_up(left.swapping);
    true
}

/// Returns whether the file has all its bytes. As long as it grows, somebody is still writing.
fn is_whole(session: &mut FtpSession, temporary: &[u8], bytes: u64) -> Result<bool, FtpError> {
    let mut before = None;
    for _ in 0..MOMENTS {
        if !session.client.features().may(Verb::Size) {
            return Ok(false);
        }
        let reply = session.client.call(&command(Verb::Size, temporary)?)?;
        match read_size(reply) {
            Ok(size) if size == bytes => return Ok(true),
            Ok(size) if size < bytes && before != Some(size) => before = Some(size),
            _ => return Ok(false),
        }
        thread::sleep(A_MOMENT);
    }
    Ok(false)
}

/// Returns the size of a file; `None` where nothing of that name is listed, `Some(None)` where no size is told to the byte.
fn size_in(listing: &DirListing, path: &RelPath) -> Option<Option<u64>> {
    listing.entries.iter().find(|entry| entry.path == *path).map(|entry| entry.size)
}
