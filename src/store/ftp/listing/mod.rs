//! Directories of a server: MLSD where there is one, else CWD and LIST, else NLST with a question for each name.
//!
//! LIST is never given a path: servers take blanks, brackets and leading hyphens in one for something else, and many
//! answer an empty 226 for a directory that isn't there. CWD says whether there is one. A listing is proven when CWD or
//! MLSD succeeded, the data ended, the closing reply is good and doesn't speak of truncation, every line was understood,
//! and the number of entries is none at which this server is known to cut.

mod flights;
mod names;
mod proof;
mod stat;

use chrono::{DateTime, Utc};

use crate::ftp::client::command;
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::listing::{Listed, Listing, ListingFormat, Parser, format_named};
use crate::ftp::reply::{Class, Reply};
use crate::ftp::transfer::Download;
use crate::model::{Entry, Kind, RelPath, Unproven, escape, permission_bits};
use crate::store::ftp::listing::names::list_names_here;
use crate::store::ftp::listing::proof::RawListing;
pub(super) use crate::store::ftp::listing::proof::doubt_of;
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::{Hidden, ListingChoice};
use crate::store::{DirListing, ServerClock};

/// Lists directories of the session's tree.
pub(super) fn list_dirs(session: &mut FtpSession, dirs: &[RelPath]) -> Vec<Result<DirListing, FtpError>> {
    let raw = list_raw(session, dirs);
    let caps = session.client.quirks().listing_caps;
    let most = session.limits.bytes;
    dirs.iter().zip(raw).map(|(dir, raw)| Ok(believe(dir, raw?, caps, most, &session.clock))).collect()
}

/// Lists directories as the server tells them, owner and group included, with names as they stand there.
pub(super) fn list_raw(session: &mut FtpSession, dirs: &[RelPath]) -> Vec<Result<RawListing, FtpError>> {
    let paths: Vec<Vec<u8>> = dirs.iter().map(|dir| session.full(dir)).collect();
    let raw = if stat::serves(session) { stat::list(session, &paths) } else { None };
    let mut raw = raw.unwrap_or_else(|| flights::list(session, &paths));
    for (dir, raw) in dirs.iter().zip(&mut raw) {
        if let Ok(raw) = raw {
            session.learned.lock().expect("no holder panics").loops.learn(dir, &mut raw.listing);
        }
    }
    raw
}

/// Lists `dir` of the session's tree.
pub(super) fn list_dir(session: &mut FtpSession, dir: &RelPath) -> Result<DirListing, FtpError> {
    list_dirs(session, std::slice::from_ref(dir)).pop().expect("a result for each directory")
}

/// After so many entries, the memory of what they were read from is given back: a directory may have millions, and both would be large.
const GIVEN_BACK: usize = 1 << 16;

/// Takes from a listing what can be believed, and no more than that the paths have so many bytes: each holds those of all directories
/// above it, which may be far more than the server has to send.
fn believe(
    dir: &RelPath,
    raw: RawListing,
    caps: &[usize],
    most_bytes: u64,
    clock: &ServerClock,
) -> DirListing {
    let doubt = doubt_of(&raw, caps);
    let entries = Vec::with_capacity(raw.listing.entries.len());
    let may_be_closed = raw.unconfirmed && raw.listing.entries.is_empty() && !raw.listing.shows_itself;
    let mut listing = DirListing { entries, doubt, may_hide: raw.may_hide, may_be_closed };
    let mut bytes = 0;
    let mut told = raw.listing.entries;
    while let Some(listed) = told.pop() {
        if told.len().is_multiple_of(GIVEN_BACK) {
            told.shrink_to_fit();
        }
        match dir.join(&listed.name) {
            Ok(path) if bytes + path.as_bytes().len() as u64 > most_bytes => {
                let text = format!("its paths are longer than {most_bytes} bytes in all");
                listing.doubt.get_or_insert(Unproven(text));
                break;
            }
            Ok(path) => {
                bytes += path.as_bytes().len() as u64;
                listing.entries.push(entry_of(path, listed, clock));
            }
            Err(why) => {
                let text = format!("the name `{}` can't be believed: {why}", escape(&listed.name));
                listing.doubt.get_or_insert(Unproven(text));
            }
        }
    }
    listing
}

/// Returns how directories are listed, as far as it is known by now.
pub(super) fn way(session: &FtpSession) -> ListingChoice {
    match session.choice {
        _ if stat::serves(session) => ListingChoice::Stat,
        _ if has_mlsd(session) => ListingChoice::Mlsd,
        ListingChoice::Nlst => ListingChoice::Nlst,
        _ if session.client.features().may(Verb::List) => ListingChoice::List,
        _ => ListingChoice::Nlst,
    }
}

/// Returns whether directories are listed by MLSD.
pub(super) fn is_by_mlsd(session: &FtpSession) -> bool {
    !stat::serves(session) && has_mlsd(session)
}

