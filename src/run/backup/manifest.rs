//! What a run meant to do, in the directory of what it set aside: JSON lines, written whole before anything is touched. What of it
//! was done shows in what lies beside it, so a run that was killed can be undone like any other.
//!
//! Whoever can write to that directory can write this file, so what is read is parsed as a listing is, and bounded.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{Entry, Mtime, PathError, RelPath};
use crate::plan::{Action, Deed};

pub use crate::model::MANIFEST_NAME;

/// The name of the directory beside it for what undoing takes away.
pub const UNDONE_NAME: &str = ".oneway-undone";

/// No manifest is larger: of ten million files at most.
pub const MOST_BYTES: u64 = 1 << 30;

const VERSION: u32 = 1;

/// Returns the path of the file in the directory of a run.
pub fn path() -> RelPath {
    RelPath::parse(MANIFEST_NAME).expect("a literal")
}

/// What a manifest begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    oneway_backup: u32,
    /// The destination of the run: an absolute path, or a URL without its password.
    pub destination: String,
    /// Whether files got the times of their sources.
    pub times: bool,
}

impl Header {
    /// Returns that of a run to `destination`.
    pub fn new(destination: String, times: bool) -> Self {
        Self { oneway_backup: VERSION, destination, times }
    }
}

/// One of the deeds that undoing has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was to be done.
    pub deed: Deed,
    /// To which path; of a file that was renamed its old one.
    pub path: RelPath,
    /// The new path of a file that was renamed.
    pub to: Option<RelPath>,
    /// What is there when it is done; `None` where nothing is, or no file.
    pub new: Option<Facts>,
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Bytes; `None` where the listing didn't tell.
    pub size: Option<u64>,
    /// Seconds since 1970; `None` where it wasn't known to the second.
    pub mtime: Option<i64>,
}

/// A line as it is written. Paths that are not UTF-8 are in hexadecimal.
#[derive(Serialize, Deserialize)]
struct Written {
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_hex: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtime: Option<i64>,
}

/// Why bytes are no manifest.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Not the JSON it should be.
    #[error("line {0} of {MANIFEST_NAME} can't be read: {1}")]
    Json(usize, serde_json::Error),
    /// Written by a later version.
    #[error("{MANIFEST_NAME} is of version {0}, which this program doesn't know")]
    Version(u32),
    /// Not a path below the root.
    #[error("line {0} of {MANIFEST_NAME} holds a path that can't be: {1}")]
    Path(usize, PathError),
    /// No path, or not what belongs to it.
    #[error("line {0} of {MANIFEST_NAME} is incomplete")]
    Incomplete(usize),
    /// Nothing in it.
    #[error("{MANIFEST_NAME} is empty")]
    Empty,
}

impl Line {
    /// Returns what is written of an action; `None` for those that change no content.
    pub fn of(action: &Action) -> Option<Self> {
        let new = match action.deed {
            Deed::Touch | Deed::Chmod | Deed::CreateDir => return None,
            Deed::Copy | Deed::Replace => action.source.as_deref().map(Facts::of),
            Deed::Rename => action.destination.as_deref().map(|old| Facts { mtime: None, ..Facts::of(old) }),
            Deed::Delete | Deed::DeleteDir => None,
        };
        Some(Self { deed: action.deed, path: action.path.clone(), to: action.target().cloned(), new })
    }
}

impl Facts {
    fn of(entry: &Entry) -> Self {
        Self {
            size: entry.size,
            mtime: entry.mtime.filter(Mtime::is_exact).map(|mtime| mtime.at.timestamp()),
        }
    }
}

/// Writes a manifest.
pub fn to_bytes(header: &Header, lines: impl Iterator<Item = Line>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(header).expect("plain values");
    bytes.push(b'\n');
    for Line { deed, path, to, new } in lines {
        let (path, path_hex) = written(&path);
        let (to, to_hex) = to.as_ref().map_or((None, None), written);
        let (size, mtime) = new.map_or((None, None), |new| (new.size, new.mtime));
        let action = deed.as_str().to_owned();
        let line = Written { action, path, path_hex, to, to_hex, size, mtime };
        serde_json::to_writer(&mut bytes, &line).expect("plain values, into memory");
        bytes.push(b'\n');
    }
    bytes
}

