//! A broker that hands over what it has before it ends.

use super::*;

#[test]
fn all_consumers_here_end_and_what_they_had_goes_to_a_peer_with_what_waits() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(APP, ONE, "q", 1);
    bench.subscribe(CLIENT, TWO, "q", 1);
    for _ in 0..4 {
        bench.send(APP, "q");
    }
    bench.send(APP, "unwanted");
    let waiting = bench.subscribe(PEER, ONE, "q", 10);
    assert_eq!(waiting, [deliver(ONE, 1, 3), deliver(ONE, 2, 4)]);
    let mut out = Outbox::new();
    bench.broker.drain(bench.now, &mut out);
    let ended = [ONE, TWO].map(|consumer| Said::Ended(consumer.0, Refusal::Stopping));
    let handed = [again(ONE, 3, 1), again(ONE, 4, 2)];
    assert_eq!(short(&mut out), [&ended[..], &handed, &[Said::Unwanted("queue://q")]].concat());
    assert!(!bench.broker.is_drained(), "the peer has not said that it has them");
    bench.accept(PEER, ONE, 4);
    assert!(bench.broker.is_drained());
    assert_eq!(bench.broker.stats().queued, 1, "what nobody wants stays");
}

#[test]
fn what_waits_for_room_or_for_its_time_is_handed_over_too() {
    let mut config = BrokerConfig { queue_bytes_max: 100, ..BrokerConfig::default() };
    config.policies.default.redelivery.first_delay = Duration::from_secs(1);
    let mut bench = Bench::with(config);
    bench.subscribe(APP, ONE, "q", 1);
    for _ in 0..3 {
        bench.send(APP, "q");
    }
    bench.release(APP, ONE, 1);
    bench.subscribe(PEER, TWO, "q", 10);
    let mut out = Outbox::new();
    bench.broker.drain(bench.now, &mut out);
    let handed = [Said::Ended(1, Refusal::Stopping), again(TWO, 1, 2), Said::Unwanted("queue://q")];
    assert_eq!(short(&mut out), handed);
    bench.accept(PEER, TWO, 1);
    assert!(!bench.broker.is_drained(), "one is given out again after a second, and takes another's room");
    bench.now = bench.now + Duration::from_secs(1);
    assert_eq!(bench.wake(), [again(TWO, 2, 1), Said::Accepted(3), deliver(TWO, 3, 3)]);
    bench.accept(PEER, TWO, 3);
    assert!(bench.broker.is_drained());
}
