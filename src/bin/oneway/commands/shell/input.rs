//! Where lines come from: a person at a terminal, who can edit them and have old ones back, or a pipe.

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use anyhow::Context as _;
use oneway::ftp::raw::RawLine;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Behavior, Config, Editor};

use crate::commands::state::state_dir;

/// What came.
pub(super) enum Typed {
    /// A line without its end.
    Line(Vec<u8>),
    /// Ctrl-C.
    Interrupt,
    End,
}

/// Where lines come from.
pub(super) enum Input {
    Person { editor: Box<Editor<(), FileHistory>>, history: Option<PathBuf> },
    Script,
}

/// So many lines are remembered.
const REMEMBERED: usize = 1000;

impl Input {
    pub(super) fn open() -> anyhow::Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self::Script);
        }
        let config = Config::builder()
            .max_history_size(REMEMBERED)?
            .auto_add_history(false)
            // The prompt is no data: standard output may be a file.
            .behavior(Behavior::PreferTerm)
            .build();
        let mut editor = Editor::with_config(config).context("cannot use the terminal")?;
        let history = state_dir().map(|dir| dir.join("oneway").join("shell-history"));
        if let Some(file) = &history {
            // Without it, there is only less to go back to.
            let _ = editor.load_history(file);
        }
        Ok(Self::Person { editor: Box::new(editor), history })
    }

    /// Returns whether somebody sees what happens, and can do something about it.
    pub(super) fn is_person(&self) -> bool {
        matches!(self, Self::Person { .. })
    }

    /// Returns the next line.
    pub(super) fn next(&mut self) -> anyhow::Result<Typed> {
        let Self::Person { editor, history } = self else { return script_line() };
        match editor.readline("ftp> ") {
            Ok(line) => {
                if may_be_remembered(line.as_bytes()) && editor.add_history_entry(&line).unwrap_or(false) {
                    remember(editor, history.as_ref());
                }
                Ok(Typed::Line(line.into_bytes()))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupt),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(e) => Err(e).context("cannot read from the terminal"),
        }
    }
}

/// Writes the history down at once: a session may end at any moment. It is nobody else's business.
fn remember(editor: &mut Editor<(), FileHistory>, history: Option<&PathBuf>) {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let Some(file) = history else { return };
    if let Some(dir) = file.parent() {
        let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    }
    // Without it, there is only less to go back to.
    if editor.append_history(file).is_ok() {
        let _ = fs::set_permissions(file, fs::Permissions::from_mode(0o600));
    }
}

/// Returns whether a line may be written down: one that says who somebody is may not, in whatever way it is wrong.
fn may_be_remembered(line: &[u8]) -> bool {
    let words = String::from_utf8_lossy(line).to_ascii_lowercase();
    let mut words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let is_of_login = |word: &str| ["user", "pass", "acct"].iter().any(|verb| word.starts_with(verb));
    // `SITE PSWD old new` and the like are servers' own.
    let is_of_site =
        first == "site" && words.next().is_some_and(|word| word.contains("pass") || word.contains("psw"));
    let is_known = RawLine::parse(line).is_ok_and(|line| line.is_of_login());
    !(first.is_empty() || is_known || is_of_login(first) || is_of_site)
}

fn script_line() -> anyhow::Result<Typed> {
    let mut line = Vec::new();
    if io::stdin().lock().read_until(b'\n', &mut line).context("cannot read standard input")? == 0 {
        return Ok(Typed::End);
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(Typed::Line(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_who_somebody_is_is_not_remembered() {
        for line in
            ["PASS x", " pass x", "User anna", "ACCT x", "PASS\tx", "PASSWD x", "site pswd a b", "", "  "]
        {
            assert!(!may_be_remembered(line.as_bytes()), "{line:?}");
        }
        for line in ["PASV", "RETR pass", "CWD user", "!trace", "SITE HELP"] {
            assert!(may_be_remembered(line.as_bytes()), "{line:?}");
        }
    }
}
