//! Plans that are kept as files, looked at, and carried out later.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::thread;
use std::time::{Duration, Instant};

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{
    Daemon, Dir, Output, Sandbox, assert_same_tree, assert_same_tree_and_times, files, snapshot,
};

const PLAN: &str = "site.plan";

fn serve(dir: &Dir) -> Server {
    Server::start(ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) }).unwrap()
}

fn plan(sandbox: &Sandbox, options: &[&str]) -> Output {
    let all = [&["plan", "--delete", "--max-delete", "100%", "-o", PLAN], options].concat();
    sandbox.oneway(all).expect_status(0)
}

/// Returns what somebody who reads the file sees: each action with its path.
fn planned(sandbox: &Sandbox) -> Vec<String> {
    let text = fs::read_to_string(sandbox.path("work").join(PLAN)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let actions = lines.filter(|line| line["action"].is_string());
    actions
        .map(|line| format!("{} {}", line["action"].as_str().unwrap(), line["path"].as_str().unwrap()))
        .collect()
}

#[test]
fn what_was_looked_at_is_done_and_nothing_else() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"index.html" => "old", "gone/x" => "x", "same" => "same"});
    let src = sandbox.tree(
        "src",
        files! {"index.html" => "new page", "a/b/deep" => "deep", "caf\u{e9}" => "c", "same" => "same"},
    );
    let server = serve(&there);
    let before = snapshot(&there);
    let output = plan(&sandbox, &["--report", "html=plan.html", &src, &server.url()]);
    output.tells(&["7 changes in site.plan; `oneway apply site.plan` does that and nothing else"]);
    assert!(output.stdout.starts_with("+ a/"), "{output}");
    assert!(fs::read_to_string(sandbox.path("work/plan.html")).unwrap().contains("index.html"));
    assert_eq!(snapshot(&there), before, "a plan changes nothing");
    let file = sandbox.path("work").join(PLAN);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        planned(&sandbox),
        [
            "create_dir a",
            "create_dir a/b",
            "copy a/b/deep",
            "copy caf\u{e9}",
            "replace index.html",
            "delete gone/x",
            "delete_dir gone",
        ]
    );
    // What comes afterwards is in no plan.
    src.write("later", "later");
    there.write("extra", "extra");
    let output = sandbox.oneway(["apply", "-n", PLAN]).expect_status(0);
    assert!(output.stdout.contains("would change: 2 folders created, 2 new files, 1 replaced"), "{output}");
    let output = sandbox.oneway(["apply", PLAN, "--format", "json"]).expect_status(0);
    output.tells(&[&format!("note: from {} to {}, as planned at 20", &*src, server.url())]);
    assert_eq!(output.events("done").len(), 7, "{output}");
    assert!(there.has("extra") && !there.has("later"));
    src.remove("later");
    there.remove("extra");
    assert_same_tree_and_times(&src, &there);
    let again = sandbox.oneway(["apply", PLAN]).expect_status(0);
    assert!(again.stdout.starts_with("nothing to do, 7 unchanged"), "{again}");
    // What was sent is remembered as that of a sync is.
    there.write("index.html", "drifted!");
    there.set_time("index.html", "2026-01-01T00:00:00Z");
    let output = sandbox.oneway(["diff", "--format", "json", &src, &server.url()]).expect_status(1);
    assert_eq!(output.events("change")[0]["reason"], "drift", "{output}");
}

