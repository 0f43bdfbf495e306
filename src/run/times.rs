//! The exact times of files, asked where listed ones can't decide, and the zone a server's listings are in, learned on the way.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::compare::{Clock, CompareOptions, Sample, Side, is_open, questions, samples, tells_as_listed};
use crate::model::{Evidence, Mtime, Offset, RelPath, Tree, pack_option, unpack_option};
use crate::pool::Pool;
use crate::run::ask::ask;
use crate::spill::{Packer, Record, Sorted, Sorter, Spill, Unpacker};
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

/// Times that listings told, of files whose exact time was asked for since.
#[derive(Debug, Default)]
pub(super) struct ListedTimes(Sorted<Retimed>);

impl ListedTimes {
    /// Returns what was listed of a file that was asked about; `None` of any other.
    pub(super) fn get(&self, path: &RelPath) -> Option<Option<Mtime>> {
        let found = self.0.find(|one| one.path.cmp(path))?;
        found.is_answered.then_some(found.listed)
    }
}

/// A file of which more is known than its listing told.
#[derive(Clone, Debug)]
struct Retimed {
    path: RelPath,
    listed: Option<Mtime>,
    now: Option<Mtime>,
    is_answered: bool,
}

impl Record for Retimed {
    fn order(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path)
    }

    fn weight(&self) -> usize {
        // The bytes of the path are those of the tree.
        size_of::<Self>()
    }

    fn pack(&self, packer: &mut Packer<'_>) {
        packer.similar(self.path.as_bytes());
        pack_option(self.listed.as_ref(), packer);
        pack_option(self.now.as_ref(), packer);
        packer.number(self.is_answered.into());
    }

    fn unpack(unpacker: &mut Unpacker<'_>) -> Option<Self> {
        let path = RelPath::parse(unpacker.similar()?).ok()?;
        let (listed, now) = (unpack_option(unpacker)?, unpack_option(unpacker)?);
        Some(Self { path, listed, now, is_answered: unpacker.number()? != 0 })
    }
}

/// More questions than this are worth a round trip that shows which of them needn't be asked.
const MANY: usize = 128;

/// How many of them are kept in memory.
const AT_ONCE: usize = 1 << 16;

/// How many files show a server's clock.
const SAMPLES: usize = 6;

/// As many where a person said what zone listings are in: times to the day each show little.
const SAMPLES_OF_DAYS: usize = 16;

/// Asks one side for the times that its listing told too roughly to decide.
///
/// # Errors
/// When no session can be had, or when what is too much for memory can't be put aside.
pub(super) fn refine(
    pool: &Pool,
    side: Side,
    (from, to): (&mut Tree, &mut Tree),
    evidence: &Evidence,
    options: &CompareOptions,
    spill: Spill,
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

    let mut asking = Asking { pool, tree: if side == Side::Source { &*from } else { &*to }, clock: None };
    let mut retimed = Sorter::new(spill);
    let mut after: Option<RelPath> = None;
    loop {
        let open = questions(from, to, evidence, side, options, after.as_ref());
        let files: Vec<RelPath> = open.take(AT_ONCE).collect();
        let is_last = files.len() < AT_ONCE;
        after = files.last().cloned();
        let decides = |path: &RelPath, clock: &Clock| {
            let pair = from.get(path).zip(to.get(path));
            pair.is_none_or(|(s, d)| is_open(&s, &d, evidence, side, options, Some(clock)))
        };
        for one in asking.ask(&files, decides)? {
            retimed.push(one)?;
        }
        if is_last {
            break;
        }
    }
    let clock = asking.clock;
    let retimed = retimed.sorted()?;
    let mut news = retimed.iter().peekable();
    let tree = if side == Side::Source { from } else { to };
    if !retimed.is_empty() {
        tree.revise(|entry| {
            if let Some(one) = news.next_if(|one| one.path == entry.path) {
                entry.mtime = one.now;
            }
            true
        })?;
    }
    drop(news);
    let mut refined = Refined { listed: ListedTimes(retimed), ..Refined::default() };
    tell(&mut refined, pool.store().name(), told, clock.as_ref());
    Ok(refined)
}

/// Asks for the times of one side, and learns its clock on the way.
struct Asking<'a> {
    pool: &'a Pool,
    tree: &'a Tree,
    clock: Option<Clock>,
}

impl Asking<'_> {
    /// Asks about files, but for those whose time doesn't decide by the clock.
    fn ask(
        &mut self,
        files: &[RelPath],
        decides: impl Fn(&RelPath, &Clock) -> bool,
    ) -> StoreResult<Vec<Retimed>> {
        let mut answers = HashMap::new();
        if self.clock.is_none() && files.len() > MANY {
            let first = samples(files.iter().filter_map(|path| self.tree.get(path)), SAMPLES);
            answers = ask_times(self.pool, &first)?;
            self.clock = Clock::learn(&samples_of(self.tree, &answers));
        }
        let is_asked = |path: &RelPath| {
            !answers.contains_key(path) && self.clock.as_ref().is_none_or(|clock| decides(path, clock))
        };
        let open: Vec<RelPath> = files.iter().filter(|path| is_asked(path)).cloned().collect();
        answers.extend(ask_times(self.pool, &open)?);
        if self.clock.is_none() {
            self.clock = Clock::learn(&samples_of(self.tree, &answers));
        }
        let open: std::collections::HashSet<&RelPath> = open.iter().collect();
        let retimed = files.iter().filter_map(|path| {
            let listed = self.tree.get(path)?.mtime;
            let listed = match (&self.clock, listed) {
                (Some(clock), Some(mtime)) if open.contains(path) => {
                    // One that is not answered keeps what is believed here.
                    Some(clock.offset_at(&mtime).map_or(mtime, |offset| mtime.in_zone(offset)))
                }
                (Some(clock), Some(mtime)) if !answers.contains_key(path) => Some(clock.read(mtime)),
                _ => listed,
            };
            let answer = answers.get(path).copied();
            let path = path.clone();
            Some(Retimed { path, listed, now: answer.or(listed), is_answered: answer.is_some() })
        });
        Ok(retimed.collect())
    }
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
        answers.keys().map(|path| other.get(path).and_then(|entry| entry.mtime)).collect();
    let seen = samples_of(tree, &answers);
    if !seen.is_empty() {
        let as_listed = tells_as_listed(&seen, &others, told);
        server.decide_exact(if as_listed { told } else { Offset::default() });
    }
    Ok(())
}

fn samples_of(tree: &Tree, answers: &HashMap<RelPath, Mtime>) -> Vec<Sample> {
    let listed = |path| tree.get(path).and_then(|entry| entry.mtime);
    answers.iter().filter_map(|(path, exact)| Some(Sample { listed: listed(path)?, exact: *exact })).collect()
}

/// Asks for the exact times of files. A file whose time can't be had is not in the answer.
fn ask_times(pool: &Pool, files: &[RelPath]) -> StoreResult<HashMap<RelPath, Mtime>> {
    ask(pool, files, |session, part| session.mtimes(part))
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
