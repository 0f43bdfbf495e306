//! A source, the older state of it that the destination has, and what goes wrong between the two: all out of one number.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use oneway::ftp::command::Verb;
use oneway::server::{CommandFault, DataFault, Faults};

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Returns a number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Files by their paths; directories are those of the files, and those listed with `None`.
pub(super) type Tree = BTreeMap<PathBuf, Option<Content>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

impl Content {
    fn random(random: &mut Random, version: u64) -> Self {
        // Never empty, since that is what a torn file is like.
        let length = match random.below(10) {
            0..6 => 1 + random.below(400),
            6..9 => 1 + random.below(40_000),
            _ => 1 + random.below(700_000),
        };
        let mut words = Random(random.next());
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| words.next().to_le_bytes()).collect();
        bytes.truncate(length as usize);
        Self { bytes, modified: 1_500_000_000 + version * 100_000 + random.below(10_000) }
    }
}

/// Returns an old tree and a new one that it has much in common with.
pub(super) fn trees(random: &mut Random) -> (Tree, Tree) {
    let (mut old, mut new) = (Tree::new(), Tree::new());
    let dirs = ["", "a", "a/b", "c", "d e", "ü"];
    for number in 0..2 + random.below(24) {
        let path = Path::new(random.pick(&dirs)).join(format!("{number}.txt"));
        let content = Content::random(random, 0);
        match random.below(10) {
            0..3 => drop(new.insert(path, Some(content))),
            3..5 => {
                old.insert(path.clone(), Some(content));
                let mut changed = Content::random(random, 1);
                if random.one_in(3) {
                    // Another content of the same size.
                    let length = old[&path].as_ref().map_or(0, |content| content.bytes.len());
                    let byte = random.below(256) as u8;
                    changed.bytes = vec![byte; length];
                }
                new.insert(path, Some(changed));
            }
            5..7 => drop(old.insert(path, Some(content))),
            7 => {
                // The same content under another name.
                old.insert(path, Some(content.clone()));
                new.insert(PathBuf::from(format!("renamed {number}.txt")), Some(content));
            }
            _ => {
                old.insert(path.clone(), Some(content.clone()));
                new.insert(path, Some(content));
            }
        }
    }
    for (tree, dir) in [(&mut old, "old empty"), (&mut new, "new empty/in it")] {
        if random.one_in(3) {
            tree.insert(dir.into(), None);
        }
    }
    // An empty source is refused for safety.
    new.insert("always.txt".into(), Some(Content::random(random, 2)));
    (old, new)
}

pub(super) fn write(tree: &Tree, root: &Path) {
    fs::create_dir_all(root).unwrap();
    for (path, content) in tree {
        let path = root.join(path);
        match content {
            None => fs::create_dir_all(path).unwrap(),
            Some(content) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &content.bytes).unwrap();
                let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(content.modified);
                File::options()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_times(FileTimes::new().set_modified(modified))
                    .unwrap();
            }
        }
    }
}

/// How a run is made and what goes wrong in it.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) push: bool,
    pub(super) sessions: usize,
    pub(super) delete: bool,
    pub(super) remembers: bool,
    /// The faulty run is made by the program, not by the library.
    pub(super) by_program: bool,
    /// All files get their names together.
    pub(super) delays: bool,
    /// The server renames nothing onto a file that is there.
    pub(super) keeps_names: bool,
    commands: Vec<(Option<Verb>, u64, CommandFault)>,
    data: Vec<(u64, DataFault)>,
    limit: Option<(usize, u16)>,
    disk: Option<(u64, u16)>,
    one_in: Option<u64>,
}

/// How long the client waits in silence; a stall is longer, or shorter.
pub(super) const PATIENCE: Duration = Duration::from_millis(150);

