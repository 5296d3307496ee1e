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
//! Everything runs within the tokio runtime that [`connect`] is called in, as one task per broker. Futures may be
//! dropped at any time; each method says what that leaves behind.
//!
//! How it is built: one task owns the [`Node`](core::Node), which decides everything and does no I/O. Applications
//! leave messages in batches under a short lock, the task takes whole batches, feeds the node and does what it asks
//! of sockets; deliveries go back in batches as well. No message takes a lock, a channel or a wake-up of its own.

#![forbid(unsafe_code)]

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
mod producer;
mod ready;
mod sockets;
mod tcp;
mod udp;

pub use connection::Connection;
pub use consumer::{AckMode, Consumer, SubscribeOptions};
pub use delivery::Delivery;
pub use embedded::{Builder, connect, connect_with};
pub use error::Error;
pub use events::Events;
pub use message::{Message, ToDestination};
pub use producer::{Producer, Receipt};

pub use flockmq_core as core;
pub use flockmq_core::{
    BodyKind, BrokerId, CloseReason, Config, Destination, DestinationError, DestinationKind, Event,
    Message as Received, MessageError, MessageId, MulticastConfig, Peer, Properties, PropertiesError, Refusal, Seed,
    Service, Stats, Value,
};

/// The README's example is compiled, so that it stays one.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
