//! Large downloads over several sessions, each of which fetches a part to its place in one temporary file.
//!
//! Only files are split that are more than one session's share of all there is to copy, since the others would be idle in the end.
//! Their parts come before all other files, and a worker that finds no part left goes on to those. A file is whole when all of
//! its parts are there and the source tells the same size and time of it as before the first. Whatever speaks against
//! parts, the file is then fetched whole like any other, and no further one is split.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::execute::{Event, Outcome, Run};
use crate::model::Remedy;
use crate::pool::Lease;
use crate::store::{
    HeldFile, PartRequest, Parts, Session, StoreError, StoreResult, Version, WriteRequest, Written,
};

/// No part is smaller: what it gains is less than opening it costs, and what a server has sent beyond the end of a part is lost.
const LEAST_BYTES: u64 = 4 << 20;

/// The files that are fetched in parts.
pub(super) struct Splits {
    files: Vec<Large>,
    /// Parts that no worker has.
    parts: Mutex<VecDeque<Part>>,
    /// This source is better not read in parts.
    refused: AtomicBool,
}

struct Large {
    action: usize,
    size: u64,
    request: WriteRequest,
    /// How many.
    parts: usize,
    state: Mutex<State>,
}

enum State {
    /// Nobody has begun.
    Waiting,
    Open(Open),
    /// It has its outcome, or it is fetched whole.
    Over,
}

struct Open {
    parts: Arc<dyn Parts>,
    before: Version,
    started: Instant,
    /// Parts that are not there yet.
    left: usize,
    /// Bytes of those that are.
    bytes: u64,
}

struct Part {
    file: usize,
    range: Range<u64>,
}

impl Splits {
    /// Takes those files out of `indices` that are to be fetched in parts.
    pub(super) fn choose(
        run: &Run<'_>,
        indices: &mut Vec<usize>,
        request: impl Fn(usize) -> WriteRequest,
    ) -> Self {
        let sessions = run.source.limit() as u64;
        let threshold = threshold(run);
        // What is made at its full size from the beginning looks whole when it isn't; nobody must see that under the final name.
        let is_download =
            !run.options.in_place && run.source.store().is_remote() && !run.destination.store().is_remote();
        let size_of = |i: usize| run.source_bytes(i);
        // Sizes are what a server says, so their sum may be more than there is.
        let share = indices.iter().map(|&i| size_of(i)).fold(0, u64::saturating_add) / sessions;
        let (mut files, mut parts) = (Vec::new(), VecDeque::new());
        indices.retain(|&i| {
            let size = size_of(i);
            let ranges = if is_download && threshold.is_some_and(|threshold| size > threshold) && size > share
            {
                ranges(size, sessions.min(size / LEAST_BYTES))
            } else {
                Vec::new()
            };
            if ranges.len() < 2 {
                return true;
            }
            let file = files.len();
            parts.extend(ranges.iter().cloned().map(|range| Part { file, range }));
            let (request, state) = (request(i), Mutex::new(State::Waiting));
            files.push(Large { action: i, size, request, parts: ranges.len(), state });
            false
        });
        Self { files, parts: Mutex::new(parts), refused: AtomicBool::new(false) }
    }

    /// Returns how many parts no worker has.
    pub(super) fn left(&self) -> usize {
        self.parts.lock().expect("no holder panics").len()
    }

    /// Fetches parts until there are none. Files that can't be fetched so are handed to `whole`.
    ///
    /// # Errors
    /// When this worker has no session or has lost it for good; its part is left to others then.
    pub(super) fn work(&self, run: &Run<'_>, number: usize, whole: &impl Fn(usize)) -> StoreResult<()> {
        if self.left() == 0 {
            return Ok(());
        }
        let Some(mut source) = run.source.lease_now()? else { return Ok(()) };
        let mut worker = Worker { splits: self, run, number, whole, block: vec![0; run.block_bytes()] };
        while !run.is_stopped()
            && let Some(part) = self.take()
        {
            worker.fetch(source.session(), part)?;
        }
        Ok(())
    }

    fn take(&self) -> Option<Part> {
        self.parts.lock().expect("no holder panics").pop_front()
    }
}

/// Where nobody chose a size, only over a long line: a short one is filled by one connection, and several of them cost the processor
/// half as much again.
fn threshold(run: &Run<'_>) -> Option<u64> {
    const USUAL: u64 = 64 << 20;
    run.options.split_bytes.or_else(|| {
        let is_far = |mut lease: Lease<'_>| lease.session().capabilities().is_far;
        run.source.lease_now().ok().flatten().is_some_and(is_far).then_some(USUAL)
    })
}

struct Worker<'w, 'r, W> {
    splits: &'w Splits,
    run: &'w Run<'r>,
    number: usize,
    whole: &'w W,
    block: Vec<u8>,
}

