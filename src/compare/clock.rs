//! What zone a server's listings are in, from a few files of which both the listed and the exact time are known.
//!
//! A zone with daylight saving has two offsets, and which days have which is known to the server alone. So an offset counts
//! for the months it was seen in and for those shut in between; whatever must be right in any case is held against all
//! offsets that the zone may have had.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::model::{Entry, Kind, Mtime, Offset, Precision, RelPath, Zone};

/// One file's time, as it was listed and as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// As the listing has it.
    pub listed: Mtime,
    /// To the second.
    pub exact: Mtime,
}

/// The offsets a server's listings were seen to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// By month, counted from the year 0. `None` for a month in which the offset changed.
    months: BTreeMap<i32, Option<Offset>>,
    /// All that were seen, in order, each once.
    offsets: Vec<Offset>,
    /// How many files showed them.
    files: usize,
}

/// Between two months that show the same offset, so many months apart, no change is assumed.
const SEASON: i32 = 4;

impl Clock {
    /// Returns the clock that all samples agree with; `None` when there is none. Times to the day show nothing.
    pub fn learn(samples: &[Sample]) -> Option<Self> {
        let mut months = BTreeMap::new();
        let mut offsets = Vec::new();
        let mut files = 0;
        for sample in samples.iter().filter(|sample| is_telling(&sample.listed)) {
            let offset = sample.offset()?;
            offsets.push(offset);
            let seen = months.entry(month(&sample.listed)).or_insert(Some(offset));
            if *seen != Some(offset) {
                *seen = None;
            }
            files += 1;
        }
        offsets.sort();
        offsets.dedup();
        let one_zone = offsets.first()?.is_saving_from(*offsets.last()?);
        one_zone.then_some(Self { months, offsets, files })
    }

    /// Returns whether an offset is one that was seen, or daylight saving away from one.
    pub fn may_be(&self, offset: Offset) -> bool {
        self.offsets.iter().any(|seen| seen.is_saving_from(offset))
    }

    /// Returns how far from UTC a listed time is; `None` when that was not seen in its season.
    pub fn offset_at(&self, listed: &Mtime) -> Option<Offset> {
        let month = month(listed);
        let (before, early) = self.months.range(..=month).next_back()?;
        let (after, late) = self.months.range(month..).next()?;
        early.filter(|_| early == late && after - before <= SEASON)
    }

    /// Returns whether the two times are further apart than `window`, whichever of its offsets the clock had, and in whichever year: a
    /// listing may leave it out.
    pub fn tells_apart(&self, listed: &Mtime, other: &Mtime, window: TimeDelta) -> bool {
        let slack = if other.zone == Zone::Unknown { Offset::FURTHEST } else { TimeDelta::zero() };
        let may_be = |at: DateTime<Utc>| {
            self.offsets.iter().any(|offset| {
                [-Offset::SAVING, TimeDelta::zero(), Offset::SAVING].into_iter().any(|saving| {
                    let at = at.checked_sub_signed(offset.ahead() + saving);
                    at.is_none_or(|at| Mtime { at, ..*listed }.agrees(other, window + slack))
                })
            })
        };
        let told = listed.as_listed();
        let years = if is_telling(listed) { -1..2 } else { 0..0 };
        listed.zone != Zone::Utc
            && !may_be(told)
            && !years.filter_map(|more| told.with_year(other.at.year() + more)).any(may_be)
    }

    /// Returns a listed time as the clock has it: by the offset of its season, or else by the nearest one that was seen.
    pub fn read(&self, listed: Mtime) -> Mtime {
        let at = month(&listed);
        let nearest = self
            .months
            .iter()
            .filter_map(|(month, offset)| Some((month, (*offset)?)))
            .min_by_key(|(month, _)| (**month - at).abs());
        let seen = nearest.map(|(_, offset)| offset).or_else(|| self.offsets.first().copied());
        match self.offset_at(&listed).or(seen) {
            Some(offset) => listed.in_zone(offset),
            None => listed,
        }
    }
}

