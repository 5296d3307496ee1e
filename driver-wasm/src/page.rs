//! What JavaScript sees: the class `World`, whose calls are those of [`World`](crate::World) in JavaScript's types.
//! Whatever fails throws a `FlockError` with the core's message and leaves the world as it was.

use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::fault::Fault;
use crate::simulate::simulate;
use crate::world::{Often, World};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// Simulated peers, brokers and clients, the network between them, and one application at each, which acknowledges what it
/// is handed. Equal seeds and equal calls give equal runs. Hosts go by the names that they are added under.
#[wasm_bindgen(js_name = World)]
#[derive(Debug)]
pub struct Page(World);

/// What a call throws.
type Thrown = JsValue;

#[wasm_bindgen(js_class = World)]
impl Page {
    /// A world without hosts; the seed is a number, or text in hexadecimal.
    #[wasm_bindgen(constructor)]
    pub fn new(#[wasm_bindgen(unchecked_param_type = "bigint | string")] seed: JsValue) -> Result<Self, Thrown> {
        Ok(Self(World::new(&seed_text(seed)?).map_err(thrown)?))
    }

    /// A world in which a scenario, as `flockmq simulate` takes it, happens as time passes.
    pub fn replay(
        #[wasm_bindgen(unchecked_param_type = "bigint | string")] seed: JsValue,
        scenario: &str,
    ) -> Result<Self, Thrown> {
        Ok(Self(World::replay(&seed_text(seed)?, scenario).map_err(thrown)?))
    }

    /// Plays a scenario in a world of its own to its end, as `flockmq simulate` does, or one drawn from the seed for three
    /// hosts.
    #[wasm_bindgen(unchecked_return_type = "Run")]
    #[expect(clippy::needless_pass_by_value, reason = "no reference to a text comes from JavaScript as an option")]
    pub fn simulate(
        #[wasm_bindgen(unchecked_param_type = "bigint | string")] seed: JsValue,
        scenario: Option<String>,
    ) -> Result<JsValue, Thrown> {
        let run = simulate(&seed_text(seed)?, HOSTS, scenario.as_deref()).map_err(thrown)?;
        Ok(told(&json!({
            "milliseconds": run.time.as_secs_f64() * 1e3,
            "sent": run.sent,
            "delivered": run.delivered,
            "refused": run.refused,
            "traceHash": run.trace_hash,
        })))
    }

    /// Reads what travels between hosts from now on, for `flights`.
    pub fn watch(&mut self) {
        self.0.watch();
    }

    /// Does what a line of a scenario says, such as `crash a`; `run` lets time pass.
    pub fn act(&mut self, line: &str) -> Result<(), Thrown> {
        self.0.act(line).map_err(thrown)
    }

    /// Starts a peer from its URI, `peer://GROUP?OPTIONS`.
    #[wasm_bindgen(js_name = addPeer)]
    pub fn add_peer(&mut self, name: &str, uri: &str) -> Result<(), Thrown> {
        self.0.add_peer(name, uri).map_err(thrown)
    }

    /// Starts a broker that stands alone from the URI that a peer would have. It serves clients and bridges to nobody.
    #[wasm_bindgen(js_name = addBroker)]
    pub fn add_broker(&mut self, name: &str, uri: &str) -> Result<(), Thrown> {
        self.0.add_broker(name, uri).map_err(thrown)
    }

    /// Starts a client that fans out to many brokers from its URI, `fanout:(URI)?OPTIONS`.
    #[wasm_bindgen(js_name = addFanout)]
    pub fn add_fanout(&mut self, name: &str, uri: &str) -> Result<(), Thrown> {
        self.0.add_fanout(name, uri).map_err(thrown)
    }

    /// Has a host's application take what arrives at a destination or pattern, also after a restart.
    pub fn subscribe(&mut self, host: &str, destination: &str) -> Result<(), Thrown> {
        self.0.subscribe(host, destination).map_err(thrown)
    }

    /// Has a host's application take no more of a destination or pattern.
    pub fn unsubscribe(&mut self, host: &str, destination: &str) -> Result<(), Thrown> {
        self.0.unsubscribe(host, destination).map_err(thrown)
    }

    /// Has a host's application subscribe, and answer what asks for an answer with the same text.
    pub fn answer(&mut self, host: &str, destination: &str) -> Result<(), Thrown> {
        self.0.answer(host, destination).map_err(thrown)
    }

