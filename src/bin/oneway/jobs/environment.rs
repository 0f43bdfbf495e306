//! Options from variables of the environment: `ONEWAY_MAX_DELETE` is `--max-delete`. A list has a line for each of its values.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use oneway::config::{OptionKind, Rule, Setting, Settings, nearest};
use oneway::model::escape;

use crate::commands::logins::PASSWORD_VARIABLE;
use crate::jobs::options::Options;
use crate::ui::say::complain;

const PREFIX: &str = "ONEWAY_";

/// Reads `variables`; what is wrong comes as one line for each.
pub(crate) fn settings(
    options: &Options,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> (Settings, Vec<String>) {
    let mut settings = Settings::default();
    let mut problems = Vec::new();
    let mut variables: Vec<_> = variables.collect();
    variables.sort();
    for (variable, value) in variables {
        let Some(variable) = variable.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let name = variable[PREFIX.len()..].to_ascii_lowercase().replace('_', "-");
        let Some(key) = options.keys.iter().find(|key| key.name == name) else {
            let hint = nearest(&name, options.keys.iter().map(|key| key.name.as_str()));
            let is_ours = variable == PASSWORD_VARIABLE || super::hooks::VARIABLES.contains(&variable);
            if !is_ours && !hint.is_empty() {
                complain!("warning: {variable} sets no option{}", hint.replace('`', ""));
            }
            continue;
        };
        let mut wrong = |text: String| problems.push(format!("{variable}: {}", escape(text.as_bytes())));
        let setting = match key.kind {
            OptionKind::Switch => match switch(&value) {
                Some(on) => Setting::Switch(on),
                None => {
                    wrong("expected true or false".to_owned());
                    continue;
                }
            },
            OptionKind::Count => {
                match value.to_str().and_then(|text| text.parse().ok()).filter(|&n| n < 10) {
                    Some(count) => Setting::Count(count),
                    None => {
                        wrong("expected a small number".to_owned());
                        continue;
                    }
                }
            }
            OptionKind::Value => Setting::Values(vec![(value, None)]),
            OptionKind::List | OptionKind::Rule => {
                let lines = value.as_bytes().split(|&b| b == b'\n').filter(|line| !line.is_empty());
                Setting::Values(lines.map(|line| (OsStr::from_bytes(line).to_owned(), None)).collect())
            }
        };
        if let Setting::Values(values) = &setting {
            for text in values.iter().filter_map(|(value, _)| options.check(&name, value).err()) {
                wrong(text);
            }
        }
        match (key.kind, setting) {
            (OptionKind::Rule, Setting::Values(values)) => {
                let rule = |(value, at)| Rule { option: name.clone(), value, at };
                settings.rules.extend(values.into_iter().map(rule));
            }
            (_, setting) => {
                settings.options.insert(name, (setting, None));
            }
        }
    }
    (settings, problems)
}

fn switch(value: &OsStr) -> Option<bool> {
    match value.to_str()?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
        settings(&Options::new(), variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_variable_is_named_as_its_option() {
        let (settings, problems) = read(&[
            ("ONEWAY_DELETE", "yes"),
            ("ONEWAY_NO_TIMES", "0"),
            ("ONEWAY_MAX_DELETE", "7"),
            ("ONEWAY_EXCLUDE", "a\n/b/\n"),
            ("ONEWAY_VERBOSE", "2"),
            ("ONEWAY_PASSWORD", "secret"),
            ("ONEWAY_JOB", "outer"),
            ("DELETE", "no"),
        ]);
        assert_eq!(problems, [""; 0]);
        assert_eq!(settings.options["delete"].0, Setting::Switch(true));
        assert_eq!(settings.options["no-times"].0, Setting::Switch(false));
        assert_eq!(settings.options["max-delete"].0, Setting::Values(vec![("7".into(), None)]));
        assert_eq!(settings.options["verbose"].0, Setting::Count(2));
        assert_eq!(settings.options.len(), 4);
        assert_eq!(settings.rules.iter().map(|rule| &rule.value).collect::<Vec<_>>(), ["a", "/b/"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_variable() {
        let (_, problems) =
            read(&[("ONEWAY_DELETE", "perhaps"), ("ONEWAY_RETRIES", "many"), ("ONEWAY_VERBOSE", "x")]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("ONEWAY_DELETE: expected true or false"), "{problems:?}");
        assert!(problems[1].starts_with("ONEWAY_RETRIES: "), "{problems:?}");
    }
}
