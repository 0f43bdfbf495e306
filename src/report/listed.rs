//! An entry of a listing as one JSON object.
//!
//! A saved listing may have millions of lines, so what nearly all of them are made of, plain ASCII and years of four
//! digits, is copied as it stands; only the rest goes through the serializer.

use std::io::{self, Write};

use chrono::{Datelike, Timelike};

use crate::ftp::listing::Listed;
use crate::model::{Mtime, RelPath};
use crate::report::json::{percent, rfc3339, write_value};

/// Writes one entry of a listing as `ls` and `parse-listing` print it: one JSON object a line, null where the server
/// doesn't tell.
///
/// # Errors
/// What the output says.
pub fn listed_json(listed: &Listed, out: &mut dyn Write) -> io::Result<()> {
    write(listed, None, out)
}

/// As [`listed_json`], with `path` beside the name: where the entry is below what was asked for.
///
/// # Errors
/// What the output says.
pub fn listed_json_at(listed: &Listed, path: &RelPath, out: &mut dyn Write) -> io::Result<()> {
    write(listed, Some(path), out)
}

fn write(listed: &Listed, path: Option<&RelPath>, out: &mut dyn Write) -> io::Result<()> {
    let mut line = Vec::with_capacity(LINE_BYTES);
    line.extend_from_slice(b"{\"name\":");
    if write_bytes(&mut line, Some(&listed.name))? {
        line.extend_from_slice(b",\"name_encoded\":true");
    }
    if let Some(path) = path {
        line.extend_from_slice(b",\"path\":");
        if write_bytes(&mut line, Some(path.as_bytes()))? {
            line.extend_from_slice(b",\"path_encoded\":true");
        }
    }
    line.extend_from_slice(b",\"kind\":\"");
    line.extend_from_slice(listed.kind.as_str().as_bytes());
    line.extend_from_slice(b"\",\"size\":");
    match listed.size {
        Some(size) => number(&mut line, size, 10),
        None => line.extend_from_slice(NULL),
    }
    write_time(&mut line, listed.mtime.as_ref());
    line.extend_from_slice(b",\"target\":");
    write_bytes(&mut line, listed.target.as_deref())?;
    match listed.mode {
        Some(mode) => {
            line.extend_from_slice(b",\"mode\":\"");
            // Four digits, those in front being zero where the bits are few.
            line.extend_from_slice(
                &b"000"
                    [usize::from(mode >= 0o10) + usize::from(mode >= 0o100) + usize::from(mode >= 0o1000)..],
            );
            number(&mut line, mode.into(), 8);
            line.push(b'"');
        }
        None => line.extend_from_slice(b",\"mode\":null"),
    }
    line.extend_from_slice(b",\"owner\":");
    write_bytes(&mut line, listed.owner.as_deref())?;
    line.extend_from_slice(b",\"group\":");
    write_bytes(&mut line, listed.group.as_deref())?;
    line.extend_from_slice(b"}\n");
    out.write_all(&line)
}

/// Writes bytes as a string, and returns whether some had to be written as `%FF`.
fn write_bytes(line: &mut Vec<u8>, bytes: Option<&[u8]>) -> io::Result<bool> {
    let Some(bytes) = bytes else {
        line.extend_from_slice(NULL);
        return Ok(false);
    };
    if bytes.iter().all(|&b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        line.push(b'"');
        line.extend_from_slice(bytes);
        line.push(b'"');
        return Ok(false);
    }
    let (text, encoded) = percent(bytes);
    write_value(line, &text)?;
    Ok(encoded)
}

fn write_time(line: &mut Vec<u8>, mtime: Option<&Mtime>) {
    let Some(mtime) = mtime else {
        line.extend_from_slice(b",\"modified\":null,\"precision\":null");
        return;
    };
    line.extend_from_slice(b",\"modified\":\"");
    let (date, time) = (mtime.at.date_naive(), mtime.at.time());
    match u32::try_from(date.year()) {
        Ok(year @ 0..10_000) => {
            let mut text = *b"0000-00-00T00:00:00Z";
            let parts =
                [year / 100, year % 100, date.month(), date.day(), time.hour(), time.minute(), time.second()];
            for (at, part) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(parts) {
                // Each has two digits, and a digit is below ten.
                text[at] += (part / 10 % 10) as u8;
                text[at + 1] += (part % 10) as u8;
            }
            line.extend_from_slice(&text);
        }
        _ => line.extend_from_slice(rfc3339(mtime).as_bytes()),
    }
    line.extend_from_slice(b"\",\"precision\":\"");
    line.extend_from_slice(mtime.precision.as_str().as_bytes());
    line.push(b'"');
}

