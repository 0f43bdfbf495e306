//! Copying a file or a directory from one place to another: what `cp` does, and `mv` where no rename leads.
//!
//! A copy is a run like that of `sync`, of one directory without `--delete`, or of one file alone: the same checks, the same temporary
//! names, the same retries.

mod away;
mod route;

use std::process::ExitCode;
use std::sync::Arc;

use oneway::compare::{Basis, CompareOptions};
use oneway::model::{Links, Remedy, escape, is_lock, is_state, is_temporary};
use oneway::plan::Presence;
use oneway::pool::SessionCount;
use oneway::report::{Detail, Report, format_named};
use oneway::run::{RunOptions, run as run_mirror};
use oneway::store::{OneFile, Store};

use crate::args::{ConnectionArgs, ShowArgs};
use crate::commands::single::{Failed, Means};
use crate::commands::{complaints, lock, state};
use crate::exit;
use crate::ui::progress::Progress;
use crate::ui::say::complain;

pub(super) use away::take_away;
pub(super) use route::{Manner, Route, What, kind_at, split};

/// How something is copied.
pub(super) struct How<'a> {
    pub(super) connection: &'a ConnectionArgs,
    pub(super) show: &'a ShowArgs,
    /// What is there already stays as it is.
    pub(super) only_new: bool,
    /// A link is copied as what it leads to. Those in a directory are left out all the same.
    pub(super) follows: bool,
}

/// What was copied, and how that went.
pub(super) struct Copied {
    pub(super) source: Arc<dyn Store>,
    pub(super) destination: Arc<dyn Store>,
    pub(super) report: Report,
}

impl Copied {
    /// Says what failed, and returns the status for it.
    pub(super) fn tell(&self, show: &ShowArgs) -> anyhow::Result<u8> {
        complaints::complain_of(&self.report, None);
        if show.verbose > 0 {
            let text = format_named("text").expect("text is in the table");
            text.write(
                &self.report,
                Detail { verbose: true, ..Detail::default() },
                &mut std::io::stdout().lock(),
            )?;
        }
        Ok(self.report.exit_status())
    }
}

/// Copies, and returns what came of it.
///
/// # Errors
/// Why nothing was copied at all.
pub(super) fn copy(means: &Means, route: &Route, how: &How<'_>) -> anyhow::Result<Copied> {
    let (source, destination) = stores(means, route)?;
    let is_tree = matches!(route.what, What::Tree);
    let options = RunOptions {
        sessions: how.connection.sessions.0.map_or(SessionCount::AUTO, SessionCount::fixed),
        compare: CompareOptions { basis: Basis::Always, ..CompareOptions::default() },
        presence: if how.only_new { Presence::OnlyNew } else { Presence::Any },
        renames: false,
        ignore_files: false,
        links: if !is_tree && how.follows { Links::Follow } else { Links::Skip },
        // Without a lock, nobody's temporary files are taken for those of an earlier try at this.
        owner: is_tree.then(|| state::owner(&route.source, &route.destination)),
        retries: how.connection.retries,
        cancel: means.cancel.clone(),
        ..RunOptions::default()
    };
    let lock_files: Vec<_> =
        if is_tree { lock::of_destination(&route.destination).into_iter().collect() } else { Vec::new() };
    let _locks = match if is_tree { lock::take(&lock_files, &route.destination) } else { Ok(Vec::new()) } {
        Ok(locks) => locks,
        Err(busy) => {
            complain!("error: {busy}");
            let report = Report::of_nothing(options.mode, source.name(), destination.name(), exit::BUSY);
            return Ok(Copied { source, destination, report });
        }
    };
    let progress = Progress::new(how.show.progress, how.show.quiet, &means.cancel);
    let result = run_mirror(&source, &destination, &options, &progress);
    progress.finish();
    let mut report = result.map_err(|e| match e.remedy() {
        Remedy::Skip => anyhow::Error::from(Failed(e)),
        _ => e.into(),
    })?;
    report.stopped = means.signals.stop().or(report.stopped);
    if let What::File { to, .. } = &route.what {
        demand_file(&mut report, to.1.as_bytes());
    }
    Ok(Copied { source, destination, report })
}

/// Makes it a failure that the one file was not copied.
fn demand_file(report: &mut Report, name: &[u8]) {
    if !report.plan.actions.is_empty() || report.exit_status() != 0 {
        return;
    }
    let why = match report.plan.skipped.first() {
        Some(skipped) => skipped.why.as_str(),
        None if is_temporary(name) || is_state(name) || is_lock(name) => {
            "files of that name are oneway's own"
        }
        None => "it is there already",
    };
    report.troubles.push(format!("`{}` was not copied: {why}", escape(name)));
}

fn stores(means: &Means, route: &Route) -> anyhow::Result<(Arc<dyn Store>, Arc<dyn Store>)> {
    match &route.what {
        What::Tree => Ok((means.store(route.source.clone())?, means.store(route.destination.clone())?)),
        What::File { from, to } => {
            let ((from, name), (to, new_name)) = (&**from, &**to);
            let destination = OneFile::to_write(means.store(to.clone())?, new_name);
            let source = OneFile::to_read(means.store(from.clone())?, name, destination.path());
            Ok((Arc::new(source), Arc::new(destination)))
        }
    }
}

/// Returns the status of what was asked for, once it is over one way or the other.
pub(super) fn ended(means: &Means, result: anyhow::Result<u8>) -> anyhow::Result<ExitCode> {
    match (result, means.signals.stop()) {
        (Ok(status), _) => Ok(ExitCode::from(status)),
        (Err(_), Some(stop)) => Ok(ExitCode::from(stop.exit_status())),
        (Err(e), None) => super::status_of(e).map(ExitCode::from),
    }
}
