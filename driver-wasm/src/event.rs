//! Events as JSON: an object with `type`, the event's name, `at`, its virtual time in milliseconds, `host`, the name of
//! the host that it was told at, and its fields.
//! Identities are text, since JavaScript's numbers can't hold them; so are addresses, reasons and refusals.

use flockmq_core::{Answer, BodyKind, Delivery, Event, Instant};
use serde_json::{Value, json};

use crate::agenda::millis;

/// An event as JavaScript is told it.
pub(crate) fn to_json(at: Instant, host: &str, event: &Event) -> Value {
    let mut value = fields(event);
    let object = value.as_object_mut().expect("events are objects");
    object.insert("at".to_owned(), json!(millis(at)));
    object.insert("host".to_owned(), json!(host));
    value
}

fn fields(event: &Event) -> Value {
    match event {
        Event::Accepted { producer, up_to, by } => {
            let by: Vec<String> = by.iter().map(ToString::to_string).collect();
            json!({ "type": "Accepted", "producer": producer, "upTo": up_to, "by": by })
        }
        Event::AckRefused { ack, refusal } => {
            json!({ "type": "AckRefused", "consumer": ack.consumer.0, "tag": ack.tag, "refusal": refusal.to_string() })
        }
        Event::Advised { broker, missed, advisory } => {
            json!({ "type": "Advised", "broker": broker.to_string(), "missed": missed, "advisory": format!("{advisory:?}") })
        }
        Event::Answered { request, result } => {
            let refusal = result.as_ref().err().map(ToString::to_string);
            let answers: Vec<Value> = result.iter().flatten().map(answer).collect();
            json!({ "type": "Answered", "request": request.0, "refusal": refusal, "answers": answers })
        }
        Event::Browsed { consumer } => json!({ "type": "Browsed", "consumer": consumer.0 }),
        Event::ConsumerEnded { consumer, refusal } => {
            json!({ "type": "ConsumerEnded", "consumer": consumer.0, "refusal": refusal.to_string() })
        }
        Event::ClientLost { client, name, reason } => {
            json!({ "type": "ClientLost", "client": client.to_string(), "name": name, "reason": reason.to_string() })
        }
        Event::ClientUp { client, name, remote } => {
            json!({ "type": "ClientUp", "client": client.to_string(), "name": name, "remote": remote.to_string() })
        }
        Event::Delivered { consumer, deliveries } => {
            let deliveries: Vec<Value> = deliveries.iter().map(delivery).collect();
            json!({ "type": "Delivered", "consumer": consumer.0, "deliveries": deliveries })
        }
        Event::DiscoveryFailed { reason } => json!({ "type": "DiscoveryFailed", "reason": reason }),
        Event::LinkRefused { address, reason } => json!({
            "type": "LinkRefused",
            "address": address.as_ref().map(ToString::to_string),
            "reason": reason.to_string(),
        }),
        Event::ListenFailed { reason } => json!({ "type": "ListenFailed", "reason": reason }),
        Event::Listening { addresses } => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            json!({ "type": "Listening", "addresses": addresses })
        }
        Event::NameClash { name, broker } => {
            json!({ "type": "NameClash", "name": name, "broker": broker.to_string() })
        }
        Event::PeerLost { broker, name, reason } => {
            json!({ "type": "PeerLost", "broker": broker.to_string(), "name": name, "reason": reason.to_string() })
        }
        Event::PeerReady { broker, name } => {
            json!({ "type": "PeerReady", "broker": broker.to_string(), "name": name })
        }
        Event::PeerUp { broker, name, link, remote } => json!({
            "type": "PeerUp",
            "broker": broker.to_string(),
            "name": name,
            "link": link.0,
            "remote": remote.to_string(),
        }),
        Event::Refused { producer, sequence, refusal, answers } => json!({
            "type": "Refused",
            "producer": producer,
            "sequence": sequence,
            "refusal": refusal.to_string(),
            "answers": answers.iter().map(answer).collect::<Vec<_>>(),
        }),
        Event::Replied { request, result } => {
            let refusal = result.as_ref().err().map(ToString::to_string);
            json!({ "type": "Replied", "request": request.0, "refusal": refusal })
        }
        Event::ServiceFound { service } => json!({ "type": "ServiceFound", "service": service.to_string() }),
        Event::ServiceLost { service } => json!({ "type": "ServiceLost", "service": service.to_string() }),
        Event::Stopped => json!({ "type": "Stopped" }),
        Event::SubscriptionRefused { consumer, answer: said } => {
            json!({ "type": "SubscriptionRefused", "consumer": consumer.0, "answer": answer(said) })
        }
        Event::TargetFound { address } => json!({ "type": "TargetFound", "address": address.to_string() }),
        Event::TargetGivenUp { address, attempts, reason } => json!({
            "type": "TargetGivenUp",
            "address": address.to_string(),
            "attempts": attempts,
            "reason": reason.to_string(),
        }),
        Event::TargetLost { broker, name, address, reason } => json!({
            "type": "TargetLost",
            "broker": broker.to_string(),
            "name": name,
            "address": address.to_string(),
            "reason": reason.to_string(),
        }),
        Event::Targets { up, needed } => json!({ "type": "Targets", "up": up, "needed": needed }),
        Event::TargetUp { broker, name, address } => json!({
            "type": "TargetUp",
            "broker": broker.to_string(),
            "name": name,
            "address": address.to_string(),
        }),
    }
}

/// What one broker of several said; without a refusal it did what it was asked.
fn answer<T>(answer: &Answer<T>) -> Value {
    let refusal = answer.result.as_ref().err().map(ToString::to_string);
    json!({ "broker": answer.broker.to_string(), "name": answer.name, "refusal": refusal })
}

fn delivery(delivery: &Delivery) -> Value {
    let message = &delivery.message;
    let mut value = json!({
        "tag": delivery.tag,
        "redeliveries": delivery.redeliveries,
        "id": message.id.to_string(),
        "destination": message.destination.to_string(),
    });
    match (message.body.kind, message.body.as_text()) {
        (BodyKind::Text, Ok(text)) => value["text"] = json!(text),
        (BodyKind::Bytes, _) | (BodyKind::Text, Err(_)) => value["bytes"] = json!(message.body.data.as_ref()),
    }
    value
}
