//! Makes bytes from a server or a file name fit for a terminal or a log line.
//!
//! A name may hold ESC, BEL or a right-to-left override, and a terminal would obey them. Here each such character
//! becomes a visible escape: `\x1b`, `\u{202e}`; bytes that are not UTF-8 become `\xff`. A backslash stays as it is,
//! since names on Windows servers are full of them and nothing reads the result back.

use std::fmt::{self, Display, Formatter, Write as _};

/// Returns `bytes` as text that is safe to show.
pub fn escape(bytes: &[u8]) -> String {
    Escaped(bytes).to_string()
}

/// Shows bytes with everything escaped that a terminal might obey.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\t' => f.write_str("\\t")?,
                    '\r' => f.write_str("\\r")?,
                    '\n' => f.write_str("\\n")?,
                    c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                    c if is_unsafe(c) => write!(f, "{}", c.escape_unicode())?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Returns whether a terminal may obey `c` or hide it: C1 controls, bidirectional marks, invisible separators.
pub(crate) fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        for (bytes, shown) in [
            (&b"plain name.txt"[..], "plain name.txt"),
            ("grüße 漢字".as_bytes(), "grüße 漢字"),
            (b"\x1b[2J", "\\x1b[2J"),
            (b"a\tb\r\nc\x07", "a\\tb\\r\\nc\\x07"),
            (b"caf\xe9", "caf\\xe9"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
        ] {
            assert_eq!(escape(bytes), shown);
        }
    }
}
