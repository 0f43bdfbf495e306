//! Listings that don't tell the truth, or not the whole of it.

use std::fmt::Write as _;

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::{Files, files};

/// FEAT without MLST, so that LIST is used.
const NO_MLSD: &str = "on FEAT\n< 211-Features\n<  SIZE\n<  MDTM\n< 211 End\n";

#[test]
fn nothing_is_deleted_because_of_a_listing_that_failed() {
    all(
        [
            ("550", "< 550 no"),
            (
                "550 after a part",
                "< 150 here\ndata send \"type=file;size=1; a.txt\\r\\n\"\ndata close\n< 550 no",
            ),
            (
                "426 after a part",
                "< 150 here\ndata send \"type=file;size=1; a.txt\\r\\n\"\ndata close\n< 426 broken",
            ),
            (
                "451 after a part",
                "< 150 here\ndata send \"type=file;size=1; a.txt\\r\\n\"\ndata close\n< 451 error",
            ),
            ("closed after a part", "< 150 here\ndata send \"type=file;size=1; a.txt\\r\\n\"\ndrop"),
            (
                "reset after a part",
                "< 150 here\ndata send \"type=file;size=1; a.txt\\r\\n\"\ndata reset\nreset",
            ),
            ("silent after a part", "< 150 here\ndata send \"type=file;size=1; a.txt\\r\\n\"\npause 60s"),
            ("nothing and no 226", "< 150 here\ndata close\ndrop"),
            ("421", "< 421 bye\ndrop"),
        ],
        |(what, answer)| {
            eprintln!("{what}");
            // The source's subdirectory: the rest is mirrored, and what only the destination has below it stays.
            let script = format!("on MLSD /sub\n{answer}");
            let files = files! {"a.txt" => "content of a", "b.txt" => "content of b", "sub/c" => "3"};
            let trial = Trial::with(files, &script).having(files! {"sub/extra" => "stays", "gone" => "x"});
            let output = trial.pull(&["--delete"]).expect_status(3);
            output.tells(&["the listing of `sub` on"]);
            assert_eq!(trial.local(), format!("{TWO_FILES}sub/\nsub/extra = \"stays\"\n"), "{what}");
            trial.finish();

            // The source's root: nothing is done at all.
            let script = format!("on MLSD /\n{answer}");
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
            trial.pull(&["--delete"]).expect_status(4);
            assert_eq!(trial.local(), "extra = \"stays\"\n", "{what}");
            trial.finish();

            // The destination's subdirectory.
            let script = format!("on MLSD /sub\n{answer}");
            let trial = Trial::with(files! {"sub/c" => "stays", "gone" => "x"}, &script)
                .having(files! {"a.txt" => "content of a"});
            trial.push(&["--delete", "--max-delete", "100%"]).expect_status(3);
            let transcript = trial.finish();
            assert_eq!(transcript.tree(), "a.txt = \"content of a\"\nsub/\nsub/c = \"stays\"\n", "{what}");
        },
    );
}

#[test]
fn an_empty_list_of_a_directory_that_cannot_be_entered_proves_nothing() {
    let script = format!("{NO_MLSD}on CWD /sub\n< 550 not yours\non LIST\nnormally");
    let trial = Trial::with(files! {"a.txt" => "content of a", "b.txt" => "content of b", "sub/"}, &script)
        .having(files! {"sub/extra" => "stays"});
    let output = trial.pull(&["--delete"]).expect_status(3);
    output.tells(&["the listing of `sub` on", "CWD was answered `550 not yours`"]);
    assert_eq!(trial.local(), format!("{TWO_FILES}sub/\nsub/extra = \"stays\"\n"));
    trial.finish();
}

