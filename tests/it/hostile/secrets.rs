//! What must not get out, and what must not get to a terminal as it came.

use std::fs;

use super::{Trial, Way, all, assert_printable, files, two_files};
use crate::support::Output;

/// Cursor, title and hyperlink sequences, BEL, BS, DEL, C1, bidirectional overrides, a zero-width joiner, a tag, invalid UTF-8.
const EVIL: &str = "\\x1b[2J\\x1b[31m\\x07\\x1b]0;x\\x07\\x1b]8;;http://x\\x1b\\\\\\x08\\x7f\\xc2\\x9b31m\\xc2\\x85\
                    \\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\x8b\\xef\\xbb\\xbf\\xf3\\xa0\\x80\\x81\\xFE";

/// Asserts that all that was printed is text that no terminal obeys, and that JSON is ASCII beyond letters.
#[track_caller]
fn assert_harmless(output: &Output) {
    assert_printable(output);
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.chars().any(is_unseen), "{text:?}");
    }
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn is_hidden(c: char) -> bool {
    c.is_control() || is_unseen(c)
}

#[test]
fn d2_30_names_are_escaped_wherever_they_are_shown() {
    // As a name of a file, of a directory, of a link and its target, an owner, a line that is none.
    let lines = [
        Way::Mlsd.line(EVIL),
        Way::Mlsd.line(&format!("d{EVIL}/")),
        format!("type=OS.unix=slink:{EVIL}; l\\r\\n"),
        format!("type=file;UNIX.ownername={};size=1; o\\r\\n", "\\x1b[31m"),
        format!("{EVIL}\\r\\n"),
    ]
    .concat();
    let script = format!(
        "on MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 {EVIL}\non RETR\n< 550 {EVIL}"
    );
    let list = "-rw-r--r-- 1 \\x1b[31m \\x1b[32m 5 May 06 2024 a\\r\\nlrwxrwxrwx 1 a b 5 May 06 2024 l -> \\x1b[2J\\r\\n";
    let list = format!(
        "on FEAT\n< 211-Features\n<  SIZE {EVIL}\n< 211 End\non LIST\n< 150 {EVIL}\ndata send \"{list}\"\ndata close\n< 226 done"
    );
    for script in [script, list] {
        let options: [&[&str]; 5] =
            [&[], &["-v"], &["-vv", "--log-file", "log"], &JSON, &["--progress", "always"]];
        all(options, |options| {
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
            for command in ["diff", "sync"] {
                let options = [&["--delete", "--retries", "0"], options].concat();
                let output =
                    trial.run(command, &options, &[&trial.server.url("/"), &trial.here]).any_status();
                if let Ok(log) = fs::read_to_string(trial.sandbox.path("work/log")) {
                    assert!(
                        log.contains("start") && !log.chars().any(|c| c != '\n' && is_hidden(c)),
                        "{log:?}"
                    );
                }
                // A bar clears its line, on a terminal; the tests have none.
                assert_harmless(&output);
                if options.contains(&"--format") {
                    output.json();
                }
            }
            assert_harmless(&trial.ls(&options[..options.len().min(1)]).any_status());
            let ls = trial.run("ls", &["--format", "json"], &[&trial.server.url("/")]).any_status();
            assert_harmless(&ls);
            ls.json();
        });
    }
}

/// What is on this machine may have been put there by a server before.
#[test]
fn d2_30_local_names_are_escaped_too() {
    let names: [&[u8]; 4] = [b"a\x1b[2Jb", "a\u{202e}b".as_bytes(), b"a\xfeb", b"a\x9bb"];
    let mut files = files! {"good" => "x"};
    let name = |bytes: &[u8]| std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec());
    files.0.extend(names.iter().map(|bytes| (name(bytes), Some(b"x".to_vec()))));
    let trial = Trial::with(files! {}, "").having(files);
    for options in [&["-v"][..], &["-vv"], &["--format", "json"]] {
        let output = trial.run("diff", options, &[&trial.here, &trial.server.url("/")]).any_status();
        assert_harmless(&output);
        let output = trial.push(options).any_status();
        assert_harmless(&output);
    }
    // The report as a file is text for people and programs, too.
    let report = trial.sandbox.path("work/report");
    let to = report.to_str().expect("it is plain");
    let _ = trial
        .run("diff", &["--format", "json", "-o", to], &[&trial.here, &trial.server.url("/gone")])
        .any_status();
    let text = fs::read_to_string(&report).expect("it is UTF-8");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

