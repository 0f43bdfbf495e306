//! Sorted records, more of them than memory is meant for.
//!
//! A [`Sorter`] takes records in any order. As long as they fit, they stay as they are; beyond that they go to files without a name: those
//! that are known to be neighbours as blocks, which alone are sorted, the others in sorted runs, which are merged. A [`Sorted`] is read from
//! the beginning or looked up by what it is sorted by, and whoever does so doesn't know where the records are.
//!
//! A file that can't be read back ends what is read there and then. That looks like fewer records than there are, so whoever decides
//! anything by them has to [`Spill::check`] afterwards.

mod blocks;
mod file;
mod merge;
mod pack;
mod sorter;

pub use pack::{Packer, Unpacker, same_bytes};
pub use sorter::Sorter;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use thiserror::Error;

use crate::spill::file::{Packed, Records};

/// Something that can be put aside.
pub trait Record: Clone {
    /// Says which of two comes first. Those that are equal come in no order.
    fn order(&self, other: &Self) -> Ordering;

    /// Returns the bytes of memory that it takes, roughly.
    fn weight(&self) -> usize;

    /// Writes it down.
    fn pack(&self, packer: &mut Packer<'_>);

    /// Reads what was written down; `None` where that is nothing that was.
    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self>;
}

/// Where records go that don't fit into memory, and how many do.
#[derive(Clone, Debug)]
pub struct Spill {
    place: Option<Place>,
    broken: Arc<OnceLock<SpillError>>,
}

#[derive(Clone, Debug)]
struct Place {
    dir: PathBuf,
    bytes: u64,
}

/// Why records can't be put aside, or not be had back.
#[derive(Clone, Debug, Error)]
#[error("cannot {deed} what memory is not meant for, in {}: {source}", dir.display())]
pub struct SpillError {
    deed: &'static str,
    dir: PathBuf,
    source: Arc<io::Error>,
}

impl Spill {
    /// Everything stays in memory.
    pub fn never() -> Self {
        Self { place: None, broken: Arc::default() }
    }

    /// What takes more than `bytes` of memory all in all goes to files in `dir`. They have no name, so nothing is left of them.
    pub fn to(dir: PathBuf, bytes: u64) -> Self {
        Self { place: Some(Place { dir, bytes }), broken: Arc::default() }
    }

    /// Returns the bytes that may be held; `None` where all may.
    pub fn bytes(&self) -> Option<u64> {
        self.place.as_ref().map(|place| place.bytes)
    }

    /// Returns the same place with a share of its memory.
    #[must_use]
    pub fn share(&self, part: u64, of: u64) -> Self {
        let place =
            self.place.as_ref().map(|place| Place { bytes: place.bytes * part / of, ..place.clone() });
        Self { place, broken: Arc::clone(&self.broken) }
    }

    /// Says whether all that was read back was.
    ///
    /// # Errors
    /// What went wrong. Something was taken for not being there since.
    pub fn check(&self) -> Result<(), SpillError> {
        self.broken.get().cloned().map_or(Ok(()), Err)
    }

    fn error(&self, deed: &'static str, error: io::Error) -> SpillError {
        let dir = self.place.as_ref().map(|place| place.dir.clone()).unwrap_or_default();
        SpillError { deed, dir, source: Arc::new(error) }
    }

    fn fail(&self, error: io::Error) {
        let _ = self.broken.set(self.error("read back", error));
    }
}

impl Default for Spill {
    fn default() -> Self {
        Self::never()
    }
}

impl SpillError {
    /// Returns what was to be done.
    pub fn deed(&self) -> &'static str {
        self.deed
    }

    /// Returns where.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns what the system said.
    pub fn cause(&self) -> io::Error {
        io::Error::new(self.source.kind(), self.source.to_string())
    }
}

/// Records in their order.
#[derive(Clone, Debug)]
pub struct Sorted<T>(Kept<T>);

#[derive(Clone, Debug)]
enum Kept<T> {
    Held(Vec<T>, Next),
    Put(Arc<Packed<T>>),
}

/// Behind the record that was found last: whoever looks up in order finds the next one here. Of several who look up at once, each may be
/// led astray by the others, and searches then.
#[derive(Debug, Default)]
struct Next(AtomicUsize);

impl Clone for Next {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T: Record> Sorted<T> {
    /// Takes records that are in their order.
    pub fn held(records: Vec<T>) -> Self {
        Self(Kept::Held(records, Next::default()))
    }

    /// Puts aside records that come in their order.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn put(records: impl Iterator<Item = T>, spill: &Spill) -> Result<Self, SpillError> {
        Ok(Self::packed(Packed::write(records, spill)?))
    }

    fn packed(packed: Packed<T>) -> Self {
        Self(Kept::Put(Arc::new(packed)))
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Held(held, _) => held.len(),
            Kept::Put(packed) => packed.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all of them in memory, where they are there anyway.
    pub fn as_held(&self) -> Option<&[T]> {
        match &self.0 {
            Kept::Held(held, _) => Some(held),
            Kept::Put(_) => None,
        }
    }

    /// Returns all of them in memory to be changed, where they are there anyway.
    pub fn as_held_mut(&mut self) -> Option<&mut Vec<T>> {
        match &mut self.0 {
            Kept::Held(held, _) => Some(held),
            Kept::Put(_) => None,
        }
    }

    /// Returns each of them, in their order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(match &self.0 {
            Kept::Held(held, _) => Source::Held(held.iter()),
            Kept::Put(packed) => Source::Put(packed.records()),
        })
    }

    /// Returns those from the first on for which `is_before` is false. It is true for some at the beginning, or for none.
    pub fn iter_from(&self, is_before: impl Fn(&T) -> bool) -> Iter<'_, T> {
        Iter(match &self.0 {
            Kept::Held(held, _) => Source::Held(held[held.partition_point(is_before)..].iter()),
            Kept::Put(packed) => Source::Put(packed.records_from(is_before)),
        })
    }

    /// Returns the one that `order` says to be it; `None` where there is none. Looking up in the order of the records is cheap.
    pub fn find(&self, order: impl Fn(&T) -> Ordering) -> Option<Cow<'_, T>> {
        match &self.0 {
            Kept::Held(held, Next(next)) => {
                let likely = next.load(Relaxed);
                let is_it = held.get(likely).is_some_and(|record| order(record).is_eq());
                let found = if is_it { likely } else { held.binary_search_by(order).ok()? };
                next.store(found + 1, Relaxed);
                Some(Cow::Borrowed(&held[found]))
            }
            Kept::Put(packed) => packed.find(order).map(Cow::Owned),
        }
    }
}

impl<T: Record + PartialEq> PartialEq for Sorted<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Record + Eq> Eq for Sorted<T> {}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(Kept::Held(Vec::new(), Next::default()))
    }
}

impl<'s, T: Record> IntoIterator for &'s Sorted<T> {
    type Item = Cow<'s, T>;
    type IntoIter = Iter<'s, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Sorted records, one after the other.
#[derive(Debug)]
pub struct Iter<'s, T>(Source<'s, T>);

#[derive(Debug)]
enum Source<'s, T> {
    Held(std::slice::Iter<'s, T>),
    Put(Records<'s, T>),
}

impl<'s, T: Record> Iterator for Iter<'s, T> {
    type Item = Cow<'s, T>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Held(held) => held.next().map(Cow::Borrowed),
            Source::Put(records) => records.next().map(Cow::Owned),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Source::Held(held) => held.size_hint(),
            Source::Put(_) => (0, None),
        }
    }
}

#[cfg(test)]
mod tests;
