//! Both sides of the contract: what a process must not do, and what a world never does whatever processes do.

use alloc::collections::BTreeMap;
use core::net::{SocketAddr, SocketAddrV4};

use super::*;

#[test]
#[should_panic(expected = "h0 sends on link 5, which does not exist")]
fn sending_on_an_unknown_link_breaks_the_contract() {
    let mut world = World::new(Seed::from(1));
    let a = world.add_puppet("a");
    send(&mut world, a, 5, "x");
}

#[test]
#[should_panic(expected = "h0 sends on link 1, which is")]
fn sending_before_a_link_is_up_breaks_the_contract() {
    let mut world = World::new(Seed::from(1));
    let a = world.add_puppet("a");
    connect(&mut world, a, 1, "tcp://a:1");
    send(&mut world, a, 1, "x");
}

#[test]
#[should_panic(expected = "h0 closes link 1 twice")]
fn closing_twice_breaks_the_contract() {
    let (mut world, a, _) = linked(1, Faults::default());
    close(&mut world, a, 1);
    close(&mut world, a, 1);
}

#[test]
#[should_panic(expected = "h0 closes link 1, which does not exist")]
fn closing_what_has_been_closed_breaks_the_contract() {
    let (mut world, a, b) = linked(1, Faults::default());
    close(&mut world, b, 2);
    world.run_for(seconds(1));
    close(&mut world, a, 1);
}

#[test]
#[should_panic(expected = "h0 has stopped, but says")]
fn saying_something_after_stopping_breaks_the_contract() {
    let mut world = World::new(Seed::from(1));
    let a = world.add_puppet("a");
    world.perform(a, Output::Event(Event::Stopped));
    connect(&mut world, a, 1, "tcp://a:1");
}

/// Puppets that dial, send, close and are mistreated at random; gives the hash of it all.
fn wild_puppets(seed: u64) -> (u64, Counts) {
    let mut world = World::new(Seed::from(seed));
    let mut rng = Rng::new(Seed::from(seed));
    world.set_faults(Faults::draw(&mut rng));
    let hosts = ["a", "b", "c"].map(|name| world.add_puppet(name));
    let mut models = hosts.map(|_| Model::default());
    for _ in 0..400 {
        let index = usize::try_from(rng.below(3)).unwrap();
        let (host, model) = (hosts[index], &mut models[index]);
        let other = *rng.pick(&hosts).unwrap();
        for input in heard(&mut world, host) {
            model.handle_input(input);
        }
        match rng.below(16) {
            0 if model.listener.is_none() => {
                model.listener = Some(ListenerId(1));
                let address = "tcp://0.0.0.0:5".parse().unwrap();
                world.perform(host, Output::Listen { listener: ListenerId(1), address });
            }
            0..3 => {
                if let Some(listener) = model.listener {
                    world.perform(host, Output::Accept { listener, link: model.name(Place::Slot) });
                }
            }
            3..6 => {
                let address = SocketAddr::V4(SocketAddrV4::new(other.ip(), 5)).into();
                world.perform(host, Output::Connect { link: model.name(Place::Slot), address });
            }
            6..10 => {
                if let Some(link) = model.pick(&mut rng, |place| place == Place::Open) {
                    let data = model.content(link, rng.below(3_000));
                    world.perform(host, Output::Send { link, data });
                }
            }
            10 => {
                if let Some(link) = model.pick(&mut rng, |place| place != Place::Closing) {
                    model.links.insert(link, Place::Closing);
                    world.perform(host, Output::Close { link });
                }
            }
            11 => world.cut_one_way(host, other),
            12 => world.heal(host, other),
            13 => world.reset(host, other),
            14 => {
                if rng.chance(1, 4) {
                    world.restart(host);
                    *model = Model::default();
                }
            }
            _ => {
                world.pause(host);
                world.run_for(Duration::from_millis(rng.below(100)));
                world.resume(host);
            }
        }
        world.run_for(Duration::from_micros(rng.below(20_000)));
    }
    // In the end every link that is asked to close is answered, and nothing else is left.
    world.set_faults(Faults::default());
    world.heal_all();
    world.run_for(seconds(200));
    for (host, model) in hosts.into_iter().zip(&mut models) {
        for input in heard(&mut world, host) {
            model.handle_input(input);
        }
        for (link, _) in model.links.iter().filter(|(_, place)| **place != Place::Closing) {
            world.perform(host, Output::Close { link: *link });
        }
    }
    world.run_for(seconds(200));
    for (host, model) in hosts.into_iter().zip(&mut models) {
        for input in heard(&mut world, host) {
            model.handle_input(input);
        }
        assert_eq!(model.links, BTreeMap::new(), "{host} of seed {seed}");
        assert_eq!(world.net.links(host), 0);
    }
    (world.trace_hash(), world.counts().clone())
}

