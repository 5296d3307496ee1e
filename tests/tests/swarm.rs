//! Whatever happens: nothing forbidden ever, and everything owed in the end.

use flockmq_tests::{Campaign, Client, Deed, Join, Limit, Mischief, Scenario, Step};

/// `FLOCKMQ_SEEDS=N` runs N seeds, `FLOCKMQ_SEEDS=A..B` those from A up to B, which is how a failure is had again.
#[test]
fn whatever_happens_no_promise_is_broken() {
    let wanted = std::env::var("FLOCKMQ_SEEDS").unwrap_or_else(|_| SEEDS.to_string());
    let number = |text: &str| text.parse::<u64>().expect("FLOCKMQ_SEEDS=N or FLOCKMQ_SEEDS=A..B");
    let seeds = match wanted.split_once("..") {
        None => 0..number(&wanted),
        Some((first, end)) => number(first)..number(end),
    };
    println!("{}", Campaign::run(seeds, STEPS_MAX));
}

/// Found by seed 17139: a peer that has waited for room accepts messages in the same step in which it hears of a shorter
/// path, and says so before it ends the demand by the longer one.
#[test]
fn a_shorter_path_takes_nothing_from_what_was_accepted_by_the_longer() {
    let steps = vec![
        Step::Wait(4),
        Step::Subscribe(0, 2),
        Step::Crash(1),
        Step::Wait(16_384),
        Step::Pause(0),
        Step::Restart(1),
        Step::Wait(16_384),
        Step::Send(3, 2, 7),
        Step::Send(1, 2, 11),
        Step::Wait(32_768),
    ];
    Scenario {
        seed: 4_264_632_242,
        hosts: 4,
        others: 0,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 3,
        demand_hops_max: 3,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![
            Limit::QueuePrefetch(2),
            Limit::QueueBytes(1_000),
            Limit::BridgePrefetch(2),
            Limit::BridgeWindow(2_000),
            Limit::LinkWindow(256),
            Limit::Slots(2),
        ],
        steps,
    }
    .run();
}

/// One chunk of bytes brings a shorter path, which takes the place of a longer one, and an acknowledgement that makes
/// room for what came by the longer.
#[test]
fn what_is_accepted_beside_a_change_of_paths_is_told_before_the_longer_ends() {
    Scenario {
        seed: 2_837_090_471,
        hosts: 5,
        others: 0,
        brokers: 0,
        clients: vec![],
        hops_max: 3,
        demand_hops_max: 3,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::QueueBytes(1), Limit::BridgeWindow(1)],
        steps: vec![
            Step::Send(3, 1, 19),
            Step::Wait(4096),
            Step::Faults(14357),
            Step::Subscribe(1, 1),
            Step::Quiet,
            Step::Wait(16),
            Step::Subscribe(4, 1),
        ],
    }
    .run();
}

/// Found by fuzzing: a message larger than what may wait for a link ended every link that it was sent on, for ever.
#[test]
fn a_message_that_no_link_carries_is_refused_where_it_is_sent() {
    Scenario {
        seed: 470_256_929,
        hosts: 4,
        others: 0,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 3,
        demand_hops_max: 3,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::LinkWindow(64), Limit::Backlog(6144), Limit::Links(8)],
        steps: vec![Step::SendSized(1, 2, 2, 9000), Step::Subscribe(2, 2)],
    }
    .run();
}

/// Found by seed 3939360732: a stranger has announced to a group an address at which a member of another group listens
/// later. Clients fan out to whoever is announced, so that one is sent their messages too, and gives them its own.
#[test]
fn a_forged_advert_makes_a_target_of_a_broker_of_another_group() {
    let client = Client {
        acks_min: 1,
        replicates_queues: false,
        checks_duplicates: false,
        is_told: false,
        attempts_max: 0,
        send_timeout_millis: 30_000,
    };
    Scenario {
        seed: 1_921_644_625,
        hosts: 2,
        others: 0,
        brokers: 0,
        clients: vec![client, Client { acks_min: 3, ..client }],
        hops_max: 3,
        demand_hops_max: 3,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: Vec::new(),
        steps: vec![
            Step::Stranger(Mischief::Forge, 0, 50_463),
            Step::AddHost(1),
            Step::Subscribe(2, 4),
            Step::Subscribe(4, 4),
            Step::Wait(4_096),
            Step::Send(2, 4, 1),
            Step::Send(4, 4, 1),
            Step::Send(3, 5, 1),
        ],
    }
    .run();
}

