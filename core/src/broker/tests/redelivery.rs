//! Deliveries that are given back wait, and go back to their old place.

use super::*;

fn policy(change: impl FnOnce(&mut RedeliveryPolicy)) -> BrokerConfig {
    let mut config = BrokerConfig::default();
    change(&mut config.policies.default.redelivery);
    config
}

impl Bench {
    pub(super) fn release(&mut self, origin: Origin, consumer: ConsumerId, tag: Tag) -> Vec<Said> {
        let ack = Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Released };
        self.ack(origin, ack).expect("outstanding")
    }

    /// Lets this much time pass, waking the broker whenever it wants to be.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Said> {
        let until = self.now + time;
        let mut said = Vec::new();
        while let Some(at) = self.broker.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            said.extend(self.wake());
        }
        self.now = until;
        said
    }
}

#[test]
fn a_delivery_that_is_given_back_waits_a_second_while_others_go_on() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 1);
    bench.send(APP, "q");
    bench.send(APP, "q");
    assert_eq!(bench.release(APP, ONE, 1), [deliver(ONE, 2, 2)]);
    assert_eq!((bench.broker.stats().delayed, bench.broker.stats().queued), (1, 0));
    bench.send(APP, "q");
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(1000)));
    assert_eq!(bench.pass(Duration::from_secs(1)), [], "there is no credit");
    assert_eq!((bench.broker.stats().delayed, bench.broker.stats().queued), (0, 2));
    assert_eq!(bench.accept(APP, ONE, 2), [again(ONE, 3, 1)], "in its old place");
}

#[test]
fn whoever_has_credit_is_handed_what_has_waited_long_enough() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    bench.send(APP, "q");
    assert_eq!(bench.release(APP, ONE, 1), []);
    assert_eq!(bench.pass(Duration::from_millis(999)), []);
    assert_eq!(bench.pass(Duration::from_millis(1)), [again(ONE, 2, 1)]);
    assert_eq!(bench.broker.poll_timeout(), None);
}

/// Nobody has woken the broker, but whoever asks it something finds it up to date.
#[test]
fn a_broker_that_is_not_woken_hands_out_what_is_due_when_it_is_told_something() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    bench.send(APP, "q");
    bench.release(APP, ONE, 1);
    bench.now = Instant::from_millis(1500);
    assert_eq!(bench.send(APP, "r"), [Said::Accepted(2), again(ONE, 2, 1)]);
}

#[test]
fn what_is_behind_a_delivery_that_waits_waits_with_it_if_order_is_to_be_kept() {
    let mut bench = Bench::with(policy(|policy| policy.keeps_order = true));
    bench.subscribe(APP, ONE, "q", 2);
    bench.send(APP, "q");
    bench.send(APP, "q");
    assert_eq!(bench.release(APP, ONE, 2), []);
    assert_eq!(bench.accept(APP, ONE, 1), []);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(3)]);
    assert_eq!(bench.subscribe(OTHER, TWO, "q", 1), [Said::Weighed("queue://q", 2)], "nobody else may have it either");
    assert_eq!(bench.pass(Duration::from_secs(1)), [again(ONE, 3, 2), deliver(TWO, 1, 3)]);
}

#[test]
fn a_message_that_is_given_back_too_often_is_a_dead_letter() {
    let mut bench = Bench::with(policy(|policy| policy.redeliveries_max = Some(2)));
    bench.subscribe(APP, ONE, "q", 1);
    bench.send(APP, "q");
    for (tag, redeliveries) in [(1, 1), (2, 2)] {
        assert_eq!(bench.release(APP, ONE, tag), []);
        let said = bench.pass(Duration::from_secs(1));
        assert_eq!(said, [Said::Deliver { consumer: 1, tag: tag + 1, sequence: 1, redeliveries }]);
    }
    assert_eq!(bench.release(APP, ONE, 3), []);
    assert_eq!(bench.pass(Duration::from_mins(1)), []);
    assert_eq!((bench.broker.stats().failed_queued, bench.broker.stats().dead_lettered), (1, 1));
    let found = bench.subscribe(OTHER, TWO, "ActiveMQ.DLQ", 1);
    assert_eq!(found[0], deliver(TWO, 1, 1), "as if it had never been handed out");
}

