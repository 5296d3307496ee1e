//! Where links come from: listeners, which accept only while they hold a slot, and dials.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use flockmq_core::{Address, Host, LinkId};
use tokio::net::{TcpListener, TcpStream};
use tracing::warn;

use crate::interface::Interface;
use crate::ready::Signal;

type Opening<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// A place where links are taken.
pub(crate) struct Listener {
    phase: Phase,
    slots: VecDeque<LinkId>,
    signal: Arc<Signal>,
    waker: Waker,
}

enum Phase {
    Opening(Opening<TcpListener>),
    Open { listener: TcpListener, addresses: Vec<SocketAddr> },
}

/// What a listener has to say.
#[derive(Debug)]
pub(crate) enum Taken {
    Failed(String),
    Link(LinkId, TcpStream, SocketAddr),
    Listening(Vec<SocketAddr>),
    Nothing,
}

impl Listener {
    /// Begins to open a listener.
    pub(crate) fn open(address: Address, signal: Arc<Signal>) -> Self {
        let opening = Box::pin(async move {
            match address.host {
                Host::Ip(ip) => TcpListener::bind((ip, address.port)).await,
                Host::Name(name) => TcpListener::bind((name.as_str(), address.port)).await,
            }
        });
        signal.raise();
        let waker = Waker::from(Arc::clone(&signal));
        Self { phase: Phase::Opening(opening), slots: VecDeque::new(), signal, waker }
    }

    /// Adds the name of a link to come.
    pub(crate) fn add_slot(&mut self, link: LinkId) {
        self.slots.push_back(link);
        self.signal.raise();
    }

    /// Takes a slot back; false if it was not there.
    pub(crate) fn remove_slot(&mut self, link: LinkId) -> bool {
        let count = self.slots.len();
        self.slots.retain(|slot| *slot != link);
        self.slots.len() < count
    }

    /// The slots that nobody has connected to.
    pub(crate) fn slots(&self) -> impl Iterator<Item = LinkId> {
        self.slots.iter().copied()
    }

    /// The one next thing there is to say.
    pub(crate) fn take(&mut self, interfaces: &[Interface]) -> Taken {
        self.signal.lower();
        let mut context = Context::from_waker(&self.waker);
        match &mut self.phase {
            Phase::Opening(opening) => match opening.as_mut().poll(&mut context) {
                Poll::Pending => Taken::Nothing,
                Poll::Ready(Err(error)) => Taken::Failed(error.to_string()),
                Poll::Ready(Ok(listener)) => {
                    self.phase = Phase::Open { listener, addresses: Vec::new() };
                    self.signal.raise();
                    Taken::Listening(self.refresh(interfaces).unwrap_or_default()) // None if no interface is up.
                }
            },
            Phase::Open { .. } if self.slots.is_empty() => Taken::Nothing,
            Phase::Open { listener, .. } => match listener.poll_accept(&mut context) {
                Poll::Pending => Taken::Nothing,
                Poll::Ready(Ok((stream, remote))) => {
                    self.signal.raise();
                    self.slots.pop_front().map_or(Taken::Nothing, |link| Taken::Link(link, stream, remote))
                }
                Poll::Ready(Err(error)) if is_about_one_link(&error) => {
                    self.signal.raise();
                    Taken::Nothing
                }
                Poll::Ready(Err(error)) => {
                    warn!(%error, "no link could be accepted; trying again soon"); // At the next look around.
                    Taken::Nothing
                }
            },
        }
    }

    /// The addresses at which the listener can be reached now, if they have changed; tries again what failed.
    pub(crate) fn refresh(&mut self, interfaces: &[Interface]) -> Option<Vec<SocketAddr>> {
        self.signal.raise();
        let Phase::Open { listener, addresses } = &mut self.phase else {
            return None;
        };
        let found = reachable_at(listener.local_addr().ok()?, interfaces);
        if found == *addresses {
            return None;
        }
        addresses.clone_from(&found);
        Some(found)
    }
}

