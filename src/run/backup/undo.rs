//! What a run set aside comes back.
//!
//! What lies in the run's directory is what is still to come back, so undoing twice, or after it was interrupted, does what is left.
//! What the run put in the place of an old file, and nobody changed since, makes room for it: it goes to a directory beside the
//! manifest, so that undoing loses nothing either. What somebody changed since stays, and so does what is in its way.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Entry, Kind, Mtime, RelPath, Remedy};
use crate::plan::Deed;
use crate::run::backup::in_aside;
use crate::run::backup::manifest::{self, Facts, Header, Line, ManifestError, UNDONE_NAME};
use crate::store::{ReadRequest, Renaming, Session, StoreError, StoreResult, Way};

/// What undoing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Files and links that are back.
    pub restored: Vec<RelPath>,
    /// Directories that were made again.
    pub dirs: Vec<RelPath>,
    /// Files that have their old names again: where they are, and where they were.
    pub renamed: Vec<(RelPath, RelPath)>,
    /// What could not come back, with the reason.
    pub kept: Vec<(RelPath, String)>,
    /// Files that the run had added. They stay.
    pub added: usize,
}

/// Reads the manifest of the run whose directory is the session's tree.
///
/// # Errors
/// Why it can't be read; the reason it can't be used is the cause then.
pub fn read_manifest(session: &mut dyn Session, name: &str) -> StoreResult<(Header, Vec<Line>)> {
    let path = manifest::path();
    let fail = |why: String| StoreError::new("use", &path, name, Remedy::Abort, std::io::Error::other(why));
    let mut incoming = session.read(&ReadRequest { path: path.clone(), size: None }, None)?;
    let (mut bytes, mut block) = (Vec::new(), vec![0; 256 << 10]);
    loop {
        let n = incoming.read(&mut block)?;
        if n == 0 {
            break;
        }
        bytes.extend_from_slice(&block[..n]);
        if bytes.len() as u64 > manifest::MOST_BYTES {
            return Err(fail("it is larger than any that this program writes".to_owned()));
        }
    }
    incoming.finish()?;
    manifest::parse(&bytes).map_err(|e: ManifestError| fail(e.to_string()))
}

