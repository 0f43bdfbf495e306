//! What can go wrong in a session, and which remedy each failure calls for.
//!
//! The remedy follows from the first digit of a reply and, where servers give a code several meanings, from the table
//! below. The text of a reply never proves that something is missing; it only tells "too many connections" from a
//! wrong password, since servers use the same codes for both.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::ftp::command::{CommandError, Verb};
use crate::ftp::reply::{Class, Reply, ReplyError};
use crate::ftp::tls::Distrust;
use crate::model::{Escaped, Remedy};

/// Which clock ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Waiting for a connection to be made.
    Connect,
    /// Waiting for a reply.
    Reply,
    /// Waiting for bytes to move on a data connection.
    Data,
}

impl Clock {
    fn waited_for(self) -> &'static str {
        match self {
            Self::Connect => "no connection was made",
            Self::Reply => "the server did not answer",
            Self::Data => "no data moved",
        }
    }
}

/// A failure of a control session or a transfer.
#[derive(Debug, Error)]
pub enum FtpError {
    /// The host's name has no address.
    #[error("the name {host} was not found")]
    Resolve {
        /// The host as it was given.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No TCP connection to the control port.
    #[error("no connection to {host} port {port}")]
    Connect {
        /// The host as it was given.
        host: String,
        /// The control port.
        port: u16,
        /// What the last address tried said.
        #[source]
        source: io::Error,
    },
    /// No data connection.
    #[error("no data connection by {how}")]
    DataConnect {
        /// The way it was tried, for people.
        how: String,
        /// What the network said.
        #[source]
        source: io::Error,
    },
    /// Something took longer than it may.
    #[error("{} within {after:?}", clock.waited_for())]
    Timeout {
        /// Which clock ran out.
        clock: Clock,
        /// How long it ran.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection was lost")]
    Lost(#[source] io::Error),
    /// The server closed the connection without a word.
    #[error("the server closed the connection")]
    Closed,
    /// The other end's certificate is not believed.
    #[error("the certificate of the server is not trusted: {0}")]
    Untrusted(Distrust),
    /// The server can't protect the connection, which was required.
    #[error("TLS is required, and {verb} was answered `{reply}`")]
    Unprotected {
        /// The command.
        verb: Verb,
        /// What the server said.
        reply: Box<Reply>,
    },
    /// Something came in clear text behind the last word before TLS: it would count as said under its protection.
    #[error("the server, or somebody before it, sent data before TLS")]
    Injected,
    /// A data connection with another certificate than the control connection's.
    #[error("the data connection leads to somebody else: its certificate is not the server's")]
    Foreign,
    /// A protected stream ended without TLS's word for it.
    #[error("the data connection was cut off before TLS ended it")]
    Cut,
    /// The data connection can't be protected.
    #[error("the data connection could not be protected")]
    DataTls(#[source] Box<Self>),
    /// TLS failed in another way.
    #[error("TLS failed")]
    Tls(#[source] rustls::Error),
    /// The server said no.
    #[error("{verb} was answered `{reply}`")]
    Refused {
        /// The command; `None` for the greeting.
        verb: Answered,
        /// What the server said.
        reply: Box<Reply>,
    },
    /// The server ended the session while nothing was asked of it.
    #[error("the server ended the session: `{0}`")]
    Ended(Box<Reply>),
    /// The server broke the form of replies.
    #[error(transparent)]
    BadReply(#[from] ReplyError),
    /// The server broke the protocol in another way.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// A path or name that can't be sent.
    #[error("`{}` cannot be sent: {why}", Escaped(argument))]
    Argument {
        /// What should have been sent.
        argument: Vec<u8>,
        /// Why it can't.
        why: CommandError,
    },
    /// The transfer ended with another size than it should have.
    #[error("{got} bytes arrived where {expected} were expected")]
    Size {
        /// Bytes that should have arrived.
        expected: u64,
        /// Bytes that did.
        got: u64,
    },
    /// More came than there should be, and its end was not waited for.
    #[error("the server sends more than the {expected} bytes that were expected")]
    Surplus {
        /// Bytes that should have arrived.
        expected: u64,
    },
    /// The server has no renaming, without which no file that was sent gets its name.
    #[error("{verb} was answered `{reply}`: this server can't rename; --inplace writes onto the final names")]
    CannotRename {
        /// The command.
        verb: Verb,
        /// What the server said.
        reply: Box<Reply>,
    },
    /// The old file stepped aside and neither the new one nor itself got its name.
    #[error(
        "{cause}; the old file is there as `{}`, and the next run gives it its name back",
        Escaped(aside)
    )]
    Aside {
        /// The name it has now.
        aside: Vec<u8>,
        /// Why the new one didn't get the name.
        cause: Box<Self>,
    },
    /// Somebody asked to stop.
    #[error("stopped")]
    Cancelled,
}

/// What a reply answered: a command, or nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The greeting.
    Greeting,
    /// A command.
    Command(Verb),
}

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Greeting => f.write_str("the connection"),
            Self::Command(verb) => std::fmt::Display::fmt(verb, f),
        }
    }
}

