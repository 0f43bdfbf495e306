//! Receipts as one file to be kept on a server: small, and of no harm whoever wrote it.
//!
//! ```text
//! file     magic · version · record … · BLAKE3 of all before it
//! record   shared · length · rest of the path · flags · sizes · times · BLAKE3 of the content
//! ```
//!
//! Records are sorted by path, and a path is what it shares with the one before and the rest. Numbers are LEB128; a time is
//! what it is later than the one before, in seconds. What equals the other side's is not written again. Some 50 bytes a file
//! come of it.
//!
//! The checksum tells accidents, not malice: who may write the file may write any receipt. So everything that is read is bounded,
//! a path is parsed as one from a listing is, and a file with one thing wrong in it is not believed at all.

use thiserror::Error;

use crate::model::{Mtime, PathError, Precision, Receipt, Receipts, RelPath, Seen, Zone};

/// What such a file begins with. A person who looks into it shall see whose it is.
pub const MAGIC: &[u8] = b"oneway-state\n";

/// The version of the format. A file of another one is not read.
const VERSION: u8 = 1;

const HASH_BYTES: usize = 32;

/// How much is read, and how much that may become. What is larger is not written.
#[derive(Clone, Copy, Debug)]
pub struct PackLimits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Receipts.
    pub receipts: usize,
    /// Bytes of one path.
    pub path_bytes: usize,
    /// Bytes of all paths.
    pub all_path_bytes: usize,
}

/// Enough for two million files.
pub const PACK_LIMITS: PackLimits =
    PackLimits { bytes: 128 << 20, receipts: 2_000_000, path_bytes: 4096, all_path_bytes: 512 << 20 };

/// Why a file holds no receipts that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PackError {
    /// It doesn't begin as one.
    #[error("it is no state file of oneway")]
    Foreign,
    /// Another version of this program wrote it.
    #[error("it is a state file of version {0}, and this program writes version {VERSION}")]
    Version(u8),
    /// Its end doesn't belong to its beginning.
    #[error("it is damaged or cut short")]
    Checksum,
    /// No program of this name wrote it so.
    #[error("it is malformed: {0}")]
    Malformed(&'static str),
    /// A path in it is none.
    #[error("it holds what is no path: {0}")]
    Path(#[from] PathError),
    /// More than is read or written.
    #[error("it is larger than can be kept on a server")]
    TooLarge,
}

/// Returns the file that holds these receipts.
///
/// # Errors
/// [`PackError::TooLarge`].
pub fn pack(receipts: &Receipts, limits: PackLimits) -> Result<Vec<u8>, PackError> {
    let mut sorted: Vec<(&RelPath, &Receipt)> = receipts.iter().collect();
    sorted.sort_unstable_by_key(|(path, _)| *path);
    let all_path_bytes: usize = sorted.iter().map(|(path, _)| path.as_bytes().len()).sum();
    let longest = sorted.iter().map(|(path, _)| path.as_bytes().len()).max().unwrap_or(0);
    if sorted.len() > limits.receipts || all_path_bytes > limits.all_path_bytes || longest > limits.path_bytes
    {
        return Err(PackError::TooLarge);
    }
    let mut writer = Writer { bytes: [MAGIC, &[VERSION]].concat(), time: 0 };
    let mut before: &[u8] = b"";
    for (path, receipt) in sorted {
        let path = path.as_bytes();
        let shared = path.iter().zip(before).take_while(|(a, b)| a == b).count();
        writer.number(shared as u64);
        writer.number((path.len() - shared) as u64);
        writer.bytes.extend_from_slice(&path[shared..]);
        writer.receipt(receipt);
        before = path;
    }
    let hash = blake3::hash(&writer.bytes);
    writer.bytes.extend_from_slice(hash.as_bytes());
    if writer.bytes.len() as u64 > limits.bytes { Err(PackError::TooLarge) } else { Ok(writer.bytes) }
}

/// Returns the receipts that a file holds.
///
/// # Errors
/// Why nothing of it is believed.
pub fn unpack(file: &[u8], limits: PackLimits) -> Result<Receipts, PackError> {
    if file.len() as u64 > limits.bytes {
        return Err(PackError::TooLarge);
    }
    let rest = file.strip_prefix(MAGIC).ok_or(PackError::Foreign)?;
    match rest.first() {
        Some(&VERSION) => {}
        Some(&other) => return Err(PackError::Version(other)),
        None => return Err(PackError::Checksum),
    }
    let (content, hash) = file.split_last_chunk::<HASH_BYTES>().ok_or(PackError::Checksum)?;
    if blake3::hash(content) != blake3::Hash::from_bytes(*hash) {
        return Err(PackError::Checksum);
    }
    let records = content.get(MAGIC.len() + 1..).ok_or(PackError::Checksum)?;
    let mut reader = Reader { rest: records, time: 0 };
    let mut receipts = Receipts::new();
    let (mut path, mut last, mut all) = (Vec::new(), RelPath::root(), 0);
    while !reader.rest.is_empty() {
        let shared = reader.length()?;
        let length = reader.length()?;
        if shared > path.len() {
            return Err(PackError::Malformed("a path shares more than there is"));
        }
        path.truncate(shared);
        path.extend_from_slice(reader.take(length)?);
        all += path.len();
        if path.len() > limits.path_bytes || all > limits.all_path_bytes || receipts.len() >= limits.receipts
        {
            return Err(PackError::TooLarge);
        }
        let next = RelPath::parse(&path)?;
        if next <= last {
            return Err(PackError::Malformed("its paths are not in order"));
        }
        receipts.insert(next.clone(), reader.receipt()?);
        last = next;
    }
    Ok(receipts)
}

/// What a record says in its flags, from the lowest bit on: twice five bits for a side, three for the receipt.
mod flag {
    /// 0 for no listed time, else 1 + its precision.
    pub(super) const LISTED: u16 = 0b11;
    /// There is an exact time.
    pub(super) const EXACT: u16 = 1 << 2;
    /// It is the listed one; of a destination without one, the source's.
    pub(super) const EXACT_AGAIN: u16 = 1 << 3;
    pub(super) const FRESH: u16 = 1 << 4;
    /// How many bits a side has.
    pub(super) const SIDE: u32 = 5;
    pub(super) const SAME_SIZE: u16 = 1 << 10;
    pub(super) const HASH: u16 = 1 << 11;
    pub(super) const UNDATED: u16 = 1 << 12;
    pub(super) const ALL: u16 = (1 << 13) - 1;
}

const PRECISIONS: [Precision; 3] = [Precision::Second, Precision::Minute, Precision::Day];

struct Writer {
    bytes: Vec<u8>,
    /// The last time written, in seconds since 1970.
    time: i64,
}

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn time(&mut self, mtime: Mtime) {
        let at = mtime.at.timestamp();
        let later = at.wrapping_sub(self.time);
        // Times before and after are equally short.
        self.number(((later << 1) ^ (later >> 63)) as u64);
        self.time = at;
    }

    fn receipt(&mut self, Receipt { source, destination, hash, undated }: &Receipt) {
        let source_flags = side_flags(source, None);
        let destination_flags = side_flags(destination, Some(source));
        let mut flags = source_flags | destination_flags << flag::SIDE;
        if source.size == destination.size {
            flags |= flag::SAME_SIZE;
        }
        if hash.is_some() {
            flags |= flag::HASH;
        }
        if *undated {
            flags |= flag::UNDATED;
        }
        self.bytes.extend_from_slice(&flags.to_le_bytes());
        self.number(source.size);
        if source.size != destination.size {
            self.number(destination.size);
        }
        for (side, flags) in [(source, source_flags), (destination, destination_flags)] {
            if let Some(listed) = side.listed {
                self.time(listed);
            }
            if let Some(exact) = side.exact.filter(|_| flags & flag::EXACT_AGAIN == 0) {
                self.time(exact);
            }
        }
        self.bytes.extend_from_slice(hash.as_ref().map_or(&[], |hash| &hash[..]));
    }
}

