//! Whether a listing is all there is.

use crate::ftp::listing::Listing;
use crate::ftp::reply::Reply;
use crate::model::{Unproven, escape};

/// A listing and how it ended.
pub(in crate::store::ftp) struct RawListing {
    pub(in crate::store::ftp) listing: Listing,
    pub(in crate::store::ftp) closing: Reply,
    /// Made by a command that may leave out names which begin with a dot.
    pub(in crate::store::ftp) may_hide: bool,
    /// Two listings of the directory contradict each other.
    pub(in crate::store::ftp) unsteady: bool,
    /// Made by a command that many servers answer without an error for a directory that can't be read.
    pub(in crate::store::ftp) unconfirmed: bool,
    /// It is that of a directory that can't be read.
    pub(in crate::store::ftp) closed: bool,
}

impl RawListing {
    /// Returns a listing that nothing speaks against.
    pub(in crate::store::ftp) fn new(listing: Listing, closing: Reply) -> Self {
        Self { listing, closing, may_hide: false, unsteady: false, unconfirmed: false, closed: false }
    }
}

/// How much of a line that was not understood is shown.
const SHOWN_BYTES: usize = 200;

/// Returns why the listing may not be all there is.
pub(in crate::store::ftp) fn doubt_of(raw: &RawListing, caps: &[usize]) -> Option<Unproven> {
    let RawListing { listing, closing, unsteady, .. } = raw;
    let count = listing.entries.len();
    let text = if let Some(first) = listing.rejected.first() {
        let n = listing.rejected_count;
        let lines = if n == 1 {
            "a line of the listing was".into()
        } else {
            format!("{n} lines of the listing were")
        };
        let (shown, more) = match first.line.get(..SHOWN_BYTES) {
            Some(beginning) => (beginning, "…"),
            None => (&first.line[..], ""),
        };
        format!("{lines} not understood: `{}{more}` ({})", escape(shown), first.reason)
    } else if closing.to_string().to_ascii_lowercase().contains("truncated") {
        format!("the server cut the listing: {closing}")
    } else if listing.cut.is_some() {
        format!("the listing is longer than can be read, {count} entries were")
    } else if listing.unterminated {
        // A name cut short is the name of another file.
        "its last line has no end, so it may have broken off there".to_owned()
    } else if listing.mixed_line_ends {
        "a line break in a name may have forged an entry: the lines end in different ways".to_owned()
    } else if *unsteady {
        "the directory changed while it was listed".to_owned()
    } else if raw.closed {
        "the listing has not even the directory itself, so that it could not be read".to_owned()
    } else if caps.contains(&count) {
        format!("the listing has exactly {count} entries, where servers are known to cut")
    } else {
        return None;
    };
    Some(Unproven(text))
}
