//! A share of a plan, for one of several machines that carry it out together.
//!
//! Which share an action belongs to is told by a hash of its path alone, so it is the same on each machine and for each plan. What has to
//! come after everything else, and what makes room for something, can't be shared: it is left to who does the rest.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroU32;
use std::str::FromStr;

use thiserror::Error;

use crate::model::RelPath;
use crate::plan::{Deed, Phase, Plan};

/// Which of how many shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1 on.
    number: u32,
    of: NonZeroU32,
}

/// Why a text names no share.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no share such as 1/4 or 4/4")]
pub struct ShardError(String);

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let plain =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let parts = text.split_once('/').and_then(|(number, of)| Some((plain(number)?, plain(of)?)));
        let shard = parts.and_then(|(number, of): (u32, u32)| {
            let of = NonZeroU32::new(of)?;
            (1..=of.get()).contains(&number).then_some(Self { number, of })
        });
        shard.ok_or_else(|| ShardError(text.to_owned()))
    }
}

impl Display for Shard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Shard {
    /// Returns its number, from 1 on.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Returns how many there are.
    pub fn of(self) -> NonZeroU32 {
        self.of
    }

    fn has(self, path: &RelPath) -> bool {
        let hash = blake3::hash(path.as_bytes());
        let first: [u8; 8] = hash.as_bytes()[..8].try_into().expect("there are 32");
        u64::from_le_bytes(first) % u64::from(self.of.get()) + 1 == u64::from(self.number)
    }
}

/// Keeps the actions of one share, with the directories that they need, and returns how many are left to others.
pub fn keep_share(plan: &mut Plan, shard: Shard) -> usize {
    let before = plan.actions.len();
    let rooms = plan.actions.iter().filter(|action| action.phase == Phase::Room);
    let rooms: BTreeSet<RelPath> = rooms.map(|action| action.path.clone()).collect();
    let is_in_room = |path: &RelPath| {
        let mut at = Some(path.clone());
        while let Some(dir) = at {
            if rooms.contains(&dir) {
                return true;
            }
            at = dir.parent();
        }
        false
    };
    plan.actions.held_mut().retain(|action| {
        let is_shared = matches!(
            action.phase,
            Phase::Folders | Phase::Renames | Phase::Times | Phase::Files | Phase::Permissions
        );
        is_shared && !is_in_room(&action.entry().path)
    });
    let mut needed = BTreeSet::new();
    for action in &plan.actions {
        let path = &action.entry().path;
        if !shard.has(path) {
            continue;
        }
        let mut at = Some(path.clone());
        while let Some(dir) = at {
            at = dir.parent();
            if !needed.insert(dir) {
                break;
            }
        }
    }
    plan.actions.held_mut().retain(|action| match action.deed {
        Deed::CreateDir => needed.contains(&action.path),
        _ => shard.has(&action.entry().path),
    });
    before - plan.actions.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entry, Evidence, Kind, Tree};
    use crate::plan::{PlanOptions, plan};

    #[test]
    fn a_share_is_a_number_of_a_number() {
        for text in ["1/1", "1/4", "4/4", "07/16"] {
            let shard: Shard = text.parse().unwrap();
            assert_eq!(shard.to_string(), text.trim_start_matches('0'));
        }
        for text in ["", "/", "0/4", "5/4", "1", "1/0", "a/4", "1/4/4", "+1/4", "-1/4", "1/99999999999"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is no share such as 1/4 or 4/4"));
        }
    }

    #[test]
    fn shares_cover_all_that_can_be_shared_once_but_for_directories() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let mut source: Vec<Entry> =
            ["d", "d/e", "empty", "room"].map(|dir| Entry::new(path(dir), Kind::Dir)).into();
        source.extend((0..40).map(|i| Entry::file(path(&format!("d/e/{i}")), i, None)));
        source.push(Entry::file(path("room/x"), 1, None));
        let there = vec![Entry::file(path("room"), 1, None), Entry::file(path("old"), 1, None)];
        let [source, there] = [source, there].map(|entries| Tree::new(entries, Default::default()));
        let options = PlanOptions { delete: true, ..PlanOptions::default() };
        let whole = plan(&source, &there, &BTreeSet::new(), &Evidence::default(), &options);
        let mut files = Vec::new();
        let mut empty = 0;
        for number in 1..=3 {
            let mut share = whole.clone();
            let left = keep_share(&mut share, Shard { number, of: NonZeroU32::new(3).unwrap() });
            assert_eq!(left + share.actions.len(), whole.actions.len());
            let names: Vec<String> = share.actions.iter().map(|action| action.path.to_string()).collect();
            assert!(names.len() > 7, "{names:?}");
            assert_eq!(names[..2], ["d", "d/e"], "who sends something makes its directories");
            empty += names.iter().filter(|name| *name == "empty").count();
            files.extend(names.into_iter().filter(|name| name.starts_with("d/e/")));
        }
        files.sort();
        let mut all: Vec<String> = (0..40).map(|i| format!("d/e/{i}")).collect();
        all.sort();
        assert_eq!((files, empty), (all, 1));
    }
}
