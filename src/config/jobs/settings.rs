//! Options as one layer sets them, and what becomes of several layers.
//!
//! The nearest layer that sets an option decides it wholly. Rules of filters alone add up, since what one layer protects from deletion
//! must not lose that by a rule of another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};

use crate::config::At;

/// An option of a run that may be set in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionKey {
    /// Its name: that of the flag, without the dashes.
    pub name: String,
    /// What its values look like.
    pub kind: OptionKind,
    /// Whether it says something about a connection, and so may be said of a host.
    pub is_of_connection: bool,
    /// Options that can't stand beside it.
    pub excludes: Vec<String>,
}

/// What the values of an option look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// On or off.
    Switch,
    /// How many times it is given.
    Count,
    /// One value.
    Value,
    /// Any number of values.
    List,
    /// As `List`: rules of a filter, whose order counts.
    Rule,
}

/// What an option is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Of a switch.
    Switch(bool),
    /// Of a count.
    Count(u8),
    /// Of a value or a list; where each stands, if it stands in a file.
    Values(Vec<(OsString, Option<At>)>),
}

/// A rule of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The option it is given by: `include`, `exclude` or the like.
    pub option: String,
    /// Its value.
    pub value: OsString,
    /// Where it stands; `None` where that is no file.
    pub at: Option<At>,
}

/// The options that one layer sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// By name; beside it where it stands in a file.
    pub options: BTreeMap<String, (Setting, Option<At>)>,
    /// In their order.
    pub rules: Vec<Rule>,
}

/// Who sets an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `[defaults]` of the file.
    Defaults,
    /// `[host.NAME]`.
    Host(String),
    /// `[job.NAME]`.
    Job(String),
    /// A variable of the environment.
    Environment,
    /// The command line.
    Flag,
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("[defaults]"),
            Self::Host(name) => write!(f, "[host.{name}]"),
            Self::Job(name) => write!(f, "[job.{name}]"),
            Self::Environment => f.write_str("environment"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// What counts of several layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// Each option with who set it, from the farthest layer to the nearest.
    pub options: Vec<(String, Setting, Origin, Option<At>)>,
    /// Rules with who set them, those of the nearest layer first: the first that matches decides.
    pub rules: Vec<(Rule, Origin)>,
}

impl Effective {
    /// Lays `layers` over each other, the farthest first. An option gives way to a nearer one that it can't stand beside.
    pub fn of(layers: &[(Origin, &Settings)], keys: &[OptionKey]) -> Self {
        let mut effective = Self::default();
        for (origin, settings) in layers.iter().rev() {
            let nearer: Vec<String> = effective.options.iter().map(|(name, ..)| name.clone()).collect();
            let on: Vec<&str> = effective
                .options
                .iter()
                .filter(|(_, setting, ..)| !setting.is_off())
                .map(|(name, ..)| name.as_str())
                .collect();
            let on: Vec<String> = on.into_iter().map(str::to_owned).collect();
            let gives_way = |name: &String| on.iter().any(|other| exclude_each_other(name, other, keys));
            for (name, (setting, at)) in settings.options.iter().rev() {
                if !nearer.contains(name) && !gives_way(name) {
                    effective.options.push((name.clone(), setting.clone(), origin.clone(), *at));
                }
            }
            effective.rules.extend(settings.rules.iter().map(|rule| (rule.clone(), origin.clone())));
        }
        effective.options.reverse();
        effective
    }
}

impl Setting {
    /// Returns whether it is as if nothing were said.
    pub fn is_off(&self) -> bool {
        match self {
            Self::Switch(on) => !on,
            Self::Count(count) => *count == 0,
            Self::Values(values) => values.is_empty(),
        }
    }
}

