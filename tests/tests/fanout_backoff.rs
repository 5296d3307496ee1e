//! Each target is dialled again in its own time: waits to the millisecond, attempts counted for each, and nobody waits
//! for anybody (R1, R2, R4, R5).

use std::time::Duration;

use flockmq_core::sim::{Delay, Faults};
use flockmq_core::uri::Fanout;
use flockmq_core::{CloseReason, Config, Event, FanoutConfig, TargetState};
use flockmq_tests::{HostId, Outcome, Stage};

/// The documented default: 10 ms before the first reconnect, not twice that, doubling up to 30 s.
#[test]
fn waits_double_from_10_ms_to_30_s() {
    let expected = [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480, 30_000, 30_000];
    assert_eq!(waits("", expected.len()), expected);
}

/// `initialReconnectDelay` and `maxReconnectDelay`.
#[test]
fn the_first_wait_and_the_longest_are_as_told() {
    let options = "&initialReconnectDelay=100&maxReconnectDelay=500";
    assert_eq!(waits(options, 6), [100, 200, 400, 500, 500, 500]);
    assert_eq!(waits("&initialReconnectDelay=700&maxReconnectDelay=500", 3), [500, 500, 500]);
}

/// `backOffMultiplier` multiplies: it is no exponent.
#[test]
fn each_wait_is_so_many_times_the_one_before() {
    let options = "&initialReconnectDelay=10&backOffMultiplier=3&maxReconnectDelay=1000";
    assert_eq!(waits(options, 7), [10, 30, 90, 270, 810, 1_000, 1_000]);
    assert_eq!(waits("&initialReconnectDelay=10&backOffMultiplier=1", 4), [10, 10, 10, 10]);
}

/// `useExponentialBackOff=false`.
#[test]
fn without_growth_every_wait_is_the_first() {
    let options = "&initialReconnectDelay=250&backOffMultiplier=3&useExponentialBackOff=false";
    assert_eq!(waits(options, 6), [250; 6]);
    assert_eq!(waits("&useExponentialBackOff=true", 3), [10, 20, 40]);
}

/// Jitter makes waits shorter by chance, by no more than it says.
#[test]
fn jitter_shortens_waits_and_never_lengthens_them() {
    let nominal = [100, 200, 400, 800];
    let drawn = waits("&initialReconnectDelay=100&reconnectJitter=20", 4);
    assert!(
        drawn.iter().zip(nominal).all(|(drawn, nominal)| (nominal * 8 / 10..=nominal).contains(drawn)),
        "{drawn:?}"
    );
    assert_ne!(drawn, nominal, "some wait is drawn shorter");
}

/// `maxReconnectAttempts`: as many attempts as it says, for each address by itself, and each is told of once. What is
/// up is not touched.
#[test]
fn attempts_are_counted_for_each_target_and_told_once() {
    let mut stage = punctual(1);
    let broker = stage.host(at_port(Config::broker("g", "b0")));
    let idle = [stage.world().add_puppet("idle0"), stage.world().add_puppet("idle1")];
    let uri = static_uri(&[broker, idle[0], idle[1]], "minAckCount=1&maxReconnectAttempts=4&reconnectJitter=0");
    let client = stage.host(Config::from_fanout(&uri, "c").expect("valid"));
    stage.run_for(Duration::from_mins(5));
    assert_eq!(stage.world().counts().refusals, 8, "four attempts at each of the two where nobody listens");
    let mut given_up: Vec<(String, u32)> = stage
        .notices(client)
        .iter()
        .filter_map(|(at, event)| match event {
            Event::TargetGivenUp { address, attempts, reason: CloseReason::ConnectFailed(_) } => {
                assert_eq!(at.since_origin(), Duration::from_millis(10 + 20 + 40), "at its last attempt");
                Some((address.to_string(), *attempts))
            }
            _ => None,
        })
        .collect();
    given_up.sort();
    let expected = [("tcp://10.0.0.2:61616".to_owned(), 4), ("tcp://10.0.0.3:61616".to_owned(), 4)];
    assert_eq!(given_up, expected);
    let states: Vec<TargetState> = stage.targets(client).into_iter().map(|target| target.state).collect();
    assert!(matches!(states[..], [TargetState::Up { .. }, TargetState::GivenUp, TargetState::GivenUp]), "{states:?}");
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(10));
    assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }));
}

/// One that works is dialled again though others were given up, and has all its attempts.
#[test]
fn a_target_given_up_ends_the_attempts_of_no_other() {
    let mut stage = punctual(1);
    let broker = stage.host(at_port(Config::broker("g", "b0")));
    let idle = stage.world().add_puppet("idle");
    let uri = static_uri(&[broker, idle], "minAckCount=1&maxReconnectAttempts=2&reconnectJitter=0");
    let client = stage.host(Config::from_fanout(&uri, "c").expect("valid"));
    stage.run_for(Duration::from_secs(10));
    assert_eq!(stage.count(client, |event| matches!(event, Event::TargetGivenUp { .. })), 1);
    for _ in 0..5 {
        stage.restart(broker);
        stage.run_for(Duration::from_secs(10));
        assert!(stage.is_fanned_out(client, &[broker]), "a link that lasted clears the count");
    }
    assert_eq!(stage.count(client, |event| matches!(event, Event::TargetGivenUp { .. })), 1);
}

