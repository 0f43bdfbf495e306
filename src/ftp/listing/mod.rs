//! Listings: from the bytes of LIST, MLSD, NLST or STAT to entries.
//!
//! There is no standard for LIST, so each family of servers has a format of its own, one a file behind
//! [`ListingFormat`]. The family is chosen once per listing from its first lines and then kept: a later line that doesn't
//! fit is rejected and counted, never given to another family to guess at. A [`Parser`] takes the bytes as they arrive.
//!
//! Where lines come in a reply on the control connection (STAT, MLST), some servers put one more blank before each. Who
//! takes such a reply apart strips that blank; a line handed in here begins where the server's listing begins.

mod asian;
mod date;
mod day;
mod detect;
mod dos;
mod eplf;
mod fields;
mod join;
mod mac;
mod mlsd;
mod month;
mod mvs;
mod netware;
mod nlst;
mod nonstop;
mod os2;
mod os400;
mod os9;
mod parser;
mod pds;
mod unix;
mod unix_numeric;
mod vmcms;
mod vms;
mod vshell;
mod vxworks;
mod wfftp;

use std::fmt::Debug;

use chrono::{DateTime, Utc};

use crate::model::{Kind, Mtime};

pub use date::timestamp;
pub use dos::Dos;
pub use eplf::Eplf;
pub use mac::Mac;
pub use mlsd::Mlsd;
pub use mvs::Mvs;
pub use netware::Netware;
pub use nlst::Nlst;
pub use nonstop::NonStop;
pub use os2::Os2;
pub use os9::Os9;
pub use os400::Os400;
pub use parser::{Cut, Limits, Listing, Parser, Rejected};
pub use pds::Pds;
pub use unix::Unix;
pub use vmcms::VmCms;
pub use vms::Vms;
pub use vshell::VShell;
pub use vxworks::VxWorks;
pub use wfftp::WfFtp;

/// All families, in the order in which they win when the lines fit several alike.
pub const FORMATS: &[&dyn ListingFormat] = &[
    &Mlsd, &Eplf,
    // Before Unix, which can read the lines and would take the forks' sizes for numbers of owners.
    &Mac, &Unix, &Dos, &Vms, &Mvs, &Pds, &VmCms, &Os400, &Netware, &Os2, &NonStop, &VShell, &VxWorks, &WfFtp,
    &Os9, &Nlst,
];

/// Returns the family users call `name`.
pub fn format_named(name: &str) -> Option<&'static dyn ListingFormat> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// One family of listings.
pub trait ListingFormat: Debug + Sync {
    /// Returns the name users see and give with `--format`.
    fn name(&self) -> &'static str;

    /// Returns whether its times are UTC rather than the server's local time.
    fn times_are_utc(&self) -> bool;

    /// Returns whether lines can show that they are of this family. One that takes any line for its own can't be
    /// detected, only asked for.
    fn is_detectable(&self) -> bool {
        true
    }

    /// Reads one line without its line end; `None` when the line is not of this family. `now` is for dates without a
    /// year. Where it says [`Line::Begins`], it is asked again with the next line behind a blank.
    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line>;
}

/// What one line of a listing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry.
    Entry(Listed),
    /// An entry, if the listing is of this family, which such a line doesn't show: a bare name.
    Perhaps(Listed),
    /// The first half of an entry that goes on in the next line.
    Begins,
    /// A line known to be no entry: `total 12`.
    Noise,
    /// A line for the directory itself or the one above: `.`, `..`. It shows that the directory could be read.
    Own,
    /// A line for the directory itself that tells by which `unique` fact the server knows it (RFC 3659 §7.5.2).
    OwnUnique(Box<[u8]>),
    /// A line of this family that can't be believed, and why.
    Rejected(String),
}

impl Line {
    /// Returns the line that tells of `listed`: its own where it is the directory itself or the one above, rejected where
    /// there is no name. All other names are left to [`RelPath::join`](crate::model::RelPath::join).
    fn of(listed: Listed) -> Self {
        match &listed.name[..] {
            b"" => Self::Rejected("the name is empty".into()),
            // A file of that name is no line a server writes by itself, so it goes on and is refused aloud as a path.
            b"." | b".." if listed.kind == Kind::Dir => Self::Own,
            _ => Self::Entry(listed),
        }
    }
}

/// What a listing told about one name. What it didn't tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name as it stood there, bytes in no certain encoding. A [`Parser`] rejects what can't be joined to a path,
    /// such as `../x`; a family alone doesn't.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes, of files alone.
    pub size: Option<u64>,
    /// Whether `size` is not to the byte, because the listing tells it in kilobytes (`33.5k`) or blocks: good to be
    /// shown, never to be compared.
    pub rounded: bool,
    /// When it last changed: in UTC where the family's times are ([`ListingFormat::times_are_utc`]) or a zone stood next to it
    /// (`ls --full-time`); otherwise the server's local time written down as if it were UTC, its zone being unknown.
    pub mtime: Option<Mtime>,
    /// Permission bits (`0o7777`).
    pub mode: Option<u32>,
    /// Where a symbolic link points.
    pub target: Option<Vec<u8>>,
    /// Owner as written, name or number.
    pub owner: Option<Vec<u8>>,
    /// Group as written, name or number.
    pub group: Option<Vec<u8>>,
    /// The `unique` fact of a directory (RFC 3659 §7.5.2): the same in two places where both are one directory.
    pub unique: Option<Box<[u8]>>,
}

impl Listed {
    /// Returns the size, if it is known to the byte.
    pub fn exact_size(&self) -> Option<u64> {
        self.size.filter(|_| !self.rounded)
    }

    /// Returns an entry of which nothing but name and kind is known.
    pub fn new(name: impl Into<Vec<u8>>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            size: None,
            rounded: false,
            mtime: None,
            mode: None,
            target: None,
            owner: None,
            group: None,
            unique: None,
        }
    }
}

#[cfg(test)]
mod shown;
#[cfg(test)]
mod tests;
