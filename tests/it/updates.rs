//! Changes that appear together, and pages that appear when what they refer to is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{
    Dir, Direction, Files, Output, Sandbox, assert_same_tree, assert_same_tree_and_times, files,
    for_each_daemon,
};

const COUNT: usize = 200;

fn site(content: &str) -> Files {
    let name =
        |i: usize| if i.is_multiple_of(10) { format!("p{i}.html") } else { format!("sub{}/f{i}", i % 3) };
    Files((0..COUNT).map(|i| (name(i).into(), Some(content.into()))).collect())
}

/// Returns the contents of all files that anybody sees, and how many temporary ones there are.
fn look(dir: &Dir) -> (Vec<String>, usize) {
    let (mut contents, mut temporary, mut dirs) = (Vec::new(), 0, vec![dir.path().to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            } else if name.starts_with(".oneway-") {
                temporary += 1;
            } else {
                // One that is renamed in between is read under that name, too.
                contents.push(fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    (contents, temporary)
}

/// Returns what went to the server, in order, of all sessions.
fn sent<'o>(output: &'o Output, verbs: &[&str]) -> Vec<&'o str> {
    let is_one = |line: &&str| verbs.iter().any(|verb| line.contains(&format!("> {verb} ")));
    output.stderr.lines().filter(is_one).map(|line| line.split("> ").nth(1).unwrap()).collect()
}

#[test]
fn delayed_a_reader_sees_old_files_until_all_new_ones_are_there() {
    for_each_daemon(|daemon, sandbox| {
        let (src, url) = (sandbox.tree("src", site("old")), daemon.url("/"));
        sandbox.oneway(["sync", &src, &url]).expect_status(0);
        src.add(site("newer"));
        let is_over = AtomicBool::new(false);
        let (output, seen) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let first = look(daemon.root());
                    let second = look(daemon.root());
                    seen.push((first, second));
                }
                seen
            });
            let output = sandbox.oneway(["sync", "-vv", "--delay-updates", "--last", "*.html", &src, &url]);
            is_over.store(true, Ordering::Relaxed);
            (output.expect_status(0), reader.join().unwrap())
        });
        assert!(seen.iter().any(|((old, temporary), _)| *temporary > 0 && old.iter().all(|c| c == "old")));
        for ((before, temporary), (after, _)) in &seen {
            assert!(before.iter().all(|content| content == "old" || content == "newer"), "a half file");
            let new = |contents: &[String]| contents.iter().filter(|content| *content == "newer").count();
            if new(before) > 0 {
                assert!(temporary + new(after) >= COUNT, "{temporary} and {} of {COUNT}", new(after));
            }
        }
        let order = sent(&output, &["STOR", "RNTO"]);
        let first = order.iter().position(|command| command.starts_with("RNTO")).unwrap();
        assert_eq!((first, order.len()), (COUNT, 2 * COUNT), "all are there before one has its name");
        let pages = order[first..].iter().map(|command| command.ends_with(".html"));
        assert!(pages.is_sorted(), "pages come last");
        assert_same_tree_and_times(&src, daemon.root());
        assert_eq!(look(daemon.root()).1, 0);
    });
}

#[test]
fn delayed_a_pull_changes_nothing_before_all_is_there_either() {
    for_each_daemon(|daemon, sandbox| {
        daemon.root().add(files! {"a" => "new", "d/b" => "new", "c.html" => "new"});
        let dst = sandbox.tree("dst", files! {"a" => "o", "gone" => "x", "d/b" => "o"});
        let options = ["sync", "--delay-updates", "--delete", "--last", "*.html", &daemon.url("/"), &dst];
        sandbox.oneway(options).expect_status(0);
        assert_same_tree_and_times(daemon.root(), &dst);
    });
}

/// A source with a file that can't be read, unless the test runs as root.
fn unreadable(src: &Dir, name: &str) {
    fs::set_permissions(src.at(name), PermissionsExt::from_mode(0o000)).unwrap();
}

