//! `fanout:` URIs: good ones and how they print, bad ones and what is said about them.

use alloc::format;
use alloc::string::ToString;

use super::super::Location;
use super::*;

/// What is written, and how it prints; `""` if the same.
const GOOD: &[(&str, &str)] = &[
    ("fanout:(multicast://default)", ""),
    (
        "fanout://(multicast://default)?initialReconnectDelay=100",
        "fanout:(multicast://default)?initialReconnectDelay=100",
    ),
    ("fanout:(multicast://default,)", "fanout:(multicast://default)"),
    ("fanout:multicast://default", "fanout:(multicast://default)"),
    ("fanout://multicast://default", "fanout:(multicast://default)"),
    ("fanout:multicast://default?group=g", "fanout:(multicast://default?group=g)"),
    ("fanout:(static:(tcp://a:1,tcp://b:2))?minAckCount=2", ""),
    ("fanout://static:(tcp://a:1,tcp://b:2)", "fanout:(static:(tcp://a:1,tcp://b:2))"),
    // Each level keeps its own options.
    (
        "fanout:(multicast://default?group=g1&keepAliveInterval=100)?discovered.connectionTimeout=5&minAckCount=1",
        "fanout:(multicast://default?group=g1&keepAliveInterval=100)?minAckCount=1&discovered.connectionTimeout=5",
    ),
    ("fanout:(static:(tcp://a:1?connectionTimeout=1,tcp://b:2))?connectTimeout=3", ""),
    // Nobody on a list without parentheses is lost.
    ("fanout:static://tcp://a:1,tcp://b:2", "fanout:(static:(tcp://a:1,tcp://b:2))"),
    ("fanout:(static:tcp://a:1,tcp://b:2,)?minAckCount=1", "fanout:(static:(tcp://a:1,tcp://b:2))?minAckCount=1"),
    (
        "fanout:static:tcp://a:1?connectionTimeout=1,tcp://b:2",
        "fanout:(static:(tcp://a:1?connectionTimeout=1,tcp://b:2))",
    ),
    // As many acknowledgements as brokers are listed, and no more than there may be found.
    ("fanout:(static:(tcp://a:1))?minAckCount=1", ""),
    ("fanout:(multicast://default)?minAckCount=256", ""),
    ("fanout:(multicast://default)?maxReconnectAttempts=0&reconnectJitter=0", ""),
    (
        "fanout:(multicast://default)?checkForDuplicates=false&discovered.wireFormat.maxInactivityDuration=100\
         &discovered.wireFormat.maxFrameSize=65536",
        "fanout:(multicast://default)?checkForDuplicates=false&discovered.wireFormat.maxFrameSize=65536\
         &discovered.wireFormat.maxInactivityDuration=100",
    ),
];