impl FtpError {
    /// Returns the error for a reply to `verb` that is not the one hoped for.
    pub fn refused(verb: Verb, reply: Reply) -> Self {
        Self::Refused { verb: Answered::Command(verb), reply: Box::new(reply) }
    }

    /// Returns the error of a connection that broke: by what TLS found, or else by what the network says.
    pub(crate) fn lost(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::tls(tls.clone()),
            None => Self::Lost(error),
        }
    }

    /// Returns the error for what TLS found.
    pub(crate) fn tls(error: rustls::Error) -> Self {
        if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = &error
            && let Some(distrust) = other.0.downcast_ref::<Distrust>()
        {
            return Self::Untrusted(distrust.clone());
        }
        Self::Tls(error)
    }

    /// Returns whether the other end wants another version of TLS. Some say so by "handshake failure".
    pub(crate) fn is_of_tls_version(&self) -> bool {
        use rustls::{AlertDescription, Error};
        let Self::Tls(error) = self else { return false };
        matches!(
            error,
            Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
                | Error::PeerIncompatible(_)
        )
    }

    /// Returns the reply a server refused with; `None` for failures that are no reply.
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Refused { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// Returns whether nothing was said on what was asked: the connection is gone, or the server is silent or closes the session.
    pub(crate) fn is_loss_of_reply(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Closed | Self::Timeout { clock: Clock::Reply, .. } => true,
            Self::Refused { reply, .. } => reply.code() == 421,
            _ => false,
        }
    }

    /// Returns whether it is a refusal of this command.
    pub fn is_refusal_of(&self, refused: Verb) -> bool {
        matches!(self, Self::Refused { verb: Answered::Command(verb), .. } if *verb == refused)
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Refused { verb, reply } => remedy_for(*verb, reply),
            Self::Resolve { .. } | Self::Connect { .. } | Self::Lost(_) | Self::Closed => Remedy::Reconnect,
            // Whatever the words of such a 421, they are about this session and no limit for the others.
            Self::Timeout { .. } | Self::BadReply(_) | Self::Protocol(_) | Self::Ended(_) => {
                Remedy::Reconnect
            }
            // A new session has TLS sessions of its own, and another try has another port.
            Self::Tls(_) | Self::DataTls(_) | Self::Foreign | Self::Cut => Remedy::Reconnect,
            Self::Untrusted(_) | Self::Unprotected { .. } | Self::Injected => Remedy::Abort,
            Self::DataConnect { .. } | Self::Size { .. } | Self::Surplus { .. } => Remedy::Retry,
            Self::Argument { .. } => Remedy::Skip,
            Self::Cancelled | Self::CannotRename { .. } => Remedy::Abort,
            Self::Aside { cause, .. } => cause.remedy(),
        }
    }

    /// Returns whether the session can go on after this failure.
    pub fn keeps_session(&self) -> bool {
        !matches!(self.remedy(), Remedy::Reconnect) && !matches!(self, Self::Cancelled)
    }
}

/// Returns whether a reply says that the server doesn't have the command or the option (as opposed to refusing this path),
/// so that it needn't be asked again in this session.
pub fn is_unsupported(reply: &Reply) -> bool {
    matches!(reply.code(), 500 | 502 | 504)
}

