//! The sessions of one store, and the threads that work with them.
//!
//! Sessions are dear (a connection, a login, some questions), so they are lent and given back: the ones that scanned
//! also copy. A server that allows fewer than wished makes the pool smaller and never the run fail: whoever can't get
//! a session leaves the work to the others, as long as there is one. The other way round, a pool may grow from the number
//! it starts with, as long as that makes the work go faster.

mod beat;
mod crew;
mod growth;

pub use beat::Beat;
pub use crew::{Meter, both, crew, growing_crew};

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use crate::model::Remedy;
use crate::store::{RetryPolicy, Retrying, Session, Store, StoreResult};

/// How many sessions a pool may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCount {
    /// From the beginning on, as far as there is work for them.
    pub start: usize,
    /// At most, where more of them help.
    pub most: usize,
}

impl SessionCount {
    /// What most servers allow one client, and as many as are worth a try: common limits per address are 8 and 10.
    pub const AUTO: Self = Self { start: 4, most: 10 };

    /// Returns one session less, but at least one: the other has something else to do.
    #[must_use]
    pub fn without_one(self) -> Self {
        let most = self.most.saturating_sub(1).max(1);
        Self { start: self.start.min(most), most }
    }

    /// Returns exactly `n` sessions, at least 1.
    pub fn fixed(n: usize) -> Self {
        Self { start: n.max(1), most: n.max(1) }
    }
}

/// Lends the sessions of one store.
pub struct Pool {
    store: Arc<dyn Store>,
    policy: RetryPolicy,
    state: Mutex<State>,
    given_back: Condvar,
    errand: OnceLock<Errand>,
}

/// Something to be done with each session that is about to be lent.
type Errand = Box<dyn Fn(&mut dyn Session) + Send + Sync>;

struct State {
    idle: Vec<Retrying>,
    /// Sessions there are, lent ones and those being opened included.
    open: usize,
    limit: usize,
    /// How far the limit may be raised.
    most: usize,
    /// The server said that there are too many.
    shrunk: bool,
    /// It said so of a first session, too, as long as anybody was willing to wait.
    waited_in_vain: bool,
}

/// A session on loan. Dropping it gives it back.
pub struct Lease<'p> {
    pool: &'p Pool,
    session: Option<Retrying>,
}

/// How long a first session may be refused for a limit before the refusal is believed: the sessions of a run that just ended are
/// counted for a moment longer. Who wants no second try isn't kept waiting.
const PATIENCE: Duration = Duration::from_secs(10);

impl Pool {
    /// Returns a pool of that many sessions, none of which is open yet. A store on this machine has one for each worker
    /// that asks.
    pub fn new(store: Arc<dyn Store>, sessions: SessionCount, policy: RetryPolicy) -> Self {
        let SessionCount { start, most } = sessions;
        let state =
            State { idle: Vec::new(), open: 0, limit: start, most, shrunk: false, waited_in_vain: false };
        Self { store, policy, state: Mutex::new(state), given_back: Condvar::new(), errand: OnceLock::new() }
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Returns how many sessions there may be by now.
    pub fn limit(&self) -> usize {
        self.lock().limit
    }

    /// Returns how many sessions there may be once it has grown as far as it may.
    pub fn most(&self) -> usize {
        self.lock().most
    }

    /// Allows for more sessions, up to the most there may be.
    fn raise(&self, limit: usize) {
        let mut state = self.lock();
        state.limit = limit.min(state.most).max(state.limit);
        // Whoever waits for a session may open one now.
        self.given_back.notify_all();
    }

    /// Returns to how many sessions the server limited the pool; `None` when it didn't.
    pub fn shrunk_to(&self) -> Option<usize> {
        let state = self.lock();
        state.shrunk.then_some(state.limit)
    }

    /// Lends a session, opening one if there may be another, else waiting for one to be given back.
    ///
    /// # Errors
    /// [`Remedy::Shrink`] when the server allows no more and others are at work already; else why none can be opened.
    pub fn lease(&self) -> StoreResult<Lease<'_>> {
        self.wait_for_lease().map(|lease| self.after_errand(lease))
    }

    /// Has something done with each session before it is lent, from now on. Only the first call counts.
    pub fn set_errand(&self, errand: impl Fn(&mut dyn Session) + Send + Sync + 'static) {
        self.errand.get_or_init(|| Box::new(errand));
    }

    /// Opens a session that is none of the pool's, without patience.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub fn connect_apart(&self) -> StoreResult<Retrying> {
        Retrying::connect(Arc::clone(&self.store), RetryPolicy { retries: 0, ..self.policy.clone() })
    }

    fn after_errand<'p>(&'p self, mut lease: Lease<'p>) -> Lease<'p> {
        if let Some(errand) = self.errand.get() {
            errand(lease.session());
        }
        lease
    }

    fn wait_for_lease(&self) -> StoreResult<Lease<'_>> {
        let mut state = self.lock();
        loop {
            if let Some(session) = state.idle.pop() {
                return Ok(self.lend(session));
            }
            if state.open < state.limit {
                return self.open(state);
            }
            state = self.given_back.wait(state).expect("no holder panics");
        }
    }

    /// Lends a session, opening one if there may be another; `None` when all there may be are at work. For whoever holds
    /// work that the others wait for, and so must not wait for them.
    ///
    /// # Errors
    /// As [`Pool::lease`].
    pub fn lease_now(&self) -> StoreResult<Option<Lease<'_>>> {
        let lease = self.lease_at_once()?;
        Ok(lease.map(|lease| self.after_errand(lease)))
    }

    fn lease_at_once(&self) -> StoreResult<Option<Lease<'_>>> {
        let mut state = self.lock();
        if let Some(session) = state.idle.pop() {
            return Ok(Some(self.lend(session)));
        }
        if state.open < state.limit { self.open(state).map(Some) } else { Ok(None) }
    }

    fn open<'p>(&'p self, mut state: MutexGuard<'p, State>) -> StoreResult<Lease<'p>> {
        state.open += 1;
        // One worker has the patience for all.
        let patience =
            if self.policy.retries == 0 || state.waited_in_vain { Duration::ZERO } else { PATIENCE };
        drop(state);
        let started = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            match Retrying::connect(Arc::clone(&self.store), self.policy.clone()) {
                Ok(session) => {
                    self.lock().waited_in_vain = false;
                    return Ok(self.lend(session));
                }
                Err(e) => {
                    let mut state = self.lock();
                    let alone = state.open == 1;
                    let patient = started.elapsed() < patience && !self.policy.cancel.is_cancelled();
                    if e.remedy() == Remedy::Shrink && alone && patient {
                        drop(state);
                        self.policy.wait(pause);
                        // A server that counts failed logins must not see many.
                        pause *= 2;
                        continue;
                    }
                    state.open -= 1;
                    if e.remedy() == Remedy::Shrink {
                        state.waited_in_vain |= alone;
                        state.limit = state.open.max(1);
                        state.most = state.limit;
                        state.shrunk = true;
                    }
                    // Whoever waits may open one in this one's place, or learn that it can't.
                    self.given_back.notify_one();
                    return Err(e);
                }
            }
        }
    }

    fn lend(&self, session: Retrying) -> Lease<'_> {
        Lease { pool: self, session: Some(session) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Lease<'_> {
    /// Returns the session.
    pub fn session(&mut self) -> &mut dyn Session {
        self.session.as_mut().expect("only drop takes it")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let session = self.session.take().expect("only drop takes it");
        let mut state = self.pool.lock();
        if session.is_usable() {
            state.idle.push(session);
        } else {
            state.open -= 1;
        }
        self.pool.given_back.notify_one();
    }
}
