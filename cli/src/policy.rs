//! Policies for destinations, as they are written for `flockmq broker`.

use std::str::FromStr;

use flockmq::core::{DeadLetterQueue, DestinationPolicy, History, NonPersistent, PolicyEntry, SlowConsumers, WhenFull};
use flockmq::{DestinationError, DestinationKind};

use crate::duration;

/// What the help says of policies.
pub(crate) const HELP: &str = "\
How a destination is treated, or all that a pattern covers, as 'DESTINATION?NAME=VALUE&NAME=VALUE'; several times for several, of
which the most specific one holds. Names are ActiveMQ's where it has them; BYTES is a number, or one with KiB, MiB or GiB, DURATION one with ms, s, m or h:
  memoryLimit=BYTES                    how much may wait in the queue, or for each of the topic's subscribers
  whenFull=wait|refuse|DURATION        what becomes of a message without room; it may wait for so long
  inactiveTimeoutBeforeGC=DURATION     when a destination is forgotten that nobody uses
  maximumRedeliveries=N|unlimited, initialRedeliveryDelay=DURATION, redeliveryDelay=DURATION, backOffMultiplier=N,
  maximumRedeliveryDelay=DURATION, nonBlockingRedelivery=true|false
                                       how often, when and in which order what is given back comes again
  deadLetterQueue=individual|none|QUEUE, processExpired=true|false, processNonPersistent=true|false
                                       where dead letters go, and which of them
  history=lastImage|N|BYTES|DURATION   topics: what late subscribers may ask for, N messages, or bytes with a unit
  slowConsumers=dropOldest|dropNewest|disconnect
                                       topics: what becomes of subscribers that take nothing";

/// Reads `DESTINATION?NAME=VALUE&NAME=VALUE`. The destination may be a pattern.
pub(crate) fn parse(text: &str) -> Result<PolicyEntry, String> {
    let Some((destination, options)) = text.split_once('?') else {
        return Err(format!("'{text}' says nothing of its destination; expected DESTINATION?NAME=VALUE: {EXAMPLE}"));
    };
    let destination = destination.parse().map_err(|error: DestinationError| error.to_string())?;
    let mut entry = PolicyEntry { destination, policy: DestinationPolicy::default() };
    let mut seen = Vec::new();
    for option in options.split('&') {
        let Some((name, value)) = option.split_once('=') else {
            return Err(format!("'{option}' has no value; expected NAME=VALUE: {EXAMPLE}"));
        };
        if seen.contains(&name) {
            return Err(format!("'{name}' is given twice"));
        }
        seen.push(name);
        set(&mut entry, name, value).map_err(|fault| format!("{name}: {fault}"))?;
    }
    Ok(entry)
}

fn set(entry: &mut PolicyEntry, name: &str, value: &str) -> Result<(), String> {
    let PolicyEntry { destination, policy } = entry;
    if TOPICS_ONLY.contains(&name) && destination.kind() != DestinationKind::Topic {
        return Err(format!("it is for topics; '{destination}' is none"));
    }
    let (redelivery, dead_letters) = (&mut policy.redelivery, &mut policy.dead_letters);
    match name {
        "backOffMultiplier" => redelivery.factor = number(value, 1)?,
        "deadLetterQueue" => {
            dead_letters.queue = match value {
                "individual" => DeadLetterQueue::Individual,
                "none" => DeadLetterQueue::None,
                name => DeadLetterQueue::Shared(queue(name)?),
            }
        }
        "history" => policy.history = history(value)?,
        "inactiveTimeoutBeforeGC" => policy.forgotten_after = Some(duration::parse(value)?),
        "initialRedeliveryDelay" => redelivery.first_delay = duration::parse(value)?,
        "maximumRedeliveries" => {
            redelivery.redeliveries_max = if value == "unlimited" { None } else { Some(number(value, 0)?) };
        }
        "maximumRedeliveryDelay" => redelivery.delay_max = duration::parse(value)?,
        "memoryLimit" => policy.bytes_max = Some(bytes(value)?),
        "nonBlockingRedelivery" => redelivery.keeps_order = !choose(value, &BOOLEANS)?,
        "processExpired" => dead_letters.keeps_expired = choose(value, &BOOLEANS)?,
        "processNonPersistent" => {
            let is_kept = choose(value, &BOOLEANS)?;
            dead_letters.non_persistent = if is_kept { NonPersistent::Kept } else { NonPersistent::Discarded };
        }
        "redeliveryDelay" => redelivery.delay = duration::parse(value)?,
        "slowConsumers" => policy.slow_consumers = choose(value, &SLOW_CONSUMERS)?,
        "whenFull" => {
            policy.when_full = match value {
                "refuse" => WhenFull::Refuse,
                "wait" => WhenFull::Wait,
                other => WhenFull::WaitFor(duration::parse(other).map_err(|_| {
                    format!("'{other}' is neither wait nor refuse, nor a duration to wait for: 500ms, 5s, 2m")
                })?),
            }
        }
        _ => return Err("there is no such option; 'flockmq broker --help' lists them".to_owned()),
    }
    Ok(())
}

fn queue(name: &str) -> Result<flockmq::Destination, String> {
    let queue: flockmq::Destination = name.parse().map_err(|error: DestinationError| error.to_string())?;
    if queue.kind() != DestinationKind::Queue || queue.is_pattern() {
        return Err(format!("'{name}' is not one queue; expected individual, none or queue://NAME"));
    }
    Ok(queue)
}

fn history(value: &str) -> Result<History, String> {
    if value == "lastImage" {
        return Ok(History::LastImage);
    }
    let count = value.parse().ok().filter(|count| *count > 0).map(History::Count);
    let age = || duration::parse(value).ok().filter(|age| !age.is_zero()).map(History::Age);
    let size = || bytes(value).ok().map(History::Bytes);
    count.or_else(size).or_else(age).ok_or_else(|| {
        format!(
            "'{value}' is none; expected lastImage, a number of messages, of bytes (64KiB) or of time (30s), above 0"
        )
    })
}

