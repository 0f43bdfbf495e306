//! From an uploaded temporary file to the final one: size checked, time and bits set, renamed.
//!
//! Some servers take the time they are given for their local one (vsftpd sets by its own zone what it tells in UTC), so a
//! time that was set is read back, and what it is off by is made up for, for this file and all that follow.

use chrono::{DateTime, TimeDelta, Utc};

use crate::ftp::client::{TimeSetter, command, read_time};
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::{FtpError, is_unsupported};
use crate::ftp::reply::Reply;
use crate::store::ftp::session::FtpSession;
use crate::store::ftp::transfer::size_or_none;
use crate::store::{WriteRequest, Written};

/// What is known of the times this server sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClockCheck {
    /// How much later a time comes out than it was sent.
    shift: TimeDelta,
    /// A time was read back and was right.
    verified: bool,
}

/// No zone is further from UTC than this, and all are off by whole quarters of an hour.
const FURTHEST_ZONE: TimeDelta = TimeDelta::hours(15);
const ZONE_STEP_SECONDS: i64 = 15 * 60;

/// Publishes a temporary file of which `bytes` were sent.
pub(super) fn publish(
    session: &mut FtpSession,
    request: &WriteRequest,
    bytes: u64,
) -> Result<Written, FtpError> {
    let temporary = session.full(&request.temporary);
    let mut commands = Vec::with_capacity(4);
    if session.client.features().may(Verb::Size) {
        commands.push(command(Verb::Size, temporary.as_slice())?);
    }
    let wish =
        request.mtime.and_then(|mtime| Some(Wish { setter: session.time_setter()?, at: whole(mtime.at) }));
    if let Some(wish) = wish {
        commands.extend(wish.commands(session, &temporary)?);
    }
    if let Some(mode) = request.mode
        && session.client.features().may(Verb::Site)
    {
        let chmod = format!("CHMOD {:o} ", mode & 0o777);
        commands.push(command(Verb::Site, [chmod.as_bytes(), &temporary].concat())?);
    }
    let mut answers = session.client.call_all(&commands).into_iter();
    let mut heard = Vec::with_capacity(2);
    for command in &commands {
        let reply = answers.next().expect("an answer for each command")?;
        match command.verb() {
            Verb::Size => {
                if let Some(stored) = size_or_none(session, reply)?
                    && stored != bytes
                {
                    return Err(FtpError::Size { expected: bytes, got: stored });
                }
            }
            // Neither time nor bits are worth failing a file that is whole.
            verb => {
                if is_unsupported(&reply) {
                    session.client.refuse(verb);
                }
                if !command.argument().starts_with(b"CHMOD") {
                    heard.push(reply);
                }
            }
        }
    }
    let time_set = match wish {
        Some(wish) => wish.came_true(session, &temporary, heard)?,
        None => false,
    };
    session.client.rename(&temporary, &session.full(&request.path))?;
    Ok(Written { bytes, time_set })
}

/// The time a file is to have, and how the server is told.
#[derive(Clone, Copy)]
struct Wish {
    setter: TimeSetter,
    at: DateTime<Utc>,
}

impl Wish {
    /// Returns the command that sets the time, and the one that reads it back where that isn't known to be right.
    fn commands(self, session: &FtpSession, path: &[u8]) -> Result<Vec<Command>, FtpError> {
        let check = session.clock_check();
        let mut commands = vec![self.setter.command(path, self.at - check.shift)?];
        // What MDTM sets was seen to depend on the time of year, so each of its times is looked at.
        let doubtful = !check.verified || self.setter == TimeSetter::Mdtm;
        if doubtful && session.client.features().may(Verb::Mdtm) {
            commands.push(command(Verb::Mdtm, path)?);
        }
        Ok(commands)
    }

    /// Returns whether the file has its time by these replies, setting it once more where it is off by a zone.
    fn came_true(self, session: &mut FtpSession, path: &[u8], heard: Vec<Reply>) -> Result<bool, FtpError> {
        let mut heard = heard.into_iter();
        if !heard.next().is_some_and(|reply| reply.is_ok()) {
            return Ok(false);
        }
        let Some(Ok(read)) = heard.next().map(read_time) else { return Ok(true) };
        let off = whole(read.at) - self.at;
        let check = session.clock_check();
        if off.is_zero() {
            session.learn_clock(ClockCheck { verified: true, ..check });
            return Ok(true);
        }
        if off.abs() > FURTHEST_ZONE || off.num_seconds() % ZONE_STEP_SECONDS != 0 {
            return Ok(false);
        }
        let shifted = ClockCheck { shift: check.shift + off, verified: true };
        let again = [self.setter.command(path, self.at - shifted.shift)?, command(Verb::Mdtm, path)?];
        let mut right = false;
        for reply in session.client.call_all(&again) {
            right = read_time(reply?).is_ok_and(|read| whole(read.at) == self.at);
        }
        if right {
            session.learn_clock(shifted);
        }
        Ok(right)
    }
}

/// Servers keep whole seconds.
fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
