//! What would be deleted under one name and sent under another, with one content: it is renamed.
//!
//! Only contents that are known count, never a name or a time, and only new names: nothing is renamed onto what is, or may be,
//! there.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::compare::Reason;
use crate::model::{Checksum, ChecksumKind, Checksums, Entry, Kind, RelPath, Tree};
use crate::plan::{Action, Deed, Phase, Plan};
use crate::spill::{Spill, SpillError};

/// Files that may be one file with two names, in the order of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// What would be deleted at the destination.
    pub gone: Vec<Entry>,
    /// What would be sent there under a new name.
    pub new: Vec<Entry>,
}

/// Returns the files of which it is worth knowing the contents: those of a size that both a file to be deleted and a new one have.
/// Empty ones are not among them, since sending one costs less than asking.
pub fn candidates(plan: &Plan, destination: &Tree) -> Candidates {
    let may_be_there = |path: &RelPath| {
        destination.doubt(path).is_some() || destination.may_hide(path) || destination.may_be_closed(path)
    };
    let new = |action: &Action| new(action).filter(|entry| !may_be_there(&entry.path)).cloned();
    // Sizes alone at first: a plan may have more actions than memory is meant for.
    let (mut gone_sizes, mut new_sizes) = (HashSet::new(), HashSet::new());
    for action in &plan.actions {
        gone_sizes.extend(gone(&action).and_then(|entry| entry.size));
        new_sizes.extend(new(&action).and_then(|entry| entry.size));
    }
    let (mut candidates_gone, mut candidates_new) = (Vec::new(), Vec::new());
    if !gone_sizes.is_disjoint(&new_sizes) {
        let is_among =
            |entry: &Entry, sizes: &HashSet<u64>| entry.size.is_some_and(|size| sizes.contains(&size));
        for action in &plan.actions {
            candidates_gone.extend(gone(&action).filter(|entry| is_among(entry, &new_sizes)).cloned());
            candidates_new.extend(new(&action).filter(|entry| is_among(entry, &gone_sizes)));
        }
    }
    let (mut gone, mut new) = (candidates_gone, candidates_new);
    gone.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    new.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Candidates { gone, new }
}

/// Makes renames of those candidates that have one content by what is known of each. Where several have the same, a file keeps its
/// last name if it can, and the rest follow the order of paths; each is used once.
///
/// # Errors
/// When actions that memory is not meant for can't be written anew.
pub fn rename(
    plan: &mut Plan,
    candidates: &Candidates,
    (gone, new): (&Checksums, &Checksums),
    spill: &Spill,
) -> Result<(), SpillError> {
    let pairs = pair(candidates, gone, new);
    if pairs.is_empty() {
        return Ok(());
    }
    let from: HashSet<&RelPath> = pairs.iter().map(|(gone, _)| &gone.path).collect();
    let to: HashSet<&RelPath> = pairs.iter().map(|(_, new)| &new.path).collect();
    let renames = pairs.iter().map(|(gone, new)| Action {
        path: gone.path.clone(),
        deed: Deed::Rename,
        phase: Phase::Renames,
        reason: Reason::Missing,
        source: Some(Box::new((*new).clone())),
        destination: Some(Box::new((*gone).clone())),
        obstacle: None,
    });
    plan.actions.revise(spill, renames, |action| match action.deed {
        Deed::Delete => action.phase != Phase::Deletions || !from.contains(&action.path),
        Deed::Copy => !to.contains(&action.path),
        _ => true,
    })
}

/// Returns the entry of a file that is to be deleted because the source hasn't it.
fn gone(action: &Action) -> Option<&Entry> {
    let is_extra = action.phase == Phase::Deletions && action.reason == Reason::Extra;
    let entry = action.destination.as_deref().filter(|_| is_extra && action.deed == Deed::Delete)?;
    is_worth_it(entry).then_some(entry)
}

/// Returns the entry of a file that is to be sent because the destination hasn't it.
fn new(action: &Action) -> Option<&Entry> {
    let is_new = action.phase == Phase::Files && action.deed == Deed::Copy && action.obstacle.is_none();
    let entry = action.source.as_deref().filter(|_| is_new && action.destination.is_none())?;
    is_worth_it(entry).then_some(entry)
}

fn is_worth_it(entry: &Entry) -> bool {
    entry.kind == Kind::File && entry.size.is_some_and(|size| size > 0)
}

/// What a file is known by. The size stands beside the checksum so that no weak one is asked to tell more than it must.
type Content<'c> = (u64, ChecksumKind, &'c Checksum);

