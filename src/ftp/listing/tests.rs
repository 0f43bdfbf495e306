//! What holds for the parser and for every family alike.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::model::{Precision, RelPath, Zone};

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn read(text: impl AsRef<[u8]>) -> Listing {
    let mut parser = Parser::new(now());
    parser.push(text.as_ref());
    parser.finish()
}

fn read_limited(text: &[u8], limits: Limits) -> Listing {
    let mut parser = Parser::with_format(&Nlst, now()).limits(limits);
    parser.push(text);
    parser.finish()
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.entries.iter().map(|listed| std::str::from_utf8(&listed.name).unwrap()).collect()
}

const UNIX: &str = "-rw-r--r-- 1 a b 5 Nov 21 10:06 ";
const DOS: &str = "11-21-26  10:06AM                    5 ";
const MLSD: &str = "type=file;size=5; ";

#[test]
fn the_family_is_told_by_the_lines() {
    for (text, format) in [
        (format!("{MLSD}n\r\n"), Some("mlsd")),
        (format!("{UNIX}n\r\n"), Some("unix")),
        (format!("{DOS}n\r\n"), Some("dos")),
        (format!("total 5\n\n{UNIX}n\n"), Some("unix")),
        (format!("{UNIX}{MLSD}n\n"), Some("unix")),
        (format!("error\nerror\n{DOS}n\n"), Some("dos")),
        (format!("{UNIX}a\n{DOS}b\n{DOS}c\n"), Some("dos")),
        ("total 0\r\n".into(), Some("unix")),
        ("plain\nnames\n".into(), None),
        ("\r\n\n".into(), None),
        (String::new(), None),
    ] {
        assert_eq!(read(&text).format.map(ListingFormat::name), format, "{text}");
    }
}

#[test]
fn a_line_of_another_family_is_rejected_and_never_guessed_at() {
    let text = format!("{UNIX}a\n").repeat(30) + &format!("{DOS}b\n").repeat(50);
    let listing = read(text);
    assert_eq!((listing.entries.len(), listing.rejected_count), (30, 50));
    assert_eq!(listing.rejected[0].line, format!("{DOS}b").as_bytes());
    assert_eq!(listing.rejected[0].reason, "not a line of a listing of kind unix");
    assert!(!listing.is_whole());
}

#[test]
fn a_name_that_leads_elsewhere_is_rejected_with_the_reason() {
    for (name, reason) in [
        ("../x", "the name holds a path separator"),
        ("/etc/passwd", "the name holds a path separator"),
        ("..", "`.` and `..` are not names of their own"),
        ("a\0b", "the name holds a NUL, CR or LF"),
        ("a\rb", "the name holds a NUL, CR or LF"),
        ("", "the name is empty"),
    ] {
        for front in [UNIX, DOS, MLSD] {
            let listing = read(format!("{front}{name}\r\n{front}b\r\n"));
            assert_eq!(names(&listing), ["b"], "{front}{name:?}");
            let told = &listing.rejected[0].reason;
            assert!(told.ends_with(reason), "{front}{name:?}: {told}");
        }
    }
}

#[test]
fn an_entry_may_begin_on_the_line_before() {
    let begun = "A_LONG_NAME.TXT;1\r\n";
    let whole = "  3/3  17-NOV-2015 09:33:41  [A,B]  (R,R,R,)\r\n";
    let short = "B.TXT;1  3/3  17-NOV-2015 09:33:41\r\n";
    for (text, found, rejected) in [
        (format!("{begun}{whole}{short}"), vec!["A_LONG_NAME.TXT;1", "B.TXT;1"], vec![]),
        (format!("{begun}{short}"), vec!["B.TXT;1"], vec!["A_LONG_NAME.TXT;1"]),
        (format!("{begun}{begun}{whole}"), vec!["A_LONG_NAME.TXT;1"], vec!["A_LONG_NAME.TXT;1"]),
        (format!("{short}{begun}"), vec!["B.TXT;1"], vec!["A_LONG_NAME.TXT;1"]),
        (format!("{begun}garbage\r\n{short}"), vec!["B.TXT;1"], vec!["A_LONG_NAME.TXT;1", "garbage"]),
    ] {
        let listing = read(&text);
        let lines: Vec<String> =
            listing.rejected.iter().map(|r| String::from_utf8(r.line.clone()).unwrap()).collect();
        assert_eq!(
            (names(&listing), lines),
            (found, rejected.into_iter().map(Into::into).collect()),
            "{text}"
        );
        assert_eq!(listing.format.map(ListingFormat::name), Some("vms"), "{text}");
    }
}

