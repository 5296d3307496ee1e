//! The core of FlockMQ: an embedded message broker, discovery, links and bridges as one state machine that does no
//! I/O, reads no clock and draws no randomness of its own.
//!
//! A driver carries its bytes and waits; it decides nothing:
//!
//! ```
//! use flockmq_core::{Config, Input, Instant, Node, Seed};
//!
//! let mut now = Instant::ZERO;
//! let mut node = Node::new(Config::alone("here"), Seed::from(1), now);
//! while let Some(output) = node.poll_output() {
//!     // Perform `output`: connect, send, tell the application …
//! #   let _ = output;
//! }
//! if let Some(deadline) = node.poll_timeout() {
//!     now = deadline; // Or an earlier input, if one comes first.
//!     node.handle_input(now, Input::Timeout);
//! }
//! ```
//!
//! Rooms, lower ones knowing nothing of higher ones: `base` (time, chance, containers), `model` (the shared
//! nouns), `uri` and `wire` (text and bytes to nouns and back), the machines `discovery`, `dial`, `link`,
//! `client`, `broker` and `bridge`, then `node`, which carries each one's words to the next, and, behind the
//! feature `sim`, a simulated world of nodes.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod base;
mod bridge;
mod broker;
mod client;
mod dial;
mod discovery;
mod fanout;
mod link;
mod model;
mod node;
mod remote;
#[cfg(feature = "sim")]
pub mod sim;
pub mod uri;
pub mod wire;

pub use base::{Backoff, BackoffConfig, Instant, Rng, Seed, Situation, Timestamp};
pub use bridge::BridgeConfig;
pub use broker::{
    BrokerConfig, BrokerStats, Consumer, DeadLetterPolicy, DeadLetterQueue, DestinationPolicy, History, NonPersistent,
    Policies, PolicyEntry, RedeliveryPolicy, SlowConsumers, VirtualTopics, WhenFull,
};
pub use dial::{Dial, DialConfig, DialState};
pub use discovery::MulticastStats;
pub use fanout::FanoutConfig;
pub use link::LinkConfig;
pub use model::{
    Ack, AckExtent, AckKind, Address, AddressError, AdminReply, AdminRequest, Advisory, Answer, Body, BodyKind,
    BrokerId, CloseReason, ConnectionId, ConsumerId, ConsumerPriority, ConsumerPriorityError, Delivery, Demand,
    Destination, DestinationError, DestinationKind, DestinationStatus, Destinations, Durable, DurableError, GroupId,
    HeaderFields, Headers, Host, Inventory, LinkId, ListenerId, Message, MessageError, MessageId, Party, Path, Permits,
    Priority, PriorityError, ProducerId, Properties, PropertiesError, Refusal, RequestId, Role, Selector,
    SelectorError, Service, Subscription, Tag, Temporary, Value, What, selector,
};
pub use node::{
    Command, Config, ConfigError, ConnectorConfig, Event, Input, MulticastConfig, MulticastSocket, Node, Output, Peer,
    Stats, Target, TargetState, TransportConfig, recording,
};
pub use remote::RemoteConfig;
