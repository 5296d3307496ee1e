//! Whole URIs: good ones and how they print, bad ones and what is said about them.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use proptest::prelude::*;

use super::*;

/// What is written, and how it prints; `""` if the same.
const GOOD: &[(&str, &str)] = &[
    // What a broker that belongs to no group is made of.
    ("broker:(tcp://0.0.0.0:0,network:static:(tcp://hub:61616))?name=edge", ""),
    ("broker://(network:static:tcp://a:1)", "broker:(network:static:(tcp://a:1))"),
    ("broker:tcp://localhost:61616", "broker:(tcp://localhost:61616)"),
    (
        "broker:(network:static:(tcp://a:1?connectionTimeout=5,tcp://b:2)?networkTTL=3&name=far%20side&initialReconnectDelay=9,tcp://[::1]:7,network:static:(tcp://c:3))?messageTTL=2&clientAdministration=false&acceptNetworkConnectors=false&memoryLimit=65536&wireFormat.maxFrameSize=65536",
        "broker:(tcp://[::1]:7,network:static:(tcp://a:1?connectionTimeout=5,tcp://b:2)?initialReconnectDelay=9&name=far%20side&networkTTL=3,network:static:(tcp://c:3))?acceptNetworkConnectors=false&clientAdministration=false&memoryLimit=65536&messageTTL=2&wireFormat.maxFrameSize=65536",
    ),
    (
        "peer://g?excludedDestinations=orders&dynamicallyIncludedDestinations=(topic://a.*,queue://b%26x.>)&consumerPriorityBase=-7",
        "peer://g?excludedDestinations=queue://orders&dynamicallyIncludedDestinations=(topic://a.*,queue://b%26x.>)&consumerPriorityBase=-7",
    ),
    (
        "broker:(network:static:(tcp://a:1)?staticallyIncludedDestinations=(topic://a%28b%29,q%26a)&staticBridge=true,tcp://b:0)?bridgeTempDestinations=false",
        "broker:(tcp://b:0,network:static:(tcp://a:1)?staticallyIncludedDestinations=(topic://a%28b%29,queue://q%26a)&staticBridge=true)?bridgeTempDestinations=false",
    ),
    ("broker:()", ""),
    ("network:static:(tcp://a:1,tcp://b:2)?maxReconnectAttempts=3&consumerTTL=2", ""),
    ("network:static:tcp://a:1,tcp://b:2", "network:static:(tcp://a:1,tcp://b:2)"),
    ("peer://g?networkConnectorURIs=(network:static:(tcp://a:1)?networkTTL=3)", ""),
    ("peer://g?networkConnectorURIs=(static:(tcp://a:1),network:static:(tcp://b:2))&acceptNetworkConnectors=false", ""),
    // Groups and names are any text.
    ("peer://groupA/broker1?persistent=false", ""),
    ("peer://group_A", ""),
    ("peer://group_A/", "peer://group_A"),
    ("peer://group_A?", "peer://group_A"),
    ("peer://my.group.1/b", ""),
    ("peer://-g-/b", ""),
    ("peer://a%20b/c%2fd", "peer://a%20b/c%2Fd"),
    ("peer://группа/%D0%B1", "peer://группа/б"),
    ("peer://g:77/b", ""),
    ("peer://u:p@h:1/b", ""),
    ("peer://a+b", "peer://a%2Bb"),
    ("peer://a(b)c,d", "peer://a%28b%29c%2Cd"),
    ("peer://%28%28", ""),
    ("peer://g/%3F%23%25", ""),
    ("peer://g((((((((8))))))))", "peer://g%28%28%28%28%28%28%28%288%29%29%29%29%29%29%29%29"),
    // Options print in the order of their table.
    (
        "peer://g?queuePrefetch=07&discovery.port=1&%70ersistent=true",
        "peer://g?discovery.port=1&persistent=true&queuePrefetch=7",
    ),
    ("peer://g?discovery.address=ff02::1&discovery.interface=eth%200", ""),
    ("peer://g?transportConnectorURIs=tcp%3A%2F%2F%5B%3A%3A%5D%3A0", "peer://g?transportConnectorURIs=tcp://[::]:0"),
    // Connectors: alone, in a list, encoded or not.
    ("peer://g?networkConnectorURIs=multicast://default", "peer://g?networkConnectorURIs=(multicast://default)"),
    ("peer://g?networkConnectorURIs=static:tcp://a:1", "peer://g?networkConnectorURIs=(static:(tcp://a:1))"),
    (
        "peer://g?networkConnectorURIs=static:(tcp://a:1,tcp://b:2)&networkTTL=2",
        "peer://g?networkConnectorURIs=(static:(tcp://a:1,tcp://b:2))&networkTTL=2",
    ),
    (
        "peer://g?networkConnectorURIs=static%3A%28tcp%3A%2F%2Fa%3A1%29%3FmaxReconnectAttempts%3D2",
        "peer://g?networkConnectorURIs=(static:(tcp://a:1)?maxReconnectAttempts=2)",
    ),
    (
        "peer://a%20b?networkConnectorURIs=(multicast://default?group=a%20b&timeToLive=0,static:(tcp://a:1),)",
        "peer://a%20b?networkConnectorURIs=(multicast://default?group=a%20b&timeToLive=0,static:(tcp://a:1))",
    ),
    (
        "peer://a%20b?networkConnectorURIs=multicast://default%3Fgroup=a%2520b",
        "peer://a%20b?networkConnectorURIs=(multicast://default?group=a%20b)",
    ),
    // The other schemes.
    ("vm://broker1", ""),
    (
        "vm://b%20x/?create=false&waitForStart=10&broker.persistent=true",
        "vm://b%20x?create=false&waitForStart=10&broker.persistent=true",
    ),
    ("tcp://localhost:61616", ""),
    ("tcp://[::1]:1/?connectionTimeout=5", "tcp://[::1]:1?connectionTimeout=5"),
    ("tcp://my_host.example:1?wireFormat.maxFrameSize=65536", ""),
    ("multicast://default", ""),
    ("multicast://default:7000?group=g", ""),
    (
        "multicast://239.1.2.3:6155?group=%D0%B1%20c&loopBackMode=true",
        "multicast://239.1.2.3:6155?group=б%20c&loopBackMode=true",
    ),
    ("multicast://[ff02::1]", ""),
    ("multicast://default?group=a(b,c%3Fd)", "multicast://default?group=a%28b%2Cc%3Fd%29"),
    ("static:(tcp://a:1,tcp://b:2)?initialReconnectDelay=5", ""),
    ("static://(tcp://a:1)", "static:(tcp://a:1)"),
    ("static:tcp://a:1", "static:(tcp://a:1)"),
    ("static://tcp://a:1,tcp://b:2", "static:(tcp://a:1,tcp://b:2)"),
    ("static:(tcp://a:1,)", "static:(tcp://a:1)"),
    (
        "static:tcp://a:1?connectionTimeout=5,tcp://b:2?connectionTimeout=6",
        "static:(tcp://a:1?connectionTimeout=5,tcp://b:2?connectionTimeout=6)",
    ),
];

