//! What both sides looked like when they were last known to be the same.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};

use crate::model::{Entry, Mtime, Precision, RelPath, Zone};
use crate::spill::Sorted;

/// One side of a file as it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Size in bytes.
    pub size: u64,
    /// The time its listing told, in the server's own zone (marked as unknown, whatever is believed of it) and precision; `None` when it
    /// told none, or nobody listed it since.
    pub listed: Option<Mtime>,
    /// The time to the second, as MDTM, MLSD or the disk tell it; `None` when nobody knows.
    pub exact: Option<Mtime>,
    /// The file was so new that it could change again without a change of the listed time.
    pub fresh: bool,
}

/// How one side looks now, beside what was seen then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// As it was.
    Same,
    /// Changed since.
    Changed,
    /// Only the exact time would tell.
    Unsure,
}

/// Both sides of one file when they were the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it came from.
    pub source: Seen,
    /// Where it went.
    pub destination: Seen,
    /// BLAKE3 of the content; `None` when nobody computed it. [`Receipt::DOUBT`] fits none.
    pub hash: Option<[u8; 32]>,
    /// The destination was to have the source's time and didn't take it, so that it isn't asked to again while it is the same file.
    pub undated: bool,
}

impl Receipt {
    /// The hash of a content that nobody is sure of. No content has it, so whoever compares contents finds another one.
    pub const DOUBT: [u8; 32] = [0; 32];

    /// Returns the same receipt without its word on the content.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        Self { hash: Some(Self::DOUBT), ..self }
    }

    /// Returns whether somebody was sure of the content. Where no hash is known, the two sides were the same by what they looked like.
    pub fn is_certain(&self) -> bool {
        self.hash != Some(Self::DOUBT)
    }

    /// Returns what it says of the same two sides for the way back. Which times one of them takes says nothing of the other.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, hash: self.hash, undated: false }
    }
}

/// The receipts of one pair of places.
pub type Receipts = HashMap<RelPath, Receipt>;

/// What is remembered of one pair of places, be it too much for memory or not.
#[derive(Clone, Debug)]
pub enum Remembered {
    /// In memory, in no order.
    Held(Receipts),
    /// Sorted by path, in memory or not.
    Sorted(Sorted<Kept>),
}

/// A receipt with what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The path on both sides.
    pub path: RelPath,
    /// What is remembered of it.
    pub receipt: Receipt,
}

impl Remembered {
    /// Returns the receipt of a file; `None` where nobody remembers it.
    pub fn get(&self, path: &RelPath) -> Option<Receipt> {
        match self {
            Self::Held(receipts) => receipts.get(path).copied(),
            Self::Sorted(sorted) => sorted.find(|kept| kept.path.cmp(path)).map(|kept| kept.receipt),
        }
    }

    /// Returns those that are in no order; `None` of those that are sorted.
    pub fn as_held(&self) -> Option<&Receipts> {
        match self {
            Self::Held(receipts) => Some(receipts),
            Self::Sorted(_) => None,
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Held(receipts) => receipts.is_empty(),
            Self::Sorted(sorted) => sorted.is_empty(),
        }
    }

    /// Returns each receipt with its path.
    pub fn iter(&self) -> Box<dyn Iterator<Item = Kept> + '_> {
        match self {
            Self::Held(receipts) => Box::new(
                receipts.iter().map(|(path, receipt)| Kept { path: path.clone(), receipt: *receipt }),
            ),
            Self::Sorted(sorted) => Box::new(sorted.iter().map(Cow::into_owned)),
        }
    }

    /// Returns the path of each receipt.
    pub fn paths(&self) -> Box<dyn Iterator<Item = Cow<'_, RelPath>> + '_> {
        match self {
            Self::Held(receipts) => Box::new(receipts.keys().map(Cow::Borrowed)),
            Self::Sorted(sorted) => Box::new(sorted.iter().map(|kept| match kept {
                Cow::Borrowed(kept) => Cow::Borrowed(&kept.path),
                Cow::Owned(kept) => Cow::Owned(kept.path),
            })),
        }
    }
}

impl Default for Remembered {
    fn default() -> Self {
        Self::Held(Receipts::new())
    }
}

impl From<Receipts> for Remembered {
    fn from(receipts: Receipts) -> Self {
        Self::Held(receipts)
    }
}

impl FromIterator<(RelPath, Receipt)> for Remembered {
    fn from_iter<I: IntoIterator<Item = (RelPath, Receipt)>>(receipts: I) -> Self {
        Self::Held(receipts.into_iter().collect())
    }
}

/// Whether the contents of both sides of a file are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// They are.
    pub same: bool,
    /// BLAKE3 of the local one; `None` when another checksum was compared.
    pub hash: Option<[u8; 32]>,
}

/// What is known of files beside what their listings tell.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// From earlier runs.
    pub receipts: Remembered,
    /// Of those files whose contents were compared.
    pub contents: HashMap<RelPath, Content>,
}

/// Zones lie up to 14 hours apart, and clocks go wrong. A listed time further back than this belongs to a minute that is over on
/// every server.
const SETTLED: Duration = Duration::hours(26);

impl Seen {
    /// Returns what is to be remembered of `entry`, whose listing told `listed`, at the time `now`; `None` when its size is unknown.
    pub fn of(entry: &Entry, listed: Option<Mtime>, now: DateTime<Utc>) -> Option<Self> {
        let exact =
            entry.mtime.filter(Mtime::is_exact).and_then(|mtime| Mtime::from_unix(mtime.at.timestamp(), 0));
        let rough = listed.is_some_and(|mtime| !mtime.is_exact());
        let listed = listed.and_then(Self::listed);
        let newest = listed.into_iter().chain(exact).map(|mtime| mtime.at).max();
        let fresh = rough && newest.is_some_and(|at| now - at < SETTLED);
        Some(Self { size: entry.size?, listed, exact, fresh })
    }

