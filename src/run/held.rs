//! Files that an earlier part of a plan has sent, and that wait for their final names: which of them are there as they were.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::execute::Held;
use crate::model::{Entry, Kind, Mtime, Precision, RelPath, Zone};
use crate::pool::Pool;
use crate::scan::Scanned;
use crate::store::StoreResult;

/// How many are asked about at once.
const QUESTIONS: usize = 256;

/// Returns those that are there as they were, and takes them from among what is left over. One that somebody has harmed is nobody's.
///
/// # Errors
/// When no session can be had.
pub(super) fn still_there(
    held: &[Arc<Held>],
    to: &mut Scanned,
    destination: &Pool,
) -> StoreResult<Vec<Arc<Held>>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut unseen: HashMap<&RelPath, &Arc<Held>> =
        held.iter().map(|held| (&held.file.temporary, held)).collect();
    let mut there = Vec::new();
    to.leftovers.retain(|entry| {
        let Some(held) = unseen.remove(&entry.path) else { return true };
        let is_it = is_as_it_was(held, entry);
        if is_it {
            there.push(Arc::clone(held));
        }
        !is_it
    });
    // Temporary names begin with a dot, and some servers list no such name, whatever they are asked.
    if !unseen.is_empty() {
        let (paths, unseen): (Vec<RelPath>, Vec<&Arc<Held>>) =
            unseen.into_iter().map(|(path, held)| (path.clone(), held)).unzip();
        let mut lease = destination.lease()?;
        for (paths, unseen) in paths.chunks(QUESTIONS).zip(unseen.chunks(QUESTIONS)) {
            for (answer, held) in lease.session().mtimes(paths).into_iter().zip(unseen) {
                let Ok(Some(told)) = answer else { continue };
                if held.file.mtime.is_none_or(|own| may_be_told_as(&own, &told)) {
                    there.push(Arc::clone(held));
                }
            }
        }
    }
    Ok(there)
}

fn is_as_it_was(held: &Held, entry: &Entry) -> bool {
    entry.kind == Kind::File
        && entry.size.is_none_or(|size| size == held.file.bytes)
        && held.file.mtime.zip(entry.mtime).is_none_or(|(own, listed)| may_be_told_as(&own, &listed))
}

/// Returns whether a server may tell a time so. In a zone that nobody knows, it is some quarters of an hour away.
fn may_be_told_as(time: &Mtime, told: &Mtime) -> bool {
    const QUARTER: i64 = 15 * 60;
    // No zone is further from UTC.
    const FURTHEST: i64 = 15 * 60 * 60;
    if time.agrees(told, TimeDelta::zero()) || told.zone == Zone::Utc {
        return time.agrees(told, TimeDelta::zero());
    }
    let away = match told.precision {
        Precision::Day => 0,
        Precision::Minute | Precision::Second => (told.at - time.at).num_seconds(),
    };
    let near = (away + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
    let in_its_zone = Mtime { at: time.at + TimeDelta::seconds(near), ..*time };
    let left = if told.precision == Precision::Day { FURTHEST } else { 0 };
    near.abs() <= FURTHEST && in_its_zone.agrees(told, TimeDelta::seconds(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::{HeldFile, Outcome};

    #[test]
    fn what_was_harmed_is_not_what_was_sent() {
        let late = Mtime::exact("2024-05-06T07:08:09Z".parse().unwrap());
        let day = Mtime {
            at: "2024-05-06T00:00:00Z".parse().unwrap(),
            precision: Precision::Day,
            zone: Zone::Unknown,
        };
        assert!(may_be_told_as(&late, &day));
        let path = RelPath::parse("d/a").unwrap();
        let at = |text: &str| text.parse().unwrap();
        let mtime = Some(Mtime::exact(at("2026-03-04T05:06:37Z")));
        let file =
            HeldFile { temporary: path.clone(), path: path.clone(), bytes: 5, mtime, of_earlier: true };
        let held = Held { file, outcome: Outcome::found_done(5) };
        let undated = Held { file: HeldFile { mtime: None, ..held.file.clone() }, ..held.clone() };
        let told = |text, precision, zone| Some(Mtime { at: at(text), precision, zone });
        for (size, listed, is_it) in [
            (Some(5), mtime, true),
            (None, None, true),
            (Some(4), mtime, false),
            (Some(5), Some(Mtime::exact(at("2026-03-04T05:06:38Z"))), false),
            (Some(5), told("2026-03-04T05:06:00Z", Precision::Minute, Zone::Unknown), true),
            (Some(5), told("2026-03-04T05:07:00Z", Precision::Minute, Zone::Unknown), false),
            // In Kathmandu and in Denver.
            (Some(5), told("2026-03-04T10:51:00Z", Precision::Minute, Zone::Unknown), true),
            (Some(5), told("2026-03-03T22:06:00Z", Precision::Minute, Zone::Unknown), true),
            (Some(5), told("2026-03-05T05:06:00Z", Precision::Minute, Zone::Unknown), false),
            (Some(5), told("2026-03-04T00:00:00Z", Precision::Day, Zone::Unknown), true),
            (Some(5), told("2026-03-05T00:00:00Z", Precision::Day, Zone::Unknown), false),
            (Some(5), told("2026-03-03T00:00:00Z", Precision::Day, Zone::Unknown), true),
            (Some(5), told("2026-03-02T00:00:00Z", Precision::Day, Zone::Unknown), false),
        ] {
            let entry = Entry::file(path.clone(), 5, listed);
            let entry = Entry { size, ..entry };
            assert_eq!(is_as_it_was(&held, &entry), is_it, "{size:?} {listed:?}");
            assert_eq!(is_as_it_was(&undated, &entry), size != Some(4), "{size:?} {listed:?}");
        }
        let dir = Entry::new(path, Kind::Dir);
        assert!(!is_as_it_was(&held, &dir));
    }
}
