//! A terminal: a pair of pseudo-terminal devices, and so much of what terminals obey as `oneway` uses.

use std::fs::File;
use std::io::Read;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use unicode_width::UnicodeWidthChar;

use super::sandbox::{Killed, Oneway};

/// A run with its standard output and error on a terminal.
pub(crate) struct OnTerminal {
    controller: File,
    child: Killed,
    output: Receiver<Vec<u8>>,
    screen: Screen,
}

impl Oneway<'_> {
    /// Starts it on a terminal of so many columns and rows.
    pub(crate) fn on_terminal(self, columns: u16, rows: u16) -> OnTerminal {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are pseudo-terminals");
        grantpt(&controller).expect("it is ours");
        unlockpt(&controller).expect("it is ours");
        let name = ptsname(&controller, Vec::new()).expect("it has a name");
        let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it was just made");
        let controller = File::from(controller);
        set_size(&controller, columns, rows);
        let child = self.spawn_on(terminal);
        let (sender, output) = channel();
        let mut from = controller.try_clone().expect("there are descriptors");
        thread::spawn(move || {
            let mut block = [0; 4096];
            // With nobody left at the other end, reading fails.
            while let Ok(n @ 1..) = from.read(&mut block) {
                if sender.send(block[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        OnTerminal { controller, child, output, screen: Screen::new(columns.into()) }
    }
}

impl OnTerminal {
    /// Waits until more has come and the screen shows `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.screen.obey(&bytes);
                if self.screen.lines().iter().any(|line| line.contains(text)) {
                    return;
                }
            }
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(30), "no {text:?} came: {:#?}", self.screen.lines());
        }
    }

    /// Gives the terminal another size, and forgets what was wider. Nothing is wrapped.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        set_size(&self.controller, columns, rows);
        // What was painted for the other size may be under way.
        thread::sleep(Duration::from_millis(400));
        self.screen.obey(&self.output.try_iter().flatten().collect::<Vec<u8>>());
        self.screen.widest = 0;
    }

    /// Returns how many columns the widest line took since it was last resized.
    pub(crate) fn widest(&self) -> usize {
        self.screen.widest
    }

    /// Everything that came so far.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.screen.raw).into_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        super::sandbox::send_signal(name, &[self.child.0.id()]);
    }

    /// Waits for the end of the run, and returns its status and what the screen shows then.
    pub(crate) fn finish(&mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.0.wait().expect("it is our child");
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
            self.screen.obey(&bytes);
        }
        (status, self.screen.lines())
    }
}

fn set_size(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("it is a terminal");
}

/// What is on the screen, as high as need be.
struct Screen {
    columns: usize,
    rows: Vec<Vec<char>>,
    at: (usize, usize),
    /// So many columns were written to.
    widest: usize,
    raw: Vec<u8>,
    /// What has no end yet.
    rest: Vec<u8>,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Self { columns, rows: vec![Vec::new()], at: (0, 0), widest: 0, raw: Vec::new(), rest: Vec::new() }
    }

    /// What is shown, without empty lines at the end.
    fn lines(&self) -> Vec<String> {
        let lines = self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
        let mut lines: Vec<String> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    fn obey(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let text = match std::str::from_utf8(&all) {
            Ok(text) => text.to_owned(),
            Err(e) => {
                self.rest = all[e.valid_up_to()..].to_vec();
                String::from_utf8_lossy(&all[..e.valid_up_to()]).into_owned()
            }
        };
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else { break };
                self.control(&sequence[..end], sequence.as_bytes()[end]);
                rest = &sequence[end + 1..];
                continue;
            }
            if rest == "\x1b" {
                break;
            }
            rest = &rest[c.len_utf8()..];
            self.put(c);
        }
        self.rest.splice(0..0, rest.bytes());
    }

    fn control(&mut self, parameters: &str, letter: u8) {
        let (row, column) = self.at;
        match (letter, parameters) {
            (b'K', "") => self.rows[row].truncate(column),
            (b'J', "") => {
                self.rows[row].truncate(column);
                self.rows.truncate(row + 1);
            }
            (b'A', n) => self.at.0 = row.checked_sub(n.parse().unwrap()).expect("it stays on the screen"),
            (b'm', _) | (b'h' | b'l', "?7") => {}
            other => panic!("what is {other:?}?"),
        }
    }

    fn put(&mut self, c: char) {
        match c {
            '\r' => self.at.1 = 0,
            '\n' => {
                self.at.0 += 1;
                if self.at.0 == self.rows.len() {
                    self.rows.push(Vec::new());
                }
            }
            c => {
                let (row, column) = self.at;
                let line = &mut self.rows[row];
                // The second column of a wide character holds nothing.
                let width = c.width().unwrap_or(0);
                while line.len() < column + width {
                    line.push(' ');
                }
                if width > 0 {
                    line[column] = c;
                }
                self.at.1 += width;
                self.widest = self.widest.max(self.at.1);
                assert!(self.at.1 <= self.columns.max(200), "a line without end");
            }
        }
    }
}
