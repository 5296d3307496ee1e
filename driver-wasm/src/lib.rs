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
//! use flockmq_wasm::{Often, World};
//!
//! let mut world = World::new("2a")?;
//! world.add_peer("here", "peer://flock")?;
//! world.add_peer("there", "peer://flock")?;
//! world.subscribe("there", "topic://greetings")?;
//! world.run_for(5000.0)?;
//! world.publish("here", "topic://greetings", "hello", Often::ONCE)?;
//! world.run_for(1000.0)?;
//! assert!(world.events(true).iter().any(|event| event["type"] == "Delivered" && event["host"] == "there"));
//! assert_eq!(world.statistics()["delivered"], 1);
//! # Ok::<(), flockmq_wasm::Fault>(())
//! ```

mod agenda;
mod event;
mod fault;
mod flight;
mod ledger;
mod page;
mod simulate;
mod target;
mod view;
mod world;

pub use fault::Fault;
pub use simulate::{Run, simulate};
pub use world::{Often, World};
