//! Listings: LIST, NLST, STAT (RFC 959 §4.1.3), MLSD, MLST (RFC 3659 §7).
//!
//! Names are read and sorted first, then each is looked at and written, in pieces, so a large directory needs memory for
//! its names alone. A listing that can't be finished ends with an error and never with 226.

use std::io;

use chrono::{DateTime, Utc};

use crate::ftp::command::Verb;
use crate::ftp::reply::Reply;
use crate::model::{Kind, RelPath};
use crate::rooted::{Directory, Meta};
use crate::server::Access;
use crate::server::commands::refusal::of_file;
use crate::server::commands::transfer::transfer;
use crate::server::commands::{Handled, info};
use crate::server::copy::Broken;
use crate::server::ls;
use crate::server::mlsx::FactSet;
use crate::server::path::absolute;
use crate::server::session::Session;

pub(super) fn list(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(without_flags(argument))?;
    let subject = Subject::find(session, &path).map_err(of_file)?;
    send(session, Verb::List, &path, &subject, &Form::Ls)
}

/// NLST. Its lines are arguments for RETR as they stand (RFC 1123 §4.1.2.7), so names carry the directory that was asked for.
pub(super) fn nlst(session: &mut Session, argument: &[u8]) -> Handled {
    let argument = without_flags(argument);
    let path = session.resolve(argument)?;
    let subject = Subject::find(session, &path).map_err(of_file)?;
    let prefix = match (&subject, argument) {
        (Subject::Directory(_), b"") => Vec::new(),
        (Subject::Directory(_), dir) if dir.ends_with(b"/") => dir.to_vec(),
        (Subject::Directory(_), dir) => [dir, b"/"].concat(),
        // The whole argument is the name.
        (Subject::Single { name, .. }, file) => {
            file.strip_suffix(name.as_slice()).unwrap_or_default().to_vec()
        }
    };
    send(session, Verb::Nlst, &path, &subject, &Form::Names { prefix })
}

pub(super) fn mlsd(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    let subject = Subject::find(session, &path).map_err(of_file)?;
    if matches!(subject, Subject::Single { .. }) {
        return Err(Reply::new(501, "Not a directory"));
    }
    let form = facts(session);
    send(session, Verb::Mlsd, &path, &subject, &form)
}

pub(super) fn mlst(session: &mut Session, argument: &[u8]) -> Handled {
    let path = session.resolve(argument)?;
    let meta = session.shared.root.meta(&path).map_err(of_file)?;
    let mut line = b" ".to_vec();
    session.facts.write(&mut line, &meta, session.shared.options.access);
    line.push(b' ');
    line.extend(absolute(&path));
    Ok(Reply::multi(250, "Listing", vec![line], "End"))
}

/// STAT: the state of the session, or a listing on the control connection, each line behind a space so that none of them
/// ends the reply.
pub(super) fn stat(session: &mut Session, argument: &[u8]) -> Handled {
    if argument.is_empty() {
        return Ok(info::status(session));
    }
    let path = session.resolve(without_flags(argument))?;
    let subject = Subject::find(session, &path).map_err(of_file)?;
    session.control.write(&[b"213-Status of ", &absolute(&path)[..], b"\r\n"].concat());
    let control = &mut session.control;
    let written = subject.write(&Form::Indented, |piece| {
        control.write(piece);
        Ok(())
    });
    // The reply is begun with 213 and can end with nothing else; what is missing is said in words.
    Ok(Reply::new(
        213,
        if written.is_ok() { "End of status" } else { "Incomplete: the directory can't be read" },
    ))
}

fn facts(session: &Session) -> Form {
    Form::Facts { set: session.facts, access: session.shared.options.access }
}

fn send(session: &mut Session, verb: Verb, path: &RelPath, subject: &Subject, form: &Form) -> Handled {
    // A listing begins at its beginning, and REST doesn't wait for the transfer after it.
    session.restart = 0;
    transfer(session, verb, path, "The listing follows", |transfer| {
        subject.write(form, |piece| transfer.send(piece))?;
        transfer.finish()
    })
}