fn side_flags(side: &Seen, source: Option<&Seen>) -> u16 {
    let mut flags = 0;
    if let Some(listed) = side.listed {
        let precision = PRECISIONS.iter().position(|&p| p == listed.precision);
        flags |= 1 + precision.and_then(|i| u16::try_from(i).ok()).unwrap_or(0);
    }
    if let Some(exact) = side.exact {
        flags |= flag::EXACT;
        let other = side.listed.or_else(|| source.and_then(|source| source.exact));
        if other.is_some_and(|other| other.at.timestamp() == exact.at.timestamp()) {
            flags |= flag::EXACT_AGAIN;
        }
    }
    if side.fresh { flags | flag::FRESH } else { flags }
}

struct Reader<'b> {
    rest: &'b [u8],
    /// The last time read.
    time: i64,
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], PackError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(PackError::Malformed("a record is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, PackError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(PackError::Malformed("a number has more than 64 bits"))
    }

    fn length(&mut self) -> Result<usize, PackError> {
        // What doesn't fit is longer than anything that could be taken.
        Ok(usize::try_from(self.number()?).unwrap_or(usize::MAX))
    }

    fn time(&mut self) -> Result<Mtime, PackError> {
        let later = self.number()?;
        let later = (later >> 1) as i64 ^ -((later & 1) as i64);
        self.time = self.time.wrapping_add(later);
        Mtime::from_unix(self.time, 0).ok_or(PackError::Malformed("a time is out of the calendar"))
    }

    fn receipt(&mut self) -> Result<Receipt, PackError> {
        let flags = self.take(2)?;
        let flags = u16::from_le_bytes([flags[0], flags[1]]);
        if flags & !flag::ALL != 0 {
            return Err(PackError::Malformed("a record has flags that nothing is known of"));
        }
        let size = self.number()?;
        let other_size = if flags & flag::SAME_SIZE == 0 { self.number()? } else { size };
        let source = self.side(flags, size, None)?;
        let destination = self.side(flags >> flag::SIDE, other_size, source.exact)?;
        let hash = match flags & flag::HASH {
            0 => None,
            _ => self.take(HASH_BYTES)?.try_into().ok(),
        };
        Ok(Receipt { source, destination, hash, undated: flags & flag::UNDATED != 0 })
    }

    fn side(&mut self, flags: u16, size: u64, other: Option<Mtime>) -> Result<Seen, PackError> {
        let listed = match usize::from(flags & flag::LISTED) {
            0 => None,
            // What a listing told is kept in the server's own zone.
            known => Some(Mtime { precision: PRECISIONS[known - 1], zone: Zone::Unknown, ..self.time()? }),
        };
        let exact = match (flags & flag::EXACT != 0, flags & flag::EXACT_AGAIN != 0) {
            (false, false) => None,
            (false, true) => return Err(PackError::Malformed("a time is the same as none")),
            (true, false) => Some(self.time()?),
            (true, true) => {
                let same = listed.or(other).ok_or(PackError::Malformed("a time is the same as none"))?;
                Some(Mtime::exact(same.at))
            }
        };
        Ok(Seen { size, listed, exact, fresh: flags & flag::FRESH != 0 })
    }
}

#[cfg(test)]
mod tests;
