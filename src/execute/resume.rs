//! Files that are gone on with: what an earlier run left, and what a try of this one left when its line broke.
//!
//! A partial file is bound to its source by the key in its name, which stands for name, size and time. Before it is gone on with, the
//! source must still have that size and time, and its last bytes must be the source's; after it, the source must be the same as
//! before. Whatever is not as it should be makes the file be sent from its beginning, which is no failed try.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::execute::Run;
use crate::model::{Entry, Key, Mtime, RelPath, Remedy, Temporary};
use crate::store::{
    Begun, Continued, Incoming, Outgoing, PartRequest, Session, StoreResult, Version, WriteRequest,
};

/// How many bytes before the end of a partial file are compared with the source's. A try that adds less than this was in vain.
pub(super) const TAIL_BYTES: u64 = 64 << 10;

/// A file at the destination that is the beginning of one to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partial {
    /// Its temporary name.
    pub(super) path: RelPath,
    /// How long it is, as far as that was looked at.
    pub(super) bytes: u64,
    /// How many of these an earlier run has sent.
    pub(super) earlier: u64,
    /// How often it could not be opened since.
    pub(super) vain: u32,
}

impl Partial {
    /// So often a file that may still be held by a server's dead session is tried.
    pub(super) const MOST_VAIN: u32 = 2;

    /// Returns the longest of those `leftovers` that are a beginning of the file at `path`, of at least so many bytes.
    fn longest<'l>(
        leftovers: impl IntoIterator<Item = &'l Entry>,
        path: &RelPath,
        (key, owner): (Key, u64),
        size: u64,
        least: u64,
    ) -> Option<&'l Entry> {
        let fits = |entry: &&Entry| {
            let name = Temporary::parse(entry.path.name());
            name.is_some_and(|name| name.key == key && name.run.owner == owner)
                && entry.path.parent() == path.parent()
                && entry.size.is_some_and(|bytes| (least..=size).contains(&bytes))
        };
        leftovers.into_iter().filter(fits).max_by(|a, b| (a.size, &a.path).cmp(&(b.size, &b.path)))
    }
}

/// The partial files of a run that may be gone on with, by the numbers of their actions.
#[derive(Debug)]
pub(super) struct Partials {
    of: Mutex<HashMap<usize, Partial>>,
    /// From how many bytes on one is worth it; `None` where none is.
    least: Option<u64>,
    /// One of the sides turned out not to be able to.
    refused: AtomicBool,
}

impl Partials {
    /// Finds what earlier runs left of these files.
    pub(super) fn choose(run: &Run<'_>, times: &HashMap<usize, Mtime>, indices: &[usize]) -> Self {
        let (least, owner) = (run.options.resume_from, run.options.run_id.owner);
        let mut leftovers = run.leftovers.lock().expect("no holder panics");
        let mut of = HashMap::new();
        for &i in indices {
            if leftovers.is_empty() {
                break;
            }
            let (Some(least), key @ Key::Of(_)) = (least, run.key_of(times, i)) else { continue };
            let (path, size) = (&run.action(i).entry().path, run.source_bytes(i));
            let longest = Partial::longest(&*leftovers, path, (key, owner), size, least);
            if let Some(Entry { path, size: Some(bytes), .. }) = longest.cloned() {
                leftovers.retain(|entry| entry.path != path);
                of.insert(i, Partial { path, bytes, earlier: bytes, vain: 0 });
            }
        }
        Self { of: Mutex::new(of), least, refused: AtomicBool::new(false) }
    }

    /// Returns whether a beginning of so many bytes is worth going on with.
    pub(super) fn are_worth(&self, bytes: u64) -> bool {
        !self.refused.load(Ordering::Relaxed) && self.least.is_some_and(|least| bytes >= least)
    }

    pub(super) fn has(&self, i: usize) -> bool {
        self.of.lock().expect("no holder panics").contains_key(&i)
    }

    pub(super) fn take(&self, i: usize) -> Option<Partial> {
        self.of.lock().expect("no holder panics").remove(&i)
    }

    pub(super) fn put(&self, i: usize, partial: Partial) {
        self.of.lock().expect("no holder panics").insert(i, partial);
    }

    /// Goes on with nothing any more.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Returns those that nobody will go on with in any run.
    pub(super) fn into_useless(self) -> Vec<RelPath> {
        let refused = self.refused.into_inner();
        let left = self.of.into_inner().expect("no holder panics").into_values();
        left.filter(|_| refused).map(|partial| partial.path).collect()
    }
}

impl Run<'_> {
    /// Returns of which version of which file a temporary one of this action is a part.
    pub(super) fn key_of(&self, times: &HashMap<usize, Mtime>, i: usize) -> Key {
        let size = self.action(i).source.as_ref().and_then(|entry| entry.size);
        Key::of(self.action(i).entry().path.name(), size, self.source_time(times, i))
    }
}

/// What is known of a file that is gone on with.
pub(super) struct Wanted<'w> {
    /// Its path at the source.
    pub(super) path: &'w RelPath,
    /// Its size at the source.
    pub(super) size: u64,
    /// Its time at the source.
    pub(super) mtime: Mtime,
    /// Whether the source tells whole seconds.
    pub(super) whole_seconds: bool,
}

