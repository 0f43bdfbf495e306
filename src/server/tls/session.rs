//! From the options to what each control session shakes hands with.

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{ServerConfig, ServerSessionMemoryCache};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};

use crate::server::tls::guard::Guard;
use crate::server::tls::{TlsOptions, TlsVersions};

/// What all control sessions have in common.
pub(in crate::server) struct SharedTls {
    base: ServerConfig,
    require_reuse: bool,
}

impl SharedTls {
    pub(in crate::server) fn new(options: &TlsOptions) -> Self {
        let versions = match options.versions {
            TlsVersions::Both => &[&TLS13, &TLS12][..],
            TlsVersions::Tls12 => &[&TLS12],
            TlsVersions::Tls13 => &[&TLS13],
        };
        let base = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("the provider has cipher suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(options.identity.certified_key())));
        Self { base, require_reuse: options.require_reuse }
    }

    /// Returns what one control session and its data connections use, and no other.
    pub(in crate::server) fn for_session(&self) -> io::Result<SessionTls> {
        let mut config = self.base.clone();
        config.session_storage = ServerSessionMemoryCache::new(REMEMBERED_SESSIONS);
        // Unlike a stored session, a ticket can be used again, which many clients do with that of the control connection.
        config.ticketer = Ticketer::new().map_err(io::Error::other)?;
        let mut upload = config.clone();
        // Nobody reads on a connection that only sends, and closing it with a ticket unread resets it, which takes the end
        // of the file away.
        upload.send_tls13_tickets = 0;
        Ok(SessionTls {
            config: Arc::new(config),
            upload: Arc::new(upload),
            require_reuse: self.require_reuse,
        })
    }
}

impl Debug for SharedTls {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SharedTls")
    }
}

/// What one control session shakes hands with.
#[derive(Debug)]
pub(in crate::server) struct SessionTls {
    config: Arc<ServerConfig>,
    upload: Arc<ServerConfig>,
    require_reuse: bool,
}

/// What one connection shakes hands with.
#[derive(Debug)]
pub(in crate::server) struct Terms {
    pub(super) config: Arc<ServerConfig>,
    pub(super) guard: Option<Arc<Guard>>,
}

/// Where the content of a data connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Direction {
    ToClient,
    FromClient,
}

impl SessionTls {
    /// Returns what the control connection uses.
    pub(in crate::server) fn control(&self) -> Terms {
        Terms { config: Arc::clone(&self.config), guard: None }
    }

    /// Returns what a data connection uses.
    pub(in crate::server) fn data(&self, direction: Direction) -> Terms {
        let config = match direction {
            Direction::ToClient => &self.config,
            Direction::FromClient => &self.upload,
        };
        if !self.require_reuse {
            return Terms { config: Arc::clone(config), guard: None };
        }
        let mut config = ServerConfig::clone(config);
        let guard = Arc::new(Guard::new(&config));
        config.ticketer = Arc::<Guard>::clone(&guard);
        config.session_storage = Arc::<Guard>::clone(&guard);
        Terms { config: Arc::new(config), guard: Some(guard) }
    }
}

/// For clients without tickets; each full handshake makes one.
const REMEMBERED_SESSIONS: usize = 32;
