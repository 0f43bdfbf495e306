//! Files from one store to the other, on several sessions at once.
//!
//! Workers take files from a common queue, each one file ahead of the one it sends, so that the sessions can prepare the
//! next. A file is read and written in blocks; only when the source says that it was whole is the destination told to
//! publish it. Whatever fails for a passing reason is begun anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::execute::split::Splits;
use crate::execute::times::exact_times;
use crate::execute::{Event, Hashes, Outcome, Run};
use crate::model::{Kind, Mtime, RelPath, Remedy, temporary_for};
use crate::plan::Deed;
use crate::pool::{Meter, Pool, growing_crew};
use crate::store::{ReadRequest, Session, Settle, StoreError, StoreResult, WriteRequest, Written};

/// Copies the files of these actions.
pub(super) fn copy_files(run: &Run<'_>, mut indices: Vec<usize>) {
    let times = exact_times(run, &indices);
    let splits = Splits::choose(run, &mut indices, |i| requests(run, &times, i, 0).1);
    let remote: Vec<&Pool> =
        [run.source, run.destination].into_iter().filter(|pool| pool.store().is_remote()).collect();
    let most = if remote.is_empty() { LOCAL_WORKERS } else { usize::MAX };
    let most = most.min(indices.len() + splits.left());
    let shared = Shared {
        times,
        queue: Mutex::new(VecDeque::from(indices)),
        litter: Mutex::default(),
        serial: AtomicU32::new(0),
    };
    let work = |meter: Option<&Meter<'_>>| {
        splits.work(run, &|i| shared.give_back([i]))?;
        work(run, &shared, meter)
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
    let litter = shared.litter.into_inner().expect("no holder panics");
    if !litter.is_empty()
        && let Ok(Some(mut lease)) = run.destination.lease_now()
    {
        // Nothing is lost if this fails: they are known for what they are by their names.
        let _ = lease.session().remove_files(&litter);
    }
}

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

/// What the workers share.
struct Shared {
    /// Times that the source was asked for.
    times: HashMap<usize, Mtime>,
    /// Files that no worker has yet.
    queue: Mutex<VecDeque<usize>>,
    /// Temporary files of failed tries.
    litter: Mutex<Vec<RelPath>>,
    /// How many tries there were.
    serial: AtomicU32,
}

impl Shared {
    /// Takes the next file, if it's one to be taken.
    fn take(&self, is_wanted: impl FnOnce(usize) -> bool) -> Option<usize> {
        // Decided without the queue: another worker may take that file meanwhile, and leaves one much like it.
        let next = self.queue.lock().expect("no holder panics").front().copied()?;
        if !is_wanted(next) {
            return None;
        }
        self.queue.lock().expect("no holder panics").pop_front()
    }

    fn waiting(&self) -> usize {
        self.queue.lock().expect("no holder panics").len()
    }

    fn add_litter(&self, temporary: RelPath) {
        self.litter.lock().expect("no holder panics").push(temporary);
    }

    fn is_left(&self) -> bool {
        !self.queue.lock().expect("no holder panics").is_empty()
    }

    /// Tells what got done.
    fn measure(&self, meter: Option<&Meter<'_>>, files: u64, bytes: u64) {
        if let Some(meter) = meter {
            meter.did(files, bytes, self.waiting());
        }
    }

    fn give_back(&self, files: impl IntoIterator<Item = usize>) {
        self.queue.lock().expect("no holder panics").extend(files);
    }
}

/// Copies files until the queue is empty. Returns an error when this worker has no session or has lost it for good; what it had
/// begun is back in the queue then.
fn work(run: &Run<'_>, shared: &Shared, meter: Option<&Meter<'_>>) -> StoreResult<()> {
    // Whoever gets no session leaves the work to those who have one.
    let Some(mut source) = run.source.lease_now()? else { return Ok(()) };
    let Some(mut destination) = run.destination.lease_now()? else { return Ok(()) };
    let mut copier = Copier {
        run,
        shared,
        meter,
        source: source.session(),
        destination: destination.session(),
        block: &mut vec![0; run.block_bytes()],
        todo: VecDeque::new(),
        finished: HashMap::new(),
        announced: None,
        replaced: Vec::new(),
        replaced_bytes: 0,
    };
    copier.copy_all()
}

