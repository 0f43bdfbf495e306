//! The actions of a plan, in the order of their execution.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::sync::OnceLock;

use crate::compare::Reason;
use crate::model::{Entry, RelPath, pack_rest, unpack_rest};
use crate::plan::action::order;
use crate::plan::{Action, Deed, Phase};
use crate::spill::{Iter, Packer, Record, Sorted, Sorter, Spill, SpillError, Unpacker};

/// The actions of a plan. Those of one that is to be carried out are in memory; of one that is only told, some may be elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    all: Sorted<Action>,
    tally: OnceLock<Tally>,
}

/// How many actions there are, and of how many bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of each deed, without those that can't be done.
    pub due: BTreeMap<Deed, usize>,
    /// Of each deed, all of them.
    pub all: BTreeMap<Deed, usize>,
    /// What is to be sent.
    pub bytes: u64,
}

impl Actions {
    /// Returns actions that were gathered in any order, in theirs.
    ///
    /// # Errors
    /// When those that memory is not meant for can't be written.
    pub fn sorted(actions: Sorter<Action>) -> Result<Self, SpillError> {
        Ok(Self { all: actions.sorted()?, tally: OnceLock::new() })
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Counts them, once.
    pub fn tally(&self) -> &Tally {
        self.tally.get_or_init(|| {
            let mut tally = Tally::default();
            for action in self {
                *tally.all.entry(action.deed).or_default() += 1;
                if action.obstacle.is_none() {
                    *tally.due.entry(action.deed).or_default() += 1;
                }
                // A listing may claim any size, and so many of them more than there can be.
                tally.bytes = tally.bytes.saturating_add(action.bytes());
            }
            tally
        })
    }

    /// Returns each of them, in their order.
    pub fn iter(&self) -> Iter<'_, Action> {
        self.all.iter()
    }

    /// Returns them in memory; `None` where they are not.
    pub fn as_held(&self) -> Option<&[Action]> {
        self.all.as_held()
    }

    /// Returns them, to be carried out.
    ///
    /// # Panics
    /// Where they are not in memory: those were planned to be told alone.
    pub fn held(&self) -> &[Action] {
        self.all.as_held().expect(HELD)
    }

    /// Returns them, to be carried out and changed.
    ///
    /// # Panics
    /// As [`Actions::held`].
    pub fn held_mut(&mut self) -> &mut Vec<Action> {
        self.tally.take();
        self.all.as_held_mut().expect(HELD)
    }

    /// Changes each of them, or takes it out, adds `more`, and puts all into their order again.
    ///
    /// # Errors
    /// When those that memory is not meant for can't be written.
    pub fn revise(
        &mut self,
        spill: &Spill,
        more: impl IntoIterator<Item = Action>,
        mut change: impl FnMut(&mut Action) -> bool,
    ) -> Result<(), SpillError> {
        self.tally.take();
        if let Some(held) = self.all.as_held_mut() {
            held.retain_mut(change);
            held.extend(more);
            held.sort_unstable_by(order);
            return Ok(());
        }
        let mut revised = Sorter::new(spill.clone());
        for action in &self.all {
            let mut action = action.into_owned();
            if change(&mut action) {
                revised.push(action)?;
            }
        }
        for action in more {
            revised.push(action)?;
        }
        spill.check()?;
        self.all = revised.sorted()?;
        Ok(())
    }
}

const HELD: &str = "what is carried out is in memory";

impl From<Vec<Action>> for Actions {
    /// Takes actions that are in their order.
    fn from(actions: Vec<Action>) -> Self {
        Self { all: Sorted::held(actions), tally: OnceLock::new() }
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Actions {
    type Item = Cow<'a, Action>;
    type IntoIter = Iter<'a, Action>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Actions {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Index<usize> for Actions {
    type Output = Action;

    /// As [`Actions::held`].
    fn index(&self, i: usize) -> &Action {
        &self.held()[i]
    }
}

impl IndexMut<usize> for Actions {
    fn index_mut(&mut self, i: usize) -> &mut Action {
        &mut self.held_mut()[i]
    }
}

const SOURCE: u64 = 1;
const SOURCE_ELSEWHERE: u64 = 2;
const DESTINATION: u64 = 4;
const OBSTACLE: u64 = 8;

impl Record for Action {
    fn order(&self, other: &Self) -> Ordering {
        order(self, other)
    }

    fn weight(&self) -> usize {
        let entry = |entry: &Option<Box<Entry>>| entry.as_ref().map_or(0, |entry| entry.weight());
        size_of::<Self>() + entry(&self.source) + entry(&self.destination)
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        let bit = |has: bool, bit| if has { bit } else { 0 };
        // Of the two entries, only that of a file that gets another name has another path.
        let elsewhere = self.source.as_ref().filter(|source| source.path != self.path);
        packer.similar(self.path.as_bytes());
        packer.number(
            bit(self.source.is_some(), SOURCE)
                | bit(elsewhere.is_some(), SOURCE_ELSEWHERE)
                | bit(self.destination.is_some(), DESTINATION)
                | bit(self.obstacle.is_some(), OBSTACLE),
        );
        packer.place(Deed::ALL, self.deed);
        packer.place(Phase::ALL, self.phase);
        packer.place(Reason::ALL, self.reason);
        if let Some(source) = elsewhere {
            packer.bytes(source.path.as_bytes());
        }
        for entry in [&self.source, &self.destination].into_iter().flatten() {
            pack_rest(entry, packer);
        }
        if let Some(obstacle) = &self.obstacle {
            packer.bytes(obstacle.as_bytes());
        }
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        let path = RelPath::parse(unpacker.similar()?).ok()?;
        let has = unpacker.number()?;
        let (deed, phase) = (unpacker.one_of(Deed::ALL)?, unpacker.one_of(Phase::ALL)?);
        let reason = unpacker.one_of(Reason::ALL)?;
        let elsewhere = match has & SOURCE_ELSEWHERE {
            0 => path.clone(),
            _ => RelPath::parse(unpacker.bytes()?).ok()?,
        };
        let mut entry = |bit, path: RelPath| -> Option<Option<Box<Entry>>> {
            if has & bit == 0 { Some(None) } else { Some(Some(Box::new(unpack_rest(path, unpacker)?))) }
        };
        let (source, destination) = (entry(SOURCE, elsewhere)?, entry(DESTINATION, path.clone())?);
        let obstacle = match has & OBSTACLE {
            0 => None,
            _ => Some(Cow::Owned(String::from_utf8(unpacker.bytes()?.to_vec()).ok()?)),
        };
        Some(Self { path, deed, phase, reason, source, destination, obstacle })
    }
}
