//! LIST as Unix servers write it: the output of `ls -l`.
//!
//! `-rw-r--r--   1 web  www   12 Nov 21 10:06 the name`. There is no standard: columns may be missing, glued together or
//! hold blanks, so a line is read from two sides that are certain. It begins with the permissions (an inode and a
//! block count may stand before them), and its size is the word before the first date. What stands between is links,
//! owner and group as far as that can be decided. The name is everything behind the one blank that ends the date:
//! more blanks belong to the name.

use std::ops::Range;

use chrono::{DateTime, Utc};

use crate::ftp::listing::date::{self, Found, name_behind};
use crate::ftp::listing::fields::{Fields, big_number, number, split_at_first};
use crate::ftp::listing::{Line, Listed, ListingFormat, unix_numeric};
use crate::model::Kind;

/// Unix `ls -l`.
#[derive(Clone, Copy, Debug)]
pub struct Unix;

impl ListingFormat for Unix {
    fn name(&self) -> &'static str {
        "unix"
    }

    fn times_are_utc(&self) -> bool {
        false
    }

    fn parse(&self, line: &[u8], now: DateTime<Utc>) -> Option<Line> {
        let mut fields = Fields::new(line);
        let Some((at, permissions)) = find_permissions(&mut fields) else {
            if is_noise(&mut fields) {
                return Some(Line::Noise);
            }
            return unix_numeric::parse(&mut fields);
        };
        let from = at + 1;
        let (i, size, found) = find_size_and_date(&mut fields, from, now, permissions.is_device)?;
        let (name, target) = match permissions.kind {
            Kind::Symlink => split_link(name_behind(line, found.end), size.bytes()),
            Kind::File | Kind::Dir | Kind::Other => (name_behind(line, found.end), None),
        };
        let (owner, group) = owners(&mut fields, from..i, size, permissions.has_links);
        let is_file = permissions.kind == Kind::File;
        let (bytes, rounded) = match size {
            Size::Rounded(bytes) => (bytes, true),
            _ => (size.bytes(), false),
        };
        Some(Line::of(Listed {
            name: name.to_vec(),
            kind: permissions.kind,
            size: bytes.filter(|_| is_file),
            rounded: rounded && is_file,
            mtime: found.mtime,
            mode: Some(permissions.mode),
            target: target.map(<[u8]>::to_vec),
            owner,
            group,
            unique: None,
        }))
    }
}

/// What the ten letters tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permissions {
    pub(super) kind: Kind,
    pub(super) mode: u32,
    is_device: bool,
    /// Whether the number of links stands behind them without a blank.
    has_links: bool,
}

/// Finds the permissions: the first word, or the one behind an inode and a block count.
fn find_permissions(fields: &mut Fields<'_>) -> Option<(usize, Permissions)> {
    for i in 0..3 {
        let word = fields.get(i)?;
        if let Some(permissions) = read_permissions(word) {
            return Some((i, permissions));
        }
        if !word.iter().all(u8::is_ascii_digit) {
            return None;
        }
    }
    None
}

/// Reads `drwxr-sr-x`, with a mark for an access list or a label (`+`, `@`, `.`) or without. A number of links that fills
/// its column stands right behind.
pub(super) fn read_permissions(word: &[u8]) -> Option<Permissions> {
    let (letters, mark) = word.split_at_checked(10)?;
    let has_links = !mark.is_empty() && mark.iter().all(u8::is_ascii_digit);
    if !has_links && !matches!(mark, b"" | b"+" | b"@" | b".") {
        return None;
    }
    let kind = match letters[0] {
        b'-' => Kind::File,
        b'd' => Kind::Dir,
        b'l' => Kind::Symlink,
        // Devices, pipes and sockets; doors, event ports and whiteouts; contiguous, off-line and network files.
        b'b' | b'c' | b'p' | b's' | b'D' | b'P' | b'w' | b'C' | b'M' | b'n' => Kind::Other,
        _ => return None,
    };
    let mut mode = 0;
    for (i, &letter) in letters[1..].iter().enumerate() {
        let bit = 0o400 >> i;
        let special = 0o4000 >> (i / 3);
        mode |= match (i, letter) {
            (_, b'-') => 0,
            (0 | 3 | 6, b'r') | (1 | 4 | 7, b'w') | (2 | 5 | 8, b'x') => bit,
            (2 | 5, b's') | (8, b't') => bit | special,
            (2 | 5, b'S') | (8, b'T') | (5, b'l' | b'L') => special,
            _ => return None,
        };
    }
    Some(Permissions { kind, mode, is_device: matches!(letters[0], b'b' | b'c'), has_links })
}

