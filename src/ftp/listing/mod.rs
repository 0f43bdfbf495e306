//! Listings: from the bytes of LIST, MLSD or STAT to entries.
//!
//! There is no standard for LIST, so each family of servers has a format of its own, one a file behind
//! [`ListingFormat`]. The family is chosen once per listing from its first lines and then kept: a later line that doesn't
//! fit is rejected and counted, never given to another family to guess at.

use crate::model::{Kind, Mtime};
use chrono::{DateTime, Utc};

/// What a listing told about one name. What it didn't tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name as it stood there, bytes in no certain encoding. Not yet checked: it may be `../x`.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes, of files alone.
    pub size: Option<u64>,
    /// When it last changed. In UTC when the format says so ([`ListingFormat::times_are_utc`]); otherwise the server's local
    /// time written down as if it were UTC.
    pub mtime: Option<Mtime>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Where a symbolic link points.
    pub target: Option<Vec<u8>>,
    /// Owner as written, name or number.
    pub owner: Option<Vec<u8>>,
    /// Group as written, name or number.
    pub group: Option<Vec<u8>>,
}

/// What one line of a listing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry.
    Entry(Listed),
    /// A line known to be no entry: `total 12`, `.`, `..`, a blank line.
    Noise,
    /// A line of this family that can't be believed, and why.
    Rejected(String),
}

/// One family of listings.
pub trait ListingFormat: Sync {
    /// Returns the name users see and give with `--format`.
    fn name(&self) -> &'static str;

    /// Returns whether its times are UTC rather than the server's local time.
    fn times_are_utc(&self) -> bool;

    /// Reads one line without its line end; `None` when the line is not of this family.
    /// `now` is for dates without a year.
    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line>;
}
