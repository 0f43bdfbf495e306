//! Files whose contents are known to be the same and whose times are not: the destination's time is set, and nothing is sent.

use crate::compare::{
    Basis, Case, CompareOptions, Finding, Pair, Reason, Side, Times, decide, difference, march,
};
use crate::model::{Entry, Evidence, Kind, Likeness, Mtime, Precision, Seen, Tree};

/// Returns whether the destination's time alone is to be set: a rule has proven the contents equal, and both times are known to
/// the second and differ. A file that didn't take one before isn't asked to again.
pub fn needs_touch(case: &Case<'_>, options: &CompareOptions) -> bool {
    let refused = || {
        case.receipt.is_some_and(|receipt| {
            receipt.undated && receipt.destination.compare(case.destination) == Likeness::Same
        })
    };
    let differ = || {
        let source = exact_time(case.source, case.receipt.map(|receipt| receipt.source));
        let destination = exact_time(case.destination, case.receipt.map(|receipt| receipt.destination));
        matches!((source, destination), (Some(s), Some(d)) if !s.agrees(&d, options.window))
    };
    // Where times can't be set, what was remembered of them is all there is.
    options.times == Times::Same && decide(case, options) == Finding::Equal && differ() && !refused()
}

/// Returns the pairs of files of which the source has another time than when both sides were last the same, and nothing else is
/// known to differ: if their contents are still the same, at most the time is to be carried. The same goes for the `empty` side, which has
/// the times of its checkout whatever is in its files; `None` where both sides are what earlier runs left.
pub fn newly_dated(
    source: &Tree,
    destination: &Tree,
    evidence: &Evidence,
    options: &CompareOptions,
    empty: Option<Side>,
) -> Vec<(Entry, Entry)> {
    if options.basis != Basis::SizeTime || evidence.receipts.is_empty() {
        return Vec::new();
    }
    let is_one = |source: &Entry, destination: &Entry| {
        let case = Case::new(source, destination, evidence);
        source.kind == Kind::File
            && destination.kind == Kind::File
            && source.size.is_some()
            && source.size == destination.size
            && case.receipt.is_some_and(|receipt| {
                match (receipt.source.compare(source), receipt.destination.compare(destination)) {
                    (Likeness::Changed, Likeness::Same) => true,
                    (Likeness::Unsure, Likeness::Same) => empty == Some(Side::Source),
                    (Likeness::Same, Likeness::Changed | Likeness::Unsure) => {
                        empty == Some(Side::Destination)
                    }
                    _ => false,
                }
            })
            && matches!(difference(&case, options), Some(Reason::Time | Reason::Drift))
    };
    march(source.entries(), destination.entries())
        .filter_map(|pair| match pair {
            Pair::Both(s, d) if is_one(&s, &d) => Some((s.into_owned(), d.into_owned())),
            _ => None,
        })
        .collect()
}

