//! The command line as it is typed. What it means is worked out by the commands.

mod choices;
mod planned;
mod single;

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use oneway::ftp::tls::Pin;
use oneway::plan::{Condition, MaxDelete};
use oneway::store::Charset;

pub(crate) use choices::{Compare, Format, LinksHow, Listing, LsFormat, TlsWhen, When};
pub(crate) use planned::{ApplyArgs, MakeArgs, MergeArgs, PlanArgs, ShardArg, Stage, is_kept};
pub(crate) use single::{
    CompletionsArgs, CpArgs, LsArgs, ManArgs, MkdirArgs, MvArgs, RmArgs, ShellArgs, SingleArgs, UndoArgs,
};

use crate::commands::config::ConfigCommand;
use crate::commands::history::HistoryArgs;
use crate::commands::parse_listing::ParseListingArgs;
use crate::commands::probe::ProbeArgs;
use crate::commands::reports::{Extra, extra};
use crate::commands::serve::ServeArgs;
use crate::commands::status::StatusArgs;
use crate::jobs::run_args::RunArgs;
use crate::schedule::ScheduleArgs;
use crate::values::{
    Sessions, TimeOffset, any_size, charset, duration, max_delete, memory, rate, sessions, size, time_offset,
    timeout,
};

const EXIT_STATUSES: &str = "Exit status: 0 done; for diff: nothing differs. 1 diff alone: something differs. 2 usage or configuration. \
    3 some operations failed, the rest was done. 4 could not connect, log in, or list. 5 refused for safety. 6 another run is \
    under way. 129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM.";

