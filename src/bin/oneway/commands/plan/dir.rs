//! The directory of a plan for several machines.
//!
//! ```text
//! plan.json                    what it consists of; written last, so that a directory without it is no plan
//! first.plan shard-0001.plan … last.plan
//! outcomes/first.jsonl …       what became of each part
//! receipts/first.sqlite …      what it remembers
//! receipts/unchanged.sqlite    what the plan found the same on both sides
//! merged/…                     where all of that was taken over
//! locks/first.lock …           one process at a time does it
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oneway::plan::{Action, Part};
use oneway::planfile::{
    self, MOST_MANIFEST_BYTES, MOST_OUTCOMES_BYTES, Manifest, Outcomes, PlanFileError, Tally,
};

use crate::commands::plan::file::{self, Hashed, is_mine};
use crate::exit::UsageError;

pub(super) const MANIFEST: &str = "plan.json";
/// Until it has its name.
pub(super) const DRAFT: &str = ".plan.json.part";
pub(super) const LOCK: &str = "plan.lock";
pub(super) const OUTCOMES: &str = "outcomes";
pub(super) const RECEIPTS: &str = "receipts";
pub(super) const LOCKS: &str = "locks";
const MERGED: &str = "merged";
pub(super) const FOUND: &str = "unchanged.sqlite";

pub(super) fn plan_name(part: Part) -> String {
    format!("{}.plan", part.name())
}

/// A directory with a plan in it.
pub(super) struct PlanDir {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
}

