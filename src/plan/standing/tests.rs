use std::borrow::Cow;

use super::same::is_same_time;
use super::*;
use crate::model::{Mtime, Offset, Precision, Unproven, Zone};
use crate::plan::{PlanOptions, plan};

const T: &str = "2026-11-21T10:02:37Z";

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Files as `path=content`, links as `path>target`, a path alone is a directory.
fn tree(all: &[&str]) -> Tree {
    let entry = |text: &&str| match (text.split_once('='), text.split_once('>')) {
        (Some((name, content)), _) => {
            Entry::file(path(name), content.len() as u64, Some(Mtime::exact(T.parse().unwrap())))
        }
        (None, Some((name, target))) => {
            Entry { target: Some(target.as_bytes().into()), ..Entry::new(path(name), Kind::Symlink) }
        }
        (None, None) => Entry::new(path(text), Kind::Dir),
    };
    Tree::new(all.iter().map(entry).collect(), Default::default())
}

fn planned(source: &[&str], destination: &[&str]) -> Plan {
    let options = PlanOptions { delete: true, ..PlanOptions::default() };
    plan(&tree(source), &tree(destination), &BTreeSet::new(), &Evidence::default(), &options)
}

fn stand(plan: &Plan, source: &Tree, destination: &Tree) -> Vec<String> {
    let (keeps, evidence) = (BTreeSet::new(), Evidence::default());
    let now = Now {
        source,
        destination,
        keeps: &keeps,
        evidence: &evidence,
        compare: CompareOptions::default(),
        permissions: true,
        sets_aside: false,
    };
    let all = plan.actions.iter().zip(standings(plan, &now)).map(|(action, standing)| {
        let standing = match standing {
            Standing::Stale(why) => why,
            other => format!("{other:?}").to_lowercase(),
        };
        format!("{} {}: {standing}", action.deed.as_str(), action.path)
    });
    all.collect()
}

#[test]
fn what_is_as_it_was_is_due_and_what_is_as_it_is_to_be_is_done() {
    let source = ["d", "d/new=12", "f=123", "to", "to/x=1", "was>f"];
    let destination = ["f=1", "old", "old/x=1", "to=1", "g=1"];
    let plan = planned(&source, &destination);
    let due = |line: &String| line.ends_with(": due");
    assert!(plan.actions.len() >= 8, "{:?}", plan.actions);
    let lines = stand(&plan, &tree(&source), &tree(&destination));
    assert!(lines.iter().all(due), "{lines:#?}");
    let after = ["d", "d/new=12", "f=123", "to", "to/x=1", "was>f"];
    let lines = stand(&plan, &tree(&source), &tree(&after));
    assert!(lines.iter().all(|line| line.ends_with(": done")), "{lines:#?}");
}

#[test]
fn what_is_not_listed_is_not_done_by_that() {
    let (source, destination) = (["d", "d/to", "d/to/x=1", "new/f=1"], ["d", "d/to=1", "old/f=1"]);
    let mut plan = planned(&source, &destination);
    let entry =
        |name: &str| Some(Box::new(tree(&[&format!("{name}=1")]).get(&path(name)).unwrap().into_owned()));
    plan.actions.held_mut().retain(|action| action.path == path("d/to") && action.deed == Deed::Delete);
    plan.actions.held_mut().push(Action {
        path: path("old/f"),
        deed: Deed::Rename,
        phase: Phase::Renames,
        reason: Reason::Missing,
        source: entry("new/f"),
        destination: entry("old/f"),
        obstacle: None,
    });
    let mut there = tree(&["d", "new/f=1", "old"]);
    let done = ["delete d/to: done", "rename old/f: done"];
    assert_eq!(stand(&plan, &tree(&source), &there), done);
    for dir in ["d", "old"] {
        there.add_doubt(path(dir), Unproven("cut".into()));
    }
    let lines = stand(&plan, &tree(&source), &there);
    assert!(lines.iter().all(|line| line.contains("stale: ") && line.ends_with("cut")), "{lines:#?}");
}

