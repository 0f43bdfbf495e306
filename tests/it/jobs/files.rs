//! The files in `config/`, which people copy, and the schema that editors read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use crate::support::Sandbox;

fn shipped() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let files = fs::read_dir(dir).expect("config/ is there").map(|entry| entry.expect("readable").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn schema(sandbox: &Sandbox) -> Value {
    let output = sandbox.oneway(["config", "schema"]).expect_status(0);
    serde_json::from_str(&output.stdout).expect("the schema is JSON")
}

#[test]
fn every_file_that_ships_is_right_and_fits_the_schema() {
    let sandbox = Sandbox::new();
    let schema = schema(&sandbox);
    sandbox
        .tree("home/.config/oneway", crate::support::files! {"partner.password" => "secret"})
        .set_mode("partner.password", 0o600);
    assert!(shipped().len() > 3);
    for path in shipped() {
        let file = path.to_str().expect("its name is ASCII");
        let output = sandbox.oneway(["config", "check", "--config", file]).expect_status(0);
        assert!(output.stdout.starts_with("ok: "), "{output}");
        let text = fs::read_to_string(&path).unwrap();
        let value = json_of(&DeTable::parse(&text).unwrap().into_inner());
        assert_eq!(misfits(&value, &schema, file), [""; 0]);
    }
}

#[test]
fn the_file_of_everything_has_every_key_and_what_is_commented_out_is_right_too() {
    let sandbox = Sandbox::new();
    let schema = schema(&sandbox);
    let path = shipped().into_iter().find(|path| path.ends_with("full.toml")).expect("it is there");
    let text = fs::read_to_string(path).unwrap();
    let sections = sections(&text);
    let keys = |section: &str| sections[section].iter().map(|(key, ..)| key.clone()).collect::<BTreeSet<_>>();
    let known =
        |section: &Value| section["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let properties = &schema["properties"];
    let (host, job) =
        (&properties["host"]["additionalProperties"], &properties["job"]["additionalProperties"]);
    assert_eq!(keys("host.web"), known(host));
    // What may be said of a host is there.
    let of_job: BTreeSet<_> = known(job).difference(&known(host)).cloned().collect();
    let there: BTreeSet<_> = keys("job.site").union(&keys("defaults")).cloned().collect();
    let missing: Vec<_> = of_job.difference(&there).collect();
    assert_eq!(missing, Vec::<&String>::new(), "config/full.toml lacks keys");
    for (section, lines) in &sections {
        for (key, line, is_commented_out) in lines {
            if !is_commented_out {
                continue;
            }
            let text = format!("x = 1\n{line}");
            let value = json_of(&DeTable::parse(&text).unwrap().into_inner());
            let of = if section == "host.web" { host } else { job };
            let place = format!("{section}.{key}");
            assert_eq!(misfits(&value[key.as_str()], &of["properties"][key.as_str()], &place), [""; 0]);
        }
    }
}

/// Returns the keys of each section with their lines, and whether they are commented out.
fn sections(text: &str) -> BTreeMap<String, Vec<(String, String, bool)>> {
    let mut sections: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.to_owned();
            continue;
        }
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let Some((key, _)) = bare.split_once(" = ") else { continue };
        if key.bytes().all(|b| b.is_ascii_lowercase() || b"-_".contains(&b)) {
            let entry = (key.to_owned(), bare.to_owned(), bare != line);
            sections.entry(current.clone()).or_default().push(entry);
        }
    }
    sections
}

