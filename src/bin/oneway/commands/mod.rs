//! One file a command.

mod apart;
mod backup;
mod complaints;
pub(crate) mod config;
mod connect;
mod explain;
mod filter;
pub(crate) mod history;
pub(crate) mod lock;
pub(crate) mod logins;
mod ls;
mod pages;
pub(crate) mod parse_listing;
mod plan;
pub(crate) mod probe;
pub(crate) mod reports;
mod run;
pub(crate) mod serve;
mod shell;
mod single;
pub(crate) mod state;
pub(crate) mod status;
mod sync;
mod undo;

use std::process::ExitCode;

use oneway::report::Mode;

use crate::args::{Cli, Command};
use crate::schedule;

/// Runs the command that was typed.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Sync(args) if args.dry_run => sync::run(&args, Mode::DryRun),
        Command::Sync(args) => sync::run(&args, Mode::Sync),
        Command::Diff(args) => sync::run(&args, Mode::Diff),
        Command::Plan(args) => plan::plan(&args),
        Command::Apply(args) => plan::apply(&args),
        Command::Run(args) => run::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Filter(args) => filter::run(&args),
        Command::Schedule(args) => schedule::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::History(args) => history::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Undo(args) => undo::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Ls(args) => ls::run(&args),
        Command::Completions(args) => pages::completions(&args),
        Command::Man(args) => pages::man(&args),
        Command::ParseListing(args) => parse_listing::run(&args),
        Command::Cat(args) => single::cat(&args),
        Command::Cp(args) => single::cp(&args),
        Command::Mv(args) => single::mv(&args),
        Command::Rm(args) => single::rm(&args),
        Command::Mkdir(args) => single::mkdir(&args),
        Command::Rmdir(args) => single::rmdir(&args),
        Command::Shell(args) => shell::run(&args),
        Command::Serve(args) => serve::run(&args),
    }
}