/// Found by seed 5000033796: a client whose link is cut says again what had not been answered, from the first message on; a
/// broker that looks for no duplicates hands it all out again.
#[test]
fn what_is_said_again_to_who_looks_for_no_duplicates_begins_anew() {
    let client = Client {
        acks_min: 1,
        replicates_queues: true,
        checks_duplicates: true,
        is_told: false,
        attempts_max: 0,
        send_timeout_millis: 2_000,
    };
    Scenario {
        seed: 2_577_770_670,
        hosts: 1,
        others: 0,
        brokers: 2,
        clients: vec![client],
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::Unchecked],
        steps: vec![
            Step::Send(3, 0, 11),
            Step::Subscribe(2, 3),
            Step::Wait(1_024),
            Step::Sever(3, 2),
            Step::Send(3, 3, 9),
            Step::Sever(0, 3),
            Step::Restart(1),
        ],
    }
    .run();
}

/// Found by seed 5000002744: who dials counts the time for which a link lasted by its own clock, which may be slow; its
/// next wait is a longer one then.
#[test]
fn a_slow_clock_makes_a_link_that_lasted_a_little_shorter() {
    Scenario {
        seed: 2_435_492_428,
        hosts: 2,
        others: 0,
        brokers: 2,
        clients: vec![ONE_ATTEMPT],
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::Reconnect(1_000, 30_000, 3, 20)],
        steps: vec![Step::Faults(61_881), Step::Restart(1)],
    }
    .run();
}

/// Found by seed 5000054280: a link is gone, and only its target knows: the client notices by its silence, at the very moment of the message's deadline.
#[test]
fn what_a_lost_target_had_may_run_out_of_time_with_it() {
    let client = Client {
        acks_min: 1,
        replicates_queues: false,
        checks_duplicates: true,
        is_told: true,
        attempts_max: 1,
        send_timeout_millis: 30_000,
    };
    Scenario {
        seed: 1_769_302_786,
        hosts: 0,
        others: 0,
        brokers: 4,
        clients: vec![client, Client { replicates_queues: true, is_told: false, attempts_max: 0, ..client }],
        hops_max: 2,
        demand_hops_max: 2,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: Vec::new(),
        steps: vec![Step::Wait(1), Step::Sever(2, 4), Step::SendSized(4, 2, 1, 9_000), Step::Wait(32_768)],
    }
    .run();
}

/// Found by seed 5000232237: what was sent to a slow host keeps a consumer's word back for longer than a cut does.
#[test]
fn who_was_slow_hears_of_a_consumer_when_it_has_heard_all_before() {
    let client = Client {
        acks_min: 1,
        replicates_queues: true,
        checks_duplicates: true,
        is_told: false,
        attempts_max: 0,
        send_timeout_millis: 200,
    };
    let other = Client { checks_duplicates: false, attempts_max: 3, send_timeout_millis: 30_000, ..client };
    Scenario {
        seed: 1_377_542_867,
        hosts: 2,
        others: 0,
        brokers: 2,
        clients: vec![client, other],
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: Vec::new(),
        steps: vec![
            Step::Stranger(Mischief::Knock, 4, 9_801),
            Step::Slow(2, 4_096),
            Step::SendWide(4, 1_100),
            Step::Subscribe(4, 3),
        ],
    }
    .run();
}

/// B4 does not count from when a host that stands still hears that a link is up, but from when it may have come up: the
/// other end has long lost it when both link up anew.
#[test]
fn a_link_that_came_up_while_its_host_stood_still_may_be_replaced_at_once() {
    Scenario {
        seed: 437_918_234,
        hosts: 4,
        others: 0,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::TopicPrefetch(3), Limit::Reconnect(1_000, 30_000, 2, 0)],
        steps: vec![Step::Wait(2), Step::Sever(1, 3), Step::Pause(3), Step::Wait(60_000), Step::Wait(12_000)],
    }
    .run();
}

/// F1: a broker that was taken for lost and is heard again is up all the while, also where no link is left to dial it.
#[test]
fn a_target_that_is_found_again_while_its_link_is_up_is_up() {
    Scenario {
        seed: 4_201_173_899,
        hosts: 0,
        others: 0,
        brokers: 4,
        clients: vec![Client { replicates_queues: false, ..ONE_ATTEMPT }, ONE_ATTEMPT],
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::Links(8)],
        steps: vec![
            Step::Wait(64),
            Step::Send(5, 3, 7),
            Step::Stranger(Mischief::Alter, 3, 28_770),
            Step::Wait(2_560),
            Step::Stranger(Mischief::Flood, 1, 19_646),
            Step::Stranger(Mischief::Forge, 5, 37_828),
            Step::Wait(2),
        ],
    }
    .run();
}

