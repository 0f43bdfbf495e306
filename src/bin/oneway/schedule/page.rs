//! The status page: jobs, their last runs and the next ones; a page for each job and each run; metrics. All of it is text to be read,
//! without a script.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use oneway::report::html_text as text;
use oneway::state::history::{History, PastRun, Which};

use crate::history::{look, metrics, words};
use crate::schedule::http::Answer;
use crate::schedule::timetable::Line;

/// What the keeper of the schedule lets be known.
pub(super) struct Board {
    lines: Vec<Line>,
    /// When it last did its rounds.
    ticked: Instant,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { lines: Vec::new(), ticked: Instant::now() }
    }

    pub(super) fn set(&mut self, lines: &[Line]) {
        self.lines = lines.to_vec();
        self.ticked = Instant::now();
    }
}

/// Rounds are made several times a second.
const STUCK: Duration = Duration::from_secs(30);

/// Runs that a trend shows, and those a page lists.
const TREND: u32 = 30;

/// Returns what there is at a path.
pub(super) fn answer(board: &Mutex<Board>, path: &str) -> Answer {
    let (lines, since) = {
        let board = board.lock().unwrap_or_else(PoisonError::into_inner);
        (board.lines.clone(), board.ticked.elapsed())
    };
    if path == "/healthz" {
        return match since < STUCK {
            true => Answer::text("200 OK", "ok\n"),
            false => {
                Answer::text("503 Service Unavailable", format!("no rounds for {} s\n", since.as_secs()))
            }
        };
    }
    let history = match look() {
        Ok(history) => history,
        Err(e) => return Answer::text("500 Internal Server Error", format!("{e:#}\n")),
    };
    let page = match path {
        "/" => Some(overview(&lines, history.as_ref())),
        "/metrics" => {
            return Answer { kind: METRICS, ..Answer::text("200 OK", figures(&lines, history.as_ref())) };
        }
        _ => match (path.strip_prefix("/job/"), path.strip_prefix("/run/")) {
            (Some(job), _) => {
                let line = lines.iter().find(|line| line.job.name == job);
                line.map(|line| of_job(line, history.as_ref()))
            }
            (_, Some(number)) => number.parse().ok().and_then(|number| {
                let run = history.as_ref()?.run(number).ok()??;
                // Other runs of this user are nobody's business here.
                lines
                    .iter()
                    .any(|line| Some(&line.job.name) == run.beginning.job.as_ref())
                    .then(|| of_run(&run))
            }),
            _ => None,
        },
    };
    page.map_or_else(|| Answer::text("404 Not Found", "there is no such page\n"), Answer::html)
}

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn figures(lines: &[Line], history: Option<&History>) -> String {
    let series: Vec<_> = lines
        .iter()
        .map(|line| {
            let name = &line.job.name;
            metrics::series(history, Which::Job(name), vec![("job", name.clone())], None)
        })
        .collect();
    let mut out = metrics::render(&series);
    let name = "oneway_next_run_timestamp_seconds";
    metrics::head(&mut out, name, "When the next run is due.");
    for line in lines {
        if let Some(due) = line.due {
            metrics::line(
                &mut out,
                name,
                &[("job", line.job.name.clone())],
                due.timestamp_millis() as f64 / 1000.0,
            );
        }
    }
    metrics::head(&mut out, "oneway_running", "Whether a run is under way.");
    for line in lines {
        let running = f64::from(u8::from(line.running.is_some()));
        metrics::line(&mut out, "oneway_running", &[("job", line.job.name.clone())], running);
    }
    out
}

/// Returns a page around `body`.
fn page(title: &str, again: Option<u32>, body: &str) -> String {
    let again = again
        .map_or_else(String::new, |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{again}<title>{}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n{body}<footer>oneway {}, times of this machine</footer>\n</body>\n</html>\n",
        text(title),
        include_str!("status.css"),
        env!("CARGO_PKG_VERSION"),
    )
}

fn runs(history: Option<&History>, job: &str) -> Vec<PastRun> {
    history.and_then(|history| history.runs(Which::Job(job), TREND).ok()).unwrap_or_default()
}

