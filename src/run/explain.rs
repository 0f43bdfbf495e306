//! What a run would do with one path, and what that is decided by. It is the run itself, without its last step, that is looked at on its
//! way: what is told is what decided.

mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::json;

use crate::compare::{CompareOptions, Reason};
use crate::execute::Observer;
use crate::filter::{IGNORE_NAME, IgnoreFiles, Verdict, deciding};
use crate::model::{Entry, Evidence, Mtime, RelPath, Tree, is_lock, is_manifest, is_state, is_temporary};
use crate::plan::{Deed, Plan, Refusal};
use crate::pool::Pool;
use crate::report::{Mode, Report, percent, write_value};
use crate::run::remote_lock::Loss;
use crate::run::times::ListedTimes;
use crate::run::{RunOptions, mirror};
use crate::scan::Scanned;
use crate::store::{Store, StoreResult};

/// What would be done with a path, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Which.
    pub path: RelPath,
    /// What would be done with it, in order; empty where nothing would.
    pub deeds: Vec<Deed>,
    /// Why, in one word; `None` where nothing would be done.
    pub reason: Option<Reason>,
    /// Both as a sentence.
    pub conclusion: String,
    /// What it is decided by: what it is about, and a sentence.
    pub facts: Vec<(&'static str, String)>,
    /// Neither side has it, as far as they can be seen.
    pub is_absent: bool,
}

/// Compares two places as [`run`](crate::run::run) does and changes nothing, and says what would become of `path`. Of what neither side has,
/// `is_dir` says whether rules are to take it for a directory.
///
/// # Errors
/// As those of a run.
pub fn explain(
    source: &Arc<dyn Store>,
    destination: &Arc<dyn Store>,
    options: &RunOptions,
    (path, is_dir): (&RelPath, bool),
    observer: &dyn Observer,
) -> StoreResult<(Report, Explanation)> {
    let options = RunOptions { mode: Mode::Diff, ..options.clone() };
    let mut witness =
        Witness { path, is_dir, options: &options, sides: Default::default(), why: None, told: None };
    let lost = Loss::default();
    let report = mirror(source, destination, &options, observer, &lost, Some(&mut witness));
    let report = report.map_err(|error| lost.or(error))?;
    let mut told = witness.told.expect("a run that ends with a report has decided");
    let name = format!("`{path}`");
    let all = report.troubles.iter().chain(&report.unfollowed).chain(&report.notes);
    let mentions: Vec<&str> = all.filter(|text| text.contains(&name)).map(String::as_str).collect();
    if !mentions.is_empty() {
        told.facts.push(("also", mentions.join("; ")));
    }
    Ok((report, told))
}

impl Explanation {
    /// Writes it as one JSON object in a line.
    ///
    /// # Errors
    /// What the output says.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let (path, is_encoded) = percent(self.path.as_bytes());
        let mut facts = serde_json::Map::new();
        for (about, text) in &self.facts {
            let texts = facts.entry(*about).or_insert_with(|| json!([]));
            texts.as_array_mut().expect("all of them are arrays").push(json!(text));
        }
        let mut object = json!({
            "event": "explanation",
            "path": path,
            "actions": self.deeds.iter().map(|deed| deed.as_str()).collect::<Vec<_>>(),
            "reason": self.reason.map(Reason::as_str),
            "text": self.conclusion,
            "facts": facts,
        });
        if is_encoded {
            object["path_encoded"] = json!(true);
        }
        let mut line = Vec::new();
        write_value(&mut line, &object)?;
        line.push(b'\n');
        out.write_all(&line)
    }
}

/// Looks at a run on its way.
pub(super) struct Witness<'w> {
    path: &'w RelPath,
    is_dir: bool,
    options: &'w RunOptions,
    /// Source and destination.
    sides: [Seen; 2],
    /// Why it is no part of the mirror; `None` where it is.
    why: Option<LeftAlone>,
    told: Option<Explanation>,
}

/// One side of the path.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// As it is listed.
    entry: Option<Entry>,
    /// The name of the store.
    store: String,
    is_remote: bool,
    /// Why it could not be followed through a link.
    unfollowed: Option<String>,
}

