//! A plan as a file: made now, looked at by somebody, carried out later.
//!
//! JSON lines. The first says what the plan is of, each further one is an action with all that it assumes of both sides, and the last
//! has the number of actions and the BLAKE3 of everything before it, so that a file that is cut short or was edited is no plan. Who
//! made the file is nobody's to prove: its paths are parsed as those of a listing are, and an action that no plan could have makes all
//! of it count for nothing.

mod check;
mod line;
mod manifest;
mod outcomes;
mod whole;

pub use manifest::{
    MANIFEST_VERSION, MOST_MANIFEST_BYTES, MOST_SHARDS, Manifest, ManifestError, PartFile, PlanId,
};
pub use outcomes::{Outcomes, Tally};
pub use whole::whole;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, BufRead, Read, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::plan::{Action, Plan};
use crate::planfile::line::Line;
use crate::report::write_value;

/// The format that is written here, and the only one that is read.
pub const VERSION: u32 = 1;

/// No plan is larger: of some three million actions.
pub const MOST_BYTES: u64 = 1 << 30;

/// No file with what became of a part is larger. It has a path and the reason of a failure for each action of a plan file.
pub const MOST_OUTCOMES_BYTES: u64 = 4 * MOST_BYTES;

/// What a plan is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the program that made it.
    pub program: String,
    /// When it was made, to the second.
    pub made: DateTime<Utc>,
    /// The source: an absolute path, or a URL without its password.
    pub source: String,
    /// The destination, in the same way.
    pub destination: String,
    /// The options that are obeyed when it is carried out, under the names of their flags.
    pub options: BTreeMap<String, OptionValue>,
}

/// What an option is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// A switch.
    Switch(bool),
    /// One value.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Why bytes are no plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanFileError {
    /// Nothing that a plan begins with.
    #[error("this is no plan that `oneway plan` made")]
    NoPlan,
    /// Of another version.
    #[error(
        "this plan is of format {found}, made by oneway {program}; oneway {} knows format {VERSION} alone, so make the plan again",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The format of the file.
        found: u64,
        /// The version of the program that made it.
        program: String,
    },
    /// Its last line is not that of what stands before it.
    #[error("this plan is cut short, or was changed since it was made; make it again")]
    Broken,
    /// A line that no plan has.
    #[error("line {line} of this plan is none of a plan: {why}")]
    Line {
        /// From 1 on.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The system doesn't give it.
    #[error("it can't be read to its end: {0}")]
    Unreadable(String),
    /// Larger than any plan.
    #[error("this is larger than any plan, of which none has more than {} MiB", MOST_BYTES >> 20)]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    oneway_plan: u32,
    program: String,
    made: String,
    source: String,
    destination: String,
    options: BTreeMap<String, OptionValue>,
    actions: usize,
}

/// As much of the first line as every version has.
#[derive(Deserialize)]
struct Peek {
    oneway_plan: u64,
    #[serde(default)]
    program: String,
}

#[derive(Serialize)]
struct Last<'h> {
    end: bool,
    actions: usize,
    blake3: &'h str,
}

/// Writes a plan.
///
/// # Errors
/// What the output says.
pub fn write(header: &Header, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    write_actions(header, plan.actions.len(), plan.actions.iter(), out)
}

/// Writes a plan of these actions, so many.
///
/// # Errors
/// What the output says; or that there are not as many, since not all could be read back that memory is not meant for.
pub fn write_actions(
    header: &Header,
    count: usize,
    actions: impl Iterator<Item = impl Borrow<Action>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = Hashing { out, hasher: blake3::Hasher::new(), bytes: 0, most: MOST_BYTES };
    let first = First {
        oneway_plan: VERSION,
        program: header.program.clone(),
        made: header.made.to_rfc3339_opts(SecondsFormat::Secs, true),
        source: header.source.clone(),
        destination: header.destination.clone(),
        options: header.options.clone(),
        actions: count,
    };
    let mut line = Vec::new();
    let mut written = 0;
    write_value(&mut line, &first)?;
    for action in actions {
        written += 1;
        line.push(b'\n');
        out.write_all(&line)?;
        line.clear();
        write_value(&mut line, &Line::of(action.borrow()))?;
    }
    if written != count {
        return Err(io::Error::other("not all of its actions could be read back"));
    }
    line.push(b'\n');
    out.write_all(&line)?;
    out.out.write_all(&last_line(count, out.hasher.finalize()))
}

