//! Takes a listing as it arrives, in pieces cut anywhere, and keeps its entries.
//!
//! A server may send lines that never end, lines without end, or no listing at all, so everything is limited: a longer
//! line is rejected, and behind a limit of the whole the rest is passed over without looking. Nothing is lost silently:
//! what could be an entry and isn't one here is counted in [`Listing::rejected_count`] or told by [`Listing::cut`].

use std::mem;
use std::vec::Drain;

use chrono::{DateTime, Utc};

use crate::ftp::listing::detect::Detection;
use crate::ftp::listing::join::Joiner;
use crate::ftp::listing::{Line, Listed, ListingFormat};
use crate::model::{Escaped, RelPath};

/// Reads one listing.
///
/// ```
/// use oneway::ftp::listing::Parser;
///
/// let mut parser = Parser::new("2026-11-21T12:00:00Z".parse()?);
/// parser.push(b"-rw-r--r-- 1 web www 12 Nov 21 10:0");
/// parser.push(b"6 a.txt\r\n");
/// let listing = parser.finish();
/// assert_eq!(listing.entries[0].name, b"a.txt");
/// assert!(listing.is_whole());
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Parser {
    now: DateTime<Utc>,
    limits: Limits,
    family: Family,
    /// The entry that has begun on the line before.
    joiner: Joiner,
    /// The line that has begun and not yet ended.
    begun: Vec<u8>,
    /// Bytes taken so far.
    bytes: u64,
    seen_crlf: bool,
    seen_lf: bool,
    listing: Listing,
}

/// How much of a listing is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line without its end; a longer line is rejected.
    pub line_bytes: usize,
    /// Entries of a listing, those not counted that were taken out before its end.
    pub entries: usize,
    /// Bytes of a listing.
    pub bytes: u64,
    /// Rejected lines that are kept to be shown; those behind are only counted.
    pub rejected: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 64 << 10, entries: 10_000_000, bytes: 2 << 30, rejected: 1000 }
    }
}

/// What came out of a listing.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The entries in the server's order.
    pub entries: Vec<Listed>,
    /// The first lines that could be entries and could not be read.
    pub rejected: Vec<Rejected>,
    /// How many such lines there were.
    pub rejected_count: u64,
    /// The family of the lines; `None` when none was asked for and nothing showed which it is.
    pub format: Option<&'static dyn ListingFormat>,
    /// Which limit the listing went over, so that its rest was not read; `None` when it was read to its end.
    pub cut: Option<Cut>,
    /// Whether the last line had no end: the sign of a stream that broke off, and of a name cut short, which is the name of
    /// another file.
    pub unterminated: bool,
    /// Whether some lines ended in CR LF and others in LF alone. Where a name holds a line feed it looks like that, and
    /// what stands behind it may be a line made up by whoever named the file.
    pub mixed_line_ends: bool,
    /// Whether there was a line for the directory itself or the one above it. Where a server writes such lines, a listing
    /// without them is one of a directory that it may enter and not read.
    pub shows_itself: bool,
    /// The `unique` fact of the directory itself; `None` where the listing doesn't tell.
    pub unique: Option<Box<[u8]>>,
}

impl Listing {
    /// Returns whether every line was an entry or known to be none, and had its end, so that a name that isn't here isn't there.
    pub fn is_whole(&self) -> bool {
        self.rejected_count == 0 && self.cut.is_none() && !self.unterminated && !self.mixed_line_ends
    }
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line without its end; of a long one the beginning. Not fit for a terminal.
    pub line: Vec<u8>,
    /// What is wrong with it.
    pub reason: String,
}

/// Why the rest of a listing was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has more entries than [`Limits::entries`].
    Entries,
    /// It has more bytes than [`Limits::bytes`].
    Bytes,
}

