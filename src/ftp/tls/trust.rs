//! Whose certificate is believed.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, OtherError, RootCertStore, SignatureScheme,
};

use crate::ftp::tls::{Pin, TlsSetupError, read_certificates};

/// Who may be at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whom this machine trusts.
    System,
    /// Whom the certificates of a PEM file vouch for, and nobody else.
    Authorities {
        /// The file's text.
        pem: Vec<u8>,
        /// Its name, for errors.
        name: String,
    },
    /// Who shows one of these certificates, expired or not, for whatever name; whoever vouches for others doesn't count.
    Pinned(Vec<Pin>),
    /// Anybody. What is sent can be read and changed by whoever is in between.
    Anybody,
}

/// Why a certificate is not believed, and how it would be known by.
#[derive(Clone, Debug, PartialEq)]
pub struct Distrust {
    /// What is wrong with it; `None` when it is not the pinned one.
    pub why: Option<TlsError>,
    /// The pin of what the server showed.
    pub pin: Pin,
}

impl Display for Distrust {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let why = match &self.why {
            None => "it is not the pinned one",
            Some(TlsError::InvalidCertificate(e)) => match e {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "nobody who is trusted here vouches for it"
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet"
                }
                CertificateError::NotValidForName => "it is for another name",
                CertificateError::NotValidForNameContext { presented, .. } => {
                    let names = presented.join(", ");
                    return write!(f, "it is for {}; its pin is {}", escape(&names), self.pin);
                }
                CertificateError::Revoked => "it was revoked",
                other => return write!(f, "{}; its pin is {}", escape(&other.to_string()), self.pin),
            },
            Some(other) => return write!(f, "{}; its pin is {}", escape(&other.to_string()), self.pin),
        };
        write!(f, "{why}; its pin is {}", self.pin)
    }
}

/// Names in certificates are the server's to choose.
fn escape(text: &str) -> String {
    crate::model::escape(text.as_bytes())
}

impl Error for Distrust {}

impl Trust {
    pub(super) fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<Verifier>, TlsSetupError> {
        let judge = match self {
            Self::System => {
                let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider));
                Judge::Chain(Arc::new(verifier.map_err(|e| TlsSetupError::NoRoots(e.to_string()))?))
            }
            Self::Authorities { pem, name } => Judge::Chain(authorities(pem, name, provider)?),
            Self::Pinned(pins) => Judge::Pins(pins.clone()),
            Self::Anybody => Judge::Anybody,
        };
        Ok(Arc::new(Verifier { judge, provider: Arc::clone(provider) }))
    }
}

fn authorities(
    pem: &[u8],
    name: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsSetupError> {
    let fail = |why: String| TlsSetupError::Certificates { what: name.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(pem, name)? {
        roots.add(certificate).map_err(|e| fail(e.to_string()))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    Ok(verifier.map_err(|e| fail(e.to_string()))?)
}

/// Believes certificates or not, and says by which pin what it doesn't believe would be known.
pub(super) struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

enum Judge {
    Chain(Arc<dyn ServerCertVerifier>),
    Pins(Vec<Pin>),
    Anybody,
}

impl Debug for Verifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let judge = match &self.judge {
            Judge::Chain(_) => "by authorities",
            Judge::Pins(_) => "by pins",
            Judge::Anybody => "nothing",
        };
        write!(f, "Verifier({judge})")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let pin = Pin::of(leaf);
        let why = match &self.judge {
            Judge::Anybody => return Ok(ServerCertVerified::assertion()),
            Judge::Pins(pins) if pins.contains(&pin) => return Ok(ServerCertVerified::assertion()),
            Judge::Pins(_) => None,
            Judge::Chain(chain) => match chain.verify_server_cert(leaf, others, name, ocsp, now) {
                Ok(verified) => return Ok(verified),
                Err(why) => Some(why),
            },
        };
        let distrust = OtherError(Arc::new(Distrust { why, pin }));
        Err(TlsError::InvalidCertificate(CertificateError::Other(distrust)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
