//! Receipts on the server, for build machines that start empty: a fresh checkout, new times, nothing remembered here.

use std::fs;

use crate::support::{
    Daemon, Dir, Direction, Files, Output, Sandbox, Software, assert_same_tree, files, for_each_known_daemon,
};

const STATE: &str = ".oneway-state";

/// A machine that nobody has used before: the files as they were checked out, at a time of its own.
struct Machine {
    sandbox: Sandbox,
    checkout: Dir,
}

impl Machine {
    fn new(number: u32, files: Files) -> Self {
        let sandbox = Sandbox::new();
        let checkout = sandbox.tree("checkout", files);
        let machine = Self { sandbox, checkout };
        for name in machine.names() {
            machine.checkout.set_time(&name, &format!("2026-03-04T05:{:02}:07Z", number % 60));
        }
        machine
    }

    fn names(&self) -> Vec<String> {
        let found = walkdir::WalkDir::new(self.checkout.path()).into_iter().map(|entry| entry.unwrap());
        let files = found.filter(|entry| entry.file_type().is_file());
        let name = |path: &std::path::Path| path.strip_prefix(self.checkout.path()).unwrap().to_owned();
        files.map(|entry| name(entry.path()).to_str().unwrap().to_owned()).collect()
    }

    fn push(&self, options: &[&str], url: &str) -> Output {
        self.sync(options, &self.checkout, url)
    }

    fn pull(&self, options: &[&str], url: &str) -> Output {
        self.sync(options, url, &self.checkout)
    }

    fn sync(&self, options: &[&str], from: &str, to: &str) -> Output {
        let arguments = [&["sync", "--remote-state", "--format", "json"], options, &[from, to]].concat();
        let output = self.sandbox.oneway(arguments).expect_status(0);
        // The lock of the destination stays, and says nothing; the history says nothing of files that decides anything.
        let files = walkdir::WalkDir::new(self.sandbox.path("state")).into_iter().map(|entry| entry.unwrap());
        let kept_here = files
            .filter(|entry| entry.file_name() != "history.sqlite")
            .filter(|entry| entry.metadata().unwrap().is_file() && entry.metadata().unwrap().len() > 0)
            .count();
        assert_eq!(kept_here, 0, "the machine remembers something\n{output}");
        output
    }
}

fn site() -> Files {
    files! {"index.html" => "<h1>hi</h1>", "assets/app.js" => "let a = 1", "assets/logo.svg" => "<svg/>", "robots.txt" => ""}
}

fn changed_site() -> Files {
    // Of the same size, so that nothing but the content tells.
    files! {"index.html" => "<h1>hi</h1>", "assets/app.js" => "let a = 2", "assets/logo.svg" => "<svg/>", "robots.txt" => ""}
}

/// Two servers that keep times, and one that doesn't.
fn for_each_server(test: impl Fn(&Daemon)) {
    for_each_known_daemon(|daemon, _| test(daemon));
    let sandbox = Sandbox::new();
    if let Some(daemon) = Daemon::prepare(Software::Vsftpd).config("mdtm_write=NO").start(&sandbox) {
        test(&daemon);
    }
}

#[test]
fn a_fresh_checkout_sends_what_changed_and_nothing_else() {
    for options in [&["--compare", "checksum"][..], &["--delete"]] {
        for_each_server(|daemon| {
            let url = daemon.url("/site");
            Machine::new(1, site()).push(options, &url);
            assert_eq!(daemon.transferred(Direction::In).len(), 5, "four files, and the receipts");
            assert_eq!(Machine::new(2, site()).push(options, &url).changes(), [""; 0]);
            let before = daemon.root().read(format!("site/{STATE}"));
            assert_eq!(Machine::new(3, site()).push(options, &url).changes(), [""; 0]);
            assert_eq!(
                daemon.root().read(format!("site/{STATE}")),
                before,
                "times alone are not worth a file"
            );
            let machine = Machine::new(5, changed_site());
            assert_eq!(machine.push(options, &url).changes(), ["replace assets/app.js"]);
            assert_eq!(daemon.root().read("site/assets/app.js"), b"let a = 2");
            assert_eq!(Machine::new(6, changed_site()).push(options, &url).changes(), [""; 0]);
            // And back.
            assert_eq!(Machine::new(7, site()).push(options, &url).changes(), ["replace assets/app.js"]);
        });
    }
}