/// Why a path is no part of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeftAlone {
    /// It is one of the program's own files.
    Own,
    /// A rule says so.
    Rule { about: RelPath, pattern: String, origin: String },
    /// It holds rules.
    Rules,
    /// Files of its size or age are left out.
    Limits,
}

/// What is known when the plan is made.
pub(super) struct Decided<'d> {
    pub(super) trees: [&'d Tree; 2],
    /// What the listings told of files that were asked about.
    pub(super) listed: [&'d ListedTimes; 2],
    pub(super) evidence: &'d Evidence,
    pub(super) compare: &'d CompareOptions,
    pub(super) plan: &'d Plan,
    pub(super) refusal: Option<&'d Refusal>,
}

impl Witness<'_> {
    /// Sees what was listed, before anything is left out.
    pub(super) fn see(&mut self, scanned: [&Scanned; 2], pools: [&Pool; 2]) {
        for ((seen, scanned), pool) in self.sides.iter_mut().zip(scanned).zip(pools) {
            let above = |path: &RelPath| scanned.unfollowed.get(path).cloned();
            seen.unfollowed =
                std::iter::successors(Some(self.path.clone()), RelPath::parent).find_map(|p| above(&p));
            seen.store = pool.store().name().to_owned();
            seen.is_remote = pool.store().is_remote();
            seen.entry = scanned.tree.get(self.path).map(Cow::into_owned);
            if seen.entry.is_none() && seen.unfollowed.is_none() {
                // What a filter leaves out was not kept.
                seen.entry = look(pool, self.path);
            }
        }
    }

    /// Sees the rules that lie in the source.
    pub(super) fn see_rules(&mut self, rules: &IgnoreFiles) {
        let kinds = || self.sides.iter().filter_map(|side| side.entry.as_ref());
        let is_dir = kinds().next().map_or(self.is_dir, Entry::is_dir);
        let limits = &self.options.limits;
        let excluded = deciding(&self.options.filter, rules, self.path, is_dir)
            .filter(|(_, decision)| decision.verdict == Verdict::Exclude);
        self.why = if self.is_own() {
            Some(LeftAlone::Own)
        } else if let Some((about, decision)) = excluded {
            let (pattern, origin) = (decision.pattern.to_owned(), decision.origin.to_owned());
            Some(LeftAlone::Rule { about, pattern, origin })
        } else if self.options.ignore_files && self.path.name() == IGNORE_NAME.as_bytes() {
            Some(LeftAlone::Rules)
        } else {
            kinds().any(|entry| !limits.admits(entry)).then_some(LeftAlone::Limits)
        };
    }

    fn is_own(&self) -> bool {
        let mut up = std::iter::successors(Some(self.path.clone()), RelPath::parent);
        up.any(|path| {
            let name = path.name();
            let is_named_so = is_lock(name) || is_state(name) || is_temporary(name) || is_manifest(name);
            self.options.filter.is_apart(&path) || (!path.is_root() && is_named_so)
        })
    }

    /// Sees what was decided.
    pub(super) fn see_plan(&mut self, decided: &Decided<'_>) {
        for (seen, tree) in self.sides.iter_mut().zip(decided.trees) {
            // With the time that was asked for.
            if let Some(entry) = tree.get(self.path) {
                seen.entry = Some(entry.into_owned());
            }
        }
        self.told = Some(words::tell(self, decided));
    }

    fn entries(&self) -> [Option<&Entry>; 2] {
        self.sides.each_ref().map(|side| side.entry.as_ref())
    }

    /// What the listing of one side told of a file that was asked about.
    fn listed(&self, decided: &Decided<'_>, side: usize) -> Option<Option<Mtime>> {
        decided.listed[side].get(self.path)
    }
}

/// Looks for one entry in the listing of the directory it is in. What can't be listed shows none.
fn look(pool: &Pool, path: &RelPath) -> Option<Entry> {
    let dir = path.parent()?;
    let mut lease = pool.lease().ok()?;
    let listing = lease.session().list(&[dir]).pop()?.ok()?;
    listing.entries.into_iter().find(|entry| entry.path == *path)
}
