use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Place;

fn keys() -> Vec<OptionKey> {
    [
        ("delete", OptionKind::Switch, false),
        ("verbose", OptionKind::Count, false),
        ("max-delete", OptionKind::Value, false),
        ("include", OptionKind::Rule, false),
        ("exclude", OptionKind::Rule, false),
        ("filter-from", OptionKind::Rule, false),
        ("timeout", OptionKind::Value, true),
        ("pin", OptionKind::List, true),
    ]
    .map(|(name, kind, is_of_connection)| OptionKey {
        name: name.to_owned(),
        kind,
        is_of_connection,
        excludes: Vec::new(),
    })
    .into()
}

fn parse(bytes: &[u8], is_exposed: bool) -> (JobFile, Vec<Problem>) {
    let check = |name: &str, value: &OsStr| match (name, value.to_str()) {
        ("max-delete", Some(text)) if text.parse::<u32>().is_err() => Err(format!("`{text}` is no number")),
        _ => Ok(()),
    };
    JobFile::parse(bytes, &Known { keys: &keys(), check: &check, is_exposed })
}

/// Returns what is wrong with a text, as `line:column text`.
fn wrong(text: &str) -> Vec<String> {
    let (_, problems) = parse(text.as_bytes(), true);
    problems.iter().map(|problem| format!("{} {}", problem.at, problem.text)).collect()
}

fn right(text: &str) -> JobFile {
    let (file, problems) = parse(text.as_bytes(), false);
    assert_eq!(problems, [], "{text}");
    file
}

const HOST: &str = "version = 1\n[host.web]\naddress = 'example.org'\n";
const JOB: &str = "version = 1\n[job.a]\nsource = 's'\ndestination = 'ftp://h/d'\n";

