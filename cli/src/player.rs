//! `flockmq player`, which only `flockmq demo` runs: one of its processes. It does what it is told on standard input
//! and tells on standard output what happens to it.

use clap::Args;
use flockmq::{Connection, Consumer, Event, Events, Message};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::out::Out;
use crate::stop::Stop;
use crate::{lines, network, place};

/// One process of the demo.
#[derive(Debug, Args)]
pub(crate) struct Player {
    uri: String,
    /// What it does with orders.
    #[arg(long)]
    takes_orders: bool,
}

/// What a player is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cue {
    /// Say this to everybody.
    Hello(String),
    /// Take leave.
    Leave,
    /// Place this order.
    Order(String),
}

/// What a player tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Told {
    /// Others can come.
    Joined { process: u32 },
    /// A topic's message came.
    Heard { from: String, text: String },
    /// An order came.
    Took { from: String, text: String },
    /// The answer to an order came.
    Receipt { from: String, text: String },
    /// A peer has gone.
    Lost { peer: String, reason: String },
    /// Demand was exchanged with a peer.
    Ready { peer: String },
    /// There is a link to a peer.
    Up { peer: String, remote: String },
}

impl Player {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let builder = place::builder(&self.uri)?;
        let mut stop = Stop::listen(None)?;
        let open = network::open(&mut stop, async move {
            let connection = builder.connect().await?;
            Ok(Open {
                events: connection.events(),
                news: connection.subscribe(NEWS).await?,
                orders: if self.takes_orders { Some(connection.subscribe(ORDERS).await?) } else { None },
                receipts: connection.subscribe(receipts_of(connection.name())).await?,
                connection,
            })
        });
        let mut open = open.await?;
        let outcome = tokio::select! {
            _ = stop.wait() => Ok(()),
            outcome = open.play() => outcome,
        };
        place::leave(&open.connection).await;
        outcome
    }
}

/// All that a player holds open.
struct Open {
    connection: Connection,
    events: Events,
    news: Consumer,
    orders: Option<Consumer>,
    receipts: Consumer,
}

impl Open {
    async fn play(&mut self) -> Result<(), Failure> {
        let Self { connection, events, news, orders, receipts } = self;
        let mut cues = lines::stdin();
        let mut out = Out::new();
        tell(&mut out, &Told::Joined { process: std::process::id() })?;
        loop {
            let order = async {
                match orders {
                    Some(orders) => orders.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                cue = cues.recv() => match cue {
                    Some(Ok(batch)) => for line in batch {
                        if !follow(connection, &line).await? {
                            return Ok(());
                        }
                    },
                    Some(Err(_)) | None => return Ok(()), // The demo has gone.
                },
                event = events.next() => {
                    if let Some(told) = event.and_then(told_of) {
                        tell(&mut out, &told)?;
                    }
                }
                Some(delivery) = news.next() => {
                    let told = Told::Heard { from: sender(&delivery), text: text(&delivery) };
                    if sender(&delivery) != connection.name() {
                        tell(&mut out, &told)?;
                    }
                }
                Some(delivery) = order => {
                    let (from, text) = (sender(&delivery), text(&delivery));
                    let receipt = Message::text(&text).property(FROM, connection.name()).map_err(flockmq::Error::from)?;
                    tell(&mut out, &Told::Took { from: from.clone(), text })?;
                    connection.send(receipts_of(&from).as_str(), receipt).await?;
                }
                Some(delivery) = receipts.next() => {
                    tell(&mut out, &Told::Receipt { from: sender(&delivery), text: text(&delivery) })?;
                }
            }
        }
    }
}

/// Does as told; false if that was the last.
async fn follow(connection: &Connection, line: &Message) -> Result<bool, Failure> {
    let cue = serde_json::from_slice(&line.body().data)
        .map_err(|error| Failure::Failed(format!("a cue can't be read: {error}")))?;
    let (to, text) = match cue {
        Cue::Hello(text) => (NEWS, text),
        Cue::Leave => return Ok(false),
        Cue::Order(text) => (ORDERS, text),
    };
    let message = Message::text(text).property(FROM, connection.name()).map_err(flockmq::Error::from)?;
    connection.send(to, message).await?;
    Ok(true)
}

fn tell(out: &mut Out, told: &Told) -> Result<(), Failure> {
    out.line(serde_json::to_string(told).expect("plain data has a JSON form"))
}

fn told_of(event: Event) -> Option<Told> {
    match event {
        Event::PeerLost { name, reason, .. } => Some(Told::Lost { peer: name, reason: reason.to_string() }),
        Event::PeerReady { name, .. } => Some(Told::Ready { peer: name }),
        Event::PeerUp { name, remote, .. } => Some(Told::Up { peer: name, remote: remote.to_string() }),
        _ => None,
    }
}

fn sender(delivery: &flockmq::Delivery) -> String {
    delivery.property(FROM).map(ToString::to_string).unwrap_or_default()
}

fn text(delivery: &flockmq::Delivery) -> String {
    delivery.text().unwrap_or_default().to_owned()
}

fn receipts_of(name: &str) -> String {
    format!("queue://demo.receipts.{name}")
}

/// The property that says who sent a message.
const FROM: &str = "from";

/// Where everybody says hello.
pub(crate) const NEWS: &str = "topic://demo.news";

/// Where orders are placed.
pub(crate) const ORDERS: &str = "queue://demo.orders";
