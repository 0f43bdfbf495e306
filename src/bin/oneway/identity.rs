//! The certificate of `serve`: from files, or made for this one run.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use chrono::{Datelike, TimeDelta, Utc};
use oneway::server::Identity;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use zeroize::Zeroizing;

/// Reads a certificate and its key from PEM files.
pub(crate) fn from_files(certificate: &Path, key: &Path) -> anyhow::Result<Identity> {
    let read = |what: &str, path: &Path| {
        fs::read(path).with_context(|| format!("cannot read the {what} file `{}`", path.display()))
    };
    let (chain, secret) = (read("certificate", certificate)?, Zeroizing::new(read("key", key)?));
    Identity::from_pem(&chain, &secret).with_context(|| {
        format!("cannot use the certificate `{}` with the key `{}`", certificate.display(), key.display())
    })
}

/// Makes a certificate that names `addresses` and this machine, and a key that is kept nowhere.
pub(crate) fn self_signed(addresses: &[IpAddr]) -> anyhow::Result<Identity> {
    make(addresses).context("cannot make a certificate")
}

fn make(addresses: &[IpAddr]) -> anyhow::Result<Identity> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    for address in addresses.iter().filter(|address| !address.is_unspecified() && !address.is_loopback()) {
        names.push(address.to_string());
    }
    names.sort_unstable();
    names.dedup();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "oneway serve");
    // Clients refuse one that is an authority's.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let day = |from_today| {
        let day = Utc::now().date_naive() + TimeDelta::days(from_today);
        date_time_ymd(
            day.year(),
            u8::try_from(day.month()).unwrap_or(1),
            u8::try_from(day.day()).unwrap_or(1),
        )
    };
    // From yesterday, since not all clocks are right.
    params.not_before = day(-1);
    params.not_after = day(LIFETIME_DAYS);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Identity::from_pem(certificate.pem().as_bytes(), Zeroizing::new(key.serialize_pem()).as_bytes())?)
}

const LIFETIME_DAYS: i64 = 2 * 365;