/// Reads a manifest.
///
/// # Errors
/// Says what is wrong with it. One wrong line makes all of it count for nothing.
pub fn parse(bytes: &[u8]) -> Result<(Header, Vec<Line>), ManifestError> {
    let mut lines = bytes.split(|&b| b == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let (_, first) = lines.next().ok_or(ManifestError::Empty)?;
    let header: Header = serde_json::from_slice(first).map_err(|e| ManifestError::Json(1, e))?;
    if header.oneway_backup != VERSION {
        return Err(ManifestError::Version(header.oneway_backup));
    }
    let lines = lines.map(|(i, line)| read(i + 1, line)).collect::<Result<_, _>>()?;
    Ok((header, lines))
}

fn read(number: usize, line: &[u8]) -> Result<Line, ManifestError> {
    let line: Written = serde_json::from_slice(line).map_err(|e| ManifestError::Json(number, e))?;
    let incomplete = || ManifestError::Incomplete(number);
    let deed = Deed::ALL.iter().copied().find(|deed| deed.as_str() == line.action).ok_or_else(incomplete)?;
    let path = |text: Option<String>, hex: Option<String>| -> Result<Option<RelPath>, ManifestError> {
        let bytes = match (text, hex) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(hex)) => from_hex(&hex).ok_or_else(incomplete)?,
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(incomplete()),
        };
        RelPath::parse(bytes).map(Some).map_err(|e| ManifestError::Path(number, e))
    };
    let to = path(line.to, line.to_hex)?;
    if to.is_some() != (deed == Deed::Rename) {
        return Err(incomplete());
    }
    let new =
        (line.size.is_some() || line.mtime.is_some()).then_some(Facts { size: line.size, mtime: line.mtime });
    Ok(Line { deed, path: path(line.path, line.path_hex)?.ok_or_else(incomplete)?, to, new })
}

fn written(path: &RelPath) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(path.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = Line> {
        let path = prop_oneof![
            "[a-zé \"]{1,5}(/[a-z]{1,3}){0,2}".prop_map(String::into_bytes),
            Just(b"a/\xff\x01".to_vec())
        ];
        let path = path.prop_map(|bytes| RelPath::parse(bytes).unwrap());
        let facts = (any::<Option<u64>>(), any::<Option<i64>>());
        (prop::sample::select(Deed::ALL), path.clone(), path, facts).prop_map(
            |(deed, path, to, (size, mtime))| Line {
                deed,
                path,
                to: (deed == Deed::Rename).then_some(to),
                new: (size.is_some() || mtime.is_some()).then_some(Facts { size, mtime }),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(lines in prop::collection::vec(line(), 0..9), times: bool) {
            let header = Header::new("ftp://u@h/site".to_owned(), times);
            let bytes = to_bytes(&header, lines.iter().cloned());
            prop_assert_eq!(parse(&bytes).unwrap(), (header, lines));
        }

        #[test]
        fn any_bytes_are_a_manifest_or_an_error(bytes: Vec<u8>, text in "(\\{\"(path|to|action|size)\":(\"\\PC{0,9}\"|-?[0-9]{1,25})\\}\n?){0,4}") {
            let _ = parse(&bytes);
            let header = to_bytes(&Header::new(String::new(), true), std::iter::empty());
            let _ = parse(&[&header, text.as_bytes()].concat());
            let _ = parse(&[&header, &bytes[..]].concat());
        }
    }

    #[test]
    fn a_path_that_leads_out_makes_the_whole_manifest_count_for_nothing() {
        let header = r#"{"oneway_backup":1,"destination":"/d","times":true}"#;
        for path in ["../x", "/etc/passwd", "a/../../x", "", "a//b"] {
            let text = format!(
                "{header}\n{{\"action\":\"delete\",\"path\":\"ok\"}}\n{{\"action\":\"delete\",\"path\":\"{path}\"}}\n"
            );
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, ManifestError::Path(3, _)), "{path}: {error}");
        }
        let hex = format!("{header}\n{{\"action\":\"delete\",\"path_hex\":\"2e2e2f78\"}}");
        assert!(matches!(parse(hex.as_bytes()), Err(ManifestError::Path(2, _))));
        let later = header.replace(":1,", ":2,");
        assert_eq!(
            parse(later.as_bytes()).unwrap_err().to_string(),
            ".oneway-backup.jsonl is of version 2, which this program doesn't know"
        );
    }
}
