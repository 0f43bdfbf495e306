//! Which jobs are due: a job at most once at a time, what was missed once, and nothing by any clock but the one that is handed in.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use crate::schedule::when::When;

/// A job that has its time.
#[derive(Clone, Debug)]
pub(super) struct Scheduled {
    pub(super) name: String,
    pub(super) when: When,
    pub(super) jitter: Duration,
}

/// A job with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) job: Scheduled,
    /// When it is due next; `None` where the calendar ends before.
    pub(super) due: Option<DateTime<Utc>>,
    /// Since when it is running.
    pub(super) running: Option<DateTime<Utc>>,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Start this job.
    Start(String),
    /// This one is due and still running, and so left out.
    LeaveOut(String),
}

/// All jobs, in the zone in which they are due.
pub(super) struct Timetable<Tz: TimeZone> {
    zone: Tz,
    lines: Vec<Line>,
    /// The last time anybody asked.
    seen: DateTime<Utc>,
    /// Returns a number by chance.
    chance: fn() -> u64,
}

impl<Tz: TimeZone> Timetable<Tz> {
    pub(super) fn new(zone: Tz, now: DateTime<Utc>, chance: fn() -> u64) -> Self {
        Self { zone, lines: Vec::new(), seen: now, chance }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Takes the place of what there was. A job that stays as it was keeps its time. `last_began` says when a job began the last time, so that
    /// what was missed since is made up for.
    pub(super) fn set(
        &mut self,
        jobs: Vec<Scheduled>,
        now: DateTime<Utc>,
        last_began: impl Fn(&str) -> Option<DateTime<Utc>>,
    ) {
        let old = std::mem::take(&mut self.lines);
        for job in jobs {
            let known = old.iter().find(|line| line.job.name == job.name);
            let running = known.and_then(|line| line.running);
            let due = match known {
                Some(line) if line.job.when == job.when && line.job.jitter == job.jitter => line.due,
                _ => self.first_due(&job, now, last_began(&job.name)),
            };
            self.lines.push(Line { job, due, running });
        }
        // What is gone from the file and still running ends by itself.
    }

    /// Returns what is to be done at `now`, and takes it for done.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<Deed> {
        // Who sets the clock back doesn't want to wait until it is where it was.
        let set_back = now < self.seen;
        self.seen = now;
        let mut deeds = Vec::new();
        for i in 0..self.lines.len() {
            let line = &self.lines[i];
            if set_back {
                self.lines[i].due = self.next_due(&line.job, now);
                continue;
            }
            if line.due.is_none_or(|due| due > now) {
                continue;
            }
            let name = line.job.name.clone();
            let due = self.next_due(&line.job, now);
            let line = &mut self.lines[i];
            line.due = due;
            if line.running.is_some() {
                deeds.push(Deed::LeaveOut(name));
            } else {
                line.running = Some(now);
                deeds.push(Deed::Start(name));
            }
        }
        deeds
    }