#[test]
fn what_changed_meanwhile_is_left_alone_and_told() {
    let sandbox = Sandbox::new();
    let old = files! {"edited" => "old", "fine" => "old", "gone" => "g", "spare/x" => "x", "kept/y" => "y"};
    let there = sandbox.tree("there", old);
    let new =
        files! {"edited" => "newer", "fine" => "newer", "dir/in" => "in", "moving" => "m", "twin" => "t"};
    let src = sandbox.tree("src", new);
    let server = serve(&there);
    plan(&sandbox, &[&src, &server.url()]);
    there.write("edited", "edited by hand");
    there.write("dir", "a file where a directory is to be");
    there.write("twin", "t");
    src.write("moving", "moved on");
    there.write("kept/z", "what nobody knew of");
    let before = snapshot(&there);
    let told = [
        "`edited`: stale: the destination had a file of 3 B of 2024-05-06 07:08:09 when the plan was made, and has a file of 14 B",
        "`dir`: stale: the destination had nothing there when the plan was made, and has a file of 33 B",
        "`dir/in`: stale: `dir` is not made",
        "`moving`: stale: the source had a file of 1 B of 2024-05-06 07:08:09 when the plan was made, and has a file of 8 B",
        "`kept`: stale: it holds `kept/z`, which stays",
    ];
    let output = sandbox.oneway(["apply", "--dry-run", PLAN]).expect_status(3);
    output.tells(&told);
    assert!(output.stdout.contains("! edited"), "{output}");
    assert_eq!(snapshot(&there), before);
    let output = sandbox.oneway(["apply", PLAN]).expect_status(3);
    output.tells(&told).tells(&["not done, since something before it failed"]);
    let changed = before.replace("fine = \"old\"", "fine = \"newer\"");
    assert_eq!(snapshot(&there), changed, "and nothing is deleted where something failed");
    // With what failed out of the way, the rest of it is done.
    for name in ["edited", "dir"] {
        there.remove(name);
    }
    there.write("edited", "old");
    src.write("moving", "m");
    let output = sandbox.oneway(["apply", PLAN]).expect_status(3);
    output.tells(&["`kept`: stale: it holds `kept/z`, which stays"]);
    assert_eq!(output.stderr.matches("error").count(), 1, "{output}");
    assert_eq!(there.read("kept/z"), b"what nobody knew of");
    there.remove("kept");
    sandbox.oneway(["apply", PLAN]).expect_status(0);
    assert_same_tree(&src, &there);
}

#[test]
fn nothing_is_written_through_a_link_that_took_the_place_of_a_directory() {
    let sandbox = Sandbox::new();
    let (there, outside) = (sandbox.tree("there", files! {"d/old" => "o"}), sandbox.dir("outside"));
    let src = sandbox.tree("src", files! {"d/new" => "n"});
    let server = serve(&src);
    plan(&sandbox, &[&server.url(), &there]);
    there.remove("d");
    symlink(outside.path(), there.at("d")).unwrap();
    let output = sandbox.oneway(["apply", PLAN]).expect_status(3);
    output.tells(&["and has a symbolic link to `/"]);
    assert_eq!(snapshot(&outside), "");
}

#[test]
fn a_plan_of_a_server_that_lists_minutes_is_not_stale_by_that() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let root = daemon.root().dir("site");
    root.add(files! {"year" => "o", "minute" => "o", "gone" => "g", "second" => "old1", "old/x" => "x"});
    let src =
        sandbox.tree("src", files! {"year" => "new", "minute" => "new", "second" => "newer", "n/x" => "n"});
    for name in ["minute", "gone", "second"] {
        root.set_time(name, &now);
    }
    src.set_time("second", "2026-03-04T05:06:07Z");
    let output = plan(&sandbox, &[&src, &daemon.url("/site")]);
    let text = fs::read_to_string(sandbox.path("work").join(PLAN)).unwrap();
    let password = daemon.url("/").split(['@', ':']).nth(2).unwrap().to_owned();
    assert!(password.len() > 3 && !text.contains(&password), "{text}");
    assert!(text.contains(&format!("\"modified\":\"{now}\",\"precision\":\"second\"")), "{text}\n{output}");
    let plain: String = percent_encoding::percent_decode_str(&password).decode_utf8().unwrap().into_owned();
    let apply = |options: &[&str]| {
        let words = [&["apply", PLAN], options].concat();
        sandbox.command(words).env("ONEWAY_PASSWORD", &plain).run()
    };
    apply(&["-n"]).expect_status(0);
    // Within the same minute, with the same size.
    root.write("second", "old2");
    let other =
        if now.ends_with("0Z") { now.replace("0Z", "1Z") } else { format!("{}0Z", &now[..now.len() - 2]) };
    root.set_time("second", &other);
    let output = apply(&[]).expect_status(3);
    let (then, later) = (now.replace(['T', 'Z'], " "), other.replace(['T', 'Z'], " "));
    let told = format!(
        "`second`: stale: the destination had a file of 4 B of {} when the plan was made, and has a file of 4 B of {}",
        then.trim(),
        later.trim()
    );
    output.tells(&[&told]);
    assert_eq!(root.read("second"), b"old2");
    assert_eq!((root.read("year"), root.read("minute")), (b"new".to_vec(), b"new".to_vec()));
    root.write("second", "old1");
    root.set_time("second", &now);
    apply(&[]).expect_status(0);
    assert_same_tree_and_times(&src, &root);
    apply(&[]).expect_status(0).stdout.starts_with("nothing to do").then_some(()).unwrap();
}

