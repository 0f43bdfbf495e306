//! What `plan` and `apply` take: the options of `sync`, as far as each has to do with them.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, ValueEnum};
use oneway::config::Settings;
use oneway::plan::Shard;
use oneway::planfile::MOST_SHARDS;

use crate::args::{self, SyncArgs};
use crate::jobs::run_args::given;

/// Options that decide what is in a plan, so that they have nothing to say when it is carried out.
const DECIDING: &[&str] = &[
    "delete",
    "max-delete",
    "no-renames",
    "allow-empty-source",
    "fail-if",
    "update",
    "ignore-existing",
    "existing",
    "include",
    "exclude",
    "filter-from",
    "min-size",
    "max-size",
    "min-age",
    "max-age",
    "last",
    "adopt",
];

/// Options that stand in a plan and are obeyed as they stand there.
const FIXED: &[&str] = &[
    "compare",
    "modify-window",
    "links",
    "inplace",
    "no-times",
    "perms",
    "delay-updates",
    "backup-dir",
    "remote-state",
    "remote-lock",
    "charset",
    "time-offset",
];

/// Options that stand in a plan and may be given again, beside those of connections.
const REPEATABLE: &[&str] = &["no-resume", "fsync", "bwlimit", "split-size", "memory", "state", "no-state"];

/// Options that each command has for itself, beside those of its output. Whom to trust with anything is said each time.
const OWN: &[&str] = &["dry-run", "max-duration", "format", "output", "report", "metrics-file", "insecure"];

/// What an option of `sync` is to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Deciding,
    Fixed,
    Repeatable,
    Own,
}

fn role(arg: &Arg) -> Option<Role> {
    let name = arg.get_long()?;
    let listed =
        [(DECIDING, Role::Deciding), (FIXED, Role::Fixed), (REPEATABLE, Role::Repeatable), (OWN, Role::Own)];
    let listed = listed.into_iter().find(|(names, _)| names.contains(&name)).map(|(_, role)| role);
    listed.or_else(|| match arg.get_help_heading() {
        Some("Connection") => Some(Role::Repeatable),
        Some("Output") => Some(Role::Own),
        _ => None,
    })
}

/// Returns whether an option stands in a plan.
pub(crate) fn is_kept(arg: &Arg) -> bool {
    matches!(role(arg), Some(Role::Fixed | Role::Repeatable))
}

/// `plan SRC DST`, or `plan merge DIR`.
#[derive(Debug)]
pub(crate) enum PlanArgs {
    Make(Box<MakeArgs>),
    Merge(MergeArgs),
}

#[derive(Debug)]
pub(crate) struct MakeArgs {
    pub(crate) sync: SyncArgs,
    /// Where the plan goes.
    pub(crate) file: PathBuf,
    /// How many shares it is cut into; `None` keeps it in one file.
    pub(crate) shards: Option<NonZeroU32>,
    /// The options that were typed.
    pub(crate) given: Settings,
}

/// `plan merge`. A directory of that name is `./merge`.
const MERGE: &str = "merge";

