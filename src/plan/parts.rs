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
use crate::plan::{Action, Actions, Deed, Phase, Tally};
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
    let Tally { due, all, .. } = actions.tally();
    let blocked = Below::those(actions, due != all, |action| {
        action.obstacle.is_some() && action.phase <= Phase::Folders
    });
    let waiting = Below::those(actions, delayed, |action| action.phase == Phase::Room);
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
    /// Looks for them only where there may be some, since that takes as long as to write half of the plan.
    fn those(actions: &Actions, may_be: bool, which: impl Fn(&Action) -> bool) -> Self {
        if !may_be {
            return Self(BTreeSet::new());
        }
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
mod tests;