/// A message goes back as often as its consumers leave or crash: that says nothing of the message.
#[test]
fn what_a_consumer_that_leaves_gives_back_goes_back_at_once_and_without_limit() {
    let mut bench = Bench::with(policy(|policy| policy.redeliveries_max = Some(0)));
    bench.send(APP, "q");
    for redeliveries in 0..3 {
        let said = bench.subscribe(APP, ONE, "q", 1);
        assert_eq!(said[0], Said::Deliver { consumer: 1, tag: 1, sequence: 1, redeliveries });
        bench.unsubscribe(APP, ONE, 1);
    }
    assert_eq!(bench.broker.stats().queued, 1);
}

proptest! {
    /// Whatever is done to deliveries, and whenever: each message is in one place (Q1, Q2), those that were
    /// acknowledged or have died never come again, and what may be handed out is.
    #[test]
    fn a_message_is_never_lost_nor_doubled(
        steps in proptest::collection::vec((0_u8..8, 1_u64..4, 0_u64..4), 0..60),
        keeps_order: bool,
    ) {
        let mut bench = Bench::with(policy(|policy| {
            (policy.redeliveries_max, policy.factor, policy.keeps_order) = (Some(2), 3, keeps_order);
        }));
        bench.subscribe(APP, ONE, "q", 3);
        bench.subscribe(OTHER, TWO, "ActiveMQ.DLQ", 100);
        let (mut outstanding, mut ended, mut dead) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for (what, which, time) in steps {
            let tag = outstanding.keys().nth(usize::try_from(which).expect("few")).copied();
            let said = match (what, tag) {
                (0..3, _) => {
                    let mortal = (time > 1).then(|| Body::default().expiring(Duration::from_secs(time)));
                    let sequence = bench.sent + 1;
                    bench.sent = sequence;
                    bench.send_body(APP, "q", sequence, mortal.unwrap_or_default())
                }
                (3, _) => bench.pass(Duration::from_secs(time)),
                (_, Some(tag)) => {
                    let sequence: u64 = outstanding.remove(&tag).expect("just seen");
                    let kind = match what {
                        4 => AckKind::Accepted,
                        5 => AckKind::Rejected,
                        _ => AckKind::Released,
                    };
                    if kind == AckKind::Accepted {
                        ended.insert(sequence);
                    }
                    bench.ack(APP, Ack { consumer: ONE, tag, extent: AckExtent::Individual, kind }).expect("outstanding")
                }
                _ => continue,
            };
            for said in said {
                match said {
                    Said::Deliver { consumer: 1, tag, sequence, redeliveries } => {
                        prop_assert!(!ended.contains(&sequence), "{sequence} comes again");
                        prop_assert!(!outstanding.values().any(|found| *found == sequence), "{sequence} is there twice");
                        prop_assert!(redeliveries <= 2);
                        outstanding.insert(tag, sequence);
                    }
                    Said::Deliver { sequence, .. } => {
                        prop_assert!(ended.insert(sequence) && dead.insert(sequence), "{sequence} dies twice");
                    }
                    _ => (),
                }
            }
            let stats = bench.broker.stats();
            let known = stats.queued + stats.delayed + stats.outstanding_queued + stats.acknowledged_queued
                + stats.expired_queued + stats.failed_queued;
            prop_assert_eq!(known, stats.accepted_queued, "Q1: {:?}", stats);
            prop_assert_eq!(stats.dead_lettered, dead.len() as u64);
            prop_assert!(stats.queued == 0 || outstanding.len() == 3 || (keeps_order && stats.delayed > 0), "Q7");
        }
    }
}
