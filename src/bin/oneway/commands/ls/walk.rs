//! A tree, directory by directory, each before those in it, as `ls -R` prints it.

use std::io::{self, Write as _};

use oneway::model::{Kind, RelPath, Remedy};
use oneway::store::ftp::{ListedDir, Lister};
use oneway::store::{RetryPolicy, StoreResult};

use crate::args::LsFormat;
use crate::commands::ls::Page;

/// How many directories are asked for at once, at most: few round trips for each, and little to be remembered.
const BATCH: usize = 64;

/// Directories deeper than this are not listed: one that contains itself has no end otherwise.
const MAX_DEPTH: usize = 256;

/// What is still to be done. It is a stack of its own, since the server decides how deep a tree gets.
enum Step {
    List(Vec<RelPath>),
    Print(RelPath, StoreResult<ListedDir>),
}

/// Prints the root, and all below it.
pub(super) fn tree(
    page: &mut Page<'_>,
    lister: &mut Lister<'_>,
    root: ListedDir,
    retry: &RetryPolicy,
    store: &str,
) -> anyhow::Result<()> {
    let mut steps = vec![Step::Print(RelPath::root(), Ok(root))];
    while let Some(step) = steps.pop() {
        match step {
            Step::List(mut dirs) => {
                let later = dirs.split_off(dirs.len().min(BATCH));
                if !later.is_empty() {
                    steps.push(Step::List(later));
                }
                let listed = lister.list(&dirs, retry);
                steps
                    .extend(dirs.into_iter().zip(listed).rev().map(|(dir, listed)| Step::Print(dir, listed)));
            }
            Step::Print(_, Err(e)) if e.remedy() == Remedy::Abort => return Err(e.into()),
            Step::Print(_, Err(e)) => page.fail(&e)?,
            Step::Print(dir, Ok(listed)) => {
                let below = dirs_in(&dir, &listed);
                heading(page, &dir)?;
                page.dir(&dir, listed, store)?;
                match below.first() {
                    Some(first) if first.depth() > MAX_DEPTH => {
                        let text = format_args!(
                            "`{dir}` on {store} is {MAX_DEPTH} directories deep, and what is below it is not listed"
                        );
                        page.miss(text)?;
                    }
                    Some(_) => steps.push(Step::List(below)),
                    None => {}
                }
            }
        }
        if retry.cancel.is_cancelled() {
            break;
        }
    }
    Ok(())
}

/// Returns the directories in this one, sorted. A name that makes no path was told of when it was listed.
fn dirs_in(dir: &RelPath, listed: &ListedDir) -> Vec<RelPath> {
    let dirs = listed.entries.iter().filter(|entry| entry.kind == Kind::Dir);
    let mut dirs: Vec<RelPath> = dirs.filter_map(|entry| dir.join(&entry.name).ok()).collect();
    dirs.sort();
    dirs
}

fn heading(page: &mut Page<'_>, dir: &RelPath) -> io::Result<()> {
    match page.args.format {
        LsFormat::Json => Ok(()),
        LsFormat::Text if dir.is_root() => writeln!(page.out, ".:"),
        LsFormat::Text => writeln!(page.out, "\n./{dir}:"),
    }
}
