//! What decided about a path, in sentences. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::Duration;

use crate::compare::{Basis, Case, Finding, Times, deciding as deciding_rule};
use crate::filter::{IgnoreFiles, deciding};
use crate::model::{Entry, Kind, Likeness, Mtime, Precision, RelPath, Seen as Then, Zone, escape};
use crate::plan::{Action, CARRIED_BITS, Deed, LeftOut, Presence};
use crate::report::{grouped, human_bytes, human_time, why};
use crate::run::explain::{Decided, Explanation, LeftAlone, Seen, Witness};

/// The names of the sides.
const SIDES: [&str; 2] = ["source", "destination"];

pub(super) fn tell(witness: &Witness<'_>, decided: &Decided<'_>) -> Explanation {
    let actions = actions_of(witness.path, decided);
    let doubts = decided.trees.map(|tree| tree.doubt(witness.path));
    let is_unseen = witness.entries().iter().all(Option::is_none);
    let is_absent =
        is_unseen && doubts.iter().all(Option::is_none) && actions.is_empty() && witness.why.is_none();
    let conclusion = match &actions[..] {
        [] => nothing(witness, decided, is_unseen),
        actions => {
            actions.iter().map(|action| deed(action, witness.path)).collect::<Vec<_>>().join("; then ")
        }
    };
    let mut facts = Vec::new();
    for (i, seen) in witness.sides.iter().enumerate() {
        let mode =
            seen.entry.as_ref().and_then(|entry| entry.mode).filter(|_| witness.options.carry_permissions);
        let mode = mode.map_or_else(String::new, |mode| format!(", permissions {:03o}", mode & CARRIED_BITS));
        facts.push((SIDES[i], side(seen, witness.listed(decided, i)) + &mode));
    }
    facts.push(("filter", filter(witness)));
    if let Some((compared, tolerance)) = compared(witness, decided) {
        facts.push(("compared", compared));
        facts.extend(tolerance.map(|text| ("tolerance", text)));
    }
    facts.extend(receipt(witness, decided).map(|text| ("receipt", text)));
    for (i, seen) in witness.sides.iter().enumerate() {
        facts.push(("listing", proof(witness, decided, seen, i)));
    }
    facts.extend(below(witness.path, decided).map(|text| ("below", text)));
    facts.push((
        "guards",
        decided.refusal.map_or_else(
            || "none refuses the run".to_owned(),
            |refusal| format!("the whole run would be refused: {refusal}"),
        ),
    ));
    Explanation {
        path: witness.path.clone(),
        deeds: actions.iter().map(|action| action.deed).collect(),
        reason: actions.first().map(|action| action.reason),
        conclusion,
        facts,
        is_absent,
    }
}

fn actions_of<'d>(path: &RelPath, decided: &Decided<'d>) -> Vec<Cow<'d, Action>> {
    let is_of = |action: &Cow<'_, Action>| action.path == *path || action.target() == Some(path);
    decided.plan.actions.iter().filter(is_of).collect()
}

fn deed(action: &Action, path: &RelPath) -> String {
    if let Some(obstacle) = &action.obstacle {
        return format!("it can't be mirrored, and the run would fail here: {obstacle}");
    }
    let why = why(action);
    match action.deed {
        Deed::CreateDir => format!("the directory is made at the destination: {why}"),
        Deed::Copy => format!("it is sent: {why}"),
        Deed::Replace => format!("it is sent again, over what the destination has: {why}"),
        Deed::Rename if action.path == *path => {
            format!("it is renamed at the destination to `{}`: {why}", action.entry().path)
        }
        Deed::Rename => format!("`{}` is renamed to this at the destination: {why}", action.path),
        Deed::Touch => format!("it gets the time of the source: {why}"),
        Deed::Chmod => format!("it gets the permissions of the source: {why}"),
        Deed::Delete => format!("it is deleted at the destination: {why}"),
        Deed::DeleteDir => format!("the directory is removed at the destination: {why}"),
    }
}

