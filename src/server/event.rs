//! What a server tells the one who runs it: the program makes log lines of it, tests count it.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use crate::ftp::command::{Command, Verb};
use crate::model::RelPath;

/// Is told what happens, on the session's own thread: whoever takes long here makes the client wait.
pub trait ServerObserver: Debug + Send + Sync {
    /// Takes one event of the session with `peer`.
    fn event(&self, peer: SocketAddr, event: &ServerEvent<'_>);
}

/// Something that happened in a control session.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ServerEvent<'a> {
    /// A client connected.
    Connected,
    /// A client was answered 421, since there are too many sessions.
    TurnedAway,
    /// A client was answered 421, since too many logins from its address failed.
    ShutOut,
    /// The control connection didn't get to TLS.
    TlsFailed {
        /// What was wrong.
        why: &'a str,
    },
    /// A user logged in.
    LoggedIn {
        /// The name as it was given, in no certain encoding.
        user: &'a [u8],
    },
    /// A wrong user or password.
    LoginFailed {
        /// The name as it was given, in no certain encoding.
        user: &'a [u8],
    },
    /// A command, before it is obeyed. Its `Display` strikes out secrets.
    Command(&'a Command),
    /// A file or listing went over a data connection, or should have.
    Transferred(&'a Transferred<'a>),
    /// The tree was changed by anything but a transfer.
    Changed {
        /// By which command.
        verb: Verb,
        /// What was changed.
        path: &'a RelPath,
        /// Its new path when it was renamed.
        to: Option<&'a RelPath>,
    },
    /// The session is over.
    Closed,
}

/// A transfer that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Transferred<'a> {
    /// By which command.
    pub verb: Verb,
    /// The file or directory.
    pub path: &'a RelPath,
    /// Bytes that went over the data connection.
    pub bytes: u64,
    /// From the command to the final reply.
    pub took: Duration,
    /// How it ended.
    pub end: TransferEnd,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEnd {
    /// Answered 226.
    Complete,
    /// The client sent ABOR.
    Aborted,
    /// No data connection, a broken one, or a failing disk.
    Failed,
}