/// What is written, the part at fault, and what is said about it.
const BAD: &[(&str, &str, &str)] = &[
    (
        "broker:(tcp://0.0.0.0:1,tcp://0.0.0.0:2)",
        "tcp://0.0.0.0:2",
        "'tcp://0.0.0.0:2' and 'tcp://0.0.0.0:1' both say where to listen; expected only one of them to",
    ),
    ("broker:(multicast://default)", "multicast", "'multicast' is no scheme that fits here; expected tcp or network"),
    ("broker:(network:multicast://default)", "multicast", "'multicast' is no scheme that fits here; expected static"),
    ("network:tcp://a:1", "tcp", "'tcp' is no scheme that fits here; expected static"),
    (
        "network:static:()",
        "static:()",
        "'static:()' has no peer in its list; expected network:static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "broker:tcp://0.0.0.0:1?name=x",
        "name=x",
        "'name=x' may not stand there; expected parentheses around the address: broker:(tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "broker:(tcp://0.0.0.0:1?name=x)",
        "name=x",
        "'name=x' may not stand there; expected the broker's options after the ')' that closes its list",
    ),
    ("broker:(tcp://0.0.0.0:1?nam=x)", "nam", "'nam' is no option of broker: URIs; the nearest is 'name'"),
    ("peer://g?excludedDestinations=(a,,b)", "", "'a,,b' has an empty place; expected a URI before every comma"),
    (
        "peer://g?excludedDestinations=queue://a,topic://b",
        "queue://a,topic://b",
        "'queue://a,topic://b' is no value for 'excludedDestinations'; expected a destination or pattern, or several of them: (queue://NAME,topic://NAME.>)",
    ),
    (
        "peer://g?excludedDestinations=()",
        "()",
        "'()' is no value for 'excludedDestinations'; expected a destination or pattern, or several of them: (queue://NAME,topic://NAME.>)",
    ),
    (
        "peer://g?excludedDestinations=(a,b)c",
        "(a,b)c",
        "'(a,b)c' is no value for 'excludedDestinations'; expected a destination or pattern, or several of them: (queue://NAME,topic://NAME.>)",
    ),
    (
        "peer://g?excludedDestinations=(a,quue://b)",
        "quue://b",
        "'quue' is no kind of destination; expected queue://NAME or topic://NAME",
    ),
    (
        "peer://g?consumerPriorityBase=low",
        "low",
        "'low' is no value for 'consumerPriorityBase'; expected a number from -127 to 127",
    ),
    (
        "broker:(network:static:(tcp://a:1)?duplex=true)",
        "duplex",
        "'duplex' is an option of ActiveMQ's that is not offered: every bridge goes both ways over its one link",
    ),
    (
        "peer://g?userName=me",
        "userName",
        "'userName' is an option of ActiveMQ's that is not offered: there is no authentication in this version",
    ),
    ("broker:(tcp://0.0.0.0)", "0.0.0.0", "'tcp://0.0.0.0' has no port; expected tcp://HOST:PORT"),
    (
        "broker:(network:static:(tcp://a:1))?initialReconnectDelay=5",
        "initialReconnectDelay",
        "'initialReconnectDelay' is no option of broker: URIs but of network:static: ones; it belongs on the network:static: URI inside this one",
    ),
    (
        "broker:(network:static:tcp://a:1?networkTTL=2)",
        "networkTTL",
        "'networkTTL' is no option of tcp: URIs but of network:static: ones; it belongs on the network:static: URI around this one, with parentheses: network:static:(URI)?networkTTL=VALUE",
    ),
    (
        "static:(tcp://a:1)?networkTTL=2",
        "networkTTL",
        "'networkTTL' is no option of static: URIs; the nearest is 'maxReconnectDelay'",
    ),
    ("", "", "'' has no scheme; expected broker, fanout, multicast, network, peer, static, tcp or vm, then ':'"),
    (
        "groupA/broker1",
        "groupA/broker1",
        "'groupA/broker1' has no scheme; expected broker, fanout, multicast, network, peer, static, tcp or vm, then ':'",
    ),
    (
        "://g",
        "://g",
        "'://g' has no scheme; expected broker, fanout, multicast, network, peer, static, tcp or vm, then ':'",
    ),
    (
        "failover:(tcp://a:1)",
        "failover",
        "'failover' is no scheme known in this version; expected broker, fanout, multicast, network, peer, static, tcp or vm",
    ),
    (
        "PEER://g",
        "PEER",
        "'PEER' is no scheme known in this version; expected broker, fanout, multicast, network, peer, static, tcp or vm",
    ),
    ("peer:name", "peer:name", "'peer:name' has no '//' after its scheme; expected peer://GROUP/NAME?OPTIONS"),
    ("peer://", "peer://", "'peer://' has no group; expected peer://GROUP/NAME?OPTIONS"),
    ("peer:///b", "peer:///b", "'peer:///b' has no group; expected peer://GROUP/NAME?OPTIONS"),
    ("peer://(g)/b", "(g)/b", "'(g)/b' may not stand there; expected peer://GROUP/NAME?OPTIONS"),
    ("peer://g/a/b", "/b", "'/b' may not stand there; expected one name after the group, with %2F for a '/' in it"),
    ("peer://g/a/", "/", "'/' may not stand there; expected one name after the group, with %2F for a '/' in it"),
    ("peer://g%0Ah", "g%0Ah", "'g%0Ah' is no group; expected 1 to 255 bytes of text without control characters"),
    ("peer://g/%", "%", "'%' is no percent-encoded byte; expected '%' and two hexadecimal digits"),
    ("peer://g/%FF", "%FF", "'%FF' does not decode to text; expected UTF-8"),
    ("peer://g/a b", " ", "' ' at byte 10 may not stand in a URI; expected %20 for it"),
    ("peer://g/a\u{a0}b", "\u{a0}", "'\\u{a0}' at byte 10 may not stand in a URI; expected %C2%A0 for it"),
    ("peer://g/b#f", "#f", "'#f' is a fragment, and no URI here has one; expected %23 if a name has a '#'"),
    ("peer://g)(", ")", "')' at byte 8 has no partner; expected every '(' to be closed by a ')' after it"),
    ("peer://g((h)", "(", "'(' at byte 8 has no partner; expected every '(' to be closed by a ')' after it"),
    (
        "peer://(((((((((9)))))))))",
        "(",
        "'(' at byte 15 opens one level too many; expected at most 8 inside one another",
    ),
    (
        "peer://g?persistent=true?queuePrefetch=1",
        "?queuePrefetch=1",
        "'?queuePrefetch=1' is a second query; expected '&' between options, or %3F if a value has a '?'",
    ),
    ("peer://g?persistent", "persistent", "'persistent' is no option; expected NAME=VALUE"),
    ("peer://g?=true", "=true", "'=true' is no option; expected NAME=VALUE"),
    ("peer://g?persistent=true&", "", "'' is no option; expected NAME=VALUE"),
    ("peer://g?persistent=true&persistent=true", "persistent=true", "'persistent' is given twice; expected it once"),
    ("peer://g?persistent=TRUE", "TRUE", "'TRUE' is no value for 'persistent'; expected true or false"),
    ("peer://g?persistent=", "", "'' is no value for 'persistent'; expected true or false"),
    ("peer://g?Persistent=true", "Persistent", "'Persistent' is no option of peer: URIs; the nearest is 'persistent'"),
    ("peer://g?persistant=true", "persistant", "'persistant' is no option of peer: URIs; the nearest is 'persistent'"),
    (
        "peer://g?timeToLive=1",
        "timeToLive",
        "'timeToLive' is no option of peer: URIs; the nearest is 'discovery.timeToLive'",
    ),
    (
        "peer://g?broker.memoryLimit=100000",
        "broker.memoryLimit",
        "'broker.memoryLimit' is no option of peer: URIs; the nearest is 'memoryLimit'",
    ),
    ("peer://g?queuePrefetch=0", "0", "'0' is out of range for 'queuePrefetch'; expected a number from 1 to 65535"),
    ("peer://g?queuePrefetch=-1", "-1", "'-1' is out of range for 'queuePrefetch'; expected a number from 1 to 65535"),
    ("peer://g?queuePrefetch=ten", "ten", "'ten' is no value for 'queuePrefetch'; expected a number from 1 to 65535"),
    ("peer://g?queuePrefetch=", "", "'' is no value for 'queuePrefetch'; expected a number from 1 to 65535"),
    (
        "peer://g?discovery.keepAliveInterval=9",
        "9",
        "'9' is out of range for 'discovery.keepAliveInterval'; expected a number of milliseconds from 10 to 60000",
    ),
    (
        "peer://g?memoryLimit=64kb",
        "64kb",
        "'64kb' is no value for 'memoryLimit'; expected a number of bytes from 65536 to 1099511627776",
    ),
    (
        "peer://g?discovery.address=10.0.0.1",
        "10.0.0.1",
        "'10.0.0.1' is no value for 'discovery.address'; expected a multicast address: 224.0.0.0 to 239.255.255.255, or an IPv6 one",
    ),
    (
        "peer://g?discovery.interface=a+b",
        "+",
        "'a+b' has a '+', which could mean a space; expected %2B for a plus or %20 for a space",
    ),
    (
        "peer://g?transportConnectorURIs=udp://h:1",
        "udp://h:1",
        "'udp://h:1' does not begin with tcp://; expected tcp://HOST:PORT",
    ),
    (
        "peer://g?group=h",
        "group",
        "'group' is no option of peer: URIs but of multicast: ones; it belongs on the multicast: URI inside this one",
    ),
    (
        "peer://g?initialReconnectDelay=5",
        "initialReconnectDelay",
        "'initialReconnectDelay' is no option of peer: URIs but of static: ones; it belongs on the static: URI inside this one",
    ),
    ("peer://g?networkConnectorURIs=", "", "'' has no scheme; expected multicast, network or static, then ':'"),
    ("peer://g?networkConnectorURIs=()", "()", "'()' has no URI; expected (URI,URI)"),
    (
        "peer://g?networkConnectorURIs=(multicast://default)x",
        "x",
        "'x' may not stand there; expected nothing after the list",
    ),
    (
        "peer://g?networkConnectorURIs=tcp://a:1",
        "tcp",
        "'tcp' is no scheme that fits here; expected multicast, network or static",
    ),
    (
        "peer://g?networkConnectorURIs=static%3A%28tcp://a%29",
        "static%3A%28tcp://a%29",
        "'a' has no port; expected tcp://HOST:PORT",
    ),
    (
        "peer://g?networkConnectorURIs=static%3A%28",
        "static%3A%28",
        "'(' at byte 30 has no partner; expected every '(' to be closed by a ')' after it",
    ),
    (
        "peer://g?networkConnectorURIs=(multicast://default?persistent=true)",
        "persistent",
        "'persistent' is no option of multicast: URIs but of peer: ones; it belongs on the peer: URI around this one, after the ')' that closes its list",
    ),
    (
        "peer://g?networkConnectorURIs=(multicast://default?group=h)",
        "multicast://default?group=h",
        "'multicast://default?group=h' and 'peer://g' both say which group it is; expected only one of them to",
    ),
    (
        "peer://g?networkConnectorURIs=(multicast://default,multicast://default:7)",
        "multicast://default:7",
        "'multicast://default:7' and 'multicast://default' both say how peers are found; expected only one of them to",
    ),
    (
        "peer://g?discovery.port=1&networkConnectorURIs=multicast://default",
        "discovery.port=1",
        "'discovery.port=1' and 'multicast://default' both say how peers are found; expected only one of them to",
    ),
    (
        "vm:(broker:(tcp://h:1)/n)",
        "(broker:(tcp://h:1)/n)",
        "'(broker:(tcp://h:1)/n)' may not stand there; expected vm://NAME?OPTIONS, with the options of a broker to be created as broker.NAME=VALUE",
    ),
    (
        "vm://",
        "vm://",
        "'vm://' has no name; expected vm://NAME?OPTIONS, with the options of a broker to be created as broker.NAME=VALUE",
    ),
    (
        "vm://a/b",
        "b",
        "'b' may not stand there; expected vm://NAME?OPTIONS, with the options of a broker to be created as broker.NAME=VALUE",
    ),
    (
        "vm:a",
        "vm:a",
        "'vm:a' has no '//' after its scheme; expected vm://NAME?OPTIONS, with the options of a broker to be created as broker.NAME=VALUE",
    ),
    (
        "vm://a?persistent=true",
        "persistent",
        "'persistent' is no option of vm: URIs; the nearest is 'broker.persistent'",
    ),
    ("tcp://h", "h", "'h' has no port; expected tcp://HOST:PORT"),
    ("tcp://h:0", "0", "'0' is no port to send to; expected a number from 1 to 65535"),
    ("tcp://h:+1", "+1", "'+1' is no port to send to; expected a number from 1 to 65535"),
    ("tcp://h:", "", "'' is no port to send to; expected a number from 1 to 65535"),
    ("tcp://h:65536", "65536", "'65536' is no port to send to; expected a number from 1 to 65535"),
    (
        "tcp://:1",
        "",
        "'' is no host; expected a name of letters, digits, '-', '_' and '.', an IPv4 address, or an IPv6 address in brackets",
    ),
    (
        "tcp://[::g]:1",
        "[::g]",
        "'[::g]' is no host; expected a name of letters, digits, '-', '_' and '.', an IPv4 address, or an IPv6 address in brackets",
    ),
    ("tcp://h:1/localhost:2", "localhost:2", "'localhost:2' may not stand there; expected tcp://HOST:PORT?OPTIONS"),
    ("tcp:h:1", "tcp:h:1", "'tcp:h:1' has no '//' after its scheme; expected tcp://HOST:PORT?OPTIONS"),
    (
        "multicast:default?group=x",
        "multicast:default?group=x",
        "'multicast:default?group=x' has no '//' after its scheme; expected multicast://default?OPTIONS or multicast://ADDRESS:PORT?OPTIONS",
    ),
    (
        "multicast://",
        "multicast://",
        "'multicast://' has no host; expected multicast://default?OPTIONS or multicast://ADDRESS:PORT?OPTIONS",
    ),
    (
        "multicast://10.0.0.1",
        "10.0.0.1",
        "'10.0.0.1' is no multicast address; expected 'default', 224.0.0.0 to 239.255.255.255, or an IPv6 one in brackets",
    ),
    ("multicast://239.1.2.3:0", "0", "'0' is no port to send to; expected a number from 1 to 65535"),
    (
        "multicast://default?group=",
        "",
        "'' is no value for 'group'; expected 1 to 255 bytes of text without control characters",
    ),
    (
        "static:()",
        "static:()",
        "'static:()' has no peer in its list; expected static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "static:",
        "static:",
        "'static:' has no peer in its list; expected static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "static:(tcp://a:1,,tcp://b:2)",
        "",
        "'tcp://a:1,,tcp://b:2' has an empty place; expected a URI before every comma",
    ),
    ("static:(a:1)", "a", "'a' is no scheme that fits here; expected tcp"),
    ("static:(static:(tcp://a:1))", "static", "'static' is no scheme that fits here; expected tcp"),
    (
        "static:(tcp://a:1)/path?maxReconnectAttempts=1",
        "/path",
        "'/path' may not stand there; expected static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "static:(tcp://a:1)(tcp://b:2)",
        "(tcp://b:2)",
        "'(tcp://b:2)' may not stand there; expected static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "static:(tcp://a:1)?connectionTimeout=5",
        "connectionTimeout",
        "'connectionTimeout' is no option of static: URIs but of tcp: ones; it belongs on the tcp: URI inside this one",
    ),
    (
        "static:tcp://a:1?maxReconnectAttempts=1",
        "maxReconnectAttempts",
        "'maxReconnectAttempts' is no option of tcp: URIs but of static: ones; it belongs on the static: URI around this one, with parentheses: static:(URI)?maxReconnectAttempts=VALUE",
    ),
    (
        "static:(tcp://a:1?maxReconnectAttempts=1)",
        "maxReconnectAttempts",
        "'maxReconnectAttempts' is no option of tcp: URIs but of static: ones; it belongs on the static: URI around this one, after the ')' that closes its list",
    ),
    (
        "static:(tcp://a:1?connectionTimeout=1,tcp://b:2?connectionTimeout=x)",
        "x",
        "'x' is no value for 'connectionTimeout'; expected a number of milliseconds from 1 to 3600000",
    ),
];

#[test]
fn good_uris_print_in_one_form_that_parses_back() {
    for (text, printed) in GOOD {
        let location: Location = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(location.to_string(), if printed.is_empty() { *text } else { *printed });
        assert_eq!(location.to_string().parse(), Ok(location), "{text}");
    }
}

#[test]
fn bad_uris_are_refused_with_the_part_at_fault() {
    for (text, part, message) in BAD {
        let error = text.parse::<Location>().expect_err(text);
        assert_eq!((&text[error.span()], error.to_string().as_str()), (*part, *message), "{text}");
        assert_eq!(explain(text), Err(error));
    }
}

#[test]
fn a_group_is_never_replaced() {
    for (text, group) in [
        ("group_A", "group_A"),
        ("my.group.1", "my.group.1"),
        ("a%20b", "a b"),
        ("группа", "группа"),
        ("g:77", "g:77"),
        ("-", "-"),
    ] {
        assert_eq!(format!("peer://{text}/b").parse::<Peer>().expect(text).group, group);
    }
}

#[test]
fn what_is_given_reaches_its_field() {
    let text = "peer://g/n?persistent=true&discovery.address=239.1.1.1&discovery.port=7&discovery.timeToLive=0\
                &discovery.keepAliveInterval=10&discovery.interface=lo&discovery.loopBackMode=true\
                &networkConnectorURIs=(static:(tcp://a:1))&transportConnectorURIs=tcp://0.0.0.0:9&networkTTL=2\
                &consumerTTL=3&wireFormat.maxFrameSize=65536&wireFormat.maxInactivityDuration=100&prefetchSize=4&clientAdministration=false\
                &queuePrefetch=5&topicPrefetch=6&memoryLimit=65537&memoryUsage=65538\
                &checkForDuplicates=false";
    let millis = Duration::from_millis;
    let peer: Peer = text.parse().expect(text);
    let expected = Peer {
        name: Some("n".into()),
        broker: BrokerOptions {
            persistent: Some(true),
            queue_prefetch: Some(5),
            topic_prefetch: Some(6),
            memory_limit: Some(65_537),
            memory_usage: Some(65_538),
            check_for_duplicates: Some(false),
        },
        discovery: Discovery {
            address: Some([239, 1, 1, 1].into()),
            port: Some(7),
            time_to_live: Some(0),
            keep_alive_interval: Some(millis(10)),
            interface: Some("lo".into()),
            loop_back_mode: Some(true),
        },
        network_connectors: [Connector::Static(Static::new(
            [Tcp::new("tcp://a:1".parse().expect("an address"))].into(),
        ))]
        .into(),
        transport_connector: Some("tcp://0.0.0.0:9".parse().expect("an address")),
        bridge: BridgeOptions {
            network_ttl: Some(2),
            consumer_ttl: Some(3),
            prefetch_size: Some(4),
            ..BridgeOptions::default()
        },
        client_administration: Some(false),
        wire_format: WireFormat { max_frame_size: Some(65_536), max_inactivity_duration: Some(millis(100)) },
        ..Peer::new("g")
    };
    assert_eq!(peer, expected);
    assert_eq!((peer.bridge.message_hops(), peer.bridge.consumer_hops()), (Some(2), Some(3)));
    assert_eq!(peer.peers().map(ToString::to_string).collect::<String>(), "tcp://a:1");
    assert_eq!(peer.multicast(), &peer.discovery);
}

#[test]
fn a_multicast_connector_stands_in_for_discovery() {
    let peer: Peer = "peer://g?networkConnectorURIs=multicast://default:7".parse().expect("a URI");
    assert_eq!(peer.multicast(), &Discovery { port: Some(7), ..Discovery::default() });
}

#[test]
fn a_multicast_that_names_no_group_is_of_the_default_one() {
    for (text, group) in [("multicast://default", "default"), ("multicast://default?group=g", "g")] {
        assert_eq!(text.parse::<Multicast>().expect(text).group(), group);
    }
}

#[test]
fn a_value_of_one_scheme_is_not_read_from_another() {
    let error = "vm://n".parse::<Peer>().expect_err("another scheme");
    assert_eq!(error.to_string(), "'vm' is no scheme that fits here; expected peer");
    assert!("peer://n".parse::<Vm>().is_err() && "vm://n".parse::<Tcp>().is_err());
    assert!("vm://n".parse::<Fanout>().is_err());
    assert!("vm://n".parse::<Static>().is_err() && "vm://n".parse::<Multicast>().is_err());
}

#[test]
fn groups_and_names_end_at_their_greatest_length() {
    for form in ["peer://{}", "peer://g/{}", "vm://{}", "multicast://default?group={}"] {
        let parse = |length: usize| form.replace("{}", &"x".repeat(length)).parse::<Location>();
        assert!(parse(percent::TEXT_MAX).is_ok(), "{form}");
        assert!(
            matches!(parse(percent::TEXT_MAX + 1), Err(UriError::BadText { .. } | UriError::BadValue { .. })),
            "{form}"
        );
    }
}

#[test]
fn the_phrase_of_schemes_names_them_all() {
    assert_eq!(SCHEMES_TEXT.replace(" or ", ", "), Location::SCHEMES.join(", "));
    let texts = [
        "broker:()",
        "fanout:multicast://default",
        "multicast://default",
        "network:static:tcp://a:1",
        "peer://g",
        "static:tcp://a:1",
        "tcp://a:1",
        "vm://n",
    ];
    for (scheme, text) in Location::SCHEMES.iter().zip(texts) {
        assert_eq!(text.parse::<Location>().expect(text).scheme(), *scheme);
    }
}

/// Texts made of what URIs are made of.
fn almost_uris() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "broker:",
        "network:",
        "fanout:",
        "peer:",
        "vm:",
        "tcp:",
        "static:",
        "multicast:",
        "//",
        "/",
        "(",
        ")",
        ",",
        "?",
        "&",
        "=",
        "%",
        "%28",
        "%25",
        "+",
        "default",
        "239.1.1.1",
        "[::1]",
        ":1",
        "g",
        "я",
        "group",
        "persistent",
        "true",
        "networkConnectorURIs",
        "discovery.port",
        "connectionTimeout",
        "5",
        "-1",
        "#",
        " ",
        "maxReconnectAttempts",
        "minAckCount",
        "discovered.",
    ];
    proptest::collection::vec(proptest::sample::select(WORDS), 0..24).prop_map(|words| words.concat())
}

fn check_total(text: &str) {
    match text.parse::<Location>() {
        Ok(location) => {
            let printed = location.to_string();
            assert_eq!(printed.parse(), Ok(location), "{printed}");
        }
        Err(error) => assert!(text.get(error.span()).is_some(), "{error}"),
    }
}

proptest! {
    #[test]
    fn every_location_parses_back_from_what_it_prints(location in arbitrary::location()) {
        let text = location.to_string();
        prop_assert_eq!(text.parse::<Location>(), Ok(location), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        check_total(&text);
    }

    #[test]
    fn any_text_that_looks_like_a_uri_is_read_or_refused(text in almost_uris()) {
        check_total(&text);
    }

    #[test]
    fn any_slip_in_a_good_uri_is_read_or_refused(
        location in arbitrary::location(), at: proptest::sample::Index, slip in "[()?&=,:/%#+ a1]?",
    ) {
        let mut text = location.to_string();
        let at = text.floor_char_boundary(at.index(text.len()));
        let width = text[at..].chars().next().map_or(0, char::len_utf8);
        text.replace_range(at..at + width, &slip);
        check_total(&text);
    }
}

#[test]
fn a_connector_may_leave_its_prefix_out_where_nothing_else_can_be_meant() {
    let whole: Network = "network:static:(tcp://a:1)?networkTTL=2".parse().expect("a URI");
    assert_eq!("static:(tcp://a:1)?networkTTL=2".parse(), Ok(whole));
    assert!("static:(tcp://a:1)?networkTTL=2".parse::<Location>().is_err(), "a list of peers crosses nothing");
}

/// An option is offered, or it is said why it is not: never both, and none of ActiveMQ's that is left out looks like a slip.
#[test]
fn every_option_that_is_declined_says_why() {
    for (option, why) in BridgeOptions::DECLINED {
        for uri in ["peer://g", "broker:()", "network:static:(tcp://a:1)"] {
            let error = format!("{uri}?{option}=1").parse::<Location>().expect_err(option);
            assert_eq!(
                error,
                UriError::DeclinedOption { at: uri.len() + 1..uri.len() + 1 + option.len(), option, why }
            );
        }
        let is_offered =
            [Peer::specs(), Broker::specs(), Network::specs()].concat().iter().any(|spec| spec.name == *option);
        assert!(!is_offered && why.len() > 10, "{option}");
    }
}
