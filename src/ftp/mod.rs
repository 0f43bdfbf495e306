//! The protocol engine: FTP as RFC 959, 1123, 2389, 2428 and 3659 describe it and as servers really speak it.
//!
//! It knows control sessions, replies, transfers and listings, and nothing of trees, plans or mirroring.

pub mod client;
pub mod command;
pub mod connect;
pub mod control;
pub mod data;
pub mod error;
pub mod features;
pub mod host;
pub mod listing;
pub mod login;
pub mod pipeline;
mod probe;
pub mod quirks;
pub mod raw;
pub mod reply;
pub mod timestamp;
pub mod tls;
pub mod transcript;
pub mod transfer;
