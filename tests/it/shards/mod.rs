//! Plans for several machines: cut into parts that are carried out by processes of their own, then merged.

mod delayed;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use oneway::server::{Access, ServeOptions, Server};
use serde_json::Value;

use crate::support::{Daemon, Dir, Output, Sandbox, assert_same_tree_and_times, files, snapshot};

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

/// Waits until something is so.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the names in a directory that is being written to.
fn names(dir: &Dir, name: &str) -> Vec<String> {
    let names = fs::read_dir(dir.at(name)).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(".oneway-")
}

#[test]
fn a_share_that_is_killed_is_gone_on_with_beside_the_others_and_all_else_is_kept_out() {
    let sandbox = Sandbox::new();
    let (there, src) = (sandbox.tree("there", files! {"old" => "old", "d/f0" => "old"}), sandbox.dir("src"));
    for i in 0..60 {
        src.write(format!("d/f{i:02}"), vec![b'x'; 20_000 + i]);
    }
    // A small one first, so that a killed try has done something, and a large one that can be gone on with.
    src.write("large", vec![b'l'; 3 << 20]);
    let server = serve(&there);
    plan(&sandbox, 3, &["-j", "3", &src, &server.url()]).tells(&["each has 1 session"]);
    sandbox.oneway(["apply", DIR, "--stage", "first"]).expect_status(0);
    let slowly = |shard: &str| {
        sandbox
            .command([
                "apply",
                DIR,
                "--shard",
                shard,
                "--bwlimit",
                "1200k",
                "--no-resume",
                "--progress",
                "never",
            ])
            .start()
    };
    let shards = ["1", "2", "3"].map(slowly);
    wait_until("each share sends something", || {
        let (root, names) = (names(&there, ""), names(&there, "d"));
        let under_way = root.iter().chain(&names).filter(|name| is_temporary(name)).count();
        names.iter().filter(|name| !is_temporary(name)).count() > 12 && under_way >= 3
    });
    sandbox
        .oneway(["apply", DIR, "--shard", "2"])
        .expect_status(6)
        .tells(&["another apply of shard 2/3 is under way: pid "]);
    sandbox
        .oneway(["sync", &src, &server.url()])
        .expect_status(6)
        .tells(&["another run to ", "is under way"]);
    sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(5);
    let merged = sandbox.oneway(["plan", "merge", DIR]).expect_status(3);
    merged.tells(&["shard 3/3 was not applied", "to be remembered by another merge, later"]);
    for shard in &shards {
        shard.signal("KILL");
    }
    for shard in shards {
        drop(shard.finish().any_status());
    }
    assert!((12..60).contains(&names(&there, "d").len()), "they were in the midst of it");
    let running =
        ["1", "2", "3"].map(|shard| sandbox.command(["apply", DIR, "--shard", shard, "-v"]).start());
    let mut unchanged = 0;
    for shard in running {
        let output = shard.finish().expect_status(0);
        unchanged += usize::from(!output.stdout.contains(" 0 unchanged"));
    }
    assert!(unchanged > 0, "somebody found something done");
    let left = names(&there, "d").into_iter().chain(names(&there, "")).find(|name| is_temporary(name));
    assert_eq!(left, None);
    let all: Vec<String> =
        ["shard-0001", "shard-0002", "shard-0003"].iter().flat_map(|part| outcomes(&sandbox, part)).collect();
    assert_eq!(all.len(), 61, "{all:?}");
    assert!(all.iter().all(|line| line.starts_with("done ")), "{all:?}");
    sandbox.oneway(["apply", DIR, "--stage", "last"]).expect_status(0);
    let merged = sandbox.oneway(["plan", "merge", DIR, "--format", "json"]).expect_status(0);
    assert_eq!(merged.events("done").len(), 63, "each action once: {merged}");
    assert_eq!(
        merged.summary()["bytes"].as_u64(),
        Some((0..60).map(|i| 20_000 + i).sum::<u64>() + (3 << 20))
    );
    assert_same_tree_and_times(&src, &there);
    sandbox.oneway(["diff", "--delete", &src, &server.url()]).expect_status(0);
}

