//! The dialogue with a server on standard error, as `-vv` shows it.

use std::fmt::Display;

use crate::ui::say::say;
use oneway::ftp::transcript::{Direction, Transcript};

/// Prints each line with the number of its session.
pub(crate) struct Trace;

impl Transcript for Trace {
    fn line(&self, session: u32, direction: Direction, text: &dyn Display) {
        let sign = match direction {
            Direction::Sent => '>',
            Direction::Received => '<',
            Direction::Noted => '*',
        };
        say(format_args!("[{session}] {sign} {text}"));
    }
}
