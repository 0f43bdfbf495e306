//! Puts entries together that a server breaks over two lines, as VMS does behind a long name.
//!
//! A line that only begins an entry waits for the next one. Where the two together are none, the first was something
//! else, and the second is read by itself: so each line is read twice at most.

use std::mem;

use chrono::{DateTime, Utc};

use crate::ftp::listing::{Line, ListingFormat};

/// The line that waits, if there is one.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// Empty when nothing waits.
    first: Vec<u8>,
}

impl Joiner {
    /// Reads `line`, and tells `each` what it or the line before it is; nothing yet where an entry begins. It is never
    /// told [`Line::Begins`].
    pub(super) fn read(
        &mut self,
        line: &[u8],
        format: &dyn ListingFormat,
        now: DateTime<Utc>,
        mut each: impl FnMut(&[u8], Option<Line>),
    ) {
        if let Some(first) = self.finish() {
            let whole = [&first, &b" "[..], line].concat();
            match format.parse(&whole, now) {
                None | Some(Line::Begins) => each(&first, None),
                read => return each(&whole, read),
            }
        }
        match format.parse(line, now) {
            Some(Line::Begins) => self.first = line.to_vec(),
            read => each(line, read),
        }
    }

    /// Returns the line that waits in vain.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        (!self.first.is_empty()).then(|| mem::take(&mut self.first))
    }

    /// Returns whether a line waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.first.is_empty()
    }
}
