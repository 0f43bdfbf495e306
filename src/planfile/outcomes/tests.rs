use proptest::prelude::*;

use super::*;
use crate::compare::Reason;
use crate::model::{Key, Precision, RunId, Temporary, Zone};
use crate::plan::{Phase, Plan};
use crate::report::Mode;

const PLAN: PlanId = PlanId([3; 16]);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn action(name: &[u8], deed: Deed) -> Action {
    let entry = Some(Box::new(Entry::file(RelPath::parse(name).unwrap(), 5, None)));
    let (source, destination) = if deed == Deed::Copy { (entry, None) } else { (entry.clone(), entry) };
    let path = RelPath::parse(name).unwrap();
    Action { path, deed, phase: Phase::Files, reason: Reason::Missing, source, destination, obstacle: None }
}

fn actions() -> Vec<Action> {
    vec![
        action(b"a", Deed::Copy),
        action(b"caf\xe9%", Deed::Copy),
        action(b"d/\xe9", Deed::Copy),
        action(b"moved", Deed::Rename),
        action(b"z", Deed::Replace),
    ]
}

fn report(tried: Vec<(Action, Outcome)>) -> Report {
    let (actions, outcomes): (Vec<Action>, _) = tried.into_iter().unzip();
    let plan = Plan { actions: actions.into(), ..Plan::default() };
    Report { plan, outcomes, early: None, ..Report::of_nothing(Mode::Sync, "s", "d", 0) }
}

fn some() -> Outcomes {
    let stale = Action { obstacle: Some("stale: x".into()), ..action(b"z", Deed::Replace) };
    let delete = Action { deed: Deed::Delete, source: None, ..action(b"moved", Deed::Rename) };
    let key = Key::Of(7);
    let temporary = Temporary { run: RunId { owner: 1, run: 2 }, key, number: 3, serial: 4 };
    let path = RelPath::parse(b"d/\xe9").unwrap();
    let file =
        HeldFile { temporary: temporary.beside(&path), path, bytes: 9, mtime: None, of_earlier: false };
    let mtime = Mtime { at: at("2026-11-22T00:00:00.5Z"), precision: Precision::Minute, zone: Zone::Unknown };
    let held = Outcome {
        bytes: 5,
        mtime: Some(mtime),
        hash: Some([8; 32]),
        held: Some(Box::new(file)),
        ..Outcome::found_done(0)
    };
    let tried = vec![
        (action(b"a", Deed::Copy), Outcome { bytes: 5, time_set: Some(true), ..Outcome::found_done(0) }),
        (action(b"d/\xe9", Deed::Copy), held),
        (delete, Outcome::untried("stopped")),
        (stale, Outcome::untried("stale: x")),
    ];
    let report = Report { notes: vec!["n".into(), "n".into()], ..report(tried) };
    Outcomes::of_try(&actions(), None, &report, (at("2026-11-22T01:00:00Z"), at("2026-11-22T01:00:01Z")))
}

#[test]
fn each_action_has_the_outcome_of_the_try_that_did_it() {
    let first = some();
    let errors = |outcomes: &Outcomes| -> Vec<Option<String>> {
        outcomes.of.iter().map(|outcome| outcome.error.clone()).collect()
    };
    // What isn't in the report was found done; of a rename that was sent, the removal of the old name was left.
    assert_eq!(errors(&first), [None, None, None, Some("stopped".into()), Some("stale: x".into())]);
    assert_eq!((first.of[1].bytes, first.of[1].tries), (5, 1));
    assert_eq!((first.refused.clone().into_iter().collect::<Vec<_>>(), first.notes.len()), (vec![4], 1));
    let held: Vec<RelPath> = first.held().map(|held| held.file.path).collect();
    assert_eq!(held, [RelPath::parse(b"d/\xe9").unwrap()]);
    let left: Vec<Deed> = first.left_of(actions()).iter().map(|action| action.deed).collect();
    assert_eq!(left, [Deed::Rename, Deed::Replace]);
    // The next one finds one of them done, and fails at the other in another way.
    let tried = vec![(action(b"z", Deed::Replace), Outcome::untried("no"))];
    let times = (at("2026-11-22T02:00:00Z"), at("2026-11-22T02:00:01Z"));
    let second = Outcomes::of_try(&actions(), Some(first.clone()), &report(tried), times);
    assert_eq!(errors(&second), [None, None, None, None, Some("no".into())]);
    assert_eq!(
        (second.of[0].clone(), second.began, second.ended),
        (first.of[0].clone(), first.began, times.1)
    );
    assert!(second.refused.is_empty());
}

