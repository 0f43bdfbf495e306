//! When a job is due, by the clock of this machine.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use oneway::config::Job;

use crate::values::shown_duration;

/// When a job is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At times of day and week, in the zone of this machine.
    Cron { text: String, cron: Box<Cron> },
    /// So long after it began the last time.
    Every(Duration),
}

impl When {
    /// Returns when a job is due; `None` where nothing is said.
    ///
    /// # Errors
    /// Where that time never comes.
    pub(crate) fn of(job: &Job, now: DateTime<Utc>) -> Result<Option<Self>, String> {
        if let Some(every) = job.every {
            return Ok(Some(Self::Every(every)));
        }
        let Some(text) = &job.schedule else { return Ok(None) };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|e| format!("`{text}` is no schedule: {e}"))?;
        cron.find_next_occurrence(&now, false)
            .map_err(|_| format!("`{text}` never comes: no month has that day"))?;
        Ok(Some(Self::Cron { text: text.clone(), cron: Box::new(cron) }))
    }

    /// Returns the first time after `last` that it is due in the zone of `last`; `None` where the calendar ends before.
    pub(super) fn after<Tz: TimeZone>(&self, last: &DateTime<Tz>) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron { cron, .. } => {
                cron.find_next_occurrence(last, false).ok().map(|next| next.with_timezone(&Utc))
            }
            Self::Every(every) => {
                last.with_timezone(&Utc).checked_add_signed(TimeDelta::from_std(*every).ok()?)
            }
        }
    }

    /// Returns it as it stands in the file.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Cron { text, .. } => text.clone(),
            Self::Every(every) => format!("every {}", shown_duration(*every)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::FixedOffset;
    use oneway::config::{At, Hooks, Settings, Target};

    use super::*;

    pub(crate) fn job(name: &str, schedule: Option<&str>, every: Option<Duration>) -> Job {
        let at = At { line: 1, column: 1 };
        let target = Target { at, text: String::new(), host: None };
        Job {
            name: name.to_owned(),
            at,
            source: target.clone(),
            destination: target,
            settings: Settings::default(),
            schedule: schedule.map(str::to_owned),
            every,
            jitter: None,
            hooks: Hooks::default(),
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn cron(text: &str) -> When {
        When::of(&job("a", Some(text), None), utc("2026-11-22T00:00:00Z")).unwrap().unwrap()
    }

    #[test]
    fn a_schedule_is_of_the_zone_it_is_asked_in() {
        let kolkata = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
        let evening = utc("2026-11-22T20:00:00Z");
        for (text, in_utc, in_kolkata) in [
            ("30 2 * * *", "2026-11-23T02:30:00Z", "2026-11-22T21:00:00Z"),
            ("*/15 8-18 * * mon-fri", "2026-11-23T08:00:00Z", "2026-11-23T02:30:00Z"),
            // The day of the month or that of the week, as of cron.
            ("0 0 1 * 0", "2026-11-29T00:00:00Z", "2026-11-28T18:30:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z", "2028-02-28T18:30:00Z"),
        ] {
            assert_eq!(cron(text).after(&evening), Some(utc(in_utc)), "{text}");
            assert_eq!(cron(text).after(&evening.with_timezone(&kolkata)), Some(utc(in_kolkata)), "{text}");
        }
    }

    #[test]
    fn what_is_checked_in_the_file_is_understood_here() {
        for text in
            ["0 3 * * *", "*/15 8-18 * * mon-fri", "0,30 0 1,15 jan,JUL 7", "5-59/10 * * * *", "0 22 * * 1-5"]
        {
            assert!(cron(text).after(&utc("2026-11-22T00:00:00Z")).is_some(), "{text}");
        }
        let never = When::of(&job("a", Some("0 0 31 2 *"), None), utc("2026-11-22T00:00:00Z")).unwrap_err();
        assert!(never.contains("never comes"), "{never}");
        for text in ["0 0 3 * * *", "@daily x", "61 * * * *"] {
            assert!(When::of(&job("a", Some(text), None), utc("2026-11-22T00:00:00Z")).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_due_every_so_often_is_counted_from_the_beginning_of_the_last() {
        let when = When::Every(Duration::from_secs(900));
        assert_eq!(when.after(&utc("2026-11-22T02:07:00Z")), Some(utc("2026-11-22T02:22:00Z")));
        assert_eq!(when.shown(), "every 15m");
        assert_eq!(When::of(&job("a", None, None), utc("2026-11-22T02:07:00Z")), Ok(None));
        assert_eq!(When::Every(Duration::MAX).after(&utc("2026-11-22T02:07:00Z")), None);
    }
}