#[test]
fn what_is_no_plan_is_refused_in_one_line() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"a" => "a"});
    let src = sandbox.tree("src", files! {"b" => "b"});
    let server = serve(&there);
    plan(&sandbox, &[&src, &server.url()]);
    let work = sandbox.path("work");
    let text = fs::read_to_string(work.join(PLAN)).unwrap();
    let write = |name: &str, text: &str| fs::write(work.join(name), text).unwrap();
    write("another's", &text);
    chown(work.join("another's"), Some(12345), None).unwrap();
    write("empty", "");
    write("other", "{\"event\":\"change\"}\n");
    write("cut", &text[..text.len() - 20]);
    write("headless", text.split_once('\n').unwrap().1);
    write("edited", &text.replace("\"path\":\"b\"", "\"path\":\"c\""));
    write("later", &text.replace("{\"oneway_plan\":1,", "{\"oneway_plan\":9,"));
    let version = env!("CARGO_PKG_VERSION");
    let later = format!(
        "later: this plan is of format 9, made by oneway {version}; oneway {version} knows format 1 alone, so make the plan again"
    );
    let broken = "this plan is cut short, or was changed since it was made; make it again";
    for (words, told) in [
        (&["apply", "missing"][..], "cannot read missing: No such file"),
        (
            &["apply", "."],
            "cannot read the plan in .: there is none, or not all of it: no plan.json, which is written last",
        ),
        (&["apply", "another's"], "cannot read another's: it belongs to user 12345"),
        (&["apply", "empty"], "empty: this is no plan that `oneway plan` made"),
        (&["apply", "other"], "other: this is no plan that `oneway plan` made"),
        (&["apply", "headless"], "headless: this is no plan"),
        (&["apply", "cut"], broken),
        (&["apply", "edited"], broken),
        (&["apply", "later"], &later),
        (&["apply", "--delete", PLAN], "unexpected argument '--delete'"),
        (&["apply", "--inplace", PLAN], "unexpected argument '--inplace'"),
        (&["apply", "--shard", "5/4", PLAN], "`5/4` is no share such as 1/4 or 4/4"),
        (&["apply"], "FILE"),
        (&["plan", &src, &server.url()], "--output <FILE>"),
        (&["plan", "--adopt", "-o", "new", &src, &server.url()], "--adopt has nothing to plan"),
        (&["plan", "-o", "no/such", &src, &server.url()], "cannot write the plan to no/such"),
        (
            &["plan", "-o", "/dev/null", &src, &server.url()],
            "cannot write the plan to /dev/null: it is no file",
        ),
    ] {
        let output = sandbox.oneway(words).expect_status(2);
        assert!(output.stderr.contains(told), "{output}");
        assert_eq!((output.stderr.lines().count(), output.stdout.as_str()), (1, ""), "{output}");
    }
    assert_eq!(snapshot(&there), "a = \"a\"\n");
    let left: Vec<_> = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn what_is_refused_is_not_kept() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"a" => "a", "b" => "b", "c" => "c"});
    let src = sandbox.tree("src", files! {"a" => "a"});
    let server = serve(&there);
    let file = sandbox.path("work").join(PLAN);
    fs::write(&file, "what was there").unwrap();
    let output = sandbox.oneway(["plan", "--delete", "-o", PLAN, &src, &server.url()]).expect_status(5);
    output.tells(&["2 of 3 files would be deleted", "no plan was written"]);
    assert_eq!(fs::read(&file).unwrap(), b"what was there");
    sandbox
        .oneway(["plan", "--fail-if", "changes>=1", "--delete", "-o", PLAN, &src, &server.url()])
        .expect_status(5);
    assert_eq!(fs::read(&file).unwrap(), b"what was there");
    sandbox.oneway(["plan", "-o", PLAN, &src, "ftp://127.0.0.1:1/", "--retries", "0"]).expect_status(4);
    assert_eq!(fs::read(&file).unwrap(), b"what was there");
}

