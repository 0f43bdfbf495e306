//! What becomes of symbolic links and special files, with real servers in both directions, and with one that tells odd ones.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::{
    Dir, Direction, Sandbox, ScriptServer, assert_same_tree_and_times, files, for_each_daemon, snapshot,
};

fn link(dir: &Dir, name: &str, target: &str) {
    symlink(target, dir.at(name)).expect("links can be made");
}

fn relink(dir: &Dir, name: &str, target: &str) {
    dir.remove(name);
    link(dir, name, target);
}

fn fifo(dir: &Dir, name: &str) {
    mkfifoat(CWD, dir.at(name), Mode::from_raw_mode(0o666)).expect("FIFOs can be made");
}

/// A file, a directory, and links of every sort.
fn add_links(dir: &Dir) {
    dir.add(files! {"a" => "content of a", "d/x" => "content of x"});
    for (name, target) in [
        ("to file", "a"),
        ("to dir", "d"),
        ("to link", "to dir"),
        ("d/up", "../a"),
        ("nowhere", "gone"),
        ("self", "self"),
        ("root", "."),
        ("d/loop", "../to link"),
    ] {
        link(dir, name, target);
    }
}

/// What `--links follow` makes of that.
const FOLLOWED: &str = "a = \"content of a\"\n\
    d/\nd/up = \"content of a\"\nd/x = \"content of x\"\n\
    to dir/\nto dir/up = \"content of a\"\nto dir/x = \"content of x\"\n\
    to file = \"content of a\"\n\
    to link/\nto link/up = \"content of a\"\nto link/x = \"content of x\"\n";

/// What none of them has an entry for, in one of its ways to it.
const UNFOLLOWED: [&str; 6] =
    ["`d/loop`", "`nowhere`", "`root`", "`self`", "`to dir/loop`", "`to link/loop`"];

#[test]
fn links_are_left_out_unless_something_else_is_wished_and_what_stands_in_their_place_stays() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.dir("src");
        add_links(&src);
        fifo(&src, "pipe");
        daemon.root().add(files! {"to file" => "mine", "to dir/mine" => "mine", "pipe/mine" => "mine"});
        let before = "pipe/\npipe/mine = \"mine\"\nto dir/\nto dir/mine = \"mine\"\nto file = \"mine\"\n";
        let after = format!("a = \"content of a\"\nd/\nd/x = \"content of x\"\n{before}");
        let url = daemon.url("/");
        for options in [&[][..], &["--links", "skip"], &["--links=copy"]] {
            let arguments = [&["sync", "--delete", "-v", &src, &url], options].concat();
            let output = sandbox.oneway(arguments).expect_status(0);
            output.tells(&["8 symbolic links were left out", "1 special file was left out"]);
            assert!(output.stdout.contains("= pipe  left out: a device or another special file"), "{output}");
            assert_eq!(snapshot(daemon.root()), after, "{options:?}");
        }
    });
}

#[test]
fn links_of_a_server_are_left_out_unless_something_else_is_wished() {
    for_each_daemon(|daemon, sandbox| {
        add_links(daemon.root());
        let dst =
            sandbox.tree("dst", files! {"to file" => "mine", "to dir/mine" => "mine", "d/up/mine" => ""});
        let output = sandbox.oneway(["sync", "--delete", &daemon.url("/"), &dst]).expect_status(0);
        output.tells(&["symbolic links were left out"]);
        let after = "a = \"content of a\"\nd/\nd/up/\nd/up/mine = \"\"\nd/x = \"content of x\"\n\
                     to dir/\nto dir/mine = \"mine\"\nto file = \"mine\"\n";
        assert_eq!(snapshot(&dst), after);
    });
}

