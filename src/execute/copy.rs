//! Files from one store to the other, on several sessions at once.
//!
//! Workers take files from a common queue, each one file ahead of the one it sends, so that the sessions can prepare the
//! next. A file is read and written in blocks; only when the source says that it was whole is the destination told to
//! publish it. Whatever fails for a passing reason is begun anew, or gone on with where enough of it is there.

mod attempt;
mod broken;
mod requests;
mod shared;

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use crate::execute::copy::attempt::{Attempt, Next, Tries};
use crate::execute::copy::broken::Went;
use crate::execute::copy::requests::{is_in_place, requests, temporary};
use crate::execute::copy::shared::Shared;
use crate::execute::resume::Partials;
use crate::execute::split::Splits;
use crate::execute::times::exact_times;
use crate::execute::{Event, Hashes, Outcome, Run, vanished};
use crate::model::{Key, RelPath, Remedy};
use crate::pool::{Meter, Pool, growing_crew};
use crate::store::{
    HeldFile, Incoming, Outgoing, ReadRequest, Session, Settle, StoreError, StoreResult, WriteRequest,
    Written,
};

/// Copies the files of these actions.
pub(super) fn copy_files(run: &Run<'_>, indices: Vec<usize>) {
    let times = exact_times(run, &indices);
    let partials = Partials::choose(run, &times, &indices);
    let (mut begun, mut new): (Vec<usize>, Vec<usize>) = indices.into_iter().partition(|&i| partials.has(i));
    let splits = Splits::choose(run, &mut new, |i| requests(run, &times, i, Key::Parts, 0).1);
    begun.append(&mut new);
    let indices = begun;
    let remote: Vec<&Pool> =
        [run.source, run.destination].into_iter().filter(|pool| pool.store().is_remote()).collect();
    let most = if remote.is_empty() { LOCAL_WORKERS } else { usize::MAX };
    let most = most.min(indices.len() + splits.left());
    let shared = Shared {
        times,
        partials,
        queue: Mutex::new(VecDeque::from(indices)),
        litter: Mutex::default(),
        missing: Mutex::default(),
        serial: AtomicU32::new(0),
    };
    let workers = AtomicUsize::new(0);
    let work = |meter: Option<&Meter<'_>>| {
        let worker = workers.fetch_add(1, Ordering::Relaxed);
        let done = splits.work(run, worker, &|i| shared.give_back([i]));
        let done = done.and_then(|()| work(run, worker, &shared, meter));
        run.observer.event(&Event::Idle { worker });
        done
    };
    let stranded = Mutex::new(None);
    growing_crew(&remote, most, |meter| {
        if let Err(e) = work(Some(meter)) {
            stranded.lock().expect("no holder panics").get_or_insert(e);
        }
    });
    let is_left = || !run.is_stopped() && (shared.is_left() || splits.left() > 0);
    // Those who still had sessions may have left before the last one gave its files back.
    if stranded.into_inner().expect("no holder panics").is_some()
        && is_left()
        && let Err(e) = work(None)
    {
        run.stop(e.to_string());
    }
    vanished::settle(run, shared.missing.into_inner().expect("no holder panics"));
    let mut litter = shared.litter.into_inner().expect("no holder panics");
    litter.extend(shared.partials.into_useless());
    if !litter.is_empty()
        && let Ok(Some(mut lease)) = run.destination.lease_now()
    {
        // Nothing is lost if this fails: they are known for what they are by their names.
        let _ = lease.session().remove_files(&litter);
    }
}

/// So often what was handed over may get lost and be found again at the end.
const MOST_SETTLINGS: usize = 4;

/// Threads for copying between two directories of this machine.
const LOCAL_WORKERS: usize = 4;

/// A file of this size takes so much longer than the round trip which preparing it saves that it goes to whoever is free.
const LONG_BYTES: u64 = 1 << 20;

/// So many files that replace others get their names together, which takes two round trips.
const ENOUGH_FILES: usize = 32;

/// As do so many bytes, so that not much is sent again after a run that was killed.
const ENOUGH_BYTES: u64 = 64 << 20;

/// Bytes moved at once. Larger blocks gain nothing measurable on loopback.
const BLOCK_BYTES: usize = 256 << 10;

