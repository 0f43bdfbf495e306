//! The facts of MLSD and MLST (RFC 3659 §7): `type=file;size=12;modify=20261121100237; name`.

use std::io::Write as _;

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};

use crate::model::Kind;
use crate::rooted::Meta;
use crate::server::Access;

/// The facts a client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FactSet([bool; FACTS.len()]);

impl FactSet {
    /// All of them, until the client chooses.
    pub(super) const ALL: Self = Self([true; FACTS.len()]);

    /// Reads what OPTS MLST asks for: `type;size;modify;`. Facts that aren't known are left out (RFC 3659 §7.9).
    pub(super) fn select(argument: &[u8]) -> Self {
        let asked: Vec<&[u8]> = argument.split(|&b| b == b';').collect();
        Self(FACTS.map(|fact| asked.iter().any(|asked| asked.eq_ignore_ascii_case(fact.as_bytes()))))
    }

    /// Returns the chosen facts: `type;size;`.
    pub(super) fn names(self) -> String {
        FACTS.iter().zip(self.0).filter(|(_, on)| *on).map(|(fact, _)| format!("{fact};")).collect()
    }

    /// Returns the line of FEAT, where the chosen facts have a star: `MLST type*;size*;perm;`.
    pub(super) fn feature(self) -> String {
        let facts =
            FACTS.iter().zip(self.0).map(|(fact, on)| format!("{fact}{};", if on { "*" } else { "" }));
        format!("MLST {}", facts.collect::<String>())
    }

    /// Appends the chosen facts that are known, without the space and the name that follow.
    pub(super) fn write(self, out: &mut Vec<u8>, meta: &Meta, access: Access) {
        for ((fact, on), value) in FACTS.iter().zip(self.0).zip(values(meta, access)) {
            if let (true, Some(value)) = (on, value) {
                write!(out, "{fact}={value};").expect("a Vec takes all that is written");
            }
        }
    }
}

/// Returns the values in the order of [`FACTS`].
fn values(meta: &Meta, access: Access) -> [Option<String>; FACTS.len()] {
    let kind = meta.kind();
    let type_fact = match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        // RFC 3659 §7.5.1.5 leaves other types to the system; this is how ProFTPD names a link that is not followed.
        Kind::Symlink => "OS.unix=symlink",
        Kind::Other => "OS.unix=special",
    };
    let perm = match (kind, access) {
        (Kind::File, Access::Write) => "adfrw",
        (Kind::File, Access::Read) => "r",
        (Kind::Dir, Access::Write) => "cdeflmp",
        (Kind::Dir, Access::Read) => "el",
        (Kind::Symlink | Kind::Other, Access::Write) => "df",
        (Kind::Symlink | Kind::Other, Access::Read) => "",
    };
    [
        Some(type_fact.into()),
        (kind == Kind::File).then(|| meta.size.to_string()),
        meta.mtime.and_then(|mtime| time_text(mtime.at)),
        Some(perm.into()),
        Some(format!("{:x}g{:x}", meta.device, meta.inode)),
        Some(format!("{:04o}", meta.mode)),
    ]
}

/// Returns a time as MDTM, MFMT and the `modify` fact write it, 14 digits in UTC; `None` when its year hasn't four.
pub(super) fn time_text(at: DateTime<Utc>) -> Option<String> {
    (0..=9999).contains(&at.year()).then(|| at.format("%Y%m%d%H%M%S").to_string())
}

/// Reads such a time; a fraction of a second behind it is cut off (RFC 3659 §2.3).
pub(super) fn parse_time(text: &[u8]) -> Option<DateTime<Utc>> {
    let text = str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    NaiveDateTime::parse_from_str(whole, "%Y%m%d%H%M%S").ok().map(|at| at.and_utc())
}

/// The facts, in the order they are written.
const FACTS: [&str; 6] = ["type", "size", "modify", "perm", "unique", "UNIX.mode"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::fs::FileType;

    use super::*;
    use crate::model::Mtime;

    fn facts(set: FactSet, file_type: FileType, access: Access) -> String {
        let meta = Meta {
            file_type,
            size: 12,
            mtime: Some(Mtime::exact("2026-11-21T10:02:37Z".parse().unwrap())),
            ctime: (0, 0),
            mode: 0o644,
            links: 1,
            owner: 0,
            group: 0,
            device: 0x801,
            inode: 0x2a,
        };
        let mut out = Vec::new();
        set.write(&mut out, &meta, access);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn facts_say_what_a_thing_is_and_what_may_be_done_to_it() {
        for (file_type, access, expected) in [
            (
                FileType::RegularFile,
                Access::Read,
                "type=file;size=12;modify=20261121100237;perm=r;unique=801g2a;UNIX.mode=0644;",
            ),
            (
                FileType::Directory,
                Access::Write,
                "type=dir;modify=20261121100237;perm=cdeflmp;unique=801g2a;UNIX.mode=0644;",
            ),
            (
                FileType::Symlink,
                Access::Read,
                "type=OS.unix=symlink;modify=20261121100237;perm=;unique=801g2a;UNIX.mode=0644;",
            ),
        ] {
            assert_eq!(facts(FactSet::ALL, file_type, access), expected);
        }
    }

    #[test]
    fn a_client_chooses_facts() {
        let set = FactSet::select(b"SIZE;nonsense;unix.MODE;");
        assert_eq!(set.names(), "size;UNIX.mode;");
        assert_eq!(set.feature(), "MLST type;size*;modify;perm;unique;UNIX.mode*;");
        assert_eq!(facts(set, FileType::RegularFile, Access::Read), "size=12;UNIX.mode=0644;");
        assert_eq!(FactSet::select(b"").names(), "");
    }

    #[test]
    fn times_are_fourteen_digits_and_perhaps_a_fraction() {
        let at = "2024-02-29T23:59:59Z".parse().unwrap();
        for (text, expected) in [
            ("20240229235959", Some(at)),
            ("20240229235959.123", Some(at)),
            ("20230229235959", None),
            ("20240229245959", None),
            ("2024022923595", None),
            ("20240229235959.", None),
            ("+0240229235959", None),
            ("20240229 35959", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(time_text(at).unwrap(), "20240229235959");
        assert_eq!(time_text(DateTime::<Utc>::MAX_UTC), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0_i64..253_402_300_800) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse_time(time_text(at).unwrap().as_bytes()), Some(at));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = (parse_time(&bytes), FactSet::select(&bytes));
        }
    }
}