/// Says why nothing is done.
fn nothing(witness: &Witness<'_>, decided: &Decided<'_>, is_unseen: bool) -> String {
    let (path, options) = (witness.path, witness.options);
    match &witness.why {
        Some(LeftAlone::Own) => {
            return "it is left alone: it is one of the files that oneway has for itself".to_owned();
        }
        Some(LeftAlone::Rule { about, pattern, origin }) => {
            let about = if about == path { String::new() } else { format!(", which is about `{about}/`") };
            let origin = if origin.is_empty() { "a rule" } else { origin };
            return format!("it is left alone on both sides, by {origin}: `{pattern}`{about}");
        }
        Some(LeftAlone::Rules) => {
            return "it is not mirrored itself: it holds rules of the filter".to_owned();
        }
        Some(LeftAlone::Limits) => {
            return "it is left alone on both sides, by its size or age on one of them".to_owned();
        }
        None => {}
    }
    if let Some(why) = &witness.sides[0].unfollowed {
        return format!(
            "it stays as the destination has it, since what the source has could not be followed: {why}"
        );
    }
    if is_unseen {
        let doubt = decided.trees.iter().find_map(|tree| tree.doubt(path));
        return doubt.map_or_else(
            || "neither side has it".to_owned(),
            |(dir, _)| format!("neither side shows it, and the listing of `{dir}` is not proven"),
        );
    }
    let plan = decided.plan;
    if let Some(spared) = plan.spared.iter().find(|spared| spared.path == *path) {
        return format!("it is kept at the destination: {}", spared.why);
    }
    if let Some(skipped) = plan.skipped.iter().find(|skipped| path.is_within(&skipped.path)) {
        return format!("it is left out: {}", left_out(path, &skipped.path, skipped.why));
    }
    let blocked =
        plan.actions.iter().find(|action| action.obstacle.is_some() && path.is_within(&action.path));
    if let Some(Action { path: above, obstacle: Some(obstacle), .. }) = blocked.as_deref() {
        return format!("it is left alone with `{above}`, which can't be mirrored: {obstacle}");
    }
    if options.compare.basis == Basis::Adopt {
        return "it stays as it is: --adopt transfers nothing".to_owned();
    }
    match witness.entries() {
        [Some(_), None] if options.presence == Presence::OnlyExisting => {
            "it is not sent: --existing sends only what the destination has already".to_owned()
        }
        [Some(_), None] => "it is not sent: the run left it out".to_owned(),
        [None, Some(_)] if !options.delete => {
            "it stays: only the destination has it, and --delete was not asked for".to_owned()
        }
        [None, Some(_)] => {
            "it stays: only the destination has it, and it is left alone with what it is in".to_owned()
        }
        [Some(source), Some(destination)] => same(witness, decided, source, destination),
        [None, None] => "neither side has it".to_owned(),
    }
}

/// Says why what both sides have stays as it is.
fn same(witness: &Witness<'_>, decided: &Decided<'_>, source: &Entry, destination: &Entry) -> String {
    if source.kind != Kind::File || destination.kind != Kind::File {
        return "it stays as it is: both sides have it".to_owned();
    }
    let case = Case::new(source, destination, decided.evidence);
    let differs = matches!(deciding_rule(&case, decided.compare), Some((_, Finding::Differs(_))));
    match (differs, witness.options.presence) {
        (true, Presence::OnlyNew) => {
            "it stays as it is: --ignore-existing sends only what the destination lacks"
        }
        (true, _) if decided.compare.update => "it stays as it is: --update, and the destination's is newer",
        (true, _) => "it stays as it is, though the two differ: the run left it out",
        (false, _) => "it stays as it is: the same on both sides",
    }
    .to_owned()
}

fn left_out(path: &RelPath, skipped: &RelPath, why: LeftOut) -> String {
    if path == skipped { why.as_str().to_owned() } else { format!("`{skipped}` is {}", why.as_str()) }
}

