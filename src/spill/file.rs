//! Records in blocks of a file without a name.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use crate::spill::blocks::{BLOCK, Block, Index, Writer};
use crate::spill::{Record, Spill, SpillError, Unpacker};

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

impl<T: Record> Packed<T> {
    /// Writes records that come in their order.
    pub(super) fn write(records: impl Iterator<Item = T>, spill: &Spill) -> Result<Self, SpillError> {
        let mut writer = Writer::new(spill)?;
        writer.write(records)?;
        writer.finish()
    }

    /// Takes what was written, to be read.
    pub(super) fn of(file: File, blocks: Index<T>, spill: Spill) -> Self {
        let records = blocks.iter().map(|block| block.records).sum();
        Self { file: Mutex::new(file), blocks, records, opened: Mutex::default(), spill }
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
        let first = self.blocks.first(self.blocks.get(number)?);
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
        let read = self.blocks.get(number).map_or_else(|| Ok(Vec::new()), |block| self.try_read(block));
        read.unwrap_or_else(|error| {
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
        // Where something couldn't be read, nothing more comes.
        let is_next = self.left == 0 && self.ahead.is_none() && self.packed.spill.check().is_ok();
        // Small ones are better put together.
        let block = index.get(self.next).filter(|block| is_next && block.length >= BLOCK / 4)?;
        let behind = index.get(self.next + 1).map(|block| index.first(block));
        Some((index.first(block), behind))
    }

    /// Returns the next block as it stands in the file: its first record, how many it has, and their bytes. `None` where there is none, or
    /// where it can't be read, which is told.
    pub(super) fn take_block(&mut self) -> Option<(T, usize, &[u8])> {
        let packed = self.packed;
        let block = packed.blocks.get(self.next)?;
        self.next += 1;
        packed.fetch(block, &mut self.bytes).map_err(|error| self.fail(error)).ok()?;
        Some((packed.blocks.first(block), block.records, &self.bytes))
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
            let block = packed.blocks.get(self.next).filter(|_| packed.spill.check().is_ok())?;
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
    use crate::spill::merge::merge;
    use crate::spill::tests::Word;

    #[test]
    fn what_cannot_be_read_back_is_told_and_ends_everything_that_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let words: Vec<Word> = (0..20_000).map(|i| Word(format!("word {i:05}").into_bytes(), i, 0)).collect();
        for damaged in [false, true] {
            let spill = Spill::to(dir.path().to_owned(), 0);
            let packed = Packed::write(words.iter().cloned(), &spill.share(1, 4)).unwrap();
            let blocks: Vec<_> = packed.blocks.iter().collect();
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

    #[test]
    fn files_are_merged_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let words: Vec<Word> = (0..20_000).map(|i| Word(format!("word {i:05}").into_bytes(), i, 0)).collect();
        let one_behind_the_other = [words[10_000..].to_vec(), words[..10_000].to_vec()];
        let every_other = [0, 1].map(|i| words.iter().skip(i).step_by(2).cloned().collect());
        for halves in [one_behind_the_other, every_other] {
            for left in [None, Some(0), Some(100), Some(BLOCK as u64), Some(BLOCK as u64 + 100)] {
                let spill = Spill::to(dir.path().to_owned(), 0);
                let files = halves.clone().map(|words| Packed::write(words.into_iter(), &spill).unwrap());
                if let Some(left) = left {
                    files[1].file.lock().unwrap().set_len(left).unwrap();
                }
                let merged = merge(files.iter(), &spill);
                assert_eq!(merged.is_err(), left.is_some(), "{left:?}");
                if let Ok(merged) = merged {
                    assert!(merged.records().eq(words.iter().cloned()));
                }
            }
        }
    }
}
