//! A plan for several machines: cut into parts that are carried out one by one, or side by side.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use oneway::execute::{Held, Outcome};
use oneway::plan::{Action, Deed, Part, Plan, cut};
use oneway::planfile::{Header, Manifest, Outcomes, PlanId};
use oneway::pool::SessionCount;
use oneway::report::{Mode, Report, human_bytes};

use crate::args::{ApplyArgs, SyncArgs};
use crate::commands::lock;
use crate::commands::plan::chosen::chosen;
use crate::commands::plan::dir::PlanDir;
use crate::commands::plan::new_dir::NewDir;
use crate::commands::plan::{changes, say_where, sync_args};
use crate::commands::reports::Reports;
use crate::commands::sync::{self, Mirrored, PartOf, Task, Work};
use crate::exit::{self, UsageError};
use crate::history::record::Closing;
use crate::ui::say::complain;
use crate::values::Sessions;

/// Options that several machines can't obey together, and why.
pub(super) fn refuse_what_cant_be_shared(args: &SyncArgs) -> anyhow::Result<()> {
    for (is_given, why) in [
        (
            args.remote_lock,
            "--remote-lock lets one run at a time to the server, so that the shares would keep each other out; leave it out",
        ),
        (
            args.remote_state,
            "--remote-state is one file on the server, which all shares would write at once; leave it out, and `oneway plan merge` \
             remembers what they did on the machine where it runs",
        ),
    ] {
        if is_given {
            return Err(UsageError(format!("--shards: {why}")).into());
        }
    }
    Ok(())
}

/// Writes a plan for several machines, and returns what a person should know of it.
pub(super) fn keep(
    dir: NewDir,
    header: &Header,
    plan: Plan,
    shards: NonZeroU32,
    args: &SyncArgs,
) -> anyhow::Result<String> {
    let all = changes(plan.actions.len());
    let (scanned, unchanged) = (plan.scanned, plan.unchanged);
    let spill = sync::spill(args);
    let parts = cut(&plan.actions, shards, args.delay_updates, &spill)?;
    drop(plan);
    let sessions = args.connection.sessions.0;
    let each = share_of(sessions, shards);
    let at_once = at_once(sessions, shards);
    let shares = &parts.sizes()[1..=shards.get() as usize];
    let largest = shares.iter().max_by_key(|size| (size.bytes, size.actions)).copied().unwrap_or_default();
    let manifest = Manifest {
        program: header.program.clone(),
        made: header.made,
        source: header.source.clone(),
        destination: header.destination.clone(),
        options: header.options.clone(),
        id: plan_id(),
        shards,
        sessions,
        sessions_each: each,
        at_once,
        scanned,
        unchanged,
        parts: Vec::new(),
    };
    let shown = dir.path().display().to_string();
    dir.finish(header, manifest, &parts, &spill)?;
    let sessions = if each == 1 { "1 session".to_owned() } else { format!("{each} sessions") };
    Ok(format!(
        "{all} in {shown}, in {shards} shares, the largest of {} and {}; each has {sessions}; `oneway apply {shown} --stage first` \
         begins, --shard 1 to {shards} follow, {at_once} of them at once, then --stage last",
        changes(largest.actions),
        human_bytes(largest.bytes)
    ))
}

/// Chance: of the clock, the process, and of what the system gives out for hash tables.
fn plan_id() -> PlanId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&Utc::now().timestamp_nanos_opt().unwrap_or_default().to_le_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    for _ in 0..4 {
        hasher.update(&RandomState::new().hash_one(0).to_le_bytes());
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    PlanId(id)
}

/// Returns how many sessions one of so many shares has, of those that all have together.
fn share_of(sessions: Option<usize>, shards: NonZeroU32) -> usize {
    let all = sessions.unwrap_or(SessionCount::AUTO.most);
    (all / shards.get() as usize).max(1)
}

/// Returns how many shares may be carried out at once.
fn at_once(sessions: Option<usize>, shards: NonZeroU32) -> usize {
    let all = sessions.unwrap_or(SessionCount::AUTO.most);
    (all / share_of(sessions, shards)).min(shards.get() as usize)
}

