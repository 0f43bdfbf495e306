//! Text for people: what differs, and one line that sums it up.

mod fold;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};

use crate::execute::Outcome;
use crate::model::{RelPath, columns};
use crate::plan::{Action, Deed};
use crate::report::text::fold::{Folded, fold};
use crate::report::why::why;
use crate::report::{Detail, Format, Mode, Report, grouped, human_bytes};

/// One line a change, or one for all of a directory where they are many; the summary last.
pub(super) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn write(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        if report.mode != Mode::Sync || detail.verbose {
            changes(report, detail, out)?;
        }
        if detail.verbose {
            for remark in &report.remarks {
                writeln!(out, "* {remark}")?;
            }
            let spared =
                report.plan.spared.iter().map(|spared| (&spared.path, format!("kept: {}", spared.why)));
            left_alone(&spared.collect::<Vec<_>>(), detail, out)?;
            let skipped = report.plan.skipped.iter();
            let skipped =
                skipped.map(|skipped| (&skipped.path, format!("left out: {}", skipped.why.as_str())));
            left_alone(&skipped.collect::<Vec<_>>(), detail, out)?;
        }
        let colour = (report.failed() > 0).then_some(Colour::BoldRed);
        let job = report.job.as_deref().map_or_else(String::new, |job| format!("{job}: "));
        writeln!(out, "{job}{}", paint(&summary(report), colour, detail))
    }
}

/// Returns the one line that sums a run up, without the name of its job.
pub fn summary(report: &Report) -> String {
    let dry = report.mode != Mode::Sync;
    let verb = if dry { "would change" } else { "changed" };
    let mut parts: Vec<String> =
        report.changes().map(|(deed, count)| format!("{} {}", grouped(count), plural(deed, count))).collect();
    if parts.is_empty() {
        let nothing = match (&report.refusal, dry) {
            (Some(_), false) => "refused, nothing was done",
            (_, true) => "nothing differs",
            (None, false) => "nothing to do",
        };
        parts.push(nothing.to_owned());
    } else {
        parts[0] = format!("{verb}: {}", parts[0]);
        parts.push(human_bytes(report.bytes()));
    }
    if report.failed() > 0 {
        parts.push(format!("{} failed", grouped(report.failed())));
    }
    parts.push(format!("{} unchanged", grouped(report.plan.unchanged)));
    parts.push(format!("{:.1} s", report.seconds));
    parts.join(", ")
}

/// More lines than this nobody reads.
const MOST_LINES: usize = 100;

/// Of more changes than this, those of each directory are counted together before the lines are chosen.
const MOST_AT_ONCE: usize = 1 << 16;

/// A change and what became of it, or many of one kind in one directory.
struct Change<'r> {
    path: RelPath,
    /// `None` for many.
    action: Option<Cow<'r, Action>>,
    look: Look,
    /// Why it can't be done, or wasn't; `None` where all is well.
    trouble: Option<String>,
    files: usize,
    dirs: usize,
    bytes: u64,
}

impl<'r> Change<'r> {
    fn of(action: Cow<'r, Action>, outcome: Option<&Outcome>) -> Self {
        let obstacle = action.obstacle.as_ref().map(|obstacle| format!("can't be done: {obstacle}"));
        let error = outcome.and_then(|outcome| outcome.error.as_ref());
        let trouble = obstacle.or_else(|| error.map(|error| format!("not done: {error}")));
        let look = if trouble.is_some() { TROUBLE } else { look(action.deed) };
        let dirs = usize::from(action.entry().is_dir());
        let (path, bytes) = (action.path.clone(), action.bytes());
        Self { path, action: Some(action), look, trouble, files: 1 - dirs, dirs, bytes }
    }

