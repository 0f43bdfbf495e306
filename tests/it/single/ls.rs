//! `ls`: what it shows of a directory, a file and a tree, and of what it can't be sure of.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::{embedded, for_each_server};
use crate::scripted::Trial;
use crate::support::files;

#[test]
fn modes_owners_and_links_are_shown_in_columns() {
    for_each_server(|sandbox, url, root| {
        root.add(files! {"a" => "12345", "sub dir/b" => "x"});
        symlink("a", root.path().join("link")).unwrap();
        std::fs::set_permissions(root.path().join("a"), PermissionsExt::from_mode(0o640)).unwrap();
        let output = sandbox.oneway(["ls", "-l", url]).expect_status(0);
        let rows: Vec<Vec<&str>> =
            output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        let names = output.stdout.lines().map(|line| line.rsplit("  ").next().unwrap_or_default());
        let shown: Vec<(&str, &str, &str)> =
            rows.iter().zip(names).map(|(row, name)| (row[0], row[3], name)).collect();
        assert_eq!(shown[0], ("-rw-r-----", "5", "a"), "{output}");
        assert_eq!((&shown[1].0[..1], shown[1].1, shown[1].2), ("l", "-", "link -> a"), "{output}");
        assert_eq!((&shown[2].0[..1], shown[2].1, shown[2].2), ("d", "-", "sub dir"), "{output}");
        assert!(rows.iter().all(|row| row[1] != "?" && row[2] != "?"), "{output}");
        let starts: Vec<Option<usize>> = output.stdout.lines().map(|line| line.find("  20")).collect();
        assert!(starts.iter().all(|at| at.is_some() && *at == starts[0]), "{output}");
    });
}

#[test]
fn a_tree_is_listed_directory_by_directory_and_a_file_by_itself() {
    embedded(|sandbox, url, root| {
        root.add(files! {"a" => "1", "b/c/d" => "2", "b/e" => "3", "f/g" => "4"});
        let output = sandbox.oneway(["ls", "-R", url]).expect_status(0);
        let names: Vec<&str> =
            output.stdout.lines().map(|line| line.rsplit(' ').next().unwrap_or_default()).collect();
        assert_eq!(
            names,
            [".:", "a", "b/", "f/", "", "./b:", "c/", "e", "", "./b/c:", "d", "", "./f:", "g"],
            "{output}"
        );
        let json = sandbox.oneway(["ls", "-R", "--format", "json", url]).expect_status(0).json();
        let paths: Vec<&str> = json.iter().filter_map(|entry| entry["path"].as_str()).collect();
        assert_eq!(paths, ["a", "b", "f", "b/c", "b/e", "b/c/d", "f/g"]);
        assert_eq!(json[5]["name"], "d");
        let one = sandbox.oneway(["ls", &format!("{url}/b/e")]).expect_status(0).stdout;
        assert!(one.starts_with("1  20") && one.ends_with("  e\n"), "{one}");
        let output = sandbox.oneway(["ls", &format!("{url}/none")]).expect_status(4);
        output.tells(&["cannot list ftp://"]);
        let json = sandbox.oneway(["ls", "--format", "json", &format!("{url}/b")]).expect_status(0).json();
        assert!(json.iter().all(|entry| entry.get("path").is_none()), "{json:?}");
    });
}

#[test]
fn what_is_there_of_an_unproven_listing_is_shown() {
    let tree = || files! {"a" => "1", "cut/b" => "2", "shut/c" => "3", "zoo/d" => "4"};
    let script = "on MLSD /cut\n< 150\ndata send \"type=file;size=1; b\\r\\nwhat is this\\r\\n\"\ndata close\n< 226\n\
                  on MLSD /shut\n< 550 Permission denied";
    let trial = Trial::with(tree(), script);
    let output = trial.ls(&["-R"]).expect_status(3);
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(output.stdout.contains("./cut:\n1 ") && last.ends_with("  d"), "{output}");
    output.tells(&["error: the listing of `cut` on ftp://", "not understood", "cannot list `shut` on"]);
    assert_eq!(output.stderr.lines().filter(|line| line.contains("error: ")).count(), 2, "{output}");
    trial.finish();
}

/// A server can make up directories without end.
#[test]
fn a_directory_that_holds_itself_comes_to_an_end() {
    let script = "on MLSD\n< 150\ndata send \"type=dir; d\\r\\n\"\ndata close\n< 226";
    let trial = Trial::with(files! {}, script);
    let output = trial.ls(&["-R"]).expect_status(3);
    output.tells(&["256 directories deep"]);
    assert_eq!(output.stdout.matches("d/\n").count(), 257);
    trial.finish();
}
