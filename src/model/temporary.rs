//! The names of the program's own files: those that are not whole yet, and the one that receipts are kept in on a server.
//!
//! They are recognised on both sides, by every run, and are never part of a tree.

use crate::model::RelPath;

const PREFIX: &[u8] = b".oneway-";
const SUFFIX: &[u8] = b".part";

/// The name of the file that receipts are kept in on a server.
pub const STATE_NAME: &str = ".oneway-state";

/// Returns the temporary path for `path`: in the same directory, and used by no other run, no other file of this one, and
/// no other try. A server may go on writing for a session that is long lost, and vsftpd keeps its file locked meanwhile.
pub fn temporary_for(path: &RelPath, run_id: u64, number: usize, serial: u32) -> RelPath {
    let unique = format!("{run_id:016x}-{number}-{serial}");
    let name = [PREFIX, unique.as_bytes(), SUFFIX].concat();
    let dir = path.parent().unwrap_or_else(RelPath::root);
    dir.join(name).expect("the name holds no separator")
}

/// Returns whether a file of this name is one of ours that is not whole.
pub fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Returns whether receipts are kept in a file of this name. Letters are taken in any case: on a side that doesn't tell them apart,
/// another spelling is the same file.
pub fn is_state(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(STATE_NAME.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_is_beside_its_target_and_known_by_its_name() {
        let path = temporary_for(&RelPath::parse("a/b.txt").unwrap(), 0xabc, 7, 1);
        assert_eq!(path.to_string(), "a/.oneway-0000000000000abc-7-1.part");
        assert!(is_temporary(path.name()));
        assert!(
            !is_temporary(b".oneway-notes")
                && !is_temporary(b"x.part")
                && !is_temporary(STATE_NAME.as_bytes())
        );
        assert!(is_state(b".oneway-state") && is_state(b".Oneway-State") && !is_state(b".oneway-state2"));
    }
}
