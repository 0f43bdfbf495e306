//! What the random test has found, each as small as it gets.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oneway::config::{Connection, Place};
use oneway::execute::Silent;
use oneway::ftp::command::Verb;
use oneway::ftp::connect::Timeouts;
use oneway::pool::SessionCount;
use oneway::report::Report;
use oneway::run::{RunOptions, StateOptions, run};
use oneway::server::{Access, CommandFault, DataFault, Faults, ServeOptions, Server};
use oneway::state::Pair;

use crate::support::{Dir, Sandbox, assert_same_tree_and_times, files, snapshot};

/// Pushes a directory to a server with these faults.
fn push(sandbox: &Sandbox, source: &Dir, destination: &Path, faults: Faults) -> Report {
    fs::create_dir_all(destination).unwrap();
    let server = Server::start(ServeOptions {
        access: Access::Write,
        faults: Some(Arc::new(faults)),
        ..ServeOptions::new(destination)
    })
    .unwrap();
    let silence = Duration::from_secs(5);
    let timeouts = Timeouts { connect: silence, reply: silence, data: silence };
    let connection = Connection { timeouts, ..Connection::default() };
    let to = Place::parse(&server.url()).unwrap().store(&connection).unwrap();
    let from = Place::Local(source.path().to_owned()).store(&connection).unwrap();
    let pair = Pair { source: "a".to_owned(), destination: "b".to_owned() };
    let options = RunOptions {
        sessions: SessionCount::fixed(1),
        delete: true,
        state: Some(StateOptions::File { file: sandbox.path("state/receipts.sqlite"), pair }),
        retries: 2,
        first_pause: Duration::from_millis(2),
        ..RunOptions::default()
    };
    run(&from, &to, &options, &Silent).unwrap()
}

/// The last line of a listing, cut in its name, is another file, which nobody has at the source.
#[test]
fn a_listing_without_its_last_line_end_proves_nothing() {
    for after in (1..1000).step_by(23) {
        let sandbox = Sandbox::new();
        let source = sandbox.tree("source", files! {"a" => "1", "b" => "2", "long name" => "3"});
        let there =
            sandbox.tree("destination", files! {"a" => "1", "b" => "2", "extra" => "3", "long name" => "4"});
        let whole = snapshot(&there);
        let faults = Faults::default().on_data(1, DataFault::Short { after });
        let report = push(&sandbox, &source, there.path(), faults);
        if report.unproven.is_empty() {
            assert_eq!(report.exit_status(), 0, "{after}");
            assert!(!there.has("extra"), "{after}");
            return;
        }
        assert_eq!((report.exit_status(), report.failed()), (3, 0), "{after}: {:?}", report.outcomes);
        assert_eq!(snapshot(&there), whole.replace("\"4\"", "\"3\""), "{after}");
    }
    panic!("the listing is never whole");
}

#[test]
fn a_time_that_is_refused_for_now_is_set_after_all() {
    for code in [425, 451] {
        let sandbox = Sandbox::new();
        let source = sandbox.tree("source", files! {"a" => "one", "b" => "two", "c" => "three"});
        let there = sandbox.dir("destination");
        let faults = Faults::default().on_verb(Verb::Mfmt, 2, CommandFault::Refuse(code));
        let report = push(&sandbox, &source, there.path(), faults);
        assert_eq!((report.failed(), &report.notes[..]), (0, &[][..]), "{code}");
        assert_same_tree_and_times(&source, &there);
    }
}

/// One refusal of SIZE, as if there were no such command, and no size would be looked at any more.
#[test]
fn a_size_that_could_not_be_asked_for_once_is_asked_for_again() {
    for (refused, short) in (1..6).flat_map(|refused| (1..5).map(move |short| (refused, short))) {
        let sandbox = Sandbox::new();
        let source = sandbox.tree("source", files! {"a" => "content of a", "b" => "content of b"});
        let there = sandbox.dir("destination");
        let faults = Faults::default()
            .on_verb(Verb::Size, refused, CommandFault::Refuse(500))
            .on_data(short, DataFault::Short { after: 2 });
        let report = push(&sandbox, &source, there.path(), faults);
        for name in ["a", "b"].into_iter().filter(|name| there.has(name)) {
            assert_eq!(there.read(name), source.read(name), "{refused} {short}: {report:#?}");
        }
    }
}
