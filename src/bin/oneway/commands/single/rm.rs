//! `oneway rm`: files, and with `-r` directories and all that is in them.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use oneway::config::Place;
use oneway::filter::Filter;
use oneway::model::{Links, RelPath};
use oneway::pool::{Pool, SessionCount};
use oneway::run::RunOptions;
use oneway::scan::{ScanOptions, scan};
use oneway::store::{Session as _, StoreError, StoreResult};

use crate::args::{RmArgs, SingleArgs};
use crate::commands::single::{Failed, Means, apart};
use crate::exit::UsageError;
use crate::ui::say::complain;

pub(crate) fn run(args: &RmArgs) -> anyhow::Result<ExitCode> {
    let SingleArgs { urls, connection, verbose } = &args.single;
    if args.recursive && !args.yes && !io::stdin().is_terminal() {
        let text =
            "rm -r asks before it removes anything, and nobody is there to answer; give --yes if you mean it";
        return Err(UsageError(text.to_owned()).into());
    }
    Means::new(connection, *verbose)?.for_each(urls, |means, place| {
        if args.recursive { remove_all(means, place, args) } else { remove_file(means, &place) }
    })
}

fn remove_file(means: &Means, place: &Place) -> anyhow::Result<()> {
    let (dir, path) = apart(place)?;
    let store = means.store(dir)?;
    let removed = means.connect(&store)?.remove_files(&[path]).pop().expect("one result for one file");
    Ok(removed.map_err(|e| {
        Failed(e.with_hint("a directory is removed by rmdir, or by rm -r with all that is in it"))
    })?)
}

fn remove_all(means: &Means, place: Place, args: &RmArgs) -> anyhow::Result<()> {
    let (dir, name) = apart(&place)?;
    let url = place.identity();
    let store = means.store(place)?;
    let sessions = args.single.connection.sessions.0.map_or(SessionCount::AUTO, SessionCount::fixed);
    let pool = Pool::new(Arc::clone(&store), sessions, means.retry.clone());
    let defaults = RunOptions::default();
    let options = ScanOptions {
        within: None,
        filter: &Filter::default(),
        max_depth: defaults.max_depth,
        max_bytes: defaults.max_bytes,
        spill: &defaults.spill,
        links: Links::Skip,
        cancel: &means.cancel,
    };
    let scanned = scan(&pool, &options, &|_| {})?;
    for (dir, doubt) in scanned.tree.unproven() {
        complain!("error: the listing of `{dir}` on {url} is not proven: {}", doubt.0);
    }
    if scanned.tree.unproven().next().is_some() {
        let text = "nothing was removed, since not all of what is there is known";
        return Err(Failed(StoreError::new(
            "remove",
            &RelPath::root(),
            &url,
            oneway::model::Remedy::Skip,
            text,
        ))
        .into());
    }
    let leftovers = scanned.leftovers.into_iter().map(|entry| entry.path).chain(scanned.states);
    let entries = || scanned.tree.entries();
    let mut files: Vec<RelPath> =
        entries().filter(|entry| !entry.is_dir()).map(|entry| entry.path.clone()).collect();
    files.extend(leftovers);
    let mut dirs: Vec<RelPath> =
        entries().filter(|entry| entry.is_dir()).map(|entry| entry.path.clone()).collect();
    // What is in a directory goes before it.
    dirs.reverse();
    if !args.yes && !is_confirmed(&url, files.len(), dirs.len() + 1)? {
        return Err(UsageError("nothing was removed".to_owned()).into());
    }
    let mut lease = pool.lease()?;
    let removed = first_failure(lease.session().remove_files(&files))
        .and_then(|()| first_failure(lease.session().remove_dirs(&dirs)));
    removed.map_err(Failed)?;
    let parent = means.store(dir)?;
    let removed = means.connect(&parent)?.remove_dirs(&[name]);
    Ok(first_failure(removed).map_err(Failed)?)
}

/// Says what failed, all but the last of it, which is returned.
pub(super) fn first_failure(results: Vec<StoreResult<()>>) -> StoreResult<()> {
    let mut last = Ok(());
    for error in results.into_iter().filter_map(Result::err) {
        if let Err(earlier) = std::mem::replace(&mut last, Err(error)) {
            complain!("error: {earlier}");
        }
    }
    last
}

fn is_confirmed(url: &str, files: usize, dirs: usize) -> io::Result<bool> {
    let mut ask = io::stderr().lock();
    let count =
        |n: usize, one: &str, more: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {more}") };
    let what = format!("{} and {}", count(files, "file", "files"), count(dirs, "folder", "folders"));
    write!(ask, "remove {url}: {what}? [y/N] ")?;
    ask.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
