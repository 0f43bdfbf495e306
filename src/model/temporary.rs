//! The names of the program's own files: those that are not whole yet, and the one that receipts are kept in on a server.
//!
//! They are recognised on both sides, by every run, and are never part of a tree. A name tells whose the file is, of what it is a part,
//! and of which try of which run, in at most 100 bytes:
//!
//! ```text
//! .oneway-5be0cd19137e2179-1f83d9abfb41bd6b-6565c3a09b05688c-12-3.part
//!         owner            key              run              number, serial
//! ```

use chrono::{DateTime, Utc};

use crate::model::{Mtime, RelPath};

const PREFIX: &[u8] = b".oneway-";
const SUFFIX: &[u8] = b".part";

/// The name of the file that receipts are kept in on a server.
pub const STATE_NAME: &str = ".oneway-state";

/// Distinguishes the temporary files of a run from those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId {
    /// Whose they are: one machine, user and pair of places, run after run.
    pub owner: u64,
    /// Which run: when it began, in seconds of Unix time, in the upper half, and chance in the lower.
    pub run: u64,
}

impl RunId {
    /// Returns the number of a run that begins `now`; `chance` tells it from another of that second.
    pub fn new(owner: u64, now: DateTime<Utc>, chance: u32) -> Self {
        let began = u32::try_from(now.timestamp()).unwrap_or(0);
        Self { owner, run: u64::from(began) << 32 | u64::from(chance) }
    }
}

/// Of what a temporary file is a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// The beginning of a file: of that name, size and time.
    Of(u64),
    /// Parts of a file that were written at several places at once, so that its size says nothing.
    Parts,
    /// Nothing that could be gone on with.
    Other,
}

impl Key {
    /// Returns the key of a file by its name, and by its size and time at the source; [`Key::Other`] where these are not known well
    /// enough to tell its versions apart.
    pub fn of(name: &[u8], size: Option<u64>, mtime: Option<Mtime>) -> Self {
        let (Some(size), Some(mtime)) = (size, mtime.filter(Mtime::is_exact)) else { return Self::Other };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&size.to_le_bytes());
        hasher.update(&mtime.at.timestamp().to_le_bytes());
        hasher.update(&mtime.at.timestamp_subsec_nanos().to_le_bytes());
        hasher.update(name);
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self::Of(u64::from_le_bytes(first))
    }
}

/// What the name of a temporary file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Temporary {
    /// Who made it, and when.
    pub run: RunId,
    /// Of what it is a part.
    pub key: Key,
    /// The number of its action in the plan.
    pub number: u64,
    /// Distinguishes the tries at it. A server may go on writing for a session that is long lost, and vsftpd keeps its file
    /// locked meanwhile.
    pub serial: u32,
}

impl Temporary {
    /// Returns the path for it: in the same directory as `path`, which is the one it will get.
    pub fn beside(&self, path: &RelPath) -> RelPath {
        let Self { run: RunId { owner, run }, key, number, serial } = self;
        let key = match key {
            Key::Of(hash) => format!("{hash:016x}"),
            Key::Parts => PARTS.to_owned(),
            Key::Other => OTHER.to_owned(),
        };
        let unique = format!("{owner:016x}-{key}-{run:016x}-{number}-{serial}");
        let name = [PREFIX, unique.as_bytes(), SUFFIX].concat();
        let dir = path.parent().unwrap_or_else(RelPath::root);
        dir.join(name).expect("the name holds no separator")
    }

    /// Reads a name; `None` for every one that this program, in this version, doesn't give.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let unique = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let mut words = std::str::from_utf8(unique).ok()?.split('-');
        let mut next = || words.next();
        let (owner, key, run, number, serial) = (next()?, next()?, next()?, next()?, next()?);
        let key = match key {
            PARTS => Key::Parts,
            OTHER => Key::Other,
            hash => Key::Of(hex(hash)?),
        };
        let run = RunId { owner: hex(owner)?, run: hex(run)? };
        let (number, serial) = (decimal(number)?, u32::try_from(decimal(serial)?).ok()?);
        words.next().is_none().then_some(Self { run, key, number, serial })
    }

    /// Returns when its run began, by the clock of the machine it was on.
    pub fn began(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(i64::try_from(self.run.run >> 32).ok()?, 0)
    }
}

const PARTS: &str = "parts";
const OTHER: &str = "other";

/// Reads sixteen digits as they are written here.
fn hex(text: &str) -> Option<u64> {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 16 && text.bytes().all(is_digit)).then(|| u64::from_str_radix(text, 16).ok())?
}

/// Reads a number without a sign or zeros before it.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok())?
}

/// Returns a temporary path for `path` that nobody goes on with: in the same directory, and used by no other run, no other file of this
/// one, and no other try.
pub fn temporary_for(path: &RelPath, run: RunId, number: usize, serial: u32) -> RelPath {
    Temporary { run, key: Key::Other, number: number as u64, serial }.beside(path)
}

