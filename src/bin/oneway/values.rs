//! Values of options as people write them.

use std::num::NonZeroU64;
use std::time::Duration;

pub(crate) use oneway::config::duration;
use oneway::model::Offset;
use oneway::plan::{MaxDelete, parse_bytes};
use oneway::store::Charset;

/// Returns a duration as [`duration`] reads it, in the largest unit that tells it whole.
pub(crate) fn shown_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    let (size, unit) =
        units.into_iter().find(|(size, _)| millis.is_multiple_of(*size)).expect("the last one divides all");
    format!("{}{unit}", millis / size)
}

/// As [`duration`], longer than nothing.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a timeout of nothing would end everything at once".to_owned()),
        duration => Ok(duration),
    }
}

/// Reads a size, be it nothing.
pub(crate) fn any_size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| format!("`{text}` is not a size such as 300000, 500k, 1.5M or 1G"))
}

/// Reads bytes a second, more than nothing.
pub(crate) fn rate(text: &str) -> Result<NonZeroU64, String> {
    match parse_bytes(text) {
        None => Err(format!("`{text}` is no number of bytes a second such as 300000, 500k, 1.5M or 1G")),
        Some(rate) => {
            NonZeroU64::new(rate).ok_or_else(|| "at this rate nothing would ever arrive".to_owned())
        }
    }
}

/// Reads a size in bytes, more than nothing.
pub(crate) fn size(text: &str) -> Result<NonZeroU64, String> {
    let size = parse_bytes(text).and_then(NonZeroU64::new);
    size.ok_or_else(|| format!("`{text}` is no size such as 300000, 500k, 1.5M or 1G"))
}

/// Reads a size that a run can do with.
pub(crate) fn memory(text: &str) -> Result<NonZeroU64, String> {
    let bytes = size(text)?;
    if bytes.get() >= LEAST_MEMORY { Ok(bytes) } else { Err("no run can do with less than 16M".to_owned()) }
}

/// With less, what is put aside would be more than what it is put aside for.
const LEAST_MEMORY: u64 = 16 << 20;

/// Reads `20` or `50%`.
pub(crate) fn max_delete(text: &str) -> Result<MaxDelete, String> {
    let bad = || format!("`{text}` is neither a number nor a percentage from 0% to 100%");
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|&p| p <= 100).map(MaxDelete::Percent).ok_or_else(bad),
        None => text.parse().map(MaxDelete::Count).map_err(|_| bad()),
    }
}

/// Reads a number of sessions, 1 to 64, or `auto`, which is `None`.
pub(crate) fn sessions(text: &str) -> Result<Sessions, String> {
    match text {
        "auto" => Ok(Sessions(None)),
        _ => match text.parse() {
            Ok(n @ 1..=64) => Ok(Sessions(Some(n))),
            _ => Err(format!("`{text}` is neither `auto` nor a number from 1 to 64")),
        },
    }
}

/// Reads the label of an encoding.
pub(crate) fn charset(text: &str) -> Result<Charset, String> {
    let unknown =
        || format!("`{text}` is no encoding of names that is known; some are {}", Charset::COMMON.join(", "));
    Charset::named(text).ok_or_else(unknown)
}

/// Reads `auto`, `Z` or how far a zone is from UTC.
pub(crate) fn time_offset(text: &str) -> Result<TimeOffset, String> {
    if text == "auto" {
        return Ok(TimeOffset(None));
    }
    let bad = || format!("`{text}` is neither `auto` nor a zone such as +05:30, -08:00 or Z");
    Offset::parse(text).map(|offset| TimeOffset(Some(offset))).ok_or_else(bad)
}

/// How far listed times are from UTC; `None` lets the program find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeOffset(pub(crate) Option<Offset>);

/// How many sessions; `None` lets the program choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sessions(pub(crate) Option<usize>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_longer_than_nothing() {
        assert_eq!(timeout("5m"), Ok(Duration::from_secs(300)));
        assert!(timeout("0").is_err() && timeout("").is_err());
    }

    #[test]
    fn rates_are_in_powers_of_1024() {
        for (text, bytes) in [
            ("1", 1),
            ("300000", 300_000),
            ("7b", 7),
            ("500k", 512_000),
            ("500K", 512_000),
            ("10M", 10 << 20),
            ("1.5M", 3 << 19),
            ("0.5k", 512),
            ("1.25k", 1280),
            ("1G", 1 << 30),
            ("2t", 2 << 40),
        ] {
            assert_eq!(rate(text).map(NonZeroU64::get), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "0",
            "0k",
            "0.0001k",
            "-1",
            "+1",
            "k",
            "M",
            ".5M",
            "1.M",
            "1.2.3k",
            "1 M",
            "1kk",
            "1KiB",
            "1x",
            "1e3",
            "NaN",
            "inf",
            "99999999999999999999",
            "999999999999t",
            "1ü",
            "1.0000000000000000001k",
        ] {
            assert!(rate(text).is_err() && size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn zones_are_whole_quarters_of_an_hour() {
        assert_eq!(time_offset("auto"), Ok(TimeOffset(None)));
        assert_eq!(time_offset("-03:30"), Ok(TimeOffset(Offset::from_minutes(-210))));
        assert_eq!(time_offset("Z"), Ok(TimeOffset(Some(Offset::default()))));
        for text in ["", "5", "+5", "+05:07", "+15:00", "Asia/Kolkata", "AUTO"] {
            assert!(time_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_and_sessions() {
        assert_eq!(max_delete("20"), Ok(MaxDelete::Count(20)));
        assert_eq!(max_delete("0%"), Ok(MaxDelete::Percent(0)));
        assert!(max_delete("101%").is_err() && max_delete("-1").is_err() && max_delete("").is_err());
        assert_eq!(sessions("auto"), Ok(Sessions(None)));
        assert_eq!(sessions("64"), Ok(Sessions(Some(64))));
        assert!(sessions("0").is_err() && sessions("65").is_err());
    }
}