#[test]
fn each_mistake_is_told_with_its_place_and_what_was_expected() {
    let job = |line: &str| format!("{JOB}{line}");
    let host = |line: &str| format!("{HOST}{line}");
    for (text, told) in [
        ("", "1:1 `version = 1` is missing"),
        ("version = 2", "1:11 expected 1: this is the only version of the format that is known"),
        ("version = '1'", "1:11 expected 1: this is the only version of the format that is known"),
        ("version = 1\njobs = 1", "2:1 unknown key `jobs`; did you mean `job`?"),
        ("version = 1\njob = 1", "2:7 expected a table [job], not a number"),
        ("version = 1\n[job]\na = 'x'", "3:5 expected a table [job.a], not a string"),
        ("version = 1\n[job.'a b']\n", "2:6 a job is named by letters, digits, `-`, `_` and `.`"),
        (&job("dellete = true"), "5:1 unknown key `dellete` of a job; did you mean `delete`?"),
        (&job("max_delete = 3"), "5:1 unknown key `max_delete` of a job; did you mean `max-delete`?"),
        (&job("on_sucess = 'x'"), "5:1 unknown key `on_sucess` of a job; did you mean `on_success`?"),
        (&job("\"\\u001b\" = 1"), "5:1 unknown key `\\x1b` of a job"),
        (&job("delete = 'yes'"), "5:10 `delete`: expected true or false, not a string"),
        (&job("verbose = 11"), "5:11 `verbose`: expected true, false or a small number, not a number"),
        (&job("max-delete = 'all'"), "5:14 `max-delete`: `all` is no number"),
        (&job("max-delete = ['1']"), "5:14 `max-delete`: expected one string, not a list"),
        (&job("max-delete = true"), "5:14 `max-delete`: expected a string, not true or false"),
        (
            &job("exclude = ['ü', 1979-05-27]"),
            "5:11 `exclude`: expected a string, or a list of strings, not a list",
        ),
        (
            &job("schedule = '0 3 * *'"),
            "5:12 a schedule has five fields (minute, hour, day of the month, month, day of the week), not 4",
        ),
        (&job("every = 'often'"), "5:9 `often` is not a duration such as 500ms, 30s, 5m, 26h or 2d"),
        (&job("every = 0"), "5:9 expected a duration longer than nothing"),
        (&job("every = '1h'\nschedule = '0 3 * * *'"), "5:1 `schedule` and `every` say when in two ways"),
        (&job("on_change = 1"), "5:13 expected a string for the shell or a list of strings, not a number"),
        (&job("on_change = []"), "5:13 the command is empty"),
        (&job("on_change = ['a', 1]"), "5:19 expected a string, not a number"),
        (&job("hook_timeout = '1x'"), "5:16 `1x` is not a duration such as 500ms, 30s, 5m, 26h or 2d"),
        (&job("source = 'x'"), "5:1 duplicate key"),
        ("version = 1\n[job.a]\nsource = 's'", "2:6 [job.a] has no `destination`"),
        ("version = 1\n[job.a]\nsource = 's'\ndestination = ''", "4:15 the path is empty"),
        (
            "version = 1\n[job.a]\nsource = 's'\ndestination = 'd'",
            "4:15 source and destination are both local; one of them must be a URL such as ftp://host/path, or HOST:PATH",
        ),
        (
            "version = 1\n[host.web]\naddress = 'h'\n[job.a]\nsource = 's'\ndestination = 'wep:d'",
            "6:15 there is no [host.wep]; did you mean `web`? (a path with a `:` begins with `./`)",
        ),
        (
            "version = 1\n[job.a]\nsource = 's'\ndestination = 'http://h/'",
            "4:15 `http://` is not supported; use ftp://host/path, ftpes:// or ftps:// for TLS, or a local directory",
        ),
        (
            "version = 1\n[job.a]\nsource = 's'\ndestination = 'ftp://u:secret@h/'",
            "4:15 others can read this file, so it may hold no password; chmod 600 it, or use password_command",
        ),
        ("version = 1\n[host.web]\n", "2:7 [host.web] has no `address`"),
        (&host("delete = true"), "4:1 `delete` belongs in a job or in [defaults], not in a host"),
        (&host("port = 0"), "4:8 expected a port from 1 to 65535"),
        (&host("port = 70000"), "4:8 expected a port from 1 to 65535"),
        (&host("scheme = 'http'"), "4:10 expected \"ftp\", \"ftpes\" or \"ftps\""),
        (&host("password_env = 'X'"), "4:1 a password without a `user`"),
        (
            &host("user = 'u'\npassword_env = 'X'\npassword_file = 'f'"),
            "6:1 `password_env` and `password_file` say the same in two ways",
        ),
        (
            &host("user = 'u'\npassword = 'secret'"),
            "5:1 others can read this file, so it may hold no password; chmod 600 it, or use password_command",
        ),
        (
            "version = 1\n[host.web]\naddress = 'u:secret@h'",
            "3:11 expected the name or address of a server alone",
        ),
        ("version = 1\n[host.web]\naddress = 'h/x'", "3:11 expected the name or address of a server alone"),
    ] {
        let wrong = wrong(text);
        assert_eq!(wrong, [told], "{text}");
        assert!(wrong.iter().all(|line| !line.contains("secret")), "{wrong:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let text = "verion = 1\n[job.a]\nsouce = 's'\ndestination = 'ftp://h/'\n[defaults]\ndelete = 1\n";
    assert_eq!(
        wrong(text),
        [
            "1:1 `version = 1` is missing",
            "1:1 unknown key `verion`; did you mean `version`?",
            "2:6 [job.a] has no `source`",
            "3:1 unknown key `souce` of a job; did you mean `source`?",
            "6:10 `delete`: expected true or false, not a number",
        ]
    );
    // Mistakes of form hide the rest, and show nothing of what stands there.
    let broken = wrong("version = 1\n[host.web\npassword = 'secret\nport = = 1\n");
    assert!(broken.len() > 1, "{broken:?}");
    assert!(broken.iter().all(|line| !line.contains("secret")), "{broken:?}");
}

#[test]
fn what_is_right_is_read() {
    let file = right(
        "version = 1
        [defaults]
        delete = true
        on_failure = ['notify', 'a b']
        [job.push]
        source = 'build'
        destination = 'web:/srv/a b'
        max-delete = 0x10
        exclude = '*.tmp'
        include = ['keep.tmp']
        filters = ['# why', '!a', 'b', '']
        schedule = '0 3 * * *'
        [job.pull]
        source = 'web:'
        destination = '~/x'
        delete = false
        verbose = true
        every = '15m'
        hook_timeout = 30
        [host.web]
        address = '::1'
        port = 2121
        scheme = 'ftpes'
        user = 'u@x'
        password = 'p'
        timeout = '1m'
        pin = ['a', 'b']",
    );
    let names: Vec<_> = file.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["push", "pull"], "the order of the file");
    let (push, pull, web) = (&file.jobs[0], &file.jobs[1], &file.hosts[0]);
    assert_eq!(push.settings.options["max-delete"].1, Some(At { line: 8, column: 9 }));
    let value = Setting::Values(vec![("16".into(), Some(At { line: 8, column: 22 }))]);
    assert_eq!(push.settings.options["max-delete"].0, value);
    let rules: Vec<_> =
        push.settings.rules.iter().map(|rule| format!("{} {}", rule.option, rule.value.display())).collect();
    assert_eq!(rules, ["include a", "exclude b", "include keep.tmp", "exclude *.tmp"]);
    assert_eq!((push.schedule.as_deref(), pull.every), (Some("0 3 * * *"), Some(Duration::from_secs(900))));
    assert_eq!(pull.settings.options["verbose"].0, Setting::Count(1));
    assert_eq!(web.url(&push.destination.text), "ftpes://u%40x@[::1]:2121/%2Fsrv/a%20b");
    assert_eq!(web.url(&pull.source.text), "ftpes://u%40x@[::1]:2121/");
    let hooks = pull.hooks.or(&file.hooks);
    assert_eq!(hooks.failure, Some(CommandLine::Words(vec!["notify".into(), "a b".into()])));
    assert_eq!(hooks.time_limit, Some(Duration::from_secs(30)));
}

#[test]
fn a_path_on_a_host_comes_back_as_it_was_written() {
    let file = right(&format!("{HOST}user = 'u'"));
    for (path, root) in [
        ("htdocs", "htdocs"),
        ("", ""),
        ("/", "/"),
        ("/srv/a?b#c%2F d", "/srv/a?b#c%2F d"),
        ("ü/漢", "ü/漢"),
        ("a:b@c", "a:b@c"),
    ] {
        let Ok(Place::Ftp { root: read, host, .. }) = Place::parse(&file.hosts[0].url(path)) else {
            panic!("{path}")
        };
        let read = match read {
            crate::store::ftp::RemoteRoot::Home(read) | crate::store::ftp::RemoteRoot::Absolute(read) => read,
        };
        assert_eq!((String::from_utf8(read).unwrap().as_str(), host.as_str()), (root, "example.org"));
    }
}

#[test]
fn paths_of_the_file_are_relative_to_where_it_is() {
    let (dir, home) = (Path::new("/etc/oneway"), Some(Path::new("/home/a")));
    for (written, path) in [
        ("site", "/etc/oneway/site"),
        ("/srv/site", "/srv/site"),
        ("~/site", "/home/a/site"),
        ("~", "/home/a"),
        ("~b/site", "/etc/oneway/~b/site"),
    ] {
        assert_eq!(resolve(written, dir, home), Path::new(path), "{written}");
    }
    assert_eq!(resolve("~/site", dir, None), Path::new("/etc/oneway/~/site"));
}

/// Lines that are nearly right, in any order.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "version",
        "address",
        "port",
        "user",
        "password",
        "source",
        "destination",
        "delete",
        "exclude",
        "pin",
        "every",
        "schedule",
        "on_change",
        "filters",
        "timeout",
        "x",
        "a.b",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "0",
        "-1",
        "true",
        "'web:x'",
        "'ftp://u:p@h/'",
        "''",
        "['a', 'b']",
        "[]",
        "{a = 1}",
        "1.5",
        "'1m'",
        "'0 3 * * *'",
        "1979-05-27",
        "\"\\u0000\"",
        "[[1]]",
    ]);
    prop_oneof![
        4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => prop::sample::select(vec!["[defaults]", "[host.web]", "[job.a]", "[job]", "[[job]]", "[job.a.b]"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_a_file_or_told_what_is_wrong(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        // Nobody writes `version = 1` by chance.
        let (_, problems) = parse(&bytes, true);
        prop_assert!(!problems.is_empty());
    }

    #[test]
    fn nearly_right_files_are_read_or_told_of_with_places_inside_them(lines in prop::collection::vec(line(), 0..14)) {
        let text = format!("version = 1\n{}", lines.join("\n"));
        let (file, problems) = parse(text.as_bytes(), false);
        let count = text.lines().count();
        for problem in &problems {
            prop_assert!(problem.at.line <= count + 1 && problem.at.column >= 1, "{problem:?} {text}");
            prop_assert!(!problem.text.contains('\u{0}') && !problem.text.contains('\n'), "{problem:?}");
        }
        for job in file.jobs {
            prop_assert!(!job.name.is_empty());
        }
    }
}
