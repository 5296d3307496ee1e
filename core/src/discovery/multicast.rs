//! Knows who is alive from the adverts it hears; is told datagrams and the time; answers with services found and
//! lost, and with adverts of its own (semantics reference, sections 2.3 and 2.6).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::Output;
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Address, Host, Service};
use crate::wire::{Advert, AdvertError, AdvertStatus};

/// How to listen and speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The group: the text that adverts begin with.
    pub group: String,
    /// How often to advertise.
    pub period: Duration,
    /// After how much silence a service is lost.
    pub silence_max: Duration,
    /// How many services are known at most.
    pub services_max: usize,
    /// How many adverts a second are listened to from one address.
    pub adverts_per_second_max: u32,
}

/// What was heard and not listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MulticastStats {
    /// Datagrams that were no adverts.
    pub malformed: u64,
    /// Adverts of services that can't be dialled, such as `ssl://`.
    pub unsupported: u64,
    /// Adverts dropped because their sender sent too many.
    pub over_rate: u64,
    /// Adverts dropped because enough services were known.
    pub over_count: u64,
}

/// The multicast agent of one group.
#[derive(Debug)]
pub(crate) struct Multicast {
    settings: Settings,
    own: Vec<(Service, IpAddr)>,
    heard: BTreeMap<Service, Heard>,
    advertise_at: Option<Instant>, // None until there is something to advertise.
    advertised_at: Option<Instant>,
    silent_at: Option<Instant>, // Before this nobody can have been silent for too long; asked after every input.
    senders: BTreeMap<IpAddr, u32>, // Adverts within the current second.
    second: Instant,
    stats: MulticastStats,
}

#[derive(Debug)]
struct Heard {
    at: Instant,
    address: Address,
}

