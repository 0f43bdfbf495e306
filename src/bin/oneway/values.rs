//! Values as people write them on the command line.

use std::time::Duration;

/// Reads `90`, `300s`, `5m`, `2h`, `1d`, `250ms`; a number alone is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis_each: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("expected a number with ms, s, m, h or d behind it, such as 30s or 5m".into()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number, such as 30s or 5m".to_owned())?;
    let millis = number.checked_mul(millis_each).ok_or("that is too long")?;
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("0", Some(0)),
            ("90", Some(90_000)),
            ("300s", Some(300_000)),
            ("5m", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("250ms", Some(250)),
            ("", None),
            ("s", None),
            ("5 m", None),
            ("-5s", None),
            ("1.5h", None),
            ("5M", None),
            ("99999999999999999999", None),
            ("9999999999999999d", None),
        ] {
            assert_eq!(duration(text).ok(), millis.map(Duration::from_millis), "{text}");
        }
    }
}