#[test]
fn a_listing_is_not_believed_to_be_whole_when_something_about_it_is_odd() {
    const A: &str = "type=file;size=12;modify=20240506070809; a.txt\\r\\n";
    const B: &str = "type=file;size=12;modify=20240506070809; b.txt\\r\\n";
    all(
        [
            ("a line that is none", format!("{A}{B}ls: cannot open\\r\\n"), "226 done", "ls: cannot open"),
            ("truncated", format!("{A}{B}"), "226 Output truncated to 2 matches", "truncated"),
            ("name ..", format!("{A}{B}type=file;size=1; ..\\r\\n"), "226 done", "`..`"),
            ("name with a separator", format!("{A}{B}type=file;size=1; x/y\\r\\n"), "226 done", "`x/y`"),
            ("name upwards", format!("{A}{B}type=file;size=1; ../../x\\r\\n"), "226 done", "`../../x`"),
            ("absolute name", format!("{A}{B}type=file;size=1; /etc/x\\r\\n"), "226 done", "`/etc/x`"),
            ("empty name", format!("{A}{B}type=file;size=1; \\r\\n"), "226 done", "name is empty"),
            ("name with CR", format!("{A}{B}type=file;size=1; x\\ry\\r\\n"), "226 done", "x\\ry"),
            ("name with NUL", format!("{A}{B}type=file;size=1; x\\0y\\r\\n"), "226 done", "x\\x00y"),
            (
                "name with LF",
                format!("{A}{B}type=file;size=1; x\\ntype=file;size=1; y\\r\\n"),
                "226 done",
                "line break",
            ),
            (
                "a name twice",
                format!("{A}{B}type=file;size=1; x\\r\\ntype=dir; x\\r\\n"),
                "226 done",
                "`x` is listed twice",
            ),
        ],
        |(what, lines, closing, told)| {
            eprintln!("{what}");
            let script = format!("on MLSD /\n< 150 here\ndata send \"{lines}\"\ndata close\n< {closing}");
            let trial = Trial::with(
                files! {"a.txt" => "content of a", "b.txt" => "content of b", "y" => "y"},
                &script,
            )
            .having(files! {"x" => "stays", "extra" => "stays"});
            let output = trial.pull(&["--delete", "--max-delete", "9"]).expect_status(3);
            output.tells(&["nothing is deleted", told]);
            let local = trial.local();
            assert!(local.starts_with(TWO_FILES), "{what}\n{local}");
            assert!(
                local.contains("extra = \"stays\"") && local.contains("x = \"stays\""),
                "{what}\n{local}"
            );
            let above: Vec<_> = std::fs::read_dir(trial.sandbox.path("")).expect("readable").collect();
            assert_eq!(above.len(), 6, "only the sandbox's own directories");
            trial.finish();
        },
    );
}

#[test]
fn one_line_of_list_that_is_not_understood_keeps_what_only_the_destination_has() {
    all(["?????????? what is this", "-rw-r--r-- 1 ftp ftp twelve May 06 2024 c.txt"], |line| {
        let list = format!(
            "{NO_MLSD}on LIST\n< 150 here\n\
             data send \"-rw-r--r-- 1 ftp ftp 12 May 06 2024 a.txt\\r\\n{line}\\r\\n\"\n\
             data send \"-rw-r--r-- 1 ftp ftp 12 May 06 2024 b.txt\\r\\n\"\ndata close\n< 226 done"
        );
        let trial = Trial::with(two_files(), &list).having(files! {"extra" => "stays"});
        let output = trial.pull(&["--delete"]).expect_status(3);
        output.tells(&["nothing is deleted", line]);
        assert_eq!(trial.local(), format!("{TWO_FILES}extra = \"stays\"\n"));
        trial.finish();
    });
}

#[test]
fn an_error_text_in_place_of_a_listing_is_no_empty_directory() {
    let script = format!(
        "{NO_MLSD}on LIST\n< 150 here\ndata send \"ls: .: Permission denied\\r\\n\"\ndata close\n< 226 done\n\
         on NLST\n< 150 here\ndata close\n< 226 done"
    );
    let trial = Trial::with(files! {}, &script).having(files! {"extra" => "stays"});
    let output = trial.pull(&["--delete", "--allow-empty-source"]).expect_status(3);
    output.tells(&["ls: .: Permission denied"]);
    assert_eq!(trial.local(), "extra = \"stays\"\n");
    trial.finish();
}

#[test]
fn an_empty_directory_may_be_told_by_an_error() {
    all(
        ["450 No files found", "550 No files found.", "550 No members found", "450 Directory is empty"],
        |reply| {
            let script = format!("{NO_MLSD}on LIST\n< {reply}");
            let trial = Trial::with(files! {}, &script).having(files! {"extra" => "goes"});
            trial.pull(&["--delete", "--allow-empty-source"]).expect_status(0);
            assert_eq!(trial.local(), "", "{reply}");
            trial.finish();
        },
    );
}

