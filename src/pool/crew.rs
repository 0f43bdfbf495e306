//! The threads of a run, which work with the sessions of pools.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::pool::Pool;
use crate::pool::growth::{Done, Growth};

/// Runs `work` on up to `workers` threads and waits for all of them.
pub fn crew(workers: usize, work: impl Fn() + Sync) {
    on_threads(workers, |_| work());
}

/// As [`crew`] with a thread for each session that all of `pools` may have, and more while they help: `work` tells the meter what
/// it got done. `most` threads are never exceeded.
pub fn growing_crew(pools: &[&Pool], most: usize, work: impl Fn(&Meter<'_>) + Sync) {
    let start = pools.iter().map(|pool| pool.limit()).min().unwrap_or(most).min(most);
    let most = pools.iter().map(|pool| pool.most()).min().unwrap_or(most).min(most);
    let meter = Meter::new(pools, start, most);
    on_threads(most, |number| {
        if meter.waits_for(number) {
            let _turn = Turn(&meter);
            work(&meter);
        }
    });
}

fn on_threads(workers: usize, work: impl Fn(usize) + Sync) {
    if workers <= 1 {
        return work(0);
    }
    std::thread::scope(|scope| {
        let work = &work;
        // Joined, not let go: glibc (2.36) reads a thread's memory after detaching it, and crashes when it has just ended.
        let others: Vec<_> = (1..workers).map(|number| scope.spawn(move || work(number))).collect();
        work(0);
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Runs two jobs at once and returns both results.
pub fn both<A: Send, B>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        match first.join() {
            Ok(first) => (first, second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Hears what a crew gets done, and lets more join while that helps.
pub struct Meter<'p> {
    pools: &'p [&'p Pool],
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    growth: Growth,
    /// Threads that may work; those with higher numbers wait.
    allowed: usize,
    /// Of these, the ones that haven't come to their end.
    at_work: usize,
    /// What was done since then.
    done: Done,
    since: Instant,
}

impl<'p> Meter<'p> {
    fn new(pools: &'p [&'p Pool], start: usize, most: usize) -> Self {
        let growth = Growth::new(start, most);
        let start = start.max(1);
        let (done, since) = (Done::default(), Instant::now());
        let state = Mutex::new(State { growth, allowed: start, at_work: start, done, since });
        Self { pools, state, changed: Condvar::new() }
    }

    /// Tells what got done: files or directories, bytes of content, and how many of the former nobody works on yet.
    pub fn did(&self, items: u64, bytes: u64, waiting: usize) {
        let mut state = self.lock();
        if state.growth.is_over() {
            return;
        }
        state.done.items += items;
        state.done.bytes += bytes;
        let (done, elapsed) = (state.done, state.since.elapsed());
        if let Some(sessions) = state.growth.judge(done, elapsed, waiting) {
            for pool in self.pools {
                pool.raise(sessions);
            }
            state.at_work += sessions - state.allowed;
            state.allowed = sessions;
            (state.done, state.since) = (Done::default(), Instant::now());
            self.changed.notify_all();
        }
    }

    /// Waits until the thread of this number may work; `false` when the others have come to their end before that.
    fn waits_for(&self, number: usize) -> bool {
        let mut state = self.lock();
        while number >= state.allowed {
            if state.at_work == 0 {
                return false;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// A thread that panicked is heard of when it's joined; until then the others go on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread at work. Dropping it ends that, however it comes about.
struct Turn<'m, 'p>(&'m Meter<'p>);

impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().at_work -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::model::Cancel;
    use crate::pool::SessionCount;
    use crate::store::RetryPolicy;
    use crate::store::memory::MemoryStore;

    fn pool(sessions: SessionCount) -> Pool {
        Pool::new(Arc::new(MemoryStore::new([])), sessions, RetryPolicy::new(0, Cancel::new()))
    }

    #[test]
    fn threads_that_wait_for_others_join_while_they_help() {
        let pool = pool(SessionCount { start: 2, most: 4 });
        let left = AtomicUsize::new(600);
        let seen = Mutex::new(HashSet::new());
        growing_crew(&[&pool], 100, |meter| {
            seen.lock().unwrap().insert(std::thread::current().id());
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                std::thread::sleep(Duration::from_millis(5));
                meter.did(1, 0, left.load(Ordering::Relaxed));
            }
        });
        assert_eq!(seen.into_inner().unwrap().len(), 4);
        assert_eq!(pool.limit(), 4);
    }

    #[test]
    fn nobody_waits_for_work_that_is_done() {
        let pool = pool(SessionCount { start: 1, most: 4 });
        let ran = AtomicUsize::new(0);
        growing_crew(&[&pool], 100, |_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 1);
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn a_panic_ends_the_waiting_of_those_who_never_worked() {
        let pool = pool(SessionCount { start: 2, most: 4 });
        growing_crew(&[&pool], 100, |_| panic!("on purpose"));
    }
}
