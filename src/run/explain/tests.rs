use super::*;
use crate::compare::Basis;
use crate::execute::Silent;
use crate::filter::Filter;
use crate::plan::{GuardOptions, MaxDelete, Presence};
use crate::store::memory::{MemoryStore, Node};

fn path(text: &str) -> RelPath {
    RelPath::parse(text.trim_end_matches('/')).unwrap()
}

/// A store of `name content @second` and of directories.
fn store(entries: &[&str]) -> MemoryStore {
    let node = |text: &&str| match text.split_once(' ') {
        None => (path(text), Node::Dir),
        Some((name, rest)) => {
            let (content, second) = rest.split_once('@').unwrap_or((rest, "0"));
            let second: i64 = second.parse().unwrap();
            let mtime = Mtime::from_unix(1_700_000_000 + second, 0).unwrap();
            (path(name), Node::File { content: content.as_bytes().to_vec(), mtime })
        }
    };
    MemoryStore::new(entries.iter().map(node))
}

fn told(source: MemoryStore, destination: MemoryStore, options: &RunOptions, of: &str) -> Explanation {
    let (source, destination): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source), Arc::new(destination));
    explain(&source, &destination, options, (&path(of), of.ends_with('/')), &Silent).unwrap().1
}

fn fact<'e>(explanation: &'e Explanation, about: &str) -> Vec<&'e str> {
    explanation.facts.iter().filter(|(fact, _)| *fact == about).map(|(_, text)| text.as_str()).collect()
}

fn excluding(pattern: &str) -> Filter {
    let mut filter = Filter::default();
    filter.push_from(Verdict::Exclude, pattern, "rules line 7").unwrap();
    filter
}

