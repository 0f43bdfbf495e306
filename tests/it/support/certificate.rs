//! Certificates of a sandbox: an authority, and a server that it vouches for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use sha2::{Digest, Sha256};

use super::Sandbox;

/// The files of a server that TLS can be spoken with, and what a client needs to know of it.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The server's certificate, PEM.
    pub(crate) certificate: PathBuf,
    /// Its key, PEM.
    pub(crate) key: PathBuf,
    /// The authority's certificate, PEM.
    pub(crate) authority: PathBuf,
    /// A client's certificate that the authority vouches for, PEM.
    pub(crate) client: PathBuf,
    /// Its key, PEM.
    pub(crate) client_key: PathBuf,
    /// SHA-256 of the server's certificate.
    pub(crate) pin: String,
}

impl Certificate {
    /// For `localhost` and 127.0.0.1, good for years.
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        Self::made(sandbox, &["localhost", "127.0.0.1"], 2090)
    }

    /// For another name.
    pub(crate) fn for_another(sandbox: &Sandbox) -> Self {
        Self::made(sandbox, &["example.org"], 2090)
    }

    /// That has expired.
    pub(crate) fn expired(sandbox: &Sandbox) -> Self {
        Self::made(sandbox, &["localhost", "127.0.0.1"], 2020)
    }

    fn made(sandbox: &Sandbox, names: &[&str], until: i32) -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(DnType::CommonName, "An authority of the tests");
        let root_key = KeyPair::generate().expect("there is randomness");
        let root = CertifiedIssuer::self_signed(root, root_key).expect("an authority can vouch for itself");

        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut leaf = CertificateParams::new(names).expect("all are names");
        leaf.not_before = date_time_ymd(2010, 1, 1);
        leaf.not_after = date_time_ymd(until, 1, 1);
        leaf.distinguished_name.push(DnType::CommonName, "A server of the tests");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf_key = KeyPair::generate().expect("there is randomness");
        let leaf = leaf.signed_by(&leaf_key, &root).expect("the authority vouches for it");

        let mut client = CertificateParams::default();
        client.distinguished_name.push(DnType::CommonName, "A client of the tests");
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client_key = KeyPair::generate().expect("there is randomness");
        let client = client.signed_by(&client_key, &root).expect("the authority vouches for it");

        let write = |name: &str, text: &str| {
            let path = sandbox.path(name);
            fs::write(&path, text).expect("the sandbox has room");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it was just written");
            path
        };
        Self {
            certificate: write("server.pem", &leaf.pem()),
            key: write("server.key", &leaf_key.serialize_pem()),
            client: write("client.pem", &client.pem()),
            client_key: write("client.key", &client_key.serialize_pem()),
            authority: write("authority.pem", &root.pem()),
            pin: Sha256::digest(leaf.der()).iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
