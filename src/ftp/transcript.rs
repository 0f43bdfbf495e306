//! Who listens to a session: every command and reply as it goes, secrets struck out.

use std::fmt::Display;

use crate::ftp::reply::Reply;

/// Which way a line went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
    /// Neither: what the client itself did or found out, such as opening a control connection.
    Noted,
    /// Neither: what it did about a data connection.
    Data,
}

/// Takes the lines of all sessions. Called from several threads.
pub trait Transcript: Send + Sync {
    /// Takes one line, without secrets and escaped for a terminal. `session` numbers the control sessions of a run.
    fn line(&self, session: u32, direction: Direction, text: &dyn Display);

    /// Takes one reply, without secrets, with its lines as they came. Unless somebody wants those, it is a line like any other.
    fn reply(&self, session: u32, reply: &Reply) {
        self.line(session, Direction::Received, reply);
    }
}
