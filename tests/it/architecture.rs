//! Holds the code to what ARCHITECTURE.md promises: which room imports which, who does I/O, who starts threads, how
//! long a file gets. Text is enough to tell: the names of `crate::…` paths and of std's modules can't be disguised.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

#[test]
fn each_import_is_an_arrow_that_the_architecture_allows() {
    let allowed = arrows(&read("ARCHITECTURE.md"));
    let rooms: BTreeSet<_> = sources().iter().filter_map(|source| source.room.clone()).collect();
    let mut wrong = Vec::new();
    for room in &rooms {
        if !allowed.contains_key(room) {
            wrong.push(format!("src/{room} is a room that the table in ARCHITECTURE.md doesn't have"));
        }
    }
    for source in sources() {
        let Some(room) = &source.room else { continue };
        for (line, target) in imports(&source) {
            let fine = target == *room || allowed.get(room).is_some_and(|targets| targets.contains(&target));
            if !fine {
                let hint = if rooms.contains(&target) {
                    ""
                } else {
                    ", which is no room: import from where it's defined"
                };
                wrong.push(format!("{}:{line}: {room} → {target}{hint}", source.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_table_of_arrows_names_rooms_alone_and_has_no_circle() {
    let allowed = arrows(&read("ARCHITECTURE.md"));
    let mut wrong = Vec::new();
    let built: BTreeSet<_> = sources().iter().filter_map(|source| source.room.clone()).collect();
    for (room, targets) in &allowed {
        if !built.contains(room) {
            wrong.push(format!("{room} is in the table and not in src"));
        }
        for target in targets {
            if !allowed.contains_key(target) {
                wrong.push(format!("{room} may import {target}, which the table has no row for"));
            }
            if reaches(&allowed, target, room) {
                wrong.push(format!("{room} and {target} may import each other"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn comparing_and_planning_do_no_io_and_read_no_clock() {
    assert_nobody_mentions(
        &[
            "std::thread",
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "Utc::now",
            "Local::now",
            "SystemTime::now",
            "Instant::now",
        ],
        |room| ["compare", "plan"].contains(&room),
    );
}

/// `run` reads both sides at once, `scan` and `execute` have workers, `server` a thread per client.
#[test]
fn threads_start_in_four_rooms_alone() {
    assert_nobody_mentions(&["thread::spawn", "thread::scope", "thread::Builder"], |room| {
        !["run", "scan", "execute", "server"].contains(&room)
    });
}

#[test]
fn no_source_file_is_longer_than_six_hundred_lines_without_its_tests() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        (lines > LONGEST).then(|| format!("{}: {lines} lines; look for the second idea in it", source.path))
    });
    assert_none(&long.collect::<Vec<_>>());
}

#[test]
fn no_integration_test_is_forgotten() {
    let mut forgotten = Vec::new();
    for dir in WalkDir::new(root().join("tests/it")).into_iter().map(|entry| entry.expect("readable")) {
        if !dir.file_type().is_dir() {
            continue;
        }
        let index =
            ["main.rs", "mod.rs"].map(|name| dir.path().join(name)).into_iter().find(|file| file.exists());
        let declared = index.map(|file| fs::read_to_string(file).expect("readable")).unwrap_or_default();
        for entry in fs::read_dir(dir.path()).expect("readable").map(|entry| entry.expect("readable")) {
            let path = entry.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is_module = path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
            if is_module && !["main", "mod"].contains(&name) && !declared.contains(&format!("mod {name};")) {
                forgotten.push(format!("{} is no part of the tests", path.display()));
            }
        }
    }
    assert_none(&forgotten);
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let text = r##"
        //! Doc about crate::nothing.
        use crate::{a::B, c, d::{e, f}, self as me};
        use super::{g::H, i};
        pub(crate) fn x(_: &crate::j::K) -> &'static str { "crate::no" /* crate::no */ }
        const C: char = '"'; const S: &str = r#"crate::no "quoted" crate::no"#;
        #[cfg(test)]
        mod tests { use crate::no; fn f() { if true { crate::no::f() } } }
        fn y<'a>() { m!($crate::l) }
        #[cfg(test)]
        use crate::no;
        use crate::m::*;
    "##;
    let source = Source {
        path: "src/room/mod.rs".to_owned(),
        room: Some("room".to_owned()),
        depth: 1,
        text: text.to_owned(),
    };
    let found: Vec<_> = imports(&source).into_iter().collect();
    let expected = [(3, "a"), (3, "c"), (3, "d"), (4, "g"), (4, "i"), (5, "j"), (9, "l"), (12, "m")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
    let text = "use super::{g, super::i};\nuse super::super::x;".to_owned();
    let deeper = Source { depth: 2, path: "src/room/deeper.rs".to_owned(), text, ..source };
    assert_eq!(imports(&deeper).into_iter().collect::<Vec<_>>(), [(1, "i".to_owned()), (2, "x".to_owned())]);
}

#[test]
fn the_table_is_read_between_its_markers() {
    let text = "| x | y |\n<!-- arrows -->\n| room | may import |\n| --- | --- |\n| `a` | b, `c` |\n| b | |\n<!-- /arrows -->\n| d | e |";
    let table = arrows(text);
    assert_eq!(table.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(table["a"].iter().collect::<Vec<_>>(), ["b", "c"]);
    assert!(table["b"].is_empty());
}

/// A file of the library.
struct Source {
    path: String,
    /// `None` for lib.rs, which is above all rooms.
    room: Option<String>,
    /// How many modules deep the file is: `src/a.rs` and `src/a/mod.rs` one, `src/a/b.rs` two.
    depth: usize,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = root().join("src");
    let files =
        WalkDir::new(&root).sort_by_file_name().into_iter().map(|entry| entry.expect("readable").into_path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect();
    let test_files: BTreeSet<_> = files.iter().flat_map(|file| test_modules(file)).collect();
    files
        .into_iter()
        .filter(|file| !file.starts_with(root.join("bin")) && !test_files.contains(file))
        .map(|file| {
            let inner = file.strip_prefix(&root).expect("it was found there").with_extension("");
            let mut modules: Vec<_> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if modules.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
                modules.pop();
            }
            let text = fs::read_to_string(&file).expect("readable");
            let path = format!("src/{}", file.strip_prefix(&root).expect("it was found there").display());
            Source { path, room: modules.first().cloned(), depth: modules.len(), text }
        })
        .collect()
}

/// The files that a file declares by `#[cfg(test)] mod name;`.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let tokens = tokens(&fs::read_to_string(file).expect("readable"));
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let beside = file.parent().expect("a file is in a directory");
    let dir = if ["mod", "lib", "main"].contains(&name) { beside.to_owned() } else { beside.join(name) };
    let declared = tokens.windows(CFG_TEST.len() + 3).filter(|window| {
        window.iter().zip(CFG_TEST).all(|(token, expected)| token.text == *expected)
            && window[CFG_TEST.len()].text == "mod"
            && window[CFG_TEST.len() + 2].text == ";"
    });
    declared.map(|window| dir.join(format!("{}.rs", window[CFG_TEST.len() + 1].text))).collect()
}

/// Returns the lines and rooms of all `crate::room` paths and of those `super::room` paths that lead out of the room.
fn imports(source: &Source) -> BTreeSet<(usize, String)> {
    let tokens = without_tests(&tokens(&source.text));
    let mut found = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let inside_a_path = at > 0 && tokens[at - 1].text == "::";
        match token.text.as_str() {
            "crate" => follow(&tokens[at + 1..], 0, &mut found),
            "super" if !inside_a_path => follow(&tokens[at + 1..], source.depth - 1, &mut found),
            _ => {}
        }
    }
    found
}

/// Follows a path from behind its first word, so many modules below the crate's root.
fn follow(path: &[Token], depth: usize, found: &mut BTreeSet<(usize, String)>) {
    let [colons, next, rest @ ..] = path else { return };
    if colons.text != "::" {
        return;
    }
    if next.text != "{" {
        return follow_part(next, rest, depth, found);
    }
    let mut nested = 0;
    let mut begins = true;
    for (at, token) in rest.iter().enumerate() {
        match token.text.as_str() {
            "}" if nested == 0 => return,
            "{" => nested += 1,
            "}" => nested -= 1,
            "," if nested == 0 => {
                begins = true;
                continue;
            }
            _ if begins => follow_part(token, &rest[at + 1..], depth, found),
            _ => {}
        }
        begins = false;
    }
}

fn follow_part(part: &Token, rest: &[Token], depth: usize, found: &mut BTreeSet<(usize, String)>) {
    match part.text.as_str() {
        "super" if depth > 0 => follow(rest, depth - 1, found),
        "self" | "*" | "super" => {}
        _ if depth == 0 => {
            found.insert((part.line, part.text.clone()));
        }
        _ => {}
    }
}

#[derive(Debug, Clone)]
struct Token {
    line: usize,
    text: String,
}

/// Cuts a source into words, `::` and single other characters, without comments, strings and character literals.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_or_comment(rest);
        let (taken, is_token) = match length {
            Some(length) => (length, false),
            None if rest.starts_with("::") => (2, true),
            None if is_word(first) => (rest.find(|next| !is_word(next)).unwrap_or(rest.len()), true),
            None => (first.len_utf8(), !first.is_whitespace()),
        };
        if is_token {
            tokens.push(Token { line, text: rest[..taken].to_owned() });
        }
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    tokens
}

/// Returns how long the comment, string or character is that the text begins with.
fn literal_or_comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    let prefix = text.len() - text.trim_start_matches(['b', 'c']).len();
    if let Some(raw) = text[prefix..].strip_prefix('r').filter(|_| prefix <= 1) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(inner) = raw[hashes..].strip_prefix('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let end = inner.find(&close).map_or(inner.len(), |end| end + close.len());
            return Some(text.len() - inner.len() + end);
        }
    }
    let inner = text[prefix..].strip_prefix('"').filter(|_| prefix <= 1);
    if let Some(inner) = inner {
        let mut escaped = false;
        let end = inner.char_indices().find(|(_, next)| {
            let closes = *next == '"' && !escaped;
            escaped = *next == '\\' && !escaped;
            closes
        });
        return Some(text.len() - inner.len() + end.map_or(inner.len(), |(end, _)| end + 1));
    }
    // 'a' and '\n' are characters, 'a alone is a lifetime.
    let inner = text.strip_prefix('\'')?;
    let mut chars = inner.char_indices().skip(1);
    let (second, third) = (chars.next()?, chars.next()?);
    if inner.starts_with('\\') {
        let close = inner[third.0..].find('\'')?;
        return Some(1 + third.0 + close + 1);
    }
    (second.1 == '\'').then_some(second.0 + 2)
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Leaves out what stands behind `#[cfg(test)]`: to the end of the statement or of the braces.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = &tokens[at..];
        let marked = here.len() >= CFG_TEST.len()
            && here.iter().zip(CFG_TEST).all(|(token, expected)| token.text == *expected);
        if !marked {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut nested = 0;
        let end = here.iter().skip(CFG_TEST.len()).position(|token| {
            match token.text.as_str() {
                "{" => nested += 1,
                "}" => nested -= 1,
                _ => {}
            }
            nested == 0 && [";", "}"].contains(&token.text.as_str())
        });
        at += end.map_or(here.len(), |end| CFG_TEST.len() + end + 1);
    }
    kept
}

/// Reads the table between the markers: a room and what it may import.
fn arrows(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (_, behind) = text.split_once("<!-- arrows -->").expect("ARCHITECTURE.md has <!-- arrows -->");
    let (table, _) = behind.split_once("<!-- /arrows -->").expect("ARCHITECTURE.md has <!-- /arrows -->");
    let rows = table.lines().filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    let rows =
        rows.skip(2).map(|row| row.split_once('|').unwrap_or_else(|| panic!("{row:?} has not two columns")));
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let targets = |cell: &str| cell.split(',').map(plain).filter(|target| !target.is_empty()).collect();
    rows.map(|(room, cell)| (plain(room), targets(cell))).collect()
}

fn reaches(allowed: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(room) = waiting.pop() {
        if room == to {
            return true;
        }
        if seen.insert(room) {
            waiting.extend(allowed.get(room).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

fn assert_nobody_mentions(paths: &[&str], is_meant: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.room.as_deref().is_some_and(&is_meant)) {
        let tokens = without_tests(&tokens(&source.text));
        for path in paths {
            let words = self::tokens(path);
            let mentions = tokens.windows(words.len());
            let mentions = mentions.filter(|window| window.iter().zip(&words).all(|(a, b)| a.text == b.text));
            wrong.extend(
                mentions.map(|window| format!("{}:{}: mentions {path}", source.path, window[0].line)),
            );
        }
    }
    assert_none(&wrong);
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const CFG_TEST: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];
const LONGEST: usize = 600;