#[test]
fn a_bare_name_shows_no_family_by_itself() {
    let head = " Name     VV.MM   Created       Changed      Size  Init   Mod   Id\r\n";
    let listing = read(format!("{head}PROG01\r\nPROG02\r\n"));
    assert_eq!((names(&listing), listing.rejected_count), (vec!["PROG01", "PROG02"], 0));
    assert!(read("PROG01\r\nPROG02\r\n").format.is_none());
}

#[test]
fn what_is_taken_out_early_is_not_told_again() {
    let mut parser = Parser::new(now());
    parser.push(format!("{UNIX}a\nx\n").repeat(20).as_bytes());
    assert_eq!((parser.take_entries().count(), parser.take_rejected().count()), (20, 20));
    parser.push(format!("{UNIX}b\n").as_bytes());
    assert_eq!(parser.take_entries().map(|listed| listed.name).collect::<Vec<_>>(), [b"b"]);
    let listing = parser.finish();
    assert_eq!((listing.entries.len(), listing.rejected.len(), listing.rejected_count), (0, 0, 20));
}

#[test]
fn a_listing_of_no_known_kind_has_no_entries() {
    let listing = read("some\nnames\n".repeat(100));
    assert_eq!((listing.entries.len(), listing.rejected_count), (0, 200));
    assert_eq!(listing.rejected[0].reason, "no known kind of listing");
}

#[test]
fn noise_without_end_does_not_wait_for_a_decision() {
    let listing = read("total 5\n".repeat(100_000) + UNIX + "n\n");
    assert_eq!(names(&listing), ["n"]);
    assert!(listing.is_whole());
}

#[test]
fn a_line_ends_at_lf_and_loses_one_cr() {
    let listing = read(format!("{UNIX}a\r\n{UNIX}b\r\r\n{UNIX}c\rd\r\n"));
    assert_eq!((names(&listing), listing.rejected_count), (vec!["a"], 2));
    assert!(!listing.mixed_line_ends && !listing.unterminated);
    let listing = read(format!("{UNIX}a\n\n{UNIX}b\r"));
    assert_eq!(names(&listing), ["a", "b"]);
    assert!(!listing.mixed_line_ends && listing.unterminated && !listing.is_whole());
}

#[test]
fn a_name_with_a_line_feed_makes_the_listing_doubtful() {
    let listing = read(format!("{UNIX}a\r\n{UNIX}b\n{UNIX}forged\r\n"));
    assert!(listing.mixed_line_ends && !listing.is_whole());
}

#[test]
fn a_line_too_long_is_rejected_and_its_memory_bounded() {
    let limits = Limits { line_bytes: 10, ..Limits::default() };
    for (text, found, rejected) in [
        ("0123456789\n", vec!["0123456789"], 0),
        ("0123456789\r\nb\r\n", vec!["0123456789", "b"], 0),
        ("0123456789a\nb\n", vec!["b"], 1),
        ("0123456789\r\r\nb\n", vec!["b"], 1),
        ("0123456789abcdefghijklmnopqrstuvwxyz", vec![], 1),
    ] {
        let listing = read_limited(text.as_bytes(), limits);
        assert_eq!((names(&listing), listing.rejected_count), (found, rejected), "{text:?}");
    }
    let mut parser = Parser::new(now());
    (0..1600).for_each(|_| parser.push(&[b'x'; 64 << 10]));
    let listing = parser.finish();
    assert_eq!(listing.rejected_count, 1);
    assert!(listing.rejected[0].line.len() <= 4096);
    assert_eq!(listing.rejected[0].reason, "the line is longer than 65536 bytes");
}

#[test]
fn a_listing_over_a_limit_is_cut_and_says_so() {
    let limits = Limits { entries: 2, ..Limits::default() };
    let listing = read_limited(b"a\nb\n", limits);
    assert_eq!((names(&listing), listing.cut), (vec!["a", "b"], None));
    let listing = read_limited(b"a\nb\nc\nd\n", limits);
    assert_eq!((names(&listing), listing.cut), (vec!["a", "b"], Some(Cut::Entries)));

    let limits = Limits { bytes: 5, ..Limits::default() };
    let listing = read_limited(b"a\nbc\n", limits);
    assert_eq!((names(&listing), listing.cut), (vec!["a", "bc"], None));
    let listing = read_limited(b"a\nbcd\ne\n", limits);
    assert_eq!((names(&listing), listing.cut), (vec!["a"], Some(Cut::Bytes)));
    assert!(!listing.is_whole());
}

#[test]
fn rejected_lines_are_kept_up_to_a_limit_and_counted_beyond() {
    let mut parser = Parser::with_format(&Mlsd, now()).limits(Limits { rejected: 3, ..Limits::default() });
    parser.push(&b"x\n".repeat(10));
    let listing = parser.finish();
    assert_eq!((listing.rejected.len(), listing.rejected_count), (3, 10));
}

