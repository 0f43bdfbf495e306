//! Where reports go: one to standard output or a file, and as many more as were asked for.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oneway::report::{Detail, FORMATS, Format as Writer, Report, format_named};

use crate::args::{Format, SyncArgs};
use crate::ui::terminal::has_colours;

/// `FORMAT=FILE` of `--report`.
#[derive(Clone)]
pub(crate) struct Extra {
    format: &'static dyn Writer,
    pub(crate) file: PathBuf,
}

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.format.name(), self.file.display())
    }
}

/// Reads `html=diff.html`.
pub(crate) fn extra(text: &str) -> Result<Extra, String> {
    let known = || FORMATS.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
    let Some((name, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
        return Err("a format and a file are wanted, as in html=diff.html".to_owned());
    };
    let format =
        format_named(name).ok_or_else(|| format!("there is no format `{name}`; there are {}", known()))?;
    Ok(Extra { format, file: file.into() })
}

/// Files that were opened before anything is done: a report that can't be written is no reason to find out afterwards.
pub(crate) struct Reports {
    format: &'static dyn Writer,
    /// `None` for standard output.
    file: Option<File>,
    more: Vec<(Extra, File)>,
    /// The report for people is not wanted on standard output.
    quiet: bool,
    detail: Detail,
}

impl Reports {
    /// Reports to one of the files in `begun` go behind what it holds.
    ///
    /// # Errors
    /// Which file can't be made, and why.
    pub(crate) fn open(args: &SyncArgs, begun: &HashSet<PathBuf>) -> anyhow::Result<Self> {
        let create = |path: &Path| create(path, begun.contains(path));
        let more = args.report.iter().map(|extra| Ok((extra.clone(), create(&extra.file)?)));
        Ok(Self {
            format: format_named(args.format.name()).expect("every format of the arguments is in the table"),
            file: args.output.as_deref().map(create).transpose()?,
            more: more.collect::<anyhow::Result<_>>()?,
            quiet: args.show.quiet && args.format == Format::Text,
            detail: Detail { verbose: args.show.verbose > 0, all: args.write.all, colour: false },
        })
    }

    /// Returns the files the reports go to.
    pub(crate) fn files(args: &SyncArgs) -> Vec<PathBuf> {
        args.output.iter().chain(args.report.iter().map(|extra| &extra.file)).cloned().collect()
    }

    /// Returns those of the files that hold one report and no second one behind it.
    pub(crate) fn of_one(args: &SyncArgs) -> Vec<PathBuf> {
        let is_of_lines = |name: &str| [Format::Text.name(), Format::Json.name()].contains(&name);
        let first = args.output.iter().filter(|_| !is_of_lines(args.format.name()));
        let more = args.report.iter().filter(|extra| !is_of_lines(extra.format.name()));
        first.chain(more.map(|extra| &extra.file)).cloned().collect()
    }

    /// Returns whether a line that sums up the run will be on the terminal.
    pub(crate) fn is_summed_up(&self) -> bool {
        let is_text = self.format.name() == Format::Text.name();
        is_text && self.file.is_none() && io::stdout().is_terminal()
    }

    /// Writes all of them, and returns what went wrong with each.
    pub(crate) fn write(self, report: &Report) -> Vec<anyhow::Error> {
        let is_text = self.format.name() == Format::Text.name();
        // A sentence about nothing helps nobody; a program waits for its summary.
        let wanted = !is_text || (report.early.is_none() && (!self.quiet || self.file.is_some()));
        let mut failures = Vec::new();
        if wanted {
            let written = match self.file {
                Some(file) => write(self.format, report, self.detail, file),
                None => {
                    let detail = Detail { colour: has_colours(&io::stdout()), ..self.detail };
                    write(self.format, report, detail, io::stdout().lock())
                }
            };
            failures.extend(written.context("cannot write the report").err());
        }
        for (extra, file) in self.more {
            let written = write(extra.format, report, self.detail, file);
            failures.extend(
                written.with_context(|| format!("cannot write the report to {}", extra.file.display())).err(),
            );
        }
        failures
    }
}

fn create(path: &Path, appends: bool) -> anyhow::Result<File> {
    let file = match appends {
        true => File::options().append(true).create(true).open(path),
        false => File::create(path),
    };
    file.with_context(|| format!("cannot write the report to {}", path.display()))
}

fn write(format: &dyn Writer, report: &Report, detail: Detail, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    match format.write(report, detail, &mut out).and_then(|()| out.flush()) {
        // Whoever read the report has had enough; what was done is done.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
