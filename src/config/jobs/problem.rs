//! What is wrong with a file of jobs, and where.

use std::fmt::{self, Display, Formatter};

/// A place in the file, for people and their editors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl At {
    /// Returns the place of a byte; the end of the text for one behind it.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = &text.as_bytes()[..byte.min(text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        // Each character has one byte that continues none.
        let column = before[line_start..].iter().filter(|&&b| b & 0xc0 != 0x80).count();
        Self { line: before.iter().filter(|&&b| b == b'\n').count() + 1, column: column + 1 }
    }
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong. It never holds a password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is.
    pub at: At,
    /// What it is, and what was expected.
    pub text: String,
}

impl Problem {
    /// Something that is wrong at a place.
    pub fn new(at: At, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

/// Returns ` (did you mean …?)` with the known name that is most like `name`; nothing where none is.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    // As clap has it for options.
    match best {
        Some((score, known)) if score > 0.7 => format!("; did you mean `{known}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters() {
        let text = "a\nü€x\n";
        for (byte, at) in [(0, (1, 1)), (1, (1, 2)), (2, (2, 1)), (7, (2, 3)), (9, (3, 1)), (99, (3, 1))] {
            assert_eq!(At::of(text, byte), At { line: at.0, column: at.1 }, "{byte}");
        }
    }

    #[test]
    fn only_what_is_like_it_is_offered() {
        assert_eq!(nearest("max_delete", ["delete", "max-delete"]), "; did you mean `max-delete`?");
        assert_eq!(nearest("xyz", ["delete", "source"]), "");
    }
}
