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

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oneway::model::escape;
use oneway::plan::{Action, Part, Parts};
use oneway::planfile::{
    self, Header, MOST_BYTES, MOST_MANIFEST_BYTES, Manifest, Outcomes, PartFile, PlanFileError, Tally,
};
use oneway::spill::Spill;
use oneway::state::{Holder, Lock, LockError};

use crate::commands::plan::file::{self, is_mine};
use crate::exit::UsageError;

const MANIFEST: &str = "plan.json";
/// Until it has its name.
const DRAFT: &str = ".plan.json.part";
const LOCK: &str = "plan.lock";
const OUTCOMES: &str = "outcomes";
const RECEIPTS: &str = "receipts";
const LOCKS: &str = "locks";
const MERGED: &str = "merged";
const FOUND: &str = "unchanged.sqlite";

fn plan_name(part: Part) -> String {
    format!("{}.plan", part.name())
}

/// A directory with a plan in it.
pub(super) struct PlanDir {
    path: PathBuf,
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
        let bytes = file::read(&self.path.join(&name), MOST_BYTES).map_err(|e| wrong(e.to_string()))?;
        if *blake3::hash(&bytes).as_bytes() != known.blake3 {
            return Err(wrong(
                "it is not the file that was made with the others; make the plan again".to_owned(),
            )
            .into());
        }
        let (header, mut plan) = planfile::read(&bytes).map_err(|e| wrong(e.to_string()))?;
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
        match file::read(&file, MOST_BYTES) {
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

fn make_dir(path: &Path) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(e).with_context(|| format!("cannot make {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file under another name first.
fn write_whole(
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

/// A directory that is about to get a plan. What was begun goes when it gets none.
pub(super) struct NewDir {
    path: PathBuf,
    /// It wasn't there.
    is_made: bool,
    is_done: bool,
    /// So that nobody else writes to it.
    lock: Option<Lock>,
}

impl NewDir {
    /// # Errors
    /// Why it can't get one: it holds something, but for what an interrupted `plan` left.
    pub(super) fn begin(path: &Path) -> anyhow::Result<Self> {
        let wrong = |text: &str| UsageError(format!("cannot write the plan to {}: {text}", path.display()));
        let is_made = match fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => {
                return Err(wrong("it is no directory, which --shards makes").into());
            }
            Ok(meta) => {
                is_mine(&meta).map_err(|e| wrong(&e.to_string()))?;
                let names = fs::read_dir(path).map_err(|e| wrong(&e.to_string()))?;
                let names: Vec<OsString> = names.flatten().map(|entry| entry.file_name()).collect();
                if names.iter().any(|name| name == MANIFEST) {
                    return Err(wrong("there is a plan in it; name another directory").into());
                }
                // Only where one was begun and never ended, what has such a name is nobody's.
                let is_begun = names.iter().any(|name| name == LOCK);
                let is_ours = |name: &&OsString| is_begun && name.to_str().is_some_and(is_of_plan);
                if let Some(name) = names.iter().find(|name| !is_ours(name)) {
                    let name = escape(name.as_encoded_bytes());
                    return Err(
                        wrong(&format!("it holds `{name}`; name an empty directory, or a new one")).into()
                    );
                }
                false
            }
            Err(_) => {
                let made = DirBuilder::new().mode(0o700).create(path);
                made.map_err(|e| wrong(&e.to_string()))?;
                true
            }
        };
        let mut dir = Self { path: path.to_owned(), is_made, is_done: false, lock: None };
        let holder = Holder { pid: Some(std::process::id()), since: None };
        match Lock::take(&path.join(LOCK), &holder) {
            Ok(lock) => dir.lock = Some(lock),
            Err(LockError::Held(_)) => {
                // It is all another one's.
                dir.is_done = true;
                return Err(wrong("another `oneway plan` is writing to it").into());
            }
            // Without locks, it is up to whoever starts them.
            Err(LockError::Unusable(_)) if path.join(LOCK).exists() => {}
            Err(LockError::Unusable(e)) => return Err(wrong(&e.to_string()).into()),
        }
        if path.join(MANIFEST).exists() {
            dir.is_done = true;
            return Err(wrong("another `oneway plan` has just written to it").into());
        }
        match fs::remove_dir_all(path.join(RECEIPTS)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(wrong(&e.to_string()).into()),
            _ => make_dir(&path.join(RECEIPTS))?,
        }
        Ok(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file for what the plan finds the same on both sides.
    pub(super) fn found(&self) -> PathBuf {
        self.path.join(RECEIPTS).join(FOUND)
    }

    /// Writes the parts, and the manifest when all of them are there. The manifest gets what is known of each part's file.
    ///
    /// # Errors
    /// Why that failed.
    pub(super) fn finish(
        mut self,
        header: &Header,
        mut manifest: Manifest,
        parts: &Parts,
        spill: &Spill,
    ) -> anyhow::Result<()> {
        let mut actions = parts.actions();
        manifest.parts.clear();
        for (part, size) in Part::all(manifest.shards).zip(parts.sizes()) {
            let file = self.path.join(plan_name(part));
            let mut hashing = Hashing { hasher: blake3::Hasher::new(), bytes: 0 };
            write_whole(&file.with_extension("plan.part"), &file, |out| {
                let its = actions.by_ref().take(size.actions);
                planfile::write_actions(header, size.actions, its, &mut hashing.to(out))
            })?;
            if hashing.bytes > MOST_BYTES {
                let most = MOST_BYTES >> 20;
                anyhow::bail!("{} would have more than {most} MiB; take more shards", plan_name(part));
            }
            manifest.parts.push(PartFile {
                actions: size.actions,
                bytes: size.bytes,
                blake3: *hashing.hasher.finalize().as_bytes(),
            });
        }
        spill.check()?;
        let dir = PlanDir { path: self.path.clone(), manifest };
        dir.make_room()?;
        write_whole(&self.path.join(DRAFT), &self.path.join(MANIFEST), |out| {
            out.write_all(&dir.manifest.to_bytes())
        })?;
        File::open(&self.path)?.sync_all()?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for NewDir {
    fn drop(&mut self) {
        if !self.is_done {
            // What can't be removed is known for what it is by its name.
            for name in
                fs::read_dir(&self.path).into_iter().flatten().flatten().map(|entry| entry.file_name())
            {
                if name.to_str().is_some_and(is_of_plan) {
                    let path = self.path.join(&name);
                    let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
                }
            }
            if self.is_made {
                let _ = fs::remove_dir(&self.path);
            }
        } else if self.lock.is_some() {
            let _ = fs::remove_file(self.path.join(LOCK));
        }
    }
}

/// Returns whether this is the name of something that stands in the directory of a plan that isn't whole.
fn is_of_plan(name: &str) -> bool {
    let stem = name.strip_suffix(".part").unwrap_or(name).strip_suffix(".plan");
    let is_share = |stem: &str| {
        stem.strip_prefix("shard-")
            .is_some_and(|number| number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()))
    };
    [DRAFT, LOCK, OUTCOMES, RECEIPTS, LOCKS].contains(&name)
        || stem.is_some_and(|stem| stem == Part::First.name() || stem == Part::Last.name() || is_share(stem))
}

/// Hashes and counts what is written.
struct Hashing {
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Hashing {
    fn to<'h>(&'h mut self, out: &'h mut dyn Write) -> impl Write + 'h {
        HashingTo { hashing: self, out }
    }
}

struct HashingTo<'h> {
    hashing: &'h mut Hashing,
    out: &'h mut dyn Write,
}

impl Write for HashingTo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hashing.hasher.update(&bytes[..n]);
        self.hashing.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
