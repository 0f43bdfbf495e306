//! One run at a time to a destination on a server, whatever machine it comes from.
//!
//! The lock is a directory in the destination's root, since MKD is the one thing that servers do for one client alone. In it stands a
//! directory whose name says who holds it ([`Claim`]). It gets a new name now and then: that renews the lease, and fails where
//! somebody has taken the lock over: whoever finds a lease to be over gives the claim a name of their own, which one of them succeeds
//! with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::model::{Cancel, Claim, LOCK_NAME, RelPath, Remedy, ServerTime, Standing};
use crate::pool::{Beat, Pool};
use crate::report::{Report, Stop};
use crate::store::{Busy, Renaming, RetryPolicy, Retrying, Session, StoreError, StoreResult};

/// How a run locks its destination on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOptions {
    /// What this machine is called.
    pub host: String,
    /// This process.
    pub pid: u32,
    /// How long the lock outlives a run that doesn't renew it any more. It is renewed five times as often. A server that allows one session
    /// alone has it for twelve times as long, since that session has other things to do.
    pub lease: Duration,
}

impl LockOptions {
    /// The usual lease.
    pub const LEASE: Duration = Duration::from_secs(300);
}

/// A lock that is held. Dropping it releases it.
pub(super) struct RemoteLock<'p> {
    pool: &'p Pool,
    loss: &'p Loss,
    tenure: Arc<Tenure>,
    /// `None` where each session that is lent renews it.
    beat: Option<Beat>,
    /// Who had it before, if it was taken away from them.
    taken_from: Option<String>,
}

/// What ended a run that has lost its lock, for when there is no report to tell it.
#[derive(Default)]
pub(super) struct Loss(Mutex<Option<StoreError>>);

impl Loss {
    /// Returns why the lock was lost, where it was; else what else went wrong.
    pub(super) fn or(self, error: StoreError) -> StoreError {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).unwrap_or(error)
    }
}

/// What is known of a lock that is held.
struct Tenure {
    store: String,
    cancel: Cancel,
    pause: Duration,
    state: Mutex<State>,
}

struct State {
    claim: Claim,
    /// The server's time when this machine's was the instant, where the server tells.
    clock: Option<(ServerTime, Instant)>,
    renewed: Instant,
    /// How it came to be lost.
    lost: Option<String>,
    is_over: bool,
}

/// How long a stopped run may take to release the lock.
const LAST_DEEDS: Duration = Duration::from_secs(2);

/// Between making a lock and saying whose it is lie two round trips.
const NAMELESS: Duration = Duration::from_secs(30);

/// A session that has other things to do renews less often.
const ALONE: u32 = 12;

/// So often a lock that was free a moment ago may be somebody else's by now.
const ROUNDS: u32 = 5;

impl<'p> RemoteLock<'p> {
    /// Takes the lock of the destination, whose root is made if need be. It may have a session for itself or, where there are no others,
    /// has to do with those of the pool.
    ///
    /// # Errors
    /// [`StoreError::is_busy`] when somebody has it; else why it can't be had.
    pub(super) fn take(
        pool: &'p Pool,
        (options, has_others): (&LockOptions, bool),
        id: u64,
        retry: &RetryPolicy,
        loss: &'p Loss,
    ) -> StoreResult<Self> {
        let mut lease = pool.lease()?;
        let mut holding = if has_others { options.lease } else { options.lease * ALONE };
        let claim = Claim {
            id,
            serial: 0,
            pid: options.pid,
            since: now(),
            lease_secs: seconds(holding),
            until: None,
            host: options.host.clone(),
        };
        lease.session().make_root()?;
        let store = pool.store().name().to_owned();
        let mut taking =
            Taking { session: lease.session(), store: &store, retry, claim, clock: None, taken_from: None };
        let clock = taking.take()?;
        let (claim, taken_from) = (taking.claim, taking.taken_from);
        // While the first session is held, so that a server which allows no other refuses this one.
        let apart = if has_others { pool.connect_apart().ok() } else { None };
        if apart.is_none() {
            holding = options.lease * ALONE;
        }
        let claim = Claim { lease_secs: seconds(holding), ..claim };
        let state = State { claim, clock, renewed: Instant::now(), lost: None, is_over: false };
        let tenure = Arc::new(Tenure {
            store,
            cancel: retry.cancel.clone(),
            pause: holding / 5,
            state: Mutex::new(state),
        });
        // From now on the name says until when.
        tenure.renew(lease.session());
        let beat = match apart {
            Some(session) => {
                let (renewing, releasing) = (Arc::clone(&tenure), Arc::clone(&tenure));
                let renew = move |session: &mut Retrying| renewing.renew(session);
                Some(Beat::start(session, holding / 5, renew, move |mut session| {
                    releasing.release(&mut session);
                }))
            }
            None => {
                let renewing = Arc::clone(&tenure);
                pool.set_errand(move |session| renewing.renew_if_due(session));
                None
            }
        };
        Ok(Self { pool, loss, tenure, beat, taken_from })
    }
}