    /// Hears that a job is over.
    pub(super) fn ended(&mut self, name: &str) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.job.name == name) {
            line.running = None;
        }
    }

    /// Returns when the next job is due.
    pub(super) fn next(&self) -> Option<&Line> {
        self.lines.iter().filter(|line| line.due.is_some()).min_by_key(|line| line.due)
    }

    fn first_due(
        &self,
        job: &Scheduled,
        now: DateTime<Utc>,
        last_began: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        match (last_began, &job.when) {
            // A clock that was wrong may have written that.
            (Some(last), _) if last <= now => {
                let due = job.when.after(&last.with_timezone(&self.zone))?.max(now);
                self.delayed(job, due)
            }
            // What is to be up to date all the time begins at once.
            (_, When::Every(_)) => self.delayed(job, now),
            (_, When::Cron { .. }) => self.next_due(job, now),
        }
    }

    fn next_due(&self, job: &Scheduled, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let due = job.when.after(&now.with_timezone(&self.zone))?;
        self.delayed(job, due)
    }

    fn delayed(&self, job: &Scheduled, due: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let most = u64::try_from(job.jitter.as_millis()).unwrap_or(u64::MAX);
        let delay = if most == 0 { 0 } else { (self.chance)() % most };
        due.checked_add_signed(TimeDelta::milliseconds(i64::try_from(delay).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::FixedOffset;

    use super::*;
    use crate::schedule::when::tests::job;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-{text}Z").parse().unwrap()
    }

    fn scheduled(name: &str, schedule: Option<&str>, every: Option<u64>) -> Scheduled {
        let job = job(name, schedule, every.map(Duration::from_secs));
        let when = When::of(&job, at("11-01T00:00:00")).unwrap().unwrap();
        Scheduled { name: name.to_owned(), when, jitter: Duration::ZERO }
    }

    fn zone() -> FixedOffset {
        FixedOffset::east_opt(3600).unwrap()
    }

    fn table(
        jobs: Vec<Scheduled>,
        now: DateTime<Utc>,
        last: Option<DateTime<Utc>>,
    ) -> Timetable<FixedOffset> {
        let mut table = Timetable::new(zone(), now, || 0);
        table.set(jobs, now, |_| last);
        table
    }

    /// Goes through the time step by step, each run taking its minutes, and returns when each job began and was left out.
    fn simulate(
        table: &mut Timetable<FixedOffset>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        takes: &[(&str, i64)],
    ) -> BTreeMap<(String, bool), Vec<DateTime<Utc>>> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut ends: Vec<(DateTime<Utc>, String)> = Vec::new();
        let mut now = from;
        while now <= to {
            for (_, name) in ends.extract_if(.., |(end, _)| *end <= now) {
                table.ended(&name);
            }
            for deed in table.due(now) {
                let (name, began) = match deed {
                    Deed::Start(name) => (name, true),
                    Deed::LeaveOut(name) => (name, false),
                };
                if began {
                    let minutes =
                        takes.iter().find(|(job, _)| *job == name).map_or(1, |(_, minutes)| *minutes);
                    ends.push((now + TimeDelta::minutes(minutes), name.clone()));
                }
                told.entry((name, began)).or_default().push(now);
            }
            now += TimeDelta::seconds(20);
        }
        told
    }

    #[test]
    fn ten_days_of_three_jobs() {
        let jobs = vec![
            scheduled("nightly", Some("30 2 * * *"), None),
            scheduled("often", None, Some(900)),
            scheduled("slow", Some("0 * * * *"), None),
        ];
        let (from, to) = (at("11-01T12:00:00"), at("11-11T12:00:00"));
        let mut table = table(jobs, from, None);
        let told = simulate(&mut table, from, to, &[("nightly", 30), ("slow", 90)]);
        let times =
            |name: &str, began: bool| told.get(&(name.to_owned(), began)).map_or(&[][..], Vec::as_slice);
        let nightly: Vec<_> = (2..=11).map(|day| at(&format!("11-{day:02}T01:30:00"))).collect();
        assert_eq!(times("nightly", true), nightly, "half past two is half past one in UTC");
        assert_eq!(times("often", true).len(), 10 * 96 + 1, "the first at once");
        assert!(times("often", true).windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::minutes(15)));
        assert!(times("often", false).is_empty());
        assert_eq!(
            (times("slow", true).len(), times("slow", false).len()),
            (120, 120),
            "every second is left out"
        );
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let nightly = || vec![scheduled("nightly", Some("30 2 * * *"), None)];
        let now = at("11-05T12:00:00");
        // Three nights were missed.
        let mut late = table(nightly(), now, Some(at("11-02T01:30:00")));
        assert_eq!(late.due(now), [Deed::Start("nightly".to_owned())]);
        late.ended("nightly");
        assert_eq!(late.due(now + TimeDelta::minutes(1)), []);
        assert_eq!(late.next().and_then(|line| line.due), Some(at("11-06T01:30:00")));
        // None was.
        let mut fine = table(nightly(), now, Some(at("11-05T01:30:00")));
        assert_eq!(fine.due(now), []);
        // It never ran: nothing is known to have been missed.
        let mut new = table(nightly(), now, None);
        assert_eq!(new.due(now), []);
        // The machine slept for three days.
        let asleep = simulate(&mut fine, now, at("11-06T00:00:00"), &[]);
        assert_eq!(asleep, BTreeMap::new());
        let awake = simulate(&mut fine, at("11-09T08:00:00"), at("11-10T08:00:00"), &[]);
        assert_eq!(awake[&("nightly".to_owned(), true)], [at("11-09T08:00:00"), at("11-10T01:30:00")]);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_up_nothing_and_one_that_was_wrong_neither() {
        let mut table = table(
            vec![scheduled("often", None, Some(900))],
            at("11-05T12:00:00"),
            Some(at("12-24T00:00:00")),
        );
        let often = || Deed::Start("often".to_owned());
        assert_eq!(table.due(at("11-05T12:00:00")), [often()], "a beginning in the future is none");
        table.ended("often");
        assert_eq!(table.due(at("11-04T12:00:00")), []);
        assert_eq!(table.due(at("11-04T12:14:59")), []);
        assert_eq!(table.due(at("11-04T12:15:00")), [often()]);
    }

    #[test]
    fn a_file_that_is_read_again_changes_only_what_is_new() {
        let now = at("11-05T12:00:00");
        let mut table = table(
            vec![
                scheduled("a", None, Some(900)),
                scheduled("b", None, Some(900)),
                scheduled("c", None, Some(900)),
            ],
            now,
            Some(now),
        );
        let soon = now + TimeDelta::minutes(15);
        assert_eq!(table.due(soon).len(), 3);
        let later = soon + TimeDelta::minutes(1);
        table.set(
            vec![
                scheduled("b", None, Some(900)),
                scheduled("c", None, Some(60)),
                scheduled("d", None, Some(60)),
            ],
            later,
            |name| (name == "c").then_some(soon),
        );
        let lines: Vec<_> =
            table.lines().iter().map(|line| (line.job.name.as_str(), line.due, line.running)).collect();
        let next = |minutes| Some(soon + TimeDelta::minutes(minutes));
        assert_eq!(lines, [("b", next(15), Some(soon)), ("c", next(1), Some(soon)), ("d", next(1), None)]);
        assert_eq!(table.due(later), [Deed::LeaveOut("c".to_owned()), Deed::Start("d".to_owned())]);
    }

    #[test]
    fn a_delay_by_chance_stays_below_its_bound() {
        let mut job = scheduled("nightly", Some("30 2 * * *"), None);
        job.jitter = Duration::from_secs(600);
        let now = at("11-05T12:00:00");
        for (chance, delay) in
            [((|| 0) as fn() -> u64, 0), (|| 599_999, 599_999), (|| 600_000, 0), (|| u64::MAX, 351_615)]
        {
            let mut table = Timetable::new(zone(), now, chance);
            table.set(vec![job.clone()], now, |_| None);
            let due = table.next().and_then(|line| line.due);
            assert_eq!(due, Some(at("11-06T01:30:00") + TimeDelta::milliseconds(delay)));
        }
    }
}