/// Writes `n` to a base of ten or less.
fn number(line: &mut Vec<u8>, n: u64, base: u64) {
    let mut text = [0; u64::BITS as usize];
    let mut at = text.len();
    let mut rest = n;
    loop {
        at -= 1;
        text[at] = b'0' + (rest % base) as u8;
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    line.extend_from_slice(&text[at..]);
}

const NULL: &[u8] = b"null";

/// What most lines need.
const LINE_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Precision};

    fn shown(listed: &Listed) -> String {
        let mut out = Vec::new();
        listed_json(listed, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_untold_is_null() {
        assert_eq!(
            shown(&Listed::new("a", Kind::Other)),
            "{\"name\":\"a\",\"kind\":\"other\",\"size\":null,\"modified\":null,\"precision\":null,\"target\":null,\"mode\":null,\"owner\":null,\"group\":null}\n"
        );
    }

    #[test]
    fn a_path_stands_beside_the_name() {
        for (path, expected) in
            [(&b"d/a"[..], "\"path\":\"d/a\""), (b"\xe9/a", "\"path\":\"%E9/a\",\"path_encoded\":true")]
        {
            let mut out = Vec::new();
            listed_json_at(&Listed::new("a", Kind::File), &RelPath::parse(path).unwrap(), &mut out).unwrap();
            let line = String::from_utf8(out).unwrap();
            assert!(line.starts_with(&format!("{{\"name\":\"a\",{expected},\"kind\":\"file\"")), "{line}");
        }
    }

    #[test]
    fn numbers_have_their_digits() {
        for (size, mode, expected) in [
            (0, 0, "0 0000"),
            (7, 0o7, "7 0007"),
            (10, 0o10, "10 0010"),
            (4711, 0o644, "4711 0644"),
            (i64::MAX as u64, 0o7777, "9223372036854775807 7777"),
        ] {
            let line = shown(&Listed { size: Some(size), mode: Some(mode), ..Listed::new("a", Kind::File) });
            let (size, mode) = expected.split_once(' ').unwrap();
            assert!(
                line.contains(&format!("\"size\":{size},")) && line.contains(&format!("\"mode\":\"{mode}\"")),
                "{line}"
            );
        }
    }

    #[test]
    fn names_are_told_apart_whatever_they_hold() {
        for (name, expected) in [
            (&b"plain name.txt"[..], "\"plain name.txt\""),
            (b"a\"b\\c", "\"a\\\"b\\\\c\""),
            (b"a\tb\x1b", "\"a\\tb\\u001b\""),
            (b"\x7f", "\"\\u007f\""),
            ("grüße".as_bytes(), "\"grüße\""),
            ("a\u{202e}b".as_bytes(), "\"a\\u202eb\""),
            (b"100%\xe9", "\"100%25%E9\",\"name_encoded\":true"),
            (b"100%", "\"100%\""),
        ] {
            let line = shown(&Listed::new(name, Kind::File));
            assert!(line.starts_with(&format!("{{\"name\":{expected},\"kind\":\"file\"")), "{line}");
        }
    }

    #[test]
    fn times_are_written_as_everywhere() {
        for seconds in [0, -1, -62_135_596_800, 951_782_400, 1_795_000_000, 253_402_300_799, 253_402_300_800]
        {
            let mtime = Mtime::from_unix(seconds, 5).unwrap();
            let listed = Listed {
                mtime: Some(Mtime { precision: Precision::Day, ..mtime }),
                ..Listed::new("a", Kind::File)
            };
            let expected = format!("\"modified\":\"{}\",\"precision\":\"day\"", rfc3339(&mtime));
            assert!(shown(&listed).contains(&expected), "{} {expected}", shown(&listed));
        }
    }
}
