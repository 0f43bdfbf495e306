//! Several commands in flight at once.
//!
//! A round trip is the dearest thing in FTP, so commands that don't depend on each other are sent together and answered in
//! order. The window keeps both sides from blocking on full buffers: what is unanswered stays well below what a
//! server reads ahead. A window of one command is the careful form that every server understands.
//!
//! Replies are matched by their order alone, so one too many makes each later one answer the wrong command. It shows by
//! what is left over at the end, and then none of the replies is believed.

use crate::ftp::command::Command;
use crate::ftp::control::Control;
use crate::ftp::error::FtpError;
use crate::ftp::reply::{Reply, ReplyError};

/// How much may be unanswered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Commands, at least 1.
    pub commands: usize,
    /// Bytes of their lines; a single longer command goes alone.
    pub bytes: usize,
}

impl Window {
    /// Returns a window of `commands` and 4 KiB, the least that a server's input buffer holds.
    pub fn of(commands: usize) -> Self {
        Self { commands: commands.max(1), bytes: 4 << 10 }
    }
}

/// Sends all commands and returns the final reply to each, in order. Once the session is lost, every command not yet
/// answered gets an error; those that were sent may have been carried out.
pub fn exchange(control: &mut Control, commands: &[Command], window: Window) -> Vec<Result<Reply, FtpError>> {
    let mut results = Vec::with_capacity(commands.len());
    let mut sent = 0;
    let mut in_flight_bytes = 0;
    let mut kept = 0;
    while results.len() < commands.len() {
        while sent < commands.len() && control.is_usable() {
            let in_flight = sent - results.len();
            let bytes = line_bytes(&commands[sent]);
            if in_flight > 0 && (in_flight >= window.commands || in_flight_bytes + bytes > window.bytes) {
                break;
            }
            if let Err(e) = control.send(&commands[sent]) {
                results.push(Err(e));
                break;
            }
            sent += 1;
            in_flight_bytes += bytes;
        }
        if !control.is_usable() {
            results.resize_with(commands.len(), || Err(FtpError::Closed));
            break;
        }
        let answered = results.len();
        let reply = control.final_reply();
        kept += reply.as_ref().map_or(0, Reply::memory);
        if kept > MOST_BYTES {
            control.give_up();
            results.push(Err(ReplyError::ReplyTooLong(MOST_BYTES).into()));
            continue;
        }
        results.push(reply);
        in_flight_bytes -= line_bytes(&commands[answered]);
    }
    if commands.len() > 1
        && window.commands > 1
        && control.is_usable()
        && let Err(FtpError::Protocol(text)) = control.settle()
    {
        results.fill_with(|| Err(FtpError::Protocol(text.clone())));
    }
    results
}

/// How much memory the replies may take that are handed out together: each may be a listing.
const MOST_BYTES: usize = 256 << 20;

fn line_bytes(command: &Command) -> usize {
    command.verb().as_str().len() + command.argument().len() + 3
}
