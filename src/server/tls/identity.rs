//! A certificate and its key, as files hold them (PEM, RFC 7468).

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The certificate of a server, with those that lead to its authority, and the key that belongs to it.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads a certificate, those of its authorities behind it, and the key (PKCS#8, PKCS#1 or SEC1) from PEM. Both may come
    /// from one file.
    ///
    /// # Errors
    /// Says what is missing, malformed, or doesn't belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .map(|certificate| certificate.map(CertificateDer::into_owned))
            .collect::<Result<_, _>>()
            .map_err(|error| IdentityError::CertificatePem(error.to_string()))?;
        if chain.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound if is_encrypted(key) => IdentityError::EncryptedKey,
            pem::Error::NoItemsFound => IdentityError::NoKey,
            error => IdentityError::KeyPem(error.to_string()),
        })?;
        Ok(Self(Arc::new(CertifiedKey::from_der(chain, der, &default_provider())?)))
    }

    /// Returns the SHA-256 of the certificate in DER, by which clients can know it without an authority.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.certificate()).into()
    }

    /// Returns the certificate in DER, without its authorities.
    pub fn certificate(&self) -> &[u8] {
        self.0.cert.first().expect("`from_pem` takes no empty chain")
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

/// Nothing of the key is shown.
impl Debug for Identity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}

/// PKCS#8 has a label of its own for it, older keys a header.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// Why a certificate and a key can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// No section `BEGIN CERTIFICATE`.
    #[error("there is no certificate in PEM form")]
    NoCertificate,
    /// The certificate's PEM is damaged.
    #[error("the certificate is no well-formed PEM ({0})")]
    CertificatePem(String),
    /// No section `BEGIN PRIVATE KEY` or the like.
    #[error("there is no private key in PEM form")]
    NoKey,
    /// The key needs a passphrase, which nobody can give here.
    #[error("the private key is encrypted; `openssl pkey` writes it without a passphrase")]
    EncryptedKey,
    /// The key's PEM is damaged.
    #[error("the private key is no well-formed PEM ({0})")]
    KeyPem(String),
    /// The key is another certificate's.
    #[error("the private key doesn't belong to the certificate")]
    Mismatch,
    /// The certificate can't be read, or is too old in its form.
    #[error("the certificate is of no use for TLS ({0})")]
    Certificate(String),
    /// The key is of no known kind.
    #[error("the private key is of no use for TLS ({0})")]
    Key(String),
}

impl From<rustls::Error> for IdentityError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Self::Mismatch,
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
                Self::Certificate(other.to_string())
            }
            rustls::Error::InvalidCertificate(error) => Self::Certificate(format!("{error:?}")),
            rustls::Error::General(text) => Self::Key(text),
            error => Self::Key(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (certificate, key, expected) in [
            ("", "", "there is no certificate in PEM form"),
            ("a certificate", "", "there is no certificate in PEM form"),
            (certificate, "", "there is no private key in PEM form"),
            (certificate, certificate, "there is no private key in PEM form"),
            (certificate, encrypted, "the private key is encrypted"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "", "the certificate is no well-formed PEM"),
            (certificate, "-----BEGIN PRIVATE KEY-----\n!!\n", "the private key is no well-formed PEM"),
            (
                certificate,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "the private key is of no use",
            ),
        ] {
            let error = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(certificate: Vec<u8>, key: Vec<u8>) {
            prop_assert!(Identity::from_pem(&certificate, &key).is_err());
        }
    }
}
