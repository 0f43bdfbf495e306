//! What is known of certain servers beyond what they say themselves.
//!
//! A row says how to know the server and what to do otherwise than with an unknown one. Every value was measured on the
//! version named. The first row that fits counts; the last fits every server.

use crate::ftp::reply::Reply;

/// How one server differs.
#[derive(Clone, Copy, Debug)]
pub struct Quirks {
    /// Name and version the row was measured on.
    pub server: &'static str,
    /// Words in the greeting, the reply to SYST or FEAT, any of which gives the server away; lower case.
    pub signs: &'static [&'static str],
    /// Words in its replies to FEAT or a bare STAT that confirm a row which only a greeting spoke for; lower case.
    pub confirmed_by: &'static [&'static str],
    /// Whether a server without a row of its own may be asked how it takes several commands at once.
    pub probe: bool,
    /// Commands that are in flight at once, at most; 1 means one at a time, transfers included.
    pub window: usize,
    /// Whether STOR may be sent before its data connection is made. Twisted ends such a one with 426.
    pub early_upload: bool,
    /// Whether the commands for the next download may be sent at the end of the data, before the closing reply came.
    pub next_at_end: bool,
    /// Whether a download in active mode may be asked for while the one before it runs, `PORT · RETR · PORT · RETR`.
    pub pairs_ahead: bool,
    /// The same where data connections are protected. ProFTPD answers with 450 then.
    pub pairs_under_tls: bool,
    /// Whether commands may be sent behind a running upload. ProFTPD answers them with 450, Pure-FTPd swallows them,
    /// pyftpdlib obeys at once and renames a half file.
    pub behind_upload: bool,
    /// Whether `CWD dir` and `STAT -a .` list a directory whole, with lines for `.` and `..`.
    pub stat_lists: bool,
    /// Whether `MDTM YYYYMMDDHHMMSS path` sets the time, where there is no MFMT.
    pub mdtm_sets: bool,
    /// Numbers of entries at which listings are cut without an error.
    pub listing_caps: &'static [usize],
    /// Whether 0xFF in a name may be sent doubled.
    pub undoubles_iac: bool,
}

/// Listing lengths at which servers of unknown make are known to cut.
const COMMON_CAPS: &[usize] = &[1_000, 2_000, 9_998, 10_000];

/// A server that nothing is known of.
const UNKNOWN: Quirks = Quirks {
    server: "unknown",
    signs: &[""],
    confirmed_by: &[],
    // libunftp answers a burst of unlike commands out of order.
    probe: true,
    window: 1,
    early_upload: false,
    next_at_end: false,
    pairs_ahead: false,
    pairs_under_tls: false,
    behind_upload: false,
    stat_lists: false,
    mdtm_sets: false,
    listing_caps: COMMON_CAPS,
    undoubles_iac: false,
};

