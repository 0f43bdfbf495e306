use super::*;
use crate::compare::Reason;
use crate::model::{Entry, Kind, Mtime};
use crate::plan::{Action, Actions, MaxDelete, Phase, Spared};
use crate::spill::{Sorter, Spill};

fn path(name: impl AsRef<[u8]>) -> RelPath {
    RelPath::parse(name).unwrap()
}

fn file(name: &str, size: u64, second: i64) -> Entry {
    Entry::file(path(name), size, Mtime::from_unix(1_700_000_000 + second, 500_000_000))
}

fn action(deed: Deed, reason: Reason, source: Option<Entry>, destination: Option<Entry>) -> Action {
    let path = source.as_ref().or(destination.as_ref()).unwrap().path.clone();
    Action {
        path,
        deed,
        phase: Phase::Files,
        reason,
        source: source.map(Box::new),
        destination: destination.map(Box::new),
        obstacle: None,
    }
}

fn sample(mode: Mode) -> Report {
    let odd = Entry::file(path(b"caf\xe9 100%.txt"), 1, None);
    let actions = vec![
        action(Deed::CreateDir, Reason::Missing, Some(Entry::new(path("d"), Kind::Dir)), None),
        action(Deed::Replace, Reason::Size, Some(file("d/a", 2048, 0)), Some(file("d/a", 10, 1))),
        action(Deed::Replace, Reason::Time, Some(file("t", 5, 0)), Some(file("t", 5, 60))),
        action(Deed::Copy, Reason::Missing, Some(odd), None),
        action(Deed::Delete, Reason::Extra, None, Some(file("old\x1b[2J", 7, 0))),
    ];
    let done = |bytes| Outcome {
        error: None,
        vanished: false,
        bytes,
        seconds: 0.25,
        tries: 1,
        time_set: Some(true),
        mtime: None,
        hash: None,
        not_renamed: None,
        held: None,
    };
    let failed = Outcome {
        error: Some("no room".into()),
        vanished: false,
        bytes: 0,
        seconds: 0.0,
        tries: 6,
        time_set: None,
        mtime: None,
        hash: None,
        not_renamed: None,
        held: None,
    };
    let outcomes = vec![done(0), done(2048), done(5), failed.clone(), failed];
    Report {
        mode,
        job: None,
        source: "site".into(),
        destination: "ftp://u@h/".into(),
        plan: Plan {
            actions: actions.into(),
            spared: vec![Spared { path: path("kept"), kind: Kind::File, why: "so".into() }],
            unchanged: 3,
            scanned: 8,
            ..Plan::default()
        },
        outcomes: if mode == Mode::Sync { outcomes } else { vec![] },
        refusal: None,
        unproven: vec![],
        unfollowed: vec![],
        notes: vec![],
        remarks: vec![],
        troubles: vec![],
        backup: None,
        stopped: None,
        early: None,
        at: None,
        seconds: 1.5,
    }
}

fn written(report: &Report, format: &str, verbose: bool) -> String {
    let mut out = Vec::new();
    format_named(format).unwrap().write(report, Detail { verbose, ..Detail::default() }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_of_a_run() {
    let text = written(&sample(Mode::Sync), "json", true);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"event":"change","action":"create_dir","path":"d","kind":"dir","reason":"missing","size":null,"old_size":null,"modified":null,"old_modified":null,"target":null}"#,
            r#"{"event":"change","action":"replace","path":"d/a","kind":"file","reason":"size","size":2048,"old_size":10,"modified":"2023-11-14T22:13:20Z","old_modified":"2023-11-14T22:13:21Z","target":null}"#,
            r#"{"event":"change","action":"replace","path":"t","kind":"file","reason":"time","size":5,"old_size":5,"modified":"2023-11-14T22:13:20Z","old_modified":"2023-11-14T22:14:20Z","target":null}"#,
            r#"{"event":"change","action":"copy","path":"caf%E9 100%25.txt","path_encoded":true,"kind":"file","reason":"missing","size":1,"old_size":null,"modified":null,"old_modified":null,"target":null}"#,
            r#"{"event":"change","action":"delete","path":"old\u001b[2J","kind":"file","reason":"extra","size":null,"old_size":7,"modified":null,"old_modified":"2023-11-14T22:13:20Z","target":null}"#,
            r#"{"event":"change","action":"keep","path":"kept","kind":"file","reason":"extra","why":"so"}"#,
            r#"{"event":"done","path":"d","action":"create_dir","bytes":0,"seconds":0.25,"tries":1,"error":null}"#,
            r#"{"event":"done","path":"d/a","action":"replace","bytes":2048,"seconds":0.25,"tries":1,"error":null}"#,
            r#"{"event":"done","path":"t","action":"replace","bytes":5,"seconds":0.25,"tries":1,"error":null}"#,
            r#"{"event":"failed","path":"caf%E9 100%25.txt","path_encoded":true,"action":"copy","bytes":0,"seconds":0.0,"tries":6,"error":"no room"}"#,
            r#"{"event":"failed","path":"old\u001b[2J","action":"delete","bytes":0,"seconds":0.0,"tries":6,"error":"no room"}"#,
            r#"{"event":"summary","source":"site","destination":"ftp://u@h/","dry_run":false,"scanned":8,"changes":{"create_dir":1,"replace":2},"bytes":2053,"failed":2,"unchanged":3,"seconds":1.5,"exit":3}"#,
        ]
    );
}

