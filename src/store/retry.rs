//! The one place that obeys [`Remedy`]: what failed for a passing reason is tried again, a lost session is replaced.
//!
//! [`Retrying`] is a session around a session. Batches are repeated for the items that failed only. Transfers are opened
//! again here, too, but a transfer that breaks half-way is the copier's to begin anew: only it can go back to the
//! start of the source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Cancel, Checksum, ChecksumKind, Entry, Mtime, RelPath, Remedy};
use crate::store::{
    Area, AsidePlace, Begun, Capabilities, Continued, Dating, DirListing, HeldFile, Incoming, LinkRequest,
    Outgoing, PartRequest, Parts, Permitting, ReadRequest, Referent, Renaming, Session, Settle, Store,
    StoreError, StoreResult, Version, Way, WriteRequest, Written,
};

/// How often and after which pauses something is tried again.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Tries after the first one.
    pub retries: u32,
    /// The pause before the first of them; each further one is twice as long, up to [`RetryPolicy::MAX_PAUSE`].
    pub first_pause: Duration,
    /// The wish to stop, which ends a pause.
    pub cancel: Cancel,
}

impl RetryPolicy {
    /// The usual first pause.
    pub const FIRST_PAUSE: Duration = Duration::from_millis(200);

    /// No pause is longer than this.
    pub const MAX_PAUSE: Duration = Duration::from_secs(30);

    /// Tries of what is worth waiting for, at least. With their pauses they outlast the minute for which a port rests.
    const LONG_RETRIES: u32 = 9;

    /// Returns a policy with the usual pauses.
    pub fn new(retries: u32, cancel: Cancel) -> Self {
        Self { retries, first_pause: Self::FIRST_PAUSE, cancel }
    }

    /// Runs `step` until it succeeds or fails for good.
    ///
    /// # Errors
    /// The last failure.
    pub fn persist<T>(&self, mut step: impl FnMut() -> StoreResult<T>) -> StoreResult<T> {
        for tried in 1.. {
            match step() {
                Err(e) if self.again(e.remedy(), tried) => {}
                done => return done,
            }
        }
        unreachable!("the policy allows a finite number of tries")
    }

    /// Waits before try number `tried + 1` and returns whether there is to be one. `tried` counts the failed tries, at least 1.
    pub fn again(&self, remedy: Remedy, tried: u32) -> bool {
        let retries = match remedy {
            Remedy::Retry | Remedy::Reconnect => self.retries,
            // Who wants no second try isn't kept waiting.
            Remedy::Wait if self.retries > 0 => self.retries.max(Self::LONG_RETRIES),
            _ => return false,
        };
        if tried > retries {
            return false;
        }
        let pause = self.first_pause.saturating_mul(1 << (tried - 1).min(16)).min(Self::MAX_PAUSE);
        self.wait(jittered(pause, tried))
    }

    /// Waits, and returns whether it came to the end of that: the wish to stop ends it.
    pub fn wait(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while !self.cancel.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        false
    }
}

/// Spreads a pause over three quarters to five quarters of its length, so that sessions which failed together don't come
/// back together. A hasher's keys are random enough for that.
fn jittered(pause: Duration, tried: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(tried) % 1024;
    pause * 3 / 4 + pause / 2 * u32::try_from(random).unwrap_or(0) / 1024
}

/// Whether the items of a batch may change places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Folders before what is in them, or the other way round.
    AsGiven,
    Free,
}

/// A session that repeats what failed for a passing reason, on a new session where the old one is lost.
pub struct Retrying {
    store: Arc<dyn Store>,
    policy: RetryPolicy,
    inner: Box<dyn Session>,
    area: Area,
    /// What was still to be heard of the session before this one.
    unheard: Vec<(RelPath, StoreResult<Written>)>,
}

impl Retrying {
    /// Opens a session of `store`, trying again as the policy says.
    ///
    /// # Errors
    /// The last failure.
    pub fn connect(store: Arc<dyn Store>, policy: RetryPolicy) -> StoreResult<Self> {
        let inner = policy.persist(|| store.connect())?;
        Ok(Self { store, policy, inner, area: Area::Tree, unheard: Vec::new() })
    }

