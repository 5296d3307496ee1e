//! Links, from the dial to the end.

use alloc::vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::*;

#[test]
fn a_listener_is_answered_with_its_real_addresses_and_a_new_port_each_time() {
    let mut world = World::new(Seed::from(1));
    let a = world.add_puppet("a");
    for port in [40_000, 40_001] {
        listen(&mut world, a, 0..0);
        world.run_for(seconds(1));
        let addresses = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::LOCALHOST];
        let addresses = addresses.map(|ip| SocketAddr::V4(SocketAddrV4::new(ip, port))).to_vec();
        assert_eq!(heard(&mut world, a), [Input::Listening { listener: LISTENER, addresses }]);
        world.restart(a);
    }
}

#[test]
fn a_foreign_address_and_a_port_in_use_cannot_be_listened_to() {
    let mut world = World::new(Seed::from(1));
    let (a, _b) = (world.add_puppet("a"), world.add_puppet("b"));
    for (listener, address) in [(1, "tcp://10.0.0.2:5"), (2, "tcp://a:5"), (3, "tcp://10.0.0.1:5")] {
        let (listener, address) = (ListenerId(listener), address.parse().unwrap());
        world.perform(a, Output::Listen { listener, address });
        world.run_for(seconds(1));
    }
    let failed = |listener, reason: &str| Input::ListenFailed { listener: ListenerId(listener), reason: reason.into() };
    let listening = Input::Listening { listener: ListenerId(2), addresses: vec!["10.0.0.1:5".parse().unwrap()] };
    let expected = [failed(1, "cannot assign requested address"), listening, failed(3, "address already in use")];
    assert_eq!(heard(&mut world, a), expected);
}

#[test]
fn a_dialler_and_the_slot_it_was_given_are_both_told_that_they_are_connected() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    listen(&mut world, b, 7..8);
    connect(&mut world, a, 1, "tcp://10.0.0.2:40000");
    world.run_for(seconds(1));
    let remote = "10.0.0.2:40000".parse().unwrap();
    assert_eq!(heard(&mut world, a), [Input::Connected { link: LinkId(1), remote }]);
    let remote = "10.0.0.1:50000".parse().unwrap();
    assert_eq!(heard(&mut world, b)[1..], [Input::Connected { link: LinkId(7), remote }]);
}

#[test]
fn a_host_can_dial_itself() {
    let mut world = World::new(Seed::from(1));
    let a = world.add_puppet("a");
    listen(&mut world, a, 1..2);
    connect(&mut world, a, 2, "tcp://localhost:40000");
    world.run_for(seconds(1));
    send(&mut world, a, 2, "x");
    world.run_for(seconds(1));
    assert!(heard(&mut world, a).contains(&bytes(1, "x")));
}

#[test]
fn a_dialler_is_refused_where_nobody_listens_and_times_out_where_nobody_is() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    connect(&mut world, a, 1, "tcp://b:40000");
    connect(&mut world, a, 2, "tcp://c:40000");
    world.run_for(seconds(1));
    let failed = |link, why: &str| closed(link, CloseReason::ConnectFailed(why.into()));
    assert_eq!(heard(&mut world, a), [failed(2, "no such host"), failed(1, "connection refused")]);

    listen(&mut world, b, 0..1);
    world.cut_one_way(b, a);
    connect(&mut world, a, 3, "tcp://b:40000");
    connect(&mut world, a, 4, "tcp://10.0.0.9:40000");
    world.run_for(seconds(60));
    assert_eq!(heard(&mut world, a), []);
    world.run_for(seconds(10));
    let mut inputs = heard(&mut world, a);
    inputs.sort_by_key(|input| if let Input::Closed { link, .. } = input { link.0 } else { 0 });
    assert_eq!(inputs, [failed(3, "timed out"), failed(4, "timed out")]);
}

#[test]
fn a_dialler_beyond_the_slots_waits_until_one_is_given_and_loses_nothing() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    listen(&mut world, b, 0..0);
    connect(&mut world, a, 1, "tcp://b:40000");
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a).len(), 1);
    send(&mut world, a, 1, "early");
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b).len(), 1);
    world.perform(b, Output::Accept { listener: LISTENER, link: LinkId(7) });
    world.run_for(seconds(1));
    let inputs = heard(&mut world, b);
    assert!(matches!(inputs[0], Input::Connected { link: LinkId(7), .. }));
    assert_eq!(inputs[1..], [bytes(7, "early")]);
}

