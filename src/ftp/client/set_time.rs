//! The ways servers have to set a file's modification time.

use chrono::{DateTime, Utc};

use crate::ftp::client::command;
use crate::ftp::command::{Command, Verb};
use crate::ftp::error::FtpError;
use crate::ftp::features::Features;
use crate::ftp::quirks::Quirks;
use crate::ftp::timestamp;

/// The ways to set a file's modification time, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSetter {
    /// `MFMT time path` (draft-somers-ftp-mfxx §3).
    Mfmt,
    /// `MFF modify=time; path` (draft-somers-ftp-mfxx §5).
    Mff,
    /// `MDTM time path`, which asks for the time on servers that don't have it.
    Mdtm,
    /// `SITE UTIME time path` (Pure-FTPd, ProFTPD with mod_site_misc).
    SiteUtime,
}

impl TimeSetter {
    /// Returns the way this server has; `None` when it has none.
    pub fn choose(features: &Features, quirks: Quirks) -> Option<Self> {
        let all = [
            (Self::Mfmt, features.lists("MFMT")),
            (Self::Mff, features.lists("MFF")),
            (Self::Mdtm, quirks.mdtm_sets && features.may(Verb::Mdtm)),
            (Self::SiteUtime, features.lists("UTIME")),
            // A server that lists nothing may have it all the same; its 500 settles it.
            (Self::Mfmt, features.is_silent() && features.may(Verb::Mfmt)),
        ];
        all.into_iter().find(|(_, there)| *there).map(|(setter, _)| setter)
    }

    /// Returns the verb that is refused when the server doesn't have this way.
    pub fn verb(self) -> Verb {
        match self {
            Self::Mfmt => Verb::Mfmt,
            Self::Mff => Verb::Mff,
            Self::Mdtm => Verb::Mdtm,
            Self::SiteUtime => Verb::Site,
        }
    }

    /// Returns the command that sets the time of `path`.
    ///
    /// # Errors
    /// [`FtpError::Argument`] when the path can't be sent.
    pub fn command(self, path: &[u8], at: DateTime<Utc>) -> Result<Command, FtpError> {
        let time = timestamp::format(at);
        let prefix = match self {
            Self::Mfmt | Self::Mdtm => format!("{time} "),
            Self::Mff => format!("modify={time}; "),
            Self::SiteUtime => format!("UTIME {time} "),
        };
        command(self.verb(), [prefix.as_bytes(), path].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_set_in_the_servers_own_way() {
        let at = "2026-11-21T10:02:37Z".parse().unwrap();
        for (setter, line) in [
            (TimeSetter::Mfmt, "MFMT 20261121100237 /a b"),
            (TimeSetter::Mff, "MFF modify=20261121100237; /a b"),
            (TimeSetter::Mdtm, "MDTM 20261121100237 /a b"),
            (TimeSetter::SiteUtime, "SITE UTIME 20261121100237 /a b"),
        ] {
            assert_eq!(setter.command(b"/a b", at).unwrap().to_string(), line);
        }
    }
}