impl Run<'_> {
    pub(super) fn block_bytes(&self) -> usize {
        self.limiter.as_ref().map_or(BLOCK_BYTES, |limiter| limiter.block_bytes().min(BLOCK_BYTES))
    }

    /// Returns whether the content is hashed on its way.
    fn wants_hash(&self, i: usize) -> bool {
        const CHEAP_BYTES: u64 = 64 << 20;
        match self.options.hashes {
            Hashes::None => false,
            Hashes::Cheap => self.source_bytes(i) <= CHEAP_BYTES,
            Hashes::All => true,
        }
    }

    /// Returns the size of the file that is sent, in bytes; 0 where the listing doesn't tell.
    pub(super) fn source_bytes(&self, i: usize) -> u64 {
        self.action(i).source.as_ref().and_then(|entry| entry.size).unwrap_or(0)
    }

    /// Waits until a block that was read may move on. Between two servers it moves twice.
    pub(super) fn wait_for_line(&self, bytes: usize) {
        if let Some(limiter) = &self.limiter {
            let lines =
                [self.source, self.destination].iter().filter(|pool| pool.store().is_remote()).count();
            limiter.wait((bytes * lines) as u64, || self.is_stopped());
        }
    }
}

/// Copies files until the queue is empty. Returns an error when this worker has no session or has lost it for good; what it had
/// begun is back in the queue then.
fn work(run: &Run<'_>, worker: usize, shared: &Shared, meter: Option<&Meter<'_>>) -> StoreResult<()> {
    // Whoever gets no session leaves the work to those who have one.
    let Some(mut source) = run.source.lease_now()? else { return Ok(()) };
    let Some(mut destination) = run.destination.lease_now()? else { return Ok(()) };
    let mut copier = Copier {
        run,
        worker,
        shared,
        meter,
        source: source.session(),
        destination: destination.session(),
        block: &mut vec![0; run.block_bytes()],
        todo: VecDeque::new(),
        finished: HashMap::new(),
        replaced: Vec::new(),
        replaced_bytes: 0,
    };
    copier.copy_all()
}

/// One worker.
struct Copier<'c, 'r> {
    run: &'c Run<'r>,
    /// Its number.
    worker: usize,
    shared: &'c Shared,
    /// Who hears what gets done; `None` when nobody could help.
    meter: Option<&'c Meter<'c>>,
    source: &'c mut dyn Session,
    destination: &'c mut dyn Session,
    block: &'c mut [u8],
    /// The files it has taken, the next one first.
    todo: VecDeque<Next>,
    /// Files handed over and not yet heard of.
    finished: HashMap<RelPath, Attempt>,
    /// Files that get their names when those that have them are set aside.
    replaced: Vec<usize>,
    /// Bytes of them.
    replaced_bytes: u64,
}

impl<'c, 'r> Copier<'c, 'r> {
    fn copy_all(&mut self) -> StoreResult<()> {
        while let Some(Next { action: i, tries, serial, announced }) = self.take()? {
            if self.run.is_stopped() {
                // What was handed over is heard of; the rest is left without an outcome and gets the common one.
                self.leave(&Next { action: i, tries, serial, announced });
                break;
            }
            let mut attempt = Attempt {
                action: i,
                tries,
                partial: self.shared.partials.take(i),
                kept: 0,
                serial,
                started: Instant::now(),
                bytes: 0,
                began: false,
                announced,
                found: 0,
                hash: None,
            };
            let requests = |next: &Next| self.requests(next.action, next.serial);
            // What is gone on with is asked about first, and nothing is announced that would be in the way of setting aside.
            let publishes = self.has_enough_replaced();
            let next = self.todo.front().filter(|next| !publishes && !self.shared.partials.has(next.action));
            let next = next.map(requests);
            let is_next_announced = next.is_some();
            let requests = self.requests(i, serial);
            let sent = if attempt.partial.is_some() {
                self.go_on(&mut attempt, &requests)
            } else {
                self.send(&mut attempt, &requests, next.as_ref()).map(|()| Went::Through)
            };
            if let Some(next) = self.todo.front_mut() {
                next.announced = is_next_announced && attempt.began;
            }
            let lost = !matches!(sent, Ok(Went::Through));
            if lost && !self.destination.is_usable() {
                self.rename_announced();
            }
            match sent {
                Ok(Went::Through) => {}
                Ok(Went::Nowhere) => self.begin_anew(&attempt, VecDeque::push_front),
                Err(e) => self.after_failure(&attempt, e)?,
            }
            self.hear(Settle::Ready, lost)?;
            if publishes {
                self.hear(Settle::All, false)?;
                self.publish_replaced()?;
            }
        }
        // What was handed over may be lost, and found again.
        for _ in 0..MOST_SETTLINGS {
            self.hear(Settle::All, false)?;
            if self.finished.is_empty() {
                break;
            }
        }
        for next in std::mem::take(&mut self.todo) {
            self.leave(&next);
        }
        for (path, attempt) in std::mem::take(&mut self.finished) {
            let error = format!("nothing was heard of `{path}` after it was written");
            self.run.settle_sent(attempt.action, Outcome::failed(error, attempt.tries.number));
        }
        self.publish_replaced()
    }

