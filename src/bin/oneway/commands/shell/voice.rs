//! What is seen of the dialogue: every reply as it came, and with `!trace` each step.
//!
//! It goes to standard error, so that standard output has the data and nothing else. On a terminal, whatever that might obey is escaped;
//! elsewhere the bytes of a reply are those the server sent.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use oneway::ftp::reply::Reply;
use oneway::ftp::transcript::{Direction, Transcript};
use oneway::model::escape;

use crate::ui::say::say;

/// Prints the dialogue.
pub(super) struct Voice {
    traces: AtomicBool,
    /// What is said now was not typed by anybody.
    is_login: AtomicBool,
    is_terminal: bool,
}

impl Voice {
    pub(super) fn new(traces: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { traces: AtomicBool::new(traces), is_login: AtomicBool::new(true), is_terminal }
    }

    /// Says whether a login is under way, which is told of only where each step is.
    pub(super) fn set_login(&self, is_login: bool) {
        self.is_login.store(is_login, Ordering::Relaxed);
    }

    /// Shows each step from here on, or no more. Returns whether it does.
    pub(super) fn turn(&self) -> bool {
        !self.traces.fetch_xor(true, Ordering::Relaxed)
    }

    fn traces(&self) -> bool {
        self.traces.load(Ordering::Relaxed)
    }
}

impl Transcript for Voice {
    fn line(&self, _: u32, direction: Direction, text: &dyn Display) {
        match direction {
            _ if !self.traces() => {}
            Direction::Sent => say(format_args!("> {text}")),
            Direction::Noted | Direction::Data => say(format_args!("* {text}")),
            Direction::Received => say(format_args!("< {text}")),
        }
    }

    fn reply(&self, _: u32, reply: &Reply) {
        if self.is_login.load(Ordering::Relaxed) && !self.traces() {
            return;
        }
        let mark: &[u8] = if self.traces() { b"< " } else { b"" };
        let mut text = Vec::new();
        for line in lines(reply) {
            text.extend_from_slice(mark);
            if self.is_terminal {
                text.extend_from_slice(escape(&line).as_bytes());
            } else {
                text.extend_from_slice(&line);
            }
            text.push(b'\n');
        }
        // Whoever closed it doesn't want to see it.
        let _ = io::stderr().write_all(&text);
    }
}

/// Returns the lines of a reply as they came, without their ends.
fn lines(reply: &Reply) -> Vec<Vec<u8>> {
    let last = reply.lines().len().saturating_sub(1);
    let code = reply.code();
    let each = reply.lines().iter().enumerate();
    each.map(|(i, line)| match i {
        _ if i == last && line.is_empty() => format!("{code:03}").into_bytes(),
        _ if i == last => [format!("{code:03} ").as_bytes(), line].concat(),
        0 => [format!("{code:03}-").as_bytes(), line].concat(),
        _ => line.clone(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_the_lines_it_came_with() {
        let shown = |reply: &Reply| -> Vec<String> {
            lines(reply).into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
        };
        assert_eq!(shown(&Reply::new(200, "ok then")), ["200 ok then"]);
        assert_eq!(shown(&Reply::new(226, "")), ["226"]);
        let inner = vec![b" SIZE".to_vec(), b"211-odd".to_vec(), Vec::new()];
        assert_eq!(
            shown(&Reply::multi(211, "Features:", inner, "End")),
            ["211-Features:", " SIZE", "211-odd", "", "211 End"]
        );
    }
}