fn has_mlsd(session: &FtpSession) -> bool {
    let wanted = matches!(session.choice, ListingChoice::Auto | ListingChoice::Mlsd);
    wanted && session.client.features().has_mlsd()
}

fn mlsd() -> &'static dyn ListingFormat {
    format_named("mlsd").expect("MLSD is in the table")
}

/// Returns the names in the directory at the absolute `path`; `None` when they may not be all.
pub(super) fn list_names(session: &mut FtpSession, path: &[u8]) -> Result<Option<Vec<Vec<u8>>>, FtpError> {
    let raw = list_path(session, path)?;
    let whole = doubt_of(&raw, session.client.quirks().listing_caps).is_none();
    Ok(whole.then(|| raw.listing.entries.into_iter().map(|listed| listed.name).collect()))
}

/// Lists `dir` over a data connection, whatever costs less.
pub(super) fn list_over_data(session: &mut FtpSession, dir: &RelPath) -> Result<(), FtpError> {
    let path = session.full(dir);
    list_path(session, &path).map(drop)
}

fn list_path(session: &mut FtpSession, path: &[u8]) -> Result<RawListing, FtpError> {
    if has_mlsd(session) {
        match receive(session, &command(Verb::Mlsd, path)?, parser(session, Some(mlsd()))) {
            Err(e) if e.reply().is_some_and(is_unsupported) => session.client.refuse(Verb::Mlsd),
            done => return done,
        }
    }
    session.client.change_dir(path)?;
    let mut riddle = None;
    if session.choice != ListingChoice::Nlst && session.client.features().may(Verb::List) {
        match list_here(session) {
            Err(e) if e.reply().is_some_and(is_unsupported) => session.client.refuse(Verb::List),
            Ok(raw) if raw.listing.format.is_none() && raw.listing.rejected_count > 0 => {
                riddle = Some(raw.listing);
            }
            done => return done,
        }
    }
    let mut names = list_names_here(session, path)?;
    if let Some(listing) = riddle
        && (names.listing.entries.len() as u64) < listing.rejected_count
    {
        // Some lines were no entries, such as `ls: Permission denied` where NLST then tells of nothing at all.
        names.listing.rejected_count += listing.rejected_count;
        names.listing.rejected.extend(listing.rejected);
    }
    Ok(names)
}

/// Lists the working directory with LIST, hidden files included where the server shows them.
fn list_here(session: &mut FtpSession) -> Result<RawListing, FtpError> {
    let known = session.learned.lock().expect("no holder panics").hidden;
    match known {
        Hidden::Flag => list_with(session, true),
        Hidden::Plain => list_with(session, false),
        Hidden::Unknown => {
            let plain = list_with(session, false)?;
            let all = match list_with(session, true) {
                Ok(all) => all,
                Err(e) if e.reply().is_some_and(says_no_such_path) => {
                    learn_hidden(session, Hidden::Plain);
                    return Ok(plain);
                }
                // A failure that passes teaches nothing, and without the flag hidden files would seem not to be there.
                Err(e) => return Err(e),
            };
            if !is_superset(&all.listing, &plain.listing) {
                if !all.listing.entries.is_empty() {
                    // Something came or went between the two; the next directory will tell.
                    return Ok(RawListing { unsteady: true, ..all });
                }
                // It takes `-a` for a name or a pattern that nothing fits.
                learn_hidden(session, Hidden::Plain);
                return Ok(plain);
            }
            // An empty directory teaches nothing.
            if !all.listing.entries.is_empty() {
                learn_hidden(session, Hidden::Flag);
            }
            Ok(all)
        }
    }
}

fn learn_hidden(session: &FtpSession, hidden: Hidden) {
    session.learned.lock().expect("no holder panics").hidden = hidden;
}

fn is_superset(all: &Listing, plain: &Listing) -> bool {
    let names: std::collections::HashSet<&[u8]> =
        all.entries.iter().map(|listed| listed.name.as_slice()).collect();
    all.rejected_count <= plain.rejected_count
        && plain.entries.iter().all(|listed| names.contains(listed.name.as_slice()))
}

fn list_with(session: &mut FtpSession, all: bool) -> Result<RawListing, FtpError> {
    let received = receive(session, &list_command(all), list_parser(session));
    take_list(session, all, received)
}

fn list_command(all: bool) -> Command {
    if all {
        command(Verb::List, "-a").expect("a literal has no control bytes")
    } else {
        Command::bare(Verb::List)
    }
}

fn list_parser(session: &FtpSession) -> Parser {
    let format = session.learned.lock().expect("no holder panics").format;
    parser(session, format)
}

/// Returns a parser for a listing of this family, or of one that is to be found out.
fn parser(session: &FtpSession, format: Option<&'static dyn ListingFormat>) -> Parser {
    let parser = match format {
        Some(format) => Parser::with_format(format, now()),
        None => Parser::new(now()),
    };
    parser.limits(session.limits)
}

