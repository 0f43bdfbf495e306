//! Checksums of file contents.

use std::collections::HashMap;

use crate::model::RelPath;

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChecksumKind {
    /// BLAKE3, which receipts hold.
    Blake3,
    /// SHA-256.
    Sha256,
    /// SHA-1; no proof against malice, and good enough to tell two versions of a file apart.
    Sha1,
    /// MD5; as SHA-1.
    Md5,
}

impl ChecksumKind {
    /// Every kind, the best first.
    pub const ALL: &[Self] = &[Self::Blake3, Self::Sha256, Self::Sha1, Self::Md5];

    /// Returns how many bytes a checksum of this kind has.
    pub fn bytes(self) -> usize {
        match self {
            Self::Blake3 | Self::Sha256 => 32,
            Self::Sha1 => 20,
            Self::Md5 => 16,
        }
    }
}

/// The checksum of a content: as many bytes as its kind has.
pub type Checksum = Box<[u8]>;

/// Checksums of files, each with its kind; several of one file where several are known.
pub type Checksums = HashMap<RelPath, Vec<(ChecksumKind, Checksum)>>;