#[test]
fn a_server_that_lists_minutes_is_asked_nothing_more_than_after_a_sync() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let src = sandbox.dir("src");
    // As after a first sync by another program: there, with the right times, of which the listing tells the minutes.
    let settled = (chrono::Utc::now() - chrono::Duration::days(20)).format("%Y-%m-%dT%H:%M:07Z").to_string();
    let [synced, shared] = ["synced", "shared"].map(|name| daemon.root().dir(name));
    for i in 0..20 {
        for dir in [&src, &synced, &shared] {
            let name = format!("same/f{i}");
            dir.write(&name, format!("same {i}"));
            dir.set_time(&name, &settled);
        }
        src.write(format!("d{}/f{i}", i % 3), vec![b'x'; 1000 * i]);
    }
    for dir in [&synced, &shared] {
        dir.add(files! {"gone/x" => "x", "d1/f1" => "old"});
    }
    let [synced, shared] = ["/synced", "/shared"].map(|path| daemon.url(path));
    let password = synced.split(['@', ':']).nth(2).unwrap().to_owned();
    let plain: String = percent_encoding::percent_decode_str(&password).decode_utf8().unwrap().into_owned();
    sandbox.oneway(["sync", "--delete", "--max-delete", "100%", &src, &synced]).expect_status(0);
    plan(&sandbox, 2, &[&src, &shared]);
    for file in ["plan.json", "first.plan", "shard-0001.plan"] {
        let text = fs::read_to_string(sandbox.path("work").join(DIR).join(file)).unwrap();
        assert!(!text.contains(&password), "{file}: {text}");
    }
    // Each machine has a state directory of its own.
    let apply = |part: &[&str], home: &str| {
        let words = [&["apply", DIR], part].concat();
        sandbox
            .command(words)
            .env("ONEWAY_PASSWORD", &plain)
            .env("XDG_STATE_HOME", sandbox.path(home))
            .start()
    };
    apply(&["--stage", "first"], "a").finish().expect_status(0);
    let both = [apply(&["--shard", "1"], "b"), apply(&["--shard", "2"], "c")];
    for shard in both {
        shard.finish().expect_status(0);
    }
    apply(&["--stage", "last"], "d").finish().expect_status(0);
    let merge = || sandbox.oneway(["plan", "merge", DIR]).expect_status(0);
    merge();
    merge();
    let questions = |url: &str| {
        let output = sandbox.oneway(["diff", "--delete", "-vv", &src, url]).expect_status(0);
        let asked = output.stderr.lines().filter(|line| line.contains("> MDTM /")).count();
        (asked, output.stdout.split(',').nth(1).map(str::to_owned))
    };
    let (after_sync, after_merge) = (questions(&synced), questions(&shared));
    assert_eq!(after_merge, after_sync);
    assert_eq!(after_merge, (20, Some(" 40 unchanged".to_owned())), "only what was just sent is asked for");
    // What was remembered later is not undone by an older plan.
    src.write("d1/f1", "newer");
    sandbox.oneway(["sync", &src, &shared]).expect_status(0);
    let before = questions(&shared);
    merge();
    assert_eq!(questions(&shared), before);
    let history = sandbox.oneway(["history"]).expect_status(0);
    assert_eq!(history.stdout.matches("/shared").count(), 2, "one of the plan, one of the sync: {history}");
}

