//! Servers that rename nothing onto a file that is there: the old one steps aside, and no file is lost wherever that ends.

use super::{TWO_FILES, Trial, all, two_files};
use crate::support::{Files, files};

/// A greeting that gives the server away as one that takes many commands at once.
const PIPELINED: &str = "on CONNECT\n< 220 (vsFTPd 3.0.3)\n";

fn old_files() -> Files {
    files! {"a.txt" => "old a", "b.txt" => "older b"}
}

fn aside(name: &str) -> String {
    format!(".oneway-old-of-{name}.part")
}

/// Asserts that another run has nothing to do.
fn assert_in_sync(trial: &Trial, what: &str) {
    let again = trial.push(&["--delete", "--format", "json"]).expect_status(0);
    assert_eq!(again.changes(), [""; 0], "{what}");
}

#[test]
fn files_are_replaced_on_a_server_that_renames_onto_none() {
    for greeting in ["", PIPELINED] {
        let trial = Trial::keeping_names(old_files(), greeting).having(two_files());
        trial.here.add(files! {"new" => "n"});
        trial.push(&[]).expect_status(0);
        assert_in_sync(&trial, greeting);
        let transcript = trial.finish();
        assert_eq!(transcript.tree(), format!("{TWO_FILES}new = \"n\"\n"));
        let renames = transcript.sent(&["RNTO"]);
        let asides: Vec<&String> = renames.iter().filter(|line| line.contains(".oneway-old-")).collect();
        assert_eq!(asides.len(), 2, "what is new takes no other's place: {renames:?}");
        let removed = transcript.sent(&["DELE"]);
        assert_eq!(removed.iter().filter(|line| line.contains(".oneway-old-")).count(), 2, "{removed:?}");
    }
}

#[test]
fn the_server_is_known_after_the_first_file_and_the_four_renames_leave_together() {
    let many =
        |content: &str| Files((0..12).map(|i| (format!("f{i}").into(), Some(content.into()))).collect());
    let trial = Trial::keeping_names(many("old"), PIPELINED).having(many("newer"));
    trial.push(&[]).expect_status(0);
    let transcript = trial.finish();
    // What was under way when the first one was looked at is looked at, too.
    let looked = transcript.sent(&["MLST"]);
    assert!((1..=4).contains(&looked.len()), "{looked:?}");
    let lines = transcript.lines();
    let first = lines.iter().position(|line| *line == "RNFR /f9").expect("it is renamed");
    let swap = [&lines[first + 1][..], &lines[first + 3][..]];
    assert_eq!(swap, ["RNTO /.oneway-old-of-f9.part", "RNTO /f9"], "{lines:?}");
    assert_eq!(transcript.tree().lines().filter(|line| line.ends_with("\"newer\"")).count(), 12);
}

#[test]
fn long_and_odd_names_are_replaced_too() {
    let names = ["x".repeat(255), "é".repeat(127), "-rf *".to_owned(), " ".to_owned(), "of-.part".to_owned()];
    let with =
        |content: &str| Files(names.iter().map(|name| (name.clone().into(), Some(content.into()))).collect());
    let trial = Trial::keeping_names(with("old"), "").having(with("newer"));
    trial.push(&[]).expect_status(0);
    assert_in_sync(&trial, "long");
    let transcript = trial.finish();
    assert_eq!(transcript.tree().lines().filter(|line| line.ends_with("\"newer\"")).count(), names.len());
    assert_eq!(transcript.tree().lines().count(), names.len(), "{}", transcript.tree());
    let name = |line: &String| line.rsplit('/').next().expect("a path").len();
    assert!(transcript.sent(&["RNTO"]).iter().all(|line| name(line) <= 255));
}

#[test]
fn a_name_that_nothing_may_have_is_not_taken_from_the_old_file() {
    // As a server does that has rules for names: what stepped aside would never get this one back.
    for greeting in ["", PIPELINED] {
        let script = format!("{greeting}on RNTO /a.txt\n< 550 a.txt: Forbidden filename");
        let trial = Trial::with(old_files(), &script).having(two_files());
        trial.push(&[]).expect_status(3).tells(&["cannot write `a.txt`", "Forbidden filename"]);
        let transcript = trial.finish();
        assert_eq!(transcript.tree(), "a.txt = \"old a\"\nb.txt = \"content of b\"\n");
        assert!(!transcript.sent(&["RNTO"]).iter().any(|line| line.contains(".oneway-old-")));
    }
}

