//! The store of one control session: what its data connections may resume, and whether any of it is left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// The TLS sessions of one server, for one control session.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    kept: Mutex<Kept>,
    /// A ticket of TLS 1.3 came once.
    came: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    group: Option<NamedGroup>,
    session: Option<Tls12ClientSessionValue>,
    /// Each is used once, the newest first.
    tickets: Vec<Tls13ClientSessionValue>,
}

/// More than a server would send at once.
const MOST_TICKETS: usize = 32;

impl Tickets {
    pub(super) fn are_used_up(&self) -> bool {
        self.came.load(Ordering::Relaxed) && self.kept().tickets.is_empty()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder panics")
    }
}

/// All its connections are to one server, so names aren't looked at.
impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.kept().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.kept().session = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept().session.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.kept().session = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.came.store(true, Ordering::Relaxed);
        let tickets = &mut self.kept().tickets;
        if tickets.len() == MOST_TICKETS {
            tickets.remove(0);
        }
        tickets.push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept().tickets.pop()
    }
}