impl Parser {
    /// Returns a parser that finds out the family from the first lines. `now` is for dates without a year.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self::of(Family::Open(Box::default()), now)
    }

    /// Returns a parser for the family this server is known to speak.
    pub fn with_format(format: &'static dyn ListingFormat, now: DateTime<Utc>) -> Self {
        Self::of(Family::Settled(Some(format)), now)
    }

    /// Sets other limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.is_cut() {
            return;
        }
        let left = usize::try_from(self.limits.bytes - self.bytes).unwrap_or(usize::MAX);
        let within = &bytes[..bytes.len().min(left)];
        self.bytes += within.len() as u64;
        self.take(within);
        if within.len() < bytes.len() && !self.is_cut() {
            self.listing.cut = Some(Cut::Bytes);
            // Its end isn't known, so neither is the name in it.
            self.begun = Vec::new();
        }
    }

    /// Returns whether a limit was passed, so that further bytes change nothing.
    pub fn is_cut(&self) -> bool {
        self.listing.cut.is_some()
    }

    /// Takes out the entries read so far, so that a listing of any length needs little memory. The first lines stay
    /// inside until they have shown the family.
    pub fn take_entries(&mut self) -> Drain<'_, Listed> {
        self.listing.entries.drain(..)
    }

    /// Takes out the rejected lines kept so far; the count of them stays.
    pub fn take_rejected(&mut self) -> Drain<'_, Rejected> {
        self.listing.rejected.drain(..)
    }

    /// Returns what the bytes were. What follows the last line end counts as a line.
    pub fn finish(mut self) -> Listing {
        if !self.is_cut() && !self.begun.is_empty() {
            self.listing.unterminated = true;
            let line = mem::take(&mut self.begun);
            self.line(line.strip_suffix(b"\r").unwrap_or(&line));
        }
        self.settle();
        if let Some(line) = self.joiner.finish() {
            self.record(&line, None);
        }
        self.listing.mixed_line_ends = self.seen_crlf && self.seen_lf;
        self.listing
    }

    fn of(family: Family, now: DateTime<Utc>) -> Self {
        let format = match family {
            Family::Open(_) => None,
            Family::Settled(format) => format,
        };
        Self {
            now,
            limits: Limits::default(),
            family,
            joiner: Joiner::default(),
            begun: Vec::new(),
            bytes: 0,
            seen_crlf: false,
            seen_lf: false,
            listing: Listing { format, ..Listing::default() },
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !self.is_cut() {
            let Some(end) = rest.iter().position(|&b| b == b'\n') else {
                self.begin(rest);
                return;
            };
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            if self.begun.is_empty() {
                self.ended_line(line);
            } else {
                self.begin(line);
                let mut begun = mem::take(&mut self.begun);
                self.ended_line(&begun);
                begun.clear();
                self.begun = begun;
            }
            rest = behind;
        }
    }

    /// Keeps what there is of a line that isn't whole yet; of a line that is too long no more than shows that it is.
    fn begin(&mut self, part: &[u8]) {
        let most = self.limits.line_bytes.saturating_add(b"\r\n".len());
        let room = most.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn ended_line(&mut self, line: &[u8]) {
        let stripped = line.strip_suffix(b"\r");
        let text = stripped.unwrap_or(line);
        // Of a longer line the end may not have been kept.
        if text.len() <= self.limits.line_bytes {
            self.seen_crlf |= stripped.is_some();
            self.seen_lf |= stripped.is_none();
        }
        self.line(text);
    }

    fn line(&mut self, line: &[u8]) {
        if line.len() > self.limits.line_bytes {
            let most = self.limits.line_bytes;
            self.reject(&line[..most], || format!("the line is longer than {most} bytes"));
            return;
        }
        if line.is_empty() {
            return;
        }
        match &mut self.family {
            Family::Settled(format) => {
                let format = *format;
                self.read(line, format);
            }
            Family::Open(detection) => {
                detection.take(line, self.now);
                if detection.is_enough() {
                    self.settle();
                }
            }
        }
    }

    /// Chooses the family and reads the lines that waited for that.
    fn settle(&mut self) {
        let Family::Open(detection) = &mut self.family else { return };
        let (format, lines) = (detection.best(), detection.take_lines());
        self.family = Family::Settled(format);
        self.listing.format = format;
        for line in lines {
            self.read(&line, format);
        }
    }

    fn read(&mut self, line: &[u8], format: Option<&'static dyn ListingFormat>) {
        if self.listing.cut == Some(Cut::Entries) {
            return;
        }
        let Some(format) = format else {
            self.reject(line, || "no known kind of listing".into());
            return;
        };
        let mut joiner = mem::take(&mut self.joiner);
        joiner.read(line, format, self.now, |line, read| self.record(line, read));
        self.joiner = joiner;
    }

    fn record(&mut self, line: &[u8], read: Option<Line>) {
        match read {
            Some(Line::Entry(listed) | Line::Perhaps(listed)) => self.keep(line, listed),
            Some(Line::Noise) => {}
            Some(Line::Own) => self.listing.shows_itself = true,
            Some(Line::OwnUnique(unique)) => {
                self.listing.shows_itself = true;
                self.listing.unique = Some(unique);
            }
            Some(Line::Rejected(reason)) => self.reject(line, || reason),
            Some(Line::Begins) | None => {
                let kind = self.listing.format.map_or("none", ListingFormat::name);
                self.reject(line, || format!("not a line of a listing of kind {kind}"));
            }
        }
    }

    /// Keeps an entry, if its name is one that may be joined to a path.
    fn keep(&mut self, line: &[u8], listed: Listed) {
        if let Err(why) = RelPath::check_name(&listed.name) {
            self.reject(line, || format!("the name `{}` can't be believed: {why}", Escaped(&listed.name)));
        } else if self.listing.entries.len() >= self.limits.entries {
            self.listing.cut = Some(Cut::Entries);
            self.begun = Vec::new();
        } else {
            self.listing.entries.push(listed);
        }
    }

    fn reject(&mut self, line: &[u8], reason: impl FnOnce() -> String) {
        self.listing.rejected_count += 1;
        if self.listing.rejected.len() < self.limits.rejected {
            let line = line[..line.len().min(REJECTED_BYTES)].to_vec();
            self.listing.rejected.push(Rejected { line, reason: reason() });
        }
    }
}

/// What is known of the family.
#[derive(Debug)]
enum Family {
    /// Nothing yet; lines wait.
    Open(Box<Detection>),
    /// The family, or that it can't be told.
    Settled(Option<&'static dyn ListingFormat>),
}

/// How much is kept of a rejected line.
const REJECTED_BYTES: usize = 4096;
