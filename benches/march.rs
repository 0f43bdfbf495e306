//! How long an entry takes from its listing into the tree, and in the march over both trees.

use std::collections::BTreeMap;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use oneway::compare::march;
use oneway::model::Tree;

#[path = "samples/trees.rs"]
mod trees;

use trees::{FILES, entries, pair};

fn walk(c: &mut Criterion) {
    let mut group = c.benchmark_group("march");
    group.throughput(Throughput::Elements(FILES)).sample_size(20);
    let (source, destination) = pair();
    group.bench_function("both trees", |b| {
        b.iter(|| march(source.entries(), destination.entries()).count());
    });
    let unsorted = entries(0);
    group.bench_function("making a tree", |b| {
        b.iter_batched(
            || unsorted.clone(),
            |entries| Tree::new(entries, BTreeMap::new()),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, walk);
criterion_main!(benches);