#[test]
fn what_links_lead_to_is_pushed_as_if_it_stood_there() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.dir("src");
        add_links(&src);
        fifo(&src, "pipe");
        link(&src, "to fifo", "pipe");
        sandbox.tree("outside", files! {"o" => "content of o", "deep/p" => "content of p"});
        link(&src, "z out", "../outside");
        link(&sandbox.dir("outside/deep"), "back", "../../src");
        // Of what can't be followed nothing is known, so nothing goes because of it.
        daemon
            .root()
            .add(files! {"nowhere/mine" => "mine", "self" => "mine", "extra" => "", "d/loop/b" => ""});
        let url = daemon.url("/");
        let arguments = ["sync", "--delete", "--max-delete=100%", "--links", "follow", &src, &url];
        let output = sandbox.oneway(arguments).expect_status(3);
        output.tells(&UNFOLLOWED);
        output.tells(&[
            "`z out/deep/back`",
            "it points to `gone`, and nothing is there; what the destination has",
        ]);
        output.tells(&["it leads back to the root, which it is in", "2 special files were left out"]);
        let after = format!(
            "{FOLLOWED}z out/\nz out/deep/\nz out/deep/p = \"content of p\"\nz out/o = \"content of o\"\n"
        );
        let after = after.replace("d/up", "d/loop/\nd/loop/b = \"\"\nd/up");
        let after =
            after.replace("to dir/\n", "nowhere/\nnowhere/mine = \"mine\"\nself = \"mine\"\nto dir/\n");
        assert_eq!(snapshot(daemon.root()), after);
        let before = daemon.transfers();
        let again = sandbox.oneway([&arguments[..], &["--format=json"]].concat()).expect_status(3);
        assert_eq!(again.changes(), [""; 0]);
        assert_eq!(daemon.transfers(), before);
    });
}

#[test]
fn what_links_of_a_server_lead_to_is_pulled_as_if_it_stood_there() {
    for_each_daemon(|daemon, sandbox| {
        add_links(daemon.root());
        let dst = sandbox.tree("dst", files! {"nowhere/mine" => "mine", "extra" => ""});
        let url = daemon.url("/");
        let arguments = ["sync", "--delete", "--max-delete=9", "--links=follow", &url, &dst];
        let output = sandbox.oneway(arguments).expect_status(3);
        output.tells(&UNFOLLOWED);
        output.tells(&["cannot follow `root` on", "it leads back to the root, which it is in"]);
        let after = FOLLOWED.replace("to dir/\n", "nowhere/\nnowhere/mine = \"mine\"\nto dir/\n");
        assert_eq!(snapshot(&dst), after);
        let before = daemon.transfers();
        for state in [&[][..], &["--no-state"]] {
            let again = sandbox.oneway([&arguments[..], &["--format=json"], state].concat()).expect_status(3);
            assert_eq!(again.changes(), [""; 0]);
            assert_eq!(daemon.transfers(), before);
        }
    });
}

#[test]
fn links_that_can_be_followed_are_no_reason_to_complain() {
    for_each_daemon(|daemon, sandbox| {
        let tree = files! {"releases/1/index.html" => "one", "releases/2/index.html" => "two"};
        daemon.root().add(tree);
        link(daemon.root(), "current", "releases/2");
        link(daemon.root(), "index.html", "current/index.html");
        let dst = sandbox.dir("dst");
        let output = sandbox.oneway(["sync", "--links=follow", &daemon.url("/"), &dst]).expect_status(0);
        assert_eq!(output.stderr, "");
        assert_eq!(fs::read(dst.at("current/index.html")).expect("it is there"), b"two");
        assert!(!fs::symlink_metadata(dst.at("current")).expect("it is there").is_symlink());
        assert_eq!((dst.time("index.html"), dst.time("current/index.html")), {
            let time = crate::support::LONG_AGO.to_owned();
            (time.clone(), time)
        });
        let quiet = ["diff", "--links=follow", "--exclude=/current", "--exclude=/index.html"];
        sandbox.oneway([&quiet[..], &[&daemon.url("/"), &dst]].concat()).expect_status(0);
        relink(daemon.root(), "current", "releases/1");
        let output = sandbox.oneway([
            "sync",
            "--format=json",
            "--links=follow",
            "--compare=always",
            &daemon.url("/"),
            &dst,
        ]);
        output.expect_status(0);
        assert_eq!(fs::read(dst.at("index.html")).expect("it is there"), b"one");
    });
}

#[test]
fn an_excluded_link_is_not_even_looked_at() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "a"});
        for (name, target) in [("nowhere", "gone"), ("root", "."), ("dir", "d/")] {
            link(&src, name, target);
            link(daemon.root(), name, target);
        }
        let url = daemon.url("/");
        let follow = ["sync", "--links=follow", "--exclude=/nowhere", "--exclude=/root", "--exclude=/dir"];
        let push = [&follow[..], &[&src, &url]].concat();
        assert_eq!(sandbox.oneway(push).expect_status(0).stderr, "");
        let dst = sandbox.dir("dst");
        let pull = [&follow[..], &[&url, &dst]].concat();
        assert_eq!(sandbox.oneway(pull).expect_status(0).stderr, "");
        assert_eq!(snapshot(&dst), "a = \"a\"\n");
    });
}

