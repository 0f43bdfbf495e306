//! What a person should know of a run beside its changes, worst first.

use crate::report::{Report, grouped};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The exit status tells of it.
    Error,
    /// Good to know.
    Note,
}

/// Returns what went wrong or is in doubt, the single changes that failed not included.
pub fn warnings(report: &Report) -> impl Iterator<Item = (Severity, String)> {
    let refused = report.refusal.iter().map(|refusal| format!("refused: {refusal}"));
    let unproven = report
        .unproven
        .iter()
        .map(|(side, dir, doubt)| format!("the listing of `{dir}` on {side} is not proven: {}", doubt.0));
    let errors = refused.chain(unproven).chain(report.troubles.iter().chain(&report.unfollowed).cloned());
    errors.map(|text| (Severity::Error, text)).chain(notes(report).map(|text| (Severity::Note, text)))
}

/// Returns what a person should know and no action shows.
pub fn notes(report: &Report) -> impl Iterator<Item = String> {
    report.notes.iter().cloned().chain(waiting(report))
}

/// Says of files that are sent that nobody sees them yet.
fn waiting(report: &Report) -> Option<String> {
    let held = report.outcomes.iter().filter(|outcome| outcome.held.is_some()).count();
    let (files, them) = match held {
        0 => return None,
        1 => ("1 file is".to_owned(), "it"),
        n => (format!("{} files are", grouped(n)), "them"),
    };
    Some(format!(
        "{files} there under a temporary name, until the last stage of the plan gives {them} the final one"
    ))
}