    /// Returns what a listing told, in whole seconds and whatever is believed of its zone.
    fn listed(mtime: Mtime) -> Option<Mtime> {
        let told = Mtime::from_unix(mtime.as_listed().timestamp(), 0)?;
        Some(Mtime { precision: mtime.precision, zone: Zone::Unknown, ..told })
    }

    /// Returns whether nobody knows anything of it but its size.
    pub fn is_unseen(&self) -> bool {
        self.listed.is_none() && self.exact.is_none()
    }

    /// Compares what is there now with what was there then.
    pub fn compare(&self, now: &Entry) -> Likeness {
        if now.size != Some(self.size) {
            return Likeness::Changed;
        }
        let Some(mtime) = now.mtime else {
            // A store that tells no times never told any.
            let never = self.listed.is_none() && self.exact.is_none();
            return if never { Likeness::Same } else { Likeness::Unsure };
        };
        if mtime.is_exact() {
            return match self.exact {
                Some(exact) if mtime.at.timestamp() == exact.at.timestamp() => Likeness::Same,
                Some(_) => Likeness::Changed,
                None => Likeness::Unsure,
            };
        }
        // Many versions fit into a day.
        let told = self.listed.filter(|listed| listed.precision != Precision::Day && !self.fresh);
        if told.is_some() && told == Self::listed(mtime) { Likeness::Same } else { Likeness::Unsure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn at(text: &str, precision: Precision) -> Mtime {
        let zone = if precision == Precision::Second { Zone::Utc } else { Zone::Unknown };
        Mtime { at: text.parse().unwrap(), precision, zone }
    }

    fn file(size: u64, mtime: Option<Mtime>) -> Entry {
        Entry::file(RelPath::parse("f").unwrap(), size, mtime)
    }

    fn seen(exact: Option<&str>, listed: Option<&str>) -> Seen {
        let exact = exact.map(|text| at(text, Precision::Second));
        let listed = listed.map(|text| at(text, Precision::Minute));
        Seen::of(&file(5, exact.or(listed)), listed.or(exact), NOW.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_listed_time_counts_once_its_minute_is_over_everywhere() {
        use Likeness::*;
        let (exact, listed) = ("2026-11-01T10:02:37Z", "2026-11-01T15:32:00Z");
        let settled = seen(Some(exact), Some(listed));
        for (now, likeness) in [
            (file(5, Some(at(listed, Precision::Minute))), Same),
            (file(6, Some(at(listed, Precision::Minute))), Changed),
            // Another minute may be another zone.
            (file(5, Some(at("2026-11-01T16:32:00Z", Precision::Minute))), Unsure),
            (file(5, Some(at("2026-11-01T00:00:00Z", Precision::Day))), Unsure),
            (file(5, Some(at(exact, Precision::Second))), Same),
            (file(5, Some(at("2026-11-01T10:02:38Z", Precision::Second))), Changed),
            (file(5, None), Unsure),
        ] {
            assert_eq!(settled.compare(&now), likeness, "{now:?}");
        }
        let fresh = seen(Some("2026-11-21T10:02:37Z"), Some("2026-11-21T15:32:00Z"));
        assert_eq!(fresh.compare(&file(5, Some(at("2026-11-21T15:32:00Z", Precision::Minute)))), Unsure);
    }

    #[test]
    fn what_is_believed_of_a_zone_changes_nothing_that_was_seen() {
        let (exact, listed) = ("2026-11-01T10:02:37Z", at("2026-11-01T15:32:00Z", Precision::Minute));
        let [india, rome] = [330, 60].map(|minutes| crate::model::Offset::from_minutes(minutes).unwrap());
        let settled = seen(Some(exact), Some("2026-11-01T15:32:00Z"));
        let known = listed.in_zone(india);
        let again = Seen::of(&file(5, Some(at(exact, Precision::Second))), Some(known), NOW.parse().unwrap());
        assert_eq!(again, Some(settled));
        for zone in [india, rome] {
            assert_eq!(settled.compare(&file(5, Some(listed.in_zone(zone)))), Likeness::Same);
        }
        // Read in another zone it would be the minute that was seen.
        let later = at("2026-11-01T16:32:00Z", Precision::Minute).in_zone(rome);
        assert_eq!(settled.compare(&file(5, Some(later))), Likeness::Unsure);
    }

    #[test]
    fn seconds_of_an_unknown_zone_are_no_exact_time() {
        let told = |text: &str| Some(Mtime { zone: Zone::Unknown, ..at(text, Precision::Second) });
        let listed = told("2026-11-01T15:32:37Z");
        let seen = Seen::of(&file(5, listed), listed, NOW.parse().unwrap()).unwrap();
        assert_eq!((seen.exact, seen.fresh), (None, false));
        assert_eq!(seen.compare(&file(5, listed)), Likeness::Same);
        assert_eq!(seen.compare(&file(5, told("2026-11-01T15:32:38Z"))), Likeness::Unsure);
    }

    #[test]
    fn without_any_times_the_size_is_all_there_is() {
        let seen = seen(None, None);
        assert_eq!(seen.compare(&file(5, None)), Likeness::Same);
        assert_eq!(seen.compare(&file(6, None)), Likeness::Changed);
    }
}
