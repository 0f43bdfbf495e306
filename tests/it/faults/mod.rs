//! What becomes of a mirror when things go wrong on the way.
//!
//! `ONEWAY_FAULT_SEEDS=1000` makes the random test longer, `ONEWAY_FAULT_SEED=n` has it do one seed (CONTRIBUTING.md).

#![cfg(unix)]

mod found;
mod moving;
mod random;
mod world;

/// Returns the number that an environment variable holds.
fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("it holds a number"))
}
