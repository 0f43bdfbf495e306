//! TLS (RFC 4217): who is trusted, what a control session shares with its data connections, and the bytes in between.
//!
//! Each control session has a store of TLS sessions of its own, from which its data connections resume: ProFTPD, vsftpd and
//! FileZilla Server refuse a data connection that resumes anything else. TLS 1.2 is spoken first, since its sessions
//! can be resumed any number of times. A ticket of TLS 1.3 goes once, and after two uploads on ProFTPD 1.3.8 there is none left;
//! so 1.3 is for servers that want nothing else.

mod pin;
mod tickets;
mod trust;
mod wire;

pub use pin::Pin;
pub use trust::{Distrust, Trust};
pub(crate) use wire::Wire;

use std::fmt::{self, Debug, Formatter};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};
use thiserror::Error;

use crate::ftp::error::FtpError;
use tickets::Tickets;

/// When TLS begins, and what happens where it can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStart {
    /// Before the greeting, as on port 990 (`ftps://`).
    Implicit,
    /// By AUTH TLS (`ftpes://`). A server that refuses is left before a user name is sent.
    Required,
    /// By AUTH TLS where the server has it, else in clear text.
    Offered,
}

/// How the sessions of a host are protected.
#[derive(Clone)]
pub struct TlsOptions {
    /// When TLS begins.
    pub start: TlsStart,
    first: Arc<ClientConfig>,
    second: Arc<ClientConfig>,
}

impl Debug for TlsOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("start", &self.start).finish_non_exhaustive()
    }
}

/// Why TLS can't be spoken as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlsSetupError {
    /// No certificates, or none that can be read.
    #[error("{what} holds no certificate that can be read: {why}")]
    Certificates {
        /// The file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// No private key, or none that can be read.
    #[error("{what} holds no private key that can be read: {why}")]
    Key {
        /// The file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate and a key that don't belong together, and the like.
    #[error("the client certificate can't be used: {0}")]
    Client(String),
    /// Nobody is trusted here, so no server ever could be.
    #[error(
        "this machine trusts no certificate authority ({0}); install its certificates (ca-certificates), or say whom to trust"
    )]
    NoRoots(String),
}

/// What the client shows of itself.
#[derive(Debug)]
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// Reads a certificate, with those that vouch for it, and its key from the text of PEM files. `names` are the files' names,
    /// for errors.
    ///
    /// # Errors
    /// [`TlsSetupError::Certificates`] or [`TlsSetupError::Key`].
    pub fn parse(certificates: &[u8], key: &[u8], names: [&str; 2]) -> Result<Self, TlsSetupError> {
        let chain = read_certificates(certificates, names[0])?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|e| TlsSetupError::Key { what: names[1].to_owned(), why: e.to_string() })?;
        Ok(Self { chain, key })
    }
}

/// Reads the certificates of a PEM file, at least one.
fn read_certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let fail = |why: String| TlsSetupError::Certificates { what: what.to_owned(), why };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if read.is_empty() => Err(fail("no BEGIN CERTIFICATE in it".to_owned())),
        Ok(read) => Ok(read),
        Err(e) => Err(fail(e.to_string())),
    }
}

impl TlsOptions {
    /// Returns how to speak TLS with servers that `trust` accepts.
    ///
    /// # Errors
    /// [`TlsSetupError::NoRoots`], [`TlsSetupError::Certificates`] or [`TlsSetupError::Client`].
    pub fn new(
        start: TlsStart,
        trust: &Trust,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = trust.verifier(&provider)?;
        // One verifier for all: a session made under another would not be resumed.
        let build = |version| configure(&provider, version, &verifier, certificate);
        Ok(Self { start, first: build(&TLS12)?, second: build(&TLS13)? })
    }
}

fn configure(
    provider: &Arc<CryptoProvider>,
    version: &'static SupportedProtocolVersion,
    verifier: &Arc<trust::Verifier>,
    certificate: Option<&ClientCertificate>,
) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[version])
        .expect("the provider knows both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::<trust::Verifier>::clone(verifier));
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some(ClientCertificate { chain, key }) => builder
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|e| TlsSetupError::Client(e.to_string()))?,
    };
    Ok(Arc::new(config))
}

/// What a control session and its data connections have in common.
#[derive(Debug)]
pub(crate) struct TlsSession {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    tickets: Arc<Tickets>,
    /// The server's certificate on the control connection.
    leaf: Option<CertificateDer<'static>>,
}

impl TlsSession {
    /// Returns a fresh one for `host`. With `newer`, TLS 1.3 is spoken.
    ///
    /// # Errors
    /// [`FtpError::Protocol`] when the host's name can't be that of a certificate.
    pub(crate) fn new(options: &TlsOptions, host: &str, newer: bool) -> Result<Self, FtpError> {
        // A zone, as in `fe80::1%eth0`, is of this machine alone.
        let address: Option<IpAddr> = host.split('%').next().and_then(|host| host.parse().ok());
        let name = match address {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| FtpError::Protocol(format!("no certificate can be for the name {host}")))?,
        };
        let tickets = Arc::new(Tickets::default());
        let mut config = if newer { &*options.second } else { &*options.first }.clone();
        config.resumption = Resumption::store(Arc::<Tickets>::clone(&tickets));
        Ok(Self { config: Arc::new(config), name, tickets, leaf: None })
    }

    /// Returns the client's side of one connection.
    pub(crate) fn connection(&self) -> Result<ClientConnection, FtpError> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(FtpError::tls)
    }

    /// Remembers who is at the other end of the control connection.
    pub(crate) fn met(&mut self, wire: &Wire) {
        self.leaf = wire.leaf().cloned();
    }

    /// Returns the pin of the certificate at the other end of the control connection.
    pub(crate) fn pin(&self) -> Option<Pin> {
        self.leaf.as_ref().map(|leaf| Pin::of(leaf))
    }

    /// Returns whether this is who is at the other end of the control connection. Another certificate is that of somebody who was
    /// faster at the port, be it as valid as it may.
    pub(crate) fn is_met_again(&self, wire: &Wire) -> bool {
        self.leaf.is_some() && wire.leaf() == self.leaf.as_ref()
    }

    /// Returns whether the next data connection can't resume this session although the server let others do: with TLS 1.3, which
    /// uses tickets up.
    pub(crate) fn is_used_up(&self) -> bool {
        self.tickets.are_used_up()
    }
}
