//! How fast a server is on several sessions at once, how many it allows, and what its clock says. What is written is removed again, and known
//! for what it is by its name if that fails.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use oneway::model::{Cancel, Key, Mtime, RelPath, RunId, Temporary};
use oneway::store::ftp::FtpStore;
use oneway::store::{ReadRequest, Session, Settle, Store, StoreError, StoreResult, WriteRequest};

use crate::args::ConnectionArgs;

/// What was measured.
#[derive(Default)]
pub(super) struct Load {
    pub(super) rates: Vec<Rate>,
    /// Sessions there were at once.
    pub(super) sessions: usize,
    /// Why there were no more; `None` where no more were tried.
    pub(super) refusal: Option<String>,
    /// What the server's clock says of a file just written, and when that was; `None` where it doesn't tell.
    pub(super) clock: Option<(Mtime, DateTime<Utc>)>,
}

/// Bytes a second of all sessions together.
pub(super) struct Rate {
    pub(super) sessions: usize,
    pub(super) up: f64,
    pub(super) down: f64,
}

const STEPS: [usize; 4] = [1, 2, 4, 8];

/// What is sent first, to learn how much would take about a second.
const FIRST_BYTES: u64 = 256 << 10;
const MOST_BYTES: u64 = 64 << 20;
const BLOCK: usize = 256 << 10;

impl Load {
    /// Returns what could be measured, and what kept it from going on.
    pub(super) fn measure(
        store: &FtpStore,
        args: &ConnectionArgs,
        cancel: &Cancel,
    ) -> (Self, Option<StoreError>) {
        let mut load = Self::default();
        let trouble = load.go(store, args, cancel).err();
        (load, trouble)
    }

    fn go(&mut self, store: &FtpStore, args: &ConnectionArgs, cancel: &Cancel) -> StoreResult<()> {
        let most = args.sessions.0.unwrap_or(STEPS[STEPS.len() - 1]);
        let run = RunId::new(u64::from(std::process::id()), Utc::now(), 0);
        let mut sessions: Vec<Box<dyn Session>> = vec![store.connect()?];
        self.sessions = 1;
        let file = Probe { run, number: 0, bytes: FIRST_BYTES };
        let began = Instant::now();
        file.write(&mut *sessions[0], cancel)?;
        let took = began.elapsed();
        let asked = sessions[0].mtimes(&[file.path()]).pop();
        self.clock = asked.and_then(Result::ok).flatten().map(|mtime| (mtime, Utc::now()));
        file.remove(&mut *sessions[0])?;
        let in_a_second = FIRST_BYTES as f64 / took.as_secs_f64().max(0.001);
        let bytes = (in_a_second as u64).clamp(FIRST_BYTES, MOST_BYTES);
        for step in STEPS.into_iter().filter(|&step| step <= most) {
            while sessions.len() < step && !cancel.is_cancelled() {
                match store.connect() {
                    Ok(session) => sessions.push(session),
                    Err(e) => {
                        self.refusal = Some(e.to_string());
                        break;
                    }
                }
            }
            self.sessions = sessions.len();
            let share = bytes / sessions.len() as u64;
            let files: Vec<_> = (0..sessions.len() as u64)
                .map(|i| Probe { run, number: step as u64 * 100 + i, bytes: share })
                .collect();
            let up = at_once(&mut sessions, &files, |session, file| file.write(session, cancel));
            let down = match up {
                Ok(_) => at_once(&mut sessions, &files, |session, file| file.read(session, cancel)),
                Err(_) => Ok(Duration::ZERO),
            };
            let removed = at_once(&mut sessions, &files, |session, file| file.remove(session));
            let (up, down) = (up?, down?);
            removed?;
            let all = (share * sessions.len() as u64) as f64;
            let rate = |took: Duration| all / took.as_secs_f64().max(1e-6);
            self.rates.push(Rate { sessions: sessions.len(), up: rate(up), down: rate(down) });
            if self.refusal.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Returns how far the server's clock is ahead; `None` where it doesn't tell.
    pub(super) fn ahead(&self) -> Option<TimeDelta> {
        self.clock.as_ref().map(|(told, now)| told.at - *now)
    }
}

/// Does something with each file on a session of its own, and returns how long all of it took.
fn at_once(
    sessions: &mut [Box<dyn Session>],
    files: &[Probe],
    work: impl Fn(&mut dyn Session, &Probe) -> StoreResult<()> + Sync,
) -> StoreResult<Duration> {
    let failure = Mutex::new(None);
    let began = Instant::now();
    thread::scope(|scope| {
        for (session, file) in sessions.iter_mut().zip(files) {
            let (work, failure) = (&work, &failure);
            scope.spawn(move || {
                if let Err(e) = work(&mut **session, file) {
                    failure.lock().expect("no holder panics").get_or_insert(e);
                }
            });
        }
    });
    match failure.into_inner().expect("no holder panics") {
        Some(e) => Err(e),
        None => Ok(began.elapsed()),
    }
}

/// A file of nothing in particular.
#[derive(Clone, Copy)]
struct Probe {
    run: RunId,
    number: u64,
    bytes: u64,
}

impl Probe {
    fn named(self, serial: u32) -> RelPath {
        let name = Temporary { run: self.run, key: Key::Other, number: self.number, serial };
        // Beside a file in the root, whatever that is called.
        name.beside(&RelPath::parse("x").expect("it is a name"))
    }

    fn path(self) -> RelPath {
        self.named(0)
    }

    fn write(self, session: &mut dyn Session, cancel: &Cancel) -> StoreResult<()> {
        let request = WriteRequest {
            path: self.path(),
            temporary: self.named(1),
            size: Some(self.bytes),
            mtime: None,
            mode: None,
            replaces: false,
            held: false,
        };
        // No line or disk packs it.
        let mut block = vec![0; BLOCK];
        let mut seed = self.number | 1;
        for bytes in block.chunks_mut(8) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.copy_from_slice(&seed.to_le_bytes());
        }
        let mut outgoing = session.write(&request, None)?;
        let mut left = self.bytes;
        while left > 0 && !cancel.is_cancelled() {
            let n = left.min(BLOCK as u64);
            outgoing.write(&block[..usize::try_from(n).unwrap_or(BLOCK)])?;
            left -= n;
        }
        outgoing.finish()?;
        session.settle(Settle::All).into_iter().try_for_each(|(_, written)| written.map(drop))
    }

    fn read(self, session: &mut dyn Session, cancel: &Cancel) -> StoreResult<()> {
        let request = ReadRequest { path: self.path(), size: Some(self.bytes) };
        let mut incoming = session.read(&request, None)?;
        let mut block = vec![0; BLOCK];
        while !cancel.is_cancelled() && incoming.read(&mut block)? > 0 {}
        incoming.finish().map(drop)
    }

    fn remove(self, session: &mut dyn Session) -> StoreResult<()> {
        session.remove_files(&[self.path(), self.named(1)]).into_iter().collect()
    }
}
