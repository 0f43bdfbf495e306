//! Single operations: `cat`, `cp`, `mv`, `rm`, `mkdir`, `rmdir`.

mod cat;
mod copy;
mod cp;
mod dirs;
mod mv;
mod rm;
mod stream;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use oneway::config::{Connection, Place, PlaceError};
use oneway::model::{Cancel, RelPath};
use oneway::store::{RetryPolicy, Retrying, Store, StoreError};

use crate::args::{ConnectionArgs, SingleArgs};
use crate::commands::connect;
use crate::exit::{self, UsageError};
use crate::signals::Signals;
use crate::ui::say::complain;

pub(crate) use cat::run as cat;
pub(crate) use cp::run as cp;
pub(crate) use dirs::{mkdir, rmdir};
pub(crate) use mv::run as mv;
pub(crate) use rm::run as rm;

/// What the operations of one command share.
struct Means {
    connection: Connection,
    retry: RetryPolicy,
    cancel: Cancel,
    signals: Signals,
}

impl Means {
    fn new(args: &ConnectionArgs, verbose: u8) -> anyhow::Result<Self> {
        let cancel = Cancel::new();
        let connection = connect::connection(args, verbose, &cancel)?;
        let retry = RetryPolicy::new(args.retries, cancel.clone());
        let signals = Signals::watch(&cancel)?;
        Ok(Self { connection, retry, cancel, signals })
    }

    /// Returns the tree at a URL.
    fn store(&self, place: Place) -> anyhow::Result<Arc<dyn Store>> {
        place.store(&self.connection).map_err(|e| connect::refused("URL", &e))
    }

    fn connect(&self, store: &Arc<dyn Store>) -> Result<Retrying, StoreError> {
        let session = Retrying::connect(Arc::clone(store), self.retry.clone())?;
        if store.is_in_clear_text() {
            complain!("note: the server has no TLS, so it is spoken to in clear text");
        }
        Ok(session)
    }

    /// Does one thing for each URL, and returns the worst status: what fails for one keeps none of the others from being done.
    fn for_each(
        &self,
        urls: &[OsString],
        mut one: impl FnMut(&Self, Place) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        // A mistake in any of them is found before anything is done.
        let places = urls.iter().map(remote).collect::<anyhow::Result<Vec<_>>>()?;
        let mut worst = 0;
        for place in places {
            let Err(e) = one(self, place) else { continue };
            if let Some(stop) = self.signals.stop() {
                return Ok(ExitCode::from(stop.exit_status()));
            }
            worst = worst.max(status_of(e)?);
        }
        Ok(ExitCode::from(worst))
    }
}

/// An operation that the server refused, once it was reached.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failed(StoreError);

/// Says what went wrong and returns the status for it. Mistakes in what was asked for are handed on.
fn status_of(error: anyhow::Error) -> anyhow::Result<u8> {
    if let Some(Failed(error)) = error.downcast_ref() {
        exit::complain_of(error);
        return Ok(exit::INCOMPLETE);
    }
    match error.downcast_ref::<StoreError>() {
        Some(error) => Ok(exit::complain_of(error)),
        None => Err(error),
    }
}

fn remote(url: &OsString) -> anyhow::Result<Place> {
    let place = connect::place("URL", url)?;
    if place.is_local() {
        return Err(connect::refused("URL", &PlaceError::Local));
    }
    Ok(place)
}

/// Splits a place into the directory it is in and its name there.
fn apart(place: &Place) -> anyhow::Result<(Place, RelPath)> {
    let name = place.identity();
    place.parent().ok_or_else(|| UsageError(format!("{name} is a root and has no name of its own")).into())
}

fn means(args: &SingleArgs) -> anyhow::Result<Means> {
    Means::new(&args.connection, args.verbose)
}
