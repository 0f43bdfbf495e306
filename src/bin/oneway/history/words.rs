//! Runs in words.

use std::time::Duration;

use chrono::{DateTime, Local, Utc};
use oneway::report::human_bytes;
use oneway::state::history::{Ending, PastRun};

use crate::history::is_alive;

/// Returns how a run ended, in a word or two.
pub(crate) fn result(run: &PastRun) -> String {
    match &run.ending {
        Some(ending) => of_status(ending.exit).to_owned(),
        None if is_alive(run) => "running".to_owned(),
        None => "killed".to_owned(),
    }
}

/// Returns what an exit status says.
pub(crate) fn of_status(status: u8) -> &'static str {
    match status {
        0 => "done",
        2 => "wrong usage",
        3 => "incomplete",
        4 => "unreachable",
        5 => "refused",
        6 => "elsewhere",
        129 | 130 | 143 => "stopped",
        _ => "failed",
    }
}

/// Returns what a run changed: `3 copy, 1 delete`.
pub(crate) fn changes(ending: &Ending) -> String {
    let counts: Vec<_> =
        ending.changes.iter().map(|(action, n)| format!("{n} {}", action.replace('_', " "))).collect();
    if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
}

/// Returns bytes for people; nothing where there were none.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { human_bytes(bytes) }
}

/// Returns how long something took: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub(crate) fn took(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default().as_secs();
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Returns an instant in the time of this machine.
pub(crate) fn local(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_largest_units() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (9.96, "10.0 s"),
            (59.9, "59 s"),
            (60.0, "1 min 00 s"),
            (3725.0, "1 h 02 min"),
            (-1.0, "-1.0 s"),
        ] {
            assert_eq!(took(seconds), text);
        }
    }
}
