//! `oneway undo`.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use oneway::config::{Connection, Place};
use oneway::model::Cancel;
use oneway::pool::{Pool, SessionCount};
use oneway::run::backup::manifest::MANIFEST_NAME;
use oneway::run::backup::undo::{Undone, read_manifest, undo};
use oneway::store::RetryPolicy;

use crate::args::UndoArgs;
use crate::commands::connect;
use crate::exit::{self, UsageError};
use crate::history::look;
use crate::signals::Signals;
use crate::ui::say::complain;

pub(crate) fn run(args: &UndoArgs) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    let run = numbered(&args.run)?;
    let place = connect::place("RUN", run.as_ref().unwrap_or(&args.run))?;
    if let Place::Local(dir) = &place {
        check_owner(&dir.join(MANIFEST_NAME))?;
    }
    let common = connect::connection(&args.connection, args.verbose, &cancel)?;
    let connection = Connection { charset: args.charset, ..common };
    let signals = Signals::watch(&cancel)?;
    let result = undo_at(args, place, &connection, &cancel);
    if let (Err(_), Some(stop)) = (&result, signals.stop()) {
        complain!("stopped; what is back is back, `oneway undo` does the rest");
        return Ok(ExitCode::from(stop.exit_status()));
    }
    let undone = result?;
    if !args.quiet {
        write(&undone, args.dry_run)?;
    }
    for (path, why) in &undone.kept {
        complain!("error: `{path}` can't come back: {why}");
    }
    Ok(ExitCode::from(if undone.kept.is_empty() { 0 } else { exit::INCOMPLETE }))
}

/// Returns where the run of a number put what it replaced; `None` for what is no number, and for a directory of that name.
fn numbered(run: &OsStr) -> anyhow::Result<Option<OsString>> {
    let Some(number) = run.to_str().and_then(|text| text.parse().ok()) else { return Ok(None) };
    if Path::new(run).exists() {
        return Ok(None);
    }
    let past = look()?.map(|history| history.run(number)).transpose()?.flatten();
    let past =
        past.ok_or_else(|| UsageError(format!("RUN: there is no run {number}; see `oneway history`")))?;
    match past.ending.and_then(|ending| ending.backup) {
        Some(backup) => Ok(Some(backup.into())),
        None => {
            let text = format!(
                "RUN: run {number} put nothing aside, or was killed; name its directory in the --backup-dir"
            );
            Err(UsageError(text).into())
        }
    }
}

fn undo_at(
    args: &UndoArgs,
    place: Place,
    connection: &Connection,
    cancel: &Cancel,
) -> anyhow::Result<Undone> {
    let open = |store| {
        let retry = RetryPolicy::new(args.connection.retries, cancel.clone());
        Pool::new(store, SessionCount::fixed(1), retry)
    };
    let refused = |e| connect::refused("RUN", &e);
    let of_run = place.clone().store(connection).map_err(refused)?;
    let name = of_run.name().to_owned();
    let (header, lines) = {
        let pool = open(of_run);
        let mut lease = pool.lease()?;
        read_manifest(lease.session(), &name)?
    };
    let destination = Place::parse(&header.destination).map_err(|e| UsageError(format!("RUN: {e}")))?;
    if !destination.is_on_the_side_of(&place) {
        let text = format!(
            "RUN: {name} is of a mirror elsewhere, {}; name it as that run did",
            destination.identity()
        );
        return Err(UsageError(text).into());
    }
    // With the login of RUN, which may hold a password.
    let destination = match (&place, destination) {
        (Place::Ftp { .. }, Place::Ftp { root, name, .. }) => place.clone().with_root(root, name),
        (_, destination) => destination,
    };
    let pool = open(destination.store_with_aside(place, connection).map_err(refused)?);
    let mut lease = pool.lease()?;
    Ok(undo(lease.session(), &header, &lines, args.dry_run)?)
}

/// Who can write that file says what goes where with the rights of whoever undoes it.
fn check_owner(manifest: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = std::fs::symlink_metadata(manifest) else { return Ok(()) };
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() == me || meta.uid() == 0 {
        return Ok(());
    }
    let text = format!("RUN: {} belongs to user {}; undo it as that user", manifest.display(), meta.uid());
    Err(UsageError(text).into())
}

fn write(undone: &Undone, dry: bool) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for dir in &undone.dirs {
        writeln!(out, "+ {dir}/")?;
    }
    for path in &undone.restored {
        writeln!(out, "< {path}")?;
    }
    for (from, to) in &undone.renamed {
        writeln!(out, "> {from} -> {to}")?;
    }
    let files = undone.restored.len() + undone.renamed.len();
    let what = match (files, undone.dirs.len()) {
        (0, 0) => "nothing is left to put back".to_owned(),
        (files, 0) => count(files, "file"),
        (0, 1) => "1 directory".to_owned(),
        (0, dirs) => format!("{dirs} directories"),
        (files, 1) => format!("{} and 1 directory", count(files, "file")),
        (files, dirs) => format!("{} and {dirs} directories", count(files, "file")),
    };
    let verb = match (files + undone.dirs.len(), dry) {
        (0, _) => "",
        (_, true) => "would put back: ",
        (_, false) => "put back: ",
    };
    let added = match undone.added {
        0 => String::new(),
        1 => "; 1 file that the run added stays".to_owned(),
        added => format!("; {added} files that the run added stay"),
    };
    writeln!(out, "{verb}{what}{added}")?;
    out.flush()
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
