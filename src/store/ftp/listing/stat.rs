//! Listings on the control connection: `CWD dir · STAT -a .` for many directories in a few round trips.
//!
//! STAT answers an empty listing for a directory that isn't there, so CWD says whether there is one. A name with a line
//! break can end the reply early and make up the replies behind it; their codes then don't fit the commands, or some are
//! left over, and none of them is believed: the directories are listed over data connections from then on.

use crate::ftp::client::command;
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::listing::{Listing, ListingFormat, Parser, format_named};
use crate::ftp::reply::{Class, Reply};
use crate::store::ftp::ListingChoice;
use crate::store::ftp::listing::parser;
use crate::store::ftp::listing::proof::RawListing;
use crate::store::ftp::session::FtpSession;

/// Returns whether directories are to be listed this way.
pub(super) fn serves(session: &FtpSession) -> bool {
    let known =
        session.client.quirks().stat_lists && !session.learned.lock().expect("no holder panics").stat_fails;
    match session.choice {
        ListingChoice::Stat => known,
        ListingChoice::Auto => {
            // Over a short line, a data connection for each directory costs less than what MLSD's exact times save.
            known && (!session.client.features().has_mlsd() || session.is_far())
        }
        ListingChoice::Mlsd | ListingChoice::List | ListingChoice::Nlst => false,
    }
}

/// Lists directories by their absolute paths; `None` when the server turns out not to do it, so that another way is to be taken.
pub(super) fn list(session: &mut FtpSession, paths: &[Vec<u8>]) -> Option<Vec<Result<RawListing, FtpError>>> {
    let stat = command(Verb::Stat, "-a .").expect("a literal has no control bytes");
    let mut commands = Vec::with_capacity(paths.len() * 2 + 1);
    for path in paths {
        // A path that can't be sent is not one that a listing gave.
        commands.push(command(Verb::Cwd, path.as_slice()).ok()?);
        commands.push(stat.clone());
    }
    commands.push(Command::bare(Verb::Noop));
    let mut replies = session.client.call_all(&commands).into_iter();
    let mut listings = Vec::with_capacity(paths.len());
    for _ in paths {
        let (cwd, stat) = (replies.next()?, replies.next()?);
        listings.push(cwd.and_then(|cwd| read(cwd, stat?, stat_parser(session))));
    }
    let sentinel = replies.next()?.and_then(|reply| match reply.code() {
        200 => Ok(()),
        _ => Err(FtpError::Protocol(format!("NOOP was answered `{reply}`"))),
    });
    let first_error =
        listings.iter().filter_map(|listing| listing.as_ref().err()).chain(sentinel.as_ref().err());
    for error in first_error {
        match error {
            FtpError::Refused { reply, .. } if is_unsupported(reply) => {
                session.learned.lock().expect("no holder panics").stat_fails = true;
                return None;
            }
            FtpError::Protocol(_) | FtpError::BadReply(_) => {
                session.learned.lock().expect("no holder panics").stat_fails = true;
                let text = error.to_string();
                session.client.give_up();
                return Some(paths.iter().map(|_| Err(FtpError::Protocol(text.clone()))).collect());
            }
            _ => {}
        }
    }
    session.learned.lock().expect("no holder panics").rounds_times = true;
    Some(listings)
}

/// Reads the replies to CWD and STAT.
fn read(cwd: Reply, stat: Reply, parser: Parser) -> Result<RawListing, FtpError> {
    let is_listing = |reply: &Reply| (211..=213).contains(&reply.code());
    if is_listing(&cwd) || cwd.class() == Class::Intermediate {
        return Err(FtpError::Protocol(format!("CWD was answered `{}`", cwd.code())));
    }
    if !cwd.is_ok() {
        return Err(FtpError::refused(Verb::Cwd, cwd));
    }
    if !is_listing(&stat) {
        return Err(match stat.class() {
            Class::Transient | Class::Permanent => FtpError::refused(Verb::Stat, stat),
            _ => FtpError::Protocol(format!("STAT was answered `{}`", stat.code())),
        });
    }
    let listing = parse(&stat, parser);
    // Both servers that are listed this way write a line for the directory itself.
    let closed = listing.entries.is_empty() && !listing.shows_itself;
    let last = stat.lines().last().cloned().unwrap_or_default();
    Ok(RawListing { closed, unconfirmed: true, ..RawListing::new(listing, Reply::new(stat.code(), last)) })
}

fn stat_parser(session: &FtpSession) -> Parser {
    parser(session, Some(unix()))
}

fn unix() -> &'static dyn ListingFormat {
    format_named("unix").expect("the format of ls is in the table")
}

fn parse(stat: &Reply, mut parser: Parser) -> Listing {
    for line in stat.body() {
        // ProFTPD puts a space before each line.
        parser.push(line.strip_prefix(b" ").unwrap_or(line));
        parser.push(b"\r\n");
    }
    parser.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(code: u16, lines: &[&str]) -> Reply {
        let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        Reply::multi(code, "Status follows:", lines, "End of status")
    }

    fn read_now(cwd: Reply, stat: Reply) -> Result<RawListing, FtpError> {
        read(cwd, stat, Parser::with_format(unix(), crate::store::ftp::listing::now()))
    }

    fn cwd() -> Reply {
        Reply::new(250, "Directory successfully changed.")
    }

    const OWN: &str = "drwxr-xr-x    2 1        0            4096 Nov 21 14:17 .";

    #[test]
    fn entries_are_read_with_and_without_the_space_before_them() {
        for (code, space) in [(213, ""), (212, " ")] {
            let lines = [OWN, "-rw-r--r--    1 1        0               7 Nov 21 14:17  a b"];
            let lines = lines.map(|line| format!("{space}{line}"));
            let listed = read_now(cwd(), stat(code, &[&lines[0], &lines[1]])).unwrap();
            assert!(!listed.closed && listed.listing.is_whole());
            assert_eq!(listed.listing.entries.len(), 1);
            assert_eq!(
                (&listed.listing.entries[0].name[..], listed.listing.entries[0].size),
                (&b" a b"[..], Some(7))
            );
        }
    }

    #[test]
    fn an_empty_directory_shows_itself_and_a_closed_one_does_not() {
        assert!(!read_now(cwd(), stat(213, &[OWN])).unwrap().closed);
        assert!(read_now(cwd(), stat(213, &[])).unwrap().closed);
    }

    #[test]
    fn replies_that_do_not_fit_their_commands_are_no_listings() {
        let refused = Reply::new(550, "Failed to change directory.");
        assert!(matches!(read_now(refused, stat(213, &[])), Err(FtpError::Refused { .. })));
        assert!(matches!(read_now(stat(213, &[OWN]), cwd()), Err(FtpError::Protocol(_))));
        assert!(matches!(read_now(cwd(), cwd()), Err(FtpError::Protocol(_))));
        assert!(matches!(read_now(cwd(), Reply::new(502, "no")), Err(FtpError::Refused { .. })));
    }
}
