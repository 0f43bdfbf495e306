//! Records in blocks of a file without a name.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use crate::spill::{Packer, Record, Spill, SpillError, Unpacker};

/// A block ends with the record that makes it longer than this.
const BLOCK: usize = 32 << 10;

/// Records that are in a file. Of each block, the first one is in memory.
#[derive(Debug)]
pub(super) struct Packed<T> {
    file: Mutex<File>,
    blocks: Index<T>,
    records: usize,
    /// The block that was looked into last.
    opened: Mutex<Option<Opened<T>>>,
    spill: Spill,
}

#[derive(Debug)]
struct Opened<T> {
    number: usize,
    records: Arc<[T]>,
    /// Behind the record that was found last: whoever looks up in order finds the next one here.
    next: usize,
}

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
    records: usize,
    offset: u64,
    length: usize,
}

impl<T: Record> Index<T> {
    fn new() -> Self {
        Self { blocks: Vec::new(), firsts: Vec::new(), of: PhantomData }
    }

    fn first(&self, block: &Block) -> T {
        let mut unpacker = Unpacker::new(&self.firsts[block.first..]);
        T::unpack(&mut unpacker).expect("what was packed in memory is there")
    }

    /// Returns how many blocks, of those at the beginning, have a first record for which `is_before` is true.
    fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
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

    /// Writes the next block of another file as it is.
    pub(super) fn copy_block(&mut self, records: &mut Records<'_, T>) -> Result<(), SpillError> {
        self.end_block()?;
        let packed = records.packed;
        let Some(block) = packed.blocks.blocks.get(records.next) else { return Ok(()) };
        records.next += 1;
        match packed.fetch(block, &mut records.bytes) {
            Ok(()) => self.write_block(&packed.blocks.first(block), block.records, &records.bytes),
            Err(error) => {
                packed.spill.fail(error);
                Ok(())
            }
        }
    }

    /// Returns the memory that it takes to know where the blocks are.
    pub(super) fn weight(&self) -> u64 {
        self.blocks.bytes() as u64
    }

    /// Returns the blocks that were written in the order of their first records, for [`Writer::take_up`] to have them in theirs.
    pub(super) fn give_up(&mut self) -> Vec<(T, Block)> {
        let index = std::mem::replace(&mut self.blocks, Index::new());
        let mut blocks: Vec<_> = index.blocks.iter().map(|block| (index.first(block), *block)).collect();
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
        Ok(Packed {
            file: Mutex::new(file),
            records: self.blocks.blocks.iter().map(|block| block.records).sum(),
            blocks: self.blocks,
            opened: Mutex::default(),
            spill: self.spill,
        })
    }
}

impl<T: Record> Packed<T> {
    /// Writes records that come in their order.
    pub(super) fn write(records: impl Iterator<Item = T>, spill: &Spill) -> Result<Self, SpillError> {
        let mut writer = Writer::new(spill)?;
        writer.write(records)?;
        writer.finish()
    }

    pub(super) fn len(&self) -> usize {
        self.records
    }

    pub(super) fn records(&self) -> Records<'_, T> {
        Records { packed: self, next: 0, bytes: Vec::new(), left: 0, before: Vec::new(), ahead: None }
    }

    /// Returns the records from the first on for which `is_before` is false.
    pub(super) fn records_from(&self, is_before: impl Fn(&T) -> bool) -> Records<'_, T> {
        let behind = self.blocks.partition_point(&is_before);
        let mut records = Records { next: behind.saturating_sub(1), ..self.records() };
        records.ahead = records.find(|record| !is_before(record));
        records
    }

    pub(super) fn find(&self, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Opened { records, next, .. }) = opened.as_mut()
            && let Some(record) = records.get(*next).filter(|record| order(record).is_eq())
        {
            *next += 1;
            return Some(record.clone());
        }
        let behind = self.blocks.partition_point(|first| order(first) != Ordering::Greater);
        let number = behind.checked_sub(1)?;
        let first = self.blocks.first(&self.blocks.blocks[number]);
        if order(&first).is_eq() {
            return Some(first);
        }
        let open = match opened.take() {
            Some(open) if open.number == number => open,
            _ => Opened { number, records: self.read(number).into(), next: 0 },
        };
        let Opened { records, next, .. } = opened.insert(open);
        let found = records.binary_search_by(order).ok()?;
        *next = found + 1;
        Some(records[found].clone())
    }

    /// Returns the records of a block; of one that can't be read, none, and that is told.
    fn read(&self, number: usize) -> Vec<T> {
        self.try_read(&self.blocks.blocks[number]).unwrap_or_else(|error| {
            self.spill.fail(error);
            Vec::new()
        })
    }

    fn try_read(&self, block: &Block) -> io::Result<Vec<T>> {
        if block.records == 1 {
            return Ok(vec![self.blocks.first(block)]);
        }
        let mut bytes = Vec::new();
        self.fetch(block, &mut bytes)?;
        let mut unpacker = Unpacker::new(&bytes);
        let mut records = Vec::with_capacity(block.records);
        while !unpacker.is_done() {
            records.push(T::unpack(&mut unpacker).ok_or_else(not_ours)?);
        }
        Ok(records)
    }

    /// Reads the bytes of a block.
    fn fetch(&self, block: &Block, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        bytes.resize(block.length, 0);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(block.offset))?;
        file.read_exact(bytes)
    }
}