/// What is listed.
enum Subject {
    /// Everything in a directory.
    Directory(Directory),
    /// Anything else, alone.
    Single { name: Vec<u8>, meta: Meta, target: Option<Vec<u8>> },
}

/// How each entry is written.
enum Form {
    Ls,
    /// The same behind a space.
    Indented,
    Names {
        prefix: Vec<u8>,
    },
    Facts {
        set: FactSet,
        access: Access,
    },
}

impl Subject {
    fn find(session: &Session, path: &RelPath) -> io::Result<Self> {
        let root = &session.shared.root;
        let meta = root.meta(path)?;
        Ok(match meta.kind() {
            Kind::Dir => Self::Directory(root.read_dir(path)?),
            Kind::Symlink => {
                Self::Single { name: path.name().to_vec(), meta, target: Some(root.read_link(path)?) }
            }
            Kind::File | Kind::Other => Self::Single { name: path.name().to_vec(), meta, target: None },
        })
    }

    /// Writes all lines, and hands them to `sink` in pieces.
    fn write(&self, form: &Form, mut sink: impl FnMut(&[u8]) -> Result<(), Broken>) -> Result<(), Broken> {
        let mut out = Vec::with_capacity(PIECE_BYTES + 4096);
        match self {
            Self::Single { name, meta, target } => form.write(&mut out, name, meta, target.as_deref()),
            Self::Directory(directory) => {
                for name in directory.names().iter().filter(|name| fits_a_line(name)) {
                    form.write_entry(&mut out, directory, name).map_err(Broken::File)?;
                    if out.len() >= PIECE_BYTES {
                        sink(&out)?;
                        out.clear();
                    }
                }
            }
        }
        sink(&out)
    }
}

impl Form {
    fn write_entry(&self, out: &mut Vec<u8>, directory: &Directory, name: &[u8]) -> io::Result<()> {
        if let Self::Names { prefix } = self {
            write_name(out, prefix, name);
            return Ok(());
        }
        // What has gone since the names were read is no longer part of the directory.
        let Some(meta) = directory.meta(name)? else { return Ok(()) };
        let shows_target = matches!(self, Self::Ls | Self::Indented) && meta.kind() == Kind::Symlink;
        let target = if shows_target { directory.read_link(name).ok() } else { None };
        self.write(out, name, &meta, target.as_deref());
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>, name: &[u8], meta: &Meta, target: Option<&[u8]>) {
        match self {
            Self::Ls => ls::write_line(out, name, meta, target, now()),
            Self::Indented => {
                out.push(b' ');
                ls::write_line(out, name, meta, target, now());
            }
            Self::Names { prefix } => write_name(out, prefix, name),
            Self::Facts { set, access } => {
                set.write(out, meta, *access);
                write_name(out, b" ", name);
            }
        }
    }
}

/// Returns the time that decides whether a line shows the minute or the year.
#[expect(clippy::disallowed_methods, reason = "a server is the rim: it lists what is there as it is asked")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Returns whether a name can be listed. One with a line end would forge lines; no command could name it anyway.
fn fits_a_line(name: &[u8]) -> bool {
    !name.iter().any(|b| b"\r\n".contains(b))
}

fn write_name(out: &mut Vec<u8>, before: &[u8], name: &[u8]) {
    out.extend_from_slice(before);
    out.extend_from_slice(name);
    out.extend_from_slice(b"\r\n");
}

/// Cuts `-a`, `-la` and the like off: everything is always listed. A name that begins with `-` is reached as `./-name`.
fn without_flags(mut argument: &[u8]) -> &[u8] {
    while argument.first() == Some(&b'-') {
        let end = argument.iter().position(|&b| b == b' ').unwrap_or(argument.len());
        argument = argument[end..].strip_prefix(b" ").unwrap_or_default();
    }
    argument
}

const PIECE_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_cut_off() {
        for (argument, path) in [
            ("", ""),
            ("-a", ""),
            ("-la dir", "dir"),
            ("-l -a a b", "a b"),
            ("a -l", "a -l"),
            ("./-a", "./-a"),
            (" -a", " -a"),
        ] {
            assert_eq!(without_flags(argument.as_bytes()), path.as_bytes(), "{argument}");
        }
    }
}
