//! Each sample in `tests/data/listings/` gives the entries that stand next to it.
//!
//! `NAME.txt` is raw output; the part of its name before the first `-` is the family. `NAME.expected.json` has one object
//! a line as `oneway parse-listing` prints it, and `{"rejected": LINE}` for each line that is no entry. Bytes that are not
//! UTF-8 are written as in `%FF`.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use oneway::ftp::listing::{Listed, Listing, ListingFormat, Parser, format_named};
use serde_json::{Value, json};

#[test]
fn every_sample_gives_the_entries_next_to_it() {
    let mut wrong = String::new();
    for sample in samples() {
        let found = shown(&read(Some(family(&sample)), &sample));
        let expected = fs::read_to_string(sample.with_extension("expected.json")).unwrap_or_default();
        if lines(&found) != lines(&expected) {
            wrong += &format!("\n{} is read as\n{found}", sample.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_family_of_a_sample_shows_in_its_lines() {
    for sample in samples() {
        let detected = read(None, &sample).format.map(ListingFormat::name);
        // Bare names could be anything.
        let expected = Some(family(&sample)).filter(|family| *family != "nlst");
        assert_eq!(detected, expected, "{}", sample.display());
    }
}

#[test]
fn a_line_feed_in_a_name_shows_as_mixed_line_ends() {
    let mixed: Vec<String> = samples()
        .iter()
        .filter(|sample| read(Some(family(sample)), sample).mixed_line_ends)
        .map(|sample| sample.file_stem().unwrap().to_str().unwrap().into())
        .collect();
    assert_eq!(mixed, ["unix-vsftpd-line-feed"]);
}

fn samples() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/listings");
    let mut samples: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    samples.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    samples.sort();
    assert!(!samples.is_empty());
    samples
}

fn family(sample: &Path) -> &str {
    sample.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap()
}

fn read(family: Option<&str>, sample: &Path) -> Listing {
    let now: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
    let mut parser = match family {
        Some(name) => Parser::with_format(format_named(name).unwrap(), now),
        None => Parser::new(now),
    };
    parser.push(&fs::read(sample).unwrap());
    parser.finish()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn shown(listing: &Listing) -> String {
    let entries = listing.entries.iter().map(entry);
    let rejected =
        listing.rejected.iter().map(|rejected| json!({ "rejected": text(&rejected.line) }).to_string());
    entries.chain(rejected).map(|line| line + "\n").collect()
}

fn entry(listed: &Listed) -> String {
    let quoted = |bytes: &Option<Vec<u8>>| json!(bytes.as_ref().map(|bytes| text(bytes))).to_string();
    // By hand, so that the fields stand in the order of the page that promises them.
    format!(
        r#"{{"name":{},"kind":"{}","size":{},"modified":{},"precision":{},"target":{},"mode":{},"owner":{},"group":{}}}"#,
        json!(text(&listed.name)),
        listed.kind.as_str(),
        json!(listed.size),
        json!(listed.mtime.map(|m| m.at.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        json!(listed.mtime.map(|m| m.precision.as_str())),
        quoted(&listed.target),
        json!(listed.mode.map(|mode| format!("{mode:04o}"))),
        quoted(&listed.owner),
        quoted(&listed.group),
    )
}

fn text(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .flat_map(|chunk| {
            let escaped = chunk.invalid().iter().map(|byte| format!("%{byte:02X}"));
            std::iter::once(chunk.valid().to_owned()).chain(escaped)
        })
        .collect()
}
