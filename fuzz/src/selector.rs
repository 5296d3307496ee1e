//! Texts that are selectors, or nearly, and messages to ask them about.

use flockmq_core::selector::{Candidate, Verdict};
use flockmq_core::{
    Body, BrokerId, Destination, Message, MessageId, Path, ProducerId, Selector, SelectorError, Timestamp, Value,
};

/// A byte for each property of a message and one for its header, a line feed, and text: what it means as a selector is
/// still the same when it was printed and read again, and what it says of the message agrees with what it says in other
/// words; what is wrong with another stands where the error says.
///
/// # Panics
///
/// If it is not, or does not.
pub fn selector(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (choices, text) = end.map_or((&[][..], data), |end| (&data[..end], &data[end + 1..]));
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Selector::parse(text) {
        Ok(selector) => {
            assert_eq!(selector.to_string(), text);
            let header = choices.get(NAMES.len()).copied().unwrap_or_default();
            let message = message(choices, header);
            ask(&selector, Candidate { redeliveries: u32::from(header >> 4), ..Candidate::new(&message) });
        }
        Err(error) => {
            let columns = 1..=text.chars().count() + 1;
            assert!(columns.contains(&error.column()), "'{error}' of {text:?}");
            let quoted = format!("selector {text:?}: ");
            assert!(
                matches!(error, SelectorError::TooLong { .. }) || error.to_string().starts_with(&quoted),
                "{error}"
            );
        }
    }
}

/// Asks a selector about a message, as it is and in other words.
fn ask(selector: &Selector, candidate: Candidate<'_>) {
    let verdict = selector.evaluate(&candidate);
    assert_eq!(selector.matches(&candidate), verdict == Verdict::True, "{selector}");
    let negated = match verdict {
        Verdict::False => Verdict::True,
        Verdict::True => Verdict::False,
        other => other,
    };
    // A comment to the end of a line may be the last thing in it.
    for (words, expected) in [
        (format!("{selector}\n"), verdict),
        (format!("({selector}\n)AND TRUE"), verdict),
        (format!("FALSE OR({selector}\n)"), verdict),
        (format!("NOT({selector}\n)"), negated),
    ] {
        match Selector::parse(&words) {
            Ok(again) => {
                let said = again.evaluate(&candidate);
                assert!(said == expected || said == Verdict::TooCostly, "{said:?}, not {expected:?}: {words:?}");
            }
            Err(SelectorError::TooDeep { .. } | SelectorError::TooLong { .. }) => (),
            Err(error) => panic!("{error}"),
        }
    }
}

fn message(choices: &[u8], header: u8) -> Message {
    let mut body = Body { persistent: header & 1 != 0, ..Body::text("a message") };
    body.headers.correlation_id = (header & 2 != 0).then(|| "b".to_owned());
    body.headers.message_type = (header & 8 != 0).then(|| "abc".to_owned());
    body.headers.reply_to = (header & 4 != 0).then(|| Destination::queue("b").expect("a valid name"));
    for (name, choice) in NAMES.into_iter().zip(choices) {
        if let Some(value) = value(*choice) {
            body.headers.properties.set(name, value).expect("room");
        }
    }
    Message {
        id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence: 1 },
        destination: Destination::topic("a.b").expect("a valid name"),
        path: Path::default(),
        timestamp: Timestamp::from_millis(u64::MAX),
        body,
    }
}

/// Values on both sides of what is told apart.
fn value(choice: u8) -> Option<Value> {
    Some(match choice % 16 {
        0 => return None,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Int(0),
        4 => Value::Int(1),
        5 => Value::Int(-7),
        6 => Value::Int(i64::MAX),
        7 => Value::Int(i64::MIN),
        8 => Value::Float(-0.0),
        9 => Value::Float(0.5),
        10 => Value::Float(f64::INFINITY),
        11 => Value::Float(f64::NAN),
        12 => Value::Text(String::new()),
        13 => Value::Text("abc".to_owned()),
        14 => Value::Text("100%_'é".to_owned()),
        _ => Value::Text("a".repeat(9999)),
    })
}

/// What the message's properties are called.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "JMSXGroupID"];
