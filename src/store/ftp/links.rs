//! Symbolic links of a server: which there are, and what they lead to.
//!
//! CWD tells a directory, and PWD behind it where that truly is: vsftpd 3.0.3 and ProFTPD 1.3.8 answer it without any link in it. What
//! can't be entered is a file if it has a size (RFC 3659 §4). What is neither may be a device as well as nothing at all.

use crate::ftp::client::{command, read_size, read_time};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::login::parse_pwd;
use crate::ftp::reply::{Class, Reply};
use crate::model::{Entry, Kind, RelPath};
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::{ListingChoice, listing};
use crate::store::{DirListing, Referent};

/// Finds out what links lead to, two questions each, many to a round trip.
pub(super) fn follow(session: &mut FtpSession, links: &[RelPath]) -> Vec<Result<Referent, FtpError>> {
    let pwd = |_: &[u8]| Ok(Command::bare(Verb::Pwd));
    let entered = ask_twice(session, links, |path| command(Verb::Cwd, path), pwd);
    let mut followed: Vec<Option<Result<Referent, FtpError>>> = Vec::with_capacity(links.len());
    for (link, answers) in links.iter().zip(entered) {
        followed.push(match answers {
            Ok((cwd, pwd)) if cwd.is_ok() => {
                let place = parse_pwd(pwd.text()).filter(|_| pwd.code() == 257).map(Vec::into_boxed_slice);
                Some(Ok(Referent { entry: Entry::new(link.clone(), Kind::Dir), place }))
            }
            Ok((cwd, _)) if cwd.class() == Class::Permanent => None,
            Ok((cwd, _)) => Some(Err(FtpError::refused(Verb::Cwd, cwd))),
            Err(e) => Some(Err(e)),
        });
    }
    let rest: Vec<RelPath> =
        links.iter().zip(&followed).filter(|(_, f)| f.is_none()).map(|(l, _)| l.clone()).collect();
    let mdtm = |path: &[u8]| command(Verb::Mdtm, path);
    let asked = ask_twice(session, &rest, |path| command(Verb::Size, path), mdtm);
    let mut files = rest.into_iter().zip(asked).map(|(link, answers)| {
        let (size, time) = answers?;
        let entry = Entry::file(link, read_size(size)?, read_time(time).ok());
        Ok(Referent { entry, place: None })
    });
    let followed = followed.into_iter();
    followed
        .map(|known| known.unwrap_or_else(|| files.next().expect("an answer for each question")))
        .collect()
}

/// Lists links by LIST, where MLSD was asked for all else: that of ProFTPD 1.3.8 has no entry for a link that leads to nothing, and
/// neither its nor Pure-FTPd's tells where one points. (ProFTPD's LIST lacks links to `.`, so it alone would not do either.)
pub(super) fn list(session: &mut FtpSession, dirs: &[RelPath]) -> Vec<Result<Vec<Entry>, FtpError>> {
    if !listing::is_by_mlsd(session) || !session.client.features().may(Verb::List) {
        return dirs.iter().map(|_| Ok(Vec::new())).collect();
    }
    let choice = std::mem::replace(&mut session.choice, ListingChoice::List);
    let listed = listing::list_dirs(session, dirs);
    session.choice = choice;
    let links = |listing: DirListing| {
        listing.entries.into_iter().filter(|entry| entry.kind == Kind::Symlink).collect()
    };
    listed.into_iter().map(|listing| listing.map(links)).collect()
}

/// Asks two questions about each path.
fn ask_twice(
    session: &mut FtpSession,
    paths: &[RelPath],
    first: impl Fn(&[u8]) -> Result<Command, FtpError>,
    second: impl Fn(&[u8]) -> Result<Command, FtpError>,
) -> Vec<Result<(Reply, Reply), FtpError>> {
    let mut questions = Vec::with_capacity(2 * paths.len());
    let mut asked = Vec::with_capacity(paths.len());
    for path in paths {
        let path = session.full(path);
        asked.push(first(&path).and_then(|first| {
            questions.extend([first, second(&path)?]);
            Ok(())
        }));
    }
    let mut replies = session.client.call_all(&questions).into_iter();
    let mut next = || replies.next().expect("an answer for each question");
    asked
        .into_iter()
        .map(|asked| {
            asked.and_then(|()| {
                // Both are taken, whatever the first says.
                let (first, second) = (next(), next());
                Ok((first?, second?))
            })
        })
        .collect()
}
