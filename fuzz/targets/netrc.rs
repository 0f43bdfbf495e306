//! `.netrc` files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneway::config::Netrc;

fuzz_target!(|text: &str| {
    let netrc = Netrc::parse(text, None);
    if let Some(entry) = netrc.find("h", None) {
        assert!(entry.login.is_some());
    }
    netrc.find("h", Some(b"u"));
});
