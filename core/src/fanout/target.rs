//! One broker of many, while a link to it is up.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Found;
use super::log::Burst;
use super::stream::Route;
use crate::model::Tag;

/// A target that is up.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) found: Arc<Found>,
    /// The place in the log of what it is given next.
    pub(super) cursor: u64,
    /// What was sent before it came up and is not settled: given to it before anything else.
    pub(super) replay: VecDeque<Replay>,
    told: Vec<u32>, // By slot: the stream it knows by it; 0 is none.
    flights: BTreeMap<u32, Flight>,
    in_flight: u64,
}

/// Messages of a stream that a new target is owed.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) stream: u32,
    pub(super) next: u64,
    pub(super) up_to: u64,
}

/// What a target was sent of one stream and has not answered.
#[derive(Debug, Default)]
struct Flight {
    runs: VecDeque<Run>,
    last: u64,
    refused: BTreeSet<Tag>,
}

#[derive(Debug)]
struct Run {
    first: u64,
    last: u64,
    bytes: u64,
}

/// What a target's answer told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// How many messages it has accepted.
    pub(super) accepted: u64,
    /// How many it had refused before.
    pub(super) refused: u64,
}

/// A target answered what it was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NeverSent;

impl Target {
    pub(super) fn new(found: Found, cursor: u64) -> Self {
        Self {
            found: Arc::new(found),
            cursor,
            replay: VecDeque::new(),
            told: Vec::new(),
            flights: BTreeMap::new(),
            in_flight: 0,
        }
    }

    /// Bytes that it was sent and has not answered.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Notes what it is being sent; true if it has to be told the route first.
    pub(super) fn send(&mut self, burst: &Burst) -> bool {
        let flight = self.flights.entry(burst.route.stream).or_default();
        flight.runs.push_back(Run { first: burst.first, last: burst.last, bytes: burst.bytes });
        flight.last = burst.last;
        self.in_flight += burst.bytes;
        let slot = usize::from(burst.route.slot);
        if slot >= self.told.len() {
            self.told.resize(slot + 1, 0);
        }
        core::mem::replace(&mut self.told[slot], burst.route.stream) != burst.route.stream
    }

    /// True if it was told of a stream.
    pub(super) fn knows(&self, route: &Route) -> bool {
        self.told.get(usize::from(route.slot)) == Some(&route.stream)
    }

    /// A stream has ended; true if it was told of that stream.
    pub(super) fn finish(&mut self, route: &Route) -> bool {
        let knew = self.knows(route);
        if knew {
            self.told[usize::from(route.slot)] = 0;
        }
        knew
    }

    /// It has answered everything of a stream up to a message: accepted, but for what it has refused.
    pub(super) fn answered(&mut self, stream: u32, up_to: u64) -> Result<Answered, NeverSent> {
        let flight = self.flights.get_mut(&stream).filter(|flight| up_to <= flight.last).ok_or(NeverSent)?;
        let mut answered = Answered::default();
        while let Some(run) = flight.runs.front_mut()
            && run.first <= up_to
        {
            let last = run.last.min(up_to);
            answered.accepted += last - run.first + 1;
            if last < run.last {
                run.first = last + 1;
                break;
            }
            self.in_flight -= run.bytes;
            flight.runs.pop_front();
        }
        if !flight.refused.is_empty() {
            let rest = flight.refused.split_off(&(up_to + 1));
            answered.refused = core::mem::replace(&mut flight.refused, rest).len() as u64;
            answered.accepted = answered.accepted.saturating_sub(answered.refused);
        }
        Ok(answered)
    }

    /// It has refused a message.
    pub(super) fn refused(&mut self, stream: u32, tag: Tag) -> Result<(), NeverSent> {
        let flight = self.flights.get_mut(&stream).ok_or(NeverSent)?;
        let is_out = flight.runs.iter().any(|run| (run.first..=run.last).contains(&tag));
        if is_out && flight.refused.insert(tag) { Ok(()) } else { Err(NeverSent) }
    }

    /// The last message that it was sent of a stream; 0 if none.
    pub(super) fn sent(&self, stream: u32) -> u64 {
        self.flights.get(&stream).map_or(0, |flight| flight.last)
    }

    /// Forgets streams that have ended and are answered.
    pub(super) fn forget_flights(&mut self, is_open: impl Fn(u32) -> bool) {
        self.flights.retain(|stream, flight| !flight.runs.is_empty() || is_open(*stream));
    }
}
