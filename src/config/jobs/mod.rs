//! Jobs in a TOML file: hosts, what is mirrored from where to where, and what is run when.
//!
//! The file is read as a whole, and everything that is wrong with it is told at once, each with its line and column. Which options there
//! are is said by whoever asks, so that they are defined in one place, which isn't here.

mod file;
mod keys;
mod problem;
mod read;
mod schedule;
mod settings;
mod values;

pub use file::{CommandLine, Hooks, Host, Job, JobFile, PasswordSource, Target, resolve};
pub use keys::{DEFAULTS_KEYS, HOST_KEYS, JOB_KEYS, KeyKind, OwnKey};
pub use problem::{At, Problem, nearest};
pub use read::Known;
pub use settings::{Effective, OptionKey, OptionKind, Origin, Rule, Setting, Settings};

#[cfg(test)]
mod tests;
