//! What earlier runs left at the destination: temporary files that never became whole.
//!
//! Those of the same owner are of a run that is over: what a file of this plan may go on with is left for that, the rest is removed.
//! Those of others may belong to a run under way, so they stay until they are a day old for sure. A name that is not understood is
//! nobody's to remove.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Entry, Key, Kind, Mtime, RelPath, RunId, Temporary, Zone};
use crate::plan::{Deed, Plan};
use crate::pool::Pool;
use crate::scan::Scanned;

/// For so long, a file of somebody else may be one of a run under way.
const OLD: TimeDelta = TimeDelta::hours(24);

/// No zone is further from UTC.
const FURTHEST_ZONE: TimeDelta = TimeDelta::hours(15);

/// How many are removed at once.
const BATCH: usize = 64;

/// Whose a temporary file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Of an earlier run of this pair from this machine.
    Own(Key),
    /// Of somebody who won't need it any more.
    Abandoned,
    /// It stays.
    Others,
}

fn whose(entry: &Entry, run: RunId, now: DateTime<Utc>) -> Whose {
    let Some(name) = Temporary::parse(entry.path.name()) else { return Whose::Others };
    if name.run.owner == run.owner {
        return if name.run.run == run.run { Whose::Others } else { Whose::Own(name.key) };
    }
    // A file that is about to be renamed has the time of its source already, which may be an old one.
    let is_of_old_run = name.began().is_some_and(|began| now - began > OLD);
    let is_old = entry.mtime.is_some_and(|mtime| is_older(&mtime, now));
    if is_of_old_run && is_old { Whose::Abandoned } else { Whose::Others }
}

/// Returns whether a time is more than a day ago, however it was meant.
fn is_older(mtime: &Mtime, now: DateTime<Utc>) -> bool {
    let doubt = if mtime.zone == Zone::Utc { TimeDelta::zero() } else { FURTHEST_ZONE };
    now - mtime.at > OLD + mtime.precision.span() + doubt
}

/// Says of the directories that hold temporary files which stay that they can't be removed.
pub(super) fn keep_dirs(scanned: &mut Scanned, run: RunId, now: DateTime<Utc>) {
    let staying = scanned.leftovers.iter().filter(|entry| whose(entry, run, now) == Whose::Others);
    let dirs: Vec<RelPath> = staying.filter_map(|entry| entry.path.parent()).collect();
    scanned.keeps.extend(dirs);
}

/// The leftovers that are this run's to deal with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    /// What a file of the plan may go on with.
    pub(super) partials: Vec<Entry>,
    /// What nobody will go on with.
    pub(super) useless: Vec<RelPath>,
}

impl Leftovers {
    /// Sorts them by what the plan sends. Files of at least `resume_from` bytes are gone on with; `None` goes on with none. Where parts of one
    /// plan are carried out `beside_others`, what those have sent waits for as long as it takes, and stays.
    pub(super) fn sort(
        leftovers: &[Entry],
        plan: &Plan,
        run: RunId,
        (resume_from, beside_others): (Option<u64>, bool),
        now: DateTime<Utc>,
    ) -> Self {
        let mut sorted = Self::default();
        if leftovers.is_empty() {
            return sorted;
        }
        let wanted = Wanted::of(plan);
        for entry in leftovers {
            let is_partial = match whose(entry, run, now) {
                Whose::Others => continue,
                Whose::Abandoned if beside_others => continue,
                Whose::Abandoned => false,
                Whose::Own(key) => {
                    let is_worth = |&bytes: &u64| resume_from.is_some_and(|least| bytes >= least);
                    let bytes = entry.size.filter(is_worth).filter(|_| entry.kind == Kind::File);
                    bytes.is_some_and(|bytes| wanted.may_be(entry, key, bytes))
                }
            };
            if is_partial {
                sorted.partials.push(entry.clone());
            } else {
                sorted.useless.push(entry.path.clone());
            }
        }
        sorted.drop_shorter();
        sorted
    }

