//! URLs and paths that people type: no message holds a password, and nothing that FTP can't carry comes in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneway::config::Place;

fuzz_target!(|text: &str| {
    if let Ok(Place::Ftp { host, user, .. }) = Place::parse(text) {
        assert!(!host.bytes().any(|b| b < 0x20 || b == 0x7f));
        assert!(!user.unwrap_or_default().iter().any(|&b| b < 0x20 || b == 0x7f));
    }
});
