//! What is meant, from what was written: places from the arguments of a command.

mod connection;
mod logins;
mod netrc;
mod place;
mod tls;

pub use connection::Connection;
pub use logins::{Ask, Logins};
pub use netrc::{Netrc, NetrcEntry};
pub use place::{Place, PlaceError, Scheme};
pub use tls::{TlsSettings, TlsWish};