    /// Of several beginnings of one file, the longest is enough.
    fn drop_shorter(&mut self) {
        let place = |entry: &Entry| {
            let key = Temporary::parse(entry.path.name()).map(|name| name.key);
            (entry.path.parent(), key)
        };
        self.partials.sort_by(|a, b| (b.size, &b.path).cmp(&(a.size, &a.path)));
        let mut seen = HashSet::new();
        let (longest, shorter) =
            std::mem::take(&mut self.partials).into_iter().partition(|entry| seen.insert(place(entry)));
        self.partials = longest;
        let shorter: Vec<Entry> = shorter;
        self.useless.extend(shorter.into_iter().map(|entry| entry.path));
    }
}

/// What the plan sends, by directory.
struct Wanted(HashMap<RelPath, Dir>);

#[derive(Default)]
struct Dir {
    keys: HashSet<Key>,
    /// The size of the largest file whose time is not known well enough yet, so that it may be asked for.
    rough: Option<u64>,
    /// The size of the largest file of each key.
    largest: u64,
}

impl Wanted {
    fn of(plan: &Plan) -> Self {
        let mut dirs: HashMap<RelPath, Dir> = HashMap::new();
        for action in &plan.actions {
            // What can't be renamed is sent, too.
            let is_sent = matches!(action.deed, Deed::Copy | Deed::Replace | Deed::Rename);
            let (Some(source), true) = (&action.source, is_sent && action.kind() == Kind::File) else {
                continue;
            };
            let (Some(dir), Some(size)) = (source.path.parent(), source.size) else { continue };
            let dir = dirs.entry(dir).or_default();
            match Key::of(source.path.name(), Some(size), source.mtime) {
                key @ Key::Of(_) => {
                    dir.keys.insert(key);
                    dir.largest = dir.largest.max(size);
                }
                Key::Parts | Key::Other => dir.rough = dir.rough.max(Some(size)),
            }
        }
        Self(dirs)
    }

    /// Returns whether a temporary file with this key and length may be the beginning of something that is sent.
    fn may_be(&self, entry: &Entry, key: Key, bytes: u64) -> bool {
        let Some(dir) = entry.path.parent().and_then(|dir| self.0.get(&dir)) else { return false };
        let is_known = dir.keys.contains(&key) && bytes <= dir.largest;
        matches!(key, Key::Of(_)) && (is_known || dir.rough.is_some_and(|size| bytes <= size))
    }
}

/// Removes them, and returns how many are gone. What can't be removed (a server's dead session may still hold it) is left to a later run.
pub(super) fn remove(pool: &Pool, useless: &[RelPath]) -> usize {
    if useless.is_empty() {
        return 0;
    }
    let Ok(mut lease) = pool.lease() else { return 0 };
    let results = useless.chunks(BATCH).flat_map(|batch| lease.session().remove_files(batch));
    results.filter(Result::is_ok).count()
}

