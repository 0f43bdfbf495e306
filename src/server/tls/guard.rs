//! Who gets tickets where reuse is demanded: only a client that resumed. One that had to shake hands in full would otherwise be
//! refused once, and come back with the ticket that it got on the way.
//!
//! rustls hands tickets out by itself. With TLS 1.3, and after a full handshake, it does so in a later step than the one that
//! reads the client's ticket, and in between it is known whether the session was resumed. A resumption with TLS 1.2 is one step,
//! in which only the ticket vouches for the client; a client that stole it doesn't get to the end of the handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::ServerConfig;
use rustls::server::{ProducesTickets, StoresServerSessions};

/// The tickets and stored sessions of one connection.
#[derive(Debug)]
pub(in crate::server) struct Guard {
    tickets: Arc<dyn ProducesTickets>,
    sessions: Arc<dyn StoresServerSessions>,
    vouched: AtomicBool,
}

impl Guard {
    /// Stands before what `config` hands out.
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            tickets: Arc::clone(&config.ticketer),
            sessions: Arc::clone(&config.session_storage),
            vouched: AtomicBool::new(false),
        }
    }

    /// Learns after each step whether the handshake resumes a session.
    pub(super) fn step(&self, resumes: bool) {
        self.vouched.store(resumes, Ordering::Relaxed);
    }

    fn note<T>(&self, known: Option<T>) -> Option<T> {
        if known.is_some() {
            self.vouched.store(true, Ordering::Relaxed);
        }
        known
    }

    fn is_vouched(&self) -> bool {
        self.vouched.load(Ordering::Relaxed)
    }
}

impl ProducesTickets for Guard {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.is_vouched() { self.tickets.encrypt(plain) } else { None }
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.note(self.tickets.decrypt(cipher))
    }
}

impl StoresServerSessions for Guard {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.is_vouched() && self.sessions.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.note(self.sessions.get(key))
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.note(self.sessions.take(key))
    }

    fn can_cache(&self) -> bool {
        self.sessions.can_cache()
    }
}
