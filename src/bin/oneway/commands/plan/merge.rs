//! `oneway plan merge`: one report of all parts of a plan, and one state.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::ExitCode;

use oneway::model::{Kind, Likeness, Receipts, RelPath};
use oneway::plan::{Action, Deed, Part};
use oneway::planfile::{Manifest, whole};
use oneway::report::Report;
use oneway::run::StateOptions;
use oneway::state::{Pair, State};

use crate::args::MergeArgs;
use crate::commands::plan::dir::PlanDir;
use crate::commands::plan::sync_args;
use crate::commands::reports::Reports;
use crate::commands::{connect, lock, state, sync};
use crate::exit::{self, UsageError};
use crate::history::record::Closing;
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
    // Nobody else may write there meanwhile.
    let _locks = match lock::take(&lock::files(&args, &destination), &destination) {
        Ok(locks) => locks,
        Err(busy) => {
            complain!("error: {busy}");
            return Ok(ExitCode::from(exit::BUSY));
        }
    };
    let reports = Reports::open(&args, &HashSet::new())?;
    let state = state::options(&args, &source, &destination);
    let mut report = whole(&dir.manifest, parts);
    if let Some(StateOptions::File { file, pair }) = state {
        match remember(&dir, &report, &file, &pair) {
            Ok(()) => {}
            Err(e) => report.troubles.push(format!("{e:#}; what the parts did is not remembered")),
        }
    }
    sync::complain_of(&report, None);
    let status = sync::publish(&report, reports);
    let closing = Closing { report: &report, status, more: &[], metrics_file: args.metrics_file.as_deref() };
    Ok(ExitCode::from(closing.close(None, None)))
}

/// Writes what the parts learned to where a run remembers it. To do so twice changes nothing more.
fn remember(dir: &PlanDir, report: &Report, file: &Path, pair: &Pair) -> anyhow::Result<()> {
    let (state, known, aside) = State::open(file, pair)?;
    if let Some(aside) = aside {
        complain!("warning: {aside}");
    }
    for (action, outcome) in report.plan.actions.iter().zip(&report.outcomes) {
        // A link that takes the place of a file, too, ends what was known of that.
        let is_gone = matches!(action.deed, Deed::Delete | Deed::Rename) || action.kind() == Kind::Symlink;
        if outcome.is_done() && is_gone && known.contains_key(&action.path) {
            state.record(&action.path, None)?;
        }
    }
    let kept: HashMap<&RelPath, &Action> =
        report.plan.actions.iter().map(|action| (&action.entry().path, action)).collect();
    for part in Part::all(dir.manifest.shards) {
        let receipts = State::peek(&dir.receipts(part), pair)?;
        for (path, mut receipt) in receipts {
            let Some(action) = kept.get(&path) else { continue };
            receipt.hash = receipt.hash.or_else(|| hash_before(action, &known));
            if known.get(&path) != Some(&receipt) {
                state.record(&path, Some(receipt))?;
            }
        }
    }
    state.flush()?;
    Ok(())
}

/// Returns the hash of a content that only got another name or time, as it was known before.
fn hash_before(action: &Action, known: &Receipts) -> Option<[u8; 32]> {
    let before = known.get(&action.path).filter(|_| matches!(action.deed, Deed::Rename | Deed::Touch))?;
    let there = action.destination.as_deref()?;
    before.hash.filter(|_| before.destination.compare(there) == Likeness::Same)
}