#[test]
fn what_is_no_plan_for_several_machines_is_refused_in_one_line() {
    let sandbox = Sandbox::new();
    let (src, there) = trees(&sandbox);
    let server = serve(&there);
    plan(&sandbox, 3, &[&src, &server.url()]);
    sandbox.oneway(["plan", "-o", "file.plan", &src, &server.url()]).expect_status(0);
    let work = sandbox.path("work");
    let copy = |name: &str, change: &dyn Fn(&Path)| {
        fs::create_dir(work.join(name)).unwrap();
        for entry in fs::read_dir(work.join(DIR)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                fs::copy(entry.path(), work.join(name).join(entry.file_name())).unwrap();
            }
        }
        change(&work.join(name));
    };
    let edit = |file: &Path, old: &str, new: &str| {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(file, text.replace(old, new)).unwrap();
    };
    copy("another's", &|dir| chown(dir, Some(12345), None).unwrap());
    copy("another's part", &|dir| chown(dir.join("first.plan"), Some(12345), None).unwrap());
    copy("unfinished", &|dir| fs::remove_file(dir.join("plan.json")).unwrap());
    copy("edited", &|dir| edit(&dir.join("plan.json"), "\"shards\": 3", "\"shards\": 2"));
    copy("resealed", &|dir| {
        fs::copy(dir.join("shard-0001.plan"), dir.join("first.plan")).unwrap();
    });
    copy("partless", &|dir| fs::remove_file(dir.join("first.plan")).unwrap());
    copy("later", &|dir| edit(&dir.join("plan.json"), "several\": 1", "several\": 7"));
    copy("full", &|dir| fs::write(dir.join("mine"), "x").unwrap());
    fs::remove_file(work.join("full/plan.json")).unwrap();
    let before = snapshot(&there);
    let url = server.url();
    let make = |options: &[&'static str]| {
        [&["plan", &src, &url, "--shards", "2"], options]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for (words, told) in [
        (words(&["apply", "another's", "--stage", "first"]), "it belongs to user 12345"),
        (words(&["plan", "merge", "another's"]), "it belongs to user 12345"),
        (words(&["apply", "another's part", "--stage", "first"]), "first.plan: it belongs to user 12345"),
        (words(&["apply", "unfinished"]), "there is none, or not all of it: no plan.json"),
        (
            words(&["apply", "edited", "--stage", "first"]),
            "plan.json: this plan was changed since it was made",
        ),
        (
            words(&["apply", "resealed", "--stage", "first"]),
            "first.plan: it is not the file that was made with the others",
        ),
        (words(&["apply", "partless", "--stage", "first"]), "first.plan: No such file"),
        (words(&["plan", "merge", "partless"]), "first.plan: No such file"),
        (words(&["apply", "later", "--stage", "first"]), "this plan is of format 7"),
        (words(&["apply", DIR, "--shard", "1/4"]), "--shard 1/4: this plan has 3 shares, not 4"),
        (words(&["apply", DIR, "--shard", "4"]), "--shard 4: this plan has 3 shares, from 1 on"),
        (words(&["apply", DIR, "--shard", "0"]), "--shard 0: this plan has 3 shares, from 1 on"),
        (words(&["apply", DIR, "--shard", "x"]), "`x` is no share such as 1/4 or 4/4"),
        (words(&["apply", DIR, "--stage", "middle"]), "[possible values: first, last]"),
        (words(&["apply", DIR, "--stage", "first", "--shard", "1"]), "cannot be used with"),
        (words(&["apply", DIR, "--stage", "first", "--no-state"]), "say it to `oneway plan merge`"),
        (words(&["apply", DIR, "--format", "html", "-o", "x.html"]), "`oneway plan merge` makes one of all"),
        (words(&["apply", "file.plan", "--stage", "first"]), "--stage is for a plan in a directory"),
        (words(&["apply", "file.plan", "--shard", "2"]), "write --shard 2/N"),
        (words(&["plan", "merge", "file.plan"]), "cannot read the plan in file.plan"),
        (words(&["plan", "merge"]), "<DIR>"),
        (make(&["-o", "full"]), "name an empty directory, or a new one"),
        (make(&["-o", DIR]), "there is a plan in it; name another directory"),
        (make(&["-o", "file.plan"]), "it is no directory"),
        (make(&["-o", "no/such"]), "cannot write the plan to no/such"),
        (make(&["-o", "new", "--remote-lock"]), "--shards: --remote-lock lets one run at a time"),
        (make(&["-o", "new", "--remote-state"]), "--shards: --remote-state is one file on the server"),
        (words(&["plan", &src, &url, "-o", "new", "--shards", "0"]), "`0` is no number from 1 to 9999"),
    ] {
        let output = sandbox.oneway(&words).expect_status(2);
        assert!(output.stderr.contains(told), "{words:?}: {output}");
        let errors = output.stderr.lines().filter(|line| !line.contains("note: ")).count();
        assert_eq!((errors, output.stdout.as_str()), (1, ""), "{output}");
    }
    assert_eq!(snapshot(&there), before);
    assert!(!work.join("new").exists());
    // Nobody's plan is spoiled by another one that is broken off, and what that left is written over.
    sandbox
        .oneway(["plan", "--fail-if", "changes>=1", "--shards", "2", "-o", "new", &src, &url])
        .expect_status(5);
    assert!(!work.join("new").exists());
    fs::create_dir(work.join("begun")).unwrap();
    for name in ["plan.lock", "first.plan", "shard-0001.plan.part"] {
        fs::write(work.join("begun").join(name), "half").unwrap();
    }
    sandbox.oneway(["plan", "--shards", "2", "-o", "begun", &src, &url]).expect_status(0);
    sandbox.oneway(["apply", "begun", "--stage", "first"]).expect_status(0);
}