fn remedy_for(verb: Answered, reply: &Reply) -> Remedy {
    let logging_in = match verb {
        Answered::Greeting => true,
        Answered::Command(verb) => matches!(verb, Verb::User | Verb::Pass | Verb::Acct),
    };
    match reply.code() {
        421 | 425 | 530 if logging_in && is_crowded(reply) => Remedy::Shrink,
        // A greeting of 4xx or 5xx without a known text is most often a limit, too, but may be for good.
        421 | 120 => Remedy::Reconnect,
        530 if logging_in => Remedy::Abort,
        530 => Remedy::Reconnect,
        503 => Remedy::Reconnect,
        // Disk full and quota exceeded end all uploads, not this one.
        452 | 552 => Remedy::Abort,
        // Ports of transfers that are over come back after a minute (TIME_WAIT); ProFTPD 1.3.8 waits for that.
        425 if is_out_of_ports(reply) => Remedy::Wait,
        550 | 553 if is_passing(reply) => Remedy::Retry,
        _ if logging_in => Remedy::Abort,
        _ => match reply.class() {
            Class::Transient => Remedy::Retry,
            Class::Preliminary | Class::Intermediate | Class::Completion => Remedy::Reconnect,
            Class::Permanent => Remedy::Skip,
        },
    }
}

/// Returns whether the text speaks of too many users or connections. A 530 is also what a wrong password gets, often with the
/// advice to try again, so there only words count that can't be about one.
fn is_crowded(reply: &Reply) -> bool {
    const PLAIN: [&str; 6] =
        ["too many", "maximum", "limit", "overloaded", "simultaneous", "already connected"];
    const NOT_OF_PASSWORDS: [&str; 4] = ["connections", "already", "users", "try again"];
    contains_any(reply, &PLAIN) || (reply.code() != 530 && contains_any(reply, &NOT_OF_PASSWORDS))
}

/// Returns whether the text says that there is no port left, rather than that nobody connected to it.
fn is_out_of_ports(reply: &Reply) -> bool {
    const WORDS: [&str; 3] = ["in use", "no passive port", "no free port"];
    contains_any(reply, &WORDS)
}

/// Returns whether the text of a 5xx speaks of something that passes.
fn is_passing(reply: &Reply) -> bool {
    const WORDS: [&str; 4] = ["broken pipe", "too many", "timed out", "closed by the remote host"];
    // A link that leads to itself does so the next time, too.
    contains_any(reply, &WORDS) && !contains_any(reply, &["too many levels"])
}

fn contains_any(reply: &Reply, words: &[&str]) -> bool {
    reply.lines().iter().any(|line| {
        let line = line.to_ascii_lowercase();
        words.iter().any(|word| line.windows(word.len()).any(|part| part == word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_has_its_remedy() {
        use Remedy::*;
        let greeting = Answered::Greeting;
        let to = Answered::Command;
        for (verb, code, text, remedy) in [
            (greeting, 421, "There are too many connections from your internet address.", Shrink),
            (greeting, 421, "50 users (the maximum) are already logged in", Shrink),
            (greeting, 421, "Service not available", Reconnect),
            (greeting, 500, "OOPS: cannot locate user", Abort),
            (to(Verb::Pass), 530, "Login incorrect.", Abort),
            (to(Verb::Pass), 530, "Only anonymous users may log in.", Abort),
            (to(Verb::Pass), 421, "The server is busy, try again later.", Shrink),
            (
                to(Verb::Pass),
                530,
                "Sorry, the maximum number of clients (3) for this user are already connected.",
                Shrink,
            ),
            (to(Verb::Pass), 421, "Too many users", Shrink),
            (to(Verb::Pass), 530, "Login incorrect, please try again.", Abort),
            (to(Verb::Pass), 530, "Unknown user, or users must register", Abort),
            (to(Verb::Cwd), 421, "Timeout.", Reconnect),
            (to(Verb::Retr), 425, "Failed to establish connection.", Retry),
            (to(Verb::Epsv), 425, "EPSV: Address already in use", Wait),
            (to(Verb::Retr), 426, "Failure reading network stream.", Retry),
            (to(Verb::Retr), 450, "File busy", Retry),
            (to(Verb::Retr), 550, "Failed to open file.", Skip),
            (to(Verb::Retr), 550, "Broken pipe", Retry),
            (to(Verb::Size), 550, "loop: Too many levels of symbolic links", Skip),
            (to(Verb::Stor), 553, "Could not create file.", Skip),
            (to(Verb::Stor), 452, "Insufficient storage space", Abort),
            (to(Verb::Stor), 552, "Quota exceeded", Abort),
            (to(Verb::Rnto), 503, "RNFR required first.", Reconnect),
            (to(Verb::Size), 150, "what?", Reconnect),
        ] {
            let reply = Reply::new(code, text);
            assert_eq!(remedy_for(verb, &reply), remedy, "{verb} {reply}");
        }
    }
}
