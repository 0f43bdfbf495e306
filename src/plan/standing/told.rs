//! What was assumed and what is there, for people.

use crate::model::{Entry, Kind, Mtime, Precision, RelPath, escape};

pub(super) fn changed(side: &str, then: Option<&Entry>, now: Option<&Entry>) -> String {
    let modes = (then.and_then(|then| then.mode), now.and_then(|now| now.mode));
    let (then, now) = (shown(then), shown(now));
    if let (true, Some(old), Some(new)) = (then == now, modes.0, modes.1)
        && old != new
    {
        return format!(
            "the {side} had {then} and permissions {old:04o} when the plan was made, and has {new:04o}"
        );
    }
    if then == now {
        return format!("whether the {side} still has {then} can't be told");
    }
    format!("the {side} had {then} when the plan was made, and has {now}")
}

pub(super) fn unproven(side: &str, dir: &RelPath, why: &str) -> String {
    format!("the {side}'s listing of `{dir}` is not proven: {why}")
}

/// Says what is there.
fn shown(entry: Option<&Entry>) -> String {
    let Some(entry) = entry else { return "nothing there".to_owned() };
    match entry.kind {
        Kind::Dir => "a directory".to_owned(),
        Kind::Other => "a special file".to_owned(),
        Kind::Symlink => match &entry.target {
            Some(target) => format!("a symbolic link to `{}`", escape(target)),
            None => "a symbolic link".to_owned(),
        },
        Kind::File => {
            let size = entry.size.map_or_else(|| "unknown size".to_owned(), |size| format!("{size} B"));
            let time = entry.mtime.map_or_else(String::new, |mtime| format!(" of {}", shown_time(&mtime)));
            format!("a file of {size}{time}")
        }
    }
}

fn shown_time(mtime: &Mtime) -> String {
    let pattern = match mtime.precision {
        Precision::Second => "%Y-%m-%d %H:%M:%S%.f",
        Precision::Minute => "%Y-%m-%d %H:%M",
        Precision::Day => "%Y-%m-%d",
    };
    mtime.as_listed().format(pattern).to_string()
}
