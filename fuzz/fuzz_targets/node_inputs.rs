//! Feeds libFuzzer's inputs to [`flockmq_fuzz::node_inputs`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flockmq_fuzz::node_inputs(data));
