//! What administrators ask, of their own broker and through fanout.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::{
    AdminReply, AdminRequest, Advisory, Answer, Body, BrokerId, ConnectionId, ConsumerId, Destination, Durable,
    Inventory, Party, Refusal, RequestId, Subscription,
};

const CONNECTION: ConnectionId = ConnectionId(1);
const ALL: AdminRequest = AdminRequest::Destinations { within: None, after: None };

type Answers = Vec<Answer<AdminReply>>;
/// A destination's name, depth and producers.
type Told = (String, u64, u64);

/// A world with two brokers and a client that sends to each of them.
fn trio() -> (World, [HostId; 2], HostId) {
    trio_of(|_| ())
}

fn trio_of(change: impl Fn(&mut Config)) -> (World, [HostId; 2], HostId) {
    let mut world = World::new(Seed::from(1));
    let brokers = ["a", "b"].map(|name| {
        let mut config = Config::broker("flock", name);
        change(&mut config);
        world.add_host(config)
    });
    let mut config = Config::client("client");
    config.group = "flock".into();
    config.multicast = Some(crate::MulticastConfig::default());
    let client = world.add_host(config);
    world.run_for(seconds(5));
    (world, brokers, client)
}

/// Sends messages of this many bytes.
fn produce(world: &mut World, host: HostId, producer: u64, destination: &str, sizes: &[usize]) {
    let request = RequestId(100 + producer);
    world.command(host, Command::Attach { request, connection: CONNECTION });
    let destination = destination.parse().unwrap();
    world.command(host, Command::Produce { request, connection: CONNECTION, producer, destination });
    let messages = sizes.iter().map(|size| Body::bytes(vec![0; *size])).collect();
    world.command(host, Command::Send { connection: CONNECTION, producer, messages });
    world.run_for(seconds(1));
}

fn ask(world: &mut World, host: HostId, only: Option<BrokerId>, asked: AdminRequest) -> Answers {
    let request = RequestId(7);
    world.events(host);
    world.command(host, Command::Ask { request, only, asked });
    world.run_for(seconds(1));
    let mut answers = world.events(host).into_iter().filter_map(|(_, event)| match event {
        Event::Answered { request: RequestId(7), result } => Some(result.unwrap()),
        _ => None,
    });
    let (found, None) = (answers.next().expect("answered"), answers.next()) else { panic!("answered twice") };
    found
}

/// Each broker's name, and of each destination its name, depth and producers.
fn inventories(answers: &Answers) -> Vec<(&str, Vec<Told>)> {
    let told = answers.iter().map(|answer| {
        let Ok(AdminReply::Destinations(Inventory { destinations, left_out: 0 })) = &answer.result else {
            panic!("{answer:?}")
        };
        let told = destinations.iter().map(|found| (found.name.to_string(), found.depth, found.producers));
        (answer.name.as_str(), told.collect())
    });
    told.collect()
}

#[test]
fn a_broker_answers_for_itself() {
    let (mut world, [a, b], _) = trio();
    produce(&mut world, a, 1, "queue://q", &[1, 2]);
    produce(&mut world, a, 2, "topic://t", &[1]);
    let (own, other) = (world.node(a).unwrap().id(), world.node(b).unwrap().id());
    let expected = vec![("a", vec![("queue://q".into(), 2, 1), ("topic://t".into(), 0, 1)])];
    assert_eq!(inventories(&ask(&mut world, a, None, ALL)), expected);
    assert_eq!(inventories(&ask(&mut world, a, Some(own), ALL)), expected);
    assert_eq!(ask(&mut world, a, Some(other), ALL), []);
}

#[test]
fn a_client_hears_from_every_broker_and_each_does_as_it_is_asked() {
    let (mut world, [a, b], client) = trio();
    produce(&mut world, a, 1, "queue://own", &[1]);
    produce(&mut world, client, 1, "topic://t", &[1]);
    let topic = ("topic://t".to_string(), 0, 1);
    let mut answers = ask(&mut world, client, None, ALL);
    answers.sort_by(|one, other| one.name.cmp(&other.name));
    let own = ("queue://own".to_string(), 1, 1);
    assert_eq!(inventories(&answers), [("a", vec![own, topic.clone()]), ("b", vec![topic])]);
    assert_eq!(
        answers.iter().map(|answer| answer.broker).collect::<Vec<_>>(),
        [a, b].map(|host| world.node(host).unwrap().id())
    );

    let queue = Destination::queue("own").unwrap();
    let mut answers = ask(&mut world, client, None, AdminRequest::Purge(queue.clone()));
    answers.sort_by(|one, other| one.name.cmp(&other.name));
    let results: Vec<_> = answers.into_iter().map(|answer| answer.result).collect();
    assert_eq!(results, [Ok(AdminReply::Purged { messages: 1, queues: 1 }), Err(Refusal::NoDestination(queue))]);
    let stats = world.node(a).unwrap().stats().broker;
    assert_eq!((stats.queued, stats.purged), (0, 1));
}

