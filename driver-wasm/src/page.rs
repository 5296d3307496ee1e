//! What JavaScript sees: the class `World`, whose calls are those of [`World`](crate::World) in JavaScript's types.
//! Whatever fails throws an `Error` with the core's message and leaves the world as it was.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::simulate::simulate;
use crate::world::World;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** Something a host's application was told: its name, its virtual time in milliseconds, and what goes with it. */
export interface Told {
  type: "Accepted" | "AckRefused" | "Answered" | "ClientLost" | "ClientUp" | "Delivered" | "DiscoveryFailed" | "LinkRefused"
    | "ListenFailed" | "Listening" | "NameClash" | "PeerLost" | "PeerReady" | "PeerUp" | "Refused" | "Replied"
    | "ServiceFound" | "ServiceLost" | "Stopped" | "SubscriptionRefused" | "TargetFound" | "TargetGivenUp"
    | "TargetLost" | "TargetUp" | "Targets";
  at: number;
  /** Of `Delivered`: the messages, in order. */
  deliveries?: Delivery[];
  [field: string]: unknown;
}

/** A message handed to a consumer: `text`, or `bytes` if it holds none. */
export interface Delivery {
  tag: number;
  redeliveries: number;
  id: string;
  destination: string;
  text?: string;
  bytes?: number[];
}

/** A broker that a client fans out to, or would: what it has answered so far, and who it is while it is `Up`. */
export interface Target {
  address: string;
  state: "Connecting" | "GivenUp" | "Up" | "Waiting";
  accepted: number;
  refused: number;
  unansweredBytes: number;
  broker?: string;
  name?: string;
  remote?: string;
}

/** What a simulated run came to: how many messages applications sent, were delivered (each copy counted) and refused. */
export interface Run {
  milliseconds: number;
  sent: number;
  delivered: number;
  refused: number;
  traceHash: string;
}
"#;

/// Simulated peers, brokers and clients, the network between them, and one application at each. Equal seeds and equal
/// calls give equal runs.
#[wasm_bindgen(js_name = World)]
#[derive(Debug)]
pub struct Page(World);

#[wasm_bindgen(js_class = World)]
impl Page {
    /// A world without hosts; the seed is a number, or text in hexadecimal.
    #[wasm_bindgen(constructor)]
    pub fn new(#[wasm_bindgen(unchecked_param_type = "bigint | string")] seed: JsValue) -> Result<Self, JsError> {
        Ok(Self(World::new(&seed_text(seed)?)?))
    }

    /// Plays a scenario in a world of its own to its end, as `flockmq simulate` does, or one drawn from the seed for three hosts.
    #[wasm_bindgen(unchecked_return_type = "Run")]
    #[expect(clippy::needless_pass_by_value, reason = "no reference to a text comes from JavaScript as an option")]
    pub fn simulate(
        #[wasm_bindgen(unchecked_param_type = "bigint | string")] seed: JsValue,
        scenario: Option<String>,
    ) -> Result<JsValue, JsError> {
        let run = simulate(&seed_text(seed)?, HOSTS, scenario.as_deref())?;
        let told = json!({
            "milliseconds": run.time.as_secs_f64() * 1e3,
            "sent": run.sent,
            "delivered": run.delivered,
            "refused": run.refused,
            "traceHash": run.trace_hash,
        });
        Ok(parse_json(&told.to_string()))
    }

    /// Starts a broker that stands alone from the URI that a peer would have, `peer://GROUP/NAME?OPTIONS`, and returns
    /// the number of its host. It serves clients and bridges to nobody.
    #[wasm_bindgen(js_name = addBroker)]
    pub fn add_broker(&mut self, uri: &str) -> Result<u32, JsError> {
        Ok(self.0.add_broker(uri)?)
    }

    /// Starts a client from its URI, `fanout:(URI)?OPTIONS`, and returns the number of its host, after which it is called.
    #[wasm_bindgen(js_name = addClient)]
    pub fn add_client(&mut self, uri: &str) -> Result<u32, JsError> {
        Ok(self.0.add_client(uri)?)
    }

    /// Starts a peer from its URI, `peer://GROUP/NAME?OPTIONS`, and returns the number of its host. Without a name it is
    /// called after that.
    #[wasm_bindgen(js_name = addPeer)]
    pub fn add_peer(&mut self, uri: &str) -> Result<u32, JsError> {
        Ok(self.0.add_peer(uri)?)
    }

    /// Has a host's application take what arrives at a destination or pattern; returns the consumer's number.
    pub fn subscribe(&mut self, host: u32, destination: &str) -> Result<u32, JsError> {
        Ok(self.0.subscribe(host, destination)?)
    }

    /// Has a host's application send a text message.
    pub fn send(&mut self, host: u32, destination: &str, text: &str) -> Result<(), JsError> {
        Ok(self.0.send(host, destination, text)?)
    }

    /// Lets this many milliseconds of virtual time pass.
    #[wasm_bindgen(js_name = runFor)]
    pub fn run_for(&mut self, milliseconds: f64) -> Result<(), JsError> {
        Ok(self.0.run_for(milliseconds)?)
    }

    /// Takes what a host's application was told since the last call, oldest first. Deliveries are acknowledged by
    /// being taken.
    #[wasm_bindgen(unchecked_return_type = "Told[]")]
    pub fn events(&mut self, host: u32) -> Result<JsValue, JsError> {
        Ok(parse_json(&Value::from(self.0.events(host)?).to_string()))
    }

    /// The brokers that a client fans out to, or would; none for other hosts, and for those that have crashed.
    #[wasm_bindgen(unchecked_return_type = "Target[]")]
    pub fn targets(&mut self, host: u32) -> Result<JsValue, JsError> {
        Ok(parse_json(&Value::from(self.0.targets(host)?).to_string()))
    }

    /// A hash over everything that has happened, as 16 hexadecimal digits.
    #[wasm_bindgen(js_name = traceHash)]
    pub fn trace_hash(&self) -> String {
        self.0.trace_hash()
    }

    /// Lets nothing pass between two hosts, until they are healed.
    pub fn cut(&mut self, a: u32, b: u32) -> Result<(), JsError> {
        Ok(self.0.cut(a, b)?)
    }

    /// Undoes a cut between two hosts.
    pub fn heal(&mut self, a: u32, b: u32) -> Result<(), JsError> {
        Ok(self.0.heal(a, b)?)
    }

    /// Ends a host without notice, with all that its memory held.
    pub fn crash(&mut self, host: u32) -> Result<(), JsError> {
        Ok(self.0.crash(host)?)
    }

    /// Starts a crashed host again: same URI, new identity, no consumers.
    pub fn restart(&mut self, host: u32) -> Result<(), JsError> {
        Ok(self.0.restart(host)?)
    }
}

/// A seed as hexadecimal text.
fn seed_text(seed: JsValue) -> Result<String, JsError> {
    if let Some(text) = seed.as_string() {
        return Ok(text);
    }
    let number = u128::try_from(seed).map_err(|_| JsError::new(SEED_EXPECTED))?;
    Ok(format!("{number:x}"))
}

/// A panic is our own fault and ends the module; its message would be lost otherwise.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| report_error(&panic.to_string())));
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = JSON, js_name = parse)]
    fn parse_json(text: &str) -> JsValue;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn report_error(text: &str);
}

const HOSTS: usize = 3;
const SEED_EXPECTED: &str = "the seed is no number; expected a BigInt from 0 to 2^128 - 1, or hexadecimal text";