    /// Has a host's application send text messages: once, or so many times, with so many milliseconds after each.
    pub fn publish(
        &mut self,
        host: &str,
        destination: &str,
        text: &str,
        times: Option<u32>,
        every: Option<f64>,
    ) -> Result<(), Thrown> {
        self.0.publish(host, destination, text, often(times, every)).map_err(thrown)
    }

    /// Has a host's application send text messages that ask for an answer.
    pub fn request(
        &mut self,
        host: &str,
        destination: &str,
        text: &str,
        times: Option<u32>,
        every: Option<f64>,
    ) -> Result<(), Thrown> {
        self.0.request(host, destination, text, often(times, every)).map_err(thrown)
    }

    /// What time it is, in milliseconds.
    pub fn now(&mut self) -> f64 {
        self.0.now()
    }

    /// When the scenario ends, in milliseconds.
    #[wasm_bindgen(js_name = endsAt)]
    pub fn ends_at(&self) -> f64 {
        self.0.ends_at()
    }

    /// Lets this many milliseconds of virtual time pass.
    #[wasm_bindgen(js_name = runFor)]
    pub fn run_for(&mut self, milliseconds: f64) -> Result<(), Thrown> {
        self.0.run_for(milliseconds).map_err(thrown)
    }

    /// Lets time pass until this moment, in milliseconds. However a span of time is divided, the run is the same.
    #[wasm_bindgen(js_name = runUntil)]
    pub fn run_until(&mut self, milliseconds: f64) -> Result<(), Thrown> {
        self.0.run_until(milliseconds).map_err(thrown)
    }

    /// Lets time pass until the next moment at which something happens, but no longer than `limit` milliseconds. False if
    /// nothing happens by then.
    pub fn step(&mut self, limit: f64) -> Result<bool, Thrown> {
        self.0.step(limit).map_err(thrown)
    }

    /// Takes what applications were told since the last call, oldest first; what is said of messages only if it is wanted.
    #[wasm_bindgen(unchecked_return_type = "Told[]")]
    pub fn events(&mut self, #[wasm_bindgen(js_name = withMessages)] with_messages: bool) -> JsValue {
        told(&self.0.events(with_messages).into())
    }

    /// How many events were dropped because nobody took them.
    pub fn unread(&self) -> f64 {
        count(self.0.unread())
    }

    /// Takes what has left hosts for others since the last call, from when it was watched on; adverts only if they are wanted.
    #[wasm_bindgen(unchecked_return_type = "Flight[]")]
    pub fn flights(&mut self, #[wasm_bindgen(js_name = withAdverts)] with_adverts: bool) -> JsValue {
        told(&self.0.flights(with_adverts).into())
    }

    /// The steps done since there were so many, those of the scenario and those done by calls.
    #[wasm_bindgen(unchecked_return_type = "Step[]")]
    pub fn steps(&self, since: usize) -> JsValue {
        told(&self.0.steps(since).into())
    }

    /// Who there is, who is linked to whom, and which paths are cut.
    #[wasm_bindgen(unchecked_return_type = "Topology")]
    pub fn topology(&mut self) -> JsValue {
        told(&self.0.topology())
    }

    /// How one node stands.
    #[wasm_bindgen(unchecked_return_type = "NodeView")]
    pub fn inspect(&mut self, host: &str) -> Result<JsValue, Thrown> {
        self.0.inspect(host).map(|value| told(&value)).map_err(thrown)
    }

    /// The brokers that a client fans out to, or would; none for other hosts, and for those that have crashed.
    #[wasm_bindgen(unchecked_return_type = "Target[]")]
    pub fn targets(&mut self, host: &str) -> Result<JsValue, Thrown> {
        self.0.targets(host).map(|targets| told(&targets.into())).map_err(thrown)
    }

    /// What became of all messages so far, and how long those took that were delivered since the last call.
    #[wasm_bindgen(unchecked_return_type = "Statistics")]
    pub fn statistics(&mut self) -> JsValue {
        told(&self.0.statistics())
    }

    /// A hash over everything that has happened, as 16 hexadecimal digits.
    #[wasm_bindgen(js_name = traceHash)]
    pub fn trace_hash(&mut self) -> String {
        self.0.trace_hash()
    }

    /// All that was done and is still to be done, as a scenario: with the same seed it is this very run.
    pub fn export(&mut self) -> String {
        self.0.export()
    }