#[test]
fn a_file_that_got_another_name_since_is_known_by_its_content() {
    for_each_server(|daemon| {
        let url = daemon.url("/site");
        let renamed = || files! {"index.html" => "<h1>hi</h1>", "assets/app.js" => "let a = 1", "img/new.svg" => "<svg/>", "robots.txt" => ""};
        Machine::new(1, site()).push(&[], &url);
        let output = Machine::new(2, renamed()).push(&["--delete"], &url);
        assert_eq!(output.changes(), ["create_dir img", "rename assets/logo.svg"], "{output}");
        // What is known of it goes with it.
        assert_eq!(Machine::new(3, renamed()).push(&["--delete"], &url).changes(), [""; 0]);
        let back = Machine::new(4, site()).push(&["--delete"], &url);
        assert_eq!(back.changes(), ["delete_dir img", "rename img/new.svg"], "{back}");
    });
}

#[test]
fn a_checkout_pulls_what_changed_and_nothing_else() {
    for_each_server(|daemon| {
        daemon.root().dir("site").add(site());
        let url = daemon.url("/site");
        let first = Machine::new(1, files! {});
        first.pull(&[], &url);
        assert_same_tree(&first.checkout, without_state(daemon));
        // The same content from elsewhere, and a file that is missing in it.
        let output = Machine::new(2, site()).pull(&[], &url);
        assert_eq!(output.changes(), [""; 0]);
        let old = Machine::new(3, changed_site());
        old.checkout.remove("robots.txt");
        assert_eq!(old.pull(&[], &url).changes(), ["copy robots.txt", "replace assets/app.js"]);
        // What was pulled is known to whoever pushes, too.
        assert_eq!(Machine::new(4, changed_site()).push(&[], &url).changes(), ["replace assets/app.js"]);
        assert!(!old.checkout.has(STATE));
    });
}

/// Returns a copy of the served tree without the program's own file.
fn without_state(daemon: &Daemon) -> Dir {
    let copy = daemon.root().dir("copy");
    copy.add(site());
    copy
}

#[test]
fn a_stale_file_makes_nothing_wrong_count_as_unchanged() {
    for options in [&["--compare", "checksum"][..], &[]] {
        for_each_server(|daemon| {
            let (url, state) = (daemon.url("/site"), format!("site/{STATE}"));
            Machine::new(1, site()).push(options, &url);
            let stale = daemon.root().read(&state);
            Machine::new(2, changed_site()).push(options, &url);
            // Another machine was slower with what it knew from before.
            daemon.root().write(&state, &stale);
            let output = Machine::new(3, site()).push(options, &url);
            assert_eq!(output.changes(), ["replace assets/app.js"], "{output}");
            assert_eq!(daemon.root().read("site/assets/app.js"), b"let a = 1");
            Machine::new(4, changed_site()).push(options, &url);
            daemon.root().write(&state, &stale);
            Machine::new(5, changed_site()).push(options, &url);
            assert_eq!(daemon.root().read("site/assets/app.js"), b"let a = 2");
        });
    }
}

/// Builds that can be repeated give all files the same time.
#[test]
fn what_looks_as_before_is_told_by_its_content() {
    for_each_known_daemon(|daemon, _| {
        let url = daemon.url("/site");
        for (number, files) in [site(), changed_site(), site(), site()].into_iter().enumerate() {
            let machine = Machine::new(1, files);
            let output = machine.push(&["--compare", "checksum"], &url);
            assert_eq!(daemon.root().read("site/assets/app.js"), machine.checkout.read("assets/app.js"));
            assert_eq!(output.changes().len(), [5, 1, 1, 0][number], "{output}");
        }
    });
}

#[test]
fn the_file_is_no_part_of_the_mirror() {
    for_each_known_daemon(|daemon, _| {
        let url = daemon.url("/site");
        Machine::new(1, site()).push(&[], &url);
        let machine = Machine::new(2, site());
        machine.checkout.write("assets/.oneway-state", "somebody's own");
        machine.checkout.write(".Oneway-State", "somebody's own");
        let before = daemon.root().read(format!("site/{STATE}"));
        let output = machine.push(&["--delete", "--max-delete", "100%"], &url);
        output.tells(&["`assets/.oneway-state` was left out", "`.Oneway-State` was left out"]);
        assert_eq!(output.changes(), [""; 0]);
        assert!(!daemon.root().has("site/assets/.oneway-state") && !daemon.root().has("site/.Oneway-State"));
        // Nor is it for runs that don't know of it, from above or the other way round.
        let sandbox = Sandbox::new();
        let empty = sandbox.dir("empty");
        for options in [&["--no-state"][..], &[]] {
            let forced = ["sync", "--delete", "--allow-empty-source"];
            sandbox.oneway([&forced, options, &[&empty, &daemon.url("/")]].concat()).expect_status(0);
        }
        assert_eq!(daemon.root().read(format!("site/{STATE}")), before);
        assert!(!daemon.root().has("site/index.html"));
        let output = sandbox.oneway(["sync", &url, &empty]).expect_status(0);
        assert!(!empty.has(STATE) && !output.stderr.contains("left out"), "{output}");
        sandbox
            .oneway(["sync", &daemon.url("/"), &empty])
            .expect_status(0)
            .tells(&["`site/.oneway-state` was left out"]);
        assert!(!empty.has(format!("site/{STATE}")));
    });
}