#[test]
fn what_is_written_is_read_and_of_this_part_alone() {
    let outcomes = some();
    let mut bytes = Vec::new();
    outcomes.write(PLAN, Part::Shard(2), &actions(), &mut bytes).unwrap();
    assert_eq!(Outcomes::read(&bytes, PLAN, Part::Shard(2), &actions()), Ok(outcomes));
    assert_eq!(Tally::read(&bytes, PLAN, Part::Shard(2)), Ok(Tally { left: 2 }));
    assert!(Outcomes::read(&bytes, PLAN, Part::Shard(1), &actions()).is_err());
    assert!(Outcomes::read(&bytes, PlanId([4; 16]), Part::Shard(2), &actions()).is_err());
    assert!(Outcomes::read(&bytes, PLAN, Part::Shard(2), &actions()[1..]).is_err());
    let mut others = actions();
    others.swap(0, 1);
    assert!(Outcomes::read(&bytes, PLAN, Part::Shard(2), &others).is_err());
    let text = String::from_utf8(bytes).unwrap();
    let edited = text.replace("\"event\":\"failed\"", "\"event\":\"vanished\"");
    assert_ne!(edited, text);
    for broken in [&edited[..], &text[..text.len() - 30], &text[1..], ""] {
        let read = Outcomes::read(broken.as_bytes(), PLAN, Part::Shard(2), &actions());
        assert_eq!(read, Err(PlanFileError::Broken));
    }
}

#[test]
fn a_forger_says_nothing_that_no_try_comes_to() {
    for line in [
        r#"{"event":"done","path":"a","action":"copy","bytes":5,"seconds":0.0,"tries":1,"error":"no"}"#,
        r#"{"event":"failed","path":"a","action":"copy","bytes":5,"seconds":0.0,"tries":1,"error":null}"#,
        r#"{"event":"done","path":"b","action":"copy","bytes":5,"seconds":0.0,"tries":1,"error":null}"#,
        r#"{"event":"done","path":"a","action":"delete","bytes":5,"seconds":0.0,"tries":1,"error":null}"#,
        r#"{"event":"done","path":"a","action":"copy","bytes":-5,"seconds":0.0,"tries":1,"error":null}"#,
    ] {
        let part = [action(b"a", Deed::Copy)];
        let mut bytes = Vec::new();
        some().write(PLAN, Part::First, &[], &mut bytes).unwrap();
        let first = String::from_utf8(bytes).unwrap();
        let first = first.lines().next().unwrap().replace("\"actions\":5", "\"actions\":1");
        let mut bytes = format!("{first}\n{line}\n").into_bytes();
        let last = last_line(1, blake3::hash(&bytes));
        bytes.extend(last);
        let read = Outcomes::read(&bytes, PLAN, Part::First, &part);
        assert!(matches!(read, Err(PlanFileError::Line { line: 2, .. })), "{line}: {read:?}");
    }
}

#[test]
fn a_forger_has_no_file_renamed_that_no_run_has_sent() {
    let part = [action(b"d/a", Deed::Copy)];
    let temporary = Temporary { run: RunId { owner: 1, run: 2 }, key: Key::Of(7), number: 3, serial: 4 };
    let path = RelPath::parse("d/a").unwrap();
    let sent = |temporary: RelPath| {
        let file = HeldFile { path: path.clone(), temporary, bytes: 9, mtime: None, of_earlier: false };
        let outcome = Outcome { held: Some(Box::new(file)), ..Outcome::found_done(5) };
        let report = report(vec![(part[0].clone(), outcome)]);
        let now = at("2026-11-22T01:00:00Z");
        let mut bytes = Vec::new();
        let outcomes = Outcomes::of_try(&part, None, &report, (now, now));
        outcomes.write(PLAN, Part::First, &part, &mut bytes).unwrap();
        Outcomes::read(&bytes, PLAN, Part::First, &part)
    };
    assert!(sent(temporary.beside(&path)).is_ok());
    for other in [&path, &RelPath::parse("d/b").unwrap(), &temporary.beside(&RelPath::parse("e/a").unwrap())]
    {
        let read = sent(other.clone());
        assert!(matches!(read, Err(PlanFileError::Line { line: 2, .. })), "{other}: {read:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, line in ".{0,60}") {
        let mut sealed = [line.as_bytes(), b"\n"].concat();
        let last = last_line(0, blake3::hash(&sealed));
        sealed.extend(last);
        for bytes in [bytes, sealed] {
            let _ = Outcomes::read(&bytes, PLAN, Part::First, &[]);
            let _ = Tally::read(&bytes, PLAN, Part::First);
        }
    }
}
