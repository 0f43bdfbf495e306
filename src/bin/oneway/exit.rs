//! Errors to one line on standard error each, and to the exit status.

use std::process::ExitCode;

use clap::error::ErrorKind;
use oneway::store::StoreError;
use thiserror::Error;

use crate::ui::say::complain;

/// Usage or configuration: nothing was done.
pub(crate) const USAGE: u8 = 2;
/// Some of it was not done.
pub(crate) const INCOMPLETE: u8 = 3;
/// Could not connect, log in, or list.
pub(crate) const UNREACHABLE: u8 = 4;
/// Refused for safety.
pub(crate) const REFUSED: u8 = 5;
/// Another run has it.
pub(crate) const BUSY: u8 = 6;

/// A mistake in what was asked for.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Shows what went wrong and returns the status for it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(tell(error))
}

/// As [`report`], with the status as a number.
pub(crate) fn tell(error: &anyhow::Error) -> u8 {
    if is_broken_pipe(error) {
        // Whoever read the output has had enough.
        return 0;
    }
    match error.downcast_ref::<StoreError>() {
        Some(error) => complain_of(error),
        None => {
            complain!("error: {error:#}");
            USAGE
        }
    }
}

/// Returns which of two statuses tells of the worse: stopped, usage or configuration, refused, unreachable, incomplete, done elsewhere at
/// the moment, done.
pub(crate) fn worse(a: u8, b: u8) -> u8 {
    const FROM_THE_BEST: [u8; 8] = [0, 1, 6, 3, 4, 5, 2, 130];
    let rank =
        |status| FROM_THE_BEST.iter().position(|&known| known == status).unwrap_or(FROM_THE_BEST.len());
    if rank(b) > rank(a) { b } else { a }
}

/// Shows why a store can't be used, and returns the status for it.
pub(crate) fn complain_of(error: &StoreError) -> u8 {
    complain!("error: {error}");
    if let Some(hint) = error.hint() {
        complain!("hint: {hint}");
    }
    match error {
        _ if error.is_of_another_server() => REFUSED,
        _ if error.is_busy() => BUSY,
        _ => UNREACHABLE,
    }
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
    let message = without_passwords(&message.join("; ").replace(":; ", ": "));
    complain!("{message}; try `oneway --help`");
    ExitCode::from(USAGE)
}

/// Strikes passwords out of URLs: an argument in the wrong place is quoted in the message.
fn without_passwords(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = url.find([' ', '\'', '"', '`', ';']).unwrap_or(url.len());
        let (url, behind) = url.split_at(end);
        match url.rsplit_once('@').map(|(login, server)| (login.split_once(':'), server)) {
            Some((Some((user, _)), server)) => shown.push_str(&format!("{user}:***@{server}")),
            _ => shown.push_str(url),
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_status_of_several_wins() {
        for (all, worst) in [
            (&[0, 0][..], 0),
            (&[0, 3, 0], 3),
            (&[6, 0], 6),
            (&[3, 6], 3),
            (&[4, 3], 4),
            (&[4, 5, 3], 5),
            (&[5, 2, 4], 2),
            (&[2, 130], 130),
            (&[143, 0], 143),
        ] {
            assert_eq!(all.iter().copied().fold(0, worse), worst, "{all:?}");
            assert_eq!(all.iter().rev().copied().fold(0, worse), worst, "{all:?}");
        }
    }

    #[test]
    fn a_quoted_url_shows_no_password() {
        for (text, shown) in [
            ("value 'ftp://u:p@h/' for 'x'", "value 'ftp://u:***@h/' for 'x'"),
            ("ftp://u:a/b@h/ ftp://v:q@i/", "ftp://u:***@h/ ftp://v:***@i/"),
            ("ftp://h/a:b", "ftp://h/a:b"),
            ("ftp://u@h/", "ftp://u@h/"),
            ("no url", "no url"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