#[test]
fn a_refusal_for_another_reason_moves_nothing() {
    for refusal in ["550 Permission denied", "553 not over that one", "550 file exists"] {
        // Neither the new file nor the old one may be renamed.
        let script = format!("on RNTO\n< {refusal}");
        let trial = Trial::with(old_files(), &script).having(two_files());
        trial.push(&[]).expect_status(3).tells(&["cannot write `a.txt`", refusal]);
        assert_eq!(trial.finish().tree(), "a.txt = \"old a\"\nb.txt = \"older b\"\n", "{refusal}");
    }
    // A directory took the name since the listing: it stays where it is.
    let script = "once MLSD\n< 150\ndata send \"type=file;size=3;modify=20240101000000; a.txt\\r\\n\"\ndata close\n< 226";
    let trial =
        Trial::keeping_names(files! {"a.txt/inside" => "x"}, script).having(files! {"a.txt" => "new"});
    trial.push(&["--compare", "always"]).expect_status(3).tells(&["cannot write `a.txt`"]);
    assert_eq!(trial.finish().tree(), "a.txt/\na.txt/inside = \"x\"\n");
}

#[test]
fn a_new_file_that_does_not_get_the_name_gives_it_back_to_the_old_one() {
    // The first three RNTO are the plain rename, the trial with two files of ours and the stepping aside; the fourth is the new file's.
    for reply in ["550 no", "450 not now", "553 no"] {
        let trial = Trial::keeping_names(files! {"a.txt" => "old"}, &format!("nth 4 RNTO\n< {reply}"))
            .having(files! {"a.txt" => "newer"});
        trial.push(&["--retries", "0"]).expect_status(3).tells(&["cannot write `a.txt`", reply]);
        let transcript = trial.finish();
        assert_eq!(transcript.tree(), "a.txt = \"old\"\n", "{reply}");
    }
    // Nor may the old one have it back: that is said, and the next run does it.
    let script = "nth 4 RNTO\n< 550 no\nnth 5 RNTO\n< 550 no";
    let trial = Trial::keeping_names(files! {"a.txt" => "old"}, script).having(files! {"a.txt" => "newer"});
    trial.push(&["--retries", "0"]).expect_status(3).tells(&[
        "550 no",
        &aside("a.txt"),
        "gives it its name back",
    ]);
    trial.push(&[]).expect_status(0).tells(&["`a.txt` has its name again"]);
    assert_in_sync(&trial, "given back");
    assert_eq!(trial.finish().tree(), "a.txt = \"newer\"\n");
}

#[test]
fn whatever_an_interrupted_swap_left_is_healed_by_the_next_run() {
    let temporary = ".oneway-0000000000000abc-7-1.part";
    let a = aside("a.txt");
    let cases = [
        ("the old one stepped aside", vec![(a.as_str(), "old a"), (temporary, "content of a")], true),
        ("and the new one is lost", vec![(a.as_str(), "old a")], true),
        ("the new one has the name", vec![(a.as_str(), "old a"), ("a.txt", "content of a")], false),
        ("an older one has the name", vec![(a.as_str(), "old a"), ("a.txt", "another old")], true),
    ];
    for (what, there, is_replaced) in &cases {
        for keeps_names in [true, false] {
            let files =
                || Files(there.iter().map(|&(name, content)| (name.into(), Some(content.into()))).collect());
            let trial =
                if keeps_names { Trial::keeping_names(files(), "") } else { Trial::with(files(), "") };
            let trial = trial.having(two_files());
            // A dry run says what will be done, and does nothing.
            let dry = trial
                .run("diff", &["--format", "json"], &[&trial.here, &trial.server.url("/")])
                .expect_status(1);
            let output = trial.push(&["--format", "json"]).expect_status(0);
            assert_eq!(dry.changes(), output.changes(), "{what}");
            let replaced = output.changes().iter().any(|change| *change == "replace a.txt");
            assert_eq!(
                (replaced, output.changes().len()),
                (*is_replaced, 1 + usize::from(*is_replaced)),
                "{what}: {output}"
            );
            assert_in_sync(&trial, what);
            let tree = trial.finish();
            let whole: Vec<&str> = tree.tree().lines().filter(|line| !line.starts_with(temporary)).collect();
            assert_eq!(whole.join("\n") + "\n", TWO_FILES, "{what}");
        }
    }
}

#[test]
fn an_old_file_that_the_source_has_no_more_gets_its_name_back_all_the_same() {
    let there = || Files(vec![(aside("gone.txt").into(), Some("the only copy".into()))]);
    let trial = Trial::keeping_names(there(), "").having(files! {"a" => "1"});
    trial.push(&[]).expect_status(0);
    assert_eq!(trial.finish().tree(), "a = \"1\"\ngone.txt = \"the only copy\"\n");
    // With a filter that leaves it out, too: it isn't ours to lose.
    let trial = Trial::keeping_names(there(), "").having(files! {"a" => "1"});
    trial.push(&["--exclude", "gone.txt", "--delete"]).expect_status(0);
    assert_eq!(trial.finish().tree(), "a = \"1\"\ngone.txt = \"the only copy\"\n");
    // And where it is there behind a filter, it isn't overwritten with an older one.
    let mut both = there();
    both.0.push(("gone.txt".into(), Some("the new one".into())));
    let trial = Trial::with(both, "").having(files! {"a" => "1"});
    trial.push(&["--exclude", "gone.txt", "--delete"]).expect_status(0);
    assert_eq!(trial.finish().tree(), "a = \"1\"\ngone.txt = \"the new one\"\n");
}

