//! The real binary on simulated networks: hosts that are network namespaces, wires and switches between them, and
//! faults of the wires. Each test builds a lab of its own, one at a time, and waits for what it expects with a deadline.
//!
//! Linux as root, with `ip`; elsewhere every test says why it is skipped, and fails if `CI` is set.

#![cfg(target_os = "linux")]

mod crash;
mod exchange;
mod fanout;
mod lab;
mod load;
mod partition;
mod process;
mod space;
mod topology;
