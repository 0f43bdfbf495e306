//! How long a line of a listing takes, for each family of servers: once with the family known, and once finding it out.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oneway::ftp::listing::{Listing, Parser};

#[path = "samples/listings.rs"]
mod listings;

use listings::{LINES, now, samples};

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("listing");
    group.throughput(Throughput::Elements(LINES));
    for (format, text) in samples() {
        group.bench_function(format.name(), |b| b.iter(|| read(Parser::with_format(format, now()), &text)));
        group.bench_function(format!("{}, to be found out", format.name()), |b| {
            b.iter(|| read(Parser::new(now()), &text));
        });
    }
    group.finish();
}

fn read(mut parser: Parser, text: &str) -> Listing {
    // About what comes in one segment.
    for part in black_box(text).as_bytes().chunks(1400) {
        parser.push(part);
    }
    let listing = parser.finish();
    assert_eq!(listing.entries.len() as u64, LINES, "every line is an entry");
    listing
}

criterion_group!(benches, parse);
criterion_main!(benches);
