//! Names that lead elsewhere, or that something on the way could take for more than a name.

use super::{Outside, TWO_FILES, Trial, Way, all, assert_nothing_beside, assert_printable, files, two_files};
use crate::support::Files;

/// A pull of a listing with one name that can't be believed: the rest is had, nothing is deleted, and the name is told.
#[track_caller]
fn assert_left_out(way: Way, evil: &str, told: &str) {
    eprintln!("{way:?} {evil}");
    let script = way.script(&["a.txt", evil, "b.txt"]);
    let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays", "x" => "stays"});
    let outside = Outside::new(&trial);
    let output =
        trial.pull(&["--delete", "--listing", way.option(), "--max-delete", "100%"]).expect_status(3);
    output.tells(&["nothing is deleted", told]);
    assert_printable(&output);
    assert_eq!(trial.local(), format!("{TWO_FILES}extra = \"stays\"\nx = \"stays\"\n"), "{way:?} {evil}");
    outside.assert_untouched();
    assert_nothing_beside(&trial);
    let transcript = trial.finish();
    let fetched = transcript.sent(&["RETR"]);
    assert_eq!(fetched, ["RETR /a.txt", "RETR /b.txt"], "{way:?} {evil}");
}

fn each_way(names: &[(&str, &str)]) {
    let cases: Vec<_> = Way::ALL.iter().flat_map(|way| names.iter().map(|name| (*way, *name))).collect();
    all(cases, |(way, (name, told))| assert_left_out(way, name, told));
}

#[test]
fn d2_01_a_name_that_leads_upwards_is_left_out() {
    each_way(&[
        ("../x", "`../x`"),
        ("../outside/file", "`../outside/file`"),
        ("../../../../../../../../tmp/x", "tmp/x`"),
        ("x/../../y", "`x/../../y`"),
        ("../outside/", "`../outside"),
    ]);
}

#[test]
fn d2_02_an_absolute_name_is_left_out() {
    each_way(&[("/etc/x", "`/etc/x`"), ("//x", "`//x`")]);
    // A directory of the name `/`.
    all([Way::Mlsd, Way::List, Way::Stat], |way| assert_left_out(way, "//", "`/`"));
}

#[test]
fn d2_03_a_file_of_dots_is_left_out_and_a_directory_is_nothing_new() {
    // NLST doesn't tell files from directories.
    all([Way::Mlsd, Way::List, Way::Stat], |way| {
        assert_left_out(way, "..", "`..`");
        assert_left_out(way, ".", "`.`");
    });
    all(Way::ALL, |way| {
        let dots = if way == Way::Nlst { [".", ".."] } else { ["./", "../"] };
        let script = way.script(&[dots[0], dots[1], "a.txt", "b.txt"]);
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "goes"});
        trial.pull(&["--delete", "--listing", way.option(), "--max-delete", "1"]).any_status();
        // Names alone may leave out others that begin with a dot, but not this one.
        assert_eq!(trial.local(), TWO_FILES, "{way:?}");
        let entered = trial.finish().sent(&["CWD", "MLSD"]);
        assert!(entered.iter().all(|line| !line.contains("..")), "{way:?} {entered:?}");
    });
}

#[test]
fn d2_04_a_name_with_a_separator_is_left_out() {
    each_way(&[("x/y", "`x/y`"), ("x//y", "`x//y`"), ("sub/a.txt", "`sub/a.txt`"), ("./x", "`./x`")]);
}

