//! `cp` and `mv` between this machine and servers: what gets where, and what stays when something is wrong.

use std::fs;
use std::os::unix::fs::symlink;

use super::{embedded, feed};
use crate::scripted::Trial;
use crate::support::{Dir, Sandbox, files, for_each_known_daemon, snapshot};

/// Runs a line of words of which those that begin with `@` are paths of the server.
fn run(sandbox: &Sandbox, url: &str, words: &str, status: i32) -> crate::support::Output {
    let words: Vec<String> = words
        .split(' ')
        .map(|word| word.strip_prefix('@').map_or_else(|| word.to_owned(), |path| format!("{url}{path}")))
        .collect();
    sandbox.oneway(words).expect_status(status)
}

fn work(sandbox: &Sandbox) -> Dir {
    sandbox.dir("work/here")
}

#[test]
fn files_and_directories_go_where_cp_would_put_them() {
    embedded(|sandbox, url, root| {
        let here = work(sandbox);
        here.add(files! {"a" => "1", "d/x/b" => "22", "d/.onewayignore" => "x", "d/e/", "s p%c" => "odd"});
        root.add(files! {"into/a" => "old", "g/h" => "from there"});
        let go = |words: &str| run(sandbox, url, words, 0);
        for words in [
            "cp here/a @/into",
            "cp here/a @/new",
            "cp here/a @/made/",
            "cp -r here/d @/into",
            "cp -r here/d @/d2",
            "cp -r here/a @/a-file",
            "cp @/g/h here/h",
            "cp @/g/h here",
            "cp -r @/g here/",
            "cp @/g/h @/g/%C3%BCber",
            "cp -r @/g @/g2",
        ] {
            assert_eq!(go(words).stdout, "", "{words}");
        }
        sandbox.oneway(["cp", "here/s p%c", &format!("{url}/s%20p%25d")]).expect_status(0);
        assert_eq!(
            snapshot(root),
            "a-file = \"1\"\nd2/\nd2/.onewayignore = \"x\"\nd2/e/\nd2/x/\nd2/x/b = \"22\"\ng/\ng/h = \"from there\"\n\
             g/über = \"from there\"\ng2/\ng2/h = \"from there\"\ng2/über = \"from there\"\ninto/\ninto/a = \"1\"\ninto/d/\n\
             into/d/.onewayignore = \"x\"\ninto/d/e/\ninto/d/x/\ninto/d/x/b = \"22\"\nmade/\nmade/a = \"1\"\nnew = \"1\"\n\
             s p%d = \"odd\"\n"
        );
        assert_eq!(fs::read(here.path().join("g/h")).unwrap(), b"from there");
        let told = go("cp -v here/a @/new").stdout;
        assert!(told.contains("~ new  ") && told.contains("changed: 1 replaced"), "{told}");
    });
}

#[test]
fn real_daemons_are_copied_to_and_moved_from() {
    for_each_known_daemon(|daemon, sandbox| {
        let here = work(sandbox);
        here.add(files! {"a" => "1", "d/x/b \u{fc}" => "22", "d/e/"});
        let url = daemon.url("");
        for words in ["cp here/a @/new", "cp -r here/d @/", "mv @/d here/d2", "mv @/new here/d2/x/"] {
            run(sandbox, &url, words, 0);
        }
        assert_eq!(snapshot(daemon.root()), "");
        let moved = "d2/\nd2/e/\nd2/x/\nd2/x/b \u{fc} = \"22\"\nd2/x/new = \"1\"\n";
        assert!(snapshot(&here).contains(moved), "{}", snapshot(&here));
    });
}

#[test]
fn what_is_moved_is_removed_when_it_is_there() {
    embedded(|sandbox, url, root| {
        let here = work(sandbox);
        here.add(files! {"a" => "1", "d/x/b" => "22", "d/.onewayignore" => "x", "d/e/"});
        root.add(files! {"there/" });
        let all = snapshot(&here);
        run(sandbox, url, "mv here/a @/there", 0);
        run(sandbox, url, "mv here/d @/d2", 0);
        assert_eq!(snapshot(&here), "");
        assert_eq!(
            snapshot(root),
            "d2/\nd2/.onewayignore = \"x\"\nd2/e/\nd2/x/\nd2/x/b = \"22\"\nthere/\nthere/a = \"1\"\n"
        );
        run(sandbox, url, "mv @/there/a here", 0);
        run(sandbox, url, "mv @/d2 here/d", 0);
        assert_eq!((snapshot(&here), snapshot(root)), (all, "there/\n".to_owned()));
        // From one server to another.
        embedded(|_, other, elsewhere| {
            run(sandbox, url, &format!("cp -r here/d {other}/d"), 0);
            run(sandbox, url, &format!("mv {other}/d @/there"), 0);
            assert_eq!(snapshot(elsewhere), "");
        });
        assert!(snapshot(root).contains("there/d/x/b = \"22\"\n"));
    });
}

