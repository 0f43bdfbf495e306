//! Plans that are cut into parts, which are carried out one by one or side by side, and merged.

use std::num::NonZeroU32;

use super::plans::{copied, kept};
use super::*;
use crate::execute::{Held, Outcome};
use crate::model::is_temporary;
use crate::plan::{Action, Part, Plan, cut};
use crate::planfile::{Manifest, OptionValue, Outcomes, PartFile, PlanId, Tally, whole};

const ID: PlanId = PlanId([7; 16]);

fn manifest(shards: NonZeroU32, plan: &Plan, delayed: bool) -> Manifest {
    let delayed = delayed.then(|| ("delay-updates".to_owned(), OptionValue::Switch(true)));
    let part = PartFile { actions: 0, bytes: 0, blake3: [0; 32] };
    Manifest {
        program: "0".into(),
        made: "2026-11-21T10:02:37Z".parse().unwrap(),
        source: "/s".into(),
        destination: "ftp://h/".into(),
        options: delayed.into_iter().collect(),
        id: ID,
        shards,
        sessions: None,
        sessions_each: 1,
        at_once: 1,
        scanned: plan.scanned,
        unchanged: plan.unchanged,
        parts: Part::all(shards).map(|_| part).collect(),
    }
}

/// Does what is left of a part. Returns what became of it, read back from its file; what was there before where the try has no end.
fn tried(
    (source, destination): (&MemoryStore, &MemoryStore),
    part: Part,
    actions: &[Action],
    former: Option<Outcomes>,
    others: &[Held],
    options: &RunOptions,
) -> Option<Outcomes> {
    let is_share = matches!(part, Part::Shard(_));
    let own = former.iter().flat_map(Outcomes::held);
    let held = own.chain(others.iter().cloned()).map(Arc::new).collect();
    let left = former.as_ref().map_or_else(|| actions.to_vec(), |former| former.left_of(actions.to_vec()));
    let plan = Plan { actions: left.into(), ..Plan::default() };
    let options = RunOptions {
        owner: Some(ID.owner(part)),
        beside_others: is_share,
        only_sends: is_share && options.delay_updates,
        held,
        ..options.clone()
    };
    let store = |store: &MemoryStore| Arc::new(store.clone()) as Arc<dyn Store>;
    let Ok(report) = apply(&store(source), &store(destination), plan, None, &options, &Silent) else {
        return former;
    };
    let at = "2026-11-21T10:02:37Z".parse().unwrap();
    let outcomes = Outcomes::of_try(actions, former, &report, (at, at));
    let mut bytes = Vec::new();
    outcomes.write(ID, part, actions, &mut bytes).unwrap();
    let read = Outcomes::read(&bytes, ID, part, actions).unwrap();
    let left = read.of.iter().filter(|outcome| outcome.is_failed()).count();
    assert_eq!(Tally::read(&bytes, ID, part), Ok(Tally { left }));
    let other = if part == Part::Last { Part::First } else { Part::Last };
    assert!(Tally::read(&bytes, ID, other).is_err() && Tally::read(&bytes, PlanId([8; 16]), part).is_err());
    assert_eq!(read.of.len(), actions.len());
    Some(read)
}

