//! Entries as lines of listings.

use crate::parameters::Listing;
use crate::tree::Entry;

/// Appends the line of an entry, with its line end.
pub(crate) fn write(out: &mut Vec<u8>, listing: Listing, entry: &Entry<'_>) {
    match listing {
        Listing::Mlsd => {
            match &entry.file {
                Some(file) => {
                    out.extend_from_slice(b"type=file;size=");
                    number(out, file.size, 1, b'0');
                    out.extend_from_slice(b";modify=");
                }
                None => out.extend_from_slice(b"type=dir;modify="),
            }
            write_time(out, entry.mtime);
            let mode: &[u8] = if entry.file.is_some() { b";UNIX.mode=0644; " } else { b";UNIX.mode=0755; " };
            out.extend_from_slice(mode);
        }
        Listing::List => {
            let file = entry.file.as_ref();
            let mode: &[u8] = if file.is_some() {
                b"-rw-r--r--    1 1000     1000  "
            } else {
                b"drwxr-xr-x    2 1000     1000  "
            };
            out.extend_from_slice(mode);
            number(out, file.map_or(4096, |file| file.size), 12, b' ');
            let (_, month, day) = date(entry.mtime / 86_400);
            out.push(b' ');
            out.extend_from_slice(MONTHS[month as usize - 1]);
            number(out, day, 3, b' ');
            out.push(b' ');
            number(out, entry.mtime / 3600 % 24, 2, b'0');
            out.push(b':');
            number(out, entry.mtime / 60 % 60, 2, b'0');
            out.push(b' ');
        }
    }
    out.extend_from_slice(entry.name);
    out.extend_from_slice(b"\r\n");
}

/// Appends a time as RFC 3659 §2.3 has it, `20261121100615`.
pub(crate) fn write_time(out: &mut Vec<u8>, at: u64) {
    let (year, month, day) = date(at / 86_400);
    number(out, year, 4, b'0');
    for value in [month, day, at / 3600 % 24, at / 60 % 60, at % 60] {
        number(out, value, 2, b'0');
    }
}

/// Appends a number, with so many digits at least.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64, width: usize, fill: u8) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    while value > 0 || from == digits.len() {
        from -= 1;
        digits[from] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    let digits = &digits[from..];
    out.extend(std::iter::repeat_n(fill, width.saturating_sub(digits.len())));
    out.extend_from_slice(digits);
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Returns year, month and day of so many days since 1970, in the proleptic Gregorian calendar: eras of 400 years that begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
