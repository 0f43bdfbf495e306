//! Finds out which family a listing is of: the one that makes the fewest errors with its first lines.

use std::mem;

use chrono::{DateTime, Utc};

use crate::ftp::listing::join::Joiner;
use crate::ftp::listing::{FORMATS, Line, ListingFormat};

/// The first lines, and how well each family of [`FORMATS`] reads them.
#[derive(Debug, Default)]
pub(super) struct Detection {
    lines: Vec<Vec<u8>>,
    /// How many of the lines are more than noise.
    telling: usize,
    scores: [Score; FORMATS.len()],
}

#[derive(Debug, Default)]
struct Score {
    errors: usize,
    read: usize,
    joiner: Joiner,
}

impl Detection {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &[u8], now: DateTime<Utc>) {
        let (mut noise, mut entry) = (false, false);
        for (format, score) in
            FORMATS.iter().zip(&mut self.scores).filter(|(format, _)| format.is_detectable())
        {
            let Score { errors, read, joiner } = score;
            joiner.read(line, *format, now, |_, line| match line {
                Some(Line::Entry(_)) => (entry, *read) = (true, *read + 1),
                Some(Line::Noise | Line::Own | Line::OwnUnique(_)) => (noise, *read) = (true, *read + 1),
                Some(Line::Perhaps(_) | Line::Begins) => {}
                Some(Line::Rejected(_)) | None => *errors += 1,
            });
        }
        self.telling += usize::from(entry || !noise);
        self.lines.push(line.to_vec());
    }

    /// Returns whether there are lines enough to decide by.
    pub(super) fn is_enough(&self) -> bool {
        self.telling >= TELLING_LINES || self.lines.len() >= HELD_LINES
    }

    /// Returns the family with the fewest errors among those that could read anything.
    pub(super) fn best(&self) -> Option<&'static dyn ListingFormat> {
        let readers = FORMATS.iter().zip(&self.scores).filter(|(_, score)| score.read > 0);
        let errors = |score: &Score| score.errors + usize::from(score.joiner.is_waiting());
        readers.min_by_key(|(_, score)| errors(score)).map(|(format, _)| *format)
    }

    /// Hands over the lines that waited.
    pub(super) fn take_lines(&mut self) -> Vec<Vec<u8>> {
        mem::take(&mut self.lines)
    }
}

/// How many lines that are more than noise decide on the family.
const TELLING_LINES: usize = 20;

/// How many lines wait for that at most.
const HELD_LINES: usize = 64;
