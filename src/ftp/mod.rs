//! The protocol engine: FTP as RFC 959, 1123, 2389, 2428 and 3659 describe it and as servers really speak it.
//!
//! It knows control sessions, replies, transfers and listings, and nothing of trees, plans or mirroring.

pub mod command;
pub mod listing;
pub mod reply;
