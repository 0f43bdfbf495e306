//! Permission bits, by `SITE CHMOD`: no RFC has it, and most servers on Unix do.

use crate::ftp::client::command;
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::store::ftp::session::FtpSession;
use crate::store::{Permitting, StoreResult};

/// Gives each file its bits, in windows.
pub(super) fn set_modes(session: &mut FtpSession, files: &[Permitting]) -> Vec<StoreResult<()>> {
    session.leave_ahead();
    let commands: Vec<Result<Command, FtpError>> =
        files.iter().map(|file| chmod(&session.full(&file.path), u32::from(file.mode))).collect();
    let sendable: Vec<Command> = commands.iter().filter_map(|c| c.as_ref().ok()).cloned().collect();
    let mut answers = session.client.call_all(&sendable).into_iter();
    let mut results = Vec::with_capacity(files.len());
    for (file, command) in files.iter().zip(commands) {
        let answer = command.and_then(|_| answers.next().expect("an answer for each command sent"));
        let answer = answer.and_then(|reply| match reply.is_ok() {
            true => Ok(()),
            false => Err(FtpError::refused(Verb::Site, reply)),
        });
        results.push(answer.map_err(|e| session.fail("change the permissions of", &file.path, e)));
    }
    results
}

/// Returns the command that gives the file at an absolute path its bits. Those that let a program run as somebody else are left out, whoever
/// wants them.
pub(super) fn chmod(path: &[u8], mode: u32) -> Result<Command, FtpError> {
    let bits = format!("CHMOD {:o} ", mode & 0o777);
    command(Verb::Site, [bits.as_bytes(), path].concat())
}
