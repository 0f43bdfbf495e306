//! What is shown while a run goes on: on a terminal, in a log, and where nobody looks.

use std::time::Duration;

use oneway::server::{Access, ServeOptions, Server};

use crate::support::{Dir, Sandbox, files};

/// A source with wide characters and one that turns the direction of text, and a server for it.
struct Trial {
    sandbox: Sandbox,
    here: Dir,
    server: Server,
}

impl Trial {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let long = format!("{}漢字の名前\u{202e}.bin", "a directory with a long name/".repeat(3));
        let here = files! {
            long => [b'x'; 200_000], "b.bin" => [b'y'; 200_000], "c.bin" => [b'z'; 200_000], "d" => "d", "e" => "e",
        };
        let here = sandbox.tree("here", here);
        let options =
            ServeOptions { access: Access::Write, ..ServeOptions::new(sandbox.dir("there").path()) };
        let server = Server::start(options).expect("loopback has free ports");
        Self { sandbox, here, server }
    }

    /// Returns the arguments of a push that takes this long.
    fn push(&self, time: Duration) -> Vec<String> {
        let rate = (600_002.0 / time.as_secs_f64()) as u64;
        let url = format!("{}new", self.server.url());
        let arguments = ["sync", "-j", "3", "--bwlimit", &rate.to_string(), &self.here, &url];
        arguments.map(str::to_owned).into()
    }
}

#[test]
fn a_frame_fits_the_terminal_and_leaves_the_summary_alone() {
    let trial = Trial::new();
    let command = trial.sandbox.command(trial.push(Duration::from_millis(2200)));
    let mut terminal = command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").on_terminal(76, 12);
    terminal.wait_for("/5 files");
    assert!((40..76).contains(&terminal.widest()), "{}", terminal.widest());
    terminal.resize(30, 12);
    terminal.wait_for("/5 files");
    assert!((1..30).contains(&terminal.widest()), "{}", terminal.widest());
    let (status, screen) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{screen:#?}");
    assert!(screen.len() == 1 && screen[0].starts_with("changed: "), "{screen:#?}");
    let raw = terminal.raw();
    assert!(raw.contains('…') && raw.contains("\x1b[36m") && !raw.contains('\u{202e}'), "{raw}");
}

#[test]
fn a_run_that_is_stopped_leaves_one_line_of_why_and_the_summary() {
    let trial = Trial::new();
    let command = trial.sandbox.command(trial.push(Duration::from_secs(20)));
    let mut terminal = command.env("TERM", "xterm").env("NO_COLOR", "1").on_terminal(80, 24);
    terminal.wait_for("/5 files");
    terminal.signal("INT");
    let (status, screen) = terminal.finish();
    assert_eq!(status.code(), Some(130), "{screen:#?}");
    assert!(screen.len() == 2 && screen[0].starts_with("oneway: stopped: "), "{screen:#?}");
    assert!(screen[1].starts_with("changed: "), "{screen:#?}");
    assert!(
        !terminal.raw().contains("\x1b[36m") && !terminal.raw().contains("\x1b[0m"),
        "{}",
        terminal.raw()
    );
}

#[test]
fn who_wants_no_frame_gets_none() {
    for (term, option, lines) in
        [("xterm", "--quiet", 0), ("xterm", "--progress=never", 1), ("dumb", "--progress=auto", 1)]
    {
        let trial = Trial::new();
        let arguments = [trial.push(Duration::from_millis(500)), vec![option.to_owned()]].concat();
        let mut terminal = trial.sandbox.command(arguments).env("TERM", term).on_terminal(80, 24);
        let (status, screen) = terminal.finish();
        assert_eq!((status.code(), screen.len()), (Some(0), lines), "{term} {option}: {screen:#?}");
        assert!(!terminal.raw().contains('\x1b'), "{term} {option}: {}", terminal.raw());
    }
}

#[test]
fn in_a_pipe_there_is_nothing_but_the_report() {
    // Nor, where lines are asked for, before there is something to say.
    for option in ["--progress=auto", "--progress=always"] {
        let trial = Trial::new();
        let arguments = [trial.push(Duration::from_millis(500)), vec![option.to_owned()]].concat();
        let output = trial.sandbox.command(arguments).env("TERM", "xterm").run().expect_status(0);
        assert_eq!((&*output.stderr, output.stdout.lines().count()), ("", 1), "{output}");
        assert!(output.stdout.starts_with("changed: ") && !output.stdout.contains('\x1b'), "{output}");
    }
}

#[test]
fn where_the_report_goes_elsewhere_a_line_sums_up_what_was_shown() {
    let trial = Trial::new();
    let arguments =
        [trial.push(Duration::from_millis(500)), vec!["-o".to_owned(), "report".to_owned()]].concat();
    let mut terminal = trial.sandbox.command(arguments).env("TERM", "xterm").on_terminal(80, 24);
    let (status, screen) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{screen:#?}");
    assert!(screen.len() == 1 && screen[0].starts_with("oneway: changed: "), "{screen:#?}");
}
