//! `oneway history`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use oneway::model::escape;
use oneway::state::history::{PastRun, Which};
use serde_json::{Value, json};

use crate::exit::UsageError;
use crate::history::health::ended;
use crate::history::{look, words};

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Tell of this job alone
    #[arg(value_name = "JOB")]
    job: Option<String>,

    /// Tell of so many runs
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: u32,

    /// Tell everything that is kept of the run of this number
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["job", "limit"])]
    run: Option<i64>,

    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let history = look()?;
    let history = history.as_ref();
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(number) = args.run {
        let run = history.map(|history| history.run(number)).transpose()?.flatten();
        let run = run.ok_or_else(|| UsageError(format!("there is no run {number}; see `oneway history`")))?;
        match args.json {
            true => writeln!(out, "{}", of_json(&run, true))?,
            false => tell(&run, &mut out)?,
        }
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let which = args.job.as_deref().map_or(Which::All, Which::Job);
    let runs = history.map(|history| history.runs(which, args.limit)).transpose()?.unwrap_or_default();
    if args.json {
        for run in &runs {
            writeln!(out, "{}", of_json(run, false))?;
        }
    } else if runs.is_empty() {
        match &args.job {
            Some(job) => writeln!(out, "no run of {} is known", escape(job.as_bytes()))?,
            None => writeln!(out, "no run is known")?,
        }
    } else {
        table(&runs, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

const HEAD: [&str; 7] = ["RUN", "BEGAN", "JOB", "RESULT", "TOOK", "BYTES", "CHANGED"];

/// Writes runs in columns, the widest of which comes last.
fn table(runs: &[PastRun], out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 7]> = runs.iter().map(row).collect();
    let head = HEAD.map(str::to_owned);
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|i| all().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    for row in all() {
        let mut line = String::new();
        for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            match i {
                0 | 4 | 5 => line.push_str(&format!("{cell:>width$}  ")),
                _ => line.push_str(&format!("{cell:<width$}  ")),
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn row(run: &PastRun) -> [String; 7] {
    let beginning = &run.beginning;
    let job = match &beginning.job {
        Some(job) => job.clone(),
        None => format!("{} → {}", beginning.source, beginning.destination),
    };
    let of_ending = |tell: &dyn Fn(&_) -> String| run.ending.as_ref().map_or_else(String::new, tell);
    [
        run.number.to_string(),
        words::local(beginning.at),
        job,
        words::result(run),
        of_ending(&|ending| words::took(ending.seconds)),
        of_ending(&|ending| words::bytes(ending.bytes)),
        of_ending(&words::changes),
    ]
}

/// Writes all of a run.
fn tell(run: &PastRun, out: &mut dyn Write) -> io::Result<()> {
    let [number, began, .., changed] = row(run);
    let beginning = &run.beginning;
    let job = beginning.job.as_ref().map_or_else(String::new, |job| format!(" of {job}"));
    writeln!(out, "run {number}{job}: {}", words::result(run))?;
    writeln!(out, "  from      {}", beginning.source)?;
    writeln!(out, "  to        {}", beginning.destination)?;
    writeln!(out, "  began     {began}")?;
    let Some(ending) = &run.ending else { return Ok(()) };
    writeln!(out, "  took      {}", words::took(ending.seconds))?;
    writeln!(out, "  exit      {}", ending.exit)?;
    writeln!(out, "  changed   {changed}")?;
    writeln!(out, "  bytes     {}", ending.bytes)?;
    writeln!(out, "  failed    {}", ending.failed)?;
    writeln!(out, "  unchanged {}", ending.unchanged)?;
    if let Some(backup) = &ending.backup {
        writeln!(out, "  backup    {backup}")?;
    }
    for message in &ending.messages {
        writeln!(out, "{message}")?;
    }
    for change in &ending.details {
        let error = change.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        writeln!(out, "{} {}{error}", change.action, change.path)?;
    }
    let told = ending.details.len() as u64;
    let all = ending.changes.values().sum::<u64>() + ending.failed;
    if told < all {
        writeln!(out, "({} more changes are not kept)", all - told)?;
    }
    Ok(())
}

fn of_json(run: &PastRun, whole: bool) -> Value {
    let beginning = &run.beginning;
    let mut value = json!({
        "run": run.number,
        "job": beginning.job,
        "source": beginning.source,
        "destination": beginning.destination,
        "began": rfc3339(beginning.at),
        "ended": run.ending.as_ref().map(|_| rfc3339(ended(run))),
        "result": words::result(run),
    });
    if let (Some(ending), Some(fields)) = (&run.ending, value.as_object_mut()) {
        let more = [
            ("seconds", json!(ending.seconds)),
            ("exit", json!(ending.exit)),
            ("changes", json!(ending.changes)),
            ("bytes", json!(ending.bytes)),
            ("failed", json!(ending.failed)),
            ("unchanged", json!(ending.unchanged)),
            ("backup", json!(ending.backup)),
        ];
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        if whole {
            fields.insert("messages".to_owned(), json!(ending.messages));
            fields.insert("details".to_owned(), json!(ending.details));
        }
    }
    value
}

/// Returns an instant as other programs read it.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