/// Says what one side has, and how that is known.
fn side(seen: &Seen, listed: Option<Option<Mtime>>) -> String {
    let Some(entry) = &seen.entry else { return format!("nothing, on {}", seen.store) };
    let what = match (entry.kind, entry.size) {
        (Kind::File, Some(size)) if size < 1024 => format!("a file of {}", human_bytes(size)),
        (Kind::File, Some(size)) => {
            format!("a file of {} ({} bytes)", human_bytes(size), grouped(size as usize))
        }
        (Kind::File, None) => "a file of unknown size".to_owned(),
        (Kind::Dir, _) => return "a directory".to_owned(),
        (Kind::Symlink, _) => match &entry.target {
            Some(target) => return format!("a symbolic link to `{}`", escape(target)),
            None => return "a symbolic link".to_owned(),
        },
        (Kind::Other, _) => return "a device or another special file".to_owned(),
    };
    let Some(mtime) = entry.mtime else { return format!("{what}, of unknown time") };
    let told = match listed {
        Some(Some(listed)) => {
            format!("by MDTM, where the listing says {} {}", human_time(&listed), zone(&listed))
        }
        Some(None) => "by MDTM, where the listing says nothing".to_owned(),
        None if seen.is_remote => "by the listing".to_owned(),
        None => "by the disk".to_owned(),
    };
    let zone = if mtime.precision == Precision::Day { String::new() } else { format!(" {}", zone(&mtime)) };
    format!("{what}, {}{zone}, to the {}, {told}", human_time(&mtime), mtime.precision.as_str())
}

fn zone(mtime: &Mtime) -> String {
    match mtime.zone {
        Zone::Utc => "UTC".to_owned(),
        Zone::Unknown => "of an unknown zone".to_owned(),
        Zone::Local(offset) => format!("UTC (told in {})", offset.as_text()),
    }
}

fn filter(witness: &Witness<'_>) -> String {
    if let Some(LeftAlone::Rule { about, pattern, origin }) = &witness.why {
        return format!("{origin}: `{pattern}` leaves `{about}` alone");
    }
    let is_dir = witness.entries().into_iter().flatten().next().map_or(witness.is_dir, Entry::is_dir);
    match deciding(&witness.options.filter, &IgnoreFiles::default(), witness.path, is_dir) {
        Some((_, decision)) => format!("{}: `{}` mirrors it", decision.origin, decision.pattern),
        None => "no rule leaves it alone".to_owned(),
    }
}

/// Says which rule compared two files and what it found, and within what bounds times are the same; `None` where there was nothing to compare.
fn compared(witness: &Witness<'_>, decided: &Decided<'_>) -> Option<(String, Option<String>)> {
    let [Some(source), Some(destination)] = witness.entries() else { return None };
    if witness.why.is_some() || source.kind != Kind::File || destination.kind != Kind::File {
        return None;
    }
    let (case, options) = (Case::new(source, destination, decided.evidence), decided.compare);
    let gap = source.mtime.zip(destination.mtime).map(|(source, destination)| source.gap(&destination));
    let (rule, finding) = match deciding_rule(&case, options) {
        Some((rule, finding)) => (rule.name(), finding),
        None => ("", Finding::Open),
    };
    let differs = matches!(finding, Finding::Differs(_));
    let apart = |gap: Duration| {
        let seconds = grouped(gap.num_seconds().unsigned_abs() as usize);
        format!("the {}'s time is {seconds} s later", SIDES[usize::from(gap < Duration::zero())])
    };
    let text = match (rule, differs) {
        ("forced", _) => "not at all: --compare always sends each file".to_owned(),
        ("content", true) => "by content: not the same".to_owned(),
        ("content", false) => "by content: the same, by checksum or by what is remembered of it".to_owned(),
        ("receipt", true) => "by the receipt: one side is not as it was when both were the same".to_owned(),
        ("receipt", false) => {
            "by the receipt: both sides are as they were when they were the same".to_owned()
        }
        ("size", true) => "by size: not the same".to_owned(),
        ("size", false) => "by size alone, as asked for: the same".to_owned(),
        ("time", _) => match gap.filter(|gap| !gap.is_zero()) {
            Some(gap) => format!("by size, which is the same, then by time: {}", apart(gap)),
            None => "by size and time: the same".to_owned(),
        },
        _ => "by size, which is the same; a time that one side doesn't tell is not compared".to_owned(),
    };
    let tolerance =
        gap.filter(|_| matches!(rule, "time" | "")).map(|_| tolerance(source, destination, decided));
    Some((text, tolerance))
}

