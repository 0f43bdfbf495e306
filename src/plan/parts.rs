//! A plan cut into parts that several machines carry out: what must come first, shares that may be done at once, and what must come last.
//!
//! ```text
//! first   what makes room, and all directories
//! shares  files: sent, renamed, dated, given permissions; no two are about the same file
//! last    --last, deletions, what takes the place of a directory, and what can't be done
//! ```
//!
//! Where updates are delayed, shares do nothing but send files, which keep their temporary names. These files come last once more, to get
//! their final names in one go, together with all else that changes what was there:
//!
//! ```text
//! first   directories, but for those that take the place of files
//! shares  files, sent
//! last    the same files, named; and everything else
//! ```

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};
use std::num::NonZeroU32;

use crate::model::{Kind, RelPath};
use crate::plan::action::order;
use crate::plan::{Action, Actions, Deed, Phase};
use crate::spill::{Packer, Record, Sorted, Sorter, Spill, SpillError, Unpacker};

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

/// How much a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartSize {
    /// How many actions it has.
    pub actions: usize,
    /// How many bytes of files it sends.
    pub bytes: u64,
}

/// A plan that was cut.
#[derive(Debug)]
pub struct Parts {
    sizes: Vec<PartSize>,
    actions: Sorted<Placed>,
}

impl Parts {
    /// Returns how much each part is, in the order of [`Part::all`].
    pub fn sizes(&self) -> &[PartSize] {
        &self.sizes
    }

    /// Returns the actions of all parts, one part after the other, each in the order of execution.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        self.actions.iter().map(|placed| placed.into_owned().action)
    }
}

/// Cuts a plan. What memory is not meant for goes where `spill` says. Where `delayed`, files that are sent are in a share and in what comes
/// last.
///
/// Shares are even by bytes and by files. What lies together stays together as far as that allows, since each share lists the
/// directories it has to do with.
///
/// # Errors
/// When that can't be written, or not be had back.
pub fn cut(actions: &Actions, shards: NonZeroU32, delayed: bool, spill: &Spill) -> Result<Parts, SpillError> {
    let blocked = Below::those(actions, |action| action.obstacle.is_some() && action.phase <= Phase::Folders);
    let waiting = Below::those(actions, |action| delayed && action.phase == Phase::Room);
    let last = shards.get() + 1;
    let half = spill.share(1, 2);
    let (mut shared, mut placed) = (Sorter::new(half.clone()), Placing::new(shards, half));
    for action in actions {
        let action = action.into_owned();
        match action.phase {
            // What fails for sure keeps others from being done where it would in one run: before what comes last.
            _ if action.obstacle.is_some() || blocked.has(&action.entry().path) => {
                placed.put(last, action)?;
            }
            _ if delayed => match is_sent_ahead(&action) && !waiting.has(&action.path) {
                true if action.phase == Phase::Folders => placed.put(0, action)?,
                true => {
                    placed.put_named(last, action.clone())?;
                    shared.push(ByPath(action))?;
                }
                false => placed.put(last, action)?,
            },
            Phase::Room | Phase::Folders => placed.put(0, action)?,
            Phase::Renames | Phase::Times | Phase::Files | Phase::Permissions => {
                shared.push(ByPath(action))?;
            }
            Phase::Last | Phase::Deletions | Phase::Removals | Phase::Late => placed.put(last, action)?,
        }
    }
    let shared = shared.sorted()?;
    let runs = runs(&shared, shards);
    let mut shared = shared.iter();
    for (share, Run { actions, .. }) in spread(&runs, shards).into_iter().zip(&runs) {
        for ByPath(action) in shared.by_ref().take(*actions).map(Cow::into_owned) {
            placed.put(share + 1, action)?;
        }
    }
    spill.check()?;
    let Placing { sizes, actions } = placed;
    Ok(Parts { sizes, actions: actions.sorted()? })
}

/// Returns whether it changes nothing that anybody sees where updates are delayed, but for new directories.
fn is_sent_ahead(action: &Action) -> bool {
    match action.deed {
        Deed::CreateDir => action.phase == Phase::Folders,
        Deed::Copy | Deed::Replace => {
            matches!(action.phase, Phase::Files | Phase::Last) && action.kind() == Kind::File
        }
        _ => false,
    }
}

