//! From values of TOML to strings, commands and settings, and what is wrong with each.

use std::ffi::OsStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::jobs::read::Known;
use crate::config::{
    At, CommandLine, KeyKind, OptionKey, OptionKind, OwnKey, Problem, Rule, Setting, Settings, duration,
    nearest,
};
use crate::model::escape;

pub(super) type Value<'i> = Spanned<DeValue<'i>>;

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) known: &'a Known<'a>,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    /// Reads the options of a table, and hands out the other keys.
    pub(super) fn section<'t>(
        &mut self,
        table: &'t DeTable<'_>,
        what: &str,
        own_keys: &'static [OwnKey],
        belongs: impl Fn(&OptionKey) -> bool,
    ) -> Section<'t> {
        let mut section = Section { own: Vec::new(), settings: Settings::default() };
        let mut rules = Vec::new();
        for (name, at, value) in self.entries(table) {
            if let Some(own) = own_keys.iter().find(|own| own.name == name) {
                match own.kind {
                    KeyKind::Lines => rules.push((0, self.filters(value))),
                    _ => section.own.push((own.name, at, value)),
                }
                continue;
            }
            let known = self.known.keys.iter().position(|key| key.name == name);
            let Some(position) = known else {
                let options = self.known.keys.iter().filter(|key| belongs(key)).map(|key| key.name.as_str());
                let hint = nearest(name, options.chain(own_keys.iter().map(|own| own.name)));
                self.say(at, format!("unknown key `{}` of {what}{hint}", escape(name.as_bytes())));
                continue;
            };
            let key = &self.known.keys[position];
            if !belongs(key) {
                self.say(at, format!("`{name}` belongs in a job or in [defaults], not in {what}"));
                continue;
            }
            let Some(setting) = self.setting(key, value) else { continue };
            match (key.kind, setting) {
                (OptionKind::Rule, Setting::Values(values)) => {
                    let rule = |(value, at)| Rule { option: name.to_owned(), value, at };
                    rules.push((position + 1, values.into_iter().map(rule).collect()));
                }
                (_, setting) => {
                    section.settings.options.insert(name.to_owned(), (setting, Some(at)));
                }
            }
        }
        // The keys of a table have no order in TOML, so theirs is always the same.
        rules.sort_by_key(|(position, _)| *position);
        section.settings.rules = rules.into_iter().flat_map(|(_, rules)| rules).collect();
        section
    }

    /// Reads rules as lines of a filter file.
    pub(super) fn filters(&mut self, value: &Value<'_>) -> Vec<Rule> {
        let mut rules = Vec::new();
        for value in items(value) {
            let at = self.at(value);
            let Some(line) = self.string(value) else { continue };
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (option, pattern) =
                line.strip_prefix('!').map_or(("exclude", line.as_str()), |pattern| ("include", pattern));
            self.check(at, option, OsStr::new(pattern));
            rules.push(Rule { option: option.to_owned(), value: pattern.into(), at: Some(at) });
        }
        rules
    }

    pub(super) fn setting(&mut self, key: &OptionKey, value: &Value<'_>) -> Option<Setting> {
        let at = self.at(value);
        let wrong = |reader: &mut Self, expected: &str| {
            reader.say(at, format!("`{}`: expected {expected}, not {}", key.name, kind(value.get_ref())));
            None
        };
        match (key.kind, value.get_ref()) {
            (OptionKind::Switch, DeValue::Boolean(on)) => Some(Setting::Switch(*on)),
            (OptionKind::Switch, _) => wrong(self, "true or false"),
            (OptionKind::Count, DeValue::Boolean(on)) => Some(Setting::Count(u8::from(*on))),
            (OptionKind::Count, _) => match whole(value).and_then(|count| u8::try_from(count).ok()) {
                Some(count) if count < 10 => Some(Setting::Count(count)),
                _ => wrong(self, "true, false or a small number"),
            },
            (OptionKind::Value, DeValue::Array(_)) => wrong(self, "one string"),
            _ => {
                let mut values = Vec::new();
                for item in items(value) {
                    let at = self.at(item);
                    let text = match item.get_ref() {
                        DeValue::String(text) => text.to_string(),
                        DeValue::Integer(_) => match whole(item) {
                            Some(number) => number.to_string(),
                            None => return wrong(self, "a smaller number"),
                        },
                        DeValue::Float(number) => number.to_string(),
                        _ if key.kind == OptionKind::Value => return wrong(self, "a string"),
                        _ => return wrong(self, "a string, or a list of strings"),
                    };
                    self.check(at, &key.name, OsStr::new(&text));
                    values.push((text.into(), Some(at)));
                }
                Some(Setting::Values(values))
            }
        }
    }

    pub(super) fn check(&mut self, at: At, name: &str, value: &OsStr) {
        if let Err(text) = (self.known.check)(name, value) {
            self.say(at, format!("`{name}`: {}", escape(text.as_bytes())));
        }
    }

    pub(super) fn required(
        &mut self,
        own: &[Own<'_>],
        name: &str,
        at: At,
        title: &str,
    ) -> Option<(String, At)> {
        match own.iter().find(|(key, ..)| *key == name) {
            Some((_, _, value)) => Some((self.string(value)?, self.at(value))),
            None => {
                self.say(at, format!("{title} has no `{name}`"));
                None
            }
        }
    }

    pub(super) fn own_text(&mut self, own: &[Own<'_>], name: &str) -> Option<String> {
        let (_, _, value) = own.iter().find(|(key, ..)| *key == name)?;
        self.string(value)
    }

    pub(super) fn own_duration(&mut self, own: &[Own<'_>], name: &str) -> Option<Duration> {
        let (_, _, value) = own.iter().find(|(key, ..)| *key == name)?;
        let text = match whole(value) {
            Some(seconds) => seconds.to_string(),
            None => self.string(value)?,
        };
        let read = duration(&text).and_then(|read| match read {
            Duration::ZERO => Err("expected a duration longer than nothing".to_owned()),
            read => Ok(read),
        });
        read.map_err(|text| {
            let at = self.at(value);
            self.say(at, escape(text.as_bytes()));
        })
        .ok()
    }

    pub(super) fn command(&mut self, value: &Value<'_>) -> Option<CommandLine> {
        let at = self.at(value);
        let line = match value.get_ref() {
            DeValue::String(text) => CommandLine::Shell(text.to_string()),
            DeValue::Array(words) => {
                CommandLine::Words(words.iter().map(|word| self.string(word)).collect::<Option<_>>()?)
            }
            other => {
                let kind = kind(other);
                self.say(at, format!("expected a string for the shell or a list of strings, not {kind}"));
                return None;
            }
        };
        let is_empty = match &line {
            CommandLine::Shell(text) => text.trim().is_empty(),
            CommandLine::Words(words) => words.first().is_none_or(String::is_empty),
        };
        if is_empty {
            self.say(at, "the command is empty");
            return None;
        }
        Some(line)
    }

    pub(super) fn string(&mut self, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                let at = self.at(value);
                self.say(at, format!("expected a string, not {}", kind(other)));
                None
            }
        }
    }

    pub(super) fn table<'t, 'i>(&mut self, value: &'t Value<'i>, name: &str) -> Option<&'t DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                let at = self.at(value);
                self.say(at, format!("expected a table [{name}], not {}", kind(other)));
                None
            }
        }
    }

    /// Returns the keys of a table in the order of the file.
    pub(super) fn entries<'t, 'i>(&self, table: &'t DeTable<'i>) -> Vec<(&'t str, At, &'t Value<'i>)> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| (key.get_ref().as_ref(), At::of(self.text, key.span().start), value))
            .collect()
    }

    pub(super) fn at(&self, value: &Value<'_>) -> At {
        At::of(self.text, value.span().start)
    }

    pub(super) fn say(&mut self, at: At, text: impl Into<String>) {
        self.problems.push(Problem::new(at, text));
    }
}

pub(super) type Own<'t> = (&'static str, At, &'t Value<'t>);

pub(super) struct Section<'t> {
    pub(super) own: Vec<Own<'t>>,
    pub(super) settings: Settings,
}

/// Returns the items of a list, or the one value that stands for a list of it.
pub(super) fn items<'t, 'i>(value: &'t Value<'i>) -> Vec<&'t Value<'i>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    }
}

pub(super) fn whole(value: &Value<'_>) -> Option<i128> {
    match value.get_ref() {
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
