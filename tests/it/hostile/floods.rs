//! More than anybody asked for: replies, lines, listings and trees without end. All of it ends, in little memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oneway::execute::Silent;
use oneway::ftp::client::ClientOptions;
use oneway::ftp::connect::Timeouts;
use oneway::ftp::listing::{FORMATS, Limits, Parser};
use oneway::ftp::login::Credentials;
use oneway::model::Cancel;
use oneway::report::{Mode, Report};
use oneway::run::{RunOptions, run};
use oneway::store::Store;
use oneway::store::ftp::{FtpStore, RemoteRoot};
use oneway::store::local::LocalStore;

use super::{TWO_FILES, Trial, Way, all, files, two_files};
use crate::support::Output;

const MIB: usize = 1 << 20;

/// Asserts that a run took less memory than what it was sent.
#[track_caller]
fn assert_modest(output: &Output, mib: usize) {
    assert!(output.peak_memory > 0, "nothing was measured");
    assert!(output.peak_memory < mib * MIB, "{} MiB\n{output}", output.peak_memory / MIB);
}

#[test]
fn d2_23_a_working_directory_that_is_none_leads_nowhere() {
    let long = format!("257 \"/{}\"", "d/".repeat(3500));
    all(
        [
            ("257 / is where you are", 0),
            ("257 \"/", 0),
            ("257 \"", 0),
            ("257", 0),
            ("257 \"\"", 0),
            ("257 \"relative\"", 0),
            ("257 \"C:\\\\ftp\"", 0),
            ("257 \"/\\x01\"", 0),
            ("550 no", 0),
            ("257 \"/\" \"/etc\"", 0),
            // A path as good as any other, and nothing there.
            ("257 \"/not/there\"", 4),
            (&long, 4),
            ("257 \"/a\\0b\"", 4),
        ],
        |(reply, status)| {
            let trial = Trial::with(two_files(), &format!("on PWD\n< {reply}"));
            let output = trial.pull(&["--retries", "0"]).expect_status(status);
            assert!(!output.stderr.contains("panicked"), "{output}");
            assert_eq!(trial.local(), if status == 0 { TWO_FILES } else { "" }, "{reply}");
            let transcript = trial.finish();
            // What can't be a path isn't asked for.
            assert!(transcript.lines().iter().all(|line| line.bytes().all(|b| b >= 0x20)), "{reply}");
        },
    );
}

#[test]
fn d2_24_a_reply_without_end_is_cut_off() {
    for (what, flood, told) in [
        ("lines", "< 200-x\nendless \"more and more\\r\\n\"", "longer than 65536 bytes"),
        ("empty lines", "< 200-x\nendless \"\\r\\n\"", "longer than 65536 bytes"),
        ("a line", "endless \"2\"", "longer than 8192 bytes"),
        ("a line of several", "< 200-x\nendless \"y\"", "longer than 8192 bytes"),
        ("1xx", "endless \"150 here\\r\\n\"", "preliminary replies"),
        ("1xx of several lines", "endless \"150-a\\r\\nb\\r\\n150 c\\r\\n\"", "preliminary replies"),
        ("226", "< 226 done\nendless \"226 done\\r\\n\"", ""),
    ] {
        // At the greeting, in the dialogue, and behind a transfer.
        all(["CONNECT", "PASS", "FEAT", "PWD", "EPSV", "MLSD", "RETR", "SIZE"], |verb| {
            eprintln!("{what} at {verb}");
            let script = format!("on {verb}\n{flood}\non MLSD /a\nnormally");
            let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
            let output = trial.pull(&["--retries", "0", "--delete", "--timeout", "2s"]).any_status();
            assert!(trial.here.has("extra"), "{what} at {verb}\n{output}");
            if verb == "CONNECT" {
                output.tells(&[told]);
            }
            assert_modest(&output, 60);
        });
    }
}

