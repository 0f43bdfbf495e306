//! What became of one part of a plan for several machines, as a file: JSON lines as those of a plan, one for each of its actions.
//!
//! It is written when a try at the part is over, and tells of all tries: what an earlier one did is done, whatever a later one finds.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::execute::{Held, HeldFile, Outcome};
use crate::model::{Entry, Kind, Mtime, RelPath, is_temporary};
use crate::plan::{Action, Deed, Part};
use crate::planfile::line::{self, Side};
use crate::planfile::manifest::{hex, unhex};
use crate::planfile::{Hashing, MOST_OUTCOMES_BYTES, PlanFileError, PlanId, last_line};
use crate::report::{Report, percent, write_value};

/// The format that is written here, and the only one that is read.
const VERSION: u32 = 1;

/// What became of a part.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    /// When the first try began.
    pub began: DateTime<Utc>,
    /// When the last one ended.
    pub ended: DateTime<Utc>,
    /// What people should know of them.
    pub notes: Vec<String>,
    /// What became of each action, in the order of the part.
    pub of: Vec<Outcome>,
    /// The positions of those of them that have reasons of their own not to be tried.
    pub refused: BTreeSet<usize>,
}

/// As much as is known without each action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How many actions are not done, but for those of files that are no more.
    pub left: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    oneway_outcomes: u32,
    plan: String,
    part: String,
    actions: usize,
    left: usize,
    began: String,
    ended: String,
    notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    event: Event,
    path: String,
    action: String,
    bytes: u64,
    seconds: f64,
    tries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_set: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_renamed: Option<String>,
    error: Option<String>,
    /// Where it waits for its final name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<HeldLine<'static>>,
    /// It was not tried, for a reason of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Done,
    Failed,
    Vanished,
}

/// What whoever gives a file its final name has to know of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldLine<'a> {
    path: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    path_encoded: bool,
    /// Its size, and the time that it has at its source.
    file: Side<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<String>,
}

impl HeldLine<'static> {
    fn of(outcome: &Outcome) -> Option<Self> {
        let held = outcome.held.as_deref()?;
        let (path, path_encoded) = percent(held.temporary.as_bytes());
        let file = Entry::file(RelPath::root(), held.bytes, outcome.mtime);
        let blake3 = outcome.hash.map(|hash| hex(&hash));
        Some(Self { path, path_encoded, file: Side::of(&file), blake3 })
    }

    /// `None` when it is none of that file.
    fn into_held(self, file: &RelPath) -> Option<(HeldFile, Option<Mtime>, Option<[u8; 32]>)> {
        let temporary = line::path(&self.path, self.path_encoded).ok()?;
        let entry = self.file.into_entry(temporary.clone()).ok()?;
        let is_its = is_temporary(temporary.name()) && temporary.parent() == file.parent();
        let bytes = entry.size.filter(|_| is_its && entry.kind == Kind::File)?;
        let hash = self.blake3.map(|text| unhex(&text).ok_or(())).transpose().ok()?;
        let file = HeldFile { path: file.clone(), temporary, bytes, mtime: None, of_earlier: false };
        Some((file, entry.mtime, hash))
    }
}