#[test]
fn the_schema_has_every_option_of_sync() {
    let sandbox = Sandbox::new();
    let schema = schema(&sandbox);
    let help = sandbox.oneway(["sync", "--help"]).expect_status(0).stdout;
    let properties = schema["properties"]["job"]["additionalProperties"]["properties"].as_object().unwrap();
    let mut count = 0;
    for word in help.split_whitespace().filter(|word| word.starts_with("--")) {
        let name = word.trim_start_matches('-');
        let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(name.len());
        if !["help", ""].contains(&&name[..end]) {
            assert!(properties.contains_key(&name[..end]), "{word}");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let sandbox = Sandbox::new();
    let schema = schema(&sandbox);
    for (line, misfit) in [
        ("delete = true", ""),
        ("delete = 'yes'", "job.a.delete is no boolean"),
        ("deleet = true", "job.a has no deleet"),
        ("compare = 'sice'", "job.a.compare is none of"),
        ("exclude = ['a', 'b']", ""),
        ("exclude = [true]", "job.a.exclude fits nothing of"),
        ("verbose = 99", "job.a.verbose fits nothing of"),
        ("retries = 3", ""),
        ("on_change = []", "job.a.on_change fits nothing of"),
    ] {
        let text = format!("version = 1\n[job.a]\nsource = 's'\ndestination = 'ftp://h/'\n{line}");
        let value = json_of(&DeTable::parse(&text).unwrap().into_inner());
        let found = misfits(&value, &schema, "");
        match misfit {
            "" => assert_eq!(found, [""; 0], "{line}"),
            _ => assert!(found.iter().any(|found| found.starts_with(misfit)), "{line}: {found:?}"),
        }
        fs::write(sandbox.path("work/oneway.toml"), &text).unwrap();
        sandbox.oneway(["config", "check"]).expect_status(if misfit.is_empty() { 0 } else { 2 });
    }
}

#[test]
fn a_check_tells_all_that_is_wrong_and_looks_into_the_files_that_are_named() {
    let sandbox = Sandbox::new();
    let dir = sandbox.tree(
        "work",
        crate::support::files! {
            "bad.filter" => "fine\n[z-a]\n",
            "no.pem" => "nothing",
            "open" => "secret",
        },
    );
    dir.set_mode("open", 0o644);
    dir.write(
        "oneway.toml",
        "version = 1
[host.web]
address = 'h'
user = 'u'
password_file = 'open'
timeout = 'soon'
[job.a]
source = 's'
destination = 'web:x'
filter-from = ['missing.filter']
schedule = '0 25 * * *'
",
    );
    let output = sandbox.oneway(["config", "check"]).expect_status(2);
    let told: Vec<_> = output.stderr.lines().collect();
    assert_eq!(told.len(), 4, "{output}");
    for (line, text) in told.iter().zip([
        "oneway.toml:5:1: others can read",
        "oneway.toml:6:11: `timeout`: `soon` is not a duration",
        "oneway.toml:10:16: cannot read",
        "oneway.toml:11:12: `25` is no hour",
    ]) {
        assert!(line.contains(text), "{output}");
    }
    for (line, told) in [
        ("filter-from = 'bad.filter'", "oneway.toml:5:15: "),
        ("ca = 'no.pem'", "oneway.toml:5:6: "),
        ("exclude = ['ok', '[z-a]']", "oneway.toml:5:18: "),
    ] {
        dir.write(
            "oneway.toml",
            format!("version = 1\n[job.a]\nsource = 's'\ndestination = 'ftps://h/'\n{line}\n"),
        );
        sandbox.oneway(["config", "check"]).expect_status(2).tells(&[told]);
    }
}

/// As JSON, for what a schema is about.
fn json_of(table: &DeTable<'_>) -> Value {
    fn value(of: &DeValue<'_>) -> Value {
        match of {
            DeValue::String(text) => json!(text),
            DeValue::Integer(number) => json!(i64::from_str_radix(number.as_str(), number.radix()).unwrap()),
            DeValue::Float(number) => json!(number.as_str().parse::<f64>().unwrap()),
            DeValue::Boolean(on) => json!(on),
            DeValue::Datetime(time) => json!(time.to_string()),
            DeValue::Array(items) => items.iter().map(|item| value(item.get_ref())).collect(),
            DeValue::Table(table) => json_of(table),
        }
    }
    table
        .iter()
        .map(|(key, of)| (key.get_ref().to_string(), value(of.get_ref())))
        .collect::<Map<_, _>>()
        .into()
}

/// Returns what of a value doesn't fit a schema, in the part of JSON Schema that ours uses; any other word in it is told, too.
fn misfits(value: &Value, schema: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, rule) in schema.as_object().unwrap_or_else(|| panic!("no schema for {place}")) {
        let fits = match word.as_str() {
            "$schema" | "title" | "description" | "default" => true,
            "type" => {
                let types: Vec<_> = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                let is = |name: &Value| match name.as_str().unwrap_or_default() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    other => panic!("{place}: type {other}"),
                };
                if !types.iter().any(is) {
                    found.push(format!("{place} is no {}", rule.as_str().unwrap_or("such thing")));
                }
                true
            }
            "enum" => {
                rule.as_array().unwrap().contains(value) || {
                    found.push(format!("{place} is none of {rule}"));
                    true
                }
            }
            "const" => rule == value,
            "anyOf" => {
                let any = rule.as_array().unwrap().iter().any(|rule| misfits(value, rule, place).is_empty());
                if !any {
                    found.push(format!("{place} fits nothing of {rule}"));
                }
                true
            }
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "items" => {
                let items = value.as_array().into_iter().flatten();
                found.extend(items.flat_map(|item| misfits(item, rule, place)));
                true
            }
            "required" => {
                let names = rule.as_array().unwrap().iter().filter_map(Value::as_str);
                found.extend(
                    names
                        .filter(|name| value.get(name).is_none())
                        .map(|name| format!("{place} lacks {name}")),
                );
                true
            }
            // Names of hosts and jobs: letters, digits, and a few others.
            "propertyNames" => value.as_object().is_none_or(|object| {
                let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
                object.keys().all(|key| key.chars().all(plain))
            }),
            "properties" | "additionalProperties" => true,
            other => panic!("{place}: the schema uses {other}"),
        };
        if !fits {
            found.push(format!("{place} is against {word}"));
        }
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let deeper = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        match (schema.get("properties").and_then(|all| all.get(key)), schema.get("additionalProperties")) {
            (Some(of), _) => found.extend(misfits(inner, of, &deeper)),
            (None, Some(Value::Bool(false))) => found.push(format!("{place} has no {key}")),
            (None, Some(of @ Value::Object(_))) => found.extend(misfits(inner, of, &deeper)),
            (None, _) => {}
        }
    }
    found
}
