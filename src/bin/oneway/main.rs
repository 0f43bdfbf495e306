//! The command-line program: arguments in, one command run, an exit status out.
#![expect(
    clippy::disallowed_methods,
    reason = "the environment and the clock belong to the program, not the engine"
)]

mod args;
mod commands;
mod exit;
mod history;
mod identity;
mod jobs;
mod schedule;
mod signals;
mod ui;
mod values;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse() {
        Ok(cli) => commands::run(cli).unwrap_or_else(|error| exit::report(&error)),
        Err(error) => exit::usage(&error),
    }
}