/// Mirrors a directory one way over FTP.
#[derive(Debug, Parser)]
#[command(
    name = "oneway",
    version,
    max_term_width = 100,
    after_help = EXIT_STATUSES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make DST a mirror of SRC; one side is a local directory, the other a URL, or both are URLs
    Sync(SyncArgs),
    /// Say what `sync` with the same options would do; exit status 1 when something differs
    Diff(SyncArgs),
    /// Keep what `diff` says as a file, for somebody to look at and for `apply` to carry out; or cut into shares for several machines
    Plan(PlanArgs),
    /// Carry out a plan: what still is as it was when the plan was made, and nothing else
    Apply(ApplyArgs),
    /// Run jobs of the TOML file, all of them where none is named; options given here count more than the file's
    Run(RunArgs),
    /// Stay in the foreground and run each job of the TOML file on its `schedule`, until SIGTERM or Ctrl-C; SIGHUP reads the file
    /// again
    Schedule(ScheduleArgs),
    /// Check the TOML file, or print its schema
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say which rule leaves a path alone or mirrors it
    Filter(FilterArgs),
    /// Say what `sync` with the same options would do with one path, and what decides that; nothing is changed
    Explain(Box<ExplainArgs>),
    /// Tell of past runs: when, how long, what changed, how each ended
    History(HistoryArgs),
    /// For monitoring: is each job well? Exit status 0 fresh, 1 stale, 2 failing
    Status(StatusArgs),
    /// Put back what a run with --backup-dir moved away
    Undo(UndoArgs),
    /// Log in and say what the server can do, and what of it is used
    Probe(ProbeArgs),
    /// List a directory of a server, a file, or with -R a whole tree
    Ls(LsArgs),
    /// Write files of a server to standard output
    Cat(SingleArgs),
    /// Copy a file, or with -r a directory; SRC or DST is a URL, or both are
    Cp(CpArgs),
    /// Give a file or directory another name, or move it to another place once it is copied and checked
    Mv(MvArgs),
    /// Remove files of a server; what isn't there is no error
    Rm(RmArgs),
    /// Make directories on a server
    Mkdir(MkdirArgs),
    /// Remove empty directories of a server; what isn't there is no error
    Rmdir(SingleArgs),
    /// Send raw FTP commands, from a prompt or a pipe, and print every reply; data goes to standard output
    Shell(ShellArgs),
    /// Serve a directory over FTP and FTPS
    Serve(ServeArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the man page, or install one for the program and one for each command
    Man(ManArgs),
    /// Print the entries oneway sees in raw listing output, one JSON object a line
    ParseListing(ParseListingArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Where files come from: a directory, or ftp://[user[:password]@]host[:port]/path; ftpes:// and ftps:// for TLS
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,

    /// Where files go: a directory or a URL
    #[arg(value_name = "DST")]
    pub(crate) destination: OsString,

    /// Remove what only DST has
    #[arg(long)]
    pub(crate) delete: bool,

    /// Refuse a run that would delete more than this many files, or this much of DST [default: 50%]
    #[arg(long, value_name = "N|P%", value_parser = max_delete)]
    pub(crate) max_delete: Option<MaxDelete>,

    /// Don't turn a file that is gone and a new one of equal content into a rename
    #[arg(long)]
    pub(crate) no_renames: bool,

    /// Let an empty SRC delete everything
    #[arg(long)]
    pub(crate) allow_empty_source: bool,

    /// Refuse a plan that is so: delete>20, bytes>=1G, drift>0; counted are create_dir, copy, replace, rename, touch, chmod,
    /// delete, delete_dir, changes (all of these), bytes (to be sent), drift and unproven (directories whose listing is not
    /// proven); may be given again
    #[arg(long, value_name = "CONDITION")]
    pub(crate) fail_if: Vec<Condition>,

    /// What makes two files differ
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Compare::SizeTime)]
    pub(crate) compare: Compare,

    /// Times closer than this are equal [default: from the precision of both sides]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) modify_window: Option<Duration>,

    /// Leave files alone that are newer at DST
    #[arg(long)]
    pub(crate) update: bool,

    /// Send only files that DST doesn't have
    #[arg(long, conflicts_with = "existing")]
    pub(crate) ignore_existing: bool,

    /// Send only files that DST has already
    #[arg(long)]
    pub(crate) existing: bool,

    #[command(flatten)]
    pub(crate) patterns: PatternArgs,

    /// Leave smaller files alone, on both sides: 1, 500k, 1.5M, in powers of 1024
    #[arg(long, value_name = "SIZE", value_parser = any_size)]
    pub(crate) min_size: Option<u64>,

    /// Leave larger files alone, on both sides; a file that is too large on one side stays as it is on the other
    #[arg(long, value_name = "SIZE", value_parser = any_size)]
    pub(crate) max_size: Option<u64>,

    /// Leave files alone that changed less than this long ago, or may have: they may still be written
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) min_age: Option<Duration>,

    /// Leave files alone that changed longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) max_age: Option<Duration>,

    /// Symbolic links of SRC: leave them out, with a note; mirror what they lead to, be it outside of SRC; or make links, which
    /// only a local DST can have, and only where they lead to something inside it. Devices and FIFOs are always left out
    #[arg(long, value_enum, value_name = "HOW", default_value_t = LinksHow::Skip)]
    pub(crate) links: LinksHow,

    /// Write onto the final names instead of temporary ones, for servers that can't rename. Whoever reads a file meanwhile reads
    /// half of it, and so it stays if that is interrupted, until the next run
    #[arg(long, conflicts_with_all = ["delay_updates", "backup_dir"])]
    pub(crate) inplace: bool,

    /// Carry permission bits of files, those for user, group and others, as far as both sides list them
    #[arg(long)]
    pub(crate) perms: bool,

    /// Don't carry modification times
    #[arg(long)]
    pub(crate) no_times: bool,

    /// Begin files anew that were broken off, instead of going on with what is there
    #[arg(long)]
    pub(crate) no_resume: bool,

    /// Flush downloads to the disk before they get their names, and their directories after it
    #[arg(long)]
    pub(crate) fsync: bool,

    /// Send what matches after everything else, and only if that went well; gitignore syntax, relative to SRC
    #[arg(long, value_name = "GLOB")]
    pub(crate) last: Vec<String>,

    /// Send every file under a temporary name first, then rename all of them in one go; none, if one can't be sent
    #[arg(long)]
    pub(crate) delay_updates: bool,

    /// Move what would be deleted or overwritten to DIR/<date and time>/ instead, on DST's side and file system. On a server, DIR is
    /// a path as in its URL; a DIR inside DST is no part of the mirror
    #[arg(long, value_name = "DIR")]
    pub(crate) backup_dir: Option<OsString>,

    /// Move no more bytes of files than this in a second, over all sessions: 500k, 1.5M, 1G, in powers of 1024; what goes
    /// from one URL to another counts twice [default: no limit]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) bwlimit: Option<NonZeroU64>,

    /// Fetch files larger than this over several sessions, where some would be idle otherwise [default: 64M, over lines of
    /// 4 ms and more]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) split_size: Option<NonZeroU64>,

    /// Keep what is known of both sides in so much memory: 64M, 1G; more goes to files without names in the directory that
    /// $TMPDIR names, else /var/tmp
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "256M")]
    pub(crate) memory: NonZeroU64,

    /// Where it is remembered what was the same on both sides [default: a file for these two places in the user's state
    /// directory]
    #[arg(long, value_name = "FILE", overrides_with = "no_state")]
    pub(crate) state: Option<PathBuf>,

    /// Remember it on the server instead (of two, on DST), in a file .oneway-state beside the mirror, for machines that start empty;
    /// not together with --state or --no-state
    #[arg(long, conflicts_with_all = ["state", "no_state"])]
    pub(crate) remote_state: bool,

    /// Lock DST on its server, for several machines that push to it: while one is at it, another ends with exit status 6. A machine
    /// that died loses the lock after five minutes
    #[arg(long)]
    pub(crate) remote_lock: bool,

    /// Take files of equal size as equal, remember them, and transfer nothing
    #[arg(long, conflicts_with_all = ["no_state", "delete", "compare"])]
    pub(crate) adopt: bool,

    /// Remember nothing: what differs is found by sizes and times alone
    #[arg(long, overrides_with = "state")]
    pub(crate) no_state: bool,

    /// Plan and print, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Stop cleanly after this long: what is finished is kept, the next run does the rest (exit status 3)
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    pub(crate) max_duration: Option<Duration>,

    /// The report's format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write the report to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write one more report to a file: html=diff.html, json=run.json, csv=…, text=…; may be given again
    #[arg(long, value_name = "FORMAT=FILE", value_parser = extra)]
    pub(crate) report: Vec<Extra>,

    /// Write what the run came to into FILE, for a Prometheus textfile collector; of jobs, all of the file
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// Encoding of names on servers: latin1, windows-1251, shift_jis, any that browsers know [default: UTF-8, else Latin-1
    /// where names are not UTF-8]
    #[arg(long, value_name = "NAME", value_parser = charset, help_heading = "Connection")]
    pub(crate) charset: Option<Charset>,

    /// How far the times of LIST are ahead of UTC: -05:00, +05:30, Z; auto finds it out where MDTM tells
    #[arg(long, value_name = "auto|±HH:MM", value_parser = time_offset, default_value = "auto", allow_hyphen_values = true,
        help_heading = "Connection")]
    pub(crate) time_offset: TimeOffset,

    #[command(flatten)]
    pub(crate) show: ShowArgs,

    #[command(flatten)]
    pub(crate) write: WriteArgs,

    /// Rules in the order in which they were typed.
    #[arg(skip)]
    pub(crate) rules: Vec<RuleArg>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) sync: SyncArgs,

    /// Below the root of the mirror; of what neither side has, one that ends in `/` is taken for a directory
    #[arg(value_name = "PATH")]
    pub(crate) path: OsString,
}