/// As in `UTC+05:30, seen on 4 files`.
impl Display for Clock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, offset) in self.offsets.iter().enumerate() {
            let or = if i > 0 { " or " } else { "" };
            write!(f, "{or}{offset}")?;
        }
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, ", seen on {} {files}", self.files)
    }
}

impl Sample {
    /// Returns how much later the listed time is; `None` when no zone explains it.
    fn offset(&self) -> Option<Offset> {
        let span = self.listed.precision.span().num_seconds();
        let exact = self.exact.at.timestamp().div_euclid(span) * span;
        Offset::nearest(
            TimeDelta::try_seconds(self.listed.as_listed().timestamp() - exact)?,
            TimeDelta::zero(),
        )
    }

    /// Returns whether the listed time may be the exact one, so far from UTC.
    fn fits(&self, offset: Offset) -> bool {
        let at = self.exact.at.checked_add_signed(offset.ahead());
        at.is_some_and(|at| {
            let listed = Mtime { at: self.listed.as_listed(), ..self.listed };
            listed.agrees(&Mtime::exact(at), TimeDelta::zero())
        })
    }
}

/// Returns whether a server whose listings are `offset` ahead of UTC tells exact times in the same zone, where all agree with what is
/// listed just as they are. Where the listings show both, `others` may tell: the times those files have on the other side.
pub fn tells_as_listed(samples: &[Sample], others: &[Option<Mtime>], offset: Offset) -> bool {
    let as_listed = samples.iter().all(|sample| sample.fits(Offset::default()));
    let as_utc = samples.iter().all(|sample| sample.fits(offset));
    let same = |offset: Offset| {
        samples.iter().zip(others).any(|(sample, other)| {
            let at = sample.exact.at.checked_sub_signed(offset.ahead());
            other
                .filter(Mtime::is_exact)
                .zip(at)
                .is_some_and(|(other, at)| other.gap(&Mtime::exact(at)).is_zero())
        })
    };
    !samples.is_empty()
        && !offset.is_zero()
        && as_listed
        && (!as_utc || (same(offset) && !same(Offset::default())))
}

/// Returns at most `most` files to ask the exact times of: of as many months as can be, times to the minute before those to the day.
pub fn samples<E: Borrow<Entry>>(files: impl IntoIterator<Item = E>, most: usize) -> Vec<RelPath> {
    let mut months: BTreeMap<(bool, i32), Vec<RelPath>> = BTreeMap::new();
    for file in files {
        let file = file.borrow();
        if file.kind != Kind::File {
            continue;
        }
        if let Some(listed) = file.mtime.filter(|mtime| mtime.zone != Zone::Utc) {
            let of_month = months.entry((!is_telling(&listed), month(&listed))).or_default();
            if of_month.len() < most {
                of_month.push(file.path.clone());
            }
        }
    }
    let mut chosen = Vec::new();
    for rough in [false, true] {
        let months: Vec<_> = months.iter().filter(|((is_rough, _), _)| *is_rough == rough).collect();
        // The months furthest apart first: the newest, the oldest, those in between.
        let order = spread(months.len(), most);
        for round in 0..most {
            chosen.extend(order.iter().filter_map(|&i| months[i].1.get(round)).cloned());
        }
    }
    chosen.truncate(most);
    chosen
}

/// Returns `most` of the numbers below `count`, in an order in which each is far from those before it.
fn spread(count: usize, most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = count.checked_sub(1).into_iter().collect();
    let mut step = count.next_power_of_two();
    while step > 0 && order.len() < most {
        for i in (0..count).step_by(step) {
            if order.len() < most && !order.contains(&i) {
                order.push(i);
            }
        }
        step /= 2;
    }
    order
}

/// Returns whether the time is told well enough to show a zone.
fn is_telling(listed: &Mtime) -> bool {
    listed.precision != Precision::Day
}

fn month(listed: &Mtime) -> i32 {
    let at = listed.as_listed();
    at.year() * 12 + i32::try_from(at.month0()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
