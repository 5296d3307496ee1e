//! Values of every kind of location, for properties.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{
    BridgeOptions, Broker, BrokerOptions, Connector, Discovered, Discovery, Fanout, Location, Multicast, Network, Peer,
    Reconnect, Static, Targets, Tcp, Vm, WireFormat,
};
use crate::model::{Address, Destination, DestinationKind, Host};

pub(super) fn location() -> impl Strategy<Value = Location> {
    // The large ones are boxed, as what they are made of is, since a test's stack does not hold all of them at once.
    prop_oneof![
        broker().prop_map(Location::Broker).boxed(),
        fanout().prop_map(Location::Fanout).boxed(),
        multicast().prop_map(Location::Multicast),
        network().prop_map(Location::Network).boxed(),
        peer().prop_map(Location::Peer).boxed(),
        fixed().prop_map(Location::Static),
        tcp().prop_map(Location::Tcp),
        vm().prop_map(Location::Vm),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "[^\\p{Cc}]{1,12}"]
}

fn millis(min: u64, max: u64) -> impl Strategy<Value = Duration> {
    (min..=max).prop_map(Duration::from_millis)
}

fn address(port_min: u16) -> impl Strategy<Value = Address> {
    let host = prop_oneof![
        any::<Ipv4Addr>().prop_map(|ip| Host::Ip(IpAddr::V4(ip))),
        any::<Ipv6Addr>().prop_map(|ip| Host::Ip(IpAddr::V6(ip))),
        "[a-zA-Z][a-zA-Z0-9._-]{0,20}".prop_map(Host::Name),
    ];
    (host, port_min..).prop_map(|(host, port)| Address { host, port })
}

fn multicast_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (224_u8..=239, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| IpAddr::from([a, b, c, d])),
        any::<[u8; 15]>().prop_map(|rest| {
            let mut bytes = [0xff; 16];
            bytes[1..].copy_from_slice(&rest);
            IpAddr::from(bytes)
        }),
    ]
}

fn wire_format() -> impl Strategy<Value = WireFormat> {
    (of(65_536_u32..=1 << 30), of(millis(100, 3_600_000)))
        .prop_map(|(max_frame_size, max_inactivity_duration)| WireFormat { max_frame_size, max_inactivity_duration })
}

fn broker_options() -> impl Strategy<Value = BrokerOptions> {
    let bytes = || of(65_536_u64..=1 << 40);
    (any::<Option<bool>>(), of(1_u16..), of(1_u16..), bytes(), bytes(), any::<Option<bool>>()).prop_map(
        |(persistent, queue_prefetch, topic_prefetch, memory_limit, memory_usage, check_for_duplicates)| {
            BrokerOptions {
                persistent,
                queue_prefetch,
                topic_prefetch,
                memory_limit,
                memory_usage,
                check_for_duplicates,
            }
        },
    )
}

fn discovery() -> impl Strategy<Value = Discovery> {
    let (heard, sent) = ((of(multicast_ip()), of(1_u16..)), (any::<Option<u8>>(), of(millis(10, 60_000))));
    (heard, sent, of(text()), any::<Option<bool>>()).prop_map(
        |((address, port), (time_to_live, keep_alive_interval), interface, loop_back_mode)| Discovery {
            address,
            port,
            time_to_live,
            keep_alive_interval,
            interface,
            loop_back_mode,
        },
    )
}

fn tcp() -> impl Strategy<Value = Tcp> {
    (address(1), of(millis(1, 3_600_000)), wire_format()).prop_map(|(address, connection_timeout, wire_format)| Tcp {
        address,
        connection_timeout,
        wire_format,
    })
}

fn multicast() -> impl Strategy<Value = Multicast> {
    (of(text()), discovery()).prop_map(|(group, discovery)| Multicast { group, discovery })
}

fn reconnect() -> impl Strategy<Value = Reconnect> {
    let delays = (of(millis(1, 3_600_000)), of(millis(1, 3_600_000)));
    let growth = (any::<Option<bool>>(), of(1_u32..=100), of(0_u32..=1_000_000));
    (delays, growth).prop_map(
        |((initial_delay, max_delay), (use_exponential_back_off, back_off_multiplier, max_attempts))| Reconnect {
            initial_delay,
            max_delay,
            use_exponential_back_off,
            back_off_multiplier,
            max_attempts,
        },
    )
}

fn fixed() -> impl Strategy<Value = Static> {
    (vec(tcp(), 1..4), reconnect()).prop_map(|(peers, reconnect)| Static { peers, reconnect })
}

fn destinations() -> impl Strategy<Value = Vec<Destination>> {
    let kind = prop_oneof![Just(DestinationKind::Queue), Just(DestinationKind::Topic)];
    let name = prop_oneof!["[a-z]{1,4}(\\.[a-z*]{1,4}){0,2}(\\.>)?", "[^\\p{Cc}.,]{1,9}"];
    vec((kind, name).prop_map(|(kind, name)| Destination::new(kind, &name).expect("a name")), 0..3)
}