#[test]
fn d2_05_what_is_special_to_other_systems_is_a_name_here() {
    let names = ["..\\x", "C:x", "C:\\x", "x:ads", "CON", "NUL.txt", "dot.", "blank ", "a\\b"];
    all(Way::ALL, |way| {
        let escaped: Vec<String> = names.iter().map(|name| name.replace('\\', "\\\\")).collect();
        let listed: Vec<&str> = escaped.iter().map(String::as_str).collect();
        let mut files = files! {};
        files.0.extend(names.iter().map(|name| ((*name).into(), Some(b"content of a".to_vec()))));
        let trial = Trial::with(Files(files.0), &way.script(&listed));
        trial.pull(&["--listing", way.option()]).expect_status(0);
        let local: Vec<_> = std::fs::read_dir(trial.here.path()).expect("readable").collect();
        assert_eq!(local.len(), names.len(), "{way:?}");
        for name in names {
            assert_eq!(trial.here.read(name), b"content of a", "{way:?} {name}");
        }
        assert_nothing_beside(&trial);
        trial.finish();
    });
}

#[test]
fn d2_06_an_empty_name_is_left_out_and_one_of_blanks_is_a_name() {
    // A line of NLST without anything is no name, and no line.
    all([Way::Mlsd, Way::List, Way::Stat], |way| assert_left_out(way, "", "name is empty"));
    all(Way::ALL, |way| {
        let files = files! {" " => "content of a", "   " => "content of a"};
        let trial = Trial::with(files, &way.script(&[" ", "   "]));
        trial.pull(&["--listing", way.option()]).expect_status(0);
        assert_eq!(trial.local(), "  = \"content of a\"\n    = \"content of a\"\n", "{way:?}");
        trial.finish();
    });
}

#[test]
fn d2_10_names_that_look_like_urls_options_or_homes_are_names() {
    let names = ["file:", "ftp:", "~root", "~", "-rf", "--delete", "-", "C:", "oneway.toml"];
    assert_fetched_by_absolute_paths(&names);
    // With its slashes it is no name.
    each_way(&[("file:///etc/passwd", "file:///etc/passwd"), ("ftp://x", "ftp://x")]);
}

#[test]
fn d2_11_names_that_a_shell_would_obey_are_names() {
    assert_fetched_by_absolute_paths(&[
        "|id", "$(x)", "`x`", ";reboot", "a&b", "*", "?", "[a]", "{a,b}", "a'b\"c",
    ]);
}

#[track_caller]
fn assert_fetched_by_absolute_paths(names: &[&str]) {
    all(Way::ALL, |way| {
        let escaped: Vec<String> = names.iter().map(|name| name.replace('"', "\\\"")).collect();
        let listed: Vec<&str> = escaped.iter().map(String::as_str).collect();
        let mut files = files! {};
        files.0.extend(names.iter().map(|name| ((*name).into(), Some(b"content of a".to_vec()))));
        let trial = Trial::with(files, &way.script(&listed));
        trial.pull(&["--listing", way.option()]).expect_status(0);
        for name in names {
            assert_eq!(trial.here.read(name), b"content of a", "{way:?} {name}");
        }
        assert_nothing_beside(&trial);
        let mut fetched = trial.finish().sent(&["RETR"]);
        fetched.sort();
        let mut expected: Vec<_> = names.iter().map(|name| format!("RETR /{name}")).collect();
        expected.sort();
        assert_eq!(fetched, expected, "{way:?}");
    });
}

#[test]
fn d2_13_a_name_with_cr_or_nul_is_left_out() {
    each_way(&[("x\\ry", "x\\ry")]);
    // A reply on the control connection can't hold a NUL: it ends the session.
    all([Way::Mlsd, Way::List, Way::Nlst], |way| assert_left_out(way, "x\\0y", "x\\x00y"));
}

#[test]
fn d2_29_of_two_names_that_are_one_here_neither_is_written() {
    // Composed and decomposed; and a byte that is not UTF-8 beside what it is read as.
    for pair in [["e\u{301}", "\u{e9}"], ["\\xe9", "\\xc3\\xa9"]] {
        all(Way::ALL, |way| {
            let script = way.script(&["a.txt", pair[0], pair[1], "b.txt"]);
            let trial =
                Trial::with(two_files(), &script).having(files! {"\u{e9}" => "old", "extra" => "stays"});
            let output = trial.pull(&["--delete", "--listing", way.option()]).expect_status(3);
            output.tells(&["none of them is touched"]);
            assert_eq!(trial.local(), format!("{TWO_FILES}extra = \"stays\"\n\u{e9} = \"old\"\n"), "{way:?}");
            trial.finish();
        });
    }
}

