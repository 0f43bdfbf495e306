//! Uses the engine in a program of one's own: compares two places and writes what differs as a to-do list.
//!
//! `cargo run --example own_report -- SRC DST`
#![expect(clippy::disallowed_methods, reason = "a program reads its arguments")]

use std::error::Error;
use std::io::{Write, stdout};

use oneway::config::{Connection, Place};
use oneway::execute::{Event, Observer};
use oneway::plan::Deed;
use oneway::report::{Mode, human_bytes};
use oneway::run::{RunOptions, run};

/// Prints a dot for each directory that was listed.
struct Dots;

impl Observer for Dots {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Listed { .. }) {
            // A closed standard output is no reason to stop comparing.
            let _ = write!(stdout(), ".");
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut place = || -> Result<_, Box<dyn Error>> {
        let text = arguments.next().ok_or("usage: own_report SRC DST")?;
        Ok(Place::parse(&text)?.store(&Connection::default())?)
    };
    let (source, destination) = (place()?, place()?);
    let options = RunOptions { mode: Mode::Diff, delete: true, ..RunOptions::default() };
    let report = run(&source, &destination, &options, &Dots)?;
    writeln!(stdout())?;
    for action in &report.plan.actions {
        let deed = match action.deed {
            Deed::CreateDir => "make",
            Deed::Copy => "send",
            Deed::Replace => "send again",
            Deed::Rename => "rename",
            Deed::Touch => "set the time",
            Deed::Chmod => "set the permissions",
            Deed::Delete | Deed::DeleteDir => "remove",
        };
        writeln!(
            stdout(),
            "[ ] {deed} {} ({}, {})",
            action.path,
            human_bytes(action.bytes()),
            action.reason.as_str()
        )?;
    }
    Ok(())
}
