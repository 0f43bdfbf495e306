//! Data on its way to standard output: to the byte, or on a terminal with everything escaped that it might obey.

use std::io::{self, IsTerminal, Write};

use oneway::model::escape;

/// A line longer than this is shown in pieces.
const LINE_BYTES: usize = 64 << 10;

/// Where data goes.
pub(super) struct Out<W: Write> {
    inner: W,
    /// What is still to be shown of a line, on a terminal; `None` elsewhere.
    line: Option<Vec<u8>>,
    /// Something of that line is shown.
    is_begun: bool,
}

/// Returns standard output.
pub(super) fn standard() -> Out<io::StdoutLock<'static>> {
    let out = io::stdout();
    let line = out.is_terminal().then(Vec::new);
    Out { inner: out.lock(), line, is_begun: false }
}

impl<W: Write> Out<W> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(line) = &mut self.line else {
            self.inner.write_all(bytes)?;
            // Whoever reads it has what has come.
            return self.inner.flush();
        };
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            line.extend_from_slice(piece);
            if line.ends_with(b"\n") || line.len() >= LINE_BYTES {
                self.is_begun = show(line, &mut self.inner)?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let is_begun = self.is_begun;
        if let Some(line) = self.line.as_mut().filter(|line| is_begun || !line.is_empty()) {
            // What is said next is to begin on a line of its own.
            line.push(b'\n');
            show(line, &mut self.inner)?;
        }
        self.inner.flush()
    }
}

/// Returns whether the line goes on.
fn show(line: &mut Vec<u8>, out: &mut impl Write) -> io::Result<bool> {
    let (text, end) = match line.strip_suffix(b"\n") {
        Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), "\n"),
        None => (&line[..], ""),
    };
    // A tab does no harm, and columns need it.
    let shown: Vec<String> = text.split(|&b| b == b'\t').map(escape).collect();
    write!(out, "{}{end}", shown.join("\t"))?;
    line.clear();
    Ok(end.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(is_terminal: bool, pieces: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Out { inner: &mut bytes, line: is_terminal.then(Vec::new), is_begun: false };
        for piece in pieces {
            out.write(piece).unwrap();
        }
        out.finish().unwrap();
        bytes
    }

    #[test]
    fn elsewhere_each_byte_is_the_servers() {
        assert_eq!(written(false, &[b"a\r\n\x1b[", b"2J\xff\0"]), b"a\r\n\x1b[2J\xff\0");
        assert_eq!(written(false, &[]), b"");
    }

    #[test]
    fn a_terminal_is_shown_lines_and_nothing_it_could_obey() {
        for (pieces, shown) in [
            (&[&b"a\tb\r\nc"[..]][..], "a\tb\nc\n"),
            (&[b"\x1b]0;ti", b"tle\x07\r\n"], "\\x1b]0;title\\x07\n"),
            (&[b"gr\xc3", b"\xbcn\n"], "gr\u{fc}n\n"),
            (&[b"a\rb\n"], "a\\rb\n"),
        ] {
            assert_eq!(String::from_utf8(written(true, pieces)).unwrap(), shown);
        }
        for more in [0, 1] {
            let long = vec![b'x'; LINE_BYTES * 2 + more];
            assert!(written(true, &long.chunks(1000).collect::<Vec<_>>()).ends_with(b"xx\n"));
        }
    }
}
