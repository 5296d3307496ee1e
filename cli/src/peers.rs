//! `flockmq peers`: who is in a group, now or from now on.

use std::time::Duration;

use clap::Args;
use flockmq::{Connection, Events, Peer};
use serde_json::json;

use crate::change::Change;
use crate::failure::Failure;
use crate::out::{Out, Reader};
use crate::paint::{self, Paint};
use crate::place::Place;
use crate::record::Record;
use crate::stop::Stop;
use crate::subscribe::Format;
use crate::{duration, network, place, targets};

/// Show who is in a group, or watch them come and go.
///
/// To see the others this command joins the group as a peer, so they see it too while it runs. With fanout: it shows the
/// brokers that would be sent to, and they see a client.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq peers peer://groupA
  flockmq peers peer://groupA --for 3s --format json
  flockmq peers peer://groupA/watcher --watch
  flockmq peers 'fanout:(multicast://default)' --watch

A peer is 'up' when it is linked, 'ready' once both know what the other wants, and 'lost' when the link has ended. A
target of fanout: is 'found' when its address is known, 'up' when it takes messages, 'lost' when its link has ended and
'given up' when it is not dialled any more. The exit code is 0, also if nobody is there and when a watch is interrupted
or terminated.")]
pub(crate) struct Peers {
    #[arg(value_name = "URI", help = place::URI_HELP)]
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
    #[command(flatten)]
    record: Record,
}

impl Peers {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Place { builder, needed } = Place::read(&self.uri, &self.record)?;
        let duration = if self.watch { self.duration } else { Some(self.duration.unwrap_or(MOMENT)) };
        let mut stop = Stop::listen(duration)?;
        let (connection, events) = network::connect(&mut stop, builder).await?;
        let outcome = if self.watch {
            self.watch(events, &mut stop).await
        } else {
            stop.wait().await; // Whoever interrupts wants to see what is known so far.
            let mut out = Out::new();
            if needed.is_some() {
                self.list_targets(&mut out, &connection).await
            } else {
                self.list(&mut out, &connection)
            }
        };
        place::leave(&connection).await;
        outcome
    }

    fn list(&self, out: &mut Out, connection: &Connection) -> Result<(), Failure> {
        let mut peers = connection.peers();
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

    async fn list_targets(&self, out: &mut Out, connection: &Connection) -> Result<(), Failure> {
        let mut found = connection.targets().await?;
        found.sort_by(|a, b| (targets::name(a), &a.address).cmp(&(targets::name(b), &b.address)));
        if found.is_empty() {
            eprintln!("no brokers are known now");
        }
        let width = found.iter().map(|target| paint::name(targets::name(target)).chars().count()).max().unwrap_or(0);
        for target in &found {
            out.line(match self.format {
                Format::Json => targets::json(target).to_string(),
                Format::Text => targets::line(target, width),
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
            let gap = (count > 0).then(|| Change::of_gap(count));
            for change in gap.into_iter().chain(Change::of_event(&event)) {
                out.line(change.line(self.format, paint))?;
            }
        }
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
