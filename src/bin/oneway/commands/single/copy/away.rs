//! Removing what was moved: not before all of it is proven to be at its destination.
//!
//! Both sides are listed once more. Each file of the source has to be one that was copied, as it was then, and has to be at the destination
//! in its full size; nothing may have been left out, and nothing may be in doubt. Else all of it stays.

use std::collections::HashMap;

use oneway::filter::Filter;
use oneway::model::{Entry, Kind, Links, RelPath};
use oneway::plan::Deed;
use oneway::pool::{Pool, SessionCount};
use oneway::report::Report;
use oneway::run::RunOptions;
use oneway::scan::{ScanOptions, Scanned, scan};
use oneway::store::{Session, StoreResult};

use crate::commands::single::copy::{Copied, Route, What, split};
use crate::commands::single::rm::first_failure;
use crate::commands::single::{Failed, Means};
use crate::exit;
use crate::ui::say::complain;

/// Removes the source of what was copied, and returns the status. What speaks against that is said, and nothing is removed.
pub(in crate::commands::single) fn take_away(
    means: &Means,
    route: &Route,
    copied: &Copied,
) -> anyhow::Result<u8> {
    let sessions = SessionCount::fixed(1);
    let pool = |store| Pool::new(std::sync::Arc::clone(store), sessions, means.retry.clone());
    let (from, to) = (pool(&copied.source), pool(&copied.destination));
    let (source, destination) = (look(means, &from)?, look(means, &to)?);
    if let Err(why) = prove(&copied.report, &source, &destination, to.lease()?.session()) {
        complain!(
            "error: {} was not removed, since {why}; what was copied is at {}",
            route.source.identity(),
            route.destination.identity()
        );
        return Ok(exit::INCOMPLETE);
    }
    let paths = |is_dir: bool| -> Vec<RelPath> {
        let entries = source.tree.entries().filter(|entry| entry.is_dir() == is_dir);
        entries.map(|entry| entry.path.clone()).collect()
    };
    let (files, mut dirs) = (paths(false), paths(true));
    // What is in a directory goes before it.
    dirs.reverse();
    let mut lease = from.lease()?;
    let removed = first_failure(lease.session().remove_files(&files))
        .and_then(|()| first_failure(lease.session().remove_dirs(&dirs)));
    removed.map_err(Failed)?;
    drop(lease);
    if let What::Tree = route.what {
        let (above, name) = split(&route.source)?;
        let removed = means.connect(&means.store(above)?)?.remove_dirs(&[name]);
        first_failure(removed).map_err(Failed)?;
    }
    Ok(0)
}

fn look(means: &Means, pool: &Pool) -> StoreResult<Scanned> {
    let usual = RunOptions::default();
    let options = ScanOptions {
        within: None,
        filter: &Filter::default(),
        max_depth: usual.max_depth,
        max_bytes: usual.max_bytes,
        spill: &usual.spill,
        links: Links::Skip,
        cancel: &means.cancel,
    };
    scan(pool, &options, &|_| {})
}

/// Makes sure that all that is at the source was copied and is at the destination.
///
/// # Errors
/// What speaks against it.
fn prove(
    report: &Report,
    source: &Scanned,
    destination: &Scanned,
    session: &mut dyn Session,
) -> Result<(), String> {
    if let Some((dir, doubt)) = source.tree.unproven().next() {
        return Err(format!("the listing of `{dir}` is not proven: {}", doubt.0));
    }
    let own =
        source.states.iter().chain(source.leftovers.iter().map(|entry| &entry.path)).chain(&source.keeps);
    if let Some(path) = own.clone().next() {
        return Err(format!("`{path}` is, or holds, a file of oneway's own, which is not copied"));
    }
    let copied: HashMap<&RelPath, &Entry> = report
        .plan
        .actions
        .held()
        .iter()
        .zip(&report.outcomes)
        .filter(|(action, outcome)| action.deed == Deed::Copy && outcome.is_done())
        .filter_map(|(action, _)| Some((&action.path, action.source.as_deref()?)))
        .collect();
    let mut unsized_files = Vec::new();
    for entry in source.tree.entries() {
        let path = &entry.path;
        let there = destination.tree.get(path);
        match (entry.kind, there.as_ref().map(|there| there.kind)) {
            (Kind::Dir, Some(Kind::Dir)) => {}
            (Kind::File, Some(Kind::File)) => {
                let before = copied.get(path).ok_or_else(|| format!("`{path}` was not copied"))?;
                if !is_same(before, &entry) {
                    return Err(format!("`{path}` changed while it was copied"));
                }
                match (entry.size, there.and_then(|there| there.size)) {
                    (Some(size), Some(there)) if size == there => {}
                    (Some(size), None) => unsized_files.push((path.clone(), size)),
                    _ => return Err(format!("the copy of `{path}` has another size, or none that is known")),
                }
            }
            (Kind::File | Kind::Dir, _) => return Err(format!("`{path}` is not at the destination")),
            (Kind::Symlink | Kind::Other, _) => {
                return Err(format!("`{path}` is neither a file nor a directory, and is not copied"));
            }
        }
    }
    for (path, size) in unsized_files {
        if session.version(&path).ok().and_then(|version| version.size) != Some(size) {
            return Err(format!("the copy of `{path}` has another size, or none that is known"));
        }
    }
    Ok(())
}

/// Returns whether a file is still what it was when it was listed before.
fn is_same(before: &Entry, now: &Entry) -> bool {
    let times = match (before.mtime, now.mtime) {
        (Some(before), Some(now)) if before.precision == now.precision => {
            before.as_listed() == now.as_listed()
        }
        _ => true,
    };
    before.size == now.size && times
}

#[cfg(test)]
mod tests {
    use oneway::model::Mtime;

    use super::*;

    #[test]
    fn a_file_of_another_size_or_time_is_another_one() {
        let file =
            |size, seconds| Entry::file(RelPath::parse("a").unwrap(), size, Mtime::from_unix(seconds, 0));
        assert!(is_same(&file(1, 1000), &file(1, 1000)));
        assert!(!is_same(&file(1, 1000), &file(2, 1000)));
        assert!(!is_same(&file(1, 1000), &file(1, 1001)));
        let unknown = Entry { mtime: None, ..file(1, 0) };
        assert!(is_same(&unknown, &file(1, 1000)));
    }
}
