//! `oneway parse-listing`: what oneway sees in a listing that was saved.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use oneway::ftp::listing::{FORMATS, Limits, Listed, ListingFormat, Parser, Rejected, format_named};
use oneway::model::Escaped;
use oneway::report::listed_json;

#[derive(Debug, Args)]
pub(crate) struct ParseListingArgs {
    /// Raw output of LIST, MLSD or NLST; `-` or nothing: standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// What "now" is for dates without a year, like 2026-11-21T12:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    now: Option<DateTime<Utc>>,

    /// Print lines that are no entries to standard error, with the reason
    #[arg(long)]
    rejected: bool,

    /// The family of the listing [default: what its first lines show]
    #[arg(long, value_name = "FAMILY", value_parser = family)]
    format: Option<&'static dyn ListingFormat>,
}

pub(crate) fn run(args: &ParseListingArgs) -> anyhow::Result<ExitCode> {
    let (mut input, name) = open(args.file.as_deref())?;
    let now = args.now.unwrap_or_else(Utc::now);
    let mut parser = match args.format {
        Some(format) => Parser::with_format(format, now),
        None => Parser::new(now),
    }
    // What was read is taken out as it comes, so that its length is no burden.
    .limits(Limits {
        entries: usize::MAX,
        bytes: u64::MAX,
        rejected: if args.rejected { usize::MAX } else { 0 },
        ..Limits::default()
    });
    let mut out = BufWriter::with_capacity(4 * BLOCK, io::stdout().lock());
    let mut block = vec![0; BLOCK];
    loop {
        let n = match input.read(&mut block) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e).with_context(|| format!("cannot read {name}")),
        };
        parser.push(&block[..n]);
        write(&mut out, parser.take_entries())?;
        complain(parser.take_rejected());
    }
    let listing = parser.finish();
    write(&mut out, listing.entries)?;
    complain(listing.rejected);
    Ok(ExitCode::SUCCESS)
}

fn open(file: Option<&Path>) -> anyhow::Result<(Box<dyn Read>, String)> {
    match file.filter(|file| *file != Path::new("-")) {
        Some(path) => {
            let name = Escaped(path.as_os_str().as_encoded_bytes()).to_string();
            let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
            Ok((Box::new(file), name))
        }
        None => Ok((Box::new(io::stdin().lock()), "standard input".to_owned())),
    }
}

/// Prints entries, and lets go of them at once: a slow listing is seen as it comes.
fn write(out: &mut impl Write, entries: impl IntoIterator<Item = Listed>) -> io::Result<()> {
    for entry in entries {
        listed_json(&entry, out)?;
    }
    out.flush()
}

fn complain(lines: impl IntoIterator<Item = Rejected>) {
    let mut out = BufWriter::new(io::stderr().lock());
    for Rejected { line, reason } in lines {
        // Whoever closed it has chosen not to read them.
        let _ = writeln!(out, "oneway: rejected `{}`: {reason}", Escaped(&line));
    }
    let _ = out.flush();
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Ok(time.to_utc()),
        Err(e) => Err(format!("{e}; a time is like 2026-11-21T12:00:00Z")),
    }
}

fn family(text: &str) -> Result<&'static dyn ListingFormat, String> {
    format_named(text).ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
        format!("no such family; there are {}", known.join(", "))
    })
}

/// Bytes read at a time: what is made of them still fits near the processor.
const BLOCK: usize = 16 << 10;
