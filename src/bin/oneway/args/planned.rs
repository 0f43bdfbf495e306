//! What `plan` and `apply` take: the options of `sync`, as far as each has to do with them.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use oneway::config::Settings;
use oneway::plan::Shard;

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

#[derive(Debug)]
pub(crate) struct PlanArgs {
    pub(crate) sync: SyncArgs,
    /// Where the plan goes.
    pub(crate) file: PathBuf,
    /// The options that were typed.
    pub(crate) given: Settings,
}

impl Args for PlanArgs {
    fn augment_args(command: Command) -> Command {
        SyncArgs::augment_args(command)
            .mut_arg("output", |arg| {
                arg.required(true)
                    .help("Write the plan to this file, if nothing speaks against it [the report: --report]")
            })
            // There is nothing to plan in it, and nothing else than a plan is made.
            .mut_arg("adopt", |arg| arg.hide(true))
            .mut_arg("dry_run", |arg| arg.hide(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PlanArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut sync = SyncArgs::from_arg_matches(matches)?;
        sync.rules = args::rules(matches);
        let file = sync.output.take().unwrap_or_default();
        Ok(Self { sync, file, given: given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct ApplyArgs {
    /// The plan.
    pub(crate) file: PathBuf,
    pub(crate) shard: Option<Shard>,
    /// The options that were typed.
    pub(crate) given: Settings,
}

impl Args for ApplyArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("file").value_name("FILE").required(true);
        let shard = Arg::new("shard").long("shard").value_name("I/N").display_order(0);
        let command = command
            .arg(file.value_parser(clap::value_parser!(PathBuf)).help("A plan that `oneway plan` made"))
            .arg(shard.value_parser(clap::value_parser!(Shard)).help(
                "Do one share of N, for several machines. What comes last (deletions, --last) and what makes room for a \
                 directory is left to an apply without --shard",
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
        Ok(Self { file, shard: matches.get_one("shard").copied(), given: given(matches) })
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
    }
}
