//! The real binary, in real processes over real multicast and TCP on loopback. Every test has a group and a port of
//! its own and waits for what it expects, with a deadline.

mod bodies;
mod broker;
mod brokers;
mod composite;
mod demo;
mod durable;
mod endings;
mod fanout;
mod folder;
mod group;
mod groups;
mod log;
mod peers;
mod replay;
mod request;
mod running;
mod selector;
mod simulate;
mod status;
mod usage;