#[test]
fn a_full_backlog_is_knocked_at_again() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    listen(&mut world, b, 0..0);
    for link in 1..=129 {
        connect(&mut world, a, link, "tcp://b:40000");
    }
    world.run_for(Duration::from_millis(500));
    assert_eq!(heard(&mut world, a).len(), 128);
    for slot in 1..=129 {
        world.perform(b, Output::Accept { listener: LISTENER, link: LinkId(slot) });
    }
    world.run_for(seconds(2));
    assert_eq!(heard(&mut world, a).len(), 1);
    assert_eq!(world.counts().streams, 129);
}

#[test]
fn a_slot_is_given_up_by_closing_it_and_without_a_word_by_its_listener() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    listen(&mut world, b, 1..4);
    close(&mut world, b, 2);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b)[1..], [requested(2)]);
    connect(&mut world, a, 1, "tcp://b:40000");
    world.run_for(seconds(1));
    heard(&mut world, b);
    world.perform(b, Output::Unlisten { listener: LISTENER });
    send(&mut world, a, 1, "links stay");
    connect(&mut world, a, 2, "tcp://b:40000");
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b), [bytes(1, "links stay")]);
    assert!(heard(&mut world, a).contains(&closed(2, CloseReason::ConnectFailed("connection refused".into()))));
}

#[test]
fn a_dial_that_is_given_up_is_answered_once() {
    for (host, expected) in [("b", requested(1)), ("c", closed(1, CloseReason::ConnectFailed("no such host".into())))] {
        let mut world = World::new(Seed::from(1));
        let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
        listen(&mut world, b, 1..2);
        connect(&mut world, a, 1, &alloc::format!("tcp://{host}:40000"));
        close(&mut world, a, 1);
        world.run_for(seconds(100));
        assert_eq!(heard(&mut world, a), [expected]);
    }
}

#[test]
fn a_dial_that_is_given_up_when_it_was_taken_ends_for_both() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    listen(&mut world, b, 1..2);
    connect(&mut world, a, 1, "tcp://b:40000");
    let taken = |world: &mut World| heard(world, b).iter().any(|input| matches!(input, Input::Connected { .. }));
    assert!(world.run_until(seconds(1), taken));
    close(&mut world, a, 1);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a), [requested(1)]);
    assert_eq!(heard(&mut world, b), [closed(1, CloseReason::Ended)]);
}

#[test]
fn bytes_arrive_in_order_and_are_answered_by_credit() {
    let (mut world, a, b) = linked(1, Faults::default());
    send(&mut world, a, 1, "one");
    send(&mut world, b, 2, "two");
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a), [sent(1, 3), bytes(1, "two")]);
    assert_eq!(heard(&mut world, b), [sent(2, 3), bytes(2, "one")]);
}

#[test]
fn a_closing_end_is_flushed_first_and_both_ends_hear_of_it_once() {
    let (mut world, a, b) = linked(1, Faults { buffer: 4, ..Faults::default() });
    send(&mut world, a, 1, "farewell");
    close(&mut world, a, 1);
    send(&mut world, b, 2, "unheard");
    world.run_for(seconds(100));
    let inputs = heard(&mut world, b);
    assert_eq!(received(&inputs), b"farewell");
    assert_eq!(inputs.last(), Some(&closed(2, CloseReason::Ended)));
    let inputs = heard(&mut world, a);
    assert_eq!(inputs.iter().filter(|input| matches!(input, Input::Closed { .. })).count(), 1);
    assert_eq!(inputs.last(), Some(&requested(1)));
}

#[test]
fn both_ends_may_close_at_once() {
    let (mut world, a, b) = linked(1, Faults::default());
    close(&mut world, a, 1);
    close(&mut world, b, 2);
    world.run_for(seconds(100));
    assert_eq!(heard(&mut world, a), [requested(1)]);
    assert_eq!(heard(&mut world, b), [requested(2)]);
}

#[test]
fn a_closing_end_does_not_wait_for_ever_for_a_reader_that_does_not_read() {
    let (mut world, a, b) = linked(1, Faults { buffer: 4, ..Faults::default() });
    world.pause(b);
    send(&mut world, a, 1, "farewell");
    close(&mut world, a, 1);
    world.run_for(seconds(2));
    assert_eq!(heard(&mut world, a), [sent(1, 4), requested(1)]);
    world.resume(b);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b).last(), Some(&reset(2)));
}