fn is_done(outcomes: Option<&Outcomes>) -> bool {
    outcomes.is_some_and(|outcomes| outcomes.of.iter().all(Outcome::is_done))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn parts_in_any_order_or_at_once_make_what_the_plan_would(
        a in nodes(linked()),
        b in nodes(linked()),
        shards in 1..5u32,
        order in Just((1..5u32).collect::<Vec<_>>()).prop_shuffle(),
        at_once: bool,
        aside: bool,
        delayed: bool,
        broken in prop::option::of((0..6usize, any::<bool>(), btree_map(0usize..30, remedy(), 1..5))),
    ) {
        let options = copied(delayed, "x");
        let shards = NonZeroU32::new(shards).unwrap();
        let source = MemoryStore::new(a.clone());
        let there = || {
            let store = MemoryStore::new(b.clone());
            if aside { store.without_renames() } else { store.with_checksums() }
        };
        let (synced, destination) = (there(), there());
        let sync = mirror(&source, &synced, &options).unwrap();
        prop_assume!(sync.failed() == 0);
        let plan = kept(&source, &destination, &options);
        let manifest = manifest(shards, &plan, delayed);
        let all = plan.actions.held().to_vec();
        let cut = cut(&plan.actions, shards, delayed, &Spill::never()).unwrap();
        let mut actions = cut.actions();
        let parts: Vec<Vec<Action>> =
            cut.sizes().iter().map(|size| actions.by_ref().take(size.actions).collect()).collect();
        let mut came: Vec<Option<Outcomes>> = parts.iter().map(|_| None).collect();
        let was_broken = broken.is_some();
        // A try at one of the parts that comes to no good end, or to none that anybody hears of.
        let break_off = |i: usize, part: Part, others: &[Held]| {
            let (at, is_heard_of, faults) = broken.clone()?;
            (at == i).then_some(())?;
            let from = destination.operations();
            let faults = faults.into_iter().map(|(at, remedy)| (from + at, remedy));
            let faulty = destination.clone().with_faults(faults);
            let ended = tried((&source, &faulty), part, &parts[i], None, others, &options);
            faulty.clear_faults();
            ended.filter(|_| is_heard_of)
        };
        let sides = (&source, &destination);
        came[0] = tried(sides, Part::First, &parts[0], break_off(0, Part::First, &[]), &[], &options);
        prop_assert!(is_done(came[0].as_ref()), "{:?}", came[0]);
        let order: Vec<u32> = order.into_iter().filter(|number| *number <= shards.get()).collect();
        for &number in &order {
            came[number as usize] = break_off(number as usize, Part::Shard(number), &[]);
        }
        let one = |number: u32, former: Option<Outcomes>| {
            tried(sides, Part::Shard(number), &parts[number as usize], former, &[], &options)
        };
        if at_once {
            let formers: Vec<_> = order.iter().map(|&number| (number, came[number as usize].take())).collect();
            let one = &one;
            let ended: Vec<_> = std::thread::scope(|scope| {
                let begin = |(number, former)| (number, scope.spawn(move || one(number, former)));
                let threads: Vec<_> = formers.into_iter().map(begin).collect();
                threads.into_iter().map(|(number, thread)| (number, thread.join().unwrap())).collect()
            });
            for (number, outcomes) in ended {
                came[number as usize] = outcomes;
            }
        } else {
            for number in order {
                came[number as usize] = one(number, came[number as usize].take());
            }
        }
        for outcomes in &came[1..came.len() - 1] {
            prop_assert!(is_done(outcomes.as_ref()), "{outcomes:?}");
        }
        let last = came.len() - 1;
        if delayed {
            let seen = |nodes: BTreeMap<RelPath, Node>| -> BTreeMap<RelPath, Node> {
                nodes.into_iter().filter(|(path, node)| !is_temporary(path.name()) && !matches!(node, Node::Dir)).collect()
            };
            prop_assert_eq!(seen(destination.nodes()), seen(b), "nothing that was there is seen to change before");
        }
        let held: Vec<Held> = came.iter().flatten().flat_map(Outcomes::held).collect();
        let files = parts[1..last].iter().map(Vec::len).sum::<usize>();
        prop_assert_eq!(held.len(), if delayed { files } else { 0 });
        let at_last = break_off(last, Part::Last, &held);
        came[last] = tried(sides, Part::Last, &parts[last], at_last, &held, &options);
        prop_assert_eq!(destination.nodes(), synced.nodes());
        prop_assert!(destination.nodes().keys().all(|path| !is_temporary(path.name())));

        let parts: Vec<_> = Part::all(shards).zip(parts).zip(came).map(|((part, actions), came)| (part, actions, came)).collect();
        let mut some = parts.clone();
        let report = whole(&manifest, parts);
        prop_assert_eq!((report.exit_status(), report.failed()), (0, 0));
        prop_assert_eq!(report.outcomes.len(), all.len());
        let key = |action: &Action| (action.path.clone(), action.deed.as_str());
        let sorted = |actions: &[Action]| {
            let mut keys: Vec<_> = actions.iter().map(key).collect();
            keys.sort();
            keys
        };
        prop_assert_eq!(sorted(report.plan.actions.held()), sorted(&all), "each action is in it once");
        if !was_broken {
            prop_assert_eq!(report.bytes(), sync.bytes());
        }
        // Of a part that was never carried out, each action is left.
        some[last].2 = None;
        let left = some[last].1.len();
        let report = whole(&manifest, some);
        prop_assert_eq!((report.failed(), report.outcomes.len()), (left, all.len()));
        prop_assert_eq!(report.exit_status() == 3, left > 0);
    }
}

#[test]
fn what_stepped_aside_in_a_share_is_not_touched_by_another() {
    let file = |content: &str| Node::File {
        content: content.into(),
        mtime: Mtime::from_unix(1_000_000_000, 0).unwrap(),
    };
    let source = MemoryStore::new([(path("mine"), file("new mine")), (path("other"), file("new other"))]);
    let old = path(".oneway-old-of-other.part");
    let destination = MemoryStore::new([(path("mine"), file("old")), (path("other"), file("old"))]);
    let plan = kept(&source, &destination, &options());
    // As it is for a moment, while another share replaces it on a server whose renames don't.
    let there = [(path("mine"), file("old")), (old.clone(), file("old"))];
    let destination = MemoryStore::new(there);
    let mine: Vec<Action> =
        plan.actions.held().iter().filter(|action| action.path == path("mine")).cloned().collect();
    let outcomes = tried((&source, &destination), Part::Shard(1), &mine, None, &[], &options());
    assert!(is_done(outcomes.as_ref()), "{outcomes:?}");
    assert!(destination.nodes().contains_key(&old) && !destination.nodes().contains_key(&path("other")));
    // Who begins it anew knows whose it is.
    let other: Vec<Action> =
        plan.actions.held().iter().filter(|action| action.path == path("other")).cloned().collect();
    let outcomes = tried((&source, &destination), Part::Shard(2), &other, None, &[], &options());
    assert!(is_done(outcomes.as_ref()), "{outcomes:?}");
    assert_eq!(comparable(&destination.nodes()), comparable(&source.nodes()));
}
