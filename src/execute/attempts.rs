//! How often what fails is tried: each remedy comes to an end, and what is permanent for one file is not for the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::compare::{Basis, CompareOptions};
use crate::execute::{ExecuteOptions, Hashes, Outcome, Silent, Updates, execute};
use crate::model::{Cancel, Entry, Evidence, Links, Mtime, RelPath, Remedy, RunId, Tree};
use crate::plan::{Plan, PlanOptions, Presence, plan};
use crate::pool::{Pool, SessionCount};
use crate::store::memory::{MemoryStore, Node};
use crate::store::{RetryPolicy, Store};

const REMEDIES: [Remedy; 6] =
    [Remedy::Retry, Remedy::Wait, Remedy::Reconnect, Remedy::Shrink, Remedy::Skip, Remedy::Abort];

fn path(name: &str) -> RelPath {
    RelPath::parse(name).unwrap()
}

fn store(names: &[&str]) -> MemoryStore {
    let mtime = Mtime::from_unix(1_000_000_000, 0).unwrap();
    MemoryStore::new(names.iter().map(|name| (path(name), Node::File { content: b"x".to_vec(), mtime })))
}

fn tree(names: &[&str]) -> Tree {
    let mtime = Mtime::from_unix(1_000_000_000, 0);
    let entries = names.iter().map(|name| Entry::file(path(name), 1, mtime)).collect();
    Tree::new(entries, std::collections::BTreeMap::new())
}

fn plan_of(from: &[&str], to: &[&str]) -> Plan {
    let options = PlanOptions {
        compare: CompareOptions { basis: Basis::SizeTime, ..CompareOptions::default() },
        delete: true,
        presence: Presence::default(),
        leave_times: false,
        permissions: false,
        links: Links::Skip,
        makes_links: false,
    };
    plan(&tree(from), &tree(to), &BTreeSet::new(), &Evidence::default(), &options)
}

fn carry_out(plan: &Plan, source: &MemoryStore, destination: &MemoryStore, retries: u32) -> Vec<Outcome> {
    let cancel = Cancel::new();
    let retry = RetryPolicy { first_pause: Duration::ZERO, ..RetryPolicy::new(retries, cancel.clone()) };
    let pool = |store: &MemoryStore| {
        let store: Arc<dyn Store> = Arc::new(store.clone());
        Pool::new(store, SessionCount::fixed(2), retry.clone())
    };
    let options = ExecuteOptions {
        in_place: false,
        updates: Updates::Each,
        held: Vec::new(),
        backup: false,
        failed_before: false,
        carry_times: true,
        carry_permissions: false,
        run_id: RunId { owner: 1, run: 1 },
        resume_from: None,
        leftovers: Vec::new(),
        rate: None,
        split_bytes: None,
        hashes: Hashes::None,
        retry: retry.clone(),
        cancel,
    };
    execute(plan, &pool(source), &pool(destination), &options, &Silent)
}

/// Returns how often one file may be tried.
fn tries(remedy: Remedy, retries: u32) -> usize {
    let tries = match remedy {
        Remedy::Retry | Remedy::Reconnect => retries + 1,
        Remedy::Wait if retries > 0 => retries.max(9) + 1,
        Remedy::Wait | Remedy::Shrink | Remedy::Skip | Remedy::Abort => 1,
    };
    tries as usize
}

#[test]
fn what_always_fails_is_tried_as_often_as_its_remedy_says_and_no_more() {
    let always = |remedy| (0..10_000).map(move |n| (n, remedy));
    for remedy in REMEDIES {
        for retries in [0, 1, 3, 12] {
            let what = format!("{remedy:?}, {retries} retries");
            for fails_there in [true, false] {
                let (source, destination) = (store(&["a"]), store(&[]));
                let failing = if fails_there { destination.clone() } else { source.clone() };
                let failing = failing.with_faults(always(remedy));
                let outcomes = carry_out(&plan_of(&["a"], &[]), &source, &destination, retries);
                assert_eq!(outcomes.len(), 1, "{what}");
                assert!(!outcomes[0].is_done(), "{what}");
                // A worker whose session is lost for good leaves its file to another one, once.
                let spare = if remedy == Remedy::Shrink { 2 } else { 0 };
                let (made, due) = (failing.operations(), tries(remedy, retries));
                assert!((due..=due + spare).contains(&made), "{what}: {made} tries of {due}");
            }
            let destination = store(&["a", "b"]).with_faults(always(remedy));
            let outcomes = carry_out(&plan_of(&["a"], &["a", "b"]), &store(&["a"]), &destination, retries);
            assert!(outcomes.len() == 1 && !outcomes[0].is_done(), "{what}");
            let (made, due) = (destination.operations(), tries(remedy, retries));
            let spare = if remedy == Remedy::Shrink { 2 } else { 0 };
            assert!((due..=due + spare).contains(&made), "deletion, {what}: {made} tries of {due}");
        }
    }
}

#[test]
fn what_is_permanent_fails_its_own_file_and_what_ends_all_leaves_none_without_an_outcome() {
    let names = ["a", "b", "c", "d", "e"];
    for remedy in REMEDIES {
        // The second thing that is done at the destination fails, and nothing after it.
        let destination = store(&[]).with_faults([(1, remedy)]);
        let outcomes = carry_out(&plan_of(&names, &[]), &store(&names), &destination, 1);
        let failed = outcomes.iter().filter(|outcome| !outcome.is_done()).count();
        let untried = outcomes.iter().filter(|outcome| outcome.tries == 0).count();
        match remedy {
            Remedy::Retry | Remedy::Wait | Remedy::Reconnect | Remedy::Shrink => {
                assert_eq!(failed, 0, "{remedy:?}");
            }
            Remedy::Skip => assert_eq!((failed, untried), (1, 0)),
            Remedy::Abort => assert!(failed > 1 && untried > 0, "{failed} failed, {untried} were not tried"),
        }
        assert_eq!(outcomes.len(), names.len());
    }
}