/// All that is below some paths, and these.
struct Below(BTreeSet<RelPath>);

impl Below {
    fn those(actions: &Actions, which: impl Fn(&Action) -> bool) -> Self {
        Self(actions.iter().filter(|action| which(action)).map(|action| action.path.clone()).collect())
    }

    fn has(&self, path: &RelPath) -> bool {
        let mut dirs = std::iter::successors(Some(path.clone()), RelPath::parent);
        !self.0.is_empty() && dirs.any(|dir| self.0.contains(&dir))
    }
}

fn weight(action: &Action) -> u64 {
    action.bytes().saturating_add(EACH_FILE)
}

/// Neighbours that go to one share.
#[derive(Clone, Copy)]
struct Run {
    weight: u64,
    actions: usize,
}

/// Cuts the files, in the order of their paths, into runs that are small beside a share.
fn runs(shared: &Sorted<ByPath>, shards: NonZeroU32) -> Vec<Run> {
    let total = shared.iter().map(|action| weight(&action.0)).fold(0, u64::saturating_add);
    let most = total / u64::from(shards.get()) / RUNS;
    let mut runs: Vec<Run> = Vec::new();
    let mut shared = shared.iter().peekable();
    while let Some(first) = shared.next() {
        // What is about one file stays together.
        let mut file = Run { weight: weight(&first.0), actions: 1 };
        while let Some(next) = shared.next_if(|next| next.0.entry().path == first.0.entry().path) {
            file.weight = file.weight.saturating_add(weight(&next.0));
            file.actions += 1;
        }
        match runs.last_mut() {
            Some(run) if run.weight.saturating_add(file.weight) <= most => {
                run.weight += file.weight;
                run.actions += file.actions;
            }
            _ => runs.push(file),
        }
    }
    runs
}

/// Gives each run, the largest first, to the share that has the least, and returns which, from 0 on.
fn spread(runs: &[Run], shards: NonZeroU32) -> Vec<u32> {
    let mut by_weight: Vec<usize> = (0..runs.len()).collect();
    by_weight.sort_by_key(|&run| Reverse(runs[run].weight));
    let mut loads: BinaryHeap<Reverse<(u64, u32)>> =
        (0..shards.get()).map(|share| Reverse((0, share))).collect();
    let mut share_of = vec![0; runs.len()];
    for run in by_weight {
        let Some(mut least) = loads.peek_mut() else { break };
        let Reverse((load, share)) = &mut *least;
        *load = load.saturating_add(runs[run].weight);
        share_of[run] = *share;
    }
    share_of
}

/// Gathers actions with the numbers of their parts.
struct Placing {
    sizes: Vec<PartSize>,
    actions: Sorter<Placed>,
}

impl Placing {
    fn new(shards: NonZeroU32, spill: Spill) -> Self {
        let sizes = Part::all(shards).map(|_| PartSize::default()).collect();
        Self { sizes, actions: Sorter::new(spill) }
    }

    fn put(&mut self, part: u32, action: Action) -> Result<(), SpillError> {
        let size = &mut self.sizes[part as usize];
        size.actions += 1;
        size.bytes = size.bytes.saturating_add(action.bytes());
        self.actions.push(Placed { part, action })
    }

    /// Puts what was sent before and only gets its name there.
    fn put_named(&mut self, part: u32, action: Action) -> Result<(), SpillError> {
        self.sizes[part as usize].actions += 1;
        self.actions.push(Placed { part, action })
    }
}

/// An action with the number of its part.
#[derive(Clone, Debug)]
struct Placed {
    part: u32,
    action: Action,
}

impl Record for Placed {
    fn order(&self, other: &Self) -> Ordering {
        self.part.cmp(&other.part).then_with(|| order(&self.action, &other.action))
    }

    fn weight(&self) -> usize {
        self.action.weight()
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        packer.number(self.part.into());
        self.action.pack(packer);
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        let part = u32::try_from(unpacker.number()?).ok()?;
        Some(Self { part, action: Action::unpack(unpacker)? })
    }
}

/// An action among its neighbours.
#[derive(Clone, Debug)]
struct ByPath(Action);

impl Record for ByPath {
    fn order(&self, other: &Self) -> Ordering {
        self.0.entry().path.cmp(&other.0.entry().path).then_with(|| order(&self.0, &other.0))
    }

