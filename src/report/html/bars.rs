//! What changes, by deed and by directory, as bars.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::model::RelPath;
use crate::plan::Deed;
use crate::report::html::{grouped, look, text};
use crate::report::{Report, human_bytes};

/// More directories than this are summed up.
const MOST_DIRS: usize = 10;

/// Writes both, unless nothing changes.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let actions = &report.plan.actions;
    if actions.is_empty() {
        return Ok(());
    }
    let mut counts: BTreeMap<Deed, usize> = BTreeMap::new();
    for action in actions {
        *counts.entry(action.deed).or_default() += 1;
    }
    writeln!(out, "<h2>By kind</h2>\n<div class=\"bar\">")?;
    for (&deed, &count) in &counts {
        part(out, look(deed).1, count, actions.len(), look(deed).0)?;
    }
    writeln!(out, "</div>\n<ul class=\"legend\">")?;
    for (&deed, &count) in &counts {
        let (words, colour) = look(deed);
        writeln!(
            out,
            "<li><i class=\"swatch\" style=\"background:var(--{colour})\"></i>{words} {}</li>",
            grouped(count)
        )?;
    }
    writeln!(out, "</ul>\n<h2>By directory</h2>\n<div class=\"dirs\">")?;
    let dirs = by_dir(report);
    let most = dirs.iter().map(|dir| dir.count).max().unwrap_or(1);
    for dir in &dirs {
        writeln!(out, "<span class=\"name\"><bdi>{}</bdi></span><span class=\"bar\">", text(&dir.name))?;
        for (&deed, &count) in &dir.counts {
            part(out, look(deed).1, count, most, look(deed).0)?;
        }
        let bytes = if dir.bytes > 0 { format!(" · {}", human_bytes(dir.bytes)) } else { String::new() };
        writeln!(out, "</span><span class=\"count\">{}{bytes}</span>", grouped(dir.count))?;
    }
    writeln!(out, "</div>")
}

fn part(out: &mut dyn Write, colour: &str, count: usize, of: usize, words: &str) -> io::Result<()> {
    let width = count as f64 / of as f64 * 100.0;
    let title = format!("{} {words}", grouped(count));
    writeln!(out, "<i style=\"width:{width:.2}%;background:var(--{colour})\" title=\"{title}\"></i>")
}

#[derive(Default)]
struct Dir {
    name: String,
    counts: BTreeMap<Deed, usize>,
    count: usize,
    bytes: u64,
}

impl Dir {
    fn add(&mut self, deed: Deed, count: usize, bytes: u64) {
        *self.counts.entry(deed).or_default() += count;
        self.count += count;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Returns the directories right below the one that all changes are in, those with the most changes first.
fn by_dir(report: &Report) -> Vec<Dir> {
    let actions = &report.plan.actions;
    let common = common_dir(actions.iter().map(|action| action.path.clone()));
    let mut dirs: BTreeMap<Vec<u8>, Dir> = BTreeMap::new();
    for action in actions {
        let path = action.path.as_bytes();
        let below = &path[common.len()..];
        // A directory counts for itself, a file for the one it is in.
        let end = below.iter().position(|&b| b == b'/').map(|slash| common.len() + slash + 1);
        let end = end.or_else(|| action.entry().is_dir().then_some(path.len()));
        let name = end.map_or(&*common, |end| &path[..end]);
        let name = name.strip_suffix(b"/").unwrap_or(name);
        dirs.entry(name.to_vec()).or_default().add(action.deed, 1, action.bytes());
    }
    let mut dirs: Vec<Dir> = dirs
        .into_iter()
        .map(|(name, dir)| {
            let shown = if name.is_empty() { "./".to_owned() } else { crate::model::escape(&name) + "/" };
            Dir { name: shown, ..dir }
        })
        .collect();
    dirs.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    if dirs.len() > MOST_DIRS {
        let others = dirs.split_off(MOST_DIRS - 1);
        let mut rest = Dir { name: format!("{} others", grouped(others.len())), ..Dir::default() };
        for dir in others {
            for (&deed, &count) in &dir.counts {
                rest.add(deed, count, 0);
            }
            rest.bytes = rest.bytes.saturating_add(dir.bytes);
        }
        dirs.push(rest);
    }
    dirs
}

/// Returns what the paths of all files begin with, up to and with the last `/` of it.
fn common_dir(mut paths: impl Iterator<Item = RelPath>) -> Vec<u8> {
    let Some(first) = paths.next() else { return Vec::new() };
    let mut common = first.as_bytes().to_vec();
    for path in paths {
        let same = common.iter().zip(path.as_bytes()).take_while(|(a, b)| a == b).count();
        common.truncate(same);
    }
    let slash = common.iter().rposition(|&b| b == b'/');
    common.truncate(slash.map_or(0, |slash| slash + 1));
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_paths_begin_with_is_a_directory() {
        for (paths, common) in [
            (&["a/b/c", "a/b/d"][..], "a/b/"),
            (&["a/bc", "a/bd/e"], "a/"),
            (&["a", "a/b"], ""),
            (&["x"], ""),
            (&["a/b"], "a/"),
        ] {
            let paths: Vec<RelPath> = paths.iter().map(|path| RelPath::parse(path).unwrap()).collect();
            assert_eq!(common_dir(paths.iter().cloned()), common.as_bytes(), "{paths:?}");
        }
    }
}
