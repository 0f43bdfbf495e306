//! What counts for a job, and where each value comes from. Passwords are named by their source alone.

use std::io::{self, Write};

use oneway::config::{CommandLine, Host, PasswordSource, Place, Setting};
use oneway::model::escape;

use crate::jobs::load::Loaded;
use crate::jobs::options::Options;
use crate::jobs::prepare::Prepared;

/// Prints one value a line: name, value, origin.
pub(crate) fn print(
    prepared: &Prepared<'_>,
    loaded: &Loaded,
    options: &Options,
    out: &mut impl Write,
) -> io::Result<()> {
    let job = prepared.job;
    let mut rows = Vec::new();
    let file = |at| loaded.place(at);
    let origin_of_job = format!("[job.{}]", job.name);
    let args = &prepared.args;
    for (name, place, target) in
        [("source", &args.source, &job.source), ("destination", &args.destination, &job.destination)]
    {
        let shown = match Place::from_argument(place) {
            Ok(Place::Ftp { name, .. }) => name,
            _ => escape(place.as_encoded_bytes()),
        };
        rows.push((name.to_owned(), shown, format!("{origin_of_job} {}", file(target.at))));
    }
    let mut hosts: Vec<&Host> = prepared.hosts.iter().flatten().copied().collect();
    hosts.dedup();
    for host in hosts {
        let Some((source, at)) = &host.password else { continue };
        let shown = match source {
            PasswordSource::Literal(_) => "in this file".to_owned(),
            PasswordSource::Env(variable) => format!("${variable}"),
            PasswordSource::File(path) => path.clone(),
            PasswordSource::Command(line) => format!("first line of {}", command(line)),
        };
        rows.push(("password".to_owned(), shown, format!("[host.{}] {}", host.name, file(*at))));
    }
    for (name, arg) in options.args() {
        let set = prepared.effective.options.iter().find(|(option, ..)| option == name);
        let rules: Vec<_> = prepared.effective.rules.iter().filter(|(rule, _)| rule.option == name).collect();
        if let Some((_, setting, origin, at)) = set {
            let place = at.map_or_else(String::new, |at| format!(" {}", file(at)));
            rows.push((name.to_owned(), shown(setting), format!("{origin}{place}")));
        } else if rules.is_empty() {
            let default: Vec<_> =
                arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            let default = match (default.is_empty(), arg.get_action().takes_values()) {
                (false, true) => default.join(", "),
                (_, true) => "unset".to_owned(),
                (_, false) => "off".to_owned(),
            };
            rows.push((name.to_owned(), default, "built in".to_owned()));
        }
    }
    // In the order in which they are tried.
    for (rule, origin) in &prepared.effective.rules {
        let place = rule.at.map_or_else(String::new, |at| format!(" {}", file(at)));
        let value = escape(rule.value.as_encoded_bytes());
        rows.push((rule.option.clone(), value, format!("{origin}{place}")));
    }
    for (name, line, of_job) in [
        ("on_change", &prepared.hooks.change, &job.hooks.change),
        ("on_success", &prepared.hooks.success, &job.hooks.success),
        ("on_failure", &prepared.hooks.failure, &job.hooks.failure),
    ] {
        let origin = if of_job.is_some() { origin_of_job.as_str() } else { "[defaults]" };
        rows.extend(line.as_ref().map(|line| (name.to_owned(), command(line), origin.to_owned())));
    }
    let widths = [0, 1].map(|column| {
        let width = |row: &(String, String, String)| [&row.0, &row.1][column].chars().count();
        rows.iter().map(width).max().unwrap_or(0).min(40)
    });
    writeln!(out, "[job.{}]", job.name)?;
    for (name, value, origin) in rows {
        writeln!(out, "  {name:0$}  {value:1$}  {origin}", widths[0], widths[1])?;
    }
    Ok(())
}

fn shown(setting: &Setting) -> String {
    match setting {
        Setting::Switch(true) => "on".to_owned(),
        Setting::Switch(false) => "off".to_owned(),
        Setting::Count(count) => count.to_string(),
        Setting::Values(values) if values.is_empty() => "none".to_owned(),
        Setting::Values(values) => {
            let values = values.iter().map(|(value, _)| escape(value.as_encoded_bytes()));
            values.collect::<Vec<_>>().join(", ")
        }
    }
}

fn command(line: &CommandLine) -> String {
    match line {
        CommandLine::Shell(text) => escape(text.as_bytes()),
        CommandLine::Words(words) => escape(words.join(" ").as_bytes()),
    }
}