#[test]
fn what_was_assumed_and_what_is_there_is_said() {
    let (source, destination) = (["d", "d/e", "d/e/x=1", "f=123", "n=1"], ["f=1", "gone=22", "o", "o/p=1"]);
    let plan = planned(&source, &destination);
    let at = "2026-11-21 10:02:37";
    let lines = |source: &[&str], destination: &[&str]| {
        let lines = stand(&plan, &tree(source), &tree(destination));
        lines.into_iter().filter(|line| !line.ends_with(": due")).collect::<Vec<_>>()
    };
    let had = |what: &str, side: &str, then: &str, now: &str| {
        let told = format!("the {side} had {then} when the plan was made, and has {now}");
        vec![format!("{what}: stale: {told}")]
    };
    let file = |size: u64| format!("a file of {size} B of {at}");
    assert_eq!(
        lines(&source, &["f=4444", "gone=22", "o", "o/p=1"]),
        had("replace f", "destination", &file(1), &file(4))
    );
    assert_eq!(
        lines(&["d", "d/e", "d/e/x=1", "f", "n=1"], &destination),
        had("replace f", "source", &file(3), "a directory")
    );
    assert_eq!(
        lines(&["d", "d/e", "d/e/x=1", "f=123"], &destination),
        had("copy n", "source", &file(1), "nothing there")
    );
    assert_eq!(
        lines(&source, &["f=1", "gone=22", "n>f", "o", "o/p=1"]),
        had("copy n", "destination", "nothing there", "a symbolic link to `f`")
    );
    let mut all = had("create_dir d", "destination", "nothing there", &file(2));
    all.push("create_dir d/e: stale: `d` is not made".to_owned());
    all.push("copy d/e/x: stale: `d/e` is not made".to_owned());
    assert_eq!(lines(&source, &["d=22", "f=1", "gone=22", "o", "o/p=1"]), all);
    let mut all = had("delete gone", "source", "nothing there", &file(1));
    assert_eq!(lines(&["d", "d/e", "d/e/x=1", "f=123", "gone=1", "n=1"], &destination), all);
    all = vec!["delete_dir o: stale: it holds `o/q`, which stays".to_owned()];
    assert_eq!(lines(&source, &["f=1", "gone=22", "o", "o/p=1", "o/q=1"]), all);
    // What stays in a directory for its own reason keeps it, too.
    all = had("delete o/p", "destination", &file(1), &file(2));
    all.push("delete_dir o: stale: it holds `o/p`, which stays".to_owned());
    assert_eq!(lines(&source, &["f=1", "gone=22", "o", "o/p=22"]), all);
}

#[test]
fn nothing_is_written_to_where_a_link_has_taken_the_place_of_a_directory() {
    let (source, destination) = (["d", "d/x=1"], ["d"]);
    let plan = planned(&source, &destination);
    let told = "the destination had a directory when the plan was made, and has a symbolic link to `/etc`";
    assert_eq!(stand(&plan, &tree(&source), &tree(&["d>/etc"])), [format!("copy d/x: stale: `d`: {told}")]);
}

#[test]
fn what_is_not_proven_is_not_assumed() {
    let (source, destination) = (["d", "d/new=1", "d/same=1"], ["d", "d/old=1", "d/same=1"]);
    let plan = planned(&source, &destination);
    let doubtful = |all: &[&str]| {
        let entries = tree(all).entries().map(Cow::into_owned).collect::<Vec<_>>();
        Tree::new(entries, [(path("d"), Unproven("cut".into()))].into())
    };
    assert_eq!(
        stand(&plan, &doubtful(&source), &tree(&destination)),
        ["copy d/new: due", "delete d/old: stale: the source's listing of `d` is not proven: cut"]
    );
    let told = "stale: the destination's listing of `d` is not proven: cut";
    assert_eq!(
        stand(&plan, &tree(&source), &doubtful(&destination)),
        [format!("copy d/new: {told}"), format!("delete d/old: {told}")]
    );
    let closed = tree(&["d"]).with_maybe_closed([path("d")].into());
    assert!(stand(&plan, &closed, &tree(&destination))[1].contains("doesn't prove that it hasn't it"));
}

