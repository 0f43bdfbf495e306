//! A run as one value, and the formats it is written in.
//!
//! A format turns the value into bytes and knows nothing of terminals or files.

mod csv;
mod html;
mod json;
mod listed;
mod size;
mod text;
mod warnings;
mod why;

pub use html::text as html_text;
pub use json::{percent, write_value};
pub use listed::{listed_json, listed_json_at};
pub use size::{grouped, human_bytes};
pub use text::summary;
pub use warnings::{Severity, notes, warnings};
pub use why::{human_time, why};

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::{DateTime, Utc};

use crate::execute::Outcome;
use crate::model::{RelPath, Unproven};
use crate::plan::{Action, Deed, Plan, Refusal};

/// What was meant to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Make the destination a mirror of the source.
    Sync,
    /// Only say what `Sync` would do.
    DryRun,
    /// As `DryRun`, and tell by the exit status whether anything differs.
    Diff,
}

/// Why a run ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: its terminal is gone.
    HangUp,
    /// The time it may take was over.
    OutOfTime,
    /// Its lock on the server is not its own any more.
    LockLost,
}

impl Stop {
    /// Returns the exit status that tells of it.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::HangUp => 129,
            Self::OutOfTime => 3,
            Self::LockLost => 6,
        }
    }
}

/// Everything about one run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was meant to happen.
    pub mode: Mode,
    /// The job it was; `None` where it is none of a file.
    pub job: Option<String>,
    /// Name of the source.
    pub source: String,
    /// Name of the destination.
    pub destination: String,
    /// What was decided.
    pub plan: Plan,
    /// What became of each action, in the plan's order; empty when nothing was carried out.
    pub outcomes: Vec<Outcome>,
    /// Why the plan was not carried out; `None` when it was, or wasn't meant to be.
    pub refusal: Option<Refusal>,
    /// Directories whose listing is not proven, by side.
    pub unproven: Vec<(String, RelPath, Unproven)>,
    /// What of the source could not be followed through symbolic links, with the reason. What the destination has there is kept.
    pub unfollowed: Vec<String>,
    /// What a person should know and no action shows.
    pub notes: Vec<String>,
    /// What a person may want to know who asks for more.
    pub remarks: Vec<String>,
    /// What failed beside the actions.
    pub troubles: Vec<String>,
    /// Where what was replaced or deleted was put; `None` where nothing was put aside.
    pub backup: Option<String>,
    /// Why the run ended early; `None` when it didn't.
    pub stopped: Option<Stop>,
    /// The exit status of a run that ended before there was a plan; `None` when there was one.
    pub early: Option<u8>,
    /// When it began; `None` where nobody looked at a clock.
    pub at: Option<DateTime<Utc>>,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// Returns the report of a run that ended with `status` before anything was known.
    pub fn of_nothing(mode: Mode, source: &str, destination: &str, status: u8) -> Self {
        Self {
            mode,
            job: None,
            source: source.to_owned(),
            destination: destination.to_owned(),
            plan: Plan::default(),
            outcomes: Vec::new(),
            refusal: None,
            unproven: Vec::new(),
            unfollowed: Vec::new(),
            notes: Vec::new(),
            remarks: Vec::new(),
            troubles: Vec::new(),
            backup: None,
            stopped: None,
            early: Some(status),
            at: None,
            seconds: 0.0,
        }
    }

    /// Returns what the exit status is to be.
    pub fn exit_status(&self) -> u8 {
        match (self.stopped, &self.refusal) {
            (Some(stop), _) => stop.exit_status(),
            (None, _) if self.early.is_some() => self.early.unwrap_or_default(),
            (None, Some(_)) => 5,
            (None, None)
                if self.failed() > 0
                    || !self.unproven.is_empty()
                    || !self.troubles.is_empty()
                    || !self.unfollowed.is_empty() =>
            {
                3
            }
            (None, None) if self.mode == Mode::Diff && !self.plan.actions.is_empty() => 1,
            (None, None) => 0,
        }
    }

    /// Returns how many operations failed, those with an obstacle included. What vanished at the source before it was read is none of them.
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_failed()).count()
    }

    /// Returns how much of what was to be done is left to do, for people: of files to be sent, or of all changes where no file is left;
    /// `None` where all is done or nothing was begun.
    pub fn left(&self) -> Option<String> {
        let is_file = |i: usize| matches!(self.plan.actions[i].deed, Deed::Copy | Deed::Replace);
        let count = |counts: &dyn Fn(usize) -> bool| (0..self.outcomes.len()).filter(|&i| counts(i)).count();
        let is_left = |i: usize| !self.outcomes[i].is_done();
        match (count(&|i| is_file(i) && is_left(i)), count(&is_left)) {
            (0, 0) => None,
            (0, changes) => Some(format!("{changes} of {} changes left", self.outcomes.len())),
            (files, _) => Some(format!("{files} of {} files left", count(&is_file))),
        }
    }

    /// Returns the number of changes by deed: done ones of a run, planned ones of a dry run.
    pub fn changes(&self) -> impl Iterator<Item = (Deed, usize)> {
        if self.mode != Mode::Sync {
            return self.plan.actions.tally().due.clone().into_iter();
        }
        let mut counts = BTreeMap::new();
        for (i, action) in self.plan.actions.iter().enumerate() {
            if self.counts(i, &action) {
                *counts.entry(action.deed).or_default() += 1;
            }
        }
        counts.into_iter()
    }

    /// Returns the bytes transferred, or those a dry run would transfer.
    pub fn bytes(&self) -> u64 {
        match self.mode {
            Mode::Sync => total(self.outcomes.iter().map(|outcome| outcome.bytes)),
            Mode::DryRun | Mode::Diff => self.plan.actions.tally().bytes,
        }
    }

    fn counts(&self, i: usize, action: &Action) -> bool {
        match self.mode {
            Mode::Sync => self.outcomes.get(i).is_some_and(|outcome| {
                // A time that wasn't taken was not set, though nothing failed by it.
                let in_vain = action.deed == Deed::Touch && outcome.time_set == Some(false);
                outcome.is_done() && !in_vain
            }),
            Mode::DryRun | Mode::Diff => action.obstacle.is_none(),
        }
    }
}

/// A listing may claim any size, and so many of them more than there can be.
fn total(bytes: impl Iterator<Item = u64>) -> u64 {
    bytes.fold(0, u64::saturating_add)
}

/// How much of a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Also what is usually left out: each change of a run that went well, what was left alone and why.
    pub verbose: bool,
    /// Each change in the text, however many there are. Else many are counted by directory.
    pub all: bool,
    /// The text is coloured, for a terminal.
    pub colour: bool,
}

/// One way to write a report.
pub trait Format: Sync {
    /// Returns the name it is chosen by.
    fn name(&self) -> &'static str;

    /// Writes the report.
    ///
    /// # Errors
    /// What the output says.
    fn write(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()>;
}

/// All formats.
pub const FORMATS: &[&dyn Format] = &[&text::Text, &json::Json, &csv::Csv, &html::Html];

/// Returns the format of this name.
pub fn format_named(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

#[cfg(test)]
mod tests;