#[test]
fn text_of_a_diff() {
    let text = written(&sample(Mode::Diff), "text", false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "+ caf\\xe9 100%.txt  new, 1 B",
            "+ d/                new",
            "~ d/a               size 10 B → 2.0 KiB",
            "- old\\x1b[2J        only at the destination",
            "~ t                 time 2023-11-14 22:14:20 → 2023-11-14 22:13:20",
            "would change: 1 folder created, 1 new file, 2 replaced, 1 deleted, 2.0 KiB, 3 unchanged, 1.5 s",
        ]
    );
}

#[test]
fn text_of_a_run_is_its_summary_unless_more_is_asked_for() {
    assert_eq!(
        written(&sample(Mode::Sync), "text", false),
        "changed: 1 folder created, 2 replaced, 2.0 KiB, 2 failed, 3 unchanged, 1.5 s\n"
    );
    assert_eq!(written(&sample(Mode::Sync), "text", true).lines().count(), 7);
}

#[test]
fn the_exit_status_tells_how_it_ended() {
    let with = |mode, change: &dyn Fn(&mut Report)| {
        let mut report = sample(mode);
        change(&mut report);
        report.exit_status()
    };
    let nothing = |report: &mut Report| {
        report.plan.actions.held_mut().clear();
        report.outcomes.clear();
    };
    let doubt = |report: &mut Report| {
        nothing(report);
        report.unproven.push(("here".into(), path("d"), Unproven("cut".into())));
    };
    let guarded = |report: &mut Report| {
        report.refusal =
            Some(Refusal::TooManyDeletions { deletions: 3, files: 4, limit: MaxDelete::Percent(50) });
    };
    assert_eq!(with(Mode::Sync, &nothing), 0);
    assert_eq!(with(Mode::Diff, &nothing), 0);
    assert_eq!(with(Mode::Diff, &|_| {}), 1);
    assert_eq!(with(Mode::DryRun, &|_| {}), 0);
    assert_eq!(with(Mode::Sync, &|_| {}), 3);
    assert_eq!(with(Mode::Sync, &doubt), 3);
    assert_eq!(with(Mode::Diff, &guarded), 5);
    assert_eq!(with(Mode::Sync, &|report| report.stopped = Some(Stop::Interrupt)), 130);
    assert_eq!(with(Mode::Sync, &|report| report.stopped = Some(Stop::Terminate)), 143);
}

#[test]
fn an_entry_of_a_listing_has_all_fields() {
    let mut out = Vec::new();
    let mut listed = crate::ftp::listing::Listed::new("x", Kind::Symlink);
    listed.target = Some(b"y".to_vec());
    listed.mode = Some(0o755);
    listed_json(&listed, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"name\":\"x\",\"kind\":\"symlink\",\"size\":null,\"modified\":null,\"precision\":null,\"target\":\"y\",\
         \"mode\":\"0755\",\"owner\":null,\"group\":null}\n"
    );
}

