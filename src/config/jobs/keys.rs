//! The keys of hosts, jobs and defaults that are no options of a run.

/// A key that is no option of a run.
#[derive(Clone, Copy, Debug)]
pub struct OwnKey {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: KeyKind,
    /// What it says, in a sentence.
    pub doc: &'static str,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A string.
    Text,
    /// A string, and there has to be one.
    Required,
    /// A number from 1 to 65535.
    Port,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A duration such as `15m`.
    Duration,
    /// Five fields as of cron.
    Schedule,
    /// A string for the shell, or a list of a program and its arguments.
    Command,
    /// A string or a list of strings.
    Lines,
}

const fn key(name: &'static str, kind: KeyKind, doc: &'static str) -> OwnKey {
    OwnKey { name, kind, doc }
}

/// What a host has beside options of connections.
pub const HOST_KEYS: &[OwnKey] = &[
    key("address", KeyKind::Required, "Name or address of the server"),
    key("port", KeyKind::Port, "Control port [default: 21, with ftps 990]"),
    key(
        "scheme",
        KeyKind::OneOf(&["ftp", "ftpes", "ftps"]),
        "How it is spoken to, as in a URL [default: ftp]",
    ),
    key("user", KeyKind::Text, "Who logs in [default: whom .netrc names, else anonymous]"),
    key("password", KeyKind::Text, "The password itself, only in a file that nobody else can read"),
    key("password_env", KeyKind::Text, "The variable that holds the password"),
    key("password_file", KeyKind::Text, "The file whose first line is the password; nobody else may read it"),
    key("password_command", KeyKind::Command, "The command whose first line of output is the password"),
];

/// What a job has beside options.
pub const JOB_KEYS: &[OwnKey] = &[
    key("source", KeyKind::Required, "Where files come from: a directory, a URL, or HOST:PATH"),
    key("destination", KeyKind::Required, "Where files go: a directory, a URL, or HOST:PATH"),
    key(
        "schedule",
        KeyKind::Schedule,
        "When it is due: minute, hour, day of the month, month, day of the week",
    ),
    key("every", KeyKind::Duration, "How often it is due"),
    key("jitter", KeyKind::Duration, "How much later than it is due it may begin, by chance [default: 0s]"),
    FILTERS,
    HOOKS[0],
    HOOKS[1],
    HOOKS[2],
    HOOKS[3],
];

/// What the defaults have beside options.
pub const DEFAULTS_KEYS: &[OwnKey] = &[FILTERS, HOOKS[0], HOOKS[1], HOOKS[2], HOOKS[3]];

const FILTERS: OwnKey = key(
    "filters",
    KeyKind::Lines,
    "Rules in their order, as in a filter file: a pattern is left alone, `!` before it mirrors it",
);

const HOOKS: [OwnKey; 4] = [
    key(
        "on_success",
        KeyKind::Command,
        "Run after a job that ended with status 0, the report on its standard input",
    ),
    key("on_failure", KeyKind::Command, "Run after a job that ended with another status"),
    key("on_change", KeyKind::Command, "Run after a job that changed something, before the others"),
    key("hook_timeout", KeyKind::Duration, "How long one of these commands may take [default: 5m]"),
];
