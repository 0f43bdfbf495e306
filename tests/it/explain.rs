//! `oneway explain`: one path, one screen, and the exit status.

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Sandbox, files};

#[test]
fn one_path_is_told_on_one_screen() {
    let sandbox = Sandbox::new();
    let here = sandbox.tree("here", files! {"d/a.txt" => "new!", "d/b.txt" => "same", "d/x.map" => "m"});
    let there = sandbox
        .tree("there", files! {"d/a.txt" => "old", "d/b.txt" => "same", "d/gone" => "x", "d/x.map" => "n"});
    let server =
        Server::start(ServeOptions { access: Access::Read, ..ServeOptions::new(there.path()) }).unwrap();
    let url = server.url();
    std::fs::write(sandbox.path("rules"), "# maps\n*.map\n").unwrap();
    let rules = sandbox.path("rules").display().to_string();
    let explain = |path: &str, more: &[&str]| {
        let arguments = [&["explain", "--delete", "--listing", "list", "--filter-from", &rules], more];
        let arguments = [&arguments.concat()[..], &[&here, &url, path]].concat();
        sandbox.oneway(arguments)
    };
    for (path, first, others) in [
        (
            "d/a.txt",
            "it is sent again, over what the destination has: size 3 B → 4 B",
            &["by size: not the same"][..],
        ),
        (
            "d/b.txt",
            "it stays as it is: the same on both sides",
            &["by MDTM, where the listing says", "UTC, to the second, by the disk"],
        ),
        ("d/gone", "it is deleted at the destination", &["that of `d` is proven whole"]),
        ("d/x.map", "it is left alone on both sides, by", &["line 2: `*.map`"]),
        ("./d/", "it stays as it is: both sides have it", &["1 replace, 1 delete"]),
    ] {
        let output = explain(path, &[]).expect_status(0);
        let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(first) && others.iter().all(|other| text.contains(other)), "{output}");
        assert_eq!(output.stderr, "", "{output}");
        let is_screen =
            output.stdout.lines().count() < 24 && output.stdout.lines().all(|l| l.chars().count() <= 80);
        assert!(is_screen || path == "d/x.map", "{output}");
    }
    explain("d/nowhere", &[]).expect_status(2);
    explain("../up", &[]).expect_status(2).tells(&["is no path below the root of a mirror"]);
    explain("d/a.txt", &["--format", "csv"]).expect_status(2).tells(&["explain writes text"]);
    explain("d/a.txt", &["--tls", "require"]).expect_status(4);
    let events = explain("d/a.txt", &["--format", "json"]).expect_status(0).json();
    assert_eq!((events.len(), &events[0]["reason"]), (1, &"size".into()), "{events:?}");
    // Nothing was changed, and nothing is remembered.
    assert_eq!(there.read("d/a.txt"), b"old");
}
