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

/// Whether runs remove the temporary files that earlier ones left behind. As long as they don't, the tests look at final names alone.
const LEFTOVERS_ARE_REMOVED: bool = true;

/// Returns the number that an environment variable holds.
fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("it holds a number"))
}
