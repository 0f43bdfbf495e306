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
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        // Not through a link, so that nobody who may write into the directory chooses which file is written to; and a FIFO that lies
        // there keeps nobody waiting.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).map_err(io::Error::from)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file").into());
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read_soon(&file))),
            Err(TryLockError::Error(e)) => return Err(e.into()),
        }
        let lock = Self { file };
        // Only people would miss it.
        let _ = lock.write(&holder.to_text());
        Ok(lock)
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
        // What was said is over. The file isn't removed: somebody may be about to lock it, and would lock nothing.
        let _ = self.write("");
    }
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

fn read(mut file: &File) -> io::Result<Holder> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(Holder::from_bytes(&bytes))
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
