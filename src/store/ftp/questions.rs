//! What is asked of files beyond their listing: exact times and checksums, many to a round trip.

use crate::ftp::client::{ChecksumWay, read_time};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::is_unsupported;
use crate::model::{Checksum, ChecksumKind, Mtime, RelPath};
use crate::store::StoreResult;
use crate::store::ftp::session::FtpSession;

/// Asks for the modification time of each file, to the second; `None` where the server doesn't tell.
pub(super) fn mtimes(session: &mut FtpSession, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
    if !session.client.features().may(Verb::Mdtm) {
        return files.iter().map(|_| Ok(None)).collect();
    }
    let answers = session.ask_each(Verb::Mdtm, files);
    let mut results = Vec::with_capacity(files.len());
    for (path, answer) in files.iter().zip(answers) {
        results.push(match answer {
            // A time that can't be read is as good as none; any other 2xx is the reply to something else.
            Ok(reply) if reply.code() == 213 => {
                Ok(read_time(reply).ok().map(|mtime| session.clock.read_exact(mtime)))
            }
            Ok(reply) if reply.is_ok() => {
                read_time(reply).map(Some).map_err(|e| session.fail("look at", path, e))
            }
            Ok(reply) => {
                if is_unsupported(&reply) {
                    session.client.refuse(Verb::Mdtm);
                }
                Ok(None)
            }
            Err(e) => Err(session.fail("look at", path, e)),
        });
    }
    results
}

/// Asks for a checksum of each file; `None` where the server has none of that kind.
pub(super) fn checksums(
    session: &mut FtpSession,
    kind: ChecksumKind,
    files: &[RelPath],
) -> Vec<StoreResult<Option<Checksum>>> {
    let way = ChecksumWay::choose(session.client.features()).filter(|way| way.kind == kind);
    let Some(way) = way else { return files.iter().map(|_| Ok(None)).collect() };
    // Chosen anew each time: a session that took another's place doesn't know of it.
    if let Some(prepare) = way.prepare()
        && let Err(e) = session.client.demand(&prepare)
    {
        if e.reply().is_some() {
            session.client.refuse(Verb::Hash);
            return files.iter().map(|_| Ok(None)).collect();
        }
        let root = RelPath::root();
        let error = session.fail("look at", &root, e);
        return files.iter().map(|_| Err(error.again())).collect();
    }
    let commands: Vec<Option<Command>> =
        files.iter().map(|path| way.command(&session.full(path)).ok()).collect();
    let sendable: Vec<Command> = commands.iter().flatten().cloned().collect();
    let mut answers = session.client.call_all_patiently(&sendable).into_iter();
    let mut results = Vec::with_capacity(files.len());
    for (path, command) in files.iter().zip(commands) {
        let answer = command.and_then(|_| answers.next());
        results.push(match answer {
            None => Ok(None),
            Some(Ok(reply)) => Ok(way.read(&reply)),
            Some(Err(e)) => Err(session.fail("look at", path, e)),
        });
    }
    results
}