/// Q8 does not count what was due while a machine slept, and is done when somebody comes.
#[test]
fn what_is_due_when_an_intruder_comes_is_not_its_doing() {
    Scenario {
        seed: 3_724_051_686,
        hosts: 2,
        others: 0,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 2,
        demand_hops_max: 2,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: Vec::new(),
        steps: vec![
            Step::Do(Deed::Subscribe(1, 12, 55)),
            Step::Do(Deed::Subscribe(1, 12, 118)),
            Step::Do(Deed::Send(1, 3, 55, 9)),
            Step::Sleep(1),
            Step::Wait(2_048),
        ],
    }
    .run();
}

/// A client that gives a broker up when it was dialled once in vain.
const ONE_ATTEMPT: Client = Client {
    acks_min: 1,
    replicates_queues: true,
    checks_duplicates: true,
    is_told: false,
    attempts_max: 1,
    send_timeout_millis: 30_000,
};
const SEEDS: u64 = 200;
const STEPS_MAX: usize = 40;

/// Found by seed 1909994910: where copies are not recognised, a message that came twice was rejected twice, so that there are
/// two dead letters of it, of which nobody had either before.
#[test]
fn each_copy_that_is_rejected_is_a_dead_letter_where_copies_are_not_recognised() {
    Scenario {
        seed: 4_224_177_779,
        hosts: 5,
        others: 1,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::BridgePrefetch(3), Limit::Unchecked],
        steps: vec![
            Step::Do(Deed::Send(4, 2, 42, 10)),
            Step::Do(Deed::Subscribe(0, 2, 119)),
            Step::Wait(2),
            Step::Do(Deed::Subscribe(4, 2, 37)),
            Step::Reset(0, 4),
        ],
    }
    .run();
}

/// Found by seed 1909997942: a process stands still while demand is exchanged, and reads afterwards that it took too long.
#[test]
fn who_stands_still_before_its_bridges_are_ready_is_parted_from() {
    Scenario {
        seed: 535_887_273,
        hosts: 5,
        others: 0,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 1,
        demand_hops_max: 1,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: Vec::new(),
        steps: vec![
            Step::Faults(12_263),
            Step::Wait(1_024),
            Step::Subscribe(3, 5),
            Step::Quiet,
            Step::Pause(3),
            Step::Wait(32_768),
        ],
    }
    .run();
}

/// Found by seed 7018918: what may not cross one bridge could go round it, but the way round is hidden by a shorter path that
/// leads over it.
#[test]
fn a_way_round_a_bridge_that_lets_nothing_cross_may_not_be_known() {
    let plain = Join {
        from: 3,
        to: 1,
        excluded: 0,
        included: 0,
        forwarded: 0,
        is_static: false,
        temporary: true,
        is_conduit: false,
        is_level: false,
        prefetch: 3,
    };
    Scenario {
        seed: 2_177_878_629,
        hosts: 2,
        others: 2,
        brokers: 0,
        clients: Vec::new(),
        hops_max: 3,
        demand_hops_max: 3,
        walls: Vec::new(),
        joins: vec![plain, Join { from: 2, excluded: 4, included: 4, forwarded: 2, prefetch: 0, ..plain }],
        limits: Vec::new(),
        steps: vec![Step::Subscribe(0, 7), Step::Subscribe(2, 7)],
    }
    .run();
}

/// Found by seed 7007799: one broker accepts a client's message, which is enough, and another has no room for it.
#[test]
fn what_one_broker_accepts_another_may_refuse() {
    let client = Client {
        acks_min: 1,
        replicates_queues: true,
        checks_duplicates: true,
        is_told: false,
        attempts_max: 0,
        send_timeout_millis: 2_000,
    };
    Scenario {
        seed: 2_205_490_236,
        hosts: 0,
        others: 0,
        brokers: 4,
        clients: vec![client, Client { replicates_queues: false, is_told: true, ..client }],
        hops_max: 3,
        demand_hops_max: 3,
        walls: Vec::new(),
        joins: Vec::new(),
        limits: vec![Limit::RemoteWindow(500), Limit::Memory(500), Limit::WhenFull(0)],
        steps: vec![Step::Subscribe(5, 9), Step::SubscribeReluctantly(1, 4, 0)],
    }
    .run();
}