/// Returns whether a line without permissions is known to be no entry: `total 12`, also in other languages, and the head
/// of a reply to STAT.
fn is_noise(fields: &mut Fields<'_>) -> bool {
    let (Some(first), Some(second)) = (fields.get(0), fields.get(1)) else { return false };
    if first.eq_ignore_ascii_case(b"status") && second == b"of" {
        return true;
    }
    let word = first.strip_suffix(b":").unwrap_or(first);
    let is_total = TOTALS.iter().any(|total| word.eq_ignore_ascii_case(total.as_bytes()));
    is_total && second[0].is_ascii_digit() && fields.get(2).is_none()
}

/// The word before the date.
#[derive(Clone, Copy, Debug)]
enum Size {
    /// Digits alone; `None` where they are more than a file can have bytes.
    Bytes(Option<u64>),
    /// Digits behind a name that filled its column: the name's length, and the size.
    Glued(usize, Option<u64>),
    /// `3` or `1,3` of a device.
    Device,
    /// `33.5k`: about so many bytes.
    Rounded(Option<u64>),
    /// `-1`: a number that is no size.
    Vague,
}

impl Size {
    fn read(word: &[u8], is_device: bool) -> Option<Self> {
        if is_device && word.starts_with(b"0x") {
            return Some(Self::Device);
        }
        let digits = word.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let front = &word[..word.len() - digits];
        match front {
            b"" => Some(if is_device { Self::Device } else { Self::Bytes(big_number(word)) }),
            b"-" if digits > 0 => Some(Self::Vague),
            [.., b','] if is_device && digits > 0 => Some(Self::Device),
            _ if digits > 0 && !front[0].is_ascii_digit() => {
                Some(Self::Glued(front.len(), big_number(&word[front.len()..])))
            }
            _ => rounded(word).map(Self::Rounded),
        }
    }

    fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) | Self::Glued(_, bytes) => bytes,
            Self::Device | Self::Rounded(_) | Self::Vague => None,
        }
    }
}

/// Reads a size as `ls -h` writes it, `33.5k`, `4.0K`, `1M`: `None` where the word is none, `Some(None)` where it is
/// more than a file can have bytes.
fn rounded(word: &[u8]) -> Option<Option<u64>> {
    let end =
        word.iter().position(|b| !(b.is_ascii_digit() || matches!(b, b'.' | b','))).unwrap_or(word.len());
    let (figure, unit) = word.split_at(end);
    let shift = match unit {
        b"" | b"B" => 0,
        [unit] | [unit, b'B'] | [unit, b'i', b'B'] => {
            10 * (1 + b"KMGTPE".iter().position(|known| known.eq_ignore_ascii_case(unit))?)
        }
        _ => return None,
    };
    let point = figure.iter().position(|b| matches!(b, b'.' | b',')).unwrap_or(figure.len());
    let (whole, fraction) = (&figure[..point], figure.get(point + 1..).unwrap_or_default());
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let tenth = fraction.first().map_or(0, |b| u64::from(b - b'0'));
    let bytes = big_number(whole)
        .and_then(|whole| whole.checked_mul(10)?.checked_add(tenth)?.checked_mul(1 << shift));
    Some(bytes.map(|tenths| tenths / 10).filter(|&bytes| bytes <= i64::MAX as u64))
}

