//! What is asked of both sides for a file.

use std::collections::HashMap;

use crate::execute::Run;
use crate::model::{Entry, Key, Kind, Mtime, RelPath, Temporary};
use crate::plan::{CARRIED_BITS, Deed};
use crate::store::{ReadRequest, WriteRequest};

/// Returns what is asked of both sides for a file; `key` is of its temporary file, and `serial` distinguishes those of its tries.
pub(super) fn requests(
    run: &Run<'_>,
    times: &HashMap<usize, Mtime>,
    i: usize,
    key: Key,
    serial: u32,
) -> (ReadRequest, WriteRequest) {
    let action = run.action(i);
    let mtime = run.source_time(times, i);
    let size = action.source.as_ref().and_then(|entry| entry.size);
    // A file that could not be renamed is sent to where it should be.
    let path = &action.entry().path;
    let read = ReadRequest { path: path.clone(), size };
    // A file that is replaced keeps its bits: a script stays executable.
    let replaced =
        action.destination.as_ref().filter(|entry| action.deed == Deed::Replace && entry.kind == Kind::File);
    let carried = action.source.as_ref().filter(|_| run.options.carry_permissions);
    let carried = carried.and_then(|entry| entry.mode).map(|mode| mode & CARRIED_BITS);
    let write = WriteRequest {
        path: path.clone(),
        temporary: if is_in_place(run, i) { path.clone() } else { temporary(run, i, key, serial) },
        size,
        mtime: mtime.filter(|_| run.options.carry_times),
        mode: carried.or_else(|| replaced.and_then(|entry| entry.mode)).map(u32::from),
        replaces: replaced.is_some(),
        held: run.holds(i),
    };
    (read, write)
}

/// Returns whether a file is written under its final name. What is no file, a link above all, gives way to one and is never written
/// through.
pub(super) fn is_in_place(run: &Run<'_>, i: usize) -> bool {
    let action = run.action(i);
    let is_file = |entry: &Entry| entry.kind == Kind::File;
    let replaces_file = action.deed == Deed::Replace && action.destination.as_deref().is_some_and(is_file);
    run.options.in_place && (action.deed == Deed::Copy || replaces_file)
}

pub(super) fn temporary(run: &Run<'_>, i: usize, key: Key, serial: u32) -> RelPath {
    let name = Temporary { run: run.options.run_id, key, number: i as u64, serial };
    name.beside(&run.action(i).entry().path)
}