/// Pairs files of one content, old name first. Each file is looked at once for each of its checksums and once for its name.
fn pair<'c>(candidates: &'c Candidates, gone: &Checksums, new: &Checksums) -> Vec<(&'c Entry, &'c Entry)> {
    let mut by_name: HashMap<(Content<'_>, &[u8]), VecDeque<usize>> = HashMap::new();
    let mut by_content: HashMap<Content<'_>, VecDeque<usize>> = HashMap::new();
    for (i, entry) in candidates.gone.iter().enumerate() {
        for content in contents(entry, gone) {
            by_name.entry((content, entry.path.name())).or_default().push_back(i);
            by_content.entry(content).or_default().push_back(i);
        }
    }
    let mut used = vec![false; candidates.gone.len()];
    let mut first = |queue: Option<&mut VecDeque<usize>>| -> Option<usize> {
        let queue = queue?;
        while let Some(i) = queue.pop_front() {
            if !std::mem::replace(&mut used[i], true) {
                return Some(i);
            }
        }
        None
    };
    let mut pairs: Vec<(usize, &Entry)> = Vec::new();
    let mut left: Vec<&Entry> = Vec::new();
    for entry in &candidates.new {
        let name = entry.path.name();
        match contents(entry, new).find_map(|content| first(by_name.get_mut(&(content, name)))) {
            Some(i) => pairs.push((i, entry)),
            None => left.push(entry),
        }
    }
    for entry in left {
        let found = contents(entry, new).find_map(|content| first(by_content.get_mut(&content)));
        pairs.extend(found.map(|i| (i, entry)));
    }
    pairs.into_iter().map(|(i, new)| (&candidates.gone[i], new)).collect()
}

fn contents<'c>(entry: &Entry, known: &'c Checksums) -> impl Iterator<Item = Content<'c>> {
    let size = entry.size.unwrap_or(0);
    known.get(&entry.path).into_iter().flatten().map(move |(kind, sum)| (size, *kind, sum))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Evidence, Mtime, Unproven};
    use crate::plan::{GuardOptions, MaxDelete, PlanOptions, check, plan};

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    /// Files as `path=content`; a path alone is a directory.
    fn entries(files: &[&str]) -> Vec<Entry> {
        let entry = |file: &&str| match file.split_once('=') {
            Some((name, content)) => {
                Entry::file(path(name), content.len() as u64, Mtime::from_unix(1_000_000_000, 0))
            }
            None => Entry::new(path(file), Kind::Dir),
        };
        files.iter().map(entry).collect()
    }

    fn sums(files: &[&str], kind: ChecksumKind) -> Checksums {
        let files = files.iter().filter_map(|file| file.split_once('='));
        files.map(|(name, content)| (path(name), vec![(kind, content.as_bytes().into())])).collect()
    }

    fn tree(files: &[&str]) -> Tree {
        Tree::new(entries(files), Default::default())
    }

    fn planned(source: &Tree, destination: &Tree, delete: bool) -> Plan {
        let options = PlanOptions { delete, ..PlanOptions::default() };
        plan(source, destination, &BTreeSet::new(), &Evidence::default(), &options)
    }

    fn lines(plan: &Plan) -> Vec<String> {
        let line = |action: &Action| match action.target() {
            Some(target) => format!("{} {} -> {target}", action.deed.as_str(), action.path),
            None => format!("{} {}", action.deed.as_str(), action.path),
        };
        plan.actions.held().iter().map(line).collect()
    }

    /// Plans with all contents known.
    fn renamed(source: &[&str], destination: &[&str]) -> Vec<String> {
        let mut plan = planned(&tree(source), &tree(destination), true);
        let candidates = candidates(&plan, &tree(destination));
        let kind = ChecksumKind::Blake3;
        rename(&mut plan, &candidates, (&sums(destination, kind), &sums(source, kind)), &Spill::never())
            .unwrap();
        lines(&plan)
    }

    #[test]
    fn what_has_the_content_of_something_gone_is_renamed() {
        assert_eq!(
            renamed(&["new", "new/a=one", "new/b=two", "c=six"], &["old", "old/a=one", "old/b=two", "x=ten"]),
            [
                "create_dir new",
                "rename old/a -> new/a",
                "rename old/b -> new/b",
                "copy c",
                "delete x",
                "delete_dir old",
            ]
        );
    }

    #[test]
    fn a_file_keeps_its_last_name_if_it_can_and_each_is_used_once() {
        for (source, destination, expected) in [
            (
                &["n", "n/a=1", "n/b=1", "n/c=1"][..],
                &["o", "o/b=1", "o/x=1"][..],
                &["create_dir n", "rename o/b -> n/b", "rename o/x -> n/a", "copy n/c", "delete_dir o"][..],
            ),
            (&["p=1", "q=1"], &["r=1", "s=1", "t=1"], &["rename r -> p", "rename s -> q", "delete t"]),
        ] {
            assert_eq!(renamed(source, destination), expected);
        }
    }

    #[test]
    fn nothing_is_renamed_onto_a_name_that_is_there() {
        // Swapped, and passed on: the names are there on both sides.
        assert_eq!(renamed(&["a=12", "b=123"], &["a=123", "b=12"]), ["replace a", "replace b"]);
        assert_eq!(renamed(&["b=1", "c=22"], &["a=1", "b=22"]), ["replace b", "copy c", "delete a"]);
        assert_eq!(renamed(&["a", "a/a=1"], &["a=1"]), ["delete a", "create_dir a", "copy a/a"]);
        assert_eq!(
            renamed(&["a=1"], &["a", "a/a=1"]),
            ["delete a/a", "delete_dir a", "replace a"],
            "a directory is in the way until all deletions are done"
        );
        // What the listing may have left out.
        let (source, listed) = (tree(&["d", "d/n=1"]), entries(&["d", "o=1"]));
        for destination in [
            Tree::new(listed.clone(), [(path("d"), Unproven("cut".into()))].into()),
            Tree::new(listed.clone(), Default::default()).with_maybe_closed([path("d")].into()),
        ] {
            let plan = planned(&source, &destination, true);
            assert_eq!(candidates(&plan, &destination), Candidates::default());
        }
        let destination = Tree::new(entries(&["o=1"]), Default::default()).with_unseen_hidden(true);
        let plan = planned(&tree(&[".n=1"]), &destination, true);
        assert_eq!(candidates(&plan, &destination), Candidates::default());
    }

    #[test]
    fn only_what_would_be_deleted_and_has_a_fitting_size_is_asked_about() {
        let (source, destination) = (&["n=12345", "m=1", "e="], &["o=54321", "p=666666", "z="]);
        let asked = |plan: &Plan| {
            let Candidates { gone, new } = candidates(plan, &tree(destination));
            let names = |entries: &[Entry]| entries.iter().map(|e| e.path.to_string()).collect::<Vec<_>>();
            (names(&gone), names(&new))
        };
        let all = planned(&tree(source), &tree(destination), true);
        assert_eq!(asked(&all), (vec!["o".to_owned()], vec!["n".to_owned()]));
        assert_eq!(asked(&planned(&tree(source), &tree(destination), false)), (vec![], vec![]));
        let doubtful = Tree::new(entries(source), [(RelPath::root(), Unproven("cut".into()))].into());
        assert_eq!(asked(&planned(&doubtful, &tree(destination), true)), (vec![], vec![]));
    }

    #[test]
    fn contents_are_compared_by_checksums_of_one_kind() {
        let (source, destination) = (tree(&["n=1"]), tree(&["o=1"]));
        let run = |gone: &Checksums, new: &Checksums| {
            let mut plan = planned(&source, &destination, true);
            let candidates = candidates(&plan, &destination);
            rename(&mut plan, &candidates, (gone, new), &Spill::never()).unwrap();
            lines(&plan)
        };
        let (md5, blake3) = (ChecksumKind::Md5, ChecksumKind::Blake3);
        let apart = ["copy n", "delete o"];
        assert_eq!(run(&Checksums::new(), &Checksums::new()), apart);
        assert_eq!(run(&sums(&["o=1"], md5), &sums(&["n=1"], blake3)), apart);
        assert_eq!(run(&sums(&["o=1"], md5), &sums(&["n=2"], md5)), apart);
        let both = Checksums::from([(path("n"), vec![(blake3, b"x"[..].into()), (md5, b"1"[..].into())])]);
        assert_eq!(run(&sums(&["o=1"], md5), &both), ["rename o -> n"]);
    }

    #[test]
    fn a_rename_is_no_deletion() {
        let (source, destination) = (tree(&["n=1", "m=2"]), tree(&["o=1", "p=2"]));
        let mut plan = planned(&source, &destination, true);
        let none = GuardOptions { max_delete: Some(MaxDelete::Count(0)), ..GuardOptions::default() };
        assert!(check(&plan, &source, &destination, &none).is_err());
        let candidates = candidates(&plan, &destination);
        let kind = ChecksumKind::Sha1;
        rename(
            &mut plan,
            &candidates,
            (&sums(&["o=1", "p=2"], kind), &sums(&["n=1", "m=2"], kind)),
            &Spill::never(),
        )
        .unwrap();
        assert_eq!(check(&plan, &source, &destination, &none), Ok(()));
    }

    #[test]
    fn ten_thousand_files_of_one_content_are_paired_at_once() {
        let files = |dir: &str| -> Vec<String> {
            let names = (0..10_000).map(|i| format!("{dir}/{i}=same"));
            std::iter::once(dir.to_owned()).chain(names).collect()
        };
        let (old, new) = (files("old"), files("new"));
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        let started = std::time::Instant::now();
        let lines = renamed(&new, &old);
        assert_eq!(lines.len(), 10_002);
        assert!(lines.contains(&"rename old/77 -> new/77".to_owned()));
        // Half a second where nothing is optimized; what is quadratic takes minutes.
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    }
}
