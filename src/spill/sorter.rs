//! Records in any order to records in theirs.

use std::ops::Range;

use crate::spill::blocks::Writer;
use crate::spill::file::Packed;
use crate::spill::merge::merge;
use crate::spill::{Record, Sorted, Spill, SpillError};

/// Takes records in any order.
#[derive(Debug)]
pub struct Sorter<T> {
    held: Vec<T>,
    /// Where neighbours are among those that are held: see [`Sorter::push_neighbours`].
    stretches: Vec<Range<usize>>,
    weight: u64,
    /// Those that were neighbours when there was no room for them.
    blocks: Option<Writer<T>>,
    /// All others for which there was none.
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

/// Neighbours that are worth a block of their own, which is sorted by its first record alone. The laws run over small trees.
const FEW: usize = if cfg!(test) { 3 } else { 32 };

/// Blocks have half of this at least, wherever memory is meant for less: some hundred of them.
const LEAST_OF_BLOCKS: u64 = 64 << 10;

impl<T: Record> Sorter<T> {
    /// Holds what `spill` permits, and puts the rest aside.
    pub fn new(spill: Spill) -> Self {
        Self { held: Vec::new(), stretches: Vec::new(), weight: 0, blocks: None, runs: Vec::new(), spill }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// When it doesn't fit, and those before it can't be written.
    pub fn push(&mut self, record: T) -> Result<(), SpillError> {
        self.weight += record.weight() as u64;
        self.held.push(record);
        self.make_room()
    }

    /// Takes records in their order that are neighbours: nothing else belongs between any two of them. They need no sorting, so it is
    /// faster to give them together.
    ///
    /// # Errors
    /// When they don't fit, and they or those before them can't be written.
    pub fn push_neighbours(&mut self, records: impl ExactSizeIterator<Item = T>) -> Result<(), SpillError> {
        let count = records.len();
        if count >= FEW && self.has_put_aside() {
            return self.put_block(records);
        }
        let from = self.held.len();
        for record in records {
            self.weight += record.weight() as u64;
            self.held.push(record);
        }
        if count >= FEW {
            self.stretches.push(from..self.held.len());
        }
        self.make_room()
    }

    fn has_put_aside(&self) -> bool {
        self.blocks.is_some() || !self.runs.is_empty()
    }

    fn make_room(&mut self) -> Result<(), SpillError> {
        match self.spill.bytes() {
            Some(most) if self.weight + self.weight_of_blocks() > most => self.put_aside(),
            _ => Ok(()),
        }
    }

    /// Puts aside all that is held.
    fn put_aside(&mut self) -> Result<(), SpillError> {
        self.weight = 0;
        if self.stretches.is_empty() {
            return self.end_run();
        }
        let stretches = std::mem::take(&mut self.stretches);
        let mut held = std::mem::take(&mut self.held).into_iter();
        let (mut others, mut at) = (Vec::new(), 0);
        for stretch in stretches {
            others.extend(held.by_ref().take(stretch.start - at));
            at = stretch.end;
            self.put_block(held.by_ref().take(stretch.len()))?;
        }
        self.held.append(&mut others);
        self.held.extend(held);
        self.end_run()
    }

    /// Returns the memory that it will take to know where neighbours are. Before each of them may come others.
    fn weight_of_blocks(&self) -> u64 {
        self.blocks.as_ref().map_or(0, |blocks| 2 * blocks.weight())
    }

    /// Puts neighbours aside as they are, if there is room for what tells where they are.
    fn put_block(&mut self, mut records: impl Iterator<Item = T>) -> Result<(), SpillError> {
        let most = self.spill.bytes().map_or(u64::MAX, |most| most.max(LEAST_OF_BLOCKS)) / 2;
        if self.weight_of_blocks() > most {
            return records.try_for_each(|record| self.push(record));
        }
        let blocks = match &mut self.blocks {
            Some(blocks) => blocks,
            none => none.insert(Writer::new(&self.spill)?),
        };
        blocks.write(records)
    }

    /// Puts aside all that is held and no neighbours.
    fn end_run(&mut self) -> Result<(), SpillError> {
        self.weight = 0;
        if self.held.is_empty() {
            return Ok(());
        }
        // In place: a stable sort needs half as much memory once more, and is no faster.
        self.held.sort_unstable_by(T::order);
        let records = Packed::write(self.held.drain(..), &self.spill)?;
        self.runs.push(Run { records, level: 0 });
        while let Some(level) = self.full_level() {
            let runs = self.runs.split_off(self.runs.len() - MOST_RUNS);
            let records = merge(runs.iter().map(|run| &run.records), &self.spill)?;
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

    /// Returns all of them in their order.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn sorted(mut self) -> Result<Sorted<T>, SpillError> {
        if !self.has_put_aside() {
            self.held.sort_unstable_by(T::order);
            self.held.shrink_to_fit();
            return Ok(Sorted::held(self.held));
        }
        self.put_aside()?;
        let others = match self.runs.len() {
            1 => self.runs.remove(0).records,
            _ => merge(self.runs.iter().map(|run| &run.records), &self.spill)?,
        };
        let Some(mut writer) = self.blocks else { return Ok(Sorted::packed(others)) };
        let mut others = others.records().peekable();
        for block in writer.give_up() {
            let before = std::iter::from_fn(|| others.next_if(|other| other.order(&block.0).is_lt()));
            writer.write(before)?;
            writer.take_up(block);
        }
        writer.write(others)?;
        self.spill.check()?;
        Ok(Sorted::packed(writer.finish()?))
    }
}
