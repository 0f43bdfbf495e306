//! What the last runs came to, in the text format of Prometheus (exposition format 0.0.4), for its node exporter's textfile collector or a
//! scrape.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use oneway::state::history::{Beginning, Ending, History, PastRun, Which};

use crate::history::health::ended;
use crate::history::look;

/// The runs of one job, or of two places that are no job.
pub(crate) struct Series {
    /// What they are known by, as names and values.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// The last run that has an end.
    pub(crate) last: Option<PastRun>,
    /// The last that succeeded.
    pub(crate) success: Option<PastRun>,
}

/// Returns the series of these jobs, or that of the places of `current` where it is none of them. `current` counts where nothing is
/// written down of it.
pub(crate) fn of(jobs: Option<&[&str]>, current: &PastRun) -> Vec<Series> {
    // What can't be read was said when it could not be written.
    let history = look().ok().flatten();
    let history = history.as_ref();
    let Beginning { job, source, destination, .. } = &current.beginning;
    let Some(jobs) = jobs else {
        let labels = vec![("source", source.clone()), ("destination", destination.clone())];
        return vec![series(history, Which::Places(source, destination), labels, Some(current))];
    };
    let series = jobs.iter().map(|&name| {
        let current = (job.as_deref() == Some(name)).then_some(current);
        series(history, Which::Job(name), vec![("job", name.to_owned())], current)
    });
    series.collect()
}

/// Returns what the history and the run that has just ended tell of a series.
pub(crate) fn series(
    history: Option<&History>,
    which: Which<'_>,
    labels: Vec<(&'static str, String)>,
    current: Option<&PastRun>,
) -> Series {
    let last = current.cloned().or_else(|| {
        let runs = history.and_then(|history| history.runs(which, LOOK_BACK).ok()).unwrap_or_default();
        runs.into_iter().find(|run| run.ending.is_some())
    });
    let succeeded = current.filter(|run| run.ending.as_ref().is_some_and(|ending| ending.exit == 0)).cloned();
    let success =
        succeeded.or_else(|| history.and_then(|history| history.last_success(which).ok().flatten()));
    Series { labels, last, success }
}

/// Runs under way, or killed, that one looks back over.
const LOOK_BACK: u32 = 100;

type Value = fn(&PastRun, &Ending) -> f64;

/// Name, explanation, and how to read it off a run.
const OF_LAST_RUN: [(&str, &str, Value); 6] = [
    ("oneway_last_run_timestamp_seconds", "When the last run ended.", |run, _| {
        ended(run).timestamp_millis() as f64 / 1000.0
    }),
    ("oneway_last_run_exit_status", "Its exit status, 0 if all went well.", |_, end| f64::from(end.exit)),
    ("oneway_last_run_duration_seconds", "How long it took.", |_, end| end.seconds),
    ("oneway_last_run_bytes", "Bytes it moved.", |_, end| end.bytes as f64),
    ("oneway_last_run_failed", "Operations of it that failed.", |_, end| end.failed as f64),
    ("oneway_last_run_unchanged", "Files that were the same on both sides.", |_, end| end.unchanged as f64),
];

/// Returns the text.
pub(crate) fn render(all: &[Series]) -> String {
    let mut text = String::new();
    for (name, help, value) in OF_LAST_RUN {
        head(&mut text, name, help);
        for series in all {
            if let Some((run, end)) = series.last.as_ref().and_then(|run| Some((run, run.ending.as_ref()?))) {
                line(&mut text, name, &series.labels, value(run, end));
            }
        }
    }
    head(&mut text, "oneway_last_run_changes", "Changes the last run made, by kind.");
    for series in all {
        let ending = series.last.as_ref().and_then(|run| run.ending.as_ref());
        for (action, count) in ending.into_iter().flat_map(|end| &end.changes) {
            let mut labels = series.labels.clone();
            labels.push(("action", action.clone()));
            line(&mut text, "oneway_last_run_changes", &labels, *count as f64);
        }
    }
    let name = "oneway_last_success_timestamp_seconds";
    head(&mut text, name, "When a run last succeeded.");
    for series in all {
        if let Some(run) = &series.success {
            line(&mut text, name, &series.labels, ended(run).timestamp_millis() as f64 / 1000.0);
        }
    }
    text
}

/// Begins what follows of a metric.
pub(crate) fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// Adds a value.
pub(crate) fn line(text: &mut String, name: &str, labels: &[(&'static str, String)], value: f64) {
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Writes a file that nobody reads half of.
pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    // Collectors read what ends in `.prom`.
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = file.with_file_name(name);
    let written = fs::File::create(&temporary).and_then(|mut out| out.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&temporary, file)).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(job: &str, exit: Option<u8>) -> PastRun {
        let beginning = Beginning {
            job: Some(job.to_owned()),
            source: "ftp://h/".to_owned(),
            destination: "/srv".to_owned(),
            pid: 1,
            at: "2026-11-22T02:30:00Z".parse().unwrap(),
        };
        let ending = exit.map(|exit| Ending {
            seconds: 1.5,
            exit,
            changes: [("copy".to_owned(), 2)].into(),
            bytes: 10,
            ..Ending::default()
        });
        PastRun { number: 1, beginning, ending }
    }

    #[test]
    fn metrics_are_those_of_the_last_runs() {
        let series = |job: &str, last: Option<PastRun>, success: Option<PastRun>| Series {
            labels: vec![("job", job.to_owned())],
            last,
            success,
        };
        let text = render(&[
            series("a", Some(run("a", Some(0))), Some(run("a", Some(0)))),
            series("odd \"name\"\\\n", Some(run("b", Some(4))), None),
            series("never", None, None),
            series("killed", Some(run("killed", None)), None),
        ]);
        for line in [
            "# TYPE oneway_last_run_exit_status gauge",
            "oneway_last_run_exit_status{job=\"a\"} 0",
            "oneway_last_run_exit_status{job=\"odd \\\"name\\\"\\\\\\n\"} 4",
            "oneway_last_run_timestamp_seconds{job=\"a\"} 1795314601.5",
            "oneway_last_run_changes{job=\"a\",action=\"copy\"} 2",
            "oneway_last_run_duration_seconds{job=\"a\"} 1.5",
            "oneway_last_success_timestamp_seconds{job=\"a\"} 1795314601.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("never") && !text.contains("killed"), "{text}");
        assert_eq!(text.matches("last_success_timestamp_seconds{").count(), 1, "{text}");
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("oneway.prom");
        write(&file, "a 1\n").unwrap();
        write(&file, "a 2\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a 2\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(write(&dir.path().join("no/such.prom"), "").is_err());
    }
}
