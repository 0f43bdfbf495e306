//! A run is written down when it begins and when it ends. That this can't be done is said, and is no reason not to run.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use oneway::model::escape;
use oneway::report::{Mode, Report, warnings};
use oneway::state::StateError;
use oneway::state::history::{Beginning, Change, Ending, History, PastRun};

use crate::exit;
use crate::history::{file, metrics};
use crate::ui::say::complain;

/// A run that was written down as begun.
pub(crate) struct Record {
    file: PathBuf,
    number: i64,
}

/// So many changes of a run are kept, and so many messages.
const MOST_CHANGES: usize = 1000;
const MOST_MESSAGES: usize = 200;

impl Record {
    /// `at` is when it began, where that is some time ago. `None` where there is no place for it.
    pub(crate) fn begin(
        job: Option<&str>,
        source: &str,
        destination: &str,
        at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        let file = file()?;
        let beginning = Beginning {
            job: job.map(str::to_owned),
            source: source.to_owned(),
            destination: destination.to_owned(),
            pid: std::process::id(),
            at: at.unwrap_or_else(Utc::now),
        };
        let begun = History::open(&file).and_then(|(mut history, aside)| {
            if let Some(aside) = aside {
                complain!("warning: {aside}");
            }
            history.begin(&beginning)
        });
        match begun {
            Ok(number) => Some(Self { file, number }),
            Err(e) => {
                unwritten(&e);
                None
            }
        }
    }

    /// Writes down how it ended.
    pub(crate) fn end(self, ending: &Ending) {
        if let Err(e) =
            History::open(&self.file).and_then(|(mut history, _)| history.end(self.number, ending))
        {
            unwritten(&e);
        }
    }
}

/// A run that is over, hooks and all.
pub(crate) struct Closing<'a> {
    pub(crate) report: &'a Report,
    pub(crate) status: u8,
    /// What went wrong beside what the report tells.
    pub(crate) more: &'a [String],
    pub(crate) metrics_file: Option<&'a Path>,
}

impl Closing<'_> {
    /// Writes down how the run ended, and the metrics, which are of these jobs where it is one. Returns the exit status.
    pub(crate) fn close(self, record: Option<Record>, jobs: Option<&[&str]>) -> u8 {
        let Self { report, status, more, metrics_file } = self;
        let ending = ending(report, status, more);
        if let Some(record) = record {
            record.end(&ending);
        }
        let (Some(file), Mode::Sync) = (metrics_file, report.mode) else { return status };
        let beginning = Beginning {
            job: report.job.clone(),
            source: report.source.clone(),
            destination: report.destination.clone(),
            pid: std::process::id(),
            at: report.at.unwrap_or_else(Utc::now),
        };
        let current = PastRun { number: 0, beginning, ending: Some(ending) };
        match metrics::write(file, &metrics::render(&metrics::of(jobs, &current))) {
            Ok(()) => status,
            Err(e) => {
                complain!("error: cannot write the metrics to {}: {e}", file.display());
                exit::worse(status, exit::INCOMPLETE)
            }
        }
    }
}

/// Returns a place by a name that is right in every directory.
fn from_anywhere(place: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    std::path::absolute(place).map_or_else(|_| place.to_owned(), |path| path.display().to_string())
}

fn unwritten(e: &StateError) {
    let cause = std::error::Error::source(e).map_or_else(String::new, |cause| format!(": {cause}"));
    complain!("note: this run will be missing in `oneway history`: {e}{cause}");
}

/// Returns what is kept of a report. `more` went wrong beside it.
pub(crate) fn ending(report: &Report, status: u8, more: &[String]) -> Ending {
    let whole = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let mut messages: Vec<String> = more.to_vec();
    messages.extend(warnings(report).map(|(_, text)| text));
    let left = messages.len().saturating_sub(MOST_MESSAGES);
    messages.truncate(MOST_MESSAGES);
    if left > 0 {
        messages.push(format!("and {left} more"));
    }
    let outcomes = || report.plan.actions.iter().zip(&report.outcomes);
    let failed = outcomes().filter(|(_, outcome)| outcome.is_failed());
    let done = outcomes().filter(|(_, outcome)| !outcome.is_failed());
    let details = failed.chain(done).take(MOST_CHANGES).map(|(action, outcome)| Change {
        action: action.deed.as_str().to_owned(),
        path: escape(action.path.as_bytes()),
        bytes: outcome.bytes,
        error: outcome.error.clone(),
    });
    Ending {
        seconds: report.seconds,
        exit: status,
        changes: report.changes().map(|(deed, n)| (deed.as_str().to_owned(), whole(n))).collect(),
        bytes: report.bytes(),
        failed: whole(report.failed()),
        unchanged: whole(report.plan.unchanged),
        backup: report.backup.as_deref().map(from_anywhere),
        messages,
        details: details.collect(),
    }
}
