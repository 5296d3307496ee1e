//! Messages that belong together.

use super::*;

/// A message of a group, with its place in it.
fn of(group: &str, sequence: i64) -> Body {
    let mut body = Body::bytes(alloc::vec![0; 100]);
    body.headers.properties.set("JMSXGroupID", group).expect("room");
    body.headers.properties.set("JMSXGroupSeq", sequence).expect("room");
    body
}

/// Two consumers of `q` with so much credit.
fn two(prefetch: u32) -> Bench {
    let mut bench = Bench::with(at_once());
    bench.subscribe(APP, ONE, "q", prefetch);
    bench.subscribe(OTHER, TWO, "q", prefetch);
    bench
}

#[test]
fn a_group_is_whoevers_takes_its_first_message() {
    let mut bench = two(10);
    for (tag, sequence) in [(1, 1), (2, 2), (3, 3)] {
        let said = [Said::Accepted(sequence), deliver(ONE, tag, sequence)];
        assert_eq!(bench.send_one(APP, "q", of("a", 0)), said);
    }
    assert_eq!(bench.send_one(APP, "q", of("b", 0)), [Said::Accepted(4), deliver(TWO, 1, 4)]);
    bench.accept(APP, ONE, 3);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(5), deliver(ONE, 4, 5)], "others' turns are as they were");
    let said = [Said::Accepted(6), deliver(ONE, 5, 6)];
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), said, "it is remembered while there is no message of it");
}

#[test]
fn groups_are_shared_out_evenly() {
    let mut bench = two(10);
    // The turn would be the second's again and again.
    let groups = ["a", "b", "a", "c", "a", "d"];
    for group in groups {
        bench.send_one(APP, "q", of(group, 0));
    }
    let mut taken: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for group in groups {
        for said in bench.send_one(APP, "q", of(group, 0)) {
            if let Said::Deliver { consumer, .. } = said {
                taken.entry(group).or_default().insert(consumer);
            }
        }
    }
    let owners: Vec<u64> = taken.values().map(|owners| *owners.first().expect("not empty")).collect();
    assert!(taken.values().all(|owners| owners.len() == 1));
    assert_eq!(owners.iter().filter(|owner| **owner == 1).count(), 2, "{taken:?}");
}

#[test]
fn a_group_whose_owner_has_no_credit_waits_and_holds_up_nobody() {
    let mut bench = two(1);
    bench.send_one(APP, "q", of("a", 0));
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), [Said::Accepted(2)]);
    assert_eq!(bench.send_one(APP, "q", of("b", 0)), [Said::Accepted(3), deliver(TWO, 1, 3)]);
    assert_eq!(bench.send_one(APP, "q", of("b", 0)), [Said::Accepted(4)]);
    assert_eq!(bench.accept(OTHER, TWO, 1), [deliver(TWO, 2, 4)], "not the other group's, though it is older");
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 2)]);
}

#[test]
fn a_group_is_closed_by_a_negative_number_and_free_after_that_message() {
    let mut bench = two(1);
    bench.send_one(APP, "q", of("a", 0));
    bench.send_one(APP, "q", of("a", -1));
    bench.send_one(APP, "q", of("a", 0));
    assert_eq!(bench.broker.stats().queued, 2);
    // The last goes to the other one in the same pass, which nothing else would have asked.
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 2), deliver(TWO, 1, 3)]);
    bench.accept(APP, ONE, 2);
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), [Said::Accepted(4)], "it is the other one's now");
}

#[test]
fn a_group_is_begun_anew_by_number_one() {
    let mut bench = two(2);
    bench.send_one(APP, "q", of("a", 1));
    assert_eq!(bench.send_one(APP, "q", of("a", 2)), [Said::Accepted(2), deliver(ONE, 2, 2)]);
    bench.send_one(APP, "q", of("a", 3));
    // Number one goes to whoever's turn it is, and takes what waited for the first owner along.
    assert_eq!(bench.send_one(APP, "q", of("a", 1)), [Said::Accepted(4), deliver(TWO, 1, 4), deliver(TWO, 2, 3)]);
    assert_eq!(bench.release(APP, ONE, 1), [], "one that goes back begins nothing: it waits for the group's owner");
    assert_eq!(bench.accept(OTHER, TWO, 1), [again(TWO, 3, 1)]);
}

#[test]
fn the_groups_of_whoever_leaves_go_on_with_others_in_their_order() {
    let mut bench = two(2);
    for _ in 0..3 {
        bench.send_one(APP, "q", of("a", 0));
    }
    bench.send_one(APP, "q", of("b", 0));
    assert_eq!(bench.accept(OTHER, TWO, 1), [], "it looks at what waits, which is not its own");
    let back = [again(TWO, 2, 1), deliver(TWO, 3, 2), Said::Wanted("queue://q")];
    assert_eq!(bench.unsubscribe(APP, ONE, 1), back);
    bench.subscribe(APP, ONE, "q", 10);
    assert_eq!(bench.accept(OTHER, TWO, 3), [deliver(TWO, 4, 3)], "the new one has no part in it");
}

/// A bridge has the group of a message that came from its other end.
#[test]
fn what_a_groups_owner_can_not_take_goes_to_others() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(PEER, ONE, "q", 10);
    bench.send_one(APP, "q", of("a", 0));
    bench.subscribe(APP, TWO, "q", 10);
    assert_eq!(bench.send_one(PEER, "q", of("a", 0)), [Said::Accepted(2), deliver(TWO, 1, 2)]);
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), [Said::Accepted(3), deliver(ONE, 2, 3)], "the group stays");
}

#[test]
fn groups_mean_nothing_where_one_consumer_takes_all() {
    let mut bench = two(10);
    bench.send_one(APP, "q", of("a", 0));
    let alone = Subscription { exclusive: true, ..Subscription::new("q".parse().expect("a queue")) };
    bench.subscribe_as(CLIENT, ConsumerId(3), alone);
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), [Said::Accepted(2), deliver(ConsumerId(3), 1, 2)]);
    bench.accept(CLIENT, ConsumerId(3), 1);
    bench.unsubscribe(CLIENT, ConsumerId(3), 1);
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), [Said::Accepted(3), deliver(ONE, 2, 3)]);
}

#[test]
fn a_queue_remembers_as_many_idle_groups_as_it_may() {
    let mut bench = Bench::with(BrokerConfig { groups_max: 1, ..at_once() });
    bench.subscribe(APP, ONE, "q", 10);
    for group in ["a", "b"] {
        bench.send_one(APP, "q", of(group, 0));
    }
    bench.subscribe(OTHER, TWO, "q", 10);
    bench.accept(APP, ONE, 2);
    assert_eq!(bench.send_one(APP, "q", of("b", 0)), [Said::Accepted(3), deliver(ONE, 3, 3)]);
    assert_eq!(bench.send_one(APP, "q", of("a", 0)), [Said::Accepted(4), deliver(TWO, 1, 4)], "it was forgotten");
}