fn bytes(value: &str) -> Result<u64, String> {
    let digits = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let shift = match unit {
        "" => Some(0),
        "KiB" => Some(10),
        "MiB" => Some(20),
        "GiB" => Some(30),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
        format!("'{value}' is no number of bytes; expected one above 0, in bytes or with KiB, MiB or GiB: 64MiB")
    })
}

fn number<N: Copy + FromStr + PartialOrd + std::fmt::Display>(value: &str, min: N) -> Result<N, String> {
    let number = value.parse().ok().filter(|number| *number >= min);
    number.ok_or_else(|| format!("'{value}' is no such number; expected one from {min} on"))
}

fn choose<T: Copy>(value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == value).map(|(_, found)| *found);
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        format!("'{value}' is none; expected {}", names.join(" or "))
    })
}

const BOOLEANS: [(&str, bool); 2] = [("true", true), ("false", false)];
const SLOW_CONSUMERS: [(&str, SlowConsumers); 3] = [
    ("dropOldest", SlowConsumers::DropOldest),
    ("dropNewest", SlowConsumers::DropNewest),
    ("disconnect", SlowConsumers::Disconnect),
];
/// What means nothing for queues.
const TOPICS_ONLY: [&str; 2] = ["history", "slowConsumers"];
const EXAMPLE: &str = "'queue://orders.>?memoryLimit=64MiB&whenFull=refuse'";

#[cfg(test)]
mod tests {
    use super::*;
    use flockmq::core::{DeadLetterPolicy, RedeliveryPolicy};
    use std::time::Duration;

    #[test]
    fn every_option_finds_its_place() {
        let text = "topic://prices.>?memoryLimit=64MiB&whenFull=500ms&inactiveTimeoutBeforeGC=10m&maximumRedeliveries=3\
            &initialRedeliveryDelay=0s&redeliveryDelay=2s&backOffMultiplier=4&maximumRedeliveryDelay=1m\
            &nonBlockingRedelivery=false&deadLetterQueue=queue://lost&processExpired=false&processNonPersistent=true\
            &history=30s&slowConsumers=disconnect";
        let expected = DestinationPolicy {
            redelivery: RedeliveryPolicy {
                redeliveries_max: Some(3),
                first_delay: Duration::ZERO,
                delay: Duration::from_secs(2),
                factor: 4,
                delay_max: Duration::from_mins(1),
                keeps_order: true,
            },
            dead_letters: DeadLetterPolicy {
                queue: DeadLetterQueue::Shared("queue://lost".parse().expect("valid")),
                keeps_expired: false,
                non_persistent: NonPersistent::Kept,
            },
            history: History::Age(Duration::from_secs(30)),
            bytes_max: Some(64 << 20),
            forgotten_after: Some(Duration::from_mins(10)),
            when_full: WhenFull::WaitFor(Duration::from_millis(500)),
            slow_consumers: SlowConsumers::Disconnect,
        };
        let destination = "topic://prices.>".parse().expect("valid");
        assert_eq!(parse(text), Ok(PolicyEntry { destination, policy: expected }));
    }

    #[test]
    fn a_history_is_known_by_its_unit() {
        let found = ["lastImage", "7", "64KiB", "7m"].map(history);
        let expected =
            [History::LastImage, History::Count(7), History::Bytes(1 << 16), History::Age(Duration::from_mins(7))];
        assert_eq!(found, expected.map(Ok));
    }

    #[test]
    fn what_can_not_be_is_quoted_with_what_was_expected() {
        let cases = [
            ("orders", "'orders' says nothing of its destination; expected DESTINATION?NAME=VALUE"),
            ("orders?memoryLimit", "'memoryLimit' has no value; expected NAME=VALUE"),
            ("orders?", "'' has no value"),
            ("a..b?memoryLimit=1", "'a..b'"),
            ("orders?memoryLimit=1&memoryLimit=2", "'memoryLimit' is given twice"),
            ("orders?memoryLimit=0", "memoryLimit: '0' is no number of bytes; expected one above 0"),
            ("orders?memoryLimit=1kB", "memoryLimit: '1kB' is no number of bytes"),
            ("orders?memoryLimit=17179869184GiB", "memoryLimit: '17179869184GiB' is no number of bytes"),
            ("orders?whenFull=never", "whenFull: 'never' is neither wait nor refuse, nor a duration"),
            ("orders?slowConsumers=dropOldest", "slowConsumers: it is for topics; 'queue://orders' is none"),
            (
                "topic://t?slowConsumers=x",
                "slowConsumers: 'x' is none; expected dropOldest or dropNewest or disconnect",
            ),
            ("topic://t?history=0", "history: '0' is none; expected lastImage, a number of messages"),
            ("orders?maximumRedeliveries=-1", "maximumRedeliveries: '-1' is no such number; expected one from 0 on"),
            ("orders?backOffMultiplier=0", "backOffMultiplier: '0' is no such number; expected one from 1 on"),
            ("orders?redeliveryDelay=5x", "redeliveryDelay: '5x' is no duration"),
            ("orders?deadLetterQueue=topic://t", "deadLetterQueue: 'topic://t' is not one queue; expected individual"),
            ("orders?processExpired=yes", "processExpired: 'yes' is none; expected true or false"),
            ("orders?memory=1", "memory: there is no such option"),
        ];
        for (text, expected) in cases {
            let fault = parse(text).expect_err(text);
            assert!(fault.starts_with(expected) || fault.contains("a..b"), "{text}: {fault}");
        }
    }
}
