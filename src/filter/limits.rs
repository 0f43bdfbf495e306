//! Files that are left out for their size or age.

use chrono::{DateTime, Duration, Utc};

use crate::model::{Entry, Kind, Zone};

/// Which files belong by what a listing tells of them. The default leaves nothing out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Smaller files are left out, in bytes.
    pub min_bytes: Option<u64>,
    /// Larger files are left out, in bytes.
    pub max_bytes: Option<u64>,
    /// Files that changed since then, or may have, are left out: they may still be written.
    pub changed_before: Option<DateTime<Utc>>,
    /// Files that changed before then for certain are left out.
    pub changed_after: Option<DateTime<Utc>>,
}

/// No zone is further from UTC.
const FURTHEST_ZONE: Duration = Duration::hours(15);

impl Limits {
    /// Returns whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether this entry belongs. What is no file does; a file of unknown size isn't left out for that, and one of unknown
    /// time may have changed just now.
    pub fn admits(&self, entry: &Entry) -> bool {
        if entry.kind != Kind::File {
            return true;
        }
        let fits = entry.size.is_none_or(|size| {
            self.min_bytes.is_none_or(|min| size >= min) && self.max_bytes.is_none_or(|max| size <= max)
        });
        let latest = entry.mtime.and_then(|mtime| {
            let unsure = if mtime.zone == Zone::Unknown { FURTHEST_ZONE } else { Duration::zero() };
            let span = mtime.precision.span() - Duration::seconds(1);
            mtime.at.checked_add_signed(span + unsure)
        });
        let settled = self.changed_before.is_none_or(|before| latest.is_some_and(|latest| latest <= before));
        let recent = self.changed_after.is_none_or(|after| latest.is_none_or(|latest| latest >= after));
        fits && settled && recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mtime, Precision, RelPath};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn file(size: Option<u64>, mtime: Option<Mtime>) -> Entry {
        Entry { size, mtime, ..Entry::new(RelPath::parse("a").unwrap(), Kind::File) }
    }

    #[test]
    fn sizes_have_bounds_that_belong() {
        let limits = Limits { min_bytes: Some(10), max_bytes: Some(20), ..Limits::default() };
        for (size, belongs) in
            [(Some(9), false), (Some(10), true), (Some(20), true), (Some(21), false), (None, true)]
        {
            assert_eq!(limits.admits(&file(size, None)), belongs, "{size:?}");
        }
        assert!(limits.admits(&Entry::new(RelPath::parse("d").unwrap(), Kind::Dir)));
    }

    #[test]
    fn what_may_have_changed_just_now_is_young() {
        let limits = Limits { changed_before: Some(at(0)), ..Limits::default() };
        let time = |seconds, precision, zone| Mtime { at: at(seconds), precision, zone };
        for (mtime, belongs) in [
            (time(0, Precision::Second, Zone::Utc), true),
            (time(1, Precision::Second, Zone::Utc), false),
            (time(-59, Precision::Minute, Zone::Utc), true),
            (time(-58, Precision::Minute, Zone::Utc), false),
            (time(-3600, Precision::Second, Zone::Unknown), false),
            (time(-16 * 3600, Precision::Second, Zone::Unknown), true),
        ] {
            assert_eq!(limits.admits(&file(Some(1), Some(mtime))), belongs, "{mtime:?}");
        }
        assert!(!limits.admits(&file(Some(1), None)));
    }

    #[test]
    fn only_what_is_old_for_certain_is_old() {
        let limits = Limits { changed_after: Some(at(0)), ..Limits::default() };
        let time = |seconds, zone| Mtime { at: at(seconds), precision: Precision::Second, zone };
        for (mtime, belongs) in [
            (time(0, Zone::Utc), true),
            (time(-1, Zone::Utc), false),
            (time(-3600, Zone::Unknown), true),
            (time(-16 * 3600, Zone::Unknown), false),
        ] {
            assert_eq!(limits.admits(&file(Some(1), Some(mtime))), belongs, "{mtime:?}");
        }
        assert!(limits.admits(&file(Some(1), None)));
    }
}
