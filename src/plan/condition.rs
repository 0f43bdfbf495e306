//! Conditions on which a plan is refused, as a person writes them: `delete>20`, `bytes>=1G`, `drift>0`.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use thiserror::Error;

use crate::compare::Reason;
use crate::model::Tree;
use crate::plan::Plan;

/// A condition on which a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    counter: &'static str,
    /// Whether the limit itself is too much.
    inclusive: bool,
    limit: u64,
    /// As it was written.
    text: String,
}

/// Something about a condition that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// It isn't made of a counter, `>` or `>=`, and a number.
    #[error("`{0}` is no condition such as delete>20, bytes>=1G or drift>0")]
    Form(String),
    /// Nothing of that name is counted.
    #[error("`{0}` is not counted; what is: {list}", list = COUNTERS.join(", "))]
    Counter(String),
    /// The limit is no number, or none that there can be.
    #[error("`{0}` is no {what}", what = if *.1 { "size such as 300000, 500k, 1.5M or 1G" } else { "number" })]
    Limit(String, bool),
}

/// What is counted: the changes by what is done, as the reports call it; all of them; the bytes to be sent; files that were changed at the
/// destination since they were sent; and directories of either side whose listing is not proven.
const COUNTERS: [&str; 12] = [
    "create_dir",
    "copy",
    "replace",
    "rename",
    "touch",
    "chmod",
    "delete",
    "delete_dir",
    CHANGES,
    BYTES,
    DRIFT,
    UNPROVEN,
];
const CHANGES: &str = "changes";
const BYTES: &str = "bytes";
const DRIFT: &str = "drift";
const UNPROVEN: &str = "unproven";

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let (name, limit) = text.split_once('>').ok_or_else(|| ConditionError::Form(text.to_owned()))?;
        let (inclusive, limit) = match limit.strip_prefix('=') {
            Some(limit) => (true, limit.trim()),
            None => (false, limit.trim()),
        };
        let counter = COUNTERS.into_iter().find(|counter| *counter == name.trim());
        let counter = counter.ok_or_else(|| ConditionError::Counter(name.trim().to_owned()))?;
        let is_size = counter == BYTES;
        let number = if is_size { parse_bytes(limit) } else { parse_digits(limit) };
        let limit = number.ok_or_else(|| ConditionError::Limit(limit.to_owned(), is_size))?;
        Ok(Self { counter, inclusive, limit, text: text.to_owned() })
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// Returns the name of what is counted.
    pub fn counter(&self) -> &'static str {
        self.counter
    }

    /// Returns what the plan counts, where that is too much; `None` where the plan may be carried out.
    pub fn met_by(&self, plan: &Plan, source: &Tree, destination: &Tree) -> Option<u64> {
        let count = self.count(plan, source, destination);
        (count > self.limit || self.inclusive && count == self.limit).then_some(count)
    }

    fn count(&self, plan: &Plan, source: &Tree, destination: &Tree) -> u64 {
        // What can't be done won't be.
        let actions = || plan.actions.iter().filter(|action| action.obstacle.is_none());
        match self.counter {
            CHANGES => actions().count() as u64,
            BYTES => actions().map(|action| action.bytes()).fold(0, u64::saturating_add),
            DRIFT => actions().filter(|action| action.reason == Reason::Drift).count() as u64,
            UNPROVEN => (source.unproven().count() + destination.unproven().count()) as u64,
            deed => actions().filter(|action| action.deed.as_str() == deed).count() as u64,
        }
    }
}

/// Reads digits alone: a sign would be read as part of the operator by people.
fn parse_digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Reads bytes as `300000`, `500k`, `1.5M` or `1G`, in powers of 1024; `None` when it is no such thing.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().next_back()? {
        (at, unit) if unit.is_ascii_alphabetic() => (&text[..at], unit.to_ascii_lowercase()),
        _ => (text, 'b'),
    };
    let unit: u128 = match unit {
        'b' => 1,
        'k' => 1 << 10,
        'm' => 1 << 20,
        'g' => 1 << 30,
        't' => 1 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| {
        let plain = part.len() <= 18 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u128>().ok().filter(|_| plain)
    };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?.min(18));
    let total = digits(whole)? * unit + digits(fraction)? * unit / scale;
    u64::try_from(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entry, Kind, RelPath};
    use crate::plan::{Action, Deed, Phase};
    use proptest::prelude::*;

    fn action(name: &str, deed: Deed, reason: Reason, size: u64) -> Action {
        let mut entry = Entry::new(RelPath::parse(name).unwrap(), Kind::File);
        entry.size = Some(size);
        let (source, destination) = match deed {
            Deed::Delete => (None, Some(Box::new(entry))),
            _ => (Some(Box::new(entry)), None),
        };
        let path = RelPath::parse(name).unwrap();
        Action { path, deed, phase: Phase::Files, reason, source, destination, obstacle: None }
    }

    #[test]
    fn each_counter_counts_what_it_is_called_after() {
        let actions = vec![
            action("a", Deed::Copy, Reason::Missing, 1 << 20),
            action("b", Deed::Copy, Reason::Missing, 1),
            action("c", Deed::Replace, Reason::Drift, 5),
            action("d", Deed::Delete, Reason::Extra, 7),
            action("e", Deed::Delete, Reason::Extra, 7),
            Action { obstacle: Some("no".into()), ..action("f", Deed::Delete, Reason::Extra, 7) },
        ];
        let plan = Plan { actions: actions.into(), ..Plan::default() };
        let met =
            |text: &str| text.parse::<Condition>().unwrap().met_by(&plan, &Tree::default(), &Tree::default());
        for (text, count) in [
            ("copy>1", Some(2)),
            ("copy>2", None),
            ("copy>=2", Some(2)),
            ("replace>0", Some(1)),
            ("delete>1", Some(2)),
            ("delete >= 3", None),
            ("delete_dir>=0", Some(0)),
            ("chmod>0", None),
            ("changes>4", Some(5)),
            ("bytes>1M", Some((1 << 20) + 6)),
            ("bytes>1.5M", None),
            ("bytes>1048582", None),
            ("drift>0", Some(1)),
            ("unproven>0", None),
        ] {
            assert_eq!(met(text), count, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_condition_is_said() {
        for (text, said) in [
            ("delete", "is no condition such as"),
            ("", "is no condition such as"),
            ("deleted>2", "what is: create_dir, copy,"),
            ("delete<2", "is no condition such as"),
            ("delete>-1", "`-1` is no number"),
            ("delete>", "`` is no number"),
            ("delete>1k", "`1k` is no number"),
            ("bytes>1X", "`1X` is no size"),
            ("copy>99999999999999999999", "is no number"),
        ] {
            let error = text.parse::<Condition>().expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        for counter in COUNTERS {
            assert!(format!("{counter}>1").parse::<Condition>().is_ok(), "{counter}");
        }
        assert!(Deed::ALL.iter().all(|deed| COUNTERS.contains(&deed.as_str())));
    }

    proptest! {
        #[test]
        fn any_text_is_a_condition_or_is_refused(text in ".{0,24}", number in "[-+0-9.kKmMgG=> ]{0,12}") {
            let _ = text.parse::<Condition>();
            let _ = format!("bytes>{number}").parse::<Condition>();
        }
    }
}
