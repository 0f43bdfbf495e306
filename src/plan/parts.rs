//! A plan cut into parts that several machines carry out: what must come first, shares that may be done at once, and what must come last.
//!
//! ```text
//! first   what makes room, and all directories
//! shares  files: sent, renamed, dated, given permissions; no two are about the same file
//! last    --last, deletions, what takes the place of a directory, and what can't be done
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::num::NonZeroU32;

use crate::model::RelPath;
use crate::plan::action::order;
use crate::plan::{Action, Phase, Plan};

/// One part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What must be done before all else.
    First,
    /// One share, from 1 on.
    Shard(u32),
    /// What must be done after all else.
    Last,
}

impl Part {
    /// Returns the parts of a plan of so many shares, in their order.
    pub fn all(shards: NonZeroU32) -> impl Iterator<Item = Self> {
        let shares = (1..=shards.get()).map(Self::Shard);
        [Self::First].into_iter().chain(shares).chain([Self::Last])
    }

    /// Returns the name of its files.
    pub fn name(self) -> String {
        match self {
            Self::First => "first".to_owned(),
            Self::Shard(number) => format!("shard-{number:04}"),
            Self::Last => "last".to_owned(),
        }
    }

    /// Returns what people call it.
    pub fn title(self, shards: NonZeroU32) -> String {
        match self {
            Self::First => "stage first".to_owned(),
            Self::Shard(number) => format!("shard {number}/{shards}"),
            Self::Last => "stage last".to_owned(),
        }
    }

    /// Returns whether `other` has to be done before this one.
    pub fn comes_after(self, other: Self) -> bool {
        let stage = |part| match part {
            Self::First => 0,
            Self::Shard(_) => 1,
            Self::Last => 2,
        };
        stage(self) > stage(other)
    }
}

/// What a file is worth beside its bytes: the time of its round trips.
const EACH_FILE: u64 = 64 << 10;

/// So many runs of files there are for each share, at least, so that their ends are even.
const RUNS: u64 = 32;

