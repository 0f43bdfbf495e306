//! `oneway plan` and `oneway apply`.

mod chosen;
mod dir;
mod file;
mod merge;
mod new_dir;
mod parts;

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use oneway::config::{Effective, OptionKind, Origin, Setting, Settings};
use oneway::model::escape;
use oneway::planfile::{self, Header, OptionValue};
use oneway::report::{Mode, Report};

use crate::args::{ApplyArgs, MakeArgs, PlanArgs, ShardArg, SyncArgs, is_kept};
use crate::commands::plan::file::Draft;
use crate::commands::plan::new_dir::NewDir;
use crate::commands::sync::{self, Mirrored, Task, Work};
use crate::commands::{backup, connect};
use crate::exit::{self, UsageError};
use crate::jobs::options::Options;
use crate::ui::say::complain;

/// Makes a plan and keeps it, or makes one of the parts of one.
pub(crate) fn plan(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    match args {
        PlanArgs::Make(args) => make(args),
        PlanArgs::Merge(args) => merge::merge(args),
    }
}

/// Where a plan is going to be.
enum Target {
    File(Draft),
    Dir(NewDir),
}

fn make(args: &MakeArgs) -> anyhow::Result<ExitCode> {
    let MakeArgs { sync: sync_args, file, shards, given } = args;
    if sync_args.adopt {
        let text = "--adopt has nothing to plan, since it transfers nothing; `oneway sync --adopt` does it";
        return Err(UsageError(text.to_owned()).into());
    }
    if shards.is_some() {
        parts::refuse_what_cant_be_shared(sync_args)?;
    }
    let mut header = header(sync_args, given)?;
    let mut apart = vec![file.clone()];
    let target = match shards {
        Some(_) => Target::Dir(NewDir::begin(file)?),
        None => {
            let draft = Draft::begin(file)?;
            apart.push(draft.path().to_owned());
            Target::File(draft)
        }
    };
    let begun = HashSet::new();
    let found = match &target {
        Target::File(_) => None,
        Target::Dir(dir) => Some(dir.found()),
    };
    let task = Task { apart: &apart, ..Task::of(sync_args, Mode::DryRun, &begun, Work::Keep(found)) };
    sync::logged(sync_args, Mode::DryRun, || {
        let Mirrored { report, status, writes_latin_1, .. } = sync::mirror(task)?;
        if !is_whole(&report) {
            complain!("note: no plan was written");
            return Ok(status);
        }
        if writes_latin_1 && connect::place("SRC", &sync_args.source)?.is_local() {
            // An apply doesn't see as many names, and would take it for a server of UTF-8.
            let latin_1 = OptionValue::One("latin1".to_owned());
            header.options.entry("charset".to_owned()).or_insert(latin_1);
        }
        let shown = file.display();
        let changes = changes(report.plan.actions.len());
        let kept = match (target, shards) {
            (Target::Dir(dir), Some(shards)) => parts::keep(dir, &header, report.plan, *shards, sync_args),
            (Target::File(draft), _) => draft
                .finish(|out| planfile::write(&header, &report.plan, out))
                .map_err(Into::into)
                .map(|()| format!("{changes} in {shown}; `oneway apply {shown}` does that and nothing else")),
            (Target::Dir(_), None) => unreachable!("a directory is for shares"),
        };
        match kept {
            Ok(note) if !sync_args.show.quiet => complain!("note: {note}"),
            Ok(_) => {}
            Err(e) => {
                complain!("error: cannot write the plan to {shown}: {e:#}");
                return Ok(exit::worse(status, exit::INCOMPLETE));
            }
        }
        Ok(status)
    })
}

/// Carries out a plan that was kept.
pub(crate) fn apply(args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    if args.file.is_dir() {
        return parts::apply(args);
    }
    let shown = args.file.display();
    let wrong = |text: String| anyhow::Error::from(UsageError(format!("{shown}: {text}")));
    let shard = match (args.shard, args.stage) {
        (Some(ShardArg::Number(number)), _) => {
            return Err(wrong(format!(
                "of a plan in one file, a share is {number} of how many? write --shard {number}/N, or cut it by `oneway plan --shards`"
            )));
        }
        (_, Some(_)) => {
            let text = "--stage is for a plan in a directory, which `oneway plan --shards` makes";
            return Err(wrong(text.to_owned()));
        }
        (Some(ShardArg::Of(shard)), None) => Some(shard),
        (None, None) => None,
    };
    let file = file::open(&args.file).map_err(|e| UsageError(format!("cannot read {shown}: {e}")))?;
    let (header, plan) = planfile::read_from(&mut BufReader::new(file)).map_err(|e| wrong(e.to_string()))?;
    let Header { source, destination, options, made, .. } = &header;
    let sync_args = sync_args([source, destination], options, &args.given).map_err(wrong)?;
    if !sync_args.show.quiet {
        say_where([source, destination], made);
    }
    let begun = HashSet::new();
    let mode = if sync_args.dry_run { Mode::DryRun } else { Mode::Sync };
    let work = Work::Apply(plan, shard);
    let apart = std::slice::from_ref(&args.file);
    sync::alone(Task { apart, ..Task::of(&sync_args, mode, &begun, work) })
}