/// Reads a plan, in the order of its execution.
///
/// # Errors
/// Why it is none. One wrong line makes all of it count for nothing.
pub fn read(mut bytes: &[u8]) -> Result<(Header, Plan), PlanFileError> {
    read_from(&mut bytes)
}

/// Reads a plan to its end, of which no more than a line is in memory at once.
///
/// # Errors
/// As [`read`], or that it can't be read.
pub fn read_from(input: &mut dyn BufRead) -> Result<(Header, Plan), PlanFileError> {
    let mut input = input.take(MOST_BYTES + 1);
    let mut next_line = |line: &mut Vec<u8>| {
        line.clear();
        input.read_until(b'\n', line).map_err(|e| PlanFileError::Unreadable(e.to_string()))
    };
    let mut hasher = blake3::Hasher::new();
    let (mut line, mut behind) = (Vec::new(), Vec::new());
    let mut bytes = next_line(&mut line)? as u64;
    let Peek { oneway_plan, program } = serde_json::from_slice(&line).map_err(|_| PlanFileError::NoPlan)?;
    if oneway_plan != u64::from(VERSION) {
        let program = crate::model::escape(program.as_bytes());
        return Err(PlanFileError::Version { found: oneway_plan, program });
    }
    let (mut first, mut actions, mut lines) = (None, Ok(Vec::new()), 0);
    loop {
        bytes += next_line(&mut behind)? as u64;
        if behind.is_empty() {
            break;
        }
        hasher.update(&line);
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        lines += 1;
        if lines == 1 {
            first = Some(serde_json::from_slice::<First>(text).map_err(|e| wrong(1, &e)));
        } else if let Ok(read) = &mut actions {
            match action(text, lines) {
                Ok(action) => read.push(action),
                // What is said of it is whether it is whole, before what is wrong with it.
                Err(error) => actions = Err(error),
            }
        }
        std::mem::swap(&mut line, &mut behind);
    }
    if bytes > MOST_BYTES {
        return Err(PlanFileError::TooLarge);
    }
    let Some(first) = first.filter(|_| line == last_line(lines - 1, hasher.finalize())) else {
        return Err(PlanFileError::Broken);
    };
    let first = first?;
    let made = DateTime::parse_from_rfc3339(&first.made).map_err(|e| wrong(1, &e))?;
    if first.actions != lines - 1 {
        let text = format!("it tells of {} actions, and there are {}", first.actions, lines - 1);
        return Err(wrong(1, &text));
    }
    let actions = actions?;
    if let Some(i) = check::repeated(&actions) {
        return Err(wrong(i + 2, &format!("`{}` was planned before", actions[i].path)));
    }
    let mut plan = Plan { actions: actions.into(), ..Plan::default() };
    plan.sort();
    let header = Header {
        program: first.program,
        made: made.to_utc(),
        source: first.source,
        destination: first.destination,
        options: first.options,
    };
    Ok((header, plan))
}

/// Reads the action of a line.
fn action(text: &[u8], line: usize) -> Result<Action, PlanFileError> {
    let read: Line<'_> = serde_json::from_slice(text).map_err(|e| wrong(line, &e))?;
    let action = read.into_action().map_err(|why| wrong(line, &why))?;
    check::action(&action).map_err(|why| wrong(line, &why))?;
    Ok(action)
}

fn wrong(line: usize, why: &dyn Display) -> PlanFileError {
    PlanFileError::Line { line, why: why.to_string() }
}

fn last_line(actions: usize, hash: blake3::Hash) -> Vec<u8> {
    let mut line = Vec::new();
    let hash = hash.to_hex();
    let last = Last { end: true, actions, blake3: hash.as_str() };
    write_value(&mut line, &last).expect("plain values, into memory");
    line.push(b'\n');
    line
}

/// Bytes that the last line has at the most.
const LAST_LINE: u64 = 256;

/// Why a plan isn't written that nobody would read.
const TOO_MUCH: &str = "no plan has more than 1024 MiB, nor a part of one; --shards cuts it into several, but for what comes last";

/// Hashes what is written.
struct Hashing<'o> {
    out: &'o mut dyn Write,
    hasher: blake3::Hasher,
    bytes: u64,
    /// So many there may be.
    most: u64,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes + bytes.len() as u64 + LAST_LINE > self.most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_MUCH));
        }
        let n = self.out.write(bytes)?;
        self.bytes += n as u64;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
