//! `flockmq peers`: who is in a group, now or from now on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use flockmq::{Connection, Event, Events, Peer};
use serde_json::json;

use crate::failure::Failure;
use crate::out::{Out, Reader};
use crate::paint::{self, Paint, Style};
use crate::stop::Stop;
use crate::subscribe::Format;
use crate::{duration, network, place};

/// Show who is in a group, or watch them come and go.
///
/// To see the others this command joins the group as a peer, so they see it too while it runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq peers peer://groupA
  flockmq peers peer://groupA --for 3s --format json
  flockmq peers peer://groupA/watcher --watch

A peer is 'up' when it is linked, 'ready' once both know what the other wants, and 'lost' when the link has ended. The
exit code is 0, also if nobody is there and when a watch is interrupted or terminated.")]
pub(crate) struct Peers {
    #[arg(value_name = "URI", help = "peer://GROUP[/NAME][?OPTIONS]; see 'flockmq uri'")]
    uri: String,
    /// How long to look around; 1s unless watching, which goes on until interrupted
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Write every change as it happens
    #[arg(long)]
    watch: bool,
    /// How to write a peer or change
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Peers {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let builder = place::builder(&self.uri)?;
        let duration = if self.watch { self.duration } else { Some(self.duration.unwrap_or(MOMENT)) };
        let mut stop = Stop::listen(duration)?;
        let (connection, events) = network::open(&mut stop, async {
            let connection = builder.connect().await?;
            let events = connection.events();
            Ok((connection, events))
        })
        .await?;
        let outcome = if self.watch {
            self.watch(events, &mut stop).await
        } else {
            stop.wait().await; // Whoever interrupts wants to see what is known so far.
            self.list(&connection)
        };
        place::leave(&connection).await;
        outcome
    }

    fn list(&self, connection: &Connection) -> Result<(), Failure> {
        let (mut out, mut peers) = (Out::new(), connection.peers());
        peers.sort_by(|a, b| (&a.name, a.broker).cmp(&(&b.name, b.broker)));
        if peers.is_empty() {
            eprintln!("nobody else is in the group '{}' now", paint::name(connection.group()));
        }
        let names: Vec<String> = peers.iter().map(|peer| paint::name(&peer.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (peer, name) in peers.iter().zip(names) {
            let (id, remote) = (peer.broker, peer.remote);
            let state = if peer.is_ready { "ready" } else { "up" };
            out.line(match self.format {
                Format::Json => peer_json(peer).to_string(),
                Format::Text => format!("{name:width$}  {state:5}  {remote}  {id}"),
            })?;
        }
        Ok(())
    }

    async fn watch(&self, mut events: Events, stop: &mut Stop) -> Result<(), Failure> {
        let (mut out, reader, paint) = (Out::new(), Reader::new(), Paint::stdout());
        let mut missed = 0;
        loop {
            let event = tokio::select! {
                biased;
                _ = stop.wait() => return Ok(()),
                () = reader.gone() => return Err(Failure::OutputClosed),
                event = events.next() => event.ok_or(flockmq::Error::Closed)?,
            };
            let count = events.missed() - std::mem::replace(&mut missed, events.missed());
            let gap = (count > 0).then(|| Change::new("events missed", json!({ "count": count }), count.to_string()));
            for change in gap.into_iter().chain(Change::of_event(&event)) {
                out.line(match self.format {
                    Format::Json => change.json(),
                    Format::Text => change.text(paint),
                })?;
            }
        }
    }
}

/// Something that happened, for people and for programs.
struct Change {
    what: &'static str,
    details: serde_json::Value,
    text: String,
    at: SystemTime,
}

impl Change {
    fn new(what: &'static str, details: serde_json::Value, text: String) -> Self {
        Self { what, details, text, at: SystemTime::now() }
    }

    /// An event that a user would notice; others are nobody's news.
    fn of_event(event: &Event) -> Option<Self> {
        Some(match event {
            Event::DiscoveryFailed { reason } => {
                Self::new("discovery failed", json!({ "reason": reason }), reason.clone())
            }
            Event::LinkRefused { address, reason } => {
                let address = address.as_ref().map(ToString::to_string);
                let text = format!("{}: {reason}", address.as_deref().unwrap_or("a caller"));
                Self::new("link refused", json!({ "address": address, "reason": reason.to_string() }), text)
            }
            Event::ListenFailed { reason } => Self::new("listen failed", json!({ "reason": reason }), reason.clone()),
            Event::NameClash { name, broker } => {
                let details = json!({ "name": name, "broker": broker.to_string() });
                Self::new("name clash", details, format!("{} is also the name of {broker}", paint::name(name)))
            }
            Event::PeerLost { broker, name, reason } => {
                let details = json!({ "name": name, "broker": broker.to_string(), "reason": reason.to_string() });
                Self::new("peer lost", details, format!("{}: {reason}", paint::name(name)))
            }
            Event::PeerReady { broker, name } => {
                Self::new("peer ready", json!({ "name": name, "broker": broker.to_string() }), paint::name(name))
            }
            Event::PeerUp { broker, name, remote, .. } => {
                let details = json!({ "name": name, "broker": broker.to_string(), "remote": remote.to_string() });
                Self::new("peer up", details, format!("{} at {remote}, {broker}", paint::name(name)))
            }
            _ => return None,
        })
    }

    fn json(mut self) -> String {
        self.details["event"] = self.what.into();
        let millis = self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.details["timestamp"] = u64::try_from(millis).unwrap_or(u64::MAX).into();
        self.details.to_string()
    }

    fn text(&self, paint: Paint) -> String {
        let style = match self.what {
            "peer ready" | "peer up" => Style::Good,
            "peer lost" => Style::Bad,
            _ => Style::Warning,
        };
        format!("{} {}", paint.paint(style, self.what), paint::name(&self.text))
    }
}

fn peer_json(peer: &Peer) -> serde_json::Value {
    json!({
        "name": peer.name,
        "broker": peer.broker.to_string(),
        "remote": peer.remote.to_string(),
        "ready": peer.is_ready,
    })
}

/// How long to look around if nobody says.
const MOMENT: Duration = Duration::from_secs(1);
