//! Two trees in, verdicts with their reasons out. Pure: no I/O, no clock, no thread.
//!
//! [`march`] walks both sorted trees in lock step; [`RULES`] are asked about each pair in their order, and the first that
//! finds a difference names it.

mod clock;
mod fold;
mod march;
mod rules;
mod touch;

pub use clock::{Clock, Sample, samples, tells_as_listed};
pub use fold::{Folds, LeftOut, folds};
pub use march::{Pair, march};
pub use rules::{Finding, RULES, Rule};
pub use touch::{needs_touch, newly_dated};

use std::borrow::Cow;

use chrono::Duration;

use crate::compare::rules::ByReceipt;
use crate::model::{Content, Entry, Evidence, Kind, Mtime, Receipt, RelPath, Tree};

/// What makes two files differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Size, or modification time.
    #[default]
    SizeTime,
    /// Size alone.
    Size,
    /// Content, where it can be known; else as [`Basis::SizeTime`].
    Checksum,
    /// Size alone, to take over what is there: the result is remembered as if this program had sent it.
    Adopt,
    /// Everything: each file is sent again.
    Always,
}

/// How modification times are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// They must be the same.
    #[default]
    Same,
    /// The destination's must not be older. For a destination that can't keep the source's times: its own say when the file was
    /// written there.
    NotOlder,
}

/// How two entries are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareOptions {
    /// What makes two files differ.
    pub basis: Basis,
    /// How times are compared.
    pub times: Times,
    /// Times no further apart than this are the same, beyond what their precision leaves open.
    pub window: Duration,
    /// Files that are newer at the destination are left alone, so that times decide whatever else differs.
    pub update: bool,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { basis: Basis::default(), times: Times::default(), window: Duration::zero(), update: false }
    }
}

/// Why something is to be done. The words are those of the JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not at the destination.
    Missing,
    /// Another size, or a size that one side doesn't tell.
    Size,
    /// Another modification time.
    Time,
    /// Another content of the same size.
    Checksum,
    /// Not the same kind of thing.
    Kind,
    /// Asked for, whatever the two look like.
    Forced,
    /// Changed at the destination since it was sent there.
    Drift,
    /// Only at the destination.
    Extra,
}

impl Reason {
    /// Every reason.
    pub const ALL: &[Self] = &[
        Self::Missing,
        Self::Size,
        Self::Time,
        Self::Checksum,
        Self::Kind,
        Self::Forced,
        Self::Drift,
        Self::Extra,
    ];

    /// Returns the word of the JSON report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Time => "time",
            Self::Checksum => "checksum",
            Self::Kind => "kind",
            Self::Forced => "forced",
            Self::Drift => "drift",
            Self::Extra => "extra",
        }
    }
}

/// What is known of one path that both sides have.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// As the source lists it.
    pub source: &'c Entry,
    /// As the destination lists it.
    pub destination: &'c Entry,
    /// What both were when they were the same; `None` when nobody remembers.
    pub receipt: Option<Receipt>,
    /// Whether their contents are the same; `None` when nobody compared them.
    pub content: Option<Content>,
}

impl<'c> Case<'c> {
    /// Joins two entries of one path with what is remembered of them.
    pub fn new(source: &'c Entry, destination: &'c Entry, evidence: &Evidence) -> Self {
        let receipt = evidence.receipts.get(&source.path);
        Self { source, destination, receipt, content: evidence.contents.get(&source.path).copied() }
    }
}

/// Returns why the two entries of one path differ; `None` when they are the same.
pub fn difference(case: &Case<'_>, options: &CompareOptions) -> Option<Reason> {
    match decide(case, options) {
        Finding::Differs(reason) => Some(reason),
        Finding::Same | Finding::Equal | Finding::Open => None,
    }
}

/// Returns the first rule that can tell, with what it has found; `None` where none can, so that the two count as the same.
pub fn deciding(case: &Case<'_>, options: &CompareOptions) -> Option<(&'static dyn Rule, Finding)> {
    let mut findings = RULES.iter().map(|&rule| (rule, rule.judge(case, options)));
    findings.find(|(_, finding)| *finding != Finding::Open)
}

/// Returns what the first rule that can tell has found.
fn decide(case: &Case<'_>, options: &CompareOptions) -> Finding {
    deciding(case, options).map_or(Finding::Open, |(_, finding)| finding)
}

