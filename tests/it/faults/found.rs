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
use oneway::server::{Access, CommandFault, Faults, ServeOptions, Server};
use oneway::state::Pair;

use crate::support::{Dir, Sandbox, assert_same_tree_and_times, files};

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
        state: Some(StateOptions::File { file: sandbox.path("state/receipts.sqlite"), pair }),
        retries: 2,
        first_pause: Duration::from_millis(2),
        ..RunOptions::default()
    };
    run(&from, &to, &options, &Silent).unwrap()
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
