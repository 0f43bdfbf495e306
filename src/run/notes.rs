//! What a person should know of a run and no action shows.

use crate::plan::LeftOut;
use crate::pool::Pool;
use crate::report::Report;
use crate::scan::Scanned;

/// Tells what one side's listings and sessions were like.
pub(super) fn of_side(report: &mut Report, pool: &Pool, scanned: &Scanned) {
    let side = pool.store().name();
    if pool.store().is_in_clear_text() {
        report.notes.push(format!("the server has no TLS, so {side} is spoken to in clear text"));
    }
    // What could not be followed is told apart.
    let unproven = scanned.tree.unproven().filter(|(path, _)| !scanned.unfollowed.contains_key(path));
    report.unproven.extend(unproven.map(|(dir, why)| (side.to_owned(), dir.clone(), why.clone())));
    let mut vanished = scanned.vanished.iter();
    if let Some(first) = vanished.next() {
        let more = match vanished.count() {
            0 => String::new(),
            1 => " and 1 more directory".to_owned(),
            n => format!(" and {n} more directories"),
        };
        report.notes.push(format!("`{first}`{more} vanished from {side} before it could be listed"));
    }
    if let Some(limit) = pool.shrunk_to() {
        let sessions = if limit == 1 { "session" } else { "sessions" };
        report.notes.push(format!("{side} allows no more than {limit} {sessions}"));
    }
}

/// Tells of files of the source that have the name of the one that receipts are kept in. In the root of a server it is that one.
pub(super) fn of_states(report: &mut Report, from: &Scanned, source_is_remote: bool) {
    for path in &from.states {
        let is_ours = source_is_remote && path.parent().is_some_and(|dir| dir.is_root());
        if !is_ours {
            report.notes.push(format!(
                "`{path}` was left out: that is the name of the file that receipts are kept in"
            ));
        }
    }
}

/// Tells what was left out, kept, and done otherwise than wished.
pub(super) fn of_plan(report: &mut Report, times_lost: bool, remembers: bool) {
    let many =
        |n: usize, one: &str, more: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {more}") };
    for &why in LeftOut::ALL {
        let skipped = report.plan.skipped.iter().filter(|skipped| skipped.why == why).count();
        if skipped == 0 {
            continue;
        }
        let (one, more) = match why {
            LeftOut::Special => ("special file was", "special files were"),
            _ => ("symbolic link was", "symbolic links were"),
        };
        let left_out = format!("{} left out", many(skipped, one, more));
        report.notes.push(match why {
            LeftOut::Link | LeftOut::Special => left_out,
            LeftOut::Unmakeable => format!("{left_out}: {} can't make any", report.destination),
            LeftOut::Untold => format!("{left_out}: {} doesn't tell where to", report.source),
            LeftOut::Outside => {
                format!("{left_out}, which may lead out of {}; -v says which", report.destination)
            }
        });
    }
    if report.plan.untold_permissions > 0 {
        let files = many(report.plan.untold_permissions, "file", "files");
        report
            .notes
            .push(format!("the permissions of {files} are not listed on both sides, and stay as they are"));
    }
    if !report.plan.spared.is_empty() {
        let spared = many(report.plan.spared.len(), "extra path was", "extra paths were");
        report.notes.push(format!("{spared} kept at the destination; -v says why"));
    }
    let mut refused = report.outcomes.iter().filter_map(|outcome| outcome.not_renamed.as_ref());
    if let Some(why) = refused.next() {
        let files = many(1 + refused.count(), "file was sent", "files were sent");
        report.notes.push(format!("{files} under a new name instead of being renamed: {why}"));
    }
    let vanished: Vec<String> = (report.plan.actions.iter().zip(&report.outcomes))
        .filter(|(_, outcome)| outcome.vanished)
        .map(|(action, _)| format!("`{}`", action.entry().path))
        .collect();
    if let Some(first) = vanished.first() {
        let (which, they) = match vanished.len() {
            1 => (first.clone(), "it"),
            n => (format!("{n} files"), "they"),
        };
        report.notes.push(format!("{which} vanished from {} before {they} could be read", report.source));
        if vanished.len() > 1 {
            report.remarks.push(format!("vanished: {}", vanished.join(", ")));
        }
    }
    let undated = report.outcomes.iter().filter(|outcome| outcome.time_set == Some(false)).count();
    if undated > 0 && !times_lost {
        report
            .notes
            .push(format!("{} without the time of the source", many(undated, "file is", "files are")));
    }
    if times_lost {
        let told = if remembers {
            "what changed since the last run is told by what was remembered of it"
        } else {
            "only files that are newer at the source are sent again"
        };
        report.notes.push(format!("{} can't set times; {told}", report.destination));
    }
}