#[test]
fn options_stand_in_the_plan_and_hold_wherever_it_is_carried_out() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"gone" => "g", "page" => "old", "page2" => "old"});
    sandbox.tree("work/src", files! {"page" => "new page", "asset" => "a", "page2" => "new page"});
    let server = serve(&there);
    let options =
        ["--backup-dir", "old", "--delay-updates", "--last", "page*", "--no-times", "--bwlimit", "10M"];
    plan(&sandbox, &[&options[..], &["--exclude", "x", "--state", "st", "src", &server.url()]].concat());
    let text = fs::read_to_string(sandbox.path("work").join(PLAN)).unwrap();
    let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let state = sandbox.path("work/st");
    let expected = serde_json::json!({
        "backup-dir": "old", "bwlimit": "10M", "delay-updates": true, "no-times": true, "state": state.to_str().unwrap(),
    });
    assert_eq!(header["options"], expected);
    assert_eq!(header["source"], sandbox.path("work/src").to_str().unwrap());
    let file = sandbox.path("work").join(PLAN);
    let elsewhere = sandbox.dir("elsewhere");
    let apply = |options: &[&str]| {
        let words = [&["apply", file.to_str().unwrap(), "-v"], options].concat();
        sandbox.command(words).current_dir(elsewhere.path()).run()
    };
    let output = apply(&["--bwlimit", "20M"]).expect_status(0);
    output.tells(&["what was replaced or deleted is in "]);
    assert!(state.exists());
    assert_eq!(there.read("page"), b"new page");
    assert_ne!(there.time("page"), "2024-05-06T07:08:09Z", "no time is carried");
    let set_aside = snapshot(there.at("old").to_str().unwrap());
    assert!(set_aside.contains("/gone = \"g\"") && set_aside.contains("/page = \"old\""), "{set_aside}");
    let names: Vec<_> = fs::read_dir(elsewhere.path()).unwrap().collect();
    assert!(names.is_empty(), "{names:?}");
    assert!(apply(&[]).expect_status(0).stdout.contains("nothing to do, 4 unchanged"));
}

#[test]
fn an_apply_that_is_killed_is_finished_by_the_next_one_and_keeps_others_out() {
    let sandbox = Sandbox::new();
    let (there, src) = (sandbox.tree("there", files! {"old" => "old", "f0" => "old"}), sandbox.dir("src"));
    for i in 0..60 {
        src.write(format!("f{i}"), vec![b'x'; 20_000]);
    }
    let server = serve(&there);
    plan(&sandbox, &[&src, &server.url()]);
    let running = sandbox.command(["apply", "--bwlimit", "200k", "-j", "2", PLAN]).start();
    let begun = Instant::now();
    while !there.has("f3") && begun.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(10));
    }
    let output = sandbox.oneway(["apply", PLAN]).expect_status(6);
    output.tells(&["is under way: pid ", "nothing was done"]);
    running.signal("KILL");
    drop(running.finish().any_status());
    assert!(there.has("old") && !there.has("f59"), "it was in the midst of it");
    let output = sandbox.oneway(["apply", "--format", "json", PLAN]).expect_status(0);
    assert!(output.summary()["unchanged"].as_u64().unwrap() >= 1, "{output}");
    assert_same_tree_and_times(&src, &there);
    let again = sandbox.oneway(["sync", "--delete", &src, &server.url()]).expect_status(0);
    assert!(again.stdout.starts_with("nothing to do"), "{again}");
}

