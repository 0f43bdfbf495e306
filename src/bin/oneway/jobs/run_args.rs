//! The arguments of `oneway run`: names of jobs, and the options of `sync`, which count more than what the file says.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use oneway::config::{Rule, Setting, Settings};

use crate::args::{self, RuleArg, SyncArgs};

#[derive(Debug)]
pub(crate) struct RunArgs {
    pub(crate) jobs: Vec<String>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) show: bool,
    /// The options that were typed.
    pub(crate) given: Settings,
}

/// As every command that reads the file has it.
#[derive(Debug, Args)]
pub(crate) struct ConfigArg {
    /// The file of jobs [default: ./oneway.toml, then oneway/oneway.toml in the user's config directory]
    #[arg(long, value_name = "FILE", display_order = 0)]
    pub(crate) config: Option<PathBuf>,
}

impl Args for RunArgs {
    fn augment_args(command: Command) -> Command {
        let jobs = Arg::new("jobs").value_name("JOB").action(ArgAction::Append);
        let show = Arg::new("show").long("show").action(ArgAction::SetTrue).display_order(1);
        let command = command
            .arg(jobs.help("Names of jobs in the file; all of them where none is named"))
            .arg(show.help("Print each option's value and where it comes from, and run nothing"));
        // Without the places, which the jobs have.
        let options = SyncArgs::augment_args(Command::new("sync"));
        let options = options.get_arguments().filter(|arg| !arg.is_positional()).cloned();
        ConfigArg::augment_args(command).args(options)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RunArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let jobs = matches.get_many::<String>("jobs").into_iter().flatten().cloned().collect();
        let ConfigArg { config } = ConfigArg::from_arg_matches(matches)?;
        Ok(Self { jobs, config, show: matches.get_flag("show"), given: given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns those options of `sync` that were typed, of a command that has some of them.
pub(crate) fn given(matches: &ArgMatches) -> Settings {
    let mut settings = Settings::default();
    let options = SyncArgs::augment_args(Command::new("sync"));
    for arg in options.get_arguments() {
        let (Some(name), id) = (arg.get_long(), arg.get_id().as_str()) else { continue };
        let has_it = matches.try_contains_id(id).is_ok();
        if !has_it || matches.value_source(id) != Some(ValueSource::CommandLine) || args::RULES.contains(&id)
        {
            continue;
        }
        let setting = match arg.get_action() {
            ArgAction::SetTrue => Setting::Switch(matches.get_flag(id)),
            ArgAction::Count => Setting::Count(matches.get_count(id)),
            _ => {
                let raw = matches.get_raw(id).into_iter().flatten();
                Setting::Values(raw.map(|value| (value.to_owned(), None)).collect())
            }
        };
        settings.options.insert(name.to_owned(), (setting, None));
    }
    let has_rules = args::RULES.iter().all(|id| matches.try_contains_id(id).is_ok());
    settings.rules =
        if has_rules { args::rules(matches) } else { Vec::new() }.into_iter().map(rule).collect();
    settings
}

fn rule(rule: RuleArg) -> Rule {
    let (option, value): (_, OsString) = match rule {
        RuleArg::Include(pattern) => ("include", pattern.into()),
        RuleArg::Exclude(pattern) => ("exclude", pattern.into()),
        RuleArg::File(path) => ("filter-from", path.into()),
    };
    Rule { option: option.to_owned(), value, at: None }
}