impl Outcomes {
    /// Adds a try at what was left of a part: `left` is that, `report` what came of it between `began` and `ended`. `former` is what was
    /// known before.
    ///
    /// What the try found done was done by one that was killed, and counts as done by the plan.
    pub fn of_try(
        actions: &[Action],
        former: Option<Self>,
        report: &Report,
        (began, ended): (DateTime<Utc>, DateTime<Utc>),
    ) -> Self {
        let tried: HashMap<(&RelPath, Deed), usize> = report
            .plan
            .actions
            .held()
            .iter()
            .enumerate()
            .map(|(i, action)| ((&action.path, action.deed), i))
            .collect();
        let mut refused = BTreeSet::new();
        let mut of_try = |at: usize, action: &Action| {
            // Of one that was sent in place of a renaming, only the end may have been left; of one that takes a place, that it is taken.
            let rest = match action.deed {
                Deed::Rename => Some(Deed::Delete),
                Deed::Replace => Some(Deed::Copy),
                _ => None,
            };
            let deeds = [Some(action.deed), rest];
            let i = deeds.into_iter().flatten().find_map(|deed| tried.get(&(&action.path, deed)).copied());
            if i.is_some_and(|i| report.plan.actions[i].obstacle.is_some()) {
                refused.insert(at);
            }
            match i.map(|i| report.outcomes.get(i)) {
                None => Outcome::found_done(action.bytes()),
                Some(Some(outcome)) => outcome.clone(),
                Some(None) => Outcome::untried("nothing was changed"),
            }
        };
        let mut former_of = former.as_ref().map(|former| former.of.iter());
        let of = actions.iter().enumerate().map(|(at, action)| {
            let earlier = former_of.as_mut().and_then(Iterator::next);
            earlier.filter(|earlier| !earlier.is_failed()).cloned().unwrap_or_else(|| of_try(at, action))
        });
        let of = of.collect();
        let (mut notes, began) = former.map_or((Vec::new(), began), |former| (former.notes, former.began));
        for note in report.notes.iter().chain(&report.troubles).chain(&report.unfollowed) {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        Self { began, ended, notes, of, refused }
    }

    /// Returns the files of a part that are sent and wait for their final names.
    pub fn held(&self) -> impl Iterator<Item = Held> {
        self.of.iter().filter_map(|outcome| {
            let file = (**outcome.held.as_ref()?).clone();
            let mtime = outcome.mtime.filter(|_| outcome.time_set == Some(true));
            let file = HeldFile { mtime, of_earlier: true, ..file };
            Some(Held { file, outcome: Outcome { held: None, ..outcome.clone() } })
        })
    }

    /// Returns what of a part is left to do.
    pub fn left_of(&self, actions: Vec<Action>) -> Vec<Action> {
        let left = actions.into_iter().zip(&self.of).filter(|(_, outcome)| outcome.is_failed());
        left.map(|(action, _)| action).collect()
    }

    /// Writes them as a file.
    ///
    /// # Errors
    /// What the output says.
    pub fn write(&self, plan: PlanId, part: Part, actions: &[Action], out: &mut dyn Write) -> io::Result<()> {
        let mut out = Hashing { out, hasher: blake3::Hasher::new(), bytes: 0, most: MOST_OUTCOMES_BYTES };
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let first = First {
            oneway_outcomes: VERSION,
            plan: plan.text(),
            part: part.name(),
            actions: self.of.len(),
            left: self.of.iter().filter(|outcome| outcome.is_failed()).count(),
            began: time(self.began),
            ended: time(self.ended),
            notes: self.notes.clone(),
        };
        let mut line = Vec::new();
        write_value(&mut line, &first)?;
        for (i, (action, outcome)) in actions.iter().zip(&self.of).enumerate() {
            line.push(b'\n');
            out.write_all(&line)?;
            line.clear();
            write_value(&mut line, &Line::of(action, outcome, self.refused.contains(&i)))?;
        }
        line.push(b'\n');
        out.write_all(&line)?;
        out.out.write_all(&last_line(self.of.len(), out.hasher.finalize()))
    }

    /// Reads those of a part.
    ///
    /// # Errors
    /// Why the bytes are none of this part.
    pub fn read(bytes: &[u8], plan: PlanId, part: Part, actions: &[Action]) -> Result<Self, PlanFileError> {
        let (first, lines) = frame(bytes, plan, part)?;
        let wrong = |line: usize, why: String| PlanFileError::Line { line, why };
        let time = |text: &str| {
            DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).map_err(|e| wrong(1, e.to_string()))
        };
        if first.actions != actions.len() {
            return Err(wrong(1, format!("the part has {} actions", actions.len())));
        }
        let (mut of, mut refused) = (Vec::with_capacity(actions.len()), BTreeSet::new());
        for (i, (line, action)) in lines.split(|&b| b == b'\n').skip(1).zip(actions).enumerate() {
            let line: Line = serde_json::from_slice(line).map_err(|e| wrong(i + 2, e.to_string()))?;
            if line.refused {
                refused.insert(i);
            }
            of.push(
                line.into_outcome(action).ok_or_else(|| wrong(i + 2, "the part has another".to_owned()))?,
            );
        }
        Ok(Self { began: time(&first.began)?, ended: time(&first.ended)?, notes: first.notes, of, refused })
    }
}

