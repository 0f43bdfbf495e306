//! What is meant, from what was written: places from the arguments of a command.

mod connection;
mod place;
mod tls;

pub use connection::Connection;
pub use place::{Place, PlaceError, Scheme};
pub use tls::{TlsSettings, TlsWish};
