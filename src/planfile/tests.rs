use std::io::{BufReader, Read};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::compare::Reason;
use crate::model::{Entry, Kind, Mtime, Offset, Precision, RelPath, Zone};
use crate::plan::{Action, Actions, Deed, Phase};
use crate::spill::{Sorter, Spill};

fn header() -> Header {
    Header {
        program: "1.2.3".to_owned(),
        made: "2026-11-21T10:02:37Z".parse().unwrap(),
        source: "/srv/build".to_owned(),
        destination: "ftp://web@example.org/htdocs".to_owned(),
        options: BTreeMap::from([
            ("fsync".to_owned(), OptionValue::Switch(true)),
            ("links".to_owned(), OptionValue::One("copy".to_owned())),
            ("pin".to_owned(), OptionValue::Many(vec!["a".to_owned(), "b".to_owned()])),
        ]),
    }
}

fn file(name: &[u8], size: u64) -> Entry {
    Entry::file(RelPath::parse(name).unwrap(), size, Mtime::from_unix(1_000_000_000, 7))
}

fn action(deed: Deed, phase: Phase, source: Option<Entry>, destination: Option<Entry>) -> Action {
    let path = destination.as_ref().or(source.as_ref()).unwrap().path.clone();
    let reason = if phase == Phase::Room { Reason::Kind } else { Reason::Size };
    let (source, destination) = (source.map(Box::new), destination.map(Box::new));
    Action { path, deed, phase, reason, source, destination, obstacle: None }
}

fn bytes_of(actions: Vec<Action>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&header(), &Plan { actions: actions.into(), ..Plan::default() }, &mut bytes).unwrap();
    bytes
}

/// As somebody makes it who wants it to be believed.
fn sealed(lines: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
    let last = last_line(lines.len() - 1, blake3::hash(&bytes));
    bytes.extend(last);
    bytes
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        "[a-zé%\"\\\\ \u{202e}]{1,4}".prop_map(String::into_bytes),
        vec(prop::sample::select(b"a\xff\x80%\x1b\"".to_vec()), 1..4),
    ];
    vec(name, 1..4).prop_map(|names| names.join(&b'/'))
}

fn mtimes() -> impl Strategy<Value = Option<Mtime>> {
    let zone = prop_oneof![
        Just(Zone::Utc),
        Just(Zone::Unknown),
        (-48i64..=56).prop_map(|quarters| Zone::Local(Offset::from_minutes(quarters * 15).unwrap())),
    ];
    let seconds = prop_oneof![-9_000_000_000_000i64..8_000_000_000_000, 0i64..2_000_000_000];
    let time = (seconds, 0u32..1_000_000_000, prop::sample::select(Precision::ALL), zone);
    prop::option::of(time.prop_filter_map("in the calendar", |(seconds, nanos, precision, zone)| {
        Some(Mtime { precision, zone, ..Mtime::from_unix(seconds, nanos)? })
    }))
}

prop_compose! {
    fn entry(kind: Kind)(size: Option<u64>, mtime in mtimes(), mode in prop::option::of(0u16..0o10000)) -> Entry {
        let path = RelPath::parse("x").unwrap();
        Entry { size, mtime, mode, ..Entry::new(path, kind) }
    }
}

type Parts = (usize, Entry, Entry, Option<String>, Vec<u8>);

