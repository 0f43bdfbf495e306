//! What a command's arguments and the environment say about places and connections.

use std::ffi::OsStr;
use std::sync::Arc;

use oneway::config::{Connection, Place, PlaceError};
use oneway::ftp::connect::Timeouts;
use oneway::ftp::data::DataMode;
use oneway::ftp::transcript::Transcript;
use oneway::model::{Cancel, Secret};
use oneway::store::ftp::ListingChoice;

use crate::args::{ConnectionArgs, Listing};
use crate::exit::UsageError;
use crate::ui::trace::Trace;

/// The variable a password is taken from where the URL has none.
const PASSWORD_VARIABLE: &str = "ONEWAY_PASSWORD";

/// Reads an argument as a place. The message names which argument is wrong and never a password.
pub(crate) fn place(what: &str, argument: &OsStr) -> anyhow::Result<Place> {
    Place::from_argument(argument).map_err(|e| UsageError(format!("{what}: {e}")).into())
}

/// Returns how connections are made.
pub(crate) fn connection(args: &ConnectionArgs, verbose: u8, cancel: &Cancel) -> Connection {
    Connection {
        timeouts: Timeouts { connect: args.connect_timeout, reply: args.timeout, data: args.timeout },
        data_mode: if args.active { DataMode::Active } else { DataMode::Passive },
        listing: match args.listing {
            Listing::Auto => ListingChoice::Auto,
            Listing::Mlsd => ListingChoice::Mlsd,
            Listing::Stat => ListingChoice::Stat,
            Listing::List => ListingChoice::List,
            Listing::Nlst => ListingChoice::Nlst,
        },
        charset: None,
        password: std::env::var(PASSWORD_VARIABLE).ok().map(Secret::new),
        transcript: (verbose >= 2).then(|| Arc::new(Trace) as Arc<dyn Transcript>),
        cancel: cancel.clone(),
    }
}

/// Says what is wrong with a place, and what to do about it.
pub(crate) fn refused(what: &str, error: &PlaceError) -> anyhow::Error {
    let remedy = match error {
        PlaceError::NoPassword(_) => format!("; set ${PASSWORD_VARIABLE} or put it into the URL"),
        _ => String::new(),
    };
    UsageError(format!("{what}: {error}{remedy}")).into()
}
