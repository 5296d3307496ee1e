//! The broker does as its model, which is its specification.

use flockmq_tests::Trial;

/// `FLOCKMQ_SEEDS=N` tries N seeds, `FLOCKMQ_SEEDS=A..B` those from A up to B, which is how a failure is had again.
#[test]
fn a_broker_does_as_the_model() {
    let wanted = std::env::var("FLOCKMQ_SEEDS").unwrap_or_else(|_| SEEDS.to_string());
    let number = |text: &str| text.parse::<u64>().expect("FLOCKMQ_SEEDS=N or FLOCKMQ_SEEDS=A..B");
    let seeds = match wanted.split_once("..") {
        None => 0..number(&wanted),
        Some((first, end)) => number(first)..number(end),
    };
    Trial::run(seeds);
}

const SEEDS: u64 = 2_000;