#[test]
fn the_form_of_a_listing_is_no_change() {
    use Precision::{Day, Minute, Second};
    let india = Zone::Local(Offset::from_minutes(330).unwrap());
    let at = |text: &str, precision, zone| Some(Mtime { at: text.parse().unwrap(), precision, zone });
    let exact = |text: &str| at(text, Second, Zone::Utc);
    for (then, now, same) in [
        (exact(T), exact(T), true),
        (exact(T), exact("2026-11-21T10:02:38Z"), false),
        (exact(T), exact("2026-11-21T10:02:37.5Z"), true),
        (exact("2026-11-21T10:02:37.4Z"), exact("2026-11-21T10:02:37.5Z"), false),
        (exact(T), at("2026-11-21T10:02:00Z", Minute, Zone::Utc), true),
        // Half a year later.
        (
            at("2026-11-21T10:02:00Z", Minute, Zone::Unknown),
            at("2026-11-21T00:00:00Z", Day, Zone::Unknown),
            true,
        ),
        (
            at("2026-11-21T10:02:00Z", Minute, Zone::Unknown),
            at("2026-11-22T00:00:00Z", Day, Zone::Unknown),
            false,
        ),
        (
            at("2026-11-21T10:02:00Z", Minute, Zone::Unknown),
            at("2026-11-21T10:03:00Z", Minute, Zone::Unknown),
            false,
        ),
        // The same digits, of which a zone is known now.
        (at("2026-11-21T10:02:00Z", Minute, Zone::Unknown), at("2026-11-21T04:32:00Z", Minute, india), true),
        (exact("2026-11-21T04:32:30Z"), at("2026-11-21T04:32:00Z", Minute, india), true),
        // Of an exact time and digits of no known zone nobody knows.
        (exact(T), at("2026-11-21T10:02:00Z", Minute, Zone::Unknown), false),
        (exact(T), None, false),
        (None, exact(T), true),
    ] {
        assert_eq!(is_same_time(then, now), same, "{then:?} {now:?}");
    }
}

#[test]
fn only_directories_of_the_plan_are_looked_at() {
    let plan = planned(
        &["a", "a/b", "a/b/new=1", "c", "c/same=1"],
        &["a", "a/b", "c", "c/same=1", "e", "e/f", "e/f/x=1"],
    );
    let dirs: Vec<String> = directories(&plan).iter().map(ToString::to_string).collect();
    assert_eq!(dirs, ["a", "a/b", "e", "e/f"]);
}

#[test]
fn permissions_are_assumed_where_they_are_carried() {
    let file = |mode: u16, content: &str| {
        let entries = tree(&[&format!("f={content}")]).entries().map(Cow::into_owned).collect::<Vec<_>>();
        let entry = |entry: Entry| Entry { mode: Some(mode), ..entry };
        Tree::new(entries.into_iter().map(entry).collect(), Default::default())
    };
    let options = PlanOptions { permissions: true, ..PlanOptions::default() };
    let (source, destination) = (file(0o755, "x"), file(0o644, "x"));
    let plan = plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), &options);
    let had = "stale: the destination had a file of 1 B of 2026-11-21 10:02:37";
    for (source, destination, told) in [
        (&source, &destination, "due".to_owned()),
        (&source, &file(0o755, "x"), "done".to_owned()),
        (&source, &file(0o4755, "x"), "done".to_owned()),
        (
            &source,
            &file(0o600, "x"),
            format!("{had} and permissions 0644 when the plan was made, and has 0600"),
        ),
        (
            &source,
            &file(0o644, "xyz"),
            format!("{had} when the plan was made, and has a file of 3 B of 2026-11-21 10:02:37"),
        ),
        (
            &file(0o700, "x"),
            &destination,
            format!(
                "{} and permissions 0755 when the plan was made, and has 0700",
                had.replace("destination", "source")
            ),
        ),
    ] {
        assert_eq!(stand(&plan, source, destination), [format!("chmod f: {told}")]);
    }
}

#[test]
fn a_place_that_was_cleared_by_a_try_that_was_killed_is_taken() {
    let plan = planned(&["a=22", "d", "d/b=22"], &["a=1", "d", "d/b=1"]);
    let (source, there) = (tree(&["a=22", "d", "d/b=22"]), tree(&["d", "d/b=1"]));
    let other = tree(&["a=333", "d", "d/b=1"]);
    let (keeps, evidence) = (BTreeSet::new(), Evidence::default());
    let now = |sets_aside, destination| Now {
        source: &source,
        destination,
        keeps: &keeps,
        evidence: &evidence,
        compare: CompareOptions::default(),
        permissions: true,
        sets_aside,
    };
    assert_eq!(standings(&plan, &now(true, &there)), [Standing::Vacant, Standing::Due]);
    assert!(matches!(standings(&plan, &now(false, &there))[0], Standing::Stale(_)));
    // What is there is somebody else's, and what can't be seen may be there.
    assert!(matches!(standings(&plan, &now(true, &other))[0], Standing::Stale(_)));
    let unproven = [(RelPath::root(), Unproven("cut short".into()))].into();
    let unproven = Tree::new(there.entries().map(Cow::into_owned).collect(), unproven);
    assert!(matches!(standings(&plan, &now(true, &unproven))[0], Standing::Stale(_)));
}
