//! Peer-to-peer messaging with a broker embedded in every process: no server to install. Processes of a group find
//! each other by multicast, link up, and exchange messages by topics and queues (ActiveMQ's `peer://`).
//!
//! ```
//! use flockmq::Message;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), flockmq::Error> {
//! # let other_process = flockmq::Builder::from_uri(&uri("broker2"))?.connect().await?;
//! # let uri = uri("broker1"); let uri = uri.as_str();
//! // Usually "peer://groupA/broker1?persistent=false".
//! let connection = flockmq::connect(uri).await?;
//! connection.ready(1).await?; // One peer is up and knows what is wanted here.
//!
//! let mut orders = connection.subscribe("queue://orders.>").await?;
//! connection.send("queue://orders.eu", Message::text("42")).await?; // Accepted by the broker when this returns.
//! if let Some(delivery) = orders.next().await {
//!     assert_eq!(delivery.text()?, "42");
//!     delivery.ack().await?;
//! }
//! connection.close().await?; // Tells the group; then everything stops: sockets, tasks, broker.
//! # other_process.close().await
//! # }
//! # fn uri(name: &str) -> String {
//! #     let group = format!("doc-{}", std::process::id());
//! #     format!("peer://{group}/{name}?discovery.interface=127.0.0.1&transportConnectorURIs=tcp://127.0.0.1:0")
//! # }
//! ```
//!
//! A [`Connection`] makes [`Producer`]s and [`Consumer`]s; [`Connection::events`] tells of peers that come and go.
//! Everything runs within the tokio runtime that [`connect`] is called in, as one task per broker or client, and one for
//! each connection that makes requests. Futures
//! may be dropped at any time; each method says what that leaves behind.
//!
//! Another way is to be a client of many brokers at once (ActiveMQ's `fanout:`). What is sent to a topic goes to all
//! of them, and counts as accepted once as many have accepted it as were asked for; what is sent to a queue goes to
//! one. An [`Outcome`] names those that accepted, and [`Connection::targets`] tells how each fares:
//!
//! ```
//! # async fn example() -> Result<(), flockmq::Error> {
//! let connection = flockmq::connect("fanout:(multicast://default)?minAckCount=2").await?;
//! let outcome = connection.send("topic://prices.eu", "42").await?; // Once two brokers are up and have accepted it.
//! for acceptor in outcome.brokers() {
//!     println!("{} has it", acceptor.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Brokers to fan out to are peers of a group, or stand alone: [`connect_with`] shows how to start one.
//!
//! How it is built: one task owns the [`Node`](core::Node), which decides everything and does no I/O. Applications
//! leave messages in batches under a short lock, the task takes whole batches, feeds the node and does what it asks
//! of sockets; deliveries go back in batches as well. No message takes a lock, a channel or a wake-up of its own.

#![forbid(unsafe_code)]

mod admin;
mod advisories;
mod board;
mod browser;
mod clock;
mod connection;
mod consumer;
mod delivery;
mod desk;
mod driver;
mod embedded;
mod error;
mod events;
mod inbox;
mod interface;
mod link;
mod location;
mod message;
mod outcome;
mod producer;
mod ready;
mod request;
mod sockets;
mod tape;
mod tcp;
mod transaction;
mod udp;

pub use admin::Administration;
pub use advisories::{Advised, Advisories};
pub use browser::{BrowseOptions, Browser};
pub use connection::Connection;
pub use consumer::{AckMode, Consumer, SubscribeOptions};
pub use delivery::Delivery;
pub use embedded::{Builder, connect, connect_with};
pub use error::Error;
pub use events::Events;
pub use message::{Message, ToDestination, ToDestinations};
pub use outcome::{Acceptor, Outcome};
pub use producer::{Producer, Receipt};
pub use transaction::Transaction;

pub use flockmq_core as core;
pub use flockmq_core::{
    Address, Answer, BodyKind, BrokerId, CloseReason, Config, ConsumerPriority, ConsumerPriorityError, Destination,
    DestinationError, DestinationKind, DestinationStatus, Destinations, Durable, DurableError, Event, FanoutConfig,
    History, Inventory, Message as Received, MessageError, MessageId, MulticastConfig, Peer, Priority, PriorityError,
    Properties, PropertiesError, Refusal, Role, Seed, Selector, SelectorError, Service, Stats, Target, TargetState,
    Temporary, Value,
};

/// The README's example is compiled, so that it stays one.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