#[test]
fn d2_44_entries_of_the_directory_above_are_passed_over() {
    let lines = "type=pdir;modify=20240506070809; /etc\\r\\ntype=pdir; b.txt\\r\\ntype=pdir; ../x\\r\\n\
                 type=cdir; odd name\\r\\ntype=cdir;unique=1; /\\r\\n\
                 type=file;size=12;modify=20240506070809; a.txt\\r\\n";
    let script = format!("on MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done");
    let trial = Trial::with(two_files(), &script).having(files! {"extra" => "goes"});
    trial.pull(&["--delete", "--max-delete", "1"]).expect_status(0);
    assert_eq!(trial.local(), "a.txt = \"content of a\"\n");
    assert_eq!(trial.finish().sent(&["MLSD"]).len(), 1, "none of them is entered");
}

#[test]
fn d2_45_a_line_that_a_name_forged_deletes_nothing() {
    for end in ["\\n", "\\r\\n"] {
        all([Way::Mlsd, Way::List, Way::Stat], |way| {
            eprintln!("{way:?} {end}");
            let forged = way.line("extra").trim_end_matches("\\r\\n").to_owned();
            let evil = format!("x{end}{forged}");
            let script = way.script(&["a.txt", "b.txt", &evil]);
            // At the source: at the worst it is asked for, and isn't there.
            let trial = Trial::with(two_files(), &script).having(files! {"x" => "old", "extra" => "old"});
            trial.pull(&["--delete", "--listing", way.option()]).expect_status(3);
            assert_eq!(trial.local(), format!("{TWO_FILES}extra = \"old\"\nx = \"old\"\n"), "{way:?}");
            trial.finish();
            // At the destination: at the worst it can't be deleted.
            let trial = Trial::with(two_files(), &script).having(two_files());
            trial
                .push(&["--delete", "--listing", way.option(), "--max-delete", "100%", "--compare", "size"])
                .expect_status(3);
            assert_eq!(trial.finish().tree(), TWO_FILES, "{way:?}");
        });
    }
    // A forged line for what is there makes that a name listed twice.
    all([Way::Mlsd, Way::List, Way::Stat], |way| {
        let forged = way.line("a.txt").trim_end_matches("\\r\\n").to_owned();
        let script = way.script(&["a.txt", "b.txt", &format!("x\\r\\n{forged}")]);
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
        let output = trial.pull(&["--delete", "--listing", way.option()]).expect_status(3);
        output.tells(&["`a.txt` is listed twice"]);
        assert!(trial.local().contains("extra"), "{way:?}");
        trial.finish();
    });
}

/// vsftpd takes 14 digits before a name for a time to be set.
#[test]
fn d2_52_a_name_that_begins_like_a_time_sets_none() {
    let script = "on CONNECT\n< 220 (vsFTPd 3.0.3)\n\
                  on FEAT\n< 211-Features\n<  EPSV\n<  MDTM\n<  SIZE\n< 211 End";
    let name = "20200102000000 f.txt";
    let trial = Trial::with(files! {name => "content of a", "f.txt" => "content of b"}, script);
    trial.pull(&[]).expect_status(0);
    assert_eq!(trial.here.time("f.txt"), crate::support::LONG_AGO);
    trial.here.write(name, "another");
    trial.push(&["--compare", "size"]).expect_status(0);
    let asked = trial.finish().sent(&["MDTM"]);
    // Either a question, or a time that is ours and a path that begins at the root.
    let is_harmless = |line: &str| {
        let argument = &line["MDTM ".len()..];
        argument.starts_with('/') || (argument.starts_with("20240506070809 /"))
    };
    assert!(!asked.is_empty() && asked.iter().all(|line| is_harmless(line)), "{asked:?}");
}
