//! Sizes that aren't true: in listings, of what comes, of what was stored.

use std::sync::LazyLock;

use super::{TWO_FILES, Trial, Way, all, files, two_files};

#[test]
fn d2_31_sizes_beyond_all_bounds_are_no_bounds() {
    let sizes = [
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "-12",
        "1e9",
        "0x10",
        "99999999999999999999",
        "+12",
        "1.5",
        "12k",
        "",
        "  ",
        "\u{ff11}",
    ];
    all(sizes, |size| {
        all([Way::Mlsd, Way::List, Way::Stat], |way| {
            eprintln!("{size} {way:?}");
            let script = way.script(&["a.txt", "b.txt"]);
            let script = script
                .replace("size=12;", &format!("size={size};"))
                .replace("   12 May", &format!("   {size} May"));
            let trial = Trial::with(two_files(), &script)
                .having(files! {"a.txt" => "content of a", "extra" => "stays"});
            // Plans, sums, a bar and parts: none of them may overflow, and none allocates by it.
            for options in [
                &["--listing", way.option(), "--progress", "always", "--format", "json"][..],
                &["--listing", way.option(), "--sessions", "2", "--split-size", "1M", "--compare", "always"],
            ] {
                let output = trial.pull(&[options, &["--retries", "0"]].concat()).any_status();
                assert!(!output.stderr.contains("panicked"), "{output}");
                assert!(output.peak_memory < 60 << 20, "{} bytes\n{output}", output.peak_memory);
                let local = trial.local();
                // Either it is known what the size is, and all is well, or nothing is published.
                assert!(local.contains("a.txt = \"content of a\"\n"), "{output}\n{local}");
                assert!(
                    local.contains("b.txt = \"content of b\"\n") || !local.contains("b.txt"),
                    "{output}\n{local}"
                );
            }
            let output =
                trial.run("ls", &["--listing", way.option()], &[&trial.server.url("/")]).any_status();
            assert!(!output.stderr.contains("panicked"), "{output}");
            trial.finish();
        });
    });
}

/// Files that SIZE, too, says to be larger than anything; three of them are more than a number holds.
#[test]
fn d2_31_files_of_eight_exbibytes_take_no_room() {
    let script = format!(
        "{}on SIZE\n< 213 9223372036854775807",
        Way::Mlsd.script(&["a.txt", "b.txt", "c.txt"]).replace("size=12;", "size=9223372036854775807;")
    );
    let trial = Trial::with(two_files(), &script);
    let options = ["--sessions", "2", "--split-size", "1M", "--retries", "0"];
    let output = trial.pull(&options).expect_status(3);
    assert!(!output.stderr.contains("panicked"), "{output}");
    assert_eq!(trial.local(), "");
}

#[test]
fn d2_32_more_than_there_should_be_is_not_read_to_its_end() {
    // 300 MB for 12 bytes.
    let flood =
        "< 150 here\ndata send 300 x \"".to_owned() + &"x".repeat(1 << 20) + "\"\ndata close\n< 226 done";
    let trial =
        Trial::with(two_files(), &format!("on RETR /a.txt\n{flood}")).having(files! {"a.txt" => "old"});
    let output = trial.pull(&["--retries", "1", "--format", "json"]).expect_status(3);
    output.tells(&["cannot read `a.txt`", "sends more than the 12 bytes"]);
    assert_eq!(trial.local(), "a.txt = \"old\"\nb.txt = \"content of b\"\n", "no temporary file is left");
    assert!(output.summary()["seconds"].as_f64().is_some_and(|seconds| seconds < 10.0), "{output}");
    let transcript = trial.finish();
    // The second try asks first how much there is.
    assert_eq!(transcript.sent(&["SIZE"]).iter().filter(|line| *line == "SIZE /a.txt").count(), 1);
    assert_eq!(transcript.sent(&["RETR"]).iter().filter(|line| *line == "RETR /a.txt").count(), 2);
}

