//! Entries and receipts as few bytes, for trees that memory is not meant for.

use std::cmp::Ordering;

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

use crate::model::{Entry, Kept, Kind, Mtime, Offset, Precision, Receipt, RelPath, Seen, Zone};
use crate::spill::{Packer, Record, Unpacker};

/// What an entry has, as bits of a number.
const SIZE: u64 = 1;
const MTIME: u64 = 2;
const MODE: u64 = 4;
const TARGET: u64 = 8;

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

/// Writes down all of an entry but its path.
pub(crate) fn pack_rest(entry: &Entry, packer: &mut Packer<'_>) {
    let bit = |has: bool, bit| if has { bit } else { 0 };
    let has = bit(entry.size.is_some(), SIZE)
        | bit(entry.mtime.is_some(), MTIME)
        | bit(entry.mode.is_some(), MODE)
        | bit(entry.target.is_some(), TARGET);
    packer.number(has);
    packer.place(Kind::ALL, entry.kind);
    if let Some(size) = entry.size {
        packer.number(size);
    }
    if let Some(mtime) = entry.mtime {
        pack_mtime(&mtime, packer);
    }
    if let Some(mode) = entry.mode {
        packer.number(mode.into());
    }
    if let Some(target) = &entry.target {
        packer.bytes(target);
    }
}

/// Reads what [`pack_rest`] wrote; `None` where that is nothing of the kind.
pub(crate) fn unpack_rest(path: RelPath, unpacker: &mut Unpacker<'_>) -> Option<Entry> {
    let has = unpacker.number()?;
    let mut entry = Entry::new(path, unpacker.one_of(Kind::ALL)?);
    if has & SIZE != 0 {
        entry.size = Some(unpacker.number()?);
    }
    if has & MTIME != 0 {
        entry.mtime = Some(unpack_mtime(unpacker)?);
    }
    if has & MODE != 0 {
        entry.mode = Some(u16::try_from(unpacker.number()?).ok()?);
    }
    if has & TARGET != 0 {
        entry.target = Some(unpacker.bytes()?.into());
    }
    Some(entry)
}

/// Writes down a time.
fn pack_mtime(mtime: &Mtime, packer: &mut Packer<'_>) {
    // As a date, since to make one of a number of seconds takes longer than to read it.
    packer.signed(mtime.at.year().into());
    packer.number(mtime.at.ordinal().into());
    packer.number(mtime.at.num_seconds_from_midnight().into());
    packer.number(mtime.at.nanosecond().into());
    packer.place(Precision::ALL, mtime.precision);
    match mtime.zone {
        Zone::Utc => packer.number(0),
        Zone::Unknown => packer.number(1),
        Zone::Local(offset) => {
            packer.number(2);
            packer.signed(offset.ahead().num_minutes());
        }
    }
}

/// Reads a time; `None` where that is none.
fn unpack_mtime(unpacker: &mut Unpacker<'_>) -> Option<Mtime> {
    let year = i32::try_from(unpacker.signed()?).ok()?;
    let mut number = || u32::try_from(unpacker.number()?).ok();
    let date = NaiveDate::from_yo_opt(year, number()?)?;
    let at = date.and_time(NaiveTime::from_num_seconds_from_midnight_opt(number()?, number()?)?).and_utc();
    let precision = unpacker.one_of(Precision::ALL)?;
    let zone = match unpacker.number()? {
        0 => Zone::Utc,
        1 => Zone::Unknown,
        _ => Zone::Local(Offset::from_minutes(unpacker.signed()?)?),
    };
    Some(Mtime { at, precision, zone })
}

/// Writes down a time, or that there is none.
pub(crate) fn pack_option(mtime: Option<&Mtime>, packer: &mut Packer<'_>) {
    packer.number(mtime.is_some().into());
    if let Some(mtime) = mtime {
        pack_mtime(mtime, packer);
    }
}

/// Reads a time that may be none; `None` where that is nothing of the kind.
pub(crate) fn unpack_option(unpacker: &mut Unpacker<'_>) -> Option<Option<Mtime>> {
    match unpacker.number()? {
        0 => Some(None),
        _ => unpack_mtime(unpacker).map(Some),
    }
}

impl Record for Kept {
    fn order(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path)
    }

    fn weight(&self) -> usize {
        // A table of them has room to spare.
        2 * size_of::<Self>() + self.path.as_bytes().len() + 32
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        let Receipt { source, destination, hash, undated } = self.receipt;
        packer.similar(self.path.as_bytes());
        pack_seen(&source, packer);
        pack_seen(&destination, packer);
        packer.number(u64::from(undated) | if hash.is_some() { 2 } else { 0 });
        if let Some(hash) = hash {
            packer.bytes(&hash);
        }
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        let path = RelPath::parse(unpacker.similar()?).ok()?;
        let (source, destination) = (unpack_seen(unpacker)?, unpack_seen(unpacker)?);
        let rest = unpacker.number()?;
        let hash = if rest & 2 != 0 { Some(unpacker.bytes()?.try_into().ok()?) } else { None };
        Some(Self { path, receipt: Receipt { source, destination, hash, undated: rest & 1 != 0 } })
    }
}

fn pack_seen(seen: &Seen, packer: &mut Packer<'_>) {
    packer.number(seen.size);
    packer.number(seen.fresh.into());
    pack_option(seen.listed.as_ref(), packer);
    pack_option(seen.exact.as_ref(), packer);
}

fn unpack_seen(unpacker: &mut Unpacker<'_>) -> Option<Seen> {
    let (size, fresh) = (unpacker.number()?, unpacker.number()? != 0);
    Some(Seen { size, fresh, listed: unpack_option(unpacker)?, exact: unpack_option(unpacker)? })
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
        // Leap seconds are told as a nanosecond more than there are, in the last second of a minute.
        let minutes = -150_000_000_i64..150_000_000;
        let second = prop_oneof![(0_i64..60, 0_u32..1_000_000_000), (Just(59), 0_u32..2_000_000_000)];
        (minutes, second, 0_usize..3, zone()).prop_map(|(minute, (second, nanos), precision, zone)| Mtime {
            precision: Precision::ALL[precision],
            zone,
            ..Mtime::from_unix(minute * 60 + second, nanos).unwrap()
        })
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

    fn seen() -> impl Strategy<Value = Seen> {
        let times = (proptest::option::of(mtime()), proptest::option::of(mtime()));
        (any::<u64>(), times, any::<bool>()).prop_map(|(size, (listed, exact), fresh)| Seen {
            size,
            listed,
            exact,
            fresh,
        })
    }

    fn kept() -> impl Strategy<Value = Kept> {
        let rest = (seen(), seen(), proptest::option::of(any::<[u8; 32]>()), any::<bool>());
        ("[a-c]{1,3}(/[a-c]{1,2}){0,3}", rest).prop_map(|(path, (source, destination, hash, undated))| Kept {
            path: RelPath::parse(path).unwrap(),
            receipt: Receipt { source, destination, hash, undated },
        })
    }

    proptest! {
        #[test]
        fn a_receipt_comes_back_as_it_was(receipts in proptest::collection::vec(kept(), 0..20)) {
            let (mut bytes, mut before) = (Vec::new(), Vec::new());
            for kept in &receipts {
                kept.pack(&mut Packer::new(&mut bytes, &mut before));
            }
            let mut unpacker = Unpacker::new(&bytes);
            for kept in &receipts {
                let read = Kept::unpack(&mut unpacker);
                prop_assert_eq!(read.as_ref(), Some(kept));
            }
            prop_assert!(unpacker.is_done());
        }

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