#[test]
fn a_reader_that_does_not_read_takes_no_more_than_the_buffer() {
    let (mut world, a, b) = linked(1, Faults { buffer: 1_000, ..Faults::default() });
    world.pause(b);
    send(&mut world, a, 1, vec![7; 5_000]);
    world.run_for(seconds(100));
    assert_eq!(total_sent(&heard(&mut world, a)), 1_000);
    assert_eq!(heard(&mut world, b), []);
    world.resume(b);
    world.run_for(seconds(1));
    assert_eq!(total_sent(&heard(&mut world, a)), 4_000);
    assert_eq!(received(&heard(&mut world, b)), [7; 5_000]);
}

#[test]
fn a_slowed_host_takes_so_much_a_second_and_no_more() {
    let (mut world, a, b) = linked(1, Faults { buffer: 1_000, ..Faults::default() });
    world.slow(b, Some(1_000));
    send(&mut world, a, 1, vec![7; 10_000]);
    world.run_for(Duration::from_millis(5_500));
    assert_eq!(received(&heard(&mut world, b)).len(), 5_000);
    assert_eq!(total_sent(&heard(&mut world, a)), 6_000);
    world.run_for(seconds(5));
    assert_eq!(received(&heard(&mut world, b)).len(), 5_000);
}

#[test]
fn a_cut_stalls_streams_until_it_heals() {
    let (mut world, a, b) = linked(1, Faults::default());
    world.cut(a, b);
    send(&mut world, a, 1, "later");
    world.run_for(seconds(1_000));
    assert_eq!(heard(&mut world, b), []);
    world.heal(a, b);
    send(&mut world, a, 1, " still");
    world.run_for(seconds(1));
    assert_eq!(received(&heard(&mut world, b)), b"later still");
}

#[test]
fn a_cut_one_way_lets_no_more_through_the_other_way_than_the_buffer_holds() {
    let (mut world, a, b) = linked(1, Faults { buffer: 10, ..Faults::default() });
    world.cut_one_way(b, a);
    send(&mut world, a, 1, vec![7; 25]);
    send(&mut world, b, 2, "held up");
    world.run_for(seconds(100));
    assert_eq!(received(&heard(&mut world, b)).len(), 10);
    assert_eq!(received(&heard(&mut world, a)), b"");
    world.heal(a, b);
    world.run_for(seconds(1));
    assert_eq!(received(&heard(&mut world, b)).len(), 15);
    assert_eq!(received(&heard(&mut world, a)), b"held up");
}

