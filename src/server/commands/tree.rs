//! Moving about and changing the tree: CWD, CDUP, PWD, MKD, RMD, DELE, RNFR, RNTO (RFC 959 §4.1.3).

use crate::ftp::command::Verb;
use crate::ftp::reply::Reply;
use crate::model::RelPath;
use crate::server::ServerEvent;
use crate::server::commands::Handled;
use crate::server::commands::refusal::of_file;
use crate::server::path::quoted;
use crate::server::session::Session;

pub(super) fn cwd(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    session.shared.root.enter(&path).map_err(of_file)?;
    session.working = path;
    Ok(Reply::new(250, [&b"Now in "[..], &quoted(&session.working)].concat()))
}

pub(super) fn cdup(session: &mut Session, _: &[u8]) -> Handled {
    cwd(session, b"..")
}

pub(super) fn pwd(session: &mut Session, _: &[u8]) -> Handled {
    Ok(Reply::new(257, [&quoted(&session.working), &b" is the working directory"[..]].concat()))
}

pub(super) fn mkd(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    session.shared.root.make_dir(&path).map_err(of_file)?;
    changed(session, Verb::Mkd, &path);
    Ok(Reply::new(257, [&quoted(&path), &b" made"[..]].concat()))
}

pub(super) fn rmd(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    session.shared.root.remove_dir(&path).map_err(of_file)?;
    changed(session, Verb::Rmd, &path);
    Ok(Reply::new(250, "Removed"))
}

pub(super) fn dele(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    session.shared.root.remove_file(&path).map_err(of_file)?;
    changed(session, Verb::Dele, &path);
    Ok(Reply::new(250, "Removed"))
}

pub(super) fn rnfr(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    session.shared.root.meta(&path).map_err(of_file)?;
    session.rename_from = Some(path);
    Ok(Reply::new(350, "Now RNTO"))
}

pub(super) fn rnto(session: &mut Session, argument: &[u8]) -> Handled {
    let from = session.rename_from.take().ok_or_else(|| Reply::new(503, "RNFR comes first"))?;
    let to = session.resolve(argument)?;
    if !session.shared.options.renames_onto_files && session.shared.root.meta(&to).is_ok() {
        return Err(Reply::new(550, "Cannot create a file when that file already exists."));
    }
    session.shared.root.rename(&from, &to).map_err(of_file)?;
    session.tell(&ServerEvent::Changed { verb: Verb::Rnto, path: &from, to: Some(&to) });
    Ok(Reply::new(250, "Renamed"))
}

/// Tells the observer that something was changed in its place.
pub(super) fn changed(session: &Session, verb: Verb, path: &RelPath) {
    session.tell(&ServerEvent::Changed { verb, path, to: None });
}