/// Finds the first date with a size before it, from word `from` on. Returns the place of the size, it, and the date.
fn find_size_and_date(
    fields: &mut Fields<'_>,
    from: usize,
    now: DateTime<Utc>,
    is_device: bool,
) -> Option<(usize, Size, Found)> {
    let mut i = from;
    loop {
        let word = fields.get(i)?;
        if let Some(size) = Size::read(word, is_device)
            && let Some(found) = date::find(fields, i + 1, now)
        {
            return Some((i, size, found));
        }
        i += 1;
    }
}

/// Tells links, owner and group apart in the words from the permissions to the size.
fn owners(
    fields: &mut Fields<'_>,
    words: Range<usize>,
    size: Size,
    has_links: bool,
) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut from, mut to, i) = (words.start, words.end, words.end);
    if matches!(size, Size::Device)
        && to > from
        && fields.get(to - 1).is_some_and(|word| word.ends_with(b","))
    {
        to -= 1;
    }
    let glued = match size {
        Size::Glued(length, _) => fields.get(i).map(|word| &word[..length]),
        Size::Bytes(_) | Size::Device | Size::Rounded(_) | Size::Vague => None,
    };
    // A number in front is the links. Where they are left out it may be an owner's number, but nothing tells.
    if !has_links && to > from && fields.get(from).is_some_and(|word| number(word).is_some()) {
        from += 1;
    }
    let known = |word: Option<&[u8]>| word.map(<[u8]>::to_vec);
    match (to - from, glued) {
        (0, glued) => (known(glued), None),
        (1, glued) => (known(fields.get(from)), known(glued)),
        (2, None) => (known(fields.get(from)), known(fields.get(from + 1))),
        (_, Some(_)) => (None, None),
        (_, None) => split_at_wide_gap(fields, from, to),
    }
}

/// Splits owner and group of more than two words at the one gap wider than a blank; without exactly one such gap
/// nobody can tell where the owner ends.
fn split_at_wide_gap(fields: &mut Fields<'_>, from: usize, to: usize) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let mut gap = None;
    for i in from + 1..to {
        let (Some(before), Some(here)) = (fields.span(i - 1), fields.span(i)) else { return (None, None) };
        if here.start > before.end + 1 && gap.replace((before.end, here.start)).is_some() {
            return (None, None);
        }
    }
    let (Some((owner_end, group_start)), Some(first), Some(last)) =
        (gap, fields.span(from), fields.span(to - 1))
    else {
        return (None, None);
    };
    let line = fields.line();
    (Some(line[first.start..owner_end].to_vec()), Some(line[group_start..last.end].to_vec()))
}

/// Splits `name -> target`. Both may hold an arrow, but a link's size is the length of its target, which settles it on
/// servers that print it; on others the first arrow is taken.
fn split_link(text: &[u8], size: Option<u64>) -> (&[u8], Option<&[u8]>) {
    let by_size = size.and_then(|size| {
        let target = text.len().checked_sub(usize::try_from(size).ok()?)?;
        let name = text[..target].strip_suffix(ARROW)?;
        Some((name, Some(&text[target..])))
    });
    by_size.unwrap_or_else(|| split_at_first(text, ARROW))
}

const ARROW: &[u8] = b" -> ";