/// 0 is no limit, and the default.
#[test]
fn without_a_limit_it_never_ends() {
    for options in ["", "&maxReconnectAttempts=0"] {
        assert_eq!(waits(&format!("&maxReconnectDelay=20{options}"), 200)[100..], [20; 100]);
    }
}

/// After a link was lost, the first wait comes before the first reconnect: once, not twice.
#[test]
fn a_lost_link_is_dialled_again_after_the_first_wait() {
    let mut stage = punctual(1);
    let broker = stage.host(at_port(Config::broker("g", "b0")));
    let uri = static_uri(&[broker], "minAckCount=1&initialReconnectDelay=300&reconnectJitter=0");
    let client = stage.host(Config::from_fanout(&uri, "c").expect("valid"));
    stage.run_for(Duration::from_secs(10));
    stage.world().reset(client, broker);
    stage.run_for(Duration::from_secs(10));
    let when = |is_meant: fn(&Event) -> bool| {
        let found = stage.notices(client).iter().rev().find(|(_, event)| is_meant(event));
        found.expect("it was told").0
    };
    let lost = when(|event| matches!(event, Event::TargetLost { .. }));
    let up = when(|event| matches!(event, Event::TargetUp { .. }));
    assert_eq!((up - lost).as_millis(), 300);
}

/// An address that swallows connects holds up no other, and no send.
#[test]
fn an_address_that_never_answers_delays_nobody() {
    let times = |has_hole: bool| {
        let mut stage = punctual(1);
        let brokers = [0, 1].map(|number| stage.host(at_port(Config::broker("g", format!("b{number}")))));
        let mut addresses: Vec<String> = brokers.iter().map(|host| format!("tcp://{}:61616", host.ip())).collect();
        if has_hole {
            addresses.insert(0, "tcp://10.0.200.1:61616".into());
        }
        let text = format!("fanout:(static:({}))?reconnectJitter=0&connectTimeout=5000", addresses.join(","));
        let uri: Fanout = text.parse().expect("valid");
        let client = stage.host(Config::from_fanout(&uri, "c").expect("valid"));
        let mut answers = Vec::new();
        for number in 0..20 {
            let sent = stage.send(client, "topic://t", &number.to_string());
            stage.run_for(Duration::from_millis(700));
            let outcome = stage.outcome(sent);
            let Outcome::Accepted { at, .. } = outcome else {
                panic!("{number}, with a hole: {has_hole}: {outcome:?}")
            };
            answers.push(*at);
            if number == 10 {
                stage.world().reset(client, brokers[0]); // It is dialled again meanwhile.
            }
        }
        let ups = stage.notices(client).iter().filter(|(_, event)| matches!(event, Event::TargetUp { .. }));
        (answers, ups.map(|(at, _)| *at).collect::<Vec<_>>())
    };
    assert_eq!(times(true), times(false));
}

/// Many that are down at once are each dialled on their own: none waits for the connect of another.
#[test]
fn attempts_run_side_by_side() {
    let mut stage = punctual(1);
    let idle: Vec<HostId> = (0..10).map(|number| stage.world().add_puppet(format!("idle{number}"))).collect();
    let uri = static_uri(&idle, "reconnectJitter=0");
    stage.host(Config::from_fanout(&uri, "c").expect("valid"));
    for (after, refusals) in [(0, 10), (9, 10), (1, 20), (19, 20), (1, 30)] {
        stage.run_for(Duration::from_millis(after));
        assert_eq!(stage.world().counts().refusals, refusals, "{after} ms later");
    }
}

/// How many milliseconds a client with these options waits between its attempts at an address where nobody listens.
fn waits(options: &str, count: usize) -> Vec<u64> {
    let mut stage = punctual(1);
    let idle = stage.world().add_puppet("idle");
    let jitter = if options.contains("reconnectJitter") { "" } else { "&reconnectJitter=0" };
    let uri = static_uri(&[idle], &format!("minAckCount=1{jitter}{options}"));
    let config = Config::from_fanout(&uri, "c").expect("valid");
    assert_eq!(config.fanout, FanoutConfig { acks_min: 1, ..FanoutConfig::default() });
    stage.host(config);
    let mut attempts = Vec::new();
    while attempts.len() <= count {
        let refusals = stage.world().counts().refusals;
        let again = stage.run_until(Duration::from_mins(1), |stage| stage.world().counts().refusals > refusals);
        assert!(again, "after {attempts:?}");
        attempts.push(stage.now());
    }
    attempts.windows(2).map(|pair| u64::try_from((pair[1] - pair[0]).as_millis()).expect("short")).collect()
}

/// A world in which nothing takes any time.
fn punctual(seed: u64) -> Stage {
    let mut stage = Stage::new(seed);
    let at_once = Delay::micros(0, 0);
    stage.world().set_faults(Faults { local_delay: at_once, stream_delay: at_once, ..Faults::default() });
    stage
}

fn static_uri(hosts: &[HostId], options: &str) -> Fanout {
    let addresses: Vec<String> = hosts.iter().map(|host| format!("tcp://{}:61616", host.ip())).collect();
    format!("fanout:(static:({}))?{options}", addresses.join(",")).parse().expect(options)
}

fn at_port(config: Config) -> Config {
    Config { listen: Some("tcp://0.0.0.0:61616".parse().expect("an address")), ..config }
}