impl PlanDir {
    /// # Errors
    /// Why it is none. That of another user is none: he says in it what is done as whoever carries it out.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let wrong = |text: String| UsageError(format!("cannot read the plan in {}: {text}", path.display()));
        is_mine(&fs::metadata(path).map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))?;
        let bytes = match file::read(&path.join(MANIFEST), MOST_MANIFEST_BYTES) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(wrong(format!(
                    "there is none, or not all of it: no {MANIFEST}, which is written last"
                ))
                .into());
            }
            Err(e) => return Err(wrong(format!("{MANIFEST}: {e}")).into()),
        };
        let manifest = Manifest::read(&bytes).map_err(|e| wrong(format!("{MANIFEST}: {e}")))?;
        Ok(Self { path: path.to_owned(), manifest })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn shown(&self) -> impl std::fmt::Display {
        self.path.display()
    }

    pub(super) fn receipts(&self, part: Part) -> PathBuf {
        self.path.join(RECEIPTS).join(format!("{}.sqlite", part.name()))
    }

    /// What the plan found the same on both sides.
    pub(super) fn found(&self) -> PathBuf {
        self.path.join(RECEIPTS).join(FOUND)
    }

    /// Where it stands that `what`, a word, was taken over.
    fn merged_file(&self, what: &str) -> PathBuf {
        self.path.join(MERGED).join(what)
    }

    pub(super) fn is_merged(&self, what: &str) -> bool {
        self.merged_file(what).exists()
    }

    /// Remembers that `what`, a word, was taken over.
    ///
    /// # Errors
    /// Why it can't.
    pub(super) fn keep_merged(&self, what: &str) -> anyhow::Result<()> {
        make_dir(&self.path.join(MERGED))?;
        let file = self.merged_file(what);
        let made = File::options().write(true).create(true).truncate(false).mode(0o600).open(&file);
        made.map(drop).with_context(|| format!("cannot write {}", file.display()))
    }

    pub(super) fn lock(&self, part: Part) -> PathBuf {
        self.path.join(LOCKS).join(format!("{}.lock", part.name()))
    }

    fn outcomes_file(&self, part: Part) -> PathBuf {
        self.path.join(OUTCOMES).join(format!("{}.jsonl", part.name()))
    }

    /// Reads the actions of a part.
    ///
    /// # Errors
    /// Why its file isn't the one that was made with the rest.
    pub(super) fn actions(&self, part: Part) -> anyhow::Result<Vec<Action>> {
        let name = plan_name(part);
        let wrong =
            |text: String| UsageError(format!("cannot read the plan in {}: {name}: {text}", self.shown()));
        let manifest = &self.manifest;
        let known = manifest.part(part).ok_or_else(|| wrong("the plan has no such part".to_owned()))?;
        let file = file::open(&self.path.join(&name)).map_err(|e| wrong(e.to_string()))?;
        let mut file = BufReader::new(Hashed::new(file));
        let read = planfile::read_from(&mut file);
        // What isn't read to its end is none of them either.
        if file.get_ref().hash() != known.blake3 {
            return Err(wrong(
                "it is not the file that was made with the others; make the plan again".to_owned(),
            )
            .into());
        }
        let (header, mut plan) = read.map_err(|e| wrong(e.to_string()))?;
        let is_of_it = header.source == manifest.source
            && header.destination == manifest.destination
            && plan.actions.len() == known.actions;
        if !is_of_it {
            return Err(wrong("it is of another plan; make the plan again".to_owned()).into());
        }
        Ok(std::mem::take(plan.actions.held_mut()))
    }

    /// Reads what became of a part; `None` where no try at it has ended.
    ///
    /// # Errors
    /// Why that can't be told.
    pub(super) fn outcomes(&self, part: Part, actions: &[Action]) -> anyhow::Result<Option<Outcomes>> {
        self.read_outcomes(part, |bytes| Outcomes::read(bytes, self.manifest.id, part, actions))
    }

    /// Returns how many actions of a part are left to do.
    ///
    /// # Errors
    /// Why that can't be told.
    pub(super) fn left(&self, part: Part) -> anyhow::Result<usize> {
        let tally = self.read_outcomes(part, |bytes| Tally::read(bytes, self.manifest.id, part))?;
        let all = self.manifest.part(part).map_or(0, |file| file.actions);
        Ok(tally.map_or(all, |tally| tally.left))
    }

    fn read_outcomes<T>(
        &self,
        part: Part,
        read: impl FnOnce(&[u8]) -> Result<T, PlanFileError>,
    ) -> anyhow::Result<Option<T>> {
        let file = self.outcomes_file(part);
        let wrong = |text: String| UsageError(format!("cannot read {}: {text}", file.display()));
        // A machine that has looked before may believe for a while that it isn't there; to open the directory makes NFS look again.
        if !file.exists() {
            drop(fs::read_dir(self.path.join(OUTCOMES)));
        }
        match file::read(&file, MOST_OUTCOMES_BYTES) {
            Ok(bytes) => {
                let read = read(&bytes);
                Ok(Some(read.map_err(|e| wrong(format!("{e}; without it, the part would be done anew")))?))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(wrong(e.to_string()).into()),
        }
    }

    /// Writes what became of a part, whole or not at all.
    ///
    /// # Errors
    /// Why that failed.
    pub(super) fn keep_outcomes(
        &self,
        part: Part,
        actions: &[Action],
        outcomes: &Outcomes,
    ) -> anyhow::Result<()> {
        let file = self.outcomes_file(part);
        make_dir(&self.path.join(OUTCOMES))?;
        let written = write_whole(&file.with_extension("jsonl.part"), &file, |out| {
            outcomes.write(self.manifest.id, part, actions, out)
        });
        written.with_context(|| format!("cannot write what became of it to {}", file.display()))
    }

    /// Makes the directories that parts write to.
    pub(super) fn make_room(&self) -> anyhow::Result<()> {
        [OUTCOMES, RECEIPTS, LOCKS].into_iter().try_for_each(|name| make_dir(&self.path.join(name)))
    }
}

pub(super) fn make_dir(path: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(e).with_context(|| format!("cannot make {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file under another name first.
pub(super) fn write_whole(
    draft: &Path,
    file: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // Paths and servers are nobody else's business.
    let out = File::options().write(true).create_new(true).mode(0o600).open(draft)?;
    let mut out = BufWriter::new(out);
    write(&mut out)?;
    out.into_inner()?.sync_all()?;
    fs::rename(draft, file)
}