/// Read by [`rules`], in the order in which they were typed.
#[derive(Debug, Args)]
pub(crate) struct PatternArgs {
    /// Mirror what matches; gitignore syntax, relative to SRC; the first rule that matches decides
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,

    /// Leave alone what matches, on both sides; gitignore syntax, relative to SRC; the first rule that matches decides
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,

    /// Read rules from a file, one a line: a pattern is left alone, `!` before it mirrors it
    #[arg(long, value_name = "FILE")]
    filter_from: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Paths below the root of the mirror; one that ends in `/` is a directory
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<OsString>,

    /// Also read the .onewayignore files of this directory, the root of the mirror
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) patterns: PatternArgs,

    /// Rules in the order in which they were typed.
    #[arg(skip)]
    pub(crate) rules: Vec<RuleArg>,
}

/// One filter option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuleArg {
    Include(String),
    Exclude(String),
    File(PathBuf),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// Control sessions in parallel, 1 to 64; auto starts with 4 and adds more while they help, at most 10
    #[arg(short = 'j', long, value_name = "N|auto", value_parser = sessions, default_value = "auto")]
    pub(crate) sessions: Sessions,

    /// Tries of a failed operation after the first one, with growing pauses
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: u32,

    /// A silent connection is dead after this long
    #[arg(long, value_name = "DURATION", value_parser = timeout, default_value = "30s")]
    pub(crate) timeout: Duration,

    /// No connection within this long is a failure
    #[arg(long, value_name = "DURATION", value_parser = timeout, default_value = "10s")]
    pub(crate) connect_timeout: Duration,

    /// How directories are listed
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Listing::Auto)]
    pub(crate) listing: Listing,

    /// Protect the connections by TLS: not, where the server has it, or else send nothing [default: by URL: off for ftp://,
    /// require for ftpes:// and ftps://]
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) tls: Option<TlsWhen>,

    /// Trust the authorities whose certificates are in this PEM file instead of those this machine trusts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pin", "insecure"])]
    pub(crate) ca: Option<PathBuf>,

    /// Trust the server by the SHA-256 of its certificate and by nothing else, self-signed and expired ones too; may be given
    /// again
    #[arg(long, value_name = "SHA256", conflicts_with = "insecure")]
    pub(crate) pin: Vec<Pin>,

    /// A certificate to show to servers that ask for one, PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,

    /// The private key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,

    /// Trust any server: whoever is in between can read and change everything, passwords too
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Let the server open data connections
    #[arg(long, overrides_with = "passive")]
    pub(crate) active: bool,

    /// Open data connections from here (the default)
    #[arg(long, overrides_with = "active")]
    pub(crate) passive: bool,
}