#[test]
fn a_long_name_is_found_by_what_the_source_has_and_nothing_gives_way_to_a_folder() {
    let long = "x".repeat(250);
    let old = oneway::model::aside_for(long.as_bytes());
    let old = String::from_utf8(old).expect("it is ASCII");
    let there = || Files(vec![(old.clone().into(), Some("older".into()))]);
    let trial =
        Trial::keeping_names(there(), "").having(Files(vec![(long.clone().into(), Some("new".into()))]));
    trial.push(&[]).expect_status(0).tells(&["has its name again"]);
    assert_in_sync(&trial, "long");
    assert_eq!(trial.finish().tree(), format!("{long} = \"new\"\n"));
    // Nobody knows whose it was: it stays.
    let trial = Trial::keeping_names(there(), "").having(files! {"a" => "1"});
    trial.push(&["--delete"]).expect_status(0).tells(&["not known any more"]);
    assert_eq!(trial.finish().tree(), format!("{old} = \"older\"\na = \"1\"\n"));

    let there = Files(vec![(aside("a").into(), Some("old".into())), ("a/b".into(), Some("x".into()))]);
    let trial = Trial::keeping_names(there, "").having(files! {"a/b" => "x"});
    trial.push(&[]).expect_status(0).tells(&["is no file any more"]);
    assert!(trial.finish().tree().starts_with(&format!("{} = \"old\"\n", aside("a"))));
}

#[test]
fn of_an_unproven_directory_nothing_is_healed() {
    let mut there = Files(vec![(aside("a").into(), Some("old".into()))]);
    there.0.push(("a".into(), Some("new".into())));
    let script = "on MLSD\n< 150\ndata send \"type=file;size=3;modify=20240101000000; .oneway-old-of-a.part\\r\\nwhat?\\r\\n\"\n\
                  data close\n< 226";
    let trial = Trial::with(there, script).having(files! {});
    trial.push(&["--allow-empty-source"]).expect_status(3).tells(&["was left as it is"]);
    let transcript = trial.finish();
    assert_eq!(transcript.sent(&["DELE", "RNFR", "RNTO"]), [""; 0]);
}

#[test]
fn a_source_in_which_a_file_stepped_aside_costs_no_copy_of_it() {
    let there = files! {"b" => "2"};
    let mut there = Files(there.0);
    there.0.push((aside("a").into(), Some("old".into())));
    let trial = Trial::with(there, "").having(files! {"a" => "old", "b" => "2", "c" => "3"});
    trial
        .pull(&["--delete", "--max-delete", "100%"])
        .expect_status(3)
        .tells(&["`a`", "the next push gives it"]);
    let tree = trial.local();
    assert!(tree.contains("a = \"old\"") && !tree.contains("c = "), "{tree}");
    let transcript = trial.finish();
    assert_eq!(transcript.sent(&["RNFR", "RNTO", "DELE", "STOR"]), [""; 0], "a source isn't changed");
}

#[test]
fn a_swap_that_is_cut_off_anywhere_loses_nothing_and_is_healed() {
    let mut cases = Vec::new();
    // Of two files: the plain renames, the looks, the swaps with four renames each, and the removals.
    for (verb, most) in [("RNFR", 6), ("RNTO", 7), ("DELE", 4)] {
        for (nth, done) in (1..=most).flat_map(|nth| [(nth, ""), (nth, "normally\n")]) {
            let is_odd = nth % 2 == 1;
            let greeting = if is_odd == done.is_empty() { "" } else { PIPELINED };
            // Some give up at once, and leave it all to the next run.
            let retries = if nth % 3 == 0 { "2" } else { "0" };
            cases.push((format!("{greeting}nth {nth} {verb}\n{done}drop"), retries));
        }
    }
    all(cases, |(script, retries)| {
        let trial = Trial::keeping_names(old_files(), &script).having(two_files());
        let first = trial.push(&["--retries", retries, "--format", "json"]);
        if retries == "2" {
            first.expect_status(0);
        }
        // What the first one left undone, the second one does; the third one has nothing to do.
        trial.push(&[]).expect_status(0);
        assert_in_sync(&trial, &script);
        let transcript = trial.finish();
        let whole: Vec<&str> = transcript
            .tree()
            .lines()
            .filter(|line| !line.contains(".part") || line.contains(".oneway-old-"))
            .collect();
        assert_eq!(whole.join("\n") + "\n", TWO_FILES, "{script} {retries}");
    });
}
