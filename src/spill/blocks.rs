//! Records written in blocks, one after the other.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::marker::PhantomData;

use crate::spill::file::Packed;
use crate::spill::{Packer, Record, Spill, SpillError, Unpacker};

/// A block ends with the record that makes it longer than this.
pub(super) const BLOCK: usize = 32 << 10;

/// Where blocks are, and the first record of each. Those are packed, since each by itself would keep the memory around it from being
/// given back.
#[derive(Debug)]
pub(super) struct Index<T> {
    blocks: Vec<Block>,
    firsts: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

/// Records none of which, among all, belongs between two others. A block of one isn't in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// Where its first record is among those of the index.
    first: usize,
    pub(super) records: usize,
    pub(super) offset: u64,
    pub(super) length: usize,
}

impl<T: Record> Index<T> {
    fn new() -> Self {
        Self { blocks: Vec::new(), firsts: Vec::new(), of: PhantomData }
    }

    /// Returns the block of this number, from 0 on.
    pub(super) fn get(&self, number: usize) -> Option<&Block> {
        self.blocks.get(number)
    }

    /// Returns each block.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Returns the first record of a block.
    pub(super) fn first(&self, block: &Block) -> T {
        let mut unpacker = Unpacker::new(&self.firsts[block.first..]);
        T::unpack(&mut unpacker).expect("what was packed in memory is there")
    }

    /// Returns how many blocks, of those at the beginning, have a first record for which `is_before` is true.
    pub(super) fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
        self.blocks.partition_point(|block| is_before(&self.first(block)))
    }

    fn push(&mut self, first: &T, block: Block) {
        self.blocks.push(Block { first: self.firsts.len(), ..block });
        first.pack(&mut Packer::new(&mut self.firsts, &mut Vec::new()));
    }

    fn bytes(&self) -> usize {
        self.firsts.len() + self.blocks.len() * size_of::<Block>()
    }
}

/// A file to be, with blocks in any order.
#[derive(Debug)]
pub(super) struct Writer<T> {
    out: BufWriter<File>,
    offset: u64,
    blocks: Index<T>,
    /// The block that is being written: its first record, how many it has, and their bytes.
    first: Option<T>,
    records: usize,
    bytes: Vec<u8>,
    before: Vec<u8>,
    spill: Spill,
}

impl<T: Record> Writer<T> {
    pub(super) fn new(spill: &Spill) -> Result<Self, SpillError> {
        let dir = spill.place.as_ref().map(|place| place.dir.clone()).unwrap_or_default();
        let file = tempfile::tempfile_in(dir).map_err(|error| spill.error("write", error))?;
        Ok(Self {
            out: BufWriter::with_capacity(BLOCK, file),
            offset: 0,
            blocks: Index::new(),
            first: None,
            records: 0,
            bytes: Vec::with_capacity(BLOCK * 2),
            before: Vec::new(),
            spill: spill.clone(),
        })
    }

    /// Writes records that come in their order and are neighbours of each other.
    pub(super) fn write(&mut self, records: impl Iterator<Item = T>) -> Result<(), SpillError> {
        for record in records {
            self.push(record)?;
        }
        self.end_block()
    }

    /// Writes a record, a neighbour of the one before it where their block was not ended.
    pub(super) fn push(&mut self, record: T) -> Result<(), SpillError> {
        record.pack(&mut Packer::new(&mut self.bytes, &mut self.before));
        self.records += 1;
        self.first.get_or_insert(record);
        if self.bytes.len() < BLOCK { Ok(()) } else { self.end_block() }
    }

    /// Ends the block that is being written, if there is one.
    pub(super) fn end_block(&mut self) -> Result<(), SpillError> {
        let Some(first) = self.first.take() else { return Ok(()) };
        let records = std::mem::take(&mut self.records);
        let mut bytes = std::mem::take(&mut self.bytes);
        if records == 1 {
            bytes.clear();
        }
        let written = self.write_block(&first, records, &bytes);
        bytes.clear();
        self.bytes = bytes;
        self.before.clear();
        written
    }

    fn write_block(&mut self, first: &T, records: usize, bytes: &[u8]) -> Result<(), SpillError> {
        self.out.write_all(bytes).map_err(|error| self.spill.error("write", error))?;
        let (offset, length) = (self.offset, bytes.len());
        self.offset += length as u64;
        self.blocks.push(first, Block { first: 0, records, offset, length });
        Ok(())
    }

    /// Writes a block as another file has it.
    pub(super) fn copy_block(&mut self, first: &T, records: usize, bytes: &[u8]) -> Result<(), SpillError> {
        self.end_block()?;
        self.write_block(first, records, bytes)
    }

    /// Returns the memory that it takes to know where the blocks are.
    pub(super) fn weight(&self) -> u64 {
        self.blocks.bytes() as u64
    }

    /// Returns the blocks that were written in the order of their first records, for [`Writer::take_up`] to have them in theirs.
    pub(super) fn give_up(&mut self) -> Vec<(T, Block)> {
        let index = std::mem::replace(&mut self.blocks, Index::new());
        let mut blocks: Vec<_> = index.iter().map(|block| (index.first(block), *block)).collect();
        blocks.sort_unstable_by(|(a, _), (b, _)| a.order(b));
        blocks
    }

    /// Takes a block of this file, which comes behind all that it has.
    pub(super) fn take_up(&mut self, (first, block): (T, Block)) {
        self.blocks.push(&first, block);
    }

    /// Returns what was written, to be read.
    pub(super) fn finish(mut self) -> Result<Packed<T>, SpillError> {
        self.end_block()?;
        self.blocks.blocks.shrink_to_fit();
        self.blocks.firsts.shrink_to_fit();
        let file = self.out.into_inner().map_err(|e| self.spill.error("write", e.into_error()))?;
        Ok(Packed::of(file, self.blocks, self.spill))
    }
}
