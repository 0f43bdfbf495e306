//! The time format of MDTM, MFMT and MLSD: `YYYYMMDDHHMMSS[.fraction]` in UTC (RFC 3659 §2.3).

use chrono::{DateTime, NaiveDate, Utc};

/// Reads a time. A fraction is dropped: no server sets one, so comparing by it would never find times equal. Servers with the
/// year-2000 fault write `191yy…`, read here as `20yy…`.
pub fn parse(text: &[u8]) -> Option<DateTime<Utc>> {
    let digits = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let fraction_ok = match rest {
        [] => true,
        [b'.', fraction @ ..] => fraction.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !fraction_ok {
        return None;
    }
    let value = |range: std::ops::Range<usize>| -> u32 {
        number[range].iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'))
    };
    let (year, rest) = match number.len() {
        14 => (value(0..4), 4),
        15 if number.starts_with(b"191") => (1900 + value(2..5), 5),
        _ => return None,
    };
    let at = |i: usize| value(rest + 2 * i..rest + 2 * i + 2);
    // A leap second (60) is shown as the second before it.
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, at(0), at(1))?
        .and_hms_opt(at(2), at(3), at(4).min(59))
        .filter(|_| at(4) <= 60)
        .map(|time| time.and_utc())
}

/// Writes a time as servers take it: 14 digits, no fraction, since pyftpdlib refuses one.
pub fn format(at: DateTime<Utc>) -> String {
    at.format("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_as_servers_write_them() {
        for (text, time) in [
            ("20261121100237", Some("2026-11-21T10:02:37Z")),
            ("20261121100237.123", Some("2026-11-21T10:02:37Z")),
            ("19700101000000", Some("1970-01-01T00:00:00Z")),
            ("19650704120000", Some("1965-07-04T12:00:00Z")),
            ("191260229000000", None),
            ("191241121100237", Some("2024-11-21T10:02:37Z")),
            ("20240229000000", Some("2024-02-29T00:00:00Z")),
            ("20230229000000", None),
            ("20261121235960", Some("2026-11-21T23:59:59Z")),
            ("20261121235961", None),
            ("20261321100237", None),
            ("2026112110023", None),
            ("20261121100237x", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), time.map(|t| t.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0i64..253_402_300_799) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(parse(format(at).as_bytes()), Some(at));
        }

        #[test]
        fn any_bytes_are_read_without_panic(text: Vec<u8>) {
            let _ = parse(&text);
        }
    }
}