#[test]
fn what_is_not_all_there_is_not_removed() {
    embedded(|sandbox, url, root| {
        let here = work(sandbox);
        here.add(files! {"link/a" => "1", "own/a" => "1", "own/.oneway-state" => "s", "taken" => "here", "d/f" => "1"});
        symlink("a", here.path().join("link/b")).unwrap();
        symlink("d", here.path().join("to-d")).unwrap();
        root.add(files! {"taken" => "there"});
        let before = snapshot(&here);
        for (words, status, told) in [
            ("mv here/link @/l", 3, "`b` is neither a file nor a directory"),
            ("mv here/own @/o", 3, "a file of oneway's own"),
            ("mv here/taken @/", 2, "is there already"),
            ("mv here/to-d @/", 2, "is a symbolic link"),
            ("mv here/none @/", 3, "there is no such file"),
            ("mv @/taken here/own/none/x", 3, "there is no such directory"),
        ] {
            run(sandbox, url, words, status).tells(&[told]);
            assert_eq!(snapshot(&here), before, "{words}");
        }
        assert!(snapshot(root).ends_with("taken = \"there\"\n"));
    });
}

/// The server refuses one file, stores another one too short and says that all is well, or cuts what it lists.
#[test]
fn nothing_is_removed_behind_a_server_that_fails_or_lies() {
    for (what, script) in [
        ("refuses one", "on STOR *\n< 150 go\ndata recv\n< 451 local error"),
        ("keeps a part", "on STOR *\n< 150 go\ndata store 1\ndata close\n< 226 done"),
    ] {
        let trial = Trial::with(files! {}, script).having(files! {"d/a" => "content", "d/b" => "content"});
        let from = trial.here.path().join("d");
        let output = trial.run("mv", &[], &[from.to_str().unwrap(), &trial.server.url("/")]);
        output.expect_status(3).tells(&["error: "]);
        assert_eq!(trial.local(), "d/\nd/a = \"content\"\nd/b = \"content\"\n", "{what}");
        assert!(!trial.finish().tree().contains("content"), "{what}");
    }
    // What the server lists afterwards is short of a file.
    let script = "nth 2 MLSD /d\n< 150\ndata send \"type=file;size=7; a\\r\\n\"\ndata close\n< 226";
    let trial = Trial::with(files! {}, script).having(files! {"d/a" => "content", "d/b" => "content"});
    let from = trial.here.path().join("d");
    let moved = trial.run("mv", &[], &[from.to_str().unwrap(), &trial.server.url("/")]);
    moved.expect_status(3).tells(&["was not removed, since `b` is not at the destination"]);
    assert_eq!(trial.local(), "d/\nd/a = \"content\"\nd/b = \"content\"\n");
    trial.finish();
}

#[test]
fn standard_input_and_output_are_files_of_their_own() {
    embedded(|sandbox, url, root| {
        root.add(files! {"f" => "old", "d/"});
        let feed = |to: &str, bytes: &[u8]| {
            let fed = feed(sandbox, &["cp", "-", &format!("{url}{to}")], bytes);
            (fed.status, fed.stderr)
        };
        let large = vec![b'x'; 1 << 20];
        assert_eq!(feed("/f", b"new"), (Some(0), String::new()));
        assert_eq!(feed("/d/large", &large), (Some(0), String::new()));
        assert_eq!(feed("/d/empty", b""), (Some(0), String::new()));
        for (to, status, told) in
            [("/d", 3, "it is a directory"), ("/d/", 2, "has no name"), ("/none/x", 3, "cannot write `x`")]
        {
            let (code, stderr) = feed(to, b"lost");
            assert!(code == Some(status) && stderr.contains(told), "{to}: {code:?} {stderr}");
        }
        assert_eq!(fs::read(root.path().join("d/large")).unwrap(), large);
        assert_eq!(run(sandbox, url, "cp @/f -", 0).stdout, "new");
        assert_eq!(fs::read_dir(root.path().join("d")).unwrap().count(), 2, "nothing is left behind");
    });
}