impl Wanted<'_> {
    /// Returns whether the source has this version of it.
    fn is(&self, now: &Version) -> bool {
        let is_time = now.mtime.is_some_and(|now| {
            let seconds = now.at.timestamp() == self.mtime.at.timestamp();
            seconds && (self.whole_seconds || now.at == self.mtime.at)
        });
        now.size == Some(self.size) && is_time
    }
}

/// The rest of a file at its source.
pub(super) struct Rest<'s> {
    pub(super) incoming: Box<dyn Incoming + 's>,
    /// The version it is of.
    pub(super) version: Version,
    /// What is before it.
    pub(super) begun: Begun,
}

/// Opens the source behind the first `bytes`, whose end is read for comparison; `None` when it is another version by now.
pub(super) fn open_rest<'s>(
    source: &'s mut dyn Session,
    file: &Wanted<'_>,
    bytes: u64,
) -> StoreResult<Option<Rest<'s>>> {
    let version = match source.version(file.path) {
        // It has gone, which whoever reads it from its beginning is told.
        Err(e) if e.remedy() == Remedy::Skip => return Ok(None),
        version => version?,
    };
    if !file.is(&version) {
        return Ok(None);
    }
    let start = bytes - bytes.min(TAIL_BYTES);
    let mut tail = vec![0; usize::try_from(bytes - start).expect("it is as long as a tail")];
    let part = PartRequest { path: file.path.clone(), size: file.size, range: start..file.size };
    let mut incoming = source.read_part(&part)?;
    let mut at = 0;
    while at < tail.len() {
        match incoming.read(&mut tail[at..])? {
            0 => return Ok(None),
            n => at += n,
        }
    }
    Ok(Some(Rest { incoming, version, begun: Begun { bytes, tail } }))
}

/// Returns how much of it there is at the destination; `None` when that can't be told, or there is nothing.
pub(super) fn length_of(destination: &mut dyn Session, partial: &RelPath) -> StoreResult<Option<u64>> {
    match destination.version(partial) {
        Ok(version) => Ok(version.size),
        Err(e) if e.remedy() == Remedy::Skip => Ok(None),
        Err(e) => Err(e),
    }
}

/// Opens the destination behind what it has; `None` where it hasn't. Whoever can't at all is asked no more.
pub(super) fn write_rest<'s>(
    destination: &'s mut dyn Session,
    file: &WriteRequest,
    begun: &Begun,
    partials: &Partials,
) -> StoreResult<Option<Box<dyn Outgoing + 's>>> {
    Ok(match destination.write_on(file, begun)? {
        Continued::On(outgoing) => Some(outgoing),
        Continued::Other => None,
        Continued::Never => {
            partials.refuse();
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    fn leftover(dir: &str, owner: u64, key: Key, serial: u32, size: Option<u64>) -> Entry {
        let name = Temporary { run: RunId { owner, run: 5 }, key, number: 3, serial };
        Entry { size, ..Entry::file(name.beside(&path(&format!("{dir}/x"))), 0, None) }
    }

    #[test]
    fn the_longest_beginning_of_the_same_version_in_the_same_place_is_gone_on_with() {
        let (own, key) = (1, Key::Of(7));
        let leftovers = [
            leftover("d", own, key, 1, Some(100)),
            leftover("d", own, key, 2, Some(300)),
            leftover("d", own, key, 3, Some(200)),
            leftover("d", own, key, 4, Some(1001)),
            leftover("d", own, key, 5, None),
            leftover("d", 2, key, 6, Some(900)),
            leftover("d", own, Key::Of(8), 7, Some(900)),
            leftover("d", own, Key::Parts, 8, Some(900)),
            leftover("d", own, Key::Other, 9, Some(900)),
            leftover("e", own, key, 10, Some(900)),
            Entry::file(path("d/.oneway-1-2-3.part"), 900, None),
        ];
        let longest = |key, size, least| {
            Partial::longest(&leftovers, &path("d/a"), (key, own), size, least).map(|entry| entry.size)
        };
        assert_eq!(longest(key, 1000, 100), Some(Some(300)));
        assert_eq!(longest(key, 1001, 100), Some(Some(1001)), "whole, but for its name");
        assert_eq!(longest(key, 250, 100), Some(Some(200)));
        assert_eq!(longest(key, 1000, 301), None);
        assert_eq!(longest(Key::Of(9), 1000, 1), None);
    }

    #[test]
    fn a_source_is_the_same_by_size_and_time() {
        let (path, mtime) = (path("a"), Mtime::from_unix(5, 7).unwrap());
        let version = |size, nanos| Version { size, mtime: Mtime::from_unix(5, nanos) };
        for (whole_seconds, nanos, is) in [(false, 7, true), (false, 8, false), (true, 0, true)] {
            let file = Wanted { path: &path, size: 9, mtime, whole_seconds };
            assert_eq!(file.is(&version(Some(9), nanos)), is);
            assert!(!file.is(&version(Some(8), nanos)) && !file.is(&version(None, nanos)));
            assert!(!file.is(&Version { size: Some(9), mtime: None }));
            assert!(!file.is(&Version { mtime: Mtime::from_unix(6, 7), ..version(Some(9), 7) }));
        }
    }
}
