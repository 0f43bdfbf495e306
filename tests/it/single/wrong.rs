//! Each single command with wrong input: one clear line, the right exit status, nothing on standard output, and nothing changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use super::{embedded, feed};
use crate::support::{Daemon, Dir, Sandbox, files, snapshot};

/// The words of a command, of which those that begin with `@` are paths of the server; its exit status; and what it says.
type Row = (&'static str, i32, &'static str);

/// On the server are the files `f`, `g` and `dir/x`; here are `f` and `dir/x`.
const EVERYWHERE: &[Row] = &[
    ("cat @/none", 3, "cannot read `none`"),
    ("cat @/dir", 3, "cannot read `dir`"),
    ("cat @/dir/no%20such%25%C3%A9", 3, "cannot read `no such%\u{e9}`"),
    ("cat here/f", 2, "a URL such as"),
    ("cat ftp:///x", 2, "names no host"),
    ("cat http://127.0.0.1/x", 2, "is not supported"),
    ("cat @/a?b", 2, "%3F"),
    ("cat ftp://127.0.0.1:1/x", 4, "cannot reach"),
    ("ls @/none", 4, "cannot list"),
    ("ls -lR @/no%20such%25%C3%A9", 4, "cannot list"),
    ("ls here", 2, "a URL such as"),
    ("ls ftp:///x", 2, "names no host"),
    ("cp @/none here", 3, "there is no such file"),
    ("cp @/dir here", 3, "it is a directory"),
    ("cp -r @/none here", 3, "there is no such file"),
    ("cp here/none @/", 3, "there is no such file"),
    ("cp here/dir @/", 2, "-r copies"),
    ("cp here/f @/none/x", 3, "there is no such directory"),
    ("cp here/f @/f/x", 3, "there is no such directory"),
    ("cp @/f here/none/x", 3, "there is no such directory"),
    ("cp -r here/dir @/f", 3, "f"),
    ("cp here/f @/dir/x/", 3, "dir/x"),
    ("cp here/f here/f2", 2, "both SRC and DST are local"),
    ("cp @/f @/f", 2, "one and the same"),
    ("cp -r @/dir @/dir/y", 2, "inside of SRC"),
    ("cp here/f ftp:///x", 2, "names no host"),
    ("cp here/f ftp://127.0.0.1:1/x", 4, "cannot reach"),
    ("cp - -", 2, "both SRC and DST are -"),
    ("cp - here/f", 2, "are local"),
    ("cp - @/dir", 3, "it is a directory"),
    ("cp -r - @/x", 2, "-r copies directories"),
    ("cp @/none -", 3, "cannot read `none`"),
    ("mv @/none @/other", 3, "cannot rename `none`"),
    ("mv @/f @/g", 2, "is there already"),
    ("mv @/f @/f", 2, "is there already"),
    ("mv @/f ftp:///x", 2, "names no host"),
    ("mv @/f ftp://127.0.0.1:1/x", 4, "cannot reach"),
    ("mv @/f here/f", 2, "is there already"),
    ("mv @/ here/x", 2, "has no name of its own"),
    ("mv here/none @/", 3, "there is no such file"),
    ("mv here/f @/", 2, "is there already"),
    ("mv here/f here/f2", 2, "both SRC and DST are local"),
    ("rm @/dir", 3, "cannot remove `dir`"),
    ("rm -r @/dir", 2, "nobody is there to answer"),
    ("rm here/f", 2, "a URL such as"),
    ("rm ftp://127.0.0.1:9", 2, "has no name of its own"),
    ("mkdir @/dir", 3, "it is there already"),
    ("mkdir @/none/y", 3, "cannot create `y`"),
    ("mkdir @/f/y", 3, "cannot open"),
    ("mkdir here/y", 2, "a URL such as"),
    ("rmdir @/f", 3, "cannot remove `f`"),
    ("rmdir @/dir", 3, "cannot remove `dir`"),
    ("rmdir ftp:///x", 2, "names no host"),
    ("shell here", 2, "a URL such as"),
    ("shell ftp:///x", 2, "names no host"),
    ("shell @/none", 4, "cannot open"),
    ("shell @/f", 4, "cannot open"),
];

