//! Requests and replies, by temporary queues that are a connection's own.

use flockmq_core::sim::HostId;
use flockmq_core::{Body, Command, ConnectionId, ConsumerId, Destination, DestinationKind, Subscription, Temporary};

use super::Stage;

use crate::application::{Acking, Asked};

impl Stage {
    /// Opens a temporary queue, of a connection that is attached for this, and consumes from it.
    pub fn open_temporary(&mut self, host: HostId) -> ConsumerId {
        let broker = self.id(host);
        let application = self.application(host);
        let number = application.temporaries.map_or(1, |count| count + 1);
        if application.temporaries.replace(number).is_none() {
            let request = application.ask(Asked::Attach);
            self.command(host, Command::Attach { request, connection: CALLER });
        }
        let queue = Temporary { broker, connection: CALLER, number };
        self.application(host).reply_queue = Some(queue);
        self.subscribe_by(CALLER, host, Subscription::new(temporary(queue)), Acking::Automatic)
    }

    /// The temporary queue that a host has opened last, there or not.
    pub fn temporary(&self, host: HostId) -> Option<Destination> {
        self.applications[&host].reply_queue.map(temporary)
    }

    /// Sends a request to a service; the reply is wanted at a temporary queue.
    pub fn request(&mut self, host: HostId, service: &str, text: String) {
        if self.applications[&host].temporaries.is_none() {
            self.open_temporary(host);
        }
        let mut body = Body::text(text.clone());
        (body.headers.reply_to, body.headers.correlation_id) = (self.temporary(host), Some(text));
        self.send_bodies(host, service, vec![body]);
    }

    /// Ends the connection that temporary queues belong to, and so themselves.
    pub fn hang_up(&mut self, host: HostId) {
        if self.application(host).temporaries.take().is_none() {
            return;
        }
        for consumer in self.open_consumers(host) {
            if self.consumers[&consumer].1.connection == CALLER {
                self.closed(consumer);
            }
        }
        self.oracle.hung_up(self.id(host));
        let request = self.application(host).ask(Asked::Detach(Vec::new()));
        self.command(host, Command::Detach { request, connection: CALLER });
    }

    /// Replies to what was asked, as far as those who were asked still run.
    pub(super) fn reply_all(&mut self) {
        while let Some((host, to, reply)) = self.replies.pop_front() {
            if self.is_running(host) {
                self.send_bodies(host, &to.to_string(), vec![reply]);
            }
        }
    }
}

fn temporary(queue: Temporary) -> Destination {
    Destination::temporary(DestinationKind::Queue, queue)
}

/// The connection of whoever asks.
pub(super) const CALLER: ConnectionId = ConnectionId(3);