/// Returns when a file was last changed, to the second, as it is listed or as it is remembered; `None` when neither tells.
fn exact_time(entry: &Entry, seen: Option<Seen>) -> Option<Mtime> {
    let listed = entry.mtime.filter(|mtime| mtime.precision == Precision::Second);
    listed.or_else(|| seen.filter(|seen| seen.compare(entry) == Likeness::Same)?.exact)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Receipt, RelPath};

    const T: &str = "2026-11-21T10:02:37Z";
    const LATER: &str = "2026-11-21T10:05:00Z";

    fn file(time: &str, precision: Precision) -> Entry {
        let mtime = Mtime { precision, ..Mtime::exact(time.parse().unwrap()) };
        Entry::file(RelPath::parse("f").unwrap(), 5, Some(mtime))
    }

    fn exact(time: &str) -> Entry {
        file(time, Precision::Second)
    }

    fn receipt(source: &Entry, destination: &Entry) -> Receipt {
        let seen = |entry: &Entry| Seen::of(entry, entry.mtime, "2027-01-01T00:00:00Z".parse().unwrap());
        let (source, destination) = (seen(source).unwrap(), seen(destination).unwrap());
        Receipt { source, destination, hash: Some([1; 32]), undated: false }
    }

    const SAME: Option<Content> = Some(Content { same: true, hash: None });
    const OTHER: Option<Content> = Some(Content { same: false, hash: None });

    #[test]
    fn where_contents_are_proven_equal_the_time_alone_is_carried() {
        let (source, destination) = (exact(T), exact(LATER));
        let by = |basis, times| CompareOptions { basis, times, ..CompareOptions::default() };
        let known = receipt(&source, &destination);
        let sent_before = receipt(&destination, &destination);
        let undated = Receipt { undated: true, ..known };
        let undated_before = Receipt { undated: true, ..sent_before };
        let doubtful = known.in_doubt();
        for (receipt, content, options, touched, reason) in [
            (None, SAME, by(Basis::Checksum, Times::Same), true, None),
            (None, SAME, by(Basis::Checksum, Times::NotOlder), false, None),
            (None, OTHER, by(Basis::Checksum, Times::Same), false, Some(Reason::Checksum)),
            (None, None, by(Basis::Checksum, Times::Same), false, Some(Reason::Time)),
            (None, None, by(Basis::SizeTime, Times::Same), false, Some(Reason::Time)),
            (None, None, by(Basis::Size, Times::Same), false, None),
            (None, None, by(Basis::Adopt, Times::Same), false, None),
            (Some(&known), None, by(Basis::SizeTime, Times::Same), true, None),
            (Some(&known), None, by(Basis::SizeTime, Times::NotOlder), false, None),
            (Some(&doubtful), None, by(Basis::SizeTime, Times::Same), false, None),
            (Some(&undated), None, by(Basis::SizeTime, Times::Same), false, None),
            (Some(&undated), SAME, by(Basis::Checksum, Times::Same), false, None),
            (Some(&undated_before), SAME, by(Basis::SizeTime, Times::Same), false, None),
            (Some(&sent_before), None, by(Basis::SizeTime, Times::Same), false, Some(Reason::Time)),
            (Some(&sent_before), OTHER, by(Basis::SizeTime, Times::Same), false, Some(Reason::Time)),
            (Some(&sent_before), SAME, by(Basis::SizeTime, Times::Same), true, None),
            (Some(&sent_before), SAME, by(Basis::SizeTime, Times::NotOlder), false, None),
            (Some(&sent_before), SAME, by(Basis::Always, Times::Same), false, Some(Reason::Forced)),
        ] {
            let case =
                Case { source: &source, destination: &destination, receipt: receipt.copied(), content };
            assert_eq!(
                (needs_touch(&case, &options), difference(&case, &options)),
                (touched, reason),
                "{case:?}"
            );
        }
    }

    #[test]
    fn a_time_that_is_not_known_to_the_second_is_no_reason_to_set_it() {
        let (source, minute) = (exact(T), file("2026-11-21T15:32:00Z", Precision::Minute));
        let options = CompareOptions { basis: Basis::Checksum, ..CompareOptions::default() };
        let case = Case { source: &source, destination: &minute, receipt: None, content: SAME };
        assert!(!needs_touch(&case, &options), "its zone is unknown");
        let mut remembered = receipt(&source, &minute);
        for (time, touched) in [(T, false), (LATER, true)] {
            remembered.destination.exact = exact(time).mtime;
            assert_eq!(needs_touch(&Case { receipt: Some(remembered), ..case }, &options), touched);
        }
        let window = CompareOptions { window: chrono::Duration::hours(1), ..options };
        assert!(!needs_touch(&Case { receipt: Some(remembered), ..case }, &window));
    }

    #[test]
    fn contents_are_looked_at_only_where_the_source_has_another_time_alone() {
        let tree = |entry: &Entry| Tree::new(vec![entry.clone()], Default::default());
        let ask_of = |empty, source: &Entry, destination: &Entry, receipt: Option<Receipt>| {
            let receipts = receipt.into_iter().map(|receipt| (source.path.clone(), receipt)).collect();
            let evidence = Evidence { receipts, ..Evidence::default() };
            let options = CompareOptions::default();
            newly_dated(&tree(source), &tree(destination), &evidence, &options, empty).len()
        };
        let ask = |source: &Entry, destination: &Entry, receipt| ask_of(None, source, destination, receipt);
        let (old, new) = (exact(T), exact(LATER));
        let larger = Entry { size: Some(6), ..new.clone() };
        assert_eq!(ask(&new, &old, Some(receipt(&old, &old))), 1);
        assert_eq!(ask(&new, &old, None), 0);
        assert_eq!(ask(&old, &old, Some(receipt(&old, &old))), 0);
        assert_eq!(ask(&larger, &old, Some(receipt(&old, &old))), 0);
        assert_eq!(ask(&old, &new, Some(receipt(&old, &old))), 0, "drift");
        for (empty, pushed, pulled) in [(Side::Source, 1, 0), (Side::Destination, 1, 1)] {
            assert_eq!(ask_of(Some(empty), &new, &old, Some(receipt(&old, &old))), pushed, "{empty:?}");
            assert_eq!(ask_of(Some(empty), &old, &new, Some(receipt(&old, &old))), pulled, "{empty:?}");
            assert_eq!(ask_of(Some(empty), &new, &new, Some(receipt(&old, &old))), 0, "{empty:?}");
            assert_eq!(ask_of(Some(empty), &old, &larger, Some(receipt(&old, &old))), 0, "{empty:?}");
        }
    }
}