#[test]
fn d2_24_a_listing_on_the_control_connection_has_an_end() {
    for line in ["", "-rw-r--r--    1 ftp      ftp            12 May 06  2024 name"] {
        let script = format!(
            "on CONNECT\n< 220 (vsFTPd 3.0.3)\non STAT\n< 213-Status follows:\nendless \"{line}\\r\\n\""
        );
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
        let output = trial.pull(&["--retries", "0", "--delete", "--listing", "stat"]).expect_status(4);
        output.tells(&["longer than 67108864 bytes"]);
        // Each line is counted with what it takes here, so that short ones take no more than long ones.
        assert_modest(&output, 300);
        assert_eq!(trial.local(), "extra = \"stays\"\n");
    }
}

/// Returns a server's tree for the library, which can be told how much is enough.
fn store_of(trial: &Trial, limits: Limits) -> Arc<dyn Store> {
    let options = ClientOptions {
        host: "127.0.0.1".to_owned(),
        port: trial.server.port(),
        credentials: Credentials::anonymous(),
        utf_8: true,
        timeouts: Timeouts {
            connect: Duration::from_secs(10),
            reply: Duration::from_secs(10),
            data: Duration::from_secs(10),
        },
        data_mode: oneway::ftp::data::DataMode::Passive,
        tls: None,
        transcript: None,
        cancel: Cancel::new(),
    };
    Arc::new(
        FtpStore::new(options, RemoteRoot::Home(Vec::new()), "ftp://there/".to_owned()).with_limits(limits),
    )
}

/// Says what a pull with `--delete` would do.
fn plan_of(trial: &Trial, limits: Limits, max_bytes: u64) -> Report {
    let destination: Arc<dyn Store> = Arc::new(LocalStore::new(trial.here.path()));
    let options =
        RunOptions { mode: Mode::Diff, delete: true, retries: 0, max_bytes, ..RunOptions::default() };
    run(&store_of(trial, limits), &destination, &options, &Silent).expect("the root can be listed")
}

#[track_caller]
fn assert_in_doubt(report: &Report, told: &str) {
    assert_eq!(report.exit_status(), 3);
    assert!(report.unproven.iter().any(|(_, _, why)| why.0.contains(told)), "{:?}", report.unproven);
    let deletes = report.plan.actions.iter().filter(|action| action.destination.is_some()).count();
    assert_eq!(deletes, 0, "{:?}", report.plan.actions);
}

#[test]
fn d2_25_a_listing_without_end_is_cut_off_and_deletes_nothing() {
    let limits = Limits::default();
    assert_eq!((limits.entries, limits.bytes, limits.line_bytes), (10_000_000, 2 << 30, 64 << 10));
    // 200 MB, in lines that are entries and in lines that are none, and as many of one byte.
    for (what, line, told) in [
        ("entries", "type=file;size=1; {n}", "longer than can be read"),
        ("no entries", "what is this", "not understood"),
        ("empty lines", "", "longer than can be read"),
    ] {
        eprintln!("{what}");
        let count = 20_000_000 / (line.len() + 2);
        let script =
            format!("on MLSD\n< 150 here\ndata send {count} x \"{line}\\r\\n\"\ndata close\n< 226 done");
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
        let report = plan_of(&trial, Limits { bytes: 1 << 20, ..limits }, u64::MAX);
        assert_in_doubt(&report, told);
        let report = plan_of(&trial, Limits { entries: 1000, bytes: 4 << 20, ..limits }, u64::MAX);
        assert_in_doubt(&report, told);
        // The program takes it all in, as little of it as there is.
        let output = trial.run("diff", &["--delete"], &[&trial.server.url("/"), &trial.here]).any_status();
        assert!(!output.stdout.contains("- extra") || what == "empty lines", "{output}");
        assert_modest(&output, 400);
    }
}