fn bridge() -> impl Strategy<Value = BridgeOptions> {
    let hops = || of(1_u8..=16);
    let far = (hops(), hops(), hops(), of(1_u16..), any::<[Option<bool>; 2]>());
    let crosses = (destinations(), destinations(), destinations(), any::<[Option<bool>; 2]>());
    let bridge = (far, crosses, any::<Option<bool>>(), of(-127_i8..=127)).prop_map(
        |(
            (network_ttl, message_ttl, consumer_ttl, prefetch_size, [conduit_subscriptions, dynamic_only]),
            (excluded, dynamically_included, statically_included, [static_bridge, bridge_temp_destinations]),
            decrease_network_consumer_priority,
            consumer_priority_base,
        )| BridgeOptions {
            network_ttl,
            message_ttl,
            consumer_ttl,
            prefetch_size,
            conduit_subscriptions,
            dynamic_only,
            excluded,
            dynamically_included,
            statically_included,
            static_bridge,
            bridge_temp_destinations,
            decrease_network_consumer_priority,
            consumer_priority_base,
        },
    );
    bridge.boxed()
}

fn network() -> impl Strategy<Value = Network> {
    (vec(tcp(), 1..4), reconnect(), of(text()), bridge()).prop_map(|(peers, reconnect, name, bridge)| Network {
        peers,
        reconnect,
        name,
        bridge,
    })
}

fn broker() -> impl Strategy<Value = Broker> {
    let found = (of(address(0)), vec(network(), 0..3), of(text()), any::<[Option<bool>; 2]>());
    (found, broker_options(), bridge(), wire_format()).prop_map(
        |(
            (listen, networks, name, [accept_network_connectors, client_administration]),
            broker,
            bridge,
            wire_format,
        )| Broker {
            listen,
            networks,
            name,
            accept_network_connectors,
            client_administration,
            broker,
            bridge,
            wire_format,
        },
    )
}

fn listed() -> impl Strategy<Value = Connector> {
    prop_oneof![fixed().prop_map(Connector::Static), network().prop_map(Connector::Network)]
}

fn fanout() -> impl Strategy<Value = Fanout> {
    let targets = prop_oneof![multicast().prop_map(Targets::Multicast), vec(tcp(), 1..4).prop_map(Targets::Static)];
    let sent = (any::<Option<bool>>(), of(1_u32..=256), of(millis(1, 3_600_000)), of(65_536_u64..=1 << 40));
    let dialled = (reconnect(), of(0_u8..=100), of(millis(1, 3_600_000)));
    let discovered = (of(millis(1, 3_600_000)), wire_format())
        .prop_map(|(connection_timeout, wire_format)| Discovered { connection_timeout, wire_format });
    (targets, sent, dialled, any::<Option<bool>>(), discovered).prop_map(
        |(
            targets,
            (fan_out_queues, min_ack_count, send_timeout, memory_limit),
            (reconnect, reconnect_jitter, connect_timeout),
            check_for_duplicates,
            discovered,
        )| {
            let mut fanout = Fanout {
                targets,
                reconnect,
                reconnect_jitter,
                fan_out_queues,
                min_ack_count,
                send_timeout,
                connect_timeout,
                memory_limit,
                check_for_duplicates,
                discovered,
            };
            if let Some(listed) = fanout.targets.listed() {
                let listed = u32::try_from(listed).expect("a short list");
                if fanout.acks_min() > listed {
                    fanout.min_ack_count = Some(listed);
                }
            }
            fanout
        },
    )
}

fn vm() -> impl Strategy<Value = Vm> {
    (text(), any::<Option<bool>>(), of(millis(1, 3_600_000)), broker_options())
        .prop_map(|(name, create, wait_for_start, broker)| Vm { name, create, wait_for_start, broker })
}

fn peer() -> impl Strategy<Value = Peer> {
    let named = (text(), of(text()), broker_options(), wire_format());
    let found = (discovery(), vec(listed(), 0..3), of(discovery()), any::<bool>());
    let bridged = (of(address(0)), any::<Option<bool>>(), any::<Option<bool>>(), bridge());
    (named, found, bridged).prop_map(
        |(
            (group, name, broker, wire_format),
            (discovery, peers, replaced, repeats),
            (transport_connector, accept_network_connectors, client_administration, bridge),
        )| {
            let mut network_connectors = peers;
            let is_replaced = replaced.is_some();
            network_connectors.extend(replaced.map(|discovery| {
                Connector::Multicast(Multicast { group: Some(group.clone()).filter(|_| repeats), discovery })
            }));
            let discovery = if is_replaced { Discovery::default() } else { discovery };
            Peer {
                group,
                name,
                broker,
                discovery,
                network_connectors,
                transport_connector,
                accept_network_connectors,
                bridge,
                client_administration,
                wire_format,
            }
        },
    )
}
