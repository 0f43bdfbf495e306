//! Many files and large ones. Of these tests one runs at a time (.config/nextest.toml).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Direction, Sandbox, assert_same_tree_and_times, for_each_daemon};

#[test]
fn five_thousand_small_files_are_pushed_and_pulled_over_eight_sessions() {
    for_each_daemon(|daemon, sandbox| {
        let (src, dst) = (sandbox.dir("src"), sandbox.dir("dst"));
        for number in 0..5_000 {
            src.write(format!("{:02}/{number}.txt", number % 50), format!("file {number}"));
        }
        let url = daemon.url("/");
        let push = sandbox.command(["sync", "-j", "8", "--format", "json", &src, &url]).time_limit(LIMIT);
        assert_eq!(push.run().expect_status(0).summary()["changes"]["copy"], 5_000);
        assert_same_tree_and_times(&src, daemon.root());
        let pull = sandbox.command(["sync", "-j", "8", "--format", "json", &url, &dst]).time_limit(LIMIT);
        assert_eq!(pull.run().expect_status(0).summary()["changes"]["copy"], 5_000);
        assert_same_tree_and_times(&src, &dst);
        // On a machine that is busy for long, a silent connection may cost a file a second try.
        let sent = daemon.transferred(Direction::In).len();
        assert!((5_000..5_010).contains(&sent), "{sent} uploads of 5,000 files");
    });
}

#[test]
fn a_file_of_two_hundred_megabytes_is_pushed_and_pulled_whole() {
    for_each_daemon(|daemon, sandbox| {
        let (src, dst) = (sandbox.dir("src"), sandbox.dir("dst"));
        write_pattern(&src.at("large.bin"), 200_000_000);
        src.set_time("large.bin", "2024-05-06T07:08:09Z");
        sandbox.command(["sync", &src, &daemon.url("/")]).time_limit(LIMIT).run().expect_status(0);
        assert_same_tree_and_times(&src, daemon.root());
        sandbox.command(["sync", &daemon.url("/"), &dst]).time_limit(LIMIT).run().expect_status(0);
        assert_same_tree_and_times(&src, &dst);
    });
}

/// Writes content that is different at each place, so that no shifted or repeated part passes.
fn write_pattern(path: &Path, bytes: u64) {
    let mut file = BufWriter::new(File::create(path).expect("the sandbox has room"));
    for number in 0..bytes / 8 {
        let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        file.write_all(&word.to_le_bytes()).expect("the sandbox has room");
    }
    file.flush().expect("the sandbox has room");
}

const LIMIT: Duration = Duration::from_secs(110);

/// What is put aside is decided and told as it is without that, receipts included.
#[test]
fn a_tree_that_memory_is_not_meant_for_is_compared_and_mirrored() {
    const DIRS: usize = 40;
    const FILES: usize = 13_000;
    let sandbox = Sandbox::new();
    let (src, dst, nothing) = (sandbox.dir("src"), sandbox.dir("dst"), sandbox.dir("nothing"));
    let name = |number: usize| {
        let dir = number % DIRS;
        format!("directory-{dir}/{number} {}", "a name that takes memory ".repeat(9))
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for dir in [&src, &dst] {
        for number in 0..DIRS {
            std::fs::create_dir(dir.at(format!("directory-{number}"))).unwrap();
        }
        for number in 0..FILES {
            let file = File::create(dir.at(name(number))).expect("the sandbox has room");
            file.set_modified(time).expect("it is ours");
        }
    }
    let serve = |dir: &Dir| {
        Server::start(ServeOptions { access: Access::Write, ..ServeOptions::new(dir.path()) }).unwrap()
    };
    let (server, empty) = (serve(&dst), serve(&nothing));
    let oneway = |words: &[&str], to: &Server| {
        let url = to.url();
        let words = [words, &["--memory", "16M", "--format", "json", &src, &url]].concat();
        sandbox.command(words).time_limit(LIMIT)
    };
    let diff = oneway(&["diff"], &empty).run().expect_status(1).summary();
    assert_eq!((&diff["changes"]["copy"], &diff["changes"]["create_dir"]), (&FILES.into(), &DIRS.into()));
    // Where there is no room for it, nothing is decided.
    let nowhere = oneway(&["diff"], &empty).env("TMPDIR", "/nowhere/at/all").run().expect_status(4);
    nowhere.tells(&["/nowhere/at/all", "--memory"]);
    let first = oneway(&["sync"], &server).run().expect_status(0).summary();
    assert_eq!((&first["changes"], &first["unchanged"]), (&serde_json::json!({}), &FILES.into()));
    std::fs::write(src.at(name(7)), "changed").unwrap();
    std::fs::remove_file(src.at(name(8))).unwrap();
    let second = oneway(&["sync", "--delete"], &server).run().expect_status(0).summary();
    assert_eq!((&second["changes"]["replace"], &second["changes"]["delete"]), (&1.into(), &1.into()));
    assert_eq!(second["unchanged"], FILES - 2);
    oneway(&["diff", "--delete"], &server).run().expect_status(0);
}