/// Carries out a plan for several machines, or a part of it.
pub(super) fn apply(args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    let dir = PlanDir::open(&args.file)?;
    let shards = dir.manifest.shards;
    let chosen = chosen(args, shards, |name| std::env::var_os(name)).map_err(UsageError)?;
    for name in ["state", "no-state"] {
        if args.given.options.contains_key(name) {
            let text =
                format!("--{name}: what parts remember is in {}; say it to `oneway plan merge`", dir.shown());
            return Err(UsageError(text).into());
        }
    }
    let Manifest { source, destination, options, made, .. } = &dir.manifest;
    let of_part = |part: Option<Part>| {
        let read = sync_args([source, destination], options, &args.given);
        read.map(|args| with_share(args, part.filter(|_| chosen.is_some()), &dir))
            .map_err(|text| UsageError(format!("{}: {text}", dir.shown())))
    };
    let common = of_part(None)?;
    let quiet = common.show.quiet;
    let pages = Reports::of_one(&common);
    if let Some(page) = pages.first().filter(|_| chosen.is_none() && !common.dry_run) {
        let text = format!(
            "{}: each part has a report, and they can't stand in one file but as text or json; `oneway plan merge` makes one of all",
            page.display()
        );
        return Err(UsageError(text).into());
    }
    if !quiet {
        say_where([source, destination], made);
    }
    let mode = if common.dry_run { Mode::DryRun } else { Mode::Sync };
    sync::logged(&common, mode, || {
        let parts: Vec<Part> = match chosen {
            Some(part) => vec![part],
            None if mode == Mode::DryRun => return all_dry(&dir, &common),
            None => left(&dir)?,
        };
        if parts.is_empty() {
            return nothing_to_do(&common, mode, &dir, Part::all(shards), &HashSet::new());
        }
        let started = Instant::now();
        let mut begun = HashSet::new();
        let mut worst = 0;
        for part in parts {
            if part == Part::Last && worst != 0 {
                complain!("error: stage last was not begun, since something before it failed");
                break;
            }
            if !quiet && chosen.is_none() {
                complain!("note: {}", part.title(shards));
            }
            let mut args = of_part(Some(part))?;
            if let Some(time) = args.max_duration.as_mut() {
                // It is that of all parts together; the next one stops at once where nothing is left of it.
                *time = time.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
            }
            let files = Reports::files(&args);
            let (status, stopped) =
                Applying { dir: &dir, part, args, mode, alone: chosen.is_none() }.apply(&begun)?;
            begun.extend(files);
            worst = exit::worse(worst, status);
            // What of one share fails keeps no other from being done.
            let may_go_on = status == exit::INCOMPLETE && matches!(part, Part::Shard(_)) && !stopped;
            if status != 0 && !may_go_on {
                break;
            }
        }
        Ok(worst)
    })
}

/// Returns the options of a part: a share has its share of what all may have together.
fn with_share(mut args: SyncArgs, part: Option<Part>, dir: &PlanDir) -> SyncArgs {
    let shards = dir.manifest.shards;
    if let Some(Part::Shard(_)) = part {
        args.connection.sessions = Sessions(Some(share_of(args.connection.sessions.0, shards)));
        let rate = args.bwlimit.map(|rate| rate.get() / u64::from(shards.get()));
        args.bwlimit = rate.map(|rate| NonZeroU64::new(rate).unwrap_or(NonZeroU64::MIN));
    }
    args
}

