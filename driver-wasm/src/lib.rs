//! FlockMQ for JavaScript.
//!
//! So far it holds a [`World`] of simulated peers, brokers and clients, which runs the same brokers, links and discovery as
//! real processes do, in virtual time and over a network that can be broken on command, and [`simulate`], which plays a
//! scenario in such a world to its end. It knows
//! `flockmq_core`'s public names alone, is told what to do by JavaScript (`page`, whose class is also called `World`) or
//! by a native program, and answers with events as JSON. Equal seeds and equal calls give equal runs, here and natively,
//! down to the hash of the trace.
//!
//! ```
//! use flockmq_wasm::World;
//!
//! let mut world = World::new("2a")?;
//! let here = world.add_peer("peer://flock/here")?;
//! let there = world.add_peer("peer://flock/there")?;
//! world.subscribe(there, "topic://greetings")?;
//! world.run_for(5000.0)?;
//! world.send(here, "topic://greetings", "hello")?;
//! world.run_for(1000.0)?;
//! assert!(world.events(there)?.iter().any(|event| event["type"] == "Delivered"));
//! # Ok::<(), flockmq_wasm::Fault>(())
//! ```

mod event;
mod page;
mod simulate;
mod target;
mod world;

pub use simulate::{Run, simulate};
pub use world::{Fault, World};
