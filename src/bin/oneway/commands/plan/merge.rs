//! `oneway plan merge`: one report of all parts of a plan, and one state.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::ExitCode;

use oneway::model::{Kept, Kind, Likeness, Receipt, RelPath, Remembered};
use oneway::plan::{Action, Deed, Part};
use oneway::planfile::{Manifest, Outcomes, whole};
use oneway::report::Report;
use oneway::run::StateOptions;
use oneway::spill::Spill;
use oneway::state::{Pair, State};

use crate::args::MergeArgs;
use crate::commands::plan::dir::PlanDir;
use crate::commands::plan::sync_args;
use crate::commands::reports::Reports;
use crate::commands::{complaints, connect, lock, state, sync};
use crate::exit::{self, UsageError};
use crate::history::record::{Closing, Record};
use crate::ui::say::complain;

pub(super) fn merge(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let dir = PlanDir::open(&args.dir)?;
    let Manifest { source, destination, options, shards, .. } = &dir.manifest;
    let args = sync_args([source, destination], options, &args.given)
        .map_err(|text| UsageError(format!("{}: {text}", dir.shown())))?;
    let source = connect::place("SRC", &args.source)?;
    let destination = connect::place("DST", &args.destination)?;
    let mut parts = Vec::new();
    for part in Part::all(*shards) {
        let actions = dir.actions(part)?;
        let outcomes = dir.outcomes(part, &actions)?;
        parts.push((part, actions, outcomes));
    }
    let reports = Reports::open(&args, &HashSet::new())?;
    let state = match state::options(&args, &source, &destination) {
        Some(StateOptions::File { file, pair }) => Some((file, pair)),
        Some(StateOptions::OnServer) | None => None,
    };
    let what = mark(&dir.manifest, &parts);
    let mark = mark_here(&what, state.as_ref().map(|(file, _)| &**file));
    let mut report = whole(&dir.manifest, parts);
    let mut is_new = !dir.is_merged(&mark);
    // Nobody else may write there meanwhile.
    let locks =
        if is_new { lock::take(&lock::files(&args, &destination), &destination) } else { Ok(Vec::new()) };
    match (&locks, state) {
        (Err(busy), _) => {
            is_new = false;
            let busy = busy.trim_end_matches("; nothing was done");
            report
                .troubles
                .push(format!("{busy}; what the parts did is to be remembered by another merge, later"));
        }
        (Ok(_), Some((file, pair))) if is_new => {
            if let Err(e) = remember(&dir, &what, &report, (&file, &pair), &sync::spill(&args)) {
                report.troubles.push(format!("{e:#}; not all that the parts did is remembered"));
            }
        }
        (Ok(_), _) => {}
    }
    let record = (is_new && !args.no_state)
        .then(|| Record::begin(None, &report.source, &report.destination, report.at))
        .flatten();
    complaints::complain_of(&report, None);
    let mut status = sync::publish(&report, reports);
    if is_new
        && report.troubles.is_empty()
        && let Err(e) = dir.keep_merged(&mark)
    {
        complain!("error: {e:#}");
        status = exit::worse(status, exit::INCOMPLETE);
    }
    let closing = Closing { report: &report, status, more: &[], metrics_file: args.metrics_file.as_deref() };
    Ok(ExitCode::from(closing.close(record, None)))
}

type Parts = [(Part, Vec<Action>, Option<Outcomes>)];

/// Returns a word for what is taken over. A state file that has it must not have it again: what was remembered since is newer.
fn mark(manifest: &Manifest, parts: &Parts) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(manifest.id.text().as_bytes());
    for (part, _, outcomes) in parts {
        if let Some(outcomes) = outcomes {
            let ended = outcomes.ended.timestamp_millis();
            hasher.update(format!("\0{} {ended}", part.name()).as_bytes());
        }
    }
    hasher.finalize().to_hex()[..24].to_owned()
}

/// Returns a word for that and where it is taken over: each machine has a history.
fn mark_here(what: &str, state: Option<&Path>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(what.as_bytes());
    hasher.update(rustix::system::uname().nodename().to_bytes_with_nul());
    if let Some(state) = state {
        let state = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
        hasher.update(state.as_os_str().as_encoded_bytes());
    }
    hasher.finalize().to_hex()[..24].to_owned()
}

/// Writes what the parts learned to where a run remembers it.
fn remember(
    dir: &PlanDir,
    what: &str,
    report: &Report,
    (file, pair): (&Path, &Pair),
    spill: &Spill,
) -> anyhow::Result<()> {
    let (state, known, aside) = State::open(file, pair, spill)?;
    if let Some(aside) = aside {
        complain!("warning: {aside}");
    }
    // By another name of this machine, or from another one.
    if state.has_taken(what)? {
        return Ok(());
    }
    let put = |path: &RelPath, receipt: Receipt| match known.get(path) {
        Some(known) if known == receipt => Ok(()),
        _ => state.record(path, Some(receipt)),
    };
    for (action, outcome) in report.plan.actions.held().iter().zip(&report.outcomes) {
        // A link that takes the place of a file, too, ends what was known of that.
        let is_gone = matches!(action.deed, Deed::Delete | Deed::Rename) || action.kind() == Kind::Symlink;
        if outcome.is_done() && is_gone && known.get(&action.path).is_some() {
            state.record(&action.path, None)?;
        }
    }
    let planned: HashMap<&RelPath, &Action> =
        report.plan.actions.held().iter().map(|action| (&action.entry().path, action)).collect();
    for Kept { path, receipt } in State::peek(&dir.found(), pair, spill)?.iter() {
        if !planned.contains_key(&path) {
            put(&path, receipt)?;
        }
    }
    for part in Part::all(dir.manifest.shards) {
        for Kept { path, mut receipt } in State::peek(&dir.receipts(part), pair, spill)?.iter() {
            // Nothing else is its to know.
            let Some(action) = planned.get(&path) else { continue };
            receipt.hash = receipt.hash.or_else(|| hash_before(action, &known));
            put(&path, receipt)?;
        }
    }
    spill.check()?;
    Ok(state.take(what)?)
}

/// Returns the hash of a content that only got another name or time, as it was known before.
fn hash_before(action: &Action, known: &Remembered) -> Option<[u8; 32]> {
    let before = known.get(&action.path).filter(|_| matches!(action.deed, Deed::Rename | Deed::Touch))?;
    let there = action.destination.as_deref()?;
    before.hash.filter(|_| before.destination.compare(there) == Likeness::Same)
}
