//! Whether an entry is what it was.

use crate::model::{Entry, Kind, Mtime, Zone};
use crate::plan::CARRIED_BITS;

/// Returns whether an entry is still what it was, as far as both were listed.
pub fn is_same(then: &Entry, now: &Entry) -> bool {
    then.kind == now.kind
        && match then.kind {
            Kind::File => {
                then.size.is_none_or(|size| now.size == Some(size)) && is_same_time(then.mtime, now.mtime)
            }
            Kind::Symlink => then.target.is_none() || then.target == now.target,
            Kind::Dir | Kind::Other => true,
        }
}

/// Returns whether two times of one file can't be told apart. A listing comes in another form when half a year has passed; its digits
/// are those of the server's own zone, so they are compared with such digits, and with an exact time only where the zone is believed in.
pub(super) fn is_same_time(then: Option<Mtime>, now: Option<Mtime>) -> bool {
    let Some(then) = then else { return true };
    let Some(now) = now else { return false };
    let meet = |a: &Mtime, b: &Mtime| a.gap(b).is_zero();
    let digits = |mtime: &Mtime| Mtime { at: mtime.as_listed(), ..*mtime };
    match (then.zone, now.zone) {
        (Zone::Utc, Zone::Utc) => meet(&then, &now) && !differ_in_fraction(&then, &now),
        (Zone::Utc, Zone::Local(_)) | (Zone::Local(_), Zone::Utc) => meet(&then, &now),
        (Zone::Utc, Zone::Unknown) | (Zone::Unknown, Zone::Utc) => false,
        (Zone::Unknown | Zone::Local(_), Zone::Unknown | Zone::Local(_)) => {
            meet(&digits(&then), &digits(&now))
        }
    }
}

/// Disks know parts of a second; a time without them may have been cut.
fn differ_in_fraction(a: &Mtime, b: &Mtime) -> bool {
    let [a, b] = [a, b].map(|mtime| mtime.at.timestamp_subsec_nanos());
    a != 0 && b != 0 && a != b
}

/// Returns whether two entries have the same permission bits, as far as both tell them and they are carried.
pub(super) fn has_bits_of(a: &Entry, b: &Entry) -> bool {
    let bits = |mode: u16| mode & CARRIED_BITS;
    a.mode.zip(b.mode).is_none_or(|(a, b)| bits(a) == bits(b))
}