/// Undoes the run that wrote this manifest, or says what that would do. The session's tree is the run's destination; where it
/// sets things aside is the directory of the run.
///
/// # Errors
/// Where it can't be told what is there. All else is in what comes back.
pub fn undo(session: &mut dyn Session, header: &Header, lines: &[Line], dry: bool) -> StoreResult<Undone> {
    let mut undone =
        Undone { added: lines.iter().filter(|line| line.deed == Deed::Copy).count(), ..Undone::default() };
    let moved: Vec<&Line> = lines
        .iter()
        .filter(|line| matches!(line.deed, Deed::Replace | Deed::Delete | Deed::Rename))
        .collect();
    let mut old = in_aside(session, |session| look(session, moved.iter().map(|line| &line.path)))?;
    // A directory there is only where others lie.
    old.retain(|_, entry| !entry.is_dir());
    let targets = lines.iter().filter_map(|line| line.to.as_ref());
    let of_interest = lines.iter().filter(|line| line.deed != Deed::Copy).map(|line| &line.path);
    let mut now = look(session, of_interest.chain(targets))?;

    // Files that took the place of directories.
    let gone_dirs: BTreeSet<&RelPath> =
        lines.iter().filter(|line| line.deed == Deed::DeleteDir).map(|line| &line.path).collect();
    let in_place_of_dirs: Vec<&Line> = lines
        .iter()
        .filter(|line| line.deed == Deed::Replace && gone_dirs.contains(&line.path))
        .filter(|line| now.get(&line.path).is_some_and(|entry| !entry.is_dir()))
        .collect();
    let unchanged = are_unchanged(session, &in_place_of_dirs, &now, header.times)?;
    let giving_way: Vec<&Line> =
        in_place_of_dirs.into_iter().zip(unchanged).filter_map(|(line, is)| is.then_some(line)).collect();
    if !dry {
        make_room(session, &giving_way, &mut undone);
    }
    for line in &giving_way {
        now.remove(&line.path);
    }

    let mut back: Vec<&Line> = Vec::new();
    let mut swapped: Vec<&Line> = Vec::new();
    for line in moved.into_iter().filter(|line| old.contains_key(&line.path)) {
        match now.get(&line.path) {
            None => back.push(line),
            Some(there) if there.kind == Kind::Dir => {
                undone.kept.push((line.path.clone(), "a directory is in its place now".to_owned()));
            }
            Some(_) if line.deed == Deed::Replace => swapped.push(line),
            Some(_) => undone.kept.push((line.path.clone(), "there is a new file of that name".to_owned())),
        }
    }
    let unchanged = are_unchanged(session, &swapped, &now, header.times)?;
    for (line, is_unchanged) in swapped.iter().zip(unchanged) {
        if is_unchanged {
            back.push(line);
        } else {
            undone.kept.push((line.path.clone(), "it was changed since that run".to_owned()));
        }
    }
    let renamed: Vec<&Line> = lines.iter().filter(|line| is_renamed(line, &old, &now)).collect();

    let gone = lines.iter().filter(|line| line.deed == Deed::DeleteDir).map(|line| line.path.clone());
    let needed = back.iter().chain(&renamed).filter_map(|line| line.path.parent());
    let is_missing = |dir: &RelPath| !dir.is_root() && !now.contains_key(dir);
    let dirs: BTreeSet<RelPath> = with_parents(gone.chain(needed)).into_iter().filter(is_missing).collect();
    if dry {
        undone.dirs = dirs.into_iter().collect();
        undone.restored = back.iter().map(|line| line.path.clone()).collect();
        undone.restored.sort();
        let pair = |line: &&Line| Some((line.to.clone()?, line.path.clone()));
        undone.renamed = renamed.iter().filter_map(pair).collect();
        return Ok(undone);
    }

    let dirs: Vec<RelPath> = dirs.into_iter().collect();
    for (dir, made) in dirs.iter().zip(in_parts(&dirs, |part| session.make_dirs(part))) {
        match made {
            Ok(()) => undone.dirs.push(dir.clone()),
            Err(e) => undone.kept.push((dir.clone(), e.to_string())),
        }
    }
    for part in back.chunks(AT_ONCE) {
        bring_back(session, part, &now, &mut undone);
    }
    let pairs: Vec<Renaming> = renamed
        .iter()
        .filter_map(|line| Some(Renaming { from: line.to.clone()?, to: line.path.clone() }))
        .collect();
    for (pair, result) in pairs.iter().zip(in_parts(&pairs, |part| session.rename_files(part))) {
        match result {
            Ok(()) => undone.renamed.push((pair.from.clone(), pair.to.clone())),
            Err(e) => undone.kept.push((pair.to.clone(), e.to_string())),
        }
    }
    undone.restored.sort();
    undone.kept.sort();
    Ok(undone)
}

/// Brings files back; what is in their places makes room.
fn bring_back(
    session: &mut dyn Session,
    part: &[&Line],
    now: &BTreeMap<RelPath, Entry>,
    undone: &mut Undone,
) {
    let there: Vec<&Line> = part.iter().copied().filter(|line| now.contains_key(&line.path)).collect();
    let (made_room, in_the_way) = make_room(session, &there, undone);
    let files: Vec<Renaming> = part
        .iter()
        .filter(|line| !in_the_way.contains(&line.path))
        .map(|line| Renaming { from: line.path.clone(), to: line.path.clone() })
        .collect();
    let mut failed: BTreeSet<RelPath> = BTreeSet::new();
    for (file, result) in files.iter().zip(session.carry_files(&files, Way::Back)) {
        match result {
            Ok(()) => undone.restored.push(file.to.clone()),
            Err(e) => {
                undone.kept.push((file.to.clone(), e.to_string()));
                failed.insert(file.to.clone());
            }
        }
    }
    let again: Vec<Renaming> = made_room
        .into_iter()
        .filter(|file| failed.contains(&file.from))
        .map(|file| Renaming { from: file.to, to: file.from })
        .collect();
    if !again.is_empty() {
        // Where that fails, too, the file is where it was moved.
        drop(session.carry_files(&again, Way::Back));
    }
}

