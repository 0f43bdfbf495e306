//! Entries as few bytes, for trees that memory is not meant for.

use std::cmp::Ordering;

use crate::model::{Entry, Kind, Mtime, Offset, Precision, RelPath, Zone};
use crate::spill::{Packer, Record, Unpacker};

/// What an entry has, as bits of its first byte beside its kind.
const SIZE: u64 = 4;
const MTIME: u64 = 8;
const MODE: u64 = 16;
const TARGET: u64 = 32;

impl Record for Entry {
    fn order(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path)
    }

    fn weight(&self) -> usize {
        // Beside the bytes of a path there are two counters, and whatever the allocator rounds up to.
        size_of::<Self>()
            + self.path.as_bytes().len()
            + 32
            + self.target.as_ref().map_or(0, |to| to.len() + 16)
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        packer.similar(self.path.as_bytes());
        pack_rest(self, packer);
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        let path = RelPath::parse(unpacker.similar()?).ok()?;
        unpack_rest(path, unpacker)
    }
}

/// Writes down all but the path.
fn pack_rest(entry: &Entry, packer: &mut Packer<'_>) {
    let bit = |has: bool, bit| if has { bit } else { 0 };
    let has = bit(entry.size.is_some(), SIZE)
        | bit(entry.mtime.is_some(), MTIME)
        | bit(entry.mode.is_some(), MODE)
        | bit(entry.target.is_some(), TARGET);
    packer.number(has | place(Kind::ALL, entry.kind));
    if let Some(size) = entry.size {
        packer.number(size);
    }
    if let Some(mtime) = entry.mtime {
        packer.signed(mtime.at.timestamp());
        packer.number(mtime.at.timestamp_subsec_nanos().into());
        packer.number(place(Precision::ALL, mtime.precision));
        match mtime.zone {
            Zone::Utc => packer.number(0),
            Zone::Unknown => packer.number(1),
            Zone::Local(offset) => {
                packer.number(2);
                packer.signed(offset.ahead().num_minutes());
            }
        }
    }
    if let Some(mode) = entry.mode {
        packer.number(mode.into());
    }
    if let Some(target) = &entry.target {
        packer.bytes(target);
    }
}

fn unpack_rest(path: RelPath, unpacker: &mut Unpacker<'_>) -> Option<Entry> {
    let has = unpacker.number()?;
    let mut entry = Entry::new(path, at(Kind::ALL, has & 3)?);
    if has & SIZE != 0 {
        entry.size = Some(unpacker.number()?);
    }
    if has & MTIME != 0 {
        let seconds = unpacker.signed()?;
        let told = Mtime::from_unix(seconds, u32::try_from(unpacker.number()?).ok()?)?;
        let precision = at(Precision::ALL, unpacker.number()?)?;
        let zone = match unpacker.number()? {
            0 => Zone::Utc,
            1 => Zone::Unknown,
            _ => Zone::Local(Offset::from_minutes(unpacker.signed()?)?),
        };
        entry.mtime = Some(Mtime { precision, zone, ..told });
    }
    if has & MODE != 0 {
        entry.mode = Some(u16::try_from(unpacker.number()?).ok()?);
    }
    if has & TARGET != 0 {
        entry.target = Some(unpacker.bytes()?.into());
    }
    Some(entry)
}

/// Returns where in `all` one is.
fn place<T: PartialEq>(all: &[T], one: T) -> u64 {
    all.iter().position(|other| *other == one).unwrap_or_default() as u64
}

fn at<T: Copy>(all: &[T], place: u64) -> Option<T> {
    all.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone() -> impl Strategy<Value = Zone> {
        prop_oneof![
            Just(Zone::Utc),
            Just(Zone::Unknown),
            (-56_i64..57).prop_map(|quarters| Zone::Local(Offset::from_minutes(quarters * 15).unwrap())),
        ]
    }

    fn mtime() -> impl Strategy<Value = Mtime> {
        (-9_000_000_000_i64..9_000_000_000, 0_u32..1_000_000_000, 0_usize..3, zone()).prop_map(
            |(seconds, nanos, precision, zone)| Mtime {
                precision: Precision::ALL[precision],
                zone,
                ..Mtime::from_unix(seconds, nanos).unwrap()
            },
        )
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let path = "[a-c\u{e9}]{1,3}(/[a-c.]{1,2}x){0,3}";
        let (size, mode) = (proptest::option::of(any::<u64>()), proptest::option::of(0_u16..0o10000));
        let target = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9));
        (path, 0_usize..4, size, proptest::option::of(mtime()), mode, target).prop_map(
            |(path, kind, size, mtime, mode, target)| Entry {
                path: RelPath::parse(path).unwrap(),
                kind: Kind::ALL[kind],
                size,
                mtime,
                mode,
                target: target.map(Into::into),
            },
        )
    }

    proptest! {
        #[test]
        fn an_entry_comes_back_as_it_was(entries in proptest::collection::vec(entry(), 0..20)) {
            let (mut bytes, mut before) = (Vec::new(), Vec::new());
            for entry in &entries {
                entry.pack(&mut Packer::new(&mut bytes, &mut before));
            }
            let mut unpacker = Unpacker::new(&bytes);
            for entry in &entries {
                let read = Entry::unpack(&mut unpacker);
                prop_assert_eq!(read.as_ref(), Some(entry));
            }
            prop_assert!(unpacker.is_done());
        }
    }
}
