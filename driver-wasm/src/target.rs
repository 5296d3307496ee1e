//! Targets as JSON: objects with `address`, `state`, what goes with that, and what the target has answered.

use flockmq_core::{Target, TargetState};
use serde_json::{Value, json};

/// A target as JavaScript is told it.
pub(crate) fn to_json(target: &Target) -> Value {
    let mut value = json!({
        "address": target.address.to_string(),
        "state": name(&target.state),
        "accepted": target.accepted,
        "refused": target.refused,
        "unansweredBytes": target.unanswered_bytes,
    });
    if let TargetState::Up { broker, name, remote } = &target.state {
        value["broker"] = json!(broker.to_string());
        value["name"] = json!(name);
        value["remote"] = json!(remote.to_string());
    }
    value
}

fn name(state: &TargetState) -> &'static str {
    match state {
        TargetState::Connecting => "Connecting",
        TargetState::GivenUp => "GivenUp",
        TargetState::Up { .. } => "Up",
        TargetState::Waiting => "Waiting",
    }
}
