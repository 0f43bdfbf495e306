//! One line a change, for spreadsheets.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::model::{Entry, RelPath};
use crate::plan::Action;
use crate::report::json::{percent, rfc3339};
use crate::report::{Detail, Format, Report};

/// RFC 4180 with a header; what was kept comes with [`Detail::verbose`] alone.
pub(super) struct Csv;

const HEADER: &str =
    "action,path,kind,reason,size,old_size,modified,old_modified,target,outcome,bytes,seconds,tries,error";

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn write(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{HEADER}\r\n")?;
        for (i, action) in report.plan.actions.iter().enumerate() {
            let outcome = report.outcomes.get(i);
            let told = match (outcome, &action.obstacle) {
                (Some(outcome), _) if outcome.is_done() => "done",
                (Some(outcome), _) if outcome.vanished => "vanished",
                (Some(_), _) | (None, Some(_)) => "failed",
                (None, None) => "planned",
            };
            let error = outcome.and_then(|outcome| outcome.error.as_deref()).or(action.obstacle.as_deref());
            let [bytes, seconds, tries] = outcome.map_or_else(Default::default, |outcome| {
                [outcome.bytes.to_string(), format!("{:.6}", outcome.seconds), outcome.tries.to_string()]
            });
            let [size, old_size] = [&action.source, &action.destination].map(|entry| size(entry.as_deref()));
            let [modified, old_modified] =
                [&action.source, &action.destination].map(|entry| modified(entry.as_deref()));
            line(
                out,
                &[
                    action.deed.as_str(),
                    &path(&action.path),
                    action.kind().as_str(),
                    action.reason.as_str(),
                    &size,
                    &old_size,
                    &modified,
                    &old_modified,
                    &target(&action),
                    told,
                    &bytes,
                    &seconds,
                    &tries,
                    error.unwrap_or_default(),
                ],
            )?;
        }
        if detail.verbose {
            for spared in &report.plan.spared {
                let path = path(&spared.path);
                let kind = spared.kind.as_str();
                line(
                    out,
                    &["keep", &path, kind, "extra", "", "", "", "", "", "kept", "", "", "", &spared.why],
                )?;
            }
        }
        Ok(())
    }
}

fn size(entry: Option<&Entry>) -> String {
    entry.and_then(|entry| entry.size).map_or_else(String::new, |size| size.to_string())
}

fn modified(entry: Option<&Entry>) -> String {
    entry.and_then(|entry| entry.mtime).map_or_else(String::new, |mtime| rfc3339(&mtime))
}

fn path(path: &RelPath) -> String {
    harmless(percent(path.as_bytes()).0)
}

fn target(action: &Action) -> String {
    let target = action.target().map(RelPath::as_bytes).or_else(|| action.entry().target.as_deref());
    target.map_or_else(String::new, |target| harmless(percent(target).0))
}

/// A spreadsheet takes what begins with one of these for a formula, and runs it. `./` before it names the same file.
fn harmless(path: String) -> String {
    if path.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("./{path}") } else { path }
}

fn line(out: &mut dyn Write, fields: &[&str]) -> io::Result<()> {
    for (i, field) in fields.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(out, "{comma}{}", quoted(field))?;
    }
    out.write_all(b"\r\n")
}

/// Returns a field as RFC 4180 §2 has it.
fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\"")).into()
    } else {
        field.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_must_be() {
        for (field, expected) in [
            ("plain name.txt", "plain name.txt"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("", ""),
        ] {
            assert_eq!(quoted(field), expected);
        }
    }

    #[test]
    fn no_name_is_a_formula() {
        for name in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(path(&RelPath::parse(name).unwrap()), format!("./{name}"));
        }
        assert_eq!(path(&RelPath::parse("a=1").unwrap()), "a=1");
    }
}