#[test]
fn a_broker_may_let_clients_look_and_do_no_more() {
    let (mut world, [a, _], client) = trio_of(|config| config.remote.administration = false);
    produce(&mut world, a, 1, "queue://q", &[1]);
    let broker = Some(world.node(a).unwrap().id());
    let queue = Destination::queue("q").unwrap();
    for asked in [AdminRequest::Pause, AdminRequest::Purge, AdminRequest::Resume] {
        let answers = ask(&mut world, client, broker, asked(queue.clone()));
        assert_eq!(answers.into_iter().map(|answer| answer.result).collect::<Vec<_>>(), [Err(Refusal::NotForClients)]);
    }
    let shown = vec![("a", vec![("queue://q".into(), 1, 1)])];
    assert_eq!(inventories(&ask(&mut world, client, broker, ALL)), shown);
    let durable = Durable::new("me", "log").unwrap();
    let answers = ask(&mut world, client, broker, AdminRequest::RemoveDurable(durable.clone()));
    assert_eq!(answers[0].result, Err(Refusal::DurableUnknown(durable)), "that is the subscriber's to do");
    let own = ask(&mut world, a, None, AdminRequest::Purge(queue));
    assert_eq!(own[0].result, Ok(AdminReply::Purged { messages: 1, queues: 1 }));
}

/// Has a host's application consume from a queue that nobody knows yet.
fn consume(world: &mut World, host: HostId) {
    let (request, consumer) = (RequestId(8), ConsumerId(1));
    world.command(host, Command::Attach { request, connection: CONNECTION });
    let subscription = Subscription::new("q".parse().unwrap());
    world.command(host, Command::Subscribe { request, connection: CONNECTION, consumer, subscription });
    world.run_for(seconds(1));
}

/// What a client was told since it was last asked.
fn advised(world: &mut World, client: HostId) -> Vec<(BrokerId, Advisory)> {
    let told = world.events(client).into_iter().filter_map(|(_, event)| match event {
        Event::Advised { broker, missed: 0, advisory } => Some((broker, advisory)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_client_is_told_what_happens_at_every_target_and_at_those_that_come_later() {
    let (mut world, [_, b], client) = trio();
    let (request, connection) = (RequestId(7), CONNECTION);
    world.command(client, Command::Attach { request, connection });
    world.command(client, Command::Advise { request, connection, wanted: true });
    world.run_for(seconds(1));
    world.events(client);
    let c = world.add_host(Config::broker("flock", "c"));
    world.run_for(seconds(5));
    for host in [b, c] {
        assert_eq!(advised(&mut world, client), []);
        consume(&mut world, host);
        let broker = world.node(host).unwrap().id();
        let (by, destination) = (Party::Application(CONNECTION), Destination::queue("q").unwrap());
        let expected = [
            Advisory::ConnectionOpened { by },
            Advisory::DestinationAdded { destination: destination.clone() },
            Advisory::ConsumerAdded { destination: destination.into(), consumer: ConsumerId(1), by },
        ];
        assert_eq!(advised(&mut world, client), expected.map(|advisory| (broker, advisory)));
    }
    world.command(client, Command::Advise { request, connection, wanted: false });
    world.run_for(seconds(1));
    world.command(b, Command::Detach { request, connection });
    world.run_for(seconds(1));
    assert_eq!(advised(&mut world, client), []);
}

/// A client whose broker is asked to hand out again hears the messages, and its producers hear that there is room.
#[test]
fn what_a_question_sets_free_is_told_in_the_same_pass() {
    let mut world = World::new(Seed::from(1));
    let mut config = Config::alone("a");
    config.broker.queue_bytes_max = 1;
    let host = world.add_host(config);
    produce(&mut world, host, 1, "queue://q", &[1, 1]);
    world.events(host);
    world.command(
        host,
        Command::Ask { request: RequestId(7), only: None, asked: AdminRequest::Purge("q".parse().unwrap()) },
    );
    let told: Vec<_> = world.events(host).into_iter().map(|(_, event)| event).collect();
    let [Event::Answered { .. }, Event::Accepted { producer: 1, up_to: 2, .. }] = &told[..] else { panic!("{told:?}") };
}