/// What is written, the part at fault, and what is said about it.
const BAD: &[(&str, &str, &str)] = &[
    // Options of the outer level that would be lost.
    (
        "fanout://multicast://default?minAckCount=1",
        "minAckCount",
        "'minAckCount' is no option of multicast: URIs but of fanout: ones; it belongs on the fanout: URI around this one, with parentheses: fanout:(URI)?minAckCount=VALUE",
    ),
    (
        "fanout:static:(tcp://a:1,tcp://b:2)?minAckCount=2",
        "minAckCount",
        "'minAckCount' is no option of static: URIs but of fanout: ones; it belongs on the fanout: URI around this one, with parentheses: fanout:(URI)?minAckCount=VALUE",
    ),
    (
        "fanout:static:tcp://a:1,tcp://b:2?minAckCount=2",
        "minAckCount",
        "'minAckCount' is no option of tcp: URIs but of fanout: ones; it belongs on the fanout: URI around this one, with parentheses: fanout:(URI)?minAckCount=VALUE",
    ),
    (
        "fanout:(multicast://default?minAckCount=1)",
        "minAckCount",
        "'minAckCount' is no option of multicast: URIs but of fanout: ones; it belongs on the fanout: URI around this one, after the ')' that closes its list",
    ),
    // Options of an inner level.
    (
        "fanout:(multicast://default)?group=g",
        "group",
        "'group' is no option of fanout: URIs but of multicast: ones; it belongs on the multicast: URI inside this one",
    ),
    (
        "fanout:(multicast://default)?connectionTimeout=5",
        "connectionTimeout",
        "'connectionTimeout' is no option of fanout: URIs; the nearest is 'discovered.connectionTimeout'",
    ),
    (
        "fanout:(static:(tcp://a:1,tcp://b:2)?initialReconnectDelay=5)",
        "initialReconnectDelay=5",
        "'initialReconnectDelay' of a static: URI counts for nothing inside a fanout: one; it belongs on the fanout: URI around this one, after the ')' that closes its list",
    ),
    (
        "fanout:static:(tcp://a:1,tcp://b:2)?maxReconnectAttempts=5",
        "maxReconnectAttempts=5",
        "'maxReconnectAttempts' of a static: URI counts for nothing inside a fanout: one; it belongs on the fanout: URI around this one, with parentheses: fanout:(URI)?maxReconnectAttempts=VALUE",
    ),
    // What stands inside.
    (
        "fanout:()",
        "fanout:()",
        "'fanout:()' has no URI inside; expected fanout:(multicast://default?OPTIONS)?OPTIONS or fanout:(static:(tcp://HOST:PORT,tcp://HOST:PORT))?OPTIONS",
    ),
    (
        "fanout://",
        "fanout://",
        "'fanout://' has no URI inside; expected fanout:(multicast://default?OPTIONS)?OPTIONS or fanout:(static:(tcp://HOST:PORT,tcp://HOST:PORT))?OPTIONS",
    ),
    (
        "fanout:(static:())?minAckCount=1",
        "static:()",
        "'static:()' has no peer in its list; expected static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS",
    ),
    (
        "fanout:(fanout:(multicast://default))",
        "fanout",
        "'fanout' is no scheme that fits here; expected multicast or static",
    ),
    ("fanout:tcp://a:1", "tcp", "'tcp' is no scheme that fits here; expected multicast or static"),
    ("fanout:default", "default", "'default' has no scheme; expected multicast or static, then ':'"),
    (
        "fanout:(static:(tcp://a:1),multicast://default)",
        "multicast://default",
        "'multicast://default' may not stand there; expected one static: or multicast: URI in all",
    ),
    (
        "fanout:static:tcp://a:1,static:tcp://b:2",
        "static:tcp://b:2",
        "'static:tcp://b:2' may not stand there; expected one static: or multicast: URI in all",
    ),
    (
        "fanout:multicast://default,tcp://a:1",
        "tcp://a:1",
        "'tcp://a:1' may not stand there; expected one static: or multicast: URI in all",
    ),
    (
        "fanout:(multicast://default)/path?minAckCount=1",
        "/path",
        "'/path' may not stand there; expected fanout:(multicast://default?OPTIONS)?OPTIONS or fanout:(static:(tcp://HOST:PORT,tcp://HOST:PORT))?OPTIONS",
    ),
    (
        "fanout:(multicast://default)?minAckCount=1?fanOutQueues=true",
        "?fanOutQueues=true",
        "'?fanOutQueues=true' is a second query; expected '&' between options, or %3F if a value has a '?'",
    ),
    (
        "fanout:((multicast://default)?minAckCount=1",
        "(",
        "'(' at byte 7 has no partner; expected every '(' to be closed by a ')' after it",
    ),
    (
        "fanout:(multicast://default))?minAckCount=1",
        ")",
        "')' at byte 28 has no partner; expected every '(' to be closed by a ')' after it",
    ),
    // How many brokers.
    (
        "fanout:(multicast://default)?minAckCount=0",
        "0",
        "'0' is out of range for 'minAckCount'; expected a number from 1 to 256",
    ),
    (
        "fanout:(multicast://default)?minAckCount=257",
        "257",
        "'257' is out of range for 'minAckCount'; expected a number from 1 to 256",
    ),
    (
        "fanout:(static:(tcp://a:1,tcp://b:2))?minAckCount=3",
        "minAckCount=3",
        "'minAckCount=3' can't work: minAckCount is 3 and the static: list names 2; expected at most minAckCount=2, or more brokers in the list",
    ),
    (
        "fanout:(static:(tcp://a:1,tcp://a:1))",
        "static:(tcp://a:1,tcp://a:1)",
        "'static:(tcp://a:1,tcp://a:1)' can't work: minAckCount is 2 and the static: list names 1; expected at most minAckCount=1, or more brokers in the list",
    ),
    // Values.
    (
        "fanout:(multicast://default)?initialReconnectDelay=-1",
        "-1",
        "'-1' is out of range for 'initialReconnectDelay'; expected a number of milliseconds from 1 to 3600000",
    ),
    (
        "fanout:(multicast://default)?maxReconnectDelay=18446744073709551616",
        "18446744073709551616",
        "'18446744073709551616' is out of range for 'maxReconnectDelay'; expected a number of milliseconds from 1 to 3600000",
    ),
    (
        "fanout:(multicast://default)?sendTimeout=0",
        "0",
        "'0' is out of range for 'sendTimeout'; expected a number of milliseconds from 1 to 3600000",
    ),
    (
        "fanout:(multicast://default)?backOffMultiplier=0",
        "0",
        "'0' is out of range for 'backOffMultiplier'; expected a number from 1 to 100",
    ),
    (
        "fanout:(multicast://default)?backOffMultiplier=0.5",
        "0.5",
        "'0.5' is no value for 'backOffMultiplier'; expected a number from 1 to 100",
    ),
    (
        "fanout:(multicast://default)?backOffMultiplier=-2",
        "-2",
        "'-2' is out of range for 'backOffMultiplier'; expected a number from 1 to 100",
    ),
    (
        "fanout:(multicast://default)?fanOutQueues=TRUE",
        "TRUE",
        "'TRUE' is no value for 'fanOutQueues'; expected true or false",
    ),
    (
        "fanout:(multicast://default)?memoryLimit=65535",
        "65535",
        "'65535' is out of range for 'memoryLimit'; expected a number of bytes from 65536 to 1099511627776",
    ),
    (
        "fanout:(multicast://default)?discovered.connectionTimeout=0",
        "0",
        "'0' is out of range for 'discovered.connectionTimeout'; expected a number of milliseconds from 1 to 3600000",
    ),
    // Names.
    (
        "fanout:(multicast://default)?minAckCount=1&minAckCount=1",
        "minAckCount=1",
        "'minAckCount' is given twice; expected it once",
    ),
    (
        "fanout:(multicast://default)?fanoutQueues=true",
        "fanoutQueues",
        "'fanoutQueues' is no option of fanout: URIs; the nearest is 'fanOutQueues'",
    ),
    (
        "fanout:(multicast://default)?minAckCounts=1",
        "minAckCounts",
        "'minAckCounts' is no option of fanout: URIs; the nearest is 'minAckCount'",
    ),
    (
        "fanout:(multicast://default)?discovered.soTimeout=1",
        "discovered.soTimeout",
        "'discovered.soTimeout' is no option of fanout: URIs; the nearest is 'discovered.connectionTimeout'",
    ),
    (
        "fanout:(multicast://default)?reconnectDelayExponent=3",
        "reconnectDelayExponent",
        "'reconnectDelayExponent' is no option of fanout: URIs; the nearest is 'backOffMultiplier'",
    ),
];