/// Which side a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Where files come from.
    Source,
    /// Where files go.
    Destination,
}

/// Returns the files on `side` whose exact time would decide, from the first one behind `after` on: their sizes agree, and the listed
/// time either differs, which may be the server's zone alone, or is rounded, so that a second edit within the same minute would go
/// unseen. Where files that are newer at the destination are left alone, also those that differ otherwise. What a receipt decides needs
/// no question.
pub fn questions<'t>(
    source: &'t Tree,
    destination: &'t Tree,
    evidence: &'t Evidence,
    side: Side,
    options: &'t CompareOptions,
    after: Option<&'t RelPath>,
) -> impl Iterator<Item = RelPath> + 't {
    let by_time = matches!(options.basis, Basis::SizeTime | Basis::Checksum | Basis::Adopt);
    let entries = move |tree: &'t Tree| {
        let is_behind = move |entry: &Cow<'_, Entry>| after.is_none_or(|after| entry.path > *after);
        (by_time || options.update)
            .then(|| after.map_or_else(|| tree.entries(), |after| tree.entries_from(after)))
            .into_iter()
            .flatten()
            .filter(is_behind)
    };
    march(entries(source), entries(destination)).filter_map(move |pair| match pair {
        Pair::Both(s, d) if is_open(&s, &d, evidence, side, options, None) => Some(s.path.clone()),
        _ => None,
    })
}

/// Returns whether the exact time of one file on `side` would decide. What differs whatever zone of the server's `clock` its time is in
/// is decided; `None` when nobody knows that clock.
pub fn is_open(
    source: &Entry,
    destination: &Entry,
    evidence: &Evidence,
    side: Side,
    options: &CompareOptions,
    clock: Option<&Clock>,
) -> bool {
    let by_time = matches!(options.basis, Basis::SizeTime | Basis::Checksum | Basis::Adopt);
    let files = source.kind == Kind::File && destination.kind == Kind::File;
    if !files || (!by_time && !options.update) {
        return false;
    }
    let (listed, other) = match side {
        Side::Source => (source.mtime, destination.mtime),
        Side::Destination => (destination.mtime, source.mtime),
    };
    let rounded = listed.is_none_or(|mtime| !mtime.is_exact() && mtime.precision.span() > options.window);
    let case = Case::new(source, destination, evidence);
    if !options.update && ByReceipt.judge(&case, options) != Finding::Open {
        return false;
    }
    match difference(&case, options) {
        None => rounded && by_time,
        Some(Reason::Time) => !clock.is_some_and(|clock| is_sure(clock, listed, other, options)),
        Some(_) => options.update,
    }
}