    /// Makes sure that there is a usable session. A failure is [`Remedy::Shrink`]: all tries were made, so that whoever works
    /// with this session had better leave the rest to the others than make them again for each item.
    fn renew(&mut self) -> StoreResult<()> {
        if self.inner.is_usable() {
            return Ok(());
        }
        self.unheard.extend(self.inner.settle(Settle::All));
        // A limit on sessions may still count the lost one.
        let renewed = self.policy.persist(|| self.store.connect().map_err(StoreError::waiting_for_room));
        self.inner = renewed.map_err(|e| match e.remedy() {
            Remedy::Abort => e,
            _ => e.with_remedy(Remedy::Shrink),
        })?;
        self.inner.switch(self.area);
        Ok(())
    }

    /// Runs `batch` until each item has succeeded or failed for good.
    fn repeat<I: Clone, T>(
        &mut self,
        items: &[I],
        order: Order,
        mut batch: impl FnMut(&mut dyn Session, &[I]) -> Vec<StoreResult<T>>,
    ) -> Vec<StoreResult<T>> {
        let mut results: Vec<Option<StoreResult<T>>> = items.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..items.len()).collect();
        let mut tried = 0;
        loop {
            tried += 1;
            if let Err(e) = self.renew() {
                // All open items failed for the same reason.
                for &i in &open {
                    results[i] = Some(Err(e.again()));
                }
                break;
            }
            let part: Vec<I> = open.iter().map(|&i| items[i].clone()).collect();
            let mut remedy = None;
            let mut still = Vec::new();
            for (i, result) in open.iter().copied().zip(batch(&mut *self.inner, &part)) {
                if let Err(e) = &result
                    && matches!(e.remedy(), Remedy::Retry | Remedy::Wait | Remedy::Reconnect)
                {
                    // The strongest of them.
                    remedy = remedy.max(Some(e.remedy()));
                    still.push(i);
                }
                results[i] = Some(result);
            }
            // Most of what failed together was never tried: as long as something gets done, the count starts anew.
            if still.len() < open.len() {
                tried = 1;
            }
            if remedy == Some(Remedy::Reconnect) && order == Order::Free {
                // What ends the session each time must not stand before all the others each time.
                still.rotate_left(1);
            }
            open = still;
            if !remedy.is_some_and(|remedy| self.policy.again(remedy, tried)) {
                break;
            }
        }
        results.into_iter().map(|r| r.expect("the first round leaves a result for each item")).collect()
    }

    /// Runs `step` on a usable session until it succeeds or fails for good.
    fn persist<T>(&mut self, mut step: impl FnMut(&mut dyn Session) -> StoreResult<T>) -> StoreResult<T> {
        for tried in 1.. {
            self.renew()?;
            match step(&mut *self.inner) {
                Err(e) if self.policy.again(e.remedy(), tried) => {}
                done => return done,
            }
        }
        unreachable!("the policy allows a finite number of tries")
    }
}

impl Session for Retrying {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn is_usable(&self) -> bool {
        self.inner.is_usable()
    }

    fn root_exists(&mut self) -> StoreResult<bool> {
        self.persist(|s| s.root_exists())
    }

    fn make_root(&mut self) -> StoreResult<()> {
        self.persist(|s| s.make_root())
    }

