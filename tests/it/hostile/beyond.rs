//! Attacks that no list has.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Outside, TWO_FILES, Trial, Way, all, assert_nothing_beside, assert_printable, files, two_files};
use crate::support::ScriptServer;

/// Whoever knows or guesses the names of temporary files gains nothing by them.
#[test]
fn x_temporary_files_that_a_server_lists_are_neither_fetched_nor_deleted() {
    let ours = ".oneway-0123456789abcdef-0-1.part";
    all([Way::Mlsd, Way::List, Way::Stat], |way| {
        let dir = format!("{ours}d.part/");
        let script = way.script(&["a.txt", ours, &dir, "b.txt"]);
        let trial = Trial::with(two_files(), &script)
            .having(files! {"extra" => "goes", ".oneway-1-2-3.part" => "left"});
        let outside = Outside::new(&trial);
        symlink("../outside/file", trial.here.at(ours)).expect("links can be made");
        trial.pull(&["--delete", "--max-delete", "100%", "--listing", way.option()]).expect_status(0);
        outside.assert_untouched();
        assert!(fs::symlink_metadata(trial.here.at(ours)).expect("it is there").is_symlink());
        for (name, content) in
            [("a.txt", "content of a"), ("b.txt", "content of b"), (".oneway-1-2-3.part", "left")]
        {
            assert_eq!(trial.here.read(name), content.as_bytes(), "{way:?}");
        }
        assert!(!trial.here.has("extra"));
        assert_eq!(trial.finish().sent(&["RETR"]), ["RETR /a.txt", "RETR /b.txt"], "{way:?}");
    });
}

/// Bits that the server speaks of are not those of what comes: neither for all to write, nor set-user-ID.
#[test]
fn x_permission_bits_of_a_server_are_not_taken() {
    let lines = "type=file;size=12;UNIX.mode=06777;modify=20240506070809; a.txt\\r\\n\
                 type=file;size=12;UNIX.mode=0777;modify=20240506070809; b.txt\\r\\n\
                 type=dir;UNIX.mode=07777; d\\r\\n";
    let script = format!(
        "on MLSD\n< 150 here\ndata close\n< 226 done\n\
                          on MLSD /\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done"
    );
    let trial = Trial::with(two_files(), &script).having(files! {"b.txt" => "old"});
    trial.here.set_mode("b.txt", 0o640);
    trial.pull(&[]).expect_status(0);
    // Those of any new file and directory.
    let usual = trial.sandbox.tree("usual", files! {"f" => "x", "d/"});
    let modes = ["a.txt", "b.txt", "d"].map(|name| trial.here.mode(name));
    assert_eq!(modes, [usual.mode("f"), 0o640, usual.mode("d")]);
    trial.finish();
}

#[test]
fn x_answers_about_times_and_sizes_may_be_anything() {
    let answers = [
        "213 \\x1b[31m20240506070809",
        "213 99999999999999",
        "213 00000000000000",
        "213 20240506070809.999999999999999999",
        "213 20240506070809\\x07",
        "213-x\\r\\n 20240506070809\\r\\n213 end",
        "213",
        "213 -1",
        "250 20240506070809",
        "213 2024-05-06",
        "213 10000101000000",
        "213 99991231235959",
        "213 19700101000000",
    ];
    all(answers, |answer| {
        eprintln!("{answer}");
        for way in [Way::List, Way::Nlst] {
            let script = format!("{}on MDTM\n<| {answer}\\r\\n", way.script(&["a.txt", "b.txt"]));
            let trial = Trial::with(two_files(), &script).having(files! {"a.txt" => "content of a"});
            let output = trial.pull(&["--listing", way.option(), "-v"]).any_status();
            assert_printable(&output);
            assert!(!output.stderr.contains("panicked"), "{output}");
            // However odd the time, what is had is whole.
            let local = trial.local();
            assert!(
                local.contains("a.txt = \"content of a\"\n") && !local.contains(".part"),
                "{output}\n{local}"
            );
            drop(trial.server.finish_unchecked());
            let script = format!("{}on SIZE a.txt\n<| {answer}\\r\\n", way.script(&["a.txt", "b.txt"]));
            let trial = Trial::with(two_files(), &script);
            let output = trial.pull(&["--listing", way.option(), "--retries", "0"]).any_status();
            assert_printable(&output);
            assert!(!output.stderr.contains("panicked"), "{output}");
            assert!(!trial.local().contains(".part"));
            drop(trial.server.finish_unchecked());
        }
    });
    for modify in ["00010101000000", "99991231235959", "19011213204551", "20380119031408", "00000101000000"] {
        let script = Way::Mlsd.script(&["a.txt", "b.txt"]).replace("20240506070809", modify);
        let trial = Trial::with(two_files(), &script);
        let output = trial.pull(&[]).expect_status(0);
        assert_eq!(trial.local(), TWO_FILES, "{output}");
        trial.pull(&["--format", "json"]).expect_status(0);
        trial.finish();
    }
}

