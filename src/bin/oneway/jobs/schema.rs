//! The JSON Schema (draft 2020-12) of the file of jobs, for editors: made of the definition of the command line and of the tables of keys
//! that the reader has.

use clap::Arg;
use oneway::config::{DEFAULTS_KEYS, HOST_KEYS, JOB_KEYS, KeyKind, OptionKind, OwnKey};
use serde_json::{Map, Value, json};

use crate::jobs::options::Options;

/// Returns the schema.
pub(crate) fn schema(options: &Options) -> Value {
    let section = |title: &str, own: &[OwnKey], belongs: &dyn Fn(&str) -> bool| {
        let mut properties = Map::new();
        for key in own {
            properties.insert(key.name.to_owned(), own_key(key));
        }
        for (name, arg) in options.args().filter(|(name, _)| belongs(name)) {
            properties.insert(name.to_owned(), option(options, name, arg));
        }
        let required = own.iter().filter(|key| key.kind == KeyKind::Required).map(|key| key.name);
        json!({
            "type": "object",
            "description": title,
            "additionalProperties": false,
            "required": required.collect::<Vec<_>>(),
            "properties": properties,
        })
    };
    let is_of_connection =
        |name: &str| options.keys.iter().any(|key| key.name == name && key.is_of_connection);
    let named = |of: Value| {
        let names = json!({"pattern": "^[A-Za-z0-9_.-]+$"});
        json!({"type": "object", "propertyNames": names, "additionalProperties": of})
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Jobs of oneway",
        "type": "object",
        "additionalProperties": false,
        "required": ["version"],
        "properties": {
            "version": {"const": 1, "description": "The version of this format"},
            "defaults": section("What counts for all jobs that say nothing else", DEFAULTS_KEYS, &|_| true),
            "host": named(section("A server", HOST_KEYS, &is_of_connection)),
            "job": named(section("A mirror", JOB_KEYS, &|_| true)),
        },
    })
}

fn own_key(key: &OwnKey) -> Value {
    let text = || json!({"type": "string"});
    let mut schema = match key.kind {
        KeyKind::Text | KeyKind::Required | KeyKind::Schedule => text(),
        KeyKind::Port => json!({"type": "integer", "minimum": 1, "maximum": 65535}),
        KeyKind::OneOf(words) => json!({"enum": words}),
        KeyKind::Duration => json!({"type": ["string", "integer"]}),
        KeyKind::Command => json!({"anyOf": [text(), {"type": "array", "items": text(), "minItems": 1}]}),
        KeyKind::Lines => json!({"anyOf": [text(), {"type": "array", "items": text()}]}),
    };
    schema["description"] = key.doc.into();
    schema
}

fn option(options: &Options, name: &str, arg: &Arg) -> Value {
    let kind = options.keys.iter().find(|key| key.name == name).map(|key| key.kind);
    let words: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let value = || match words.is_empty() {
        true => json!({"type": ["string", "number"]}),
        false => json!({"enum": words}),
    };
    let mut schema = match kind {
        Some(OptionKind::Switch) => json!({"type": "boolean"}),
        Some(OptionKind::Count) => {
            json!({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 9}]})
        }
        Some(OptionKind::List | OptionKind::Rule) => {
            json!({"anyOf": [value(), {"type": "array", "items": value()}]})
        }
        Some(OptionKind::Value) | None => value(),
    };
    schema["description"] = arg.get_help().map(ToString::to_string).unwrap_or_default().into();
    if let [default] = arg.get_default_values()
        && arg.get_action().takes_values()
    {
        schema["default"] = default.to_string_lossy().into();
    }
    schema
}