/// Releases the lock, and tells of what became of it.
pub(super) fn tell(report: &mut Report, lock: RemoteLock<'_>) {
    if let Some(holder) = &lock.taken_from {
        report.notes.push(format!("the lock was taken over, since its lease was over: {holder}"));
    }
    let lost = lock.tenure.lock().lost.clone();
    if let Some(lost) = lost {
        report.troubles.push(format!("the lock of {} is lost: {lost}", lock.tenure.store));
        report.stopped = Some(Stop::LockLost);
    }
    drop(lock);
}

#[expect(clippy::disallowed_methods, reason = "people are told since when a lock is held")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

impl Drop for RemoteLock<'_> {
    fn drop(&mut self) {
        let lost = self.tenure.lock().lost.clone();
        if let Some(lost) = lost {
            let error =
                StoreError::of_store("keep the lock of", &self.tenure.store, Remedy::Abort, Busy(lost));
            *self.loss.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        let cancel = &self.tenure.cancel;
        if cancel.is_cancelled() && !cancel.has_reprieve() {
            cancel.reprieve(LAST_DEEDS);
        }
        match self.beat.take() {
            Some(beat) => drop(beat),
            // In vain where none can be had: the lease ends some time.
            None => drop(self.pool.lease_now().map(|lease| {
                if let Some(mut lease) = lease {
                    self.tenure.release(lease.session());
                }
            })),
        }
    }
}

impl Tenure {
    fn renew_if_due(&self, session: &mut dyn Session) {
        let is_due = {
            let state = self.lock();
            !state.is_over && state.lost.is_none() && state.renewed.elapsed() >= self.pause
        };
        if is_due {
            self.renew(session);
        }
    }

    /// Says that the run goes on. Returns whether the lock is still its own.
    fn renew(&self, session: &mut dyn Session) -> bool {
        let mut state = self.lock();
        if state.lost.is_some() || state.is_over {
            return false;
        }
        let lease = i64::from(state.claim.lease_secs);
        let until = state.clock.map(|(time, at)| time.plus(whole_seconds(at.elapsed()) + lease));
        let next = Claim { serial: state.claim.serial.wrapping_add(1), until, ..state.claim.clone() };
        let renaming = Renaming { from: path_of(&state.claim), to: path_of(&next) };
        let Some(Err(error)) = session.rename_files(&[renaming]).pop() else {
            (state.claim, state.renewed) = (next, Instant::now());
            return true;
        };
        let lost = match error.remedy() {
            // The server says no: the one question is whether the name is still there.
            Remedy::Skip => match claims(session, &lock_path()) {
                Ok(claims) => match claims.iter().find(|claim| claim.id == state.claim.id) {
                    Some(own) => {
                        state.claim = own.clone();
                        None
                    }
                    None => Some(match claims.first() {
                        Some(other) => format!("it was taken over by {}", other.holder()),
                        None => "it was taken away".to_owned(),
                    }),
                },
                Err(e) if e.is_absence() => Some("it was taken away".to_owned()),
                Err(_) => None,
            },
            _ => None,
        };
        // Without a word in all that time, others take it to be over.
        let is_late = state.renewed.elapsed() >= Duration::from_secs(state.claim.lease_secs.into());
        let lost = lost.or_else(|| is_late.then(|| format!("it could not be renewed in time: {error}")));
        if let Some(lost) = lost {
            state.lost = Some(lost);
            self.cancel.end();
            return false;
        }
        true
    }

