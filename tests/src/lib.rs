//! What whole-system tests share: worlds with applications on their hosts, an oracle that knows what is owed to whom,
//! and scenarios in which anything may happen; and a model of the broker, with trials that compare it with the real one. `docs/simulation.md` tells how to read, replay and extend a run.

mod application;
mod checks;
mod choice;
mod end;
mod flavour;
mod fuzz;
mod group;
mod ledger;
mod limit;
mod model;
mod mutant;
mod oracle;
mod puppet;
mod remains;
mod scenario;
mod stage;
mod step;
mod stranger;
mod swarm;
mod topology;
mod trial;
mod wish;

pub use application::{Acking, Received};
pub use choice::Choice;
pub use end::{End, hello};
pub use flavour::Deed;
pub use flockmq_core::sim::HostId;
pub use fuzz::fuzz_world;
pub use group::Group;
pub use ledger::Ledger;
pub use limit::Limit;
pub use mutant::{Finder, Mutant};
pub use oracle::{Oracle, Outcome};
pub use puppet::Puppet;
pub use remains::{Remains, entries, remains};
pub use scenario::{Report, Scenario};
pub use stage::{Stage, client, text_of};
pub use step::{Client, Step};
pub use stranger::{Mischief, Stranger};
pub use swarm::Campaign;
pub use topology::Topology;
pub use trial::{Trial, fuzz_broker};
