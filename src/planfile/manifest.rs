//! What a plan for several machines consists of: one small file beside the files of its parts.
//!
//! It names no file: those of the parts are called after the parts, beside it. A part counts if it has the bytes that stand here; so
//! does the file itself, by the hash in it, which tells an edit and no forger, as that of a plan does.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::escape;
use crate::plan::Part;
use crate::planfile::OptionValue;

/// The format that is written here, and the only one that is read.
pub const MANIFEST_VERSION: u32 = 1;

/// No manifest is longer, in bytes.
pub const MOST_MANIFEST_BYTES: u64 = 4 << 20;

/// No plan has more shares: those of a Slurm cluster end at some thousands, too.
pub const MOST_SHARDS: u32 = 9999;

/// The number of a plan: chance, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanId(pub [u8; 16]);

impl PlanId {
    /// Returns it in hexadecimal digits.
    pub fn text(self) -> String {
        hex(&self.0)
    }

    /// Returns whose the temporary files of a part are, on whatever machine that is carried out.
    pub fn owner(self, part: Part) -> u64 {
        let hash = blake3::hash(&[&self.0[..], part.name().as_bytes()].concat());
        let first: [u8; 8] = hash.as_bytes()[..8].try_into().expect("there are 32");
        u64::from_le_bytes(first)
    }
}

/// A plan for several machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
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
    /// Tells it from all others.
    pub id: PlanId,
    /// How many shares there are.
    pub shards: NonZeroU32,
    /// Sessions that all shares have together where nothing else is said when they are carried out; `None` for as many as help.
    pub sessions: Option<usize>,
    /// How many of them each share has.
    pub sessions_each: usize,
    /// How many shares may be carried out at once, so that they have no more sessions together.
    pub at_once: usize,
    /// Paths that were compared, each once.
    pub scanned: usize,
    /// Files that needed no change.
    pub unchanged: usize,
    /// Its parts, in the order of [`Part::all`].
    pub parts: Vec<PartFile>,
}

/// The file of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartFile {
    /// How many actions it has.
    pub actions: usize,
    /// How many bytes of files it sends.
    pub bytes: u64,
    /// BLAKE3 of the file.
    pub blake3: [u8; 32],
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// Nothing that a manifest begins with.
    #[error("this is no plan for several machines that `oneway plan --shards` made")]
    NoManifest,
    /// Of another version.
    #[error(
        "this plan is of format {found}, made by oneway {program}; oneway {} knows format {MANIFEST_VERSION} alone, so make the plan again",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The format of the file.
        found: u64,
        /// The version of the program that made it.
        program: String,
    },
    /// Its hash is not that of what it says.
    #[error("this plan was changed since it was made; make it again")]
    Broken,
    /// It says what no manifest says.
    #[error("this plan is none: {0}")]
    Wrong(String),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    oneway_plan_for_several: u32,
    program: String,
    made: String,
    source: String,
    destination: String,
    options: BTreeMap<String, OptionValue>,
    id: String,
    shards: NonZeroU32,
    sessions: Option<usize>,
    sessions_each: usize,
    at_once: usize,
    scanned: usize,
    unchanged: usize,
    parts: Vec<WrittenPart>,
    /// Of all the rest.
    #[serde(default)]
    blake3: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPart {
    part: String,
    actions: usize,
    bytes: u64,
    blake3: String,
}

/// As much as every version has.
#[derive(Deserialize)]
struct Peek {
    oneway_plan_for_several: u64,
    #[serde(default)]
    program: String,
}

impl Written {
    fn hash(&self) -> String {
        let bare = Self { blake3: String::new(), ..self.clone() };
        let bytes = serde_json::to_vec(&bare).expect("plain values, into memory");
        blake3::hash(&bytes).to_hex().to_string()
    }
}

