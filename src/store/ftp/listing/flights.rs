//! Listings over data connections, a round trip less for each command: `EPSV · MLSD dir`, or `CWD dir · EPSV · LIST`, in one segment.
//!
//! A LIST behind a CWD that was refused shows the directory before it. It is read to its end and thrown away.

use crate::ftp::client::{Flight, command};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::listing::Parser;
use crate::store::ftp::listing::proof::RawListing;
use crate::store::ftp::listing::{
    close, fill, has_mlsd, list_command, list_parser, list_path, mlsd, parser, take_list,
};
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::{Hidden, ListingChoice};

/// What is sent for a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Mlsd,
    /// With files whose names begin with a dot, where the flag shows them.
    List {
        all: bool,
    },
}

impl Way {
    /// Returns the way to list on this session; `None` when directories are to be listed one command after the other.
    fn of(session: &FtpSession) -> Option<Self> {
        let way = if has_mlsd(session) {
            Self::Mlsd
        } else {
            let learned = session.learned.lock().expect("no holder panics");
            // Until it's known how hidden files are had, and what the lines look like, two listings are compared.
            match learned.hidden {
                _ if session.choice == ListingChoice::Nlst || learned.format.is_none() => return None,
                Hidden::Unknown => return None,
                Hidden::Flag => Self::List { all: true },
                Hidden::Plain => Self::List { all: false },
            }
        };
        (session.client.has_flights(way.verb()) && session.client.features().may(way.verb())).then_some(way)
    }

    fn verb(self) -> Verb {
        match self {
            Self::Mlsd => Verb::Mlsd,
            Self::List { .. } => Verb::List,
        }
    }

    /// Sends all that one directory needs.
    fn send(self, session: &mut FtpSession, path: &[u8]) -> Result<Flight, FtpError> {
        let list = match self {
            Self::Mlsd => command(Verb::Mlsd, path)?,
            Self::List { all } => {
                session.client.send(&command(Verb::Cwd, path)?)?;
                list_command(all)
            }
        };
        session.client.send_flight(&list, 0)
    }

    /// Hears whether the directory could be entered, as far as that is asked.
    fn enter(self, session: &mut FtpSession) -> Result<Result<(), FtpError>, FtpError> {
        match self {
            Self::Mlsd => Ok(Ok(())),
            Self::List { .. } => {
                let reply = session.client.hear()?;
                Ok(if reply.is_ok() { Ok(()) } else { Err(FtpError::refused(Verb::Cwd, reply)) })
            }
        }
    }

    fn parser(self, session: &FtpSession) -> Parser {
        match self {
            Self::Mlsd => parser(session, Some(mlsd())),
            Self::List { .. } => list_parser(session),
        }
    }
}

/// Lists directories by their absolute paths, in flights as soon as it's known how.
pub(super) fn list(session: &mut FtpSession, paths: &[Vec<u8>]) -> Vec<Result<RawListing, FtpError>> {
    let mut results = Vec::with_capacity(paths.len());
    while let Some(path) = paths.get(results.len()) {
        match Way::of(session) {
            Some(way) => list_by(session, way, paths, &mut results),
            None => results.push(list_path(session, path)),
        }
    }
    results
}

/// Lists those directories that have no result yet, the commands for each leaving at the end of the data of the one before. Stops where
/// the server turns out not to have the command.
fn list_by(
    session: &mut FtpSession,
    way: Way,
    paths: &[Vec<u8>],
    results: &mut Vec<Result<RawListing, FtpError>>,
) {
    let mut ahead: Option<Result<Flight, FtpError>> = None;
    for i in results.len()..paths.len() {
        let flight = ahead.take().unwrap_or_else(|| way.send(session, &paths[i]));
        let listed = flight.and_then(|flight| {
            let entered = way.enter(session)?;
            let mut download = match (session.client.list_flight(flight), &entered) {
                (Ok(download), _) => download,
                // What LIST says of a directory that was not entered is no news of it.
                (Err(e), Err(_)) if e.keeps_session() => {
                    return entered.map(|()| unreachable!("it is an error"));
                }
                (Err(e), _) => return Err(e),
            };
            let mut parser = way.parser(session);
            fill(&mut parser, |buffer| download.read(buffer))?;
            if let Some(next) =
                paths.get(i + 1).filter(|_| !parser.is_cut() && session.client.quirks().next_at_end)
            {
                ahead = Some(way.send(session, next));
            }
            let closed = close(session, &Command::bare(way.verb()), parser, download);
            entered.and(closed)
        });
        let is_of_list = |e: &FtpError| e.is_refusal_of(way.verb());
        let listed = match way {
            Way::List { all } if listed.as_ref().err().is_none_or(is_of_list) => {
                take_list(session, all, listed)
            }
            _ => listed,
        };
        if listed.as_ref().is_err_and(|e| is_of_list(e) && e.reply().is_some_and(is_unsupported)) {
            session.client.refuse(way.verb());
            if ahead.is_some() {
                session.lose_track();
            }
            return;
        }
        results.push(listed);
    }
}
