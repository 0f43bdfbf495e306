//! Names that are not UTF-8, or not in the one form that both sides have: against vsftpd, ProFTPD and the embedded server.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Output, Run, Sandbox, ScriptServer, files, for_each_daemon};

/// A name of these bytes.
fn name(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Returns the paths of all files with their contents, sorted.
fn tree(dir: &Dir) -> Vec<(Vec<u8>, String)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(dir.path())
        .into_iter()
        .map(|entry| entry.expect("it is readable"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(dir.path()).expect("it is below");
            let content = fs::read(entry.path()).expect("it is readable");
            (path.as_os_str().as_bytes().to_vec(), String::from_utf8(content).expect("tests write text"))
        })
        .collect();
    found.sort();
    found
}

#[track_caller]
fn assert_tree(dir: &Dir, expected: &[(&[u8], &str)]) {
    let shown = |tree: Vec<(Vec<u8>, String)>| -> Vec<String> {
        tree.into_iter().map(|(path, content)| format!("{} = {content}", path.escape_ascii())).collect()
    };
    let mut expected: Vec<_> =
        expected.iter().map(|(path, content)| (path.to_vec(), (*content).to_owned())).collect();
    expected.sort();
    assert_eq!(shown(tree(dir)), shown(expected));
}

/// A server, as a test sees it.
struct Remote<'s> {
    url: &'s str,
    root: &'s Dir,
    sandbox: &'s Sandbox,
    here: Dir,
}

impl Remote<'_> {
    fn sync(&self, options: &[&str], from: &str, to: &str) -> Run {
        let fixed = ["sync", "--delete", "--max-delete", "100%", "--format", "json", "--retries", "0"];
        self.sandbox.oneway([&fixed, options, &[from, to]].concat())
    }

    fn pull(&self, options: &[&str]) -> Run {
        self.sync(options, self.url, &self.here)
    }

    fn push(&self, options: &[&str]) -> Run {
        self.sync(options, &self.here, self.url)
    }

    /// Both ways, with and without what was remembered.
    #[track_caller]
    fn assert_same(&self, options: &[&str]) {
        for state in [&[][..], &["--no-state"]] {
            let options = [options, state].concat();
            assert_nothing_done(&self.pull(&options).expect_status(0));
            assert_nothing_done(&self.push(&options).expect_status(0));
        }
    }
}

#[track_caller]
fn assert_nothing_done(output: &Output) {
    assert!(output.changes().is_empty(), "something was done\n{output}");
    assert_eq!((&output.summary()["bytes"], &output.summary()["failed"]), (&0.into(), &0.into()), "{output}");
}

