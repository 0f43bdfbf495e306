//! The integration tests: one binary, a module per theme.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests read the clock and the environment and say what they skip; the bans are for the library"
)]

mod architecture;
mod backup;
mod browser;
mod cli;
mod daemons;
mod docs;
mod engines;
mod explain;
mod faults;
mod filters;
mod fsync;
mod heavy;
mod hostile;
mod jobs;
mod links;
mod listings;
mod locks;
mod log;
mod names;
mod pages;
mod parse_listing;
mod permissions;
mod plans;
mod probe;
mod progress;
mod remote_state;
mod renames;
mod resume;
mod scripted;
mod serve;
mod server;
mod shards;
mod single;
mod state;
mod stopping;
mod stories;
mod support;
mod support_itself;
mod tls;
mod updates;