    fn list(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<DirListing>> {
        self.repeat(dirs, Order::Free, |s, part| s.list(part))
    }

    fn mtimes(&mut self, files: &[RelPath]) -> Vec<StoreResult<Option<Mtime>>> {
        self.repeat(files, Order::Free, |s, part| s.mtimes(part))
    }

    fn checksum_kind(&self) -> Option<ChecksumKind> {
        self.inner.checksum_kind()
    }

    fn checksums(&mut self, kind: ChecksumKind, files: &[RelPath]) -> Vec<StoreResult<Option<Checksum>>> {
        self.repeat(files, Order::Free, |s, part| s.checksums(kind, part))
    }

    fn follow(&mut self, links: &[RelPath]) -> Vec<StoreResult<Referent>> {
        self.repeat(links, Order::Free, |s, part| s.follow(part))
    }

    fn list_links(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<Vec<Entry>>> {
        self.repeat(dirs, Order::Free, |s, part| s.list_links(part))
    }

    fn make_links(&mut self, links: &[LinkRequest]) -> Vec<StoreResult<()>> {
        self.repeat(links, Order::Free, |s, part| s.make_links(part))
    }

    fn make_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.repeat(dirs, Order::AsGiven, |s, part| s.make_dirs(part))
    }

    fn claim_dir(&mut self, dir: &RelPath) -> StoreResult<bool> {
        self.persist(|s| s.claim_dir(dir))
    }

    fn remove_files(&mut self, files: &[RelPath]) -> Vec<StoreResult<()>> {
        self.repeat(files, Order::Free, |s, part| s.remove_files(part))
    }

    fn remove_dirs(&mut self, dirs: &[RelPath]) -> Vec<StoreResult<()>> {
        self.repeat(dirs, Order::AsGiven, |s, part| s.remove_dirs(part))
    }

    fn rename_files(&mut self, files: &[Renaming]) -> Vec<StoreResult<()>> {
        self.repeat(files, Order::Free, |s, part| s.rename_files(part))
    }

    fn publish_files(&mut self, files: &[HeldFile]) -> Vec<StoreResult<()>> {
        self.repeat(files, Order::Free, |s, part| s.publish_files(part))
    }

    fn switch(&mut self, area: Area) {
        self.area = area;
        self.inner.switch(area);
    }

    fn aside_place(&mut self) -> StoreResult<AsidePlace> {
        self.persist(|s| s.aside_place())
    }

    fn carry_files(&mut self, files: &[Renaming], way: Way) -> Vec<StoreResult<()>> {
        self.repeat(files, Order::Free, |s, part| s.carry_files(part, way))
    }

    fn set_times(&mut self, files: &[Dating]) -> Vec<StoreResult<bool>> {
        self.repeat(files, Order::Free, |s, part| s.set_times(part))
    }

    fn set_modes(&mut self, files: &[Permitting]) -> Vec<StoreResult<()>> {
        self.repeat(files, Order::Free, |s, part| s.set_modes(part))
    }

    fn read<'s>(
        &'s mut self,
        file: &ReadRequest,
        next: Option<&ReadRequest>,
    ) -> StoreResult<Box<dyn Incoming + 's>> {
        self.renew()?;
        self.inner.read(file, next)
    }

    fn version(&mut self, file: &RelPath) -> StoreResult<Version> {
        self.persist(|s| s.version(file))
    }

    fn is_same_file(&mut self, file: &RelPath, other: &RelPath) -> StoreResult<Option<bool>> {
        self.persist(|s| s.is_same_file(file, other))
    }

    fn read_part<'s>(&'s mut self, part: &PartRequest) -> StoreResult<Box<dyn Incoming + 's>> {
        self.renew()?;
        self.inner.read_part(part)
    }

    fn write_parts(&mut self, file: &WriteRequest) -> StoreResult<Option<Box<dyn Parts>>> {
        self.renew()?;
        self.inner.write_parts(file)
    }

    fn write<'s>(
        &'s mut self,
        file: &WriteRequest,
        next: Option<&WriteRequest>,
    ) -> StoreResult<Box<dyn Outgoing + 's>> {
        self.renew()?;
        self.inner.write(file, next)
    }

    fn recover(&mut self, file: &WriteRequest) -> StoreResult<bool> {
        self.renew()?;
        self.inner.recover(file)
    }

    fn write_on<'s>(&'s mut self, file: &WriteRequest, begun: &Begun) -> StoreResult<Continued<'s>> {
        self.renew()?;
        self.inner.write_on(file, begun)
    }

    fn settle(&mut self, which: Settle) -> Vec<(RelPath, StoreResult<Written>)> {
        let mut heard = std::mem::take(&mut self.unheard);
        heard.extend(self.inner.settle(which));
        heard
    }
}
