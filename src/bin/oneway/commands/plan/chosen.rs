//! Which part of a plan for several machines is meant: by what was typed, or by whoever starts many of them at once.

use std::ffi::OsString;
use std::num::NonZeroU32;

use oneway::model::escape;
use oneway::plan::Part;

use crate::args::{ApplyArgs, ShardArg, Stage};

/// Returns the part that is asked for; `None` for all of them.
pub(super) fn chosen(
    args: &ApplyArgs,
    shards: NonZeroU32,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Part>, String> {
    let number = match (args.stage, args.shard) {
        (Some(Stage::First), _) => return Ok(Some(Part::First)),
        (Some(Stage::Last), _) => return Ok(Some(Part::Last)),
        (None, Some(ShardArg::Of(shard))) if shard.of() != shards => {
            return Err(format!("--shard {shard}: this plan has {shards} shares, not {}", shard.of()));
        }
        (None, Some(ShardArg::Of(shard))) => shard.number(),
        (None, Some(ShardArg::Number(number))) if !(1..=shards.get()).contains(&number) => {
            return Err(format!("--shard {number}: this plan has {shards} shares, from 1 on"));
        }
        (None, Some(ShardArg::Number(number))) => number,
        (None, None) => match of_environment(shards, environment)? {
            Some(number) => number,
            None => return Ok(None),
        },
    };
    Ok(Some(Part::Shard(number)))
}

/// Returns the share that whoever starts many of them names; `None` where nobody does.
fn of_environment(
    shards: NonZeroU32,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<u32>, String> {
    let slurm = (SLURM, 0, format!("sbatch --array=1-{shards}"));
    let kubernetes = (KUBERNETES, 1, format!("completionMode: Indexed and completions: {shards}"));
    for (name, later, right) in [slurm, kubernetes] {
        let Some(value) = environment(name).filter(|value| !value.is_empty()) else { continue };
        let text = value.to_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let number = text.and_then(|text| text.parse::<u32>().ok()?.checked_add(later));
        let Some(number) = number.filter(|number| (1..=shards.get()).contains(number)) else {
            let value = escape(value.as_encoded_bytes());
            return Err(format!("${name} is {value}, and this plan has {shards} shares; write {right}"));
        };
        return Ok(Some(number));
    }
    Ok(None)
}

/// The number of a task of an array, from what number on it was told to.
const SLURM: &str = "SLURM_ARRAY_TASK_ID";
/// The number of a pod of a job, from 0 on.
const KUBERNETES: &str = "JOB_COMPLETION_INDEX";

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        shard: Option<&str>,
        stage: Option<Stage>,
        set: &[(&str, &str)],
    ) -> Result<Option<Part>, String> {
        let args = ApplyArgs {
            file: "plan".into(),
            shard: shard.map(|text| text.parse().unwrap()),
            stage,
            given: Default::default(),
        };
        let value = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        chosen(&args, NonZeroU32::new(8).unwrap(), value)
    }

    #[test]
    fn what_is_typed_counts_more_than_what_is_set() {
        let set = [(SLURM, "3"), (KUBERNETES, "5")];
        for (shard, stage, set, part) in [
            (None, None, &[][..], None),
            (None, None, &set[..], Some(Part::Shard(3))),
            (None, None, &set[1..], Some(Part::Shard(6))),
            (None, None, &[(SLURM, "")], None),
            (None, None, &[(KUBERNETES, "0")], Some(Part::Shard(1))),
            (None, None, &[(KUBERNETES, "7")], Some(Part::Shard(8))),
            (Some("2"), None, &set, Some(Part::Shard(2))),
            (Some("2/8"), None, &set, Some(Part::Shard(2))),
            (None, Some(Stage::First), &set, Some(Part::First)),
            (None, Some(Stage::Last), &set, Some(Part::Last)),
        ] {
            assert_eq!(asked(shard, stage, set), Ok(part), "{shard:?} {stage:?} {set:?}");
        }
    }

    #[test]
    fn a_number_that_the_plan_has_not_is_told_with_what_would_be_right() {
        for (shard, set, told) in [
            (Some("9"), &[][..], "--shard 9: this plan has 8 shares, from 1 on"),
            (Some("0"), &[], "--shard 0: this plan has 8 shares, from 1 on"),
            (Some("1/9"), &[], "--shard 1/9: this plan has 8 shares, not 9"),
            (
                None,
                &[(SLURM, "0")],
                "$SLURM_ARRAY_TASK_ID is 0, and this plan has 8 shares; write sbatch --array=1-8",
            ),
            (None, &[(SLURM, "9")], "write sbatch --array=1-8"),
            (None, &[(SLURM, "-1")], "$SLURM_ARRAY_TASK_ID is -1,"),
            (None, &[(SLURM, "\u{9b}x")], "write sbatch"),
            (None, &[(KUBERNETES, "8")], "write completionMode: Indexed and completions: 8"),
            (None, &[(KUBERNETES, "4294967295")], "completions: 8"),
        ] {
            let error = asked(shard, None, set).unwrap_err();
            assert!(error.contains(told) && !error.contains('\u{9b}'), "{error}");
        }
    }
}