fn unprivileged(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    sandbox.command(arguments).unprivileged().run().expect_status(3)
}

#[test]
fn delayed_where_one_file_fails_all_stay_as_they_were() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"a" => "new", "b" => "new", "c/d" => "new", "page" => "new"});
        daemon.root().add(files! {"a" => "o", "b" => "o", "gone" => "x"});
        unreadable(&src, "b");
        let url = daemon.url("/");
        let options = ["sync", "--delay-updates", "--delete", "--last", "page", "--retries", "0", &src, &url];
        let output = unprivileged(sandbox, &options);
        output.tells(&[
            "nothing got its new name, since something before that failed: all files are as they were",
            "Permission denied",
        ]);
        assert_eq!(crate::support::snapshot(daemon.root()), "a = \"o\"\nb = \"o\"\nc/\ngone = \"x\"\n");
        fs::set_permissions(src.at("b"), PermissionsExt::from_mode(0o644)).unwrap();
        sandbox.oneway(options).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn delayed_a_large_file_that_got_no_name_is_not_sent_again() {
    for_each_daemon(|daemon, sandbox| {
        let src =
            sandbox.tree("src", files! {"large" => vec![b'x'; 3 << 20], "small" => "new", "z" => "new"});
        daemon.root().add(files! {"small" => "o"});
        unreadable(&src, "z");
        let url = daemon.url("/");
        let options = ["sync", "--delay-updates", "--retries", "0", "--format", "json", &src, &url];
        unprivileged(sandbox, &options);
        let left = crate::support::snapshot(daemon.root());
        assert_eq!(
            left.lines().filter(|line| line.contains(".part")).count(),
            1,
            "only the large one is kept"
        );
        fs::set_permissions(src.at("z"), PermissionsExt::from_mode(0o644)).unwrap();
        // As another user it would be another's file.
        let output = sandbox.command(options).unprivileged().run().expect_status(0);
        assert_eq!(output.summary()["bytes"], 6);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn what_comes_last_is_sent_last_and_not_at_all_where_something_failed() {
    for_each_daemon(|daemon, sandbox| {
        let files =
            files! {"a.html" => "page", "b.css" => "style", "sub/c.html" => "page", "sub/d.js" => "script"};
        let (src, url) = (sandbox.tree("src", files), daemon.url("/"));
        unreadable(&src, "b.css");
        let options = ["sync", "--last", "*.html", "-j", "2", "--retries", "0", &src, &url];
        let output = unprivileged(sandbox, &options);
        output.tells(&["2 changes were not made: not done, since something before it failed"]);
        assert_eq!(crate::support::snapshot(daemon.root()), "sub/\nsub/d.js = \"script\"\n");
        fs::set_permissions(src.at("b.css"), PermissionsExt::from_mode(0o644)).unwrap();
        sandbox.oneway(options).expect_status(0);
        assert_same_tree(&src, daemon.root());
        let sent = daemon.transferred(Direction::In);
        let pages: Vec<bool> = sent.iter().map(|path| path.contains(".html")).collect();
        // Names are temporary on their way, so what is told is what there is.
        assert!(pages.is_sorted(), "{sent:?}");
    });
}

#[test]
fn delayed_a_file_gives_way_to_a_directory_when_all_else_is_there() {
    for_each_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {"d/in/x" => "1", "f" => "new", "e" => "2"});
        daemon.root().add(files! {"d" => "was a file", "f" => "o", "e/was/a" => "directory"});
        let url = daemon.url("/");
        let options = ["sync", "--delay-updates", "--delete", "--max-delete", "100%", &src, &url];
        sandbox.oneway(options).expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
    });
}

#[test]
fn a_pattern_that_is_none_is_refused() {
    let sandbox = Sandbox::new();
    let output = sandbox.oneway(["sync", "--last", "", "src", "ftp://127.0.0.1:1/"]).expect_status(2);
    output.tells(&["error: --last: an empty pattern matches nothing"]);
}
