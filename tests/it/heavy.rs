//! Many files and large ones. Of these tests one runs at a time (.config/nextest.toml).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::support::{Direction, assert_same_tree_and_times, for_each_daemon};

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