impl Schedule {
    pub(super) fn random(random: &mut Random) -> Self {
        let mut schedule = Self {
            push: random.one_in(2),
            sessions: 1 + random.below(4) as usize,
            delete: random.one_in(2),
            remembers: random.one_in(2),
            by_program: false,
            delays: false,
            keeps_names: false,
            commands: Vec::new(),
            data: Vec::new(),
            limit: random.one_in(8).then(|| (2, random.pick(&[421, 530]))),
            disk: random.one_in(12).then(|| (random.below(200_000), random.pick(&[452, 552]))),
            one_in: random.one_in(6).then(|| 5 + random.below(20)),
        };
        if random.one_in(12) {
            schedule = Self { by_program: true, remembers: false, ..schedule };
        }
        for _ in 0..random.below(6) {
            let pause = random.pick(&[PATIENCE * 2, PATIENCE / 10]);
            let fault = match random.below(12) {
                0..3 => CommandFault::Cut,
                3..6 => CommandFault::LoseReply,
                6..8 => CommandFault::Close,
                8..10 => CommandFault::Refuse(random.pick(&[421, 425, 426, 450, 451, 500, 550])),
                10 => CommandFault::Stall(pause),
                _ => CommandFault::AnswerLate(pause),
            };
            let verbs = [Verb::Stor, Verb::Retr, Verb::Rnfr, Verb::Rnto, Verb::Size, Verb::Mfmt, Verb::Mlsd];
            let more = [Verb::Mkd, Verb::Dele, Verb::Rmd, Verb::Epsv, Verb::Cwd, Verb::Pass, Verb::Feat];
            schedule.commands.push(match random.below(3) {
                0 => (None, 1 + random.below(150), fault),
                1 => (Some(random.pick(&verbs)), 1 + random.below(12), fault),
                _ => (Some(random.pick(&more)), 1 + random.below(4), fault),
            });
        }
        for _ in 0..random.below(5) {
            let after = match random.below(3) {
                0 => random.below(10),
                1 => random.below(500),
                _ => random.below(200_000),
            };
            let pause = random.pick(&[PATIENCE * 2, PATIENCE / 10]);
            let fault = match random.below(12) {
                0..2 => DataFault::Cut { after },
                2..4 => DataFault::Reset { after },
                4..6 => DataFault::CutBoth { after },
                6 => DataFault::Stall { after, pause },
                7..11 => DataFault::Short { after },
                _ => DataFault::Drip { bytes: 5000 + after, pause: Duration::from_millis(1) },
            };
            schedule.data.push((1 + random.below(30), fault));
        }
        schedule.delays = random.one_in(4);
        schedule.keeps_names = random.one_in(5);
        schedule
    }

    pub(super) fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        for &(verb, number, fault) in &self.commands {
            faults = match verb {
                Some(verb) => faults.on_verb(verb, number, fault),
                None => faults.on_command(number, fault),
            };
        }
        for &(number, fault) in &self.data {
            faults = faults.on_data(number, fault);
        }
        if let Some((most, code)) = self.limit {
            faults = faults.with_sessions(most, code);
        }
        if let Some((bytes, code)) = self.disk {
            faults = faults.with_disk(bytes, code);
        }
        match self.one_in {
            Some(number) => faults.cutting_one_in(number),
            None => faults,
        }
    }

    /// Returns whether the server says of some time that it never takes it. That is remembered, so the file keeps the time it has.
    pub(super) fn refuses_a_time_for_good(&self) -> bool {
        let refuses = |(verb, _, fault): &(Option<Verb>, u64, CommandFault)| {
            verb.is_none_or(|verb| matches!(verb, Verb::Mfmt | Verb::Feat))
                && matches!(fault, CommandFault::Refuse(500..))
        };
        self.commands.iter().any(refuses)
    }

    /// Returns every schedule that has one thing less.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for i in 0..self.commands.len() {
            let mut one = self.clone();
            one.commands.remove(i);
            all.push(one);
        }
        for i in 0..self.data.len() {
            let mut one = self.clone();
            one.data.remove(i);
            all.push(one);
        }
        let less = [
            (self.limit.is_some(), Self { limit: None, ..self.clone() }),
            (self.disk.is_some(), Self { disk: None, ..self.clone() }),
            (self.one_in.is_some(), Self { one_in: None, ..self.clone() }),
            (self.sessions > 1, Self { sessions: 1, ..self.clone() }),
            (self.remembers, Self { remembers: false, ..self.clone() }),
            (self.delete, Self { delete: false, ..self.clone() }),
        ];
        all.extend(less.into_iter().filter(|(has, _)| *has).map(|(_, one)| one));
        all
    }
}

/// Returns a tree in short, for the message of a test that failed.
pub(super) fn shown(tree: &Tree) -> String {
    let mut text = String::new();
    for (path, content) in tree {
        let size = content.as_ref().map(|content| content.bytes.len());
        writeln!(text, "    {} {size:?}", path.display()).unwrap();
    }
    text
}
