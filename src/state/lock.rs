//! One run at a time: a lock that the kernel releases, however the run ends.
//!
//! The file stays where it is; what counts is who has it locked. What it says is of use to people alone, and nothing of it is believed:
//! bytes of anybody's are read as far as they make sense.

use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write as _};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::fs::{Mode, OFlags};
use thiserror::Error;

/// A lock that is held. Dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// Others of a group may hold it, too.
    shared: bool,
}

/// Who holds a lock, as far as they have written it down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Their process; `None` when they don't say.
    pub pid: Option<u32>,
    /// Since when their run is under way; `None` when they don't say.
    pub since: Option<DateTime<Utc>>,
}

/// Why there is no lock.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another run is under way")]
    Held(Holder),
    /// It can't be had here: no such directory, no right to write there, no locks on this file system.
    #[error("the file system refuses")]
    Unusable(#[from] io::Error),
}

/// Returns a name for the file by which runs to a destination are locked, that no other destination has.
pub fn lock_file_name(destination: &str) -> String {
    format!("{}.lock", &blake3::hash(destination.as_bytes()).to_hex()[..24])
}

impl Lock {
    /// Takes the lock of the file at `path`, which is made if need be, and writes down who holds it. Waits for nobody.
    ///
    /// # Errors
    /// Who has it, or why it can't be had.
    pub fn take(path: &Path, holder: &Holder) -> Result<Self, LockError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read_soon(&file))),
            Err(TryLockError::Error(e)) => return Err(e.into()),
        }
        let lock = Self { file, shared: false };
        // Only people would miss it.
        let _ = lock.write(&holder.to_text());
        Ok(lock)
    }

    /// Takes the lock of the file at `path` together with others of `group`, a word without a line break. Whoever takes it for himself, and
    /// other groups, are kept out as long as any of them has it. Waits for nobody, but for others that are about to find out the same.
    ///
    /// # Errors
    /// Who has it, or why it can't be had.
    pub fn share(path: &Path, group: &str) -> Result<Self, LockError> {
        let lock = Self { file: open(path)?, shared: true };
        let text = format!("{GROUP} {group}\n");
        for _ in 0..SHARING_TRIES {
            // The first one says whose it is, which nobody can change as long as anybody shares it.
            match lock.file.try_lock() {
                Ok(()) => lock.write(&text)?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
            match lock.file.try_lock_shared() {
                Ok(()) if read_bytes(&lock.file)? == text.as_bytes() => return Ok(lock),
                // Of another group, or of one that is over: to be tried again when nobody has it.
                Ok(()) => lock.file.unlock()?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(e.into()),
            }
            std::thread::sleep(PAUSE);
        }
        Err(LockError::Held(read(&lock.file).unwrap_or_default()))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What was said is over, unless others share it. The file isn't removed: somebody may be about to lock it, and would lock nothing.
        if !self.shared {
            let _ = self.write("");
        }
    }
}

/// Opens a file to be locked, which is made if need be.
fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    // Not through a link, so that nobody who may write into the directory chooses which file is written to; and a FIFO that lies
    // there keeps nobody waiting.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).map_err(io::Error::from)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(file)
}

/// Reads who holds the lock. They may be about to write it.
fn read_soon(file: &File) -> Holder {
    for _ in 0..TRIES {
        let holder = read(file).unwrap_or_default();
        if holder.pid.is_some() {
            return holder;
        }
        std::thread::sleep(PAUSE);
    }
    Holder::default()
}

fn read(file: &File) -> io::Result<Holder> {
    Ok(Holder::from_bytes(&read_bytes(file)?))
}

fn read_bytes(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Holder {
    fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(pid) = self.pid {
            let _ = writeln!(text, "pid {pid}");
        }
        if let Some(since) = self.since {
            let _ = writeln!(text, "since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        text
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut holder = Self::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            match line.split_once(' ') {
                Some(("pid", pid)) => holder.pid = pid.trim().parse().ok().filter(|&pid| pid > 0),
                Some(("since", since)) => {
                    let since = DateTime::parse_from_rfc3339(since.trim()).ok();
                    holder.since = since.map(|since| since.with_timezone(&Utc));
                }
                _ => {}
            }
        }
        holder
    }
}

/// No holder says more than this, in bytes.
const LONGEST: u64 = 4096;
const TRIES: u32 = 5;
/// Begins the line of those who share a lock.
const GROUP: &str = "group";
const SHARING_TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holder() -> Holder {
        Holder { pid: Some(1234), since: Some("2026-11-21T22:01:03Z".parse().unwrap()) }
    }

    #[test]
    fn one_at_a_time_and_the_other_is_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/on the way/x.lock");
        let first = Lock::take(&path, &holder()).unwrap();
        let Err(LockError::Held(other)) = Lock::take(&path, &Holder::default()) else {
            panic!("two at once")
        };
        assert_eq!(other, holder());
        drop(first);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        drop(Lock::take(&path, &Holder::default()).unwrap());
    }

    #[test]
    fn a_group_shares_it_and_keeps_all_others_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let first = Lock::share(&path, "one").unwrap();
        let second = Lock::share(&path, "one").unwrap();
        assert!(matches!(Lock::take(&path, &holder()), Err(LockError::Held(_))));
        assert!(matches!(Lock::share(&path, "other"), Err(LockError::Held(_))));
        drop(first);
        assert!(matches!(Lock::take(&path, &holder()), Err(LockError::Held(_))));
        drop(second);
        let alone = Lock::take(&path, &holder()).unwrap();
        let Err(LockError::Held(other)) = Lock::share(&path, "other") else { panic!("two at once") };
        assert_eq!(other, holder());
        drop(alone);
        let _other = Lock::share(&path, "other").unwrap();
        assert!(matches!(Lock::share(&path, "one"), Err(LockError::Held(_))));
    }

    #[test]
    fn many_of_a_group_that_come_at_once_all_get_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Lock::share(&path, "one"))).collect();
            let locks: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(locks.iter().all(Result::is_ok), "{locks:?}");
        });
    }

    #[test]
    fn what_lies_there_is_not_followed_or_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (precious, link) = (dir.path().join("precious"), dir.path().join("link"));
        std::fs::write(&precious, "content").unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        assert!(matches!(Lock::take(&link, &holder()), Err(LockError::Unusable(_))));
        assert_eq!(std::fs::read(&precious).unwrap(), b"content");
        assert!(matches!(Lock::take(dir.path(), &holder()), Err(LockError::Unusable(_))));
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert!(matches!(Lock::take(&fifo, &holder()), Err(LockError::Unusable(_))));
    }

    #[test]
    fn a_holder_who_says_nothing_is_one_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let other = File::create(&path).unwrap();
        other.lock().unwrap();
        (&other).write_all(b"pid \xff\npid -1\nsince yesterday\n\x1b[2J").unwrap();
        let Err(LockError::Held(found)) = Lock::take(&path, &holder()) else { panic!("two at once") };
        assert_eq!(found, Holder::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = Holder::from_bytes(&bytes);
        }

        #[test]
        fn what_is_written_is_read(pid in proptest::option::of(1_u32..), since in proptest::option::of(0_i64..4_000_000_000)) {
            let since = since.and_then(|since| DateTime::from_timestamp(since, 0));
            let holder = Holder { pid, since };
            prop_assert_eq!(Holder::from_bytes(holder.to_text().as_bytes()), holder);
        }
    }
}
