//! Files on a server that are gone on with: REST and STOR behind what is there.
//!
//! Some servers take REST before STOR as "overwrite from there" (vsftpd 3.0.3, ProFTPD 1.3.8), some as "cut off there" (Pure-FTPd
//! 1.0.50), some refuse it (ProFTPD without `AllowStoreRestart` by 451, with `HiddenStores` by 550), and some are said to fill what
//! is before with zeros. So a file is gone on with from its end alone, where the first two are the same. Its last bytes are
//! compared with the source's before, and once more behind the upload; and the size of the whole is asked for as always.

use crate::ftp::command::Verb;
use crate::ftp::error::FtpError;
use crate::ftp::reply::{Class, Reply};
use crate::ftp::transfer::Upload;
use crate::model::Remedy;
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::upload::check_names;
use crate::store::{Begun, Continued, Outgoing, StoreError, StoreResult, WriteRequest};

pub(super) fn write_on<'s>(
    session: &'s mut FtpSession,
    file: &WriteRequest,
    begun: &Begun,
) -> StoreResult<Continued<'s>> {
    session.leave_ahead();
    if session.learned.lock().expect("no holder panics").never_resumes {
        return Ok(Continued::Never);
    }
    match open(session, file, begun) {
        Ok(Some(upload)) => {
            let (request, begun) = (file.clone(), begun.clone());
            Ok(Continued::On(Box::new(FtpContinued { session, upload, request, begun })))
        }
        Ok(None) => Ok(Continued::Other),
        Err(e) if is_refusal(&e) => {
            refuse(session);
            Ok(Continued::Never)
        }
        Err(e) => Err(session.fail("write", &file.path, e)),
    }
}

/// Returns the upload of the rest; `None` where there is no such beginning.
fn open(
    session: &mut FtpSession,
    file: &WriteRequest,
    begun: &Begun,
) -> Result<Option<Option<Upload>>, FtpError> {
    check_names(session, file)?;
    let temporary = session.full(&file.temporary);
    match ends_by(session, &temporary, begun) {
        Ok(Ending::There) => {}
        Ok(_) => return Ok(None),
        // Gone, or not for us to read.
        Err(e) if e.is_refusal_of(Verb::Retr) && e.keeps_session() => return Ok(None),
        Err(e) => return Err(e),
    }
    if file.size == Some(begun.bytes) {
        return Ok(Some(None));
    }
    session.client.store(&temporary, begun.bytes).map(|upload| Some(Some(upload)))
}

/// Returns whether the server doesn't go on with files, rather than with nothing now. A full disk is another matter.
fn is_refusal(error: &FtpError) -> bool {
    let of_command = error.is_refusal_of(Verb::Rest) || error.is_refusal_of(Verb::Stor);
    let class = error.reply().map(Reply::class);
    of_command
        && error.keeps_session()
        && error.remedy() != Remedy::Abort
        && matches!(class, Some(Class::Transient | Class::Permanent))
}

fn refuse(session: &FtpSession) {
    session.learned.lock().expect("no holder panics").never_resumes = true;
}

/// What stands on the server where a file was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Those bytes, and nothing behind them.
    There,
    /// Those bytes, and more.
    Before,
    Other,
}

/// Reads what is on the server where the beginning ends.
fn ends_by(session: &mut FtpSession, path: &[u8], begun: &Begun) -> Result<Ending, FtpError> {
    const BLOCK_BYTES: usize = 16 << 10;
    let Some(start) = begun.bytes.checked_sub(begun.tail.len() as u64) else { return Ok(Ending::Other) };
    let mut download = session.client.retrieve(path, start)?;
    let (mut block, mut at) = ([0; BLOCK_BYTES], 0);
    while at < begun.tail.len() {
        let most = BLOCK_BYTES.min(begun.tail.len() - at);
        let n = download.read(&mut block[..most])?;
        if n == 0 {
            break;
        }
        if block[..n] != begun.tail[at..at + n] {
            download.leave(&mut session.client);
            return Ok(Ending::Other);
        }
        at += n;
    }
    if at == begun.tail.len() && download.read(&mut [0])? > 0 {
        download.leave(&mut session.client);
        return Ok(Ending::Before);
    }
    download.finish_sized(&mut session.client)?;
    Ok(if at == begun.tail.len() { Ending::There } else { Ending::Other })
}

struct FtpContinued<'s> {
    session: &'s mut FtpSession,
    /// `None` where nothing is missing.
    upload: Option<Upload>,
    request: WriteRequest,
    begun: Begun,
}

impl Outgoing for FtpContinued<'_> {
    fn write(&mut self, bytes: &[u8]) -> StoreResult<()> {
        let Self { session, upload, request, .. } = self;
        let written = match upload {
            Some(upload) => upload.write(&mut session.client, bytes),
            None => Err(FtpError::Size { expected: 0, got: bytes.len() as u64 }),
        };
        written.map_err(|e| session.fail("write", &request.path, e))
    }

    fn finish(self: Box<Self>) -> StoreResult<()> {
        let Self { session, upload, request, begun } = *self;
        let mut bytes = begun.bytes;
        if let Some(upload) = upload {
            bytes += upload.bytes();
            let temporary = session.full(&request.temporary);
            let ended = upload.finish(&mut session.client);
            let looked = ended.and_then(|_| ends_by(session, &temporary, &begun));
            match looked.map_err(|e| session.fail("write", &request.path, e))? {
                Ending::Before => {}
                Ending::There | Ending::Other => {
                    refuse(session);
                    let why = "the server did not go on where the file ended";
                    return Err(StoreError::new("write", &request.path, &session.name, Remedy::Skip, why));
                }
            }
        }
        session.add_upload(request, bytes);
        Ok(())
    }
}
