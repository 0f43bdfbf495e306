//! Listings of 1,000 files as three families of servers write them, alike in every run.

use chrono::{DateTime, TimeDelta, Utc};
use oneway::ftp::listing::{Dos, ListingFormat, Mlsd, Unix};

/// How many lines each has.
pub(crate) const LINES: u64 = 1_000;

/// A family with a listing of its own.
pub(crate) type Sample = (&'static dyn ListingFormat, String);

/// Returns the listing of each family.
pub(crate) fn samples() -> [Sample; 3] {
    [(&Mlsd, lines(mlsd)), (&Unix, lines(unix)), (&Dos, lines(dos))]
}

/// Returns the time at which the listings came, for dates without a year.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).expect("it is in the calendar")
}

fn lines(line: impl Fn(u64, u64, DateTime<Utc>) -> String) -> String {
    (0..LINES)
        .map(|i| line(i, i * 7919 % 1_000_000, now() - TimeDelta::minutes((i * 37).cast_signed())))
        .collect()
}

fn mlsd(i: u64, size: u64, mtime: DateTime<Utc>) -> String {
    let mtime = mtime.format("%Y%m%d%H%M%S");
    format!(
        "modify={mtime};perm=adfrw;size={size};type=file;unique=801U{i:X};UNIX.group=1;UNIX.mode=0644;UNIX.owner=1; page{i:05}.html\r\n"
    )
}

fn unix(i: u64, size: u64, mtime: DateTime<Utc>) -> String {
    format!("-rw-r--r--    1 1        1        {size:>8} {} page{i:05}.html\r\n", mtime.format("%b %d %H:%M"))
}

fn dos(i: u64, size: u64, mtime: DateTime<Utc>) -> String {
    format!("{}       {size:>14} page{i:05}.html\r\n", mtime.format("%m-%d-%y  %I:%M%p"))
}
