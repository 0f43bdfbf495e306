//! What belongs to the mirror and what is left alone, the same on both sides.
//!
//! Rules are patterns in gitignore syntax, relative to the root; the first that matches decides, and a path that no rule
//! matches belongs. A directory that is left out is not entered, so nothing below it belongs either. The program's own
//! temporary files never belong, nor do files that it has for itself.

mod ignore_file;
mod limits;

pub use ignore_file::{IGNORE_NAME, IgnoreFiles};
pub use limits::Limits;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::model::RelPath;

/// What a rule does with the paths it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They belong to the mirror.
    Include,
    /// They are left alone, on both sides.
    Exclude,
}

/// An ordered list of rules. The empty filter leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    rules: Vec<Rule>,
    apart: BTreeSet<RelPath>,
}

#[derive(Clone, Debug)]
struct Rule {
    verdict: Verdict,
    matcher: Gitignore,
    pattern: String,
    origin: String,
}

/// The rule that decides about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'f> {
    /// What it says.
    pub verdict: Verdict,
    /// As it was written.
    pub pattern: &'f str,
    /// Where it was written, for people; empty where nobody said.
    pub origin: &'f str,
}

/// A pattern that can't be used.
#[derive(Debug, Error)]
pub enum FilterError {
    /// Nothing in it.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// Not in gitignore syntax.
    #[error("the pattern `{pattern}` is not in gitignore syntax: {reason}")]
    Syntax {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `#…`, which would be a comment.
    #[error("the pattern `{0}` is a comment in gitignore syntax; write `\\#` for a name that begins so")]
    Comment(String),
    /// `!pattern`, which would say the opposite of its option.
    #[error("the pattern `{0}` begins with `!`; use the opposite rule instead")]
    Negated(String),
}

impl Filter {
    /// Adds a rule behind those there are.
    ///
    /// # Errors
    /// Says what is wrong with the pattern.
    pub fn push(&mut self, verdict: Verdict, pattern: &str) -> Result<(), FilterError> {
        self.push_from(verdict, pattern, "")
    }

    /// As [`Filter::push`], and remembers where the rule was written.
    ///
    /// # Errors
    /// Says what is wrong with the pattern.
    pub fn push_from(&mut self, verdict: Verdict, pattern: &str, origin: &str) -> Result<(), FilterError> {
        if pattern.trim().is_empty() || pattern == "/" {
            return Err(FilterError::Empty);
        }
        // In gitignore syntax it opens a comment.
        if pattern.starts_with('#') {
            return Err(FilterError::Comment(pattern.to_owned()));
        }
        if pattern.starts_with('!') {
            return Err(FilterError::Negated(pattern.to_owned()));
        }
        let syntax = |reason: ignore::Error| FilterError::Syntax {
            pattern: pattern.to_owned(),
            reason: reason.to_string(),
        };
        let mut builder = GitignoreBuilder::new("");
        // As paths are, however the shell that completed it writes its characters.
        let composed: String = pattern.nfc().collect();
        builder.add_line(None, &with_literal_braces(&composed)).map_err(syntax)?;
        let matcher = builder.build().map_err(syntax)?;
        let (pattern, origin) = (pattern.to_owned(), origin.to_owned());
        self.rules.push(Rule { verdict, matcher, pattern, origin });
        Ok(())
    }

    /// Leaves one path alone, whatever the rules say: a file of the program's own, such as its state, that lies in one of the
    /// directories.
    pub fn set_apart(&mut self, path: RelPath) {
        self.apart.insert(path);
    }

    /// Returns whether a path is left alone as a file of the program's own.
    pub fn is_apart(&self, path: &RelPath) -> bool {
        self.apart.contains(path)
    }

    /// Returns whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.apart.is_empty()
    }

    /// Returns the rule that decides about `path`; `None` when no rule matches, so that it belongs.
    pub fn decision(&self, path: &RelPath, is_dir: bool) -> Option<Decision<'_>> {
        let path = Path::new(OsStr::from_bytes(path.as_bytes()));
        let rule = self.rules.iter().find(|rule| !rule.matcher.matched(path, is_dir).is_none())?;
        Some(Decision { verdict: rule.verdict, pattern: &rule.pattern, origin: &rule.origin })
    }

    /// Returns whether `path` itself belongs, given that the directory it is in does.
    pub fn admits(&self, path: &RelPath, is_dir: bool) -> bool {
        !self.apart.contains(path)
            && self.decision(path, is_dir).is_none_or(|decision| decision.verdict == Verdict::Include)
    }

    /// Returns whether `path` and all directories above it belong.
    pub fn admits_deep(&self, path: &RelPath, is_dir: bool) -> bool {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if !self.admits(&dir, true) {
                return false;
            }
            above = dir.parent();
        }
        self.admits(path, is_dir)
    }
}