/// Says what was removed.
pub(super) fn note(removed: usize) -> Option<String> {
    match removed {
        0 => None,
        1 => Some("1 leftover of an earlier run removed".to_owned()),
        _ => Some(format!("{removed} leftovers of earlier runs removed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Reason;
    use crate::model::Precision;
    use crate::plan::{Action, Phase};

    const RUN: RunId = RunId { owner: 1, run: 9 };

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn hours_ago(hours: i64) -> DateTime<Utc> {
        now() - TimeDelta::hours(hours)
    }

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn leftover(run: RunId, key: Key, serial: u32, size: u64, mtime: Option<Mtime>) -> Entry {
        Entry::file(Temporary { run, key, number: 3, serial }.beside(&path("d/x")), size, mtime)
    }

    #[test]
    fn own_ones_are_of_earlier_runs_and_those_of_others_must_be_a_day_old_for_sure() {
        let of = |owner, hours| RunId::new(owner, hours_ago(hours), 5);
        let exact = |hours| Some(Mtime::exact(hours_ago(hours)));
        let told = |hours, precision, zone| Some(Mtime { at: hours_ago(hours), precision, zone });
        let key = Key::Of(7);
        for (run, mtime, expected) in [
            (RUN, exact(99), Whose::Others),
            (of(1, 0), None, Whose::Own(key)),
            (of(2, 30), exact(25), Whose::Abandoned),
            (of(2, 30), exact(23), Whose::Others),
            (of(2, 30), None, Whose::Others),
            // It got the time of its source just before its name.
            (of(2, 2), exact(9999), Whose::Others),
            (of(2, 99), told(38, Precision::Minute, Zone::Unknown), Whose::Others),
            (of(2, 99), told(40, Precision::Minute, Zone::Unknown), Whose::Abandoned),
            (of(2, 99), told(47, Precision::Day, Zone::Utc), Whose::Others),
            (of(2, 99), told(49, Precision::Day, Zone::Utc), Whose::Abandoned),
        ] {
            let entry = leftover(run, key, 1, 10, mtime);
            assert_eq!(whose(&entry, RUN, now()), expected, "{run:?} {mtime:?}");
        }
        for name in [".oneway-1-2-3.part", ".oneway-old-5.part", ".oneway-.part"] {
            let entry = Entry::file(path(name), 10, exact(9999));
            assert_eq!(whose(&entry, RUN, now()), Whose::Others, "{name}");
        }
    }

    fn send(name: &str, size: u64, mtime: Option<Mtime>) -> Action {
        Action {
            path: path(name),
            deed: Deed::Copy,
            phase: Phase::Files,
            reason: Reason::Missing,
            source: Some(Box::new(Entry::file(path(name), size, mtime))),
            destination: None,
            obstacle: None,
        }
    }

    #[test]
    fn what_the_plan_sends_may_go_on_and_the_rest_is_useless() {
        let mtime = Mtime::from_unix(1_000_000_000, 0);
        let plan = Plan { actions: vec![send("d/a", 1000, mtime)].into(), ..Plan::default() };
        let (key, earlier) = (Key::of(b"a", Some(1000), mtime), RunId { owner: 1, run: 8 });
        let own = |key, serial, size| leftover(earlier, key, serial, size, None);
        let leftovers = [
            own(key, 1, 500),
            own(key, 2, 700),
            own(key, 3, 99),
            own(key, 4, 1001),
            own(Key::Of(5), 5, 700),
            own(Key::Parts, 6, 700),
            leftover(RunId { owner: 2, run: 8 }, key, 7, 700, None),
        ];
        let serials = |paths: &[RelPath]| -> Vec<u32> {
            paths.iter().map(|path| Temporary::parse(path.name()).unwrap().serial).collect()
        };
        let sorted = |plan: &Plan, from| Leftovers::sort(&leftovers, plan, RUN, (from, false), now());
        let partials = |sorted: &Leftovers| {
            let paths: Vec<RelPath> = sorted.partials.iter().map(|entry| entry.path.clone()).collect();
            serials(&paths)
        };
        let some = sorted(&plan, Some(100));
        assert_eq!((partials(&some), serials(&some.useless)), (vec![2], vec![3, 4, 5, 6, 1]));
        assert_eq!(serials(&sorted(&plan, None).useless), [1, 2, 3, 4, 5, 6]);
        assert_eq!(serials(&sorted(&Plan::default(), Some(100)).useless), [1, 2, 3, 4, 5, 6]);
        // Where the time is still to be asked for, any of them may be it.
        let rough = Plan { actions: vec![send("d/a", 1000, None)].into(), ..Plan::default() };
        assert_eq!(partials(&sorted(&rough, Some(100))), [2, 5]);
        let long_ago = RunId::new(2, hours_ago(48), 5);
        let abandoned = [leftover(long_ago, key, 8, 700, Some(Mtime::exact(hours_ago(48))))];
        for (beside_others, gone) in [(false, &[8][..]), (true, &[])] {
            let sorted = Leftovers::sort(&abandoned, &plan, RUN, (None, beside_others), now());
            assert_eq!(serials(&sorted.useless), gone, "{beside_others}");
        }
    }
}