#[test]
fn d2_25_a_tree_without_end_is_cut_off_and_deletes_nothing() {
    // Two directories in each, down to the 256th level: more than there are atoms.
    let script = "on MLSD\n< 150 here\ndata send \"type=dir; a\\r\\ntype=dir; b\\r\\ntype=file;size=1; f\\r\\n\"\n\
                  data close\n< 226 done";
    let trial = Trial::with(files! {}, script).having(files! {"a/" , "b/a/"});
    let begun = Instant::now();
    let report = plan_of(&trial, Limits::default(), 100_000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(report.exit_status(), 3);
    assert!(
        report.unproven.iter().any(|(_, _, why)| why.0.contains("takes more than")),
        "{:?}",
        report.unproven
    );
    // What was read whole is believed.
    let entries = report.plan.scanned;
    assert!(entries < 1500, "{entries}");
}

/// A name of a directory is in the path of all that is below it.
#[test]
fn d2_25_long_names_of_directories_do_not_make_a_short_listing_large() {
    let name = "n".repeat(20_000);
    let lines: String = (0..1500).map(|i| format!("type=file;size=1; {i}\\r\\n")).collect();
    let script = format!(
        "on MLSD\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done\n\
         on MLSD /\n< 150 here\ndata send \"type=dir; {name}\\r\\n\"\ndata close\n< 226 done"
    );
    let trial = Trial::with(files! {}, &script).having(files! {"extra" => "goes"});
    let report = plan_of(&trial, Limits { bytes: 1 << 20, ..Limits::default() }, u64::MAX);
    assert!(
        report.unproven.iter().any(|(_, _, why)| why.0.contains("paths are longer")),
        "{}",
        report.unproven.len()
    );
    let report = plan_of(&trial, Limits::default(), 10 << 20);
    let told: Vec<_> = report.unproven.iter().map(|(_, _, why)| format!("{:.200}", why.0)).collect();
    assert!(told.iter().any(|why| why.contains("more than 10 MiB")), "{told:?}");
}

#[test]
fn d2_26_a_line_of_100_mib_is_cut_and_proves_nothing() {
    all([Way::Mlsd, Way::List, Way::Nlst], |way| {
        let long = format!("data send 100 x \"{}\"\ndata send \"\\r\\n\"\n", "y".repeat(MIB));
        let script = way.script(&["a.txt"]).replace("data close", &format!("{long}data close"));
        let trial = Trial::with(two_files(), &script).having(files! {"extra" => "stays"});
        let output = trial.pull(&["--delete", "--listing", way.option()]).expect_status(3);
        output.tells(&["longer than 65536 bytes"]);
        assert!(output.stderr.len() < 2000, "{}", output.stderr.len());
        assert!(trial.here.has("extra"), "{way:?}");
        assert_modest(&output, 60);
        trial.finish();
    });
}

/// What could make a parser go back again and again: with twice as much it would take four times as long.
#[test]
fn d2_27_no_line_takes_long_to_be_read() {
    const LONG: usize = 60_000;
    let repeated = |head: &str, part: &str| format!("{head}{}", part.repeat(LONG / part.len()));
    let mut evil: Vec<String> = vec![
        repeated("", " "),
        repeated("", "- "),
        repeated("-rw-r--r-- ", "1 "),
        repeated("-rw-r--r-- 1 a b 5 ", "May "),
        repeated("-rw-r--r-- 1 a b 5 May 06 2024 ", " -> "),
        repeated("lrwxrwxrwx 1 a b 5 May 06 2024 x", " -> y"),
        repeated("-rw-r--r-- 1 ", "a b 5 May 06 2024 "),
        repeated("", ";"),
        repeated("", "type=file;"),
        repeated("", "a=b; "),
        repeated("type=", "OS.unix=slink:"),
        repeated("+", "i,"),
        repeated("+i8388621.48594,m", "8"),
        repeated("", "01-01-24 "),
        repeated("01-01-24  10:00AM ", " "),
        repeated("01-01-24 10:00AM ", "1,"),
        repeated("", "A;"),
        repeated("A.B;1 ", "5/"),
        repeated("", "\t"),
        repeated("d [", "R"),
        repeated("", "1"),
        repeated("", "/"),
        repeated("", "\u{6708}"),
        repeated("", "2024-"),
        repeated("drwxrwx--- ", "folder "),
    ];
    // And behind a good line, so that the family is known.
    for good in [
        "-rw-r--r-- 1 ftp ftp 12 May 06 2024 a.txt",
        "type=file;size=1; a",
        "01-01-24  10:00AM  12 a.txt",
        "+i8388621.48594,m825718503,r,s280,\tdjb.html",
    ] {
        evil.push(format!("{good}{}", repeated("", " 1")));
    }
    let now = "2026-11-21T12:00:00Z".parse().expect("it is a time");
    let limit = Duration::from_secs(30);
    for line in &evil {
        for format in FORMATS.iter().copied().map(Some).chain([None]) {
            let mut parser = match format {
                Some(format) => Parser::with_format(format, now),
                None => Parser::new(now),
            };
            let begun = Instant::now();
            for _ in 0..5 {
                parser.push(line.as_bytes());
                parser.push(b"\r\n");
            }
            let listing = parser.finish();
            let name = format.map_or("auto", |format| format.name());
            // 300 KB; without a speed-up by the compiler that is some tenths of a second.
            assert!(begun.elapsed() < limit / 10, "{name}: {:?} for {:.60}", begun.elapsed(), line);
            assert!(listing.entries.len() as u64 + listing.rejected_count <= 6);
        }
    }
    // As many short ones as a listing may well have.
    let text = b"-rw-r--r-- 1 a b 5 May 06 2024 -> -> ->\r\n".repeat(100_000);
    let begun = Instant::now();
    let mut parser = Parser::new(now);
    parser.push(&text);
    assert_eq!(parser.finish().entries.len(), 100_000);
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[test]
fn d2_28_a_directory_that_is_one_above_it_is_a_link() {
    let listing = |dir: &str, lines: &str| {
        format!("on MLSD {dir}\n< 150 here\ndata send \"{lines}\"\ndata close\n< 226 done\n")
    };
    let script = [
        listing("/", "type=cdir;unique=R; .\\r\\ntype=dir;unique=R; self\\r\\ntype=dir;unique=A; a\\r\\n"),
        listing("/a", "type=cdir;unique=A; .\\r\\ntype=dir;unique=R; up\\r\\ntype=dir;unique=B; b\\r\\n"),
        listing("/a/b", "type=cdir;unique=B; .\\r\\ntype=dir;unique=A; a\\r\\n"),
    ]
    .concat();
    let trial = Trial::with(files! {"a/b/" }, &script);
    let output = trial.pull(&["--delete", "-v"]).expect_status(0);
    for path in ["self", "a/up", "a/b/a"] {
        assert!(output.stdout.contains(&format!("= {path}  left out: a symbolic link")), "{}", output.stdout);
    }
    assert_eq!(trial.local(), "a/\na/b/\n");
    assert_eq!(trial.finish().sent(&["MLSD"]), ["MLSD /", "MLSD /a", "MLSD /a/b"]);

    // At a destination it is removed for itself, and nothing by way of it.
    let trial = Trial::with(files! {"a/b/"}, &script).having(files! {"new" => "x"});
    trial.push(&["--delete", "--max-delete", "100%"]).any_status();
    let mut deleted = trial.finish().sent(&["DELE"]);
    deleted.sort();
    assert_eq!(deleted, ["DELE /a/b/a", "DELE /a/up", "DELE /self"]);

    // Nor is it followed.
    let trial = Trial::with(files! {"a/b/"}, &script);
    let output = trial.pull(&["--links", "follow"]).expect_status(3);
    output.tells(&["`a/up`", "it leads back to the root", "it leads back to `a`, which it is in"]);
    assert_eq!(trial.local(), "a/\na/b/\n");
    trial.finish();
}

#[test]
fn d2_28_a_directory_that_holds_itself_is_left_at_the_256th_level() {
    // All facts are the same, so they prove nothing.
    let script = "on MLSD\n< 150 here\ndata send \"type=cdir;unique=1; .\\r\\ntype=dir;unique=1; d\\r\\n\"\n\
                  data close\n< 226 done\non CWD\n< 250 ok";
    let trial = Trial::with(files! {}, script);
    let output = trial.run("diff", &[], &[&trial.server.url("/"), &trial.here]).expect_status(3);
    output.tells(&["more than 256 directories deep"]);
    assert!(trial.finish().sent(&["MLSD"]).len() <= 258);
    // A depth that no stack would hold, made and pulled: paths of 4 KiB are the system's own end.
    let deep = "d/".repeat(250) + "file";
    let trial = Trial::with(files! {deep.as_str() => "x"}, "");
    trial.pull(&[]).expect_status(0);
    trial.pull(&["--delete"]).expect_status(0);
    trial.finish();
}
