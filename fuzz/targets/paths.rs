//! Paths: safe ones come back as they were, all others don't come in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneway::model::RelPath;

fuzz_target!(|bytes: &[u8]| {
    let Ok(path) = RelPath::parse(bytes) else { return };
    assert_eq!(path.as_bytes(), bytes);
    for name in bytes.split(|&b| b == b'/') {
        assert!(bytes.is_empty() || !(name.is_empty() || name == b"." || name == b".."));
        assert!(!name.contains(&0) && !name.contains(&b'\n') && !name.contains(&b'\r'));
    }
});
