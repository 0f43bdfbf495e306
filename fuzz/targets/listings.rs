//! Listings of every family, detected and forced: no name of them leads anywhere, and pieces make no difference.
#![no_main]

use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use oneway::ftp::listing::{FORMATS, Listing, Parser};

fn read(which: usize, pieces: &[&[u8]]) -> Listing {
    let now: DateTime<Utc> = DateTime::from_timestamp(1_795_255_200, 0).expect("a day in 2026");
    let mut parser = match FORMATS.get(which) {
        Some(format) => Parser::with_format(*format, now),
        None => Parser::new(now),
    };
    for piece in pieces {
        parser.push(piece);
    }
    parser.finish()
}

fuzz_target!(|bytes: &[u8]| {
    let [which, cut, text @ ..] = bytes else { return };
    let which = usize::from(*which) % (FORMATS.len() + 4);
    let (one, other) = text.split_at(usize::from(*cut).min(text.len()));
    let whole = read(which, &[text]);
    assert_eq!(format!("{whole:?}"), format!("{:?}", read(which, &[one, other])));
    for entry in &whole.entries {
        assert!(!entry.name.is_empty() && !entry.name.iter().any(|b| matches!(b, b'/' | 0 | b'\r' | b'\n')));
        assert!(entry.name != b"." && entry.name != b"..");
    }
});