fn tolerance(source: &Entry, destination: &Entry, decided: &Decided<'_>) -> String {
    let coarser =
        source.mtime.zip(destination.mtime).map(|(s, d)| s.coarser(&d)).unwrap_or(Precision::Second);
    let mut text = format!("times of the same {} are the same", coarser.as_str());
    let window = decided.compare.window;
    if !window.is_zero() {
        text += &format!(
            ", or {} ms apart by --modify-window",
            grouped(window.num_milliseconds().max(0) as usize)
        );
    }
    if decided.compare.times == Times::NotOlder {
        text += "; the destination can't keep times, so only a newer source differs";
    }
    text
}

/// Says what is remembered of a file; `None` of what is none.
fn receipt(witness: &Witness<'_>, decided: &Decided<'_>) -> Option<String> {
    let [source, destination] = witness.entries();
    let Some(receipt) = decided.evidence.receipts.get(witness.path) else {
        let is_file = [source, destination].iter().flatten().any(|entry| entry.kind == Kind::File);
        let none = match witness.options.state {
            Some(_) => "none: nothing is remembered of it",
            None => "none: nothing is remembered (--no-state)",
        };
        return is_file.then(|| none.to_owned());
    };
    let mut text = format!(
        "when both were the same, the source {}; the destination {}",
        then(&receipt.source, source),
        then(&receipt.destination, destination)
    );
    if !receipt.is_certain() {
        text += "; of its content nobody is sure";
    }
    if receipt.undated {
        text += "; the destination didn't take the source's time";
    }
    Some(text)
}

/// Says what a side was like then, and whether it still is.
fn then(then: &Then, now: Option<&Entry>) -> String {
    let time =
        then.exact.or(then.listed).map_or_else(String::new, |mtime| format!(", {}", human_time(&mtime)));
    let still = match now.map(|now| then.compare(now)) {
        None => "is gone",
        Some(Likeness::Same) => "is as it was",
        Some(Likeness::Changed) => "has changed",
        Some(Likeness::Unsure) => "may have changed",
    };
    format!("was {}{time} and {still}", human_bytes(then.size))
}

fn proof(witness: &Witness<'_>, decided: &Decided<'_>, seen: &Seen, side: usize) -> String {
    let (path, tree, name) = (witness.path, decided.trees[side], SIDES[side]);
    if let Some((dir, doubt)) = tree.doubt(path) {
        return format!("{name}: that of `{dir}` is not proven, so nothing is deleted below it: {}", doubt.0);
    }
    let is_dir = seen.entry.as_ref().is_some_and(Entry::is_dir);
    let dir = if is_dir { path.clone() } else { path.parent().unwrap_or_else(RelPath::root) };
    let shown = if dir.is_root() { "the root".to_owned() } else { format!("`{dir}`") };
    if matches!(&witness.why, Some(LeftAlone::Rule { about, .. }) if dir.is_within(about) || *about == dir) {
        return format!("{name}: {shown} is not listed, since it is left alone");
    }
    if !dir.is_root() && tree.get(&dir).is_none() {
        return format!("{name}: {shown} isn't there, which the proven listing above it shows");
    }
    if tree.may_hide(path) {
        return format!("{name}: that of {shown} may leave out names that begin with a dot");
    }
    if tree.may_be_closed(path) {
        return format!("{name}: that of {shown} is empty, as that of a directory is which can't be read");
    }
    format!("{name}: that of {shown} is proven whole")
}

/// Says what is done below a directory; `None` where nothing is.
fn below(path: &RelPath, decided: &Decided<'_>) -> Option<String> {
    let mut counts: BTreeMap<Deed, usize> = BTreeMap::new();
    for action in &decided.plan.actions {
        if action.path != *path && action.path.is_within(path) {
            *counts.entry(action.deed).or_default() += 1;
        }
    }
    let all: Vec<String> =
        counts.into_iter().map(|(deed, count)| format!("{} {}", grouped(count), deed.as_str())).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
