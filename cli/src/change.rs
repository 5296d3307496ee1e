//! Something that happened around a broker or client, as a line.

use std::time::{SystemTime, UNIX_EPOCH};

use flockmq::Event;
use serde_json::json;

use crate::paint::{self, Paint, Style};
use crate::subscribe::Format;

/// Something that happened, for people and for programs.
#[derive(Debug)]
pub(crate) struct Change {
    what: &'static str,
    details: serde_json::Value,
    text: String,
    at: SystemTime,
}

impl Change {
    pub(crate) fn new(what: &'static str, details: serde_json::Value, text: String) -> Self {
        Self { what, details, text, at: SystemTime::now() }
    }

    /// So many events were not heard of.
    pub(crate) fn of_gap(count: u64) -> Self {
        Self::new("events missed", json!({ "count": count }), count.to_string())
    }

    /// An event that a user would notice; others are nobody's news.
    pub(crate) fn of_event(event: &Event) -> Option<Self> {
        Some(match event {
            Event::ClientLost { client, name, reason } => {
                let details = json!({ "name": name, "client": client.to_string(), "reason": reason.to_string() });
                Self::new("client lost", details, format!("{}: {reason}", paint::name(name)))
            }
            Event::ClientUp { client, name, remote } => {
                let details = json!({ "name": name, "client": client.to_string(), "remote": remote.to_string() });
                Self::new("client up", details, format!("{} at {remote}, {client}", paint::name(name)))
            }
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
            Event::TargetFound { address } => {
                Self::new("target found", json!({ "address": address.to_string() }), address.to_string())
            }
            Event::TargetGivenUp { address, attempts, reason } => {
                let details =
                    json!({ "address": address.to_string(), "attempts": attempts, "reason": reason.to_string() });
                Self::new("target given up", details, format!("{address} after {attempts} attempts: {reason}"))
            }
            Event::TargetLost { broker, name, address, reason } => {
                let details = json!({
                    "name": name,
                    "broker": broker.to_string(),
                    "address": address.to_string(),
                    "reason": reason.to_string(),
                });
                Self::new("target lost", details, format!("{} at {address}: {reason}", paint::name(name)))
            }
            Event::TargetUp { broker, name, address } => {
                let details = json!({ "name": name, "broker": broker.to_string(), "address": address.to_string() });
                Self::new("target up", details, format!("{} at {address}, {broker}", paint::name(name)))
            }
            _ => return None,
        })
    }

    /// The line, as it was asked for.
    pub(crate) fn line(self, format: Format, paint: Paint) -> String {
        match format {
            Format::Json => self.json(),
            Format::Text => self.text(paint),
        }
    }

    fn json(mut self) -> String {
        self.details["event"] = self.what.into();
        let millis = self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.details["timestamp"] = u64::try_from(millis).unwrap_or(u64::MAX).into();
        self.details.to_string()
    }

    fn text(&self, paint: Paint) -> String {
        let style = match self.what {
            "broker up" | "client up" | "peer ready" | "peer up" | "target up" => Style::Good,
            "peer lost" | "target given up" | "target lost" => Style::Bad,
            "client lost" | "target found" => Style::Faint,
            _ => Style::Warning,
        };
        format!("{} {}", paint.paint(style, self.what), paint::name(&self.text))
    }
}
