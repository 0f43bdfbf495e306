//! `oneway filter`: which rule decides about a path.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use oneway::filter::{Filter, IGNORE_NAME, IgnoreFiles, Verdict, deciding};
use oneway::model::RelPath;

use crate::args::{FilterArgs, RuleArg};
use crate::exit::UsageError;

pub(crate) fn run(args: &FilterArgs) -> anyhow::Result<ExitCode> {
    let filter = of(&args.rules)?;
    let mut out = io::stdout().lock();
    for path in &args.paths {
        let (path, is_dir) = below_root(path)?;
        let files =
            args.root.as_deref().map(|root| ignore_files(root, &path)).transpose()?.unwrap_or_default();
        let slash = if is_dir { "/" } else { "" };
        let line = match deciding(&filter, &files, &path, is_dir) {
            None => format!("mirrored    {path}{slash}  no rule is about it"),
            Some((at, decision)) => {
                let word = match decision.verdict {
                    Verdict::Include => "mirrored  ",
                    Verdict::Exclude => "left alone",
                };
                let above = if at == path { String::new() } else { format!(", which is about `{at}/`") };
                format!("{word}  {path}{slash}  {}: `{}`{above}", decision.origin, decision.pattern)
            }
        };
        match writeln!(out, "{line}") {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => break,
            written => written.context("cannot write to standard output")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a path below the root of a mirror, and whether it is said to be a directory.
pub(super) fn below_root(path: &OsStr) -> anyhow::Result<(RelPath, bool)> {
    let bytes = path.as_bytes();
    let is_dir = bytes.ends_with(b"/");
    let path = bytes.strip_suffix(b"/").unwrap_or(bytes);
    let path = RelPath::parse(path.strip_prefix(b"./").unwrap_or(path)).map_err(|e| {
        UsageError(format!("`{}` is no path below the root of a mirror: {e}", oneway::model::escape(bytes)))
    })?;
    Ok((path, is_dir))
}

/// Reads the files with rules that are above `path`.
fn ignore_files(root: &Path, path: &RelPath) -> anyhow::Result<IgnoreFiles> {
    let mut files = IgnoreFiles::default();
    for dir in std::iter::successors(path.parent(), RelPath::parent) {
        let file = root.join(OsStr::from_bytes(dir.as_bytes())).join(IGNORE_NAME);
        let text = match std::fs::read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(e) => {
                return Err(e).with_context(|| format!("cannot read the filter rules in {}", file.display()));
            }
        };
        files
            .add(dir, &text)
            .map_err(|(line, e)| UsageError(format!("{} line {line}: {e}", file.display())))?;
    }
    Ok(files)
}

/// Makes a filter of the options, in the order in which they were typed.
pub(crate) fn of(rules: &[RuleArg]) -> anyhow::Result<Filter> {
    let mut filter = Filter::default();
    let mut add = |verdict, pattern: &str, place: &str| {
        filter.push_from(verdict, pattern, place).map_err(|e| UsageError(format!("{place}: {e}")))
    };
    for rule in rules {
        match rule {
            RuleArg::Include(pattern) => add(Verdict::Include, pattern, "--include")?,
            RuleArg::Exclude(pattern) => add(Verdict::Exclude, pattern, "--exclude")?,
            RuleArg::File(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the filter rules in {}", path.display()))?;
                // Editors of another system begin a file with a mark that is no part of the first pattern.
                for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
                    if line.trim().is_empty() || line.starts_with('#') {
                        continue;
                    }
                    let place = format!("{} line {}", path.display(), number + 1);
                    match line.strip_prefix('!') {
                        Some(pattern) => add(Verdict::Include, pattern, &place)?,
                        None => add(Verdict::Exclude, line, &place)?,
                    }
                }
            }
        }
    }
    Ok(filter)
}
