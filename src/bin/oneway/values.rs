//! Values of options as people write them.

use std::time::Duration;

use oneway::plan::MaxDelete;

/// Reads `30`, `30s`, `500ms`, `5m`, `26h` or `2d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let bad = || format!("`{text}` is not a duration such as 500ms, 30s, 5m, 26h or 2d");
    let number: u64 = number.parse().map_err(|_| bad())?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(bad)
}

/// As [`duration`], longer than nothing.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("a timeout of nothing would end everything at once".to_owned()),
        duration => Ok(duration),
    }
}

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

/// How many sessions; `None` lets the program choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sessions(pub(crate) Option<usize>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0", 0),
            ("30", 30_000),
            ("30s", 30_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("26h", 93_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["", "s", "-1", "1.5s", "1y", "99999999999999999999", "9999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(timeout("0").is_err());
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
