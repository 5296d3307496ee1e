//! Whole worlds: of puppets, whose part the tests play, and of nodes.

mod admin;
mod contract;
mod group;
mod link;
mod machine;
mod node;
mod opening;
mod role;

use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{CloseReason, LinkId, ListenerId};

const LISTENER: ListenerId = ListenerId(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What a puppet heard, without the times.
fn heard(world: &mut World, host: HostId) -> Vec<Input> {
    world.heard(host).into_iter().map(|(_, input)| input).collect()
}

fn listen(world: &mut World, host: HostId, slots: core::ops::Range<u64>) {
    world.perform(host, Output::Listen { listener: LISTENER, address: "tcp://0.0.0.0:0".parse().unwrap() });
    for slot in slots {
        world.perform(host, Output::Accept { listener: LISTENER, link: LinkId(slot) });
    }
}

fn connect(world: &mut World, host: HostId, link: u64, address: &str) {
    world.perform(host, Output::Connect { link: LinkId(link), address: address.parse().unwrap() });
}

fn send(world: &mut World, host: HostId, link: u64, data: impl Into<Bytes>) {
    world.perform(host, Output::Send { link: LinkId(link), data: data.into() });
}

fn close(world: &mut World, host: HostId, link: u64) {
    world.perform(host, Output::Close { link: LinkId(link) });
}

fn closed(link: u64, reason: CloseReason) -> Input {
    Input::Closed { link: LinkId(link), reason }
}

fn requested(link: u64) -> Input {
    closed(link, CloseReason::Requested)
}

fn reset(link: u64) -> Input {
    closed(link, CloseReason::Failed("connection reset by peer".into()))
}

fn bytes(link: u64, data: &'static str) -> Input {
    Input::Bytes { link: LinkId(link), data: Bytes::from(data) }
}

fn sent(link: u64, bytes: u64) -> Input {
    Input::Sent { link: LinkId(link), bytes }
}

/// All bytes that inputs brought, whatever their links.
fn received(inputs: &[Input]) -> Vec<u8> {
    let parts =
        inputs.iter().filter_map(|input| if let Input::Bytes { data, .. } = input { Some(&data[..]) } else { None });
    parts.collect::<Vec<_>>().concat()
}

fn total_sent(inputs: &[Input]) -> u64 {
    inputs.iter().map(|input| if let Input::Sent { bytes, .. } = input { *bytes } else { 0 }).sum()
}

/// Two puppets with one stream: link 1 of `a`, which dialled, is link 2 of `b`.
fn linked(seed: u64, faults: Faults) -> (World, HostId, HostId) {
    let mut world = World::new(Seed::from(seed));
    world.set_faults(faults);
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    listen(&mut world, b, 2..3);
    connect(&mut world, a, 1, "tcp://b:40000");
    world.run_for(seconds(1));
    heard(&mut world, a);
    heard(&mut world, b);
    (world, a, b)
}
