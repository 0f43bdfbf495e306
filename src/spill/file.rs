//! Records in blocks of a file without a name.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::spill::{Packer, Record, Spill, SpillError, Unpacker};

/// A block ends with the record that makes it longer than this.
const BLOCK: usize = 32 << 10;

/// Records that are in a file. Of each block, the first one is in memory.
#[derive(Debug)]
pub(super) struct Packed<T> {
    file: Mutex<File>,
    blocks: Vec<Block<T>>,
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

#[derive(Debug)]
struct Block<T> {
    first: T,
    offset: u64,
    length: usize,
}

impl<T: Record> Packed<T> {
    pub(super) fn write(records: impl Iterator<Item = T>, spill: &Spill) -> Result<Self, SpillError> {
        let fail = |error| spill.error("write", error);
        let dir = spill.place.as_ref().map(|place| place.dir.clone()).unwrap_or_default();
        let mut out = BufWriter::with_capacity(BLOCK, tempfile::tempfile_in(dir).map_err(fail)?);
        let mut blocks = Vec::new();
        let (mut count, mut offset) = (0, 0);
        let (mut bytes, mut before) = (Vec::with_capacity(BLOCK * 2), Vec::new());
        let mut first: Option<T> = None;
        let mut end = |first: T, bytes: &mut Vec<u8>| -> io::Result<()> {
            out.write_all(bytes)?;
            blocks.push(Block { first, offset, length: bytes.len() });
            offset += bytes.len() as u64;
            bytes.clear();
            Ok(())
        };
        for record in records {
            count += 1;
            record.pack(&mut Packer::new(&mut bytes, &mut before));
            let first_of_block = first.take().unwrap_or(record);
            if bytes.len() < BLOCK {
                first = Some(first_of_block);
                continue;
            }
            end(first_of_block, &mut bytes).map_err(fail)?;
            before.clear();
        }
        if let Some(first) = first {
            end(first, &mut bytes).map_err(fail)?;
        }
        blocks.shrink_to_fit();
        let file = out.into_inner().map_err(|e| fail(e.into_error()))?;
        let (file, opened) = (Mutex::new(file), Mutex::default());
        Ok(Self { file, blocks, records: count, opened, spill: spill.clone() })
    }

    pub(super) fn len(&self) -> usize {
        self.records
    }

    pub(super) fn records(&self) -> Records<'_, T> {
        Records { packed: self, next: 0, block: Vec::new().into_iter() }
    }

    /// Returns the records from the first on for which `is_before` is false.
    pub(super) fn records_from(&self, is_before: impl Fn(&T) -> bool) -> Records<'_, T> {
        let next = self.blocks.partition_point(|block| is_before(&block.first));
        let Some(number) = next.checked_sub(1) else { return self.records() };
        let mut block = self.read(number);
        block.drain(..block.partition_point(is_before));
        Records { packed: self, next, block: block.into_iter() }
    }

    pub(super) fn find(&self, order: impl Fn(&T) -> Ordering) -> Option<T> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Opened { records, next, .. }) = opened.as_mut()
            && let Some(record) = records.get(*next).filter(|record| order(record).is_eq())
        {
            *next += 1;
            return Some(record.clone());
        }
        let behind = self.blocks.partition_point(|block| order(&block.first) != Ordering::Greater);
        let number = behind.checked_sub(1)?;
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
        self.try_read(&self.blocks[number]).unwrap_or_else(|error| {
            self.spill.fail(error);
            Vec::new()
        })
    }

    fn try_read(&self, block: &Block<T>) -> io::Result<Vec<T>> {
        let mut bytes = vec![0; block.length];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(block.offset))?;
            file.read_exact(&mut bytes)?;
        }
        let mut unpacker = Unpacker::new(&bytes);
        let mut records = Vec::with_capacity(bytes.len() / 24);
        while !unpacker.is_done() {
            let record = T::unpack(&mut unpacker);
            records.push(record.ok_or_else(|| io::Error::other("it isn't what was written"))?);
        }
        Ok(records)
    }
}

/// The records of a file, one after the other.
#[derive(Debug)]
pub(super) struct Records<'p, T> {
    packed: &'p Packed<T>,
    next: usize,
    block: std::vec::IntoIter<T>,
}

impl<T: Record> Iterator for Records<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(record) = self.block.next() {
                return Some(record);
            }
            if self.next == self.packed.blocks.len() || self.packed.spill.check().is_err() {
                return None;
            }
            self.block = self.packed.read(self.next).into_iter();
            self.next += 1;
        }
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
            assert!(packed.blocks.len() > 2);
            let half = packed.blocks[packed.blocks.len() / 2].offset;
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