/// What `ls` calls the sum of blocks.
const TOTALS: &[&str] = &[
    "total",
    "totale",
    "gesamt",
    "insgesamt",
    "totaal",
    "totalt",
    "summa",
    "yhteensä",
    "итого",
    "razem",
    "celkem",
    "összesen",
    "合計",
    "总用量",
    "總計",
    "합계",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Line> {
        Unix.parse(line.as_bytes(), "2026-11-21T12:00:00Z".parse().unwrap())
    }

    fn entry(line: &str) -> Listed {
        match parse(line) {
            Some(Line::Entry(listed)) => listed,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn text(bytes: Option<&Vec<u8>>) -> Option<&str> {
        bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn links_owner_group_and_size_as_far_as_they_are_there() {
        for (front, owner, group, size) in [
            ("-rw-r--r--   1 web  www   12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r--+  1 web  www   12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r--@  1 web  www   12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r--.  1 web  www   12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r--   1 1000 33    12", Some("1000"), Some("33"), Some(12)),
            ("-rw-r--r--   1 web        12", Some("web"), None, Some(12)),
            ("-rw-r--r--   1            12", None, None, Some(12)),
            ("-rw-r--r--                12", None, None, Some(12)),
            ("-rw-r--r--     web  www   12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r--     web        12", Some("web"), None, Some(12)),
            ("-rw-r--r-- 1 a domain users   www  12", Some("a domain users"), Some("www"), Some(12)),
            ("-rw-r--r-- 1 web  domain users 12", Some("web"), Some("domain users"), Some(12)),
            ("-rw-r--r-- 1 web domain users 12", None, None, Some(12)),
            ("-rw-r--r-- 1 a  domain users  www 12", None, None, Some(12)),
            ("-rw-r--r--   1 web  longgroup125478", Some("web"), Some("longgroup"), Some(125_478)),
            ("-rw-r--r--   1 longgroup125478", Some("longgroup"), None, Some(125_478)),
            ("  4711 -rw-r--r-- 1 web www 12", Some("web"), Some("www"), Some(12)),
            ("4711  8 -rw-r--r-- 1 web www 12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r-- 1 web www 33.5k", Some("web"), Some("www"), Some(34_304)),
            ("-rw-r--r-- 1 web www 4.0K", Some("web"), Some("www"), Some(4096)),
            ("-rw-r--r-- 1 web www 1,5M", Some("web"), Some("www"), Some(1_572_864)),
            ("-rw-r--r-- 1 web www 2GB", Some("web"), Some("www"), Some(2 << 30)),
            ("-rw-r--r-- 1 web www 99E", Some("web"), Some("www"), None),
            ("-rw-r--r--117 web www 12", Some("web"), Some("www"), Some(12)),
            ("-rw-r--r--117 1000 33 12", Some("1000"), Some("33"), Some(12)),
            ("-rw-r--r-- 1 web www -1", Some("web"), Some("www"), None),
            ("-rw-r--r-- 1 web www 9223372036854775807", Some("web"), Some("www"), Some(i64::MAX as u64)),
            ("-rw-r--r-- 1 web www 9223372036854775808", Some("web"), Some("www"), None),
            ("-rw-r--r-- 1 web www 99999999999999999999", Some("web"), Some("www"), None),
            ("-rw-r--r-- 1 DOM\\web DOM\\www 12", Some("DOM\\web"), Some("DOM\\www"), Some(12)),
        ] {
            let listed = entry(&format!("{front} Nov 21 10:06 n"));
            assert_eq!(
                (text(listed.owner.as_ref()), text(listed.group.as_ref()), listed.size),
                (owner, group, size),
                "{front}"
            );
            assert_eq!(listed.name, b"n", "{front}");
        }
    }

    #[test]
    fn a_size_in_units_is_not_to_the_byte() {
        for (size, exact) in [("12", Some(12)), ("12K", None), ("1.0", None), ("12B", None)] {
            let listed = entry(&format!("-rw-r--r-- 1 web www {size} Nov 21 10:06 n"));
            assert_eq!(listed.exact_size(), exact, "{size}");
            assert!(listed.size.is_some(), "{size}");
        }
    }

    #[test]
    fn kinds_and_modes() {
        use Kind::*;
        for (letters, kind, mode) in [
            ("-rwxr-x--x", File, 0o751),
            ("----------", File, 0),
            ("drwxrwsr-t", Dir, 0o3775),
            ("-rwsr-Sr-T", File, 0o7744),
            ("-rw-r-lr--", File, 0o2644),
            ("lrwxrwxrwx", Symlink, 0o777),
            ("prw-------", Other, 0o600),
            ("srwxrwxrwx", Other, 0o777),
            ("Drw-r--r--", Other, 0o644),
            ("Crw-r--r--", Other, 0o644),
        ] {
            let listed = entry(&format!("{letters} 1 a b 5 Nov 21 10:06 n"));
            assert_eq!((listed.kind, listed.mode), (kind, Some(mode)), "{letters}");
            assert_eq!(listed.size, (kind == File).then_some(5), "{letters}");
        }
        for device in ["1, 3", "1,3", "1,   3", "188, 20", "0x3000002"] {
            let listed = entry(&format!("crw-rw-rw- 1 root tty {device} Nov 21 10:06 null"));
            assert_eq!((listed.kind, listed.size, listed.name), (Other, None, b"null".to_vec()), "{device}");
            assert_eq!(
                (text(listed.owner.as_ref()), text(listed.group.as_ref())),
                (Some("root"), Some("tty")),
                "{device}"
            );
        }
    }

    #[test]
    fn the_name_is_everything_behind_one_blank() {
        for name in [
            "a b",
            " a",
            "  a  ",
            "a -> b",
            "2026",
            "10:06 x",
            "Nov 21 10:06 x",
            "a\rb",
            "\u{1}",
            "-rf",
            "../x",
            ".",
        ] {
            assert_eq!(entry(&format!("-rw-r--r-- 1 a b 5 Nov 21 10:06 {name}")).name, name.as_bytes());
            assert_eq!(entry(&format!("-rw-r--r-- 1 a b 5 Nov 21  2024 {name}")).name, name.as_bytes());
        }
    }

    #[test]
    fn a_link_is_split_where_its_size_says() {
        for (size, shown, name, target) in [
            (1, "a -> b", "a", Some("b")),
            (6, "a -> b -> c", "a", Some("b -> c")),
            (1, "a -> b -> c", "a -> b", Some("c")),
            (0, "a -> b -> c", "a", Some("b -> c")),
            (99, "a -> b", "a", Some("b")),
            (0, "a -> ", "a", Some("")),
            (4, "plain", "plain", None),
            (4, "ä -> öö", "ä", Some("öö")),
        ] {
            let listed = entry(&format!("lrwxrwxrwx 1 a b {size} Nov 21 10:06 {shown}"));
            assert_eq!(listed.name, name.as_bytes(), "{shown}");
            assert_eq!(text(listed.target.as_ref()), target, "{shown}");
        }
    }

    #[test]
    fn what_is_no_entry() {
        for noise in
            ["total 12", "Total 0", "insgesamt 12K", "total: 5", "Status of /pub:", "итого 5", "合計 12"]
        {
            assert_eq!(parse(noise), Some(Line::Noise), "{noise}");
        }
        for own in ["drwxr-xr-x 2 a b 4096 Nov 21 10:06 .", "drwxr-xr-x 2 a b 4096 Nov 21 10:06 .."] {
            assert_eq!(parse(own), Some(Line::Own), "{own}");
        }
        for nameless in [
            "-rw-r--r-- 1 a b 5 Nov 21 10:06",
            "-rw-r--r-- 1 a b 5 Nov 21 10:06 ",
            "lrwxrwxrwx 1 a b 1 Nov 21 10:06  -> b",
        ] {
            assert_eq!(parse(nameless), Some(Line::Rejected("the name is empty".into())), "{nameless}");
        }
        for other in [
            "",
            " ",
            "total",
            "total of 5 files",
            "total 5 Nov 21 10:06 n",
            "d1: No such file or directory",
            "-rw-r--r--",
            "-rw-r--r-- 1 a b Nov 21 10:06 n",
            "-rw-r--r-- 1 a b 5 10:06 n",
            "-rw-r--r-x! 1 a b 5 Nov 21 10:06 n",
            "-rwtr--r-- 1 a b 5 Nov 21 10:06 n",
            "-????????? ? ? ? ? ? n",
            "?rw-r--r-- 1 a b 5 Nov 21 10:06 n",
            "1 2 3 -rw-r--r-- 1 a b 5 Nov 21 10:06 n",
            "11-21-26  10:06AM  5 n",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
