//! How long an entry takes to be decided: nearly all the same, and nothing there yet.

use std::collections::BTreeSet;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oneway::compare::{CompareOptions, Side, questions};
use oneway::model::{Evidence, Tree};
use oneway::plan::{PlanOptions, plan};

#[path = "samples/trees.rs"]
mod trees;

use trees::{FILES, pair};

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("plan");
    group.throughput(Throughput::Elements(FILES)).sample_size(20);
    let (source, destination) = pair();
    let (keeps, options) = (BTreeSet::new(), PlanOptions { delete: true, ..PlanOptions::default() });
    group.bench_function("one in a hundred differs", |b| {
        b.iter(|| plan(&source, &destination, &keeps, &Evidence::default(), &options));
    });
    let nothing = Tree::default();
    group.bench_function("all are new", |b| {
        b.iter(|| plan(&source, &nothing, &keeps, &Evidence::default(), &options));
    });
    let (evidence, by) = (Evidence::default(), CompareOptions::default());
    group.bench_function("which times to ask for", |b| {
        b.iter(|| {
            questions(&source, &destination, &evidence, Side::Destination, &by, None).collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