#[test]
fn a_rename_shows_both_names_and_a_touch_both_times() {
    let mut moved =
        action(Deed::Rename, Reason::Missing, Some(file("d/new", 2048, 0)), Some(file("old", 2048, 1)));
    moved.path = path("old");
    let touched = action(Deed::Touch, Reason::Time, Some(file("t", 5, 0)), Some(file("t", 5, 60)));
    let mut report = sample(Mode::DryRun);
    report.plan.actions = vec![moved, touched].into();
    assert_eq!(
        written(&report, "text", false).lines().collect::<Vec<_>>(),
        [
            "> old -> d/new  same content, 2.0 KiB",
            "@ t             time 2023-11-14 22:14:20 → 2023-11-14 22:13:20, same content",
            "would change: 1 renamed, 1 time set, 0 B, 3 unchanged, 1.5 s",
        ]
    );
    report.mode = Mode::Sync;
    let done = Outcome { bytes: 0, ..sample(Mode::Sync).outcomes[0].clone() };
    report.outcomes = vec![done.clone(), done];
    let lines = written(&report, "json", false);
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            r#"{"event":"change","action":"rename","path":"old","kind":"file","reason":"missing","size":2048,"old_size":2048,"modified":"2023-11-14T22:13:20Z","old_modified":"2023-11-14T22:13:21Z","target":"d/new"}"#,
            r#"{"event":"change","action":"touch","path":"t","kind":"file","reason":"time","size":5,"old_size":5,"modified":"2023-11-14T22:13:20Z","old_modified":"2023-11-14T22:14:20Z","target":null}"#,
            r#"{"event":"done","path":"old","action":"rename","bytes":0,"seconds":0.25,"tries":1,"error":null}"#,
            r#"{"event":"done","path":"t","action":"touch","bytes":0,"seconds":0.25,"tries":1,"error":null}"#,
            r#"{"event":"summary","source":"site","destination":"ftp://u@h/","dry_run":false,"scanned":8,"changes":{"rename":1,"touch":1},"bytes":0,"failed":0,"unchanged":3,"seconds":1.5,"exit":0}"#,
        ]
    );
    // A time that wasn't taken was not set.
    report.outcomes[1].time_set = Some(false);
    assert!(written(&report, "text", false).starts_with("changed: 1 renamed, 0 B"));
}

