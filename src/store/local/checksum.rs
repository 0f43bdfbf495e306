//! Checksums of local files.

use std::io::{self, Read};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::model::{Checksum, ChecksumKind};

/// Bytes read at once.
const BLOCK_BYTES: usize = 256 << 10;

/// Returns the checksum of all that `content` holds.
pub(super) fn of(kind: ChecksumKind, content: impl Read) -> io::Result<Checksum> {
    match kind {
        ChecksumKind::Blake3 => {
            let hash = blake3::Hasher::new().update_reader(content)?.finalize();
            Ok(Box::new(*hash.as_bytes()))
        }
        ChecksumKind::Sha256 => digest::<Sha256>(content),
        ChecksumKind::Sha1 => digest::<Sha1>(content),
        ChecksumKind::Md5 => digest::<Md5>(content),
    }
}

fn digest<D: Digest>(mut content: impl Read) -> io::Result<Checksum> {
    let mut digest = D::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match content.read(&mut block) {
            Ok(0) => return Ok(digest.finalize().as_slice().into()),
            Ok(n) => digest.update(&block[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published test vectors: FIPS 180-4, RFC 1321, and BLAKE3's own.
    #[test]
    fn known_contents_have_their_known_checksums() {
        for (kind, content, expected) in [
            (ChecksumKind::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (ChecksumKind::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (ChecksumKind::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (ChecksumKind::Md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
            (ChecksumKind::Blake3, "", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        ] {
            let found = of(kind, content.as_bytes()).unwrap();
            assert_eq!(found.len(), kind.bytes());
            let hex: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{kind:?}");
        }
    }
}
