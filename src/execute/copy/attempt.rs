//! A try at a file, and how often there was one.

use std::time::Instant;

use crate::execute::resume::Partial;

/// A file that is to be tried.
#[derive(Clone, Copy)]
pub(super) struct Next {
    pub(super) action: usize,
    pub(super) tries: Tries,
    pub(super) serial: u32,
    /// The destination may have begun it along with the file before it.
    pub(super) announced: bool,
}

/// How often a file was tried.
#[derive(Clone, Copy)]
pub(super) struct Tries {
    /// The number of the try, from 1.
    pub(super) number: u32,
    /// The same, from when there was last more of the file than before.
    pub(super) in_vain: u32,
    /// What this run had of it was of no use once, so that it is not gone on with again.
    pub(super) whole: bool,
}

impl Tries {
    pub(super) const FIRST: Self = Self { number: 1, in_vain: 1, whole: false };

    pub(super) fn next(self) -> Self {
        Self { number: self.number + 1, in_vain: self.in_vain + 1, ..self }
    }
}

/// One try at one file.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) action: usize,
    pub(super) tries: Tries,
    /// What it goes on with; `None` where it begins anew.
    pub(super) partial: Option<Partial>,
    /// Bytes of that which are kept.
    pub(super) kept: u64,
    /// Distinguishes its temporary file from those of all other tries.
    pub(super) serial: u32,
    pub(super) started: Instant,
    /// Bytes that were sent.
    pub(super) bytes: u64,
    /// There may be a temporary file of it.
    pub(super) began: bool,
    /// The destination may have begun it along with the file before it.
    pub(super) announced: bool,
    /// How often it was lost after it was handed over, and found again.
    pub(super) found: u32,
    /// BLAKE3 of what was sent; `None` when nobody wants to know.
    pub(super) hash: Option<[u8; 32]>,
}
