//! Files from one store to the other, on several sessions at once.
//!
//! Workers take runs of small files or one large file from a common queue. A file is read and written in blocks; only
//! when the source says that it was whole is the destination told to publish it. Whatever fails for a passing reason
//! is begun anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

use crate::execute::{Event, Outcome, Run};
use crate::model::{Kind, Mtime, Precision, RelPath, Remedy, temporary_for};
use crate::plan::Deed;
use crate::pool::{Pool, crew};
use crate::store::{ReadRequest, Session, Settle, StoreError, StoreResult, WriteRequest, Written};

/// Copies the files of these actions.
pub(super) fn copy_files(run: &Run<'_>, indices: Vec<usize>) {
    let remote = |pool: &Pool| pool.store().is_remote().then(|| pool.limit());
    let workers = [remote(run.source), remote(run.destination)].into_iter().flatten().min();
    let workers = workers.unwrap_or(LOCAL_WORKERS).min(indices.len());
    let queue = Mutex::new(VecDeque::from(indices));
    let stranded = Mutex::new(None);
    crew(workers, |_| {
        if let Err(e) = work(run, &queue, workers) {
            stranded.lock().expect("no holder panics").get_or_insert(e);
        }
    });
    let is_left = || !queue.lock().expect("no holder panics").is_empty() && !run.is_stopped();
    // Those who still had sessions may have left before the last one gave its files back.
    if stranded.into_inner().expect("no holder panics").is_some()
        && is_left()
        && let Err(e) = work(run, &queue, 1)
    {
        run.stop(e.to_string());
    }
}

/// Threads for copying between two directories of this machine.
const LOCAL_WORKERS: usize = 4;

/// A run of files ends at this many bytes, so that the last ones are not left to one session.
const RUN_BYTES: u64 = 1 << 20;
/// A run of files ends at this many files.
const RUN_FILES: usize = 32;

/// Bytes moved at once. Larger blocks gain nothing measurable on loopback.
const BLOCK_BYTES: usize = 256 << 10;

/// Copies runs until the queue is empty. Returns an error when this worker has lost its session for good; the files of
/// its last run are back in the queue then.
fn work(run: &Run<'_>, queue: &Mutex<VecDeque<usize>>, workers: usize) -> StoreResult<()> {
    let mut source = run.source.lease()?;
    let mut destination = run.destination.lease()?;
    let mut block = vec![0; BLOCK_BYTES];
    while !run.is_stopped() {
        let files = take_run(run, queue, workers);
        if files.is_empty() {
            return Ok(());
        }
        let mut copier = Copier {
            run,
            source: source.session(),
            destination: destination.session(),
            block: &mut block,
            finished: HashMap::new(),
        };
        if let Err((left, error)) = copier.copy_run(&files) {
            queue.lock().expect("no holder panics").extend(left);
            return Err(error);
        }
    }
    Ok(())
}

/// Takes the next large file, or small ones up to a fair share of what is left.
fn take_run(run: &Run<'_>, queue: &Mutex<VecDeque<usize>>, workers: usize) -> Vec<usize> {
    let mut queue = queue.lock().expect("no holder panics");
    let share = (queue.len() / (workers * 4)).clamp(1, RUN_FILES);
    let mut files = Vec::new();
    let mut bytes = 0;
    while let Some(&next) = queue.front() {
        bytes += run.action(next).bytes();
        if !files.is_empty() && (bytes > RUN_BYTES || files.len() >= share) {
            break;
        }
        files.push(next);
        queue.pop_front();
    }
    files
}

/// One worker at one run of files.
struct Copier<'c, 'r> {
    run: &'c Run<'r>,
    source: &'c mut dyn Session,
    destination: &'c mut dyn Session,
    block: &'c mut [u8],
    /// Files handed over and not yet heard of.
    finished: HashMap<RelPath, Attempt>,
}

/// One try at one file.
#[derive(Clone, Copy)]
struct Attempt {
    action: usize,
    tried: u32,
    started: Instant,
    bytes: u64,
}

impl Copier<'_, '_> {
    /// Copies all files. When a session is lost for good, returns the files that are not decided, with the reason.
    fn copy_run(&mut self, files: &[usize]) -> Result<(), (Vec<usize>, StoreError)> {
        let mtimes = self.exact_times(files);
        let requests: HashMap<usize, (ReadRequest, WriteRequest)> =
            files.iter().zip(mtimes).map(|(&i, mtime)| (i, self.requests(i, mtime))).collect();
        let mut todo: VecDeque<(usize, u32)> = files.iter().map(|&i| (i, 1)).collect();
        loop {
            while let Some((i, tried)) = todo.pop_front() {
                if self.run.is_stopped() {
                    // Left without an outcome, they get the common one.
                    todo.clear();
                    break;
                }
                let next = todo.front().map(|(next, _)| &requests[next]);
                let attempt = Attempt { action: i, tried, started: Instant::now(), bytes: 0 };
                let result = self.send(attempt, &requests[&i], next);
                if let Err(e) = result {
                    self.after_failure(attempt, e, &mut todo)?;
                }
                self.hear(Settle::Ready, &mut todo)?;
            }
            self.hear(Settle::All, &mut todo)?;
            if todo.is_empty() {
                break;
            }
        }
        for (path, attempt) in std::mem::take(&mut self.finished) {
            let error = format!("nothing was heard of `{path}` after it was written");
            self.run.settle(attempt.action, Outcome::failed(error, attempt.tried));
        }
        Ok(())
    }

