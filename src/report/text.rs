//! Text for people: what differs, what failed, and one line that sums it up.

use std::io::{self, Write};

use crate::compare::Reason;
use crate::model::{Kind, Precision, escape};
use crate::plan::{Action, CARRIED_BITS, Deed};
use crate::report::{Detail, Format, Mode, Report, human_bytes};

/// One line a change, failures and warnings after them, the summary last.
pub(super) struct Text;

impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn write(&self, report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
        if report.mode != Mode::Sync || detail.verbose {
            self.changes(report, out)?;
        }
        if detail.verbose {
            for remark in &report.remarks {
                writeln!(out, "* {remark}")?;
            }
            for spared in &report.plan.spared {
                writeln!(out, "= {}  kept: {}", spared.path, spared.why)?;
            }
            for skipped in &report.plan.skipped {
                writeln!(out, "= {}  left out: {}", skipped.path, skipped.why.as_str())?;
            }
        }
        let dry = report.mode != Mode::Sync;
        let verb = if dry { "would change" } else { "changed" };
        let mut parts: Vec<String> =
            report.changes().map(|(deed, count)| format!("{count} {}", plural(deed, count))).collect();
        if parts.is_empty() {
            parts.push(if dry { "nothing differs" } else { "nothing to do" }.to_owned());
        } else {
            parts[0] = format!("{verb}: {}", parts[0]);
            parts.push(human_bytes(report.bytes()));
        }
        if report.failed() > 0 {
            parts.push(format!("{} failed", report.failed()));
        }
        parts.push(format!("{} unchanged", report.plan.unchanged));
        parts.push(format!("{:.1} s", report.seconds));
        let job = report.job.as_deref().map_or_else(String::new, |job| format!("{job}: "));
        writeln!(out, "{job}{}", parts.join(", "))
    }
}

impl Text {
    fn changes(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let width = report.plan.actions.iter().map(|action| shown(action).chars().count()).max();
        let width = width.unwrap_or(0).min(60);
        let mut actions: Vec<&Action> = report.plan.actions.iter().collect();
        actions.sort_by(|a, b| a.path.cmp(&b.path));
        for action in actions {
            let path = shown(action);
            let (sign, why) = match &action.obstacle {
                Some(obstacle) => ('!', format!("can't be done: {obstacle}")),
                None => (sign(action.deed), reason(action)),
            };
            writeln!(out, "{sign} {path:width$}  {why}")?;
        }
        Ok(())
    }
}

/// Returns what an action is about: a path, or two.
fn shown(action: &Action) -> String {
    let slash = if action.entry().is_dir() { "/" } else { "" };
    match action.target() {
        Some(target) => format!("{} -> {target}", action.path),
        None => format!("{}{slash}", action.path),
    }
}

fn sign(deed: Deed) -> char {
    match deed {
        Deed::CreateDir | Deed::Copy => '+',
        Deed::Replace => '~',
        Deed::Rename => '>',
        Deed::Touch => '@',
        Deed::Chmod => '%',
        Deed::Delete | Deed::DeleteDir => '-',
    }
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

fn reason(action: &Action) -> String {
    let (new, old) = (action.source.as_deref(), action.destination.as_deref());
    let size = |entry: Option<&crate::model::Entry>| {
        entry.and_then(|entry| entry.size).map_or_else(|| "unknown".to_owned(), human_bytes)
    };
    let time = |entry: Option<&crate::model::Entry>| {
        let Some(mtime) = entry.and_then(|entry| entry.mtime) else { return "unknown".to_owned() };
        let pattern = match mtime.precision {
            Precision::Second => "%Y-%m-%d %H:%M:%S",
            Precision::Minute => "%Y-%m-%d %H:%M",
            Precision::Day => "%Y-%m-%d",
        };
        // A day stays the one that was listed: in UTC it may begin the day before.
        let at = if mtime.precision == Precision::Day { mtime.as_listed() } else { mtime.at };
        at.format(pattern).to_string()
    };
    let target = |entry: Option<&crate::model::Entry>| {
        let target = entry.and_then(|entry| entry.target.as_deref());
        target.map_or_else(|| "somewhere unknown".to_owned(), |target| format!("`{}`", escape(target)))
    };
    let is_link = new.is_some_and(|new| new.kind == Kind::Symlink);
    match action.reason {
        Reason::Missing if is_link => format!("new, a link to {}", target(new)),
        Reason::Checksum if is_link => format!("a link to {} → {}", target(old), target(new)),
        Reason::Missing if action.entry().is_dir() => "new".to_owned(),
        Reason::Missing if action.deed == Deed::Rename => format!("same content, {}", size(new)),
        Reason::Missing => format!("new, {}", size(new)),
        Reason::Size => {
            let (from, to) = (size(old), size(new));
            // Where both look alike for people, the bytes tell them apart.
            let exact = |entry: Option<&crate::model::Entry>| entry.and_then(|entry| entry.size);
            match (exact(old), exact(new)) {
                (Some(a), Some(b)) if from == to => format!("size {a} → {b} bytes"),
                _ => format!("size {from} → {to}"),
            }
        }
        Reason::Time if action.deed == Deed::Touch => {
            format!("time {} → {}, same content", time(old), time(new))
        }
        Reason::Time => format!("time {} → {}", time(old), time(new)),
        Reason::Checksum => "another content of the same size".to_owned(),
        Reason::Kind => match old {
            Some(old) => format!("is a {} there", old.kind.as_str()),
            None => "takes the place of something else".to_owned(),
        },
        Reason::Forced if action.deed == Deed::Chmod => {
            let bits = |entry: Option<&crate::model::Entry>| {
                entry.and_then(|entry| entry.mode).unwrap_or_default() & CARRIED_BITS
            };
            format!("permissions {:03o} → {:03o}", bits(old), bits(new))
        }
        Reason::Forced => "asked for".to_owned(),
        Reason::Drift => {
            let exact = |entry: Option<&crate::model::Entry>| entry.and_then(|entry| entry.size);
            let what = if exact(old) == exact(new) {
                format!("time {}", time(old))
            } else {
                format!("size {}", size(old))
            };
            format!("drift: changed at the destination since it was sent, now {what}")
        }
        Reason::Extra => "only at the destination".to_owned(),
    }
}
