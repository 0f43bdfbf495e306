//! Both ends of a run: their sessions, and what tells the run from others.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::model::RunId;
use crate::pool::{Pool, SessionCount};
use crate::report::Mode;
use crate::run::remote_lock::{Loss, RemoteLock};
use crate::run::{LockOptions, RunOptions};
use crate::store::{RetryPolicy, Store, StoreResult};

/// Sessions of a store on this machine, one for each worker of the other side.
const LOCAL_SESSIONS: usize = 64;

/// Both ends of a run.
pub(super) struct Ends {
    pub(super) source: Pool,
    pub(super) destination: Pool,
    pub(super) retry: RetryPolicy,
    pub(super) run_id: RunId,
    pub(super) now: DateTime<Utc>,
    pub(super) started: Instant,
}

impl Ends {
    pub(super) fn new(source: &Arc<dyn Store>, destination: &Arc<dyn Store>, options: &RunOptions) -> Self {
        let started = Instant::now();
        if let Some(time) = options.max_duration {
            options.cancel.stop_after(time);
        }
        let retry = RetryPolicy {
            first_pause: options.first_pause,
            ..RetryPolicy::new(options.retries, options.cancel.clone())
        };
        let pool = |store: &Arc<dyn Store>, sessions| {
            let sessions = if store.is_remote() { sessions } else { SessionCount::fixed(LOCAL_SESSIONS) };
            Pool::new(Arc::clone(store), sessions, retry.clone())
        };
        // The lock has one of them for itself.
        let is_locked = locking(options, destination.is_remote()).is_some();
        let left = if is_locked { options.sessions.without_one() } else { options.sessions };
        let (source, destination) = (pool(source, options.sessions), pool(destination, left));
        let (run_id, now) = begin(options);
        Self { source, destination, retry, run_id, now, started }
    }

    /// Locks the destination on its server, where that is wished for.
    ///
    /// # Errors
    /// Who has the lock, or why it can't be had.
    pub(super) fn lock<'e>(
        &'e self,
        options: &RunOptions,
        lost: &'e Loss,
    ) -> StoreResult<Option<RemoteLock<'e>>> {
        let alone = options.sessions.most > 1;
        locking(options, self.destination.store().is_remote())
            .map(|lock| {
                RemoteLock::take(&self.destination, (lock, alone), self.run_id.run, &self.retry, lost)
            })
            .transpose()
    }
}

fn locking(options: &RunOptions, is_remote: bool) -> Option<&LockOptions> {
    options.remote_lock.as_ref().filter(|_| options.mode == Mode::Sync && is_remote)
}

/// Returns the number of this run, and the time.
#[expect(
    clippy::disallowed_methods,
    reason = "a run is where the clock is read; what it decides takes it as a value"
)]
fn begin(options: &RunOptions) -> (RunId, DateTime<Utc>) {
    let now = Utc::now();
    let chance = || BuildHasher::hash_one(&RandomState::new(), 0);
    (RunId::new(options.owner.unwrap_or_else(chance), now, chance() as u32), now)
}