#[test]
fn names_alone_are_enough_where_there_is_no_listing() {
    let script = format!(
        "{NO_MLSD}on LIST\n< 502 no\non NLST\n< 150 here\ndata send \"a.txt\\r\\nsub\\r\\n\"\ndata close\n< 226 done\n\
         nth 2 NLST\n< 150 here\ndata send \"b.txt\\r\\n\"\ndata close\n< 226 done"
    );
    let trial = Trial::with(files! {"a.txt" => "content of a", "sub/b.txt" => "content of b"}, &script)
        .having(files! {"extra" => "goes"});
    trial.pull(&["--delete", "--max-delete", "100%"]).expect_status(0);
    assert_eq!(trial.local(), "a.txt = \"content of a\"\nsub/\nsub/b.txt = \"content of b\"\n");
    assert_eq!(trial.here.time("a.txt"), crate::support::LONG_AGO);
    trial.finish();
}

#[test]
fn a_directory_that_contains_itself_ends_somewhere() {
    let script =
        "on MLSD\n< 150 here\ndata send \"type=dir; d\\r\\n\"\ndata close\n< 226 done\non CWD\n< 250 ok";
    let trial = Trial::with(files! {}, script);
    let output = trial.run("diff", &[], &[&trial.server.url("/"), &trial.here]).expect_status(3);
    output.tells(&["more than 256 directories deep"]);
    let listed = trial.finish().sent(&["MLSD"]).len();
    assert!((256..=258).contains(&listed), "{listed}");
}

#[test]
fn a_listing_as_long_as_servers_are_known_to_cut_is_in_doubt() {
    let mut lines = String::new();
    for i in 0..2000 {
        write!(lines, "type=file;size=0;modify=20240506070809; f{i}\\r\\n").expect("a String takes all");
    }
    let script = format!("on MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done");
    let trial = Trial::with(files! {}, &script).having(files! {"extra" => "stays"});
    let output = trial.run("diff", &["--delete"], &[&trial.server.url("/"), &trial.here]).expect_status(3);
    output.tells(&["exactly 2000 entries"]);
    assert!(!output.stdout.contains("extra"), "{output}");
    trial.finish();
}

#[test]
fn a_name_that_looks_like_an_option_or_a_command_is_a_name() {
    let names =
        ["-rf", "--delete", "~root", "|id", "$(x)", "`x`", "file:", "20240506070809 f", "a;b", " b ", "*"];
    let mut files = files! {};
    files.0.extend(names.iter().map(|name| ((*name).into(), Some(b"x".to_vec()))));
    let trial = Trial::with(files, "");
    trial.pull(&[]).expect_status(0);
    for name in names {
        assert_eq!(trial.here.read(name), b"x", "{name}");
    }
    let transcript = trial.finish();
    assert!(transcript.sent(&["RETR"]).iter().all(|line| line.starts_with("RETR /")), "absolute paths");
}

#[test]
fn a_name_that_ftp_cannot_carry_is_not_sent_and_told() {
    let names = ["a\nb", "a\rb", "a\tb", "a\x1bb"];
    let mut files = files! {"good" => "x"};
    files.0.extend(names.iter().map(|name| ((*name).into(), Some(b"x".to_vec()))));
    let trial = Trial::with(files! {}, "").having(files);
    let output = trial.push(&[]).expect_status(3);
    super::assert_printable(&output);
    let transcript = trial.finish();
    assert_eq!(transcript.tree(), "good = \"x\"\n");
    assert!(transcript.lines().iter().all(|line| line.bytes().all(|b| b >= 0x20)));
}

#[test]
fn what_a_listing_may_hold_beside_entries_is_passed_over() {
    const ENTRY: &str = "type=file;size=12;modify=20240506070809; a.txt\\r\\n";
    all(
        [
            ("the directory itself", "type=cdir;modify=20240506070809; /\\r\\n"),
            ("the directory under another name", "type=cdir; odd\\r\\n"),
            ("the one above", "type=pdir; ..\\r\\n"),
            ("the one above with a name", "type=pdir; a.txt\\r\\n"),
            ("dots as directories", "type=dir; .\\r\\ntype=dir; ..\\r\\n"),
            ("empty lines", "\\r\\n\\r\\n"),
        ],
        |(what, lines)| {
            eprintln!("{what}");
            let script = format!("on MLSD\n< 150 here\ndata send \"{lines}{ENTRY}\"\ndata close\n< 226 done");
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "goes"});
            trial.pull(&["--delete", "--max-delete", "1"]).expect_status(0);
            assert_eq!(trial.local(), "a.txt = \"content of a\"\n", "{what}");
            trial.finish();
        },
    );
}

