//! What is meant, from what was written: places from the arguments of a command, jobs from a file.

mod connection;
mod duration;
mod jobs;
mod logins;
mod netrc;
mod place;
mod tls;

pub use connection::Connection;
pub use duration::duration;
pub use jobs::{
    At, CommandLine, DEFAULTS_KEYS, Effective, HOST_KEYS, Hooks, Host, JOB_KEYS, Job, JobFile, KeyKind,
    Known, OptionKey, OptionKind, Origin, OwnKey, PasswordSource, Problem, Rule, Setting, Settings, Target,
    nearest, resolve,
};
pub use logins::{Ask, Logins};
pub use netrc::{Netrc, NetrcEntry};
pub use place::{Place, PlaceError, Scheme};
pub use tls::{TlsSettings, TlsWish};