/// One worker.
struct Copier<'c, 'r> {
    run: &'c Run<'r>,
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
    /// The try that was announced on the session of the destination; `None` where none was.
    announced: Option<u32>,
    /// Files that get their names when those that have them are set aside.
    replaced: Vec<usize>,
    /// Bytes of them.
    replaced_bytes: u64,
}

/// A file that is to be tried.
#[derive(Clone, Copy)]
struct Next {
    action: usize,
    /// The number of the try, from 1.
    tried: u32,
    serial: u32,
}

/// One try at one file.
#[derive(Clone, Copy)]
struct Attempt {
    action: usize,
    tried: u32,
    /// Distinguishes its temporary file from those of all other tries.
    serial: u32,
    started: Instant,
    bytes: u64,
    /// There may be a temporary file of it.
    began: bool,
    /// BLAKE3 of what was sent; `None` when nobody wants to know.
    hash: Option<[u8; 32]>,
}

impl Copier<'_, '_> {
    fn copy_all(&mut self) -> StoreResult<()> {
        while let Some(Next { action: i, tried, serial }) = self.take()? {
            if self.run.is_stopped() {
                // What was handed over is heard of; the rest is left without an outcome and gets the common one.
                self.shared.give_back([i]);
                break;
            }
            let mut attempt = Attempt {
                action: i,
                tried,
                serial,
                started: Instant::now(),
                bytes: 0,
                // A server that was told of it before may have made the file.
                began: self.announced == Some(serial),
                hash: None,
            };
            let (run, times) = (self.run, &self.shared.times);
            // Nothing is announced that would be in the way of that.
            let publishes = self.has_enough_replaced();
            let next = self
                .todo
                .front()
                .filter(|_| !publishes)
                .map(|next| requests(run, times, next.action, next.serial));
            self.announced = self.todo.front().filter(|_| !publishes).map(|next| next.serial);
            let requests = requests(run, times, i, serial);
            let sent = self.send(&mut attempt, &requests, next.as_ref());
            let lost = sent.is_err();
            if lost && !self.destination.is_usable() {
                self.rename_announced();
            }
            if let Err(e) = sent {
                self.after_failure(attempt, e)?;
            }
            self.hear(Settle::Ready, lost)?;
            if publishes {
                self.hear(Settle::All, false)?;
                self.publish_replaced()?;
            }
        }
        self.hear(Settle::All, false)?;
        self.publish_replaced()?;
        for (path, attempt) in std::mem::take(&mut self.finished) {
            let error = format!("nothing was heard of `{path}` after it was written");
            self.run.settle_sent(attempt.action, Outcome::failed(error, attempt.tried));
        }
        Ok(())
    }

    /// Returns the next file. The one after it is taken as well, so that a session can prepare it. At the end, hears what
    /// became of all files, which may bring some back.
    fn take(&mut self) -> StoreResult<Option<Next>> {
        while self.todo.len() < 2
            && let Some(i) = self.shared.take(|i| self.todo.is_empty() || self.may_wait(i))
        {
            self.queue_again(i, 1, VecDeque::push_back);
        }
        if self.todo.is_empty() {
            self.hear(Settle::All, false)?;
        }
        Ok(self.todo.pop_front())
    }

    /// Puts a file among those to be tried, under a temporary name that no try had: a server may go on writing to an old one.
    fn queue_again(&mut self, action: usize, tried: u32, push: impl FnOnce(&mut VecDeque<Next>, Next)) {
        let serial = self.shared.serial.fetch_add(1, Ordering::Relaxed) + 1;
        push(&mut self.todo, Next { action, tried, serial });
    }

