//! What is said of a run on standard error, beside its report.

use std::collections::BTreeMap;
use std::time::Duration;

use oneway::report::{Report, Stop, notes};

use crate::ui::say::complain;
use crate::values::shown_duration;

/// Says on standard error what failed and what a person should know, one line each.
pub(crate) fn complain_of(report: &Report, max_duration: Option<Duration>) {
    let mut untried: BTreeMap<&str, usize> = BTreeMap::new();
    for (action, outcome) in report.plan.actions.iter().zip(&report.outcomes) {
        let Some(error) = outcome.error.as_ref().filter(|_| outcome.is_failed()) else { continue };
        if report.stopped.is_some() && (error == "stopped" || error.ends_with(": stopped")) {
            // What was not done, since somebody stopped the run, is told in one line below.
            continue;
        }
        if outcome.tries == 0 && action.obstacle.is_none() {
            *untried.entry(error).or_default() += 1;
        } else if error.contains(&format!("`{}`", action.path)) {
            complain!("error: {error}");
        } else {
            complain!("error: `{}`: {error}", action.path);
        }
    }
    // What was never begun has one cause for all.
    for (error, count) in untried {
        let what = if count == 1 { "1 change was".to_owned() } else { format!("{count} changes were") };
        complain!("error: {what} not made: {error}");
    }
    for (side, dir, doubt) in &report.unproven {
        let dir = if dir.is_root() { String::new() } else { format!("`{dir}` on ") };
        complain!(
            "error: the listing of {dir}{side} is not proven, nothing is deleted below it: {}",
            doubt.0
        );
    }
    for trouble in &report.troubles {
        complain!("error: {trouble}");
    }
    for unfollowed in &report.unfollowed {
        complain!("error: {unfollowed}; what the destination has there stays");
    }
    for note in notes(report) {
        complain!("note: {note}");
    }
    if let Some(refusal) = &report.refusal {
        complain!("error: refused: {refusal}");
    }
    if let Some(stop) = report.stopped.filter(|_| report.early.is_none()) {
        let left = report.left().map_or_else(String::new, |left| format!(": {left}"));
        complain!(
            "{}{left}; what was finished is kept, the next run does the rest",
            stopped(stop, max_duration)
        );
    }
}

/// Says why a run ended before its end.
pub(super) fn stopped(stop: Stop, max_duration: Option<Duration>) -> String {
    match (stop, max_duration) {
        (Stop::OutOfTime, Some(time)) => format!("stopped after --max-duration {}", shown_duration(time)),
        (Stop::LockLost, _) => "stopped, since another run has the lock on the server".to_owned(),
        _ => "stopped".to_owned(),
    }
}
