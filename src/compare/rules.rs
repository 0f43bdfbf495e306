//! The rules that tell two entries of one path apart, in the order they are asked.

use chrono::Duration;

use crate::compare::Case;
use crate::compare::{Basis, CompareOptions, Reason, Times};
use crate::model::{Kind, Likeness, Precision};

/// What a rule says about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// They are the same, and no further rule is asked.
    Same,
    /// Their contents are known to be the same, and no further rule is asked. Their times need not be.
    Equal,
    /// They differ, for this reason.
    Differs(Reason),
    /// This rule can't tell; the next one is asked. Where none can, the pair counts as the same.
    Open,
}

/// One way to tell two entries apart.
pub trait Rule: Sync {
    /// Returns what it goes by.
    fn name(&self) -> &'static str;

    /// Compares the two entries of one path.
    fn judge(&self, case: &Case<'_>, options: &CompareOptions) -> Finding;
}

/// All rules, in the order they are asked.
pub const RULES: &[&dyn Rule] = &[&ByKind, &Forced, &ByContent, &ByReceipt, &BySize, &ByTime];

/// A file and a directory of one name are not the same. Of anything but files, the kind is all that is compared.
struct ByKind;

impl Rule for ByKind {
    fn name(&self) -> &'static str {
        "kind"
    }

    fn judge(&self, case: &Case<'_>, _: &CompareOptions) -> Finding {
        match case.source.kind {
            kind if kind != case.destination.kind => Finding::Differs(Reason::Kind),
            Kind::File => Finding::Open,
            _ => Finding::Same,
        }
    }
}

/// Every file differs where that was asked for.
struct Forced;

impl Rule for Forced {
    fn name(&self) -> &'static str {
        "forced"
    }

    fn judge(&self, _: &Case<'_>, options: &CompareOptions) -> Finding {
        if options.basis == Basis::Always { Finding::Differs(Reason::Forced) } else { Finding::Open }
    }
}

/// Files whose contents were compared are what that showed, whatever is remembered of them. Only those of equal size are compared.
struct ByContent;

impl Rule for ByContent {
    fn name(&self) -> &'static str {
        "content"
    }

    fn judge(&self, case: &Case<'_>, options: &CompareOptions) -> Finding {
        match case.content.filter(|_| matches!(options.basis, Basis::Checksum | Basis::SizeTime)) {
            Some(content) if content.same => Finding::Equal,
            // Looked at for its new time, which is the reason then.
            Some(_) if options.basis == Basis::SizeTime => Finding::Open,
            Some(_) => Finding::Differs(Reason::Checksum),
            None => Finding::Open,
        }
    }
}

/// Each side is compared with what it was when both were the same, so that no clock, zone or rounding comes into it. A
/// receipt that fits neither side is ignored.
pub(super) struct ByReceipt;

impl Rule for ByReceipt {
    fn name(&self) -> &'static str {
        "receipt"
    }

    fn judge(&self, case: &Case<'_>, options: &CompareOptions) -> Finding {
        let Some(receipt) = case.receipt.filter(|_| options.basis == Basis::SizeTime) else {
            return Finding::Open;
        };
        // A source is believed to the second: another version may have been put there with a time of the same minute.
        let is_rounded = case.source.mtime.is_some_and(|mtime| mtime.precision != Precision::Second);
        let source = match receipt.source.compare(case.source) {
            Likeness::Same if is_rounded => Likeness::Unsure,
            likeness => likeness,
        };
        // Whoever allows for a window allows for changes within it.
        let may_be_near = options.window > Duration::zero() && case.source.size == case.destination.size;
        match (source, receipt.destination.compare(case.destination)) {
            (Likeness::Changed, _) | (_, Likeness::Changed) if may_be_near => Finding::Open,
            (Likeness::Same, Likeness::Same) if receipt.is_certain() => Finding::Equal,
            (Likeness::Same, Likeness::Same) => Finding::Same,
            (Likeness::Same, Likeness::Changed) => Finding::Differs(Reason::Drift),
            (Likeness::Changed, Likeness::Same) if case.source.size == Some(receipt.source.size) => {
                Finding::Differs(Reason::Time)
            }
            (Likeness::Changed, Likeness::Same) => Finding::Differs(Reason::Size),
            _ => Finding::Open,
        }
    }
}

/// Files of different sizes differ. A size that one side doesn't tell is not taken for any other.
struct BySize;

impl Rule for BySize {
    fn name(&self) -> &'static str {
        "size"
    }

    fn judge(&self, case: &Case<'_>, options: &CompareOptions) -> Finding {
        match (case.source.size, case.destination.size) {
            (Some(s), Some(d)) if s == d && matches!(options.basis, Basis::Size | Basis::Adopt) => {
                Finding::Same
            }
            (Some(s), Some(d)) if s == d => Finding::Open,
            _ => Finding::Differs(Reason::Size),
        }
    }
}

/// Files of different times differ, as far as the times are known.
struct ByTime;

impl Rule for ByTime {
    fn name(&self) -> &'static str {
        "time"
    }

    fn judge(&self, case: &Case<'_>, options: &CompareOptions) -> Finding {
        let (Some(s), Some(d)) = (case.source.mtime, case.destination.mtime) else { return Finding::Open };
        let newer = s.gap(&d);
        // A file that didn't take its time has that of its writing, as all have where none can be set.
        let is_undated = case
            .receipt
            .is_some_and(|receipt| receipt.undated && receipt.source.compare(case.source) == Likeness::Same);
        let apart = match if is_undated { Times::NotOlder } else { options.times } {
            Times::Same => newer.abs(),
            Times::NotOlder => newer.max(Duration::zero()),
        };
        if apart > options.window { Finding::Differs(Reason::Time) } else { Finding::Same }
    }
}
