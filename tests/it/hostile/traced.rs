//! The proof by the system's own word: whatever path a pull opens for writing, removes, renames or changes is in the
//! destination, or is the state.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use super::{Outside, Trial, Way, files, two_files};

/// A system call on paths.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    line: String,
    /// Whether anything may change by it.
    changes: bool,
    /// What it names, absolute, and what came of it.
    paths: Vec<PathBuf>,
}

/// Calls that only look.
const LOOKS: &[&str] = &[
    "access",
    "chdir",
    "execve",
    "faccessat",
    "faccessat2",
    "fstatfs",
    "getcwd",
    "lstat",
    "newfstatat",
    "open_tree",
    "readlink",
    "readlinkat",
    "stat",
    "statfs",
    "statx",
    "getxattr",
    "lgetxattr",
    "inotify_add_watch",
];

/// Flags of an `open` by which something may change.
const WRITES: &[&str] = &["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"];

impl Call {
    /// Reads a line of strace: `openat(5</there>, "name", O_WRONLY|O_CREAT, 0666) = 7</there/name>`; `None` for what is no call.
    fn read(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once('(')?;
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        let changes = match name {
            "open" | "openat" | "openat2" => WRITES.iter().any(|flag| rest.contains(flag)),
            _ => !LOOKS.contains(&name),
        };
        Some(Self { line: line.to_owned(), changes, paths: paths(rest) })
    }
}

/// Returns the paths of a call's arguments and result: names in quotes, from the descriptor before them unless they are absolute, and
/// descriptors that no name follows.
fn paths(text: &str) -> Vec<PathBuf> {
    let (mut paths, mut dir): (Vec<PathBuf>, Option<PathBuf>) = (Vec::new(), None);
    let mut rest = text;
    while let Some(at) = rest.find(['<', '"']) {
        let (close, is_dir) = if rest[at..].starts_with('<') { ('>', true) } else { ('"', false) };
        let inner = &rest[at + 1..];
        let Some(end) = inner.find(close) else { break };
        let (part, behind) = (&inner[..end], &inner[end + 1..]);
        rest = behind;
        if is_dir {
            paths.extend(dir.replace(part.into()));
        } else {
            let from = dir.take().unwrap_or_else(|| "/".into());
            paths.push(normal(&from.join(part)));
        }
    }
    paths.extend(dir);
    paths
}

/// Takes `.` and `..` away.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

#[test]
fn lines_of_strace_are_read() {
    let read = |line: &str| {
        let call = Call::read(line).expect("it is a call");
        (call.changes, call.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>())
    };
    let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    for (line, changes, expected) in [
        (r#"openat(5</a/b>, "c", O_RDONLY|O_NOFOLLOW) = 6</a/b/c>"#, false, &["/a/b/c", "/a/b/c"][..]),
        (r#"openat(5</a/b>, "../c", O_WRONLY) = -1 ENOENT (No such file)"#, true, &["/a/c"]),
        (r#"openat(AT_FDCWD</w>, "/x", O_RDWR|O_CREAT, 0666) = 3</x>"#, true, &["/x", "/x"]),
        (r#"renameat(5</a>, "t", 6</b>, "f") = 0"#, true, &["/a/t", "/b/f"]),
        (r#"unlink("/a/../b") = 0"#, true, &["/b"]),
        (r#"utimensat(7</a/t>, NULL, [UTIME_OMIT, {tv_sec=1}], 0) = 0"#, true, &["/a/t"]),
        (r#"newfstatat(5</a>, "b", {st_mode=S_IFREG|0644}, AT_SYMLINK_NOFOLLOW) = 0"#, false, &["/a/b"]),
    ] {
        assert_eq!(read(line), (changes, paths(expected)), "{line}");
    }
    assert_eq!(Call::read("+++ exited with 0 +++"), None);
}

/// Pulls under strace and asserts that nothing was changed outside the destination and the state.
fn pull_traced(trial: &Trial, options: &[&str]) {
    let traces = trial.sandbox.dir("traces");
    let url = trial.server.url("/");
    let arguments = ["sync", "--sessions", "4", "--retries", "1"];
    let arguments = arguments.iter().chain(options).copied().chain([url.as_str(), &*trial.here]);
    let _ = trial.sandbox.command(arguments).traced(&traces.at("of")).run().any_status();
    let allowed = [trial.here.path().to_owned(), trial.sandbox.path("state"), "/dev/null".into()];
    let mut changes = 0;
    for file in fs::read_dir(traces.path()).expect("readable") {
        let text = fs::read_to_string(file.expect("readable").path()).expect("strace writes ASCII");
        for call in text.lines().filter_map(Call::read).filter(|call| call.changes) {
            let inside = |path: &PathBuf| allowed.iter().any(|allowed| path.starts_with(allowed));
            assert!(call.paths.iter().all(inside), "{}\n{:?}", call.line, call.paths);
            assert!(!call.paths.is_empty(), "{}", call.line);
            changes += 1;
        }
    }
    assert!(changes > 20, "only {changes} changes were seen");
    traces.remove("");
}

#[test]
fn no_system_call_of_a_pull_changes_anything_outside() {
    if !crate::support::can_trace() {
        return;
    }
    // Names that lead out, links that lead out, and directories where links are.
    for way in [Way::Mlsd, Way::List] {
        let script =
            way.script(&["../outside/file", "a.txt", "/etc/x", "b.txt", "..", "x/../../outside/file"]);
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "x", "a.txt" => "old"});
        let outside = Outside::new(&trial);
        pull_traced(&trial, &["--listing", way.option()]);
        outside.assert_untouched();
        trial.finish();
    }
    let files = files! {
        "d/dir/file" => "evil", "d/file" => "evil", "d/new" => "evil", "f" => "evil", "gone" => "evil",
        "deep/er/d/file" => "evil", "good" => "good", "new/dir/a" => "1", "new/dir/b" => "2",
        "large" => vec![b'x'; 9 << 20],
    };
    let trial =
        Trial::with(files, "").having(files! {"deep/er/", "extra/dir/file" => "goes", "good" => "old"});
    let outside = Outside::new(&trial);
    for (target, name) in [
        ("../outside", "d"),
        ("../outside/file", "f"),
        ("../outside/none", "gone"),
        ("../../../outside", "deep/er/d"),
        ("../../outside/file", "extra/link"),
        ("../outside/dir", "extra dir"),
    ] {
        symlink(target, trial.here.at(name)).expect("links can be made");
    }
    pull_traced(&trial, &["--split-size", "1M"]);
    outside.assert_untouched();
    pull_traced(&trial, &["--delete", "--max-delete", "100%", "--compare", "always"]);
    outside.assert_untouched();
    trial.finish();
}