    /// Counts another of the same kind.
    fn add(&mut self, other: &Self) {
        if self.trouble != other.trouble {
            self.trouble = Some("with errors".to_owned());
        }
        self.files += other.files;
        self.dirs += other.dirs;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

fn changes(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let actions = &report.plan.actions;
    let each = || actions.iter().zip(0..).map(|(action, i)| Change::of(action, report.outcomes.get(i)));
    let most = if detail.all { usize::MAX } else { MOST_AT_ONCE };
    let changes: Vec<Change<'_>> = match actions.as_held() {
        held if actions.len() <= if held.is_some() { most } else { MOST_LINES } => {
            let mut changes: Vec<_> = each().collect();
            changes.sort_by(|a, b| a.path.cmp(&b.path));
            changes
        }
        // More than memory is meant for.
        _ if detail.all => {
            return each()
                .try_for_each(|change| rows(&[row(&Folded::One(&change))], MOST_COLUMNS, detail, out));
        }
        _ => by_dir(each()),
    };
    if detail.all || actions.len() <= MOST_LINES {
        let lines: Vec<Row> = changes.iter().map(|change| row(&Folded::One(change))).collect();
        return rows(&lines, 0, detail, out);
    }
    // What is in trouble and what is deleted comes first, and never goes down among the rest.
    let of_rank = |rank| changes.iter().filter(move |change| change.look.rank == rank);
    let mut lines = Vec::new();
    for (rank, most) in [(0, MOST_LINES / 4), (1, MOST_LINES / 2), (2, MOST_LINES)] {
        let room = most.saturating_sub(lines.len());
        lines.extend(fold(of_rank(rank).collect(), room));
    }
    let lines: Vec<Row> = lines.iter().map(row).collect();
    rows(&lines, 0, detail, out)?;
    let lines = if lines.len() == 1 { "1 line".to_owned() } else { format!("{} lines", lines.len()) };
    writeln!(out, "({} changes in {lines}; --all prints each)", grouped(actions.len()))
}

/// Counts changes of one kind in one directory together, with that of the directory itself. The first ones in trouble are left as they are.
fn by_dir<'r>(changes: impl Iterator<Item = Change<'r>>) -> Vec<Change<'r>> {
    let mut dirs: BTreeMap<(RelPath, char), Change<'r>> = BTreeMap::new();
    let mut alone = Vec::new();
    for change in changes {
        if change.trouble.is_some() && alone.len() < MOST_LINES {
            alone.push(change);
            continue;
        }
        let above = || change.path.parent().unwrap_or_else(RelPath::root);
        let dir = if change.dirs > 0 { change.path.clone() } else { above() };
        match dirs.entry((dir, change.look.sign)) {
            Entry::Occupied(mut known) => {
                known.get_mut().path = known.key().0.clone();
                known.get_mut().action = None;
                known.get_mut().add(&change);
            }
            Entry::Vacant(new) => {
                new.insert(change);
            }
        }
    }
    let mut changes: Vec<Change<'r>> = dirs.into_values().chain(alone).collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

/// A line of the list.
struct Row {
    look: Look,
    what: String,
    why: String,
}

/// Prints lines, with their reasons below each other, at least `width` columns from the beginning.
fn rows(rows: &[Row], width: usize, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let width = rows.iter().map(|row| columns(&row.what)).chain([width]).max().unwrap_or(0).min(MOST_COLUMNS);
    for Row { look, what, why } in rows {
        let gap = " ".repeat(width.saturating_sub(columns(what)) + 2);
        writeln!(out, "{}{gap}{why}", paint(&format!("{} {what}", look.sign), Some(look.colour), detail))?;
    }
    Ok(())
}

/// A longer path moves its reason to the right.
const MOST_COLUMNS: usize = 60;

fn row(line: &Folded<'_, Change<'_>>) -> Row {
    match line {
        Folded::One(change) => match &change.action {
            Some(action) => {
                let why = change.trouble.clone().unwrap_or_else(|| why(action));
                Row { look: change.look, what: shown(action), why }
            }
            None => Row { look: change.look, what: format!("{}/", change.path), why: counted(&[change]) },
        },
        Folded::Many { dir, below, changes } => {
            let star = if *below { "" } else { "*" };
            Row { look: changes[0].look, what: format!("{dir}/{star}"), why: counted(changes) }
        }
    }
}

