//! Brokers that stand alone, each a process.

use crate::running::Running;

/// A broker, killed when dropped.
pub(crate) struct Broker {
    pub(crate) running: Running,
    pub(crate) address: String,
}

impl Broker {
    /// Starts one that nobody finds but by its address, at any port.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_at(name, "tcp://127.0.0.1:0")
    }

    /// Starts one that nobody finds but by its address.
    pub(crate) fn start_at(name: &str, address: &str) -> Self {
        Self::start_with(&["--name", name, "--listen", address, "--no-discovery"])
    }

    /// Starts one with these arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let mut running = Running::start(&[&["broker"], arguments].concat());
        let line = running.line();
        let (_, address) = line.split_once(" at ").filter(|_| line.starts_with("broker up ")).expect(&line);
        let address = address.to_owned();
        Self { running, address }
    }

    /// Takes all messages of a destination from this broker alone, from now on.
    pub(crate) fn subscribe(&self, destination: &str) -> Running {
        let uri = fanout(&[self], "minAckCount=1");
        let mut subscriber = Running::start(&["subscribe", &uri, destination, "--verbose"]);
        subscriber.complaint("subscribed to ");
        subscriber
    }
}

/// Three brokers: a, b and c.
pub(crate) fn three() -> [Broker; 3] {
    ["a", "b", "c"].map(Broker::start)
}

/// The URI of what sends to all of these.
pub(crate) fn fanout(brokers: &[&Broker], options: &str) -> String {
    let addresses: Vec<&str> = brokers.iter().map(|broker| broker.address.as_str()).collect();
    let query = if options.is_empty() { String::new() } else { format!("?{options}") };
    format!("fanout:(static:({})){query}", addresses.join(","))
}