/// What a puppet knows of its links; panics where the world breaks its side of the contract.
#[derive(Default)]
struct Model {
    links: BTreeMap<LinkId, Place>,
    listener: Option<ListenerId>,
    named: u64,
    read: BTreeMap<LinkId, u64>,
    written: BTreeMap<LinkId, (u64, u64)>, // Bytes sent, and how many were answered by credit.
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Closing,
    Open,
    Slot,
}

impl Model {
    fn name(&mut self, place: Place) -> LinkId {
        self.named += 1;
        self.links.insert(LinkId(self.named), place);
        LinkId(self.named)
    }

    fn pick(&self, rng: &mut Rng, wanted: impl Fn(Place) -> bool) -> Option<LinkId> {
        let links: Vec<_> = self.links.iter().filter(|(_, place)| wanted(**place)).map(|(link, _)| *link).collect();
        rng.pick(&links).copied()
    }

    /// The next `count` bytes of what this process says on a link.
    fn content(&mut self, link: LinkId, count: u64) -> Bytes {
        let (start, _) = self.written.entry(link).or_default();
        let end = *start + count;
        let data = (*start..end).map(Self::byte).collect();
        *start = end;
        data
    }

    fn byte(position: u64) -> u8 {
        (position % 251) as u8
    }

    fn handle_input(&mut self, input: Input) {
        match input {
            Input::Bytes { link, data } => {
                assert!(self.links[&link] != Place::Slot);
                let read = self.read.entry(link).or_default();
                for byte in data {
                    assert_eq!(byte, Self::byte(*read), "byte {read} of {link:?}");
                    *read += 1;
                }
            }
            Input::Sent { link, bytes } => {
                let written = self.written.get_mut(&link).expect("sent only what was written");
                written.1 += bytes;
                assert!(written.1 <= written.0 && self.links[&link] != Place::Slot);
            }
            Input::Closed { link, .. } => assert!(self.links.remove(&link).is_some(), "{link:?} was closed twice"),
            Input::Connected { link, .. } => match self.links.insert(link, Place::Open) {
                Some(Place::Slot) => (),
                // It had asked to close before it heard.
                Some(Place::Closing) => drop(self.links.insert(link, Place::Closing)),
                other => panic!("{link:?} was connected while {other:?}"),
            },
            _ => (),
        }
    }
}

#[test]
fn whatever_puppets_do_every_link_is_answered_once_and_equal_seeds_give_equal_runs() {
    let mut seen = Counts::default();
    for seed in 0..60 {
        let (hash, counts) = wild_puppets(seed);
        assert_eq!(wild_puppets(seed), (hash, counts.clone()), "seed {seed}");
        seen.resets += counts.resets;
        seen.stalls += counts.stalls;
        seen.retries += counts.retries;
        seen.refusals += counts.refusals;
        seen.streams += counts.streams;
    }
    assert!(
        seen.resets > 0 && seen.stalls > 0 && seen.retries > 0 && seen.refusals > 0 && seen.streams > 0,
        "{seen:?}"
    );
}
