//! What a file of jobs says, as values.

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::{At, Scheme, Settings};
use crate::model::Secret;

/// A file of jobs. Paths stand in it as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFile {
    /// What counts for all jobs that say nothing else.
    pub defaults: Settings,
    /// Commands after each job that names none of its own.
    pub hooks: Hooks,
    /// In the order of the file.
    pub hosts: Vec<Host>,
    /// In the order of the file.
    pub jobs: Vec<Job>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What jobs call it.
    pub name: String,
    /// Where it stands.
    pub at: At,
    /// Name or address in the network.
    pub address: String,
    /// `None` for the scheme's own.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// `None` for whom `.netrc` names, else anonymous.
    pub user: Option<String>,
    /// `None` for the environment, `.netrc` or whoever is asked.
    pub password: Option<(PasswordSource, At)>,
    /// Options for its connections.
    pub settings: Settings,
}

/// Where a password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// It stands in the file.
    Literal(Secret),
    /// A variable of the environment.
    Env(String),
    /// The first line of a file.
    File(String),
    /// The first line that a command prints.
    Command(CommandLine),
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// For the shell.
    Shell(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

/// Commands that are run after a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// When all went well.
    pub success: Option<CommandLine>,
    /// When something didn't.
    pub failure: Option<CommandLine>,
    /// When something was changed.
    pub change: Option<CommandLine>,
    /// How long one of them may take; `None` when nothing is said.
    pub time_limit: Option<Duration>,
}

impl Hooks {
    /// Returns what isn't said here as `farther` says it.
    #[must_use]
    pub fn or(&self, farther: &Self) -> Self {
        let nearest =
            |near: &Option<CommandLine>, far: &Option<CommandLine>| near.clone().or_else(|| far.clone());
        Self {
            success: nearest(&self.success, &farther.success),
            failure: nearest(&self.failure, &farther.failure),
            change: nearest(&self.change, &farther.change),
            time_limit: self.time_limit.or(farther.time_limit),
        }
    }
}

/// One mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub at: At,
    /// Where files come from.
    pub source: Target,
    /// Where files go.
    pub destination: Target,
    /// Its options.
    pub settings: Settings,
    /// When it is run, in five fields as of cron; `None` when nothing is said.
    pub schedule: Option<String>,
    /// How often it is run; `None` when nothing is said.
    pub every: Option<Duration>,
    /// It begins at most so much later than it is due, by chance; `None` when nothing is said.
    pub jitter: Option<Duration>,
    /// What is run after it.
    pub hooks: Hooks,
}

/// One end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it stands.
    pub at: At,
    /// A path, a URL, or a path on the host.
    pub text: String,
    /// The host by its name; `None` for a path or a URL.
    pub host: Option<String>,
}

impl JobFile {
    /// Returns the host of this name; `None` when there is none.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// Returns the job of this name; `None` when there is none.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

impl Host {
    /// Returns the URL of a path on it: one that begins with `/` is absolute, others begin where the login does.
    pub fn url(&self, path: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let user = self.user.as_deref().map_or_else(String::new, |user| format!("{}@", encode(user)));
        let address = match self.address.contains(':') {
            true => format!("[{}]", self.address.trim_start_matches('[').trim_end_matches(']')),
            false => self.address.clone(),
        };
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        let path = match path.strip_prefix('/') {
            Some(absolute) => format!("%2F{}", encode_path(absolute)),
            None => encode_path(path),
        };
        format!("{}://{user}{address}{port}/{path}", self.scheme.as_str())
    }
}

fn encode_path(path: &str) -> String {
    path.split('/').map(|name| utf8_percent_encode(name, ESCAPED).to_string()).collect::<Vec<_>>().join("/")
}

/// All but what RFC 3986 §2.3 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns the path that `written` in a file means: `~/` is in `home`, what isn't absolute is relative to `dir`, the directory of the
/// file.
pub fn resolve(written: &str, dir: &Path, home: Option<&Path>) -> PathBuf {
    match (written.strip_prefix("~/"), home) {
        (Some(inside), Some(home)) => home.join(inside),
        _ if written == "~" => home.unwrap_or_else(|| Path::new(written)).to_owned(),
        _ => dir.join(written),
    }
}
