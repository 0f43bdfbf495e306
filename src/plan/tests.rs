use std::collections::BTreeMap;

use super::*;
use crate::compare::Basis;
use crate::model::{Mtime, Unproven};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// A tree of names: `d/` is a directory, `l@` a link, `l@t` one to `t`, `p!` a device, `f` a file of 1 byte, `f=7` one of 7.
fn tree(names: &[&str]) -> Tree {
    tree_with(names, &[])
}

fn tree_with(names: &[&str], unproven: &[&str]) -> Tree {
    let entries = names.iter().map(|name| {
        if let Some(dir) = name.strip_suffix('/') {
            Entry::new(path(dir), Kind::Dir)
        } else if let Some((link, target)) = name.split_once('@') {
            let target = Some(target).filter(|target| !target.is_empty());
            Entry {
                target: target.map(|target| target.as_bytes().into()),
                ..Entry::new(path(link), Kind::Symlink)
            }
        } else if let Some(device) = name.strip_suffix('!') {
            Entry::new(path(device), Kind::Other)
        } else {
            let (name, size) = name.split_once('=').unwrap_or((name, "1"));
            Entry::file(path(name), size.parse().unwrap(), Mtime::from_unix(1_000_000_000, 0))
        }
    });
    let doubts: BTreeMap<_, _> = unproven
        .iter()
        .map(|dir| {
            let dir = if dir.is_empty() { RelPath::root() } else { path(dir) };
            (dir, Unproven("cut".into()))
        })
        .collect();
    Tree::new(entries.collect(), doubts)
}

fn keeps(dirs: &[&str]) -> BTreeSet<RelPath> {
    dirs.iter().map(|dir| path(dir)).collect()
}

const DELETE: PlanOptions = PlanOptions {
    compare: CompareOptions {
        basis: Basis::SizeTime,
        times: crate::compare::Times::Same,
        window: chrono::Duration::zero(),
        update: false,
    },
    delete: true,
    presence: Presence::Any,
    leave_times: false,
    permissions: false,
    links: Links::Skip,
    makes_links: true,
};

fn lines(plan: &Plan) -> Vec<String> {
    let (refused, done): (Vec<&Action>, Vec<&Action>) =
        plan.actions.held().iter().partition(|a| a.obstacle.is_some());
    let actions = done.into_iter().map(|a| format!("{} {} {}", a.deed.as_str(), a.path, a.reason.as_str()));
    let refused = refused.into_iter().map(|a| format!("refused {}", a.path));
    let skipped = plan.skipped.iter().map(|e| format!("skipped {}", e.path));
    let spared = plan.spared.iter().map(|r| format!("spared {}", r.path));
    actions.chain(refused).chain(skipped).chain(spared).collect()
}

fn planned(source: &[&str], destination: &[&str]) -> Vec<String> {
    lines(&plan(&tree(source), &tree(destination), &BTreeSet::new(), &Evidence::default(), &DELETE))
}

#[test]
fn folders_come_before_their_files_and_deletions_last_and_deepest_first() {
    assert_eq!(
        planned(&["a/", "a/b/", "a/b/f", "g"], &["old/", "old/sub/", "old/sub/x", "y"]),
        [
            "create_dir a missing",
            "create_dir a/b missing",
            "copy a/b/f missing",
            "copy g missing",
            "delete old/sub/x extra",
            "delete y extra",
            "delete_dir old/sub extra",
            "delete_dir old extra",
        ]
    );
}

#[test]
fn large_files_start_first() {
    assert_eq!(
        planned(&["a", "b=2000000", "c=3000000", "d"], &[]),
        ["copy c missing", "copy b missing", "copy a missing", "copy d missing"]
    );
}

#[test]
fn nothing_is_deleted_unless_asked() {
    let kept = plan(
        &tree(&["a"]),
        &tree(&["a", "b", "d/", "d/x"]),
        &BTreeSet::new(),
        &Evidence::default(),
        &PlanOptions::default(),
    );
    assert_eq!(lines(&kept), [""; 0]);
    assert_eq!((kept.unchanged, kept.scanned), (1, 4));
}

