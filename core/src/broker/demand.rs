//! What consumers want of this broker and how many they are, as peers are told it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::subscription::Subscriber;
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{ConsumerId, Demand, DestinationKind, Origin, Refusal};

/// Numbers of consumers by what they want. A durable subscription counts also while its consumer is away, as dormant.
#[derive(Debug, Default)]
pub(super) struct Wanted(BTreeMap<Demand, u64>);

impl Wanted {
    /// So many more consumers want this; true if peers may want to know.
    fn add(&mut self, demand: &Demand, weight: NonZeroU32) -> bool {
        let Some(count) = self.0.get_mut(demand) else {
            self.0.insert(demand.clone(), weight.get().into());
            return true;
        };
        *count += u64::from(weight.get());
        is_counted(demand)
    }

    /// So many fewer consumers want this; true if peers may want to know.
    fn remove(&mut self, demand: &Demand, weight: NonZeroU32) -> bool {
        let count = self.0.get_mut(demand).expect("what a subscription wants is counted");
        *count -= u64::from(weight.get());
        let is_left = *count > 0;
        if !is_left {
            self.0.remove(demand);
        }
        !is_left || is_counted(demand)
    }
}

impl Broker {
    /// Everything that is wanted here and by how many, to be told to a new peer.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&Demand, NonZeroU32)> {
        self.wanted.0.iter().filter_map(|(demand, count)| Some((demand, told(*count)?)))
    }

    /// Has some of a bridge's subscriptions take the place of others. Nothing is handed out in between: what was on its way
    /// for those that end, which the peer has not taken, is handed out in its order again.
    pub(crate) fn replace(
        &mut self,
        now: Instant,
        origin: Origin,
        ended: Vec<ConsumerId>,
        begun: Vec<(ConsumerId, Subscriber)>,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.catch_up(now, out);
        let gone = ended.into_iter().map(|consumer| self.take_consumer(origin, consumer, 0, out));
        let gone = gone.collect::<Result<Vec<_>, _>>()?;
        let entered =
            begun.into_iter().map(|(consumer, subscriber)| self.enter(now, origin, consumer, subscriber, out));
        let entered = entered.collect::<Result<Vec<_>, _>>()?;
        let changed: Vec<Demand> = gone.into_iter().flat_map(|gone| self.settle_gone(now, origin, gone, out)).collect();
        for entered in entered.into_iter().flatten() {
            self.welcome(now, entered, out);
        }
        self.tell_demand(changed, out);
        Ok(())
    }

    /// A bridge's subscription counts for so many consumers from now on.
    pub(crate) fn weigh(
        &mut self,
        origin: Origin,
        consumer: ConsumerId,
        weight: NonZeroU32,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        let connection = self.connections.get(&origin);
        let id = connection.and_then(|connection| connection.consumers.get(&consumer));
        let id = *id.ok_or_else(|| Refusal::unknown_consumer(consumer))?;
        let subscription = self.subscriptions.get_mut(id).expect("a connection's consumer has a subscription");
        let before = core::mem::replace(&mut subscription.weight, weight);
        let mut changed = Vec::new();
        for demand in subscription.demands() {
            self.wanted.add(&demand, weight);
            if self.wanted.remove(&demand, before) {
                changed.push(demand);
            }
        }
        self.registry.weigh(id, subscription);
        self.tell_demand(changed, out);
        Ok(())
    }

    /// A subscription counts from now on; tells what peers may want to know of.
    pub(super) fn count_in(&mut self, demands: Vec<Demand>, weight: NonZeroU32) -> Vec<Demand> {
        demands.into_iter().filter(|demand| self.wanted.add(demand, weight)).collect()
    }

    /// A subscription has ended; tells what peers may want to know of.
    pub(super) fn count_out(&mut self, demands: Vec<Demand>, weight: NonZeroU32) -> Vec<Demand> {
        demands.into_iter().filter(|demand| self.wanted.remove(demand, weight)).collect()
    }

    /// Says of each of these how many consumers want it now. What nobody wants any more is said last: what takes its place
    /// is known by then.
    pub(super) fn tell_demand(&self, changed: impl IntoIterator<Item = Demand>, out: &mut Outbox<Output>) {
        let mut unwanted = Vec::new();
        for demand in changed.into_iter().collect::<BTreeSet<_>>() {
            match self.wanted.0.get(&demand).and_then(|count| told(*count)) {
                None => unwanted.push(Output::Unwanted(demand)),
                Some(consumers) => out.push(Output::Wanted { demand, consumers }),
            }
        }
        for unwanted in unwanted {
            out.push(unwanted);
        }
    }
}

/// True if it matters how many want it: a topic's messages are not shared out.
fn is_counted(demand: &Demand) -> bool {
    demand.destination.kind() == DestinationKind::Queue
}

fn told(count: u64) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(count).unwrap_or(u32::MAX))
}