#[test]
fn links_of_a_server_are_made_here_where_they_stay_inside() {
    for_each_daemon(|daemon, sandbox| {
        let root = daemon.root();
        root.add(files! {"a" => "content of a", "d/x" => "content of x"});
        for (name, target) in [
            ("to file", "a"),
            ("to dir", "d"),
            ("d/up", "../a"),
            ("nowhere", "gone"),
            ("d/again", "../d"),
            ("absolute", "/etc/passwd"),
            ("outside", "../dst2"),
            ("d/outside", "../../dst2"),
            ("perhaps", "to dir/../.."),
        ] {
            link(root, name, target);
        }
        let dst = sandbox.tree("dst", files! {"to file" => "gives way", "outside/mine" => "stays"});
        let url = daemon.url("/");
        let arguments = ["sync", "--delete", "--links=copy", "--format=json", &url, &dst];
        let output = sandbox.oneway(arguments).expect_status(0);
        output.tells(&["4 symbolic links were left out, which may lead out of"]);
        let after = "a = \"content of a\"\nd/\nd/again -> ../d\nd/up -> ../a\nd/x = \"content of x\"\nnowhere -> gone\n\
                     outside/\noutside/mine = \"stays\"\nto dir -> d\nto file -> a\n";
        assert_eq!(snapshot(&dst), after);
        let changes = output.events("change");
        let of = |path: &str| changes.iter().find(|change| change["path"] == path).expect("it changed");
        let facts = |path: &str| {
            ["action", "kind", "reason", "target"].map(|key| of(path)[key].as_str().unwrap_or("-").to_owned())
        };
        assert_eq!(facts("to dir"), ["copy", "symlink", "missing", "d"]);
        assert_eq!(facts("to file"), ["replace", "symlink", "kind", "a"]);
        assert_eq!(facts("a"), ["copy", "file", "missing", "-"]);

        let again = sandbox.oneway(arguments).expect_status(0);
        assert_eq!(again.changes(), [""; 0]);
        assert_eq!(again.summary()["unchanged"], 7, "two files and five links\n{again}");

        relink(root, "to dir", "d/x");
        root.remove("to file");
        root.write("to file", "a file");
        root.remove("nowhere");
        let output = sandbox.oneway(arguments).expect_status(0);
        assert_eq!(output.changes(), ["delete nowhere", "replace to dir", "replace to file"]);
        assert_eq!(output.events("change")[0]["reason"], "checksum");
        let after = after.replace("to dir -> d\nto file -> a", "to dir -> d/x\nto file = \"a file\"");
        assert_eq!(snapshot(&dst), after.replace("nowhere -> gone\n", ""));
        assert_eq!(daemon.transferred(Direction::Out).len(), 3, "links are no downloads");
    });
}

#[test]
fn a_link_takes_the_place_of_a_directory_only_with_delete_and_a_directory_never_that_of_a_link() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"d/x" => "x"});
        link(daemon.root(), "l", "d");
        let dst = sandbox.tree("dst", files! {"l/mine" => "mine", "other" => "", "d/x" => "x"});
        let url = daemon.url("/");
        sandbox.oneway(["sync", "--links=copy", &url, &dst]).expect_status(3);
        assert!(dst.has("l/mine"));
        let delete = ["sync", "--links=copy", "--delete", "--max-delete=9", &url, &dst];
        sandbox.oneway(delete).expect_status(0);
        assert_eq!(snapshot(&dst), "d/\nd/x = \"x\"\nl -> d\n");

        // Now it is a directory, and what is in it must not go by the link that was made.
        daemon.root().remove("l");
        daemon.root().add(files! {"l/evil" => "evil"});
        let output = sandbox.oneway(delete).expect_status(3);
        output.tells(&["`l`: it is a symbolic link at the destination, and nothing is written through one"]);
        assert_eq!(snapshot(&dst), "d/\nd/x = \"x\"\nl -> d\n");
    });
}