#[test]
fn links_are_shown_with_their_targets() {
    let link = |name: &str, target: &str| Entry {
        target: Some(target.as_bytes().into()),
        ..Entry::new(path(name), Kind::Symlink)
    };
    let mut report = sample(Mode::Diff);
    report.plan.actions = vec![
        action(Deed::Copy, Reason::Missing, Some(link("a", "x\x1b")), None),
        action(Deed::Replace, Reason::Checksum, Some(link("b", "x")), Some(link("b", "y"))),
        action(Deed::Replace, Reason::Kind, Some(link("c", "x")), Some(file("c", 1, 0))),
        action(Deed::Replace, Reason::Kind, Some(file("d", 1, 0)), Some(link("d", "x"))),
    ]
    .into();
    let text = written(&report, "text", false);
    let lines: Vec<&str> = text.lines().take(4).collect();
    assert_eq!(
        lines,
        [
            "+ a  new, a link to `x\\x1b`",
            "~ b  a link to `y` → `x`",
            "~ c  is a file there",
            "~ d  is a symlink there"
        ]
    );
    let json = written(&report, "json", false);
    let second = json.lines().nth(1).unwrap();
    assert!(
        second.contains(r#""action":"replace","path":"b","kind":"symlink","reason":"checksum""#),
        "{second}"
    );
    assert!(second.ends_with(r#""target":"x"}"#), "{second}");
    report.plan.actions.held_mut().clear();
    report.unfollowed.push("cannot follow `l` on here: it isn't there".into());
    assert_eq!(report.exit_status(), 3);
    assert!(written(&report, "json", false).contains(r#"{"event":"warning","text":"cannot follow `l`"#));
}

/// The data of a page, as its script reads it.
fn page_data(page: &str) -> serde_json::Value {
    let (_, data) = page.split_once("type=\"application/json\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

fn page(report: &Report) -> String {
    let mut out = Vec::new();
    format_named("html").unwrap().write(report, Detail::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_page_has_every_change_as_data() {
    let data = page_data(&page(&sample(Mode::Sync)));
    assert_eq!(data["dirs"], serde_json::json!(["", "d/"]));
    let rows = data["rows"].as_array().unwrap();
    // Five changes, and what was kept.
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0], serde_json::json!([0, 0, "d/", 1, 0, null, null, null, null, null, 1, null]));
    let replaced =
        serde_json::json!([2, 1, "a", 0, 1, 2048, 10, 1_700_000_000, 1_700_000_001, null, 1, null]);
    assert_eq!(rows[1], replaced);
    assert_eq!((&rows[3][2], &rows[3][11]), (&"caf\\xe9 100%.txt".into(), &"no room".into()));
    assert_eq!((&rows[4][2], &rows[4][10]), (&"old\\x1b[2J".into(), &2.into()));
    assert_eq!(
        (&data["actions"][rows[5][0].as_u64().unwrap() as usize]["name"], &rows[5][11]),
        (&"keep".into(), &"so".into())
    );
}

#[test]
fn no_name_is_markup_in_a_page() {
    let evil = "</script><img src=x onerror=alert(1)>&amp;\u{202e}<!--";
    let mut report = sample(Mode::Diff);
    report.plan.actions =
        vec![action(Deed::Copy, Reason::Missing, Some(file(&evil.replace('/', "∕"), 1, 0)), None)].into();
    report.source = evil.to_owned();
    report.notes = vec![evil.to_owned()];
    report.troubles = vec![evil.to_owned()];
    let page = page(&report);
    for opened in ["<img", "<!--", "\u{202e}"] {
        assert!(!page.contains(opened), "{opened}");
    }
    assert_eq!(page.matches("</script>").count(), 2);
    let shown = evil.replace('/', "∕").replace('\u{202e}', "\\u{202e}");
    assert_eq!(page_data(&page)["rows"][0][2], shown);
}

#[test]
fn an_empty_page_says_that_nothing_differs() {
    let report = Report { plan: Plan { unchanged: 1234, ..Plan::default() }, ..sample(Mode::Diff) };
    let page = page(&report);
    assert!(page.contains("Difference: nothing differs") && page.contains("<b>1,234</b>"), "{page}");
    assert_eq!(page_data(&page)["rows"], serde_json::json!([]));
}

#[test]
fn csv_has_a_line_for_each_change() {
    let mut out = Vec::new();
    format_named("csv")
        .unwrap()
        .write(&sample(Mode::Sync), Detail { verbose: true, ..Detail::default() }, &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(
        lines[2],
        "replace,d/a,file,size,2048,10,2023-11-14T22:13:20Z,2023-11-14T22:13:21Z,,done,2048,0.250000,1,"
    );
    assert_eq!(lines[4], "copy,caf%E9 100%25.txt,file,missing,1,,,,,failed,0,0.000000,6,no room");
    assert_eq!(lines[6], "keep,kept,file,extra,,,,,,kept,,,,so");
}

#[test]
fn a_job_is_named_in_its_summary() {
    let report = Report { job: Some("nightly".into()), ..sample(Mode::DryRun) };
    for (format, told) in
        [("text", "nightly: would change: "), ("json", r#"{"event":"summary","job":"nightly","#)]
    {
        let mut out = Vec::new();
        format_named(format).unwrap().write(&report, Detail::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().last().is_some_and(|line| line.starts_with(told)), "{text}");
    }
}

/// A difference of more changes than anybody reads.
fn large() -> Report {
    let mut report = sample(Mode::Diff);
    report.plan.actions = (0..1204)
        .map(|i| {
            action(
                Deed::Copy,
                Reason::Missing,
                Some(file(&format!("images/2024/{i:04}.jpg"), 2 << 20, 0)),
                None,
            )
        })
        .collect();
    let replaced =
        |name| action(Deed::Replace, Reason::Size, Some(file(name, 2048, 0)), Some(file(name, 10, 1)));
    report.plan.actions.held_mut().extend(["index.html", "漢字.html"].map(replaced));
    let gone = (0..60).map(|i| format!("old/{i}")).chain(["gone".to_owned()]);
    report
        .plan
        .actions
        .held_mut()
        .extend(gone.map(|name| action(Deed::Delete, Reason::Extra, None, Some(file(&name, 7, 0)))));
    let obstacle = Action { obstacle: Some("so".into()), ..replaced("blocked") };
    report.plan.actions.held_mut().push(obstacle);
    report
}

#[test]
fn many_changes_are_counted_by_directory_what_is_deleted_first() {
    let text = written(&large(), "text", false);
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "! blocked       can't be done: so",
            "- gone          only at the destination",
            "- old/          only at the destination: 60 files",
            "~ index.html    size 10 B → 2.0 KiB",
            "~ 漢字.html     size 10 B → 2.0 KiB",
            "+ images/2024/  new: 1,204 files, 2.4 GiB",
            "(1,268 changes in 6 lines; --all prints each)",
            "would change: 1,204 new files, 2 replaced, 61 deleted, 2.4 GiB, 3 unchanged, 1.5 s",
        ]
    );
    let mut out = Vec::new();
    let all = Detail { all: true, ..Detail::default() };
    format_named("text").unwrap().write(&large(), all, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 1268 + 1);
}

/// The same actions where memory is meant for none.
fn put_aside(actions: &Actions) -> Actions {
    let mut sorter = Sorter::new(Spill::to(tempfile::env::temp_dir(), 0));
    for action in actions {
        sorter.push(action.into_owned()).unwrap();
    }
    let actions = Actions::sorted(sorter).unwrap();
    assert!(actions.as_held().is_none());
    actions
}

#[test]
fn of_however_many_changes_the_first_in_trouble_are_told_by_themselves() {
    let mut report = large();
    for (i, why) in [(5, "no room"), (9, "no rights")] {
        report.plan.actions.held_mut()[i].obstacle = Some(why.into());
    }
    report.plan.actions = put_aside(&report.plan.actions);
    let text = written(&report, "text", false);
    for line in ["0005.jpg  can't be done: no room", "0009.jpg  can't be done: no rights"] {
        assert!(text.contains(&format!("! images/2024/{line}\n")), "{text}");
    }
    assert!(text.contains("1,202 files"), "{text}");
}

#[test]
fn of_more_changes_than_memory_is_meant_for_each_directory_is_counted_by_itself() {
    let mut report = large();
    let held = written(&report, "text", false);
    report.plan.actions = put_aside(&report.plan.actions);
    assert_eq!(
        written(&report, "text", false).lines().collect::<Vec<_>>(),
        [
            "! blocked       can't be done: so",
            "- gone          only at the destination",
            "- old/          only at the destination: 60 files",
            "~ ./            changed: 2 files, 4.0 KiB",
            "+ images/2024/  new: 1,204 files, 2.4 GiB",
            "(1,268 changes in 5 lines; --all prints each)",
            held.lines().last().unwrap(),
        ]
    );
    let mut out = Vec::new();
    let all = Detail { all: true, ..Detail::default() };
    format_named("text").unwrap().write(&report, all, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 1268 + 1);
}

#[test]
fn what_failed_is_told_with_its_error_and_never_counted_among_the_rest() {
    let text = written(&sample(Mode::Sync), "text", true);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines[0], lines[3]),
        ("! caf\\xe9 100%.txt  not done: no room", "! old\\x1b[2J        not done: no room")
    );
    let mut report = large();
    report.mode = Mode::Sync;
    let failed = sample(Mode::Sync).outcomes[4].clone();
    report.outcomes = vec![failed; report.plan.actions.len()];
    let text = written(&report, "text", true);
    assert!(text.starts_with("! blocked       can't be done: so\n"), "{text}");
    assert!(text.contains("\n! images/2024/  1,204 files not done: no room\n"), "{text}");
}

#[test]
fn colours_are_added_and_nothing_else() {
    let mut out = Vec::new();
    let detail = Detail { colour: true, ..Detail::default() };
    format_named("text").unwrap().write(&sample(Mode::Diff), detail, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\x1b[31m- old\\x1b[2J\x1b[0m        only"), "{text}");
    let mut plain = text;
    while let Some(at) = plain.find('\x1b') {
        let end = at + plain[at..].find('m').unwrap();
        plain.replace_range(at..=end, "");
    }
    assert_eq!(plain, written(&sample(Mode::Diff), "text", false));
}
