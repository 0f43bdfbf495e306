//! What commands take that are no mirrors.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use oneway::store::Charset;

use crate::args::{ConnectionArgs, LsFormat, ShowArgs};
use crate::values::charset;

#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The run's directory in its --backup-dir, as the run named it: a path, or a URL; or its number in `oneway history`
    #[arg(value_name = "RUN")]
    pub(crate) run: OsString,

    /// Say what would be put back, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// Encoding of names on the server, if the run had one
    #[arg(long, value_name = "NAME", value_parser = charset, help_heading = "Connection")]
    pub(crate) charset: Option<Charset>,

    /// Print nothing but failures
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Trace every command and reply on standard error when given twice (-vv)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// ftp://[user[:password]@]host[:port]/path, a directory or a file
    #[arg(value_name = "URL")]
    pub(crate) url: OsString,

    /// Also show mode, owner and group, and where links point; `?` is what the server doesn't tell
    #[arg(short, long)]
    pub(crate) long: bool,

    /// List all directories below, too; in JSON, with each entry's path
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,

    /// The output's format
    #[arg(long, value_enum, default_value_t = LsFormat::Text)]
    pub(crate) format: LsFormat,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// Trace every command and reply on standard error when given twice (-vv)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the pages into man1/ of this directory, such as ~/.local/share/man
    #[arg(long, value_name = "DIR")]
    pub(crate) install: Option<PathBuf>,
}

/// What single operations take.
#[derive(Debug, Args)]
pub(crate) struct SingleArgs {
    /// ftp://[user[:password]@]host[:port]/path
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<OsString>,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// Trace every command and reply on standard error when given twice (-vv)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Args)]
pub(crate) struct MkdirArgs {
    /// Make what is missing above, too; one that is there is no error
    #[arg(short, long)]
    pub(crate) parents: bool,

    #[command(flatten)]
    pub(crate) single: SingleArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Remove directories with all that is in them, after asking
    #[arg(short, long)]
    pub(crate) recursive: bool,

    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) single: SingleArgs,
}

#[derive(Debug, Args)]
#[command(after_help = SHELL)]
pub(crate) struct ShellArgs {
    /// ftp://[user[:password]@]host[:port]/path
    #[arg(value_name = "URL")]
    pub(crate) url: OsString,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// Show each step from the login on when given twice (-vv), as !trace does later
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

const SHELL: &str = "Each line is sent as it stands, but for `STOR name < file` and `APPE name < file`, which send a file of this machine, \
    and what begins with `!`, which `!help` lists. Replies go to standard error. Of a pipe, all lines are sent; the exit status is 3 if one \
    was refused, and 4 if the server hung up.";

#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// A path, or ftp://[user[:password]@]host[:port]/path; `-` is standard input
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,

    /// A path or a URL; what is copied goes into a directory that is there or ends in `/`, else DST is its new name; `-` is
    /// standard output
    #[arg(value_name = "DST")]
    pub(crate) destination: OsString,

    /// Copy a directory with all that is in it
    #[arg(short, long)]
    pub(crate) recursive: bool,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MvArgs {
    /// A path, or ftp://[user[:password]@]host[:port]/path
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,

    /// A path or a URL; what is moved goes into a directory that is there or ends in `/`, else DST is its new name
    #[arg(value_name = "DST")]
    pub(crate) destination: OsString,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    #[command(flatten)]
    pub(crate) show: ShowArgs,
}