#[test]
fn a_dry_run_reads_it_and_writes_nothing() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", site());
        let url = daemon.url("/site");
        let output = sandbox.oneway(["diff", "-vv", "--remote-state", &src, &url]).expect_status(1);
        assert_eq!(
            output.stderr.matches("* connected to").count(),
            1,
            "a missing file costs no session\n{output}"
        );
        sandbox.oneway(["sync", "-n", "--remote-state", &src, &url]).expect_status(0);
        assert!(!daemon.root().has("site"));
        Machine::new(1, site()).push(&[], &url);
        let before = daemon.root().read(format!("site/{STATE}"));
        sandbox.oneway(["diff", "--remote-state", &src, &url]).expect_status(0);
        sandbox.oneway(["diff", &src, &url]).expect_status(1);
        assert_eq!(daemon.root().read(format!("site/{STATE}")), before);
    });
}

#[test]
fn what_somebody_else_sends_to_the_same_place_is_not_forgotten() {
    for_each_known_daemon(|daemon, _| {
        let url = daemon.url("/site");
        let parts: [&[&str]; 2] = [&["--include", "/assets/", "--exclude", "/*"], &["--exclude", "/assets/"]];
        for number in 1..4 {
            for part in parts {
                let output = Machine::new(number, site()).push(&[part, &["--delete"]].concat(), &url);
                assert_eq!(output.changes().is_empty(), number > 1, "{number}: {output}");
            }
        }
    });
}

#[test]
fn what_was_adopted_is_known_to_the_next_machine() {
    for_each_known_daemon(|daemon, _| {
        daemon.root().dir("site").add(site());
        let url = daemon.url("/site");
        Machine::new(1, site()).push(&["--adopt"], &url);
        let output = Machine::new(2, changed_site()).push(&[], &url);
        assert_eq!(output.changes(), ["replace assets/app.js"]);
    });
}

#[test]
fn where_it_cannot_be_written_the_run_says_so_and_the_files_are_there() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", site());
        // Nobody replaces a directory by a file.
        daemon.root().dir("site").dir(STATE).write("x", "x");
        let output = sandbox.oneway(["sync", "--remote-state", &src, &daemon.url("/site")]).expect_status(3);
        output.tells(&["error: cannot write `.oneway-state`", "this run is not remembered"]);
        assert_eq!(daemon.root().read("site/assets/app.js"), b"let a = 1");
        let left = fs::read_dir(daemon.root().at("site")).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            left.into_iter().all(|name| !name.to_string_lossy().ends_with(".part")),
            "nothing is left behind"
        );
    });
}

#[test]
fn a_stopped_run_leaves_what_it_knows() {
    for_each_known_daemon(|daemon, sandbox| {
        let src = sandbox.tree("src", files! {});
        for i in 0..60 {
            src.write(format!("f{i:02}"), [i; 30_000]);
        }
        let url = daemon.url("/site");
        let running =
            sandbox.command(["sync", "-j", "1", "--bwlimit", "300k", "--remote-state", &src, &url]).start();
        let begun = std::time::Instant::now();
        while !daemon.root().has("site/f05") {
            assert!(begun.elapsed().as_secs() < 30, "nothing arrives");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        running.signal("INT");
        let output = running.finish().expect_status(130);
        assert!(daemon.root().has(format!("site/{STATE}")), "{output}");
        let names = || {
            fs::read_dir(daemon.root().at("site"))
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .filter(|name| name.to_string_lossy().starts_with('f'))
                .count()
        };
        let arrived = names();
        assert!((6..60).contains(&arrived));
        // Another machine goes on from there.
        let machine = Machine::new(1, files! {});
        for i in 0..60 {
            machine.checkout.write(format!("f{i:02}"), [i; 30_000]);
            machine.checkout.set_time(format!("f{i:02}"), "2026-04-05T06:07:08Z");
        }
        let output = machine.push(&[], &url);
        assert_eq!(output.changes().len(), 60 - arrived, "{output}");
    });
}

#[test]
fn it_is_kept_in_one_place_alone() {
    let sandbox = Sandbox::new();
    for other in [&["--state", "x"][..], &["--no-state"]] {
        let arguments = [&["sync", "--remote-state"], other, &["here", "ftp://127.0.0.1:1/"]].concat();
        sandbox.oneway(arguments).expect_status(2).tells(&["--remote-state", "cannot be used with"]);
    }
}
