//! The options of `sync` as keys of a file. They are taken from the definition of the command line, so an option that is added there can
//! be set in a file, in the environment, and occurs in the schema.

use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args as _, Command, FromArgMatches as _};
use oneway::config::{Effective, OptionKey, OptionKind, Setting, Settings, resolve};
use oneway::filter::{Filter, Verdict};

use crate::args::{self, SyncArgs};

/// The heading of options that may be said of a host.
const OF_CONNECTION: &str = "Connection";

/// The options of `sync`, and what they take.
pub(crate) struct Options {
    /// As it is.
    command: Command,
    pub(crate) keys: Vec<OptionKey>,
}

impl Options {
    pub(crate) fn new() -> Self {
        let mut command = SyncArgs::augment_args(Command::new("sync").no_binary_name(true));
        command = command.disable_help_flag(true);
        command.build();
        let keys = of(&command).map(|(name, arg)| key(&command, name, arg)).collect();
        Self { command, keys }
    }

    /// Returns each option by its name.
    pub(crate) fn args(&self) -> impl Iterator<Item = (&str, &Arg)> {
        of(&self.command)
    }

    /// Says what is wrong with a value.
    pub(crate) fn check(&self, name: &str, value: &OsStr) -> Result<(), String> {
        let words = [word(name, value), "--".into(), "source".into(), "destination".into()];
        let Err(error) = self.command.clone().try_get_matches_from(words) else {
            let pattern = value.to_str().filter(|_| ["include", "exclude"].contains(&name));
            // A pattern is only read where filters are made.
            let read = pattern.map(|pattern| Filter::default().push(Verdict::Include, pattern));
            return read.transpose().map(drop).map_err(|e| e.to_string());
        };
        match error.kind() {
            ErrorKind::ValueValidation => {
                let cause = error.source().map_or_else(|| "not understood".to_owned(), ToString::to_string);
                let cause = cause.lines().collect::<Vec<_>>().join("; ");
                let value = value.to_string_lossy();
                Err(if cause.contains(&*value) { cause } else { format!("`{value}`: {cause}") })
            }
            ErrorKind::InvalidValue => {
                let valid = match error.get(ContextKind::ValidValue) {
                    Some(ContextValue::Strings(valid)) => valid.join(", "),
                    _ => "something".to_owned(),
                };
                Err(format!("expected one of {valid}, not `{}`", value.display()))
            }
            ErrorKind::InvalidUtf8 => Err("this is not UTF-8".to_owned()),
            // What it needs beside it is looked at when all of it is there.
            _ => Ok(()),
        }
    }

    /// Reads what counts of all layers as the arguments of a `sync`.
    pub(crate) fn read(
        &self,
        effective: &Effective,
        source: OsString,
        destination: OsString,
    ) -> Result<SyncArgs, Mismatch> {
        let mut words = Vec::new();
        for (name, setting, ..) in &effective.options {
            match setting {
                Setting::Switch(on) => words.extend(on.then(|| format!("--{name}").into())),
                Setting::Count(count) => {
                    words.extend((0..*count).map(|_| OsString::from(format!("--{name}"))));
                }
                Setting::Values(values) => words.extend(values.iter().map(|(value, _)| word(name, value))),
            }
        }
        words.extend(effective.rules.iter().map(|(rule, _)| word(&rule.option, &rule.value)));
        words.extend(["--".into(), source, destination]);
        let matches = self.command.clone().try_get_matches_from(words).map_err(|e| Mismatch::of(&e))?;
        let mut args = SyncArgs::from_arg_matches(&matches).map_err(|e| Mismatch::of(&e))?;
        args.rules = args::rules(&matches);
        Ok(args)
    }

    /// Makes the files that a layer of the file names relative to `dir`.
    pub(crate) fn resolve(&self, settings: &mut Settings, dir: &Path, home: Option<&Path>) {
        for (name, arg) in self.args() {
            let is_named = is_named_file(arg);
            if !is_file(arg) && !is_named {
                continue;
            }
            let in_place = |value: &mut OsString| {
                let Some(written) = value.to_str() else { return };
                let (before, written) = match written.split_once('=') {
                    Some((word, written)) if is_named => (format!("{word}="), written),
                    _ => (String::new(), written),
                };
                let mut resolved = OsString::from(before);
                resolved.push(resolve(written, dir, home));
                *value = resolved;
            };
            if let Some((Setting::Values(values), _)) = settings.options.get_mut(name) {
                values.iter_mut().for_each(|(value, _)| in_place(value));
            }
            let rules = settings.rules.iter_mut().filter(|rule| rule.option == name);
            rules.for_each(|rule| in_place(&mut rule.value));
        }
    }
}