/// Both sides, options, the path, what is done with it, and the conclusion in parts.
type Situation<'s> = (&'s [&'s str], &'s [&'s str], RunOptions, &'s str, &'s [Deed], &'s str);

#[test]
fn each_situation_has_its_reason() {
    let usual = RunOptions::default();
    let delete = RunOptions { delete: true, ..usual.clone() };
    let limits = crate::filter::Limits { max_bytes: Some(3), ..Default::default() };
    let compare = |compare| RunOptions { compare, ..usual.clone() };
    let update = CompareOptions { update: true, ..CompareOptions::default() };
    let always = CompareOptions { basis: Basis::Always, ..CompareOptions::default() };
    let cases: &[Situation<'_>] = &[
        (&["a new"], &[], usual.clone(), "a", &[Deed::Copy], "it is sent: new, 3 B"),
        (&["a new"], &["a old!"], usual.clone(), "a", &[Deed::Replace], "size 4 B → 3 B"),
        (
            &["a x@5"],
            &["a y@0"],
            usual.clone(),
            "a",
            &[Deed::Replace],
            "time 2023-11-14 22:13:20 → 2023-11-14 22:13:25",
        ),
        (&["a x"], &["a x"], usual.clone(), "a", &[], "it stays as it is: the same on both sides"),
        (&["a x@0"], &["a y@9"], compare(update), "a", &[], "--update, and the destination's is newer"),
        (&["a x"], &["a x"], compare(always), "a", &[Deed::Replace], "asked for"),
        (
            &["b x"],
            &["a x", "b x"],
            usual.clone(),
            "a",
            &[],
            "only the destination has it, and --delete was not asked for",
        ),
        (&["b x"], &["a x", "b x"], delete.clone(), "a", &[Deed::Delete], "it is deleted at the destination"),
        (
            &["d", "d/a x"],
            &[],
            usual.clone(),
            "d",
            &[Deed::CreateDir],
            "the directory is made at the destination: new",
        ),
        (
            &["b x"],
            &["d", "d/a x", "b x"],
            delete.clone(),
            "d",
            &[Deed::DeleteDir],
            "the directory is removed",
        ),
        (&["d x"], &["d"], usual.clone(), "d", &[Deed::Replace], "which only --delete removes"),
        (
            &["d", "d/e", "d/e/f x"],
            &["d"],
            RunOptions { filter: excluding("e/"), ..usual.clone() },
            "d/e/f",
            &[],
            "by rules line 7: `e/`, which is about `d/e/`",
        ),
        (
            &["a.map x"],
            &["a.map y"],
            RunOptions { filter: excluding("*.map"), ..usual.clone() },
            "a.map",
            &[],
            "left alone on both sides, by rules line 7: `*.map`",
        ),
        (&[], &[], RunOptions { filter: excluding("e/"), ..usual.clone() }, "e/", &[], "by rules line 7"),
        (
            &["d", "d/.onewayignore *.tmp", "d/a.tmp x"],
            &[],
            usual.clone(),
            "d/a.tmp",
            &[],
            "by d/.onewayignore line 1: `*.tmp`",
        ),
        (&["d", "d/.onewayignore *.tmp"], &[], usual.clone(), "d/.onewayignore", &[], "it holds rules"),
        (&["a long"], &["a old"], RunOptions { limits, ..usual.clone() }, "a", &[], "by its size or age"),
        (&["a x"], &[".oneway-state x"], delete.clone(), ".oneway-state", &[], "oneway has for itself"),
        (
            &["a x"],
            &[],
            RunOptions { presence: Presence::OnlyExisting, ..usual.clone() },
            "a",
            &[],
            "--existing",
        ),
        (
            &["a x"],
            &["a yy"],
            RunOptions { presence: Presence::OnlyNew, ..usual.clone() },
            "a",
            &[],
            "--ignore-existing",
        ),
        (&["a x"], &["a x"], usual.clone(), "b/c", &[], "neither side has it"),
    ];
    for (source, destination, options, of, deeds, conclusion) in cases {
        let told = told(store(source), store(destination), options, of);
        assert_eq!(told.deeds, *deeds, "{of}: {told:#?}");
        assert!(told.conclusion.contains(conclusion), "{of}: {told:#?}");
        assert_eq!(told.is_absent, *of == "b/c", "{of}: {told:#?}");
        assert_eq!(fact(&told, "listing").len(), 2);
    }
}

#[test]
fn a_rename_is_told_from_both_of_its_names() {
    let stores = || (store(&["new same"]).with_checksums(), store(&["old same"]).with_checksums());
    let guard = GuardOptions { max_delete: Some(MaxDelete::Percent(100)), ..GuardOptions::default() };
    let options = RunOptions { delete: true, guard, ..RunOptions::default() };
    for (of, conclusion) in
        [("old", "it is renamed at the destination to `new`"), ("new", "`old` is renamed to this")]
    {
        let (source, destination) = stores();
        let told = told(source, destination, &options, of);
        assert_eq!(told.deeds, [Deed::Rename], "{told:#?}");
        assert!(told.conclusion.contains(conclusion), "{told:#?}");
    }
}

#[test]
fn what_is_not_proven_is_told_with_its_reason_and_keeps_what_is_there() {
    let options = RunOptions { delete: true, ..RunOptions::default() };
    let source = store(&["d", "d/b x"]).with_doubtful([path("d")]);
    let told = told(source, store(&["d", "d/a x", "d/b x"]), &options, "d/a");
    assert_eq!(told.deeds, []);
    assert_eq!(told.conclusion, "it is kept at the destination: the listing of `d` is not proven: told so");
    assert!(fact(&told, "listing")[0].contains("`d` is not proven, so nothing is deleted below it: told so"));
    assert!(fact(&told, "listing")[1].contains("`d` is proven whole"));
}

#[test]
fn a_guard_that_would_refuse_the_run_is_told() {
    let options = RunOptions { delete: true, ..RunOptions::default() };
    let told = told(store(&["b x"]), store(&["a x", "c x"]), &options, "a");
    assert_eq!(told.deeds, [Deed::Delete]);
    let guards = fact(&told, "guards");
    assert!(guards[0].contains("the whole run would be refused: 2 of 2 files"), "{guards:?}");
}

#[test]
fn below_a_directory_changes_are_counted() {
    let told = told(store(&["d", "d/a x", "d/b x"]), store(&["d", "d/a yy"]), &RunOptions::default(), "d");
    assert_eq!((told.deeds.len(), fact(&told, "below")), (0, vec!["1 copy, 1 replace"]), "{told:#?}");
}

#[test]
fn as_json_it_is_one_object() {
    let told = told(store(&["a new"]), store(&[]), &RunOptions::default(), "a");
    let mut line = Vec::new();
    told.write_json(&mut line).unwrap();
    let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        (&object["event"], &object["actions"], &object["reason"]),
        (&json!("explanation"), &json!(["copy"]), &json!("missing"))
    );
    assert_eq!(object["facts"]["listing"].as_array().unwrap().len(), 2);
}
