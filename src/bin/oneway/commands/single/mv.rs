//! `oneway mv`: on one server another name, without moving a byte; between two places a copy, and once that is proven whole, the source
//! is removed. Nothing is replaced.

use std::process::ExitCode;

use oneway::config::Place;
use oneway::model::{Kind, RelPath, Remedy};
use oneway::store::{Renaming, Session, StoreResult};

use crate::args::MvArgs;
use crate::commands::connect;
use crate::commands::single::copy::{How, Manner, Route, copy, ended, kind_at, split, take_away};
use crate::commands::single::{Failed, Means};
use crate::exit::UsageError;

pub(crate) fn run(args: &MvArgs) -> anyhow::Result<ExitCode> {
    let means = Means::new(&args.connection, args.show.verbose)?;
    let source = connect::place("SRC", &args.source)?;
    let destination = connect::place("DST", &args.destination)?;
    let result = if source.is_local() || !source.is_on_the_side_of(&destination) {
        carry(&means, args, &source)
    } else {
        rename(&means, &source, &destination).map(|()| 0)
    };
    ended(&means, result)
}

/// Copies, checks and removes.
fn carry(means: &Means, args: &MvArgs, source: &Place) -> anyhow::Result<u8> {
    // A root can't be removed, and what is written as `..` would have to be found out.
    let (above, name) = split(source)?;
    if is_link(means, source, above, &name)? {
        let text =
            format!("{} is a symbolic link, which FTP can't carry; move what it leads to", source.identity());
        return Err(UsageError(text).into());
    }
    let manner = Manner { recursive: true, follows: false };
    let route = Route::find(means, &args.source, &args.destination, manner)?;
    if kind_at(means, &route.destination)?.is_some() {
        let text = format!("{} is there already; remove it first", route.destination.identity());
        return Err(UsageError(text).into());
    }
    let how = How { connection: &args.connection, show: &args.show, only_new: true, follows: false };
    let copied = copy(means, &route, &how)?;
    match copied.tell(&args.show)? {
        0 => take_away(means, &route, &copied),
        failed => Ok(failed),
    }
}

/// Returns whether a place is a link: what it leads to would be removed in its stead.
fn is_link(means: &Means, source: &Place, above: Place, name: &RelPath) -> anyhow::Result<bool> {
    if let Place::Local(path) = source {
        // What isn't there is told of when it is copied.
        return Ok(std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()));
    }
    let store = means.store(above)?;
    let mut session = means.connect(&store)?;
    let root = [RelPath::root()];
    let listing = session.list(&root).pop().expect("one result for one directory").map_err(Failed)?;
    let links = session.list_links(&root).pop().expect("one result for one directory").map_err(Failed)?;
    let mut entries = listing.entries.iter().chain(&links);
    Ok(entries.any(|entry| entry.path == *name && entry.kind == Kind::Symlink))
}

fn rename(means: &Means, source: &Place, destination: &Place) -> anyhow::Result<()> {
    let wrong = |text: &str| UsageError(text.to_owned());
    let Some((base, from, to)) = source.with_common_root(destination) else {
        let text = "SRC and DST are on one server: write both with the same scheme, and both relative to the login directory or both \
                    absolute";
        return Err(wrong(text).into());
    };
    let Some(name) = RelPath::parse(from.name()).ok().filter(|_| !from.is_root()) else {
        return Err(wrong("SRC is a root and has no name of its own").into());
    };
    let store = means.store(base)?;
    let mut session = means.connect(&store)?;
    let is_dir = to.is_root() || destination.is_written_as_dir();
    let is_dir = is_dir || is_dir_at(&mut session, &to).map_err(Failed)?.unwrap_or(false);
    let to = if is_dir { to.join(name.as_bytes())? } else { to };
    // Most servers would put it over a file that is there, without a word.
    let is_there = is_dir_at(&mut session, &to).map_err(Failed)?.is_some()
        || session.version(&to).is_ok_and(|version| version.size.is_some());
    if is_there {
        return Err(wrong(&format!("`{to}` is there already; remove it first")).into());
    }
    let renamed = session.rename_files(&[Renaming { from, to }]).pop();
    Ok(renamed.expect("one result for one file").map_err(Failed)?)
}

/// Returns whether a directory is there; `None` where nothing is, as far as the server tells.
fn is_dir_at(session: &mut dyn Session, path: &RelPath) -> StoreResult<Option<bool>> {
    match session.follow(std::slice::from_ref(path)).pop().expect("one result for one path") {
        Ok(there) => Ok(Some(there.entry.is_dir())),
        Err(e) if e.remedy() == Remedy::Skip => Ok(None),
        Err(e) => Err(e),
    }
}