fn overview(lines: &[Line], history: Option<&History>) -> String {
    let mut body = "<h1>Jobs</h1>\n<table>\n<thead><tr><th>Job</th><th>Last run</th><th>Began</th><th>Took</th><th>Bytes</th>\
                    <th>Changed</th><th>Next run</th><th>Trend</th></tr></thead>\n<tbody>\n"
        .to_owned();
    let mut latest = Vec::new();
    for line in lines {
        let name = text(&line.job.name);
        let runs = runs(history, &line.job.name);
        let last = runs.iter().find(|run| run.ending.is_some()).or_else(|| runs.first());
        let _ = write!(
            body,
            "<tr><td class=\"name\"><a href=\"/job/{name}\">{name}</a><br><span class=\"faint\">{}</span></td>",
            text(&line.job.when.shown())
        );
        match last {
            Some(run) => cells(&mut body, run),
            None => body.push_str("<td class=\"other\">never ran</td><td></td><td></td><td></td><td></td>"),
        }
        let next = line.due.map_or_else(String::new, words::local);
        let running = line.running.map_or("", |_| "running<br>");
        let _ = writeln!(
            body,
            "<td class=\"number\" data-of=\"next\">{running}{next}</td><td>{}</td></tr>",
            trend(&runs)
        );
        latest.extend(runs);
    }
    body.push_str("</tbody>\n</table>\n");
    latest.sort_by_key(|run| std::cmp::Reverse(run.number));
    latest.truncate(TREND as usize);
    list(&mut body, &latest, true);
    page("oneway", Some(30), &body)
}

/// Adds result, beginning, duration, bytes and changes.
fn cells(body: &mut String, run: &PastRun) {
    let ending = run.ending.as_ref();
    let result = words::result(run);
    let failed =
        ending.filter(|ending| ending.failed > 0).map(|ending| format!(", {} failed", ending.failed));
    let _ = write!(
        body,
        "<td class=\"word {}\"><a href=\"/run/{}\">{result}</a>{}</td><td class=\"number\">{}</td>\
         <td class=\"number\" data-of=\"took\">{}</td><td class=\"number\" data-of=\"bytes\">{}</td><td data-of=\"changed\">{}</td>",
        class(run),
        run.number,
        failed.unwrap_or_default(),
        words::local(run.beginning.at),
        ending.map_or_else(String::new, |ending| words::took(ending.seconds)),
        ending.map_or_else(String::new, |ending| words::bytes(ending.bytes)),
        ending.map_or_else(String::new, |ending| text(&words::changes(ending))),
    );
}

fn class(run: &PastRun) -> &'static str {
    match words::result(run).as_str() {
        "done" => "good",
        "running" | "stopped" | "elsewhere" => "other",
        _ => "bad",
    }
}

/// Draws the last runs, the newest rightmost: how long each took, and how it ended.
fn trend(runs: &[PastRun]) -> String {
    let seconds = |run: &PastRun| run.ending.as_ref().map_or(0.0, |ending| ending.seconds.max(0.0));
    let longest = runs.iter().map(seconds).fold(0.001, f64::max);
    let mut svg = "<svg class=\"trend\" viewBox=\"0 0 150 24\" role=\"img\" aria-label=\"how long the last runs took\">".to_owned();
    for (place, run) in runs.iter().rev().enumerate() {
        let height = 4.0 + 20.0 * seconds(run) / longest;
        let x = 5 * place;
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{x}\" y=\"{:.1}\" width=\"4\" height=\"{height:.1}\"><title>{}: {}{}</title></rect>",
            class(run),
            24.0 - height,
            words::local(run.beginning.at),
            words::result(run),
            run.ending
                .as_ref()
                .map_or_else(String::new, |ending| format!(", {}", words::took(ending.seconds))),
        );
    }
    svg.push_str("</svg>");
    svg
}