impl<W: Fn(usize)> Worker<'_, '_, W> {
    /// Fetches one part, trying again where that may help.
    fn fetch(&mut self, session: &mut dyn Session, part: Part) -> StoreResult<()> {
        let large = &self.splits.files[part.file];
        for tried in 1.. {
            let fetched = self.open(session, large).and_then(|parts| match parts {
                Some(parts) => self.fetch_once(session, large, &part.range, &*parts),
                None => Ok(()),
            });
            let Err(e) = fetched else { return Ok(()) };
            if e.remedy() == Remedy::Shrink {
                self.splits.parts.lock().expect("no holder panics").push_back(part);
                return Err(e);
            }
            if self.run.is_stopped() || large.is_over() {
                return Ok(());
            }
            if !self.run.options.retry.again(e.remedy(), tried) {
                self.splits.refused.store(true, Ordering::Relaxed);
                self.give_up(large);
                return Ok(());
            }
            let action = self.run.action(large.action);
            self.run.observer.event(&Event::Retried { action, tries: tried, error: &e });
        }
        unreachable!("the policy allows a finite number of tries")
    }

    /// Returns the file to write to, which the first who asks makes; `None` when it isn't fetched in parts any more.
    fn open(&self, session: &mut dyn Session, large: &Large) -> StoreResult<Option<Arc<dyn Parts>>> {
        let mut state = large.state.lock().expect("no holder panics");
        match &*state {
            State::Open(open) => return Ok(Some(Arc::clone(&open.parts))),
            State::Over => return Ok(None),
            State::Waiting => {}
        }
        let parts =
            if self.splits.refused.load(Ordering::Relaxed) { None } else { self.begin(session, large)? };
        match parts {
            Some(open) => {
                let parts = Arc::clone(&open.parts);
                *state = State::Open(open);
                Ok(Some(parts))
            }
            None => {
                *state = State::Over;
                (self.whole)(large.action);
                Ok(None)
            }
        }
    }

    fn begin(&self, session: &mut dyn Session, large: &Large) -> StoreResult<Option<Open>> {
        let started = Instant::now();
        let before = session.version(&large.request.path)?;
        // Without a time, two versions of one size could not be told apart.
        if before.size != Some(large.size) || before.mtime.is_none() {
            return Ok(None);
        }
        let Some(mut destination) = self.run.destination.lease_now()? else { return Ok(None) };
        let Some(parts) = destination.session().write_parts(&large.request)? else { return Ok(None) };
        Ok(Some(Open { parts: parts.into(), before, started, left: large.parts, bytes: 0 }))
    }

    fn fetch_once(
        &mut self,
        session: &mut dyn Session,
        large: &Large,
        range: &Range<u64>,
        parts: &dyn Parts,
    ) -> StoreResult<()> {
        let bytes = range.end - range.start;
        let action = self.run.action(large.action);
        self.run.observer.event(&Event::Started { worker: self.number, action, bytes });
        let mut moved = 0;
        let fetched = self.copy(session, large, range, parts, &mut moved);
        let Err(e) = fetched else {
            match large.add(moved) {
                Added::More => {}
                Added::Last => return self.finish(session, large),
                Added::TooLate => self.take_back(moved),
            }
            return Ok(());
        };
        self.take_back(moved);
        Err(e)
    }

    fn copy(
        &mut self,
        session: &mut dyn Session,
        large: &Large,
        range: &Range<u64>,
        parts: &dyn Parts,
        moved: &mut u64,
    ) -> StoreResult<()> {
        let path = large.request.path.clone();
        let part = PartRequest { path: path.clone(), size: large.size, range: range.clone() };
        let mut incoming = session.read_part(&part)?;
        loop {
            let n = incoming.read(&mut self.block)?;
            if n == 0 {
                break;
            }
            self.run.wait_for_line(n);
            parts.write_at(&self.block[..n], range.start + *moved)?;
            *moved += n as u64;
            self.run.observer.event(&Event::Moved { worker: self.number, bytes: n as u64 });
            if self.run.is_stopped() || large.is_over() {
                return Err(StoreError::cancelled("send", &path, self.run.source.store().name()));
            }
        }
        incoming.finish().map(drop)
    }

    /// Publishes a file whose parts are all there, if the source is still the same.
    fn finish(&self, session: &mut dyn Session, large: &Large) -> StoreResult<()> {
        let State::Open(open) = large.end() else { return Ok(()) };
        let (run, started) = (self.run, open.started);
        let same = session.version(&large.request.path).map(|now| now == open.before);
        if !matches!(same, Ok(true)) {
            self.take_back(large.size);
            (self.whole)(large.action);
            // Only what ends this worker is of interest: the file is tried again.
            return same.map(drop).or_else(|e| if e.remedy() == Remedy::Shrink { Err(e) } else { Ok(()) });
        }
        let outcome = match open.parts.finish() {
            Ok(Written { bytes, time_set }) => Outcome {
                time_set: run.options.carry_times.then_some(time_set),
                mtime: large.request.mtime,
                ..Outcome::done(bytes, started.elapsed().as_secs_f64(), 1)
            },
            Err(e) => {
                self.take_back(large.size);
                run.failure(&e, 1)
            }
        };
        let WriteRequest { path, temporary, .. } = large.request.clone();
        run.take_written(
            large.action,
            HeldFile { path, temporary, bytes: large.size, mtime: None, of_earlier: false },
            outcome,
        );
        Ok(())
    }

