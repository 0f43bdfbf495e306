//! What is meant, from what was written: places from the arguments of a command.

mod place;

pub use place::{Place, PlaceError};
