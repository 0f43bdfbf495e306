//! `oneway status`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use oneway::config::nearest;
use oneway::model::escape;
use oneway::state::history::History;
use serde_json::json;

use crate::commands::history::rfc3339;
use crate::exit::UsageError;
use crate::history::health::{Health, Past, ended};
use crate::history::look;
use crate::jobs::load;
use crate::jobs::options::Options;
use crate::jobs::run_args::ConfigArg;
use crate::values::timeout;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Names of jobs; all of the TOML file where none is named
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,

    /// A job is stale when its last success is longer ago
    #[arg(long, value_name = "DURATION", value_parser = timeout, default_value = "26h")]
    max_age: Duration,

    /// One JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    config: ConfigArg,
}

pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let history = look()?;
    let history = history.as_ref();
    let jobs = jobs(args, history)?;
    let now = Utc::now();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut worst = Health::Fresh;
    let width = jobs.iter().map(|job| job.chars().count()).max().unwrap_or(0);
    for job in &jobs {
        let past = match history {
            Some(history) => Past::of(history, job)?,
            None => Past { last: None, success: None, running: None },
        };
        let (health, why) = past.health(now, args.max_age);
        worst = worst.max(health);
        if args.json {
            let line = json!({
                "job": job,
                "status": health.as_str(),
                "why": why,
                "last_success": past.success.as_ref().map(|run| rfc3339(ended(run))),
                "last_run": past.last.as_ref().map(|run| run.number),
                "exit": past.last.as_ref().and_then(|run| run.ending.as_ref()).map(|ending| ending.exit),
                "running": past.running.is_some(),
            });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{job:<width$}  {:<7}  {why}", health.as_str())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::from(worst.exit_status()))
}

/// Returns the jobs that are asked about.
fn jobs(args: &StatusArgs, history: Option<&History>) -> anyhow::Result<Vec<String>> {
    let known = history.map(History::jobs).transpose()?.unwrap_or_default();
    let file = load::load(args.config.config.as_deref(), &Options::new());
    let of_file = match file {
        // A file that is wrong is the business of whoever runs its jobs; which there are can be read all the same.
        Ok(loaded) => loaded.file.jobs.into_iter().map(|job| job.name).collect(),
        Err(e) if args.config.config.is_some() => return Err(e),
        Err(_) => Vec::new(),
    };
    if args.jobs.is_empty() {
        let jobs = if of_file.is_empty() { known } else { of_file };
        if jobs.is_empty() {
            let text = "there is no file of jobs, and no job ever ran; name one with --config";
            return Err(UsageError(text.to_owned()).into());
        }
        return Ok(jobs);
    }
    for name in &args.jobs {
        if !of_file.contains(name) && !known.contains(name) {
            let hint = nearest(name, of_file.iter().chain(&known).map(String::as_str));
            let text = format!("there is no job {}{hint}", escape(name.as_bytes()));
            return Err(UsageError(text).into());
        }
    }
    Ok(args.jobs.clone())
}
