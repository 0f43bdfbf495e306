//! What becomes of a mirror when things go wrong on the way.
//!
//! CONTRIBUTING.md says by which environment variables these tests become longer.

#![cfg(unix)]

mod found;
mod killed;
mod moving;
mod random;
mod soak;
mod world;

/// Returns the number that an environment variable holds.
fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("it holds a number"))
}