#[test]
fn good_fanouts_print_in_one_form_that_parses_back() {
    for (text, printed) in GOOD {
        let fanout: Fanout = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(fanout.to_string(), if printed.is_empty() { *text } else { *printed });
        assert_eq!(fanout.to_string().parse(), Ok(Location::Fanout(fanout)), "{text}");
    }
}

#[test]
fn bad_fanouts_are_refused_with_the_part_at_fault() {
    for (text, part, message) in BAD {
        let error = text.parse::<Location>().expect_err(text);
        assert_eq!((&text[error.span()], error.to_string().as_str()), (*part, *message), "{text}");
    }
}

#[test]
fn every_option_of_tcp_can_be_given_to_all_that_are_discovered() {
    let discovered = SPECS.iter().filter_map(|spec| Some((spec.name.strip_prefix("discovered.")?, spec.kind)));
    assert!(discovered.eq(Tcp::specs().iter().map(|spec| (spec.name, spec.kind))));
}

/// Without a default, since the targets' own options hold where nothing is given.
#[test]
fn what_holds_for_all_that_are_discovered_has_no_default_and_a_help_of_its_own() {
    for spec in SPECS.iter().filter(|spec| spec.name.starts_with("discovered.")) {
        assert_eq!(spec.default, None, "{}", spec.name);
        assert!(spec.help.contains("any target"), "{}", spec.name);
    }
}

#[test]
fn the_acknowledgements_that_are_not_given_are_those_of_the_table() {
    let spec = Fanout::SCHEME.spec("minAckCount").expect("an option");
    let fanout = Fanout::new(Targets::Multicast(Multicast::default()));
    assert_eq!(spec.default, Some(fanout.acks_min().to_string().as_str()));
}

#[test]
fn every_level_of_a_fanout_is_explained_with_the_options_that_count_there() {
    let text = "fanout:(static:(tcp://a:1?connectionTimeout=9,tcp://b:2))?minAckCount=1";
    let explanation = super::super::explain(text).expect(text);
    let given = |level: &Level| {
        let options = level.options.iter().filter_map(|option| Some((option.spec.name, option.given.as_deref()?)));
        options.map(|(name, given)| format!("{name}={given}")).collect::<Vec<_>>().join("&")
    };
    let levels: Vec<_> =
        explanation.levels.iter().map(|level| (level.depth, level.scheme, level.options.len(), given(level))).collect();
    let tcp = Tcp::specs().len();
    assert_eq!(
        levels,
        [
            (0, "fanout", SPECS.len(), "minAckCount=1".into()),
            (1, "static", 0, String::new()),
            (2, "tcp", tcp, "connectionTimeout=9".into()),
            (2, "tcp", tcp, String::new()),
        ]
    );
}