    /// Gives the file that was announced on a session another name: the session is lost, and the server may have made the file.
    fn rename_announced(&mut self) {
        if let Some(next) = self.todo.pop_front() {
            self.shared.add_litter(temporary(self.run, next.action, next.serial));
            self.queue_again(next.action, next.tried, VecDeque::push_front);
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
        observer.event(&Event::Started { action: self.run.action(attempt.action) });
        let result = (|| {
            let (next_read, next_write) = (next.map(|(read, _)| read), next.map(|(_, write)| write));
            // A session over a network is lost when a transfer on it is dropped, so the side that costs nothing is first.
            let (mut incoming, mut outgoing) = if self.run.destination.store().is_remote() {
                let incoming = self.source.read(read, next_read)?;
                (incoming, self.destination.write(write, next_write)?)
            } else {
                let outgoing = self.destination.write(write, next_write)?;
                (self.source.read(read, next_read)?, outgoing)
            };
            attempt.began = true;
            let mut hasher = self.run.wants_hash(attempt.action).then(blake3::Hasher::new);
            loop {
                let n = incoming.read(self.block)?;
                if n == 0 {
                    break;
                }
                self.run.wait_for_line(n);
                outgoing.write(&self.block[..n])?;
                if let Some(hasher) = &mut hasher {
                    hasher.update(&self.block[..n]);
                }
                attempt.bytes += n as u64;
                observer.event(&Event::Moved { bytes: n as u64 });
                self.shared.measure(self.meter, 0, n as u64);
                if self.run.is_stopped() {
                    return Err(StoreError::cancelled("send", &read.path, self.run.source.store().name()));
                }
            }
            attempt.hash = hasher.map(|hasher| hasher.finalize().into());
            incoming.finish()?;
            outgoing.finish()
        })();
        match result {
            Ok(()) => {
                self.finished.insert(write.path.clone(), *attempt);
                self.shared.measure(self.meter, 1, 0);
            }
            Err(_) => observer.event(&Event::TakenBack { bytes: attempt.bytes }),
        }
        result
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
                        ..Outcome::done(bytes, seconds, attempt.tried)
                    };
                    if self.run.holds_shortly(attempt.action) {
                        self.replaced.push(attempt.action);
                        self.replaced_bytes += bytes;
                    }
                    self.run.take_written(attempt.action, attempt.serial, outcome);
                }
                Err(e) => {
                    self.run.observer.event(&Event::TakenBack { bytes: attempt.bytes });
                    if lost && e.remedy() == Remedy::Reconnect {
                        self.leave_litter(attempt);
                        self.queue_again(attempt.action, attempt.tried, VecDeque::push_back);
                        continue;
                    }
                    self.after_failure(attempt, e)?;
                }
            }
        }
        Ok(())
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

    /// Puts the file back for another try, or gives it its outcome. Returns the error that ends this worker.
    fn after_failure(&mut self, attempt: Attempt, error: StoreError) -> StoreResult<()> {
        self.leave_litter(attempt);
        if error.remedy() == Remedy::Shrink {
            // Another worker does them. What was handed over is done again, too: nothing was heard of it.
            let begun = self.todo.drain(..).map(|next| next.action);
            let unheard = self.finished.drain().map(|(_, attempt)| attempt.action);
            self.shared.give_back(std::iter::once(attempt.action).chain(begun).chain(unheard));
            return Err(error);
        }
        if self.run.options.retry.again(error.remedy(), attempt.tried) {
            self.queue_again(attempt.action, attempt.tried + 1, VecDeque::push_front);
            return Ok(());
        }
        let outcome = self.run.failure(&error, attempt.tried);
        self.run.settle_sent(attempt.action, outcome);
        Ok(())
    }

    /// Remembers what a failed try may have left at the destination.
    fn leave_litter(&self, attempt: Attempt) {
        if attempt.began {
            self.shared.add_litter(temporary(self.run, attempt.action, attempt.serial));
        }
    }
}

/// Returns what is asked of both sides for a file; `serial` distinguishes the temporary files of its tries.
fn requests(
    run: &Run<'_>,
    times: &HashMap<usize, Mtime>,
    i: usize,
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
    let write = WriteRequest {
        path: path.clone(),
        temporary: temporary(run, i, serial),
        size,
        mtime: mtime.filter(|_| run.options.carry_times),
        mode: replaced.and_then(|entry| entry.mode).map(u32::from),
        held: run.holds(i),
    };
    (read, write)
}

pub(super) fn temporary(run: &Run<'_>, i: usize, serial: u32) -> RelPath {
    temporary_for(&run.action(i).entry().path, run.options.run_id, i, serial)
}
