//! What a server may be told.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Secret;
use crate::server::{Faults, ServeError, ServerObserver, TlsOptions};

/// What to serve, where, and to whom. [`ServeOptions::new`] fills in everything but the directory.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The directory that clients see as `/`. A symbolic link here is followed, once, at the start; links below never are.
    pub root: PathBuf,
    /// Where to listen; port 0 takes a free one. Default: `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Who may log in. Default: anonymous.
    pub login: Login,
    /// What may be done. Default: only reading.
    pub access: Access,
    /// The ports for passive data connections; `None` leaves the choice to the system. Default: `None`.
    pub passive_ports: Option<RangeInclusive<u16>>,
    /// How long a control session may send nothing between transfers. Default: 5 minutes.
    pub idle_timeout: Duration,
    /// How long to wait for a data connection, and how long one may stand still. Default: 1 minute.
    pub data_timeout: Duration,
    /// How many control sessions at once; the next one is answered 421. Default: 64.
    pub max_connections: usize,
    /// How long a client may take to log in, from its connection on, TLS included. Default: 1 minute.
    pub login_timeout: Duration,
    /// The pause after the first failed login of an address; twice that after the second, and so on. Default: 1 second.
    pub login_pause: Duration,
    /// How many logins of one address may fail; then nobody there may log in (421) for `lockout`. A right one strikes them out.
    /// A control connection ends at the third. Default: 10.
    pub max_failed_logins: u32,
    /// How long after its last failed login an address has none any more. Default: 10 minutes.
    pub lockout: Duration,
    /// Whether RNTO may take the name of a file that is there. Servers on Windows refuse that. Default: yes.
    pub renames_onto_files: bool,
    /// TLS; `None` is an FTP server that has none. Default: `None`.
    pub tls: Option<TlsOptions>,
    /// Is told what happens. Default: nobody.
    pub observer: Option<Arc<dyn ServerObserver>>,
    /// What goes wrong on purpose, for tests of clients. Default: nothing.
    pub faults: Option<Arc<Faults>>,
}

impl ServeOptions {
    /// Returns options to serve `root` on a free port of 127.0.0.1, to anonymous, for reading.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            login: Login::Anonymous,
            access: Access::Read,
            passive_ports: None,
            idle_timeout: Duration::from_secs(300),
            data_timeout: Duration::from_secs(60),
            max_connections: 64,
            login_timeout: Duration::from_secs(60),
            login_pause: Duration::from_secs(1),
            max_failed_logins: 10,
            lockout: Duration::from_secs(600),
            renames_onto_files: true,
            tls: None,
            observer: None,
            faults: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), ServeError> {
        if let Some(ports) = &self.passive_ports
            && (ports.is_empty() || *ports.start() == 0)
        {
            return Err(ServeError::PassivePorts { low: *ports.start(), high: *ports.end() });
        }
        if let Login::User { name, password } = &self.login {
            for text in [name.as_str(), password.reveal()] {
                if text.is_empty() || text.bytes().any(|b| b < 0x20) {
                    return Err(ServeError::Login);
                }
            }
        }
        Ok(())
    }
}

/// Who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// `anonymous` or `ftp` with any password, and nobody else.
    Anonymous,
    /// One user, and not anonymous.
    User {
        /// The user's name.
        name: String,
        /// The user's password.
        password: Secret,
    },
}

/// What clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// List and fetch.
    Read,
    /// Change everything below the root, too.
    Write,
}
