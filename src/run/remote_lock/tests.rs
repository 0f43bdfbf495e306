//! A directory of this machine stands for the server: its mkdir, rename and times are those that servers hand on.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::Scale;
use crate::pool::SessionCount;
use crate::store::Store;
use crate::store::local::LocalStore;

struct Machine {
    pool: Pool,
    retry: RetryPolicy,
    loss: Loss,
}

impl Machine {
    fn new(root: &Path) -> Self {
        let retry = RetryPolicy::new(0, Cancel::new());
        let store: Arc<dyn Store> = Arc::new(LocalStore::new(root));
        Self { pool: Pool::new(store, SessionCount::fixed(4), retry.clone()), retry, loss: Loss::default() }
    }

    fn take(&self, id: u64, lease: Duration) -> StoreResult<RemoteLock<'_>> {
        let options = LockOptions { host: format!("machine-{id}"), pid: 7, lease };
        RemoteLock::take(&self.pool, (&options, true), id, &self.retry, &self.loss)
    }

    fn take_alone(&self, id: u64, lease: Duration) -> StoreResult<RemoteLock<'_>> {
        let options = LockOptions { host: format!("machine-{id}"), pid: 7, lease };
        RemoteLock::take(&self.pool, (&options, false), id, &self.retry, &self.loss)
    }
}

const LONG: Duration = Duration::from_secs(300);

/// Leaves a lock as a run does that was killed.
fn leave(root: &Path, claim: &Claim) {
    std::fs::create_dir_all(root.join(LOCK_NAME).join(claim.to_name())).unwrap();
}

fn claim(until: Option<i64>, lease_secs: u32) -> Claim {
    Claim {
        id: 99,
        serial: 4,
        pid: 5,
        since: DateTime::UNIX_EPOCH,
        lease_secs,
        until: until.map(|seconds| ServerTime { scale: Scale::Utc, seconds }),
        host: "dead".to_owned(),
    }
}

fn left(root: &Path) -> Vec<String> {
    let names = std::fs::read_dir(root).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_second_one_is_told_who_has_it_and_nothing_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (one, another) = (Machine::new(dir.path()), Machine::new(dir.path()));
    let held = one.take(1, LONG).unwrap();
    let error = another.take(2, LONG).map(drop).expect_err("two at once");
    assert!(error.is_busy(), "{error}");
    assert!(error.to_string().contains("another run is under way: pid 7 on machine-1, since "), "{error}");
    drop(held);
    assert_eq!(left(dir.path()), [""; 0]);
    let again = another.take(2, LONG).unwrap();
    drop(again);
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn of_many_who_come_together_one_has_it_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, served, barrier) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(6));
    std::thread::scope(|scope| {
        for id in 1..=6 {
            let (inside, served, barrier) = (&inside, &served, &barrier);
            let machine = Machine::new(dir.path());
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..20 {
                    match machine.take(id, LONG) {
                        Ok(lock) => {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                            served.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(2));
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(lock);
                        }
                        Err(e) => assert!(e.is_busy(), "{e}"),
                    }
                }
            });
        }
    });
    assert!(served.into_inner() > 0);
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn of_many_who_find_it_left_one_takes_it_over() {
    for round in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        leave(dir.path(), &claim(Some(1_000_000_000 + round), 300));
        let barrier = Barrier::new(4);
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for id in 1..=4 {
                let (machine, barrier, taken) = (Machine::new(dir.path()), &barrier, &taken);
                scope.spawn(move || {
                    barrier.wait();
                    let lock = machine.take(id, LONG);
                    if let Err(e) = &lock {
                        assert!(e.is_busy(), "{e}");
                    }
                    taken.fetch_add(usize::from(lock.is_ok()), Ordering::SeqCst);
                    barrier.wait();
                    if let Ok(lock) = lock {
                        assert!(lock.taken_from.as_deref().is_some_and(|from| from.contains("dead")));
                        assert!(lock.tenure.lock().lost.is_none());
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 1);
        assert_eq!(left(dir.path()), [""; 0]);
    }
}

#[test]
fn without_a_clock_a_lock_is_left_that_is_not_renewed_for_a_lease() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), &claim(None, 1));
    let machine = Machine::new(dir.path());
    let began = Instant::now();
    let lock = machine.take(1, LONG).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1) && lock.taken_from.is_some());
}

#[test]
fn without_a_clock_one_who_renews_is_seen_to_be_alive() {
    let dir = tempfile::tempdir().unwrap();
    let left = claim(None, 60);
    leave(dir.path(), &left);
    let root = dir.path().join(LOCK_NAME);
    let renewing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let next = Claim { serial: left.serial + 1, ..left.clone() };
        std::fs::rename(root.join(left.to_name()), root.join(next.to_name())).unwrap();
    });
    let error = Machine::new(dir.path()).take(1, LONG).map(drop).expect_err("it is alive");
    assert!(error.is_busy() && error.to_string().contains("dead"), "{error}");
    renewing.join().unwrap();
}

#[test]
fn who_stops_while_watching_has_nothing() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), &claim(None, 60));
    let machine = Machine::new(dir.path());
    machine.retry.cancel.stop_after(Duration::from_millis(200));
    let error = machine.take(1, LONG).map(drop).expect_err("it was stopped");
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn a_lock_is_renewed_and_its_loss_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::new(dir.path());
    let lock = machine.take(1, Duration::from_secs(1)).unwrap();
    let began = Instant::now();
    while lock.tenure.lock().claim.serial < 3 {
        assert!(began.elapsed() < Duration::from_secs(30), "it is not renewed");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!machine.retry.cancel.is_cancelled());
    // Somebody takes it over.
    std::fs::rename(dir.path().join(LOCK_NAME), dir.path().join(".oneway-lock-other")).unwrap();
    leave(dir.path(), &claim(None, 300));
    while !machine.retry.cancel.is_cancelled() {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody notices");
        std::thread::sleep(Duration::from_millis(10));
    }
    let lost = lock.tenure.lock().lost.clone().unwrap();
    assert!(lost.contains("it was taken over by pid 5 on dead"), "{lost}");
    drop(lock);
    assert!(left(dir.path()).contains(&LOCK_NAME.to_owned()), "the other's stays");
    assert_eq!(left(&dir.path().join(LOCK_NAME)).len(), 1);
}

#[test]
fn where_there_is_one_session_each_loan_renews() {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::new(dir.path());
    // A twelfth of what the lock holds then; it is due after a fifth of that.
    let lock = machine.take_alone(1, Duration::from_millis(100)).unwrap();
    assert_eq!(lock.tenure.lock().claim.lease_secs, 1);
    let serial = || lock.tenure.lock().claim.serial;
    let first = serial();
    drop(machine.pool.lease().unwrap());
    assert_eq!(serial(), first, "it isn't due");
    std::thread::sleep(Duration::from_millis(300));
    drop(machine.pool.lease_now().unwrap());
    assert_eq!(serial(), first + 1);
    drop(lock);
    assert_eq!(left(dir.path()), [""; 0]);
}

#[test]
fn what_others_left_in_a_lock_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let machine = Machine::new(dir.path());
    let lock = machine.take(1, LONG).unwrap();
    std::fs::create_dir(dir.path().join(LOCK_NAME).join("0000000000000009.look")).unwrap();
    drop(lock);
    assert_eq!(left(dir.path()), [""; 0]);
}
