//! `oneway ls`: a directory, a file, or with `-R` a whole tree, as the server tells of it.

mod rows;
mod walk;

use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use oneway::config::{Connection, Place};
use oneway::ftp::listing::Listed;
use oneway::model::{Cancel, Kind, RelPath, Remedy};
use oneway::report::{listed_json, listed_json_at};
use oneway::store::ftp::{ListedDir, Lister};
use oneway::store::{RetryPolicy, Store as _, StoreError, StoreResult};

use crate::args::{LsArgs, LsFormat};
use crate::commands::connect;
use crate::exit;
use crate::signals::Signals;
use crate::ui::say::complain;

pub(crate) fn run(args: &LsArgs) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    let connection = connect::connection(&args.connection, args.verbose, &cancel)?;
    let place = connect::place("URL", &args.url)?;
    let store = place.clone().ftp_store(&connection).map_err(|e| connect::refused("URL", &e))?;
    let signals = Signals::watch(&cancel)?;
    let retry = RetryPolicy::new(args.connection.retries, cancel.clone());
    let mut lister = store.lister(args.long);
    let listed = one(&mut lister, &RelPath::root(), &retry);
    if store.is_in_clear_text() {
        complain!("note: the server has no TLS, so it is spoken to in clear text");
    }
    let mut page = Page { args, out: BufWriter::new(io::stdout().lock()), is_whole: true };
    let done = match listed {
        Ok(dir) if args.recursive => walk::tree(&mut page, &mut lister, dir, &retry, store.name()),
        Ok(dir) => page.dir(&RelPath::root(), dir, store.name()).map_err(Into::into),
        // What can't be entered may be a file.
        Err(e) if e.remedy() == Remedy::Skip => match file(&place, &connection, args, &retry)? {
            Some(file) => page.rows(&RelPath::root(), vec![file]).map_err(Into::into),
            None => Err(e.into()),
        },
        Err(e) => Err(e.into()),
    };
    let flushed = page.out.flush();
    if let Some(stop) = signals.stop() {
        return Ok(ExitCode::from(stop.exit_status()));
    }
    done?;
    flushed?;
    Ok(if page.is_whole { ExitCode::SUCCESS } else { ExitCode::from(exit::INCOMPLETE) })
}

/// Returns what the directory above shows of a URL's last name, if that is no directory; `None` where it shows nothing of the kind.
fn file(
    place: &Place,
    connection: &Connection,
    args: &LsArgs,
    retry: &RetryPolicy,
) -> anyhow::Result<Option<Listed>> {
    let Some((above, name)) = place.parent() else { return Ok(None) };
    let store = above.ftp_store(connection).map_err(|e| connect::refused("URL", &e))?;
    let listed = match one(&mut store.lister(args.long), &RelPath::root(), retry) {
        Ok(listed) => listed,
        Err(e) if e.remedy() == Remedy::Skip => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let is_it = |listed: &Listed| listed.name == name.as_bytes() && listed.kind != Kind::Dir;
    Ok(listed.entries.into_iter().find(is_it))
}

fn one(lister: &mut Lister<'_>, dir: &RelPath, retry: &RetryPolicy) -> StoreResult<ListedDir> {
    lister.list(std::slice::from_ref(dir), retry).pop().expect("one result for one directory")
}

/// Where entries are printed.
struct Page<'a> {
    args: &'a LsArgs,
    out: BufWriter<StdoutLock<'a>>,
    /// Nothing is missing so far.
    is_whole: bool,
}

impl Page<'_> {
    /// Prints a directory, and what is to be said of it.
    fn dir(&mut self, dir: &RelPath, listed: ListedDir, store: &str) -> io::Result<()> {
        self.rows(dir, listed.entries)?;
        if let Some(doubt) = listed.doubt {
            let dir = if dir.is_root() { String::new() } else { format!("`{dir}` on ") };
            self.miss(format_args!("the listing of {dir}{store} is not proven: {}", doubt.0))?;
        }
        Ok(())
    }

    /// Prints entries, sorted by their names.
    fn rows(&mut self, dir: &RelPath, mut entries: Vec<Listed>) -> io::Result<()> {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        match self.args.format {
            LsFormat::Text if self.args.long => rows::long(&entries, &mut self.out),
            LsFormat::Text => rows::short(&entries, &mut self.out),
            LsFormat::Json => entries.iter().try_for_each(|entry| match dir.join(&entry.name) {
                Ok(path) if self.args.recursive => listed_json_at(entry, &path, &mut self.out),
                _ => listed_json(entry, &mut self.out),
            }),
        }
    }

    /// Says that something could not be listed.
    fn fail(&mut self, error: &StoreError) -> io::Result<()> {
        self.miss(format_args!("{error}"))
    }

    fn miss(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.is_whole = false;
        // On a terminal, the line is to stand behind what it is about.
        self.out.flush()?;
        complain!("error: {text}");
        Ok(())
    }
}
