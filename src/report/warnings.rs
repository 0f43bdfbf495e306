//! What a person should know of a run beside its changes, worst first.

use crate::report::Report;

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
    errors
        .map(|text| (Severity::Error, text))
        .chain(report.notes.iter().map(|text| (Severity::Note, text.clone())))
}