/// One row a server.
pub const QUIRKS: &[Quirks] = &[
    Quirks {
        server: "vsftpd 3.0.3",
        signs: &["(vsftpd"],
        confirmed_by: &["- secure, fast, stable"],
        probe: false,
        window: 32,
        early_upload: true,
        next_at_end: true,
        pairs_ahead: true,
        pairs_under_tls: true,
        behind_upload: true,
        stat_lists: true,
        mdtm_sets: true,
        listing_caps: &[],
        undoubles_iac: false,
    },
    Quirks {
        server: "ProFTPD 1.3.8",
        signs: &["proftpd"],
        confirmed_by: &["mff modify;unix.group;unix.mode"],
        probe: false,
        window: 32,
        early_upload: true,
        next_at_end: true,
        pairs_ahead: true,
        pairs_under_tls: false,
        behind_upload: false,
        stat_lists: true,
        mdtm_sets: false,
        listing_caps: &[],
        undoubles_iac: true,
    },
    Quirks {
        server: "Pure-FTPd 1.0.50",
        signs: &["pure-ftpd"],
        confirmed_by: &[],
        probe: false,
        window: 32,
        early_upload: true,
        next_at_end: false,
        pairs_ahead: false,
        pairs_under_tls: false,
        behind_upload: false,
        stat_lists: false,
        mdtm_sets: false,
        // `LimitRecursion`'s default; the closing reply says "truncated" then, but not in every version.
        listing_caps: &[9_998, 10_000],
        undoubles_iac: false,
    },
    Quirks {
        server: "pyftpdlib 2.2.0",
        signs: &["pyftpdlib"],
        confirmed_by: &[],
        probe: false,
        window: 32,
        early_upload: true,
        next_at_end: true,
        pairs_ahead: false,
        pairs_under_tls: false,
        behind_upload: false,
        stat_lists: false,
        mdtm_sets: false,
        listing_caps: &[],
        undoubles_iac: false,
    },
    Quirks {
        server: "oneway serve",
        signs: &["oneway"],
        confirmed_by: &[],
        probe: false,
        window: 32,
        early_upload: true,
        next_at_end: true,
        pairs_ahead: true,
        pairs_under_tls: false,
        behind_upload: true,
        stat_lists: false,
        mdtm_sets: false,
        listing_caps: &[],
        undoubles_iac: false,
    },
    Quirks {
        server: "one command at a time",
        // Said to lose commands by the clients that gave up sending them several at once.
        signs: &["microsoft ftp service", "madgoat", "mikrotik"],
        confirmed_by: &[],
        probe: false,
        ..UNKNOWN
    },
    UNKNOWN,
];

impl Quirks {
    /// Returns what is left of it for a server that fails when it gets several commands at once.
    #[must_use]
    pub fn careful(self) -> Self {
        Self {
            probe: false,
            window: 1,
            early_upload: false,
            next_at_end: false,
            pairs_ahead: false,
            pairs_under_tls: false,
            behind_upload: false,
            stat_lists: false,
            ..self
        }
    }

    /// Returns what may be done while data connections are protected.
    #[must_use]
    pub(crate) fn with_protected_data(self) -> Self {
        Self { pairs_ahead: self.pairs_under_tls, ..self }
    }

    /// Returns what may be done with a server that was seen to refuse what it's told during a transfer.
    #[must_use]
    pub(crate) fn after_transfers(self) -> Self {
        Self { next_at_end: false, pairs_ahead: false, behind_upload: false, ..self }
    }

    /// Returns whether one of these replies confirms the row.
    pub(crate) fn is_confirmed_by(&self, said: &[&Reply]) -> bool {
        let text = text_of(said);
        self.confirmed_by.iter().any(|sign| text.contains(sign))
    }

    /// Returns whether nothing is done with the server that another might not take.
    pub(crate) fn is_careful(&self) -> bool {
        !self.probe && self.window == 1
    }

    /// Returns what may be done with a server that took a burst of commands and answered it in order. Nothing more follows from
    /// that: what comes during a transfer may still be lost.
    #[must_use]
    pub fn probed(self) -> Self {
        Self { server: "unknown, takes several commands at once", probe: false, window: 32, ..self }
    }
}

/// Returns the row for a server that said these replies.
pub fn find(said: &[&Reply]) -> &'static Quirks {
    let text = text_of(said);
    QUIRKS
        .iter()
        .find(|row| row.signs.iter().any(|sign| text.contains(sign)))
        .expect("the sign of the last row is in every text")
}

fn text_of(said: &[&Reply]) -> String {
    said.iter().map(|reply| format!("{reply:?}\n").to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_what_they_say() {
        for (greeting, server) in [
            ("(vsFTPd 3.0.3)", "vsftpd 3.0.3"),
            ("ProFTPD Server (Debian) [127.0.0.1]", "ProFTPD 1.3.8"),
            ("---------- Welcome to Pure-FTPd [privsep] [TLS] ----------", "Pure-FTPd 1.0.50"),
            ("pyftpdlib 2.2.0 ready.", "pyftpdlib 2.2.0"),
            ("Microsoft FTP Service", "one command at a time"),
            ("Service ready", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(find(&[&Reply::new(220, greeting)]).server, server, "{greeting}");
        }
    }
}
