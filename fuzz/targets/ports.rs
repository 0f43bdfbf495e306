//! Replies to EPSV and PASV: a port that may be connected to, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oneway::ftp::data::{parse_epsv, parse_pasv};

fuzz_target!(|text: &[u8]| {
    for port in [parse_epsv(text), parse_pasv(text)].into_iter().flatten() {
        assert!(port >= 1024 || port == 20 || port == 990);
    }
});
