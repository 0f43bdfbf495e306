//! Is a job well? By what its last runs came to.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use oneway::state::history::{History, PastRun, Which};

use crate::commands::lock::ago;
use crate::history::{is_alive, words};

/// How a job is, from well to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    /// It succeeded lately, and did so last.
    Fresh,
    /// It didn't succeed for too long.
    Stale,
    /// The last run that came to an end didn't succeed.
    Failing,
}

impl Health {
    /// Returns the exit status that tells of it.
    pub(crate) fn exit_status(self) -> u8 {
        self as u8
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Failing => "failing",
        }
    }
}

/// What is known of a job.
pub(crate) struct Past {
    /// The last run that tells anything.
    pub(crate) last: Option<PastRun>,
    /// The last that succeeded.
    pub(crate) success: Option<PastRun>,
    /// One that is under way.
    pub(crate) running: Option<PastRun>,
}

/// Runs that one looks back to find one that tells anything.
const LOOK_BACK: u32 = 100;

impl Past {
    pub(crate) fn of(history: &History, job: &str) -> anyhow::Result<Self> {
        let runs = history.runs(Which::Job(job), LOOK_BACK)?;
        let running = runs.iter().find(|run| run.ending.is_none() && is_alive(run)).cloned();
        let tells = |run: &&PastRun| match &run.ending {
            // Somebody stopped it, or another run was at it.
            Some(ending) => !matches!(ending.exit, 6 | 129 | 130 | 143),
            None => !is_alive(run),
        };
        let last = runs.iter().find(tells).cloned();
        Ok(Self { last, success: history.last_success(Which::Job(job))?, running })
    }

    /// Judges at `now`, and says why.
    pub(crate) fn health(&self, now: DateTime<Utc>, max_age: Duration) -> (Health, String) {
        let (mut health, mut why) = self.verdict(now, max_age);
        if let Some(run) = &self.running {
            why = format!("{why}; running for {}", ago(now - run.beginning.at));
            // What succeeds for the first time may take its time.
            if health == Health::Stale && self.success.is_none() && is_younger(now, run.beginning.at, max_age)
            {
                health = Health::Fresh;
            }
        }
        (health, why)
    }

    fn verdict(&self, now: DateTime<Utc>, max_age: Duration) -> (Health, String) {
        let success = self.success.as_ref().map(ended);
        let succeeded = success.map(|at| format!("succeeded {} ago ({})", ago(now - at), words::local(at)));
        let since = succeeded.clone().unwrap_or_else(|| "never succeeded".to_owned());
        match &self.last {
            Some(last) if last.ending.as_ref().is_none_or(|ending| ending.exit != 0) => {
                let how = words::result(last);
                let at = ended(last);
                let ended =
                    format!("{how} {} ago ({}, run {})", ago(now - at), words::local(at), last.number);
                (Health::Failing, format!("{ended}; {since}"))
            }
            _ if success.is_some_and(|at| is_younger(now, at, max_age)) => (Health::Fresh, since),
            _ => (Health::Stale, since),
        }
    }
}

/// Returns when a run ended; when it began, where it was killed.
pub(crate) fn ended(run: &PastRun) -> DateTime<Utc> {
    let seconds = run.ending.as_ref().map_or(0.0, |ending| ending.seconds.max(0.0));
    let millis = Duration::try_from_secs_f64(seconds).ok().and_then(|took| TimeDelta::from_std(took).ok());
    run.beginning.at.checked_add_signed(millis.unwrap_or_default()).unwrap_or(run.beginning.at)
}

fn is_younger(now: DateTime<Utc>, at: DateTime<Utc>, max_age: Duration) -> bool {
    // Of the future is what ended before the clock was set back.
    (now - at).to_std().map_or(true, |age| age <= max_age)
}

#[cfg(test)]
mod tests {
    use oneway::state::history::{Beginning, Ending};

    use super::*;

    const DAY: Duration = Duration::from_secs(26 * 3600);

    fn now() -> DateTime<Utc> {
        "2026-11-22T06:00:00Z".parse().unwrap()
    }

    fn run(number: i64, hours_ago: i64, exit: Option<u8>) -> PastRun {
        let beginning = Beginning {
            job: Some("nightly".to_owned()),
            source: String::new(),
            destination: String::new(),
            // No process has it.
            pid: i32::MAX as u32,
            at: now() - TimeDelta::hours(hours_ago),
        };
        PastRun { number, beginning, ending: exit.map(|exit| Ending { exit, ..Ending::default() }) }
    }

    #[test]
    fn a_job_is_as_its_last_runs_were() {
        for (runs, health, told) in [
            (&[][..], Health::Stale, "never succeeded"),
            (&[(3, Some(0))], Health::Fresh, "succeeded 3 h ago"),
            (&[(27, Some(0))], Health::Stale, "succeeded 27 h ago"),
            (&[(3, Some(0)), (1, Some(4))], Health::Failing, "unreachable 60 min ago"),
            (&[(3, Some(4))], Health::Failing, "never succeeded"),
            (&[(3, Some(0)), (1, None)], Health::Failing, "killed 60 min ago"),
            (&[(3, Some(4)), (1, Some(0))], Health::Fresh, "succeeded 60 min ago"),
            (&[(3, Some(0)), (1, Some(143))], Health::Fresh, "succeeded 3 h ago"),
            (&[(3, Some(5)), (2, Some(6)), (1, Some(130))], Health::Failing, "refused 3 h ago"),
            (&[(-5, Some(0))], Health::Fresh, "succeeded 0 s ago"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let (mut history, _) = History::open(&dir.path().join("h")).unwrap();
            for (number, &(hours, exit)) in (1..).zip(runs) {
                let run = run(number, hours, exit);
                let number = history.begin(&run.beginning).unwrap();
                run.ending.into_iter().for_each(|ending| history.end(number, &ending).unwrap());
            }
            let (found, why) = Past::of(&history, "nightly").unwrap().health(now(), DAY);
            assert_eq!(found, health, "{runs:?}: {why}");
            assert!(why.contains(told), "{runs:?}: {why}");
        }
    }

    #[test]
    fn a_first_run_under_way_is_no_reason_to_call_anybody() {
        let alive = |hours| {
            let run = run(1, hours, None);
            PastRun { beginning: Beginning { pid: std::process::id(), ..run.beginning }, ..run }
        };
        let past = |hours| Past { last: None, success: None, running: Some(alive(hours)) };
        assert_eq!(past(2).health(now(), DAY).0, Health::Fresh);
        assert_eq!(
            past(30).health(now(), DAY),
            (Health::Stale, "never succeeded; running for 30 h".to_owned())
        );
        let stale = Past { last: None, success: Some(run(1, 30, Some(0))), running: Some(alive(1)) };
        assert_eq!(stale.health(now(), DAY).0, Health::Stale, "what took no time before doesn't now");
    }
}