    /// Takes the own name out of the lock, and then the lock itself. Somebody else's stays, since it has a name in it.
    fn release(&self, session: &mut dyn Session) {
        let claim = {
            let mut state = self.lock();
            if state.is_over || state.lost.is_some() {
                return;
            }
            state.is_over = true;
            state.claim.clone()
        };
        // By best effort: what stays is over when its lease is.
        if session.remove_dirs(&[path_of(&claim)]).pop().is_some_and(|removed| removed.is_ok()) {
            remove_lock(session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a lock that nobody holds. Those who are just looking at it may have left something there.
fn remove_lock(session: &mut dyn Session) {
    let lock = lock_path();
    for _ in 0..3 {
        if session.remove_dirs(std::slice::from_ref(&lock)).pop().is_some_and(|removed| removed.is_ok()) {
            return;
        }
        match names(session, &lock) {
            Ok(found) if found.iter().all(|(path, _)| Claim::parse(path.name()).is_none()) => {
                let looks: Vec<RelPath> = found.into_iter().map(|(path, _)| path).collect();
                session.remove_dirs(&looks);
            }
            _ => return,
        }
    }
}

/// A lock on its way to be taken.
struct Taking<'t> {
    session: &'t mut dyn Session,
    store: &'t str,
    retry: &'t RetryPolicy,
    claim: Claim,
    /// What the server's clock said when.
    clock: Option<(ServerTime, Instant)>,
    taken_from: Option<String>,
}

/// What is found in a lock.
enum Found {
    /// There is none any more.
    Nothing,
    /// Somebody is at work.
    Alive(String),
    /// All of these are over.
    Over(Vec<Claim>),
    /// Only time can tell.
    Open(Vec<Claim>),
}

impl Taking<'_> {
    /// Returns the server's time at an instant, where it tells.
    fn take(&mut self) -> StoreResult<Option<(ServerTime, Instant)>> {
        for round in 1..=ROUNDS {
            match self.session.claim_dir(&lock_path()) {
                Ok(true) => match self.settle()? {
                    Some(clock) => return Ok(clock),
                    None => continue,
                },
                Ok(false) => {}
                // It may have been there, and be gone by now.
                Err(e) if e.is_absence() && round < ROUNDS => continue,
                Err(e) => return Err(e),
            }
            let found = match self.look()? {
                Found::Open(claims) => self.watch(claims)?,
                found => found,
            };
            match found {
                Found::Nothing | Found::Open(_) => {}
                Found::Alive(holder) => return Err(self.busy(&holder)),
                Found::Over(claims) => {
                    if let Some(clock) = self.take_over(&claims)? {
                        return Ok(clock);
                    }
                }
            }
        }
        Err(self.busy("the lock changes hands again and again"))
    }

    /// Says in a lock that is nobody's whose it is. `None` when it was taken away meanwhile.
    #[expect(clippy::option_option, reason = "the clock may be unknown, and the lock may be gone")]
    fn settle(&mut self) -> StoreResult<Option<Option<(ServerTime, Instant)>>> {
        let own = path_of(&self.claim);
        match self.session.make_dirs(std::slice::from_ref(&own)).remove(0) {
            Ok(()) => {}
            Err(e) => {
                let is_gone = matches!(names(self.session, &lock_path()), Err(e) if e.is_absence());
                return if is_gone { Ok(None) } else { Err(e) };
            }
        }
        let made = Instant::now();
        Ok(Some(self.make_sure()?.map(|time| (time, made))))
    }

    /// Looks who holds the lock, and what the server's clock says: by a directory that is made for that.
    fn look(&mut self) -> StoreResult<Found> {
        let probe =
            lock_path().join(format!("{:016x}.look", self.claim.id).as_bytes()).expect("a plain name");
        // Where it can't be made, there's no clock.
        let made = self.session.make_dirs(std::slice::from_ref(&probe)).remove(0);
        let at = Instant::now();
        let found = names(self.session, &lock_path());
        if made.is_ok() {
            self.session.remove_dirs(std::slice::from_ref(&probe));
        }
        let found = match found {
            Ok(found) => found,
            Err(e) if e.is_absence() => return Ok(Found::Nothing),
            Err(e) => return Err(e),
        };
        let now = found.iter().find(|(path, _)| *path == probe).and_then(|(_, time)| *time);
        self.clock = now.map(|time| (time, at));
        let mut claims: Vec<Claim> = found.iter().filter_map(|(path, _)| Claim::parse(path.name())).collect();
        claims.sort_by_key(Claim::to_name);
        if let Some(alive) = claims.iter().find(|claim| claim.standing(now) == Standing::Alive) {
            return Ok(Found::Alive(alive.holder()));
        }
        let is_over = !claims.is_empty() && claims.iter().all(|claim| claim.standing(now) == Standing::Over);
        Ok(if is_over { Found::Over(claims) } else { Found::Open(claims) })
    }

    /// Watches a lock of which the clock tells nothing, for as long as its lease is: whoever is alive renews it meanwhile.
    fn watch(&mut self, first: Vec<Claim>) -> StoreResult<Found> {
        let lease = first.iter().map(|claim| Duration::from_secs(claim.lease_secs.into())).max();
        let own = Duration::from_secs(self.claim.lease_secs.into());
        let patience = match lease {
            // What is said there is believed within reason.
            Some(lease) => lease.min(own * ALONE),
            None => own.min(NAMELESS),
        };
        let began = Instant::now();
        while began.elapsed() < patience {
            if !self.retry.wait((began.elapsed() / 2).clamp(FIRST_LOOK, LONGEST_LOOK)) {
                return Err(StoreError::cancelled("lock", &RelPath::root(), self.store));
            }
            match claims(self.session, &lock_path()) {
                Ok(claims) if claims == first => {}
                Ok(claims) => match claims.iter().find(|claim| !first.contains(claim)) {
                    Some(alive) => return Ok(Found::Alive(alive.holder())),
                    None => return Ok(Found::Nothing),
                },
                Err(e) if e.is_absence() => return Ok(Found::Nothing),
                Err(e) => return Err(e),
            }
        }
        Ok(Found::Over(first))
    }

    /// Takes a lock over from whoever left it, by giving their claim the own name: one alone succeeds with that, and whoever comes back to life
    /// finds no claim to renew. `None` when somebody else was quicker.
    #[expect(clippy::option_option, reason = "the clock may be unknown, and the lock may be somebody's")]
    fn take_over(&mut self, left: &[Claim]) -> StoreResult<Option<Option<(ServerTime, Instant)>>> {
        let Some(first) = left.first() else {
            // Nobody ever said whose it is.
            let clock = self.settle()?;
            self.taken_from = clock.is_some().then(|| "it was nobody's".to_owned());
            return Ok(clock);
        };
        let renaming = Renaming { from: path_of(first), to: path_of(&self.claim) };
        match self.session.rename_files(&[renaming]).remove(0) {
            Ok(()) => {}
            Err(e) if e.is_absence() => return Ok(None),
            Err(e) => {
                return Err(
                    e.with_hint("its lease is over; remove `.oneway-lock` there, if that run is no more")
                );
            }
        }
        let others: Vec<RelPath> = left[1..].iter().map(path_of).collect();
        self.session.remove_dirs(&others);
        self.make_sure()?;
        self.taken_from = Some(first.holder());
        Ok(Some(self.clock))
    }

    /// Makes sure that nobody else says the lock is theirs, and returns what the server says of the own claim. Whoever is slow to make theirs
    /// may find somebody else there, who took the lock for abandoned.
    fn make_sure(&mut self) -> StoreResult<Option<ServerTime>> {
        let own = path_of(&self.claim);
        let found = match names(self.session, &lock_path()) {
            Ok(found) => found,
            Err(e) => {
                self.session.remove_dirs(&[own, lock_path()]);
                return Err(e);
            }
        };
        let other =
            found.iter().filter_map(|(path, _)| Claim::parse(path.name())).find(|c| c.id != self.claim.id);
        if let Some(other) = other {
            self.session.remove_dirs(&[own]);
            return Err(self.busy(&other.holder()));
        }
        Ok(found.iter().find(|(path, _)| *path == own).and_then(|(_, time)| *time))
    }

    fn busy(&self, holder: &str) -> StoreError {
        StoreError::of_store("lock", self.store, Remedy::Abort, Busy(format!("another run is under way: {holder}"))).with_hint(
            "if that run is no more, the lock is free when its lease is over, or when you remove `.oneway-lock` there",
        )
    }
}

const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(10);

fn lock_path() -> RelPath {
    RelPath::parse(LOCK_NAME).expect("a literal")
}

fn path_of(claim: &Claim) -> RelPath {
    lock_path().join(claim.to_name().as_bytes()).expect("a plain name")
}

/// Lists what is in a lock, with the times that the server tells.
fn names(session: &mut dyn Session, lock: &RelPath) -> StoreResult<Vec<(RelPath, Option<ServerTime>)>> {
    let listing = session.list(std::slice::from_ref(lock)).remove(0)?;
    Ok(listing.entries.into_iter().map(|entry| (entry.path, entry.mtime.and_then(ServerTime::of))).collect())
}

/// Lists the claims in a lock, in the order of their names.
fn claims(session: &mut dyn Session, lock: &RelPath) -> StoreResult<Vec<Claim>> {
    let mut names = names(session, lock)?;
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names.iter().filter_map(|(path, _)| Claim::parse(path.name())).collect())
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs().max(1)).unwrap_or(u32::MAX)
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
