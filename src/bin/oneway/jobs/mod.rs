//! Jobs of a file as runs of the program: options by the one definition that the command line has, passwords, hooks.

pub(crate) mod environment;
pub(crate) mod hooks;
pub(crate) mod load;
pub(crate) mod options;
pub(crate) mod password;
pub(crate) mod prepare;
mod process;
pub(crate) mod run_args;
pub(crate) mod schema;
pub(crate) mod show;