    /// Leaves a file to be fetched whole.
    fn give_up(&self, large: &Large) {
        match large.end() {
            State::Waiting => {}
            State::Open(open) => self.take_back(open.bytes),
            State::Over => return,
        }
        (self.whole)(large.action);
    }

    fn take_back(&self, bytes: u64) {
        self.run.observer.event(&Event::TakenBack { bytes });
    }
}

impl Large {
    fn is_over(&self) -> bool {
        matches!(*self.state.lock().expect("no holder panics"), State::Over)
    }

    /// Ends it, and returns what it was.
    fn end(&self) -> State {
        mem::replace(&mut *self.state.lock().expect("no holder panics"), State::Over)
    }

    /// Counts a part that is there.
    fn add(&self, bytes: u64) -> Added {
        let mut state = self.state.lock().expect("no holder panics");
        let State::Open(open) = &mut *state else { return Added::TooLate };
        open.left -= 1;
        open.bytes += bytes;
        if open.left == 0 { Added::Last } else { Added::More }
    }
}

/// What a part that is there comes to.
enum Added {
    /// Others are missing.
    More,
    /// All are there.
    Last,
    /// The file was given up meanwhile.
    TooLate,
}

/// Cuts `size` bytes into as many parts of nearly one size.
fn ranges(size: u64, parts: u64) -> Vec<Range<u64>> {
    let cut = |part: u64| (u128::from(size) * u128::from(part) / u128::from(parts)) as u64;
    (0..parts).map(|part| cut(part)..cut(part + 1)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::execute::Observer;
    use crate::model::{Mtime, RelPath};
    use crate::pool::SessionCount;
    use crate::run::{RunOptions, run};
    use crate::store::Store;
    use crate::store::local::LocalStore;
    use crate::store::memory::{MemoryStore, Node};

    /// Counts the bytes of all tries but those that were taken back.
    #[derive(Default)]
    struct Moved(AtomicI64);

    impl Observer for Moved {
        fn event(&self, event: &Event<'_>) {
            let change = match event {
                Event::Moved { bytes, .. } => *bytes as i64,
                Event::TakenBack { bytes } => -(*bytes as i64),
                _ => 0,
            };
            self.0.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// Pulls a file in parts from a source with these faults, and checks it.
    fn pull_with(faults: &[(usize, Remedy)]) {
        let content: Vec<u8> = (0..2 * LEAST_BYTES + 5).map(|i| (i / 3 % 251) as u8).collect();
        let mtime = Mtime::from_unix(1_000_000_000, 0).unwrap();
        let file = (RelPath::parse("large").unwrap(), Node::File { content: content.clone(), mtime });
        let source = MemoryStore::new([file]).with_faults(faults.iter().copied());
        let dir = tempfile::tempdir().unwrap();
        let options = RunOptions {
            sessions: SessionCount::fixed(3),
            split_bytes: Some(LEAST_BYTES),
            retries: 2,
            ..RunOptions::default()
        };
        let moved = Moved::default();
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) =
            (Arc::new(source), Arc::new(LocalStore::new(dir.path())));
        let report = run(&from, &to, &options, &moved).unwrap();
        let bytes: u64 = report.outcomes.iter().filter(|o| o.is_done()).map(|o| o.bytes).sum();
        assert_eq!(bytes, content.len() as u64, "{faults:?} {:?}", report.outcomes);
        assert_eq!(moved.0.into_inner(), content.len() as i64, "{faults:?}");
        assert!(std::fs::read(dir.path().join("large")).unwrap() == content, "{faults:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{faults:?}");
    }

    #[test]
    fn whatever_fails_the_file_is_whole_and_its_bytes_are_counted_once() {
        pull_with(&[]);
        // The first operation lists; the file takes fourteen more, and it is fetched whole after a fault that doesn't pass.
        let twice =
            |at: usize| [Remedy::Retry, Remedy::Reconnect].map(|remedy| vec![(at, remedy), (at + 3, remedy)]);
        let cases = (1..=15).flat_map(|at| twice(at).into_iter().chain([vec![(at, Remedy::Skip)]]));
        let cases: Vec<Vec<(usize, Remedy)>> = cases.collect();
        for part in cases.chunks(9) {
            std::thread::scope(|scope| {
                for case in part {
                    scope.spawn(|| pull_with(case));
                }
            });
        }
    }

    #[test]
    fn parts_follow_each_other_from_the_beginning_to_the_end() {
        for (size, parts) in [(10, 3), (64 << 20, 4), (7, 7), (u64::MAX, 64), (9, 1), (9, 0)] {
            let ranges = ranges(size, parts);
            assert_eq!(ranges.len() as u64, parts);
            assert!(
                ranges.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].start < pair[0].end)
            );
            if parts > 0 {
                assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, size));
            }
        }
    }
}