/// As in wget's CVE-2014-4877: a link, and a directory of its name with a file to be written through it.
#[test]
fn a_link_and_a_directory_of_its_name_in_one_listing_are_both_not_believed() {
    let sandbox = Sandbox::new();
    let list = "lrwxrwxrwx 1 ftp ftp 3 May 06 2024 d -> sub\\r\\n\
                drwxr-xr-x 2 ftp ftp 3 May 06 2024 d\\r\\n\
                -rw-r--r-- 1 ftp ftp 4 May 06 2024 good\\r\\n";
    let script = format!(
        "on FEAT\n< 211-Features\n<  SIZE\n< 211 End\n\
         on LIST\n< 150 here\ndata send \"{list}\"\ndata close\n< 226 done\n"
    );
    for links in ["skip", "follow", "copy"] {
        let server = ScriptServer::plain(files! {"d/evil" => "evil", "good" => "good"}, &script);
        let dst = sandbox.dir(links);
        let arguments = ["sync", "--sessions=1", "--retries=1", "--delete", "--links", links];
        let output = sandbox.oneway([&arguments[..], &[&server.url("/"), &dst]].concat()).expect_status(3);
        output.tells(&["the name `d` is listed twice"]);
        assert_eq!(snapshot(&dst), "good = \"good\"\n", "{links}");
        server.finish();
    }
}

/// A server that tells of a link `l` in MLSD, without its target, and answers CWD, PWD and LIST for it as the script says.
fn with_link(script: &str) -> ScriptServer {
    let list = "type=dir;modify=20240506070809; d\\r\\ntype=OS.unix=slink:;size=1; l\\r\\n";
    let script = format!("on MLSD /\n< 150 here\ndata send \"{list}\"\ndata close\n< 226 done\n{script}");
    ScriptServer::plain(files! {"d/x" => "content of x", "l/x" => "content of x"}, &script)
}

#[test]
fn what_a_server_says_of_a_link_is_believed_as_far_as_it_can_be() {
    let follow = |script: &str, status: i32| {
        let (sandbox, server) = (Sandbox::new(), with_link(script));
        let dst = sandbox.tree("dst", files! {"l/mine" => "mine"});
        let url = server.url("/");
        let common = ["sync", "--sessions=1", "--retries=1", "--timeout=5s", "--delete", "--max-delete=9"];
        let arguments = [&common[..], &["--links=follow", &url, &dst]].concat();
        let output = sandbox.oneway(arguments).expect_status(status);
        server.finish();
        (snapshot(&dst), output)
    };
    let found = "d/\nd/x = \"content of x\"\nl/\nl/x = \"content of x\"\n";
    // PWD tells the link itself, or nothing.
    assert_eq!(follow("", 0).0, found);
    assert_eq!(follow("on PWD\n< 550 never", 0).0, found);
    let kept = "d/\nd/x = \"content of x\"\nl/\nl/mine = \"mine\"\n";
    for (script, told) in [
        ("on CWD /l\n< 550 no", "SIZE was answered `550 no such file`"),
        ("on CWD /l\n< 550 no\non SIZE /l\n< 502 what?", "SIZE was answered `502 what?`"),
        ("on CWD /l\n< 550 no\non SIZE /l\n< 213 many", "tells no size"),
        ("on CWD /l\n< 450 not now", "CWD was answered `450 not now`"),
        ("on PWD\n< 257 \"/\" is where you are", "it leads back to the root"),
    ] {
        let (tree, output) = follow(script, 3);
        assert_eq!(tree, kept, "{script}\n{output}");
        output.tells(&["cannot follow `l` on", told, "what the destination has there stays"]);
    }
}

#[test]
fn a_way_round_that_nothing_tells_of_ends_at_a_depth() {
    let sandbox = Sandbox::new();
    // Each directory has itself in it.
    let list = "type=OS.unix=symlink; l\\r\\n";
    let script = format!(
        "on PWD\n< 550 never\non CWD\n< 250 ok\n\
         on MLSD\n< 150 here\ndata send \"{list}\"\ndata close\n< 226 done\n"
    );
    let server = ScriptServer::plain(files! {}, &script);
    let arguments = ["diff", "--sessions=1", "--links=follow", &server.url("/"), &sandbox.dir("dst")];
    let output = sandbox.oneway(arguments).expect_status(3);
    output.tells(&["it is more than 256 directories deep"]);
    server.finish();
}