fn not_ours() -> io::Error {
    io::Error::other("it isn't what was written")
}

/// The records of a file, one after the other. Each is unpacked when it is its turn, so that few are in memory at once.
#[derive(Debug)]
pub(super) struct Records<'p, T> {
    packed: &'p Packed<T>,
    /// The block behind the one that is read.
    next: usize,
    bytes: Vec<u8>,
    /// How many of its bytes are to be unpacked.
    left: usize,
    before: Vec<u8>,
    /// A record that was unpacked before its turn.
    ahead: Option<T>,
}

impl<T: Record> Records<'_, T> {
    /// Returns the first record of the next block, if that is what comes next and large, and that of the block behind it.
    pub(super) fn next_block(&self) -> Option<(T, Option<T>)> {
        let index = &self.packed.blocks;
        let is_next = self.left == 0 && self.ahead.is_none();
        // Small ones are better put together.
        let block = index.blocks.get(self.next).filter(|block| is_next && block.length >= BLOCK / 4)?;
        let behind = index.blocks.get(self.next + 1).map(|block| index.first(block));
        Some((index.first(block), behind))
    }

    /// Unpacks the next record of the block that is read; `None` where it isn't what was written.
    fn unpack(&mut self) -> Option<T> {
        let rest = &self.bytes[self.bytes.len() - self.left..];
        let mut unpacker = Unpacker::resume(rest, std::mem::take(&mut self.before));
        let record = T::unpack(&mut unpacker);
        (self.left, self.before) = unpacker.leave();
        record
    }

    fn fail(&mut self, error: io::Error) {
        self.packed.spill.fail(error);
        self.left = 0;
    }

    /// Begins the next block, and returns its only record, if there is but one.
    fn begin(&mut self, block: &Block) -> io::Result<Option<T>> {
        self.next += 1;
        if block.records == 1 {
            return Ok(Some(self.packed.blocks.first(block)));
        }
        self.before.clear();
        self.packed.fetch(block, &mut self.bytes)?;
        self.left = block.length;
        Ok(None)
    }
}

impl<T: Record> Iterator for Records<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Some(ahead) = self.ahead.take() {
            return Some(ahead);
        }
        while self.left == 0 {
            let packed = self.packed;
            let block = packed.blocks.blocks.get(self.next).filter(|_| packed.spill.check().is_ok())?;
            match self.begin(block) {
                Ok(None) => {}
                Ok(only) => return only,
                Err(error) => {
                    self.fail(error);
                    return None;
                }
            }
        }
        let record = self.unpack();
        if record.is_none() {
            self.fail(not_ours());
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spill::tests::Word;

    #[test]
    fn what_cannot_be_read_back_is_told_and_ends_everything_that_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let words: Vec<Word> = (0..20_000).map(|i| Word(format!("word {i:05}").into_bytes(), i, 0)).collect();
        for damaged in [false, true] {
            let spill = Spill::to(dir.path().to_owned(), 0);
            let packed = Packed::write(words.iter().cloned(), &spill.share(1, 4)).unwrap();
            let blocks = &packed.blocks.blocks;
            assert!(blocks.len() > 2);
            let half = blocks[blocks.len() / 2].offset;
            if damaged {
                packed.file.lock().unwrap().set_len(half).unwrap();
            }
            let read = packed.records().count();
            assert_eq!((read < words.len(), spill.check().is_err()), (damaged, damaged));
            let last = words.last().unwrap();
            assert_eq!(packed.find(|word| word.order(last)).is_none(), damaged);
            assert_eq!(packed.records().next().is_none(), damaged, "nothing more is believed");
        }
    }
}
