//! A directory that is about to get a plan for several machines: all of it, or nothing that is one.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oneway::model::escape;
use oneway::plan::{Part, Parts};
use oneway::planfile::{self, Header, Manifest, PartFile};
use oneway::spill::Spill;
use oneway::state::{Holder, Lock, LockError};

use crate::commands::plan::dir::{
    DRAFT, FOUND, LOCK, LOCKS, MANIFEST, OUTCOMES, PlanDir, RECEIPTS, make_dir, plan_name, write_whole,
};
use crate::commands::plan::file::is_mine;
use crate::exit::UsageError;

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
            let mut hasher = blake3::Hasher::new();
            let written = write_whole(&file.with_extension("plan.part"), &file, |out| {
                let its = actions.by_ref().take(size.actions);
                planfile::write_actions(header, size.actions, its, &mut Hashing { out, hasher: &mut hasher })
            });
            written.with_context(|| plan_name(part))?;
            manifest.parts.push(PartFile {
                actions: size.actions,
                bytes: size.bytes,
                blake3: *hasher.finalize().as_bytes(),
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

/// Hashes what is written.
struct Hashing<'h> {
    out: &'h mut dyn Write,
    hasher: &'h mut blake3::Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