/// A connection on its way.
pub(crate) struct Dial {
    connecting: Opening<TcpStream>,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Dial {
    /// Begins to connect; resolving the name is part of the time it may take.
    pub(crate) fn start(address: Address, timeout: Duration, signal: Arc<Signal>) -> Self {
        let connecting = Box::pin(async move {
            let connecting = async {
                match &address.host {
                    Host::Ip(ip) => TcpStream::connect((*ip, address.port)).await,
                    Host::Name(name) => TcpStream::connect((name.as_str(), address.port)).await,
                }
            };
            let timed_out = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {timeout:?}"));
            tokio::time::timeout(timeout, connecting).await.map_err(timed_out)?
        });
        signal.raise();
        let waker = Waker::from(Arc::clone(&signal));
        Self { connecting, signal, waker }
    }

    /// The connection, or why there is none.
    pub(crate) fn poll(&mut self) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.signal.lower();
        let stream = std::task::ready!(self.connecting.as_mut().poll(&mut Context::from_waker(&self.waker)))?;
        let remote = stream.peer_addr()?;
        Poll::Ready(Ok((stream, remote)))
    }

    /// The bell, to be handed on to the link.
    pub(crate) fn into_signal(self) -> Arc<Signal> {
        self.signal
    }
}

/// Every address under which a listener bound to `local` can be reached; loopback last, as interfaces are.
fn reachable_at(local: SocketAddr, interfaces: &[Interface]) -> Vec<SocketAddr> {
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let ips = interfaces.iter().flat_map(|interface| &interface.ips);
    let addresses = ips.filter(|ip| ip.is_ipv4() == local.is_ipv4() && !needs_scope(**ip));
    addresses.map(|ip| SocketAddr::new(*ip, local.port())).collect()
}

/// A link-local address means nothing without the interface, which others number differently.
fn needs_scope(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// True if the next connection may well be accepted.
fn is_about_one_link(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::{Ready, Source};
    use flockmq_core::ListenerId;

    async fn take(listener: &mut Listener, interfaces: &[Interface]) -> Taken {
        for _ in 0..100 {
            match listener.take(interfaces) {
                Taken::Nothing => tokio::time::sleep(Duration::from_millis(2)).await,
                taken => return taken,
            }
        }
        Taken::Nothing
    }

    async fn outcome(dial: &mut Dial) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            if let Poll::Ready(outcome) = dial.poll() {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn signal() -> Arc<Signal> {
        Signal::new(Source::Listener(ListenerId(1)), &Arc::new(Ready::default()))
    }

    #[tokio::test]
    async fn a_wildcard_listener_names_every_interface_and_accepts_only_into_slots() {
        let interfaces = Interface::all().expect("interfaces");
        let mut listener = Listener::open("tcp://0.0.0.0:0".parse().expect("an address"), signal());
        let Taken::Listening(addresses) = take(&mut listener, &interfaces).await else {
            panic!("not listening");
        };
        let last = addresses.last().copied().expect("an address");
        assert!(last.ip().is_loopback() && last.port() != 0, "{addresses:?}");
        assert_eq!(listener.refresh(&interfaces), None);
        assert_eq!(listener.refresh(&[]), Some(Vec::new()));

        let mut dial = Dial::start(last.into(), Duration::from_secs(5), signal());
        let (_stream, remote) = outcome(&mut dial).await.expect("the system completes connections by itself");
        assert_eq!(remote, last);
        assert!(matches!(take(&mut listener, &interfaces).await, Taken::Nothing));
        listener.add_slot(LinkId(8));
        listener.add_slot(LinkId(9));
        assert!(listener.remove_slot(LinkId(8)) && !listener.remove_slot(LinkId(8)));
        assert!(matches!(take(&mut listener, &interfaces).await, Taken::Link(LinkId(9), ..)));
    }

    #[tokio::test]
    async fn a_wildcard_listener_is_up_before_any_interface_is() {
        let mut listener = Listener::open("tcp://0.0.0.0:0".parse().expect("an address"), signal());
        assert!(matches!(take(&mut listener, &[]).await, Taken::Listening(addresses) if addresses.is_empty()));
        assert_eq!(listener.refresh(&[]), None);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_fails_and_so_does_a_name_that_does_not_resolve() {
        let holder = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = holder.local_addr().expect("an address").into();
        assert!(matches!(take(&mut Listener::open(address, signal()), &[]).await, Taken::Failed(_)));
        let name = "tcp://no-such-host.invalid:1".parse().expect("an address");
        let mut dial = Dial::start(name, Duration::from_secs(5), signal());
        assert!(outcome(&mut dial).await.is_err());
    }
}
