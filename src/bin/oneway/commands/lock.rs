//! One run at a time to each destination, by locks in files of this machine.
//!
//! The lock of a destination lies in the user's state directory, whatever the source is and wherever receipts are kept. A state file
//! that was named has one of its own beside it, since another user may have named it, too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Local, TimeDelta, Utc};
use oneway::config::Place;
use oneway::run::LockOptions;
use oneway::state::{Holder, Lock, LockError, lock_file_name};

use crate::args::SyncArgs;
use crate::commands::state::state_dir;
use crate::ui::say::complain;

/// Returns the files by which a run to `destination` is locked.
pub(crate) fn files(args: &SyncArgs, destination: &Place) -> Vec<PathBuf> {
    let of_state = args.state.as_ref().filter(|_| !args.no_state && !args.remote_state).map(|state| {
        let mut name = state.clone().into_os_string();
        name.push(".lock");
        PathBuf::from(name)
    });
    of_destination(destination).into_iter().chain(of_state).collect()
}

/// Returns the file by which a destination is locked; `None` where there is no state directory.
pub(crate) fn of_destination(destination: &Place) -> Option<PathBuf> {
    let identity = destination.identity();
    // One place is reached by several schemes.
    let place = if destination.is_local() {
        &identity
    } else {
        identity.split_once("://").map_or(&*identity, |(_, at)| at)
    };
    state_dir().map(|dir| dir.join("oneway").join(lock_file_name(place)))
}

/// Takes the locks. Where one can't be had for another reason than that somebody has it, that is said, and the run goes on without it.
///
/// # Errors
/// Who has one of them, as a sentence.
pub(crate) fn take(files: &[PathBuf], destination: &Place) -> Result<Vec<Lock>, String> {
    let now = Utc::now();
    let holder = Holder { pid: Some(std::process::id()), since: Some(now) };
    if files.is_empty() {
        unlocked("there is no state directory, since neither $XDG_STATE_HOME nor $HOME names one");
    }
    let busy = |other: &Holder| sentence(other, &destination.identity(), now);
    files.iter().filter_map(|file| one(file, Lock::take(file, &holder), busy).transpose()).collect()
}

/// Takes the locks together with other parts of `plan`, in the same way.
///
/// # Errors
/// Who has one of them, as a sentence.
pub(crate) fn share(files: &[PathBuf], destination: &Place, plan: &str) -> Result<Vec<Lock>, String> {
    let busy = |other: &Holder| sentence(other, &destination.identity(), Utc::now());
    files.iter().filter_map(|file| one(file, Lock::share(file, plan), busy).transpose()).collect()
}

/// Takes one lock, that of a part of a plan, in the same way.
///
/// # Errors
/// Who has it, as a sentence.
pub(crate) fn of_part(file: &Path, part: &str) -> Result<Option<Lock>, String> {
    let now = Utc::now();
    let holder = Holder { pid: Some(std::process::id()), since: Some(now) };
    one(file, Lock::take(file, &holder), |other| {
        format!("another apply of {part} is under way{}; nothing was done", told(other, now))
    })
}

fn one(
    file: &Path,
    taken: Result<Lock, LockError>,
    busy: impl Fn(&Holder) -> String,
) -> Result<Option<Lock>, String> {
    match taken {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held(other)) => Err(busy(&other)),
        Err(LockError::Unusable(e)) => {
            unlocked(&format!("cannot lock {}: {e}", shown(file)));
            Ok(None)
        }
    }
}

/// Returns how a destination is locked on its server.
pub(crate) fn on_server() -> LockOptions {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    LockOptions { host: name, pid: std::process::id(), lease: LockOptions::LEASE }
}

fn unlocked(why: &str) {
    complain!("note: {why}; another run to the same destination would not be noticed");
}

fn shown(file: &Path) -> impl std::fmt::Display {
    file.display()
}

fn sentence(other: &Holder, destination: &str, now: DateTime<Utc>) -> String {
    format!("another run to {destination} is under way{}; nothing was done", told(other, now))
}

/// Says of somebody who has a lock what is known, behind a colon.
fn told(other: &Holder, now: DateTime<Utc>) -> String {
    let mut told = Vec::new();
    if let Some(pid) = other.pid {
        told.push(format!("pid {pid}"));
    }
    if let Some(since) = other.since {
        let at = since.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S");
        told.push(format!("since {at} ({})", ago(now - since)));
    }
    if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
}

/// Returns how long ago something was, in its largest unit.
pub(crate) fn ago(time: TimeDelta) -> String {
    let seconds = time.to_std().unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_run_is_named_as_far_as_it_is_known() {
        let now: DateTime<Utc> = "2026-11-21T22:05:03Z".parse().unwrap();
        let since = Some(now - TimeDelta::seconds(245));
        let told = sentence(&Holder { pid: Some(1234), since }, "/srv/www", now);
        assert!(
            told.starts_with("another run to /srv/www is under way: pid 1234, since 2026-11-2"),
            "{told}"
        );
        assert!(told.ends_with(" (4 min); nothing was done"), "{told}");
        let told = sentence(&Holder::default(), "/srv/www", now);
        assert_eq!(told, "another run to /srv/www is under way; nothing was done");
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        for (seconds, text) in
            [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 days")]
        {
            assert_eq!(ago(TimeDelta::seconds(seconds)), text);
        }
    }
}