#[test]
fn those_linked_to_a_crashed_host_hear_that_the_link_ended_or_failed() {
    let mut endings = [0; 2];
    for seed in 0..20 {
        let (mut world, a, b) = linked(seed, Faults::default());
        send(&mut world, a, 1, "last words");
        world.crash(a);
        world.run_for(seconds(1));
        let inputs = heard(&mut world, b);
        match inputs.last() {
            Some(Input::Closed { reason: CloseReason::Ended, .. }) => {
                assert_eq!(received(&inputs), b"last words");
                endings[0] += 1;
            }
            Some(Input::Closed { reason: CloseReason::Failed(_), .. }) => {
                assert!(b"last words".starts_with(&received(&inputs)));
                endings[1] += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(endings.iter().all(|count| *count > 3), "{endings:?}");
}

#[test]
fn a_host_that_crashes_behind_a_cut_leaves_half_open_links() {
    let (mut world, a, b) = linked(1, Faults { buffer: 10, ..Faults::default() });
    world.cut(a, b);
    world.crash(a);
    world.restart(a);
    send(&mut world, b, 2, vec![7; 25]);
    world.run_for(seconds(1_000));
    assert_eq!(total_sent(&heard(&mut world, b)), 10);
    world.heal(a, b);
    world.run_for(seconds(1));
    assert!(matches!(heard(&mut world, b).last(), Some(Input::Closed { .. })));
    assert_eq!(heard(&mut world, a), []);
}

#[test]
fn a_new_process_hears_nothing_of_the_old_ones_links() {
    let (mut world, a, b) = linked(1, Faults::default());
    send(&mut world, a, 1, "x");
    send(&mut world, b, 2, "x");
    close(&mut world, a, 1);
    world.restart(a);
    connect(&mut world, a, 1, "tcp://b:1");
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a), [closed(1, CloseReason::ConnectFailed("connection refused".into()))]);
    assert_eq!(world.incarnation(a), 1);
}

#[test]
fn a_severed_link_ends_for_who_hears_of_it_and_swallows_what_the_other_says() {
    for is_dialler in [true, false] {
        let (mut world, a, b) = linked(1, Faults::default());
        let [(hearer, own), (other, theirs)] = if is_dialler { [(a, 1), (b, 2)] } else { [(b, 2), (a, 1)] };
        let c = world.add_puppet("c");
        world.perform(b, Output::Accept { listener: LISTENER, link: LinkId(3) });
        connect(&mut world, c, 1, "tcp://b:40000");
        world.run_for(seconds(1));
        heard(&mut world, b);
        heard(&mut world, c);

        world.sever(hearer, other);
        world.run_for(seconds(1_000));
        assert_eq!(heard(&mut world, hearer), [reset(own)]);
        assert_eq!(heard(&mut world, other), []);
        send(&mut world, other, theirs, "hello?");
        world.run_for(seconds(1_000));
        assert_eq!((heard(&mut world, hearer), heard(&mut world, other)), (vec![], vec![]));
        close(&mut world, other, theirs);
        world.run_for(seconds(2));
        assert_eq!(heard(&mut world, other), [requested(theirs)]);

        send(&mut world, c, 1, "and us?");
        world.run_for(seconds(1));
        assert_eq!((heard(&mut world, b), heard(&mut world, c)), (vec![bytes(3, "and us?")], vec![sent(1, 7)]));
        assert_eq!(world.counts().resets, 1);
    }
}

#[test]
fn dials_are_kept_from_when_it_is_asked_for_until_they_are_taken() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    connect(&mut world, a, 1, "tcp://b:40000");
    assert_eq!(world.take_dials(), []);
    world.keep_dials();
    let began = world.now();
    connect(&mut world, b, 1, "tcp://10.0.0.1:40000");
    world.run_for(seconds(1));
    connect(&mut world, a, 2, "tcp://nobody:1");
    let dialled = |after, host, address: &str| (began + seconds(after), host, address.parse().expect("an address"));
    assert_eq!(world.take_dials(), [dialled(0, b, "tcp://10.0.0.1:40000"), dialled(1, a, "tcp://nobody:1")]);
    assert_eq!(world.take_dials(), []);
}

#[test]
fn a_reset_ends_all_streams_between_two_hosts_and_no_other() {
    let (mut world, a, b) = linked(1, Faults::default());
    let c = world.add_puppet("c");
    world.perform(b, Output::Accept { listener: LISTENER, link: LinkId(3) });
    connect(&mut world, c, 1, "tcp://b:40000");
    world.run_for(seconds(1));
    heard(&mut world, b);
    heard(&mut world, c);
    world.reset(a, b);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a), [reset(1)]);
    assert_eq!(heard(&mut world, b), [reset(2)]);
    assert_eq!(heard(&mut world, c), []);
}

#[test]
fn a_paused_process_hears_everything_afterwards_in_order() {
    let (mut world, a, b) = linked(1, Faults::default());
    world.pause(b);
    for text in ["one", "two"] {
        send(&mut world, a, 1, text);
        world.run_for(seconds(1));
    }
    close(&mut world, a, 1);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b), []);
    world.resume(b);
    world.run_for(seconds(0));
    assert_eq!(heard(&mut world, b), [bytes(2, "one"), bytes(2, "two"), closed(2, CloseReason::Ended)]);
}

#[test]
fn a_partition_cuts_between_its_sides_and_not_within_them() {
    let mut world = World::new(Seed::from(1));
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| world.add_puppet(name));
    world.partition(&[&[a, b], &[c]]);
    let medium = &world.net.medium;
    assert!(!medium.is_cut(a, b) && medium.is_cut(a, c) && medium.is_cut(c, b) && !medium.is_cut(d, c));
    world.heal_all();
    let medium = &world.net.medium;
    assert!(!medium.is_cut(a, c) && !medium.is_cut(c, b));
}
