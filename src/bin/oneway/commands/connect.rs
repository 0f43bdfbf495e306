//! What a command's arguments and the environment say about places and connections.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use oneway::config::{Connection, Place, PlaceError, TlsSettings, TlsWish};
use oneway::ftp::connect::Timeouts;
use oneway::ftp::data::DataMode;
use oneway::ftp::tls::{ClientCertificate, Trust};
use oneway::model::Cancel;
use oneway::store::ftp::ListingChoice;

use crate::args::{ConnectionArgs, Listing, TlsWhen};
use crate::commands::logins::{self, PASSWORD_VARIABLE};
use crate::exit::UsageError;
use crate::ui::say::complain;
use crate::ui::trace::listener;

/// Reads an argument as a place. The message names which argument is wrong and never a password.
pub(crate) fn place(what: &str, argument: &OsStr) -> anyhow::Result<Place> {
    Place::from_argument(argument).map_err(|e| UsageError(format!("{what}: {e}")).into())
}

/// Returns how connections are made.
///
/// # Errors
/// Says which file of certificates can't be read.
pub(crate) fn connection(args: &ConnectionArgs, verbose: u8, cancel: &Cancel) -> anyhow::Result<Connection> {
    Ok(Connection {
        timeouts: Timeouts { connect: args.connect_timeout, reply: args.timeout, data: args.timeout },
        data_mode: if args.active { DataMode::Active } else { DataMode::Passive },
        listing: match args.listing {
            Listing::Auto => ListingChoice::Auto,
            Listing::Mlsd => ListingChoice::Mlsd,
            Listing::Stat => ListingChoice::Stat,
            Listing::List => ListingChoice::List,
            Listing::Nlst => ListingChoice::Nlst,
        },
        time_offset: None,
        flushes: false,
        charset: None,
        logins: logins::find(),
        transcript: listener(verbose),
        tls: tls(args)?,
        cancel: cancel.clone(),
    })
}

fn tls(args: &ConnectionArgs) -> anyhow::Result<TlsSettings> {
    let trust = match (&args.ca, args.insecure) {
        (Some(file), _) => Trust::Authorities { pem: read(file)?, name: file.display().to_string() },
        (None, true) => {
            complain!(
                "warning: --insecure: any server is trusted, and whoever is in between can read and change everything"
            );
            Trust::Anybody
        }
        (None, false) if args.pin.is_empty() => Trust::System,
        (None, false) => Trust::Pinned(args.pin.clone()),
    };
    let certificate = match (&args.client_cert, &args.client_key) {
        (Some(certificates), Some(key)) => {
            let names = [certificates, key].map(|file| file.display().to_string());
            let shown = ClientCertificate::parse(
                &read(certificates)?,
                &read(key)?,
                names.each_ref().map(String::as_str),
            );
            Some(Arc::new(shown.map_err(|e| UsageError(e.to_string()))?))
        }
        _ => None,
    };
    let wish = args.tls.map(|when| match when {
        TlsWhen::Off => TlsWish::Off,
        TlsWhen::Try => TlsWish::Try,
        TlsWhen::Require => TlsWish::Require,
    });
    Ok(TlsSettings { wish, trust, certificate })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).map_err(|e| UsageError(format!("cannot read {}: {e}", file.display())).into())
}

/// Says what is wrong with a place, and what to do about it.
pub(crate) fn refused(what: &str, error: &PlaceError) -> anyhow::Error {
    let remedy = match error {
        PlaceError::NoPassword(_) => {
            format!("; set ${PASSWORD_VARIABLE}, or write it into ~/.netrc")
        }
        PlaceError::Exposed(file) => format!("; chmod 600 {file}"),
        _ => String::new(),
    };
    UsageError(format!("{what}: {error}{remedy}")).into()
}
