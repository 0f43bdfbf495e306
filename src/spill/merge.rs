//! Several files in their order to one. Where one of them goes on alone for a block, nobody looks at its records.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::spill::blocks::Writer;
use crate::spill::file::{Packed, Records};
use crate::spill::{Record, Spill, SpillError};

/// Makes one file of several.
///
/// # Errors
/// When it can't be written, or they not be read.
pub(super) fn merge<'f, T: Record + 'f>(
    files: impl Iterator<Item = &'f Packed<T>>,
    spill: &Spill,
) -> Result<Packed<T>, SpillError> {
    let mut heads: BinaryHeap<Head<'f, T>> = files.filter_map(|file| Head::of(file.records())).collect();
    let mut writer = Writer::new(spill)?;
    loop {
        // In its place, which is less work than to take a file out and put it in again.
        if let Some(mut first) = heads.peek_mut()
            && let Head { next: next @ Next::Record(_), rest } = &mut *first
        {
            let record = match Next::of(rest) {
                Some(following) => std::mem::replace(next, following),
                None => PeekMut::pop(first).next,
            };
            if let Next::Record(record) = record {
                writer.push(record)?;
            }
            continue;
        }
        let Some(first) = heads.pop() else { break };
        let following = first.write_block(heads.peek(), &mut writer)?;
        heads.extend(following);
    }
    spill.check()?;
    writer.finish()
}

/// What comes next of a file, and what behind that.
struct Head<'f, T> {
    next: Next<T>,
    rest: Records<'f, T>,
}

enum Next<T> {
    /// A record, taken out.
    Record(T),
    /// A block that isn't begun: its first record, and that of the block behind it.
    Block { first: T, behind: Option<T> },
}

impl<T: Record> Next<T> {
    fn of(rest: &mut Records<'_, T>) -> Option<Self> {
        match rest.next_block() {
            Some((first, behind)) => Some(Self::Block { first, behind }),
            None => rest.next().map(Self::Record),
        }
    }
}

impl<'f, T: Record> Head<'f, T> {
    fn of(mut rest: Records<'f, T>) -> Option<Self> {
        Some(Self { next: Next::of(&mut rest)?, rest })
    }

    /// Writes the block that comes next if all of it is before what comes second, or else its first record. Returns what follows.
    fn write_block(
        mut self,
        second: Option<&Self>,
        writer: &mut Writer<T>,
    ) -> Result<Option<Self>, SpillError> {
        let Next::Block { behind, .. } = &self.next else { return Ok(Some(self)) };
        let is_before =
            |second: &Self| behind.as_ref().is_some_and(|behind| behind.order(second.record()).is_le());
        if second.is_none_or(is_before) {
            if let Some((first, records, bytes)) = self.rest.take_block() {
                writer.copy_block(&first, records, bytes)?;
            }
        } else if let Some(record) = self.rest.next() {
            writer.push(record)?;
        }
        Ok(Self::of(self.rest))
    }

    fn record(&self) -> &T {
        match &self.next {
            Next::Record(record) | Next::Block { first: record, .. } => record,
        }
    }
}

impl<T: Record> Ord for Head<'_, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // A heap gives the greatest first.
        other.record().order(self.record())
    }
}

impl<T: Record> PartialOrd for Head<'_, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Record> PartialEq for Head<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Record> Eq for Head<'_, T> {}
