//! The last resort: names alone, and a question for each.

use crate::ftp::client::{command, read_size, read_time};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::listing::{ListingFormat, format_named};
use crate::ftp::reply::Reply;
use crate::model::Kind;
use crate::store::ftp::listing::proof::RawListing;
use crate::store::ftp::listing::{empty, parser, receive, says_empty};
use crate::store::ftp::session::FtpSession;

/// Lists names alone, and asks of each whether it is a file (it has a size) or a directory (it can be entered).
pub(super) fn list_names_here(session: &mut FtpSession, path: &[u8]) -> Result<RawListing, FtpError> {
    let nlst: &dyn ListingFormat = format_named("nlst").expect("NLST is in the table");
    let parser = parser(session, Some(nlst));
    let mut raw = match receive(session, &Command::bare(Verb::Nlst), parser) {
        Err(e) if e.reply().is_some_and(says_empty) => empty(&e),
        other => other?,
    };
    raw.may_hide = true;
    let names: Vec<Vec<u8>> = raw.listing.entries.iter().map(|listed| listed.name.clone()).collect();
    let sizes = ask_names(session, Verb::Size, &names)?;
    let times = ask_names(session, Verb::Mdtm, &names)?;
    for ((listed, size), time) in raw.listing.entries.iter_mut().zip(sizes).zip(times) {
        let time = time.and_then(|reply| read_time(reply).ok());
        listed.mtime = time.map(|mtime| session.clock.read_exact(mtime));
        listed.size = size.and_then(|reply| read_size(reply).ok());
        listed.kind = match listed.size {
            Some(_) => Kind::File,
            None => Kind::Other,
        };
    }
    for listed in raw.listing.entries.iter_mut().filter(|listed| listed.kind == Kind::Other) {
        // Only CWD tells a directory, and each one entered must be left again.
        if session.client.change_dir(&listed.name).is_ok() {
            session.client.change_dir(path)?;
            listed.kind = Kind::Dir;
        }
    }
    Ok(raw)
}

fn ask_names(
    session: &mut FtpSession,
    verb: Verb,
    names: &[Vec<u8>],
) -> Result<Vec<Option<Reply>>, FtpError> {
    let mut answers = Vec::with_capacity(names.len());
    for name in names {
        let Ok(command) = command(verb, name.as_slice()) else {
            answers.push(None);
            continue;
        };
        answers.push(Some(session.client.call(&command)?));
    }
    Ok(answers)
}