#[test]
fn d2_32_a_file_that_grew_is_had_if_the_server_says_that_it_did() {
    // By little: at once, and SIZE is asked behind it. By much: it is asked before the next try.
    for (grown, tries) in [(1000, 1), (3_000_000, 2)] {
        let content = "y".repeat(grown);
        let script = Way::Mlsd.script(&["a.txt", "b.txt"]);
        let trial = Trial::with(files! {"a.txt" => content, "b.txt" => "content of b"}, &script);
        trial.pull(&["--retries", "1"]).expect_status(0);
        assert_eq!(trial.here.read("a.txt").len(), grown);
        let transcript = trial.finish();
        assert_eq!(transcript.sent(&["RETR"]).iter().filter(|line| *line == "RETR /a.txt").count(), tries);
        // Where it says that it didn't, what came is wrong.
        let trial = Trial::with(
            files! {"a.txt" => content, "b.txt" => "content of b"},
            &format!("{script}on SIZE\n< 213 12"),
        );
        trial.pull(&["--retries", "1"]).expect_status(3);
        assert_eq!(trial.local(), "b.txt = \"content of b\"\n");
        trial.finish();
    }
}

#[test]
fn d2_32_in_active_mode_and_through_tls_as_well() {
    let flood =
        "< 150 here\ndata send 60 x \"".to_owned() + &"x".repeat(1 << 20) + "\"\ndata close\n< 226 done";
    for options in [&["--active"][..], &["--sessions", "2"]] {
        let trial = Trial::with(two_files(), &format!("on RETR /a.txt\n{flood}"));
        trial
            .pull(&[options, &["--retries", "1"]].concat())
            .expect_status(3)
            .tells(&["sends more than the 12 bytes"]);
        assert_eq!(trial.local(), "b.txt = \"content of b\"\n");
        let trial = Trial::with(two_files(), &format!("on RETR /a.txt\n{flood}"));
        let output = trial.protected_pull(&[options, &["--retries", "1"]].concat()).expect_status(3);
        output.tells(&["sends more than the 12 bytes"]);
        assert_eq!(trial.local(), "b.txt = \"content of b\"\n");
    }
}

#[test]
fn d2_33_fewer_bytes_and_a_226_are_no_file() {
    for ending in [
        "data file 5\ndata close\n< 226 done",
        "data close\n< 226 done",
        "data file 11\ndata close\n< 250 done",
    ] {
        let trial = Trial::with(two_files(), &format!("on RETR /a.txt\n< 150 here\n{ending}"))
            .having(files! {"a.txt" => "old"});
        let output = trial.pull(&["--retries", "1"]).expect_status(3);
        output.tells(&["cannot read `a.txt`", "arrived where 12 were expected"]);
        assert_eq!(trial.local(), "a.txt = \"old\"\nb.txt = \"content of b\"\n");
        trial.finish();
        // Once only: the second try has it.
        let trial = Trial::with(two_files(), &format!("once RETR /a.txt\n< 150 here\n{ending}"));
        trial.pull(&["--retries", "1"]).expect_status(0);
        assert_eq!(trial.local(), TWO_FILES);
        trial.finish();
    }
}

/// Different at each place, enough for two parts.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words = (0_u32..2_100_000).map(|n| n.wrapping_mul(0x9E37_79B9));
    words.flat_map(|word| [0, 6, 12, 18].map(|bits| b'0' + (word >> bits) as u8 % 64)).collect()
});

#[test]
fn d2_35_a_server_that_ignores_rest_corrupts_no_file() {
    for (what, script) in [
        ("350 and from the start", "on REST\n< 350 as you like"),
        ("200 and from the start", "on REST\n< 200 ok"),
    ] {
        let trial = Trial::with(files! {"large" => LARGE.clone()}, script);
        let output = trial.pull(&["--sessions", "2", "--split-size", "1M", "--retries", "2"]).any_status();
        assert!(trial.here.read("large") == *LARGE, "{what}\n{output}");
    }
}

#[test]
fn d2_36_an_upload_of_which_less_is_stored_never_gets_its_name() {
    let stored = [
        "< 150 go on\ndata recv\ndata close\n< 226 done",
        "< 150 go on\ndata recv 3\ndata close\n< 226 done",
    ];
    let sizes = ["213 3", "213 0", "550 not there", "213 13", "213 18446744073709551616"];
    let cases: Vec<_> = stored.iter().flat_map(|stor| sizes.iter().map(move |size| (*stor, *size))).collect();
    all(cases, |(stor, size)| {
        let script = format!("on STOR\n{stor}\non SIZE *.part\n< {size}");
        let trial = Trial::with(files! {"a.txt" => "old"}, &script).having(two_files());
        trial.push(&["--retries", "1"]).expect_status(3);
        // Not all of what the script receives is sent.
        let transcript = trial.server.finish_unchecked();
        assert_eq!(transcript.sent(&["RNFR", "RNTO"]), Vec::<String>::new(), "{size}");
        assert_eq!(transcript.tree(), "a.txt = \"old\"\n", "{size}");
    });
}