/// Actions that a plan could have, one for each path.
fn actions() -> impl Strategy<Value = Vec<Action>> {
    let one =
        (0usize..10, entry(Kind::File), entry(Kind::File), prop::option::weighted(0.1, "\\PC{1,9}"), names());
    btree_map(names(), one, 0..9).prop_map(|all| {
        let used: std::collections::BTreeSet<Vec<u8>> = all.keys().cloned().collect();
        let of = |(path, (which, source, destination, obstacle, to)): (Vec<u8>, Parts)| {
            let path = RelPath::parse(path).unwrap();
            let at = |entry: Entry, kind| Some(Entry { path: path.clone(), kind, ..entry });
            let mut to_path = to;
            while used.contains(&to_path) {
                to_path.push(b'+');
            }
            to_path.extend_from_slice(b"/");
            to_path.extend_from_slice(path.as_bytes());
            let renamed = Entry { path: RelPath::parse(to_path).unwrap(), ..source.clone() };
            let link = Entry { target: Some(b"caf\xe9"[..].into()), ..source.clone() };
            let mut action = match which {
                0 => action(Deed::CreateDir, Phase::Folders, at(source, Kind::Dir), None),
                1 => action(Deed::Copy, Phase::Files, at(source, Kind::File), None),
                2 => action(Deed::Replace, Phase::Last, at(source, Kind::File), at(destination, Kind::File)),
                3 => action(Deed::Rename, Phase::Renames, Some(renamed), at(destination, Kind::File)),
                4 => action(Deed::Touch, Phase::Times, at(source, Kind::File), at(destination, Kind::File)),
                9 => {
                    let [source, destination] =
                        [source, destination].map(|entry| Entry { mode: Some(0o640), ..entry });
                    action(
                        Deed::Chmod,
                        Phase::Permissions,
                        at(source, Kind::File),
                        at(destination, Kind::File),
                    )
                }
                5 => action(Deed::Delete, Phase::Room, None, at(destination, Kind::File)),
                6 => action(Deed::Delete, Phase::Deletions, None, at(destination, Kind::Symlink)),
                7 => action(Deed::DeleteDir, Phase::Removals, None, at(destination, Kind::Dir)),
                _ => action(Deed::Replace, Phase::Late, at(link, Kind::Symlink), None),
            };
            action.obstacle = obstacle.map(|why| crate::model::escape(why.as_bytes()).into());
            action
        };
        let mut plan = Plan { actions: all.into_iter().map(of).collect(), ..Plan::default() };
        plan.sort();
        plan.actions.held().to_vec()
    })
}

