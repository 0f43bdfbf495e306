//! `-` for SRC or DST of `cp`: what comes on standard input, of a size that nobody knows before its end; or standard output.

use std::io::{self, Read, Write};

use anyhow::Context as _;
use oneway::config::Place;
use oneway::model::{Key, Remedy, RunId, Temporary};
use oneway::store::{Outgoing, ReadRequest, Session, Settle, StoreError, WriteRequest};

use crate::args::CpArgs;
use crate::commands::connect;
use crate::commands::single::{Failed, Means, apart};
use crate::exit::UsageError;

/// How much is moved at once, in bytes.
const BLOCK: usize = 256 << 10;

pub(super) fn run(means: &Means, args: &CpArgs) -> anyhow::Result<()> {
    let wrong = |text: &str| Err(UsageError(text.to_owned()).into());
    if args.recursive {
        return wrong("- is one file, and -r copies directories");
    }
    match (args.source == "-", args.destination == "-") {
        (true, true) => wrong("both SRC and DST are -; one of them must be a URL such as ftp://host/path"),
        (false, _) => {
            let place = connect::place("SRC", &args.source)?;
            if place.is_local() {
                return wrong(
                    "both SRC and DST are local; one of them must be a URL such as ftp://host/path",
                );
            }
            write_out(means, &place)
        }
        (true, _) => {
            let place = connect::place("DST", &args.destination)?;
            if place.is_local() {
                return wrong(
                    "both SRC and DST are local; one of them must be a URL such as ftp://host/path",
                );
            }
            if place.is_written_as_dir() {
                return wrong("standard input has no name; give DST with the name it is to have");
            }
            read_in(means, &place)
        }
    }
}

/// Writes a file of a server to standard output.
pub(super) fn write_out(means: &Means, place: &Place) -> anyhow::Result<()> {
    let (dir, path) = apart(place)?;
    let store = means.store(dir)?;
    let mut session = means.connect(&store)?;
    let mut incoming = session.read(&ReadRequest { path, size: None }, None).map_err(Failed)?;
    let mut out = io::stdout().lock();
    let mut block = vec![0; BLOCK];
    loop {
        let n = incoming.read(&mut block).map_err(Failed)?;
        if n == 0 {
            break;
        }
        out.write_all(&block[..n]).context("cannot write to standard output")?;
    }
    incoming.finish().map_err(Failed)?;
    out.flush().context("cannot write to standard output")
}

/// Sends standard input to a file of a server. It can be read only once, so a line that breaks is not made up for.
fn read_in(means: &Means, place: &Place) -> anyhow::Result<()> {
    let (dir, path) = apart(place)?;
    let store = means.store(dir)?;
    let mut session = means.connect(&store)?;
    let there = session.follow(std::slice::from_ref(&path)).pop().expect("one result for one path");
    let replaces = match there {
        Ok(there) if there.entry.is_dir() => {
            let why = "it is a directory, and standard input has no name";
            let error = StoreError::new("write", &path, store.name(), Remedy::Skip, why);
            return Err(Failed(error.with_hint("give DST with the name it is to have")).into());
        }
        there => there.is_ok(),
    };
    let temporary = Temporary { run: run_id(), key: Key::Other, number: 0, serial: 0 }.beside(&path);
    let request = WriteRequest {
        path,
        temporary: temporary.clone(),
        size: None,
        mtime: None,
        mode: None,
        replaces,
        held: false,
    };
    let sent = send(means, store.name(), &mut session, &request);
    if let Err(failed) = sent {
        // What is there of it is of no use to anybody.
        drop(session);
        if let Ok(mut session) = means.connect(&store) {
            session.remove_files(&[temporary]);
        }
        return Err(failed);
    }
    Ok(())
}

fn send(means: &Means, place: &str, session: &mut dyn Session, request: &WriteRequest) -> anyhow::Result<()> {
    let mut outgoing = session.write(request, None).map_err(Failed)?;
    let mut input = io::stdin().lock();
    let mut block = vec![0; BLOCK];
    loop {
        let n = match input.read(&mut block) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e).context("cannot read standard input"),
        };
        outgoing.write(&block[..n]).map_err(Failed)?;
    }
    if means.cancel.is_cancelled() {
        // What wrote it was most likely stopped, too, so this is no whole file.
        return Err(Failed(StoreError::cancelled("write", &request.path, place)).into());
    }
    Outgoing::finish(outgoing).map_err(Failed)?;
    for (_, written) in session.settle(Settle::All) {
        written.map_err(Failed)?;
    }
    Ok(())
}

/// Returns a number that no other run has.
fn run_id() -> RunId {
    use std::hash::{BuildHasher, RandomState};
    let chance = || RandomState::new().hash_one(std::process::id());
    RunId::new(chance(), chrono::Utc::now(), chance() as u32)
}
