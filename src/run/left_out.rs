//! What is left out for what the two trees themselves say: by size or age, or by rules that lie in the source.
//!
//! It is decided when both trees are known, since what is left out on one side must be left alone on the other: a file that has become
//! too large to be sent is no reason to delete the old one.

use std::collections::BTreeSet;

use crate::filter::{Filter, IGNORE_NAME, IgnoreFiles, Limits, Verdict};
use crate::model::{Kind, RelPath, Remedy, Tree, Unproven};
use crate::pool::Pool;
use crate::run::RunOptions;
use crate::scan::Scanned;
use crate::store::{ReadRequest, RetryPolicy, Session, StoreError, StoreResult};

/// More than this is no list of rules.
const MOST_BYTES: usize = 1 << 20;

/// What is to be told of it.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub(super) notes: Vec<String>,
    /// What went wrong.
    pub(super) troubles: Vec<String>,
    /// The rules that lie in the source.
    pub(super) rules: IgnoreFiles,
}

/// Takes what is left out from both trees.
///
/// # Errors
/// When the source can't be reached any more, so that its rules aren't known.
pub(super) fn leave_out(
    from: &mut Scanned,
    to: &mut Scanned,
    source: &Pool,
    retry: &RetryPolicy,
    options: &RunOptions,
) -> StoreResult<LeftOut> {
    let (mut notes, mut troubles) = (Vec::new(), Vec::new());
    let mut out = beyond(&options.limits, [&from.tree, &to.tree]);
    if !out.is_empty() {
        let files = if out.len() == 1 { "1 file was" } else { &format!("{} files were", out.len()) };
        notes.push(format!("{files} left out by size or age"));
    }
    let (rules, broken) =
        if options.ignore_files { ignore_files(from, source, retry)? } else { Default::default() };
    for (dir, why) in broken {
        troubles.push(format!("{why}; everything beside it was left alone"));
        from.tree.add_doubt(dir.clone(), Unproven(why.clone()));
        for tree in [&from.tree, &to.tree] {
            let within = tree.entries_within(&dir).map(|entry| entry.path.clone());
            out.extend(within.filter(|path| path.parent().is_some_and(|parent| parent == dir)));
        }
    }
    for side in [&*from, &*to].into_iter().filter(|_| options.ignore_files) {
        if !rules.is_empty() || !side.ignore_files.is_empty() {
            out.extend(ignored(&side.tree, &rules, &options.filter));
        }
    }
    for side in [from, to] {
        let there: Vec<RelPath> =
            out.iter().filter(|path| side.tree.get(path).is_some()).filter_map(RelPath::parent).collect();
        side.keeps.extend(there);
        side.tree.remove_all(&out)?;
    }
    Ok(LeftOut { notes, troubles, rules })
}

/// Returns the files that one of the trees has beyond the limits.
fn beyond(limits: &Limits, trees: [&Tree; 2]) -> BTreeSet<RelPath> {
    if limits.is_empty() {
        return BTreeSet::new();
    }
    let entries = trees.into_iter().flat_map(Tree::entries);
    entries.filter(|entry| !limits.admits(entry)).map(|entry| entry.path.clone()).collect()
}

/// Returns the paths of `tree` that rules leave out, without what is below them; files with rules are among them.
fn ignored(tree: &Tree, rules: &IgnoreFiles, filter: &Filter) -> Vec<RelPath> {
    let mut out: Vec<RelPath> = Vec::new();
    for entry in tree.entries() {
        if out.last().is_some_and(|top| entry.path.is_within(top)) {
            continue;
        }
        let is_out = entry.path.name() == IGNORE_NAME.as_bytes()
            || (!rules.is_empty()
                && filter.decision(&entry.path, entry.is_dir()).is_none()
                && rules
                    .decision(&entry.path, entry.is_dir())
                    .is_some_and(|decision| decision.verdict == Verdict::Exclude));
        if is_out {
            out.push(entry.path.clone());
        }
    }
    out
}

/// Reads the files with rules. Of those that can't be used, returns the directory and why.
fn ignore_files(
    from: &Scanned,
    source: &Pool,
    retry: &RetryPolicy,
) -> StoreResult<(IgnoreFiles, Vec<(RelPath, String)>)> {
    let mut files = IgnoreFiles::default();
    let mut broken = Vec::new();
    let found = from.ignore_files.iter().filter_map(|path| from.tree.get(path));
    let mut found = found.filter(|entry| entry.kind == Kind::File).peekable();
    if found.peek().is_none() {
        return Ok((files, broken));
    }
    let mut lease = source.lease()?;
    for entry in found {
        let dir = entry.path.parent().unwrap_or_else(RelPath::root);
        match retry.persist(|| text_of(lease.session(), &entry.path, source.store().name())) {
            Ok(text) => {
                if let Err((line, e)) = files.add(dir.clone(), &text) {
                    broken.push((dir, format!("`{}` line {line}: {e}", entry.path)));
                }
            }
            Err(e) if e.is_cancelled() || e.remedy() == Remedy::Shrink => return Err(e),
            Err(e) => broken.push((dir, e.to_string())),
        }
    }
    Ok((files, broken))
}

fn text_of(session: &mut dyn Session, path: &RelPath, store: &str) -> StoreResult<String> {
    let mut content = Vec::new();
    let mut block = vec![0; 16 << 10];
    let mut incoming = session.read(&ReadRequest { path: path.clone(), size: None }, None)?;
    loop {
        let n = incoming.read(&mut block)?;
        if n == 0 {
            break;
        }
        content.extend_from_slice(&block[..n]);
        if content.len() > MOST_BYTES {
            let why = "it has more than 1 MiB, which is no list of rules";
            return Err(StoreError::new("read", path, store, Remedy::Skip, why));
        }
    }
    incoming.finish()?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}
