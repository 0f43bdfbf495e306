//! TLS: explicit by AUTH (RFC 4217) and implicit on a port of its own.
//!
//! Each control session has a session store and ticket keys of its own, so a data connection that resumes can only have
//! resumed the session of its control connection; that is what `require_reuse` asks for, as vsftpd, ProFTPD and FileZilla
//! Server do.

mod guard;
mod identity;
mod layer;
mod session;

use std::net::SocketAddr;

pub use identity::{Identity, IdentityError};
pub(super) use layer::Layer;
pub(super) use session::{Direction, SessionTls, SharedTls, Terms};

/// How a server speaks TLS. [`TlsOptions::new`] fills in everything but the certificate.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// The certificate and its key.
    pub identity: Identity,
    /// Refuse logins before AUTH TLS (530) and data connections before PROT P (522). Default: no.
    pub required: bool,
    /// Where to listen as well, for clients that begin with TLS at once (implicit TLS, by custom on port 990); port 0 takes a
    /// free one. Default: nowhere.
    pub listen_implicit: Option<SocketAddr>,
    /// Refuse data connections (522) that don't resume the TLS session of their control connection, which shows that both
    /// have the same client. Default: no, since many clients can't.
    pub require_reuse: bool,
    /// The versions of TLS. Default: both.
    pub versions: TlsVersions,
}

impl TlsOptions {
    /// Returns options to offer TLS of both versions with this certificate, on the one port, and to demand nothing.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            required: false,
            listen_implicit: None,
            require_reuse: false,
            versions: TlsVersions::default(),
        }
    }
}

/// Versions of TLS. There are no older ones here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// TLS 1.2 and TLS 1.3.
    #[default]
    Both,
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}
