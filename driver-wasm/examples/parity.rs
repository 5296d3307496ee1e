//! The native twin of `tests/node.mjs`: the same runs for each seed, one line a run with the seed, the run's name, its
//! trace hash and how many messages were delivered.
//!
//! ```text
//! cargo run -p flockmq-wasm --example parity -- 1 2a ffff
//! ```

use std::env;
use std::process::ExitCode;

use flockmq_wasm::{Fault, World, simulate};

fn main() -> ExitCode {
    for seed in env::args().skip(1) {
        for (name, run) in [("peers", peers as Call), ("fanout", fanout), ("drawn", drawn)] {
            match run(&seed) {
                Ok((hash, delivered)) => println!("{seed} {name} {hash} {delivered}"),
                Err(fault) => {
                    eprintln!("seed {seed}, {name}: {fault}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

type Call = fn(&str) -> Result<(String, usize), Fault>;

/// Two peers find each other and link up, are cut off from each other for a while, and one crashes and comes back;
/// messages flow throughout. Call by call the same as `peers` in `tests/node.mjs`.
fn peers(seed: &str) -> Result<(String, usize), Fault> {
    let mut world = World::new(seed)?;
    let a = world.add_peer("peer://flock/a")?;
    let b = world.add_peer("peer://flock/b")?;
    world.subscribe(b, "topic://prices.>")?;
    world.subscribe(b, "queue://orders")?;
    world.subscribe(a, "queue://answers")?;
    world.run_for(5000.0)?;
    let mut delivered = 0;
    for part in ["before", "during", "after"] {
        if part == "during" {
            world.cut(a, b)?;
        }
        for number in 0..20 {
            world.send(a, "topic://prices.gold", &format!("{part} {number}"))?;
            world.send(a, "queue://orders", &format!("{part} {number}"))?;
            world.send(b, "queue://answers", &format!("{part} {number}"))?;
            world.run_for(50.0)?;
            delivered += take(&mut world, a)? + take(&mut world, b)?;
        }
        world.run_for(60_000.0)?;
        if part == "during" {
            world.heal(a, b)?;
            world.run_for(60_000.0)?;
        }
        delivered += take(&mut world, a)? + take(&mut world, b)?;
    }
    world.crash(a)?;
    world.run_for(5000.0)?;
    world.restart(a)?;
    world.run_for(5000.0)?;
    world.send(a, "queue://orders", "reborn")?;
    world.run_for(1000.0)?;
    delivered += take(&mut world, a)? + take(&mut world, b)?;
    Ok((world.trace_hash(), delivered))
}

/// A client sends to two brokers and consumes from both; one of them crashes and comes back, and later is cut off for a
/// moment; messages flow throughout. Call by call the same as `fanout` in `tests/node.mjs`.
fn fanout(seed: &str) -> Result<(String, usize), Fault> {
    let mut world = World::new(seed)?;
    let a = world.add_broker("peer://flock/a")?;
    let b = world.add_broker("peer://flock/b")?;
    let client = world.add_client("fanout:(multicast://default?group=flock)?minAckCount=2")?;
    for broker in [a, b] {
        world.subscribe(broker, "topic://prices.>")?;
        world.subscribe(broker, "queue://orders")?;
    }
    world.subscribe(client, "queue://answers")?;
    world.run_for(5000.0)?;
    let mut delivered = 0;
    for part in ["before", "during", "after"] {
        if part == "during" {
            world.crash(b)?;
        }
        for number in 0..20 {
            if part == "after" && number == 5 {
                world.cut(client, b)?;
            }
            world.send(client, "topic://prices.gold", &format!("{part} {number}"))?;
            world.send(client, "queue://orders", &format!("{part} {number}"))?;
            world.send(a, "queue://answers", &format!("{part} {number}"))?;
            world.run_for(50.0)?;
            delivered += take(&mut world, a)? + take(&mut world, client)?;
            if part == "after" && number == 15 {
                world.heal(client, b)?;
            }
        }
        if part == "during" {
            world.restart(b)?;
            world.subscribe(b, "topic://prices.>")?;
            world.subscribe(b, "queue://orders")?;
        }
        world.run_for(20_000.0)?;
        delivered += take(&mut world, a)? + take(&mut world, b)? + take(&mut world, client)?;
    }
    Ok((world.trace_hash(), delivered))
}

/// A scenario drawn from the seed, with faults.
fn drawn(seed: &str) -> Result<(String, usize), Fault> {
    let run = simulate(seed, 3, None)?;
    Ok((run.trace_hash, usize::try_from(run.delivered).expect("few messages")))
}

/// Takes a host's events and counts the messages among them.
fn take(world: &mut World, host: u32) -> Result<usize, Fault> {
    let events = world.events(host)?;
    Ok(events.iter().filter_map(|event| event["deliveries"].as_array()).map(Vec::len).sum())
}
