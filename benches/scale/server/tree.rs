//! The tree: what there is at a path is computed from numbers, and nothing of it is ever kept.
//!
//! Directories are numbered as in a heap: the root is 0, and those in directory k are `k · fan-out + 1` and so on. Files are numbered
//! through: directory k has those from `k · per-dir` on, the directory `wide` those behind all others. A name ends with its number, so
//! that a path can be read back; before that stand letters made of the number, so that names come in no order.

use std::ops::RangeInclusive;

/// Of so many files, each kind of difference takes its share.
const SHARES_OF: u64 = 10_000;

/// Files go to the shares in strides, so that each directory gets some; it has no divisor in common with [`SHARES_OF`].
const STRIDE: u64 = 7_919;

/// How far apart the first and the last time are: younger than the half year behind which `ls` tells no minutes.
const SPAN_SECONDS: u64 = 90 * 86_400;

/// How much earlier a file was written that has another time.
const REDATED_SECONDS: u64 = 3600;

/// What the names of directories and files have before their number.
const DIR: u8 = b'_';
const FILE: u8 = b'-';
const EXTRA: u8 = b'+';

/// A tree that is made up.
#[derive(Debug)]
pub(crate) struct Tree {
    seed: u64,
    per_dir: u64,
    fan_out: u64,
    /// Numbered directories, beside the root.
    dirs: u64,
    /// Files in these and the root.
    files: u64,
    /// Files in the directory `wide`, which is there if there are any.
    wide: u64,
    sizes: RangeInclusive<u64>,
    newest: u64,
    differences: Differences,
}

/// How many of [`SHARES_OF`] files differ from those of a tree that is the same otherwise.
#[derive(Debug)]
pub(crate) struct Differences {
    pub(crate) missing: u64,
    pub(crate) resized: u64,
    pub(crate) redated: u64,
    pub(crate) extra: u64,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Dir(Dir),
    File(File),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dir {
    Numbered(u64),
    Wide,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) mtime: u64,
}

/// One entry of a listing.
#[derive(Debug)]
pub(crate) struct Entry<'n> {
    pub(crate) name: &'n [u8],
    /// `None` for a directory.
    pub(crate) file: Option<File>,
    /// Seconds since 1970.
    pub(crate) mtime: u64,
}

/// What a tree comes to.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) dirs: u64,
    pub(crate) bytes: u64,
}

impl Tree {
    pub(crate) fn new(
        seed: u64,
        (entries, per_dir, fan_out, wide): (u64, u64, u64, u64),
        sizes: RangeInclusive<u64>,
        newest: u64,
        differences: Differences,
    ) -> Result<Self, String> {
        if per_dir == 0 || fan_out == 0 {
            return Err("a directory has at least one file and one directory".to_owned());
        }
        if sizes.is_empty() {
            return Err("the largest file is smaller than the smallest".to_owned());
        }
        if newest < SPAN_SECONDS + REDATED_SECONDS {
            return Err("some times would be before 1970".to_owned());
        }
        let Differences { missing, resized, redated, extra } = differences;
        if missing.saturating_add(resized).saturating_add(redated).saturating_add(extra) > SHARES_OF {
            return Err(format!("more than {SHARES_OF} of {SHARES_OF} files differ"));
        }
        let in_wide = if wide > 0 { wide + 1 } else { 0 };
        let others = entries.checked_sub(in_wide).ok_or("there are more files in `wide` than entries")?;
        // The root has its files, and each further directory takes an entry itself.
        let dirs = others.saturating_sub(per_dir).div_ceil(per_dir + 1);
        Ok(Self { seed, per_dir, fan_out, dirs, files: others - dirs, wide, sizes, newest, differences })
    }