#[test]
fn x_a_name_that_no_disk_takes_fails_alone() {
    let long = "n".repeat(256);
    let deep = format!("{}/", "d".repeat(300));
    all(Way::ALL, |way| {
        let files =
            files! {"a.txt" => "content of a", "b.txt" => "content of b", long.as_str() => "content of a"};
        let names = ["a.txt", long.as_str(), deep.as_str(), "b.txt"];
        let names = if way == Way::Mlsd { &names[..] } else { &[names[0], names[1], names[3]] };
        let script = format!("{}on MLSD /d*\n< 150 here\ndata close\n< 226 done", way.script(names));
        let trial = Trial::with(files, &script).having(files! {"extra" => "stays"});
        let output = trial
            .pull(&["--delete", "--max-delete", "100%", "--retries", "0", "--listing", way.option()])
            .expect_status(3);
        output.tells(&["too long"]);
        assert_eq!(trial.local(), format!("{TWO_FILES}extra = \"stays\"\n"), "{way:?}");
        assert_nothing_beside(&trial);
        drop(trial.server.finish_unchecked());
    });
}

/// A reply of several lines can't make lines of ours.
#[test]
fn x_no_reply_forges_a_line_of_the_report() {
    let forged = "550-no\\r\\noneway: error: forged\\r\\n{\"event\":\"summary\"}\\r\\n550 no";
    for script in [
        format!("on RETR\n<| {forged}\\r\\n"),
        format!("on MLSD\n<| {forged}\\r\\n"),
        format!("on PASS\n<| {}\\r\\n", forged.replace("550", "530")),
        format!("on CONNECT\n<| {}\\r\\n", forged.replace("550", "421")),
    ] {
        for options in [&[][..], &["-vv"], &["--format", "json"]] {
            let trial = Trial::with(two_files(), &script);
            let output = trial.pull(&[options, &["--retries", "0"]].concat()).any_status();
            let is_ours = |line: &&str| line.starts_with("oneway: ") || line.starts_with('[');
            assert!(output.stderr.lines().all(|line| is_ours(&line)), "{output}");
            assert!(!output.stderr.lines().any(|line| line.starts_with("oneway: error: forged")), "{output}");
            if options.contains(&"json") {
                output.summary();
            }
        }
    }
}

/// From one server to another, the first one's names are the second one's commands.
#[test]
fn x_a_source_that_is_a_server_injects_nothing_into_another() {
    let evil = [
        "a\\x1bb",
        "x\\x01DELE kept",
        "x\\ry",
        "../y",
        "x\\xffy",
        "x\\r\\n-rw-r--r-- 1 a b 5 May 06 2024 kept",
    ];
    all([Way::Mlsd, Way::List], |way| {
        for name in evil {
            eprintln!("{way:?} {name}");
            let trial = Trial::with(two_files(), &way.script(&["a.txt", name, "b.txt"]));
            let other = ScriptServer::plain(files! {"kept" => "stays"}, "");
            let options = ["--delete", "--max-delete", "100%", "--retries", "0"];
            let output = trial.run("sync", &options, &[&trial.server.url("/"), &other.url("/")]).any_status();
            assert_printable(&output);
            let transcript = other.finish_unchecked();
            for connection in 0..transcript.connections() {
                let odd = |b: &u8| (*b < 0x20 && !b"\r\n".contains(b)) || *b == 0xff;
                assert!(!transcript.raw(connection).iter().any(odd), "{way:?} {name}");
            }
            let sent = transcript.sent(&["STOR", "DELE", "RNTO", "RMD", "MKD"]);
            assert!(sent.iter().all(|line| line.contains(" /") && !line.contains("..")), "{sent:?}");
            assert!(transcript.tree().contains("kept = "), "{output}");
            drop(trial.server.finish_unchecked());
        }
    });
}

/// What is remembered of runs may lie in the destination, under a name that the server knows.
#[test]
fn x_the_state_is_no_part_of_the_mirror() {
    for names in [&["a.txt", "b.txt"][..], &["a.txt", "b.txt", "state"], &["a.txt", "b.txt", "state/"]] {
        eprintln!("{names:?}");
        let files = files! {"a.txt" => "content of a", "b.txt" => "content of b", "state" => "evil content"};
        let script = format!("{}on MLSD /state\n< 150 here\ndata close\n< 226 done", Way::Mlsd.script(names));
        let trial = Trial::with(files, &script);
        let state = format!("{}/state", &*trial.here);
        for _ in 0..2 {
            trial.pull(&["--state", &state, "--delete", "--max-delete", "100%"]).any_status();
            assert!(trial.here.read("state").starts_with(b"SQLite format 3"), "{names:?}");
            assert_eq!(
                (trial.here.read("a.txt"), trial.here.read("b.txt")),
                (b"content of a".into(), b"content of b".into())
            );
        }
        let transcript = trial.finish();
        assert_eq!(transcript.sent(&["RETR"]), ["RETR /a.txt", "RETR /b.txt"], "{names:?}");
    }
    // Nor is a report; and what is to be sent has neither.
    let trial = Trial::with(two_files(), "").having(two_files());
    let at = |name: &str| format!("{}/{name}", &*trial.here);
    let options = ["--state", &at("d/state"), "-o", &at("report"), "--delete", "--max-delete", "100%"];
    trial.pull(&options).expect_status(0);
    assert!(trial.here.has("report") && trial.here.has("d/state"));
    trial.push(&options).expect_status(0);
    assert_eq!(trial.finish().tree(), format!("{TWO_FILES}d/\n"));
}