#[test]
fn a_plan_of_which_something_is_missing_is_not_written() {
    let path = RelPath::parse("a").unwrap();
    let one = Action {
        source: Some(Box::new(Entry::new(path.clone(), Kind::File))),
        path,
        deed: Deed::Copy,
        phase: Phase::Files,
        reason: Reason::Missing,
        destination: None,
        obstacle: None,
    };
    assert!(write_actions(&header(), 1, [&one].into_iter(), &mut Vec::new()).is_ok());
    assert!(write_actions(&header(), 2, [&one].into_iter(), &mut Vec::new()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_written_is_read_and_is_lines_of_json(actions in actions()) {
        let bytes = bytes_of(actions.clone());
        let (read_header, plan) = read(&bytes).unwrap();
        prop_assert_eq!((read_header, plan.actions.held()), (header(), &actions[..]));
        let text = String::from_utf8(bytes).unwrap();
        prop_assert!(!text.contains(['\u{1b}', '\u{202e}']), "a terminal obeys nothing of it");
        for line in text.lines() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
        }
    }

    #[test]
    fn what_is_cut_short_or_has_another_byte_is_refused(
        actions in actions(), at: prop::sample::Index, bit in 0u8..8, more in "[ \n{}a]{1,3}",
    ) {
        let bytes = bytes_of(actions);
        let at = at.index(bytes.len());
        prop_assert!(read(&bytes[..at]).is_err(), "cut at {}", at);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        prop_assert!(read(&flipped).is_err(), "flipped at {}", at);
        prop_assert!(read(&[&bytes[..], more.as_bytes()].concat()).is_err());
        prop_assert!(read(&[&bytes[..at], more.as_bytes(), &bytes[at..]].concat()).is_err());
    }

    #[test]
    fn what_is_put_aside_comes_back_as_it_was(actions in actions()) {
        let spill = Spill::to(tempfile::env::temp_dir(), 0);
        let mut sorter = Sorter::new(spill.clone());
        for action in actions.iter().rev() {
            sorter.push(action.clone()).unwrap();
        }
        let put = Actions::sorted(sorter).unwrap();
        prop_assert!(put.as_held().is_none() || put.is_empty());
        let held = Actions::from(actions);
        prop_assert_eq!(&put, &held);
        let revised = |mut all: Actions| {
            all.revise(&spill, held.held().first().cloned(), |action| {
                action.refuse("not now");
                action.phase != Phase::Files
            })
            .unwrap();
            all
        };
        prop_assert_eq!(revised(put), revised(held.clone()));
    }

    #[test]
    fn any_bytes_are_a_plan_or_an_error(bytes: Vec<u8>, lines in vec("\\PC{0,60}", 0..4), values in vec("\"?[a-z0-9/.]{0,8}\"?", 4)) {
        let _ = read(&bytes);
        let whole = bytes_of(vec![action(Deed::Copy, Phase::Files, Some(file(b"a", 1)), None)]);
        let whole = String::from_utf8(whole).unwrap();
        let first = whole.lines().next().unwrap().replace("\"actions\":1", &format!("\"actions\":{}", lines.len()));
        let mut all = vec![first.as_str()];
        all.extend(lines.iter().map(String::as_str));
        let _ = read(&sealed(&all));
        let line = whole.lines().nth(1).unwrap();
        for (i, old) in ["\"copy\"", "\"files\"", "\"a\"", "\"file\""].into_iter().enumerate() {
            let _ = read(&sealed(&[whole.lines().next().unwrap(), &line.replace(old, &values[i])]));
        }
    }
}

#[test]
fn a_file_reads_as_it_is_documented() {
    let names = [&b"caf\xe9 100%"[..], b"old"];
    let replace = action(Deed::Replace, Phase::Files, Some(file(names[0], 22)), Some(file(names[0], 15)));
    let delete =
        action(Deed::Delete, Phase::Deletions, None, Some(Entry { mtime: None, ..file(names[1], 3) }));
    let text = String::from_utf8(bytes_of(vec![replace, delete])).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            r#"{"oneway_plan":1,"program":"1.2.3","made":"2026-11-21T10:02:37Z","source":"/srv/build","destination":"ftp://web@example.org/htdocs","options":{"fsync":true,"links":"copy","pin":["a","b"]},"actions":2}"#,
            r#"{"action":"replace","phase":"files","path":"caf%E9 100%25","path_encoded":true,"reason":"size","source":{"kind":"file","size":22,"modified":"2001-09-09T01:46:40.000000007Z","precision":"second","zone":"utc"},"destination":{"kind":"file","size":15,"modified":"2001-09-09T01:46:40.000000007Z","precision":"second","zone":"utc"}}"#,
            r#"{"action":"delete","phase":"deletions","path":"old","reason":"size","source":null,"destination":{"kind":"file","size":3,"modified":null,"precision":null,"zone":null}}"#,
        ]
    );
    assert!(lines[3].starts_with(r#"{"end":true,"actions":2,"blake3":""#), "{}", lines[3]);
}

#[test]
fn another_version_is_refused_by_its_name() {
    let text = String::from_utf8(bytes_of(vec![])).unwrap();
    let first = text.lines().next().unwrap().replace("\"oneway_plan\":1", "\"oneway_plan\":2,\"new\":[]");
    let ours = env!("CARGO_PKG_VERSION");
    assert_eq!(
        read(&sealed(&[&first])).unwrap_err().to_string(),
        format!(
            "this plan is of format 2, made by oneway 1.2.3; oneway {ours} knows format 1 alone, so make the plan again"
        )
    );
    for nothing in [&b""[..], b"\n", b"{}\n", b"version = 1\n", b"{\"oneway_plan\":-1}\n", b"\xff\xfe"] {
        assert_eq!(read(nothing), Err(PlanFileError::NoPlan));
    }
}

#[test]
fn that_a_plan_is_not_whole_is_told_before_what_is_wrong_in_it() {
    let whole = bytes_of(vec![action(Deed::Copy, Phase::Files, Some(file(b"a", 1)), None)]);
    let wrong = String::from_utf8(whole).unwrap().replace("\"a\"", "\"../a\"");
    assert_eq!(read(wrong.as_bytes()), Err(PlanFileError::Broken));
    let lines: Vec<&str> = wrong.lines().take(2).collect();
    assert!(matches!(read(&sealed(&lines)), Err(PlanFileError::Line { line: 2, .. })));
    assert_eq!(read(lines.join("\n").as_bytes()), Err(PlanFileError::Broken));
}

#[test]
fn a_plan_that_cannot_be_read_to_its_end_is_none() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let whole = bytes_of(vec![action(Deed::Copy, Phase::Files, Some(file(b"a", 1)), None)]);
    for length in [0, 10, whole.len() / 2, whole.len()] {
        let error = read_from(&mut BufReader::new(whole[..length].chain(Failing))).unwrap_err();
        assert_eq!(error.to_string(), "it can't be read to its end: the disk is gone");
    }
}