/// Returns the rule that decides about `path`, and the path it is about: this one, or a directory above it that is left alone. Rules of
/// `filter` come before those of files in the tree. `None` where no rule is about it, so that it belongs.
pub fn deciding<'f>(
    filter: &'f Filter,
    files: &'f IgnoreFiles,
    path: &RelPath,
    is_dir: bool,
) -> Option<(RelPath, Decision<'f>)> {
    let mut above: Vec<RelPath> = std::iter::successors(path.parent(), RelPath::parent).collect();
    above.retain(|dir| !dir.is_root());
    let rule =
        |path: &RelPath, is_dir| filter.decision(path, is_dir).or_else(|| files.decision(path, is_dir));
    for dir in above.into_iter().rev() {
        if let Some(decision) = rule(&dir, true).filter(|decision| decision.verdict == Verdict::Exclude) {
            return Some((dir, decision));
        }
    }
    rule(path, is_dir).map(|decision| (path.clone(), decision))
}

/// The matcher takes `{a,b}` for alternatives, which gitignore doesn't know: there, braces stand for themselves.
fn with_literal_braces(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut escaped, mut in_class) = (false, false);
    for c in pattern.chars() {
        match c {
            '{' | '}' if !escaped && !in_class => out.push('\\'),
            '[' if !escaped => in_class = true,
            ']' if !escaped => in_class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(rules: &[(Verdict, &str)]) -> Filter {
        let mut filter = Filter::default();
        for (verdict, pattern) in rules {
            filter.push(*verdict, pattern).unwrap();
        }
        filter
    }

    fn admitted(filter: &Filter, path: &str) -> bool {
        let is_dir = path.ends_with('/');
        filter.admits_deep(&RelPath::parse(path.trim_end_matches('/')).unwrap(), is_dir)
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use Verdict::*;
        let f =
            filter(&[(Include, "keep.map"), (Exclude, "*.map"), (Exclude, "/build/"), (Exclude, "a/**/z")]);
        for (path, belongs) in [
            ("a.map", false),
            ("x/y/a.map", false),
            ("keep.map", true),
            ("x/keep.map", true),
            ("build/", false),
            ("build/x", false),
            ("build", true),
            ("x/build/", true),
            ("a/b/c/z", false),
            ("a/z", false),
            ("z", true),
            ("plain.txt", true),
        ] {
            assert_eq!(admitted(&f, path), belongs, "{path}");
        }
        assert!(admitted(&Filter::default(), "anything"));
    }

    #[test]
    fn a_white_list_is_an_include_before_an_exclude() {
        use Verdict::*;
        let f = filter(&[(Include, "*/"), (Include, "*.html"), (Exclude, "*")]);
        assert!(admitted(&f, "a/b/x.html") && !admitted(&f, "a/b/x.css"));
    }

    #[test]
    fn patterns_that_say_nothing_or_the_opposite_are_errors() {
        let mut f = Filter::default();
        assert!(matches!(f.push(Verdict::Exclude, ""), Err(FilterError::Empty)));
        assert!(matches!(f.push(Verdict::Exclude, "  "), Err(FilterError::Empty)));
        assert!(matches!(f.push(Verdict::Exclude, "!a"), Err(FilterError::Negated(_))));
        assert!(matches!(f.push(Verdict::Exclude, "/"), Err(FilterError::Empty)));
        assert!(matches!(f.push(Verdict::Exclude, "#a"), Err(FilterError::Comment(_))));
        assert!(matches!(f.push(Verdict::Exclude, "a[z-a]"), Err(FilterError::Syntax { .. })));
    }

    #[test]
    fn braces_and_escapes_are_those_of_gitignore() {
        let f = filter(&[
            (Verdict::Exclude, "g{1}"),
            (Verdict::Exclude, "{a,b}"),
            (Verdict::Exclude, "\\#x"),
            (Verdict::Exclude, "c\\ "),
        ]);
        for (path, belongs) in
            [("g{1}", false), ("g1", true), ("a", true), ("{a,b}", false), ("#x", false), ("c ", false)]
        {
            assert_eq!(admitted(&f, path), belongs, "{path}");
        }
    }

    #[test]
    fn a_pattern_matches_in_either_form_of_its_characters() {
        for pattern in ["u\u{308}*", "\u{fc}*"] {
            let mut f = Filter::default();
            f.push(Verdict::Exclude, pattern).unwrap();
            assert!(!f.admits(&RelPath::parse("\u{fc}ber").unwrap(), false));
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_matched_as_bytes() {
        let f = filter(&[(Verdict::Exclude, "*.bak")]);
        assert!(!f.admits(&RelPath::parse(b"caf\xe9.bak").unwrap(), false));
        assert!(f.admits(&RelPath::parse(b"caf\xe9.txt").unwrap(), false));
    }
}