impl Tally {
    /// Reads no more than that of the file with the outcomes of a part.
    ///
    /// # Errors
    /// Why the bytes are none of this part.
    pub fn read(bytes: &[u8], plan: PlanId, part: Part) -> Result<Self, PlanFileError> {
        frame(bytes, plan, part).map(|(first, _)| Self { left: first.left })
    }
}

/// Returns the first line, and all but the last.
fn frame(bytes: &[u8], plan: PlanId, part: Part) -> Result<(First, &[u8]), PlanFileError> {
    if bytes.len() as u64 > MOST_OUTCOMES_BYTES {
        return Err(PlanFileError::TooLarge);
    }
    let whole = bytes.strip_suffix(b"\n").ok_or(PlanFileError::Broken)?;
    let start = whole.iter().rposition(|&b| b == b'\n').ok_or(PlanFileError::Broken)? + 1;
    let (before, last) = bytes.split_at(start);
    let lines = before[..before.len() - 1].split(|&b| b == b'\n').count() - 1;
    if last != last_line(lines, blake3::hash(before)) {
        return Err(PlanFileError::Broken);
    }
    let wrong = |why: String| PlanFileError::Line { line: 1, why };
    let first = before.split(|&b| b == b'\n').next().unwrap_or_default();
    let first: First = serde_json::from_slice(first).map_err(|e| wrong(e.to_string()))?;
    if first.oneway_outcomes != VERSION {
        return Err(wrong(format!("they are of format {}", first.oneway_outcomes)));
    }
    if first.plan != plan.text() || first.part != part.name() || first.actions != lines {
        return Err(wrong("they are of another plan or part".to_owned()));
    }
    Ok((first, &before[..before.len() - 1]))
}

impl Line {
    fn of(action: &Action, outcome: &Outcome, refused: bool) -> Self {
        Self {
            event: match outcome {
                outcome if outcome.is_done() => Event::Done,
                outcome if outcome.vanished => Event::Vanished,
                _ => Event::Failed,
            },
            path: percent(action.path.as_bytes()).0,
            action: action.deed.as_str().to_owned(),
            bytes: outcome.bytes,
            seconds: (outcome.seconds * 1e6).round() / 1e6,
            tries: outcome.tries,
            time_set: outcome.time_set,
            not_renamed: outcome.not_renamed.clone(),
            error: outcome.error.clone(),
            held: HeldLine::of(outcome),
            refused,
        }
    }

    /// `None` when it is of another action, or says what none does.
    fn into_outcome(self, action: &Action) -> Option<Outcome> {
        let is_its = self.path == percent(action.path.as_bytes()).0 && self.action == action.deed.as_str();
        // No try takes a thousand years, and a sum of such has an end, too.
        let is_sound =
            (self.event == Event::Done) == self.error.is_none() && (0.0..3e10).contains(&self.seconds);
        if !is_its || !is_sound || self.held.is_some() && self.event != Event::Done {
            return None;
        }
        let held = match self.held {
            Some(held) => Some(held.into_held(&action.path)?),
            None => None,
        };
        let (held, mtime, hash) =
            held.map_or((None, None, None), |(held, mtime, hash)| (Some(held), mtime, hash));
        Some(Outcome {
            vanished: self.event == Event::Vanished,
            bytes: self.bytes,
            seconds: self.seconds,
            tries: self.tries,
            time_set: self.time_set,
            not_renamed: self.not_renamed,
            error: self.error,
            mtime,
            hash,
            held: held.map(Box::new),
        })
    }
}

#[cfg(test)]
mod tests;