    /// The seed, in hexadecimal.
    pub fn seed(&self) -> String {
        self.0.seed()
    }

    /// Lets nothing pass between two hosts, until they are healed.
    pub fn cut(&mut self, a: &str, b: &str) -> Result<(), Thrown> {
        self.0.cut(a, b).map_err(thrown)
    }

    /// Lets nothing pass from one host to another, until they are healed.
    #[wasm_bindgen(js_name = cutOneWay)]
    pub fn cut_one_way(&mut self, from: &str, to: &str) -> Result<(), Thrown> {
        self.0.cut_one_way(from, to).map_err(thrown)
    }

    /// Lets nothing pass between these hosts and all others.
    #[expect(clippy::needless_pass_by_value, reason = "no reference to a list of texts comes from JavaScript")]
    pub fn partition(&mut self, side: Vec<String>) -> Result<(), Thrown> {
        self.0.partition(&side).map_err(thrown)
    }

    /// Undoes the cuts between two hosts.
    pub fn heal(&mut self, a: &str, b: &str) -> Result<(), Thrown> {
        self.0.heal(a, b).map_err(thrown)
    }

    /// Undoes all cuts.
    #[wasm_bindgen(js_name = healAll)]
    pub fn heal_all(&mut self) {
        self.0.heal_all();
    }

    /// Lets each link of a host take no more than so many bytes a second; any number if none is given.
    pub fn slow(
        &mut self,
        host: &str,
        #[wasm_bindgen(js_name = bytesPerSecond)] rate: Option<u32>,
    ) -> Result<(), Thrown> {
        self.0.slow(host, rate).map_err(thrown)
    }

    /// Changes what goes wrong by chance, in a scenario's words: `loss=5% delay=1ms..20ms`, or `none`.
    pub fn faults(&mut self, faults: &str) -> Result<(), Thrown> {
        self.0.faults(faults).map_err(thrown)
    }

    /// Tears down all connections between two hosts.
    pub fn reset(&mut self, a: &str, b: &str) -> Result<(), Thrown> {
        self.0.reset(a, b).map_err(thrown)
    }

    /// Ends a host's process without notice, with all that its memory held.
    pub fn crash(&mut self, host: &str) -> Result<(), Thrown> {
        self.0.crash(host).map_err(thrown)
    }

    /// Starts a host's process again: same URI, new identity, same subscriptions.
    pub fn restart(&mut self, host: &str) -> Result<(), Thrown> {
        self.0.restart(host).map_err(thrown)
    }

    /// Stops a host's process in its tracks.
    pub fn pause(&mut self, host: &str) -> Result<(), Thrown> {
        self.0.pause(host).map_err(thrown)
    }

    /// Lets a host's process go on.
    pub fn resume(&mut self, host: &str) -> Result<(), Thrown> {
        self.0.resume(host).map_err(thrown)
    }

    /// Has a host's node take its leave.
    pub fn stop(&mut self, host: &str) -> Result<(), Thrown> {
        self.0.stop(host).map_err(thrown)
    }
}

fn often(times: Option<u32>, every: Option<f64>) -> Often {
    Often { times: times.unwrap_or(1), every }
}

fn count(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "JavaScript has no other numbers")]
    let number = number as f64;
    number
}

/// What is told, as JavaScript has it.
fn told(value: &Value) -> JsValue {
    parse_json(&value.to_string())
}

/// What is thrown: an `Error` whose name is `FlockError`, with a code.
#[expect(clippy::needless_pass_by_value, reason = "what is mapped is given away")]
fn thrown(fault: Fault) -> Thrown {
    let error = FlockError::new(&fault.to_string());
    error.set_name("FlockError");
    error.set_code(fault.code());
    error.into()
}

/// A seed as hexadecimal text.
fn seed_text(seed: JsValue) -> Result<String, Thrown> {
    if let Some(text) = seed.as_string() {
        return Ok(text);
    }
    let number = u128::try_from(seed).map_err(|seed| thrown(Fault::Seed(format!("{seed:?}"))))?;
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

    #[wasm_bindgen(js_name = Error)]
    type FlockError;

    #[wasm_bindgen(constructor, js_class = "Error")]
    fn new(message: &str) -> FlockError;

    #[wasm_bindgen(method, setter, structural)]
    fn set_name(this: &FlockError, name: &str);

    #[wasm_bindgen(method, setter, structural)]
    fn set_code(this: &FlockError, code: &str);
}

const HOSTS: usize = 3;
