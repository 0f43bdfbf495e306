//! The rules that tell two entries of one path apart, in the order they are asked.

use chrono::Duration;

use crate::compare::{Basis, CompareOptions, Reason, Times};
use crate::model::{Entry, Kind};

/// What a rule says about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// They are the same, and no further rule is asked.
    Same,
    /// They differ, for this reason.
    Differs(Reason),
    /// This rule can't tell; the next one is asked. Where none can, the pair counts as the same.
    Open,
}

/// One way to tell two entries apart.
pub trait Rule: Sync {
    /// Compares the two entries of one path.
    fn judge(&self, source: &Entry, destination: &Entry, options: &CompareOptions) -> Finding;
}

/// All rules, in the order they are asked.
pub const RULES: &[&dyn Rule] = &[&ByKind, &Forced, &BySize, &ByTime];

/// A file and a directory of one name are not the same. Of anything but files, the kind is all that is compared.
struct ByKind;

impl Rule for ByKind {
    fn judge(&self, source: &Entry, destination: &Entry, _: &CompareOptions) -> Finding {
        match source.kind {
            kind if kind != destination.kind => Finding::Differs(Reason::Kind),
            Kind::File => Finding::Open,
            _ => Finding::Same,
        }
    }
}

/// Every file differs where that was asked for.
struct Forced;

impl Rule for Forced {
    fn judge(&self, _: &Entry, _: &Entry, options: &CompareOptions) -> Finding {
        if options.basis == Basis::Always { Finding::Differs(Reason::Forced) } else { Finding::Open }
    }
}

/// Files of different sizes differ. A size that one side doesn't tell is not taken for any other.
struct BySize;

impl Rule for BySize {
    fn judge(&self, source: &Entry, destination: &Entry, options: &CompareOptions) -> Finding {
        match (source.size, destination.size) {
            (Some(s), Some(d)) if s == d && options.basis == Basis::Size => Finding::Same,
            (Some(s), Some(d)) if s == d => Finding::Open,
            _ => Finding::Differs(Reason::Size),
        }
    }
}

/// Files of different times differ, as far as the times are known.
struct ByTime;

impl Rule for ByTime {
    fn judge(&self, source: &Entry, destination: &Entry, options: &CompareOptions) -> Finding {
        let (Some(s), Some(d)) = (source.mtime, destination.mtime) else { return Finding::Open };
        let newer = s.gap(&d);
        let apart = match options.times {
            Times::Same => newer.abs(),
            Times::NotOlder => newer.max(Duration::zero()),
        };
        if apart > options.window { Finding::Differs(Reason::Time) } else { Finding::Same }
    }
}