    /// Leaves a file to others.
    fn leave(&self, next: &Next) {
        if next.announced {
            self.add_litter(self.temporary(next.action, next.serial), next.action);
        }
        self.shared.give_back([next.action]);
    }

    /// Returns the next file. The one after it is taken as well, so that a session can prepare it. At the end, hears what
    /// became of all files, which may bring some back.
    fn take(&mut self) -> StoreResult<Option<Next>> {
        while self.todo.len() < 2
            && let Some(i) = self.shared.take(|i| self.todo.is_empty() || self.may_wait(i))
        {
            self.queue_again(i, Tries::FIRST, VecDeque::push_back);
        }
        if self.todo.is_empty() {
            self.hear(Settle::All, false)?;
        }
        Ok(self.todo.pop_front())
    }

    /// Puts a file among those to be tried, under a temporary name that no try had: a server may go on writing to an old one.
    fn queue_again(&mut self, action: usize, tries: Tries, push: impl FnOnce(&mut VecDeque<Next>, Next)) {
        let serial = self.shared.serial.fetch_add(1, Ordering::Relaxed) + 1;
        push(&mut self.todo, Next { action, tries, serial, announced: false });
    }

    /// Gives the file that was announced on a session another name: the session is lost, and the server may have made the file.
    fn rename_announced(&mut self) {
        if let Some(next) = self.todo.pop_front() {
            self.add_litter(self.temporary(next.action, next.serial), next.action);
            self.queue_again(next.action, next.tries, VecDeque::push_front);
        }
    }

    /// Returns whether a file may be taken before its turn. One that takes long is not, where another worker may be idle.
    fn may_wait(&self, i: usize) -> bool {
        let workers = self.run.source.limit().min(self.run.destination.limit());
        self.run.source_bytes(i) < LONG_BYTES || self.shared.waiting() >= workers
    }

    /// Sends one file. When it returns, the file is handed over and in `finished`.
    fn send(
        &mut self,
        attempt: &mut Attempt,
        (read, write): &(ReadRequest, WriteRequest),
        next: Option<&(ReadRequest, WriteRequest)>,
    ) -> StoreResult<()> {
        let observer = self.run.observer;
        let line = self.line();
        self.tell_start(attempt);
        let result = (|| {
            let (next_read, next_write) = (next.map(|(read, _)| read), next.map(|(_, write)| write));
            // A session over a network is lost when a transfer on it is dropped, so the side that costs nothing is first.
            let (mut incoming, mut outgoing) = if self.run.destination.store().is_remote() {
                // If it can't be read, or not be written after all, what was begun with the file before it stays behind.
                attempt.began = attempt.announced;
                let incoming = self.source.read(read, next_read)?;
                let outgoing = self.destination.write(write, next_write);
                // What can't be carried was not announced, either.
                (incoming, outgoing.inspect_err(|e| attempt.began &= !e.is_unsendable())?)
            } else {
                let outgoing = self.destination.write(write, next_write)?;
                (self.source.read(read, next_read)?, outgoing)
            };
            attempt.began = true;
            let mut hasher = self.run.wants_hash(attempt.action).then(blake3::Hasher::new);
            line.pump(attempt, &mut *incoming, &mut *outgoing, self.block, |block| {
                if let Some(hasher) = &mut hasher {
                    hasher.update(block);
                }
            })?;
            attempt.hash = hasher.map(|hasher| hasher.finalize().into());
            incoming.finish()?;
            outgoing.finish()
        })();
        match result {
            Ok(()) => self.note_sent(write.path.clone(), attempt),
            Err(_) => observer.event(&Event::TakenBack { bytes: attempt.bytes }),
        }
        result
    }

    /// Tells that a file is under way.
    fn tell_start(&self, attempt: &Attempt) {
        let (worker, bytes) = (self.worker, self.run.source_bytes(attempt.action));
        self.run.observer.event(&Event::Started { worker, action: self.run.action(attempt.action), bytes });
    }

    fn line(&self) -> Line<'c, 'r> {
        Line { run: self.run, worker: self.worker, shared: self.shared, meter: self.meter }
    }

    fn note_sent(&mut self, path: RelPath, attempt: &Attempt) {
        self.finished.insert(path, attempt.clone());
        self.shared.measure(self.meter, 1, 0);
    }

