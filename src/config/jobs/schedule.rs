//! Times of day and week in the five fields of cron: minute, hour, day of the month, month, day of the week.

/// Says what is wrong with `text`.
///
/// # Errors
/// Names the field and what it may hold.
pub(super) fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "a schedule has five fields (minute, hour, day of the month, month, day of the week), not {}",
            fields.len()
        ));
    }
    for (field, (what, low, high, names)) in fields.iter().zip(FIELDS) {
        for part in field.split(',') {
            let number = |text: &str| {
                let name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
                let number =
                    name.map(|at| low + u8::try_from(at).unwrap_or(u8::MAX)).or_else(|| text.parse().ok());
                number.filter(|number| (low..=high).contains(number))
            };
            let (range, step) =
                part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
            let step_is_fine =
                step.is_none_or(|step| step.parse::<u8>().is_ok_and(|step| (1..=high).contains(&step)));
            let range_is_fine = match range.split_once('-') {
                _ if range == "*" => true,
                Some((from, to)) => {
                    matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to)
                }
                None => number(range).is_some(),
            };
            if !step_is_fine || !range_is_fine {
                return Err(format!(
                    "`{part}` is no {what}: {low} to {high}, `*`, `2-5`, `*/10` or a list of these"
                ));
            }
        }
    }
    Ok(())
}

/// What it is, its lowest and highest value, names from the lowest on.
const FIELDS: [(&str, u8, u8, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    // 7 is Sunday, too.
    ("day of the week", 0, 7, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        for text in
            ["0 3 * * *", "*/15 8-18 * * mon-fri", "0,30 0 1,15 jan,JUL 7", "5-59/10 * * * *", "0 22 * * 1-5"]
        {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, told) in [
            ("", "five fields"),
            ("0 3 * *", "not 4"),
            ("60 * * * *", "`60` is no minute: 0 to 59"),
            ("0 24 * * *", "`24` is no hour"),
            ("0 0 0 * *", "`0` is no day of the month"),
            ("0 0 * foo *", "`foo` is no month"),
            ("0 0 * * 8", "`8` is no day of the week"),
            ("0 5-2 * * *", "`5-2` is no hour"),
            ("*/0 * * * *", "`*/0` is no minute"),
            ("0 0 * * fri-", "`fri-` is no day of the week"),
            ("-1 * * * *", "`-1` is no minute"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
