//! Listings that are not the whole truth: nothing is deleted because of them, in whichever way they come.

use super::{TWO_FILES, Trial, Way, all, files, two_files};

#[test]
fn d2_39_an_empty_listing_of_what_cannot_be_entered_deletes_nothing() {
    all(Way::ALL, |way| {
        eprintln!("{way:?}");
        // The root, at either side: an error, and nothing is done.
        let script = format!("{}on CWD\n< 550 no\non MLSD\n< 550 no\n", way.script(&[]));
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
        trial
            .pull(&["--delete", "--allow-empty-source", "--max-delete", "100%", "--listing", way.option()])
            .expect_status(4);
        assert_eq!(trial.local(), "extra = \"stays\"\n", "{way:?}");
        trial.push(&["--delete", "--listing", way.option()]).expect_status(4);
        let transcript = trial.server.finish_unchecked();
        assert_eq!(transcript.sent(&["DELE", "RMD", "STOR", "MKD"]), Vec::<String>::new());
        // A directory in it.
        let plain = if way == Way::Mlsd { String::new() } else { way.script(&["a.txt", "sub/"]) };
        let script = format!("{plain}on CWD /sub\n< 550 no\non MLSD /sub\n< 550 no\n");
        let trial = Trial::with(files! {"a.txt" => "content of a", "sub/"}, &script)
            .having(files! {"sub/extra" => "stays", "sub/d/extra" => "stays"});
        let output =
            trial.pull(&["--delete", "--max-delete", "100%", "--listing", way.option()]).any_status();
        assert!(trial.here.has("sub/extra") && trial.here.has("sub/d/extra"), "{way:?}\n{output}");
    });
}

#[test]
fn d2_40_a_listing_that_ends_in_an_error_is_none() {
    for closing in ["426 broken", "450 busy", "451 error", "550 no", "552 too much"] {
        all([Way::Mlsd, Way::List, Way::Nlst], |way| {
            eprintln!("{way:?} {closing}");
            let script = way.script(&["a.txt"]).replace("226 done", closing);
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
            trial.pull(&["--delete", "--max-delete", "100%", "--listing", way.option()]).expect_status(4);
            assert_eq!(trial.local(), "extra = \"stays\"\n", "{way:?} {closing}");
        });
    }
}

#[test]
fn d2_41_one_line_that_is_not_understood_keeps_all_in_its_directory() {
    for odd in [
        "ls: reading directory: Input/output error",
        "??????????   ? ?        ?               ?            ? x",
        "type=file",
    ] {
        all([Way::Mlsd, Way::List, Way::Stat], |way| {
            let script = way.script(&["a.txt", "b.txt"]).replacen(
                &way.line("b.txt"),
                &format!("{odd}\\r\\n{}", way.line("b.txt")),
                1,
            );
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
            let output =
                trial.pull(&["--delete", "--max-delete", "100%", "--listing", way.option()]).expect_status(3);
            output.tells(&["nothing is deleted", odd]);
            assert_eq!(trial.local(), format!("{TWO_FILES}extra = \"stays\"\n"), "{way:?} {odd}");
            trial.finish();
        });
    }
}

#[test]
fn d2_42_a_listing_that_says_it_is_cut_or_is_as_long_as_cut_ones_is_in_doubt() {
    for count in [1_000, 2_000, 9_998, 10_000] {
        let lines: String =
            (0..count).map(|i| format!("type=file;size=0;modify=20240506070809; f{i}\\r\\n")).collect();
        let script = format!("on MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done");
        let trial = Trial::with(files! {}, &script).having(files! {"extra" => "stays"});
        let output =
            trial.run("diff", &["--delete"], &[&trial.server.url("/"), &trial.here]).expect_status(3);
        output.tells(&[&format!("exactly {count} entries")]);
        assert!(!output.stdout.contains("extra"), "{output}");
        trial.finish();
    }
    for closing in ["226 Output truncated to 2 matches", "226-Listing\\r\\n226 (TRUNCATED)", "250 truncated"]
    {
        all([Way::Mlsd, Way::List, Way::Nlst], |way| {
            let script =
                way.script(&["a.txt", "b.txt"]).replace("< 226 done", &format!("<| {closing}\\r\\n"));
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
            trial.pull(&["--delete", "--listing", way.option()]).expect_status(3).tells(&["cut the listing"]);
            assert!(trial.here.has("extra"), "{way:?} {closing}");
            trial.finish();
        });
    }
}

#[test]
fn d2_43_a_source_that_lost_its_files_takes_none_away() {
    let ten = || {
        let mut files = files! {};
        files.0.extend((0..10).map(|i| (format!("f{i}").into(), Some(b"x".to_vec()))));
        files
    };
    all(Way::ALL, |way| {
        eprintln!("{way:?}");
        let pull = |names: &[&str], options: &[&str], status: i32, left: usize| {
            let trial = Trial::with(files! {"f0" => "x", "f1" => "x"}, &way.script(names)).having(ten());
            let options = [&["--delete", "--compare", "size", "--listing", way.option()], options].concat();
            let output = trial.pull(&options).expect_status(status);
            let there = std::fs::read_dir(trial.here.path()).expect("readable").count();
            assert_eq!(there, left, "{way:?} {names:?} {output}");
        };
        // Nothing at all, though that is believed; an empty LIST or NLST is not, to begin with.
        let status = if matches!(way, Way::List | Way::Nlst) { 0 } else { 5 };
        pull(&[], &["--max-delete", "100%"], status, 10);
        // More than half, and more than was allowed.
        pull(&["f0"], &[], 5, 10);
        pull(&["f0", "f1"], &["--max-delete", "7"], 5, 10);
        // A diff ends so, too, and says it before anything is done.
        let trial = Trial::with(files! {"f0" => "x"}, &way.script(&["f0"])).having(ten());
        let options = ["--delete", "--listing", way.option()];
        trial
            .run("diff", &options, &[&trial.server.url("/"), &trial.here])
            .expect_status(5)
            .tells(&["--max-delete"]);
    });
    // A root that vanished is an error.
    let trial = Trial::with(ten(), "").having(ten());
    let gone = trial.server.url("/gone");
    trial.run("sync", &["--delete", "--allow-empty-source"], &[&gone, &trial.here]).expect_status(4);
    assert_eq!(std::fs::read_dir(trial.here.path()).expect("readable").count(), 10);
}
