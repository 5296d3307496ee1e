//! Deeds that are several things in a row, which chance alone would seldom bring about.

use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{ConsumerId, DestinationKind};

use crate::application::Acking;
use crate::play::{Play, has_room};
use crate::stage::Stage;

pub(super) fn crowd(stage: &mut Stage, play: &mut Play, taker: HostId, sender: HostId) {
    let consumer = stage.subscribe_with(taker, "queue://orders.>", Acking::Manual, Some(1));
    stage.run_for(DEMAND_TOLD);
    for queue in ["queue://orders", "queue://orders.eu"] {
        if stage.is_running(sender) {
            let texts = play.texts(6).into_iter().map(|text| format!("{text:.<300}"));
            stage.send_all(sender, queue, texts);
        }
    }
    stage.run_for(DEMAND_TOLD);
    stage.unsubscribe(consumer);
}

pub(super) fn swamp(stage: &mut Stage, play: &mut Play, taker: HostId, sender: HostId) {
    stage.subscribe_with(taker, "topic://news", Acking::Manual, Some(1));
    stage.run_for(DEMAND_TOLD);
    for _ in 0..4 {
        if stage.is_running(sender) {
            let texts = play.texts(4).into_iter().map(|text| format!("{text:.<300}"));
            stage.send_all(sender, "topic://news", texts);
        }
        stage.run_for(DEMAND_TOLD);
    }
}

pub(super) fn outrun(stage: &mut Stage, play: &mut Play, client: HostId, broker: HostId) {
    stage.pause(broker);
    for _ in 0..10 {
        let texts = play.texts(3).into_iter().map(|text| format!("{text:.<700}"));
        stage.send_all(client, "topic://news", texts);
        stage.run_for(ANSWERED);
    }
    stage.resume(broker);
}

/// Has a host subscribe as the last consumer of another does that it can have too, and then ends that one.
pub(super) fn relocate(stage: &mut Stage, from: HostId, to: HostId) {
    let can_move = |consumer: &ConsumerId| {
        let wanted = stage.subscription(*consumer);
        let is_queues = wanted.destination.first().kind() == DestinationKind::Queue;
        is_queues && !wanted.destination.first().is_temporary() && !stage.browses(*consumer)
    };
    if let Some(consumer) = stage.open_consumers(from).into_iter().rev().find(can_move)
        && has_room(stage, to)
    {
        let (wanted, acking) = (stage.subscription(consumer).clone(), stage.acking(consumer));
        stage.subscribe_as(to, wanted, acking);
        stage.run_for(DEMAND_TOLD);
        stage.unsubscribe(consumer);
    }
}

/// How long it takes until peers know of a consumer, unless something fails.
const DEMAND_TOLD: Duration = Duration::from_millis(500);

/// How long it takes until brokers have answered, unless something fails.
const ANSWERED: Duration = Duration::from_millis(20);
