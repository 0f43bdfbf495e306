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