    /// Hears what became of files that were handed over. Where the session was `lost` over another file, that was no try of
    /// theirs.
    fn hear(&mut self, which: Settle, lost: bool) -> StoreResult<()> {
        for (path, result) in self.destination.settle(which) {
            let Some(attempt) = self.finished.remove(&path) else { continue };
            match result {
                Ok(Written { bytes, time_set }) => {
                    let seconds = attempt.started.elapsed().as_secs_f64();
                    let outcome = Outcome {
                        time_set: self.run.options.carry_times.then_some(time_set),
                        mtime: self.run.source_time(&self.shared.times, attempt.action),
                        hash: attempt.hash,
                        ..Outcome::done(
                            bytes.saturating_sub(attempt.earlier()),
                            seconds,
                            attempt.tries.number,
                        )
                    };
                    if self.run.holds_shortly(attempt.action) {
                        self.replaced.push(attempt.action);
                        self.replaced_bytes += bytes;
                    }
                    let temporary = self.temporary_of(&attempt);
                    let file = HeldFile { path, temporary, bytes, mtime: None, of_earlier: false };
                    self.run.take_written(attempt.action, file, outcome);
                }
                Err(e) => {
                    self.run.observer.event(&Event::TakenBack { bytes: attempt.kept + attempt.bytes });
                    if lost && e.remedy() == Remedy::Reconnect {
                        match self.is_recovered(&attempt) {
                            Ok(true) => continue,
                            Ok(false) => {}
                            Err(lost) => return self.leave_to_others(&attempt, lost),
                        }
                        if self.may_keep(&attempt, attempt.kept + attempt.bytes) {
                            self.keep(&attempt, attempt.kept + attempt.bytes, 0);
                        } else {
                            self.leave_litter(&attempt);
                        }
                        self.queue_again(attempt.action, attempt.tries, VecDeque::push_back);
                        continue;
                    }
                    if attempt.partial.is_some() && matches!(e.remedy(), Remedy::Retry | Remedy::Skip) {
                        // All of it was sent, and it isn't what it should be.
                        self.shared.partials.refuse();
                        self.begin_anew(&attempt, VecDeque::push_back);
                        continue;
                    }
                    self.after_failure(&attempt, e)?;
                }
            }
        }
        Ok(())
    }

    fn requests(&self, i: usize, serial: u32) -> (ReadRequest, WriteRequest) {
        let key = self.run.key_of(&self.shared.times, i);
        requests(self.run, &self.shared.times, i, key, serial)
    }

    fn has_enough_replaced(&self) -> bool {
        let files = self.replaced.len() + self.finished.len();
        self.run.options.backup && (files >= ENOUGH_FILES || self.replaced_bytes >= ENOUGH_BYTES)
    }

    /// Gives files their names whose predecessors are set aside. What this session can't is left to others.
    fn publish_replaced(&mut self) -> StoreResult<()> {
        let replaced = std::mem::take(&mut self.replaced);
        self.replaced_bytes = 0;
        if replaced.is_empty() {
            return Ok(());
        }
        self.run.publish_some(self.destination, &replaced).map_err(|(_, e)| e)
    }

    fn temporary_of(&self, attempt: &Attempt) -> RelPath {
        match &attempt.partial {
            Some(partial) => partial.path.clone(),
            None => self.temporary(attempt.action, attempt.serial),
        }
    }

    fn temporary(&self, i: usize, serial: u32) -> RelPath {
        temporary(self.run, i, self.run.key_of(&self.shared.times, i), serial)
    }

    fn add_litter(&self, temporary: RelPath, action: usize) {
        if !is_in_place(self.run, action) {
            self.shared.add_litter(temporary);
        }
    }
}

/// What bytes that move are told to.
struct Line<'l, 'r> {
    run: &'l Run<'r>,
    worker: usize,
    shared: &'l Shared,
    meter: Option<&'l Meter<'l>>,
}

impl Line<'_, '_> {
    /// Moves all that comes in.
    fn pump(
        &self,
        attempt: &mut Attempt,
        incoming: &mut dyn Incoming,
        outgoing: &mut dyn Outgoing,
        block: &mut [u8],
        mut look: impl FnMut(&[u8]),
    ) -> StoreResult<()> {
        loop {
            let n = incoming.read(block)?;
            if n == 0 {
                return Ok(());
            }
            self.run.wait_for_line(n);
            outgoing.write(&block[..n])?;
            look(&block[..n]);
            attempt.bytes += n as u64;
            self.run.observer.event(&Event::Moved { worker: self.worker, bytes: n as u64 });
            self.shared.measure(self.meter, 0, n as u64);
            if self.run.is_stopped() {
                let path = &self.run.action(attempt.action).entry().path;
                return Err(StoreError::cancelled("send", path, self.run.source.store().name()));
            }
        }
    }
}