impl Multicast {
    /// An agent that has heard nothing and has nothing to advertise yet.
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            own: Vec::new(),
            heard: BTreeMap::new(),
            advertise_at: None,
            advertised_at: None,
            silent_at: None,
            senders: BTreeMap::new(),
            second: now,
            stats: MulticastStats::default(),
        }
    }

    /// Advertises the broker under these addresses from now on, each on the interface that has it.
    pub(crate) fn publish(&mut self, now: Instant, addresses: &[SocketAddr], out: &mut Outbox<Output>) {
        let own = addresses.iter().map(|at| (Service(alloc::format!("{}", Address::from(*at))), at.ip())).collect();
        if self.own == own {
            return;
        }
        self.own = own;
        for (service, _) in &self.own {
            if let Some(heard) = self.heard.remove(service) {
                // Whoever was there before us is gone.
                out.push(Output::Lost { service: service.clone(), address: heard.address, left: true });
            }
        }
        self.advertise(now, out);
    }

    /// Hears a datagram.
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, data: &[u8], out: &mut Outbox<Output>) {
        if !self.admit(now, from.ip()) {
            self.stats.over_rate += 1;
            Situation::AdvertOverRate.met();
            return;
        }
        let advert = match Advert::decode(&self.settings.group, data) {
            Ok(advert) => advert,
            Err(AdvertError::OtherGroup) => return,
            Err(error) => {
                self.stats.malformed += 1;
                tracing::debug!(%from, %error, "a datagram was dropped");
                return;
            }
        };
        if self.own.iter().any(|(own, _)| *own == advert.service) {
            return; // Our own advert, looped back by the group.
        }
        match advert.status {
            AdvertStatus::Alive => self.hear_alive(now, from, advert.service, out),
            AdvertStatus::Dead => {
                if let Some(heard) = self.heard.remove(&advert.service) {
                    Situation::ServiceLeft.met();
                    out.push(Output::Lost { service: advert.service, address: heard.address, left: true });
                }
            }
        }
    }

    /// Advertises, and forgets who has been silent for too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        if self.advertise_at.is_some_and(|at| at <= now) {
            self.advertise(now, out);
        }
        if self.silent_at.is_some_and(|at| at <= now) {
            let silence_max = self.settings.silence_max;
            for (service, heard) in self.heard.extract_if(.., |_, heard| heard.at + silence_max <= now) {
                Situation::ServiceSilent.met();
                out.push(Output::Lost { service, address: heard.address, left: false });
            }
            self.silent_at = self.heard.values().map(|heard| heard.at + silence_max).min();
        }
    }

    /// Tells the group that the broker leaves.
    pub(crate) fn handle_stop(&mut self, out: &mut Outbox<Output>) {
        self.advertise_at = None;
        self.announce(AdvertStatus::Dead, out);
        self.own.clear();
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.advertise_at, self.silent_at].into_iter().flatten().min()
    }

    /// The services advertised.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Service> {
        self.own.iter().map(|(service, _)| service)
    }

    /// How many services are known.
    pub(crate) fn known(&self) -> usize {
        self.heard.len()
    }

    /// What was heard and not listened to.
    pub(crate) fn stats(&self) -> MulticastStats {
        self.stats
    }

    fn hear_alive(&mut self, now: Instant, from: SocketAddr, service: Service, out: &mut Outbox<Output>) {
        if let Some(heard) = self.heard.get_mut(&service) {
            heard.at = now;
            return;
        }
        let Ok(mut address) = service.0.parse::<Address>() else {
            self.stats.unsupported += 1;
            return;
        };
        if self.heard.len() >= self.settings.services_max {
            self.stats.over_count += 1;
            Situation::AdvertOverCount.met();
            return;
        }
        if matches!(address.host, Host::Name(_)) {
            address.host = Host::Ip(from.ip()); // ActiveMQ advertises its host's name, which only its own network may know.
        }
        self.heard.insert(service.clone(), Heard { at: now, address: address.clone() });
        self.silent_at.get_or_insert(now + self.settings.silence_max);
        // An answer to everybody, from everybody, would cost a group the square of its size for each newcomer.
        let is_newcomer = self.advertised_at.is_some_and(|at| now - at >= CROSSING_MAX);
        out.push(Output::Found { service, address, is_newcomer });
    }

    fn admit(&mut self, now: Instant, from: IpAddr) -> bool {
        if now - self.second >= Duration::from_secs(1) {
            self.second = now;
            self.senders.clear();
        }
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&from) {
            return false;
        }
        let count = self.senders.entry(from).or_insert(0);
        *count = count.saturating_add(1);
        *count <= self.settings.adverts_per_second_max
    }

    fn advertise(&mut self, now: Instant, out: &mut Outbox<Output>) {
        self.advertise_at = Some(now + self.settings.period);
        self.advertised_at = Some(now);
        self.announce(AdvertStatus::Alive, out);
    }

    fn announce(&self, status: AdvertStatus, out: &mut Outbox<Output>) {
        for (service, via) in &self.own {
            let data = Advert { status, service: service.clone() }.encode(&self.settings.group);
            out.push(Output::Announce { via: Some(*via), data });
        }
    }
}

