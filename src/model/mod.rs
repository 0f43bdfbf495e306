//! Plain values without I/O that every other module speaks in.

mod aside;
mod cancel;
mod checksum;
mod entry;
mod escape;
mod links;
mod lock;
mod mtime;
mod packed;
mod path;
mod receipt;
mod remedy;
mod secret;
mod temporary;
mod tree;
mod width;
mod zone;

pub use aside::{Old, aside_for};
pub use cancel::Cancel;
pub use checksum::{Checksum, ChecksumKind, Checksums};
pub use entry::{Entry, Kind, permission_bits};
pub(crate) use escape::is_unsafe;
pub use escape::{Escaped, escape};
pub use links::{Links, stays_inside};
pub use lock::{Claim, LOCK_NAME, Scale, ServerTime, Standing, is_lock};
pub use mtime::{Mtime, Precision};
pub(crate) use packed::{pack_option, pack_rest, unpack_option, unpack_rest};
pub use path::{PathError, RelPath};
pub use receipt::{Content, Evidence, Kept, Likeness, Receipt, Receipts, Remembered, Seen};
pub use remedy::Remedy;
pub use secret::Secret;
pub use temporary::{
    Key, MANIFEST_NAME, RunId, STATE_NAME, Temporary, is_manifest, is_state, is_temporary, temporary_for,
};
pub use tree::{Tree, Unproven};
pub use width::{columns, shorten};
pub use zone::{Offset, Zone};