/// Runs a test against each real daemon, and against the embedded server.
fn for_each_server(test: impl Fn(&Remote<'_>)) {
    for_each_daemon(|daemon, sandbox| {
        let (root, here) = (daemon.root().dir("tree"), sandbox.dir("here"));
        test(&Remote { url: &daemon.url("/tree"), root: &root, sandbox, here });
    });
    let sandbox = Sandbox::new();
    let (root, here) = (sandbox.dir("served"), sandbox.dir("here"));
    let served = ServeOptions { access: Access::Write, ..ServeOptions::new(root.path()) };
    let server = Server::start(served).expect("loopback has free ports");
    test(&Remote { url: &server.url(), root: &root, sandbox: &sandbox, here });
    server.stop();
}

#[test]
fn latin_1_names_of_a_server_arrive_readable_and_stay_as_they_are_there() {
    for_each_server(|at| {
        at.root.write(name(b"caf\xe9.txt"), "1");
        at.root.write(name(b"\xfcber/na\xefve \x96 \x80"), "2");
        at.root.write("plain", "3");
        at.pull(&[]).expect_status(0);
        let here = [("café.txt".as_bytes(), "1"), ("über/naïve – €".as_bytes(), "2"), (b"plain", "3")];
        assert_tree(&at.here, &here);
        at.assert_same(&[]);

        // Back: what is there by its own bytes, what is new as all the others.
        at.here.write("café.txt", "changed");
        at.here.write("über/neu-ä", "4");
        at.here.write("grün/漢", "5");
        at.here.remove("über/naïve – €");
        at.push(&[]).expect_status(0);
        let there: [(&[u8], &str); 4] = [
            (b"caf\xe9.txt", "changed"),
            (b"\xfcber/neu-\xe4", "4"),
            (b"gr\xfcn/\xe6\xbc\xa2", "5"),
            (b"plain", "3"),
        ];
        assert_tree(at.root, &there);
        assert!(!at.root.has("über") && !at.root.has("grün"));
        at.assert_same(&[]);
    });
}

#[test]
fn every_way_of_listing_tells_the_same_names() {
    for_each_server(|at| {
        at.root.write(name(b"\xfcber/caf\xe9 1"), "1");
        at.pull(&[]).expect_status(0);
        for way in ["mlsd", "stat", "list", "nlst"] {
            let options = &["--listing", way, "--no-state"];
            assert_nothing_done(&at.pull(options).expect_status(0));
        }
    });
}

#[test]
fn a_server_may_have_names_of_both_kinds() {
    for_each_server(|at| {
        at.root.write(name(b"caf\xe9/a"), "1");
        at.root.write("grün/b", "2");
        at.pull(&[]).expect_status(0);
        assert_tree(&at.here, &[("café/a".as_bytes(), "1"), ("grün/b".as_bytes(), "2")]);
        at.here.write("café/ü", "3");
        at.push(&[]).expect_status(0);
        let there: [(&[u8], &str); 3] =
            [(b"caf\xe9/a", "1"), (b"caf\xe9/\xc3\xbc", "3"), ("grün/b".as_bytes(), "2")];
        assert_tree(at.root, &there);
        at.assert_same(&[]);
        at.here.remove("café");
        at.push(&[]).expect_status(0);
        assert_tree(at.root, &[("grün/b".as_bytes(), "2")]);
    });
}

/// Mirrors that were made with the bytes as they are, or on a disk of Latin-1 names.
#[test]
fn a_local_mirror_of_raw_bytes_is_the_same_mirror() {
    for_each_server(|at| {
        for side in [at.root, &at.here] {
            side.write(name(b"caf\xe9.txt"), "1");
            side.write(name(b"\xfcber/a"), "2");
        }
        at.assert_same(&[]);
        at.root.write(name(b"\xfcber/a"), "changed");
        at.pull(&[]).expect_status(0);
        let both: [(&[u8], &str); 2] = [(b"caf\xe9.txt", "1"), (b"\xfcber/a", "changed")];
        assert_tree(&at.here, &both);
        at.here.remove(name(b"caf\xe9.txt"));
        at.push(&[]).expect_status(0);
        assert_tree(at.root, &both[1..]);
    });
}

#[test]
fn names_that_read_alike_are_left_alone_and_told_of() {
    for_each_server(|at| {
        at.root.write(name(b"caf\xe9"), "latin");
        at.root.write("café", "utf");
        at.root.write("plain", "p");
        let there = tree(at.root);
        at.here.write("café", "here");
        at.here.write("extra", "x");
        let output = at.pull(&[]).expect_status(3);
        output.tells(&["several names there read as `café`", "nothing is deleted below it"]);
        assert_tree(&at.here, &[("café".as_bytes(), "here"), (b"extra", "x"), (b"plain", "p")]);

        at.here.write("plain", "changed");
        at.push(&[]).expect_status(3).tells(&["several names there read as this one"]);
        let after: Vec<_> = tree(at.root).into_iter().filter(|(path, _)| path.starts_with(b"caf")).collect();
        assert_eq!(after, there[..2]);
        assert_eq!(at.root.read("plain"), b"changed");
    });
}

#[test]
fn a_charset_is_spoken_both_ways() {
    for_each_server(|at| {
        let options = &["--charset", "Shift_JIS"];
        at.root.write(name(b"\x83\x5c\x83t/\x95\x5c"), "1");
        at.pull(options).expect_status(0);
        assert_tree(&at.here, &[("ソフ/表".as_bytes(), "1")]);
        at.here.write("ソフ/新", "2");
        at.push(options).expect_status(0);
        assert_tree(at.root, &[(b"\x83\x5c\x83t/\x95\x5c", "1"), (b"\x83\x5c\x83t/\x90V", "2")]);
        at.assert_same(options);
    });
}

#[test]
fn what_a_charset_lacks_is_told_and_the_rest_is_done() {
    for_each_server(|at| {
        at.root.write("old", "old");
        at.here.write("漢", "1");
        at.here.write("é", "2");
        let options = &["--charset", "latin1"];
        at.push(options).expect_status(3).tells(&["`漢`", "windows-1252 doesn't have all of its characters"]);
        // Nothing is deleted once anything has failed.
        assert_tree(at.root, &[(b"\xe9", "2"), (b"old", "old")]);
        at.root.remove(name(b"\xe9"));
        at.root.write(name(b"\xfc"), "3");
        at.here.remove("漢");
        at.here.write("ü", "stays");
        at.pull(&["--charset", "utf-8"]).expect_status(3).tells(&["the name `\\xfc` can't be believed"]);
        assert_tree(&at.here, &[("é".as_bytes(), "2"), ("ü".as_bytes(), "stays"), (b"old", "old")]);
    });
}

#[test]
fn composed_and_decomposed_names_are_one() {
    for_each_server(|at| {
        at.root.write("u\u{308}ber/cafe\u{301}", "1");
        at.here.write("\u{fc}ber/caf\u{e9}", "1");
        at.assert_same(&[]);
        at.root.write("u\u{308}ber/cafe\u{301}", "changed");
        at.root.write("u\u{308}ber/a\u{308}", "new");
        at.pull(&[]).expect_status(0);
        let here: [(&[u8], &str); 2] =
            [("\u{fc}ber/caf\u{e9}".as_bytes(), "changed"), ("\u{fc}ber/a\u{308}".as_bytes(), "new")];
        assert_tree(&at.here, &here);
        at.assert_same(&[]);
        at.here.remove("\u{fc}ber/caf\u{e9}");
        at.push(&[]).expect_status(0);
        assert_tree(at.root, &[("u\u{308}ber/a\u{308}".as_bytes(), "new")]);
    });
}

#[test]
fn both_forms_on_one_side_are_two_files_and_neither_is_touched() {
    for_each_server(|at| {
        at.root.write("e\u{301}", "decomposed");
        at.root.write("\u{e9}", "composed");
        let there = tree(at.root);
        at.here.write("\u{e9}", "here");
        at.pull(&[]).expect_status(3).tells(&["several names there read as"]);
        assert_tree(&at.here, &[("\u{e9}".as_bytes(), "here")]);
        at.push(&[]).expect_status(3);
        assert_eq!(tree(at.root), there);
    });
}

#[test]
fn an_unknown_charset_is_a_usage_error_that_names_known_ones() {
    let sandbox = Sandbox::new();
    for label in ["klingon", "utf-16", ""] {
        let arguments = ["sync", "--charset", label, "here", "ftp://127.0.0.1:1/"];
        sandbox.oneway(arguments).expect_status(2).tells(&["no encoding of names", "latin1", "shift_jis"]);
    }
    let arguments = ["sync", "--charset", "latin1", "here", "ftp://127.0.0.1:1/%E6%BC%A2"];
    sandbox.oneway(arguments).expect_status(2).tells(&["DST: the path holds a character that windows-1252"]);
}

#[test]
fn utf_8_is_not_asked_for_where_another_charset_is_spoken() {
    for (options, asked) in
        [(&[][..], true), (&["--charset", "utf-8"], true), (&["--charset", "latin1"], false)]
    {
        let sandbox = Sandbox::new();
        let server = ScriptServer::plain(files! {"a" => "1"}, "");
        let here = sandbox.dir("here");
        let url = server.url("/");
        sandbox.oneway([&["sync"], options, &[&url, &here]].concat()).expect_status(0);
        let sent = server.finish().sent(&["OPTS"]);
        assert_eq!(sent.iter().any(|line| line.contains("UTF8")), asked, "{sent:?}");
    }
}
