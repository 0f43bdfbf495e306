//! Errors to one line on standard error each, and to the exit status.

use std::process::ExitCode;

use clap::error::ErrorKind;
use oneway::store::StoreError;
use thiserror::Error;

/// Usage or configuration: nothing was done.
pub(crate) const USAGE: u8 = 2;
/// Could not connect, log in, or list.
const UNREACHABLE: u8 = 4;

/// A mistake in what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Shows what went wrong and returns the status for it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        // Whoever read the output has had enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("oneway: error: {error:#}");
    let store = error.downcast_ref::<StoreError>();
    if let Some(hint) = store.and_then(StoreError::hint) {
        eprintln!("oneway: hint: {hint}");
    }
    ExitCode::from(match store {
        Some(_) => UNREACHABLE,
        None => USAGE,
    })
}

/// Shows help, the version, or what is wrong with the arguments in one line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed standard output is no reason to fail.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::from(USAGE);
    }
    let text = error.render().to_string();
    // Clap spreads an error over several lines: the message, tips, the usage, a pointer to --help.
    let message: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .collect();
    let message = message.join("; ");
    eprintln!("oneway: {message}; try `oneway --help`");
    ExitCode::from(USAGE)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
