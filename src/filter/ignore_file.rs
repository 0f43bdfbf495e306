//! Rules that lie in the tree: `.onewayignore` leaves out what it names in its directory and below.

use crate::filter::{Decision, Filter, FilterError, Verdict};
use crate::model::RelPath;
use std::collections::BTreeMap;

/// The name of a file with rules for the directory it is in. It is not mirrored itself.
pub const IGNORE_NAME: &str = ".onewayignore";

/// The rules of all such files of a tree.
#[derive(Clone, Debug, Default)]
pub struct IgnoreFiles {
    by_dir: BTreeMap<RelPath, Filter>,
}

impl IgnoreFiles {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_dir.is_empty()
    }

    /// Takes the file in `dir`. As in `.gitignore`, the last line that matches decides, `!` takes one back, and `#` begins a comment.
    ///
    /// # Errors
    /// Which line is no rule, and why.
    pub fn add(&mut self, dir: RelPath, text: &str) -> Result<(), (usize, FilterError)> {
        let name = dir.join(IGNORE_NAME.as_bytes()).expect("the name holds no separator");
        let mut filter = Filter::default();
        let lines: Vec<(usize, &str)> = text.trim_start_matches('\u{feff}').lines().enumerate().collect();
        // The first rule that matches decides here.
        for (i, line) in lines.into_iter().rev() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let origin = format!("{name} line {}", i + 1);
            let (verdict, pattern) = match line.strip_prefix('!') {
                Some(pattern) => (Verdict::Include, pattern),
                None => (Verdict::Exclude, line),
            };
            filter.push_from(verdict, pattern, &origin).map_err(|e| (i + 1, e))?;
        }
        self.by_dir.insert(dir, filter);
        Ok(())
    }

    /// Returns the rule that decides about `path` itself: of the file nearest to it; `None` where none has one.
    pub fn decision(&self, path: &RelPath, is_dir: bool) -> Option<Decision<'_>> {
        let mut above = path.parent();
        while let Some(dir) = above {
            if let Some(filter) = self.by_dir.get(&dir)
                && let Some(below) = path.below(&dir)
                && let Some(decision) = filter.decision(&below, is_dir)
            {
                return Some(decision);
            }
            above = dir.parent();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text.trim_end_matches('/')).unwrap()
    }

    #[test]
    fn the_nearest_file_and_its_last_line_decide() {
        let mut files = IgnoreFiles::default();
        files.add(RelPath::root(), "# logs\n*.log\n!keep.log\n/build/\n\n").unwrap();
        files.add(path("a"), "!*.log\nsecret\n").unwrap();
        for (of, verdict, origin) in [
            ("x.log", Some(Verdict::Exclude), ".onewayignore line 2"),
            ("keep.log", Some(Verdict::Include), ".onewayignore line 3"),
            ("b/x.log", Some(Verdict::Exclude), ".onewayignore line 2"),
            ("a/x.log", Some(Verdict::Include), "a/.onewayignore line 1"),
            ("a/b/secret", Some(Verdict::Exclude), "a/.onewayignore line 2"),
            ("secret", None, ""),
            ("build/", Some(Verdict::Exclude), ".onewayignore line 4"),
            ("a/build/", None, ""),
        ] {
            let decision = files.decision(&path(of), of.ends_with('/'));
            assert_eq!(decision.as_ref().map(|decision| decision.verdict), verdict, "{of}");
            assert_eq!(decision.map_or("", |decision| decision.origin), origin, "{of}");
        }
    }

    #[test]
    fn a_line_that_is_no_rule_is_named() {
        let mut files = IgnoreFiles::default();
        assert_eq!(files.add(RelPath::root(), "ok\n[z-a]\n").unwrap_err().0, 2);
        assert_eq!(files.add(RelPath::root(), "!\n").unwrap_err().0, 1);
    }
}