/// Moves what the run put at these paths to where undoing leaves it. Returns what was moved, and the paths where that failed.
fn make_room(
    session: &mut dyn Session,
    lines: &[&Line],
    undone: &mut Undone,
) -> (Vec<Renaming>, BTreeSet<RelPath>) {
    let place = RelPath::parse(UNDONE_NAME).expect("a literal");
    let files: Vec<Renaming> =
        lines.iter().map(|line| Renaming { from: line.path.clone(), to: place.append(&line.path) }).collect();
    let (mut made, mut failed) = (Vec::new(), BTreeSet::new());
    if files.is_empty() {
        return (made, failed);
    }
    let dirs: Vec<RelPath> =
        with_parents(files.iter().filter_map(|file| file.to.parent())).into_iter().collect();
    // One that can't be made shows in what can't be moved there.
    in_aside(session, |session| drop(session.make_dirs(&dirs)));
    for (file, moved) in files.iter().zip(session.carry_files(&files, Way::Aside)) {
        match moved {
            Ok(()) => made.push(file.clone()),
            Err(e) => {
                undone.kept.push((file.from.clone(), e.to_string()));
                failed.insert(file.from.clone());
            }
        }
    }
    (made, failed)
}

/// Returns for each file whether it is what the run put there.
fn are_unchanged(
    session: &mut dyn Session,
    files: &[&Line],
    now: &BTreeMap<RelPath, Entry>,
    times: bool,
) -> StoreResult<Vec<bool>> {
    let new = |line: &&Line| line.new.unwrap_or(Facts { size: None, mtime: None });
    let has_size = |line: &&Line| {
        let there = &now[&line.path];
        match (new(line).size, there.size) {
            (Some(new), Some(there)) => new == there,
            // A link has none.
            (None, _) | (_, None) => true,
        }
    };
    let asked: Vec<RelPath> =
        files.iter().filter(|line| times && has_size(line)).map(|line| line.path.clone()).collect();
    let told = if asked.is_empty() || session.capabilities().exact_times {
        BTreeMap::new()
    } else {
        let answers = in_parts(&asked, |part| session.mtimes(part));
        let known =
            asked.iter().cloned().zip(answers).filter_map(|(path, answer)| Some((path, answer.ok()??)));
        known.collect::<BTreeMap<_, _>>()
    };
    let has_time = |line: &&Line| {
        let there = told.get(&line.path).copied().or_else(|| now[&line.path].mtime.filter(Mtime::is_exact));
        match (new(line).mtime, there) {
            (Some(new), Some(there)) => new == there.at.timestamp(),
            // What can't be compared doesn't decide: nothing is lost by taking it for the same.
            (None, _) | (_, None) => true,
        }
    };
    Ok(files.iter().map(|line| has_size(line) && (!times || has_time(line))).collect())
}

/// Returns whether the file of this line is under its new name, and nothing under the old one.
fn is_renamed(line: &Line, old: &BTreeMap<RelPath, Entry>, now: &BTreeMap<RelPath, Entry>) -> bool {
    let Some(there) = line.to.as_ref().and_then(|to| now.get(to)) else { return false };
    let size = line.new.and_then(|new| new.size);
    there.kind == Kind::File
        && (size.is_none() || there.size.is_none() || size == there.size)
        && !old.contains_key(&line.path)
        && !now.contains_key(&line.path)
}

/// Returns what is at these paths, by the listings of the directories they are in. Only directories that are there are listed.
fn look<'p>(
    session: &mut dyn Session,
    paths: impl Iterator<Item = &'p RelPath>,
) -> StoreResult<BTreeMap<RelPath, Entry>> {
    let wanted: BTreeSet<&RelPath> = paths.collect();
    let dirs = with_parents(wanted.iter().filter_map(|path| path.parent()));
    let mut found = BTreeMap::new();
    let mut level = if wanted.is_empty() { Vec::new() } else { vec![RelPath::root()] };
    while !level.is_empty() {
        let mut next = Vec::new();
        for listing in in_parts(&level, |part| session.list(part)) {
            for entry in listing?.entries {
                if entry.is_dir() && dirs.contains(&entry.path) {
                    next.push(entry.path.clone());
                }
                if dirs.contains(&entry.path) || wanted.contains(&entry.path) {
                    found.insert(entry.path.clone(), entry);
                }
            }
        }
        level = next;
    }
    Ok(found)
}

fn with_parents(dirs: impl Iterator<Item = RelPath>) -> BTreeSet<RelPath> {
    let mut all = BTreeSet::new();
    for dir in dirs {
        let mut next = Some(dir).filter(|dir| !dir.is_root());
        while let Some(dir) = next {
            next = dir.parent().filter(|above| !above.is_root());
            if !all.insert(dir) {
                break;
            }
        }
    }
    all
}

fn in_parts<I, T>(items: &[I], step: impl FnMut(&[I]) -> Vec<T>) -> Vec<T> {
    items.chunks(AT_ONCE).flat_map(step).collect()
}

const AT_ONCE: usize = 64;