#[test]
fn a_size_or_time_that_cannot_be_is_taken_for_none() {
    all(
        [
            "size=18446744073709551616;modify=20240506070809",
            "size=-1;modify=20240506070809",
            "size=1e9;modify=20240506070809",
            "size=99999999999999999999;modify=20240506070809",
            "size=;modify=20240506070809",
            "modify=20240506070809",
            "size=12;modify=99999999999999",
            "size=12;modify=20240230070809",
            "size=12;modify=yesterday",
            "size=12;modify=",
            "size=12",
            // Changed since it was listed: what SIZE says now is what came.
            "size=5;modify=20240506070809",
            "size=500;modify=20240506070809",
        ],
        |facts| {
            eprintln!("{facts}");
            let script = format!(
                "on MLSD\n< 150 here\ndata send \"type=file;{facts}; a.txt\\r\\n\"\ndata close\n< 226 done"
            );
            let trial = Trial::with(two_files(), &script);
            trial.pull(&["--retries", "0"]).expect_status(0);
            assert_eq!(trial.local(), "a.txt = \"content of a\"\n", "{facts}");
            trial.finish();
        },
    );
}

#[test]
fn a_line_of_any_length_fills_no_memory_and_proves_nothing() {
    let script =
        "on MLSD\n< 150 here\ndata send 5000000 x \"y\"\ndata send \"\\r\\n\"\ndata close\n< 226 done";
    let trial = Trial::with(two_files(), script).having(files! {"extra" => "stays"});
    let output = trial.pull(&["--delete", "--allow-empty-source"]).expect_status(3);
    output.tells(&["longer than 65536 bytes"]);
    assert!(output.stderr.len() < 2000, "{}", output.stderr.len());
    assert_eq!(trial.local(), "extra = \"stays\"\n");
    trial.finish();
}

#[test]
fn blanks_belong_to_names() {
    let names = [" ", "  a", "a  ", "a  b"];
    let mut files = files! {};
    files.0.extend(names.iter().map(|name| ((*name).into(), Some(b"x".to_vec()))));
    for script in ["", NO_MLSD] {
        let trial = Trial::with(Files(files.0.clone()), script);
        trial.pull(&[]).expect_status(0);
        for name in names {
            assert_eq!(trial.here.read(name), b"x", "{name:?}");
        }
        trial.finish();
    }
}

#[test]
fn links_and_devices_are_left_out_and_stay_on_the_other_side() {
    const LINES: &str = "type=OS.unix=slink:/etc/passwd; link\\r\\ntype=OS.unix=slink:; empty\\r\\n\
                         type=OS.unix=chr-1/3; null\\r\\nsize=3; what\\r\\n";
    let script = format!("on MLSD\n< 150 here\ndata send \"{LINES}\"\ndata close\n< 226 done");
    let here =
        files! {"link" => "stays", "empty" => "stays", "null" => "stays", "what" => "stays", "x" => "goes"};
    let trial = Trial::with(files! {}, &script).having(here);
    let output = trial.pull(&["--delete"]).expect_status(0);
    output.tells(&["2 symbolic links were left out", "2 special files were left out"]);
    assert_eq!(trial.local().lines().filter(|line| line.contains("stays")).count(), 4);
    assert!(!trial.here.has("x"));
    assert_eq!(trial.finish().sent(&["RETR"]), Vec::<String>::new());
}

#[test]
fn a_directory_that_vanishes_before_it_is_listed_is_noted_and_no_failure() {
    let listing = |d: &str| {
        format!(
            "once MLSD /\n< 150 here\ndata send \"type=cdir; .\\r\\ntype=file;size=1;modify=20240506070809; a\\r\\n{d}\"\ndata close\n< 226 done\n"
        )
    };
    let script = listing("type=dir; d\\r\\n");
    let trial = Trial::with(files! {"a" => "1"}, &script).having(files! {"d/x" => "old"});
    let output = trial.pull(&["--delete", "--max-delete", "100%"]).expect_status(0);
    output.tells(&["`d` vanished from "]);
    assert_eq!(trial.local(), "a = \"1\"\n");
    trial.finish();

    // One that is there and may not be listed is no such thing.
    let trial = Trial::with(files! {"a" => "1", "d/y" => "2"}, "on MLSD /d\n< 550 no\non CWD /d\n< 550 no")
        .having(files! {"d/x" => "old"});
    trial.pull(&["--delete", "--max-delete", "100%"]).expect_status(3).tells(&["the listing of `d`"]);
    assert!(trial.local().contains("d/x"), "{}", trial.local());
    trial.finish();
}
