//! What a server says by itself, picked out of the dialogue.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use oneway::ftp::transcript::{Direction, Transcript};

/// Listens to all sessions, and passes on what it hears.
pub(super) struct Heard {
    next: Option<Arc<dyn Transcript>>,
    said: Mutex<Said>,
}

/// What was picked out, of the first session.
#[derive(Clone, Default)]
pub(super) struct Said {
    /// Lines before the first command.
    pub(super) greeting: Vec<String>,
    /// Version and cipher of TLS.
    pub(super) tls: Option<String>,
    /// A data connection could not go on with the TLS session.
    pub(super) fresh_data: bool,
    /// What data connections were asked for by.
    pub(super) data: Option<String>,
    commands: bool,
}

impl Heard {
    pub(super) fn new(next: Option<Arc<dyn Transcript>>) -> Self {
        Self { next, said: Mutex::default() }
    }

    pub(super) fn said(&self) -> Said {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const MOST_LINES: usize = 20;

impl Transcript for Heard {
    fn line(&self, session: u32, direction: Direction, text: &dyn Display) {
        if let Some(next) = &self.next {
            next.line(session, direction, text);
        }
        if session > 1 {
            return;
        }
        let text = text.to_string();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match direction {
            Direction::Sent => {
                said.commands = true;
                let verb = text.split(' ').next().unwrap_or_default();
                if ["EPSV", "PASV", "EPRT", "PORT"].contains(&verb) {
                    // The last one is that which worked.
                    said.data = Some(verb.to_owned());
                }
            }
            Direction::Received if !said.commands && said.greeting.len() < MOST_LINES => {
                said.greeting.push(text);
            }
            Direction::Noted if text.starts_with("TLS ") => said.tls = Some(text),
            Direction::Data if text.ends_with(", a session of its own") => said.fresh_data = true,
            Direction::Received | Direction::Noted | Direction::Data => {}
        }
    }
}
