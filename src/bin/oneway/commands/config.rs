//! `oneway config check` and `oneway config schema`.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use chrono::Utc;
use clap::Subcommand;
use oneway::config::{At, PasswordSource, Problem, Setting, Settings, resolve};

use crate::commands::sync;
use crate::exit;
use crate::jobs::load::{self, Loaded};
use crate::jobs::options::{self, Options};
use crate::jobs::password;
use crate::jobs::prepare::{Above, Prepared, prepare};
use crate::jobs::run_args::ConfigArg;
use crate::jobs::schema;
use crate::schedule::When;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the TOML file, and with the files it names; nothing is connected to
    Check(ConfigArg),
    /// Print the JSON Schema (draft 2020-12) of the TOML file, for editors
    Schema,
}

pub(crate) fn run(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let options = Options::new();
    let mut out = io::stdout().lock();
    match command {
        ConfigCommand::Schema => {
            serde_json::to_writer_pretty(&mut out, &schema::schema(&options)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        ConfigCommand::Check(args) => {
            let loaded = load::load(args.config.as_deref(), &options)?;
            let mut problems = loaded.problems.clone();
            problems.extend(further(&loaded, &options));
            problems.sort();
            problems.dedup();
            if !problems.is_empty() {
                loaded.complain_of(&problems);
                return Ok(ExitCode::from(exit::USAGE));
            }
            let count = |count: usize, what: &str| match count {
                1 => format!("1 {what}"),
                _ => format!("{count} {what}s"),
            };
            let (jobs, hosts) = (loaded.file.jobs.len(), loaded.file.hosts.len());
            writeln!(out, "ok: {}, {}", count(jobs, "job"), count(hosts, "host"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what is wrong with options that don't go together, and with files that are named.
fn further(loaded: &Loaded, options: &Options) -> Vec<Problem> {
    let nothing = Settings::default();
    let above = Above { environment: &nothing, flags: &nothing };
    let mut problems = missing_files(loaded);
    let are_files_there = problems.is_empty();
    for job in &loaded.file.jobs {
        if let Err(why) = When::of(job, Utc::now()) {
            problems.push(Problem::new(job.at, format!("[job.{}]: {why}", job.name)));
        }
        match prepare(loaded, job, options, &above) {
            Err(problem) => problems.extend(problem),
            // Whether their content is right.
            Ok(prepared) if are_files_there => {
                if let Err(e) = sync::check(&prepared.args, &prepared.source_args) {
                    let text = format!("{e:#}");
                    let at = place_of(&text, &prepared, options).unwrap_or(job.at);
                    problems.push(Problem::new(at, text));
                }
            }
            Ok(_) => {}
        }
    }
    problems
}

/// Returns which files that are to be read can't be.
fn missing_files(loaded: &Loaded) -> Vec<Problem> {
    let file = &loaded.file;
    let layers = [&file.defaults].into_iter().chain(file.hosts.iter().map(|host| &host.settings));
    let mut problems = Vec::new();
    for settings in layers.chain(file.jobs.iter().map(|job| &job.settings)) {
        let options = settings.options.iter().filter(|(name, _)| INPUTS.contains(&name.as_str()));
        let values = options.filter_map(|(_, (setting, _))| match setting {
            Setting::Values(values) => Some(values.iter().map(|(value, at)| (value, *at))),
            Setting::Switch(_) | Setting::Count(_) => None,
        });
        let rules = settings.rules.iter().filter(|rule| INPUTS.contains(&rule.option.as_str()));
        for (path, at) in values.flatten().chain(rules.map(|rule| (&rule.value, rule.at))) {
            if let (Err(e), Some(at)) = (File::open(path), at) {
                problems.push(Problem::new(at, format!("cannot read {}: {e}", path.display())));
            }
        }
    }
    for host in &file.hosts {
        if let Some((PasswordSource::File(written), at)) = &host.password {
            let file = resolve(written, &loaded.dir, loaded.home.as_deref());
            problems.extend(password::check_file(&file).err().map(|text| Problem::new(*at, text)));
        }
    }
    problems
}

/// Options that name a file to be read.
const INPUTS: [&str; 4] = ["ca", "client-cert", "client-key", "filter-from"];

/// Returns where the file stands that a message names, or the pattern.
fn place_of(text: &str, prepared: &Prepared<'_>, options: &Options) -> Option<At> {
    let files: Vec<&str> =
        options.args().filter(|(_, arg)| options::is_file(arg)).map(|(name, _)| name).collect();
    let set = prepared.effective.options.iter().filter(|(name, ..)| files.contains(&name.as_str()));
    let values = set.filter_map(|(_, setting, ..)| match setting {
        Setting::Values(values) => Some(values.iter().map(|(value, at)| (value, *at))),
        _ => None,
    });
    let rules = prepared.effective.rules.iter().map(|(rule, _)| (&rule.value, rule.at));
    let named = values.flatten().chain(rules).filter(|(value, _)| {
        let value = value.to_string_lossy();
        !value.is_empty() && text.contains(&*value)
    });
    // The longest of them: `a.pem` is also in `/etc/a.pem`.
    named.max_by_key(|(value, _)| value.len()).and_then(|(_, at)| at)
}
