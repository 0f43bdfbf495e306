//! One line of MLSD or MLST.
#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use oneway::ftp::listing::{ListingFormat, Mlsd};

fuzz_target!(|line: &[u8]| {
    let _ = Mlsd.parse(line, DateTime::from_timestamp(1_795_255_200, 0).expect("a day in 2026"));
    let _ = oneway::ftp::listing::timestamp(line);
});