/// Says how many changes of one kind there are: `new: 1,204 files and 2 folders, 3.1 GiB`.
fn counted(changes: &[&Change<'_>]) -> String {
    let [files, dirs] = changes.iter().fold([0, 0], |sum, one| [sum[0] + one.files, sum[1] + one.dirs]);
    let of = |n: usize, one: &str| {
        (n > 0).then(|| format!("{} {one}{}", grouped(n), if n == 1 { "" } else { "s" }))
    };
    let what = [of(files, "file"), of(dirs, "folder")];
    let what = what.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let first = changes[0];
    if let Some(trouble) = &first.trouble {
        // Their reasons may be as many as they are.
        let same = changes.iter().all(|change| change.trouble.as_ref() == Some(trouble));
        return if same { format!("{what} {trouble}") } else { format!("{what} with errors") };
    }
    let bytes = changes.iter().map(|change| change.bytes).fold(0, u64::saturating_add);
    match first.look.counted {
        (word, true) => format!("{word}: {what}, {}", human_bytes(bytes)),
        (word, false) => format!("{word}: {what}"),
    }
}

/// What is kept or left out, by its path, or by the reason where there is much of it.
fn left_alone(all: &[(&RelPath, String)], detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    if detail.all || all.len() <= MOST_LINES {
        for (path, why) in all {
            writeln!(out, "= {path}  {why}")?;
        }
        return Ok(());
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    for (_, why) in all {
        *counts.entry(why).or_default() += 1;
    }
    for (why, n) in counts {
        writeln!(out, "= {} paths  {why}", grouped(n))?;
    }
    Ok(())
}

/// Returns what an action is about: a path, or two.
fn shown(action: &Action) -> String {
    let slash = if action.entry().is_dir() { "/" } else { "" };
    match action.target() {
        Some(target) => format!("{} -> {target}", action.path),
        None => format!("{}{slash}", action.path),
    }
}

/// How a kind of change is shown.
#[derive(Clone, Copy)]
struct Look {
    sign: char,
    colour: Colour,
    /// What has a lower one comes first where changes are counted.
    rank: u8,
    /// What many of them are called, and whether their bytes count.
    counted: (&'static str, bool),
}

const TROUBLE: Look = Look { sign: '!', colour: Colour::BoldRed, rank: 0, counted: ("", false) };

fn look(deed: Deed) -> Look {
    let (sign, colour, rank, counted) = match deed {
        Deed::Delete | Deed::DeleteDir => ('-', Colour::Red, 1, ("only at the destination", false)),
        Deed::CreateDir | Deed::Copy => ('+', Colour::Green, 2, ("new", true)),
        Deed::Replace => ('~', Colour::Yellow, 2, ("changed", true)),
        Deed::Rename => ('>', Colour::Cyan, 2, ("renamed", false)),
        Deed::Touch => ('@', Colour::Cyan, 2, ("another time", false)),
        Deed::Chmod => ('%', Colour::Cyan, 2, ("other permissions", false)),
    };
    Look { sign, colour, rank, counted }
}

/// As terminals know them (ECMA-48, SGR).
#[derive(Clone, Copy)]
enum Colour {
    BoldRed,
    Red,
    Green,
    Yellow,
    Cyan,
}

fn paint(text: &str, colour: Option<Colour>, detail: Detail) -> String {
    let Some(colour) = colour.filter(|_| detail.colour) else { return text.to_owned() };
    let code = match colour {
        Colour::BoldRed => "1;31",
        Colour::Red => "31",
        Colour::Green => "32",
        Colour::Yellow => "33",
        Colour::Cyan => "36",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

fn plural(deed: Deed, count: usize) -> &'static str {
    match (deed, count) {
        (Deed::CreateDir, 1) => "folder created",
        (Deed::CreateDir, _) => "folders created",
        (Deed::Copy, 1) => "new file",
        (Deed::Copy, _) => "new files",
        (Deed::Replace, _) => "replaced",
        (Deed::Rename, _) => "renamed",
        (Deed::Touch, 1) => "time set",
        (Deed::Touch, _) => "times set",
        (Deed::Chmod, _) => "permissions set",
        (Deed::Delete, _) => "deleted",
        (Deed::DeleteDir, 1) => "folder removed",
        (Deed::DeleteDir, _) => "folders removed",
    }
}
