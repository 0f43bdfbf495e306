//! The dialogue with a server on standard error, as `-vv` shows it, and in the log.

use std::fmt::Display;
use std::sync::Arc;

use crate::ui::log;
use crate::ui::say::say;
use oneway::ftp::transcript::{Direction, Transcript};

/// Shows each line with the number of its session.
struct Trace;

/// Logs which sessions there are.
struct Sessions;

/// Returns who listens to sessions; `None` where nobody does.
pub(crate) fn listener(verbose: u8) -> Option<Arc<dyn Transcript>> {
    match verbose {
        2.. => Some(Arc::new(Trace)),
        _ => log::is_open().then(|| Arc::new(Sessions) as Arc<dyn Transcript>),
    }
}

impl Transcript for Trace {
    fn line(&self, session: u32, direction: Direction, text: &dyn Display) {
        let sign = match direction {
            Direction::Sent => '>',
            Direction::Received => '<',
            Direction::Noted | Direction::Data => '*',
        };
        say(format_args!("[{session}] {sign} {text}"));
        log::session(session, Some(sign), text);
    }
}

impl Transcript for Sessions {
    fn line(&self, session: u32, direction: Direction, text: &dyn Display) {
        if direction == Direction::Noted {
            log::session(session, None, text);
        }
    }
}