/// Returns whether a file of this name is, or may be, one of ours that is not whole: of any version.
pub fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// The name of the file that says what a run has set aside, in the directory where it did.
pub const MANIFEST_NAME: &str = ".oneway-backup.jsonl";

/// Returns whether a file of this name says what a run has set aside. Letters are taken in any case.
pub fn is_manifest(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(MANIFEST_NAME.as_bytes())
}

/// Returns whether receipts are kept in a file of this name. Letters are taken in any case: on a side that doesn't tell them apart,
/// another spelling is the same file.
pub fn is_state(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(STATE_NAME.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Precision;

    const RUN: RunId = RunId { owner: 0xabc, run: 0x6565_c3a0_0000_0001 };

    #[test]
    fn a_temporary_file_is_beside_its_target_and_known_by_its_name() {
        let path = temporary_for(&RelPath::parse("a/b.txt").unwrap(), RUN, 7, 1);
        assert_eq!(path.to_string(), "a/.oneway-0000000000000abc-other-6565c3a000000001-7-1.part");
        assert!(is_temporary(path.name()));
        assert!(
            !is_temporary(b".oneway-notes")
                && !is_temporary(b"x.part")
                && !is_temporary(STATE_NAME.as_bytes())
        );
        assert!(is_state(b".oneway-state") && is_state(b".Oneway-State") && !is_state(b".oneway-state2"));
    }

    #[test]
    fn names_of_others_are_not_read() {
        for name in [
            ".oneway-0000000000000abc-7-1.part",
            ".oneway-old-0000000000000abc-other-6565c3a000000001-7-1.part",
            ".oneway-0000000000000ABC-other-6565c3a000000001-7-1.part",
            ".oneway-0000000000000abc-other-6565c3a000000001-7.part",
            ".oneway-0000000000000abc-other-6565c3a000000001-7-1-1.part",
            ".oneway-0000000000000abc-other-6565c3a000000001-07-1.part",
            ".oneway-0000000000000abc-other-6565c3a000000001-+7-1.part",
            ".oneway-0000000000000abc-others-6565c3a000000001-7-1.part",
            ".oneway-abc-other-6565c3a000000001-7-1.part",
            ".oneway-0000000000000abc-other-6565c3a000000001-7-1.part ",
            ".oneway-0000000000000abc-other-6565c3a000000001-7-4294967296.part",
            ".oneway-.part",
        ] {
            assert_eq!(Temporary::parse(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn each_version_of_each_file_has_a_key_of_its_own() {
        let at = |seconds, nanos| Mtime::from_unix(seconds, nanos);
        let key = |name: &str, size, mtime| Key::of(name.as_bytes(), Some(size), mtime);
        let it = key("a", 1, at(5, 0));
        assert_eq!(it, key("a", 1, at(5, 0)));
        for other in
            [key("b", 1, at(5, 0)), key("a", 2, at(5, 0)), key("a", 1, at(6, 0)), key("a", 1, at(5, 1))]
        {
            assert!(other != it && matches!(other, Key::Of(_)));
        }
        let rough = at(5, 0).map(|mtime| Mtime { precision: Precision::Minute, ..mtime });
        assert_eq!([key("a", 1, rough), key("a", 1, None), Key::of(b"a", None, at(5, 0))], [Key::Other; 3]);
    }

    #[test]
    fn a_run_tells_when_it_began() {
        let now = DateTime::from_timestamp(1_700_000_000, 5).unwrap();
        let run = RunId::new(1, now, u32::MAX);
        let began = Temporary { run, key: Key::Parts, number: 0, serial: 0 }.began().unwrap();
        assert_eq!(began.timestamp(), 1_700_000_000);
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![any::<u64>().prop_map(Key::Of), Just(Key::Parts), Just(Key::Other)]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(owner: u64, run: u64, key in key(), number: u64, serial: u32) {
            let it = Temporary { run: RunId { owner, run }, key, number, serial };
            let path = it.beside(&RelPath::parse("dir/file").unwrap());
            prop_assert!(is_temporary(path.name()) && path.name().len() <= 100);
            prop_assert_eq!(Temporary::parse(path.name()), Some(it));
        }

        #[test]
        fn whatever_is_read_would_be_written_so(inner in "[0-9a-fpartsohe+ -]{0,70}", bytes: Vec<u8>) {
            let framed = format!(".oneway-{inner}.part").into_bytes();
            for name in [framed, [PREFIX, &bytes, SUFFIX].concat(), bytes] {
                if let Some(it) = Temporary::parse(&name) {
                    let path = it.beside(&RelPath::parse("file").unwrap());
                    prop_assert_eq!(path.name(), &name[..]);
                }
            }
        }
    }
}