/// Makes of what LIST gave what it means on this server.
fn take_list(
    session: &FtpSession,
    all: bool,
    received: Result<RawListing, FtpError>,
) -> Result<RawListing, FtpError> {
    let mut raw = match received {
        Err(e) if e.reply().is_some_and(says_empty) => empty(&e),
        other => other?,
    };
    raw.may_hide = !all;
    let mut learned = session.learned.lock().expect("no holder panics");
    learned.shows_itself |= all && raw.listing.shows_itself;
    // Where it shows `.` elsewhere and nothing here, the directory can't be read.
    raw.closed = all && learned.shows_itself && raw.listing.entries.is_empty() && !raw.listing.shows_itself;
    if learned.format.is_none() && !raw.listing.entries.is_empty() {
        learned.format = raw.listing.format;
    }
    Ok(raw)
}

fn receive(session: &mut FtpSession, list: &Command, mut parser: Parser) -> Result<RawListing, FtpError> {
    let mut download = session.client.list(list)?;
    fill(&mut parser, |buffer| download.read(buffer))?;
    close(session, list, parser, download)
}

/// Hears how the listing ended.
fn close(
    session: &mut FtpSession,
    list: &Command,
    parser: Parser,
    mut download: Download,
) -> Result<RawListing, FtpError> {
    let closing = if parser.is_cut() {
        // The session goes with it: nobody waits for the end of a listing that may have none.
        session.client.give_up();
        Reply::new(226, "")
    } else {
        download.finish(&mut session.client)?
    };
    let is_mlsd = list.verb() == Verb::Mlsd;
    let listing = parser.finish();
    let mut learned = session.learned.lock().expect("no holder panics");
    learned.mlsd_shows_itself |= is_mlsd && listing.shows_itself;
    // Somebody else may have got the data, and this end nothing.
    let closed = is_mlsd && learned.mlsd_shows_itself && listing.entries.is_empty() && !listing.shows_itself;
    Ok(RawListing { unconfirmed: !is_mlsd, closed, ..RawListing::new(listing, closing) })
}

/// Reads to the end, or to where the parser has had enough.
fn fill(
    parser: &mut Parser,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, FtpError>,
) -> Result<(), FtpError> {
    let mut buffer = vec![0; 64 << 10];
    while !parser.is_cut() {
        match read(&mut buffer)? {
            0 => break,
            n => parser.push(&buffer[..n]),
        }
    }
    Ok(())
}

/// Returns whether a refusal of `LIST -a` means that there is no file `-a`: 5xx, or ProFTPD's 450.
fn says_no_such_path(reply: &Reply) -> bool {
    reply.class() == Class::Permanent || reply.code() == 450
}

/// Returns whether a refused LIST means an empty directory. Asked only behind a CWD that succeeded.
fn says_empty(reply: &Reply) -> bool {
    let text = reply.to_string().to_ascii_lowercase();
    matches!(reply.code(), 450 | 550)
        && ["no files", "no members", "no data sets", "directory is empty"]
            .iter()
            .any(|words| text.contains(words))
}

fn empty(said: &FtpError) -> RawListing {
    let closing = said.reply().cloned().unwrap_or_else(|| Reply::new(226, ""));
    // The server says in words that nothing is there.
    RawListing::new(Parser::new(now()).finish(), closing)
}

/// Returns the time that dates without a year are read by, and files were sent at.
#[expect(
    clippy::disallowed_methods,
    reason = "a session is the rim: listings come from outside as they are read"
)]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn entry_of(path: RelPath, listed: Listed, clock: &ServerClock) -> Entry {
    Entry {
        path,
        kind: listed.kind,
        size: listed.exact_size().filter(|_| listed.kind == Kind::File),
        mtime: listed.mtime.map(|mtime| clock.read_listed(mtime)),
        mode: listed.mode.map(permission_bits),
        target: listed.target.map(Vec::into_boxed_slice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftp::listing::Limits;

    #[test]
    fn an_endless_listing_is_read_no_further_than_its_limit() {
        let limits = Limits { bytes: 1 << 20, ..Limits::default() };
        let mut parser = Parser::new(now()).limits(limits);
        let mut reads = 0;
        let line = b"-rw-r--r-- 1 ftp ftp 5 May 06 2024 a.txt\r\n";
        let endless = |buffer: &mut [u8]| {
            reads += 1;
            assert!(reads < 1000, "it goes on and on");
            let pieces = buffer.len() / line.len();
            buffer[..pieces * line.len()].copy_from_slice(&line.repeat(pieces));
            Ok(pieces * line.len())
        };
        fill(&mut parser, endless).unwrap();
        let closing = Reply::new(226, "");
        let raw = RawListing::new(parser.finish(), closing);
        assert!(doubt_of(&raw, &[]).unwrap().0.contains("longer than can be read"));
    }
}