#[test]
fn several_machines_share_a_plan_and_one_does_the_rest() {
    let sandbox = Sandbox::new();
    let (there, src) = (sandbox.tree("there", files! {"old" => "old", "room" => "file"}), sandbox.dir("src"));
    for i in 0..12 {
        src.write(format!("d{}/f{i}", i % 3), "content");
    }
    src.write("room/x", "x");
    src.write("index.html", "index");
    let server = serve(&there);
    plan(&sandbox, &["--last", "*.html", &src, &server.url()]);
    let mut sent = 0;
    for shard in ["1/2", "2/2"] {
        let output = sandbox.oneway(["apply", "--shard", shard, "--format", "json", PLAN]).expect_status(0);
        output
            .tells(&[&format!("not of share {shard}: those of the other shares, and those that come last")]);
        let done: Vec<_> =
            output.events("done").into_iter().filter(|done| done["action"] == "copy").collect();
        assert!(!done.is_empty(), "{output}");
        sent += done.len();
    }
    assert_eq!(sent, 12);
    assert!(there.has("old") && !there.has("index.html") && there.read("room") == b"file");
    let output = sandbox.oneway(["apply", PLAN]).expect_status(0);
    assert!(output.stdout.starts_with("changed: 1 folder created, 2 new files, 2 deleted"), "{output}");
    assert_same_tree(&src, &there);
}

#[test]
fn a_server_of_latin_1_names_gets_such_names_though_none_are_where_the_plan_is() {
    let sandbox = Sandbox::new();
    let there = sandbox.tree("there", files! {"new/ascii" => "a"});
    let latin_1 = |name: &[u8]| std::ffi::OsStr::from_bytes(name).to_owned();
    there.write(latin_1(b"old/caf\xe9"), "old");
    let src = sandbox
        .tree("src", files! {"old/caf\u{e9}" => "old", "new/ascii" => "a", "new/\u{e9}t\u{e9}" => "new"});
    let server = serve(&there);
    plan(&sandbox, &[&src, &server.url()]);
    assert_eq!(planned(&sandbox), ["copy new/\u{e9}t\u{e9}"]);
    sandbox.oneway(["apply", PLAN]).expect_status(0);
    assert!(there.has(latin_1(b"new/\xe9t\xe9")), "{}", snapshot(&there));
    sandbox.oneway(["diff", "--delete", &src, &server.url()]).expect_status(0);
}

#[test]
fn permissions_are_given_where_they_are_still_those_of_the_plan() {
    let sandbox = Sandbox::new();
    let (src, dst) = (sandbox.tree("src", files! {"run" => "r"}), sandbox.tree("dst", files! {"run" => "r"}));
    src.set_mode("run", 0o755);
    dst.set_mode("run", 0o644);
    let server = serve(&src);
    plan(&sandbox, &["--perms", &server.url(), &dst]);
    assert_eq!(planned(&sandbox), ["chmod run"]);
    dst.set_mode("run", 0o600);
    let output = sandbox.oneway(["apply", PLAN]).expect_status(3);
    output.tells(&["and permissions 0644 when the plan was made, and has 0600"]);
    assert_eq!(dst.mode("run"), 0o600);
    dst.set_mode("run", 0o644);
    sandbox.oneway(["apply", PLAN]).expect_status(0);
    assert_eq!(dst.mode("run"), 0o755);
    assert!(sandbox.oneway(["apply", PLAN]).expect_status(0).stdout.contains("nothing to do, 1 unchanged"));
}