/// Something that is nowhere else, so that any trace of it is one of the password's.
const PASSWORD: &str = "Zq7-uNlIkElY%9";

/// Returns all files in a sandbox that hold the password.
fn files_with_password(trial: &Trial) -> Vec<String> {
    fn look(dir: &std::path::Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                look(&path, found);
            } else if fs::read(&path).is_ok_and(|bytes| contains(&bytes, PASSWORD.as_bytes())) {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    look(&trial.sandbox.path(""), &mut found);
    found
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Options for every kind of report, in files.
const FILES: [&str; 9] =
    ["-vv", "-o", "report", "--report", "html=page.html", "--report", "csv=table.csv", "--log-file", "log"];

/// Programs' formats.
const JSON: [&str; 7] = ["--format", "json", "-v", "--log-file", "log", "--log-format", "json"];

#[test]
fn d2_50_the_password_is_in_no_output_no_file_and_no_argument() {
    let echo = format!("< 530 PASS {PASSWORD}? USER script PASS {PASSWORD}");
    let scripts = [
        String::new(),
        format!("on PASS\n{echo}"),
        format!("on PASS\n< 230-you said `{PASSWORD}`\n< {PASSWORD}\n< 230 in"),
        format!("on PASS\n< {PASSWORD}"),
        format!("once PASS\n< 421 {PASSWORD}\ndrop"),
        format!("on USER\n< 331 is it not {PASSWORD}?"),
        "on PASS\npause 60s".to_owned(),
        "on USER\n< 332 account".to_owned(),
    ];
    all(scripts, |script| {
        eprintln!("{script}");
        for in_url in [false, true] {
            let options: [&[&str]; 4] = [&[], &["-vv"], &JSON, &FILES];
            for options in options {
                let trial = Trial::with(two_files(), &script);
                let (encoded, port) = (PASSWORD.replace('%', "%25"), trial.server.port());
                let login = if in_url { format!("script:{encoded}") } else { "script".to_owned() };
                let url = format!("ftp://{login}@127.0.0.1:{port}/");
                let arguments = ["sync", "--retries", "1", "--timeout", "300ms", "--sessions", "1"];
                let arguments = arguments.iter().chain(options).copied().chain([url.as_str(), &*trial.here]);
                let mut command = trial.sandbox.command(arguments);
                if !in_url {
                    command = command.env("ONEWAY_PASSWORD", PASSWORD);
                }
                let output = command.run().any_status();
                // A server that guesses it before it was sent knows it from elsewhere.
                if !script.contains("is it not") {
                    for text in [&output.stdout, &output.stderr] {
                        assert!(!text.contains(PASSWORD) && !text.contains(&encoded), "{output}");
                    }
                    assert_eq!(files_with_password(&trial), Vec::<String>::new(), "{output}");
                }
                drop(trial.server.finish_unchecked());
            }
        }
    });
}

#[test]
fn d2_50_a_password_from_the_environment_is_in_no_process_list() {
    let trial = Trial::with(two_files(), "once MLSD\npause 500ms\nnormally");
    let url = format!("ftp://script@127.0.0.1:{}/", trial.server.port());
    let run = trial.sandbox.command(["sync", &url, &trial.here]).env("ONEWAY_PASSWORD", PASSWORD).start();
    let process = run.id();
    let (mut looks, mut children) = (0, String::new());
    while let Ok(arguments) = fs::read(format!("/proc/{process}/cmdline"))
        && looks < 20
    {
        assert!(!contains(&arguments, PASSWORD.as_bytes()));
        children +=
            &fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        looks += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    run.finish().expect_status(0);
    assert!(looks > 5, "{looks}");
    assert_eq!(children, "", "no other program is run");
    // Nor in what is remembered of the run.
    assert_eq!(files_with_password(&trial), Vec::<String>::new());
    trial.finish();
}

/// What a panic or a log of the library's would show.
#[test]
fn d2_50_no_value_shows_the_password() {
    use oneway::ftp::login::Credentials;
    use oneway::model::Secret;
    let credentials = Credentials {
        user: b"script".to_vec(),
        password: Secret::new(PASSWORD),
        account: Some(Secret::new(PASSWORD)),
    };
    let place = oneway::config::Place::parse(&format!("ftp://script:{}@h/", PASSWORD.replace('%', "%25")));
    let place = place.expect("it is a URL");
    for shown in [format!("{credentials:?}"), format!("{place:?}"), format!("{place:#?}"), place.identity()] {
        assert!(!shown.contains(PASSWORD) && !shown.contains("Zq7"), "{shown}");
    }
}
