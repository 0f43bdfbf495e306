//! `oneway probe`.

mod heard;
mod load;
mod shown;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgAction, Args};
use oneway::config::Connection;
use oneway::ftp::transcript::Transcript;
use oneway::model::Cancel;
use oneway::store::{RetryPolicy, Store, StoreError};

use crate::args::ConnectionArgs;
use crate::commands::connect;
use crate::commands::probe::heard::Heard;
use crate::commands::probe::load::Load;
use crate::commands::probe::shown::Shown;
use crate::exit;
use crate::signals::Signals;
use crate::ui::say::complain;

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// ftp://[user[:password]@]host[:port]/path
    #[arg(value_name = "URL")]
    url: OsString,

    /// Measure how fast it is on 1, 2, 4 and 8 sessions, how many it allows, and its clock: files are written to the directory, read
    /// and removed
    #[arg(long)]
    load: bool,

    /// One JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: ConnectionArgs,

    /// Trace every command and reply on standard error when given twice (-vv)
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

pub(crate) fn run(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    let common = connect::connection(&args.connection, args.verbose, &cancel)?;
    let heard = Arc::new(Heard::new(common.transcript.clone()));
    let transcript = Some(Arc::<Heard>::clone(&heard) as Arc<dyn Transcript>);
    let connection = Connection { transcript, ..common };
    let place = connect::place("URL", &args.url)?;
    let store = place.clone().ftp_store(&connection).map_err(|e| connect::refused("URL", &e))?;
    let signals = Signals::watch(&cancel)?;
    let retry = RetryPolicy::new(args.connection.retries, cancel.clone());
    let survey = retry.persist(|| store.survey().map_err(StoreError::waiting_for_room));
    let survey = match (survey, signals.stop()) {
        (Ok(survey), _) => survey,
        (Err(_), Some(stop)) => return Ok(ExitCode::from(stop.exit_status())),
        (Err(e), None) => return Err(e.into()),
    };
    if store.is_in_clear_text() {
        complain!("note: the server has no TLS, so it is spoken to in clear text");
    }
    let (load, trouble) = match args.load.then(|| Load::measure(&store, &args.connection, &cancel)) {
        None => (None, None),
        Some((load, trouble)) => (Some(load), trouble),
    };
    let shown =
        Shown { survey: &survey, heard: &heard, load: load.as_ref(), place: &place, args: &args.connection };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", shown.json())?;
    } else {
        shown.write(&mut out)?;
    }
    if let Some(stop) = signals.stop() {
        return Ok(ExitCode::from(stop.exit_status()));
    }
    if let Some(trouble) = trouble {
        complain!("error: {trouble}");
        return Ok(ExitCode::from(exit::INCOMPLETE));
    }
    Ok(ExitCode::SUCCESS)
}
