//! Plans that look like an accident are refused before anything is touched.

use thiserror::Error;

use crate::model::Tree;
use crate::plan::{Condition, Deed, Plan};

/// How much a run may delete. Files and links count; a directory that is emptied adds nothing to what is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxDelete {
    /// This many.
    Count(u64),
    /// This much of what the destination has, in percent.
    Percent(u8),
}

impl std::fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
        }
    }
}

/// What a plan must not exceed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardOptions {
    /// How much may be deleted; `None` for [`GuardOptions::USUAL`].
    pub max_delete: Option<MaxDelete>,
    /// An empty source may delete everything.
    pub allow_empty_source: bool,
}

impl GuardOptions {
    /// The limit where none was given.
    pub const USUAL: MaxDelete = MaxDelete::Percent(50);
}

/// Why a plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The source has nothing, as an unmounted disk hasn't.
    #[error(
        "the source is empty, as a disk is that isn't mounted, and {deletions} files would be deleted at the destination; \
         nothing was done (--allow-empty-source permits it)"
    )]
    EmptySource {
        /// Files and links that would be deleted.
        deletions: u64,
    },
    /// More deletions than allowed.
    #[error(
        "{deletions} of {files} files would be deleted at the destination, more than --max-delete {limit} allows; \
         nothing was done"
    )]
    TooManyDeletions {
        /// Files and links that would be deleted.
        deletions: u64,
        /// Files and links the destination has.
        files: u64,
        /// The limit.
        limit: MaxDelete,
    },
    /// It is as somebody said that no plan may be.
    #[error("--fail-if {condition}: {} is {actual}; nothing was done", condition.counter())]
    Condition {
        /// What they said.
        condition: Condition,
        /// What the plan has.
        actual: u64,
    },
}

/// Looks whether the plan may be carried out.
///
/// # Errors
/// The first guard it doesn't pass.
pub fn check(plan: &Plan, source: &Tree, destination: &Tree, options: &GuardOptions) -> Result<(), Refusal> {
    let counts = &plan.actions.tally().all;
    let deletions = counts.get(&Deed::Delete).copied().unwrap_or_default() as u64;
    let removals = counts.contains_key(&Deed::DeleteDir);
    if source.is_empty() && (deletions > 0 || removals) {
        if !options.allow_empty_source {
            return Err(Refusal::EmptySource { deletions });
        }
        if options.max_delete.is_none() {
            return Ok(());
        }
    }
    if deletions == 0 {
        return Ok(());
    }
    let files = destination.entries().filter(|entry| !entry.is_dir()).count() as u64;
    let limit = options.max_delete.unwrap_or(GuardOptions::USUAL);
    let exceeded = match limit {
        MaxDelete::Count(most) => deletions > most,
        MaxDelete::Percent(most) => u128::from(deletions) * 100 > u128::from(most) * u128::from(files),
    };
    if exceeded { Err(Refusal::TooManyDeletions { deletions, files, limit }) } else { Ok(()) }
}

/// Looks whether the plan meets none of the conditions on which it is not to be carried out.
///
/// # Errors
/// The first one that it meets.
pub fn check_conditions(
    plan: &Plan,
    source: &Tree,
    destination: &Tree,
    conditions: &[Condition],
) -> Result<(), Refusal> {
    conditions.iter().try_for_each(|condition| match condition.met_by(plan, source, destination) {
        Some(actual) => Err(Refusal::Condition { condition: condition.clone(), actual }),
        None => Ok(()),
    })
}
