//! One JSON object a line, for programs.

use std::io::{self, Write};

use chrono::SecondsFormat;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::ser::Formatter;

use crate::model::{Entry, Mtime, RelPath, is_unsafe};
use crate::plan::{Action, CARRIED_BITS, Deed};
use crate::report::warnings::warnings;
use crate::report::{Detail, Format, Mode, Report};

/// `change` for each planned action, `done`, `failed` or `vanished` for each one carried out, `warning` for what a person should know,
/// `summary` last.
pub(super) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn write(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        for action in &report.plan.actions {
            line(out, &Change::of(&action))?;
        }
        if detail.verbose {
            for spared in &report.plan.spared {
                line(
                    out,
                    &Kept {
                        event: "change",
                        action: "keep",
                        path: PathField(&spared.path),
                        kind: spared.kind.as_str(),
                        reason: "extra",
                        why: &spared.why,
                    },
                )?;
            }
        }
        for (action, outcome) in report.plan.actions.iter().zip(&report.outcomes) {
            line(
                out,
                &Done {
                    event: match outcome {
                        outcome if outcome.is_done() => "done",
                        outcome if outcome.vanished => "vanished",
                        _ => "failed",
                    },
                    path: PathField(&action.path),
                    action: action.deed.as_str(),
                    bytes: outcome.bytes,
                    seconds: rounded(outcome.seconds),
                    tries: outcome.tries,
                    error: outcome.error.as_deref(),
                },
            )?;
        }
        for (_, text) in warnings(report) {
            line(out, &Warning { event: "warning", text: &text })?;
        }
        line(
            out,
            &Summary {
                event: "summary",
                job: report.job.as_deref(),
                source: &report.source,
                destination: &report.destination,
                dry_run: report.mode != Mode::Sync,
                scanned: report.plan.scanned,
                changes: Counts(report),
                bytes: report.bytes(),
                failed: report.failed(),
                unchanged: report.plan.unchanged,
                seconds: rounded(report.seconds),
                exit: report.exit_status(),
            },
        )
    }
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    write_value(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Writes a value as the reports do, without a line end.
///
/// # Errors
/// What the output says.
pub fn write_value(mut out: impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Printable))?;
    Ok(())
}

/// Writes what a terminal may obey as `\u009b`, which JSON itself asks for below 0x20 alone. Programs read the same text.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| c == '\x7f' || is_unsafe(c)) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let c = from.chars().next().expect("something was found");
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &from[c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// Microseconds are more than anybody measures.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

#[derive(Serialize)]
struct Change<'r> {
    event: &'static str,
    action: &'static str,
    #[serde(flatten)]
    path: PathField<'r>,
    kind: &'static str,
    reason: &'static str,
    size: Option<u64>,
    old_size: Option<u64>,
    modified: Option<String>,
    old_modified: Option<String>,
    target: Option<String>,
    /// Of a file that gets other permissions, in octal digits.
    #[serde(flatten)]
    permissions: Option<Permissions>,
}

#[derive(Serialize)]
struct Permissions {
    mode: String,
    old_mode: String,
}

impl Permissions {
    fn of(action: &Action) -> Option<Self> {
        let bits = |entry: Option<&Entry>| Some(format!("{:03o}", entry?.mode? & CARRIED_BITS));
        let (mode, old_mode) = (bits(action.source.as_deref())?, bits(action.destination.as_deref())?);
        (action.deed == Deed::Chmod).then_some(Self { mode, old_mode })
    }
}

impl<'r> Change<'r> {
    fn of(action: &'r Action) -> Self {
        let (new, old) = (action.source.as_deref(), action.destination.as_deref());
        let size = |entry: Option<&Entry>| entry.and_then(|entry| entry.size);
        let modified = |entry: Option<&Entry>| entry.and_then(|entry| entry.mtime).map(|time| rfc3339(&time));
        Self {
            event: "change",
            action: action.deed.as_str(),
            path: PathField(&action.path),
            kind: action.kind().as_str(),
            reason: action.reason.as_str(),
            size: size(new),
            old_size: size(old),
            modified: modified(new),
            old_modified: modified(old),
            target: action
                .target()
                .map(RelPath::as_bytes)
                .or_else(|| action.entry().target.as_deref())
                .map(|target| percent(target).0),
            permissions: Permissions::of(action),
        }
    }
}

#[derive(Serialize)]
struct Kept<'r> {
    event: &'static str,
    action: &'static str,
    #[serde(flatten)]
    path: PathField<'r>,
    kind: &'static str,
    reason: &'static str,
    why: &'r str,
}

#[derive(Serialize)]
struct Done<'r> {
    event: &'static str,
    #[serde(flatten)]
    path: PathField<'r>,
    action: &'static str,
    bytes: u64,
    seconds: f64,
    tries: u32,
    error: Option<&'r str>,
}

#[derive(Serialize)]
struct Warning<'r> {
    event: &'static str,
    text: &'r str,
}

#[derive(Serialize)]
struct Summary<'r> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'r str>,
    source: &'r str,
    destination: &'r str,
    dry_run: bool,
    scanned: usize,
    changes: Counts<'r>,
    bytes: u64,
    failed: usize,
    unchanged: usize,
    seconds: f64,
    exit: u8,
}

struct Counts<'r>(&'r Report);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.changes().map(|(deed, count)| (deed.as_str(), count)))
    }
}

/// `"path"`, and `"path_encoded": true` beside it where bytes that are not UTF-8 are written as `%FF`.
struct PathField<'r>(&'r RelPath);

impl Serialize for PathField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (text, encoded) = percent(self.0.as_bytes());
        let mut map = serializer.serialize_map(Some(1 + usize::from(encoded)))?;
        map.serialize_entry("path", &text)?;
        if encoded {
            map.serialize_entry("path_encoded", &true)?;
        }
        map.end()
    }
}

/// Returns the bytes as text, and whether some had to be written as `%FF`. Where some had, a `%` of the name is `%25`, so
/// that the name can be had back.
pub fn percent(bytes: &[u8]) -> (String, bool) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), false);
    }
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    (out, true)
}

/// Returns a time as the reports write it: UTC, to the second.
pub(crate) fn rfc3339(mtime: &Mtime) -> String {
    mtime.at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
