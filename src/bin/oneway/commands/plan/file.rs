//! The file of a plan: written whole or not at all, read no further than a plan can be long.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::exit::UsageError;

/// A file that gets its name when it is whole. Until then it lies beside it, so that what can't be written is found out at once.
pub(crate) struct Draft {
    draft: PathBuf,
    file: PathBuf,
    out: Option<File>,
}

impl Draft {
    /// # Errors
    /// Why there can't be such a file.
    pub(crate) fn begin(file: &Path) -> anyhow::Result<Self> {
        if fs::metadata(file).is_ok_and(|meta| !meta.is_file()) {
            return Err(
                UsageError(format!("cannot write the plan to {}: it is no file", file.display())).into()
            );
        }
        let Some(name) = file.file_name() else {
            return Err(
                UsageError(format!("cannot write the plan to {}: it has no name", file.display())).into()
            );
        };
        let mut draft_name = name.to_owned();
        draft_name.push(format!(".{}.part", std::process::id()));
        let draft = file.with_file_name(draft_name);
        // Paths and servers are nobody else's business.
        let out = File::options().write(true).create_new(true).mode(0o600).open(&draft);
        let out = out.with_context(|| format!("cannot write the plan to {}", file.display()))?;
        Ok(Self { draft, file: file.to_owned(), out: Some(out) })
    }

    /// Returns where it lies until it is whole.
    pub(crate) fn path(&self) -> &Path {
        &self.draft
    }

    /// Writes all of it and gives it its name.
    ///
    /// # Errors
    /// Why that failed; what had the name before has it still.
    pub(crate) fn finish(mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let Some(out) = self.out.take() else { return Ok(()) };
        let mut out = BufWriter::new(out);
        write(&mut out)?;
        out.into_inner()?.sync_all()?;
        fs::rename(&self.draft, &self.file)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is there no more when it has its name.
        let _ = fs::remove_file(&self.draft);
    }
}

/// Reads a file, and a little more than `most` bytes of one that is longer.
pub(crate) fn read(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(file)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file to be read. Who can write it says what is done with the rights of whoever carries it out, so another user's is not opened.
pub(crate) fn open(file: &Path) -> io::Result<File> {
    let file = File::open(file)?;
    is_mine(&file.metadata()?)?;
    Ok(file)
}

/// Hashes what is read.
pub(crate) struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R> Hashed<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, hasher: blake3::Hasher::new() }
    }

    /// Returns the hash of all that was read until now.
    pub(crate) fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

/// # Errors
/// That it belongs to another user than this one and root.
pub(crate) fn is_mine(meta: &Metadata) -> io::Result<()> {
    let owner = meta.uid();
    if owner == rustix::process::geteuid().as_raw() || owner == 0 {
        return Ok(());
    }
    let text =
        format!("it belongs to user {owner}, who says in it what is done as you; a copy of it is yours");
    Err(io::Error::other(text))
}