/// Cuts a plan: returns the actions of each part, in the order of [`Part::all`], each in the order of execution.
///
/// Shares are even by bytes and by files. What lies together stays together as far as that allows, since each share lists the
/// directories it has to do with.
pub fn cut(plan: Plan, shards: NonZeroU32) -> Vec<Vec<Action>> {
    let blocked: BTreeSet<RelPath> = plan
        .actions
        .iter()
        .filter(|action| action.obstacle.is_some() && action.phase <= Phase::Folders)
        .map(|action| action.path.clone())
        .collect();
    let is_blocked = |path: &RelPath| {
        !blocked.is_empty()
            && std::iter::successors(Some(path.clone()), RelPath::parent).any(|dir| blocked.contains(&dir))
    };
    let (mut first, mut shared, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for action in plan.actions {
        let part = match action.phase {
            // What fails for sure keeps others from being done where it would in one run: before what comes last.
            _ if action.obstacle.is_some() || is_blocked(&action.entry().path) => &mut last,
            Phase::Room | Phase::Folders => &mut first,
            Phase::Renames | Phase::Times | Phase::Files | Phase::Permissions => &mut shared,
            Phase::Last | Phase::Deletions | Phase::Removals | Phase::Late => &mut last,
        };
        part.push(action);
    }
    let mut parts = vec![first];
    parts.extend(shares(shared, shards));
    parts.push(last);
    for part in &mut parts {
        part.sort_unstable_by(order);
    }
    parts
}

fn weight(action: &Action) -> u64 {
    action.bytes().saturating_add(EACH_FILE)
}

/// Cuts the files, in the order of their paths, into runs that are small beside a share, and gives each run, the largest first, to
/// the share that has the least.
fn shares(mut actions: Vec<Action>, shards: NonZeroU32) -> Vec<Vec<Action>> {
    actions.sort_unstable_by(|a, b| a.entry().path.cmp(&b.entry().path).then_with(|| order(a, b)));
    let total = actions.iter().map(weight).fold(0, u64::saturating_add);
    let most = total / u64::from(shards.get()) / RUNS;
    // Of each run, its weight and its number of actions.
    let mut runs: Vec<(u64, usize)> = Vec::new();
    // What is about one file stays together.
    for file in actions.chunk_by(|a, b| a.entry().path == b.entry().path) {
        let weight = file.iter().map(weight).fold(0, u64::saturating_add);
        match runs.last_mut() {
            Some((run, count)) if run.saturating_add(weight) <= most => {
                *run += weight;
                *count += file.len();
            }
            _ => runs.push((weight, file.len())),
        }
    }
    let mut by_weight: Vec<usize> = (0..runs.len()).collect();
    by_weight.sort_by_key(|&run| Reverse(runs[run].0));
    let mut loads: BinaryHeap<Reverse<(u64, u32)>> =
        (0..shards.get()).map(|share| Reverse((0, share))).collect();
    let mut share_of = vec![0; runs.len()];
    for run in by_weight {
        let Some(mut least) = loads.peek_mut() else { break };
        let Reverse((load, share)) = &mut *least;
        *load = load.saturating_add(runs[run].0);
        share_of[run] = *share;
    }
    let mut shares: Vec<Vec<Action>> = (0..shards.get()).map(|_| Vec::new()).collect();
    let mut actions = actions.into_iter();
    for ((_, count), share) in runs.into_iter().zip(share_of) {
        shares[share as usize].extend(actions.by_ref().take(count));
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::compare::Reason;
    use crate::model::{Entry, Kind};
    use crate::plan::Deed;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn action(name: &str, deed: Deed, phase: Phase, size: u64) -> Action {
        let entry = |name: &str| Some(Box::new(Entry::file(path(name), size, None)));
        let (source, destination) = match deed {
            Deed::Delete | Deed::DeleteDir => (None, entry(name)),
            Deed::Rename => (entry(&format!("{name}-new")), entry(name)),
            Deed::CreateDir => (Some(Box::new(Entry::new(path(name), Kind::Dir))), None),
            Deed::Copy => (entry(name), None),
            Deed::Replace | Deed::Touch | Deed::Chmod => (entry(name), entry(name)),
        };
        Action { path: path(name), deed, phase, reason: Reason::Missing, source, destination, obstacle: None }
    }

    fn named(parts: &[Vec<Action>]) -> Vec<Vec<String>> {
        let name = |action: &Action| format!("{} {}", action.deed.as_str(), action.path);
        parts.iter().map(|part| part.iter().map(name).collect()).collect()
    }

    #[test]
    fn each_phase_has_its_part() {
        let refused = Action { obstacle: Some("no".into()), ..action("r", Deed::Replace, Phase::Room, 1) };
        let actions = vec![
            action("room", Deed::Delete, Phase::Room, 1),
            refused,
            action("r/below", Deed::Copy, Phase::Files, 1),
            action("dir", Deed::CreateDir, Phase::Folders, 0),
            action("moved", Deed::Rename, Phase::Renames, 1),
            action("old", Deed::Touch, Phase::Times, 1),
            action("old", Deed::Chmod, Phase::Permissions, 1),
            action("f", Deed::Copy, Phase::Files, 1),
            action("index.html", Deed::Copy, Phase::Last, 1),
            action("gone", Deed::Delete, Phase::Deletions, 1),
            action("late", Deed::Replace, Phase::Late, 1),
        ];
        let parts = cut(Plan { actions, ..Plan::default() }, NonZeroU32::MIN);
        assert_eq!(
            named(&parts),
            [
                vec!["delete room", "create_dir dir"],
                vec!["rename moved", "touch old", "copy f", "chmod old"],
                vec!["replace r", "copy r/below", "copy index.html", "delete gone", "replace late"],
            ]
        );
        let shards = NonZeroU32::new(2).unwrap();
        let names: Vec<String> = Part::all(shards).map(Part::name).collect();
        assert_eq!(names, ["first", "shard-0001", "shard-0002", "last"]);
        assert_eq!(Part::Shard(2).title(shards), "shard 2/2");
        assert!(Part::Last.comes_after(Part::Shard(2)) && Part::Shard(2).comes_after(Part::First));
        assert!(!Part::Shard(2).comes_after(Part::Shard(1)));
    }

    #[test]
    fn a_directory_is_not_spread_over_more_shares_than_it_must_be() {
        let file = |dir: usize, i: usize| action(&format!("d{dir:03}/f{i}"), Deed::Copy, Phase::Files, 1000);
        let actions = (0..1000).flat_map(|dir| (0..10).map(move |i| file(dir, i))).collect();
        let parts = cut(Plan { actions, ..Plan::default() }, NonZeroU32::new(4).unwrap());
        let mut dirs = 0;
        for share in &parts[1..5] {
            assert!((2400..=2600).contains(&share.len()), "{}", share.len());
            dirs += share.iter().filter_map(|action| action.path.parent()).collect::<BTreeSet<_>>().len();
        }
        assert!(dirs <= 1000 + 4 * (RUNS as usize + 4), "{dirs}");
    }

    fn actions() -> impl Strategy<Value = Vec<Action>> {
        let deeds = prop::sample::select(vec![
            (Deed::Copy, Phase::Files),
            (Deed::Copy, Phase::Last),
            (Deed::Replace, Phase::Files),
            (Deed::Rename, Phase::Renames),
            (Deed::Touch, Phase::Times),
            (Deed::Delete, Phase::Deletions),
            (Deed::CreateDir, Phase::Folders),
        ]);
        let sizes = prop_oneof![Just(0), 0..1u64 << 20, 0..1u64 << 36, Just(u64::MAX)];
        let one = ("[a-c](/[a-c]){0,2}", deeds, sizes, any::<bool>());
        prop::collection::vec(one, 0..60).prop_map(|all| {
            let mut actions: Vec<Action> = Vec::new();
            for (i, (dir, (deed, phase), size, chmod)) in all.into_iter().enumerate() {
                let name = format!("{dir}/{i}");
                actions.push(action(&name, deed, phase, size));
                if deed == Deed::Touch && chmod {
                    actions.push(action(&name, Deed::Chmod, Phase::Permissions, size));
                }
            }
            actions.sort_by(order);
            actions
        })
    }

    proptest! {
        #[test]
        fn parts_have_each_action_once_and_shares_are_even(actions in actions(), shards in 1..20u32) {
            let shards = NonZeroU32::new(shards).unwrap();
            let parts = cut(Plan { actions: actions.clone(), ..Plan::default() }, shards);
            prop_assert_eq!(parts.len(), Part::all(shards).count());
            let mut all: Vec<Action> = parts.iter().flatten().cloned().collect();
            all.sort_by(order);
            prop_assert_eq!(&all, &actions);
            let again = cut(Plan { actions, ..Plan::default() }, shards);
            prop_assert_eq!(&again, &parts, "it is the same each time");
            let shares = &parts[1..parts.len() - 1];
            let loads: Vec<u64> =
                shares.iter().map(|share| share.iter().map(weight).fold(0, u64::saturating_add)).collect();
            let total = loads.iter().fold(0u64, |all, load| all.saturating_add(*load));
            let mut files: HashMap<&RelPath, (u64, usize)> = HashMap::new();
            for (i, share) in shares.iter().enumerate() {
                for action in share {
                    let (weight_of, at) = files.entry(&action.entry().path).or_insert((0, i));
                    *weight_of = weight_of.saturating_add(weight(action));
                    prop_assert_eq!(*at, i, "what is about one file is in one share");
                }
            }
            if total < u64::MAX {
                let mean = total / u64::from(shards.get()) + 1;
                let largest = files.values().map(|(weight, _)| *weight).max().unwrap_or(0);
                for load in loads {
                    prop_assert!(load <= mean + largest.max(mean / RUNS + 1), "{load} of {total} in {shards}");
                }
            }
        }
    }
}
