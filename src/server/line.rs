//! Command lines out of bytes as they come.
//!
//! A line ends at LF; the CR before it belongs to the end. Clients that type by hand send LF alone, and nothing is lost by
//! taking it: a LF can't be part of a name here anyway. A line that is too long is thrown away up to its end, so that
//! the session can go on.

use crate::ftp::command::{Command, Verb};

/// Bytes that came and are not yet taken as lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the first line that is not yet taken begins.
    start: usize,
    /// Up to where no LF was found.
    searched: usize,
    /// Whether the beginning of the line was thrown away.
    overlong: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its line end.
    Whole(Vec<u8>),
    /// Longer than [`MAX_LINE_BYTES`].
    TooLong,
}

impl Lines {
    /// Adds bytes as they came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next line; `None` until more bytes come.
    pub(super) fn take(&mut self) -> Option<Line> {
        let Some(found) = self.bytes[self.searched..].iter().position(|&b| b == b'\n') else {
            self.searched = self.bytes.len();
            if self.bytes.len() - self.start > MAX_LINE_BYTES {
                self.overlong = true;
                self.bytes.clear();
                (self.start, self.searched) = (0, 0);
            }
            return None;
        };
        let end = self.searched + found;
        let line = &self.bytes[self.start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let too_long = std::mem::take(&mut self.overlong) || line.len() > MAX_LINE_BYTES;
        let line = if too_long { Line::TooLong } else { Line::Whole(line.to_vec()) };
        self.start = end + 1;
        self.searched = self.start;
        Some(line)
    }

    /// Returns how many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns whether a whole line waits that is ABOR.
    pub(super) fn holds_abort(&self) -> bool {
        let waiting = &self.bytes[self.start..];
        let whole = waiting.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        waiting[..whole].split(|&b| b == b'\n').any(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            Command::parse(line).is_ok_and(|command| command.verb() == Verb::Abor)
        })
    }
}

/// The longest command line in bytes. Paths are limited to as much on most systems.
pub(super) const MAX_LINE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Option<Line> {
        Some(Line::Whole(text.into()))
    }

    #[test]
    fn lines_come_whole_however_the_bytes_are_cut() {
        let mut lines = Lines::default();
        lines.push(b"USER a\r\nPA");
        assert_eq!((lines.take(), lines.take()), (whole("USER a"), None));
        lines.push(b"SS b\nPWD\r");
        assert_eq!((lines.take(), lines.take()), (whole("PASS b"), None));
        lines.push(b"\n\r\n");
        assert_eq!((lines.take(), lines.take(), lines.take()), (whole("PWD"), whole(""), None));
        assert_eq!(lines.waiting(), 0);
    }

    #[test]
    fn an_overlong_line_is_one_error_and_the_next_line_is_read() {
        let mut lines = Lines::default();
        for _ in 0..10 {
            lines.push(&[b'x'; 1000]);
            assert_eq!(lines.take(), None);
            assert!(lines.waiting() <= MAX_LINE_BYTES);
        }
        lines.push(b"end\r\nNOOP\r\n");
        assert_eq!((lines.take(), lines.take()), (Some(Line::TooLong), whole("NOOP")));
        lines.push(&[b"y".repeat(MAX_LINE_BYTES).as_slice(), b"\r\n"].concat());
        assert!(matches!(lines.take(), Some(Line::Whole(line)) if line.len() == MAX_LINE_BYTES));
        lines.push(&[b"y".repeat(MAX_LINE_BYTES + 1).as_slice(), b"\r\n"].concat());
        assert_eq!(lines.take(), Some(Line::TooLong));
    }

    #[test]
    fn abort_is_seen_among_waiting_lines_once_it_is_whole() {
        let mut lines = Lines::default();
        lines.push(b"NOOP\r\nCWD ABOR\r\n\xff\xf4\xff\xf2abor\r");
        assert!(!lines.holds_abort());
        lines.push(b"\n");
        assert!(lines.holds_abort());
        assert_eq!(lines.take(), whole("NOOP"));
        assert!(lines.holds_abort());
    }

    proptest! {
        #[test]
        fn cutting_makes_no_difference(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200), cut in 1_usize..20) {
            let mut at_once = Lines::default();
            at_once.push(&bytes);
            let expected: Vec<_> = std::iter::from_fn(|| at_once.take()).collect();
            let mut lines = Lines::default();
            let mut got = Vec::new();
            for part in bytes.chunks(cut) {
                lines.push(part);
                got.extend(std::iter::from_fn(|| lines.take()));
            }
            prop_assert_eq!(got, expected);
            prop_assert_eq!(lines.waiting(), at_once.waiting());
        }
    }
}