/// Options that don't go together.
pub(crate) struct Mismatch {
    /// Their names.
    pub(crate) names: Vec<String>,
    pub(crate) text: String,
    /// Whether it is a value by itself, of which [`Options::check`] tells.
    pub(crate) is_of_value: bool,
}

impl Mismatch {
    fn of(error: &clap::Error) -> Self {
        let named = |kind| match error.get(kind) {
            Some(ContextValue::String(one)) => vec![one.clone()],
            Some(ContextValue::Strings(several)) => several.clone(),
            _ => Vec::new(),
        };
        let bare = |shown: String| {
            let name = shown.trim_start_matches('-');
            name.split([' ', '=']).next().unwrap_or(name).to_owned()
        };
        let [here, there] = [ContextKind::InvalidArg, ContextKind::PriorArg]
            .map(|kind| named(kind).into_iter().map(bare).collect::<Vec<_>>());
        let quoted =
            |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let text = match error.kind() {
            ErrorKind::ArgumentConflict => {
                format!("{} can't stand beside {}", quoted(&here), quoted(&there))
            }
            ErrorKind::MissingRequiredArgument => format!("{} is needed, too", quoted(&here)),
            _ => {
                let text = error.render().to_string();
                text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        };
        let is_of_value = matches!(
            error.kind(),
            ErrorKind::ValueValidation | ErrorKind::InvalidValue | ErrorKind::InvalidUtf8
        );
        Self { names: here.into_iter().chain(there).collect(), text, is_of_value }
    }
}

/// Returns whether an option names a file of this machine.
pub(crate) fn is_file(arg: &Arg) -> bool {
    let is_path = arg.get_value_parser().type_id() == std::any::TypeId::of::<PathBuf>();
    is_path && arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "FILE"))
}

/// Returns whether an option names a file behind a word, as in `html=FILE`.
fn is_named_file(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.ends_with("=FILE")))
}

fn of(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)))
}

fn key(command: &Command, name: &str, arg: &Arg) -> OptionKey {
    let kind = match arg.get_action() {
        ArgAction::SetTrue => OptionKind::Switch,
        ArgAction::Count => OptionKind::Count,
        ArgAction::Append if args::RULES.contains(&arg.get_id().as_str()) => OptionKind::Rule,
        ArgAction::Append => OptionKind::List,
        _ => OptionKind::Value,
    };
    let others = command.get_arg_conflicts_with(arg);
    OptionKey {
        name: name.to_owned(),
        kind,
        is_of_connection: arg.get_help_heading() == Some(OF_CONNECTION),
        excludes: others.into_iter().filter_map(Arg::get_long).map(str::to_owned).collect(),
    }
}

fn word(name: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_option_is_known_by_its_definition() {
        let options = Options::new();
        let key = |name: &str| options.keys.iter().find(|key| key.name == name).expect("it is an option");
        for (name, kind, is_of_connection) in [
            ("delete", OptionKind::Switch, false),
            ("verbose", OptionKind::Count, false),
            ("max-delete", OptionKind::Value, false),
            ("sessions", OptionKind::Value, true),
            ("charset", OptionKind::Value, true),
            ("pin", OptionKind::List, true),
            ("exclude", OptionKind::Rule, false),
            ("filter-from", OptionKind::Rule, false),
        ] {
            assert_eq!((key(name).kind, key(name).is_of_connection), (kind, is_of_connection), "{name}");
        }
        assert!(key("ca").excludes.contains(&"pin".to_owned()), "{:?}", key("ca"));
        assert!(options.keys.iter().all(|key| key.name != "help"));
    }

    #[test]
    fn values_are_checked_as_on_the_command_line() {
        let options = Options::new();
        let check = |name: &str, value: &str| options.check(name, OsStr::new(value)).err();
        assert_eq!(check("max-delete", "20"), None);
        assert_eq!(check("client-cert", "a.pem"), None);
        let neither = "`lots` is neither a number nor a percentage from 0% to 100%";
        assert_eq!(check("max-delete", "lots"), Some(neither.to_owned()));
        let words = "expected one of off, try, require, not `yes`";
        assert_eq!(check("tls", "yes"), Some(words.to_owned()));
    }
}
