//! The words of README.md and the files people copy, held against the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::{Sandbox, files};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns each `--option` in a text.
fn options(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let starts_a_word = at == 0 || matches!(text.as_bytes()[at - 1], b' ' | b'`' | b'[' | b'(');
        let rest = &text[at + 2..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        if starts_a_word && end > 1 {
            found.insert(rest[..end].to_owned());
        }
    }
    found
}

#[test]
fn the_readme_names_each_option_of_sync_and_no_other() {
    let sandbox = Sandbox::new();
    let help = sandbox.oneway(["sync", "--help"]).expect_status(0).stdout;
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let table = readme.split("| option |").nth(1).and_then(|rest| rest.split("\n\n").next());
    let documented = options(table.expect("README.md has a table of options"));
    let mut there = options(&help);
    for common in ["help", "version"] {
        there.remove(common);
    }
    assert_eq!(documented, there);
}

#[test]
fn every_filter_file_that_ships_is_read() {
    let sandbox = Sandbox::new();
    let src = sandbox.tree(
        "src",
        files! {"a.map" => "1", "assets/main.js.map" => "2", "uploads/x" => "3", "i.html" => "4"},
    );
    let mut read = 0;
    for entry in fs::read_dir(root().join("config")).expect("config/ is there") {
        let path = entry.expect("config/ is readable").path();
        if path.extension().is_some_and(|extension| extension == "filter") {
            let rules = path.to_str().expect("its name is ASCII");
            // Nothing listens there: rules are read, and refused, before anything is connected to.
            let output = sandbox.oneway(["diff", "--filter-from", rules, &src, "ftp://127.0.0.1:1/"]);
            output.expect_status(4);
            read += 1;
        }
    }
    assert!(read > 0);
}