    /// Returns what there is at a path, which is absolute.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Node> {
        let mut dir = Dir::Numbered(0);
        let mut names =
            path.split(|&b| b == b'/').filter(|name| !name.is_empty() && *name != b".").peekable();
        while let Some(name) = names.next() {
            match self.child(dir, name)? {
                Node::Dir(child) => dir = child,
                file if names.peek().is_none() => return Some(file),
                Node::File(_) => return None,
            }
        }
        Some(Node::Dir(dir))
    }

    /// Calls `tell` with each entry of a directory.
    pub(crate) fn list<E>(
        &self,
        dir: Dir,
        mut tell: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut name = Vec::with_capacity(64);
        if dir == Dir::Numbered(0) && self.wide > 0 {
            tell(Entry { name: b"wide", file: None, mtime: self.newest })?;
        }
        for child in self.dirs_of(dir) {
            self.name(&mut name, DIR, child);
            tell(Entry { name: &name, file: None, mtime: self.dir_time(child) })?;
        }
        for number in self.files_of(dir) {
            for mark in [FILE, EXTRA] {
                if let Some(file) = self.file(number, mark) {
                    self.name(&mut name, mark, number);
                    tell(Entry { name: &name, file: Some(file), mtime: file.mtime })?;
                }
            }
        }
        Ok(())
    }

    /// Counts everything, without a listing.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { dirs: self.dirs + u64::from(self.wide > 0), ..Totals::default() };
        for number in 0..self.files + self.wide {
            for file in [FILE, EXTRA].into_iter().filter_map(|mark| self.file(number, mark)) {
                totals.files += 1;
                totals.bytes += file.size;
            }
        }
        totals
    }

    fn dirs_of(&self, dir: Dir) -> std::ops::Range<u64> {
        match dir {
            Dir::Numbered(k) => {
                let first = k * self.fan_out + 1;
                first.min(self.dirs + 1)..(first + self.fan_out).min(self.dirs + 1)
            }
            Dir::Wide => 0..0,
        }
    }

    fn files_of(&self, dir: Dir) -> std::ops::Range<u64> {
        match dir {
            Dir::Numbered(k) => (k * self.per_dir).min(self.files)..((k + 1) * self.per_dir).min(self.files),
            Dir::Wide => self.files..self.files + self.wide,
        }
    }

    fn child(&self, dir: Dir, name: &[u8]) -> Option<Node> {
        if dir == Dir::Numbered(0) && self.wide > 0 && name == b"wide" {
            return Some(Node::Dir(Dir::Wide));
        }
        let cut = name.iter().rposition(|b| [DIR, FILE, EXTRA].contains(b))?;
        let number = u64::from_str_radix(std::str::from_utf8(&name[cut + 1..]).ok()?, 36).ok()?;
        let mut whole = Vec::with_capacity(64);
        self.name(&mut whole, name[cut], number);
        if whole != name {
            return None;
        }
        match name[cut] {
            DIR => self.dirs_of(dir).contains(&number).then_some(Node::Dir(Dir::Numbered(number))),
            mark => self.files_of(dir).contains(&number).then(|| self.file(number, mark))?.map(Node::File),
        }
    }

    /// Returns the file of this number; `None` when this tree has none.
    fn file(&self, number: u64, mark: u8) -> Option<File> {
        let Differences { missing, resized, redated, extra } = self.differences;
        let share = number * STRIDE % SHARES_OF;
        let random = self.random(number, mark);
        let width = self.sizes.end() - self.sizes.start() + 1;
        let mut file = File {
            size: self.sizes.start() + (random >> 32) % width,
            mtime: self.newest - (random & 0xffff_ffff) % SPAN_SECONDS,
        };
        let ends =
            [missing, missing + resized, missing + resized + redated, missing + resized + redated + extra];
        let kind = ends.iter().position(|&end| share < end);
        match (mark, kind) {
            (EXTRA, kind) => (kind == Some(3)).then_some(file),
            (_, Some(0)) => None,
            (_, Some(1)) => {
                file.size += 1;
                Some(file)
            }
            (_, Some(2)) => {
                file.mtime -= REDATED_SECONDS;
                Some(file)
            }
            _ => Some(file),
        }
    }

    fn dir_time(&self, number: u64) -> u64 {
        self.newest - self.random(number, DIR) % SPAN_SECONDS
    }

    /// Writes a name of 8 to 30 bytes.
    fn name(&self, into: &mut Vec<u8>, mark: u8, number: u64) {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut digits = [0; 13];
        let mut from = digits.len();
        let mut rest = number;
        while rest > 0 || from == digits.len() {
            from -= 1;
            digits[from] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
        }
        let digits = &digits[from..];
        let random = mix(self.random(number, mark));
        let length = 8 + (random % 23) as usize;
        into.clear();
        let mut letters = 0;
        let wanted = length.saturating_sub(digits.len() + 1).max(1);
        for at in 0..wanted {
            if at % 12 == 0 {
                letters = mix(random ^ at as u64);
            }
            into.push(LETTERS[(letters & 31) as usize]);
            letters >>= 5;
        }
        into.push(mark);
        into.extend_from_slice(digits);
    }

    fn random(&self, number: u64, mark: u8) -> u64 {
        mix(mix(self.seed ^ u64::from(mark) << 56) ^ number)
    }
}

/// Steele, Lea and Flood's SplitMix64: each bit of the result depends on each bit of what it's given.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