impl Args for PlanArgs {
    fn augment_args(command: Command) -> Command {
        let shards = Arg::new("shards").long("shards").value_name("N").display_order(0);
        // Not under the last heading of those of `sync`.
        let shards = shards.help_heading(None::<&str>);
        let shards = shards.value_parser(|text: &str| number_of_shards(text));
        SyncArgs::augment_args(command)
            .mut_arg("output", |arg| {
                arg.required(true).help(
                    "Write the plan to this file, if nothing speaks against it; with --shards, to this directory, which is made \
                     [the report: --report]",
                )
            })
            // There is nothing to plan in it, and nothing else than a plan is made.
            .mut_arg("adopt", |arg| arg.hide(true))
            .mut_arg("dry_run", |arg| arg.hide(true))
            .arg(shards.help(
                "Cut the plan into N shares for several machines, even by files and bytes: `oneway apply` does --stage first, then \
                 --shard 1 to N at once, then --stage last, and `oneway plan merge` makes one report of all. --sessions and \
                 --bwlimit are for all of them together",
            ))
            .subcommand(MergeArgs::augment_args(Command::new(MERGE)).about(
                "Make one report of all parts of a plan for several machines, and remember what they did as a `sync` does",
            ))
            .subcommand_negates_reqs(true)
            .args_conflicts_with_subcommands(true)
            .disable_help_subcommand(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PlanArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if let Some((MERGE, matches)) = matches.subcommand() {
            return Ok(Self::Merge(MergeArgs::from_arg_matches(matches)?));
        }
        let mut sync = SyncArgs::from_arg_matches(matches)?;
        sync.rules = args::rules(matches);
        let file = sync.output.take().unwrap_or_default();
        let shards = matches.get_one("shards").copied();
        Ok(Self::Make(Box::new(MakeArgs { sync, file, shards, given: given(matches) })))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn number_of_shards(text: &str) -> Result<NonZeroU32, String> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let number = number.filter(|shards: &NonZeroU32| shards.get() <= MOST_SHARDS);
    number.ok_or_else(|| format!("`{text}` is no number from 1 to {MOST_SHARDS}"))
}

/// Options of `sync` that `plan merge` has: of its report, and where it remembers.
const MERGING: &[&str] =
    &["format", "output", "report", "all", "quiet", "verbose", "state", "no-state", "memory", "metrics-file"];

#[derive(Debug)]
pub(crate) struct MergeArgs {
    /// The directory of the plan.
    pub(crate) dir: PathBuf,
    /// The options that were typed.
    pub(crate) given: Settings,
}

impl Args for MergeArgs {
    fn augment_args(command: Command) -> Command {
        let dir = Arg::new("dir").value_name("DIR").required(true).value_parser(clap::value_parser!(PathBuf));
        let options = SyncArgs::augment_args(Command::new("sync"));
        let options =
            options.get_arguments().filter(|arg| arg.get_long().is_some_and(|name| MERGING.contains(&name)));
        command
            .arg(dir.help("The directory of a plan that `oneway plan --shards` made"))
            .args(options.cloned())
            .mut_arg("verbose", |arg| arg.help("Also print each change and what became of it"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for MergeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let dir = matches.get_one::<PathBuf>("dir").cloned().unwrap_or_default();
        Ok(Self { dir, given: given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// One share, of how many where that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardArg {
    /// `I/N`.
    Of(Shard),
    /// `I`.
    Number(u32),
}

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u32>().ok().filter(|_| is_number) {
            Some(number) => Ok(Self::Number(number)),
            None => text.parse().map(Self::Of).map_err(|e: oneway::plan::ShardError| e.to_string()),
        }
    }
}

/// What of a plan for several machines is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    First,
    Last,
}

#[derive(Debug)]
pub(crate) struct ApplyArgs {
    /// The plan.
    pub(crate) file: PathBuf,
    pub(crate) shard: Option<ShardArg>,
    pub(crate) stage: Option<Stage>,
    /// The options that were typed.
    pub(crate) given: Settings,
}

impl Args for ApplyArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("file").value_name("FILE").required(true);
        let shard = Arg::new("shard").long("shard").value_name("I[/N]").display_order(0);
        let stage = Arg::new("stage").long("stage").value_name("STAGE").display_order(0);
        let command = command
            .arg(file.value_parser(clap::value_parser!(PathBuf)).help(
                "A plan that `oneway plan` made, or the directory of one for several machines (--shards)",
            ))
            .arg(shard.value_parser(clap::value_parser!(ShardArg)).help(
                "Do one share of N, for several machines: of a directory, the I-th of those it was cut into [default there: by \
                 $SLURM_ARRAY_TASK_ID, from 1 on, or $JOB_COMPLETION_INDEX, from 0 on; else all of it]. Of a file, what comes \
                 last (deletions, --last) and what makes room for a directory is left to an apply without --shard",
            ))
            .arg(stage.value_parser(clap::value_parser!(Stage)).conflicts_with("shard").help(
                "Of a directory, do what must come before all shares (folders), or after them (deletions, --last)",
            ));
        let options = SyncArgs::augment_args(Command::new("sync"));
        let options =
            options.get_arguments().filter(|arg| matches!(role(arg), Some(Role::Repeatable | Role::Own)));
        command
            .args(options.cloned())
            .mut_arg("dry_run", |arg| arg.help("Say what would be done and what is stale, change nothing"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ApplyArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
        let (shard, stage) = (matches.get_one("shard").copied(), matches.get_one("stage").copied());
        Ok(Self { file, shard, stage, given: given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_option_is_to_a_plan_is_said_once() {
        let command = SyncArgs::augment_args(Command::new("sync"));
        let options: Vec<&Arg> = command.get_arguments().filter(|arg| arg.get_long().is_some()).collect();
        for arg in &options {
            assert!(role(arg).is_some(), "{arg}: does it decide what is in a plan, stand in it, or neither?");
        }
        let names: Vec<&str> = [DECIDING, FIXED, REPEATABLE, OWN].concat();
        for (i, name) in names.iter().enumerate() {
            assert!(options.iter().any(|arg| arg.get_long() == Some(name)), "{name}");
            assert!(!names[..i].contains(name), "{name}");
        }
        assert!(!options.iter().any(|arg| arg.get_long() == Some("insecure") && is_kept(arg)));
        for name in MERGING {
            assert!(options.iter().any(|arg| arg.get_long() == Some(name)), "{name}");
        }
    }

    #[test]
    fn a_share_is_a_number_alone_or_of_a_number() {
        assert_eq!("3".parse(), Ok(ShardArg::Number(3)));
        assert_eq!("3/8".parse(), Ok(ShardArg::Of("3/8".parse().unwrap())));
        for text in ["", "+3", "9/8", "99999999999", "x"] {
            assert!(text.parse::<ShardArg>().is_err(), "{text}");
        }
        assert_eq!(number_of_shards("16").map(NonZeroU32::get), Ok(16));
        for text in ["0", "", "10000", "+3", "-1"] {
            assert!(number_of_shards(text).is_err(), "{text}");
        }
    }
}
