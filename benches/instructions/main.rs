//! The hot paths, each once, for `benches/instructions/run` to count their instructions: `instructions WORK` does one work
//! inside [`measured`], which is all that is counted, and prints its name and how many lines or entries it dealt with.
//! Without arguments, as `cargo bench` calls it, it prints the names of the works.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::io::{Write, stdout};

use oneway::compare::{CompareOptions, Side, march, questions};
use oneway::ftp::listing::Parser;
use oneway::model::{Evidence, Tree};
use oneway::plan::{PlanOptions, plan};

#[path = "../samples/listings.rs"]
mod listings;
#[path = "../samples/trees.rs"]
mod trees;

fn main() -> std::io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this is a program")]
    let name = std::env::args().nth(1).unwrap_or_default();
    for (work, what) in WORKS {
        if *work == name {
            let count = what();
            return writeln!(stdout(), "{count}");
        }
    }
    WORKS.iter().try_for_each(|(work, _)| writeln!(stdout(), "{work}"))
}

/// What is done, and how many lines or entries it deals with.
type Work = (&'static str, fn() -> u64);

const WORKS: &[Work] = &[
    ("listing-mlsd", || listing(0)),
    ("listing-unix", || listing(1)),
    ("listing-dos", || listing(2)),
    ("tree", || {
        let entries = trees::entries(0);
        measured(|| Tree::new(entries, BTreeMap::new()));
        trees::FILES
    }),
    ("march", || {
        let (source, destination) = trees::pair();
        measured(|| march(source.entries(), destination.entries()).count());
        trees::FILES
    }),
    ("questions", || {
        let (source, destination) = trees::pair();
        let (evidence, options) = (Evidence::default(), CompareOptions::default());
        measured(|| {
            questions(&source, &destination, &evidence, Side::Destination, &options, None).collect::<Vec<_>>()
        });
        trees::FILES
    }),
    ("plan-same", || {
        let (source, destination) = trees::pair();
        measured(|| {
            plan(&source, &destination, &BTreeSet::new(), &Evidence::default(), &PlanOptions::default())
        });
        trees::FILES
    }),
    ("plan-new", || {
        let (source, nothing) = (trees::pair().0, Tree::default());
        measured(|| plan(&source, &nothing, &BTreeSet::new(), &Evidence::default(), &PlanOptions::default()));
        trees::FILES
    }),
];

fn listing(family: usize) -> u64 {
    let (format, text) = listings::samples().into_iter().nth(family).expect("there are three");
    measured(|| {
        let mut parser = Parser::with_format(format, listings::now());
        parser.push(text.as_bytes());
        parser.finish()
    });
    listings::LINES
}

/// Only what this calls is counted: callgrind knows it by its name.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) {
    // What is dropped here would be dropped by whoever uses it, too.
    drop(black_box(black_box(work)()));
}