#[test]
fn nothing_is_deleted_below_an_unproven_directory_of_either_side() {
    let source = tree_with(&["d/", "ok/"], &["d"]);
    let destination = tree(&["d/", "d/x", "ok/", "ok/y", "old/", "old/z"]);
    assert_eq!(
        lines(&plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), &DELETE)),
        ["delete ok/y extra", "delete old/z extra", "delete_dir old extra", "spared d/x"]
    );
    let destination = tree_with(&["d/", "d/x", "old/", "old/sub/"], &["old/sub"]);
    assert_eq!(
        lines(&plan(&tree(&["d/"]), &destination, &BTreeSet::new(), &Evidence::default(), &DELETE)),
        ["delete d/x extra", "spared old", "spared old/sub"]
    );
}

#[test]
fn a_directory_that_holds_something_outside_the_filter_stays() {
    let destination = tree(&["old/", "old/sub/", "old/sub/x", "old/y"]);
    assert_eq!(
        lines(&plan(&tree(&["a"]), &destination, &keeps(&["old/sub"]), &Evidence::default(), &DELETE)),
        ["copy a missing", "delete old/sub/x extra", "delete old/y extra", "spared old", "spared old/sub"]
    );
}

#[test]
fn what_stands_in_the_place_of_a_link_or_device_is_left_alone() {
    assert_eq!(planned(&["l@", "p!"], &["l/", "l/x", "p"]), ["skipped l", "skipped p"]);
}

#[test]
fn devices_at_the_destination_are_never_deleted() {
    assert_eq!(planned(&["a"], &["a", "d/", "d/p!"]), ["spared d", "spared d/p"]);
}

#[test]
fn a_file_gives_way_to_a_directory() {
    assert_eq!(planned(&["a/", "a/f"], &["a"]), ["delete a kind", "create_dir a kind", "copy a/f missing"]);
}

#[test]
fn a_directory_gives_way_to_a_file_only_with_delete_and_only_whole() {
    let (source, destination) = (tree(&["a"]), tree(&["a/", "a/s/", "a/s/x", "a/y"]));
    assert_eq!(
        lines(&plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), &DELETE)),
        [
            "delete a/s/x extra",
            "delete a/y extra",
            "delete_dir a/s extra",
            "delete_dir a kind",
            "replace a kind",
        ]
    );
    assert_eq!(
        lines(&plan(&source, &destination, &keeps(&["a/s"]), &Evidence::default(), &DELETE)),
        ["refused a"]
    );
    assert_eq!(
        lines(&plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), &PlanOptions::default())),
        ["refused a"]
    );
    let doubtful = tree_with(&["a/", "a/s/"], &["a/s"]);
    assert_eq!(
        lines(&plan(&source, &doubtful, &BTreeSet::new(), &Evidence::default(), &DELETE)),
        ["refused a"]
    );
}

#[test]
fn nothing_is_written_through_a_link_at_the_destination() {
    assert_eq!(planned(&["d/", "d/f"], &["d@"]), ["refused d"]);
    assert_eq!(planned(&["f"], &["f@"]), ["replace f kind"]);
    assert_eq!(planned(&["f"], &["f!"]), ["refused f"]);
}

#[test]
fn nothing_gives_way_to_what_could_not_be_listed() {
    let source = tree_with(&["x/"], &["x"]);
    assert_eq!(
        lines(&plan(&source, &tree(&["x"]), &BTreeSet::new(), &Evidence::default(), &DELETE)),
        ["refused x"]
    );
    let source = tree_with(&["x"], &[""]);
    assert_eq!(
        lines(&plan(&source, &tree(&["x/", "x/in"]), &BTreeSet::new(), &Evidence::default(), &DELETE)),
        ["refused x"]
    );
}

#[test]
fn with_existing_or_ignore_existing_no_kind_gives_way_to_another() {
    for presence in [Presence::OnlyExisting, Presence::OnlyNew] {
        let options = PlanOptions { presence, ..DELETE };
        let run = |source: &[&str], destination: &[&str]| {
            lines(&plan(&tree(source), &tree(destination), &BTreeSet::new(), &Evidence::default(), &options))
        };
        assert_eq!(run(&["x/", "x/c"], &["x"]), [""; 0]);
        assert_eq!(run(&["x"], &["x/", "x/c"]), [""; 0]);
    }
}