    /// Sends one file. When it returns, the file is handed over and in `finished`.
    fn send(
        &mut self,
        mut attempt: Attempt,
        (read, write): &(ReadRequest, WriteRequest),
        next: Option<&(ReadRequest, WriteRequest)>,
    ) -> StoreResult<()> {
        let observer = self.run.observer;
        observer.event(&Event::Started { action: self.run.action(attempt.action) });
        let result = (|| {
            let mut incoming = self.source.read(read, next.map(|(read, _)| read))?;
            let mut outgoing = self.destination.write(write, next.map(|(_, write)| write))?;
            loop {
                let n = incoming.read(self.block)?;
                if n == 0 {
                    break;
                }
                outgoing.write(&self.block[..n])?;
                attempt.bytes += n as u64;
                observer.event(&Event::Moved { bytes: n as u64 });
                if self.run.is_stopped() {
                    return Err(StoreError::cancelled("send", &read.path, self.run.source.store().name()));
                }
            }
            incoming.finish()?;
            outgoing.finish()
        })();
        match result {
            Ok(()) => {
                self.finished.insert(write.path.clone(), attempt);
            }
            Err(_) => observer.event(&Event::TakenBack { bytes: attempt.bytes }),
        }
        result
    }

    /// Hears what became of files that were handed over.
    fn hear(
        &mut self,
        which: Settle,
        todo: &mut VecDeque<(usize, u32)>,
    ) -> Result<(), (Vec<usize>, StoreError)> {
        for (path, result) in self.destination.settle(which) {
            let Some(attempt) = self.finished.remove(&path) else { continue };
            match result {
                Ok(Written { bytes, time_set }) => {
                    let asked = self.run.options.carry_times;
                    self.run.settle(
                        attempt.action,
                        Outcome {
                            error: None,
                            bytes,
                            seconds: attempt.started.elapsed().as_secs_f64(),
                            tries: attempt.tried,
                            time_set: asked.then_some(time_set),
                        },
                    );
                }
                Err(e) => {
                    self.run.observer.event(&Event::TakenBack { bytes: attempt.bytes });
                    self.after_failure(attempt, e, todo)?;
                }
            }
        }
        Ok(())
    }

    /// Puts the file back for another try, or gives it its outcome.
    fn after_failure(
        &mut self,
        attempt: Attempt,
        error: StoreError,
        todo: &mut VecDeque<(usize, u32)>,
    ) -> Result<(), (Vec<usize>, StoreError)> {
        if error.remedy() == Remedy::Shrink {
            // Another worker does them. What was handed over is done again, too: nothing was heard of it.
            let mut left = vec![attempt.action];
            left.extend(todo.drain(..).map(|(i, _)| i));
            left.extend(self.finished.drain().map(|(_, attempt)| attempt.action));
            return Err((left, error));
        }
        if self.run.options.retry.again(error.remedy(), attempt.tried) {
            todo.push_front((attempt.action, attempt.tried + 1));
            return Ok(());
        }
        if self.destination.is_usable() {
            let temporary = self.temporary(attempt.action);
            // Nothing is lost if this fails: the file is known for what it is by its name.
            let _ = self.destination.remove_files(&[temporary]);
        }
        let outcome = self.run.failure(&error, attempt.tried);
        self.run.settle(attempt.action, outcome);
        Ok(())
    }

    /// Asks the source for the times that its listing told only roughly. An unknown time stays unknown.
    fn exact_times(&mut self, files: &[usize]) -> Vec<Option<Mtime>> {
        let listed = |i: usize| self.run.action(i).source.as_ref().and_then(|entry| entry.mtime);
        let mut mtimes: Vec<Option<Mtime>> = files.iter().map(|&i| listed(i)).collect();
        if !self.run.options.carry_times || self.source.capabilities().exact_times {
            return mtimes;
        }
        let rough: Vec<usize> = (0..files.len())
            .filter(|&k| mtimes[k].is_none_or(|mtime| mtime.precision != Precision::Second))
            .collect();
        let paths: Vec<RelPath> = rough.iter().map(|&k| self.run.action(files[k]).path.clone()).collect();
        for (k, answer) in rough.into_iter().zip(self.source.mtimes(&paths)) {
            if let Ok(Some(exact)) = answer {
                mtimes[k] = Some(exact);
            }
        }
        mtimes
    }

    fn requests(&self, i: usize, mtime: Option<Mtime>) -> (ReadRequest, WriteRequest) {
        let action = self.run.action(i);
        let size = action.source.as_ref().and_then(|entry| entry.size);
        let read = ReadRequest { path: action.path.clone(), size };
        // A file that is replaced keeps its bits: a script stays executable.
        let replaced = action
            .destination
            .as_ref()
            .filter(|entry| action.deed == Deed::Replace && entry.kind == Kind::File);
        let write = WriteRequest {
            path: action.path.clone(),
            temporary: self.temporary(i),
            mtime: mtime.filter(|_| self.run.options.carry_times),
            mode: replaced.and_then(|entry| entry.mode),
        };
        (read, write)
    }

    fn temporary(&self, i: usize) -> RelPath {
        temporary_for(&self.run.action(i).path, self.run.options.run_id, i)
    }
}