#[test]
fn whoever_starts_many_names_the_share_in_the_environment() {
    let sandbox = Sandbox::new();
    let (src, there) = trees(&sandbox);
    let server = serve(&there);
    plan(&sandbox, 2, &[&src, &server.url()]);
    let apply = |options: &[&str], name: &str, value: &str| {
        sandbox.command([&["apply", DIR, "-q"], options].concat()).env(name, value).run()
    };
    const SLURM: &str = "SLURM_ARRAY_TASK_ID";
    const KUBERNETES: &str = "JOB_COMPLETION_INDEX";
    for (name, value, told) in [
        (SLURM, "0", "$SLURM_ARRAY_TASK_ID is 0, and this plan has 2 shares; write sbatch --array=1-2"),
        (SLURM, "3", "write sbatch --array=1-2"),
        (SLURM, "+1", "write sbatch --array=1-2"),
        (KUBERNETES, "2", "this plan has 2 shares; write completionMode: Indexed and completions: 2"),
        (KUBERNETES, "4294967295", "completions: 2"),
    ] {
        apply(&[], name, value).expect_status(2).tells(&[told]);
    }
    // What is typed counts more.
    apply(&["--stage", "first"], SLURM, "1").expect_status(0);
    apply(&[], SLURM, "1").expect_status(0);
    assert!(!outcomes(&sandbox, "shard-0001").is_empty());
    assert!(!sandbox.path("work").join(DIR).join("outcomes/shard-0002.jsonl").exists());
    apply(&[], KUBERNETES, "1").expect_status(0);
    assert!(!outcomes(&sandbox, "shard-0002").is_empty());
    // Nobody names one: all that is left.
    let output = apply(&[], SLURM, "").expect_status(0);
    assert_eq!(output.stderr, "");
    assert_same_tree_and_times(&src, &there);
}

#[test]
fn what_is_stale_keeps_the_last_stage_from_being_done_and_one_command_does_all_that_can_be() {
    let sandbox = Sandbox::new();
    let (src, there) = trees(&sandbox);
    let server = serve(&there);
    let options = ["--backup-dir", "kept", "--state", "st", "-j", "5"];
    plan(&sandbox, 2, &[&options[..], &[&src, &server.url()]].concat());
    src.write("d1/f9", "changed since");
    let before = snapshot(&there);
    let output = sandbox.oneway(["apply", "-n", DIR]).expect_status(3);
    output.tells(&["`d1/f9`: stale"]);
    assert!(
        output.stdout.contains("would change: 5 folders created, 25 new files, 3 deleted, 1 folder removed"),
        "{output}"
    );
    assert_eq!(snapshot(&there), before);
    let output = sandbox.oneway(["apply", DIR, "--format", "json", "-o", "all.json"]).expect_status(3);
    output.tells(&[
        "note: stage first",
        "note: shard 2/2",
        "stage last was not begun, since something before it failed",
    ]);
    let text = fs::read_to_string(sandbox.path("work/all.json")).unwrap();
    assert_eq!(text.matches("\"event\":\"summary\"").count(), 3, "{text}");
    assert!(there.has("old") && there.has("index.html"));
    let merged = sandbox.oneway(["plan", "merge", DIR, "--report", "html=merged.html"]).expect_status(3);
    merged.tells(&["`d1/f9`: stale", "3 changes were not made: stage last was not applied"]);
    assert!(fs::read_to_string(sandbox.path("work/merged.html")).unwrap().contains("d1/f9"));
    assert!(sandbox.path("work/st").exists(), "what was done is remembered where the plan says");
    // With what failed put right, the rest is done.
    src.write("d1/f9", vec![b'x'; 9000]);
    let output = sandbox.oneway(["apply", DIR]).expect_status(0);
    assert!(output.stdout.starts_with("changed: 1 new file, "), "{output}");
    let backups = names(&there, "kept");
    assert_eq!(backups.len(), 2, "one of the first and one of the last stage: {backups:?}");
    there.remove("kept");
    assert_same_tree_and_times(&src, &there);
    let merged = sandbox.oneway(["plan", "merge", DIR, "--format", "json"]).expect_status(0);
    assert_eq!(merged.events("done").len(), 35, "{merged}");
    let undone: Vec<_> =
        merged.events("warning").into_iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect();
    assert!(
        undone.iter().any(|text| text.contains("/kept/") && text.contains("-last; `oneway undo ")),
        "{undone:?}"
    );
}

#[test]
fn merge_is_a_word_of_its_own_in_the_first_place_alone() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {});
    sandbox.tree("work/merge", files! {"a" => "a"});
    let server = serve(&there);
    sandbox.oneway(["plan", "./merge", &server.url(), "-o", "one.plan"]).expect_status(0);
    sandbox
        .oneway(["plan", &server.url(), "merge", "-o", "two.plan"])
        .expect_status(0)
        .tells(&["nothing to do in two.plan"]);
    sandbox.oneway(["plan", "--delete", "./merge", &server.url(), "-o", "three.plan"]).expect_status(0);
    let help = sandbox.oneway(["plan", "merge", "--help"]).expect_status(0).stdout;
    assert!(help.contains("--format") && help.contains("--state") && !help.contains("--delete"), "{help}");
    let help = sandbox.oneway(["plan", "--help"]).expect_status(0).stdout;
    assert!(help.contains("merge ") && help.contains("--shards <N>"), "{help}");
}