fn exclude_each_other(a: &str, b: &str, keys: &[OptionKey]) -> bool {
    let excludes =
        |a: &str, b: &str| keys.iter().any(|key| key.name == a && key.excludes.iter().any(|name| name == b));
    excludes(a, b) || excludes(b, a)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: &str, excludes: &[&str]) -> OptionKey {
        let excludes = excludes.iter().map(|&name| name.to_owned()).collect();
        OptionKey { name: name.to_owned(), kind: OptionKind::Value, is_of_connection: false, excludes }
    }

    fn layer(options: &[(&str, &str)], rules: &[&str]) -> Settings {
        let value = |text: &str| match text {
            "on" | "off" => Setting::Switch(text == "on"),
            "" => Setting::Values(Vec::new()),
            _ => Setting::Values(vec![(text.into(), None)]),
        };
        Settings {
            options: options.iter().map(|(name, text)| ((*name).to_owned(), (value(text), None))).collect(),
            rules: rules
                .iter()
                .map(|rule| Rule { option: "exclude".to_owned(), value: (*rule).into(), at: None })
                .collect(),
        }
    }

    fn shown(effective: &Effective) -> Vec<String> {
        let options = effective.options.iter().map(|(name, setting, origin, _)| match setting {
            Setting::Values(values) => {
                let values: Vec<_> = values.iter().map(|(value, _)| value.to_string_lossy()).collect();
                format!("{name}={} {origin}", values.join(","))
            }
            other => format!("{name}={other:?} {origin}"),
        });
        let rules = effective.rules.iter().map(|(rule, origin)| format!("{} {origin}", rule.value.display()));
        options.chain(rules).collect()
    }

    #[test]
    fn the_nearest_layer_decides_and_rules_add_up() {
        let defaults = layer(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "on")], &["x"]);
        let job = layer(&[("a", "2"), ("c", ""), ("d", "off")], &["y", "z"]);
        let flags = layer(&[("a", "3")], &["w"]);
        let layers = [(Origin::Defaults, &defaults), (Origin::Job("j".into()), &job), (Origin::Flag, &flags)];
        assert_eq!(
            shown(&Effective::of(&layers, &[])),
            [
                "b=1 [defaults]",
                "c= [job.j]",
                "d=Switch(false) [job.j]",
                "a=3 command line",
                "w command line",
                "y [job.j]",
                "z [job.j]",
                "x [defaults]",
            ]
        );
    }

    #[test]
    fn what_cannot_stand_beside_something_nearer_gives_way() {
        let keys = [key("pin", &["insecure"]), key("ca", &["pin", "insecure"]), key("insecure", &[])];
        let defaults = layer(&[("ca", "f")], &[]);
        let host = layer(&[("pin", "p")], &[]);
        let flags = layer(&[("insecure", "on")], &[]);
        let off = layer(&[("insecure", "off")], &[]);
        let of = |layers: &[(Origin, &Settings)]| shown(&Effective::of(layers, &keys));
        let (far, near) = ((Origin::Defaults, &defaults), (Origin::Host("h".into()), &host));
        assert_eq!(of(&[far.clone(), near.clone()]), ["pin=p [host.h]"]);
        assert_eq!(of(&[far.clone(), (Origin::Flag, &flags)]), ["insecure=Switch(true) command line"]);
        // What is off excludes nothing.
        assert_eq!(
            of(&[far, (Origin::Flag, &off)]),
            ["ca=f [defaults]", "insecure=Switch(false) command line"]
        );
        // In one layer it is a mistake, which is not hidden.
        let both = layer(&[("ca", "f"), ("pin", "p")], &[]);
        assert_eq!(of(&[(Origin::Defaults, &both)]).len(), 2);
    }

    proptest! {
        #[test]
        fn each_option_that_is_set_anywhere_is_there_once(
            sets in prop::collection::vec(prop::collection::btree_map("[a-e]", "[0-9]", 0..5), 0..5),
        ) {
            let layers: Vec<Settings> = sets
                .iter()
                .map(|set| {
                    let pairs: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                    layer(&pairs, &[])
                })
                .collect();
            let layers: Vec<_> = layers.iter().map(|layer| (Origin::Defaults, layer)).collect();
            let effective = Effective::of(&layers, &[]);
            for name in ["a", "b", "c", "d", "e"] {
                let nearest = sets.iter().rev().find_map(|set| set.get(name));
                let found: Vec<_> = effective.options.iter().filter(|(option, ..)| option == name).collect();
                prop_assert_eq!(found.len(), usize::from(nearest.is_some()));
                if let (Some(nearest), Some((_, setting, ..))) = (nearest, found.first()) {
                    prop_assert_eq!(setting, &Setting::Values(vec![(nearest.into(), None)]));
                }
            }
        }
    }
}
