//! Why something is done, in words.

use crate::compare::Reason;
use crate::model::{Entry, Kind, Mtime, Precision, escape};
use crate::plan::{Action, CARRIED_BITS, Deed};
use crate::report::human_bytes;

/// Returns why an action is to be done, with what both sides have: `size 15 B → 22 B`.
pub fn why(action: &Action) -> String {
    let (new, old) = (action.source.as_deref(), action.destination.as_deref());
    let size = |entry: Option<&Entry>| {
        entry.and_then(|entry| entry.size).map_or_else(|| "unknown".to_owned(), human_bytes)
    };
    let time = |entry: Option<&Entry>| {
        entry.and_then(|entry| entry.mtime).map_or_else(|| "unknown".to_owned(), |mtime| human_time(&mtime))
    };
    let target = |entry: Option<&Entry>| {
        let target = entry.and_then(|entry| entry.target.as_deref());
        target.map_or_else(|| "somewhere unknown".to_owned(), |target| format!("`{}`", escape(target)))
    };
    let is_link = new.is_some_and(|new| new.kind == Kind::Symlink);
    match action.reason {
        Reason::Missing if is_link => format!("new, a link to {}", target(new)),
        Reason::Checksum if is_link => format!("a link to {} → {}", target(old), target(new)),
        Reason::Missing if action.entry().is_dir() => "new".to_owned(),
        Reason::Missing if action.deed == Deed::Rename => format!("same content, {}", size(new)),
        Reason::Missing => format!("new, {}", size(new)),
        Reason::Size => {
            let (from, to) = (size(old), size(new));
            // Where both look alike for people, the bytes tell them apart.
            let exact = |entry: Option<&Entry>| entry.and_then(|entry| entry.size);
            match (exact(old), exact(new)) {
                (Some(a), Some(b)) if from == to => format!("size {a} → {b} bytes"),
                _ => format!("size {from} → {to}"),
            }
        }
        Reason::Time if action.deed == Deed::Touch => {
            format!("time {} → {}, same content", time(old), time(new))
        }
        Reason::Time => format!("time {} → {}", time(old), time(new)),
        Reason::Checksum => "another content of the same size".to_owned(),
        Reason::Kind => match old {
            Some(old) => format!("is a {} there", old.kind.as_str()),
            None => "takes the place of something else".to_owned(),
        },
        Reason::Forced if action.deed == Deed::Chmod => {
            let bits =
                |entry: Option<&Entry>| entry.and_then(|entry| entry.mode).unwrap_or_default() & CARRIED_BITS;
            format!("permissions {:03o} → {:03o}", bits(old), bits(new))
        }
        Reason::Forced => "asked for".to_owned(),
        Reason::Drift => {
            let exact = |entry: Option<&Entry>| entry.and_then(|entry| entry.size);
            let what = if exact(old) == exact(new) {
                format!("time {}", time(old))
            } else {
                format!("size {}", size(old))
            };
            format!("drift: changed at the destination since it was sent, now {what}")
        }
        Reason::Extra => "only at the destination".to_owned(),
    }
}

/// Returns a time in UTC, as exactly as it is known: `2026-11-21 10:02`.
pub fn human_time(mtime: &Mtime) -> String {
    let pattern = match mtime.precision {
        Precision::Second => "%Y-%m-%d %H:%M:%S",
        Precision::Minute => "%Y-%m-%d %H:%M",
        Precision::Day => "%Y-%m-%d",
    };
    // A day stays the one that was listed: in UTC it may begin the day before.
    let at = if mtime.precision == Precision::Day { mtime.as_listed() } else { mtime.at };
    at.format(pattern).to_string()
}
