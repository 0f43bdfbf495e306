//! The exact times of files, asked where listed ones can't decide, and the zone a server's listings are in, learned on the way.

use std::collections::HashSet;

use crate::compare::{Clock, CompareOptions, Sample, Side, questions, samples, tells_as_listed};
use crate::model::{Evidence, Mtime, Offset, RelPath, Tree};
use crate::pool::Pool;
use crate::run::ask::ask;
use crate::run::memory::ListedTimes;
use crate::store::{ServerClock, StoreResult};

/// What became known of one side's times.
#[derive(Debug, Default)]
pub(super) struct Refined {
    /// What the listing told of files that were asked about.
    pub(super) listed: ListedTimes,
    /// What a person should know.
    pub(super) notes: Vec<String>,
    /// What a person may want to know.
    pub(super) remarks: Vec<String>,
}

/// More questions than this are worth a round trip that shows which of them needn't be asked.
const MANY: usize = 128;

/// How many files show a server's clock.
const SAMPLES: usize = 6;

/// As many where a person said what zone listings are in: times to the day each show little.
const SAMPLES_OF_DAYS: usize = 16;

/// Asks one side for the times that its listing told too roughly to decide.
///
/// # Errors
/// When no session can be had.
pub(super) fn refine(
    pool: &Pool,
    side: Side,
    (from, to): (&mut Tree, &mut Tree),
    evidence: &Evidence,
    options: &CompareOptions,
) -> StoreResult<Refined> {
    let server = pool.store().clock();
    if pool.lease()?.session().capabilities().exact_times {
        if let Some(server) = server {
            server.decide_exact(Offset::default());
        }
        return Ok(Refined::default());
    }
    let told = server.and_then(|server| Some((server, server.told()?)));
    if let Some((server, told)) = told.filter(|(_, told)| !told.is_zero()) {
        let (tree, other) = if side == Side::Source { (&*from, &*to) } else { (&*to, &*from) };
        compare_clocks(pool, (tree, other), server, told)?;
    }

    let mut files = questions(from, to, evidence, side, options, None);
    let (mut answers, mut clock, mut sure) = (Vec::new(), None, Vec::new());
    if files.len() > MANY {
        let tree = if side == Side::Source { &*from } else { &*to };
        let first = samples(files.iter().filter_map(|path| tree.get(path)), SAMPLES);
        answers = ask_times(pool, &first)?;
        clock = Clock::learn(&samples_of(tree, &answers));
        if clock.is_some() {
            let open: HashSet<RelPath> =
                questions(from, to, evidence, side, options, clock.as_ref()).into_iter().collect();
            (files, sure) = files.into_iter().partition(|path| open.contains(path));
        }
        for paths in [&mut files, &mut sure] {
            paths.retain(|path| !first.contains(path));
        }
    }
    answers.extend(ask_times(pool, &files)?);

    let tree = if side == Side::Source { from } else { to };
    let clock = clock.or_else(|| Clock::learn(&samples_of(tree, &answers)));
    let mut refined = Refined::default();
    if let Some(clock) = &clock {
        for path in sure {
            tree.update(&path, |entry| entry.mtime = entry.mtime.map(|mtime| clock.read(mtime)));
        }
        // Those that are not answered keep what is believed here.
        for path in &files {
            tree.update(path, |entry| {
                let offset = entry.mtime.and_then(|mtime| clock.offset_at(&mtime));
                entry.mtime = entry.mtime.map(|mtime| offset.map_or(mtime, |offset| mtime.in_zone(offset)));
            });
        }
    }
    for (path, mtime) in answers {
        tree.update(&path, |entry| {
            refined.listed.insert(path.clone(), entry.mtime);
            entry.mtime = Some(mtime);
        });
    }
    tell(&mut refined, pool.store().name(), told, clock.as_ref());
    Ok(refined)
}

/// Finds out whether a server whose listings are `told` ahead of UTC tells exact times in the same zone.
fn compare_clocks(
    pool: &Pool,
    (tree, other): (&Tree, &Tree),
    server: &ServerClock,
    told: Offset,
) -> StoreResult<()> {
    let answers = ask_times(pool, &samples(tree.entries(), SAMPLES_OF_DAYS))?;
    let others: Vec<Option<Mtime>> =
        answers.iter().map(|(path, _)| other.get(path).and_then(|entry| entry.mtime)).collect();
    let seen = samples_of(tree, &answers);
    if !seen.is_empty() {
        let as_listed = tells_as_listed(&seen, &others, told);
        server.decide_exact(if as_listed { told } else { Offset::default() });
    }
    Ok(())
}

fn samples_of(tree: &Tree, answers: &[(RelPath, Mtime)]) -> Vec<Sample> {
    let listed = |path| tree.get(path).and_then(|entry| entry.mtime);
    answers.iter().filter_map(|(path, exact)| Some(Sample { listed: listed(path)?, exact: *exact })).collect()
}

/// Asks for the exact times of files. A file whose time can't be had is not in the answer.
fn ask_times(pool: &Pool, files: &[RelPath]) -> StoreResult<Vec<(RelPath, Mtime)>> {
    Ok(ask(pool, files, |session, part| session.mtimes(part))?.into_iter().collect())
}

/// Says what is believed of the clock of `store`.
fn tell(refined: &mut Refined, store: &str, told: Option<(&ServerClock, Offset)>, clock: Option<&Clock>) {
    let Some((server, told)) = told else {
        let seen = clock.map(|clock| format!("LIST times of {store} are {clock}"));
        refined.remarks.extend(seen);
        return;
    };
    let exact = if told.is_zero() || server.exact().is_zero() { "" } else { ", and so are MDTM's" };
    refined.remarks.push(format!("LIST times of {store} are {told} as --time-offset has it{exact}"));
    if let Some(clock) = clock.filter(|clock| !clock.may_be(told)) {
        refined.notes.push(format!(
            "by MDTM the LIST times of {store} are {clock}, and not {told} as --time-offset has it; MDTM is believed"
        ));
    }
}

/// Returns what a person should know of the times that files at the destination were told to have before they were given one.
pub(super) fn note_of_zone(destination: &Pool) -> Option<String> {
    let server = destination.store().clock()?;
    let (name, fresh) = (destination.store().name(), server.fresh()?);
    match server.told() {
        // No zone is a quarter of an hour from UTC, but clocks are.
        None if fresh.ahead().abs() >= chrono::TimeDelta::minutes(30) => Some(format!(
            "{name} tells times in its own zone, {fresh}, where FTP means UTC; they stay as they are told, and --time-offset {} \
             makes up for that where times are listed by LIST",
            fresh.as_text()
        )),
        Some(told)
            if server.exact() == told
                && (fresh.is_zero() || !fresh.is_saving_from(told))
                && !told.is_zero() =>
        {
            Some(format!(
                "{name} tells the time of a file just sent in {fresh}, and not in {told} as --time-offset has it"
            ))
        }
        _ => None,
    }
}
