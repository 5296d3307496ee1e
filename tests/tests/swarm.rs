//! Whatever happens: nothing forbidden ever, and everything owed in the end.

use flockmq_tests::Campaign;

/// `FLOCKMQ_SEEDS=N` runs N seeds, `FLOCKMQ_SEEDS=A..B` those from A up to B, which is how a failure is had again.
#[test]
fn whatever_happens_no_promise_is_broken() {
    let wanted = std::env::var("FLOCKMQ_SEEDS").unwrap_or_else(|_| SEEDS.to_string());
    let number = |text: &str| text.parse::<u64>().expect("FLOCKMQ_SEEDS=N or FLOCKMQ_SEEDS=A..B");
    let seeds = match wanted.split_once("..") {
        None => 0..number(&wanted),
        Some((first, end)) => number(first)..number(end),
    };
    println!("{}", Campaign::run(seeds, STEPS_MAX));
}

const SEEDS: u64 = 200;
const STEPS_MAX: usize = 40;
