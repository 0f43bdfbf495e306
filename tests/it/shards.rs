//! Plans for several machines: cut into parts that are carried out by processes of their own, then merged.

use std::fs;
use std::path::PathBuf;

use oneway::server::{Access, ServeOptions, Server};
use serde_json::Value;

use crate::support::{Dir, Output, Sandbox, assert_same_tree_and_times, files, snapshot};

const DIR: &str = "site.d";

fn serve(dir: &Dir) -> Server {
    Server::start(ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) }).unwrap()
}

fn plan(sandbox: &Sandbox, shards: u32, options: &[&str]) -> Output {
    let shards = shards.to_string();
    let all =
        [&["plan", "--delete", "--max-delete", "100%", "--shards", &shards, "-o", DIR], options].concat();
    sandbox.oneway(all).expect_status(0)
}

/// Returns what became of each action of a part: event, action and path.
fn outcomes(sandbox: &Sandbox, part: &str) -> Vec<String> {
    let file = sandbox.path("work").join(DIR).join(format!("outcomes/{part}.jsonl"));
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let lines = lines.filter(|line| line["event"].is_string());
    lines.map(|line| ["event", "action", "path"].map(|key| word(&line, key)).join(" ")).collect()
}

fn manifest(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("work").join(DIR).join("plan.json")
}

/// A source and a destination that differ in every way.
fn trees(sandbox: &Sandbox) -> (Dir, Dir) {
    let there =
        sandbox.tree("there", files! {"gone/x" => "x", "old" => "o", "room" => "file", "same" => "same"});
    let src = sandbox.tree("src", files! {"room/in" => "in", "index.html" => "page", "same" => "same"});
    for i in 0..24 {
        src.write(format!("d{}/f{i}", i % 4), vec![b'x'; 1000 * i]);
    }
    (src, there)
}

#[test]
fn parts_are_carried_out_in_their_order_and_merged_into_what_a_sync_leaves() {
    let sandbox = Sandbox::new();
    let (src, there) = trees(&sandbox);
    let server = serve(&there);
    let before = snapshot(&there);
    let output = plan(&sandbox, 3, &["--last", "*.html", &src, &server.url()]);
    output.tells(&["35 changes in site.d, in 3 shares", "each has 3 sessions", "--stage first` begins"]);
    assert_eq!(snapshot(&there), before);
    let apply = |part: &[&str]| sandbox.oneway([&["apply", DIR, "--format", "json"], part].concat());
    for part in [["--shard", "1"], ["--shard", "2/3"], ["--stage", "last"]] {
        apply(&part)
            .expect_status(5)
            .tells(&["comes after stage first", "`oneway apply site.d --stage first` does it"]);
    }
    assert_eq!(snapshot(&there), before, "what comes too early changes nothing");
    let output = apply(&["--stage", "first"]).expect_status(0);
    assert_eq!(output.events("done").len(), 6, "{output}");
    apply(&["--stage", "last"]).expect_status(5).tells(&["comes after shard 1/3 (and 2 more)"]);
    let running: Vec<_> =
        ["1", "2", "3/3"].map(|shard| sandbox.command(["apply", DIR, "--shard", shard]).start()).into();
    for shard in running {
        shard.finish().expect_status(0).tells(&["has 3 sessions of those for all shares together"]);
    }
    assert!(there.has("old") && !there.has("index.html"));
    let merge = |options: &[&str]| {
        let words = [&["plan", "merge", DIR, "--format", "json"], options].concat();
        sandbox.oneway(words)
    };
    let output = merge(&[]).expect_status(3);
    output.tells(&["4 changes were not made: stage last was not applied"]);
    assert_eq!((output.events("done").len(), output.events("failed").len()), (31, 4), "{output}");
    let output = apply(&["--stage", "last"]).expect_status(0);
    assert_eq!(output.events("done").len(), 4, "{output}");
    assert_same_tree_and_times(&src, &there);
    let first = merge(&[]).expect_status(0);
    let again = merge(&[]).expect_status(0);
    assert_eq!(first.stdout, again.stdout);
    let summary = first.summary();
    assert_eq!(
        (summary["changes"]["copy"].as_u64(), summary["unchanged"].as_u64()),
        (Some(26), Some(1)),
        "{first}"
    );
    assert_eq!(first.events("done").len(), 35, "{first}");
    merge(&["-o", "merged.json"]).expect_status(0);
    assert_eq!(fs::read_to_string(sandbox.path("work/merged.json")).unwrap(), first.stdout);
    for again in [&["--shard", "2"][..], &["--stage", "first"], &["--stage", "last"], &[]] {
        let output = sandbox.oneway([&["apply", DIR], again].concat()).expect_status(0);
        assert!(output.stdout.starts_with("nothing to do"), "{output}");
    }
    sandbox.oneway(["diff", "--delete", &src, &server.url()]).expect_status(0);
    // What was sent is remembered as that of a sync is.
    there.write("index.html", "drifted!");
    there.set_time("index.html", "2026-01-01T00:00:00Z");
    let output = sandbox.oneway(["diff", "--format", "json", &src, &server.url()]).expect_status(1);
    assert_eq!(output.events("change")[0]["reason"], "drift", "{output}");
    assert!(outcomes(&sandbox, "first").contains(&"done delete room".to_owned()));
    assert!(manifest(&sandbox).exists());
}