fn list(body: &mut String, runs: &[PastRun], names_job: bool) {
    if runs.is_empty() {
        return;
    }
    body.push_str("<h2>Last runs</h2>\n<table>\n<thead><tr>");
    if names_job {
        body.push_str("<th>Job</th>");
    }
    body.push_str(
        "<th>Result</th><th>Began</th><th>Took</th><th>Bytes</th><th>Changed</th></tr></thead>\n<tbody>\n",
    );
    for run in runs {
        body.push_str("<tr>");
        if names_job {
            let job = text(run.beginning.job.as_deref().unwrap_or_default());
            let _ = write!(body, "<td class=\"name\"><a href=\"/job/{job}\">{job}</a></td>");
        }
        cells(body, run);
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody>\n</table>\n");
}

fn of_job(line: &Line, history: Option<&History>) -> String {
    let name = text(&line.job.name);
    let runs = runs(history, &line.job.name);
    let next = line.due.map_or_else(|| "never".to_owned(), words::local);
    let mut body = format!(
        "<p><a href=\"/\">all jobs</a></p>\n<h1>{name}</h1>\n<p class=\"faint\">{}, next at {next}{}</p>\n{}\n",
        text(&line.job.when.shown()),
        if line.running.is_some() { ", running now" } else { "" },
        trend(&runs),
    );
    if runs.is_empty() {
        body.push_str("<p>It never ran.</p>\n");
    }
    list(&mut body, &runs, false);
    page(&format!("oneway: {}", line.job.name), Some(30), &body)
}

fn of_run(run: &PastRun) -> String {
    let job = text(run.beginning.job.as_deref().unwrap_or_default());
    let mut body = format!(
        "<p><a href=\"/\">all jobs</a> · <a href=\"/job/{job}\">{job}</a></p>\n<h1>{job}: <span class=\"{}\">{}</span></h1>\n\
         <p class=\"faint\">run {}</p>\n<dl>\n",
        class(run),
        words::result(run),
        run.number,
    );
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(body, "<dt>{name}</dt><dd>{}</dd>", text(value));
    };
    fact("from", &run.beginning.source);
    fact("to", &run.beginning.destination);
    fact("began", &words::local(run.beginning.at));
    let Some(ending) = &run.ending else {
        body.push_str("</dl>\n");
        return page("oneway: a run", None, &body);
    };
    fact("took", &words::took(ending.seconds));
    fact("exit status", &ending.exit.to_string());
    fact("changed", &words::changes(ending));
    fact("bytes", &ending.bytes.to_string());
    fact("failed", &ending.failed.to_string());
    fact("unchanged", &ending.unchanged.to_string());
    if let Some(backup) = &ending.backup {
        fact("backup", backup);
    }
    body.push_str("</dl>\n");
    if !ending.messages.is_empty() {
        let fine = if ending.exit == 0 { " fine" } else { "" };
        let _ = writeln!(body, "<ul class=\"messages{fine}\">");
        for message in &ending.messages {
            let _ = writeln!(body, "<li>{}</li>", text(message));
        }
        body.push_str("</ul>\n");
    }
    if !ending.details.is_empty() {
        body.push_str("<h2>Changes</h2>\n<table>\n<thead><tr><th>Action</th><th>Path</th><th>Bytes</th></tr></thead>\n<tbody>\n");
        for change in &ending.details {
            let error = change.error.as_ref();
            let error = error
                .map_or_else(String::new, |error| format!("<br><span class=\"bad\">{}</span>", text(error)));
            let _ = writeln!(
                body,
                "<tr><td class=\"word\">{}</td><td><bdi>{}</bdi>{error}</td><td class=\"number\">{}</td></tr>",
                text(&change.action.replace('_', " ")),
                text(&change.path),
                words::bytes(change.bytes),
            );
        }
        body.push_str("</tbody>\n</table>\n");
        let all = ending.changes.values().sum::<u64>() + ending.failed;
        let told = ending.details.len() as u64;
        if told < all {
            let _ = writeln!(body, "<p class=\"faint\">{} more are not kept.</p>", all - told);
        }
    }
    page(&format!("oneway: run {}", run.number), None, &body)
}