/// What may not be read, `shut`, and may not be written to, `fixed/x`.
const WITHOUT_PERMISSION: &[Row] = &[
    ("cat @/shut", 3, "cannot read `shut`"),
    ("cp @/shut here", 3, "cannot read `shut`"),
    ("mv @/shut here", 3, "cannot read `shut`"),
    ("cp here/f @/fixed/x", 3, "`x`"),
    ("cp here/f @/fixed/new", 3, "`new`"),
    ("cp -r here/dir @/fixed", 3, "fixed/dir"),
    ("mv here/f @/fixed/new", 3, "`new`"),
    ("mv @/fixed/x here", 3, "cannot remove `x`"),
    ("mv @/fixed/x @/x", 3, "cannot rename"),
    ("rm @/fixed/x", 3, "cannot remove `x`"),
    ("mkdir @/fixed/new", 3, "cannot create `new`"),
    ("rmdir @/fixed", 3, "cannot remove `fixed`"),
];

fn check(sandbox: &Sandbox, url: &str, here: &Dir, root: &Dir, rows: &[Row]) {
    let state = || (snapshot(here), snapshot(root));
    let before = state();
    for (words, status, told) in rows {
        let words: Vec<String> = words
            .split(' ')
            .map(|word| word.strip_prefix('@').map_or_else(|| word.to_owned(), |path| format!("{url}{path}")))
            .collect();
        let fed = feed(sandbox, &words.iter().map(String::as_str).collect::<Vec<_>>(), b"");
        let errors = fed.stderr.lines().filter(|line| line.starts_with("oneway: error")).count();
        assert!(
            (fed.status, errors, fed.stdout.len()) == (Some(*status), 1, 0) && fed.stderr.contains(told),
            "{words:?}: {:?}, {told} wanted: {}",
            fed.status,
            fed.stderr
        );
        assert_eq!(state(), before, "{words:?}");
    }
}

fn here(sandbox: &Sandbox) -> Dir {
    let here = sandbox.dir("work/here");
    here.add(files! {"f" => "here", "dir/x" => "here"});
    here
}

#[test]
fn the_embedded_server() {
    embedded(|sandbox, url, root| {
        root.add(files! {"f" => "1", "g" => "2", "dir/x" => "3"});
        check(sandbox, url, &here(sandbox), root, EVERYWHERE);
    });
}

#[test]
fn vsftpd() {
    let sandbox = Sandbox::new();
    let Some(daemon) = Daemon::vsftpd(&sandbox) else { return };
    let (url, here, root) = (daemon.url(""), here(&sandbox), daemon.root());
    root.add(files! {"f" => "1", "g" => "2", "dir/x" => "3"});
    check(&sandbox, &url, &here, root, EVERYWHERE);
    root.add(files! {"shut" => "1", "fixed/x" => "2"});
    for (path, mode) in [("shut", 0o600), ("fixed", 0o755)] {
        let path = root.path().join(path);
        chown(&path, Some(0), Some(0)).expect("the tests run as root");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours now");
    }
    for row in WITHOUT_PERMISSION {
        // What could be read is here then, and stays there.
        let copied = here.path().join("x");
        if copied.exists() {
            fs::remove_file(copied).expect("it is ours");
        }
        if row.0 == "mv @/fixed/x here" {
            let fed = feed(&sandbox, &["mv", &format!("{url}/fixed/x"), "here"], b"");
            assert!(fed.status == Some(3) && fed.stderr.contains(row.2), "{}", fed.stderr);
            assert_eq!(snapshot(root).matches("fixed/x").count(), 1);
            continue;
        }
        check(&sandbox, &url, &here, root, std::slice::from_ref(row));
    }
}
