//! What a person sees while a command runs.

pub(crate) mod log;
pub(crate) mod progress;
pub(crate) mod say;
pub(crate) mod terminal;
pub(crate) mod trace;