/// Returns what a kept plan is carried out with: its own options, and those that were typed.
fn sync_args(
    ends: [&str; 2],
    kept: &BTreeMap<String, OptionValue>,
    given: &Settings,
) -> Result<SyncArgs, String> {
    let options = Options::new();
    let recorded = settings(kept, &options)?;
    let layers = [(Origin::Job("plan".to_owned()), &recorded), (Origin::Flag, given)];
    let effective = Effective::of(&layers, &options.keys);
    let [source, destination] = ends.map(OsString::from);
    options.read(&effective, source, destination).map_err(|mismatch| mismatch.text)
}

/// Says where it goes: nobody typed that, and a password may go there.
fn say_where(ends: [&str; 2], made: &DateTime<Utc>) {
    let [source, destination] = ends.map(|end| escape(end.as_bytes()));
    complain!("note: from {source} to {destination}, as planned at {}", made.format("%Y-%m-%d %H:%M:%S UTC"));
}

/// Returns whether there is a plan that may be carried out.
fn is_whole(report: &Report) -> bool {
    report.early.is_none() && report.stopped.is_none() && report.refusal.is_none()
}

fn changes(number: usize) -> String {
    match number {
        0 => "nothing to do".to_owned(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    }
}

/// Says what the plan is of, wherever it will be carried out.
fn header(args: &SyncArgs, given: &Settings) -> anyhow::Result<Header> {
    let source = connect::place("SRC", &args.source)?;
    let destination = connect::place("DST", &args.destination)?;
    let options = Options::new();
    let mut given = given.clone();
    let here = std::path::absolute(".")?;
    options.resolve(&mut given, &here, None);
    if destination.is_local()
        && let Some((Setting::Values(dirs), _)) = given.options.get_mut("backup-dir")
    {
        dirs.iter_mut().for_each(|(dir, _)| *dir = here.join(Path::new(dir)).into());
    }
    let mut kept = BTreeMap::new();
    for (name, _) in options.args().filter(|(_, arg)| is_kept(arg)) {
        let Some((setting, _)) = given.options.get(name) else { continue };
        kept.insert(name.to_owned(), value(name, setting)?);
    }
    Ok(Header {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made: Utc::now(),
        source: backup::name("SRC", &source)?,
        destination: backup::name("DST", &destination)?,
        options: kept,
    })
}

fn value(name: &str, setting: &Setting) -> anyhow::Result<OptionValue> {
    let text = |value: &OsString| {
        let text = value.to_str().map(str::to_owned);
        text.ok_or_else(|| UsageError(format!("--{name}: a plan can only hold what is UTF-8")))
    };
    Ok(match setting {
        Setting::Switch(on) => OptionValue::Switch(*on),
        Setting::Count(count) => OptionValue::One(count.to_string()),
        Setting::Values(values) => match &values[..] {
            [(value, _)] => OptionValue::One(text(value)?),
            values => {
                OptionValue::Many(values.iter().map(|(value, _)| text(value)).collect::<Result<_, _>>()?)
            }
        },
    })
}

/// Reads the options of a plan.
fn settings(kept: &BTreeMap<String, OptionValue>, options: &Options) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for (name, value) in kept {
        let known = options.args().any(|(known, arg)| known == name && is_kept(arg));
        let key = options.keys.iter().find(|key| key.name == *name).filter(|_| known);
        let shown = escape(name.as_bytes());
        let key = key.ok_or_else(|| format!("`{shown}` is no option that a plan has"))?;
        let values = |values: &[String]| {
            for value in values {
                options.check(name, value.as_ref()).map_err(|e| format!("`{shown}`: {e}"))?;
            }
            Ok::<_, String>(Setting::Values(values.iter().map(|value| (value.into(), None)).collect()))
        };
        let setting = match (key.kind, value) {
            (OptionKind::Switch, OptionValue::Switch(on)) => Setting::Switch(*on),
            (OptionKind::Value | OptionKind::List, OptionValue::One(one)) => {
                values(std::slice::from_ref(one))?
            }
            (OptionKind::List, OptionValue::Many(many)) => values(many)?,
            _ => return Err(format!("`{shown}` takes no such value")),
        };
        settings.options.insert(name.clone(), (setting, None));
    }
    Ok(settings)
}
