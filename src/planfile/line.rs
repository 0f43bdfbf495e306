//! An action as one line.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::compare::Reason;
use crate::model::{Entry, Kind, Mtime, Offset, Precision, RelPath, Zone};
use crate::plan::{Action, Deed, Phase};
use crate::report::percent;

/// As it is written. Bytes that are not UTF-8 are escaped as in the JSON report, which is said beside them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    action: Cow<'a, str>,
    phase: Cow<'a, str>,
    path: String,
    #[serde(default, skip_serializing_if = "is_false")]
    path_encoded: bool,
    /// The new path of what is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    to_encoded: bool,
    reason: Cow<'a, str>,
    /// What is there; null is nothing.
    source: Option<Side<'a>>,
    destination: Option<Side<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    obstacle: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Side<'a> {
    kind: Cow<'a, str>,
    size: Option<u64>,
    modified: Option<String>,
    precision: Option<Cow<'a, str>>,
    zone: Option<Cow<'a, str>>,
    /// Octal, as `chmod` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    target_encoded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> Line<'a> {
    pub(super) fn of(action: &'a Action) -> Self {
        let (path, path_encoded) = percent(action.path.as_bytes());
        let to = action.target().map(|to| percent(to.as_bytes()));
        Self {
            action: action.deed.as_str().into(),
            phase: action.phase.as_str().into(),
            path,
            path_encoded,
            to_encoded: to.as_ref().is_some_and(|(_, encoded)| *encoded),
            to: to.map(|(to, _)| to),
            reason: action.reason.as_str().into(),
            source: action.source.as_deref().map(Side::of),
            destination: action.destination.as_deref().map(Side::of),
            obstacle: action.obstacle.as_deref().map(Cow::Borrowed),
        }
    }

    pub(super) fn into_action(self) -> Result<Action, String> {
        let deed = word("action", &self.action, Deed::ALL, Deed::as_str)?;
        let path = path(&self.path, self.path_encoded)?;
        let to = match (self.to, deed) {
            (Some(to), Deed::Rename) => self::path(&to, self.to_encoded)?,
            (None, Deed::Rename) => return Err("it has no new path".to_owned()),
            (Some(_), _) => return Err("only what is renamed has a new path".to_owned()),
            (None, _) => path.clone(),
        };
        let side = |side: Option<Side<'_>>, path| side.map(|side| side.into_entry(path)).transpose();
        Ok(Action {
            deed,
            phase: word("phase", &self.phase, Phase::ALL, Phase::as_str)?,
            reason: word("reason", &self.reason, Reason::ALL, Reason::as_str)?,
            source: side(self.source, to)?.map(Box::new),
            destination: side(self.destination, path.clone())?.map(Box::new),
            obstacle: self.obstacle.map(|why| crate::model::escape(why.as_bytes()).into()),
            path,
        })
    }
}

impl<'a> Side<'a> {
    pub(super) fn of(entry: &Entry) -> Self {
        let target = entry.target.as_deref().map(percent);
        Self {
            kind: entry.kind.as_str().into(),
            size: entry.size,
            modified: entry.mtime.map(|mtime| written(mtime.at)),
            precision: entry.mtime.map(|mtime| mtime.precision.as_str().into()),
            zone: entry.mtime.map(|mtime| match mtime.zone {
                Zone::Utc => UTC.into(),
                Zone::Unknown => UNKNOWN.into(),
                Zone::Local(offset) => offset.as_text().into(),
            }),
            mode: entry.mode.map(|mode| format!("{mode:04o}")),
            target_encoded: target.as_ref().is_some_and(|(_, encoded)| *encoded),
            target: target.map(|(target, _)| target),
        }
    }

    pub(super) fn into_entry(self, path: RelPath) -> Result<Entry, String> {
        let mtime = match (self.modified, self.precision, self.zone) {
            (None, None, None) => None,
            (Some(modified), Some(precision), Some(zone)) => Some(Mtime {
                at: read(&modified).ok_or_else(|| format!("`{}` is no time", shown(&modified)))?,
                precision: word("precision", &precision, Precision::ALL, Precision::as_str)?,
                zone: match &*zone {
                    UTC => Zone::Utc,
                    UNKNOWN => Zone::Unknown,
                    offset => {
                        let offset = Offset::parse(offset);
                        Zone::Local(offset.ok_or_else(|| format!("`{}` is no zone", shown(&zone)))?)
                    }
                },
            }),
            _ => return Err("a time has a precision and a zone".to_owned()),
        };
        let mode = self.mode.map(|mode| {
            let bits = u16::from_str_radix(&mode, 8).ok().filter(|bits| *bits <= 0o7777);
            bits.ok_or_else(|| format!("`{}` are no permission bits", shown(&mode)))
        });
        let target = self.target.map(|target| {
            let bytes = bytes(&target, self.target_encoded);
            bytes.ok_or_else(|| format!("`{}` is not escaped as it says", shown(&target)))
        });
        Ok(Entry {
            path,
            kind: word("kind", &self.kind, Kind::ALL, Kind::as_str)?,
            size: self.size,
            mtime,
            mode: mode.transpose()?,
            target: target.transpose()?.map(Into::into),
        })
    }
}

const UTC: &str = "utc";
const UNKNOWN: &str = "unknown";

fn word<T: Copy>(what: &str, text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|&one| name(one) == text);
    found.ok_or_else(|| format!("there is no {what} `{}`", shown(text)))
}

pub(super) fn path(text: &str, encoded: bool) -> Result<RelPath, String> {
    let bytes = bytes(text, encoded).ok_or_else(|| format!("`{}` is not escaped as it says", shown(text)))?;
    RelPath::parse(bytes).map_err(|e| format!("`{}`: {e}", shown(text)))
}

/// Takes [`percent`] back.
fn bytes(text: &str, encoded: bool) -> Option<Vec<u8>> {
    if !encoded {
        return Some(text.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (pair, behind) = rest.split_at_checked(2)?;
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(pair[0])? << 4 | digit(pair[1])?);
        rest = behind;
    }
    Some(bytes)
}

/// A time as everywhere, with the parts of a second that a disk has; where RFC 3339 has no year for it, seconds since 1970.
fn written(at: DateTime<Utc>) -> String {
    let text = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    if DateTime::parse_from_rfc3339(&text).is_ok_and(|read| read == at) {
        return text;
    }
    format!("@{}.{:09}", at.timestamp(), at.timestamp_subsec_nanos())
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    match text.strip_prefix('@') {
        Some(text) => {
            let (seconds, nanos) = text.split_once('.')?;
            DateTime::from_timestamp(seconds.parse().ok()?, nanos.parse().ok()?)
        }
        None => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
    }
}

fn shown(text: &str) -> String {
    crate::model::escape(text.as_bytes())
}