/// Returns whether a listed time is another one in any zone that the clock may have had then. Which of two is newer isn't as sure, nor
/// is a difference enough where contents were asked for.
fn is_sure(clock: &Clock, listed: Option<Mtime>, other: Option<Mtime>, options: &CompareOptions) -> bool {
    let plain = options.basis == Basis::SizeTime && options.times == Times::Same && !options.update;
    plain
        && listed.zip(other).is_some_and(|(listed, other)| clock.tells_apart(&listed, &other, options.window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Precision, Seen, Zone};

    fn file(size: u64, time: Option<(&str, Precision)>) -> Entry {
        let zone = |precision| if precision == Precision::Second { Zone::Utc } else { Zone::Unknown };
        let mtime =
            time.map(|(at, precision)| Mtime { at: at.parse().unwrap(), precision, zone: zone(precision) });
        Entry::file(RelPath::parse("f").unwrap(), size, mtime)
    }

    fn differ(source: &Entry, destination: &Entry, options: &CompareOptions) -> Option<Reason> {
        difference(&Case { source, destination, receipt: None, content: None }, options)
    }

    const T: (&str, Precision) = ("2026-11-21T10:02:37Z", Precision::Second);
    const NEXT: (&str, Precision) = ("2026-11-21T10:02:38Z", Precision::Second);
    const MINUTE: (&str, Precision) = ("2026-11-21T10:02:00Z", Precision::Minute);
    const DAY: (&str, Precision) = ("2026-11-21T00:00:00Z", Precision::Day);

    #[test]
    fn files_differ_by_size_then_time() {
        let options = CompareOptions::default();
        for (source, destination, reason) in [
            (file(1, Some(T)), file(1, Some(T)), None),
            (file(1, Some(T)), file(2, Some(T)), Some(Reason::Size)),
            (file(1, Some(T)), file(2, Some(NEXT)), Some(Reason::Size)),
            (file(1, Some(T)), file(1, Some(NEXT)), Some(Reason::Time)),
            (file(1, Some(NEXT)), file(1, Some(T)), Some(Reason::Time)),
            (file(1, Some(T)), file(1, Some(MINUTE)), None),
            (file(1, Some(T)), file(1, Some(DAY)), None),
            (file(1, Some(T)), file(1, None), None),
        ] {
            assert_eq!(differ(&source, &destination, &options), reason, "{source:?} {destination:?}");
        }
    }

    #[test]
    fn a_file_newer_by_less_than_the_window_is_left_alone() {
        let options = CompareOptions { window: Duration::seconds(2), ..Default::default() };
        assert_eq!(differ(&file(1, Some(NEXT)), &file(1, Some(T)), &options), None);
    }

    #[test]
    fn where_times_cannot_be_kept_only_a_newer_source_differs() {
        let options = CompareOptions { times: Times::NotOlder, ..Default::default() };
        assert_eq!(differ(&file(1, Some(T)), &file(1, Some(NEXT)), &options), None);
        assert_eq!(differ(&file(1, Some(NEXT)), &file(1, Some(T)), &options), Some(Reason::Time));
    }

    #[test]
    fn the_basis_chooses_what_counts() {
        let with = |basis| CompareOptions { basis, ..Default::default() };
        let (a, b) = (file(1, Some(T)), file(1, Some(NEXT)));
        assert_eq!(differ(&a, &b, &with(Basis::Size)), None);
        assert_eq!(differ(&a, &a, &with(Basis::Always)), Some(Reason::Forced));
        let dir = Entry::new(RelPath::parse("f").unwrap(), Kind::Dir);
        assert_eq!(differ(&a, &dir, &with(Basis::Size)), Some(Reason::Kind));
        assert_eq!(differ(&dir, &dir, &with(Basis::Always)), None);
    }

    #[test]
    fn an_unknown_size_is_a_difference_and_not_a_zero() {
        let unknown = Entry::new(RelPath::parse("f").unwrap(), Kind::File);
        let options = CompareOptions::default();
        assert_eq!(differ(&file(0, Some(T)), &unknown, &options), Some(Reason::Size));
        assert_eq!(differ(&unknown, &file(0, Some(T)), &options), Some(Reason::Size));
    }

    #[test]
    fn a_receipt_tells_which_side_changed() {
        let seen = |entry: &Entry| {
            let long_after = "2027-01-01T00:00:00Z".parse().unwrap();
            Seen::of(entry, entry.mtime, long_after).unwrap()
        };
        // The destination can't keep times: its own is that of the upload.
        let (sent, there) = (file(5, Some(T)), file(5, Some(MINUTE)));
        let receipt = Receipt { source: seen(&sent), destination: seen(&there), hash: None, undated: false };
        let options = CompareOptions { times: Times::NotOlder, ..Default::default() };
        for (source, destination, reason) in [
            (file(5, Some(T)), file(5, Some(MINUTE)), None),
            // An older version was put back: no time is newer, and yet it changed.
            (
                file(5, Some(("2020-01-01T00:00:00Z", Precision::Second))),
                file(5, Some(MINUTE)),
                Some(Reason::Time),
            ),
            (file(6, Some(NEXT)), file(5, Some(MINUTE)), Some(Reason::Size)),
            (file(5, Some(T)), file(7, Some(MINUTE)), Some(Reason::Drift)),
            // Both: what the receipt says is over.
            (file(6, Some(NEXT)), file(7, Some(MINUTE)), Some(Reason::Size)),
        ] {
            let case =
                Case { source: &source, destination: &destination, receipt: Some(receipt), content: None };
            assert_eq!(difference(&case, &options), reason, "{source:?} {destination:?}");
        }
    }

    #[test]
    fn what_a_receipt_decides_is_not_asked() {
        let (source, destination) = (file(1, Some(T)), file(1, Some(MINUTE)));
        let seen = |entry: &Entry, now: &str| Seen::of(entry, entry.mtime, now.parse().unwrap()).unwrap();
        let asked = |now: &str| {
            let receipt = Receipt {
                source: seen(&source, now),
                destination: seen(&destination, now),
                hash: None,
                undated: false,
            };
            let receipts = [(source.path.clone(), receipt)].into_iter().collect();
            let evidence = Evidence { receipts, ..Evidence::default() };
            let tree = |entry: &Entry| Tree::new(vec![entry.clone()], Default::default());
            let options = CompareOptions::default();
            questions(&tree(&source), &tree(&destination), &evidence, Side::Destination, &options, None)
                .count()
        };
        assert_eq!(asked("2026-12-24T00:00:00Z"), 0);
        assert_eq!(asked("2026-11-21T12:00:00Z"), 1, "its minute may not be over");
    }

    #[test]
    fn what_differs_in_every_zone_of_the_clock_is_not_asked() {
        let listed = file(1, Some(("2026-11-20T10:02:00Z", Precision::Minute))).mtime.unwrap();
        let exact = Mtime::exact("2026-11-20T04:32:30Z".parse().unwrap());
        let clock = Clock::learn(&[Sample { listed, exact }]).unwrap();
        let asks = |source: (&str, Precision), options: &CompareOptions| {
            let (here, there) = (file(1, Some(source)), file(1, Some(MINUTE)));
            let asked = |source, destination, side| {
                is_open(source, destination, &Evidence::default(), side, options, Some(&clock))
            };
            let asked = (asked(&here, &there, Side::Destination), asked(&there, &here, Side::Source));
            assert_eq!(asked.0, asked.1, "the same either way");
            asked.0
        };
        let options = CompareOptions::default();
        let second = |text| (text, Precision::Second);
        for (source, is_asked) in [
            // Listed as 10:02, it is 04:32 in UTC, or an hour off with daylight saving.
            ("2026-11-21T04:32:59Z", true),
            ("2026-11-21T05:32:59Z", true),
            ("2026-11-21T03:32:00Z", true),
            ("2026-11-21T04:33:00Z", false),
            ("2026-11-21T10:03:00Z", false),
            // The digits that are listed, which count as the same until the zone is believed in.
            ("2026-11-21T10:02:30Z", true),
        ] {
            assert_eq!(asks(second(source), &options), is_asked, "{source}");
        }
        let far = second("2026-11-21T04:33:00Z");
        for options in [
            CompareOptions { basis: Basis::Checksum, ..options },
            CompareOptions { basis: Basis::Adopt, ..options },
            CompareOptions { update: true, ..options },
            CompareOptions { window: Duration::seconds(1), ..options },
        ] {
            assert!(asks(far, &options), "{options:?}");
        }
        let not_older = CompareOptions { times: Times::NotOlder, ..options };
        assert!(asks(second("2026-11-21T12:00:00Z"), &not_older));
    }

    #[test]
    fn the_exact_time_is_asked_only_where_it_decides() {
        let ask = |source: Entry, destination: Entry| {
            let tree = |entry| Tree::new(vec![entry], Default::default());
            let options = CompareOptions::default();
            let (source, destination) = (tree(source), tree(destination));
            questions(&source, &destination, &Evidence::default(), Side::Destination, &options, None).count()
        };
        assert_eq!(ask(file(1, Some(T)), file(1, Some(T))), 0);
        assert_eq!(ask(file(1, Some(T)), file(2, Some(MINUTE))), 0);
        assert_eq!(ask(file(1, Some(T)), file(1, Some(MINUTE))), 1);
        let elsewhere = ("2026-11-21T15:32:00Z", Precision::Minute);
        assert_eq!(ask(file(1, Some(T)), file(1, Some(elsewhere))), 1);
        assert_eq!(ask(file(1, Some(T)), file(1, Some(DAY))), 1);
        assert_eq!(ask(file(1, Some(T)), file(1, None)), 1);
        let update = CompareOptions { update: true, basis: Basis::Size, ..CompareOptions::default() };
        let tree = |entry| Tree::new(vec![entry], Default::default());
        let (a, b) = (tree(file(1, Some(T))), tree(file(2, Some(MINUTE))));
        assert_eq!(questions(&a, &b, &Evidence::default(), Side::Destination, &update, None).count(), 1);
    }
}
