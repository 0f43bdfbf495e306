//! Files that are to come after all others, such as the pages that refer to them.

use crate::filter::Filter;
use crate::model::RelPath;
use crate::plan::{Deed, Phase, Plan};
use crate::spill::{Spill, SpillError};

/// Puts what `last` matches, or matches a directory above it, behind everything else that is sent. What goes to where a directory
/// was comes later still. A rule's verdict is of no concern.
///
/// # Errors
/// When actions that memory is not meant for can't be written anew.
pub fn come_last(plan: &mut Plan, last: &Filter, spill: &Spill) -> Result<(), SpillError> {
    if last.is_empty() {
        return Ok(());
    }
    plan.actions.revise(spill, [], |action| {
        // A file gets its new name when it would get its new content.
        let is_sent = match action.deed {
            Deed::Copy | Deed::Replace => action.phase == Phase::Files,
            Deed::Rename => true,
            Deed::CreateDir | Deed::Touch | Deed::Chmod | Deed::Delete | Deed::DeleteDir => false,
        };
        if is_sent && matches(last, &action.entry().path) {
            action.phase = Phase::Last;
        }
        true
    })
}

fn matches(last: &Filter, path: &RelPath) -> bool {
    let mut above = path.parent();
    while let Some(dir) = above.filter(|dir| !dir.is_root()) {
        if last.decision(&dir, true).is_some() {
            return true;
        }
        above = dir.parent();
    }
    last.decision(path, false).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::filter::Verdict;
    use crate::model::{Entry, Evidence, Tree};
    use crate::plan::{PlanOptions, plan};

    fn phases(patterns: &[&str], files: &[&str]) -> Vec<String> {
        let entry = |name: &&str| Entry::file(RelPath::parse(*name).unwrap(), 2 << 20, None);
        let source = Tree::new(files.iter().map(entry).collect(), Default::default());
        let options = PlanOptions::default();
        let mut plan = plan(&source, &Tree::default(), &BTreeSet::new(), &Evidence::default(), &options);
        let mut last = Filter::default();
        for pattern in patterns {
            last.push(Verdict::Include, pattern).unwrap();
        }
        come_last(&mut plan, &last, &Spill::never()).unwrap();
        plan.actions.iter().map(|action| format!("{:?} {}", action.phase, action.path)).collect()
    }

    #[test]
    fn what_a_pattern_matches_comes_after_all_else_whatever_its_size() {
        let files = ["a.html", "b.css", "pages/c.txt", "pages/d.html"];
        assert_eq!(
            phases(&["*.html"], &files),
            ["Files b.css", "Files pages/c.txt", "Last a.html", "Last pages/d.html"]
        );
        assert_eq!(
            phases(&["pages/", "/b.*"], &files),
            ["Files a.html", "Last b.css", "Last pages/c.txt", "Last pages/d.html"]
        );
        assert!(phases(&[], &files).iter().all(|line| line.starts_with("Files")));
    }
}
