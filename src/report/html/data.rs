//! The rows of the table, as JSON in a page.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::SerializeSeq;
use serde_json::ser::{CharEscape, Formatter};

use crate::compare::Reason;
use crate::model::{Entry, Kind, RelPath, escape};
use crate::plan::{Action, Deed};
use crate::report::Report;
use crate::report::html::look;

#[derive(Serialize)]
struct Data<'r> {
    actions: Vec<Word>,
    kinds: Vec<&'static str>,
    reasons: Vec<&'static str>,
    /// Directories, sorted, each with a `/` at its end but for the root.
    dirs: Vec<String>,
    rows: Rows<'r>,
}

#[derive(Serialize)]
struct Word {
    name: &'static str,
    words: &'static str,
    colour: &'static str,
}

/// As the script takes it apart: action, directory, name, kind, reason, size, old size, time, old time, target, state, message.
#[derive(Serialize)]
struct Row<'r>(
    usize,
    usize,
    String,
    usize,
    usize,
    Option<u64>,
    Option<u64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    State,
    Option<&'r str>,
);

/// What became of a change.
#[derive(Clone, Copy)]
enum State {
    Planned,
    Done,
    Failed,
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

const KINDS: [Kind; 4] = [Kind::File, Kind::Dir, Kind::Symlink, Kind::Other];

/// Reasons in the words of the page, `keep` and what is left out last.
const REASONS: &[(Reason, &str)] = &[
    (Reason::Missing, "missing at the destination"),
    (Reason::Size, "another size"),
    (Reason::Time, "another time"),
    (Reason::Checksum, "another content"),
    (Reason::Kind, "another kind"),
    (Reason::Forced, "asked for"),
    (Reason::Drift, "changed at the destination since it was sent"),
    (Reason::Extra, "only at the destination"),
];

/// Writes the data so that no name in it ends the script element or is anything but text.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let actions = Deed::ALL.iter().map(|&deed| {
        let (words, colour) = look(deed);
        Word { name: deed.as_str(), words, colour }
    });
    let kept = Word { name: "keep", words: "keep", colour: "keep" };
    let left_out = Word { name: "left_out", words: "left out", colour: "keep" };
    let plan = &report.plan;
    let mut numbers: BTreeMap<RelPath, usize> =
        plan.actions.iter().map(|action| (dir_of(&action.path), 0)).collect();
    let left = plan.spared.iter().map(|spared| &spared.path);
    let left = left.chain(plan.skipped.iter().map(|skipped| &skipped.path));
    numbers.extend(left.map(|path| (dir_of(path), 0)));
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number;
    }
    let dirs =
        numbers.keys().map(|dir| if dir.is_root() { String::new() } else { escape(dir.as_bytes()) + "/" });
    let data = Data {
        actions: actions.chain([kept, left_out]).collect(),
        kinds: KINDS.iter().map(|kind| kind.as_str()).collect(),
        reasons: REASONS.iter().map(|(_, words)| *words).collect(),
        dirs: dirs.collect(),
        rows: Rows { report, numbers: &numbers },
    };
    data.serialize(&mut serde_json::Serializer::with_formatter(out, InScript))?;
    Ok(())
}

/// All rows, each of which is made when it is written: there may be more of them than memory is meant for.
struct Rows<'r> {
    report: &'r Report,
    /// The place of each directory in the list of them.
    numbers: &'r BTreeMap<RelPath, usize>,
}

impl Serialize for Rows<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = &self.report.plan;
        let keep = Deed::ALL.len();
        let mut rows = serializer.serialize_seq(None)?;
        for (i, action) in plan.actions.iter().enumerate() {
            rows.serialize_element(&self.of_action(i, &action))?;
        }
        for spared in &plan.spared {
            rows.serialize_element(&self.of_left(keep, &spared.path, spared.kind, &spared.why))?;
        }
        for skipped in &plan.skipped {
            rows.serialize_element(&self.of_left(
                keep + 1,
                &skipped.path,
                skipped.kind,
                skipped.why.as_str(),
            ))?;
        }
        rows.end()
    }
}

impl Rows<'_> {
    fn of_action<'a>(&'a self, i: usize, action: &'a Action) -> Row<'a> {
        let outcome = self.report.outcomes.get(i);
        let state = match outcome {
            Some(outcome) if outcome.is_done() => State::Done,
            // Its reason stands beside it.
            Some(outcome) if outcome.vanished => State::Planned,
            Some(_) => State::Failed,
            None if action.obstacle.is_some() => State::Failed,
            None => State::Planned,
        };
        let [new, old] = [action.source.as_deref(), action.destination.as_deref()];
        let slash = if action.entry().is_dir() { "/" } else { "" };
        let target = action.target().map(RelPath::as_bytes).or_else(|| action.entry().target.as_deref());
        Row(
            Deed::ALL.iter().position(|&deed| deed == action.deed).expect("all are in the table"),
            self.numbers[&dir_of(&action.path)],
            escape(action.path.name()) + slash,
            kind_number(action.kind()),
            REASONS.iter().position(|(reason, _)| *reason == action.reason).expect("all are in the table"),
            size(new),
            size(old),
            seconds(new),
            seconds(old),
            target.map(escape),
            state,
            outcome.and_then(|outcome| outcome.error.as_deref()).or(action.obstacle.as_deref()),
        )
    }

    fn of_left<'a>(&self, action: usize, path: &RelPath, kind: Kind, why: &'a str) -> Row<'a> {
        let (dir, name) = (self.numbers[&dir_of(path)], escape(path.name()));
        let planned = State::Planned;
        Row(action, dir, name, kind_number(kind), 0, None, None, None, None, None, planned, Some(why))
    }
}

fn dir_of(path: &RelPath) -> RelPath {
    path.parent().unwrap_or_else(RelPath::root)
}

fn kind_number(kind: Kind) -> usize {
    KINDS.iter().position(|&known| known == kind).expect("all are in the table")
}

fn size(entry: Option<&Entry>) -> Option<u64> {
    entry.and_then(|entry| entry.size)
}

fn seconds(entry: Option<&Entry>) -> Option<i64> {
    entry.and_then(|entry| entry.mtime).map(|mtime| mtime.at.timestamp())
}

/// JSON without `<`, `>` and `&`: nothing in a script element's text is markup then, not even `</script>` or `<!--`.
struct InScript;

impl Formatter for InScript {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            let c = from.chars().next().expect("something was found");
            write!(out, "\\u{:04x}", c as u32)?;
            rest = &from[c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, out: &mut W, escaped: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(out, escaped)
    }
}