#[test]
fn what_no_plan_could_have_is_refused_however_well_it_is_sealed() {
    let whole = bytes_of(vec![action(Deed::Copy, Phase::Files, Some(file(b"a", 1)), None)]);
    let whole = String::from_utf8(whole).unwrap();
    let (first, line) = (whole.lines().next().unwrap(), whole.lines().nth(1).unwrap());
    assert!(read(&sealed(&[first, line])).is_ok());
    let side = r#"{"kind":"file","size":1,"modified":null,"precision":null,"zone":null}"#;
    let with = |old: &str, new: &str| {
        assert!(line.contains(old), "{old}");
        line.replace(old, new)
    };
    for (line, why) in [
        (with("\"a\"", "\"../a\""), "`../a`: `.` and `..` are not names of their own"),
        (with("\"a\"", "\"/etc/passwd\""), "the path is absolute"),
        (with("\"a\"", "\"%2e%2e\",\"path_encoded\":true"), "`.` and `..` are not names of their own"),
        (with("\"a\"", "\"%2\",\"path_encoded\":true"), "is not escaped as it says"),
        (with("\"a\"", "\"\""), "the name is empty"),
        (with("\"a\"", "\"a\\nb\""), "NUL, CR or LF"),
        (with("\"copy\"", "\"wipe\""), "there is no action `wipe`"),
        (with("\"files\"", "\"removals\""), "no plan has such an action"),
        (with("\"copy\"", "\"delete\""), "no plan has such an action"),
        (with("\"copy\"", "\"rename\""), "it has no new path"),
        (with("\"copy\"", "\"copy\",\"to\":\"b\""), "only what is renamed has a new path"),
        (with("\"copy\"", "\"copy\",\"force\":true"), "unknown field `force`"),
        (with("\"copy\"", "\"copy\",\"action\":\"delete\""), "duplicate field `action`"),
        (with("\"destination\":null", &format!("\"destination\":{side}")), "no plan has such an action"),
        (with("\"kind\":\"file\"", "\"kind\":\"other\""), "no plan has such an action"),
        (with("\"kind\":\"file\"", "\"kind\":\"symlink\",\"target\":\"../x\""), "the link may lead out"),
        (with("\"kind\":\"file\"", "\"kind\":\"symlink\""), "the link may lead out"),
        (with("\"zone\":\"utc\"", "\"zone\":\"+05:31\""), "`+05:31` is no zone"),
        (with("\"zone\":\"utc\"", "\"zone\":null"), "a time has a precision and a zone"),
        (with("2001-09-09T", "2001-09-31T"), "is no time"),
    ] {
        let error = read(&sealed(&[first, &line])).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of this plan is none of a plan: "), "{error}");
        assert!(error.contains(why), "{error}\n{line}");
    }
    let twice = read(&sealed(&[&first.replace("\"actions\":1", "\"actions\":2"), line, line])).unwrap_err();
    assert_eq!(twice.to_string(), "line 3 of this plan is none of a plan: `a` was planned before");
    let short = read(&sealed(&[first])).unwrap_err();
    assert_eq!(
        short.to_string(),
        "line 1 of this plan is none of a plan: it tells of 1 actions, and there are 0"
    );
}