#[test]
fn where_mlsd_tells_no_target_list_is_asked() {
    let run = |script: &str| {
        let (sandbox, server) = (Sandbox::new(), with_link(script));
        let dst = sandbox.dir("dst");
        let arguments = ["sync", "--sessions=1", "--retries=1", "--links=copy", &server.url("/"), &dst];
        let output = sandbox.oneway(arguments).expect_status(0);
        server.finish();
        (snapshot(&dst), output)
    };
    let line = "lrwxrwxrwx 1 ftp ftp 1 May 06 2024 l -> d\\r\\n";
    let list = format!("LIST\n< 150 here\ndata send \"{line}\"\ndata close\n< 226 done\n");
    // Twice, since it's tried whether a flag shows more.
    let (tree, _) = run(&format!("nth 1 {list}nth 2 {list}"));
    assert_eq!(tree, "d/\nd/x = \"content of x\"\nl -> d\n");
    // Not a link there, or no LIST at all.
    for script in ["", "on LIST\n< 550 no\non LIST\n< 550 no"] {
        let (tree, output) = run(script);
        assert_eq!(tree, "d/\nd/x = \"content of x\"\n");
        output.tells(&["1 symbolic link was left out: ftp://", "doesn't tell where to"]);
    }
}

#[test]
fn a_fifo_in_the_place_of_a_file_is_neither_opened_nor_replaced() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"pipe" => "content", "d/x" => "x"});
        let dst = sandbox.dir("dst");
        fifo(&dst, "pipe");
        fifo(&dst, "d");
        let begun = Instant::now();
        let output = sandbox.oneway(["sync", "--delete", &daemon.url("/"), &dst]).expect_status(3);
        assert!(begun.elapsed() < Duration::from_secs(20));
        output.tells(&["`pipe`: it is a device or another special file at the destination", "`d`: it is a"]);
        assert_eq!(snapshot(&dst), "d is special\npipe is special\n");
    });
}

#[test]
fn a_followed_tree_is_the_same_as_a_copied_one_with_its_links_taken_away() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "a", "d/e/f" => "f"});
        link(daemon.root(), "l", "d/e");
        let (followed, again) = (sandbox.dir("followed"), sandbox.dir("again"));
        sandbox.oneway(["sync", "--links=follow", &daemon.url("/"), &followed]).expect_status(0);
        sandbox.oneway(["sync", &daemon.url("/"), &again]).expect_status(0);
        again.add(files! {"l/f" => "f"});
        assert_same_tree_and_times(&followed, &again);
    });
}

#[test]
fn between_servers_links_are_followed_and_cannot_be_copied() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"from/a" => "a", "from/d/x" => "x", "to/"});
        link(daemon.root(), "from/l", "d");
        let (from, to) = (daemon.url("/from"), daemon.url("/to"));
        let output = sandbox.oneway(["sync", "--links=copy", &from, &to]).expect_status(0);
        output.tells(&["1 symbolic link was left out: ftp://", "can't make any"]);
        assert_eq!(snapshot(daemon.root().dir("to")), "a = \"a\"\nd/\nd/x = \"x\"\n");
        sandbox.oneway(["sync", "--links=follow", &from, &to]).expect_status(0);
        assert_eq!(snapshot(daemon.root().dir("to")), "a = \"a\"\nd/\nd/x = \"x\"\nl/\nl/x = \"x\"\n");
    });
}

#[test]
fn what_a_server_makes_of_a_link_to_nothing_costs_the_destination_nothing() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"disk/data/x" => "x", "a" => "a", "b" => "b"});
        link(daemon.root(), "data", "disk/data");
        let dst = sandbox.dir("dst");
        let url = daemon.url("/");
        let arguments = ["sync", "--delete", "--links=follow", "--exclude=/disk", &url, &dst];
        sandbox.oneway(arguments).expect_status(0);
        let before = snapshot(&dst);
        assert_eq!(before, "a = \"a\"\nb = \"b\"\ndata/\ndata/x = \"x\"\n");
        // The disk is gone for a while.
        daemon.root().rename("disk", "elsewhere");
        let away = [&arguments[..], &["--exclude=/elsewhere"]].concat();
        sandbox.oneway(&away).expect_status(3).tells(&["cannot follow `data` on"]);
        assert_eq!(snapshot(&dst), before);
    });
}
