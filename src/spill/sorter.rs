//! Records in any order to records in theirs.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::spill::file::{Packed, Records};
use crate::spill::{Record, Sorted, Spill, SpillError};

/// Takes records in any order.
#[derive(Debug)]
pub struct Sorter<T> {
    held: Vec<T>,
    weight: u64,
    runs: Vec<Run<T>>,
    spill: Spill,
}

/// Records in order. Those of level 0 were in memory together, those of each further one are of [`MOST_RUNS`] runs.
#[derive(Debug)]
struct Run<T> {
    records: Packed<T>,
    level: u32,
}

/// More runs of one level become one, since each is an open file.
const MOST_RUNS: usize = 32;

impl<T: Record> Sorter<T> {
    /// Holds what `spill` permits, and puts the rest aside.
    pub fn new(spill: Spill) -> Self {
        Self { held: Vec::new(), weight: 0, runs: Vec::new(), spill }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// When it doesn't fit, and those before it can't be written.
    pub fn push(&mut self, record: T) -> Result<(), SpillError> {
        self.weight += record.weight() as u64;
        self.held.push(record);
        if self.spill.bytes().is_some_and(|most| self.weight > most) {
            return self.end_run();
        }
        Ok(())
    }

    fn end_run(&mut self) -> Result<(), SpillError> {
        // In place: a stable sort needs half as much memory once more, and is no faster.
        self.held.sort_unstable_by(T::order);
        let records = Packed::write(self.held.drain(..), &self.spill)?;
        self.weight = 0;
        self.runs.push(Run { records, level: 0 });
        while let Some(level) = self.full_level() {
            let runs = self.runs.split_off(self.runs.len() - MOST_RUNS);
            let records = Packed::write(merged(&runs), &self.spill)?;
            self.runs.push(Run { records, level: level + 1 });
        }
        self.spill.check()
    }

    /// Returns the level of which there are so many runs at the end that they are to become one.
    fn full_level(&self) -> Option<u32> {
        let level = self.runs.last()?.level;
        let same = self.runs.iter().rev().take_while(|run| run.level == level).count();
        (same == MOST_RUNS).then_some(level)
    }

    /// Returns all of them, in their order as soon as somebody asks for it.
    ///
    /// # Errors
    /// When the last of them can't be written.
    pub fn finish(mut self) -> Result<Gathered<T>, SpillError> {
        if self.runs.is_empty() {
            return Ok(Gathered::Held(self.held));
        }
        if !self.held.is_empty() {
            self.end_run()?;
        }
        Ok(Gathered::Runs(Runs { runs: self.runs, spill: self.spill }))
    }

    /// Returns all of them in their order.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn sorted(self) -> Result<Sorted<T>, SpillError> {
        match self.finish()? {
            Gathered::Held(mut held) => {
                held.sort_unstable_by(T::order);
                held.shrink_to_fit();
                Ok(Sorted::held(held))
            }
            Gathered::Runs(runs) => runs.sifted(|records| records),
        }
    }
}

/// What a sorter was given.
#[derive(Debug)]
pub enum Gathered<T> {
    /// In memory, in no order.
    Held(Vec<T>),
    /// In files.
    Runs(Runs<T>),
}

/// Records in several files, in order in each of them.
#[derive(Debug)]
pub struct Runs<T> {
    runs: Vec<Run<T>>,
    spill: Spill,
}

impl<T: Record> Runs<T> {
    /// Makes one file of them, but for what `sift` leaves out of those that come in their order.
    ///
    /// # Errors
    /// When it can't be written, or they not be read.
    pub fn sifted<'r, I: Iterator<Item = T>>(
        &'r self,
        sift: impl FnOnce(Merged<'r, T>) -> I,
    ) -> Result<Sorted<T>, SpillError> {
        let sorted = Sorted::put(sift(merged(&self.runs)), &self.spill)?;
        self.spill.check()?;
        Ok(sorted)
    }
}

fn merged<T: Record>(runs: &[Run<T>]) -> Merged<'_, T> {
    let heads = runs.iter().filter_map(|run| {
        let mut rest = run.records.records();
        Some(Head { record: rest.next()?, rest })
    });
    Merged(heads.collect())
}

/// Records of several files in their order.
#[derive(Debug)]
pub struct Merged<'r, T: Record>(BinaryHeap<Head<'r, T>>);

impl<T: Record> Iterator for Merged<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let mut first = self.0.peek_mut()?;
        match first.rest.next() {
            Some(next) => Some(std::mem::replace(&mut first.record, next)),
            None => Some(PeekMut::pop(first).record),
        }
    }
}

/// The next record of a run, and those behind it.
#[derive(Debug)]
struct Head<'r, T> {
    record: T,
    rest: Records<'r, T>,
}

impl<T: Record> Ord for Head<'_, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        // A heap gives the greatest first.
        other.record.order(&self.record)
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
