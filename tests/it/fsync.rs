//! What `--fsync` has the system do, by the system's own word.

use std::fs;

use crate::support::{Sandbox, ScriptServer, can_trace, files};

/// Returns what was flushed and renamed by each thread, in order, with the names of temporary files as `*`.
fn flushed_and_renamed(sandbox: &Sandbox, options: &[&str]) -> Vec<String> {
    let server = ScriptServer::plain(files! {"d/a" => "content of a", "b" => "content of b"}, "");
    let (dst, traces) = (sandbox.dir("dst"), sandbox.dir("traces"));
    let arguments = ["sync", "--no-state", "--sessions", "1"].iter().chain(options).copied();
    let url = server.url("/");
    let run = sandbox.command(arguments.chain([&*url, &*dst])).traced(&traces.at("of")).run();
    run.expect_status(0);
    let _ = server.finish();
    let mut calls = Vec::new();
    for file in fs::read_dir(traces.path()).expect("readable") {
        let text = fs::read_to_string(file.expect("readable").path()).expect("strace writes ASCII");
        let wanted = text.lines().filter(|line| line.starts_with("fsync(") || line.starts_with("renameat("));
        calls.extend(wanted.map(|line| short(line, &dst)));
    }
    traces.remove("");
    dst.remove("");
    calls
}

/// Shortens `renameat(5</tmp/dst/d>, ".oneway-1.part", 6</tmp/dst/d>, "a") = 0` to `rename d/* d/a`.
fn short(line: &str, root: &str) -> String {
    let inside = |path: &str| path.strip_prefix(root).map(|path| path.trim_start_matches('/').to_owned());
    let dirs: Vec<String> =
        line.split('<').skip(1).filter_map(|rest| inside(rest.split_once('>')?.0)).collect();
    let names: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    let plain = |path: String| match path.split_once(".oneway-") {
        Some((before, _)) => format!("{before}*"),
        None => path,
    };
    if line.starts_with("fsync(") {
        return format!("fsync {}", plain(dirs.concat()));
    }
    let joined = dirs.iter().zip(names).map(|(dir, name)| plain(format!("{dir}/{name}"))).collect::<Vec<_>>();
    format!("rename {}", joined.join(" "))
}

#[test]
fn downloads_are_flushed_before_they_get_their_names_and_their_directories_after_it() {
    if !can_trace() {
        return;
    }
    let sandbox = Sandbox::new();
    let calls = flushed_and_renamed(&sandbox, &["--fsync"]);
    for file in [["fsync *", "rename /* /b", "fsync "], ["fsync d/*", "rename d/* d/a", "fsync d"]] {
        assert!(calls.windows(3).any(|three| three == file), "{file:?}: {calls:#?}");
    }
    assert_eq!(calls.len(), 6, "{calls:#?}");
    // Where they get their names together, too.
    let calls = flushed_and_renamed(&sandbox, &["--fsync", "--delay-updates"]);
    let at = |call: &str| calls.iter().rposition(|other| other == call);
    for [file, name, dir] in
        [["fsync *", "rename /* /b", "fsync "], ["fsync d/*", "rename d/* d/a", "fsync d"]]
    {
        assert!(at(file) < at(name) && at(name) < at(dir) && at(file).is_some(), "{calls:#?}");
    }
    let calls = flushed_and_renamed(&sandbox, &[]);
    assert!(calls.len() == 2 && calls.iter().all(|call| call.starts_with("rename")), "{calls:#?}");
}
