//! A destination that takes `readme` and `README` for one name. It is asked only where the names of both sides make that matter.

use std::collections::BTreeSet;

use crate::compare::{Folds, LeftOut, folds};
use crate::model::{Kind, RelPath, RunId, Tree, Unproven, temporary_for};
use crate::pool::Pool;
use crate::run::Scanned;
use crate::store::{Session, Settle, StoreError, StoreResult, WriteRequest};

/// What a person should know of it.
#[derive(Debug, Default)]
pub(super) struct Folding {
    pub(super) notes: Vec<String>,
    /// What is left out.
    pub(super) troubles: Vec<String>,
}

/// Makes the trees what they are to a destination that folds case, where it does: what it lists in another spelling has that of the
/// source, and of several names that are one there, one is left. Where that can't be found out, it is taken to fold: then nothing is lost.
///
/// # Errors
/// When no session can be had.
pub(super) fn unfold(
    from: &mut Scanned,
    to: &mut Scanned,
    destination: &Pool,
    dry: bool,
    run_id: RunId,
) -> StoreResult<Folding> {
    let mut folding = Folding::default();
    let Some(Folds { respelled, left_out }) = folds(&from.tree, &to.tree) else { return Ok(folding) };
    let name = destination.store().name();
    let mut lease = destination.lease()?;
    match does_fold(lease.session(), &to.tree, respelled.iter().next(), dry, run_id)? {
        Answer::No => return Ok(folding),
        Answer::Yes => {}
        Answer::Later => {
            let names = "names that differ in case alone are there at the source";
            folding.notes.push(format!("{names}; whether {name} tells them apart shows when files are sent"));
            return Ok(folding);
        }
        Answer::Unknown => {
            let taken = "so that it is taken not to tell them apart";
            folding
                .notes
                .push(format!("{name} can't be asked about names that differ in case alone, {taken}"));
        }
    }
    match destination.store().names() {
        Some(names) => {
            names.respell(&respelled);
            to.tree.respell(&respelled)?;
            let keeps = std::mem::take(&mut to.keeps).into_iter();
            to.keeps = keeps.map(|dir| respelled.get(&dir).cloned().unwrap_or(dir)).collect();
        }
        // A store whose names are bytes has them as they are. What is another's in another spelling is left alone on both sides.
        None => {
            for (old, new) in &respelled {
                to.keeps.extend(old.parent());
                folding.troubles.push(format!("`{new}` was left out: on {name} it would be `{old}`"));
            }
            from.tree.remove_all(&respelled.values().cloned().collect())?;
            to.tree.remove_all(&respelled.keys().cloned().collect())?;
        }
    }
    for LeftOut { path, kept, is_dir } in &left_out {
        folding.troubles.push(format!(
            "`{path}` was left out: on {name} it would be `{kept}`, since upper and lower case are the same there"
        ));
        if *is_dir && to.tree.get(kept).is_some_and(|entry| entry.is_dir()) {
            // Whatever is there may have come from either of them.
            let why = format!("`{path}` would be the same directory at the destination");
            from.tree.add_doubt(kept.clone(), Unproven(why));
        }
    }
    from.tree.remove_all(&left_out.into_iter().map(|left_out| left_out.path).collect::<BTreeSet<_>>())?;
    Ok(folding)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// It has nothing to ask about, and nothing may be written.
    Later,
    /// It has no answer.
    Unknown,
}

/// Files that are asked about, one after the other, until one gives an answer.
const CANDIDATES: usize = 3;

/// Finds out whether the store folds case, by asking for a file under another spelling of its name: one in question, any other that is
/// there, or else one made for that.
fn does_fold(
    session: &mut dyn Session,
    tree: &Tree,
    respelled: Option<(&RelPath, &RelPath)>,
    dry: bool,
    run_id: RunId,
) -> StoreResult<Answer> {
    let is_file = |path: &RelPath| tree.get(path).is_some_and(|entry| entry.kind == Kind::File);
    let in_question = respelled.filter(|(old, _)| is_file(old)).map(|(old, new)| (old.clone(), new.clone()));
    let others = tree.entries().filter(|entry| entry.kind == Kind::File);
    // A name of which nothing is known but that it isn't listed.
    let others = others.filter_map(|entry| {
        let other = swapped(&entry.path)?;
        tree.get(&other).is_none().then(|| (entry.path.clone(), other))
    });
    let mut answer = None;
    for (file, other) in in_question.into_iter().chain(others).take(CANDIDATES) {
        match session.is_same_file(&file, &other) {
            Ok(Some(true)) => return Ok(Answer::Yes),
            Ok(Some(false)) => return Ok(Answer::No),
            Ok(None) => answer = Some(Answer::Unknown),
            Err(e) if e.is_cancelled() => return Err(e),
            Err(_) => answer = Some(Answer::Unknown),
        }
    }
    match answer {
        Some(answer) => Ok(answer),
        None if dry => Ok(Answer::Later),
        None => ask_about_a_new_file(session, run_id),
    }
}

/// Returns the path with the case of its last name turned round; `None` when there is none.
fn swapped(path: &RelPath) -> Option<RelPath> {
    let turn = |byte: &u8| {
        if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() }
    };
    let name: Vec<u8> = path.name().iter().map(turn).collect();
    let other = path.parent()?.join(&name).ok()?;
    (other != *path).then_some(other)
}

fn ask_about_a_new_file(session: &mut dyn Session, run_id: RunId) -> StoreResult<Answer> {
    /// No file of a plan has this number.
    const NUMBER: usize = u32::MAX as usize - 1;
    let root = RelPath::root();
    // By its name it is known for what it is wherever it stays behind.
    let of_root = root.join("probe").expect("a literal");
    let path = temporary_for(&of_root, run_id, NUMBER, 1);
    let request = WriteRequest {
        temporary: temporary_for(&of_root, run_id, NUMBER, 0),
        path: path.clone(),
        size: Some(CONTENT.len() as u64),
        mtime: None,
        mode: None,
        replaces: false,
        held: false,
    };
    let other = swapped(&path).expect("the name has letters");
    let made = session.make_root().and_then(|()| make(session, &request));
    let answer = made.and_then(|()| session.is_same_file(&path, &other));
    let _ = session.remove_files(&[path, request.temporary]);
    match answer {
        Ok(Some(true)) => Ok(Answer::Yes),
        Ok(Some(false)) => Ok(Answer::No),
        Err(e) if e.is_cancelled() => Err(e),
        Ok(None) | Err(_) => Ok(Answer::Unknown),
    }
}

const CONTENT: &[u8] = b"Is this file there under another spelling of its name?\n";

fn make(session: &mut dyn Session, request: &WriteRequest) -> Result<(), StoreError> {
    let mut outgoing = session.write(request, None)?;
    outgoing.write(CONTENT)?;
    outgoing.finish()?;
    session.settle(Settle::All).into_iter().try_for_each(|(_, written)| written.map(drop))
}