/// Returns the parts that have something left to do.
fn left(dir: &PlanDir) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for part in Part::all(dir.manifest.shards) {
        if dir.left(part)? > 0 {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// Says what all of the plan would do that isn't done yet.
fn all_dry(dir: &PlanDir, args: &SyncArgs) -> anyhow::Result<u8> {
    let mut all = Vec::new();
    for part in Part::all(dir.manifest.shards) {
        if dir.manifest.delays_updates() && matches!(part, Part::Shard(_)) {
            // What it sends comes last once more.
            continue;
        }
        let actions = dir.actions(part)?;
        all.extend(match dir.outcomes(part, &actions)? {
            Some(outcomes) => outcomes.left_of(actions),
            None => actions,
        });
    }
    let mut plan = Plan { actions: all.into(), ..Plan::default() };
    plan.sort();
    let begun = HashSet::new();
    let apart = [dir.path().to_owned()];
    let task = Task { apart: &apart, ..Task::of(args, Mode::DryRun, &begun, Work::Apply(plan, None)) };
    Ok(sync::mirror(task)?.status)
}

fn nothing_to_do(
    args: &SyncArgs,
    mode: Mode,
    dir: &PlanDir,
    parts: impl Iterator<Item = Part>,
    begun: &HashSet<PathBuf>,
) -> anyhow::Result<u8> {
    let Manifest { source, destination, .. } = &dir.manifest;
    let [source, destination] = [source, destination].map(|place| oneway::model::escape(place.as_bytes()));
    let mut report = Report { early: None, ..Report::of_nothing(mode, &source, &destination, 0) };
    let actions = parts.filter_map(|part| Some(dir.manifest.part(part)?.actions)).sum();
    report.plan = Plan { scanned: actions, unchanged: actions, ..Plan::default() };
    Ok(sync::publish(&report, Reports::open(args, begun)?))
}

/// A part that is carried out.
struct Applying<'a> {
    dir: &'a PlanDir,
    part: Part,
    args: SyncArgs,
    mode: Mode,
    /// No other part is meant to be carried out meanwhile.
    alone: bool,
}

impl Applying<'_> {
    /// Does what is left of it, and returns the exit status, and whether somebody stopped it.
    fn apply(mut self, begun: &HashSet<PathBuf>) -> anyhow::Result<(u8, bool)> {
        let Self { dir, part, mode, .. } = self;
        let shards = dir.manifest.shards;
        if mode == Mode::Sync {
            dir.make_room()?;
        }
        let lock =
            (mode == Mode::Sync).then(|| lock::of_part(&dir.lock(part), &part.title(shards))).transpose();
        let _lock = match lock {
            Ok(lock) => lock,
            Err(busy) => {
                complain!("error: {busy}");
                return Ok((exit::BUSY, false));
            }
        };
        if let Some(why) = self.comes_too_early()? {
            complain!("error: refused: {why}");
            return Ok((exit::REFUSED, false));
        }
        if dir.left(part)? == 0 {
            let status = nothing_to_do(&self.args, mode, dir, [part].into_iter(), begun)?;
            return Ok((status, false));
        }
        let actions = dir.actions(part)?;
        let former = match dir.outcomes(part, &actions)? {
            None if part == Part::Last => self.vanished(&actions)?,
            former => former,
        };
        let left = former.as_ref().map_or_else(|| actions.clone(), |former| former.left_of(actions.clone()));
        self.say_share();
        let args = &mut self.args;
        args.state = (!args.no_state).then(|| dir.receipts(part));
        let args = &self.args;
        let is_share = matches!(part, Part::Shard(_));
        let place = PartOf {
            name: part.name(),
            owner: dir.manifest.id.owner(part),
            beside: is_share.then(|| dir.manifest.id.text()),
            only_sends: is_share && dir.manifest.delays_updates(),
            held: self.held(former.as_ref())?.into_iter().map(Arc::new).collect(),
        };
        let plan = Plan { actions: left.into(), ..Plan::default() };
        let apart = [dir.path().to_owned()];
        let task =
            Task { apart: &apart, part: Some(place), ..Task::of(args, mode, begun, Work::Apply(plan, None)) };
        let at = Utc::now();
        let Mirrored { report, mut status, .. } = sync::mirror(task)?;
        if mode == Mode::Sync && report.early.is_none() {
            let outcomes = Outcomes::of_try(&actions, former, &report, (at, Utc::now()));
            if let Err(e) = dir.keep_outcomes(part, &actions, &outcomes) {
                complain!("error: {e:#}");
                status = exit::worse(status, exit::INCOMPLETE);
            }
        }
        let metrics_file = args.metrics_file.as_deref();
        let closing = Closing { report: &report, status, more: &[], metrics_file };
        Ok((closing.close(None, None), report.stopped.is_some()))
    }

    /// Returns what became of the files of the last part that were no more when a share came to them: there is nothing left to do about
    /// them. `None` where there are none.
    fn vanished(&self, actions: &[Action]) -> anyhow::Result<Option<Outcomes>> {
        let mut vanished = HashMap::new();
        for (sent, outcomes) in self.shares()? {
            let of = sent.into_iter().zip(outcomes.of).filter(|(_, outcome)| outcome.vanished);
            vanished.extend(of.map(|(action, outcome)| (action.path, outcome)));
        }
        if vanished.is_empty() {
            return Ok(None);
        }
        let of = actions.iter().map(|action| match vanished.get(&action.path) {
            Some(outcome) if matches!(action.deed, Deed::Copy | Deed::Replace) => outcome.clone(),
            _ => Outcome::untried("not reached"),
        });
        let now = Utc::now();
        Ok(Some(Outcomes {
            began: now,
            ended: now,
            notes: Vec::new(),
            of: of.collect(),
            refused: BTreeSet::new(),
        }))
    }

    /// Returns the actions of the shares that send what comes last, and what became of them; none where these do all there is to do.
    fn shares(&self) -> anyhow::Result<Vec<(Vec<Action>, Outcomes)>> {
        let mut shares = Vec::new();
        if !self.dir.manifest.delays_updates() {
            return Ok(shares);
        }
        for share in Part::all(self.dir.manifest.shards).filter(|part| matches!(part, Part::Shard(_))) {
            let actions = self.dir.actions(share)?;
            if let Some(outcomes) = self.dir.outcomes(share, &actions)? {
                shares.push((actions, outcomes));
            }
        }
        Ok(shares)
    }

    /// Returns the files that are there under temporary names, and wait for this part or are its own.
    fn held(&self, former: Option<&Outcomes>) -> anyhow::Result<Vec<Held>> {
        let Self { dir, part, .. } = self;
        match part {
            _ if !dir.manifest.delays_updates() => Ok(Vec::new()),
            Part::First => Ok(Vec::new()),
            Part::Shard(_) => Ok(former.into_iter().flat_map(Outcomes::held).collect()),
            Part::Last => Ok(self.shares()?.iter().flat_map(|(_, outcomes)| outcomes.held()).collect()),
        }
    }

    /// Returns why it can't be done yet; `None` when it can.
    fn comes_too_early(&self) -> anyhow::Result<Option<String>> {
        let Self { dir, part, .. } = self;
        let shards = dir.manifest.shards;
        let mut missing = Vec::new();
        for before in Part::all(shards).filter(|&before| part.comes_after(before)) {
            if dir.left(before)? > 0 {
                missing.push(before);
            }
        }
        let Some(first) = missing.first() else { return Ok(None) };
        let more = match missing.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let option = match first {
            Part::First => "--stage first".to_owned(),
            Part::Last => "--stage last".to_owned(),
            Part::Shard(number) => format!("--shard {number}"),
        };
        Ok(Some(format!(
            "{} comes after {}{more}, of which not all is done; `oneway apply {} {option}` does it",
            part.title(shards),
            first.title(shards),
            dir.shown()
        )))
    }

    /// Says what of it this share has of what was said for all.
    fn say_share(&self) {
        let Self { dir, part, args, alone, .. } = self;
        if *alone || args.show.quiet || !matches!(part, Part::Shard(_)) {
            return;
        }
        let sessions = match args.connection.sessions.0 {
            Some(1) | None => "1 session".to_owned(),
            Some(n) => format!("{n} sessions"),
        };
        complain!(
            "note: {} has {sessions} of those for all shares together",
            part.title(dir.manifest.shards)
        );
    }
}
