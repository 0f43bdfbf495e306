//! The time format of MFMT and its stand-ins: `YYYYMMDDHHMMSS` in UTC (RFC 3659 §2.3). It is read by
//! [`listing::timestamp`](crate::ftp::listing::timestamp).

use chrono::{DateTime, Utc};

/// Writes a time as servers take it: 14 digits, no fraction, since pyftpdlib refuses one.
pub fn format(at: DateTime<Utc>) -> String {
    at.format("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ftp::listing::timestamp;

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0i64..253_402_300_799) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            prop_assert_eq!(timestamp(format(at).as_bytes()).map(|time| time.at), Some(at));
        }

        #[test]
        fn any_bytes_are_read_without_panic(text: Vec<u8>) {
            let _ = timestamp(&text);
        }
    }
}
