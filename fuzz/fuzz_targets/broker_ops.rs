//! Feeds libFuzzer's inputs to [`flockmq_fuzz::broker_ops`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flockmq_fuzz::broker_ops(data));