impl Manifest {
    /// Returns it as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = Part::all(self.shards).zip(&self.parts).map(|(part, file)| WrittenPart {
            part: part.name(),
            actions: file.actions,
            bytes: file.bytes,
            blake3: hex(&file.blake3),
        });
        let mut written = Written {
            oneway_plan_for_several: MANIFEST_VERSION,
            program: self.program.clone(),
            made: self.made.to_rfc3339_opts(SecondsFormat::Secs, true),
            source: self.source.clone(),
            destination: self.destination.clone(),
            options: self.options.clone(),
            id: self.id.text(),
            shards: self.shards,
            sessions: self.sessions,
            sessions_each: self.sessions_each,
            at_once: self.at_once,
            scanned: self.scanned,
            unchanged: self.unchanged,
            parts: parts.collect(),
            blake3: String::new(),
        };
        written.blake3 = written.hash();
        let mut bytes = serde_json::to_vec_pretty(&written).expect("plain values, into memory");
        bytes.push(b'\n');
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let Peek { oneway_plan_for_several: found, program } =
            serde_json::from_slice(bytes).map_err(|_| ManifestError::NoManifest)?;
        if found != u64::from(MANIFEST_VERSION) {
            return Err(ManifestError::Version { found, program: escape(program.as_bytes()) });
        }
        let wrong = |why: &str| ManifestError::Wrong(why.to_owned());
        let written: Written =
            serde_json::from_slice(bytes).map_err(|e| ManifestError::Wrong(e.to_string()))?;
        if written.blake3 != written.hash() {
            return Err(ManifestError::Broken);
        }
        if written.shards.get() > MOST_SHARDS {
            return Err(wrong("it has more shares than any plan"));
        }
        let names = Part::all(written.shards).map(Part::name);
        if !names.eq(written.parts.iter().map(|part| part.part.clone())) {
            return Err(wrong("its parts are not those of a plan"));
        }
        let made = DateTime::parse_from_rfc3339(&written.made);
        let parts = written.parts.iter().map(|part| {
            let blake3 = unhex(&part.blake3).ok_or_else(|| wrong("a hash in it is none"))?;
            Ok(PartFile { actions: part.actions, bytes: part.bytes, blake3 })
        });
        Ok(Self {
            made: made.map_err(|e| ManifestError::Wrong(e.to_string()))?.to_utc(),
            id: PlanId(unhex(&written.id).ok_or_else(|| wrong("its number is none"))?),
            shards: written.shards,
            sessions: written.sessions,
            sessions_each: written.sessions_each,
            at_once: written.at_once,
            scanned: written.scanned,
            unchanged: written.unchanged,
            parts: parts.collect::<Result<_, _>>()?,
            program: written.program,
            source: written.source,
            destination: written.destination,
            options: written.options,
        })
    }

    /// Returns whether shares do nothing but send files, which get their names last.
    pub fn delays_updates(&self) -> bool {
        self.options.get("delay-updates") == Some(&OptionValue::Switch(true))
    }

    /// Returns what is known of the file of a part; `None` where the plan has no such part.
    pub fn part(&self, part: Part) -> Option<&PartFile> {
        let at = Part::all(self.shards).position(|known| known == part)?;
        self.parts.get(at)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads as many digits as there must be, as they are written here.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let is_digit = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * N || !digits.iter().all(is_digit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(shards: u32) -> Manifest {
        let shards = NonZeroU32::new(shards).unwrap();
        let parts = Part::all(shards).enumerate();
        let file = |i: usize| PartFile { actions: i, bytes: 7 << i.min(40), blake3: [i as u8; 32] };
        Manifest {
            program: "0.1.0".into(),
            made: "2026-11-21T10:02:37Z".parse().unwrap(),
            source: "/srv/www".into(),
            destination: "ftp://h/\u{9b}".into(),
            options: [("perms".to_owned(), OptionValue::Switch(true))].into(),
            id: PlanId([0xab; 16]),
            shards,
            sessions: None,
            sessions_each: 5,
            at_once: 2,
            scanned: 3,
            unchanged: 1,
            parts: parts.map(|(i, _)| file(i)).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_an_edit_is_noticed() {
        for shards in [1, 2, 999] {
            let manifest = manifest(shards);
            let bytes = manifest.to_bytes();
            assert_eq!(Manifest::read(&bytes), Ok(manifest.clone()));
            assert!((bytes.len() as u64) < MOST_MANIFEST_BYTES);
        }
        let manifest = manifest(2);
        assert_eq!(manifest.part(Part::Last).map(|file| file.actions), Some(3));
        assert_eq!(manifest.part(Part::Shard(3)), None);
        let text = String::from_utf8(manifest.to_bytes()).unwrap();
        assert!(text.contains("\"id\": \"abababababababababababababababab\""), "{text}");
        for (old, new) in [("/srv/www", "/etc"), ("\"sessions_each\": 5", "\"sessions_each\": 6")] {
            assert_eq!(Manifest::read(text.replace(old, new).as_bytes()), Err(ManifestError::Broken));
        }
        assert_eq!(Manifest::read(b""), Err(ManifestError::NoManifest));
        assert_eq!(Manifest::read(&text.as_bytes()[..200]), Err(ManifestError::NoManifest));
        let later = text.replace("several\": 1", "several\": 2");
        assert!(matches!(Manifest::read(later.as_bytes()), Err(ManifestError::Version { found: 2, .. })));
    }

    #[test]
    fn a_forger_names_no_file_and_no_part_of_his_own() {
        for parts in [
            vec!["first", "shard-0001", "last", "last"],
            vec!["first", "../../etc/passwd", "last"],
            vec!["first", "last"],
        ] {
            let written: Written = serde_json::from_slice(&manifest(1).to_bytes()).unwrap();
            let part = |name: &str| WrittenPart { part: name.into(), ..written.parts[0].clone() };
            let mut forged = Written { parts: parts.into_iter().map(part).collect(), ..written.clone() };
            forged.blake3 = forged.hash();
            let read = Manifest::read(&serde_json::to_vec(&forged).unwrap());
            assert!(matches!(read, Err(ManifestError::Wrong(_))), "{read:?}");
        }
    }

    #[test]
    fn each_part_of_each_plan_has_its_own_temporary_files() {
        let (one, other) = (PlanId([1; 16]), PlanId([2; 16]));
        let owners = [one.owner(Part::First), one.owner(Part::Shard(1)), other.owner(Part::Shard(1))];
        assert!(owners[0] != owners[1] && owners[1] != owners[2]);
        assert_eq!(one.owner(Part::Last), PlanId([1; 16]).owner(Part::Last));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>, text in "\\{\"oneway_plan_for_several\":1,.{0,80}\\}") {
            let _ = Manifest::read(&bytes);
            let _ = Manifest::read(text.as_bytes());
        }
    }
}
