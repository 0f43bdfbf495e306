//! Many questions about files, put to all sessions of a store at once.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::model::{RelPath, Remedy};
use crate::pool::{Pool, crew};
use crate::store::{Session, StoreResult};

/// How many files a session is asked about at once.
const QUESTIONS: usize = 256;

/// Asks about each of `files`. What can't be told of one is not in the answer.
///
/// # Errors
/// When no session can be had.
pub(super) fn ask<T: Send>(
    pool: &Pool,
    files: &[RelPath],
    question: impl Fn(&mut dyn Session, &[RelPath]) -> Vec<StoreResult<Option<T>>> + Sync,
) -> StoreResult<HashMap<RelPath, T>> {
    let parts: Mutex<Vec<&[RelPath]>> = Mutex::new(files.chunks(QUESTIONS).collect());
    let answers = Mutex::new(HashMap::with_capacity(files.len()));
    let work = || -> StoreResult<()> {
        let mut lease = pool.lease()?;
        loop {
            let part = parts.lock().expect("no holder panics").pop();
            let Some(part) = part else { return Ok(()) };
            for (path, answer) in part.iter().zip(question(lease.session(), part)) {
                match answer {
                    Ok(Some(answer)) => {
                        answers.lock().expect("no holder panics").insert(path.clone(), answer);
                    }
                    Err(e) if e.remedy() == Remedy::Shrink => {
                        parts.lock().expect("no holder panics").push(part);
                        return Err(e);
                    }
                    Ok(None) | Err(_) => {}
                }
            }
        }
    };
    // Whoever loses its session leaves the questions to the others.
    // A session on this machine uses all processors by itself.
    let most = if pool.store().is_remote() { pool.limit() } else { 1 };
    crew(most.min(files.len().div_ceil(QUESTIONS)), || drop(work()));
    if !parts.lock().expect("no holder panics").is_empty() {
        work()?;
    }
    Ok(answers.into_inner().expect("no holder panics"))
}
