//! What is meant, from what was written: places from the arguments of a command.

mod connection;
mod place;

pub use connection::Connection;
pub use place::{Place, PlaceError};