#[test]
fn line_soup_takes_time_in_proportion_to_its_length() {
    let soups: [(&str, Vec<u8>); 14] = [
        ("blanks", b" ".repeat(1 << 20)),
        ("digits", b"1".repeat(1 << 20)),
        ("words", b"1 ".repeat(1 << 19)),
        ("arrows", ("l".to_owned() + &UNIX[1..] + &" -> ".repeat(1 << 14) + "\n").repeat(16).into_bytes()),
        ("permissions", b"-rw-r--r-- ".repeat(100_000)),
        ("dates", ("-rw-r--r-- ".to_owned() + &"5 Jan 29 ".repeat(1000) + "\n").repeat(110).into_bytes()),
        ("facts", ("type=file;".repeat(6000) + "\n").repeat(17).into_bytes()),
        ("commas", ("11-21-26 10:06AM ".to_owned() + &"1,".repeat(30_000) + " n\n").repeat(17).into_bytes()),
        ("beginnings", b"A;1\n".repeat(1 << 18)),
        ("one long beginning", ("A".repeat(60_000) + ";1\n").repeat(17).into_bytes()),
        ("members", b"A\n".repeat(1 << 19)),
        (
            "months",
            ("-rw-r--r-- ".to_owned() + &"5 \u{e4}\u{e4}\u{e4} 21 ".repeat(900) + "\n")
                .repeat(80)
                .into_bytes(),
        ),
        ("counts", ("-rw-r--r-- 5 ".to_owned() + &"1\u{6708}".repeat(15_000) + "\n").repeat(17).into_bytes()),
        ("short lines", b"1 Jan\n".repeat(170_000)),
    ];
    for (name, mut soup) in soups {
        soup.truncate(256 << 10);
        let start = Instant::now();
        read(&soup);
        for format in FORMATS {
            let mut parser = Parser::with_format(*format, now());
            parser.push(&soup);
            parser.finish();
        }
        // A pass for each family, and one for all, without optimisation; anything quadratic takes many minutes.
        assert!(start.elapsed() < Duration::from_secs(10), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn every_family_is_found_by_its_name() {
    for format in FORMATS {
        assert_eq!(format_named(format.name()).map(ListingFormat::name), Some(format.name()));
    }
    assert!(format_named("tops20").is_none());
}

/// Bytes of a name as a server may list it and a mirror may believe.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof!["[ -.0-~]{1,12}".prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 1..12),]
        .prop_filter("a name", |name| RelPath::check_name(name).is_ok())
}

/// An instant of the last five months, to the second: `ls` shows it without a year.
fn recent() -> impl Strategy<Value = DateTime<Utc>> {
    (0..150 * 86_400i64).prop_map(|ago| now() - chrono::TimeDelta::seconds(ago))
}

fn file(name: Vec<u8>, size: u64, at: DateTime<Utc>, precision: Precision) -> Listed {
    let at = DateTime::from_timestamp(
        at.timestamp() / precision.span().num_seconds() * precision.span().num_seconds(),
        0,
    );
    Listed {
        size: Some(size),
        mtime: Some(Mtime { at: at.unwrap(), precision, zone: Zone::Unknown }),
        ..Listed::new(name, Kind::File)
    }
}

fn line(front: &str, name: &[u8]) -> Vec<u8> {
    [front.as_bytes(), name, b"\r\n"].concat()
}

fn one(text: &[u8], format: &'static dyn ListingFormat) -> Listed {
    let listing = read(text);
    assert_eq!(listing.format.map(ListingFormat::name), Some(format.name()));
    assert_eq!((listing.entries.len(), listing.rejected_count), (1, 0));
    listing.entries[0].clone()
}

/// Pieces of lines, which make more that is nearly right than arbitrary bytes do.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "-rw-r--r--",
        "drwxr-sr-t+",
        "lrwxrwxrwx",
        "crw-rw----",
        "total",
        " ",
        " ",
        " ",
        "  ",
        "1",
        "5",
        "web",
        "1,",
        "2026",
        "Nov",
        "21",
        "21.",
        "29",
        "Feb",
        "déc.",
        "10:06",
        "10:06:15",
        "24:00",
        "2005-06-07",
        "09-26",
        "+0200",
        " -> ",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "11-21-26",
        "10:06AM",
        "<DIR>",
        "<SYMLINK>",
        "          ",
        "[x]",
        "type=",
        "file",
        "dir",
        ";",
        "size=",
        "modify=20261121100615",
        "OS.unix=slink:",
        ".",
        "..",
        "\u{e9}",
        "999999999999999999999",
        "9223372036854775807",
        "NAME.EXT;1",
        "NAME.DIR;1",
        "12/15",
        "16-SEP-2012",
        "[A,B]",
        "2016/05/24",
        "**NONE**",
        "FB",
        "PO-E",
        "Migrated",
        "01.03",
        "0000A8F0",
        "F",
        "DIR",
        "'x'",
        "03/27/01",
        "*STMF",
        "*FILE",
        "[RWCEAFMS]",
        "folder",
        "06-17-105",
        "30.15",
        "d-ewrewr",
        "101O",
        "120, 31 \"nnnn\"",
        "04,",
        "/",
        "+r,s5,",
        "33.5k",
        "0100644",
        "6\u{6708}",
        "3\u{65e5}",
        "Thur.",
        "-",
    ];
    prop::collection::vec(
        prop_oneof![9 => prop::sample::select(pieces.to_vec()).prop_map(|s| s.as_bytes().to_vec()), 1 => any::<Vec<u8>>()],
        0..80,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop_oneof![soup(), any::<Vec<u8>>()]) {
        for format in FORMATS {
            for line in bytes.split(|&b| b == b'\n') {
                if let Some(Line::Entry(listed) | Line::Perhaps(listed)) = format.parse(line, now()) {
                    prop_assert!(!listed.name.is_empty() && line.len() >= listed.name.len());
                    prop_assert!(!listed.rounded || listed.size.is_some());
                    prop_assert!(listed.size.is_none_or(|size| size <= i64::MAX as u64));
                    prop_assert!(listed.size.is_none() || listed.kind == Kind::File);
                    prop_assert!(listed.target.is_none() || listed.kind == Kind::Symlink);
                }
            }
        }
    }

    #[test]
    fn it_does_not_matter_where_the_stream_is_cut(
        bytes in soup(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        limits in (1..80usize, 1..6usize, 1..300u64).prop_map(|(line_bytes, entries, bytes)| {
            Limits { line_bytes, entries, bytes, rejected: 5 }
        }),
        known in prop::option::of(0..FORMATS.len()),
    ) {
        let parser = || match known {
            Some(i) => Parser::with_format(FORMATS[i], now()).limits(limits),
            None => Parser::new(now()).limits(limits),
        };
        let mut whole = parser();
        whole.push(&bytes);
        let mut pieces = parser();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for to in cuts.into_iter().chain([bytes.len()]) {
            pieces.push(&bytes[from..to]);
            from = to;
        }
        prop_assert_eq!(format!("{:?}", whole.finish()), format!("{:?}", pieces.finish()));
    }

    #[test]
    fn an_mlsd_line_gives_back_what_was_written(name in name(), size in 0..=i64::MAX as u64, at in recent()) {
        let text = line(&format!("type=file;size={size};modify={}; ", at.format("%Y%m%d%H%M%S")), &name);
        let utc = Some(Mtime::exact(at));
        prop_assert_eq!(one(&text, &Mlsd), Listed { mtime: utc, ..file(name, size, at, Precision::Second) });
    }

    #[test]
    fn a_unix_line_gives_back_what_was_written(name in name(), size in 0..=i64::MAX as u64, at in recent(), mode in 0..0o1000u32) {
        let letters: String =
            (0..9).map(|i| if mode & 0o400 >> i == 0 { '-' } else { ['r', 'w', 'x'][i % 3] }).collect();
        let owners = |listed| Listed { mode: Some(mode), owner: Some(b"web".into()), group: Some(b"www".into()), ..listed };
        let front = format!("-{letters}   1 web      www      {size:>8} ");
        for (date, precision) in [("%b %e %H:%M", Precision::Minute), ("%b %e  %Y", Precision::Day), ("%Y-%m-%d %H:%M:%S", Precision::Second)] {
            let text = line(&format!("{front}{} ", at.format(date)), &name);
            prop_assert_eq!(one(&text, &Unix), owners(file(name.clone(), size, at, precision)));
        }
    }

    #[test]
    fn a_dos_line_gives_back_what_was_written(name in name(), size in 0..=i64::MAX as u64, at in recent()) {
        let expected = file(name.clone(), size, at, Precision::Minute);
        for date in ["%m-%d-%y  %I:%M%p", "%m-%d-%Y  %H:%M", "%m/%d/%Y  %I:%M %p"] {
            let text = line(&format!("{} {size:>20} ", at.format(date)), &name);
            prop_assert_eq!(&one(&text, &Dos), &expected);
        }
        let text = line(&format!("{}       <DIR>          ", at.format("%m-%d-%y  %I:%M%p")), &name);
        prop_assert_eq!(one(&text, &Dos), Listed { kind: Kind::Dir, size: None, ..expected });
    }
}
