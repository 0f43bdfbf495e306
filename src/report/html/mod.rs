//! One page that needs nothing else: totals, what changes where, and a table to search, sort and fold.
//!
//! The changes are data in the page, of which a script shows what is in sight, so that a hundred thousand of them are no more to a
//! browser than ten. Every name goes through [`escape`] first, so that nothing hides or turns the text around it, and then
//! through what HTML or JSON in HTML asks for.

mod bars;
mod data;

use std::io::{self, Write};

use chrono::SecondsFormat;

use crate::model::escape;
use crate::plan::Deed;
use crate::report::warnings::{Severity, warnings};
use crate::report::{Detail, Format, Mode, Report, grouped, human_bytes};

/// A page for people.
pub(super) struct Html;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn write(&self, report: &Report, _: Detail, out: &mut dyn Write) -> io::Result<()> {
        let mut rest = PAGE;
        while let Some((before, from)) = rest.split_once('{') {
            let (slot, after) = from.split_once('}').expect("each slot of the page ends");
            out.write_all(before.as_bytes())?;
            fill(slot, report, out)?;
            rest = after;
        }
        out.write_all(rest.as_bytes())
    }
}

fn fill(slot: &str, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    match slot {
        "css" => out.write_all(STYLE.as_bytes()),
        "js" => out.write_all(SCRIPT.as_bytes()),
        "version" => out.write_all(env!("CARGO_PKG_VERSION").as_bytes()),
        "title" => write!(out, "oneway: {} → {}", text(&report.source), text(&report.destination)),
        "heading" => out.write_all(heading(report).as_bytes()),
        "source" => out.write_all(text(&report.source).as_bytes()),
        "destination" => out.write_all(text(&report.destination).as_bytes()),
        "at" => match report.at {
            Some(at) => {
                let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
                write!(
                    out,
                    ", <time datetime=\"{at}\">{}</time>",
                    at.replace(['T', 'Z'], " ").trim().to_owned() + " UTC"
                )
            }
            None => Ok(()),
        },
        "totals" => totals(report, out),
        "warnings" => all_warnings(report, out),
        "bars" => bars::write(report, out),
        "data" => data::write(report, out),
        unknown => unreachable!("the page has no slot `{unknown}`"),
    }
}

/// Returns text as HTML shows it, in an element or an attribute, with what could hide or turn it made visible.
pub fn text(of: &str) -> String {
    let mut out = String::with_capacity(of.len());
    for c in escape(of.as_bytes()).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn heading(report: &Report) -> String {
    let what = match report.mode {
        Mode::Sync => "Run",
        Mode::DryRun => "Dry run",
        Mode::Diff => "Difference",
    };
    let end = match report.exit_status() {
        0 if report.mode == Mode::Sync && report.plan.actions.is_empty() => "nothing to do",
        0 if report.mode == Mode::Sync => "done",
        0 if report.plan.actions.is_empty() => "nothing differs",
        0 | 1 => "what would change",
        3 => "incomplete",
        5 => "refused",
        130 | 143 => "stopped",
        _ => "ended before anything was compared",
    };
    format!("{what}: {end}")
}

/// What a deed is called in the page, and the colour it has there.
fn look(deed: Deed) -> (&'static str, &'static str) {
    match deed {
        Deed::CreateDir => ("new folder", "create"),
        Deed::Copy => ("new", "copy"),
        Deed::Replace => ("replace", "replace"),
        Deed::Rename => ("rename", "rename"),
        Deed::Touch => ("set time", "touch"),
        Deed::Chmod => ("set permissions", "touch"),
        Deed::Delete => ("delete", "delete"),
        Deed::DeleteDir => ("delete folder", "delete"),
    }
}

fn totals(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut total = |class: &str, value: &str, label: &str| {
        writeln!(out, "<li class=\"{class}\"><b>{value}</b><span>{label}</span></li>")
    };
    if report.failed() > 0 {
        total("bad", &grouped(report.failed()), "failed")?;
    }
    for (deed, count) in report.changes() {
        total("", &grouped(count), look(deed).0)?;
    }
    if report.plan.actions.is_empty() {
        total("good", "0", "changes")?;
    }
    total("", &human_bytes(report.bytes()), if report.mode == Mode::Sync { "sent" } else { "to send" })?;
    total("", &grouped(report.plan.unchanged), "unchanged")?;
    total("", &format!("{:.1} s", report.seconds), "took")
}

/// Failures are many at a time, and the table has them all.
const FAILURES_SHOWN: usize = 20;

fn all_warnings(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let failures = report.plan.actions.iter().zip(&report.outcomes).filter_map(|(action, outcome)| {
        outcome.error.as_ref().map(|error| format!("`{}`: {error}", action.path))
    });
    let hidden = report.failed().saturating_sub(FAILURES_SHOWN);
    let more = (hidden > 0).then(|| format!("{} more failed; the table has them", grouped(hidden)));
    let failed = failures.take(FAILURES_SHOWN).chain(more).map(|text| (Severity::Error, text));
    let mut any = false;
    for (severity, warning) in failed.chain(warnings(report)) {
        if !any {
            writeln!(out, "<ul class=\"warnings\">")?;
            any = true;
        }
        let class = match severity {
            Severity::Error => "error",
            Severity::Note => "note",
        };
        writeln!(out, "<li class=\"{class}\">{}</li>", text(&warning))?;
    }
    if any { writeln!(out, "</ul>") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(text("<b a=\"1\" b='2'>&"), "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;");
        assert_eq!(text("a\u{202e}b\x1b"), "a\\u{202e}b\\x1b");
    }
}
