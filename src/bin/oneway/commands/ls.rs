//! `oneway ls`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use oneway::ftp::listing::Listed;
use oneway::model::{Cancel, Kind, escape};
use oneway::report::listed_json;
use oneway::store::{RetryPolicy, Store as _, StoreError};

use crate::args::{LsArgs, LsFormat};
use crate::commands::connect;
use crate::signals::Signals;
use crate::ui::say::complain;

pub(crate) fn run(args: &LsArgs) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::new();
    let connection = connect::connection(&args.connection, args.verbose, &cancel)?;
    let place = connect::place("URL", &args.url)?;
    let store = place.ftp_store(&connection).map_err(|e| connect::refused("URL", &e))?;
    let signals = Signals::watch(&cancel)?;
    let retry = RetryPolicy::new(args.connection.retries, cancel.clone());
    let listed = retry.persist(|| store.list_root().map_err(StoreError::waiting_for_room));
    if store.is_in_clear_text() {
        complain!("note: the server has no TLS, so it is spoken to in clear text");
    }
    let mut entries = match (listed, signals.stop()) {
        (Ok(entries), _) => entries,
        (Err(_), Some(stop)) => return Ok(ExitCode::from(stop.exit_status())),
        (Err(e), None) => return Err(e.into()),
    };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        LsFormat::Json => {
            for entry in &entries {
                listed_json(entry, &mut out)?;
            }
        }
        LsFormat::Text => {
            let sizes: Vec<String> = entries.iter().map(size).collect();
            let width = sizes.iter().map(String::len).max().unwrap_or(0);
            for (entry, size) in entries.iter().zip(sizes) {
                writeln!(out, "{size:>width$}  {:16}  {}", time(entry), name(entry))?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn size(entry: &Listed) -> String {
    match (entry.kind, entry.size) {
        (Kind::File, Some(bytes)) => bytes.to_string(),
        _ => "-".to_owned(),
    }
}

fn time(entry: &Listed) -> String {
    entry.mtime.map_or_else(|| "-".to_owned(), |mtime| mtime.at.format("%Y-%m-%d %H:%M").to_string())
}

fn name(entry: &Listed) -> String {
    let name = escape(&entry.name);
    match (entry.kind, &entry.target) {
        (Kind::Dir, _) => format!("{name}/"),
        (Kind::Symlink, Some(target)) => format!("{name} -> {}", escape(target)),
        (Kind::Symlink, None) => format!("{name}@"),
        _ => name,
    }
}