/// For how long two first adverts may be on their way to each other: whoever is heard of later than that after our last
/// one had not joined the group when that was sent. Who had, on a busy machine, is dialled by both, which costs a link.
const CROSSING_MAX: Duration = Duration::from_millis(5);
/// From how many addresses adverts are counted within a second; further addresses wait for the next.
const SENDERS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn settings() -> Settings {
        Settings {
            group: "g".into(),
            period: Duration::from_millis(500),
            silence_max: Duration::from_secs(5),
            services_max: 3,
            adverts_per_second_max: 10,
        }
    }

    fn at(host: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], 6155))
    }

    fn hear(agent: &mut Multicast, now: u64, status: AdvertStatus, service: &str) -> Vec<Output> {
        let mut out = Outbox::new();
        let data = Advert { status, service: Service(service.into()) }.encode("g");
        agent.handle_datagram(Instant::from_millis(now), at(9), &data, &mut out);
        out.drain().collect()
    }

    fn wake(agent: &mut Multicast, now: u64) -> Vec<Output> {
        let mut out = Outbox::new();
        agent.handle_timeout(Instant::from_millis(now), &mut out);
        out.drain().collect()
    }

    fn publishing() -> Multicast {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        let mut out = Outbox::new();
        agent.publish(Instant::ZERO, &[SocketAddr::from(([10, 0, 0, 1], 77))], &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [alive()]);
        agent
    }

    fn alive() -> Output {
        let data = b"g.ActiveMQ-4.alive.%localhost%tcp://10.0.0.1:77";
        Output::Announce { via: Some(at(1).ip()), data: bytes::Bytes::from_static(data) }
    }

    fn found(text: &str) -> Output {
        Output::Found { service: Service(text.into()), address: text.parse().expect("an address"), is_newcomer: false }
    }

    fn lost(text: &str, left: bool) -> Output {
        Output::Lost { service: Service(text.into()), address: text.parse().expect("an address"), left }
    }

    #[test]
    fn who_comes_later_than_an_advert_of_ours_is_a_newcomer_and_makes_nobody_advertise() {
        for (heard_at, expected) in [(4, false), (5, true)] {
            let mut agent = publishing();
            let service = "tcp://10.0.0.2:1";
            let Output::Found { service: found, address, .. } = found(service) else { unreachable!("it is found") };
            let found = Output::Found { service: found, address, is_newcomer: expected };
            assert_eq!(hear(&mut agent, heard_at, AdvertStatus::Alive, service), [found], "after {heard_at} ms");
            assert_eq!(hear(&mut agent, 200, AdvertStatus::Alive, service), []);
            assert_eq!(agent.poll_timeout(), Some(Instant::from_millis(500)));
            assert_eq!(wake(&mut agent, 500), [alive()]);
        }
    }

    #[test]
    fn ones_own_advert_means_nothing() {
        assert_eq!(hear(&mut publishing(), 1, AdvertStatus::Alive, "tcp://10.0.0.1:77"), []);
        assert_eq!(hear(&mut publishing(), 1, AdvertStatus::Dead, "tcp://10.0.0.1:77"), []);
    }

    #[test]
    fn who_was_found_at_ones_own_address_is_lost() {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        let service = "tcp://10.0.0.1:77";
        assert_eq!(hear(&mut agent, 1, AdvertStatus::Alive, service), [found(service)]);
        let mut out = Outbox::new();
        agent.publish(Instant::from_millis(2), &[SocketAddr::from(([10, 0, 0, 1], 77))], &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [lost(service, true), alive()]);
    }

    #[test]
    fn who_leaves_is_lost_at_once_and_who_falls_silent_after_a_while() {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        hear(&mut agent, 0, AdvertStatus::Alive, "tcp://h:1");
        hear(&mut agent, 10, AdvertStatus::Alive, "tcp://10.0.0.2:1");
        let gone = hear(&mut agent, 20, AdvertStatus::Dead, "tcp://10.0.0.2:1");
        assert_eq!(gone, [lost("tcp://10.0.0.2:1", true)]);
        assert_eq!(hear(&mut agent, 21, AdvertStatus::Dead, "tcp://10.0.0.2:1"), []);
        assert_eq!(wake(&mut agent, 4999), []);
        assert_eq!(agent.poll_timeout(), Some(Instant::from_millis(5000)));
        let silent = wake(&mut agent, 5000);
        assert!(matches!(&silent[..], [Output::Lost { left: false, .. }]), "{silent:?}");
        assert_eq!(agent.poll_timeout(), None);
    }

    #[test]
    fn a_host_name_gives_way_to_the_datagrams_source() {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        let expected = Output::Found {
            service: Service("tcp://unknown-host:5".into()),
            address: "tcp://10.0.0.9:5".parse().expect("an address"),
            is_newcomer: false,
        };
        assert_eq!(hear(&mut agent, 0, AdvertStatus::Alive, "tcp://unknown-host:5"), [expected]);
    }

    #[test]
    fn noise_is_counted_and_changes_nothing() {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        let mut out = Outbox::new();
        agent.handle_datagram(Instant::ZERO, at(9), b"groupZ.ActiveMQ-4.alive.x", &mut out);
        agent.handle_datagram(Instant::ZERO, at(9), b"\xff\xff", &mut out);
        agent.handle_datagram(Instant::ZERO, at(9), b"g.ActiveMQ-4.alive.x", &mut out);
        assert!(out.is_empty());
        assert_eq!(hear(&mut agent, 0, AdvertStatus::Alive, "ssl://10.0.0.2:1"), []);
        let expected = MulticastStats { malformed: 2, unsupported: 1, ..MulticastStats::default() };
        assert_eq!(agent.stats(), expected);
    }

    #[test]
    fn floods_are_bounded_in_number_and_rate() {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        for n in 1..=20 {
            hear(&mut agent, 0, AdvertStatus::Alive, &format!("tcp://10.0.0.2:{n}"));
        }
        assert_eq!((agent.known(), agent.stats().over_count, agent.stats().over_rate), (3, 7, 10));
        hear(&mut agent, 1000, AdvertStatus::Dead, "tcp://10.0.0.2:1");
        assert_eq!(agent.known(), 2, "a new second, a new allowance");
    }

    #[test]
    fn senders_are_listened_to_up_to_their_limit_within_a_second() {
        let mut agent = Multicast::new(settings(), Instant::ZERO);
        let data = Advert { status: AdvertStatus::Alive, service: Service("ssl://h:1".into()) }.encode("g");
        let mut hear = |now, sender: u16| {
            let [high, low] = sender.to_be_bytes();
            let from = SocketAddr::from(([10, 1, high, low], 1));
            agent.handle_datagram(Instant::from_millis(now), from, &data, &mut Outbox::new());
            (agent.stats().unsupported, agent.stats().over_rate)
        };
        for sender in 0..1024 {
            assert_eq!(hear(0, sender), (u64::from(sender) + 1, 0));
        }
        assert_eq!(hear(0, 1024), (1024, 1));
        assert_eq!(hear(999, 0), (1025, 1), "one that was heard in this second");
        assert_eq!(hear(999, 1024), (1025, 2));
        assert_eq!(hear(1000, 1024), (1026, 2), "a new second");
    }

    #[test]
    fn what_is_advertised_can_be_asked() {
        let own = |agent: &Multicast| agent.own().cloned().collect::<Vec<_>>();
        assert_eq!(own(&Multicast::new(settings(), Instant::ZERO)), []);
        assert_eq!(own(&publishing()), [Service("tcp://10.0.0.1:77".into())]);
    }

    #[test]
    fn leaving_tells_the_group_and_ends_the_adverts() {
        let mut agent = publishing();
        let mut out = Outbox::new();
        agent.handle_stop(&mut out);
        let data = bytes::Bytes::from_static(b"g.ActiveMQ-4.dead.%localhost%tcp://10.0.0.1:77");
        assert_eq!(out.drain().collect::<Vec<_>>(), [Output::Announce { via: Some(at(1).ip()), data }]);
        assert_eq!(agent.poll_timeout(), None);
    }

    proptest! {
        /// Invariants V1 and R6: found and lost strictly alternate per service, and waking leaves nothing overdue.
        #[test]
        fn found_and_lost_alternate(steps in proptest::collection::vec((0_u64..3000, 0_u8..4, 0_u8..3), 1..80)) {
            let mut agent = Multicast::new(Settings { adverts_per_second_max: 1000, ..settings() }, Instant::ZERO);
            let (mut now, mut known) = (0, alloc::collections::BTreeSet::new());
            for (wait, host, what) in steps {
                now += wait;
                let service = format!("tcp://10.0.0.{host}:1");
                let outputs = match what {
                    0 => hear(&mut agent, now, AdvertStatus::Alive, &service),
                    1 => hear(&mut agent, now, AdvertStatus::Dead, &service),
                    _ => wake(&mut agent, now),
                };
                for output in outputs {
                    match output {
                        Output::Found { service, .. } => prop_assert!(known.insert(service)),
                        Output::Lost { service, .. } => prop_assert!(known.remove(&service)),
                        Output::Announce { .. } => (),
                    }
                }
                if what == 2 {
                    prop_assert!(agent.poll_timeout().is_none_or(|at| at > Instant::from_millis(now)));
                }
            }
        }
    }
}
