//! `oneway explain`: what would become of one path, and why.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use oneway::model::{Cancel, RelPath, columns};
use oneway::report::Mode;
use oneway::run::explain::{Explanation, explain};

use crate::args::{ExplainArgs, Format};
use crate::commands::filter::below_root;
use crate::commands::sync::{SetUp, Task, Work, set_up};
use crate::exit::{self, UsageError};
use crate::signals::Signals;
use crate::ui::log::{Logged, Logging};
use crate::ui::progress::Progress;
use crate::ui::say::complain;

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let logging = Logging::begin(&args.sync, Mode::Diff, None)?;
    let status = explain_path(args).unwrap_or_else(|error| exit::tell(&error));
    logging.end(status);
    Ok(ExitCode::from(status))
}

fn explain_path(args: &ExplainArgs) -> anyhow::Result<u8> {
    let (path, is_dir) = below_root(&args.path)?;
    let path = composed(path);
    let sync = &args.sync;
    if !matches!(sync.format, Format::Text | Format::Json) || !sync.report.is_empty() {
        let text = "explain writes text, or one JSON object with --format json, and no reports";
        return Err(UsageError(text.to_owned()).into());
    }
    let cancel = Cancel::new();
    let begun = HashSet::new();
    let task = Task::of(sync, Mode::Diff, &begun, Work::Decide);
    let SetUp { source, destination, options, .. } = set_up(&task, &cancel)?;
    let mut out: Box<dyn Write> = match &sync.output {
        Some(file) => {
            Box::new(File::create(file).with_context(|| format!("cannot write to {}", file.display()))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    let signals = Signals::watch(&cancel)?;
    let progress = Progress::new(sync.show.progress, sync.show.quiet, &cancel);
    let explained = explain(&source, &destination, &options, (&path, is_dir), &Logged::new(&progress));
    progress.finish();
    let (report, explanation) = match explained {
        Ok(explained) => explained,
        Err(e) => match signals.stop() {
            Some(stop) => {
                complain!("stopped");
                return Ok(stop.exit_status());
            }
            None => return Ok(exit::complain_of(&e)),
        },
    };
    let written = match sync.format {
        Format::Json => explanation.write_json(&mut out),
        _ => write_text(&explanation, &mut out),
    };
    match written {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("cannot write the explanation")?,
    }
    Ok(match report.exit_status() {
        _ if explanation.is_absent => exit::USAGE,
        exit::INCOMPLETE => exit::INCOMPLETE,
        // That something differs, or that a guard would refuse the run, is what was asked.
        _ => 0,
    })
}

/// Returns the path as the engine has names: its characters composed.
fn composed(path: RelPath) -> RelPath {
    use unicode_normalization::UnicodeNormalization;
    let text = std::str::from_utf8(path.as_bytes()).map(|text| text.nfc().collect::<String>());
    text.ok().and_then(|text| RelPath::parse(text).ok()).unwrap_or(path)
}

/// One plain screen of 80 columns.
fn write_text(explanation: &Explanation, mut out: impl Write) -> io::Result<()> {
    let mut lines = wrapped(&format!("{}: {}", explanation.path, explanation.conclusion), "", "  ");
    lines.push(String::new());
    let width = explanation.facts.iter().map(|(about, _)| about.len()).max().unwrap_or(0);
    let mut last = "";
    for (about, text) in &explanation.facts {
        let label = if *about == last { "" } else { about };
        lines.extend(wrapped(text, &format!("{label:width$}  "), &" ".repeat(width + 2)));
        last = about;
    }
    writeln!(out, "{}", lines.join("\n"))
}

/// Breaks a text into lines, the first of which begins with `first` and the others with `further`.
fn wrapped(text: &str, first: &str, further: &str) -> Vec<String> {
    const WIDTH: usize = 80;
    let mut lines = vec![first.to_owned()];
    let mut is_empty = true;
    for word in text.split(' ') {
        let line = lines.last_mut().expect("it begins with one");
        if !is_empty && columns(line) + 1 + columns(word) > WIDTH {
            lines.push(format!("{further}{word}"));
            continue;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_continue_below_their_text() {
        let text = "word ".repeat(30);
        let lines = wrapped(text.trim_end(), "label  ", "       ");
        assert!(lines.iter().all(|line| columns(line) <= 80), "{lines:#?}");
        assert!(lines[0].starts_with("label  word") && lines[1].starts_with("       word"), "{lines:#?}");
        assert_eq!(wrapped(&"x".repeat(100), "a ", "  "), [format!("a {}", "x".repeat(100))]);
    }
}