    fn weight(&self) -> usize {
        self.0.weight()
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        self.0.pack(packer);
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        Action::unpack(unpacker).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::compare::Reason;
    use crate::model::Entry;

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

    fn parts_of(actions: Vec<Action>, shards: u32, delayed: bool, spill: &Spill) -> Vec<Vec<Action>> {
        let parts = cut(&actions.into(), NonZeroU32::new(shards).unwrap(), delayed, spill).unwrap();
        let mut actions = parts.actions();
        let parts: Vec<Vec<Action>> =
            parts.sizes().iter().map(|size| actions.by_ref().take(size.actions).collect()).collect();
        assert_eq!(actions.count(), 0);
        parts
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
        let parts = parts_of(actions, 1, false, &Spill::never());
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
    fn delayed_shares_send_and_all_else_that_is_seen_comes_last() {
        let link = |name: &str| {
            let entry = Some(Box::new(Entry::new(path(name), Kind::Symlink)));
            Action { source: entry, ..action(name, Deed::Copy, Phase::Files, 0) }
        };
        let actions = vec![
            action("room", Deed::Delete, Phase::Room, 1),
            action("dir", Deed::CreateDir, Phase::Folders, 0),
            action("room", Deed::CreateDir, Phase::Folders, 0),
            action("moved", Deed::Rename, Phase::Renames, 1),
            action("old", Deed::Touch, Phase::Times, 1),
            action("f", Deed::Copy, Phase::Files, 1),
            action("room/f", Deed::Copy, Phase::Files, 1),
            link("to"),
            action("index.html", Deed::Replace, Phase::Last, 1),
            action("gone", Deed::Delete, Phase::Deletions, 1),
        ];
        let parts = parts_of(actions, 1, true, &Spill::never());
        let last = [
            "delete room",
            "create_dir room",
            "rename moved",
            "touch old",
            "copy f",
            "copy room/f",
            "copy to",
            "replace index.html",
            "delete gone",
        ];
        assert_eq!(named(&parts), [&["create_dir dir"][..], &["copy f", "replace index.html"], &last]);
        let sizes = |delayed| {
            let actions: Actions = vec![action("f", Deed::Copy, Phase::Files, 7)].into();
            let parts = cut(&actions, NonZeroU32::MIN, delayed, &Spill::never()).unwrap();
            parts.sizes().iter().map(|size| (size.actions, size.bytes)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(false), [(0, 0), (1, 7), (0, 0)]);
        assert_eq!(sizes(true), [(0, 0), (1, 7), (1, 0)], "it is sent once");
    }

    #[test]
    fn a_directory_is_not_spread_over_more_shares_than_it_must_be() {
        let file = |dir: usize, i: usize| action(&format!("d{dir:03}/f{i}"), Deed::Copy, Phase::Files, 1000);
        let actions = (0..1000).flat_map(|dir| (0..10).map(move |i| file(dir, i))).collect();
        let parts = parts_of(actions, 4, false, &Spill::never());
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
        fn parts_have_each_action_once_and_shares_are_even(
            actions in actions(),
            shards in 1..20u32,
            delayed: bool,
        ) {
            let shards = NonZeroU32::new(shards).unwrap();
            let parts = parts_of(actions.clone(), shards.get(), delayed, &Spill::never());
            prop_assert_eq!(parts.len(), Part::all(shards).count());
            let mut all: Vec<Action> = parts.iter().flatten().cloned().collect();
            if delayed {
                // What is sent is named last, each once.
                all = [&parts[0], &parts[parts.len() - 1]].into_iter().flatten().cloned().collect();
                let mut sent: Vec<Action> = parts[1..parts.len() - 1].iter().flatten().cloned().collect();
                let mut ahead: Vec<Action> = parts[parts.len() - 1].clone();
                ahead.retain(is_sent_ahead);
                for some in [&mut sent, &mut ahead] {
                    some.sort_by(order);
                }
                prop_assert_eq!(sent, ahead);
            }
            all.sort_by(order);
            prop_assert_eq!(&all, &actions);
            // Where next to nothing may be in memory, they are the same.
            let dir = tempfile::tempdir().unwrap();
            let spill = Spill::to(dir.path().to_owned(), 2000);
            prop_assert_eq!(&parts_of(actions, shards.get(), delayed, &spill), &parts);
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