/// What is written of a mirror beside its report.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct WriteArgs {
    /// Print each change, however many there are; else more than 100 are counted by directory
    #[arg(long)]
    pub(crate) all: bool,

    /// Append a line to a file for each thing that happens, with its time; with -vv, the trace, too
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,

    /// The log's format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LsFormat::Text)]
    pub(crate) log_format: LsFormat,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ShowArgs {
    /// Show progress on standard error: on a terminal, always, or never
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    pub(crate) progress: When,

    /// Print nothing but failures
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Also print each change and what was left alone; twice (-vv) traces every command and reply, secrets struck out
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    read(std::env::args_os())
}

fn read(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(words)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let Some((_, matches)) = matches.subcommand() {
        match &mut cli.command {
            Command::Sync(args) | Command::Diff(args) => args.rules = rules(matches),
            Command::Filter(args) => args.rules = rules(matches),
            Command::Explain(args) => args.sync.rules = rules(matches),
            _ => {}
        }
    }
    Ok(cli)
}

/// The options whose order counts among each other.
pub(crate) const RULES: [&str; 3] = ["include", "exclude", "filter_from"];

/// Returns the filter options in the order in which they were typed, since the first rule that matches decides.
pub(crate) fn rules(matches: &ArgMatches) -> Vec<RuleArg> {
    fn each<T: Clone + Send + Sync + 'static>(
        matches: &ArgMatches,
        id: &str,
        make: impl Fn(T) -> RuleArg,
    ) -> Vec<(usize, RuleArg)> {
        let indices = matches.indices_of(id).into_iter().flatten();
        let values = matches.get_many::<T>(id).into_iter().flatten();
        indices.zip(values.map(|value| make(value.clone()))).collect()
    }
    let mut all = each(matches, "include", RuleArg::Include);
    all.extend(each(matches, "exclude", RuleArg::Exclude));
    all.extend(each(matches, "filter_from", RuleArg::File));
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, rule)| rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn filter_options_keep_their_order() {
        let line = "oneway sync a ftp://h/ --exclude x --include=y --filter-from f --exclude z";
        let cli = read(line.split(' ').map(Into::into)).unwrap();
        let Command::Sync(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(
            args.rules,
            [
                RuleArg::Exclude("x".into()),
                RuleArg::Include("y".into()),
                RuleArg::File("f".into()),
                RuleArg::Exclude("z".into()),
            ]
        );
    }
}