#[test]
fn update_and_presence_leave_files_alone() {
    let (source, destination) = (tree(&["a=2", "n"]), tree(&["a=1"]));
    let only = |presence| PlanOptions { presence, ..DELETE };
    let run = |options: &PlanOptions| {
        lines(&plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), options))
    };
    assert_eq!(run(&only(Presence::OnlyNew)), ["copy n missing"]);
    assert_eq!(run(&only(Presence::OnlyExisting)), ["replace a size"]);

    let newer = Entry::file(path("a"), 1, Mtime::from_unix(1_000_000_001, 0));
    let newer = Tree::new(vec![newer], BTreeMap::new());
    let update = PlanOptions { compare: CompareOptions { update: true, ..DELETE.compare }, ..DELETE };
    assert_eq!(
        lines(&plan(&tree(&["a=2"]), &newer, &BTreeSet::new(), &Evidence::default(), &update)),
        [""; 0]
    );
    assert_eq!(
        lines(&plan(&newer, &tree(&["a=2"]), &BTreeSet::new(), &Evidence::default(), &update)),
        ["replace a size"]
    );
}

#[test]
fn the_guards_count_files() {
    let destination = tree(&["a", "b", "d/", "d/c", "d/e"]);
    let verdict = |source: &[&str], options: &GuardOptions| {
        let source = tree(source);
        let plan = plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), &DELETE);
        check(&plan, &source, &destination, options)
    };
    let usual = GuardOptions::default();
    assert_eq!(verdict(&["a", "b"], &usual), Ok(()));
    let most = MaxDelete::Percent(50);
    assert_eq!(
        verdict(&["a"], &usual),
        Err(Refusal::TooManyDeletions { deletions: 3, files: 4, limit: most })
    );
    let three = GuardOptions { max_delete: Some(MaxDelete::Count(3)), ..usual };
    assert_eq!(verdict(&["a"], &three), Ok(()));
    assert_eq!(verdict(&[], &three), Err(Refusal::EmptySource { deletions: 4 }));
    let allowed = GuardOptions { allow_empty_source: true, ..usual };
    assert_eq!(verdict(&[], &allowed), Ok(()));
    let none = GuardOptions { max_delete: Some(MaxDelete::Count(0)), ..allowed };
    assert!(verdict(&[], &none).is_err());
}

fn copied(source: &[&str], destination: &[&str], options: &PlanOptions) -> Vec<String> {
    let options = PlanOptions { links: Links::Copy, ..*options };
    lines(&plan(&tree(source), &tree(destination), &BTreeSet::new(), &Evidence::default(), &options))
}

#[test]
fn links_are_made_where_they_are_missing_or_point_elsewhere() {
    let source = ["a@x", "b@x", "c@x", "d@x", "e@x", "f@x", "x"];
    let destination = ["a@x", "b@y", "c@", "d", "e/", "e/mine", "f!", "gone@x", "x"];
    assert_eq!(
        copied(&source, &destination, &DELETE),
        [
            "replace b checksum",
            "replace c checksum",
            "replace d kind",
            "delete e/mine extra",
            "delete gone extra",
            "delete_dir e kind",
            "replace e kind",
            "refused f",
        ]
    );
    let keep = PlanOptions { delete: false, ..DELETE };
    let kept = copied(&source, &destination, &keep);
    assert_eq!(
        kept,
        ["replace b checksum", "replace c checksum", "replace d kind", "refused f", "refused e"]
    );
    let new = PlanOptions { presence: Presence::OnlyNew, ..keep };
    assert_eq!(
        copied(&source, &["b@y", "d", "e/"], &new),
        ["copy a missing", "copy c missing", "copy f missing", "copy x missing"]
    );
    let existing = PlanOptions { presence: Presence::OnlyExisting, ..keep };
    assert_eq!(copied(&source, &["b@y", "d", "e/"], &existing), ["replace b checksum"]);
}

#[test]
fn a_link_that_cannot_be_made_is_left_out_with_all_in_its_place() {
    let source = ["absolute@/x", "out@../x", "round@d/../..", "d/", "d/up@../../x", "d/ok@../x", "untold@"];
    let destination = ["d/", "out/", "out/mine", "untold"];
    let skipped = ["skipped absolute", "skipped d/up", "skipped out", "skipped round", "skipped untold"];
    assert_eq!(copied(&source, &destination, &DELETE), [&["copy d/ok missing"][..], &skipped[..]].concat());
    let unable = PlanOptions { makes_links: false, ..DELETE };
    let none = copied(&["l@x", "same@x", "other@x"], &["same@x", "other@y"], &unable);
    assert_eq!(none, ["skipped l", "skipped other"]);
}

#[test]
fn a_directory_never_takes_the_place_of_a_link() {
    assert_eq!(copied(&["d/", "d/f"], &["d@x", "x/"], &DELETE), ["delete_dir x extra", "refused d"]);
}
