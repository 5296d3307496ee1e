//! The native twin of `tests/runs.mjs`: one of its runs for each seed, a line each with the seed, the trace hash and how
//! many messages were delivered.
//!
//! ```text
//! cargo run -p flockmq-wasm --example parity -- peers 1 2a ffff
//! ```

use std::env;
use std::process::ExitCode;

use flockmq_wasm::{Fault, Often, World, simulate};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let run = match arguments.next().as_deref() {
        Some("drawn") => drawn,
        Some("fanout") => fanout,
        Some("peers") => peers,
        _ => {
            eprintln!("usage: parity drawn|fanout|peers SEED…");
            return ExitCode::from(2);
        }
    };
    for seed in arguments {
        match run(&seed) {
            Ok((hash, delivered)) => println!("{seed} {hash} {delivered}"),
            Err(fault) => {
                eprintln!("seed {seed}: {fault}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Two peers find each other and link up, are cut off from each other for a while, and one crashes and comes back;
/// messages flow throughout. Call by call the same as `peers` in `tests/runs.mjs`.
fn peers(seed: &str) -> Result<(String, u64), Fault> {
    let mut world = World::new(seed)?;
    world.add_peer("a", "peer://flock")?;
    world.add_peer("b", "peer://flock")?;
    world.subscribe("b", "topic://prices.>")?;
    world.answer("b", "queue://orders")?;
    world.subscribe("a", "queue://answers")?;
    world.run_for(5000.0)?;
    for part in ["before", "during", "after"] {
        if part == "during" {
            world.cut("a", "b")?;
        }
        for number in 0..20 {
            let text = format!("{part} {number}");
            world.publish("a", "topic://prices.gold", &text, Often::ONCE)?;
            world.request("a", "queue://orders", &text, Often::ONCE)?;
            world.publish("b", "queue://answers", &text, Often::ONCE)?;
            world.run_for(50.0)?;
        }
        world.run_for(60_000.0)?;
        if part == "during" {
            world.heal("a", "b")?;
            world.run_for(60_000.0)?;
        }
    }
    world.crash("a")?;
    world.run_for(5000.0)?;
    world.restart("a")?;
    world.run_for(5000.0)?;
    world.publish("a", "queue://orders", "reborn", Often::ONCE)?;
    world.run_for(1000.0)?;
    Ok(outcome(&mut world))
}

/// A client sends to two brokers and consumes from both; one of them crashes and comes back, and later is cut off for a
/// moment; messages flow throughout. Call by call the same as `fanout` in `tests/runs.mjs`.
fn fanout(seed: &str) -> Result<(String, u64), Fault> {
    let mut world = World::new(seed)?;
    world.add_broker("a", "peer://flock")?;
    world.add_broker("b", "peer://flock")?;
    world.add_fanout("client", "fanout:(multicast://default?group=flock)?minAckCount=2")?;
    for broker in ["a", "b"] {
        world.subscribe(broker, "topic://prices.>")?;
        world.subscribe(broker, "queue://orders")?;
    }
    world.subscribe("client", "queue://answers")?;
    world.run_for(5000.0)?;
    for part in ["before", "during", "after"] {
        if part == "during" {
            world.crash("b")?;
        }
        for number in 0..20 {
            if part == "after" && number == 5 {
                world.cut("client", "b")?;
            }
            let text = format!("{part} {number}");
            world.publish("client", "topic://prices.gold", &text, Often::ONCE)?;
            world.publish("client", "queue://orders", &text, Often::ONCE)?;
            world.publish("a", "queue://answers", &text, Often::ONCE)?;
            world.run_for(50.0)?;
            if part == "after" && number == 15 {
                world.heal("client", "b")?;
            }
        }
        if part == "during" {
            world.restart("b")?;
        }
        world.run_for(20_000.0)?;
    }
    Ok(outcome(&mut world))
}

/// A scenario drawn from the seed, with faults.
fn drawn(seed: &str) -> Result<(String, u64), Fault> {
    let run = simulate(seed, 3, None)?;
    Ok((run.trace_hash, run.delivered))
}

fn outcome(world: &mut World) -> (String, u64) {
    let delivered = world.statistics()["delivered"].as_u64().expect("a count");
    (world.trace_hash(), delivered)
}
